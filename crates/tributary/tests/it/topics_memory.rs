//! What a link remembers from one process to the next: its clusters, and the settings that it made itself. And what it
//! knows of other links.

use std::collections::BTreeMap;

use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::Stream;
use test_support::shared;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::topic_settings;

use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, bootstrap, both_directions, committed, loud, new_topic, pair,
    program, stored, unique, wait_for_offsets,
};
use crate::topics::send;
use crate::topics_settings::{configure, has_settings};

#[tokio::test]
async fn only_settings_that_the_link_made_are_removed_also_after_a_restart_where_that_is_asked_for()
{
    for (from, to) in [(NEW, OLD), (OLD, NEW)] {
        let (source, destination) = pair(from, to).await;
        let (topic, name) = (unique("own"), unique("own-link"));
        let settings = [("retention.bytes", "123456789"), ("segment.ms", "90000000")];
        new_topic(source, &topic, 1, &settings).await;
        let link = Replicate::new(source, destination, &topic)
            .named(&name)
            .with(&["--set", "tributary.topic.config.delete=own"]);
        let run = link.until_caught_up().await;
        run.ended_with(0).quiet();
        // Somebody else's, of a kind that the link follows.
        let theirs = ["--add-config", "segment.jitter.ms=17"];
        configure(destination, &topic, &theirs).await;
        configure(source, &topic, &["--delete-config", "segment.ms"]).await;
        let program = link.start();
        let left = [
            ("message.timestamp.type", "CreateTime"),
            ("retention.bytes", "123456789"),
            ("segment.jitter.ms", "17"),
        ];
        has_settings(destination, &topic, &left, &program).await;
        program.terminate().expect("it runs");
        program.wait(COPIED).await.expect("it ends");

        // Nothing at all is removed.
        let link = link.with(&["--set", "tributary.topic.config.delete=never"]);
        configure(source, &topic, &["--delete-config", "retention.bytes"]).await;
        let change = ["--add-config", "max.message.bytes=3000000"];
        configure(source, &topic, &change).await;
        let program = link.start();
        let both = [&[("max.message.bytes", "3000000")][..], &left].concat();
        has_settings(destination, &topic, &both, &program).await;
        program.terminate().expect("it runs");
    }
}

#[tokio::test]
async fn a_link_whose_addresses_lead_to_another_cluster_than_before_does_not_start() {
    both_directions(moved).await;
}

async fn moved(first: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let second = shared::cluster(NEW, 1).await.expect("another cluster");
    let (topic, name) = (unique("moved"), unique("moved-link"));
    for source in [first, second] {
        new_topic(source, &topic, 1, &[]).await;
        send(source, &topic, 1, 50).await;
    }
    let run = Replicate::new(first, destination, &topic).named(&name);
    run.until_caught_up().await.ended_with(0).quiet();
    let run = Replicate::new(second, destination, &topic).named(&name);
    let run = run.until_caught_up().await.ended_with(1);
    for words in [
        "source: the cluster behind the bootstrap servers changed",
        first.cluster_id(),
        second.cluster_id(),
        "give the link another name",
    ] {
        assert!(run.error.contains(words), "{words}: {run}");
    }
    let copied = judge::watermarks(&stored(destination, &topic)).await;
    assert_eq!(copied.expect("readable")[&0].end, 50, "nothing was copied");
    let run = Replicate::new(first, destination, &topic).named(&name);
    run.until_caught_up().await.ended_with(0).quiet();
}

/// A worker with links in one process, positions in a file.
struct Worker {
    folder: tempfile::TempDir,
    files: Vec<String>,
}

impl Worker {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut worker = Self {
            folder,
            files: Vec::new(),
        };
        let positions = worker.folder.path().join("positions").display().to_string();
        worker.add(
            "worker",
            &format!("offset.storage.file.filename={positions}\n"),
        );
        worker
    }

    fn add(&mut self, name: &str, text: &str) {
        let file = self.folder.path().join(name).display().to_string();
        std::fs::write(&file, text).expect("written");
        self.files.push(file);
    }

    fn link(&mut self, name: &str, from: &KafkaCluster, to: &KafkaCluster, settings: &str) {
        let (from, to) = (bootstrap(from), bootstrap(to));
        let text = format!(
            "name={name}\nsrc.kafka.bootstrap.servers={from}\ndest.kafka.bootstrap.servers={to}\n\
             topic.poll.interval.ms=1000\n{settings}"
        );
        self.add(name, &text);
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let mut arguments = vec!["standalone".to_owned()];
        arguments.extend(self.files.iter().cloned());
        arguments.extend(["--progress", "off"].map(str::to_owned));
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        arguments
    }

    fn start(&self) -> TributaryProcess {
        program(&self.arguments(&[]))
    }
}

#[tokio::test]
async fn two_links_into_one_topic_are_both_told_so_and_copy() {
    both_directions(two_links).await;
}

