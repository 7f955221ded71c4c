//! `GET /metrics`, and the counts of requests that are part of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use metrics::{Format, Histogram, Page, catalogue};
use worker_group::host::Pending;

use crate::route::{self, Endpoint};

/// What leads nowhere is counted under this route, and what is no usual method under this method.
const OTHER: &str = "other";

/// What the worker's process uses.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Usage {
    /// Processor time since it was started, where the system tells it.
    pub processor: Option<Duration>,
    /// Memory in RAM, where the system tells it.
    pub resident_bytes: Option<u64>,
    /// Memory that record batches take.
    pub buffer_bytes: usize,
}

/// Gathers what is measured, whenever somebody asks.
#[derive(Clone)]
pub struct MetricsSource {
    gather: Arc<dyn Fn() -> Pending<Page> + Send + Sync>,
    usage: Arc<dyn Fn() -> Usage + Send + Sync>,
    unexplained: Arc<[AtomicU64; Unexplained::ALL.len()]>,
}

/// What an error is of that no rule explains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unexplained {
    Link,
    Partition,
}

impl Unexplained {
    const ALL: [(&'static str, Self); 2] = [("link", Self::Link), ("partition", Self::Partition)];
}

impl fmt::Debug for MetricsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsSource")
    }
}

impl MetricsSource {
    /// Asks `gather` for a page, and `usage` for what the process uses.
    pub fn new(
        gather: impl Fn() -> Pending<Page> + Send + Sync + 'static,
        usage: impl Fn() -> Usage + Send + Sync + 'static,
    ) -> Self {
        Self {
            gather: Arc::new(gather),
            usage: Arc::new(usage),
            unexplained: Arc::default(),
        }
    }

    /// What the process uses now.
    pub(crate) fn usage(&self) -> Usage {
        (self.usage)()
    }

    /// An error that no rule explains.
    pub(crate) fn is_unexplained(&self, of: Unexplained) {
        self.unexplained[of as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) async fn answer(&self, headers: &HeaderMap, requests: &Requests) -> Response<Body> {
        let accept = headers.get_all(ACCEPT).iter();
        let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
        let format = Format::accepted(&accept.join(","));
        let mut page = (self.gather)().await;
        requests.add_to(&mut page);
        for (kind, of) in Unexplained::ALL {
            let count = self.unexplained[of as usize].load(Ordering::Relaxed);
            page.add(&catalogue::UNEXPLAINED, &[kind], count);
        }
        let mut response = Response::new(Body::from(page.text(format)));
        let kind = HeaderValue::from_static(format.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Counts of requests. Their number is bounded by the table of routes.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    answered: BTreeMap<(&'static str, &'static str, u16), u64>,
    took: BTreeMap<&'static str, Histogram>,
}

impl Requests {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(
        &self,
        method: &Method,
        endpoint: Option<Endpoint>,
        status: u16,
        took: Duration,
    ) {
        const USUAL: [&str; 7] = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let method = USUAL.into_iter().find(|usual| *usual == method.as_str());
        let route = endpoint.map_or(OTHER, route::template);
        let mut counts = self.counts();
        let key = (method.unwrap_or(OTHER), route, status);
        *counts.answered.entry(key).or_default() += 1;
        let histogram = counts.took.entry(route).or_default();
        histogram.observe(took.as_secs_f64());
    }

    fn add_to(&self, page: &mut Page) {
        let counts = self.counts();
        for ((method, route, status), count) in &counts.answered {
            let labels = [*method, *route, &status.to_string()];
            page.add(&catalogue::HTTP_REQUESTS, &labels, *count);
        }
        for (route, histogram) in &counts.took {
            page.add_histogram(&catalogue::HTTP_DURATION, &[route], histogram);
        }
    }
}
