//! Clusters start in every version, survive what tests do to them, and leave nothing behind.

use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::{kafka_cluster::ClusterBuilder, raw};
use tokio::time::Instant;

async fn timed(builder: ClusterBuilder, what: &str) -> KafkaCluster {
    let begin = Instant::now();
    let cluster = builder.start().await.expect("the cluster starts");
    eprintln!("{what}: ready after {} ms", begin.elapsed().as_millis());
    cluster
}

async fn starts_and_leaves_nothing(version: KafkaVersion) {
    let cluster = timed(
        KafkaCluster::builder().version(version),
        &version.to_string(),
    )
    .await;
    let view = raw::cluster_view(&cluster.bootstrap())
        .await
        .expect("it answers");
    assert_eq!(
        (view.nodes, view.cluster_id.as_str()),
        (vec![1], cluster.cluster_id())
    );
    let pid = cluster.node(0).pid().expect("it runs");
    let directory = cluster.directory().to_path_buf();
    drop(cluster);
    assert!(
        !std::path::Path::new(&format!("/proc/{pid}")).exists(),
        "process {pid} is gone"
    );
    assert!(!directory.exists());
}

#[tokio::test]
async fn the_oldest_version_starts_and_leaves_nothing_behind() {
    starts_and_leaves_nothing(KafkaVersion::V3_9_1).await;
}

#[tokio::test]
async fn the_default_version_starts_and_leaves_nothing_behind() {
    starts_and_leaves_nothing(KafkaVersion::V4_3_1).await;
}

#[tokio::test]
async fn the_newest_version_starts_and_leaves_nothing_behind() {
    starts_and_leaves_nothing(KafkaVersion::V4_4_0).await;
}

#[tokio::test]
async fn a_broker_that_cannot_start_is_an_error_with_the_end_of_its_log() {
    let builder = KafkaCluster::builder()
        .name("broken")
        .property("num.io.threads", "none");
    let error = builder
        .start()
        .await
        .expect_err("the setting is not a number")
        .to_string();
    assert!(
        error.contains("broken") && error.contains("num.io.threads"),
        "{error}"
    );
}

#[tokio::test]
async fn three_nodes_form_a_cluster_and_one_may_go_and_come_back() {
    let cluster = timed(
        KafkaCluster::builder().name("three").nodes(3),
        "three nodes",
    )
    .await;
    assert_eq!(cluster.bootstrap().split(',').count(), 3);
    cluster.node(1).kill();
    let survivor = cluster.node(0).address();
    test_support::eventually::eventually_true(
        "the others notice",
        test_support::limits::DETECT,
        async || {
            raw::cluster_view(&survivor)
                .await
                .is_ok_and(|view| view.nodes == [1, 3])
        },
    )
    .await
    .expect("a killed broker is fenced");
    let begin = Instant::now();
    cluster.node(1).start().await.expect("it starts again");
    eprintln!(
        "a killed one of three: back after {} ms",
        begin.elapsed().as_millis()
    );
    let begin = Instant::now();
    cluster.node(2).stop().await.expect("it stops cleanly");
    eprintln!(
        "a clean stop of one of three: {} ms",
        begin.elapsed().as_millis()
    );
}

#[tokio::test]
async fn two_clusters_start_at_the_same_time() {
    let begin = Instant::now();
    let [old, new] = ClusterBuilder::start_all([
        KafkaCluster::builder()
            .name("old")
            .version(KafkaVersion::V3_9_1),
        KafkaCluster::builder().name("new"),
    ])
    .await
    .expect("both start");
    eprintln!(
        "two clusters at once: ready after {} ms",
        begin.elapsed().as_millis()
    );
    assert_ne!(old.cluster_id(), new.cluster_id());
    assert_eq!(
        (old.version(), new.version()),
        (KafkaVersion::V3_9_1, KafkaVersion::V4_3_1)
    );

    let address = old.node(0).address();
    old.node(0).suspend().expect("it runs");
    old.node(0).resume().expect("it runs");
    old.node(0)
        .restart()
        .await
        .expect("it starts on its port again");
    assert_eq!(old.node(0).address(), address);
    assert_eq!(
        raw::cluster_view(&address)
            .await
            .expect("it answers")
            .cluster_id,
        old.cluster_id()
    );
}
