//! Whatever a link depends on hangs, one thing after the other: that is shown with side, broker and last error, requests are
//! answered meanwhile, and the copying goes on by itself when it is back.
//!
//! The short form takes two of the faults, with limits of the worker turned down; `TRIBUTARY_TEST_MINUTES` asks for all of
//! them, with the limits that everybody gets.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::eventually::{eventually, eventually_true};
use test_support::fault_proxy::Direction;
use test_support::judge::{self, Place};
use test_support::limits::{self, DETECT, RECOVER, STOP};
use test_support::workload::{Codec, Generator, Load, Shape};
use tokio::time::Instant;

use crate::connect_worker::{Worker, expect};
use crate::fault_states::becomes;
use crate::group::{Group, link};
use crate::offsets::delete_before;
use crate::support::{
    COPIED, Replicate, Run, Shaken, bootstrap, committed, compared, moves_on, new_topic, offsets,
    program, shaken, stored, unique, wait_for_offsets,
};

const SEED: u64 = 14_072;
const PER_SECOND: u32 = 100;
/// How soon any request is answered, whatever hangs.
const ANSWERS: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Source,
    Destination,
}

/// What happens to the brokers of a side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// Connections end, and new ones are refused.
    Cut,
    /// Connections stay, and nothing comes back.
    HalfOpen,
    /// The process is stopped: leader, coordinator and controller.
    Suspended,
}

async fn begin(pair: &Shaken, side: Side, fault: Fault) {
    let cluster = match side {
        Side::Source => &pair.source,
        Side::Destination => &pair.destination,
    };
    match fault {
        Fault::Cut => cluster.proxy(0).cut().await,
        Fault::HalfOpen => {
            cluster.proxy(0).half_open().await;
            cluster.proxy(0).stall(Direction::Requests);
        }
        Fault::Suspended => cluster.node(0).suspend().expect("it runs"),
    }
}

async fn end(pair: &Shaken, side: Side, fault: Fault) {
    let cluster = match side {
        Side::Source => &pair.source,
        Side::Destination => &pair.destination,
    };
    match fault {
        Fault::Cut | Fault::HalfOpen => cluster.proxy(0).heal().await,
        Fault::Suspended => cluster.node(0).resume().expect("it is there"),
    }
}

/// A worker with one link.
struct Watched<'a> {
    pair: &'a Shaken,
    worker: Worker,
    link: String,
    topic: String,
    copy: Place,
    detect: Duration,
}

impl<'a> Watched<'a> {
    /// Starts it and waits until it is healthy.
    async fn start(pair: &'a Shaken, name: &str, limit: Duration) -> Self {
        let topic = unique(name);
        new_topic(&pair.source, &topic, 4, &[]).await;
        let link = unique("hangs");
        let stall = limit.as_millis();
        let lines = format!(
            "bootstrap.servers={}\ntributary.health.evidence.max.age.ms={stall}",
            bootstrap(&pair.destination)
        );
        let file = format!(
            "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
             topic.regex={topic}.*\ntopic.poll.interval.ms=5000\ntributary.health.stall.ms={stall}\n",
            bootstrap(&pair.source)
        );
        let worker = Worker::tributary(&lines, &[&file]).await;
        let copy = stored(&pair.destination, &topic);
        let watched = Self {
            pair,
            worker,
            link,
            topic,
            copy,
            // One reading and one evaluation later; a request may be on its way for five seconds.
            detect: limit + (DETECT - Duration::from_secs(20)),
        };
        watched.healthy(COPIED).await;
        watched
    }

    /// What the command says of everything, and its exit code.
    async fn status(&self) -> (i32, String) {
        let address = self.worker.client.address.clone();
        let arguments = ["status", "--worker", &address].map(str::to_owned);
        let run = Run::to_end(&program(&arguments)).await;
        (run.code(), run.output)
    }

    async fn health(&self) -> Value {
        let path = format!("/api/v1/links/{}/health", self.link);
        self.worker.client.get(&path).await.json()
    }

