//! Requests that another worker has to answer: passed on as they came, and its answer passed back as it is. Over TLS where
//! the other worker is known by https, with what this worker's own listeners show and believe.
//!
//! A request goes from a worker that may not do it to the leader, and from there to whoever runs the thing: two hops. A
//! third would be a circle.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use config::client::HostPort;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kafka_client::ListenerProtection;
use lifecycle::{OnFailure, Scope};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use worker_group::{Refusal, Submission, Submitted};

use crate::answer;
use crate::query::encode;

/// How long another worker may take: as long as a request may.
const LIMIT: Duration = Duration::from_secs(90);
/// The largest answer, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A request, kept for the case that another worker has to answer it.
pub(crate) struct Again {
    pub(crate) method: Method,
    /// Path and query as they came.
    pub(crate) target: String,
    /// What the client said about forwarding.
    pub(crate) forward: Option<bool>,
    pub(crate) body: Bytes,
    /// Of the client's headers only these: who asks.
    pub(crate) authorization: Option<HeaderValue>,
    /// And this: with what.
    pub(crate) user_agent: Option<HeaderValue>,
}

/// Marks the answer of another worker: what was done is taken down there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoneElsewhere;

impl Again {
    /// Passes the request on to a worker.
    pub(crate) async fn at(self, url: &str, workers: &OtherWorkers) -> Response<Body> {
        let hop = match self.forward {
            None => "true",
            Some(true) => "false",
            Some(false) => return answer::refusal(&Refusal::conflicting()),
        };
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let kept = query
            .split('&')
            .filter(|part| !part.is_empty() && *part != "forward" && !part.starts_with("forward="));
        let query: Vec<&str> = kept.collect();
        let query = [query.as_slice(), &[&format!("forward={hop}")]]
            .concat()
            .join("&");
        let mut headers = HeaderMap::new();
        if let Some(authorization) = self.authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(user_agent) = self.user_agent {
            headers.insert(USER_AGENT, user_agent);
        }
        let request = Outgoing {
            method: self.method,
            target: format!("{path}?{query}"),
            headers,
            body: self.body,
        };
        match workers.send(url, request, LIMIT).await {
            Ok((status, headers, body)) => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                response.extensions_mut().insert(DoneElsewhere);
                for name in [CONTENT_TYPE, axum::http::header::LOCATION] {
                    if let Some(value) = headers.get(&name) {
                        response.headers_mut().insert(name, value.clone());
                    }
                }
                response
            }
            Err(cause) => answer::refusal(&Refusal::internal(format!(
                "IO Error trying to forward REST request: {cause}"
            ))),
        }
    }
}

struct Outgoing {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

type Answer = (StatusCode, HeaderMap, Bytes);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How other workers are reached; cheap to clone.
#[derive(Clone, Debug)]
pub struct OtherWorkers {
    /// Of this worker's listeners, where they have TLS.
    tls: Option<Arc<ListenerProtection>>,
}

impl OtherWorkers {
    pub(crate) fn new(tls: Option<Arc<ListenerProtection>>) -> Self {
        Self { tls }
    }

    /// Brings task configurations to the leader, or asks it to fence writers of before.
    ///
    /// # Errors
    /// It cannot be reached, or does not do it.
    pub async fn submit(&self, submission: Submission) -> Result<(), String> {
        let Submission {
            url,
            connector,
            asks,
            headers: signature,
        } = submission;
        let mut headers = HeaderMap::new();
        for (name, value) in signature {
            let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            headers.insert(name, value);
        }
        let (method, of, body) = match asks {
            Submitted::Tasks(body) => (Method::POST, "tasks", Bytes::from(body)),
            Submitted::Fence => (Method::PUT, "fence", Bytes::new()),
        };
        let request = Outgoing {
            method,
            target: format!("/connectors/{}/{of}?forward=false", encode(&connector)),
            headers,
            body,
        };
        let (status, _, body) = self.send(&url, request, LIMIT).await?;
        if status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&body);
        Err(format!("the leader at {url} answered {status}: {text}"))
    }

    /// Reads something of another worker, for whoever asks this one.
    ///
    /// # Errors
    /// It cannot be reached, takes longer than `limit`, or answers with something else than success.
    pub(crate) async fn read(
        &self,
        url: &str,
        target: String,
        authorization: Option<HeaderValue>,
        limit: Duration,
    ) -> Result<Bytes, String> {
        let mut headers = HeaderMap::new();
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        let request = Outgoing {
            method: Method::GET,
            target,
            headers,
            body: Bytes::new(),
        };
        let (status, _, body) = self.send(url, request, limit).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(format!("it answered {status}"))
    }

    async fn send(&self, url: &str, request: Outgoing, limit: Duration) -> Result<Answer, String> {
        let scope = Scope::new("forward");
        let answered = timeout(limit, self.exchange(url, request, &scope)).await;
        let report = scope.stop(Duration::ZERO).await;
        tracing::trace!(?report, "forwarded");
        answered.unwrap_or_else(|_| Err(format!("{url} did not answer within {limit:?}")))
    }

    async fn exchange(
        &self,
        url: &str,
        request: Outgoing,
        scope: &Scope,
    ) -> Result<Answer, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{url}: {error}");
        let (https, authority) = split(url)
            .ok_or_else(|| format!("{url} is not a URL that starts with http:// or https://"))?;
        let stream = self.dial(https, authority).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        scope.spawn("connection", OnFailure::Report, async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection to another worker ended: {error}");
            }
        });
        let mut outgoing = Request::builder()
            .method(request.method)
            .uri(request.target)
            .header(HOST, authority);
        if !request.body.is_empty() {
            outgoing = outgoing.header(CONTENT_TYPE, "application/json");
        }
        let mut outgoing = outgoing
            .body(Full::new(request.body))
            .map_err(|error| failed(&error))?;
        outgoing.headers_mut().extend(request.headers);
        let answer = sender.send_request(outgoing).await;
        let (parts, body) = answer.map_err(|error| failed(&error))?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| failed(&error))?.to_bytes();
        Ok((parts.status, parts.headers, body))
    }

    async fn dial(&self, https: bool, authority: &str) -> Result<Box<dyn Stream>, String> {
        let dialled = TcpStream::connect(authority).await;
        let stream = dialled.map_err(|error| error.to_string())?;
        if !https {
            return Ok(Box::new(stream));
        }
        let tls = self.tls.as_ref().ok_or(
            "that worker is reached with TLS only, and this one has no listener with TLS, whose keys it could use: give \
             all workers of the group one (listeners=https://…)",
        )?;
        let (host, port) = authority
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or("its address has no port")?;
        let peer = HostPort {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        };
        Ok(Box::new(Box::pin(tls.connect(&peer, stream)).await?))
    }
}

/// Whether it is https, and host and port.
pub(crate) fn split(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let https = match scheme {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    Some((https, rest.split('/').next().unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_workers_are_taken_apart() {
        assert_eq!(split("http://a:1/"), Some((false, "a:1")));
        assert_eq!(split("https://[::1]:8443/x"), Some((true, "[::1]:8443")));
        assert_eq!(split("ftp://a:1/"), None);
        assert_eq!(split("a:1"), None);
    }
}
