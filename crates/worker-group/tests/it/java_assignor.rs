//! Histories of groups that nobody thought of: what our leader decides and what Java's does, round by round.
//!
//! The inputs of each round follow from our decisions. As long as both decide alike they are Java's inputs, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use test_support::kafka_jars::{self, KafkaVersion};
use worker_group::assignor::{ByMember, Cooperative, Decision, Round, TaskKey, Work};

const SEED: u64 = 20_261_126;
const HISTORIES: usize = 500;
const ROUNDS: usize = 24;
const PROGRAM: &str = include_str!("../java/AssignorDriver.java");
const DELAYS: [i32; 6] = [0, 1, 1_000, 60_000, 300_000, 77_777];
const NAMES: [&str; 8] = [
    "orders",
    "a",
    "west->east.MirrorSourceConnector",
    "b",
    "bücher",
    "c-1",
    "c-11",
    "Aa",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).expect("small")).expect("below bound")
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A group with everything that may happen to one.
struct Group {
    leader: Cooperative,
    connectors: BTreeMap<&'static str, u32>,
    held: ByMember,
    generation: i32,
    completed: i32,
    now: i64,
    joined: usize,
}

impl Group {
    fn new(random: &mut Random, delay: i32) -> Self {
        let mut group = Self {
            leader: Cooperative::new(delay),
            connectors: BTreeMap::new(),
            held: ByMember::new(),
            generation: 0,
            completed: -1,
            now: 1_000_000,
            joined: 0,
        };
        for _ in 0..=random.below(3) {
            group.join(random);
        }
        for _ in 0..random.below(4) {
            group.configure(random);
        }
        group
    }

    fn join(&mut self, random: &mut Random) {
        self.joined += 1;
        let name = format!("connect-{}-{:08x}", self.joined, random.below(1 << 31));
        self.held.insert(name, Work::default());
    }

    fn configure(&mut self, random: &mut Random) {
        let name = NAMES[random.below(NAMES.len())];
        let tasks = u32::try_from(random.below(20)).expect("small");
        self.connectors.insert(name, tasks);
    }

    fn any_member(&self, random: &mut Random) -> String {
        let names: Vec<&String> = self.held.keys().collect();
        names[random.below(names.len())].clone()
    }

    /// Something happens, or nothing.
    fn happen(&mut self, random: &mut Random) {
        match random.below(9) {
            0 | 1 => self.join(random),
            2 | 3 if self.held.len() > 1 => {
                let member = self.any_member(random);
                self.held.remove(&member);
                // It may be back at once, empty.
                if random.once_in(2) {
                    self.join(random);
                }
            }
            4 => self.configure(random),
            5 => {
                let name = NAMES[random.below(NAMES.len())];
                self.connectors.remove(name);
            }
            6 => {
                // It has lost everything that it had.
                let member = self.any_member(random);
                self.held.insert(member, Work::default());
            }
            7 => {
                // It has something that another one has, too.
                let (one, other) = (self.any_member(random), self.any_member(random));
                let more = self.held[&one].clone();
                if let Some(work) = self.held.get_mut(&other) {
                    work.add(&more);
                }
            }
            _ => {}
        }
    }

    fn configured(&self) -> Work {
        let mut configured = Work::default();
        for (name, tasks) in &self.connectors {
            configured.connectors.push((*name).to_owned());
            configured
                .tasks
                .extend((0..*tasks).map(|task| TaskKey::new(name, task)));
        }
        configured
    }

    fn round(&mut self, random: &mut Random, input: &mut String) -> Decision {
        let configured = self.configured();
        self.generation += 1;
        let round = Round {
            configured: &configured,
            held: &self.held,
            last_generation: self.completed,
            generation: self.generation,
            now: self.now,
        };
        describe(&round, &self.connectors, input);
        let decision = self.leader.decide(&round);
        // Now and then an assignment does not reach anybody, or not everybody.
        if random.once_in(12) {
            return decision;
        }
        self.completed = self.generation;
        for (member, held) in &mut self.held {
            if random.once_in(40) {
                continue;
            }
            if let Some(back) = decision.revoked.get(member) {
                *held = held.without(&[back]);
            }
            held.add(&decision.given[member]);
        }
        let delay = usize::try_from(decision.delay).expect("not negative");
        let waited = match random.below(3) {
            0 => delay,
            1 => random.below(delay + 1),
            _ => random.below(5_000),
        };
        self.now += i64::try_from(waited).expect("small");
        decision
    }
}

