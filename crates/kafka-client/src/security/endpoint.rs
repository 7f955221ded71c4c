//! One question to a token endpoint or to one of AWS, over http or over the TLS that brokers are dialled with.
//!
//! Invariant: what an endpoint answers is bounded in size and time, and of its errors only the parts that RFC 6749
//! defines are shown.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use config::Secret;
use config::client::HostPort;
use config::security::{Endpoint, OAuth, TlsSettings};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::explain::words_of_peer;
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

/// How an endpoint is reached.
pub(super) struct Limits<'a> {
    pub(super) connect: Duration,
    pub(super) read: Duration,
    /// `None` uses the system's roots.
    pub(super) tls: Option<&'a TlsSettings>,
}

impl<'a> Limits<'a> {
    pub(super) fn of(oauth: &'a OAuth) -> Self {
        Self {
            connect: oauth.connect_timeout,
            read: oauth.read_timeout,
            tls: oauth.tls.as_ref(),
        }
    }
}

/// What is asked for.
pub(super) struct Question {
    pub(super) method: Method,
    /// Besides those of every request.
    pub(super) headers: Vec<(&'static str, Secret<String>)>,
    pub(super) body: String,
}

impl Question {
    /// A form.
    pub(super) fn form(fields: &[(&str, String)]) -> Self {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let kind = "application/x-www-form-urlencoded".to_owned().into();
        Self {
            method: Method::POST,
            headers: vec![("content-type", kind)],
            body: body.join("&"),
        }
    }

    /// Something that is only read.
    pub(super) fn get() -> Self {
        Self {
            method: Method::GET,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: Secret<String>) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// An answer of an endpoint that is no good one.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there is no answer to be used.
pub(super) enum NoAnswer {
    /// It was not reached, or did not answer as it should.
    Trouble(String),
    /// It answered that it will not.
    Refused(Refused),
}

impl NoAnswer {
    /// In words; of a refusal what RFC 6749 defines.
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Trouble(problem) => problem,
            Self::Refused(refused) => refusal(refused.status, &refused.body),
        }
    }

    /// Whether asking again may help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Trouble(_) => true,
            Self::Refused(refused) => refused.status >= 500 || refused.status == 429,
        }
    }
}

impl From<String> for NoAnswer {
    fn from(problem: String) -> Self {
        Self::Trouble(problem)
    }
}

/// How a host is named in requests.
pub(super) fn host_of(at: &Endpoint) -> String {
    let host = if at.host.contains(':') {
        format!("[{}]", at.host)
    } else {
        at.host.clone()
    };
    let usual = if at.tls { 443 } else { 80 };
    if at.port == usual {
        host
    } else {
        format!("{host}:{}", at.port)
    }
}

/// Asks; gives the body of a good answer.
pub(super) async fn ask(
    limits: &Limits<'_>,
    at: &Endpoint,
    question: Question,
) -> Result<Bytes, NoAnswer> {
    let dialled = timeout(limits.connect, dial(limits.tls, at)).await;
    let stream = dialled.map_err(|_| format!("no connection within {:?}", limits.connect))??;
    let mut request = Request::builder()
        .method(question.method)
        .uri(at.path.as_str())
        .header(header::HOST, host_of(at))
        .header(header::ACCEPT, "application/json, text/xml")
        .header(header::CONNECTION, "close");
    for (name, value) in &question.headers {
        request = request.header(*name, value.expose());
    }
    let request = request
        .body(Full::new(Bytes::from(question.body)))
        .map_err(|_| "its address cannot be asked for".to_owned())?;
    let exchanged = timeout(limits.read, exchange(stream, request)).await;
    exchanged.map_err(|_| format!("no answer within {:?}", limits.read))?
}

async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Bytes, NoAnswer> {
    let unusable = |error: hyper::Error| {
        NoAnswer::Trouble(format!("it does not speak HTTP as it should ({error})"))
    };
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
            return Ok(body);
        }
        Err(NoAnswer::Refused(Refused {
            status: status.as_u16(),
            body,
        }))
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
        .map(|words| words_of_peer(&words));
    match words {
        Some(words) => format!("it answers {status}: {words}"),
        None => format!("it answers {status}"),
    }
}

async fn dial(tls: Option<&TlsSettings>, at: &Endpoint) -> Result<Box<dyn Stream>, String> {
    let tcp = TcpStream::connect((at.host.as_str(), at.port))
        .await
        .map_err(|error| format!("it cannot be reached ({error})"))?;
    if !at.tls {
        return Ok(Box::new(tcp));
    }
    let settings = tls.cloned().unwrap_or_default();
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
