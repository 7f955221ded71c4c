//! What destinations answer when topics are to be changed, besides yes and no: later, perhaps, not here, not at all.
//!
//! Answers that no broker gives on demand are written into real ones by a proxy: the broker has done what it was asked
//! for, and says something else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use test_support::eventually::{eventually, eventually_true};
use test_support::fault_proxy::{Direction, FrameAction, FrameRule, RuleHandle};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::KafkaVersion;
use test_support::managed_process::Stream;
use test_support::tools::{self, KafkaTools};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{create_partitions, topic_settings, topics};
use test_support::{judge, shared};
use tokio::sync::{Mutex, MutexGuard};

use crate::support::{
    COPIED, NEW, OLD, PROXIES, Replicate, asked_again, committed, compared, loud, new_topic,
    stored, unique, wait_for_offsets,
};
use crate::topics::{described, send};
use crate::topics_settings::{configure, has_settings};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const ALTER_CONFIGS: i16 = 33;
const CREATE_PARTITIONS: i16 = 37;
const INCREMENTAL_ALTER_CONFIGS: i16 = 44;

const REQUEST_TIMED_OUT: i16 = 7;
const UNKNOWN_TOPIC: i16 = 3;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_CONFIG: i16 = 40;
const NOT_CONTROLLER: i16 = 41;
const POLICY_VIOLATION: i16 = 44;

/// A destination of each version behind proxies, for one test at a time.
async fn destinations() -> MutexGuard<'static, Option<[KafkaCluster; 2]>> {
    static CLUSTERS: Mutex<Option<[KafkaCluster; 2]>> = Mutex::const_new(None);
    let mut clusters = CLUSTERS.lock().await;
    if clusters.is_none() {
        let builder = |version: KafkaVersion| {
            let builder = KafkaCluster::builder().name("answers").version(version);
            builder.through_proxy(true)
        };
        let starting = ClusterBuilder::start_all([builder(OLD), builder(NEW)]);
        let started = PROXIES.spawn(starting).await;
        *clusters = Some(
            started
                .expect("starting does not panic")
                .expect("two clusters"),
        );
    }
    for cluster in clusters.iter().flatten() {
        cluster.proxy(0).heal().await;
    }
    clusters
}

/// A link that runs and has copied a first topic, so that its own topic exists.
struct Running {
    source: &'static KafkaCluster,
    prefix: String,
    program: TributaryProcess,
}

impl Running {
    async fn to(destination: &KafkaCluster, more: &[&str]) -> Self {
        let source = shared::cluster(NEW, 0).await.expect("a source");
        let prefix = unique("answers");
        let first = format!("{prefix}.first");
        new_topic(source, &first, 1, &[]).await;
        send(source, &first, 1, 20).await;
        let program = Replicate::new(source, destination, &format!("{prefix}\\..*"))
            .with(more)
            .start();
        let running = Self {
            source,
            prefix,
            program,
        };
        running.complete(destination, &first).await;
        running
    }

    fn name(&self, end: &str) -> String {
        format!("{}.{end}", self.prefix)
    }

    async fn new_topic(&self, end: &str, partitions: i32) -> String {
        let topic = self.name(end);
        new_topic(self.source, &topic, partitions, &[]).await;
        send(self.source, &topic, partitions, 30).await;
        topic
    }

    async fn complete(&self, destination: &KafkaCluster, topic: &str) {
        // A topic that has just been made has no leaders for a moment.
        wait_for_offsets(&stored(destination, topic), 20).await;
        let (from, to) = (committed(self.source, topic), stored(destination, topic));
        judge::wait_until_equal(&from, &to, COPIED)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
    }

    fn log(&self) -> String {
        self.program.text(Stream::Error)
    }

    async fn stop(self) {
        self.program.terminate().expect("it runs");
        self.program.wait(COPIED).await.expect("it ends");
    }
}

/// The place of an error code that stands so far behind a topic's name.
fn code_of(frame: &[u8], topic: &str, behind: usize) -> Option<usize> {
    let name = topic.as_bytes();
    let at = frame.windows(name.len()).position(|part| part == name)?;
    Some(at + name.len() + behind)
}

/// What stands between name and error code in the versions that are spoken here: a topic's id, or nothing.
fn behind(api: i16) -> usize {
    if api == CREATE_TOPICS { 16 } else { 0 }
}

