//! Three workers, watched as an operator watches them: by a real Prometheus with our alerts, and by the command line with its exit
//! codes, while links are well, are paused and fail, while records and a worker are lost; where `TRIBUTARY_TEST_MINUTES` asks for the
//! long form, also while a source and a destination are, and while a group does not come to rest.

mod answers;
mod losses;
mod unrest;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use tokio::time::Instant;

use self::answers::Answers;
use crate::connect_worker::expect;
use crate::group::{Group, Member, link};
use crate::metrics::{KEPT, fill, is_approved, is_openmetrics_where_that_is_accepted, scraped};
use crate::prometheus::{Prometheus, STRIMZI, mirrored, queries};
use crate::support::{
    COPIED, NEW, Run, bootstrap, new_topic, offsets, pair, program, stored, unique,
};

/// Partitions that `fill` writes to, and records that it writes.
const PARTITIONS: i32 = 3;
const EACH: i64 = 500;

/// Runs the program.
async fn run(arguments: &[&str]) -> Run {
    let all: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    Run::to_end(&program(&all)).await
}

struct Scene {
    members: Vec<Member>,
    prometheus: Prometheus,
    began: Instant,
    /// Situations in which a command that is there for scripts ended as it should: which, and with what code.
    situations: Vec<(String, i32)>,
}

/// Commands with codes that scripts rely on, and those that each of them ended with here.
const CODES: [(&str, &[i32]); 4] = [
    ("status", &[0, 1, 2, 3]),
    ("lag", &[0, 1, 2, 3, 4]),
    ("verify", &[0, 1, 2, 3]),
    ("preflight", &[0, 2, 3]),
];

impl Scene {
    /// Runs a command that asks a worker.
    async fn asked(&self, arguments: &[&str]) -> Run {
        let url = format!("http://{}", self.members[0].client.address);
        run(&[arguments, &["--url", &url]].concat()).await
    }

    /// In this situation, a command ends so.
    async fn ends(&mut self, situation: &str, arguments: &[&str], code: i32) {
        let run = self.asked(arguments).await;
        self.counts(situation, arguments, run, code);
    }

    /// The same, as soon as the situation is there.
    async fn comes_to_end(&mut self, situation: &str, arguments: &[&str], code: i32) {
        let look = async || {
            let run = self.asked(arguments).await;
            match run.code() == code {
                true => Ok(run),
                false => Err(run.to_string()),
            }
        };
        let run = eventually(situation, COPIED, look).await;
        let run = run.unwrap_or_else(|error| {
            panic!("{error}\n{}", self.members[0].process.lines().tail(60))
        });
        self.counts(situation, arguments, run, code);
    }

    fn counts(&mut self, situation: &str, arguments: &[&str], run: Run, code: i32) {
        let command = arguments[0];
        if CODES.iter().any(|(known, _)| *known == command) {
            self.situations.push((command.to_owned(), code));
        }
        println!(
            "  {:3.0} s  {}. {situation}: {} → {code}",
            self.began.elapsed().as_secs_f64(),
            self.situations.len(),
            arguments.join(" ")
        );
        run.ended_with(code);
    }

    /// What every worker says of itself is what Prometheus' tool and a strict parser take.
    async fn is_readable(&self, when: &str) {
        for member in &self.members {
            is_approved(&scraped(&member.client).await);
        }
        is_openmetrics_where_that_is_accepted(&self.members[0].client).await;
        println!("  metrics are readable {when}");
    }

    async fn scrapes_all(&self) {
        let targets: Vec<&str> = self.members.iter().map(Member::id).collect();
        self.prometheus.scrape(&targets);
    }

