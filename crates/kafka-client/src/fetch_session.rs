//! Incremental fetch sessions (KIP-227), pure: which partitions a request must name, given what the
//! broker has been told before.
//!
//! ```text
//!   set / remove  …  build() → request  …  accept(answer) | reset()
//! ```
//!
//! Invariants
//! - A session has one outstanding request; its epoch rises by one with each.
//! - After any doubt (`reset`) the next request is a full one that opens a new session.
//! - Work per request goes with what changed, not with the number of partitions.
//!
//! Deliberately absent: sockets, and what to do with the data.

use foldhash::{HashMap, HashSet};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::{FetchPartition, FetchTopic};
use kafka_wire::types::{TopicId, TopicPartition};

/// Session epoch of a full request that opens a session (`FetchMetadata.INITIAL_EPOCH`).
const INITIAL_EPOCH: i32 = 0;

/// What the broker is to send of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The topic's id, zero where the cluster has none.
    pub topic_id: TopicId,
    /// First offset wanted.
    pub offset: i64,
    /// The leader epoch the asker believes in; −1 asks for no check.
    pub leader_epoch: i32,
    /// Bytes of this partition in one answer, a soft limit.
    pub max_bytes: i32,
}

/// The part of a request that the session decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// 0 opens a session.
    pub session_id: i32,
    /// 0 in a full request, then rising.
    pub session_epoch: i32,
    /// Partitions that are new or changed (all of them in a full request).
    pub topics: Vec<FetchTopic>,
    /// Partitions that the broker is to forget.
    pub forgotten: Vec<(TopicPartition, TopicId)>,
}

/// One session with one broker.
#[derive(Debug, Default)]
pub struct FetchSession {
    id: i32,
    epoch: i32,
    wanted: HashMap<TopicPartition, Wanted>,
    /// Partitions whose newest wish the broker has not been told.
    changed: HashSet<TopicPartition>,
    /// Partitions the broker still believes wanted.
    forgotten: HashMap<TopicPartition, TopicId>,
}

impl FetchSession {
    /// Number of partitions wanted now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Wants a partition, or wants it otherwise than before.
    pub fn set(&mut self, partition: &TopicPartition, wanted: Wanted) {
        let before = self.wanted.insert(partition.clone(), wanted);
        if before == Some(wanted) {
            return;
        }
        // A topic that was re-created has another id: the old one must be forgotten under its name.
        if let Some(before) = before.filter(|before| before.topic_id != wanted.topic_id) {
            self.forgotten.insert(partition.clone(), before.topic_id);
        } else {
            self.forgotten.remove(partition);
        }
        self.changed.insert(partition.clone());
    }

    /// Wants a partition no longer.
    pub fn remove(&mut self, partition: &TopicPartition) {
        if let Some(wanted) = self.wanted.remove(partition) {
            self.changed.remove(partition);
            self.forgotten.insert(partition.clone(), wanted.topic_id);
        }
    }

    /// The next request. What it names counts as told; call [`FetchSession::reset`] if it fails.
    pub fn build(&mut self) -> SessionRequest {
        let full = self.epoch == INITIAL_EPOCH;
        let forgotten = std::mem::take(&mut self.forgotten);
        let named: Vec<TopicPartition> = if full {
            self.changed.clear();
            self.wanted.keys().cloned().collect()
        } else {
            self.changed.drain().collect()
        };
        SessionRequest {
            session_id: if full { 0 } else { self.id },
            session_epoch: self.epoch,
            topics: self.group(named),
            forgotten: if full {
                Vec::new()
            } else {
                forgotten.into_iter().collect()
            },
        }
    }

    /// Takes the answer's verdict on the session: its error and session id.
    ///
    /// # Errors
    /// The code when the broker has lost or refused the session; it has been reset and the request
    /// can be repeated at once. Any other error code of the answer is returned the same way.
    pub fn accept(&mut self, error: ErrorCode, session_id: i32) -> Result<(), ErrorCode> {
        if error != ErrorCode::NONE {
            self.reset();
            return Err(error);
        }
        if session_id == 0 {
            // The broker's session cache is full: it answered, and every request stays a full one.
            self.reset();
            return Ok(());
        }
        self.id = session_id;
        // Epochs wrap to 1: 0 would open a new session.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        Ok(())
    }