/// Replaces the code of the first answer about `topic`, and counts requests about it.
fn answer_with(
    cluster: &KafkaCluster,
    api: i16,
    topic: &str,
    code: i16,
    message: &'static str,
) -> Arc<AtomicU32> {
    let (name, left) = (topic.to_owned(), AtomicU32::new(1));
    let rule = FrameRule::new(Direction::Answers, api, FrameAction::Pass).times(u32::MAX);
    cluster.proxy(0).on_frame(rule.edit(move |frame| {
        let Some(at) = code_of(frame, &name, behind(api)) else {
            return;
        };
        if left.swap(0, Ordering::Relaxed) == 1 {
            assert_eq!(frame[at..at + 3], [0, 0, 0], "done, without a message");
            frame[at..at + 2].copy_from_slice(&code.to_be_bytes());
            let length = u8::try_from(message.len() + 1).expect("short");
            let text = [&[length], message.as_bytes()].concat();
            frame.splice(at + 2..at + 3, text);
        }
    }));
    let (name, count) = (topic.to_owned(), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&count);
    let rule = FrameRule::new(Direction::Requests, api, FrameAction::Pass).times(u32::MAX);
    cluster.proxy(0).on_frame(rule.edit(move |frame| {
        if code_of(frame, &name, 0).is_some() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }));
    count
}

#[tokio::test]
async fn a_creation_whose_outcome_is_unknown_is_looked_at_and_not_repeated() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let running = Running::to(destination, &[]).await;
        for (end, code) in [("timeout", REQUEST_TIMED_OUT), ("moved", NOT_CONTROLLER)] {
            let topic = running.name(end);
            let asked = answer_with(destination, CREATE_TOPICS, &topic, code, "");
            running.new_topic(end, 2).await;
            running.complete(destination, &topic).await;
            assert_eq!(asked.load(Ordering::Relaxed), 1, "{}", running.log());
            assert_eq!(described(destination, &topic).await.partitions, "2");
            destination.proxy(0).heal().await;
        }
        // The answer is lost together with its connection.
        let rule = FrameRule::new(Direction::Answers, CREATE_TOPICS, FrameAction::Cut);
        let mut cut = destination.proxy(0).on_frame(rule);
        let topic = running.new_topic("lost", 2).await;
        assert!(cut.wait(1, COPIED).await);
        running.complete(destination, &topic).await;
        assert_eq!(
            loud(&running.log()),
            Vec::<&str>::new(),
            "nobody is alarmed"
        );
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

#[tokio::test]
async fn a_creation_that_a_policy_refuses_is_said_in_the_brokers_words_and_tried_again_later() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let running = Running::to(destination, &["--set", "topic.create.backoff.ms=1000"]).await;
        let topic = running.name("forbidden");
        let words = "names need an owner";
        answer_with(destination, CREATE_TOPICS, &topic, POLICY_VIOLATION, words);
        running.new_topic("forbidden", 1).await;
        let line = running.program.expect_line(words, COPIED).await;
        let line = line.unwrap_or_else(|error| panic!("{error}\n{}", running.log()));
        assert!(line.text.contains("state=create-failed"), "{}", line.text);
        assert!(line.text.contains("POLICY_VIOLATION"), "{}", line.text);
        // It was made in truth, as if by somebody else meanwhile: it is used.
        running.complete(destination, &topic).await;
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

#[tokio::test]
async fn a_topic_whose_cleanup_policy_is_refused_is_not_made_with_another_one() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let running = Running::to(destination, &[]).await;
        let topic = running.name("compacted");
        let name = topic.clone();
        let rule = FrameRule::new(Direction::Answers, CREATE_TOPICS, FrameAction::Pass);
        let answers = destination
            .proxy(0)
            .on_frame(rule.times(u32::MAX).edit(move |frame| {
                if let Some(at) = code_of(frame, &name, behind(CREATE_TOPICS)) {
                    frame[at..at + 2].copy_from_slice(&INVALID_CONFIG.to_be_bytes());
                }
            }));
        let settings = [
            ("cleanup.policy", "compact"),
            ("retention.bytes", "123456789"),
        ];
        new_topic(running.source, &topic, 1, &settings).await;
        send(running.source, &topic, 1, 30).await;
        let line = running
            .program
            .expect_line("state=create-failed", COPIED)
            .await;
        let line = line.unwrap_or_else(|error| panic!("{error}\n{}", running.log()));
        assert!(line.text.contains("INVALID_CONFIG"), "{}", line.text);
        // The request itself, and one for each setting until the one that cannot be left out.
        assert!(answers.hits() >= 2, "{}", running.log());
        let left_out = "refuses the setting cleanup.policy";
        assert!(!running.log().contains(left_out), "{}", running.log());
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

