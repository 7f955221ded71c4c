//! Named states with their numbers, seen by REST, and partitions that are resumed one by one.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::limits::{DETECT, RECOVER};
use tokio::time::Instant;

use crate::connect_worker::{Worker, expect};
use crate::offsets::delete_before;
use crate::support::{
    NEW, Run, bootstrap, new_topic, pair, program, stored, unique, wait_for_offsets,
};
use crate::topics::send;

pub(crate) async fn partition(worker: &Worker, link: &str, topic: &str, number: usize) -> Value {
    let path = format!("/api/v1/links/{link}/topics/{topic}/partitions");
    let answer = worker.client.get(&path).await;
    if answer.status != 200 {
        return Value::Null;
    }
    let items = answer.json()["items"].clone();
    let found = items.as_array().and_then(|items| {
        let is_it = |item: &&Value| item["partition"] == json!(number);
        items.iter().find(is_it).cloned()
    });
    found.unwrap_or(Value::Null)
}

pub(crate) async fn becomes(
    worker: &Worker,
    place: (&str, &str, usize),
    state: &str,
    limit: Duration,
) -> Value {
    let (link, topic, number) = place;
    let what = format!("{topic}-{number} {state}");
    eventually(&what, limit, async || {
        let now = partition(worker, link, topic, number).await;
        if now["state"] == state {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Wrong requests are refused, and a command takes the partition behind its gap.
async fn resumed_by_command(worker: &Worker, link: &str, topic: &str, from: i64) {
    let path = format!("/api/v1/links/{link}/topics/{topic}/partitions/0:resume");
    let post = async |body: Value| worker.client.post(&path, Some(&body.to_string())).await;
    let elsewhere = json!({"action": "continue", "expected_offset": from + 1});
    expect(post(elsewhere).await, 409);
    expect(post(json!({"action": "skip-record"})).await, 409);
    expect(post(json!({"action": "shrug"})).await, 400);
    let began = Instant::now();
    let arguments = [
        "resume",
        "partition",
        link,
        &format!("{topic}/0"),
        "--continue",
        "--expect-offset",
        &from.to_string(),
        "--worker",
        &worker.client.address,
    ];
    let resumed = program(&arguments.map(str::to_owned));
    Run::to_end(&resumed).await.ended_with(0);
    becomes(worker, (link, topic, 0), "active", DETECT).await;
    let copied = eventually("all but the gap", DETECT, async || {
        let now = partition(worker, link, topic, 0).await;
        if now["acked_offset"] == now["source_end_offset"] {
            Ok(())
        } else {
            Err(now)
        }
    });
    copied.await.expect("copied");
    println!("resumed after {:?}, limit {RECOVER:?}", began.elapsed());
    expect(post(json!({"action": "resume"})).await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_named_with_its_range_and_its_partition_alone_is_resumed_behind_it() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("gap");
    new_topic(source, &topic, 2, &[]).await;
    send(source, &topic, 2, 200).await;
    let link = unique("gap-link");
    let file = format!(
        "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\n",
        bootstrap(source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[&file]).await;
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, 200).await;
    let before = eventually("a position", DETECT, async || {
        let now = partition(&worker, &link, &topic, 0).await;
        let reached = now["acked_offset"].as_i64();
        let end = now["source_end_offset"].as_i64();
        match (reached, end) {
            (Some(reached), Some(end)) if reached == end => Ok(reached),
            _ => Err(now),
        }
    });
    let from = before.await.expect("everything is copied");
    expect(
        worker
            .client
            .put(&format!("/connectors/{link}/pause"), None)
            .await,
        202,
    );
    worker.becomes(&link, "PAUSED").await;
    send(source, &topic, 2, 200).await;
    let to = from + 20;
    delete_before(source, &topic, 0, to).await;
    let began = Instant::now();
    expect(
        worker
            .client
            .put(&format!("/connectors/{link}/resume"), None)
            .await,
        202,
    );
    let gap = becomes(&worker, (&link, &topic, 0), "source-gap", DETECT).await;
    println!(
        "source-gap after {:?}, limit {DETECT:?}: {gap}",
        began.elapsed()
    );
    let reason = gap["reason"].as_str().expect("a reason");
    assert!(
        reason.contains(&format!("20 offsets [{from}, {to})")),
        "{reason}"
    );
    assert_eq!(gap["answers"], json!(["resume", "continue", "recopy"]));
    assert_eq!(gap["help"], "docs/errors/source-gap.md");
    becomes(&worker, (&link, &topic, 1), "active", DETECT).await;

    resumed_by_command(&worker, &link, &topic, from).await;
    let health = worker
        .client
        .get(&format!("/connectors/{link}/status"))
        .await
        .json();
    println!("{}", health["tributary"]);
    assert_eq!(health["tributary"]["lag_detail"]["known"], json!(true));
}
