//! Faults aimed at single frames: which frames, and what is done to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Direction;
use super::bit;

/// What is done to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameAction {
    /// It goes on unchanged; only counted, and the rule's hook runs.
    Pass,
    /// It is swallowed; the connection stays.
    Drop,
    /// It and all behind it in its direction come that much later.
    Delay(Duration),
    /// It is sent twice.
    Repeat,
    /// Only that many bytes of it are sent (its length counts as the first four), then the connection is closed.
    Truncate(usize),
    /// The connection is closed instead of sending it. For an answer: the broker has done it, the client never knows.
    Cut,
    /// As `Cut`, but both sides see a reset.
    Reset,
    /// It is sent, then the connection is closed at once. For a request: the broker may or may not do it.
    CutAfter,
    /// One bit of the first whole record batch in it is flipped, inside the records, behind the header; the stored
    /// checksum stays. Frames without such a batch do not count as matching.
    FlipBit,
}

type Hook = Arc<dyn Fn() + Send + Sync>;
type Edit = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;

/// Which frames, and what is done to them.
#[derive(Clone)]
pub struct FrameRule {
    direction: Direction,
    api_key: Option<i16>,
    larger_than: usize,
    containing: Vec<u8>,
    first: u32,
    times: u32,
    action: FrameAction,
    hook: Option<Hook>,
    edit: Option<Edit>,
}

impl FrameRule {
    /// For the next matching frame of an API in one direction; `None` means every API.
    pub fn new(direction: Direction, api_key: impl Into<Option<i16>>, action: FrameAction) -> Self {
        Self {
            direction,
            api_key: api_key.into(),
            larger_than: 0,
            containing: Vec::new(),
            first: 1,
            times: 1,
            action,
            hook: None,
            edit: None,
        }
    }

    /// Only frames with more bytes than this (their length field not counted) match.
    #[must_use]
    pub fn larger_than(mut self, bytes: usize) -> Self {
        self.larger_than = bytes;
        self
    }

    /// Only frames that hold these bytes somewhere match: a topic's name, for example.
    #[must_use]
    pub fn containing(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.containing = bytes.into();
        self
    }

    /// Begin with the n-th matching frame; 1 is the next.
    #[must_use]
    pub fn nth(mut self, first: u32) -> Self {
        self.first = first.max(1);
        self
    }

    /// For that many matching frames in a row; `u32::MAX` for all. A frame that an earlier rule has taken does not count.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Changes what follows the frame's length field, before the action; the length follows. For answers that no broker
    /// gives on demand, while what was asked for is done.
    #[must_use]
    pub fn edit(mut self, edit: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.edit = Some(Arc::new(edit));
        self
    }

    /// Runs each time, before the action, on the proxy's task: short and without blocking. To kill a process at exactly
    /// this point, for example.
    #[must_use]
    pub fn hook(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for FrameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameRule")
            .field("direction", &self.direction)
            .field("api_key", &self.api_key)
            .field("larger_than", &self.larger_than)
            .field("containing", &self.containing)
            .field("first", &self.first)
            .field("times", &self.times)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// Tells how often a rule has been carried out.
#[derive(Debug, Clone)]
pub struct RuleHandle {
    hits: watch::Receiver<u32>,
}

impl RuleHandle {
    /// How often until now.
    #[must_use]
    pub fn hits(&self) -> u32 {
        *self.hits.borrow()
    }

    /// Waits until it has been carried out `count` times; false when that did not happen within `limit`.
    pub async fn wait(&mut self, count: u32, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.hits.wait_for(|hits| *hits >= count))
            .await
            .is_ok_and(|hits| hits.is_ok())
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    rules: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    rule: FrameRule,
    /// Matching frames seen.
    seen: u32,
    hits: watch::Sender<u32>,
}

/// What the first rule that applies to a frame wants done.
pub(super) struct Verdict {
    pub(super) action: FrameAction,
    hook: Option<Hook>,
    edit: Option<Edit>,
}

impl Verdict {
    /// Lets the test change a whole frame, its length field included.
    pub(super) fn edit(&self, frame: &mut Vec<u8>) {
        if let Some(edit) = &self.edit {
            let mut content = frame.split_off(4);
            edit(&mut content);
            let length = u32::try_from(content.len()).expect("a frame is far below 4 GiB");
            frame.copy_from_slice(&length.to_be_bytes());
            frame.append(&mut content);
        }
    }

    /// Runs the test's hook, with no lock held.
    pub(super) fn announce(&self) {
        if let Some(hook) = &self.hook {
            hook();
        }
    }
}

fn holds(frame: &[u8], bytes: &[u8]) -> bool {
    bytes.is_empty() || frame.windows(bytes.len()).any(|place| place == bytes)
}

impl RuleBook {
    pub(super) fn add(&mut self, rule: FrameRule) -> RuleHandle {
        let hits = watch::Sender::new(0);
        let handle = RuleHandle {
            hits: hits.subscribe(),
        };
        self.rules.push(Counted {
            rule,
            seen: 0,
            hits,
        });
        handle
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Counts a frame for all rules it matches but those whose turn another one took. `frame` is what follows the length field.
    pub(super) fn look(
        &mut self,
        direction: Direction,
        api_key: Option<i16>,
        frame: &[u8],
    ) -> Option<Verdict> {
        let mut verdict = None;
        for counted in &mut self.rules {
            let rule = &counted.rule;
            let matches = rule.direction == direction
                && (rule.api_key.is_none() || rule.api_key == api_key)
                && frame.len() > rule.larger_than
                && holds(frame, &rule.containing)
                && (rule.action != FrameAction::FlipBit || bit::payload(frame).is_some());
            if !matches {
                continue;
            }
            let seen = counted.seen.saturating_add(1);
            let applies = seen >= rule.first && seen - rule.first < rule.times;
            if applies && verdict.is_some() {
                continue;
            }
            counted.seen = seen;
            if applies {
                verdict = Some(Verdict {
                    action: rule.action,
                    hook: rule.hook.clone(),
                    edit: rule.edit.clone(),
                });
                counted.hits.send_modify(|hits| *hits += 1);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(times: u32) -> FrameRule {
        FrameRule::new(Direction::Answers, 3, FrameAction::Pass).times(times)
    }

    #[test]
    fn a_frame_that_an_earlier_rule_took_is_none_of_a_later_rules_turns() {
        let mut book = RuleBook::default();
        let first = book.add(answers(2));
        let second = book.add(answers(2).nth(2));
        for _ in 0..5 {
            book.look(Direction::Answers, Some(3), b"frame");
        }
        assert_eq!((*first.hits.borrow(), *second.hits.borrow()), (2, 2));
    }

    #[test]
    fn frames_without_the_bytes_do_not_match() {
        let mut book = RuleBook::default();
        let rule = book.add(answers(9).containing("mine"));
        for frame in ["of mine too", "another's", "min", "", "mine"] {
            book.look(Direction::Answers, Some(3), frame.as_bytes());
        }
        assert_eq!(*rule.hits.borrow(), 2);
    }
}
