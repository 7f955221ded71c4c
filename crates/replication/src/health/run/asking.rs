//! What is asked of both clusters, and when: one request per broker and purpose is under way.
//!
//! Ends of the source are read at every look, or more seldom where a link has many partitions. What is known to have grown
//! since, because copying has come further, is read at the next look all the same: at rest that is nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::offsets::{OffsetAnswer, list_offsets_within};
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::message::metadata::{MetadataTopics, TopicMetadata};
use kafka_wire::types::{NodeId, TopicName, TopicPartition};
use lifecycle::OnFailure;
use tokio::time::{Instant, timeout};

use super::{
    ANSWER, Answered, Event, Health, LEADERS, LEADERS_EVERY, MANY, MANY_INTERVAL, PULSE, SLOW,
    Side, What,
};

impl Health {
    /// Finds out whether partitions are left that nobody leads.
    pub(super) fn find_missing(&mut self, side: Side) {
        let leaders = &self.observed(side).leaders;
        let mut partitions = self.reported.iter().map(|one| side.of(one));
        let is_missing = partitions.any(|partition| !leaders.contains_key(partition));
        self.side(side).is_missing = is_missing;
    }

    pub(super) fn find_leaders(&mut self, side: Side, now: Instant) {
        let observed = self.observed(side);
        if self.reported.is_empty() || observed.looking {
            return;
        }
        let old = observed.looked.is_none_or(|at| now - at >= LEADERS_EVERY);
        if !old && !observed.moved && !observed.is_missing {
            return;
        }
        let mut wanted: BTreeMap<TopicName, BTreeSet<i32>> = BTreeMap::new();
        for partition in self.reported.iter().map(|one| side.of(one)) {
            let numbers = wanted.entry(partition.topic.clone()).or_default();
            numbers.insert(partition.partition);
        }
        let (cluster, events) = (observed.cluster.clone(), self.events.clone());
        self.side(side).looking = true;
        self.scope.spawn(
            format!("{} leaders", side.name()),
            OnFailure::Report,
            async move {
                let found = leaders(&cluster, &wanted).await;
                let found = found.map_err(|error| format!("{}: {error}", side.name()));
                // The loop has ended: nobody is left who could use it.
                drop(events.send(Event::Leaders(side, found)).await);
            },
        );
    }

    /// Asks each broker for what is due, unless it still owes an answer.
    pub(super) fn ask_what_is_due(&mut self, now: Instant) {
        let pause = self.options.interval.max(MANY_INTERVAL);
        let is_due = |at| now - at >= pause;
        if self.link_partitions <= MANY || self.asked_at.is_none_or(is_due) {
            self.asked_at = Some(now);
            self.ask_for_all(now);
        }
        for (what, side) in [
            (What::SourceMoved, Side::Source),
            (What::DestinationMoved, Side::Destination),
        ] {
            let moved = self.moved.of(side);
            // So many wait for the next look at all of them.
            if moved.len() > MANY {
                continue;
            }
            let leaders = &self.observed(side).leaders;
            let mut by_leader: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
            for partition in moved {
                if let Some(leader) = leaders.get(partition) {
                    let asked = by_leader.entry(*leader).or_default();
                    asked.push(partition.clone());
                }
            }
            for (node, partitions) in by_leader {
                self.read(what, node, partitions, now);
            }
        }
    }

    pub(super) fn ask_for_all(&mut self, now: Instant) {
        let mut due = vec![What::SourceEnds];
        if self.slow_at.is_none_or(|at| now - at >= SLOW) {
            due.extend([What::SourceStarts, What::DestinationEnds]);
            if !self.source.leaders.is_empty() && !self.destination.leaders.is_empty() {
                self.slow_at = Some(now);
            }
        } else if self.pulse_at.is_none_or(|at| now - at >= PULSE) {
            self.pulse_at = Some(now);
            due.push(What::DestinationPulse);
        }
        for what in due {
            let side = what.side();
            let leaders = &self.observed(side).leaders;
            let mut by_leader: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
            for one in &self.reported {
                let partition = side.of(one);
                if let Some(leader) = leaders.get(partition) {
                    let asked = by_leader.entry(*leader).or_default();
                    if what != What::DestinationPulse || asked.is_empty() {
                        asked.push(partition.clone());
                    }
                }
            }
            // Other partitions of the same topics are copied by others, who ask the brokers that lead those.
            let reach = &mut self.side(side).reach;
            reach.needs(by_leader.keys().copied(), now);
            for (node, partitions) in by_leader {
                self.read(what, node, partitions, now);
            }
        }
    }

    fn read(&mut self, what: What, node: NodeId, partitions: Vec<TopicPartition>, now: Instant) {
        if !self.reading.insert((what, node)) {
            return;
        }
        let (at, level) = match what {
            What::SourceEnds | What::SourceMoved => (LATEST, IsolationLevel::ReadCommitted),
            What::SourceStarts => (EARLIEST, IsolationLevel::ReadUncommitted),
            What::DestinationEnds | What::DestinationMoved | What::DestinationPulse => {
                (LATEST, IsolationLevel::ReadUncommitted)
            }
        };
        let side = what.side();
        if at == LATEST {
            self.moved.are_asked(side, &partitions);
        }
        let cluster = self.observed(side).cluster.clone();
        let events = self.events.clone();
        self.scope.spawn(
            format!("{} {node}", side.name()),
            OnFailure::Report,
            async move {
                let asked = (at, level);
                let answer =
                    list_offsets_within(&cluster, node, Use::Watch, &partitions, asked, ANSWER);
                let readings = readings(side, partitions.clone(), answer.await);
                drop(events.send(Event::Read(what, node, now, readings)).await);
            },
        );
    }
}

