//! What happens to work, told as stories. Whether decisions are Java's is tested against Java's
//! (`tests/it/java_assignor.rs`).

use tokio::time::Instant;

use super::*;
use crate::assignor::TaskKey;

/// A group, followed through its rounds.
struct Group {
    leader: Cooperative,
    configured: Work,
    held: ByMember,
    generation: i32,
    now: i64,
}

impl Group {
    fn new(delay: i32, connectors: &[(&str, u32)], members: &[&str]) -> Self {
        let mut configured = Work::default();
        for (name, tasks) in connectors {
            configured.connectors.push((*name).to_owned());
            configured
                .tasks
                .extend((0..*tasks).map(|task| TaskKey::new(name, task)));
        }
        Self {
            leader: Cooperative::new(delay),
            configured,
            held: members
                .iter()
                .map(|name| ((*name).to_owned(), Work::default()))
                .collect(),
            generation: 0,
            now: 1_000,
        }
    }

    /// One round, taken by every member.
    fn round(&mut self) -> Decision {
        let decision = self.leader.decide(&Round {
            configured: &self.configured,
            held: &self.held,
            last_generation: if self.generation == 0 {
                -1
            } else {
                self.generation
            },
            generation: self.generation + 1,
            now: self.now,
        });
        self.generation += 1;
        for (member, held) in &mut self.held {
            if let Some(back) = decision.revoked.get(member) {
                *held = held.without(&[back]);
            }
            held.add(&decision.given[member]);
        }
        decision
    }

    /// Rounds until nothing is given back any more; how many there were.
    fn settle(&mut self) -> usize {
        for round in 1.. {
            let decision = self.round();
            if decision.revoked.is_empty() && decision.delay == 0 {
                return round;
            }
            self.now += i64::from(decision.delay);
        }
        unreachable!()
    }

    fn tasks(&self, member: &str) -> usize {
        self.held[member].tasks.len()
    }

    fn join(&mut self, member: &str) {
        self.held.insert(member.to_owned(), Work::default());
    }

    fn leave(&mut self, member: &str) -> Work {
        self.held.remove(member).expect("it is there")
    }
}

#[test]
fn a_new_worker_gets_its_share_in_two_rounds_and_what_stays_is_not_touched() {
    let mut group = Group::new(300_000, &[("c", 6)], &["a", "b"]);
    assert_eq!(group.settle(), 1);
    assert_eq!([group.tasks("a"), group.tasks("b")], [3, 3]);
    let before = group.held.clone();
    group.join("n");
    let first = group.round();
    assert_eq!(first.revoked["a"].tasks.len(), 1);
    assert_eq!(first.revoked["b"].tasks.len(), 1);
    let second = group.round();
    assert!(second.revoked.is_empty());
    assert_eq!(group.tasks("n"), 2);
    for member in ["a", "b"] {
        assert!(group.held[member].without(&[&before[member]]).is_empty());
    }
}

#[test]
fn what_was_lost_waits_and_goes_back_to_the_worker_that_returns() {
    let mut group = Group::new(300_000, &[("c", 4)], &["a", "b"]);
    group.settle();
    let lost = group.leave("b");
    let decision = group.round();
    assert_eq!(decision.delay, 300_000);
    assert_eq!(decision.waiting.without(&[&lost]), Work::default());
    assert_eq!(group.tasks("a"), 2);
    // It comes back, empty, under another member id.
    group.now += 10_000;
    group.join("b2");
    let decision = group.round();
    assert_eq!(decision.delay, 290_000);
    assert_eq!(group.tasks("b2"), 0);
    group.now += 290_000;
    let decision = group.round();
    assert_eq!(decision.delay, 0);
    assert_eq!(lost.without(&[&group.held["b2"]]), Work::default());
    assert_eq!(group.tasks("a"), 2);
}

