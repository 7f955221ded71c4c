//! The same under the names of other tools, for boards and alerts that ask for those.
//!
//! A worker's part of a link is a task there, with a consumer and a producer of its own.

use std::collections::{BTreeMap, BTreeSet};

use config::worker::MetricsNames;
use metrics::compat as names;
use metrics::{Metric, Page, Value};
use replication::data_plane::{PartitionStatus, Recent};
use replication::health::PartitionHealth;
use worker_group::view::{Expanded, TaskState};

use super::Part;
use super::links::Link;

/// Which names are told.
pub(super) struct Names {
    jmx: bool,
    reporter: bool,
    /// As the JMX exporter names them without rules.
    generic: bool,
    replicator: bool,
    /// Without single partitions there is little to tell.
    limited: bool,
    /// Names of all links.
    links: BTreeSet<String>,
    /// What is copied to a partition, from wherever: these names do not tell more apart.
    mirrored: BTreeMap<[String; 4], Mirrored>,
}

/// What is told of a partition of a copy.
#[derive(Default)]
struct Mirrored {
    records: u64,
    bytes: u64,
    age: Option<Recent>,
    latency: Option<Recent>,
}

/// One quantity, in both of Strimzi's ways.
type Both = (&'static Metric, &'static Metric);

impl Names {
    pub(super) fn new(wanted: &[MetricsNames], limited: bool) -> Self {
        Self {
            jmx: wanted.contains(&MetricsNames::StrimziJmx),
            reporter: wanted.contains(&MetricsNames::StrimziReporter),
            generic: wanted.contains(&MetricsNames::Generic),
            replicator: wanted.contains(&MetricsNames::Replicator),
            limited,
            links: BTreeSet::new(),
            mirrored: BTreeMap::new(),
        }
    }

