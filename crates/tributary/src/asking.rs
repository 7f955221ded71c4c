//! A client of a worker's API: one request, one connection, with TLS where the address says https.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use config::client::HostPort;
use config::key::HIDDEN;
use config::security::TlsSettings;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use hyper_util::rt::TokioIo;
use kafka_client::OutwardProtection;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::output;

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
    /// One that nothing explains; `status` is what a worker answered, or would have.
    pub(crate) fn of(status: impl Into<Option<u16>>, message: String) -> Self {
        Self {
            status: status.into(),
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

/// Where a worker listens.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Address {
    https: bool,
    /// Host and port.
    authority: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// A request.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    body: Option<&'a Value>,
    /// Only while what it is about is of this version.
    version: Option<&'a str>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The workers that can be asked, in the order in which they are tried.
#[derive(Clone)]
pub(crate) struct Workers {
    addresses: Vec<Address>,
    authorization: Option<String>,
    tls: TlsSettings,
    limit: Option<Duration>,
    /// Whether each request is printed.
    says: bool,
}

impl Workers {
    /// From `http://HOST:PORT,…`; `tls` is for addresses with https.
    pub(crate) fn new(
        urls: &str,
        credentials: Option<&Credentials>,
        tls: TlsSettings,
        limit: Option<Duration>,
    ) -> Result<Self, String> {
        let mut addresses = Vec::new();
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let (https, rest) = match url.split_once("://") {
                Some(("http", rest)) => (false, rest),
                Some(("https", rest)) => (true, rest),
                Some(_) => {
                    return Err(format!(
                        "{url} is no address of a worker: write http://HOST:PORT or https://HOST:PORT"
                    ));
                }
                None => (false, url),
            };
            let address = rest.trim_end_matches('/');
            let has_port = address
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let authority = if has_port {
                address.to_owned()
            } else {
                format!("{address}:8083")
            };
            addresses.push(Address { https, authority });
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
            tls,
            limit,
            says: false,
        })
    }

    /// The same; each request is printed where that is wanted.
    pub(crate) fn saying(self, says: bool) -> Self {
        Self { says, ..self }
    }

    /// The URLs, in the order in which they are tried.
    pub(crate) fn urls(&self) -> impl Iterator<Item = String> {
        self.addresses.iter().map(ToString::to_string)
    }

    /// The URL that is tried first.
    pub(crate) fn first(&self) -> String {
        self.addresses[0].to_string()
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
        self.ask(Asked {
            method,
            path,
            body,
            version: None,
        })
        .await
    }

    /// Has something done, unless what it is about was changed since it had this version.
    pub(crate) async fn send_if(
        &self,
        version: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.ask(Asked {
            method,
            path,
            body: Some(body),
            version: Some(version),
        })
        .await
    }

    async fn ask(&self, asked: Asked<'_>) -> Result<Value, Failure> {
        let trying = async {
            let mut last = None;
            for address in &self.addresses {
                if self.says {
                    output::notice(&self.as_curl(address, asked));
                }
                let sent = self.send_to(address, asked).await;
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
                let Asked { method, path, .. } = asked;
                let text = format!(
                    "{method} {path}: no answer within {} s",
                    limit.as_secs_f64()
                );
                Err(Failure::of(None, text))
            }),
        }
    }

    /// The request as somebody else's program would make it. Secrets are not in it.
    fn as_curl(&self, address: &Address, asked: Asked<'_>) -> String {
        let mut words = vec!["curl".to_owned(), "-X".to_owned(), asked.method.to_owned()];
        let mut header = |text: String| words.extend(["-H".to_owned(), quoted(&text)]);
        if let Some(authorization) = &self.authorization {
            let (scheme, _) = authorization.split_once(' ').unwrap_or_default();
            header(format!("Authorization: {scheme} {HIDDEN}"));
        }
        if let Some(version) = asked.version {
            header(format!("If-Match: \"{version}\""));
        }
        if let Some(body) = asked.body {
            header("Content-Type: application/json".to_owned());
            words.extend(["-d".to_owned(), quoted(&shown(body).to_string())]);
        }
        words.push(quoted(&format!("{address}{}", asked.path)));
        words.join(" ")
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Stream>, String> {
        let stream = TcpStream::connect(&address.authority)
            .await
            .map_err(|error| error.to_string())?;
        if !address.https {
            return Ok(Box::new(stream));
        }
        let protection = OutwardProtection::open(self.tls.clone()).await?;
        let (host, port) = address
            .authority
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or("the address has no port")?;
        let peer = HostPort {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        };
        let connected = Box::pin(protection.connect(&peer, stream)).await;
        let connected = connected.map_err(|problem| {
            format!(
                "{problem} (here --ca-file is ssl.truststore.location, --cert and --key are ssl.keystore)"
            )
        });
        Ok(Box::new(connected?))
    }

    async fn send_to(&self, address: &Address, asked: Asked<'_>) -> Result<Value, Failure> {
        let failed = |what: String| {
            Failure::of(
                None,
                format!("the worker at {address} cannot be asked: {what}"),
            )
        };
        let stream = match timeout(DIAL, self.dial(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error)),
            Err(_) => return Err(failed("no answer to the connection".to_owned())),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        let bytes = asked.body.map(|body| Bytes::from(body.to_string()));
        let mut request = hyper::Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header(HOST, &address.authority)
            .header(ACCEPT, "application/json")
            .header(
                "user-agent",
                concat!("tributary/", env!("CARGO_PKG_VERSION")),
            );
        if bytes.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(version) = asked.version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
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
                .map_err(|error| cause(&error))?;
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
            ended = connection.as_mut() => match (asking.await, ended) {
                // What ended the connection says more than that it is over.
                (Err(_), Err(error)) => Err(cause(&error)),
                (answered, _) => answered,
            },
        };
        // With TLS 1.3 a worker says only after the handshake that it misses a certificate, if it says so.
        let bare = address.https && self.tls.identity.is_none();
        let (status, bytes) = answered.map_err(|text| {
            let hint = "; it may want a certificate: --cert";
            failed(text + if bare { hint } else { "" })
        })?;
        understood(status, &bytes)
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A body as it may be shown.
fn shown(body: &Value) -> Value {
    match body {
        Value::Object(members) => {
            let shown = members.iter().map(|(key, value)| {
                let value = match value {
                    Value::String(text) => config::key::shown_to_readers(key, text).into(),
                    other => shown(other),
                };
                (key.clone(), value)
            });
            Value::Object(shown.collect())
        }
        Value::Array(items) => items.iter().map(shown).collect(),
        other => other.clone(),
    }
}

/// An error with what is behind it.
fn cause(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut behind = std::error::Error::source(error);
    while let Some(error) = behind {
        text.push_str(&format!(": {error}"));
        behind = error.source();
    }
    text
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
        let addresses = |text: &str| {
            let workers = Workers::new(text, None, TlsSettings::default(), None)?;
            let all = workers.addresses.iter().map(Address::to_string);
            Ok::<_, String>(all.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            addresses("http://a:1/,b,https://c").as_deref(),
            Ok("http://a:1 http://b:8083 https://c:8083")
        );
        for wrong in ["", "ftp://a"] {
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

    #[test]
    fn a_request_is_shown_as_curl_makes_it_and_without_secrets() {
        let user = Credentials::Basic("ada".to_owned(), "sesame".to_owned());
        let tls = TlsSettings::default();
        let workers = Workers::new("https://w:1", Some(&user), tls, None).expect("right");
        let body = serde_json::json!({"name": "it's", "config": {
            "tasks.max": "2", "src.kafka.ssl.key.password": "sesame",
        }});
        let asked = Asked {
            method: "POST",
            path: "/connectors",
            body: Some(&body),
            version: Some("7"),
        };
        let line = workers.as_curl(&workers.addresses[0], asked);
        assert!(!line.contains("sesame"), "{line}");
        for part in [
            "curl -X POST -H 'Authorization: Basic [hidden]' -H 'If-Match: \"7\"'",
            r#""tasks.max":"2""#,
            r"it'\''s",
            "'https://w:1/connectors'",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}
