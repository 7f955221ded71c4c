//! Source records that can no longer be read, and that nobody has copied or that were taken back.

use super::Partition;

/// Why source records can no longer be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Retention or DeleteRecords was faster than the copying; brokers do not tell which.
    Deleted,
    /// They were copied, and the source has taken them back since.
    Truncated,
}

impl Loss {
    /// All, in the order in which they are counted.
    pub const ALL: [Self; 2] = [Self::Deleted, Self::Truncated];

    /// As it is called in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Truncated => "truncated",
        }
    }
}

/// A range of source offsets that can no longer be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Why.
    pub why: Loss,
    /// The first of them.
    pub from: i64,
    /// The first one behind them.
    pub to: i64,
}

impl Lost {
    fn count(self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }
}

impl Partition {
    /// Counts what was found lost. The same gap is found again whenever the partition begins anew, and may have grown since.
    pub(crate) fn count_lost(&mut self, lost: Option<Lost>) {
        let Some(lost) = lost else { return };
        if lost.why == Loss::Truncated {
            self.forget_offsets();
        }
        let same = |known: &Lost| known.why == lost.why && known.from == lost.from;
        let known = self.lost.filter(same).map_or(0, Lost::count);
        self.totals.lost[lost.why as usize] += lost.count().saturating_sub(known);
        if lost.count() > known {
            self.lost = Some(lost);
        }
    }
}
