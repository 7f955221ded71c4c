//! Several workers when what they stand on gives way: the brokers of the coordinator, a worker that is away for a while,
//! topics that are not as they have to be.

use serde_json::json;
use test_support::eventually::eventually;
use test_support::workload::{Generator, Load, Mode, Shape};
use tokio::time::Instant;

use crate::connect_worker::expect;
use crate::group::{Group, Member, link};
use crate::metrics::scraped;
use crate::support::{
    COPIED, NEW, committed, compared, new_topic, pair, shaken, stored, unique, wait_for_offsets,
};

const SEED: u64 = 4_151;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_forms_again_after_its_whole_cluster_was_away_and_nothing_is_lost() {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let topic = unique("returned");
    new_topic(&pair.source, &topic, 4, &[]).await;
    // Nobody is missing afterwards, and nothing waits.
    let group = Group::new(&pair.destination, "scheduled.rebalance.max.delay.ms=300000");
    let (one, other) = tokio::join!(group.member(), group.member());
    let load = Load::new(pair.source.bootstrap(), &topic)
        .mode(Mode::Idempotent)
        .start(Generator::new(Shape::mixed(SEED, 4)), 300);
    let body = json!({"name": "returned", "config": link(&pair.source, &topic, 2)}).to_string();
    expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
    let workers = [one.id(), other.id()];
    one.shared_by("returned", 2, &workers).await;
    let copy = stored(&pair.destination, &topic);
    wait_for_offsets(&copy, 300).await;

    pair.destination.node(0).kill();
    let out = async || match one.group().await["rebalancing"].as_bool() {
        Some(true) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually("the workers notice", COPIED, out)
        .await
        .expect("their sessions are over");
    pair.destination.node(0).start().await.expect("it starts");
    let begin = Instant::now();
    let back = async || {
        let groups = [one.group().await, other.group().await];
        let joined = |group: &serde_json::Value| group["rebalancing"] == false;
        match groups.iter().all(joined) {
            true => Ok(()),
            false => Err(format!("{groups:?}")),
        }
    };
    eventually("the group forms again", COPIED, back)
        .await
        .expect("by itself");
    println!(
        "  formed again after {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    one.shared_by("returned", 2, &workers).await;

    let produced = load.stop().await.expect("all are acknowledged");
    let from = committed(&pair.source, &topic);
    wait_for_offsets(&copy, i64::try_from(produced.records()).expect("few")).await;
    let verdict = compared(&from, &copy).await;
    println!("  {verdict}");
    let logs = [one, other].map(|member: Member| member.process.lines().tail(40));
    assert!(
        verdict.is_equal(),
        "seed {SEED}: {verdict}\n{}",
        logs.join("\n---\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_work_waits_for_its_worker_the_countdown_is_shown_and_it_goes_back_to_it() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("awaited");
    new_topic(source, &topic, 4, &[]).await;
    let delay = "scheduled.rebalance.max.delay.ms=12000";
    let group = Group::new(destination, delay);
    let (one, other) = tokio::join!(group.member(), group.member());
    let body = json!({"name": "awaited", "config": link(source, &topic, 2)}).to_string();
    expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
    one.shared_by("awaited", 2, &[one.id(), other.id()]).await;
    // A leader that is lost takes with it what it knew of work that may come back, as Connect's does.
    let leader = one.group().await["leader"].to_string();
    let (one, other) = match leader.contains(&one.client.address) {
        true => (one, other),
        false => (other, one),
    };
    other.process.kill9();
    let shown = async || {
        let waiting = one.group().await["waiting"].clone();
        match waiting["reassigned_in_ms"].as_u64() {
            Some(left) if left > 0 && left <= 12_000 => Ok(waiting),
            _ => Err(waiting),
        }
    };
    let waiting = eventually("the countdown", COPIED, shown)
        .await
        .expect("it is shown");
    println!("  {waiting}");
    assert_eq!(
        waiting["tasks"].as_array().map(Vec::len),
        Some(1),
        "{waiting}"
    );
    // Its task is nobody's, and says so.
    let of_lost = async || {
        let status = one.client.get("/connectors/awaited/status").await.json();
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        let lost = tasks
            .iter()
            .find(|task| task["worker_id"] == *other.id())
            .map(|task| task["state"].clone());
        match lost {
            Some(state) if state == "UNASSIGNED" => Ok(()),
            _ => Err(status),
        }
    };
    eventually("the lost task is nobody's", COPIED, of_lost)
        .await
        .expect("it is said");
    // Nobody has its partitions, and nobody knows how far they are: whoever is left tells so.
    let nobodys = async || {
        let scrape = scraped(&one.client).await;
        let states = ["link=\"awaited\"", "state=\"unassigned\""];
        let of_topic = [&*format!("topic=\"{topic}\"")];
        let found = [
            scrape.sum("tributary_partition_state", &states),
            scrape.sum("tributary_partitions", &states),
            scrape.sum("tributary_lag_known", &of_topic),
            scrape.sum("tributary_partition_lag_known", &of_topic),
        ];
        let seconds = scrape.sum("tributary_partition_lag_seconds", &of_topic);
        match found == [Some(2.0), Some(2.0), Some(0.0), Some(2.0)] && seconds > Some(0.0) {
            true => Ok(()),
            false => Err((found, seconds)),
        }
    };
    eventually("its partitions are told as nobody's", COPIED, nobodys)
        .await
        .unwrap_or_else(|found| panic!("{found:?}"));
    // It is back before the time is over, under another member id and another address.
    let again = group.member().await;
    one.shared_by("awaited", 2, &[one.id(), again.id()]).await;
    assert!(one.group().await["waiting"].is_null());
    let nobodys = scraped(&one.client)
        .await
        .sum("tributary_partitions", &["state=\"unassigned\""]);
    assert!(nobodys.is_none_or(|count| count < 1.0), "{nobodys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_not_as_they_have_to_be_stop_the_start_with_connects_words() {
    let (_, destination) = pair(NEW, NEW).await;
    let group = Group::new(destination, "");
    new_topic(
        destination,
        &format!("{}.configs", group.name()),
        2,
        &[("cleanup.policy", "compact")],
    )
    .await;
    let said = group.fails().await;
    let words = "supplied via the 'config.storage.topic' property is required to have a single partition in order to \
                 guarantee consistency of connector configurations, but found 2 partitions.";
    assert!(said.contains(words), "{said}");

    let group = Group::new(destination, "");
    new_topic(
        destination,
        &format!("{}.status", group.name()),
        1,
        &[("cleanup.policy", "delete")],
    )
    .await;
    let said = group.fails().await;
    let words = "supplied via the 'status.storage.topic' property is required to have 'cleanup.policy=compact' to \
                 guarantee consistency and durability of connector and task statuses";
    assert!(said.contains(words), "{said}");
}
