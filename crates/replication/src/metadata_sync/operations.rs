//! What has been done to the destination, counted by kind and by what came of it (pure).

use super::apply::{Applied, Outcome};
use super::plan::Step;

/// What a change is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changed {
    /// A topic was to be created.
    Topic,
    /// A topic was to get more partitions.
    Partitions,
    /// Settings of a topic were to be changed.
    Config,
}

impl Changed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Topic, Self::Partitions, Self::Config];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Partitions => "partitions",
            Self::Config => "config",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// It was done, or had been done by somebody else.
    Done,
    /// Nobody knows, or a quota was used up: it is tried again.
    Again,
    /// The destination refused it, wholly or in part, or has no such request.
    Refused,
}

impl Came {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Again, Self::Refused];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Refused => "refused",
        }
    }
}

/// How often what came of changes of one kind, since the link was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcomes([u64; Came::ALL.len()]);

impl Outcomes {
    /// How often this came of it.
    #[must_use]
    pub fn of(&self, came: Came) -> u64 {
        self.0[came as usize]
    }

    pub(super) fn count(&mut self, came: Came, times: usize) {
        let counted = &mut self.0[came as usize];
        *counted = counted.saturating_add(u64::try_from(times).unwrap_or(u64::MAX));
    }
}

/// How often what was done to topics, since the link was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Operations([Outcomes; Changed::ALL.len()]);

impl Operations {
    /// How often this came of such a change.
    #[must_use]
    pub fn of(&self, changed: Changed, came: Came) -> u64 {
        self.0[changed as usize].of(came)
    }

    /// All of them, with their kinds.
    pub fn all(&self) -> impl Iterator<Item = (Changed, Came, u64)> {
        let kinds = Changed::ALL.into_iter();
        kinds.flat_map(|changed| Came::ALL.map(|came| (changed, came, self.of(changed, came))))
    }

    pub(super) fn count(&mut self, applied: &Applied) {
        let changed = match applied.step {
            Step::Create { .. } => Changed::Topic,
            Step::Grow { .. } => Changed::Partitions,
            Step::Configure { .. } => Changed::Config,
        };
        let came = match &applied.outcome {
            Outcome::Done | Outcome::Existed if applied.refused.is_empty() => Came::Done,
            Outcome::Done | Outcome::Existed => Came::Refused,
            Outcome::Again(_) | Outcome::Throttled(_) => Came::Again,
            Outcome::Unsupported(_) | Outcome::Refused(..) => Came::Refused,
        };
        self.0[changed as usize].count(came, 1);
    }
}
