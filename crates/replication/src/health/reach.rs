//! Which brokers answer, of those that lead something of a link (pure).
//!
//! A link with nothing to copy would not notice that a cluster is gone: nothing waits, so nothing stands still. Here every
//! broker that would be needed counts, whether there is something to copy or not.

use std::collections::HashMap;
use std::time::Duration;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::evidence::Silence;
use super::{Reachability, Verdict};

/// The brokers of one side.
#[derive(Debug, Default)]
pub(super) struct Reach {
    nodes: HashMap<NodeId, Seen>,
    /// Since when leaders cannot be looked up, and why.
    nobody: Option<(Instant, String)>,
}

#[derive(Debug)]
struct Seen {
    /// When the newest request was sent that it answered; when it was first needed, before it answered any.
    answered: Instant,
    /// Why the newest one was not answered.
    trouble: Option<String>,
}

impl Reach {
    /// These lead something of the link now.
    pub(super) fn needs(&mut self, nodes: impl Iterator<Item = NodeId>, now: Instant) {
        let mut before = std::mem::take(&mut self.nodes);
        for node in nodes {
            self.nodes.entry(node).or_insert_with(|| {
                before.remove(&node).unwrap_or(Seen {
                    answered: now,
                    trouble: None,
                })
            });
        }
    }

    /// A broker has answered, or not, what was asked then.
    pub(super) fn heard(&mut self, node: NodeId, asked: Instant, answer: Result<(), String>) {
        let Some(seen) = self.nodes.get_mut(&node) else {
            return;
        };
        match answer {
            Ok(()) => {
                seen.answered = seen.answered.max(asked);
                seen.trouble = None;
            }
            Err(trouble) => seen.trouble = Some(trouble),
        }
    }

    /// Leaders were looked up, or could not be.
    pub(super) fn looked(&mut self, found: Result<(), String>, now: Instant) {
        match found {
            Ok(()) => self.nobody = None,
            Err(trouble) => {
                let since = self.nobody.take().map_or(now, |(since, _)| since);
                self.nobody = Some((since, trouble));
            }
        }
    }

    /// Whether there is a broker that has not answered what it was asked.
    pub(super) fn has_silent(&self) -> bool {
        self.nodes.values().any(|seen| seen.trouble.is_some())
    }

    /// Since when a broker has not answered what it was asked, and why.
    pub(super) fn silence(&self, node: NodeId) -> Option<Silence<'_>> {
        let seen = self.nodes.get(&node)?;
        Some(Silence {
            since: seen.answered,
            error: seen.trouble.as_deref()?,
        })
    }

    /// What that means for the side, where silence for `limit` is one.
    pub(super) fn judge(&self, now: Instant, limit: Duration) -> Reachability {
        let needed = self.nodes.len();
        let silent = |since: Instant| now.saturating_duration_since(since);
        let mut quiet: Vec<(&NodeId, &Seen)> = self
            .nodes
            .iter()
            .filter(|(_, seen)| silent(seen.answered) > limit)
            .collect();
        quiet.sort_by_key(|(node, seen)| (seen.answered, node.0));
        let (verdict, evidence) = match (quiet.first(), &self.nobody) {
            // Who leads what can be known, and answer, while a look at leaders is still awaited.
            (None, Some((since, trouble))) if needed == 0 && silent(*since) > limit => (
                Verdict::Fail,
                format!(
                    "nobody has named the leaders for {} s: {trouble}",
                    silent(*since).as_secs()
                ),
            ),
            (None, _) if needed == 0 => (Verdict::Unknown, "nobody was asked yet".to_owned()),
            (None, _) => (
                Verdict::Pass,
                format!("all {needed} brokers that lead something answer"),
            ),
            (Some((node, seen)), _) => {
                let verdict = match quiet.len() == needed {
                    true => Verdict::Fail,
                    false => Verdict::Warn,
                };
                let trouble = seen.trouble.as_deref();
                let text = format!(
                    "{} of {needed} brokers that lead something do not answer; broker {node} for {} s: {}",
                    quiet.len(),
                    silent(seen.answered).as_secs(),
                    trouble.unwrap_or("its answer is awaited")
                );
                (verdict, text)
            }
        };
        Reachability {
            verdict,
            answering: needed - quiet.len(),
            needed,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_broker_that_is_needed_and_silent_is_named_and_one_that_is_not_needed_any_more_is_not() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut reach = Reach::default();
        assert_eq!(reach.judge(at(0), LIMIT).verdict, Verdict::Unknown);
        reach.needs([NodeId(1), NodeId(2)].into_iter(), at(0));
        reach.heard(NodeId(1), at(5), Ok(()));
        reach.heard(NodeId(2), at(5), Ok(()));
        assert_eq!(reach.judge(at(20), LIMIT).verdict, Verdict::Pass);

        reach.heard(NodeId(1), at(20), Ok(()));
        reach.heard(NodeId(2), at(20), Err("hung".to_owned()));
        let silence = reach.silence(NodeId(2)).expect("it did not answer");
        assert!(reach.has_silent());
        assert_eq!((silence.since, silence.error), (at(5), "hung"));
        assert_eq!(reach.judge(at(25), LIMIT).verdict, Verdict::Pass);
        let found = reach.judge(at(26), LIMIT);
        assert_eq!(
            (found.verdict, found.answering, found.needed),
            (Verdict::Warn, 1, 2)
        );
        assert_eq!(
            found.evidence,
            "1 of 2 brokers that lead something do not answer; broker 2 for 21 s: hung"
        );
        assert_eq!(reach.judge(at(41), LIMIT).verdict, Verdict::Fail);

        // Another one leads instead.
        reach.needs([NodeId(1)].into_iter(), at(41));
        reach.heard(NodeId(1), at(41), Ok(()));
        assert_eq!(reach.judge(at(42), LIMIT).verdict, Verdict::Pass);
    }

    #[test]
    fn a_cluster_that_never_named_its_leaders_is_not_reachable() {
        let begin = Instant::now();
        let mut reach = Reach::default();
        reach.looked(Err("refused".to_owned()), begin);
        reach.looked(
            Err("cannot resolve".to_owned()),
            begin + Duration::from_secs(15),
        );
        let later = begin + Duration::from_secs(21);
        let found = reach.judge(later, LIMIT);
        assert_eq!(found.verdict, Verdict::Fail);
        assert_eq!(
            found.evidence,
            "nobody has named the leaders for 21 s: cannot resolve"
        );
        reach.looked(Ok(()), later);
        assert_eq!(reach.judge(later, LIMIT).verdict, Verdict::Unknown);
    }
}