async fn two_links(first: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let second = shared::cluster(NEW, 1).await.expect("another cluster");
    let topic = unique("shared");
    let other = unique("alone");
    for source in [first, second] {
        new_topic(source, &topic, 1, &[]).await;
        send(source, &topic, 1, 50).await;
    }
    new_topic(second, &other, 1, &[]).await;
    let mut worker = Worker::new();
    // Both sources hold the same records: with the source's offsets one link may take the other's copies for its own.
    let offsets = "tributary.offsets=map\n";
    let settings = format!("topic.whitelist={topic},{other}\n{offsets}");
    worker.link(
        "one",
        first,
        destination,
        &format!("topic.whitelist={topic}\n{offsets}"),
    );
    worker.link("two", second, destination, &settings);
    let program = worker.start();
    wait_for_offsets(&stored(destination, &topic), 100).await;
    for (link, others) in [("one", "two"), ("two", "one")] {
        let words = format!("link {link} and link {others} both write to {topic}");
        let line = program.expect_line(&words, COPIED).await;
        let line = line.unwrap_or_else(|error| panic!("{error}"));
        assert!(line.text.contains(" WARN "), "{}", line.text);
    }
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    let log = program.text(Stream::Error);
    assert_eq!(log.matches("both write to").count(), 2, "once each: {log}");
    assert!(!log.contains(&format!("both write to {other}")), "{log}");
}

#[tokio::test]
async fn a_topic_that_is_there_already_with_records_is_used_and_that_is_said() {
    for (from, to) in [(NEW, OLD), (OLD, NEW)] {
        let (source, destination) = pair(from, to).await;
        let topic = unique("used");
        let settings = [
            ("retention.bytes", "1000000000"),
            ("cleanup.policy", "compact"),
        ];
        new_topic(source, &topic, 2, &settings).await;
        new_topic(destination, &topic, 3, &[]).await;
        send(source, &topic, 2, 100).await;
        send(destination, &topic, 3, 30).await;
        let before = judge::watermarks(&stored(destination, &topic)).await;
        let before = before.expect("readable")[&2].end;
        let link = Replicate::new(source, destination, &topic)
            .with(&["--set", "config.properties.exclude=cleanup\\.policy"]);
        let run = link.until_caught_up().await.ended_with(0);
        let said = loud(&run.error);
        let about = |text: &str| said.iter().filter(|line| line.contains(text)).count();
        assert_eq!(about("existing data not written by this link"), 2, "{run}");
        assert_eq!(about("state=destination-larger"), 1, "{run}");
        // It keeps its own policy, as that is excluded, and keeps records that the source does not.
        assert_eq!(about("state=cleanup-differs"), 1, "{run}");
        let ends = judge::watermarks(&stored(destination, &topic)).await;
        let ends: BTreeMap<i32, i64> = ends
            .expect("readable")
            .into_iter()
            .map(|(partition, marks)| (partition, marks.end))
            .collect();
        assert_eq!(ends.values().sum::<i64>(), 130, "{ends:?}");
        assert_eq!(
            ends[&2], before,
            "nothing is copied into what the source has not"
        );
        let settings = topic_settings(&destination.bootstrap(), &topic).await;
        let settings = settings.expect("readable");
        assert_eq!(settings["retention.bytes"], "1000000000", "it is followed");
        assert!(!settings.contains_key("cleanup.policy"), "{settings:?}");
    }
}

/// Replicator's public example, with addresses of this machine.
const REPLICATOR: &str = r#"{"name":"replicate-europe-to-us","config":{
 "connector.class":"io.confluent.connect.replicator.ReplicatorSourceConnector",
 "key.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "value.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "header.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "src.consumer.group.id":"replicate-europe-to-us",
 "src.kafka.bootstrap.servers":"broker-europe:9092","dest.kafka.bootstrap.servers":"broker-us:9092",
 "confluent.topic.replication.factor":1,"provenance.header.enable":true,
 "topic.whitelist":"sales_EUROPE","topic.rename.format":"${topic}","tasks.max":"1"}}"#;

#[tokio::test]
async fn replicators_public_example_copies_with_nothing_changed_but_the_addresses() {
    for (from, to) in [(OLD, NEW), (NEW, OLD)] {
        let (source, destination) = pair(from, to).await;
        let topic = unique("sales_EUROPE");
        new_topic(source, &topic, 3, &[]).await;
        send(source, &topic, 3, 200).await;
        let mut worker = Worker::new();
        let text = REPLICATOR
            .replace("broker-europe:9092", &bootstrap(source))
            .replace("broker-us:9092", &bootstrap(destination))
            .replace("sales_EUROPE", &topic);
        worker.add("replicator.json", &text);
        let ends = ["--until-caught-up", "--hold", "1s"];
        let run = Run::to_end(&program(&worker.arguments(&ends))).await;
        let run = run.ended_with(0);
        let read = async |place| judge::read_all(&place, COPIED).await.expect("readable");
        let there = read(committed(source, &topic)).await;
        let mut here = read(stored(destination, &topic)).await;
        // The example asks for it: each record tells where it came from, behind what it brings.
        for record in here.values_mut().flatten() {
            let (name, _) = record.headers.pop().expect("a header");
            assert_eq!(name, "tributary-provenance");
        }
        let verdict = judge::compare(&there, &here);
        assert!(verdict.is_equal(), "{verdict}\n{run}");
    }
}
