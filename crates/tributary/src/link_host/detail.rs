//! Everything that is known of a running link, in the words of those who show it.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_wire::types::TopicPartition;
use replication::data_plane::{Answer, Lost, PartitionStatus, State};
use replication::health::{LinkHealth, PartitionHealth, Rating, Reachability, Verdict};
use replication::help::page;
use replication::link::{ClusterSeen, LinkHandle, LinkStatus};
use tokio::time::Instant;
use worker_group::detail::{
    CheckDetail, ClusterDetail, LinkDetail, PartitionDetail, ReachDetail, TopicDetail, TopicProblem,
};
use worker_group::view::Doing;

use super::{checks, probe};

/// What is known of a link now.
pub(super) fn of(handle: &LinkHandle) -> LinkDetail {
    let status = handle.status();
    let clock = Clock::now();
    let health = &status.health;
    let [source, destination] = handle.clusters();
    let [source_reach, destination_reach] = &health.reach;
    let round = &status.round;
    let trouble = round.trouble.iter().chain(&status.data.store_trouble);
    // Before everything that was found is handed over, what is known is not all.
    let is_begun = round.number > 0 && status.data.partitions.len() >= status.assigned;
    let mut lag = probe::detail(&health.lag);
    lag.known &= is_begun;
    let (rating, reason) = match health.rating {
        Rating::Healthy | Rating::CatchingUp if !is_begun => {
            (Rating::Unknown, "its partitions are being begun".to_owned())
        }
        rating => (rating, health.reason.clone()),
    };
    let mut detail = LinkDetail {
        at: clock.time,
        evaluated_at: clock.of(health.at),
        health: rating.name().into(),
        reason,
        doing: Doing::default(),
        lag,
        source: cluster(source, source_reach),
        destination: cluster(destination, destination_reach),
        topics: topics(&status),
        excluded: round
            .everything
            .then(|| round.seen.saturating_sub(round.selected.len())),
        trouble: trouble.cloned().collect(),
        topics_at: round.at.map(|at| clock.of(at)),
        partitions: partitions(&status, clock),
        checks: others(handle, &status, clock),
    };
    detail.count();
    detail
}

/// Checks that do not rest on partitions.
fn others(handle: &LinkHandle, status: &LinkStatus, clock: Clock) -> Vec<CheckDetail> {
    let acls = handle.acls();
    let rights = acls.and_then(|acls| checks::rights(&acls, clock.instant));
    let copied = status.data.partitions.iter();
    let circled = copied.map(|one| one.totals.circled).sum();
    // Who copies nothing sees no record.
    let circles = (!status.data.partitions.is_empty()).then(|| checks::circles(circled));
    let credentials = checks::credentials(&handle.expiry(), clock.time);
    let all = [
        checks::settings(&status.round),
        rights,
        circles,
        credentials,
        checks::distance(&status.data.ways),
    ];
    all.into_iter().flatten().collect()
}

/// What is known of a link from its parts that run here; nothing where none does.
pub(super) fn together(mut parts: impl Iterator<Item = LinkDetail>) -> Option<LinkDetail> {
    let mut whole = parts.next()?;
    parts.for_each(|part| whole.add(part));
    Some(whole)
}

/// Joins moments of the runtime's clock with those of the wall.
#[derive(Clone, Copy)]
struct Clock {
    time: SystemTime,
    instant: Instant,
}