    /// Which links there are.
    pub(super) fn know<'a>(&mut self, links: impl Iterator<Item = &'a String>) {
        self.links = links.cloned().collect();
    }

    /// Adds a series; `named` are names of connectors or clients, which come first.
    fn add(
        &self,
        page: &mut Page,
        (jmx, reporter): Both,
        named: &[&str],
        more: &[&str],
        value: impl Into<metrics::Value> + Copy,
    ) {
        if self.jmx {
            let quoted = named.iter().map(|name| quoted(name));
            let quoted: Vec<String> = quoted
                .chain(more.iter().map(|one| sanitized(one)))
                .collect();
            let labels: Vec<&str> = quoted.iter().map(String::as_str).collect();
            page.add(jmx, &labels, value);
        }
        let plain = [named, more].concat();
        if self.reporter {
            page.add(reporter, &plain, value);
        }
        // What both call the same is told once.
        let generic = names::without_rules(reporter).filter(|_| self.generic);
        if let Some(generic) = generic.filter(|one| !self.reporter || one.name != reporter.name) {
            page.add(generic, &plain, value);
        }
    }

    /// Whether something is told of connectors, tasks and clients.
    fn is_told(&self) -> bool {
        self.jmx || self.reporter || self.generic
    }

    /// Adds what is told of the worker, and what was gathered of all links.
    pub(super) fn add_worker(
        &self,
        page: &mut Page,
        worker_id: &str,
        (connectors, tasks): (usize, usize),
        rebalancing: bool,
    ) {
        for (plain, mirrored) in &self.mirrored {
            if self.jmx || self.reporter {
                let labels = plain.each_ref().map(|one| match self.jmx {
                    true => sanitized(one),
                    false => one.clone(),
                });
                let labels = labels.each_ref().map(String::as_str);
                mirrored.add_to(page, &labels, names::MIRRORS);
            }
            if self.generic {
                let labels = plain.each_ref().map(String::as_str);
                mirrored.add_to(page, &labels, names::GENERIC_MIRRORS);
            }
        }
        let client = format!("connect-{worker_id}");
        for (both, value) in [
            (
                (&names::CONNECTORS, &names::REPORTED_CONNECTORS),
                connectors,
            ),
            ((&names::TASKS, &names::REPORTED_TASKS), tasks),
            (
                (&names::REBALANCING, &names::REPORTED_REBALANCING),
                usize::from(rebalancing),
            ),
        ] {
            self.add(page, both, &[], &[], value);
        }
        for (both, value) in [
            (
                (
                    &names::ASSIGNED_CONNECTORS,
                    &names::REPORTED_ASSIGNED_CONNECTORS,
                ),
                connectors,
            ),
            (
                (&names::ASSIGNED_TASKS, &names::REPORTED_ASSIGNED_TASKS),
                tasks,
            ),
        ] {
            self.add(page, both, &[&client], &[], value);
        }
    }

    /// Adds what is told of a link.
    pub(super) fn add_link(
        &mut self,
        page: &mut Page,
        link: &Link,
        shown: &Expanded,
        parts: &[Part],
        worker_id: &str,
    ) {
        let tasks = shown.status.iter().flat_map(|status| &status.tasks);
        let mine: Vec<&TaskState> = tasks.filter(|task| task.worker_id == worker_id).collect();
        let connector = self.connector(&link.name);
        if self.is_told() {
            self.add_tasks(page, &connector, &mine);
        }
        for part in parts.iter().filter(|part| part.copies) {
            let task = task_of(&link.name, &part.key);
            if self.is_told() {
                self.add_clients(page, link, &connector, task, part);
            }
            if !self.limited {
                self.add_partitions(page, link, task, part);
            }
        }
    }

    fn add_tasks(&self, page: &mut Page, connector: &str, tasks: &[&TaskState]) {
        for task in tasks.iter().filter(|_| self.jmx) {
            let state = task.state.as_str().to_lowercase();
            let labels = [quoted(connector), task.id.to_string(), state];
            page.add(&names::STATUS, &labels.each_ref().map(String::as_str), true);
        }
        if tasks.is_empty() {
            return;
        }
        let count = |state: &str| {
            tasks
                .iter()
                .filter(|task| task.state.as_str() == state)
                .count()
        };
        for (both, value) in [
            (
                (&names::STATE_TASKS, &names::REPORTED_STATE_TASKS),
                tasks.len(),
            ),
            (
                (&names::RUNNING_TASKS, &names::REPORTED_RUNNING_TASKS),
                count("RUNNING"),
            ),
            (
                (&names::PAUSED_TASKS, &names::REPORTED_PAUSED_TASKS),
                count("PAUSED"),
            ),
            (
                (&names::FAILED_TASKS, &names::REPORTED_FAILED_TASKS),
                count("FAILED"),
            ),
            (
                (&names::UNASSIGNED_TASKS, &names::REPORTED_UNASSIGNED_TASKS),
                count("UNASSIGNED"),
            ),
            (
                (&names::RESTARTING_TASKS, &names::REPORTED_RESTARTING_TASKS),
                count("RESTARTING"),
            ),
        ] {
            self.add(page, both, &[connector], &[], value);
        }
    }

    fn add_clients(&self, page: &mut Page, link: &Link, connector: &str, task: u32, part: &Part) {
        let data = &part.status.data;
        let number = task.to_string();
        let of_task: Both = (&names::ACTIVE_RECORDS, &names::REPORTED_ACTIVE_RECORDS);
        self.add(page, of_task, &[connector], &[&number], data.in_flight.0);
        let refused = data
            .partitions
            .iter()
            .map(|one| one.totals.skipped + one.totals.quarantined);
        let failures: Both = (&names::FAILURES, &names::REPORTED_FAILURES);
        self.add(
            page,
            failures,
            &[connector],
            &[&number],
            refused.sum::<u64>(),
        );
        if let Some(mean) = data.flow.stored.mean() {
            let commits: Both = (&names::COMMIT_TIME, &names::REPORTED_COMMIT_TIME);
            self.add(page, commits, &[connector], &[&number], mean * 1000.0);
        }
        let consumer = format!(
            "{}->{}|{connector}-{task}|replication-consumer",
            link.source, link.destination
        );
        let producer = format!("connector-producer-{connector}-{task}");
        let (used, limit) = part.memory;
        for (both, client, value) in [
            (
                (&names::INCOMING, &names::REPORTED_INCOMING),
                &consumer,
                data.flow.fetched_bytes,
            ),
            (
                (&names::OUTGOING, &names::REPORTED_OUTGOING),
                &producer,
                data.flow.produced_bytes,
            ),
            (
                (&names::BUFFER, &names::REPORTED_BUFFER),
                &producer,
                limit.saturating_sub(used) as u64,
            ),
        ] {
            self.add(page, both, &[client], &[], value);
        }
        let both: Both = (&names::RECORDS_LAG, &names::REPORTED_RECORDS_LAG);
        for ((topic, partition), lag) in lags(&part.status.health.partitions) {
            if !self.limited {
                let labels = [&*topic.replace('.', "_"), &partition.to_string()];
                self.add(page, both, &[&consumer], &labels, lag);
            }
        }
    }

    fn add_partitions(&mut self, page: &mut Page, link: &Link, task: u32, part: &Part) {
        let lags = lags(&part.status.health.partitions);
        let mut told = BTreeSet::new();
        for partition in &part.status.data.partitions {
            if self.is_told() {
                self.mirror(link, partition);
            }
            let source = &partition.source;
            // Replicator's names do not tell apart what a partition is spread to.
            if self.replicator && told.insert(source) {
                let lag = lags
                    .get(&(source.topic.as_str(), source.partition))
                    .copied();
                replicated(page, link, task, partition, lag);
            }
        }
    }

    /// Takes in a partition, for names that tell no more apart.
    fn mirror(&mut self, link: &Link, partition: &PartitionStatus) {
        let plain = [
            link.source.clone(),
            link.destination.clone(),
            partition.destination.topic.to_string(),
            partition.destination.partition.to_string(),
        ];
        let all = self.mirrored.entry(plain).or_default();
        all.records += partition.totals.records;
        all.bytes += partition.totals.bytes;
        all.age = Recent::both(all.age, partition.age);
        all.latency = Recent::both(all.latency, partition.latency);
    }

    /// What boards take for the name of a source connector; two links never have the same.
    fn connector(&self, link: &str) -> String {
        let mut name = link.to_owned();
        while !name.ends_with("SourceConnector") || (name != link && self.links.contains(&name)) {
            name.push_str(".MirrorSourceConnector");
        }
        name
    }
}

