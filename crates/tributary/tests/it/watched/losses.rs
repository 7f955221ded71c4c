//! What is lost while somebody watches: records before they are copied, a worker, all of them, a source and a destination that hang. Each time
//! alerts fire, commands end with 3, and both are over when it is over.

use test_support::fault_proxy::Direction;
use test_support::kafka_cluster::KafkaCluster;

use super::{PARTITIONS, Scene};
use crate::group::{Group, link};
use crate::metrics::fill;
use crate::support::{bootstrap, new_topic, shaken, unique};
use crate::verify::delete_records;

fn freeze(cluster: &KafkaCluster, frozen: bool) {
    for direction in [Direction::Requests, Direction::Answers] {
        match frozen {
            true => cluster.proxy(0).stall(direction),
            false => cluster.proxy(0).unstall(direction),
        }
    }
}

/// The source deletes what is not copied yet: its partition stands until somebody says that it goes on.
pub(super) async fn of_records(scene: &mut Scene, source: &KafkaCluster, topic: &str) {
    let pause = ["pause", "watched", "--wait", "30s"];
    scene.asked(&pause).await.ended_with(0);
    fill(source, topic, 2).await;
    // To the end of the partition, wherever that is.
    delete_records(source, topic, -1).await;
    let resume = ["resume", "watched", "--wait", "30s"];
    scene.asked(&resume).await;
    scene
        .comes_to_end("records were deleted", &["status"], 3)
        .await;
    let gate = ["lag", "watched", "--max-records", "0", "--wait", "1s"];
    scene.comes_to_end("a partition stands", &gate, 4).await;
    scene
        .comes_to_end("what it is", &["explain", "watched"], 0)
        .await;
    let alerts = ["TributaryPartitionStopped", "TributaryTaskFailed"];
    scene.prometheus.told(&alerts, true).await;
    let failed = "time() - tributary_task_last_error_timestamp_seconds{link=\"watched\"} < 120";
    scene.prometheus.answers(failed).await;
    scene.is_readable("while a partition stands").await;
    let on = ["topics", "resume", "watched", topic, "--continue"];
    scene.asked(&on).await.ended_with(0);
    scene.prometheus.told(&["TributaryDataLost"], true).await;
    let gate = ["lag", "watched", "--max-records", "0", "--wait", "60s"];
    scene.ends("the others were copied", &gate, 0).await;
    scene.comes_to_end("it goes on", &["status"], 0).await;
    scene.prometheus.told(&alerts, false).await;
    // The counter stays, and what it counted is past.
    scene.prometheus.told(&["TributaryDataLost"], false).await;
    fill(source, topic, 3).await;
    scene.ends("what came later is copied", &gate, 0).await;
}

pub(super) async fn of_a_worker(scene: &mut Scene, group: &Group) {
    // The first one is asked all along.
    let lost = scene.members.pop().expect("three");
    lost.process.kill9();
    scene.comes_to_end("a worker is lost", &["status"], 3).await;
    scene.is_readable("while the group deals anew").await;
    scene.prometheus.told(&["TributaryWorkerDown"], true).await;
    scene
        .comes_to_end("the others have its work", &["status"], 0)
        .await;
    scene.members.push(group.member().await);
    scene.scrapes_all().await;
    scene.prometheus.told(&["TributaryWorkerDown"], false).await;
    scene
        .comes_to_end("there is another worker", &["status"], 0)
        .await;
}

/// Nobody is left to say anything.
pub(super) async fn of_all_workers(scene: &mut Scene, group: &Group) {
    for lost in scene.members.drain(..) {
        lost.process.kill9();
    }
    let alerts = ["TributaryNoWorkers"];
    scene.prometheus.told(&alerts, true).await;
    scene.members.push(group.member().await);
    scene.scrapes_all().await;
    scene.prometheus.told(&alerts, false).await;
    scene
        .comes_to_end("a worker is there again", &["status"], 0)
        .await;
}

pub(super) async fn of_a_source(scene: &mut Scene) {
    let pair = shaken().await;
    let far = &pair.as_ref().expect("started").source;
    let topic = unique("far");
    new_topic(far, &topic, PARTITIONS, &[]).await;
    fill(far, &topic, 1).await;
    scene.create("far", link(far, &topic, 1)).await;
    let gate = ["lag", "far", "--max-records", "0", "--wait", "60s"];
    scene.ends("a link of another source", &gate, 0).await;
    scene
        .comes_to_end("both links are well", &["status"], 0)
        .await;
    freeze(far, true);
    scene
        .comes_to_end("a source hangs", &["status", "far"], 3)
        .await;
    scene
        .comes_to_end("how much is missing is not known", &gate[..4], 3)
        .await;
    let alerts = [
        "TributaryClusterUnreachable",
        "TributaryEvidenceStale",
        "TributaryLagHigh",
        "TributarySLOBurning",
        "TributarySyncFailing",
    ];
    scene.prometheus.told(&alerts, true).await;
    scene.is_readable("while a source hangs").await;
    scene
        .ends("the other link is well", &["status", "watched"], 0)
        .await;
    freeze(far, false);
    scene.comes_to_end("it answers again", &["status"], 0).await;
    scene.prometheus.told(&alerts, false).await;
    scene.ends("all is copied", &gate, 0).await;
    scene.asked(&["delete", "far", "--yes"]).await.ended_with(0);
}

/// What comes while the destination hangs waits, and is seen to wait.
pub(super) async fn of_a_destination(scene: &mut Scene, source: &KafkaCluster) {
    let pair = shaken().await;
    let far = &pair.as_ref().expect("started").destination;
    let topic = unique("stuck");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic, 1).await;
    let mut config = link(source, &topic, 1);
    config["dest.kafka.bootstrap.servers"] = bootstrap(far).into();
    scene.create("stuck", config).await;
    let gate = ["lag", "stuck", "--max-records", "0", "--wait", "60s"];
    scene.ends("a link to another destination", &gate, 0).await;
    scene
        .comes_to_end("both links are well", &["status"], 0)
        .await;
    freeze(far, true);
    let unreachable = ["TributaryClusterUnreachable"];
    scene.prometheus.told(&unreachable, true).await;
    // What was copied before is long enough ago by now.
    fill(source, &topic, 2).await;
    scene
        .comes_to_end("a destination hangs", &["status", "stuck"], 3)
        .await;
    let gone = ["TributaryNothingReplicated"];
    scene.prometheus.told(&gone, true).await;
    let alerts = ["TributaryStalled", "TributaryLagHigh"];
    scene.prometheus.told(&alerts, true).await;
    scene.ends("records are known to wait", &gate[..4], 3).await;
    scene.is_readable("while a destination hangs").await;
    freeze(far, false);
    scene.comes_to_end("it answers again", &["status"], 0).await;
    scene.ends("all is copied", &gate, 0).await;
    let all = [&unreachable[..], &gone, &alerts].concat();
    scene.prometheus.told(&all, false).await;
    scene
        .asked(&["delete", "stuck", "--yes"])
        .await
        .ended_with(0);
}
