//! The loop's connections: readers, writers, and looks at the source's ends. Each is made when it is first needed, or asked for.

use std::time::Duration;

use kafka_client::ClientError;
use kafka_client::cluster::Use;
use kafka_client::offsets::list_offsets_within;
use kafka_client::produce_lane::{self, ProduceCall, ProduceEvent};
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::LATEST;
use kafka_wire::types::{NodeId, TopicPartition};
use lifecycle::OnFailure;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::core::{Channel, FetchOrder, LaneId, OPEN_CALLS};
use super::super::fetcher::{Fetcher, FetcherOptions};
use super::{DataPlane, Event, send};

/// How long a broker may take to tell where its logs end.
const ENDS_LIMIT: Duration = Duration::from_secs(5);

/// A connection for writing. Dropped, it ends at once, also while it is being made.
pub(super) struct Lane {
    /// The last word of a former lane says nothing about its successor.
    pub(super) number: u64,
    pub(super) calls: mpsc::Sender<ProduceCall>,
    _kept: oneshot::Sender<()>,
}

/// What a source broker said of where its logs end.
pub(super) struct Ends {
    pub(super) asked_at: Instant,
    pub(super) took: Duration,
    pub(super) ends: Result<Vec<(TopicPartition, i64)>, ClientError>,
}

impl DataPlane {
    pub(super) fn fetcher(&mut self, channel: Channel) -> &mpsc::Sender<FetchOrder> {
        self.fetchers.entry(channel).or_insert_with(|| {
            let (orders, queue) = mpsc::channel(1);
            let options = FetcherOptions {
                node: channel.node,
                min_bytes: self.fetch.min_bytes,
                rack: self.rack.clone(),
                origins: self.origins.clone(),
            };
            let fetcher = Fetcher::new(self.source.clone(), options, self.buffers.clone());
            let events = self.events.clone();
            let tails = if channel.tails { " of tails" } else { "" };
            self.scope.spawn(
                format!("fetch {}.{}{}", channel.node, channel.number, tails),
                OnFailure::StopScope,
                async move {
                    fetcher
                        .run(queue, |event| send(&events, Event::Fetch(channel, event)))
                        .await;
                },
            );
            orders
        })
    }

    pub(super) fn lane(&mut self, id: LaneId) -> (u64, &mpsc::Sender<ProduceCall>) {
        let lane = self.lanes.entry(id).or_insert_with(|| {
            let number = self.next_lane;
            self.next_lane += 1;
            let (calls, mut queue) = mpsc::channel(OPEN_CALLS);
            let (kept, given_up) = oneshot::channel();
            let cluster = self.destination.clone();
            let events = self.events.clone();
            // The broker may use all of its own time before it answers.
            let limit = self.produce.request_timeout + Duration::from_secs(2);
            self.scope.spawn(
                format!("produce {}.{}", id.node, id.which()),
                OnFailure::StopScope,
                async move {
                    let emit = |event| send(&events, Event::Produce(id, number, event));
                    let connected = tokio::select! {
                        connected = cluster.connect(id.node) => connected,
                        _ = given_up => Err(ClientError::Stopping),
                    };
                    match connected {
                        Ok(connection) => {
                            send(&events, Event::Stands(id, number)).await;
                            produce_lane::run(connection, queue, limit, emit).await;
                        }
                        Err(error) => {
                            queue.close();
                            let mut unanswered = Vec::new();
                            while let Ok(call) = queue.try_recv() {
                                unanswered.push(call.tag);
                            }
                            emit(ProduceEvent::Ended { error, unanswered }).await;
                        }
                    }
                },
            );
            Lane {
                number,
                calls,
                _kept: kept,
            }
        });
        (lane.number, &lane.calls)
    }

    /// Whether a connection is the present one of its name.
    fn is_present(&self, lane: LaneId, number: u64) -> bool {
        self.lanes
            .get(&lane)
            .is_some_and(|lane| lane.number == number)
    }

