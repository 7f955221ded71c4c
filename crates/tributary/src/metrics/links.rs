//! The series of links, topics and partitions, from what links say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::keys::{DESTINATION_ALIAS, SOURCE_ALIAS};
use metrics::{Page, catalogue};
use replication::data_plane::{DecodeReason, Flow, Loss, Stage};
use replication::health::Verdict;
use replication::link::LinkStatus;
use replication::metadata_sync::acl::{AclState, AclStatus};
use replication::metadata_sync::{Came, Round};
use tokio::time::Instant;
use worker_group::detail::LinkDetail;
use worker_group::view::{Expanded, TaskState};

use self::shares::{Quantities, Share, Shares, UNASSIGNED};
use super::counted::{LinkCounts, Named};
use super::{Part, drift};

pub(super) mod shares;

/// States of connectors and tasks.
const STATES: [&str; 6] = [
    "unassigned",
    "running",
    "paused",
    "failed",
    "restarting",
    "stopped",
];
const HEALTH: [&str; 7] = [
    "healthy",
    "catching_up",
    "degraded",
    "failed",
    "unknown",
    "paused",
    "stopped",
];
/// States of partitions; others that there are besides are shown too.
const PARTITION_STATES: [&str; 11] = [
    UNASSIGNED,
    "active",
    "starting",
    "retrying",
    "stalled",
    "stopped",
    "source-gap",
    "source-truncated",
    "source-recreated",
    "destination-behind",
    "destination-recreated",
];

/// The labels that every series of a link has.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) destination: String,
}

impl Link {
    /// Names of clusters are those that the configuration gives them.
    pub(super) fn new(name: &str, shown: &Expanded) -> Self {
        let config = shown.info.as_ref().map(|info| &info.config);
        let alias = |key: &str, otherwise: &str| {
            let given = config.and_then(|config| config.get(key));
            let given = given
                .map(|alias| alias.trim())
                .filter(|alias| !alias.is_empty());
            given.unwrap_or(otherwise).to_owned()
        };
        Self {
            name: name.to_owned(),
            source: alias(SOURCE_ALIAS, "source"),
            destination: alias(DESTINATION_ALIAS, "destination"),
        }
    }

