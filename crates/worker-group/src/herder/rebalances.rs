//! How often this worker waited for an assignment, why, and for how long (pure).

use std::collections::BTreeMap;

use metrics::Histogram;
use tokio::time::Instant;

/// Why a worker asks for an assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// It has just started.
    Start,
    /// Connectors came or went; only a leader notices.
    Connectors,
    /// A connector has another number of tasks.
    Tasks,
    /// What waited for a worker that was lost is dealt.
    LostWork,
    /// Another worker came, went or asked for it.
    Group,
    /// The membership was lost.
    Membership,
    /// What could not be read for a while can be read again.
    ReadableAgain,
    /// The leader had not read everything.
    LeaderBehind,
    /// Configurations have changed since the assignment.
    Configurations,
    /// Work was given back, which others take over.
    GivenBack,
}

impl Cause {
    const ALL: [Self; 10] = [
        Self::Start,
        Self::Connectors,
        Self::Tasks,
        Self::LostWork,
        Self::Group,
        Self::Membership,
        Self::ReadableAgain,
        Self::LeaderBehind,
        Self::Configurations,
        Self::GivenBack,
    ];

    /// For people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Start => "the worker starts",
            Self::Connectors => "connectors came or went",
            Self::Tasks => "the number of tasks changed",
            Self::LostWork => "what was lost is dealt",
            Self::Group => "the group rebalances",
            Self::Membership => "the membership was lost",
            Self::ReadableAgain => "what the group has read can be read again",
            Self::LeaderBehind => "the leader was behind the config topic",
            Self::Configurations => "configurations have changed",
            Self::GivenBack => "work was given back",
        }
    }

    /// For programs.
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Connectors => "connectors",
            Self::Tasks => "tasks",
            Self::LostWork => "lost-work",
            Self::Group => "group",
            Self::Membership => "membership-lost",
            Self::ReadableAgain => "readable-again",
            Self::LeaderBehind => "leader-behind",
            Self::Configurations => "configurations",
            Self::GivenBack => "given-back",
        }
    }
}

/// Rebalances of one worker since it was started.
#[derive(Clone, PartialEq, Debug)]
pub struct Rebalances {
    /// By why they began; all causes are there from the start.
    pub counts: BTreeMap<&'static str, u64>,
    /// How long it took from the wish to the assignment, in seconds.
    pub took: Histogram,
    /// That which is going on.
    begun: Option<(Cause, Instant)>,
}

impl Default for Rebalances {
    fn default() -> Self {
        Self {
            counts: Cause::ALL.map(|cause| (cause.name(), 0)).into(),
            took: Histogram::default(),
            begun: None,
        }
    }
}

impl Rebalances {
    /// An assignment is wanted; what was wanted before goes on.
    pub(super) fn begin(&mut self, cause: Cause, now: Instant) {
        self.begun.get_or_insert((cause, now));
    }

    /// It is there.
    pub(super) fn end(&mut self, now: Instant) {
        if let Some((cause, begun)) = self.begun.take() {
            *self.counts.entry(cause.name()).or_default() += 1;
            let took = now.saturating_duration_since(begun);
            self.took.observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rebalance_counts_once_by_what_it_began_with() {
        let mut rebalances = Rebalances::default();
        let begin = Instant::now();
        rebalances.end(begin);
        rebalances.begin(Cause::Tasks, begin);
        rebalances.begin(Cause::Group, begin + Duration::from_secs(1));
        rebalances.end(begin + Duration::from_secs(2));
        rebalances.end(begin + Duration::from_secs(3));
        assert_eq!(
            (rebalances.counts["tasks"], rebalances.counts["group"]),
            (1, 0)
        );
        let mut expected = Histogram::default();
        expected.observe(2.0);
        assert_eq!(rebalances.took, expected);
    }
}
