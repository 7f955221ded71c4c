//! What a link may read, changed while it runs: it takes that over and goes on, and the tasks of a group have together what the link
//! has, also when there are more of them.

use std::time::Duration;

use serde_json::Value;
use test_support::KafkaCluster;
use test_support::eventually::eventually;
use test_support::judge::Place;
use test_support::workload::{Generator, Load, Shape, create_partitions};
use tokio::time::{Instant, sleep};

use crate::connect_http::Client;
use crate::connect_worker::{Worker, expect};
use crate::group::{Group, Member, link};
use crate::support::{
    COPIED, NEW, bootstrap, committed, compared, new_topic, offsets, pair, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 43;
/// Bytes of a record, and of the batches that they come in.
const VALUE: usize = 10_000;
const BATCH: &str = "40000";
/// How long a rate is looked at, and how long a change may take to show.
const LOOKED: Duration = Duration::from_secs(5);
const TAKEN_OVER: Duration = Duration::from_secs(1);
const BRIEF: Duration = Duration::from_secs(3);

/// Sends records of so many partitions, evenly.
async fn fill(cluster: &KafkaCluster, topic: &str, partitions: i32, records: usize) {
    let load = Load::new(cluster.bootstrap(), topic).setting("batch.size", BATCH);
    let generator = Generator::new(Shape::uniform(SEED, partitions, VALUE));
    load.send(generator.take(records))
        .await
        .expect("acknowledged");
}

/// Bytes per second that come to a copy.
async fn rate(copy: &Place, over: Duration) -> f64 {
    let (begin, before) = (Instant::now(), offsets(copy).await);
    // sleeps because a rate is what comes in some time
    sleep(over).await;
    let records = i32::try_from(offsets(copy).await - before).expect("few");
    f64::from(records) * VALUE as f64 / begin.elapsed().as_secs_f64()
}

/// How often tasks were begun anew, as this worker counts.
async fn restarts(client: &Client) -> f64 {
    let page = expect(client.get("/metrics").await, 200).body;
    let counts = page
        .lines()
        .filter(|line| line.starts_with("tributary_task_restarts_total{"));
    let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    let counts: Vec<f64> = counts.collect();
    assert!(!counts.is_empty(), "{page}");
    counts.iter().sum()
}

/// `config` with another limit, or none.
fn limited(config: &Value, limit: Option<u32>) -> String {
    let mut config = config.clone();
    if let Some(limit) = limit {
        config["tributary.bandwidth.limit"] = limit.to_string().into();
    }
    config.to_string()
}

/// Makes a link of a group.
async fn make(member: &Member, name: &str, config: &str) {
    let body = format!("{{\"name\":\"{name}\",\"config\":{config}}}");
    let made = member.settled("POST", "/connectors", Some(&body));
    expect(made.await, 201);
}

fn holds(what: &str, rate: f64, limit: u32) {
    println!("{what}: {rate:.0} of {limit} bytes a second");
    let limit = f64::from(limit);
    assert!((0.8 * limit..1.2 * limit).contains(&rate), "{what}: {rate}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_changed_holds_at_once_and_the_link_goes_on() {
    println!("seed {SEED}");
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("limit");
    new_topic(source, &topic, 4, &[]).await;
    fill(source, &topic, 4, 9_000).await;
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let name = unique("changed");
    let path = format!("/connectors/{name}/config");
    let config = link(source, &topic, 1);
    let put = async |limit| {
        worker
            .client
            .put(&path, Some(&limited(&config, limit)))
            .await
    };
    expect(put(Some(1_000_000)).await, 201);
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, 100).await;
    holds("first", rate(&copy, LOOKED).await, 1_000_000);
    for limit in [6_000_000, 500_000] {
        expect(put(Some(limit)).await, 200);
        // sleeps because what is on its way comes still
        sleep(TAKEN_OVER).await;
        holds("changed", rate(&copy, LOOKED).await, limit);
    }
    let shown = worker.client.get(&path).await.json();
    assert_eq!(shown["tributary.bandwidth.limit"], "500000");
    // A mistake changes nothing.
    let wrong = limited(&config, Some(5));
    expect(worker.client.put(&path, Some(&wrong)).await, 400);
    holds("as before", rate(&copy, BRIEF).await, 500_000);
    expect(put(None).await, 200);
    wait_for_offsets(&copy, 9_000).await;
    assert_eq!(restarts(&worker.client).await, 0.0, "{}", worker.log());
    // What is changed besides it still begins the link anew.
    let mut more = config.clone();
    more["fetch.max.wait.ms"] = "400".into();
    expect(
        worker
            .client
            .put(&path, Some(&limited(&more, Some(1_000_000))))
            .await,
        200,
    );
    let again = async || match restarts(&worker.client).await {
        0.0 => Err(()),
        _ => Ok(()),
    };
    eventually("it begins anew", COPIED, again)
        .await
        .expect("another configuration");
    let verdict = compared(&stored(source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_group_read_what_the_link_may_however_many_there_come_to_be() {
    const LIMIT: u32 = 2_000_000;
    println!("seed {SEED}");
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("parts");
    new_topic(source, &topic, 1, &[]).await;
    fill(source, &topic, 1, 5_000).await;
    let group = Group::new(destination, "");
    let member = group.member().await;
    let config = link(source, &topic, 4);
    let name = unique("parted");
    make(&member, &name, &limited(&config, Some(LIMIT))).await;
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, 100).await;
    holds("one task", rate(&copy, LOOKED).await, LIMIT);
    create_partitions(&source.bootstrap(), &topic, 4)
        .await
        .expect("three more");
    fill(source, &topic, 4, 10_000).await;
    member.shared_by(&name, 4, &[member.id()]).await;
    // Until all of them read.
    sleep(BRIEF).await;
    holds("four tasks", rate(&copy, LOOKED).await, LIMIT);
    let path = format!("/connectors/{name}/config");
    let more = 3 * LIMIT;
    let changed = limited(&config, Some(more));
    expect(member.settled("PUT", &path, Some(&changed)).await, 200);
    sleep(BRIEF).await;
    holds("a higher limit", rate(&copy, BRIEF).await, more);
    assert_eq!(
        restarts(&member.client).await,
        0.0,
        "{}",
        member.process.lines().tail(60)
    );
    let changed = limited(&config, None);
    expect(member.settled("PUT", &path, Some(&changed)).await, 200);
    wait_for_offsets(&copy, 15_000).await;
    let verdict = compared(&stored(source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
}

/// A task that begins has writers of before fenced, and those that took a limit over are none.
#[tokio::test(flavor = "multi_thread")]
async fn in_transactions_a_task_that_begins_after_a_limit_was_changed_leaves_the_others_alone() {
    const LIMIT: u32 = 1_000_000;
    println!("seed {SEED}");
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("fenced");
    new_topic(source, &topic, 2, &[]).await;
    fill(source, &topic, 2, 2_000).await;
    let group = Group::new(destination, "exactly.once.source.support=enabled");
    let member = group.member().await;
    let mut config = link(source, &topic, 2);
    config["exactly.once.support"] = "required".into();
    let name = unique("alone");
    make(&member, &name, &limited(&config, Some(LIMIT))).await;
    member.shared_by(&name, 2, &[member.id()]).await;
    let copy = committed(destination, &topic);
    wait_for_offsets(&copy, 100).await;
    let path = |end: &str| format!("/connectors/{name}/{end}");
    let changed = limited(&config, Some(2 * LIMIT));
    let (config_of, again) = (path("config"), path("tasks/0/restart"));
    let put = member.settled("PUT", &config_of, Some(&changed));
    expect(put.await, 200);
    let told = async || {
        let tasks = member.client.get(&path("tasks")).await.json();
        let tasks = tasks.as_array().cloned().unwrap_or_default();
        let limit = (2 * LIMIT).to_string();
        let is_new = |task: &Value| task["config"]["tributary.bandwidth.limit"] == limit.as_str();
        match tasks.len() == 2 && tasks.iter().all(is_new) {
            true => Ok(()),
            false => Err(tasks),
        }
    };
    eventually("tasks with the new limit", COPIED, told)
        .await
        .expect("dealt");
    expect(member.settled("POST", &again, None).await, 204);
    let there = stored(source, &topic);
    let equal = async || {
        let verdict = compared(&there, &copy).await;
        match verdict.is_equal() {
            true => Ok(()),
            false => Err(format!("{verdict:?}")),
        }
    };
    eventually("all of it", COPIED, equal)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", member.process.lines().tail(60)));
    let begun = restarts(&member.client).await;
    assert_eq!(begun, 1.0, "{}", member.process.lines().tail(60));
}
