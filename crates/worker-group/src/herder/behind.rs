//! A worker that cannot read what its group has read: how often it tries, and when it leaves, so that others get what it
//! cannot start. Pure.
//!
//! Connect's worker leaves at once, and what it runs goes on for up to five attempts. Here nothing runs without
//! membership, so leaving stops everything: the attempts come first. With the protocol that has everything given back
//! anyway there is nothing to lose, and it leaves at once.

use std::time::Duration;

use config::group::GroupConfig;
use kafka_wire::message::connect_protocol::ConnectProtocol;

/// Attempts before it leaves.
const ATTEMPTS: u32 = 5;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Behind {
    left: u32,
    out: bool,
}

impl Default for Behind {
    fn default() -> Self {
        Self {
            left: ATTEMPTS,
            out: false,
        }
    }
}

/// What follows from an attempt that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// It gives everything up and leaves the group.
    pub(super) leaves: bool,
    /// The next attempt is made after this.
    pub(super) pause: Duration,
}

impl Behind {
    /// Whether it has left for this reason.
    pub(super) fn is_out(&self) -> bool {
        self.out
    }

    /// Whether it had left before.
    pub(super) fn caught_up(&mut self) -> bool {
        std::mem::take(self).out
    }

    pub(super) fn failed(
        &mut self,
        protocol: Option<ConnectProtocol>,
        group: &GroupConfig,
    ) -> Step {
        if protocol == Some(ConnectProtocol::Eager) {
            let leaves = !std::mem::replace(&mut self.out, true);
            return Step {
                leaves,
                pause: group.unsync_backoff,
            };
        }
        if self.left > 0 {
            let pause = group.max_delay / 10 / self.left;
            self.left -= 1;
            return Step {
                leaves: false,
                pause,
            };
        }
        self.left = ATTEMPTS;
        Step {
            leaves: !std::mem::replace(&mut self.out, true),
            pause: group.max_delay / 10 / ATTEMPTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use config::group::{GroupProtocol, StorageTopic};

    use super::*;

    fn group() -> GroupConfig {
        let topic = StorageTopic {
            name: "t".into(),
            partitions: 1,
            replication_factor: 1,
            settings: Vec::new(),
        };
        GroupConfig {
            id: "g".into(),
            protocol: GroupProtocol::Sessioned,
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(60),
            sync_timeout: Duration::from_secs(3),
            unsync_backoff: Duration::from_secs(300),
            max_delay: Duration::from_secs(300),
            config_topic: topic.clone(),
            status_topic: topic,
            signing: crate::signing::tests::config(),
        }
    }

    #[test]
    fn it_tries_five_times_with_growing_pauses_then_leaves_and_stays_out_until_it_has_read() {
        let (mut behind, group) = (Behind::default(), group());
        let cooperative = Some(ConnectProtocol::Sessioned);
        let pauses: Vec<u64> = (0..5)
            .map(|_| {
                let step = behind.failed(cooperative, &group);
                assert!(!step.leaves && !behind.is_out());
                step.pause.as_millis() as u64
            })
            .collect();
        assert_eq!(pauses, [6_000, 7_500, 10_000, 15_000, 30_000]);
        assert!(behind.failed(cooperative, &group).leaves);
        // It leaves once, however often it tries then.
        for _ in 0..7 {
            assert!(!behind.failed(cooperative, &group).leaves);
            assert!(behind.is_out());
        }
        assert!(behind.caught_up(), "it had left");
        assert!(!behind.caught_up(), "and is back");
        assert!(
            !behind.failed(cooperative, &group).leaves,
            "all attempts anew"
        );
    }

    #[test]
    fn where_everything_is_given_back_anyway_it_leaves_at_once() {
        let (mut behind, group) = (Behind::default(), group());
        let expected = Step {
            leaves: true,
            pause: Duration::from_secs(300),
        };
        assert_eq!(
            behind.failed(Some(ConnectProtocol::Eager), &group),
            expected
        );
        let again = behind.failed(Some(ConnectProtocol::Eager), &group);
        assert!(!again.leaves && behind.is_out());
    }
}