    fn labels<'a, const MORE: usize>(&'a self, more: [&'a str; MORE]) -> Vec<&'a str> {
        let mut labels = vec![&*self.name, &*self.source, &*self.destination];
        labels.extend(more);
        labels
    }

    /// States in Connect's sense: of a task where it is, of the link where its connector is, or, where that waits for a worker
    /// that was lost, by the leader. In a group all others leave them out, so that sums are right. Returns how many
    /// connectors and tasks are here.
    pub(super) fn add_states(
        &self,
        page: &mut Page,
        shown: &Expanded,
        worker_id: &str,
        waits: bool,
    ) -> (usize, usize) {
        let Some(status) = &shown.status else {
            return (0, 0);
        };
        let mine = |task: &&TaskState| task.worker_id == worker_id;
        for task in status.tasks.iter().filter(mine) {
            let state = task.state.as_str().to_lowercase();
            let number = task.id.to_string();
            let labels = self.labels([&number]);
            page.add_states(&catalogue::TASK_STATE, &labels, &STATES, &state);
            let restarts = shown.restarts.get(&task.id).copied().unwrap_or(0);
            page.add(&catalogue::TASK_RESTARTS, &labels, restarts);
            if let Some(at) = shown.failed_at.get(&task.id) {
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
                page.add(&catalogue::TASK_LAST_ERROR, &labels, at.as_secs_f64());
            }
        }
        let tasks = status.tasks.iter().filter(mine).count();
        let is_here = status.connector.worker_id == worker_id;
        if !is_here && !waits {
            return (0, tasks);
        }
        let connector = status.connector.state.as_str().to_lowercase();
        let labels = self.labels([]);
        page.add_states(&catalogue::LINK_STATE, &labels, &STATES, &connector);
        let mut counts: BTreeMap<String, usize> = STATES
            .iter()
            .map(|state| ((*state).to_owned(), 0))
            .collect();
        for task in &status.tasks {
            let state = task.state.as_str().to_lowercase();
            *counts.entry(state).or_default() += 1;
        }
        for (state, count) in &counts {
            page.add(&catalogue::TASKS, &self.labels([state]), *count);
        }
        (usize::from(is_here), tasks)
    }

    /// Health of this worker's share, as the API puts shares together; where the connector is and stands, nothing else can be said,
    /// whatever its tasks say. One that has failed may have no tasks at all.
    pub(super) fn add_health(
        &self,
        page: &mut Page,
        shown: &Expanded,
        worker_id: &str,
        share: Option<&LinkDetail>,
    ) {
        let mine = shown.status.as_ref().map(|status| &status.connector);
        let mine = mine.filter(|connector| connector.worker_id == worker_id);
        let state = mine.map(|connector| connector.state.as_str().to_lowercase());
        let stands = state.filter(|state| matches!(&**state, "paused" | "stopped" | "failed"));
        let rating = || {
            share.map(|detail| match detail.is_too_old(SystemTime::now()) {
                true => "unknown".to_owned(),
                false => detail.health.to_lowercase(),
            })
        };
        if let Some(word) = stands.or_else(rating) {
            page.add_states(&catalogue::LINK_HEALTH, &self.labels([]), &HEALTH, &word);
        }
    }

    /// Everything about a link that runs.
    pub(super) fn add_running(&self, page: &mut Page, status: &LinkStatus, counts: &LinkCounts) {
        self.add_counts(page, counts);
        self.add_flow(page, &counts.flow, status.data.in_flight);
        let health = &status.health;
        let sides = [("source", &self.source), ("destination", &self.destination)];
        for ((side, cluster), reach) in sides.into_iter().zip(&health.reach) {
            if let Some(answers) = answers(reach.verdict) {
                page.add(
                    &catalogue::CLUSTER_UP,
                    &[&self.name, cluster, side],
                    answers,
                );
            }
        }
        // What nobody has is told once in a group.
        let known = PARTITION_STATES
            .iter()
            .filter(|state| **state != UNASSIGNED);
        let known = known.map(|state| (*state, 0));
        let mut states: BTreeMap<&str, usize> = known.collect();
        states.extend(health.states.iter().map(|(state, count)| (*state, *count)));
        for (state, count) in states {
            page.add(&catalogue::PARTITIONS, &self.labels([state]), count);
        }
        if let Some(age) = health.lag.age.filter(|_| !health.partitions.is_empty()) {
            let at = seconds(SystemTime::now(), age + health.at.elapsed());
            page.add(&catalogue::EVIDENCE, &self.labels(["source-ends"]), at);
        }
        if let Some(at) = health.destination_read {
            let at = seconds(SystemTime::now(), since(at));
            page.add(&catalogue::EVIDENCE, &self.labels(["destination-ends"]), at);
        }
    }

    /// Topics and partitions: those of this worker, and those that it speaks for because nobody has them.
    pub(super) fn add_shares(
        &self,
        page: &mut Page,
        shares: &Shares,
        counts: Option<&LinkCounts>,
        limited: bool,
    ) {
        for (name, share) in shares.all() {
            self.add_share(page, name, share, counts);
            if !limited {
                for (number, one) in &share.partitions {
                    self.add_partition(page, name, *number, one);
                }
            }
        }
    }

    /// How many partitions nobody has, where this worker speaks for them.
    pub(super) fn add_unassigned(&self, page: &mut Page, count: usize) {
        let labels = self.labels([UNASSIGNED]);
        page.add(&catalogue::PARTITIONS, &labels, count);
    }

    /// What is known of its topics by the part of the link that looks after them.
    pub(super) fn add_looking(
        &self,
        page: &mut Page,
        status: &LinkStatus,
        compared: &[(&str, Duration)],
    ) {
        for (kind, every) in compared {
            let labels = self.labels([kind]);
            page.add(&catalogue::SYNC_INTERVAL, &labels, every.as_secs_f64());
        }
        self.add_topics(page, &status.round);
        self.add_operations(page, &status.round);
        if let Some(at) = status.round.at {
            let at = seconds(SystemTime::now(), since(at));
            page.add(&catalogue::SYNC_SUCCESS, &self.labels(["topic"]), at);
        }
    }

    /// What the checks say of this worker's share.
    pub(super) fn add_checks(&self, page: &mut Page, detail: &LinkDetail, limit: Duration) {
        for (check, verdict) in rest_api::link_checks(detail, limit) {
            let value = match &*verdict {
                "PASS" => 1.0,
                "WARN" => 0.5,
                "FAIL" => 0.0,
                _ => -1.0,
            };
            page.add(&catalogue::LINK_CHECK, &self.labels([check]), value);
        }
    }

    fn add_counts(&self, page: &mut Page, counts: &LinkCounts) {
        let totals = &counts.link;
        let decoded: u64 = totals.decoded.iter().sum();
        for (path, count) in [("untouched", totals.untouched), ("decoded", decoded)] {
            page.add(&catalogue::BATCHES, &self.labels([path]), count);
        }
        for reason in DecodeReason::ALL {
            let labels = self.labels([reason.as_str()]);
            page.add(
                &catalogue::DECODED,
                &labels,
                totals.decoded[reason as usize],
            );
        }
        for (reason, count) in [("refused", totals.skipped), ("loop", totals.returned)] {
            page.add(&catalogue::SKIPPED, &self.labels([reason]), count);
        }
        let labels = self.labels([]);
        page.add(&catalogue::QUARANTINED, &labels, totals.quarantined);
        page.add(&catalogue::LOOP_SUSPECTED, &labels, totals.circled > 0);
        let refused = totals.skipped.saturating_add(totals.quarantined);
        let labels = self.labels(["refused", "destination"]);
        page.add(&catalogue::RECORD_ERRORS, &labels, refused);
        for ((topic, _), totals) in counts
            .topics
            .iter()
            .filter(|(_, totals)| totals.repeated > 0)
        {
            let labels = self.labels([topic, "destination-tail"]);
            page.add(&catalogue::DUPLICATED, &labels, totals.repeated);
        }
        for ((topic, _), totals) in &counts.topics {
            for reason in Loss::ALL {
                let count = totals.lost[reason as usize];
                if count > 0 {
                    let labels = self.labels([topic, reason.as_str()]);
                    page.add(&catalogue::LOST, &labels, count);
                }
            }
        }
    }

    fn add_flow(&self, page: &mut Page, flow: &Flow, (records, bytes): (u64, u64)) {
        let labels = self.labels([]);
        page.add_histogram(&catalogue::LATENCY, &labels, &flow.latency);
        for stage in Stage::ALL {
            let labels = self.labels([stage.as_str()]);
            let took = &flow.stages[stage as usize];
            page.add_histogram(&catalogue::STAGE_LATENCY, &labels, took);
        }
        page.add_histogram(&catalogue::OFFSET_COMMIT, &labels, &flow.stored);
        for (result, count) in [("done", flow.stored.count()), ("failed", flow.not_stored)] {
            page.add(&catalogue::OFFSET_COMMITS, &self.labels([result]), count);
        }
        page.add(&catalogue::FETCHED_BYTES, &labels, flow.fetched_bytes);
        page.add(&catalogue::APART_BYTES, &labels, flow.apart_bytes);
        page.add(&catalogue::PRODUCED_BYTES, &labels, flow.produced_bytes);
        page.add(&catalogue::IN_FLIGHT_RECORDS, &labels, records);
        page.add(&catalogue::IN_FLIGHT_BYTES, &labels, bytes);
    }

    fn add_topics(&self, page: &mut Page, round: &Round) {
        let mut states: BTreeMap<String, usize> = BTreeMap::from([("replicating".to_owned(), 0)]);
        let mut troubled = BTreeSet::new();
        for problem in &round.problems {
            // The first is the one that matters most.
            if troubled.insert(&problem.topic) {
                *states.entry(problem.state.to_string()).or_default() += 1;
            }
        }
        let copied = round.copies.iter().map(|copy| &copy.source);
        let well = copied.filter(|topic| !troubled.contains(topic)).count();
        *states.entry("replicating".to_owned()).or_default() += well;
        for (state, count) in &states {
            page.add(&catalogue::TOPICS, &self.labels([state]), *count);
        }
        for (kind, count) in drift::counted(&round.problems) {
            page.add(&catalogue::CONFIG_DRIFT, &self.labels([kind]), count);
        }
        if round.everything {
            let excluded = round.seen.saturating_sub(round.selected.len());
            let labels = self.labels(["not-selected"]);
            page.add(&catalogue::TOPICS_EXCLUDED, &labels, excluded);
        }
    }

    /// What was done to topics.
    fn add_operations(&self, page: &mut Page, round: &Round) {
        for (changed, came, count) in round.operations.all() {
            let labels = self.labels([changed.as_str(), came.as_str()]);
            page.add(&catalogue::SYNC_OPERATIONS, &labels, count);
        }
        let kept = round.retention.iter();
        for (topic, kept) in kept.filter(|(topic, _)| round.selected.contains_key(*topic)) {
            let labels = self.labels([topic.as_str()]);
            page.add(&catalogue::RETENTION, &labels, kept.as_secs_f64());
        }
    }

    /// What was done to access rights.
    pub(super) fn add_acls(&self, page: &mut Page, acls: &AclStatus) {
        for came in Came::ALL {
            let labels = self.labels(["acl", came.as_str()]);
            page.add(
                &catalogue::SYNC_OPERATIONS,
                &labels,
                acls.operations.of(came),
            );
        }
        // Where a cluster has no authorizer there is nothing to compare.
        let is_off = matches!(acls.state, AclState::Off { .. });
        if let Some(at) = acls.went_through.filter(|_| !is_off) {
            let at = seconds(SystemTime::now(), since(at));
            page.add(&catalogue::SYNC_SUCCESS, &self.labels(["acl"]), at);
        }
    }

    fn add_share(&self, page: &mut Page, name: &Named, share: &Share, counts: Option<&LinkCounts>) {
        let of_topic = share.of_topic();
        let labels = self.labels([&name.0, &name.1]);
        if let Some(totals) = counts.and_then(|counts| counts.topics.get(name)) {
            page.add(&catalogue::RECORDS.topic, &labels, totals.records);
            page.add(&catalogue::BYTES.topic, &labels, totals.bytes);
        }
        for (measured, value) in of_topic.values() {
            page.add(&measured.topic, &labels, value);
        }
        if of_topic.retention.is_some() {
            let headroom = of_topic.headroom().unwrap_or(f64::INFINITY);
            page.add(&catalogue::HEADROOM.topic, &labels, headroom);
        }
    }

    fn add_partition(&self, page: &mut Page, name: &Named, number: i32, one: &Quantities) {
        let number = number.to_string();
        let labels = self.labels([&name.0, &name.1, &number]);
        if !one.is_unassigned() {
            page.add(&catalogue::RECORDS.partition, &labels, one.copied.0);
            page.add(&catalogue::BYTES.partition, &labels, one.copied.1);
        }
        for (measured, value) in one.values() {
            page.add(&measured.partition, &labels, value);
        }
        if let Some(headroom) = one.headroom() {
            page.add(&catalogue::HEADROOM.partition, &labels, headroom);
        }
        if let Some(state) = one.state {
            page.add_states(
                &catalogue::PARTITION_STATE,
                &labels,
                &PARTITION_STATES,
                state,
            );
        }
    }
}

/// What parts of one link say together; of a part that copies nothing, only what it says of topics.
pub(super) fn joined(parts: &[Part]) -> Option<LinkStatus> {
    let mut copying = parts.iter().filter(|part| part.copies);
    let mut all = copying.next()?.status.clone();
    for Part { status: part, .. } in copying {
        let data = Arc::make_mut(&mut all.data);
        data.partitions.extend(part.data.partitions.iter().cloned());
        data.in_flight.0 += part.data.in_flight.0;
        data.in_flight.1 += part.data.in_flight.1;
        let health = Arc::make_mut(&mut all.health);
        let more = &part.health;
        health.at = health.at.min(more.at);
        // What was never read has no time, and a part without partitions nothing to be read.
        health.destination_read = match (health.destination_read, more.destination_read) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, _) if more.partitions.is_empty() => one,
            (_, other) if health.partitions.is_empty() => other,
            _ => None,
        };
        health.lag = health.lag.with(&more.lag);
        for (state, count) in &more.states {
            *health.states.entry(*state).or_default() += count;
        }
        for (reach, other) in health.reach.iter_mut().zip(&more.reach) {
            // One part that gets an answer is enough.
            if answers(reach.verdict) != Some(true) && answers(other.verdict).is_some() {
                *reach = other.clone();
            }
        }
        health.partitions.extend(more.partitions.iter().cloned());
    }
    if let Some(topics) = parts.iter().find(|part| !part.copies) {
        all.round = Arc::clone(&topics.status.round);
    }
    Some(all)
}

/// Whether a cluster answers at all, where that is known.
fn answers(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Pass | Verdict::Warn => Some(true),
        Verdict::Fail => Some(false),
        Verdict::Unknown => None,
    }
}

fn since(at: Instant) -> Duration {
    at.elapsed()
}

/// Seconds since 1970 of a moment so long ago.
fn seconds(now: SystemTime, ago: Duration) -> f64 {
    let at = now.checked_sub(ago).unwrap_or(UNIX_EPOCH);
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests;