    /// Waits until it is healthy; returns how long that took.
    async fn healthy(&self, limit: Duration) -> Duration {
        let begin = Instant::now();
        let well = eventually("a healthy link", limit, async || {
            match self.status().await {
                (0, _) => Ok(()),
                (_, text) => Err(text),
            }
        });
        well.await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
        begin.elapsed()
    }

    /// Waits until status, exit code and metric say that it is not well, with side, broker and error.
    async fn is_shown(&self, side: Side, what: &str) -> Duration {
        let begin = Instant::now();
        let name = format!("{side:?}").to_lowercase();
        let broker = match side {
            Side::Source => self.pair.source.proxied_bootstrap(),
            Side::Destination => self.pair.destination.proxied_bootstrap(),
        };
        let shown = eventually(what, self.detect, async || {
            let (code, text) = self.status().await;
            let says = |part: &str| text.contains(part);
            match code == 3 && says(&format!("{name}: ")) && says(&broker) {
                true => Ok(()),
                false => Err(format!("code {code}, broker {broker}: {text}")),
            }
        });
        if let Err(error) = shown.await {
            let health = self.health().await;
            panic!("{what}: {error}\n{health:#}\n{}", self.worker.log());
        }
        let took = begin.elapsed();
        let page = self.worker.client.get("/metrics").await.body;
        let healthy = format!("link=\"{}\"", self.link);
        let line = page.lines().find(|line| {
            line.starts_with("tributary_link_health{")
                && line.contains(&healthy)
                && line.contains("health=\"healthy\"")
        });
        assert!(line.is_some_and(|line| line.ends_with(" 0")), "{line:?}");
        took
    }

    /// Every request is answered soon.
    async fn answers(&self) -> Duration {
        let mut longest = Duration::ZERO;
        for path in [
            "/connectors".to_owned(),
            format!("/connectors/{}/status", self.link),
            "/api/v1/overview".to_owned(),
            format!("/api/v1/links/{}/partitions", self.link),
            format!("/api/v1/links/{}/health", self.link),
            "/metrics".to_owned(),
            "/health".to_owned(),
        ] {
            let begin = Instant::now();
            self.worker.client.get(&path).await;
            longest = longest.max(begin.elapsed());
        }
        assert!(longest < ANSWERS, "{longest:?}");
        longest
    }

    /// More is copied than now; returns how long that took.
    async fn progress(&self, what: &str) -> Duration {
        let begin = Instant::now();
        // A broker that was suspended a moment ago may not answer yet.
        let answers = async || judge::watermarks(&self.copy).await.map(drop);
        eventually(what, RECOVER, answers)
            .await
            .expect("it answers");
        let now = offsets(&self.copy).await;
        let more = async || offsets(&self.copy).await > now;
        let waited = eventually_true(what, 3 * RECOVER, more).await;
        if let Err(error) = waited {
            panic!("{error}\n{}", self.worker.log());
        }
        begin.elapsed()
    }

    async fn goes_through(&self, side: Side, fault: Fault, idle: bool, lasts: Duration) {
        let what = format!(
            "{side:?} {fault:?}, {}",
            if idle { "idle" } else { "under load" }
        );
        let load = Load::new(self.pair.source.bootstrap(), &self.topic).codec(Codec::Lz4);
        let records = Generator::new(Shape::uniform(SEED, 4, 300));
        let load = (!idle).then(|| load.start(records, PER_SECOND));
        if load.is_some() {
            self.progress("the load").await;
        }
        let began = Instant::now();
        begin(self.pair, side, fault).await;
        let detected = self.is_shown(side, &what).await;
        let answered = self.answers().await;
        // sleeps because the outage is the test.
        tokio::time::sleep_until(began + lasts).await;
        end(self.pair, side, fault).await;
        let progress = match &load {
            Some(_) => format!(", progress after {:?}", self.progress(&what).await),
            None => String::new(),
        };
        let well = self.healthy(COPIED).await;
        println!(
            "{what}: shown after {detected:?} (limit {:?}), answers within {answered:?}{progress} \
             (limit {RECOVER:?}), healthy {well:?} later",
            self.detect
        );
        if let Some(load) = load {
            load.stop().await.expect("all are acknowledged");
        }
    }

