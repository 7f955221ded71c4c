//! What is measured of this worker, gathered when somebody asks.
//!
//! ```text
//!   Handle ──▶ states of connectors and tasks ─┐
//!   LinkHost ▶ status of links, buffers ───────┼─▶ Page
//!   /proc ───▶ what the process uses ──────────┘
//! ```
//!
//! Nothing here is on the data path: links are asked for snapshots that they make anyway.

mod counted;
mod links;
mod process;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Page, catalogue};
use rest_api::MetricsSource;
use worker_group::Handle;

use self::counted::LinkCounts;
use self::links::Link;
use crate::link_host::{LinkHost, Running};

/// See the module.
pub(crate) struct Metrics {
    pub(crate) handle: Handle,
    pub(crate) host: LinkHost,
    pub(crate) worker_id: String,
    /// `tributary.metrics.partition.limit`.
    pub(crate) partition_limit: usize,
    /// `tributary.buffer.memory`.
    pub(crate) buffer_limit: usize,
}

impl Metrics {
    /// To be asked over HTTP.
    pub(crate) fn source(self) -> MetricsSource {
        let this = Arc::new(self);
        let counted = Arc::new(Mutex::new(BTreeMap::new()));
        MetricsSource::new(move || {
            let (this, counted) = (Arc::clone(&this), Arc::clone(&counted));
            Box::pin(async move { this.page(&counted).await })
        })
    }

    async fn page(&self, counted: &Mutex<BTreeMap<String, LinkCounts>>) -> Page {
        let mut page = Page::new();
        // An engine that has ended has nothing to show; the process still has.
        let shown = self.handle.expanded(true, true).await.unwrap_or_default();
        let running = self.host.running();
        let statuses: BTreeMap<&str, _> = running
            .iter()
            .map(|(name, running)| (name.as_str(), running.handle.status()))
            .collect();
        let partitions: usize = statuses.values().map(|s| s.data.partitions.len()).sum();
        let limited = partitions > self.partition_limit;
        let mut tasks = 0;
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|name, _| shown.contains_key(name));
        for (name, one) in &shown {
            tasks += one.status.as_ref().map_or(0, |status| status.tasks.len());
            let link = Link::new(name, one);
            link.add_states(&mut page, one);
            if let Some(status) = statuses.get(name.as_str()) {
                let counts = counted.entry(name.clone()).or_default();
                counts.look(&status.data.partitions);
                link.add_running(&mut page, status, counts, limited);
            }
        }
        drop(counted);
        self.add_worker(&mut page, &running, (shown.len(), tasks), limited);
        process::add_to(&mut page);
        page
    }

    fn add_worker(
        &self,
        page: &mut Page,
        running: &BTreeMap<String, Running>,
        (connectors, tasks): (usize, usize),
        limited: bool,
    ) {
        let commit = option_env!("TRIBUTARY_COMMIT").unwrap_or("unknown");
        let labels = [&*self.worker_id, env!("CARGO_PKG_VERSION"), commit];
        page.add(&catalogue::WORKER, &labels, true);
        page.add(&catalogue::ASSIGNED_CONNECTORS, &[], connectors);
        page.add(&catalogue::ASSIGNED_TASKS, &[], tasks);
        let used: usize = running.values().map(|link| link.buffers.used()).sum();
        page.add(&catalogue::BUFFER_USED, &[], used);
        page.add(&catalogue::BUFFER_LIMIT, &[], self.buffer_limit);
        page.add(&catalogue::SERIES_LIMITED, &[], limited);
    }
}
