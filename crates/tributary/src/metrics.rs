//! What is measured of this worker, gathered when somebody asks.
//!
//! ```text
//!   Handle ──▶ states of connectors and tasks ─┐
//!   LinkHost ▶ status of links, buffers ───────┼─▶ Page
//!   /proc ───▶ what the process uses ──────────┘
//! ```
//!
//! Nothing here is on the data path: links are asked for snapshots that they make anyway.

mod clients;
mod compat;
mod counted;
mod drift;
mod links;
mod process;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config::worker::MetricsNames;
use metrics::{Page, catalogue};
use replication::link::{ClientSeen, LinkStatus};
use replication::metadata_sync::acl::AclStatus;
use rest_api::{MetricsSource, Usage};
use worker_group::Handle;
use worker_group::deal::partitions_of;
use worker_group::herder::{GroupView, Waiting};
use worker_group::host::Pending;
use worker_group::state::State;
use worker_group::view::Expanded;

use self::compat::Names;
use self::counted::LinkCounts;
use self::links::Link;
use self::links::shares::{Shares, Unassigned};
use crate::link_host::LinkHost;

/// A part of a link that this worker runs, as of now.
struct Part {
    /// What it is called among all that runs here.
    key: String,
    /// Whether it copies records; otherwise it only looks after topics.
    copies: bool,
    /// Whether it looks after the link's topics.
    looks: bool,
    status: LinkStatus,
    /// The copying of access rights, in the part that does it.
    acls: Option<Arc<AclStatus>>,
    /// How often both clusters are compared, by kind.
    compared: Vec<(&'static str, Duration)>,
    /// What talking to the source and to the destination takes.
    clients: [ClientSeen; 2],
    /// Memory for its records: used, and at most.
    memory: (usize, usize),
}

/// See the module.
pub(crate) struct Metrics {
    pub(crate) handle: Handle,
    pub(crate) host: LinkHost,
    pub(crate) worker_id: String,
    /// `tributary.metrics.partition.limit`.
    pub(crate) partition_limit: usize,
    /// `tributary.buffer.memory`.
    pub(crate) buffer_limit: usize,
    /// `tributary.metrics.compat`.
    pub(crate) names: Vec<MetricsNames>,
}

impl Metrics {
    /// To be asked over HTTP.
    pub(crate) fn source(self) -> MetricsSource {
        let this = Arc::new(self);
        let host = this.host.clone();
        let counted = Arc::new(Mutex::new(BTreeMap::new()));
        let page = move || -> Pending<Page> {
            let (this, counted) = (Arc::clone(&this), Arc::clone(&counted));
            Box::pin(async move { this.page(&counted).await })
        };
        let usage = move || {
            let (processor, resident_bytes) = process::weight();
            let buffers = host.running().into_values();
            Usage {
                processor,
                resident_bytes,
                buffer_bytes: buffers.map(|part| part.buffers.used()).sum(),
            }
        };
        MetricsSource::new(page, usage)
    }

    async fn page(&self, counted: &Mutex<BTreeMap<String, LinkCounts>>) -> Page {
        let mut page = Page::new();
        // An engine that has ended has nothing to show; the process still has.
        let shown = self.handle.expanded(true, true).await.unwrap_or_default();
        let group = self.handle.group().await;
        let mut links: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        for (key, part) in self.host.running() {
            links.entry(part.link).or_default().push(Part {
                key,
                copies: part.copies,
                looks: part.looks,
                status: part.handle.status(),
                acls: part.handle.acls(),
                compared: part.compared,
                clients: part.handle.clients(),
                memory: (part.buffers.used(), part.buffers.limit()),
            });
        }
        let parts = links.values().flatten();
        let partitions: usize = parts.map(|part| part.status.data.partitions.len()).sum();
        let waiting = group.as_ref().and_then(|group| group.waiting.as_ref());
        let unassigned = self.unassigned(&shown, waiting).await;
        let missing: usize = unassigned.values().map(Vec::len).sum();
        let limited = partitions + missing > self.partition_limit;
        let mut names = Names::new(&self.names, limited);
        names.know(shown.keys());
        let mut assigned = (0, 0);
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|name, _| shown.contains_key(name));
        for (name, one) in &shown {
            let link = Link::new(name, one);
            let waits = waiting.is_some_and(|waiting| waiting.connectors.contains(name));
            let (connectors, tasks) = link.add_states(&mut page, one, &self.worker_id, waits);
            assigned = (assigned.0 + connectors, assigned.1 + tasks);
            let parts = links.get(name).map_or(&[][..], Vec::as_slice);
            names.add_link(&mut page, &link, one, parts, &self.worker_id);
            let share = links::joined(parts);
            let mut shares = share.as_ref().map(Shares::of).unwrap_or_default();
            if let Some(unassigned) = unassigned.get(name) {
                shares.add(unassigned);
                link.add_unassigned(&mut page, unassigned.len());
            }
            let detail = share.as_ref().and_then(|_| self.handle.detail(name));
            link.add_health(&mut page, one, &self.worker_id, detail.as_ref());
            // One part of a link has something to say of its topics, wherever its records are copied.
            for part in parts.iter().filter(|part| part.looks) {
                link.add_looking(&mut page, &part.status, &part.compared);
                if let Some(acls) = &part.acls {
                    link.add_acls(&mut page, acls);
                }
            }
            if let Some(share) = share {
                let counts = counted.entry(name.clone()).or_default();
                counts.look(&share.data.partitions);
                let flows = parts.iter().filter(|part| part.copies);
                counts.look_at_flows(flows.map(|part| (&*part.key, &part.status.data.flow)));
                let clients = parts.iter();
                let clients = clients.map(|part| {
                    let each = part.clients.each_ref();
                    (&*part.key, each.map(|client| &client.counts))
                });
                counts.look_at_clients(clients);
                link.add_running(&mut page, &share, counts);
                clients::add_to(&mut page, &link, parts, counts);
                if let Some(detail) = &detail {
                    link.add_checks(&mut page, detail, self.handle.evidence_limit());
                }
            }
            link.add_shares(&mut page, &shares, counted.get(name), limited);
        }
        drop(counted);
        let used = links.values().flatten().map(|part| part.memory.0).sum();
        self.add_worker(&mut page, used, assigned, limited);
        if let Some(group) = &group {
            add_group(&mut page, group);
        }
        let rebalancing = group.is_some_and(|group| group.rebalancing);
        names.add_worker(&mut page, &self.worker_id, assigned, rebalancing);
        process::add_to(&mut page);
        page
    }

