//! Answers: a status, a body, the few headers that belong to it.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use worker_group::{Kind, Refusal};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// What every error looks like.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: u16,
    message: &'a str,
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer with a body in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).expect("what is shown has only texts for keys");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An answer of rows with commas.
pub(crate) fn csv(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An error.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let body = ErrorBody {
        error_code: status.as_u16(),
        message,
    };
    json(status, &body)
}

/// An error that says no more than its status: `HTTP 404 Not Found`.
pub(crate) fn plain_error(status: StatusCode) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or("Error");
    error(status, &format!("HTTP {} {reason}", status.as_u16()))
}

/// What the worker refused.
pub(crate) fn refusal(refusal: &Refusal) -> Response<Body> {
    let status = match refusal.kind {
        Kind::BadRequest => StatusCode::BAD_REQUEST,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        // Passed on where the request is known.
        Kind::Conflict | Kind::Elsewhere => StatusCode::CONFLICT,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(status, &refusal.message)
}

/// Somebody who may not ask, or is not known.
pub(crate) fn unauthorized() -> Response<Body> {
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "this worker answers only to those it knows: send Basic or Bearer credentials",
    );
    let challenge = HeaderValue::from_static("Basic realm=\"tributary\", charset=\"UTF-8\"");
    response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    let challenge = HeaderValue::from_static("Bearer realm=\"tributary\"");
    response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    response
}

/// Which methods there are.
pub(crate) fn options(methods: &[&str]) -> Response<Body> {
    let list = allowed(methods);
    let mut response = Response::new(Body::from(list.clone()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    with_allow(response, &list)
}

/// A method that there is not.
pub(crate) fn wrong_method(methods: &[&str]) -> Response<Body> {
    with_allow(
        plain_error(StatusCode::METHOD_NOT_ALLOWED),
        &allowed(methods),
    )
}

fn allowed(methods: &[&str]) -> String {
    let mut all: Vec<&str> = methods.to_vec();
    if methods.contains(&"GET") {
        all.push("HEAD");
    }
    all.push("OPTIONS");
    all.join(", ")
}

fn with_allow(mut response: Response<Body>, list: &str) -> Response<Body> {
    let value = HeaderValue::from_str(list).expect("names of methods");
    response.headers_mut().insert(ALLOW, value);
    response
}

/// Says where what was made can be found.
pub(crate) fn with_location(mut response: Response<Body>, place: &str) -> Response<Body> {
    // A host that can stand in no header was no host.
    if let Ok(value) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}
