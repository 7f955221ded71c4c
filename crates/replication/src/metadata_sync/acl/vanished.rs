//! Notices when somebody keeps removing what this link makes.
//!
//! Where another controller owns the destination's rights, each of the two would undo the other's work for ever. A
//! binding that vanishes twice within an hour is left alone for a day.
//!
//! Deliberately absent: storing this. After a restart it is learned again, at the price of two more attempts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use kafka_wire::message::acl::AclBinding;
use tokio::time::Instant;

use super::record::Recorded;

/// Within this time a binding may vanish once.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// How long it is left alone then.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// What vanished when.
#[derive(Debug, Default)]
pub(super) struct Vanished {
    /// Recorded bindings that were there in the last round. Only these can vanish: what was created a moment ago
    /// may not show yet.
    seen: HashSet<AclBinding>,
    times: HashMap<AclBinding, Instant>,
    paused: HashMap<AclBinding, Instant>,
}

impl Vanished {
    /// Takes in what a round saw; returns the bindings whose pause begins now.
    pub(super) fn observe(
        &mut self,
        existing: &BTreeSet<AclBinding>,
        recorded: &Recorded,
        now: Instant,
    ) -> Vec<AclBinding> {
        self.times.retain(|_, at| now < *at + WINDOW);
        self.paused.retain(|_, until| now < *until);
        let mut begun = Vec::new();
        for binding in recorded.keys() {
            if existing.contains(binding) {
                self.seen.insert(binding.clone());
            } else if self.seen.remove(binding) && self.times.insert(binding.clone(), now).is_some()
            {
                self.times.remove(binding);
                self.paused.insert(binding.clone(), now + PAUSE);
                begun.push(binding.clone());
            }
        }
        self.seen.retain(|binding| recorded.contains_key(binding));
        begun
    }

    /// A binding was deleted by us.
    pub(super) fn deleted(&mut self, binding: &AclBinding) {
        self.seen.remove(binding);
    }

    /// Bindings that are not created now.
    pub(super) fn paused(&self) -> BTreeSet<AclBinding> {
        self.paused.keys().cloned().collect()
    }
}