impl Clock {
    fn now() -> Self {
        Self {
            time: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    fn of(self, at: Instant) -> SystemTime {
        let ago = self.instant.saturating_duration_since(at);
        self.time.checked_sub(ago).unwrap_or(self.time)
    }
}

fn cluster(seen: ClusterSeen, reach: &Reachability) -> ClusterDetail {
    let servers = seen.bootstrap.iter().map(ToString::to_string);
    ClusterDetail {
        id: seen.id,
        bootstrap: servers.collect::<Vec<_>>().join(","),
        brokers: seen.brokers,
        release: seen.release.map(Into::into),
        reach: ReachDetail {
            verdict: reach.verdict.name().into(),
            evidence: reach.evidence.clone(),
            silent: (reach.verdict != Verdict::Unknown)
                .then(|| reach.needed.saturating_sub(reach.answering)),
        },
    }
}

fn topics(status: &LinkStatus) -> BTreeMap<String, TopicDetail> {
    let mut topics: BTreeMap<String, TopicDetail> = BTreeMap::new();
    for (topic, partitions) in &status.round.selected {
        topics.entry(topic.to_string()).or_default().partitions = Some(*partitions);
    }
    for copy in &status.round.copies {
        let topic = topics.entry(copy.source.to_string()).or_default();
        topic.partitions = Some(copy.partitions);
        topic.destination = Some(copy.destination.to_string());
    }
    for (name, retention) in status.round.retention.iter() {
        if let Some(topic) = topics.get_mut(name.as_str()) {
            topic.retention = Some(retention.as_secs_f64());
        }
    }
    for problem in &status.round.problems {
        let topic = topics.entry(problem.topic.to_string()).or_default();
        let known = topic.problem.as_ref();
        // What keeps records back comes before what is only to be known.
        if known.is_none_or(|known| problem.is_blocking() && !known.blocking) {
            topic.problem = Some(TopicProblem {
                state: problem.state.name().into(),
                blocking: problem.is_blocking(),
                reason: problem.sentence(),
            });
        }
    }
    topics
}

fn partitions(status: &LinkStatus, clock: Clock) -> Vec<PartitionDetail> {
    type Key<'a> = (&'a TopicPartition, &'a TopicPartition);
    let found: HashMap<Key<'_>, &PartitionHealth> = status
        .health
        .partitions
        .iter()
        .map(|partition| ((&partition.source, &partition.destination), partition))
        .collect();
    let reported = status.data.partitions.iter();
    reported
        .map(|reported| {
            let health = found.get(&(&reported.source, &reported.destination));
            partition(reported, health.copied(), clock)
        })
        .collect()
}

fn partition(
    reported: &PartitionStatus,
    health: Option<&PartitionHealth>,
    clock: Clock,
) -> PartitionDetail {
    let mut detail = PartitionDetail {
        topic: reported.source.topic.to_string(),
        partition: reported.source.partition,
        destination: reported.destination.topic.to_string(),
        state: "starting".into(),
        since: clock.time,
        reason: None,
        verdict: "UNKNOWN".into(),
        lag: probe::detail(&LinkHealth::unknown().lag),
        no_progress: 0.0,
        acked: reported.position,
        stands_at: match &reported.state {
            State::Stopped(stop) => stop.offset,
            State::Starting | State::Running | State::Waiting(_) => None,
        },
        oldest_age: reported.oldest_ms.and_then(|ms| {
            let since = UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).ok()?);
            Some(clock.time.duration_since(since).ok()?.as_secs_f64())
        }),
        source_start: None,
        source_end: None,
        destination_end: None,
        records: reported.totals.records,
        bytes: reported.totals.bytes,
        read: reported.read,
        leaders: [None; 2],
        repeated: reported.totals.repeated,
        lost: reported.lost.map(|lost| {
            let Lost { why, from, to } = lost;
            format!("{} offsets [{from}, {to}) {}", to - from, why.as_str())
        }),
        answers: Vec::new(),
        help: None,
    };
    // One that was assigned a moment ago was not looked at yet.
    if let Some(health) = health {
        detail.state = health.state.into();
        detail.since = clock.of(health.since);
        detail.reason.clone_from(&health.reason);
        detail.verdict = health.verdict.name().into();
        detail.lag = probe::detail(&health.lag);
        detail.no_progress = health.no_progress.as_secs_f64();
        detail.leaders = health.leaders.map(|leader| leader.map(|node| node.0));
        detail.source_start = health.source_start;
        detail.source_end = health.source_end;
        detail.destination_end = health.destination_end;
        let stands = health.verdict == Verdict::Fail && health.state != "stalled";
        if stands {
            let answers = Answer::possible(health.state).iter();
            detail.answers = answers.map(|answer| answer.name().into()).collect();
        }
        detail.help = (health.verdict != Verdict::Pass).then(|| page(health.state));
    }
    detail
}