#[tokio::test]
async fn a_setting_that_a_broker_of_either_version_refuses_is_left_out_until_its_value_changes() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let interval = "topic.config.sync.interval.ms=1000";
        let running = Running::to(destination, &["--set", interval]).await;
        // The broker is asked for less than nothing instead, and refuses that in its own words.
        for api in [CREATE_TOPICS, INCREMENTAL_ALTER_CONFIGS] {
            let rule = FrameRule::new(Direction::Requests, api, FrameAction::Pass);
            let rule = rule.times(u32::MAX).edit(|frame| {
                let refused = b"7654321";
                if let Some(at) = frame
                    .windows(refused.len())
                    .position(|part| part == refused)
                {
                    frame[at] = b'-';
                }
            });
            destination.proxy(0).on_frame(rule);
        }
        let topic = running.name("jitter");
        let settings = [
            ("segment.jitter.ms", "7654321"),
            ("retention.bytes", "123456789"),
        ];
        new_topic(running.source, &topic, 1, &settings).await;
        send(running.source, &topic, 1, 30).await;
        running.complete(destination, &topic).await;
        let refused = "the destination refuses the setting segment.jitter.ms=7654321";
        let line = running.program.expect_line(refused, COPIED).await;
        line.unwrap_or_else(|error| panic!("{error}\n{}", running.log()));
        let pinned = ("message.timestamp.type", "CreateTime");
        let left = [pinned, settings[1]];
        has_settings(destination, &topic, &left, &running.program).await;
        // Another value is asked for again; what was refused held nothing else up.
        let change = [
            "--add-config",
            "segment.jitter.ms=17,retention.bytes=222222222",
        ];
        configure(running.source, &topic, &change).await;
        let followed = [
            pinned,
            ("retention.bytes", "222222222"),
            ("segment.jitter.ms", "17"),
        ];
        has_settings(destination, &topic, &followed, &running.program).await;
        assert_eq!(running.log().matches(refused).count(), 1, "said once");
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

#[tokio::test]
async fn a_growth_that_somebody_else_was_faster_with_is_looked_at_again() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let running = Running::to(destination, &[]).await;
        let topic = running.new_topic("grown", 1).await;
        running.complete(destination, &topic).await;
        let asked = answer_with(
            destination,
            CREATE_PARTITIONS,
            &topic,
            INVALID_PARTITIONS,
            "",
        );
        create_partitions(&running.source.bootstrap(), &topic, 4)
            .await
            .expect("grown");
        send(running.source, &topic, 4, 60).await;
        running.complete(destination, &topic).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{}", running.log());
        assert_eq!(loud(&running.log()), Vec::<&str>::new());
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

/// Limits how fast a client may change topics, with Kafka's own tool.
async fn quota(cluster: &KafkaCluster, client: &str, rate: u32) {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let (bootstrap, rate) = (
        cluster.bootstrap(),
        format!("controller_mutation_rate={rate}"),
    );
    let arguments = ["--bootstrap-server", &bootstrap, "--alter", "--add-config"];
    let whom = ["--entity-type", "clients", "--entity-name", client];
    let arguments = [&arguments[..], &[&rate], &whom].concat();
    let done = kafka.run(tools::CONFIG_COMMAND, &arguments).await;
    done.expect("limited");
}

#[tokio::test]
async fn a_quota_of_the_destination_is_waited_for_and_is_no_alarm() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let client = unique("slowed");
        quota(destination, &client, 1).await;
        let client = format!("client.id={client}");
        let few = "offset.storage.partitions=1";
        let running = Running::to(destination, &["--to-set", &client, "--override", few]).await;
        let rule = FrameRule::new(Direction::Requests, CREATE_TOPICS, FrameAction::Pass);
        let asked = destination.proxy(0).on_frame(rule.times(u32::MAX));
        // Eleven changes are free; each partition is one, and then one a second.
        let ends = ["a", "b", "c"];
        for end in ends {
            running.new_topic(end, 10).await;
        }
        for end in ends {
            running.complete(destination, &running.name(end)).await;
        }
        println!("{} requests under a quota", asked.hits());
        // Without waiting it would be four a second, for more than ten seconds.
        assert!(asked.hits() <= 9, "{}: {}", asked.hits(), running.log());
        assert_eq!(loud(&running.log()), Vec::<&str>::new());
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

