//! Workers that come and go, and one that is cut off from what another one reaches: alerts about the group itself, in the long form.

use test_support::eventually::eventually;
use test_support::fault_proxy::Direction;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::workload::leaders;
use tokio::time::{Duration, sleep};

use super::{Scene, reaches_nobody};
use crate::connect_worker::expect;
use crate::group::{Group, link};
use crate::metrics::scraped;
use crate::prometheus::Prometheus;
use crate::support::{COPIED, NEW, PROXIES, new_topic, unique};

/// Connectors that are made and deleted make the group deal its work anew all the time.
pub(super) async fn of_the_group(scene: &Scene) {
    let storm = ["TributaryRebalanceStorm"];
    let disturbs = async {
        loop {
            scene.create("restless", reaches_nobody()).await;
            // sleeps because changes that come together are dealt together
            sleep(Duration::from_secs(1)).await;
            let deleted = scene.members[0].settled("DELETE", "/connectors/restless", None);
            expect(deleted.await, 204);
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = disturbs => {}
        () = scene.prometheus.told(&storm, true) => {}
    }
    // It may have been left in the middle.
    drop(
        scene.members[0]
            .settled("DELETE", "/connectors/restless", None)
            .await,
    );
    scene.prometheus.told(&storm, false).await;
}

/// A group that waits a while for a worker that was lost.
pub(super) async fn where_a_worker_may_come_back(destination: &KafkaCluster) {
    let waits = "scheduled.rebalance.max.delay.ms=20000";
    let group = Group::new(destination, waits);
    let (one, two) = tokio::join!(group.member(), group.member());
    let topic = unique("patient");
    new_topic(destination, &topic, 4, &[]).await;
    let mut config = link(destination, &topic, 4);
    config["topic.rename.format"] = "${topic}.copy".into();
    let body = serde_json::json!({"name": "patient", "config": config}).to_string();
    expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
    one.shared_by("patient", 4, &[one.id(), two.id()]).await;
    // Who was not there when the work was dealt does not know that somebody is missing.
    let leads = scraped(&one.client)
        .await
        .sum("tributary_worker_leader", &[]);
    let (leader, lost) = match leads == Some(1.0) {
        true => (one, two),
        false => (two, one),
    };
    let prometheus = Prometheus::scraping(&[leader.id()]).await;
    lost.process.kill9();
    let delayed = ["TributaryDelayedRebalance"];
    prometheus.told(&delayed, true).await;
    leader.shared_by("patient", 4, &[leader.id()]).await;
    prometheus.told(&delayed, false).await;
}

fn hang(cluster: &KafkaCluster, node: usize, hangs: bool) {
    for direction in [Direction::Requests, Direction::Answers] {
        match hangs {
            true => cluster.proxy(node).stall(direction),
            false => cluster.proxy(node).unstall(direction),
        }
    }
}

/// Of two brokers one hangs: a worker that has nothing on the other one is cut off.
pub(super) async fn of_a_part_of_a_source(scene: &mut Scene) {
    let builder = KafkaCluster::builder().name("parted").version(NEW);
    let starting = ClusterBuilder::start_all([builder.nodes(2).through_proxy(true)]);
    let started = PROXIES.spawn(starting).await.expect("no panic");
    let [source] = started.expect("a cluster");
    let topic = unique("parted");
    new_topic(&source, &topic, 2, &[]).await;
    let led = async || {
        let led = leaders(&source.bootstrap(), &topic).await;
        let led = led.map_err(|error| error.to_string())?;
        match led.values().map(|led| led.leader).collect::<Vec<_>>()[..] {
            [one, two] if one >= 0 && two >= 0 => Ok([one, two]),
            ref other => Err(format!("{other:?}")),
        }
    };
    let [one, two] = eventually("leaders", COPIED, led)
        .await
        .expect("they are there");
    assert_ne!(one, two, "each broker leads a partition");
    scene.create("parted", link(&source, &topic, 2)).await;
    let apart = async || {
        // A moment after it was created nobody has said anything of it.
        let answer = scene.members[0].client.get("/connectors/parted/status");
        let status = answer.await.json();
        let owner = |task: usize| status["tasks"][task]["worker_id"].as_str();
        match (owner(0), owner(1)) {
            (Some(one), Some(two)) if one != two => Ok(()),
            _ => Err(status.to_string()),
        }
    };
    let apart = eventually("tasks on two workers", COPIED, apart).await;
    apart.expect("the group deals evenly");
    scene
        .comes_to_end("it is well", &["status", "parted"], 0)
        .await;
    hang(&source, 0, true);
    let partly = ["TributaryClusterPartlyUnreachable"];
    scene.prometheus.told(&partly, true).await;
    assert!(!scene.prometheus.fires("TributaryClusterUnreachable").await);
    scene
        .comes_to_end("one broker hangs", &["status", "parted"], 3)
        .await;
    hang(&source, 0, false);
    scene.prometheus.told(&partly, false).await;
    scene
        .comes_to_end("it answers again", &["status", "parted"], 0)
        .await;
    scene
        .asked(&["delete", "parted", "--yes"])
        .await
        .ended_with(0);
}