    /// A configuration that leads around what hangs is accepted while it hangs, and takes effect.
    async fn is_led_around(&self, side: Side) {
        let path = format!("/connectors/{}/config", self.link);
        let client = &self.worker.client;
        let mut config = client.get(&path).await.json();
        let before = config.clone();
        begin(self.pair, side, Fault::HalfOpen).await;
        // sleeps because connections have to hang when the new configuration comes.
        tokio::time::sleep(Duration::from_secs(3)).await;
        config["src.kafka.bootstrap.servers"] = json!(self.pair.source.bootstrap());
        let asked = Instant::now();
        expect(client.put(&path, Some(&config.to_string())).await, 200);
        let accepted = asked.elapsed();
        assert!(accepted < ANSWERS, "{accepted:?}");
        let load = Load::new(self.pair.source.bootstrap(), &self.topic);
        let records = Generator::new(Shape::uniform(SEED, 4, 300)).take(100);
        load.send(records).await.expect("acknowledged");
        let sent = Instant::now();
        let from = committed(&self.pair.source, &self.topic);
        wait_for_offsets(&self.copy, offsets(&from).await).await;
        let copied = sent.elapsed();
        println!(
            "a configuration was accepted after {accepted:?} and took effect after {copied:?}"
        );
        end(self.pair, side, Fault::HalfOpen).await;
        expect(client.put(&path, Some(&before.to_string())).await, 200);
        self.healthy(COPIED).await;
    }

    /// Records that are deleted at the source while it hangs are named, counted, and left out by command.
    async fn names_a_gap(&self) {
        let topic = format!("{}.gap", self.topic);
        let (source, copy) = (&self.pair.source, stored(&self.pair.destination, &topic));
        new_topic(source, &topic, 2, &[]).await;
        let fill = async || {
            let load = Load::new(source.bootstrap(), &topic);
            let records = Generator::new(Shape::uniform(SEED, 2, 100)).take(60);
            load.send(records).await.expect("acknowledged");
        };
        fill().await;
        wait_for_offsets(&copy, 60).await;
        begin(self.pair, Side::Source, Fault::HalfOpen).await;
        let from = judge::watermarks(&copy).await.expect("readable")[&0].end;
        fill().await;
        let to = from + 20;
        delete_before(source, &topic, 0, to).await;
        end(self.pair, Side::Source, Fault::HalfOpen).await;
        let healed = Instant::now();
        let place = (self.link.as_str(), topic.as_str(), 0);
        let gap = becomes(&self.worker, place, "source-gap", DETECT).await;
        let reason = gap["reason"].as_str().expect("a reason");
        println!(
            "source-gap {:?} after healing, limit {DETECT:?}: {reason}",
            healed.elapsed()
        );
        assert!(
            reason.contains(&format!("20 offsets [{from}, {to})")),
            "{reason}"
        );
        let counted = format!("topic=\"{topic}\",reason=\"deleted\"}} 20");
        let page = self.worker.client.get("/metrics").await.body;
        let lost = page.lines().find(|line| {
            line.starts_with("tributary_records_lost_total{") && line.contains(&counted)
        });
        assert!(lost.is_some(), "{page}");
        let path = format!(
            "/api/v1/links/{}/topics/{topic}/partitions/0:resume",
            self.link
        );
        let body = json!({"action": "continue", "expected_offset": from}).to_string();
        let answer = self.worker.client.post(&path, Some(&body)).await;
        assert!(answer.status < 300, "{answer:?}");
        becomes(&self.worker, place, "active", DETECT).await;
        self.healthy(COPIED).await;
        let checks = self.health().await["checks"].clone();
        let gaps = checks
            .as_array()
            .and_then(|all| all.iter().find(|one| one["check"] == "gaps"));
        let gaps = gaps.expect("a check");
        assert_eq!(gaps["verdict"], "WARN", "it stays visible: {gaps}");
        println!("{}", gaps["evidence"]);
    }