/// Requests that change settings.
fn changes(cluster: &KafkaCluster) -> [u64; 2] {
    let traffic = cluster.proxy(0).traffic();
    [ALTER_CONFIGS, INCREMENTAL_ALTER_CONFIGS].map(|api| traffic.requests(api))
}

/// Takes an API out of an answer about versions.
fn hide_api(frame: &mut [u8], api: i16) {
    // Correlation id, error code, number of APIs, then key, lowest and highest version, and no tags of each.
    let first = 4 + 2 + 1;
    let entry = frame
        .get_mut(first..)
        .into_iter()
        .flat_map(|rest| rest.chunks_exact_mut(7))
        .find(|entry| entry[..2] == api.to_be_bytes());
    if let Some(entry) = entry {
        entry[..2].copy_from_slice(&9_999_i16.to_be_bytes());
    }
}

#[tokio::test]
async fn a_destination_that_cannot_change_single_settings_gets_the_records_all_the_same() {
    let clusters = destinations().await;
    for destination in clusters.iter().flatten() {
        let before = changes(destination);
        let rule = FrameRule::new(Direction::Answers, API_VERSIONS, FrameAction::Pass);
        let rule = rule.times(u32::MAX);
        let rule = rule.edit(|frame| hide_api(frame, INCREMENTAL_ALTER_CONFIGS));
        destination.proxy(0).on_frame(rule);
        let source = shared::cluster(NEW, 0).await.expect("a source");
        let prefix = unique("fixed");
        let names = ["a", "b"].map(|end| format!("{prefix}.{end}"));
        for topic in &names {
            new_topic(source, topic, 1, &[("retention.bytes", "123456789")]).await;
            new_topic(destination, topic, 1, &[]).await;
            send(source, topic, 1, 30).await;
        }
        let program = Replicate::new(source, destination, &format!("{prefix}\\..*")).start();
        let running = Running {
            source,
            prefix,
            program,
        };
        for topic in &names {
            running.complete(destination, topic).await;
        }
        let sentence = "settings of copies are not followed";
        running
            .program
            .expect_line(sentence, COPIED)
            .await
            .expect("said");
        // It must not be said or tried again in the next intervals: topics are looked at every two seconds, settings every five.
        asked_again(destination, METADATA, 7).await;
        let log = running.log();
        let said: Vec<&str> = log.lines().filter(|line| line.contains(sentence)).collect();
        assert_eq!(said.len(), 1, "{log}");
        assert!(said[0].contains(" ERROR "), "{}", said[0]);
        assert_eq!(changes(destination), before);
        let settings = topic_settings(&destination.bootstrap(), &names[0]).await;
        assert!(settings.expect("readable").is_empty());
        running.stop().await;
        destination.proxy(0).heal().await;
    }
}

#[tokio::test]
async fn topics_are_made_and_grown_while_one_broker_after_the_other_is_killed() {
    // One of the three is the controller.
    let destination = KafkaCluster::builder().name("changing").nodes(3);
    let destination = destination.version(OLD).start();
    let (destination, source) = tokio::join!(destination, shared::cluster(NEW, 0));
    let (destination, source) = (destination.expect("three brokers"), source.expect("one"));
    let prefix = unique("changing");
    let grown = format!("{prefix}.grown");
    new_topic(source, &grown, 1, &[]).await;
    let program = Replicate::new(source, &destination, &format!("{prefix}\\..*"))
        .with(&["--override", "offset.storage.replication.factor=3"])
        .start();
    let log = || program.lines().tail(80);
    let mut expected = BTreeSet::from([(grown.clone(), 1)]);
    for node in 0..3 {
        destination.node(node).kill();
        let new = format!("{prefix}.new-{node}");
        new_topic(source, &new, 2, &[]).await;
        let count = node + 2;
        create_partitions(&source.bootstrap(), &grown, count)
            .await
            .expect("grown");
        expected.retain(|(name, _)| *name != grown);
        expected.extend([(new, 2), (grown.clone(), count)]);
        let living = destination.node((node + 1) % 3).address().to_string();
        eventually("the copies", COPIED, async || {
            let there = topics(&living).await.map_err(|error| error.to_string())?;
            let there: BTreeSet<_> = there
                .into_iter()
                .filter(|(name, _)| name.starts_with(&prefix))
                .collect();
            if there == expected {
                Ok(())
            } else {
                Err(format!("{there:?}"))
            }
        })
        .await
        .unwrap_or_else(|error| panic!("node {node}: {error}\n{}", log()));
        destination.node(node).start().await.expect("again");
        eventually_true("a cluster of three", COPIED, async || {
            topics(&destination.node(node).address().to_string())
                .await
                .is_ok_and(|there| there.contains_key(&grown))
        })
        .await
        .expect("it is back");
    }
    program.terminate().expect("it runs");
}

