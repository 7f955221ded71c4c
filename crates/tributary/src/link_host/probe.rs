//! How a running link fares, in the words of the worker's engine.

use std::collections::{BTreeMap, BTreeSet};

use config::bandwidth::Bandwidth;
use kafka_wire::types::{TopicName, TopicPartition};
use replication::data_plane::{self, Answer, PartitionStatus, State};
use replication::health::{Lag, LinkHealth, Verdict};
use replication::help::page;
use replication::link::LinkHandle;
use worker_group::Config;
use worker_group::host::{LinkReport, NotResumed, Pending, Probe, Resume, Standing};
use worker_group::view::{Doing, LagDetail, Replication, TOLD};

/// See the module.
pub(super) struct LinkProbe(pub(super) LinkHandle);

impl Probe for LinkProbe {
    fn look(&self) -> LinkReport {
        let status = self.0.status();
        let mut report = LinkReport::default();
        let mut sums = Replication {
            lag: Some(0),
            ..Replication::default()
        };
        for copy in &status.round.copies {
            let load = report.topics.entry(copy.source.to_string()).or_default();
            load.partitions = copy.partitions;
        }
        // Partitions of a topic stand together mostly: names are looked up once for all of them.
        let same = |one: &PartitionStatus, next: &PartitionStatus| {
            one.source.topic == next.source.topic && one.destination.topic == next.destination.topic
        };
        for partitions in status.data.partitions.chunk_by(same) {
            let place = &partitions[0];
            let totals = || partitions.iter().map(|one| &one.totals);
            if let Some(load) = report.topics.get_mut(place.source.topic.as_str()) {
                load.bytes += totals().map(|totals| totals.bytes).sum::<u64>();
            }
            let written = report.written.entry(place.destination.topic.to_string());
            *written.or_default() += totals().map(|totals| totals.records).sum::<u64>();
        }
        for partition in &status.data.partitions {
            sums.partitions += 1;
            match &partition.state {
                State::Running => sums.running += 1,
                State::Starting => sums.starting += 1,
                State::Waiting(trouble) => {
                    sums.waiting += 1;
                    if sums.trouble.len() < TOLD {
                        sums.trouble
                            .push(format!("{}: {trouble}", partition.source));
                    }
                }
                State::Stopped(stop) => {
                    sums.stopped += 1;
                    let at = stop.offset.map(|offset| format!(" at offset {offset}"));
                    report.standing.push(Standing {
                        topic: partition.source.topic.to_string(),
                        partition: partition.source.partition,
                        reason: format!(
                            "{}{}: {} ({})",
                            stop.state,
                            at.unwrap_or_default(),
                            stop.reason,
                            page(stop.state)
                        ),
                    });
                }
            }
            sums.lag = sums.lag.zip(partition.lag()).map(|(all, one)| all + one);
        }
        sums.trouble.extend(status.round.trouble.clone());
        sums.trouble.extend(status.data.store_trouble.clone());
        let problems = status.round.problems.iter();
        for problem in problems.take(TOLD) {
            sums.trouble.push(format!(
                "{}: {}: {} ({})",
                problem.topic,
                problem.state,
                problem.sentence(),
                page(problem.state.name())
            ));
        }
        if status.round.number > 0 && status.round.trouble.is_none() {
            let selected = status.round.selected.iter();
            let selected = selected.map(|(topic, partitions)| (topic.to_string(), *partitions));
            report.selected = Some(selected.collect());
        }
        // Before the first round nothing is known.
        if status.round.number == 0 || status.data.partitions.len() < status.assigned {
            sums.lag = None;
        }
        add_health(&mut sums, &status.health);
        report.replication = sums;
        report
    }

    fn resume(&self, resume: Resume) -> Pending<Result<(), NotResumed>> {
        let handle = self.0.clone();
        Box::pin(async move {
            let answer = Answer::of(&resume.action).map_err(NotResumed::Invalid)?;
            let source = TopicPartition::new(resume.topic.as_str().into(), resume.partition);
            let resumed = handle.resume(source, answer, resume.expected_offset).await;
            resumed.map_err(|not| {
                let text = format!("{}-{}: {not}", resume.topic, resume.partition);
                match not {
                    data_plane::NotResumed::Unknown => NotResumed::Unknown(text),
                    _ => NotResumed::Conflict(text),
                }
            })
        })
    }

    fn adjust(&self, config: &Config, tasks: u32) -> bool {
        let Some(limit) = limit(config) else {
            return false;
        };
        self.0.limit(limit.map(|limit| limit.divided(tasks)));
        true
    }

    fn begin_again(&self, partitions: BTreeMap<String, Vec<i32>>) -> Pending<()> {
        let handle = self.0.clone();
        let partitions = partitions.into_iter().flat_map(|(topic, numbers)| {
            let topic = TopicName::from(topic.as_str());
            let numbers = numbers.into_iter();
            numbers.map(move |number| TopicPartition::new(topic.clone(), number))
        });
        let partitions: BTreeSet<TopicPartition> = partitions.collect();
        Box::pin(async move { handle.begin_again(partitions).await })
    }
}

/// How much a link of this configuration may read. Nothing where that is not to be read here: where variables stand for it, or it is
/// wrong.
fn limit(config: &Config) -> Option<Option<Bandwidth>> {
    match config.get("tributary.bandwidth.limit") {
        None => Some(None),
        Some(text) => Bandwidth::parse(text).ok().map(Some),
    }
}

fn add_health(sums: &mut Replication, health: &LinkHealth) {
    sums.health = health.rating.name().into();
    sums.doing = doing(health);
    sums.health_reason.clone_from(&health.reason);
    sums.lag_detail = Some(detail(&health.lag));
    sums.states.clone_from(&health.states);
}

/// What partitions do, as far as it decides how their link fares.
fn doing(health: &LinkHealth) -> Doing {
    let count = |is: fn(Verdict) -> bool| {
        let all = health.partitions.iter();
        all.filter(|one| is(one.verdict)).count()
    };
    let failing = count(|verdict| verdict == Verdict::Fail);
    Doing::of(
        health.rating.name(),
        failing,
        count(|verdict| verdict < Verdict::Unknown),
    )
}

/// A lag as it is shown.
pub(super) fn detail(lag: &Lag) -> LagDetail {
    LagDetail {
        known: lag.known,
        records: lag.records,
        seconds: lag.seconds,
        bytes: lag.bytes,
        seconds_basis: lag.basis.name().into(),
        age_seconds: lag.age.map(|age| age.as_secs_f64()),
    }
}