    async fn ends_equal(self) {
        let from = committed(&self.pair.source, &self.topic);
        let produced = offsets(&from).await;
        wait_for_offsets(&self.copy, produced).await;
        let verdict = compared(&from, &self.copy).await;
        assert!(
            verdict.is_equal(),
            "seed {SEED}: {verdict}\n{}",
            self.worker.log()
        );
        assert!(
            self.worker.process().runs().expect("known"),
            "the same process"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_hangs_is_named_requests_are_answered_and_it_goes_on_by_itself() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let long = limits::long_run().is_some();
    let limit = match long {
        true => Duration::from_secs(20),
        false => Duration::from_secs(4),
    };
    let watched = Watched::start(pair, "hung", limit).await;
    let mut faults = vec![
        (Side::Destination, Fault::HalfOpen, true),
        (Side::Source, Fault::Suspended, false),
    ];
    if long {
        for side in [Side::Source, Side::Destination] {
            for fault in [Fault::Cut, Fault::HalfOpen, Fault::Suspended] {
                faults.push((side, fault, false));
            }
        }
        faults.push((Side::Source, Fault::Cut, true));
        faults.push((Side::Destination, Fault::Suspended, true));
    }
    for (number, (side, fault, idle)) in faults.into_iter().enumerate() {
        let lasts = match (long, number) {
            (false, _) => Duration::ZERO,
            (true, 0 | 1) => 3 * DETECT,
            (true, _) => DETECT + RECOVER,
        };
        watched.goes_through(side, fault, idle, lasts).await;
    }
    watched.is_led_around(Side::Source).await;
    watched.names_a_gap().await;
    watched.ends_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_in_bounded_time_although_both_clusters_are_gone() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let topic = unique("gone");
    new_topic(&pair.source, &topic, 4, &[]).await;
    let alone = Replicate::new(&pair.source, &pair.destination, &topic).start();
    let group = Group::new(&pair.destination, "");
    let member = group.member().await;
    let other = unique("gone-too");
    new_topic(&pair.source, &other, 4, &[]).await;
    let body = json!({"name": "gone", "config": link(&pair.source, &other, 2)}).to_string();
    expect(
        member.settled("POST", "/connectors", Some(&body)).await,
        201,
    );
    let load = |topic: &str| {
        let records = Generator::new(Shape::uniform(SEED, 4, 300));
        Load::new(pair.source.bootstrap(), topic).start(records, PER_SECOND)
    };
    let loads = [load(&topic), load(&other)];
    let copies = [&topic, &other].map(|topic| stored(&pair.destination, topic));
    moves_on(&alone, &copies[0]).await;
    moves_on(&member.process, &copies[1]).await;

    for cluster in [&pair.source, &pair.destination] {
        cluster.proxy(0).half_open().await;
        cluster.proxy(0).stall(Direction::Requests);
    }
    // sleeps because requests have to be on their way when the stop comes.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (what, process) in [("replicate", &alone), ("distributed", &member.process)] {
        let begin = Instant::now();
        process.terminate().expect("it runs");
        let ended = process.wait(2 * STOP).await;
        let took = begin.elapsed();
        println!("{what}: gone after {took:?} with both clusters hung, limit {STOP:?}");
        assert!(
            ended.is_ok() && took < STOP,
            "{what}: {took:?}\n{}",
            process.lines().tail(60)
        );
    }
    for cluster in [&pair.source, &pair.destination] {
        cluster.proxy(0).heal().await;
    }
    for load in loads {
        load.stop().await.expect("all are acknowledged");
    }
}