    /// Forgets what the broker may know; the next request is a full one.
    pub fn reset(&mut self) {
        self.id = 0;
        self.epoch = INITIAL_EPOCH;
        self.forgotten.clear();
        self.changed.clear();
    }

    fn group(&self, mut named: Vec<TopicPartition>) -> Vec<FetchTopic> {
        named.sort_unstable();
        let mut topics: Vec<FetchTopic> = Vec::new();
        for partition in named {
            let Some(wanted) = self.wanted.get(&partition) else {
                continue;
            };
            if topics
                .last()
                .is_none_or(|topic| topic.name != partition.topic)
            {
                topics.push(FetchTopic {
                    name: partition.topic.clone(),
                    id: wanted.topic_id,
                    partitions: Vec::new(),
                });
            }
            let topic = topics.last_mut().expect("pushed above when empty");
            topic.partitions.push(FetchPartition {
                partition: partition.partition,
                current_leader_epoch: wanted.leader_epoch,
                fetch_offset: wanted.offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                max_bytes: wanted.max_bytes,
            });
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t".into(), number)
    }

    fn wanted(offset: i64) -> Wanted {
        Wanted {
            topic_id: TopicId([1; 16]),
            offset,
            leader_epoch: -1,
            max_bytes: 1000,
        }
    }

    fn named(request: &SessionRequest) -> Vec<(i32, i64)> {
        request
            .topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(|p| (p.partition, p.fetch_offset)))
            .collect()
    }

    #[test]
    fn the_first_request_is_full_and_later_ones_name_only_changes() {
        let mut session = FetchSession::default();
        session.set(&partition(0), wanted(5));
        session.set(&partition(1), wanted(6));
        let first = session.build();
        assert_eq!((first.session_id, first.session_epoch), (0, 0));
        assert_eq!(named(&first), [(0, 5), (1, 6)]);
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        session.set(&partition(0), wanted(5));
        session.set(&partition(1), wanted(9));
        let second = session.build();
        assert_eq!((second.session_id, second.session_epoch), (77, 1));
        assert_eq!(named(&second), [(1, 9)]);
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        assert_eq!(named(&session.build()), []);
    }

    #[test]
    fn a_removed_partition_is_forgotten_once_and_may_come_back() {
        let mut session = FetchSession::default();
        session.set(&partition(0), wanted(5));
        session.build();
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        session.remove(&partition(0));
        assert_eq!(
            session.build().forgotten,
            [(partition(0), TopicId([1; 16]))]
        );
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        assert_eq!(session.build().forgotten, []);
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        session.remove(&partition(0));
        session.set(&partition(0), wanted(5));
        let back = session.build();
        assert_eq!((named(&back), back.forgotten), (vec![(0, 5)], vec![]));
    }

    #[test]
    fn a_lost_session_is_opened_anew_with_everything() {
        let mut session = FetchSession::default();
        session.set(&partition(0), wanted(5));
        session.build();
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        session.set(&partition(1), wanted(6));
        session.build();
        assert_eq!(
            session.accept(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0),
            Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)
        );
        let again = session.build();
        assert_eq!((again.session_id, again.session_epoch), (0, 0));
        assert_eq!(named(&again), [(0, 5), (1, 6)]);
    }

    #[test]
    fn a_broker_without_room_for_sessions_gets_full_requests() {
        let mut session = FetchSession::default();
        session.set(&partition(0), wanted(5));
        session.build();
        session
            .accept(ErrorCode::NONE, 0)
            .expect("answered all the same");
        assert_eq!(named(&session.build()), [(0, 5)]);
    }

    #[test]
    fn a_recreated_topic_is_forgotten_under_its_old_id() {
        let mut session = FetchSession::default();
        session.set(&partition(0), wanted(5));
        session.build();
        session.accept(ErrorCode::NONE, 77).expect("accepted");
        session.set(
            &partition(0),
            Wanted {
                topic_id: TopicId([2; 16]),
                ..wanted(0)
            },
        );
        let request = session.build();
        assert_eq!(request.forgotten, [(partition(0), TopicId([1; 16]))]);
        assert_eq!(request.topics[0].id, TopicId([2; 16]));
    }
}
