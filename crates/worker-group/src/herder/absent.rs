//! Who is missing in a group, by address. Pure.
//!
//! What a member loses waits for it (KIP-415), and who was lost is known by its name, which only lasts as long as the
//! coordinator's session. A worker that came back at its address under another name, with nothing, is nobody to wait for: and
//! where a coordinator was away for longer than a session, all of them are. Connect's workers come back with what they held,
//! because they run on while they are out; here nothing runs without membership.

use std::collections::BTreeSet;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Absent {
    /// Who was there at the last decision.
    last: BTreeSet<String>,
    /// Whom something has waited for since then.
    awaited: BTreeSet<String>,
}

impl Absent {
    /// Takes in who has come; whether somebody is missing who was there.
    pub(super) fn came(&mut self, here: BTreeSet<String>) -> bool {
        let before = std::mem::replace(&mut self.last, here);
        self.awaited.extend(before);
        self.awaited = self.awaited.difference(&self.last).cloned().collect();
        !self.awaited.is_empty()
    }

    /// Takes in that nothing waits for anybody any more.
    pub(super) fn dealt(&mut self) {
        self.awaited.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignor::{ByMember, Cooperative, Round, TaskKey, Work};

    fn urls(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_is_missing_is_missed_until_it_is_back_or_its_work_is_dealt() {
        let mut absent = Absent::default();
        assert!(!absent.came(urls(&["a", "b", "c"])), "who comes first");
        assert!(absent.came(urls(&["a", "b"])));
        assert!(absent.came(urls(&["a", "b", "d"])), "c is still missing");
        assert!(!absent.came(urls(&["a", "b", "c", "d"])));
        assert!(absent.came(urls(&["a"])));
        absent.dealt();
        assert!(!absent.came(urls(&["a"])), "nothing waits for the others");
    }

    #[test]
    fn what_all_have_lost_does_not_wait_where_all_are_back_under_other_names() {
        let configured = Work {
            connectors: vec!["c".to_owned()],
            tasks: (0..4).map(|task| TaskKey::new("c", task)).collect(),
        };
        let mut assignor = Cooperative::new(300_000);
        let mut absent = Absent::default();
        let mut round = |names: &[(&str, &str)], generation: i32, held: &ByMember| {
            let here = names.iter().map(|(_, url)| (*url).to_owned()).collect();
            if !absent.came(here) {
                assignor.misses_nobody();
            }
            assignor.decide(&Round {
                configured: &configured,
                held,
                last_generation: generation - 1,
                generation,
                now: i64::from(generation),
            })
        };
        let empty = |names: &[&str]| -> ByMember {
            let all = names
                .iter()
                .map(|name| ((*name).to_owned(), Work::default()));
            all.collect()
        };
        let first = round(&[("m1", "a"), ("m2", "b")], 1, &empty(&["m1", "m2"]));
        assert_eq!((first.delay, first.waiting.tasks.len()), (0, 0));
        let back = round(&[("m3", "a"), ("m4", "b")], 2, &empty(&["m3", "m4"]));
        assert_eq!((back.delay, back.waiting.tasks.len()), (0, 0));
        let given: usize = back.given.values().map(|work| work.tasks.len()).sum();
        assert_eq!(given, 4);
        // Where one stays away, its work waits for it.
        let held = back.given.clone();
        let held: ByMember = held.into_iter().filter(|(name, _)| name == "m3").collect();
        let lost = round(&[("m3", "a")], 3, &held);
        assert_eq!((lost.delay, lost.waiting.tasks.len()), (300_000, 2));
    }
}
