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

    /// Whether a request is made by a page of another origin that may not: browsers send some without asking first, with
    /// the user's credentials, and a page need not see the answer to do harm.
    pub(crate) fn is_intruder(this: Option<&Self>, method: &Method, headers: &HeaderMap) -> bool {
        let looks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_own = matches!(site, None | Some(b"same-origin" | b"none"));
        let origin = headers.get(header::ORIGIN);
        let origin = origin.and_then(|origin| origin.to_str().ok()).unwrap_or("");
        !looks && !is_own && !this.is_some_and(|cors| cors.knows(origin))
    }

    fn knows(&self, origin: &str) -> bool {
        self.origins
            .iter()
            .any(|known| known == "*" || known == origin)
    }

    /// Puts the headers on an answer.
    pub(crate) fn mark(&self, headers: &HeaderMap, preflight: bool, response: &mut Response<Body>) {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return;
        };
        let text = origin.to_str().unwrap_or("");
        if !self.knows(text) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_change_nothing_unless_they_are_allowed_to() {
        let page = "https://page.example";
        let cors = Cors::new(Some(page), &[]);
        for (method, site, origin, is_with, is_without) in [
            (Method::POST, None, None, false, false),
            (Method::POST, Some("same-origin"), None, false, false),
            (Method::PUT, Some("none"), None, false, false),
            (Method::POST, Some("cross-site"), None, true, true),
            (Method::POST, Some("same-site"), Some("null"), true, true),
            (Method::DELETE, Some("cross-site"), Some(page), false, true),
            (Method::GET, Some("cross-site"), None, false, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            let found =
                [cors.as_ref(), None].map(|cors| Cors::is_intruder(cors, &method, &headers));
            assert_eq!(found, [is_with, is_without], "{method} {site:?} {origin:?}");
        }
    }
}