impl Mirrored {
    /// Adds it under these names, in the order of [`names::MIRRORS`].
    fn add_to(&self, page: &mut Page, labels: &[&str], names: &'static [&'static Metric]) {
        let (counts, times) = names.split_at(4);
        let (records, bytes) = rates(self.latency.as_ref());
        page.add(counts[0], labels, self.records);
        page.add(counts[1], labels, records);
        page.add(counts[2], labels, self.bytes);
        page.add(counts[3], labels, bytes);
        for (recent, names) in [self.age, self.latency].iter().zip(times.chunks(4)) {
            let Some(recent) = recent else { continue };
            let mean = Value::from(recent.mean());
            let values = [
                recent.last.into(),
                mean,
                recent.least.into(),
                recent.most.into(),
            ];
            for (name, value) in names.iter().zip(values) {
                page.add(name, labels, value);
            }
        }
    }
}

fn replicated(
    page: &mut Page,
    link: &Link,
    task: u32,
    partition: &PartitionStatus,
    lag: Option<i64>,
) {
    let [task, number] = [task.to_string(), partition.source.partition.to_string()];
    let topic = partition.source.topic.as_str();
    let labels = [&*link.name, &task, topic, &number];
    let (records, bytes) = rates(partition.latency.as_ref());
    page.add(&names::MESSAGE_LAG, &labels, lag.unwrap_or(-1));
    page.add(&names::THROUGHPUT, &labels, records);
    page.add(&names::BYTE_THROUGHPUT, &labels, bytes);
    let latency = partition.latency.as_ref().map_or(-1.0, Recent::mean);
    page.add(&names::MESSAGE_LATENCY, &labels, latency);
    let more = [
        &*link.source,
        &link.destination,
        partition.destination.topic.as_str(),
    ];
    let labels = [&labels[..], &more[..]].concat();
    page.add(&names::DESTINATION_TOPIC, &labels, true);
}