    /// Partitions that no worker has, of links for which this one speaks: it has the connector, or leads while that waits for a
    /// worker that was lost. Links that are to be copied, and for which there is nothing of that kind, have none.
    async fn unassigned(
        &self,
        shown: &BTreeMap<String, Expanded>,
        waiting: Option<&Waiting>,
    ) -> BTreeMap<String, Vec<Unassigned>> {
        let mut all = BTreeMap::new();
        if !self.handle.is_grouped() {
            return all;
        }
        let now = SystemTime::now();
        for (name, one) in shown {
            let Some(status) = &one.status else { continue };
            let waits = waiting.is_some_and(|waiting| waiting.connectors.contains(name));
            let speaks = status.connector.worker_id == self.worker_id || waits;
            let rests = matches!(status.connector.state, State::Paused | State::Stopped);
            if !speaks || rests {
                continue;
            }
            let nobodys = status.tasks.iter();
            let nobodys = nobodys.filter(|task| task.state == State::Unassigned);
            let nobodys: BTreeMap<u32, Option<SystemTime>> =
                nobodys.map(|task| (task.id, task.since)).collect();
            let mut of_link = Vec::new();
            if !nobodys.is_empty() {
                // One that was deleted a moment ago has no tasks.
                let tasks = self.handle.tasks(name.clone()).await.unwrap_or_default();
                let detail = self.handle.detail(name);
                let copy = |topic: &str| {
                    let topic = detail.as_ref()?.topics.get(topic)?;
                    topic.destination.clone()
                };
                for task in &tasks {
                    let Some(since) = nobodys.get(&task.id.task) else {
                        continue;
                    };
                    let age = since.and_then(|since| now.duration_since(since).ok());
                    for (topic, numbers) in partitions_of(&task.config) {
                        let copy = copy(&topic).unwrap_or_default();
                        of_link.extend(numbers.into_iter().map(|partition| Unassigned {
                            topic: topic.clone(),
                            copy: copy.clone(),
                            partition,
                            age: age.unwrap_or_default(),
                        }));
                    }
                }
            }
            all.insert(name.clone(), of_link);
        }
        all
    }

    fn add_worker(
        &self,
        page: &mut Page,
        used: usize,
        (connectors, tasks): (usize, usize),
        limited: bool,
    ) {
        let commit = option_env!("TRIBUTARY_COMMIT").unwrap_or("unknown");
        let labels = [&*self.worker_id, env!("CARGO_PKG_VERSION"), commit];
        page.add(&catalogue::WORKER, &labels, true);
        page.add(&catalogue::ASSIGNED_CONNECTORS, &[], connectors);
        page.add(&catalogue::ASSIGNED_TASKS, &[], tasks);
        page.add(&catalogue::BUFFER_USED, &[], used);
        page.add(&catalogue::BUFFER_LIMIT, &[], self.buffer_limit);
        page.add(&catalogue::SERIES_LIMITED, &[], limited);
    }
}

/// What the worker says of its group.
fn add_group(page: &mut Page, group: &GroupView) {
    let leads = group.members.is_some();
    page.add(&catalogue::LEADER, &[], leads);
    page.add(&catalogue::GENERATION, &[], i64::from(group.generation));
    page.add(&catalogue::REBALANCING, &[], group.rebalancing);
    page.add(&catalogue::CONFIG_OFFSET, &[], group.config_offset);
    for (reason, count) in &group.rebalances.counts {
        page.add(&catalogue::REBALANCES, &[reason], *count);
    }
    let took = &group.rebalances.took;
    page.add_histogram(&catalogue::REBALANCE_DURATION, &[], took);
    if leads {
        let waiting = group.waiting.as_ref();
        let left = waiting.map_or(0, |waiting| waiting.reassigned_in_ms);
        let left = Duration::from_millis(left).as_secs_f64();
        page.add(&catalogue::REBALANCE_DELAY, &[], left);
    }
}
