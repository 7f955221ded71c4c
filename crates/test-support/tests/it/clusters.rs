//! Clusters start in every version, survive what tests do to them, and leave nothing behind.

use std::path::Path;

use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::KafkaVersion;
use test_support::raw;
use tokio::time::Instant;

async fn timed(builder: ClusterBuilder, what: &str) -> KafkaCluster {
    let begin = Instant::now();
    let cluster = builder.start().await.expect("the cluster starts");
    eprintln!("{what}: ready after {} ms", begin.elapsed().as_millis());
    cluster
}

#[tokio::test]
async fn every_version_starts_beside_the_others_and_leaves_nothing_behind() {
    let begin = Instant::now();
    let builders = KafkaVersion::BROKERS.map(|version| KafkaCluster::builder().version(version));
    let clusters = ClusterBuilder::start_all(builders)
        .await
        .expect("all start");
    eprintln!(
        "one node of each version at once: ready after {} ms",
        begin.elapsed().as_millis()
    );
    for (cluster, version) in clusters.iter().zip(KafkaVersion::BROKERS) {
        assert_eq!(cluster.version(), version);
        let view = raw::cluster_view(&cluster.bootstrap())
            .await
            .expect("it answers");
        assert_eq!(
            (view.nodes, view.cluster_id.as_str()),
            (vec![1], cluster.cluster_id())
        );
    }
    let traces: Vec<_> = clusters
        .iter()
        .map(|cluster| {
            (
                cluster.node(0).pid().expect("it runs"),
                cluster.directory().to_path_buf(),
            )
        })
        .collect();
    drop(clusters);
    for (pid, directory) in traces {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "process {pid} is gone"
        );
        assert!(!directory.exists());
    }
}

#[tokio::test]
async fn a_killed_node_comes_back_with_its_ports_and_data() {
    let builder = KafkaCluster::builder()
        .name("alone")
        .version(KafkaVersion::V3_9_1)
        .authorizer();
    let cluster = timed(builder, "one node of 3.9.1").await;
    let node = cluster.node(0);
    let address = node.address();
    node.suspend().expect("it runs");
    node.resume().expect("it runs");
    node.restart().await.expect("it starts on its port again");
    assert_eq!(node.address(), address);
    assert_eq!(
        raw::cluster_view(&address)
            .await
            .expect("it answers")
            .cluster_id,
        cluster.cluster_id()
    );
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