/// Records and bytes in a second.
fn rates(recent: Option<&Recent>) -> (f64, f64) {
    recent.map_or((0.0, 0.0), Recent::rates)
}

/// Lags by topic and partition of the source; of those that are known in part, what is known.
fn lags(partitions: &[PartitionHealth]) -> BTreeMap<(&str, i32), i64> {
    let mut lags = BTreeMap::new();
    for one in partitions {
        if let Some(records) = one.lag.records {
            let lag = lags
                .entry((one.source.topic.as_str(), one.source.partition))
                .or_insert(0);
            *lag = records.max(*lag);
        }
    }
    lags
}

/// Which task a part is; a link that runs whole is its first.
fn task_of(link: &str, key: &str) -> u32 {
    let number = key
        .strip_prefix(link)
        .and_then(|rest| rest.strip_prefix('-'));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// As Java's management beans quote names: boards select by the quotes, too.
fn quoted(name: &str) -> String {
    let mut text = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' | '*' | '?' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// Quoted where Kafka's clients quote it.
fn sanitized(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-%. \t".contains(c);
    match value.chars().all(plain) {
        true => value.to_owned(),
        false => quoted(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_management_beans_quote_them() {
        assert_eq!(quoted("a->b|c"), "\"a->b|c\"");
        assert_eq!(quoted("a\"b\\c*d?e\n"), r#""a\"b\\c\*d\?e\n""#);
        assert_eq!(sanitized("orders.v1_2-x%"), "orders.v1_2-x%");
        assert_eq!(sanitized("a->b"), "\"a->b\"");
    }

    #[test]
    fn what_two_sets_call_the_same_is_told_once() {
        let wanted = [MetricsNames::StrimziReporter, MetricsNames::Generic];
        let both = Names::new(&wanted, false);
        let mut page = Page::new();
        for pair in [
            (&names::ACTIVE_RECORDS, &names::REPORTED_ACTIVE_RECORDS),
            (&names::TASKS, &names::REPORTED_TASKS),
        ] {
            let labels: (&[&str], &[&str]) = match pair.1.labels.is_empty() {
                true => (&[], &[]),
                false => (&["a"], &["0"]),
            };
            both.add(&mut page, pair, labels.0, labels.1, 7_u64);
        }
        let text = page.text(metrics::Format::Text);
        let told = |name: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.filter(|line| line.starts_with(name)).count()
        };
        assert_eq!(
            told("kafka_connect_source_task_metrics_source_record_active_count"),
            1
        );
        assert_eq!(told("kafka_connect_worker_metrics_task_count"), 1);
        assert_eq!(told("kafka_connect_connect_worker_metrics_task_count"), 1);
    }

    #[test]
    fn links_look_like_source_connectors_and_parts_like_tasks() {
        let mut names = Names::new(&[], false);
        names.know(["orders".to_owned(), "b.MirrorSourceConnector".to_owned()].iter());
        assert_eq!(names.connector("orders"), "orders.MirrorSourceConnector");
        let whole = "b.MirrorSourceConnector";
        assert_eq!(names.connector(whole), whole);
        let twin = "b.MirrorSourceConnector.MirrorSourceConnector";
        assert_eq!(names.connector("b"), twin);
        assert_eq!(task_of("orders", "orders-3"), 3);
        assert_eq!(task_of("orders", "orders"), 0);
    }
}
