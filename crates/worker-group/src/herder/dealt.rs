//! What the decisions of a leader changed, for whoever asks later what happened. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Owners;

/// Decisions that are kept, and moves of each.
const KEPT: usize = 20;
const MOVES: usize = 100;

/// What a decision of the leader changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dealt {
    /// The generation that it made.
    pub generation: i32,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// URLs of workers that came.
    pub joined: Vec<String>,
    /// URLs of workers that went.
    pub left: Vec<String>,
    /// What has another owner now; of many, the first.
    pub moved: Vec<Moved>,
    /// How many have another owner now.
    pub moves: usize,
}

/// A connector or task with another owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The connector.
    pub connector: String,
    /// Its task; nothing for the connector itself.
    pub task: Option<u32>,
    /// URL of the worker that had it.
    pub from: Option<String>,
    /// URL of the worker that has it.
    pub to: Option<String>,
}

/// What was decided last, the newest first.
#[derive(Debug, Default)]
pub(super) struct Past(VecDeque<Arc<Dealt>>);

impl Past {
    /// Takes in a decision, if it changed something.
    pub(super) fn take(&mut self, before: &Owners, after: &Owners, generation: i32, at_ms: i64) {
        let urls = |owners: &Owners| -> BTreeSet<String> {
            owners.values().map(|(url, _)| url.clone()).collect()
        };
        let (old, new) = (urls(before), urls(after));
        let (had, has) = (by_work(before), by_work(after));
        let all: BTreeSet<_> = had.keys().chain(has.keys()).collect();
        let moves: Vec<_> = all
            .into_iter()
            .filter(|work| had.get(work) != has.get(work))
            .collect();
        let owner = |of: &BTreeMap<_, &str>, work| of.get(work).map(|url| (*url).to_owned());
        let moved = moves.iter().take(MOVES).map(|work| Moved {
            connector: work.0.to_owned(),
            task: work.1,
            from: owner(&had, *work),
            to: owner(&has, *work),
        });
        let dealt = Dealt {
            generation,
            at_ms,
            joined: new.difference(&old).cloned().collect(),
            left: old.difference(&new).cloned().collect(),
            moved: moved.collect(),
            moves: moves.len(),
        };
        if dealt.moves > 0 || !dealt.joined.is_empty() || !dealt.left.is_empty() {
            self.0.push_front(Arc::new(dealt));
            self.0.truncate(KEPT);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Dealt>> {
        self.0.iter().cloned().collect()
    }
}

/// The worker of each connector and task.
fn by_work(owners: &Owners) -> BTreeMap<(&str, Option<u32>), &str> {
    let mut all = BTreeMap::new();
    for (url, work) in owners.values() {
        let connectors = work.connectors.iter().map(|name| (&**name, None));
        let tasks = work.tasks.iter();
        let tasks = tasks.map(|key| (&*key.connector, Some(key.task)));
        all.extend(connectors.chain(tasks).map(|work| (work, &**url)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignor::{TaskKey, Work};

    fn owners(all: &[(&str, &[u32])]) -> Owners {
        let one = |(url, tasks): &(&str, &[u32])| {
            let tasks = tasks.iter().map(|task| TaskKey::new("a", *task));
            let work = Work {
                connectors: Vec::new(),
                tasks: tasks.collect(),
            };
            (format!("member of {url}"), ((*url).to_owned(), work))
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn a_decision_says_who_came_who_went_and_what_moved() {
        let mut past = Past::default();
        let before = owners(&[("one", &[0, 1]), ("two", &[2])]);
        past.take(&before, &before, 4, 1);
        assert_eq!(past.all().len(), 0, "nothing has changed");
        let after = owners(&[("one", &[0, 2]), ("three", &[])]);
        past.take(&before, &after, 5, 2);
        let moved = |task, from: Option<&str>, to: Option<&str>| Moved {
            connector: "a".to_owned(),
            task: Some(task),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let expected = Dealt {
            generation: 5,
            at_ms: 2,
            joined: vec!["three".to_owned()],
            left: vec!["two".to_owned()],
            moved: vec![
                moved(1, Some("one"), None),
                moved(2, Some("two"), Some("one")),
            ],
            moves: 2,
        };
        assert_eq!(past.all(), [Arc::new(expected)]);
    }
}