fn describe(round: &Round<'_>, connectors: &BTreeMap<&str, u32>, input: &mut String) {
    let counts: Vec<String> = connectors
        .iter()
        .map(|(name, tasks)| format!("{name}:{tasks}"))
        .collect();
    let members: Vec<String> = round
        .held
        .iter()
        .map(|(member, work)| {
            format!(
                "{member}={}|{}",
                work.connectors.join(","),
                tasks(&work.tasks)
            )
        })
        .collect();
    writeln!(
        input,
        "R {} {} {} {} {}",
        round.now,
        round.last_generation,
        round.generation,
        counts.join(","),
        members.join(";")
    )
    .expect("a text takes everything");
}

fn tasks(tasks: &[TaskKey]) -> String {
    let names: Vec<String> = tasks
        .iter()
        .map(|key| format!("{}/{}", key.connector, key.task))
        .collect();
    names.join(",")
}

fn shown(work: Option<&Work>) -> String {
    let mut work = work.cloned().unwrap_or_default();
    work.connectors
        .sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    work.tasks.sort();
    format!("{}|{}", work.connectors.join(","), tasks(&work.tasks))
}

fn answer(decision: &Decision) -> String {
    let mut text = decision.delay.to_string();
    for (member, given) in &decision.given {
        let back = decision.revoked.get(member);
        write!(text, " {member}+{}-{}", shown(Some(given)), shown(back))
            .expect("a text takes everything");
    }
    text
}

/// What Java's assignor decides.
fn ask_java(input: &str) -> Vec<String> {
    let jars = kafka_jars::fetch(KafkaVersion::V4_3_1).expect("jars");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("AssignorDriver.java");
    std::fs::write(&file, PROGRAM).expect("a file");
    let compiled = Command::new(jars.java().with_file_name("javac"))
        .args(["-encoding", "UTF-8", "-cp", &jars.classpath(), "-d"])
        .arg(folder.path())
        .arg(&file)
        .status()
        .expect("a JDK");
    assert!(compiled.success(), "it compiles");
    let class_path = format!("{}:{}", folder.path().display(), jars.classpath());
    let mut java = Command::new(jars.java())
        .args([
            "-XX:TieredStopAtLevel=1",
            "-Dfile.encoding=UTF-8",
            "-Dstdout.encoding=UTF-8",
        ])
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp",
            &class_path,
        ])
        .arg("org.apache.kafka.connect.runtime.distributed.AssignorDriver")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a JDK");
    let mut pipe = java.stdin.take().expect("piped");
    pipe.write_all(input.as_bytes()).expect("it reads");
    drop(pipe);
    let output = java.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn our_leader_decides_as_javas_in_five_hundred_histories() {
    let mut random = Random(SEED);
    let mut input = String::new();
    let mut ours = Vec::new();
    let (mut moved, mut delayed) = (0, 0);
    for history in 0..HISTORIES {
        let delay = DELAYS[random.below(DELAYS.len())];
        writeln!(input, "H {delay}").expect("a text takes everything");
        let mut group = Group::new(&mut random, delay);
        for number in 0..ROUNDS {
            let decision = group.round(&mut random, &mut input);
            moved += usize::from(!decision.revoked.is_empty());
            delayed += usize::from(decision.delay != 0);
            ours.push((history, number, answer(&decision)));
            if random.once_in(2) {
                group.happen(&mut random);
            }
        }
    }
    let java = ask_java(&input);
    assert_eq!(java.len(), ours.len());
    let rounds: Vec<&str> = input.lines().filter(|line| line.starts_with('R')).collect();
    for (index, ((history, number, ours), java)) in ours.iter().zip(&java).enumerate() {
        assert_eq!(
            ours,
            java,
            "history {history}, round {number}, seed {SEED}:\n{}",
            rounds[index - number.min(&3)..=index].join("\n")
        );
    }
    println!(
        "{} rounds of {HISTORIES} histories decided alike; {moved} took something back, {delayed} waited; seed {SEED}",
        ours.len()
    );
    assert!(moved > 1_000 && delayed > 1_000, "{moved} {delayed}");
}
