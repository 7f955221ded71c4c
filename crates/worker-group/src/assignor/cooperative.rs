//! The incremental cooperative assignor (KIP-415): only what has to move is given back, and what was lost waits for its
//! worker.
//!
//! ```text
//!   deleted    was given out, is configured no more      → given back by whoever has it
//!   duplicated more than one has it                      → given back by all, dealt in the next round
//!   lost       was given out, nobody has it, configured  → waits, then to workers that came empty, else to the least loaded
//!   created    configured, never given out               → to the least loaded
//!   balance    more than a fair share                    → given back, dealt in the next round
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::java_order::java_order;
use super::{ByMember, Work};

/// How much longer each further wait for balance is.
const BALANCE_FACTOR: f64 = 40.0;

/// What a round of rebalancing begins with. Times are in milliseconds, on any clock that does not stand still.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Round<'a> {
    /// What is to be run: connectors with their tasks.
    pub configured: &'a Work,
    /// What each member holds.
    pub held: &'a ByMember,
    /// The generation that was completed last, as the leader saw it; −1 for none.
    pub last_generation: i32,
    /// The generation that is being made.
    pub generation: i32,
    /// Now.
    pub now: i64,
}

/// What the leader has decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// What each member is given beside what it has.
    pub given: ByMember,
    /// What each member gives back; those without anything are missing.
    pub revoked: ByMember,
    /// Milliseconds after which the group is to come together again; 0 for never.
    pub delay: i32,
    /// What nobody runs until then.
    pub waiting: Work,
}

/// The leader's memory from one round to the next.
#[derive(Clone, Debug)]
pub struct Cooperative {
    max_delay: i32,
    previous: Work,
    previous_revoked: Work,
    revoked_in_previous: bool,
    /// Members that came empty while something waits, in the order in which they were seen.
    candidates: Vec<String>,
    /// When what waits is dealt; 0 for never.
    scheduled: i64,
    delay: i32,
    previous_generation: i32,
    previous_members: BTreeSet<String>,
    /// Rounds in a row that took something back for balance.
    balancing: u32,
    misses_nobody: bool,
}

/// A member and what it will have.
struct Load {
    member: String,
    work: Work,
}

impl Cooperative {
    /// A leader that knows nothing. What is lost waits `max_delay` milliseconds for its worker.
    #[must_use]
    pub fn new(max_delay: i32) -> Self {
        Self {
            max_delay,
            previous: Work::default(),
            previous_revoked: Work::default(),
            revoked_in_previous: false,
            candidates: Vec::new(),
            scheduled: 0,
            delay: 0,
            previous_generation: -1,
            previous_members: BTreeSet::new(),
            balancing: 0,
            misses_nobody: false,
        }
    }

    /// In the next round whoever was there before is there, be it under another name: what is lost waits for nobody.
    pub fn misses_nobody(&mut self) {
        self.misses_nobody = true;
    }