fn readings(
    side: Side,
    partitions: Vec<TopicPartition>,
    answer: Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError>,
) -> Answered {
    let side = side.name();
    let mut answers = match answer {
        Ok(answers) => answers,
        Err(error) => return Err((partitions, format!("{side}: {error}"))),
    };
    let reading = |partition: TopicPartition| {
        let reading = match answers.remove(&partition) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(format!("{side}: ListOffsets answered {code}")),
            None => Err(format!("{side}: ListOffsets was not answered")),
        };
        (partition, reading)
    };
    Ok(partitions.into_iter().map(reading).collect())
}

/// Who leads these partitions, by topic. What others copy of the same topics is not kept: each of many tasks would keep all.
async fn leaders(
    cluster: &Cluster,
    wanted: &BTreeMap<TopicName, BTreeSet<i32>>,
) -> Result<HashMap<TopicPartition, NodeId>, String> {
    let asked = cluster.metadata(MetadataTopics::Topics(wanted.keys().cloned().collect()));
    let answer = match timeout(LEADERS, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no broker told its topics within {LEADERS:?}")),
    };
    Ok(led(answer.topics, wanted))
}

fn led(
    topics: Vec<TopicMetadata>,
    wanted: &BTreeMap<TopicName, BTreeSet<i32>>,
) -> HashMap<TopicPartition, NodeId> {
    let mut leaders = HashMap::with_capacity(wanted.values().map(BTreeSet::len).sum());
    for topic in topics {
        // The name that is known already, which need not be there twice.
        let known = topic.name.and_then(|name| wanted.get_key_value(&name));
        let Some((name, numbers)) = known else {
            continue;
        };
        for partition in topic.partitions {
            if partition.leader.0 >= 0 && numbers.contains(&partition.index) {
                let name = TopicPartition::new(name.clone(), partition.index);
                leaders.insert(name, partition.leader);
            }
        }
    }
    leaders
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::client::{ClientConfig, HostPort};
    use kafka_wire::error_code::ErrorCode;
    use kafka_wire::message::metadata::PartitionMetadata;
    use kafka_wire::types::TopicId;
    use lifecycle::Scope;

    use super::*;
    use crate::health::run::{HealthOptions, Seen};
    use crate::health::{Condition, Reported, Verdict};

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t".into(), number)
    }

    #[test]
    fn only_leaders_of_partitions_that_are_copied_here_are_kept() {
        let led_by = |index, leader| PartitionMetadata {
            error: ErrorCode::NONE,
            index,
            leader: NodeId(leader),
            leader_epoch: 0,
            replicas: Vec::new(),
            isr: Vec::new(),
            offline: Vec::new(),
        };
        let topic = |name: &str| TopicMetadata {
            error: ErrorCode::NONE,
            name: Some(name.into()),
            id: TopicId::ZERO,
            internal: false,
            partitions: vec![led_by(0, 1), led_by(1, 2), led_by(2, -1)],
            authorized_operations: None,
        };
        let wanted = BTreeMap::from([("t".into(), BTreeSet::from([1, 2]))]);
        let found = led(vec![topic("t"), topic("other")], &wanted);
        assert_eq!(found, HashMap::from([(partition(1), NodeId(2))]));
    }

    #[tokio::test]
    async fn a_broker_that_leads_only_what_others_copy_is_not_missed() {
        let nobody = HostPort {
            host: "127.0.0.1".to_owned(),
            port: 1,
        };
        let scope = Scope::new("test");
        let config = ClientConfig::new(vec![nobody]);
        let options = HealthOptions {
            link: "l".to_owned(),
            source: config.clone(),
            destination: config,
            interval: Duration::from_secs(2),
            max_age: Duration::from_secs(20),
            stall: Duration::from_secs(20),
            objective: Duration::from_secs(60),
            look: Box::new(Seen::default),
        };
        let (mut health, _) = Health::new(options, &scope);
        // One of the topic's partitions is copied here, and another one, which another broker leads, elsewhere.
        health.reported = vec![Reported {
            source: partition(0),
            destination: partition(0),
            condition: Condition::Active,
            progress: Some(0),
            copied: (0, 0),
            oldest_ms: None,
            turn: None,
        }];
        let now = Instant::now();
        for side in [Side::Source, Side::Destination] {
            let leaders = [(partition(0), NodeId(1)), (partition(1), NodeId(2))];
            health.take(Event::Leaders(side, Ok(leaders.into())));
            let read = Ok(vec![(partition(0), Ok(0))]);
            let what = match side {
                Side::Source => What::SourceEnds,
                Side::Destination => What::DestinationEnds,
            };
            let later = now + Duration::from_secs(60);
            health.take(Event::Read(what, NodeId(1), later, read));
            let found = health.observed(side).reach.judge(later, ANSWER);
            assert_eq!(
                (found.verdict, found.needed),
                (Verdict::Pass, 1),
                "{side:?}: {}",
                found.evidence
            );
        }
        drop(scope.stop(Duration::ZERO).await);
    }
}