/// The code of a topic stands in front of its name, which has a byte for its length.
fn unknown_in(frame: &mut [u8], topic: &str) {
    let name = topic.as_bytes();
    let places = 3..frame.len().saturating_sub(name.len());
    let found = places.filter(|&at| frame[at..].starts_with(name));
    for at in found.collect::<Vec<_>>() {
        frame[at - 3..at - 1].copy_from_slice(&UNKNOWN_TOPIC.to_be_bytes());
    }
}

#[tokio::test]
async fn answers_that_do_not_know_a_topic_for_a_moment_are_no_proof_that_it_was_deleted() {
    let clusters = destinations().await;
    let [old, new] = clusters.as_ref().expect("two clusters");
    tokio::join!(for_a_moment(old, new), for_a_moment(new, old));
    for cluster in [old, new] {
        cluster.proxy(0).heal().await;
    }
}

async fn for_a_moment(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("for-a-moment");
    new_topic(source, &topic, 1, &[]).await;
    send(source, &topic, 1, 20).await;
    let program = Replicate::new(source, destination, &topic).start();
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, 20).await;
    for side in [source, destination] {
        let name = topic.clone();
        let rule = FrameRule::new(Direction::Answers, METADATA, FrameAction::Pass);
        let rule = rule.containing(topic.as_str()).times(4);
        let rule = rule.edit(move |frame| unknown_in(frame, &name));
        let mut stale = side.proxy(0).on_frame(rule);
        assert!(stale.wait(2, COPIED).await, "looked at more than once");
        send(source, &topic, 1, 20).await;
    }
    wait_for_offsets(&copy, 60).await;
    judge::wait_until_equal(&committed(source, &topic), &copy, COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.text(Stream::Error)));
    let log = program.text(Stream::Error);
    for state in ["source-deleted", "destination-deleted", "recreated"] {
        assert!(!log.contains(state), "{log}");
    }
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
}

/// Takes the cluster's id out of every answer that has it, as brokers without one leave it out.
fn without_id(cluster: &KafkaCluster) -> RuleHandle {
    let id = cluster.cluster_id().as_bytes();
    let length = u8::try_from(id.len() + 1).expect("short");
    let text = [&[length], id].concat();
    let rule = FrameRule::new(Direction::Answers, METADATA, FrameAction::Pass).times(u32::MAX);
    cluster.proxy(0).on_frame(rule.edit(move |frame| {
        let place = frame
            .windows(text.len())
            .position(|part| part == text.as_slice());
        if let Some(at) = place {
            frame.splice(at..at + text.len(), [0]);
        }
    }))
}

#[tokio::test]
async fn clusters_without_ids_are_told_apart_by_their_brokers() {
    let clusters = destinations().await;
    let [old, new] = clusters.as_ref().expect("two clusters");
    let ids = [old, new].map(without_id);
    tokio::join!(brokers_tell(old, new), brokers_tell(new, old));
    assert!(ids.iter().all(|rule| rule.hits() > 2));
    for cluster in [old, new] {
        cluster.proxy(0).heal().await;
    }
}

async fn brokers_tell(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("without-ids");
    new_topic(source, &topic, 1, &[]).await;
    send(source, &topic, 1, 20).await;
    let run = Replicate::new(source, source, &topic);
    let run = run.until_caught_up().await.ended_with(1);
    assert!(run.error.contains("same cluster (id unknown)"), "{run}");
    let run = Replicate::new(source, destination, &topic);
    run.until_caught_up().await.ended_with(0).quiet();
    let verdict = compared(&committed(source, &topic), &stored(destination, &topic)).await;
    assert!(verdict.is_equal(), "{verdict}");
}
