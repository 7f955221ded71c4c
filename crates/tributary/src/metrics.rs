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
use replication::link::LinkStatus;
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
        let mut statuses: BTreeMap<&str, Vec<(bool, LinkStatus)>> = BTreeMap::new();
        for part in running.values() {
            let parts = statuses.entry(part.link.as_str()).or_default();
            parts.push((part.copies, part.handle.status()));
        }
        let parts = statuses.values().flatten();
        let partitions: usize = parts.map(|(_, part)| part.data.partitions.len()).sum();
        let limited = partitions > self.partition_limit;
        let mut assigned = (0, 0);
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|name, _| shown.contains_key(name));
        for (name, one) in &shown {
            let link = Link::new(name, one);
            let (connectors, tasks) = link.add_states(&mut page, one, &self.worker_id);
            assigned = (assigned.0 + connectors, assigned.1 + tasks);
            let parts = statuses.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            if let Some(share) = links::joined(parts) {
                let counts = counted.entry(name.clone()).or_default();
                counts.look(&share.data.partitions);
                link.add_running(&mut page, &share, counts, limited);
            }
        }
        drop(counted);
        self.add_worker(&mut page, &running, assigned, limited);
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
