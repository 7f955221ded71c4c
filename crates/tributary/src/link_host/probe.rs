//! How a running link fares, in the words of the worker's engine.

use replication::data_plane::State;
use replication::link::LinkHandle;
use worker_group::host::{LinkReport, Probe, Standing};
use worker_group::view::Replication;

/// Things that are told at most.
const TOLD: usize = 5;

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
                            "{}{}: {}",
                            stop.state,
                            at.unwrap_or_default(),
                            stop.reason
                        ),
                    });
                }
            }
            sums.lag = sums.lag.zip(partition.lag()).map(|(all, one)| all + one);
            let bytes = partition.totals.bytes;
            if let Some(load) = report.topics.get_mut(partition.source.topic.as_str()) {
                load.bytes += bytes;
            }
            let written = report
                .written
                .entry(partition.destination.topic.to_string());
            *written.or_default() += partition.totals.records;
        }
        sums.trouble.extend(status.round.trouble.clone());
        sums.trouble.extend(status.data.store_trouble.clone());
        let problems = status.round.problems.iter();
        for problem in problems.take(TOLD) {
            sums.trouble.push(format!(
                "{}: {}: {}",
                problem.topic,
                problem.state,
                problem.sentence()
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
        report.replication = sums;
        report
    }
}
