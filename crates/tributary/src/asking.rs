//! A client of a worker's API: one request, one connection.
//!
//! Deliberately absent: TLS. A worker that serves it is asked by curl for now.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Largest answer, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;
/// How long a connection may take to be made.
const DIAL: Duration = Duration::from_secs(5);

/// Why there is no answer, or which error it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Failure {
    /// The status, where a worker answered.
    pub(crate) status: Option<u16>,
    /// What is wrong.
    pub(crate) message: String,
    /// What the worker says about it.
    pub(crate) explanation: Option<Value>,
}

impl Failure {
    fn unanswered(message: String) -> Self {
        Self {
            status: None,
            message,
            explanation: None,
        }
    }
}

/// Who proves to be whom.
#[derive(Clone)]
pub(crate) enum Credentials {
    Basic(String, String),
    Bearer(String),
}

/// The workers that can be asked, in the order in which they are tried.
#[derive(Clone)]
pub(crate) struct Workers {
    addresses: Vec<String>,
    authorization: Option<String>,
    limit: Option<Duration>,
}

impl Workers {
    /// From `http://HOST:PORT,…`.
    pub(crate) fn new(
        urls: &str,
        credentials: Option<&Credentials>,
        limit: Option<Duration>,
    ) -> Result<Self, String> {
        let mut addresses = Vec::new();
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let rest = match url.split_once("://") {
                Some(("http", rest)) => rest,
                Some(("https", _)) => {
                    return Err(format!(
                        "{url}: workers with TLS cannot be asked yet; use curl"
                    ));
                }
                Some(_) => {
                    return Err(format!(
                        "{url} is no address of a worker: write http://HOST:PORT"
                    ));
                }
                None => url,
            };
            let address = rest.trim_end_matches('/');
            let has_port = address
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            addresses.push(if has_port {
                address.to_owned()
            } else {
                format!("{address}:8083")
            });
        }
        if addresses.is_empty() {
            return Err("--url names no worker".to_owned());
        }
        let authorization = credentials.map(|credentials| match credentials {
            Credentials::Basic(user, password) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
            Credentials::Bearer(token) => format!("Bearer {token}"),
        });
        Ok(Self {
            addresses,
            authorization,
            limit,
        })
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, None).await
    }

    /// Has something done. An answer without a body is nothing.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let trying = async {
            let mut last = None;
            for address in &self.addresses {
                let sent = self.send_to(address, method, path, body).await;
                match sent {
                    Err(failure) if failure.status.is_none() => last = Some(failure),
                    answered => return answered,
                }
            }
            Err(last.expect("one address at least"))
        };
        match self.limit {
            None => trying.await,
            Some(limit) => timeout(limit, trying).await.unwrap_or_else(|_| {
                let text = format!(
                    "{method} {path}: no answer within {} s",
                    limit.as_secs_f64()
                );
                Err(Failure::unanswered(text))
            }),
        }
    }

    async fn send_to(
        &self,
        address: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let failed = |what: String| {
            Failure::unanswered(format!("the worker at {address} cannot be asked: {what}"))
        };
        let dialled = timeout(DIAL, TcpStream::connect(address)).await;
        let stream = match dialled {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("no answer to the connection".to_owned())),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        let bytes = body.map(|body| Bytes::from(body.to_string()));
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, address)
            .header(ACCEPT, "application/json")
            .header(
                "user-agent",
                concat!("tributary/", env!("CARGO_PKG_VERSION")),
            );
        if bytes.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(bytes.unwrap_or_default()))
            .map_err(|error| failed(error.to_string()))?;
        let asking = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let bytes = body.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>((status, bytes))
        };
        tokio::pin!(asking, connection);
        // Cancel-safe: the connection only drives what is asked, and is over with it.
        let answered = tokio::select! {
            biased;
            answered = asking.as_mut() => answered,
            _ = connection.as_mut() => asking.await,
        };
        let (status, bytes) = answered.map_err(failed)?;
        understood(status, &bytes)
    }
}

fn understood(status: u16, bytes: &[u8]) -> Result<Value, Failure> {
    let value = match bytes {
        [] => Value::Null,
        bytes => serde_json::from_slice(bytes).unwrap_or(Value::Null),
    };
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let message = value["message"].as_str();
    Err(Failure {
        status: Some(status),
        message: message.map_or_else(|| format!("the worker answers {status}"), str::to_owned),
        explanation: value
            .get("explanation")
            .filter(|one| !one.is_null())
            .cloned(),
    })
}

/// A name as a part of a path.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_neither_scheme_nor_port() {
        let addresses =
            |text: &str| Workers::new(text, None, None).map(|workers| workers.addresses);
        assert_eq!(
            addresses("http://a:1/,b").ok(),
            Some(vec!["a:1".into(), "b:8083".into()])
        );
        for wrong in ["", "https://a:1", "ftp://a"] {
            addresses(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn an_error_keeps_the_words_of_the_worker() {
        let failure = understood(404, br#"{"error_code":404,"message":"no such link"}"#);
        let failure = failure.expect_err("an error");
        assert_eq!(
            (failure.status, failure.message.as_str()),
            (Some(404), "no such link")
        );
        assert_eq!(understood(204, b""), Ok(Value::Null));
    }
}