    /// Decides.
    pub fn decide(&mut self, round: &Round<'_>) -> Decision {
        if self.previous_generation != round.last_generation {
            // What was decided last may never have reached anybody.
            self.previous = Work::default();
        }
        let configured = round.configured;
        let mut active = Work::default();
        for held in round.held.values() {
            active.add(held);
        }
        if !self.previous_revoked.common(&active).is_empty() {
            // What was to be given back is still held: look at things as they are.
            self.previous = active.clone();
        }
        self.previous_revoked = Work::default();
        let deleted = self.previous.without(&[configured]);
        let duplicated = duplicated(round.held);
        let lost = self.previous.without(&[&active, &deleted]).sorted();
        let created = configured.without(&[&self.previous, &active]).sorted();

        let mut revoked: ByMember = BTreeMap::new();
        let mut next: Vec<Load> = Vec::new();
        let mut current: HashMap<&str, Work> = HashMap::new();
        for (member, held) in round.held {
            let mut back = held.common(&deleted);
            back.add(&held.common(&duplicated));
            next.push(Load {
                member: member.clone(),
                work: held.without(&[&back]),
            });
            current.insert(member, held.without(&[&deleted]));
            add(&mut revoked, member, &back);
        }
        let dealt = self.handle_lost(&lost, &mut next, round.now);
        if self.delay == 0 {
            self.balance(configured, &mut next, &mut revoked, round.now);
        } else {
            self.revoked_in_previous = false;
        }
        let mut new = created;
        new.add(&dealt);
        deal(
            &mut next,
            new.connectors,
            |work| work.connectors.len(),
            |work, connector| work.connectors.push(connector),
        );
        deal(
            &mut next,
            new.tasks,
            |work| work.tasks.len(),
            |work, task| work.tasks.push(task),
        );
        let given = next.iter().map(|load| {
            let had = current
                .get(load.member.as_str())
                .cloned()
                .unwrap_or_default();
            (load.member.clone(), load.work.without(&[&had]))
        });
        let decision = Decision {
            given: given.collect(),
            delay: self.delay,
            waiting: lost.without(&[&all_of(&next)]),
            revoked,
        };
        self.remember(&next, &decision.revoked, &lost, round);
        decision
    }

    fn remember(&mut self, next: &[Load], revoked: &ByMember, lost: &Work, round: &Round<'_>) {
        self.previous_members = next.iter().map(|load| load.member.clone()).collect();
        let mut previous = all_of(next);
        let mut back = Work::default();
        for work in revoked.values() {
            back.add(work);
        }
        previous = previous.without(&[&back]);
        previous.add(lost);
        self.previous = previous;
        self.previous_revoked = back;
        self.previous_generation = round.generation;
    }

    /// Deals with what nobody has any more. What comes back is dealt like something new.
    fn handle_lost(&mut self, lost: &Work, next: &mut [Load], now: i64) -> Work {
        if std::mem::take(&mut self.misses_nobody) && !lost.is_empty() {
            self.reset_delay();
            return lost.clone();
        }
        if lost.is_empty() && !self.revoked_in_previous {
            self.reset_delay();
            return Work::default();
        }
        let members: BTreeSet<String> = next.iter().map(|load| load.member.clone()).collect();
        if self.scheduled <= 0 && members.is_superset(&self.previous_members) {
            // Nobody has left: an assignment has not arrived.
            return lost.clone();
        }
        if self.max_delay == 0 {
            return lost.clone();
        }
        if self.scheduled > 0 && now >= self.scheduled {
            let candidates: Vec<usize> = self
                .candidates
                .iter()
                .filter_map(|name| next.iter().position(|load| load.member == *name))
                .collect();
            for (turn, connector) in candidates.iter().cycle().zip(&lost.connectors) {
                next[*turn].work.connectors.push(connector.clone());
            }
            for (turn, task) in candidates.iter().cycle().zip(&lost.tasks) {
                next[*turn].work.tasks.push(task.clone());
            }
            self.reset_delay();
            self.revoked_in_previous = false;
            return if candidates.is_empty() {
                lost.clone()
            } else {
                Work::default()
            };
        }
        let empty = next.iter().filter(|load| load.work.is_empty());
        for name in java_order(empty.map(|load| load.member.clone()).collect()) {
            if !self.candidates.contains(&name) {
                self.candidates.push(name);
            }
        }
        self.delay = if now < self.scheduled {
            let left = (self.scheduled - now).min(i64::from(self.max_delay));
            i32::try_from(left).unwrap_or(self.max_delay)
        } else {
            self.max_delay
        };
        self.scheduled = now + i64::from(self.delay);
        Work::default()
    }

    fn reset_delay(&mut self) {
        self.candidates.clear();
        self.scheduled = 0;
        self.delay = 0;
    }

