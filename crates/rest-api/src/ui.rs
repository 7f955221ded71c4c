//! The control center: files that are part of the program, served below `/ui/`.
//!
//! The files are made by `cargo xtask ui` from `ui/src` and kept in `ui/dist`, so that a build needs nothing but Rust.
//! Those below `assets/` carry a hash of their content in their names and may be kept for ever; every other path is a view
//! of the one page. None of it holds data: what is shown comes from `/api/v1`, with the rights of who asks, so the files
//! themselves are answered to everybody.

use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use rust_embed::RustEmbed;

use crate::answer;

const PLACE: &str = "/ui/";
const PAGE: &str = "index.html";
/// Nothing from elsewhere, nothing inline, and no frame around it.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";
/// A name with a hash never stands for anything else.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
struct Files;

/// Answers what belongs to the control center; nothing where a path is somebody else's.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if path == "/ui" || (path == "/" && reads && prefers_html(headers)) {
        return Some(elsewhere());
    }
    let name = path.strip_prefix(PLACE)?;
    if !reads {
        return Some(answer::wrong_method(&["GET"]));
    }
    Some(file(name, headers))
}

fn elsewhere() -> Response<Body> {
    let mut response = answer::empty(StatusCode::FOUND);
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static(PLACE));
    // The same address answers programs with JSON.
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

fn file(name: &str, headers: &HeaderMap) -> Response<Body> {
    let hashed = name.starts_with("assets/");
    let name = match Files::get(name) {
        // The compressed forms are answers to other questions.
        Some(_) if !is_compressed(name) => name,
        // A page of yesterday asks for what is no longer there: the page itself would be no script.
        _ if hashed => return answer::plain_error(StatusCode::NOT_FOUND),
        _ => PAGE,
    };
    let packed = takes_gzip(headers)
        .then(|| Files::get(&format!("{name}.gz")))
        .flatten();
    let is_packed = packed.is_some();
    let Some(found) = packed.or_else(|| Files::get(name)) else {
        return answer::plain_error(StatusCode::NOT_FOUND);
    };
    let mut response = Response::new(Body::from(found.data));
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    let kept = if hashed { FOR_EVER } else { ASK_AGAIN };
    out.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    out.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    out.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_packed {
        out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_compressed(name: &str) -> bool {
    extension(name) == "gz"
}

fn kind(name: &str) -> &'static str {
    match extension(name) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// The largest weight that the header gives to one of `names`, between 0 and 1.
fn weight(headers: &HeaderMap, header: HeaderName, names: &[&str]) -> Option<f32> {
    let mut found: Option<f32> = None;
    for value in headers.get_all(header) {
        for range in value.to_str().unwrap_or("").split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or("").to_ascii_lowercase();
            if names.contains(&name.as_str()) {
                let quality = parts.find_map(|part| part.strip_prefix("q="));
                let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
                found = Some(found.map_or(quality, |before| before.max(quality)));
            }
        }
    }
    found
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    weight(headers, ACCEPT_ENCODING, &["gzip", "x-gzip"]).is_some_and(|weight| weight > 0.0)
}

/// Whether a page is asked for rather than JSON. `*/*` alone is a program.
fn prefers_html(headers: &HeaderMap) -> bool {
    let page = weight(headers, ACCEPT, &["text/html", "application/xhtml+xml"]);
    let json = weight(headers, ACCEPT, &["application/json", "application/*"]);
    page.is_some_and(|page| page > json.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, pairs: &[(&'static str, &'static str)]) -> Option<Response<Body>> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        answer(&Method::GET, path, &headers)
    }

    fn header(response: &Response<Body>, name: &str) -> String {
        let value = response.headers().get(name);
        let text = value.and_then(|value| value.to_str().ok());
        text.unwrap_or_default().to_owned()
    }

    #[test]
    fn any_view_is_the_page_and_may_load_nothing_from_elsewhere() {
        for path in ["/ui/", "/ui/links/a%2Fb/health", "/ui/nothing.here"] {
            let response = asked(path, &[]).expect("it is ours");
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(
                header(&response, "content-type"),
                "text/html; charset=utf-8"
            );
            assert_eq!(header(&response, "cache-control"), ASK_AGAIN);
            assert_eq!(header(&response, "content-security-policy"), POLICY);
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        }
    }

    #[test]
    fn hashed_files_are_kept_for_ever_and_packed_for_who_takes_it() {
        let scripts: Vec<_> = Files::iter()
            .filter(|name| extension(name) == "js")
            .collect();
        assert!(!scripts.is_empty(), "the page has a script");
        for name in scripts {
            let path = format!("{PLACE}{name}");
            let plain = asked(&path, &[("accept-encoding", "gzip;q=0")]).expect("it is ours");
            assert_eq!(header(&plain, "cache-control"), FOR_EVER);
            assert_eq!(header(&plain, "content-encoding"), "");
            let packed = asked(&path, &[("accept-encoding", "br, gzip")]).expect("it is ours");
            assert_eq!(header(&packed, "content-encoding"), "gzip");
            assert_eq!(
                header(&packed, "content-type"),
                "text/javascript; charset=utf-8"
            );
        }
    }

    #[test]
    fn the_page_has_the_alert_rules_that_are_shipped() {
        let rules = include_str!("../../../ops/prometheus/tributary.rules.yml");
        let scripts: Vec<String> = Files::iter()
            .filter(|name| extension(name) == "js")
            .filter_map(|name| Files::get(&name))
            .map(|file| String::from_utf8_lossy(&file.data).into_owned())
            .collect();
        // Lines that a script writes as they are.
        let plain = rules
            .lines()
            .map(str::trim)
            .filter(|line| !line.contains(['"', '`', '\\']));
        let missing: Vec<&str> = plain
            .filter(|line| !scripts.iter().any(|script| script.contains(line)))
            .collect();
        assert_eq!(
            missing,
            Vec::<&str>::new(),
            "`cargo xtask ui` makes the page anew"
        );
    }

    #[test]
    fn a_script_of_yesterday_is_not_found() {
        let response = asked("/ui/assets/index-old.js", &[]).expect("it is ours");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_root_is_for_programs_unless_a_page_is_preferred() {
        let html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let response = asked("/", &[("accept", html)]).expect("a browser");
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(header(&response, "location"), PLACE);
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
        ] {
            assert!(asked("/", &[("accept", accept)]).is_none(), "{accept}");
        }
        assert!(asked("/", &[]).is_none());
    }

    #[test]
    fn nothing_outside_of_it_is_taken() {
        for path in ["/uix", "/connectors/ui", "/api/v1/links", "/u"] {
            assert!(asked(path, &[]).is_none(), "{path}");
        }
        let response = asked("/ui", &[]).expect("it is ours");
        assert_eq!(response.status(), StatusCode::FOUND);
        let posted = answer(&Method::POST, "/ui/", &HeaderMap::new()).expect("it is ours");
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