#[test]
fn what_was_lost_goes_to_the_others_when_nobody_comes_back() {
    let mut group = Group::new(300_000, &[("c", 5)], &["a", "b", "d"]);
    group.settle();
    group.leave("b");
    group.round();
    group.now += 300_000;
    let decision = group.round();
    assert!(decision.waiting.is_empty());
    assert_eq!(group.tasks("a") + group.tasks("d"), 5);
    assert!(group.tasks("a").abs_diff(group.tasks("d")) <= 1);
}

#[test]
fn without_a_delay_lost_work_moves_at_once() {
    let mut group = Group::new(0, &[("c", 4)], &["a", "b"]);
    group.settle();
    group.leave("b");
    let decision = group.round();
    assert_eq!((decision.delay, group.tasks("a")), (0, 4));
}

#[test]
fn what_did_not_arrive_is_dealt_again_when_nobody_left() {
    let mut group = Group::new(300_000, &[("c", 4)], &["a", "b"]);
    group.settle();
    group.held.insert("b".to_owned(), Work::default());
    let decision = group.round();
    assert_eq!((decision.delay, group.tasks("b")), (0, 2));
}

#[test]
fn what_was_deleted_is_given_back_by_whoever_has_it() {
    let mut group = Group::new(300_000, &[("c", 2), ("d", 2)], &["a", "b"]);
    group.settle();
    group.configured.connectors.retain(|name| name != "d");
    group.configured.tasks.retain(|task| task.connector != "d");
    group.settle();
    let left: usize = group.held.values().map(|work| work.tasks.len()).sum();
    assert_eq!(left, 2);
}

#[test]
fn what_two_workers_have_is_taken_from_both() {
    let mut group = Group::new(300_000, &[("c", 2)], &["a", "b"]);
    group.settle();
    let all = group.configured.clone();
    group.held.insert("a".to_owned(), all.clone());
    group.held.insert("b".to_owned(), all);
    let decision = group.round();
    assert_eq!(decision.revoked["a"].tasks.len(), 2);
    assert_eq!(decision.revoked["b"].tasks.len(), 2);
    group.settle();
    assert_eq!([group.tasks("a"), group.tasks("b")], [1, 1]);
}

#[test]
fn a_new_leader_takes_what_the_members_say() {
    let mut group = Group::new(300_000, &[("c", 4)], &["a", "b"]);
    group.settle();
    let before = group.held.clone();
    group.leader = Cooperative::new(300_000);
    let decision = group.round();
    assert!(decision.revoked.is_empty());
    assert_eq!(group.held, before);
    // What was lost together with the old leader is new to this one.
    group.leave("b");
    group.leader = Cooperative::new(300_000);
    let decision = group.round();
    assert_eq!((decision.delay, group.tasks("a")), (0, 4));
}

#[test]
fn ten_thousand_tasks_are_dealt_and_every_member_has_its_share() {
    let connectors = ["a", "b", "c", "d", "e"].map(|name| (name, 2_000));
    let mut group = Group::new(0, &connectors, &["x", "y", "z"]);
    group.settle();
    for member in ["x", "y", "z"] {
        assert!(group.tasks(member).abs_diff(10_000 / 3) <= 1);
    }
}

/// The figures of docs/benchmark-results come from here: `cargo test --release -p worker-group -- thousand --nocapture`.
#[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
#[test]
fn a_thousand_tasks_on_ten_workers_are_dealt_and_one_worker_is_lost_within_moments() {
    let names: Vec<String> = (0..10).map(|number| format!("worker-{number}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut group = Group::new(0, &[("links.with.names", 1_000)], &members);
    let begin = Instant::now();
    assert_eq!(group.settle(), 1);
    let dealt = begin.elapsed();
    assert!(members.iter().all(|member| group.tasks(member) == 100));
    let before = group.held.clone();
    group.leave("worker-3");
    let begin = Instant::now();
    group.settle();
    println!(
        "1,000 tasks on 10 workers: dealt in {dealt:?}, again without one of them in {:?}",
        begin.elapsed()
    );
    for (member, held) in &group.held {
        assert!((111..=112).contains(&held.tasks.len()));
        assert!(
            before[member].without(&[held]).is_empty(),
            "what stays is not touched"
        );
    }
}