    async fn create(&self, name: &str, config: serde_json::Value) {
        let body = json!({"name": name, "config": config}).to_string();
        let asked = self.members[0].settled("POST", "/connectors", Some(&body));
        expect(asked.await, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_group_shows_in_alerts_and_exit_codes_and_is_over_when_it_is_over() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("watched");
    new_topic(source, &topic, PARTITIONS, &[("retention.ms", KEPT)]).await;
    let group = Group::new(
        destination,
        "tributary.health.interval.ms=1000\ntributary.metrics.compat=strimzi-jmx,strimzi-reporter,generic,replicator",
    );
    let (one, two, three) = tokio::join!(group.member(), group.member(), group.member());
    let prometheus = Prometheus::scraping(&[one.id(), two.id(), three.id()]).await;
    let mut scene = Scene {
        members: vec![one, two, three],
        prometheus,
        began: Instant::now(),
        situations: Vec::new(),
    };
    scene.create("watched", link(source, &topic, 3)).await;
    fill(source, &topic, 1).await;
    scene.is_readable("under load").await;
    is_well(&mut scene, destination, &topic).await;
    is_compared(&mut scene, source, destination, &topic).await;
    is_let_in(&mut scene, source, destination, &topic).await;
    is_shown(&scene).await;
    stands_still(&mut scene).await;
    fails(&mut scene).await;
    losses::of_records(&mut scene, source, &topic).await;
    losses::of_a_worker(&mut scene, &group).await;
    if limits::long_run().is_some() {
        losses::of_a_source(&mut scene).await;
        losses::of_a_destination(&mut scene, source).await;
        unrest::of_the_group(&scene).await;
        unrest::where_a_worker_may_come_back(destination).await;
        unrest::of_a_part_of_a_source(&mut scene).await;
    }
    let mut answers = Answers::new(&scene, &group, [source, destination], &topic);
    answers.are_as_approved(&scene).await;
    losses::of_all_workers(&mut scene, &group).await;
    let situations = &scene.situations;
    assert!(situations.len() >= 20, "{situations:?}");
    for (command, codes) in CODES {
        let of_command = situations.iter().filter(|(of, _)| of == command);
        let ended: BTreeSet<i32> = of_command.map(|(_, code)| *code).collect();
        let specified: BTreeSet<i32> = codes.iter().copied().collect();
        assert_eq!(ended, specified, "{command}");
    }
}

async fn is_well(scene: &mut Scene, destination: &KafkaCluster, topic: &str) {
    scene.comes_to_end("all is well", &["status"], 0).await;
    let gate = ["lag", "watched", "--max-records", "0", "--wait", "60s"];
    scene.ends("all is copied", &gate, 0).await;
    let copied = offsets(&stored(destination, topic)).await;
    assert_eq!(copied, EACH, "the gate opened too early");
    let within = ["--max-seconds", "3600", "--max-bytes", "1MiB"];
    let seconds = [&["lag", "watched"], &within[..]].concat();
    scene.ends("all is copied", &seconds, 0).await;
    let strict = ["lag", "watched", "--max-records=-1"];
    scene.ends("more is there than allowed", &strict, 3).await;
    let idle = ["lag", "watched", "--wait", "1s"];
    scene.ends("nothing to wait for is said", &idle, 2).await;
    let waits = ["lag", "--max-records", "0", "--wait", "1s"];
    for (arguments, code) in [(&["status"][..], 1), (&waits[..3], 1), (&waits[..], 4)] {
        let nobody = [arguments, &["--url", "http://127.0.0.1:1"]].concat();
        let ended = run(&nobody).await;
        scene.counts("no worker answers", arguments, ended, code);
    }
    let unknown = "there is no such link";
    scene.ends(unknown, &["status", "nobody"], 1).await;
    let lag = ["lag", "nobody", "--max-records", "0"];
    scene.ends(unknown, &lag, 1).await;
    let typed = ["status", "--nothing"];
    scene.ends("there is no such option", &typed, 2).await;
}

/// Both sides, compared by a command that asks no worker.
async fn is_compared(
    scene: &mut Scene,
    source: &KafkaCluster,
    destination: &KafkaCluster,
    topic: &str,
) {
    let (from, to) = (bootstrap(source), bootstrap(destination));
    let none = unique("nothing-copies-this");
    new_topic(source, &none, PARTITIONS, &[]).await;
    for (situation, from, topics, code) in [
        ("the copy is right", &*from, topic, 0),
        ("the copy is missing", &from, &none, 3),
        ("the source does not answer", "127.0.0.1:1", topic, 1),
        ("nothing is said to be compared", &from, "", 2),
    ] {
        let mut all = vec!["verify", "--from", from, "--to", &to];
        if !topics.is_empty() {
            all.extend(["--topics", topics]);
        }
        let ended = run(&all).await;
        scene.counts(situation, &["verify"], ended, code);
    }
}

/// Whether a link would be let in, looked at before there is one.
async fn is_let_in(
    scene: &mut Scene,
    source: &KafkaCluster,
    destination: &KafkaCluster,
    topic: &str,
) {
    let (from, to) = (bootstrap(source), bootstrap(destination));
    let folder = tempfile::tempdir().expect("a folder");
    for (situation, from, code) in [
        ("both sides let the link in", &*from, 0),
        ("one side does not answer", "127.0.0.1:1", 3),
        ("there is no such file", "", 2),
    ] {
        let file = folder.path().join(format!("{code}.properties"));
        if !from.is_empty() {
            let text = format!(
                "name=looked\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={from}\n\
                 dest.kafka.bootstrap.servers={to}\ntopic.whitelist={topic}\n"
            );
            std::fs::write(&file, text).expect("written");
        }
        let ended = run(&["preflight", "-f", &file.display().to_string()]).await;
        scene.counts(situation, &["preflight"], ended, code);
    }
}

/// Every query of our board and of foreign ones has an answer, and no alert fires.
async fn is_shown(scene: &Scene) {
    let foreign = mirrored();
    let foreign = foreign.iter().map(String::as_str);
    for query in foreign.chain(STRIMZI.iter().copied()) {
        scene.prometheus.answers(query).await;
    }
    // Only while there is lag.
    let own = queries();
    for query in own.iter().filter(|one| !one.contains("catch_up_seconds")) {
        scene.prometheus.answers(query).await;
    }
    for quiet in [
        "TributaryLinkFailed",
        "TributaryTaskFailed",
        "TributaryWorkerDown",
        "TributaryClusterUnreachable",
    ] {
        assert!(!scene.prometheus.fires(quiet).await, "{quiet}");
    }
}

async fn stands_still(scene: &mut Scene) {
    scene
        .asked(&["pause", "watched", "--wait", "30s"])
        .await
        .ended_with(0);
    scene.comes_to_end("a link is paused", &["status"], 0).await;
    // A lag that nobody measures is no lag of nothing.
    let gate = ["lag", "watched", "--max-records", "0"];
    scene.comes_to_end("lag is not measured", &gate, 3).await;
    let waits = ["lag", "watched", "--max-records", "0", "--wait", "1s"];
    scene.ends("lag is not measured", &waits, 4).await;
    scene
        .asked(&["resume", "watched", "--wait", "30s"])
        .await
        .ended_with(0);
    scene.comes_to_end("it goes on", &["status"], 0).await;
}

/// A link whose source does not answer.
fn reaches_nobody() -> Value {
    json!({
        "connector.class": "ReplicatorSourceConnector",
        "src.kafka.bootstrap.servers": "127.0.0.1:1",
        "topic.whitelist": "nothing",
    })
}

async fn fails(scene: &mut Scene) {
    scene.create("failing", reaches_nobody()).await;
    scene.comes_to_end("a link fails", &["status"], 3).await;
    scene.prometheus.told(&["TributaryLinkFailed"], true).await;
    scene.is_readable("with a link that fails").await;
    scene
        .ends("what fails is explained", &["explain", "failing"], 0)
        .await;
    scene
        .asked(&["delete", "failing", "--yes"])
        .await
        .ended_with(0);
    scene.prometheus.told(&["TributaryLinkFailed"], false).await;
    scene
        .comes_to_end("the link that failed is gone", &["status"], 0)
        .await;
}
