//! One POST to a token endpoint, over http or over the TLS that brokers are dialled with.
//!
//! Invariant: what an endpoint answers is bounded in size and time, and of its errors only the parts that RFC 6749
//! defines are shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use config::Secret;
use config::client::HostPort;
use config::security::{Endpoint, OAuth};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::protection;
use super::tls::server_name;
use crate::error::ClientError;
use crate::security::handshake_failed;

/// Longest answer, in bytes.
const LONGEST: usize = 256 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The header that says who we are (RFC 6749, 2.3.1).
pub(super) fn basic(id: &str, secret: &Secret<String>, urlencode: bool) -> Secret<String> {
    let pair = if urlencode {
        format!("{}:{}", encoded(id), encoded(secret.expose()))
    } else {
        format!("{id}:{}", secret.expose())
    };
    Secret::new(format!("Basic {}", BASE64.encode(pair)))
}

/// As `application/x-www-form-urlencoded` wants it.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => write!(out, "%{byte:02X}").expect("a text takes everything"),
        }
    }
    out
}

/// Posts a form; gives the body of a good answer.
pub(super) async fn post(
    oauth: &OAuth,
    at: &Endpoint,
    basic: Option<Secret<String>>,
    form: &[(&str, String)],
) -> Result<Bytes, String> {
    let dialled = timeout(oauth.connect_timeout, dial(oauth, at)).await;
    let stream =
        dialled.map_err(|_| format!("no connection within {:?}", oauth.connect_timeout))??;
    let body: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let host = if at.host.contains(':') {
        format!("[{}]:{}", at.host, at.port)
    } else {
        format!("{}:{}", at.host, at.port)
    };
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(at.path.as_str())
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(basic) = basic {
        request = request.header(header::AUTHORIZATION, basic.expose());
    }
    let request = request
        .body(Full::new(Bytes::from(body.join("&"))))
        .map_err(|_| "its address cannot be asked for".to_owned())?;
    let exchanged = timeout(oauth.read_timeout, exchange(stream, request)).await;
    exchanged.map_err(|_| format!("no answer within {:?}", oauth.read_timeout))?
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Bytes, String> {
    let unusable = |error: hyper::Error| format!("it does not speak HTTP as it should ({error})");
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(unusable)?;
    let asking = async move {
        let answer = sender.send_request(request).await.map_err(unusable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST)
            .collect()
            .await
            .map_err(|_| "its answer is cut off or too long".to_owned())?
            .to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(refusal(status.as_u16(), &body))
        }
    };
    // The connection ends when the sender is gone; its own errors come out of the request too.
    let (answer, _) = tokio::join!(asking, connection);
    answer
}

/// `error` and `error_description` of RFC 6749, 5.2.
fn refusal(status: u16, body: &[u8]) -> String {
    let words: Option<String> = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|answer| {
            let part = |name: &str| answer.get(name).and_then(serde_json::Value::as_str);
            let parts = [part("error"), part("error_description")];
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        })
        .map(|words| {
            words
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect()
        });
    match words {
        Some(words) => format!("it answers {status}: {words}"),
        None => format!("it answers {status}"),
    }
}

async fn dial(oauth: &OAuth, at: &Endpoint) -> Result<Box<dyn Stream>, String> {
    let tcp = TcpStream::connect((at.host.as_str(), at.port))
        .await
        .map_err(|error| format!("it cannot be reached ({error})"))?;
    if !at.tls {
        return Ok(Box::new(tcp));
    }
    let settings = oauth.tls.clone().unwrap_or_default();
    let tls = protection::load_tls(&settings).await?;
    let peer = HostPort {
        host: at.host.clone(),
        port: at.port,
    };
    match TlsConnector::from(tls)
        .connect(server_name(&peer)?, tcp)
        .await
    {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(match handshake_failed(&peer, &settings, &error) {
            ClientError::Tls { cause, remedy, .. } => {
                format!("{cause}; {remedy} (as options of the login module in sasl.jaas.config)")
            }
            other => other.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_encoded_where_it_is_asked_for() {
        let secret = Secret::new("p:w ü/".to_owned());
        assert_eq!(
            basic("id", &secret, false).expose(),
            &format!("Basic {}", BASE64.encode("id:p:w ü/"))
        );
        assert_eq!(
            basic("id", &secret, true).expose(),
            &format!("Basic {}", BASE64.encode("id:p%3Aw+%C3%BC%2F"))
        );
    }

    #[test]
    fn of_a_refusal_only_the_defined_parts_are_shown() {
        let body = br#"{"error":"invalid_client","error_description":"no\nsuch client","secret":"hunter2"}"#;
        assert_eq!(
            refusal(401, body),
            "it answers 401: invalid_client, nosuch client"
        );
        assert_eq!(refusal(500, b"<html>hunter2"), "it answers 500");
    }
}
