//! Whether there is anything new to be shown, and whether anything moves (pure): what rests costs little.

use super::super::fetcher::FetchEvent;
use super::{ENDS_AT_REST, Event};

/// See the module.
#[derive(Debug)]
pub(super) struct Happened {
    /// Since the last snapshot.
    shows: bool,
    /// Since ends were read.
    moves: bool,
    /// How often ends were not read since.
    left_out: u32,
}

impl Default for Happened {
    /// Nothing was shown or read yet.
    fn default() -> Self {
        Self {
            shows: true,
            moves: true,
            left_out: 0,
        }
    }
}

impl Happened {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            // That there is nothing to read changes nothing.
            Event::Fetch(_, FetchEvent::Fetched { partitions, .. }) if partitions.is_empty() => {}
            Event::Ends(..)
            | Event::Measured(..)
            | Event::Stands(..)
            | Event::Watched(_)
            | Event::Takings(_)
            | Event::Memory(_)
            | Event::Owner(_) => self.shows(),
            Event::Fetch(..)
            | Event::Produce(..)
            | Event::Located(_)
            | Event::Established(_)
            | Event::Store(_)
            | Event::Step(_)
            | Event::SetAside(..)
            | Event::Filled(..)
            | Event::Trimmed(_)
            | Event::Looked(_) => self.moves(),
        }
    }

    /// Something may be other than it was shown.
    pub(super) fn shows(&mut self) {
        self.shows = true;
    }

    /// Something is done.
    pub(super) fn moves(&mut self) {
        self.shows = true;
        self.moves = true;
    }

    /// Whether a snapshot is to be made now.
    pub(super) fn is_to_be_shown(&mut self) -> bool {
        std::mem::take(&mut self.shows)
    }

    /// Whether ends are to be read, now that it is time for it.
    pub(super) fn are_ends_due(&mut self) -> bool {
        self.left_out += 1;
        let is_due = std::mem::take(&mut self.moves) || self.left_out >= ENDS_AT_REST;
        if is_due {
            self.left_out = 0;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kafka_wire::types::NodeId;
    use tokio::time::Instant;

    use super::super::Ends;
    use super::*;

    #[test]
    fn what_rests_is_shown_once_and_its_ends_are_read_every_other_time() {
        let mut happened = Happened::default();
        assert!(happened.is_to_be_shown() && happened.are_ends_due());
        let due = |happened: &mut Happened| [(); 4].map(|()| happened.are_ends_due());
        assert_eq!(due(&mut happened), [false, true, false, true]);
        assert!(!happened.is_to_be_shown());
        let ends = Ends {
            asked_at: Instant::now(),
            took: Duration::ZERO,
            ends: Ok(Vec::new()),
        };
        happened.take(&Event::Ends(NodeId(1), ends));
        assert!(happened.is_to_be_shown());
        assert!(!happened.are_ends_due(), "a reading is not what is read");
        happened.moves();
        assert!(happened.is_to_be_shown() && happened.are_ends_due());
    }
}
