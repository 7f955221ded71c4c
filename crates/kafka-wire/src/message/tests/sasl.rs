//! SaslHandshake, SaslAuthenticate.

use bytes::Bytes;
use kafka_protocol::messages;

use super::compare::{answers_are_equal, requests_are_equal, text};
use crate::error_code::ErrorCode;
use crate::message::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::message::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

#[test]
fn sasl_handshake_is_that_of_another_implementation() {
    let request = SaslHandshakeRequest {
        mechanism: "SCRAM-SHA-256".to_owned(),
    };
    requests_are_equal(&request, |_| {
        messages::SaslHandshakeRequest::default().with_mechanism(text("SCRAM-SHA-256"))
    });
    answers_are_equal::<SaslHandshakeRequest, _>(
        |_| {
            messages::SaslHandshakeResponse::default()
                .with_error_code(33)
                .with_mechanisms(vec![text("PLAIN"), text("GSSAPI")])
        },
        |_| SaslHandshakeResponse {
            error: ErrorCode::UNSUPPORTED_SASL_MECHANISM,
            mechanisms: vec!["PLAIN".to_owned(), "GSSAPI".to_owned()],
        },
    );
}

#[test]
fn sasl_authenticate_is_that_of_another_implementation() {
    let token = Bytes::from_static(b"\0alice\0hunter2");
    let request = SaslAuthenticateRequest {
        token: token.clone(),
    };
    requests_are_equal(&request, |_| {
        messages::SaslAuthenticateRequest::default().with_auth_bytes(token.clone())
    });
    assert!(!format!("{request:?}").contains("hunter2"));
    answers_are_equal::<SaslAuthenticateRequest, _>(
        |version| {
            let answer = messages::SaslAuthenticateResponse::default()
                .with_error_code(58)
                .with_error_message(Some(text("wrong password")))
                .with_auth_bytes(Bytes::from_static(b"v=abc"));
            if version < 1 {
                return answer;
            }
            answer.with_session_lifetime_ms(3_600_000)
        },
        |version| SaslAuthenticateResponse {
            error: ErrorCode::SASL_AUTHENTICATION_FAILED,
            error_message: Some("wrong password".to_owned()),
            token: Bytes::from_static(b"v=abc"),
            session_lifetime_ms: if version < 1 { 0 } else { 3_600_000 },
        },
    );
}
