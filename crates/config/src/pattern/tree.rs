//! A parsed pattern. All flags and classes are resolved; what stands here means the same to every engine.

use super::set::Set;

/// A part of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// Matches nothing, everywhere: the empty pattern.
    Empty,
    /// One character out of a set.
    One(Set),
    /// A position.
    At(Place),
    Sequence(Vec<Node>),
    /// The first alternative that leads to a match; any of them, where only whole names count.
    Choice(Vec<Node>),
    /// A capturing group; numbered from 1 in order of their opening.
    Capture(u32, Box<Node>),
    /// What a capturing group has matched.
    Backreference(u32),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        kind: Greed,
    },
    /// `(?>…)`: the first way in which it matches is the only one tried.
    Atomic(Box<Node>),
    Look {
        behind: bool,
        negative: bool,
        node: Box<Node>,
    },
}

/// A position in the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Start,
    End,
    WordBoundary,
    NoWordBoundary,
}

/// In which order counts are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Greed {
    Greedy,
    Reluctant,
    /// As many as possible, and never fewer.
    Possessive,
}

impl Node {
    /// Whether backtracking is needed to decide it.
    pub(super) fn needs_backtracking(&self) -> bool {
        match self {
            Self::Empty | Self::One(_) | Self::At(_) => false,
            Self::Sequence(nodes) | Self::Choice(nodes) => {
                nodes.iter().any(Self::needs_backtracking)
            }
            Self::Capture(_, node) => node.needs_backtracking(),
            Self::Repeat { node, kind, .. } => {
                *kind == Greed::Possessive || node.needs_backtracking()
            }
            Self::Backreference(_) | Self::Atomic(_) | Self::Look { .. } => true,
        }
    }

    /// Whether the length of what it matches has an upper bound, as far as Java determines it.
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Self::Empty | Self::One(_) | Self::At(_) | Self::Look { .. } => true,
            Self::Sequence(nodes) | Self::Choice(nodes) => nodes.iter().all(Self::is_bounded),
            Self::Capture(_, node) | Self::Atomic(node) => node.is_bounded(),
            Self::Repeat { node, max, .. } => max.is_some() && node.is_bounded(),
            Self::Backreference(_) => false,
        }
    }
}
