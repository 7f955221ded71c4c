//! What requests do to the copying: judged by what is at the destination.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Generator, Load, Shape};
use tokio::time::Instant;

use crate::connect_worker::{SOON, Worker, expect};
use crate::support::{
    NEW, OLD, bootstrap, committed, compared, new_topic, pair, stored, unique, wait_for_offsets,
};

const SEED: u64 = 91_177;
const EACH: usize = 600;

async fn fill(cluster: &KafkaCluster, topic: &str, round: u64) {
    let shape = Shape::mixed(SEED + round, 3).producer(u32::try_from(round).expect("small"));
    Load::new(cluster.bootstrap(), topic)
        .send(Generator::new(shape).take(EACH))
        .await
        .expect("acknowledged");
}

fn seconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_resume_stop_and_restart_act_at_once_and_lose_nothing() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("steered");
    new_topic(source, &topic, 3, &[]).await;
    fill(source, &topic, 0).await;
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let link = format!(
        "name=steered\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntopic.poll.interval.ms=1000\ntasks.max=2\n",
        bootstrap(source)
    );
    let worker = Worker::tributary(&lines, &[&link]).await;
    let client = &worker.client;
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, EACH as i64).await;
    let mut slowest: f64 = 0.0;
    for (round, verb) in ["pause", "stop", "restart?includeTasks=true", "pause"]
        .into_iter()
        .enumerate()
    {
        let start = Instant::now();
        let path = format!("/connectors/steered/{verb}");
        if verb.starts_with("restart") {
            expect(client.post(&path, None).await, 202);
        } else {
            expect(
                client.put(&path, None).await,
                202 + 2 * u16::from(verb == "stop"),
            );
            let state = if verb == "stop" { "STOPPED" } else { "PAUSED" };
            worker.becomes("steered", state).await;
        }
        slowest = slowest.max(seconds_since(start));
        fill(source, &topic, 1 + round as u64).await;
        if !verb.starts_with("restart") {
            let here = crate::support::offsets(&copy).await;
            assert_eq!(here, EACH as i64 * (1 + round as i64), "it stands still");
        }
        let start = Instant::now();
        expect(client.put("/connectors/steered/resume", None).await, 202);
        worker.becomes("steered", "RUNNING").await;
        slowest = slowest.max(seconds_since(start));
        wait_for_offsets(&copy, EACH as i64 * (2 + round as i64)).await;
    }
    println!("slowest change of state: {slowest:.2} s");
    // A task begins again in place: the link goes on.
    let starts = || {
        let log = worker.log();
        let lines = log.lines();
        lines
            .filter(|line| line.contains("started") && line.contains("steered"))
            .count()
    };
    let before = starts();
    let restarted = client.post("/connectors/steered/tasks/0/restart", None);
    expect(restarted.await, 204);
    fill(source, &topic, 5).await;
    wait_for_offsets(&copy, EACH as i64 * 6).await;
    assert_eq!(starts(), before, "{}", worker.log());
    let verdict = compared(&committed(source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
    // The tasks share the partitions.
    let tasks = client.get("/connectors/steered/tasks").await.json();
    let shares: Vec<&str> = tasks
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| {
            task["config"]["tributary.task.partitions"]
                .as_str()
                .expect("a share")
        })
        .collect();
    assert_eq!(shares.len(), 2, "{shares:?}");
    let topics = client.get("/connectors/steered/topics").await.json();
    assert_eq!(topics, json!({"steered": {"topics": [topic]}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_that_are_set_are_where_a_link_goes_on() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("moved");
    new_topic(source, &topic, 1, &[]).await;
    let shape = Shape::mixed(SEED, 1);
    Load::new(source.bootstrap(), &topic)
        .send(Generator::new(shape).take(EACH))
        .await
        .expect("acknowledged");
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let client = &worker.client;
    let config = json!({
        "connector.class": "MirrorSource",
        "source.cluster.alias": "A",
        "source.cluster.bootstrap.servers": bootstrap(source),
        "topics": topic,
        "replication.factor": 1,
        "refresh.topics.interval.seconds": 1,
        // Where offsets are preserved the destination's log is the position.
        "tributary.offsets": "map",
    });
    let body = json!({"name": "moved", "config": config, "initial_state": "stopped"});
    expect(
        client.post("/connectors", Some(&body.to_string())).await,
        201,
    );
    worker.becomes("moved", "STOPPED").await;
    let partition = json!({"cluster": "A", "partition": 0, "topic": topic});
    let offsets = json!({"offsets": [{"partition": partition, "offset": {"offset": 499}}]});
    expect(
        client
            .patch("/connectors/moved/offsets", &offsets.to_string())
            .await,
        200,
    );
    expect(client.put("/connectors/moved/resume", None).await, 202);
    let copy = stored(destination, &format!("A.{topic}"));
    wait_for_offsets(&copy, 100).await;
    // What was copied last is what MirrorMaker 2 would find.
    let stored_offset = async || {
        let json = client.get("/connectors/moved/offsets").await.json();
        match json["offsets"][0]["offset"]["offset"].as_i64() {
            Some(599) => Ok(json),
            _ => Err(json),
        }
    };
    let json = eventually("the position", SOON, stored_offset)
        .await
        .expect("stored");
    assert_eq!(json["offsets"][0]["partition"], partition);
    let marks = crate::support::offsets(&copy).await;
    assert_eq!(marks, 100, "from offset 500 on");
    // Forgotten positions mean the beginning.
    expect(client.put("/connectors/moved/stop", None).await, 204);
    worker.becomes("moved", "STOPPED").await;
    expect(client.delete("/connectors/moved/offsets").await, 200);
    expect(client.put("/connectors/moved/resume", None).await, 202);
    wait_for_offsets(&copy, 700).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_cannot_be_reached_is_failed_with_a_reason_and_begun_again() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("unreachable");
    new_topic(source, &topic, 1, &[]).await;
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let client = &worker.client;
    let mut config = json!({
        "connector.class": "tributary.TributarySourceConnector",
        "src.kafka.bootstrap.servers": "127.0.0.1:1",
        "topic.whitelist": topic,
    });
    expect(
        client
            .put("/connectors/u/config", Some(&config.to_string()))
            .await,
        201,
    );
    let status = worker.becomes("u", "FAILED").await;
    for part in [&status["connector"], &status["tasks"][0]] {
        let trace = part["trace"].as_str().expect("every failure has one");
        assert!(
            trace.contains("source: no broker can be reached"),
            "{trace}"
        );
        assert!(trace.lines().all(|line| !line.ends_with(')')), "{trace}");
    }
    config["src.kafka.bootstrap.servers"] = json!(bootstrap(source));
    expect(
        client
            .put("/connectors/u/config", Some(&config.to_string()))
            .await,
        200,
    );
    let status = worker.becomes("u", "RUNNING").await;
    assert!(status["connector"].get("trace").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_have_the_bytes_of_mirror_maker_2_and_checkpoints_say_that_they_are_not_written()
{
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("heartbeats");
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let client = &worker.client;
    let config = |class: &str| {
        json!({
            "connector.class": class,
            "source.cluster.alias": "A",
            "target.cluster.alias": "B",
            "source.cluster.bootstrap.servers": bootstrap(source),
            "heartbeats.topic": topic,
            "heartbeats.topic.replication.factor": 1,
        })
        .to_string()
    };
    let put = async |name: &str, class: &str| {
        let path = format!("/connectors/{name}/config");
        expect(client.put(&path, Some(&config(class))).await, 201);
        worker.becomes(name, "RUNNING").await
    };
    put("beat", "MirrorHeartbeatConnector").await;
    let status = put("check", "MirrorCheckpointConnector").await;
    let said = status["tributary"]["trouble"][0]
        .as_str()
        .expect("it says so");
    assert!(said.contains("checkpoints are not written yet"), "{said}");
    let place = stored(destination, &topic);
    wait_for_offsets(&place, 2).await;
    let records = test_support::judge::read_all(&place, Duration::from_secs(30)).await;
    let records = records.expect("readable");
    let first = &records[&0][0];
    assert_eq!(first.key.as_deref(), Some(&b"\x00\x01A\x00\x01B"[..]));
    let value = first.value.as_deref().expect("a value");
    assert_eq!((value.len(), &value[..2]), (10, &[0, 0][..]));
    worker.process().terminate().expect("it runs");
    let status = worker.process().wait(SOON).await.expect("it ends");
    assert!(status.success(), "{status}");
}

/// Records without headers: Connect's default converter of headers changes those that are no text.
async fn plain(cluster: &KafkaCluster, topic: &str) {
    Load::new(cluster.bootstrap(), topic)
        .send(Generator::new(Shape::uniform(SEED, 3, 200)).take(EACH))
        .await
        .expect("acknowledged");
}

/// A connector of Kafka's that copies no records.
pub(crate) fn heartbeats(source: &KafkaCluster, destination: &KafkaCluster) -> Value {
    json!({
        "connector.class": "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector",
        "source.cluster.alias": "A",
        "target.cluster.alias": "B",
        "source.cluster.bootstrap.servers": source.bootstrap(),
        "target.cluster.bootstrap.servers": destination.bootstrap(),
        "heartbeats.topic.replication.factor": 1,
    })
}

/// A connector of MirrorMaker 2, as both take it.
pub(crate) fn mirrored(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    topic: &str,
) -> serde_json::Value {
    json!({
        "connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "source.cluster.alias": "A",
        "target.cluster.alias": "B",
        "source.cluster.bootstrap.servers": source.bootstrap(),
        "target.cluster.bootstrap.servers": destination.bootstrap(),
        "topics": topic,
        "replication.factor": 1,
        "offset-syncs.topic.replication.factor": 1,
        "refresh.topics.interval.seconds": 1,
        "tasks.max": 2,
    })
}

/// Asks a process of Java to end, and waits until it has.
pub(crate) async fn end(pid: u32, gone: impl Fn() -> bool) {
    let pid = pid.to_string();
    let asked = tokio::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await;
    assert!(asked.expect("kill runs").success());
    let look = async || if gone() { Ok(()) } else { Err("it runs") };
    // Connect gives its HTTP server a minute to end requests and connections before it goes on.
    eventually("Java to end", Duration::from_secs(90), look)
        .await
        .expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standalone_worker_of_kafka_connect_is_taken_over_with_its_file() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("inherited");
    new_topic(source, &topic, 3, &[]).await;
    plain(source, &topic).await;
    let copy = stored(destination, &format!("A.{topic}"));
    let config = mirrored(source, destination, &topic);
    let body = json!({"name": "inherited", "config": config}).to_string();
    let connect = Worker::connect(NEW, &destination.bootstrap(), "").await;
    expect(connect.client.post("/connectors", Some(&body)).await, 201);
    wait_for_offsets(&copy, EACH as i64).await;
    // Stopping it stores its offsets.
    expect(
        connect.client.put("/connectors/inherited/stop", None).await,
        204,
    );
    let stored_all = async || {
        let json = connect
            .client
            .get("/connectors/inherited/offsets")
            .await
            .json();
        match json["offsets"].as_array().map(Vec::len) {
            Some(3) => Ok(json),
            _ => Err(json),
        }
    };
    let offsets = eventually("three offsets", SOON, stored_all)
        .await
        .expect("stored");
    let (pid, folder) = connect.into_java();
    end(pid.pid(), || {
        pid.status().is_ok_and(|status| status.is_some())
    })
    .await;
    let java = std::fs::read(folder.path().join("positions")).expect("Connect's file");
    assert!(java.starts_with(&[0xac, 0xed]), "Java wrote it");
    plain(source, &topic).await;

    let text = format!(
        "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\noffset.storage.file.filename={}\n\
         offset.flush.interval.ms=1000\nkey.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n",
        destination.bootstrap(),
        folder.path().join("positions").display()
    );
    let worker = Worker::of_files(folder, &text, &[&body]).await;
    worker.becomes("inherited", "RUNNING").await;
    wait_for_offsets(&copy, 2 * EACH as i64).await;
    let verdict = compared(&committed(source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
    let kept = std::fs::read(worker.folder.path().join("positions.connect")).expect("kept");
    assert_eq!(kept, java, "Connect's file is kept");
    // The same keys, so that one can go back.
    let now = async || {
        let json = worker
            .client
            .get("/connectors/inherited/offsets")
            .await
            .json();
        let keys = |json: &serde_json::Value| -> Vec<String> {
            let offsets = json["offsets"].as_array().expect("a list");
            let mut keys: Vec<_> = offsets
                .iter()
                .map(|one| one["partition"].to_string())
                .collect();
            keys.sort();
            keys
        };
        if keys(&json) == keys(&offsets) {
            Ok(())
        } else {
            Err(json)
        }
    };
    eventually("the same keys", SOON, now)
        .await
        .expect("no others");
}
