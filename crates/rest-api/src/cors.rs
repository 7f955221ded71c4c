//! Pages of other origins that use the API. Off unless it is configured.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};

const REQUEST_HEADERS: &str = "X-Requested-With,Content-Type,Accept,Origin";
const MAX_AGE: &str = "1800";
const DEFAULT_METHODS: &str = "GET,POST,HEAD";

/// Who may read answers, and with which methods they may ask.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    origins: Vec<String>,
    methods: String,
}

impl Cors {
    /// `None` where pages of other origins are not allowed.
    pub(crate) fn new(origin: Option<&str>, methods: &[String]) -> Option<Self> {
        let origins = origin?.split(',').map(|origin| origin.trim().to_owned());
        Some(Self {
            origins: origins.collect(),
            methods: if methods.is_empty() {
                DEFAULT_METHODS.to_owned()
            } else {
                methods.join(",")
            },
        })
    }

    /// Whether this is the question before the request itself.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Puts the headers on an answer.
    pub(crate) fn mark(&self, headers: &HeaderMap, preflight: bool, response: &mut Response<Body>) {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return;
        };
        let text = origin.to_str().unwrap_or("");
        let known = self
            .origins
            .iter()
            .any(|known| known == "*" || known == text);
        if !known {
            return;
        }
        let mut set = |name: HeaderName, value: HeaderValue| {
            response.headers_mut().insert(name, value);
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        set(header::VARY, HeaderValue::from_static("Origin"));
        set(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        if preflight {
            // Names of methods that were checked when the configuration was read.
            if let Ok(methods) = HeaderValue::from_str(&self.methods) {
                set(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            set(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(REQUEST_HEADERS),
            );
            set(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(MAX_AGE),
            );
        }
    }
}
