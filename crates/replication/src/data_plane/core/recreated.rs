//! Topics that are not those a position belongs to.

use config::link::OnRecreate;
use kafka_wire::types::{TopicId, TopicName};
use tokio::time::Instant;

use super::super::partition::{Partition, Stop};
use super::{Core, Index, Place};

/// Whether two ids are of different topics; clusters older than topic ids have none.
pub(super) fn differs(known: TopicId, found: TopicId) -> bool {
    !known.is_zero() && !found.is_zero() && known != found
}

/// The state of a topic that is not the one the position belongs to.
pub(super) fn recreated(
    partition: &Partition,
    source: &Place,
    destination: &Place,
) -> Option<Stop> {
    let position = partition.position.as_ref()?;
    let differs =
        |stored: TopicId, found: TopicId| !stored.is_zero() && !found.is_zero() && stored != found;
    let offset = Some(position.offset.0);
    if differs(position.topic_id.0, source.topic_id) {
        return Some(Stop {
            state: "source-recreated",
            offset,
            reason: format!(
                "source topic {} was created anew: its id was {}, is {}; the copy stands at source offset {}. \
                 Set tributary.on.recreate=restart to copy the new topic from its first record",
                partition.source.topic, position.topic_id, source.topic_id, position.offset
            ),
            lost: None,
        });
    }
    if differs(position.destination_topic_id.0, destination.topic_id) {
        return Some(Stop {
            state: "destination-recreated",
            offset,
            reason: format!(
                "destination topic {} was created anew: its id was {}, is {}; records before source offset {} \
                 are not in it. Set tributary.on.recreate=restart to copy everything the source still has",
                partition.destination.topic,
                position.destination_topic_id,
                destination.topic_id,
                position.offset
            ),
            lost: None,
        });
    }
    None
}

impl Partition {
    /// Takes who leads it at the source. Brokers that lag behind tell of former leaders; those are not gone back to.
    pub(super) fn follow(&mut self, source: &Place) {
        let (before, led) = (self.read_from(), self.leader);
        let same_topic = !differs(self.source_id, source.topic_id) && !source.topic_id.is_zero();
        if !led.is_some_and(|led| same_topic && led.epoch > source.leader.epoch) {
            self.leader = Some(source.leader);
        }
        if self.follower.is_some() && before != Some(source.leader.node) {
            self.follower = None;
        }
    }

    /// Whether it was led by somebody else at the destination since; remembers who leads it.
    pub(super) fn is_former(&mut self, found: &Place) -> bool {
        let Place { leader, topic_id } = *found;
        let known = self.destination_epoch;
        let known = known.filter(|(id, _)| *id == topic_id && !topic_id.is_zero());
        if known.is_some_and(|(_, epoch)| leader.epoch < epoch) {
            return true;
        }
        self.destination_epoch = Some((topic_id, leader.epoch));
        false
    }
}

impl Core {
    /// Copies everything anew where a destination's log was cut short, if that is the policy; otherwise the stop comes back.
    pub(super) fn recopied(&mut self, index: Index, stop: Stop, now: Instant) -> Option<Stop> {
        let restarts = matches!(self.settings.on_recreate, OnRecreate::Restart);
        let partition = self.partitions.get_mut(&index)?;
        if !restarts || stop.state != "destination-behind" {
            return Some(stop);
        }
        partition.begin_anew(&stop);
        partition.readings = 0;
        self.restart(index, stop.reason, now);
        None
    }

    /// The stored position belongs to a copy under another name.
    pub(super) fn moved(&mut self, index: Index, before: &TopicName) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let offset = partition.position.as_ref().map(|p| p.offset.0);
        let stop = Stop {
            state: "destination-renamed",
            offset,
            reason: format!(
                "the position of this link belongs to the copy {before}; records before source offset {} are not in {}. \
                 Use another link name for another copy, or set tributary.on.recreate=restart to copy everything the \
                 source still has",
                offset.unwrap_or(0),
                partition.destination.topic
            ),
            lost: None,
        };
        match self.settings.on_recreate {
            OnRecreate::Stop => self.stop(index, stop),
            OnRecreate::Restart => partition.begin_anew(&stop),
        }
    }
}
