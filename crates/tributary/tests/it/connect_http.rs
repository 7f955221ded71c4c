//! A client that sends what it is told, byte for byte, and shows what came back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(100);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// Its body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an error, which has to have the shape of all errors.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let object = json.as_object().expect("an object");
        assert_eq!(object.len(), 2, "{self:?}");
        assert_eq!(object["error_code"], self.status, "{self:?}");
        let message = object["message"].as_str().expect("never null").to_owned();
        assert!(!message.is_empty());
        message
    }

    /// A header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: String,
    /// Sent with every request.
    pub(crate) headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            headers: Vec::new(),
        }
    }

    /// Sends bytes and reads to the end of the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        match timeout(LIMIT, stream.read_to_end(&mut answer)).await {
            Ok(read) => read.map(|_| answer),
            Err(_) => Err(std::io::Error::other("no answer")),
        }
    }

    /// A request with exactly these headers, beside `Host` and `Connection`.
    pub(crate) async fn with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or(""));
        let answer = self.raw(text.as_bytes()).await.expect("an answer");
        parse(&answer)
    }

    /// A request, with a body in JSON where there is one.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        match body {
            None => self.with(method, path, &[], None).await,
            Some(body) => {
                let length = body.len().to_string();
                let headers = [
                    ("Content-Type", "application/json"),
                    ("Content-Length", length.as_str()),
                ];
                self.with(method, path, &headers, Some(body)).await
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Option<&str>) -> Answer {
        self.send("PUT", path, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&str>) -> Answer {
        self.send("POST", path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &str) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }
}

/// Understands an answer, chunked or not.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let body = if headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked")
    {
        unchunked(rest)
    } else {
        rest.to_vec()
    };
    Answer {
        status: status.expect("a status"),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..line]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    body
}