    /// Takes back what workers have beyond their share. Two rounds in a row do not, or work would wander.
    fn balance(&mut self, configured: &Work, next: &mut [Load], revoked: &mut ByMember, now: i64) {
        let back = surplus(configured, next);
        if back.is_empty() {
            if std::mem::replace(&mut self.revoked_in_previous, false) {
                self.balancing = 0;
            }
            return;
        }
        if self.revoked_in_previous {
            self.balancing = self.balancing.saturating_add(1);
            self.delay = balance_delay(self.max_delay, self.balancing);
            if self.delay != 0 {
                self.scheduled = now + i64::from(self.delay);
                return;
            }
        } else {
            self.revoked_in_previous = true;
        }
        for load in next {
            if let Some(surplus) = back.get(&load.member) {
                load.work = load.work.without(&[surplus]);
                add(revoked, &load.member, surplus);
            }
        }
    }
}

/// 40ⁿ, at most the longest delay: the way Java's exponential backoff counts.
fn balance_delay(max_delay: i32, times: u32) -> i32 {
    if max_delay <= 1 {
        return max_delay.max(0);
    }
    let most = f64::from(max_delay);
    let exponent = f64::from(times).min(most.ln() / BALANCE_FACTOR.ln());
    // Cut off as Java does it.
    (BALANCE_FACTOR.powf(exponent) as i32).min(max_delay)
}

fn duplicated(held: &ByMember) -> Work {
    let mut seen = Work::default();
    let mut twice = Work::default();
    for work in held.values() {
        twice.add(&work.common(&seen));
        seen.add(work);
    }
    twice
}

fn all_of(loads: &[Load]) -> Work {
    let mut all = Work::default();
    for load in loads {
        all.add(&load.work);
    }
    all
}

fn add(revoked: &mut ByMember, member: &str, back: &Work) {
    if !back.is_empty() {
        revoked.entry(member.to_owned()).or_default().add(back);
    }
}

/// What each worker has beyond its share, connectors and tasks apart.
fn surplus(configured: &Work, loads: &[Load]) -> ByMember {
    let mut back = BTreeMap::new();
    if configured.is_empty() || loads.iter().all(|load| load.work.is_empty()) {
        return back;
    }
    let connectors = excess(configured.connectors.len(), loads, |work| {
        work.connectors.len()
    });
    let tasks = excess(configured.tasks.len(), loads, |work| work.tasks.len());
    for ((load, connectors), tasks) in loads.iter().zip(connectors).zip(tasks) {
        let surplus = Work {
            connectors: load.work.connectors[..connectors].to_vec(),
            tasks: load.work.tasks[..tasks].to_vec(),
        };
        add(&mut back, &load.member, &surplus);
    }
    back
}

/// How many each has too many of, of one kind.
fn excess(total: usize, loads: &[Load], count: impl Fn(&Work) -> usize) -> Vec<usize> {
    let (share, extra) = (total / loads.len(), total % loads.len());
    let counts: Vec<usize> = loads.iter().map(|load| count(&load.work)).collect();
    let exactly = |wanted: usize| counts.iter().filter(|count| **count == wanted).count();
    if exactly(share + 1) == extra && exactly(share) + extra == loads.len() {
        return vec![0; loads.len()];
    }
    let mut extras = 0;
    let each = counts.into_iter().map(|count| {
        if count <= share {
            return 0;
        }
        if extras < extra {
            extras += 1;
            return count - (share + 1);
        }
        count - share
    });
    each.collect()
}

/// Gives new ones to those who have the fewest, in turn.
fn deal<T>(
    loads: &mut [Load],
    new: Vec<T>,
    count: impl Fn(&Work) -> usize,
    push: impl Fn(&mut Work, T),
) {
    loads.sort_by(|a, b| {
        let by_count = count(&a.work).cmp(&count(&b.work));
        by_count.then_with(|| a.member.cmp(&b.member))
    });
    let mut new = new.into_iter().peekable();
    while let (Some(least), Some(_)) = (loads.first(), new.peek()) {
        let least = count(&least.work);
        for load in loads.iter_mut() {
            if count(&load.work) > least {
                break;
            }
            let Some(one) = new.next() else { return };
            push(&mut load.work, one);
        }
    }
}

#[cfg(test)]
mod tests;
