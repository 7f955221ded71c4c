//! A copy of a compacted topic that was behind for longer than its source keeps deletions: the real cleaner has taken a
//! deletion away by then, which is said, with what can be done, until somebody takes note.

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{GeneratedRecord, Load};

use crate::connect_worker::{Worker, expect};
use crate::obstacle::record;
use crate::support::{
    COPIED, bootstrap, committed, new_topic, shaken, stored, unique, wait_for_offsets,
};

async fn send(cluster: &KafkaCluster, topic: &str, records: Vec<GeneratedRecord>) {
    let load = Load::new(cluster.bootstrap(), topic);
    load.send(records).await.expect("acknowledged");
}

fn value(key: &str) -> GeneratedRecord {
    record(0, key, b"a value".to_vec())
}

fn deletion(key: &str) -> GeneratedRecord {
    GeneratedRecord {
        value: None,
        ..value(key)
    }
}

/// Whether a topic has any record of a key.
async fn has(place: &judge::Place, key: &str) -> bool {
    let read = judge::read_all(place, COPIED).await.expect("readable");
    let mut all = read.values().flatten();
    all.any(|record| record.key.as_deref() == Some(key.as_bytes()))
}

struct Scene {
    worker: Worker,
    link: String,
}

impl Scene {
    /// Two topics with a key to delete, and a worker that copies them.
    async fn start(
        (source, destination): (&KafkaCluster, &KafkaCluster),
        prefix: &str,
        topics: [&str; 2],
    ) -> Self {
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "10000"),
        ];
        for topic in topics {
            new_topic(source, topic, 1, &settings).await;
            send(source, topic, vec![value("kept"), value("deleted")]).await;
        }
        let link = format!("{prefix}-link");
        let file = format!(
            "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.regex={prefix}\\\\..*\ntributary.offsets=map\n",
            bootstrap(source)
        );
        let lines = format!(
            "bootstrap.servers={}\ntributary.health.interval.ms=100",
            bootstrap(destination)
        );
        let worker = Worker::tributary(&lines, &[&file]).await;
        Self { worker, link }
    }

    async fn conditions(&self) -> Value {
        let path = format!("/api/v1/links/{}/topics", self.link);
        let answer = self.worker.client.get(&path).await;
        let items = answer.json()["items"].clone();
        let items = items.as_array().cloned().unwrap_or_default();
        let of = |item: &Value| item["condition"].clone();
        items.iter().map(of).collect()
    }

    /// Waits until this is the condition of the topic that missed something, and the other has none.
    async fn becomes(&self, missed: Value) {
        let expected = json!([Value::Null, missed]);
        eventually("the topics' conditions", COPIED, async || {
            let now = self.conditions().await;
            if now == expected { Ok(()) } else { Err(now) }
        })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
    }

    async fn change(&self, action: &str, state: &str) {
        let path = format!("/connectors/{}/{action}", self.link);
        expect(self.worker.client.put(&path, None).await, 202);
        self.worker.becomes(&self.link, state).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_stood_still_for_longer_than_deletions_are_kept_is_pointed_out() {
    let guard = shaken().await;
    let clusters = guard.as_ref().expect("started");
    let (source, destination) = (&clusters.source, &clusters.destination);
    let prefix = unique("standstill");
    let (idle, missed) = (format!("{prefix}.idle"), format!("{prefix}.missed"));
    let scene = Scene::start((source, destination), &prefix, [&idle, &missed]).await;
    for topic in [&idle, &missed] {
        wait_for_offsets(&stored(destination, topic), 2).await;
    }
    scene.becomes(Value::Null).await;
    scene.change("pause", "PAUSED").await;
    send(source, &missed, vec![deletion("deleted")]).await;
    eventually("the deletion to be cleaned away", COPIED, async || {
        // Only closed segments are cleaned, and one closes when a record comes that is younger by segment.ms.
        send(source, &missed, vec![value("last")]).await;
        match has(&committed(source, &missed), "deleted").await {
            true => Err("it is there"),
            false => Ok(()),
        }
    })
    .await
    .expect("it cleans");

    scene.change("resume", "RUNNING").await;
    scene.becomes(json!("tombstones-missed")).await;
    let log = scene.worker.log();
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("state=tombstones-missed"))
        .collect();
    assert_eq!(said.len(), 1, "once: {log}");
    for words in [
        "partition 0 was behind",
        "delete.retention.ms=10000",
        "docs/errors/tombstones-missed.md",
    ] {
        assert!(said[0].contains(words), "{words}: {}", said[0]);
    }
    println!("{}", said[0]);
    let metrics = scene.worker.client.get("/metrics").await.body;
    let gauge = metrics.lines().find(|line| {
        line.starts_with("tributary_topics{") && line.contains("state=\"tombstones-missed\"")
    });
    assert!(gauge.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
    // What is said is so.
    let copy = stored(destination, &missed);
    let end = judge::watermarks(&committed(source, &missed)).await;
    let kept = end.expect("readable")[&0].end;
    println!("the source ends at {kept} and has no record of the key");
    assert!(has(&copy, "deleted").await, "the copy keeps it");

    // It is remembered, and ends when somebody takes note, for good.
    scene.change("pause", "PAUSED").await;
    scene.change("resume", "RUNNING").await;
    scene.becomes(json!("tombstones-missed")).await;
    let path = format!(
        "/api/v1/links/{}/topics/{missed}/partitions/0:resume",
        scene.link
    );
    let note = json!({"action": "continue"}).to_string();
    expect(scene.worker.client.post(&path, Some(&note)).await, 202);
    scene.becomes(Value::Null).await;
    expect(scene.worker.client.post(&path, Some(&note)).await, 409);
    scene.change("pause", "PAUSED").await;
    scene.change("resume", "RUNNING").await;
    send(source, &missed, vec![value("later")]).await;
    eventually("what came later", COPIED, async || {
        match has(&copy, "later").await {
            true => Ok(()),
            false => Err("it is not there"),
        }
    })
    .await
    .expect("it is copied");
    scene.becomes(Value::Null).await;
}
