//! The part of [`Core`] that knows whether the link is still this process's: after a standstill, and after an answer that a second
//! writer would explain, nothing is written before that has been asked.

use std::time::Duration;

use tokio::time::Instant;

use super::super::partition::{Phase, Stop};
use super::{Core, Index};

/// Markers are sent only while the last look that found no other owner is not older than this. A successor waits for longer
/// before it writes any of its own; between both lies the time in which a broker may carry them out.
const LEASE: Duration = Duration::from_secs(3);

/// Whether markers may be written, which are not recognised when they come again.
pub(super) enum Lease {
    /// Nobody else can be the owner, or it cannot be asked.
    None,
    /// Up to this moment.
    Until(Instant),
    /// It has to be asked first.
    Over,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owner {
    /// Whether there is a claim that can be looked at.
    guarded: bool,
    /// Number of the last question.
    asked: u64,
    /// That of the last one that was answered.
    answered: u64,
    /// When the last look began that found nobody.
    looked: Option<Instant>,
    /// The question that has to be answered before anything is written.
    doubt: Option<u64>,
    /// Who has taken over.
    lost: Option<String>,
    /// Whether a former owner may still write, because it has not looked yet.
    beside: bool,
    /// Why a question is not answered.
    trouble: Option<String>,
}

impl Owner {
    /// Whether a former owner may still write and store.
    pub(super) fn has_predecessor(&self) -> bool {
        self.beside
    }

    /// Whether anything may be written.
    pub(super) fn is_sure(&self) -> bool {
        self.doubt.is_none() && self.lost.is_none()
    }
}

impl Core {
    /// There is a claim from now on. A former owner may not have noticed it yet.
    pub(crate) fn guard(&mut self, has_predecessor: bool) {
        self.owner.guarded = true;
        self.owner.beside = has_predecessor;
    }

    /// Another process may have taken over.
    pub(crate) fn doubt_ownership(&mut self) {
        if self.owner.guarded && self.owner.lost.is_none() {
            self.owner.asked += 1;
            self.owner.doubt = Some(self.owner.asked);
        }
    }

    /// Whether markers may be written; where that has to be asked first, it is.
    pub(super) fn may_mark_until(&mut self, now: Instant) -> Lease {
        let owner = &mut self.owner;
        if !owner.guarded {
            return Lease::None;
        }
        match owner.looked.map(|looked| looked + LEASE) {
            Some(latest) if now < latest => Lease::Until(latest),
            _ => {
                if owner.asked == owner.answered {
                    owner.asked += 1;
                }
                Lease::Over
            }
        }
    }

    /// The number of the question that waits for an answer; 0 where none does.
    pub(crate) fn owner_question(&self) -> u64 {
        let owner = &self.owner;
        match owner.asked > owner.answered {
            true => owner.asked,
            false => 0,
        }
    }

    /// Takes the answer to a question: who has taken over, if anybody has, as of a moment.
    pub(crate) fn on_owner(&mut self, question: u64, asked: Instant, successor: Option<String>) {
        if let Some(successor) = successor {
            self.owner.lost = Some(successor);
            let all: Vec<Index> = self.partitions.keys().copied().collect();
            for index in all {
                self.stop_if_lost(index);
            }
            return;
        }
        self.owner.trouble = None;
        self.owner.answered = self.owner.answered.max(question);
        self.owner.looked = Some(asked);
        // An answer to an earlier question was found out before the doubt arose.
        if self.owner.doubt.is_some_and(|doubt| question >= doubt) {
            self.owner.doubt = None;
            let partitions = self.partitions.iter();
            let waits = partitions.filter(|(_, partition)| {
                matches!(partition.phase, Phase::Starting) && partition.timer.is_none()
            });
            self.to_locate.extend(waits.map(|(index, _)| *index));
        }
    }

    /// Whose the link is cannot be found out at the moment.
    pub(crate) fn on_owner_unknown(&mut self, trouble: String) {
        self.owner.trouble = Some(trouble);
    }

    /// Why nothing is written before it is known whose the link is, where that is so and cannot be found out.
    pub(crate) fn owner_trouble(&self) -> Option<&str> {
        let waits = self.owner.doubt.is_some() && self.owner.lost.is_none();
        self.owner.trouble.as_deref().filter(|_| waits)
    }

    /// Whether a former owner may write yet. What is not recognised when it comes again, as markers are not, has to wait.
    pub(super) fn is_beside_another(&self) -> bool {
        self.owner.beside
    }

    /// Former owners have noticed by now. All positions are stored again: one may have put older ones over them before.
    pub(crate) fn has_settled(&mut self) {
        if !std::mem::take(&mut self.owner.beside) {
            return;
        }
        for (index, partition) in &mut self.partitions {
            if partition.position.is_some() && matches!(partition.phase, Phase::Running) {
                partition.position_changed = true;
                self.changed.insert(*index);
            }
        }
    }

    /// Stops a partition because another process has taken over; `true` if it is so.
    pub(super) fn stop_if_lost(&mut self, index: Index) -> bool {
        let Some(successor) = self.owner.lost.clone() else {
            return false;
        };
        let partition = self.partitions.get(&index);
        if partition.is_some_and(|partition| matches!(partition.phase, Phase::Stopped(_))) {
            return true;
        }
        let stop = Stop {
            state: "taken-over",
            offset: partition.and_then(|p| Some(p.position.as_ref()?.offset.0)),
            reason: format!(
                "another process of this link ({successor}) was started after this one; this one writes nothing more. End one of \
                 the two, or give one another name"
            ),
            lost: None,
        };
        self.stop(index, stop);
        true
    }
}
