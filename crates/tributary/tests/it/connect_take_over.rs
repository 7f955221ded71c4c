//! Groups of Kafka Connect, and of Replicator, that are taken over from their topics: what there is is shown first, links
//! go on where connectors stopped, and their keys stay as they are.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::Stream;
use test_support::tools::{CONSOLE_PRODUCER, KafkaTools};
use test_support::workload::{Generator, Load, Shape};

use crate::connect_links::{end, heartbeats, mirrored};
use crate::connect_worker::{SOON, Worker};
use crate::support::{
    NEW, OLD, bootstrap, committed, compared, new_topic, pair, program, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 70_551;
const EACH: usize = 600;
const PARTITIONS: i32 = 3;
const LIMIT: Duration = Duration::from_secs(60);

/// Records without headers: Connect's default converter of headers changes those that are no text.
async fn fill(cluster: &KafkaCluster, topic: &str) {
    Load::new(cluster.bootstrap(), topic)
        .send(Generator::new(Shape::uniform(SEED, PARTITIONS, 200)).take(EACH))
        .await
        .expect("acknowledged");
}

/// `tributary take-over`: its exit code, and what it printed.
async fn shown(cluster: &KafkaCluster, group: &str) -> (Option<i32>, String) {
    let arguments = [
        "take-over",
        "--connect-group",
        group,
        "--bootstrap-server",
        &cluster.bootstrap(),
        "--config-topic",
        &format!("{group}-configs"),
        "--offset-topic",
        &format!("{group}-offsets"),
    ];
    let process = program(&arguments.map(str::to_owned));
    let status = process.wait(LIMIT).await.expect("it ends");
    let text = [Stream::Output, Stream::Error].map(|stream| process.text(stream));
    (status.code(), text.concat())
}

/// Keys of a connector that stand in a topic of offsets.
async fn keys(cluster: &KafkaCluster, topic: &str, connector: &str) -> BTreeSet<String> {
    let records = judge::read_all(&stored(cluster, topic), LIMIT).await;
    let records = records.expect("readable");
    let all = records.values().flatten();
    let keys = all.filter_map(|record| String::from_utf8(record.key.clone()?.to_vec()).ok());
    let own = format!("[\"{connector}\",{{");
    keys.filter(|key| {
        key.starts_with(&own) && key.contains("\"topic\"") && !key.contains("\"runs\"")
    })
    .collect()
}

/// A worker that keeps positions in a topic.
async fn worker(cluster: &KafkaCluster, group: &str, link: &str) -> Worker {
    let text = format!(
        "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\noffset.storage.topic={group}-offsets\n\
         offset.storage.replication.factor=1\noffset.flush.interval.ms=1000\n",
        bootstrap(cluster)
    );
    let folder = tempfile::tempdir().expect("a folder");
    Worker::of_files(folder, &text, &[link]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_kafka_connect_is_shown_and_taken_over_with_its_topics() {
    let (source, destination) = pair(OLD, NEW).await;
    let (topic, group) = (unique("handed"), unique("group"));
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic).await;
    let copy = stored(destination, &format!("A.{topic}"));
    let config = mirrored(source, destination, &topic);
    let body = json!({"name": "handed", "config": config}).to_string();
    let mut other = json!({"name": "lines", "config": heartbeats(source, destination)});
    other["config"]["emit.heartbeats.enabled"] = false.into();
    let connect = Worker::connect_group(NEW, &destination.bootstrap(), &group).await;
    for body in [&body, &other.to_string()] {
        made(&connect, body).await;
    }
    wait_for_offsets(&copy, EACH as i64 / 2).await;
    let (code, text) = shown(destination, &group).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("has 1 members that run: stop them first"),
        "{text}"
    );
    // In mid-copy: there is more than it has copied.
    fill(source, &topic).await;
    let (process, _folder) = connect.into_java();
    end(process.pid(), || {
        process.status().is_ok_and(|status| status.is_some())
    })
    .await;
    fill(source, &topic).await;
    let before = keys(destination, &format!("{group}-offsets"), "handed").await;
    assert_eq!(before.len(), PARTITIONS as usize, "{before:?}");
    let copied = crate::support::offsets(&copy).await;

    let (code, text) = shown(destination, &group).await;
    assert_eq!(code, Some(0), "{text}");
    let row = text.lines().find(|line| line.starts_with("handed "));
    let row = row.unwrap_or_else(|| panic!("{text}"));
    assert!(
        row.contains("MirrorSourceConnector") && row.ends_with("goes on"),
        "{row}"
    );
    for key in &before {
        assert!(text.contains(key), "{text}");
    }

    let worker = worker(destination, &group, &body).await;
    wait_for_offsets(&copy, 3 * EACH as i64).await;
    let verdict = compared(&committed(source, &topic), &copy).await;
    println!("{copied} records were copied by Kafka Connect; {verdict}");
    assert!(verdict.is_equal(), "seed {SEED}: {verdict}");
    worker.process().terminate().expect("it runs");
    let status = worker.process().wait(SOON).await.expect("it ends");
    assert!(status.success(), "{status}");
    let after = keys(destination, &format!("{group}-offsets"), "handed").await;
    assert_eq!(after, before, "the same keys, byte for byte");
}

/// A connector is made as soon as the group takes it: one that has just begun answers 409.
async fn made(connect: &Worker, body: &str) {
    let created = async || match connect.client.post("/connectors", Some(body)).await {
        answer if answer.status == 201 => Ok(()),
        answer => Err(answer),
    };
    eventually("the connector", SOON, created)
        .await
        .expect("made");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_of_kafka_connect_nothing_is_missing_and_what_it_did_not_store_is_there_twice()
{
    let (source, destination) = pair(OLD, NEW).await;
    let (topic, group) = (unique("cut-off"), unique("group"));
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic).await;
    let copy = stored(destination, &format!("A.{topic}"));
    let config = mirrored(source, destination, &topic);
    let body = json!({"name": "cut-off", "config": config}).to_string();
    let connect = Worker::connect_group(NEW, &destination.bootstrap(), &group).await;
    made(&connect, &body).await;
    wait_for_offsets(&copy, EACH as i64).await;
    // In mid-copy, between two storings of offsets.
    let (process, _folder) = connect.into_java();
    for _ in 0..3 {
        fill(source, &topic).await;
    }
    process.kill();
    let copied = crate::support::offsets(&copy).await;
    fill(source, &topic).await;
    let worker = worker(destination, &group, &body).await;
    let from = committed(source, &topic);
    // What is there twice stands behind what came after it the first time.
    let complete = async || match compared(&from, &copy).await {
        verdict if verdict.lost + verdict.changed + verdict.extra == 0 => Ok(verdict),
        verdict => Err(verdict),
    };
    let verdict = eventually("all to be there", LIMIT, complete)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
    println!("{copied} records were copied by Kafka Connect when it was killed; {verdict}");
    assert!(i64::try_from(verdict.duplicate).is_ok_and(|twice| twice <= copied));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_replicator_are_gone_on_with_under_their_keys() {
    let (source, destination) = pair(OLD, NEW).await;
    let (topic, group) = (unique("replicated"), unique("replicator"));
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic).await;
    let offsets = format!("{group}-offsets");
    new_topic(destination, &offsets, 5, &[("cleanup.policy", "compact")]).await;
    // As Replicator writes them: of each partition, with members in its order, which another program may turn round.
    let stood: i64 = 150;
    let lines: Vec<String> = (0..PARTITIONS)
        .map(|number| match number {
            0 => format!("[\"west\",{{\"partition\":0,\"topic\":\"{topic}\"}}]\t{{\"offset\":{stood}}}"),
            _ => format!("[\"west\",{{\"topic\":\"{topic}\",\"partition\":{number}}}]\t{{\"offset\":{stood}}}"),
        })
        .collect();
    let bootstrap_server = destination.bootstrap();
    let arguments = [
        "--bootstrap-server",
        &bootstrap_server,
        "--topic",
        &offsets,
        "--reader-property",
        "parse.key=true",
    ];
    let tools = KafkaTools::for_version(NEW).expect("jars");
    let input = lines.join("\n").into_bytes();
    let written = tools
        .run_with_input(CONSOLE_PRODUCER, &arguments, Some(input))
        .await;
    written.expect("written");
    let before = keys(destination, &offsets, "west").await;
    assert_eq!(before.len(), PARTITIONS as usize, "{before:?}");

    let link = format!(
        "name=west\nconnector.class=io.confluent.connect.replicator.ReplicatorSourceConnector\n\
         src.kafka.bootstrap.servers={}\ndest.kafka.bootstrap.servers={}\ntopic.whitelist={topic}\n\
         dest.topic.replication.factor=1\ntributary.offsets=map\ntasks.max=2\n",
        bootstrap(source),
        bootstrap(destination)
    );
    let worker = worker(destination, &group, &link).await;
    let all = crate::support::offsets(&committed(source, &topic)).await;
    let copy = stored(destination, &topic);
    // The next record of each partition is the one that is named: at most one is there twice, and none is missing.
    let expected = all - i64::from(PARTITIONS) * stood;
    wait_for_offsets(&copy, expected).await;
    let here = judge::read_all(&copy, LIMIT).await.expect("readable");
    let there = judge::read_all(&committed(source, &topic), LIMIT)
        .await
        .expect("readable");
    for (partition, records) in &here {
        let from = usize::try_from(stood).expect("positive");
        let wanted: Vec<_> = there[partition][from..]
            .iter()
            .map(|record| &record.value)
            .collect();
        let found: Vec<_> = records.iter().map(|record| &record.value).collect();
        assert_eq!(found, wanted, "partition {partition}");
    }
    worker.process().terminate().expect("it runs");
    let status = worker.process().wait(SOON).await.expect("it ends");
    assert!(status.success(), "{status}");
    let after = keys(destination, &offsets, "west").await;
    assert_eq!(after, before, "the same keys, byte for byte");
    expect_nothing_else(&worker);
}

/// A take-over is no trouble.
fn expect_nothing_else(worker: &Worker) {
    let log = worker.log();
    assert!(!log.contains("ERROR"), "{log}");
}
