//! What went wrong while a connection was secured, in words that say what to do.

use std::io;

use config::client::HostPort;
use config::security::{Security, TlsSettings, Trust};
use rustls::{AlertDescription, CertificateError, Error};

use super::date::date;
use crate::error::ClientError;

/// Longest text of a peer that is shown, in characters.
const LONGEST_WORDS: usize = 300;

/// What a peer says, fit for a log: it may be anything, and of any length.
pub(super) fn words_of_peer(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    let mut shown = shown.take(LONGEST_WORDS + 1).collect::<String>();
    if let Some((end, _)) = shown.char_indices().nth(LONGEST_WORDS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// An error of the TLS handshake.
pub(crate) fn handshake_failed(
    peer: &HostPort,
    settings: &TlsSettings,
    error: &io::Error,
) -> ClientError {
    let (cause, remedy) = match inner(error) {
        Some(error) => explain(error, settings),
        None => (
            format!("the connection ended during the TLS handshake ({error})"),
            "a listener without TLS does that: check the port and security.protocol; otherwise the broker's log says \
             why"
            .to_owned(),
        ),
    };
    ClientError::Tls {
        peer: peer.clone(),
        cause,
        remedy,
    }
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An alert that came after the handshake: with TLS 1.3 a broker refuses a client's certificate only then.
pub(crate) fn explain_alert(error: &io::Error) -> String {
    match inner(error) {
        Some(Error::AlertReceived(alert)) => match refusal(*alert) {
            Some(refusal) => format!(
                "the broker refuses this client's certificate ({refusal}); check ssl.keystore.location, and that the \
                 broker trusts the certificate's authority"
            ),
            None => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// Words for alerts about our certificate.
fn refusal(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::BadCertificate => "bad certificate, or none",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants one, and none is configured"
        }
        AlertDescription::UnknownCA => "unknown authority",
        AlertDescription::CertificateExpired => "expired",
        AlertDescription::CertificateRevoked => "revoked",
        AlertDescription::CertificateUnknown => "not acceptable",
        AlertDescription::UnsupportedCertificate => "of a kind it does not know",
        AlertDescription::AccessDenied => "access denied",
        _ => return None,
    })
}

fn explain(error: &Error, settings: &TlsSettings) -> (String, String) {
    match error {
        Error::InvalidCertificate(error) => certificate(error, settings),
        Error::AlertReceived(alert) => match refusal(*alert) {
            Some(refusal) => (
                format!("it refuses this client's certificate: {refusal}"),
                "check ssl.keystore.location, and that the broker trusts the certificate's authority".to_owned(),
            ),
            None => common_ground(format!("it ended the TLS handshake (alert {alert:?})")),
        },
        Error::PeerIncompatible(reason) => {
            common_ground(format!("it and Tributary have no TLS in common ({reason:?})"))
        }
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => (
            "what it sends is not TLS".to_owned(),
            "a listener without TLS answers so: check the port and security.protocol".to_owned(),
        ),
        error => (
            format!("the TLS handshake failed: {error}"),
            "the broker's log may say more".to_owned(),
        ),
    }
}

fn common_ground(cause: String) -> (String, String) {
    let remedy = "compare ssl.enabled.protocols and ssl.cipher.suites on both sides; the broker may also want a client \
                  certificate (ssl.keystore.location)";
    (cause, remedy.to_owned())
}

fn certificate(error: &CertificateError, settings: &TlsSettings) -> (String, String) {
    match error {
        CertificateError::UnknownIssuer => (
            "its certificate comes from an authority that is not trusted".to_owned(),
            match settings.trust {
                Trust::System => {
                    "only the system's authorities are trusted, because ssl.truststore.location is not set: name a \
                     file with the certificate of the broker's authority"
                }
                Trust::Inline(_) => {
                    "add the certificate of the broker's authority to ssl.truststore.certificates"
                }
                Trust::Store(_) => {
                    "add the certificate of the broker's authority to the file of ssl.truststore.location"
                }
            }
            .to_owned(),
        ),
        CertificateError::Expired => expired(""),
        CertificateError::ExpiredContext { not_after, .. } => {
            expired(&format!(" on {}", date(not_after.as_secs())))
        }
        CertificateError::NotValidYet => early(""),
        CertificateError::NotValidYetContext { not_before, .. } => {
            early(&format!(" before {}", date(not_before.as_secs())))
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names = if presented.is_empty() {
                "names no host (subject alternative names are needed)".to_owned()
            } else {
                let shown: Vec<&str> = presented.iter().take(8).map(|name| plain_name(name)).collect();
                format!("is for {}", shown.join(", "))
            };
            other_name(&format!("{names} and not for {}", expected.to_str()))
        }
        CertificateError::NotValidForName => other_name("is for other hosts"),
        CertificateError::Revoked => (
            "its certificate has been revoked".to_owned(),
            "give the broker a new one".to_owned(),
        ),
        error => (
            format!("its certificate cannot be accepted: {error}"),
            "give the broker a certificate for servers, issued by an authority".to_owned(),
        ),
    }
}

/// `DnsName("a")` as webpki writes it, without the wrapping.
fn plain_name(name: &str) -> &str {
    name.split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .map_or(name, |name| name.trim_matches('"'))
}

fn expired(when: &str) -> (String, String) {
    (
        format!("its certificate expired{when}"),
        "give the broker a new one, and check this machine's clock".to_owned(),
    )
}

fn early(when: &str) -> (String, String) {
    (
        format!("its certificate is not valid{when}"),
        "check this machine's clock and the broker's".to_owned(),
    )
}

fn other_name(names: &str) -> (String, String) {
    (
        format!("its certificate {names}"),
        "dial the broker by a name in its certificate (also in advertised.listeners), or have one issued that names \
         it; an empty ssl.endpoint.identification.algorithm switches the check off"
            .to_owned(),
    )
}

/// The first answer of a plain connection began like an alert of TLS, or never came.
pub(crate) fn expects_tls(peer: &HostPort, security: &Security, cause: &str) -> ClientError {
    let with = match security {
        Security::SaslPlaintext(_) => "SASL_SSL",
        _ => "SSL or SASL_SSL",
    };
    ClientError::Tls {
        peer: peer.clone(),
        cause: cause.to_owned(),
        remedy: format!(
            "a listener with TLS does that: set security.protocol to {with}, which is {} now, or check the port",
            security.name()
        ),
    }
}

/// The broker ended a connection at the first request that is not part of its set-up.
pub(crate) fn expects_sasl(cause: &str) -> String {
    format!(
        "{cause} at the first request; a listener with SASL does that when security.protocol is without it, and \
         brokers that are going down do too"
    )
}
