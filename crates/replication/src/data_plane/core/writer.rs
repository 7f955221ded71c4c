//! What is known of one destination broker: what waits for it, what is on its way, and how much may be.

use std::collections::VecDeque;
use std::time::Duration;

use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::super::pace::Pace;
use super::Index;

/// Produce calls open on one connection. A broker serves them one by one; more would only wait there.
pub(crate) const OPEN_CALLS: usize = 5;

/// How long a broker may leave a request unanswered before it is looked up whether it still leads.
const SUSPECT: Duration = Duration::from_secs(3);
/// How often that is looked up then.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Time of a broker's pace that may be on its way, and bytes that always may. Answers of a broker whose replicas lag take seconds
/// whatever is on its way: much less would make it slower still.
const MOMENT: Duration = Duration::from_secs(3);
const LEAST: usize = 1024 * 1024;
/// Without anything on its way for so long its pace does not show. Shorter pauses are between all requests of a fast broker.
const SILENCE: Duration = Duration::from_millis(200);

/// What is known of one destination broker.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Partitions with something to send, in turn.
    pub(super) ready: VecDeque<Index>,
    /// Bytes on their way.
    open_bytes: usize,
    /// How fast its answers come, and when one came last.
    pace: Pace,
    answered_at: Option<Instant>,
    /// When each request without an answer was sent, oldest first.
    sent: VecDeque<(u64, Instant)>,
    /// When leaders were looked up last because of a request without an answer.
    looked: Option<Instant>,
    /// A quota: the broker does not read from the connection before this.
    pub(super) throttled_until: Option<Instant>,
}

impl Writer {
    /// Whether there is something to send, and it would not only wait behind what is on its way.
    pub(super) fn may_send(&self) -> bool {
        let room = self.sent.is_empty() || self.open_bytes < self.most();
        room && self.sent.len() < OPEN_CALLS
            && !self.ready.is_empty()
            && self.throttled_until.is_none()
    }

    /// Most bytes of one request, and those that are on their way together may be once that much more.
    ///
    /// A request that waits longer than it is given ends its connection, and everything on it is sent again: over a line that
    /// carries little, for ever. And what is new waits behind it.
    pub(super) fn most(&self) -> usize {
        self.pace.bytes_within(MOMENT).max(LEAST)
    }

    /// A request with so many bytes is on its way.
    pub(super) fn has_sent(&mut self, tag: u64, bytes: usize, now: Instant) {
        let ago = |at| now.saturating_duration_since(at);
        if self.sent.is_empty() && self.answered_at.is_none_or(|at| ago(at) >= SILENCE) {
            self.pace.go_on(now);
        }
        self.sent.push_back((tag, now));
        self.open_bytes += bytes;
    }

    /// It is not any more.
    pub(super) fn has_ended(&mut self, tag: u64, bytes: usize) {
        self.open_bytes = self.open_bytes.saturating_sub(bytes);
        self.sent.retain(|(sent, _)| *sent != tag);
        if self.sent.is_empty() {
            self.looked = None;
        }
    }

    /// So many bytes were answered.
    pub(super) fn is_answered(&mut self, bytes: usize, now: Instant) {
        self.answered_at = Some(now);
        self.pace.add(bytes, now);
    }

    /// When the quota's pause ends, or a request has waited too long for its answer.
    pub(super) fn due(&self) -> Option<Instant> {
        let suspect = self.sent.front().map(|(_, sent)| {
            let looked = self.looked.map(|looked| looked + LOOK_AGAIN);
            looked.map_or(*sent + SUSPECT, |looked| looked.max(*sent + SUSPECT))
        });
        self.throttled_until.into_iter().chain(suspect).min()
    }

    /// Whether a request has waited so long that its broker may have stopped leading.
    pub(super) fn is_suspect(&self, now: Instant) -> bool {
        self.silent_for(now).is_some_and(|silent| silent >= SUSPECT)
    }

    /// Whether leaders have been looked up since it last owed no answer.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.looked.is_some()
    }

    /// For how long the oldest request has waited for its answer.
    pub(super) fn silent_for(&self, now: Instant) -> Option<Duration> {
        let (_, sent) = self.sent.front()?;
        Some(now.saturating_duration_since(*sent))
    }

    /// When a request was sent.
    pub(super) fn sent_at(&self, tag: u64) -> Option<Instant> {
        let sent = self.sent.iter().find(|(sent, _)| *sent == tag);
        sent.map(|(_, at)| *at)
    }

    /// Ends the pause if it is over. Whether leaders have to be looked up, because there is no answer.
    pub(super) fn on_time(&mut self, now: Instant) -> bool {
        self.throttled_until = self.throttled_until.filter(|until| *until > now);
        let again = self
            .looked
            .is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_AGAIN);
        let looks = again && self.is_suspect(now);
        if looks {
            self.looked = Some(now);
        }
        looks
    }
}

/// A Produce request without an answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) node: NodeId,
    /// With the newest time of the batch's records.
    pub(super) partitions: Vec<(TopicPartition, Index, i64)>,
    pub(super) bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_what_was_answered_within_three_seconds() {
        let mut now = Instant::now();
        let mut writer = Writer::default();
        writer.ready.push_back(0);
        for tag in 0..2 {
            assert!(writer.may_send(), "{tag}");
            writer.has_sent(tag, 600_000, now);
        }
        assert!(!writer.may_send(), "nothing is known of it yet");
        // 1 MB/s from now on, after a while of silence.
        now += Duration::from_secs(60);
        for tag in 0..2 {
            writer.has_ended(tag, 600_000);
        }
        for tag in 2..20 {
            writer.has_sent(tag, 100_000, now);
            now += Duration::from_millis(100);
            writer.has_ended(tag, 100_000);
            writer.is_answered(100_000, now);
            now += SILENCE;
        }
        assert_eq!(writer.most(), LEAST, "between silences nothing shows");
        // A fast broker has answered everything now and then.
        for tag in 2..20 {
            writer.has_sent(tag, 1_000_000, now);
            now += Duration::from_millis(10);
            writer.has_ended(tag, 1_000_000);
            writer.is_answered(1_000_000, now);
            now += Duration::from_millis(10);
        }
        assert!(
            (100_000_000..200_000_000).contains(&writer.most()),
            "{}",
            writer.most()
        );
        writer.has_sent(20, 100_000, now);
        for tag in 21..60 {
            writer.has_sent(tag, 100_000, now);
            now += Duration::from_millis(100);
            writer.has_ended(tag - 1, 100_000);
            writer.is_answered(100_000, now);
        }
        assert!(
            (2_900_000..3_100_000).contains(&writer.most()),
            "{}",
            writer.most()
        );
        writer.has_sent(60, 3_100_000, now);
        assert!(!writer.may_send());
        // One is always allowed, however large.
        writer.has_ended(60, 3_100_000);
        writer.has_ended(59, 100_000);
        writer.has_sent(61, 50_000_000, now);
        assert!(!writer.may_send());
        writer.has_ended(61, 50_000_000);
        assert!(writer.may_send());
    }
}
