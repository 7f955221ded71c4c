//! Producers for partitions that have none of their own yet, handed out to partitions that are compared at the same time. They are
//! handed out one after the other: of many partitions that need one the first has it made, and the others share it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Future, pending};

use kafka_wire::types::{ProducerIdentity, TopicPartition};
use tokio::sync::{mpsc, oneshot};

use super::together::TOGETHER;

/// Producers that were made for new partitions, and which destination partitions each writes to.
///
/// Invariant: a producer writes to a destination partition for one source partition only. The broker
/// knows batches by producer and sequence: with two writers under one name the second's first batch
/// passes for a repetition of the first's, and is lost.
#[derive(Debug, Default)]
pub(in super::super) struct Made {
    data: Vec<(ProducerIdentity, HashSet<TopicPartition>)>,
    /// Whose name is on markers.
    marker: Option<ProducerIdentity>,
}

/// What a producer is wanted for.
#[derive(Debug)]
enum Want {
    /// Records in a destination partition.
    Records(TopicPartition),
    Markers,
}

type Outcome = Result<ProducerIdentity, String>;

/// Who wants one, and where it is waited for.
#[derive(Debug)]
pub(super) struct Wanted {
    want: Want,
    reply: oneshot::Sender<Outcome>,
}

/// Where partitions ask for producers.
#[derive(Debug)]
pub(super) struct Producers(mpsc::Sender<Wanted>);

impl Producers {
    /// With what [`Made::hand_out`] takes.
    pub(super) fn new() -> (Self, mpsc::Receiver<Wanted>) {
        let (sender, receiver) = mpsc::channel(TOGETHER);
        (Self(sender), receiver)
    }

    /// A producer that does not write to this destination partition yet.
    ///
    /// # Errors
    /// None could be made.
    pub(super) async fn for_records(&self, destination: &TopicPartition) -> Outcome {
        self.ask(Want::Records(destination.clone())).await
    }

    /// The one whose name is on markers.
    ///
    /// # Errors
    /// As [`Producers::for_records`].
    pub(super) async fn for_markers(&self) -> Outcome {
        self.ask(Want::Markers).await
    }

    async fn ask(&self, want: Want) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let nobody = || Err("nobody makes producers any more".to_owned());
        match self.0.send(Wanted { want, reply }).await {
            Ok(()) => outcome.await.unwrap_or_else(|_| nobody()),
            Err(_) => nobody(),
        }
    }
}

impl Made {
    pub(in super::super) fn reuse(
        &mut self,
        destination: &TopicPartition,
    ) -> Option<ProducerIdentity> {
        let (identity, writes_to) = self
            .data
            .iter_mut()
            .find(|(_, writes_to)| !writes_to.contains(destination))?;
        writes_to.insert(destination.clone());
        Some(*identity)
    }

    pub(in super::super) fn add(
        &mut self,
        identity: ProducerIdentity,
        destination: &TopicPartition,
    ) -> ProducerIdentity {
        self.data
            .push((identity, HashSet::from([destination.clone()])));
        identity
    }

    /// Hands out producers as long as it is polled; `make` makes one.
    pub(super) async fn hand_out<F>(
        mut self,
        mut wanted: mpsc::Receiver<Wanted>,
        make: impl Fn() -> F,
    ) -> Infallible
    where
        F: Future<Output = Outcome>,
    {
        while let Some(Wanted { want, reply }) = wanted.recv().await {
            let outcome = match &want {
                Want::Records(destination) => match self.reuse(destination) {
                    Some(identity) => Ok(identity),
                    None => make().await.map(|made| self.add(made, destination)),
                },
                Want::Markers => match self.marker {
                    Some(marker) => Ok(marker),
                    None => make().await.inspect(|made| self.marker = Some(*made)),
                },
            };
            // Whoever has gone meanwhile needs none; the next one takes it.
            drop(reply.send(outcome));
        }
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::together::all;
    use super::*;

    /// What partitions get that ask at the same time, and how often one was made; at first that fails so many times.
    async fn handed_out(wants: &[(&str, bool)], fails: i64) -> (Vec<Outcome>, i64) {
        let (producers, wanted) = Producers::new();
        let made = Cell::new(0);
        let count = &made;
        let make = || async move {
            count.set(count.get() + 1);
            let id = count.get();
            tokio::task::yield_now().await;
            match id <= fails {
                true => Err("no broker".to_owned()),
                false => Ok(ProducerIdentity { id, epoch: 0 }),
            }
        };
        let producers = &producers;
        let each = wants.iter().map(|(topic, markers)| async move {
            match *markers {
                true => producers.for_markers().await,
                false => {
                    let destination = TopicPartition::new((*topic).into(), 0);
                    producers.for_records(&destination).await
                }
            }
        });
        let outcomes = tokio::select! {
            outcomes = all(each) => outcomes,
            never = Made::default().hand_out(wanted, make) => match never {},
        };
        (outcomes, made.get())
    }

    fn ids(outcomes: Vec<Outcome>) -> Vec<i64> {
        let ids = outcomes.into_iter().map(|one| one.map_or(0, |p| p.id));
        ids.collect()
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_shares_a_producer_that_is_made_once() {
        let topics: Vec<String> = (0..60).map(|n| format!("t{n}")).collect();
        let wants: Vec<(&str, bool)> = topics.iter().map(|t| (t.as_str(), false)).collect();
        let (outcomes, made) = handed_out(&wants, 0).await;
        assert_eq!((ids(outcomes), made), (vec![1; 60], 1));
        let (outcomes, made) = handed_out(&[("", true), ("", true), ("a", false)], 0).await;
        assert_eq!((ids(outcomes), made), (vec![1, 1, 2], 2));
    }

    #[tokio::test]
    async fn no_two_write_to_a_destination_partition_under_one_name() {
        let wants = [
            ("a", false),
            ("b", false),
            ("a", false),
            ("a", false),
            ("b", false),
        ];
        let (outcomes, made) = handed_out(&wants, 0).await;
        assert_eq!((ids(outcomes), made), (vec![1, 1, 2, 3, 2], 3));
    }

    #[tokio::test]
    async fn one_that_could_not_be_made_is_nobodys() {
        let wants = [("a", false), ("b", false), ("", true), ("a", false)];
        let (outcomes, made) = handed_out(&wants, 1).await;
        assert_eq!((ids(outcomes), made), (vec![0, 2, 3, 2], 3));
    }

    #[test]
    fn no_producer_writes_to_a_destination_partition_for_two_source_partitions() {
        let mut names = Made::default();
        let mut made = 0;
        let mut given = HashSet::new();
        for partition in [0, 1, 0, 1, 2, 0] {
            let destination = TopicPartition::new("merged".into(), partition);
            let producer = names.reuse(&destination).unwrap_or_else(|| {
                made += 1;
                names.add(ProducerIdentity { id: made, epoch: 0 }, &destination)
            });
            assert!(
                given.insert((producer, partition)),
                "{producer:?} {partition}"
            );
        }
        assert_eq!(made, 3, "as many as partition 0 has writers");
    }
}