    pub(super) fn lane_stands(&mut self, lane: LaneId, number: u64, now: Instant) {
        if self.is_present(lane, number) {
            self.core.on_lane_stands(lane, now);
        }
    }

    /// A connection has ended; its successor may be there already.
    pub(super) fn lane_ended(
        &mut self,
        lane: LaneId,
        number: u64,
        error: &ClientError,
        unanswered: &[u64],
        now: Instant,
    ) {
        if unanswered.is_empty() {
            tracing::debug!(
                broker = lane.node.0,
                connection = lane.which(),
                "connection to the destination ended: {error}"
            );
        } else {
            tracing::warn!(
                broker = lane.node.0,
                connection = lane.which(),
                requests = unanswered.len(),
                "connection to the destination ended with requests on their way: {error}"
            );
        }
        self.core
            .on_lane_ended(lane, unanswered, &error.to_string(), now);
        if self.is_present(lane, number) {
            self.lanes.remove(&lane);
            let has_failed = !matches!(error, ClientError::Stopping) || !unanswered.is_empty();
            self.core.on_lane_gone(lane, has_failed, now);
        }
    }

    pub(super) fn read_ends(&mut self) {
        for (node, partitions) in self.core.by_source_leader() {
            // A broker that hangs delays its own partitions only.
            if !self.reading_ends.insert(node) {
                continue;
            }
            let (source, events) = (self.source.clone(), self.events.clone());
            self.scope
                .spawn(format!("ends {node}"), OnFailure::StopScope, async move {
                    let asked_at = Instant::now();
                    let asked = (LATEST, IsolationLevel::ReadCommitted);
                    let within = ENDS_LIMIT.min(source.config().request_timeout);
                    let answer =
                        list_offsets_within(&source, node, Use::Watch, &partitions, asked, within)
                            .await;
                    let took = asked_at.elapsed();
                    let ends = answer.map(|answers| {
                        answers
                            .into_iter()
                            .filter_map(|(p, end)| Some((p, end.ok()?)))
                            .collect()
                    });
                    let ends = Ends {
                        asked_at,
                        took,
                        ends,
                    };
                    send(&events, Event::Ends(node, ends)).await;
                });
        }
    }

    /// Asks destination brokers that much is written to something small, over a connection that no batches go over: how long that takes
    /// says how far away they are.
    pub(super) fn measure_ways(&mut self) {
        for (node, partition) in self.core.take_to_measure() {
            if !self.measuring.insert(node) {
                continue;
            }
            let (destination, events) = (self.destination.clone(), self.events.clone());
            self.scope
                .spawn(format!("way to {node}"), OnFailure::StopScope, async move {
                    let asked_at = Instant::now();
                    let asked = (LATEST, IsolationLevel::ReadUncommitted);
                    let within = ENDS_LIMIT.min(destination.config().request_timeout);
                    let partitions = [partition];
                    let answer = list_offsets_within(
                        &destination,
                        node,
                        Use::Watch,
                        &partitions,
                        asked,
                        within,
                    );
                    let answer = answer.await;
                    let took = answer.is_ok().then(|| asked_at.elapsed());
                    send(&events, Event::Measured(node, took)).await;
                });
        }
    }

    pub(super) fn take_measured(&mut self, node: NodeId, took: Option<Duration>, now: Instant) {
        self.measuring.remove(&node);
        if let Some(took) = took {
            self.core.on_measured(node, took, now);
        }
    }

    pub(super) fn take_ends(&mut self, node: NodeId, ends: Ends, now: Instant) {
        self.reading_ends.remove(&node);
        match ends.ends {
            Ok(found) => {
                self.core.on_question(node, ends.took, now);
                self.core.on_ends(&found, ends.asked_at);
            }
            Err(error) => tracing::debug!("source ends cannot be read: {error}"),
        }
    }
}
