//! Tells the room that finds out health what the data planes of a link say of their partitions.

use std::sync::Arc;

use config::link::LinkConfig;
use config::worker::WorkerConfig;
use lifecycle::Scope;
use tokio::sync::watch;

use crate::data_plane::{Handle, PartitionStatus, Snapshot, State};
use crate::health::{Condition, Health, HealthHandle, HealthOptions, Reported, Seen};
use crate::metadata_sync::Round;

/// What is listened to.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) local: Handle,
    pub(super) others: watch::Receiver<Vec<Handle>>,
    pub(super) rounds: watch::Receiver<(Arc<Round>, usize)>,
}

impl Heard {
    pub(super) fn new(
        local: Handle,
        others: watch::Receiver<Vec<Handle>>,
        rounds: watch::Receiver<(Arc<Round>, usize)>,
    ) -> Self {
        Self {
            local,
            others,
            rounds,
        }
    }

    /// What the data planes say, as one.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        let mut all = self.local.status();
        for other in self.others.borrow().iter() {
            Arc::make_mut(&mut all).add(&other.status());
        }
        all
    }

    fn look(&self) -> Seen {
        let round = Arc::clone(&self.rounds.borrow().0);
        let snapshot = self.snapshot();
        let reported = snapshot.partitions.iter().map(told).collect();
        // A topic that was never begun has no partition that could say so.
        let trouble = [&round.trouble, &snapshot.store_trouble, &round.blocked];
        let copies = round.copies.iter();
        let partitions = copies.map(|copy| usize::try_from(copy.partitions).unwrap_or(0));
        Seen {
            reported,
            elsewhere: trouble.into_iter().flatten().next().cloned(),
            partitions: partitions.sum(),
        }
    }
}

fn told(partition: &PartitionStatus) -> Reported {
    let condition = match &partition.state {
        State::Starting => Condition::Starting,
        State::Running => Condition::Active,
        State::Waiting(trouble) => Condition::Retrying(trouble.clone()),
        State::Stopped(stop) => Condition::Stopped {
            state: stop.state,
            reason: stop.reason.clone(),
        },
    };
    Reported {
        source: partition.source.clone(),
        destination: partition.destination.clone(),
        condition,
        progress: partition.position,
        copied: (partition.totals.records, partition.totals.bytes),
        oldest_ms: partition.oldest_ms,
        turn: partition.turn,
    }
}

/// Health of a link, to be run beside it.
pub(super) fn of(
    config: &LinkConfig,
    worker: &WorkerConfig,
    heard: Heard,
    scope: &Scope,
) -> (Health, HealthHandle) {
    let options = HealthOptions {
        link: config.name.clone(),
        source: config.source.clone(),
        destination: config.destination.clone(),
        interval: worker.health_interval,
        max_age: worker.health_max_age,
        stall: config.health.stall,
        objective: config.health.objective,
        look: Box::new(move || heard.look()),
    };
    Health::new(options, scope)
}
