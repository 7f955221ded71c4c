//! Alerts that clusters and records bring about, fired and resolved in a real Prometheus with our rules: a quota that holds a link back
//! while its source goes on and soon deletes, and records that the destination refuses; where `TRIBUTARY_TEST_MINUTES` asks for the long form,
//! also records that go in a circle. Others are in `watched`, and those of credentials in `secure`.

use std::time::{SystemTime, UNIX_EPOCH};

use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use test_support::tools::{CONFIG_COMMAND, KafkaTools};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{self, GeneratedRecord, Load};

use crate::connect_worker::{Worker, free_port};
use crate::prometheus::Prometheus;
use crate::support::{
    NEW, Replicate, bootstrap, new_topic, pair, stored, unique, wait_for_offsets,
};

const PARTITIONS: i32 = 3;
/// Records per second of a kilobyte each, and bytes per second that the destination takes of them.
const RATE: u32 = 300;
const TAKEN: u32 = 60_000;
/// Records that the destination refuses.
const REFUSED: usize = 300;

/// Records of now: what is to be deleted soon must not be old.
fn records(size: usize) -> impl Iterator<Item = GeneratedRecord> + Send {
    (0_i32..).map(move |number| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        GeneratedRecord {
            partition: number % PARTITIONS,
            timestamp: i64::try_from(now).expect("not for a long time"),
            key: None,
            value: Some(vec![b'.'; size]),
            headers: Vec::new(),
        }
    })
}

/// Limits what a client may write, or ends that, with Kafka's own tool.
async fn quota(cluster: &KafkaCluster, client: &str, rate: Option<u32>) {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let change = match rate {
        Some(rate) => [
            "--add-config".to_owned(),
            format!("producer_byte_rate={rate}"),
        ],
        None => [
            "--delete-config".to_owned(),
            "producer_byte_rate".to_owned(),
        ],
    };
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--alter",
        &change[0],
        &change[1],
        "--entity-type",
        "clients",
        "--entity-name",
        client,
    ];
    let done = kafka.run(CONFIG_COMMAND, &arguments).await;
    done.expect("changed");
}

/// A link as it stands in a file.
fn link(source: &KafkaCluster, name: &str, topic: &str, more: &str) -> String {
    format!(
        "name={name}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntopic.poll.interval.ms=1000\ndest.topic.replication.factor=1\n{more}\n",
        bootstrap(source)
    )
}

/// A quota of the destination while the source goes on, whose oldest records are gone in two hours.
async fn held_back(
    prometheus: &Prometheus,
    [source, destination]: [&KafkaCluster; 2],
    topic: &str,
    client: &str,
) {
    let alerts = [
        "TributaryThrottled",
        "TributaryLagGrowing",
        "TributaryLagHigh",
        "TributaryRetentionRisk",
    ];
    for alert in alerts {
        assert!(!prometheus.fires(alert).await, "{alert}");
    }
    quota(destination, client, Some(TAKEN)).await;
    let load = Load::new(source.bootstrap(), topic).start(records(1000), RATE);
    prometheus.told(&alerts, true).await;
    load.stop().await.expect("acknowledged");
    quota(destination, client, None).await;
    prometheus.told(&alerts, false).await;
}

/// Records without keys for a copy that is compacted.
async fn refused(prometheus: &Prometheus, source: &KafkaCluster, topic: &str) {
    let known = "tributary_record_errors_total{link=\"refused\"}";
    prometheus.answers(known).await;
    let load = Load::new(source.bootstrap(), topic);
    load.send(records(10).take(REFUSED))
        .await
        .expect("acknowledged");
    prometheus.told(&["TributaryErrorRate"], true).await;
    let all = format!("{known} == {REFUSED}");
    prometheus.answers(&all).await;
    prometheus.told(&["TributaryErrorRate"], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clusters_do_to_links_shows_in_alerts() {
    let (source, destination) = pair(NEW, NEW).await;
    let (held, refusing, client) = (unique("held"), unique("refusing"), unique("client"));
    let soon = [("retention.ms", "7200000")];
    new_topic(source, &held, PARTITIONS, &soon).await;
    new_topic(source, &refusing, PARTITIONS, &[]).await;
    let compacted = [("cleanup.policy", "compact")];
    new_topic(destination, &refusing, PARTITIONS, &compacted).await;
    let slowed = format!("dest.kafka.client.id={client}");
    let takes =
        "tributary.on.refused=skip\ntopic.config.sync=false\ntributary.offsets=map".to_owned();
    let links = [
        link(source, "held", &held, &slowed),
        link(source, "refused", &refusing, &takes),
    ];
    let lines = format!(
        "bootstrap.servers={}\ntributary.health.interval.ms=1000",
        bootstrap(destination)
    );
    let worker = Worker::tributary(&lines, &links.each_ref().map(String::as_str)).await;
    for name in ["held", "refused"] {
        worker.becomes(name, "RUNNING").await;
    }
    let prometheus = Prometheus::scraping(&[&worker.client.address]).await;
    tokio::join!(
        held_back(&prometheus, [source, destination], &held, &client),
        refused(&prometheus, source, &refusing),
    );
    if limits::long_run().is_some() {
        circles(source, destination).await;
    }
}

/// A link that marks what it copies, and another program's that brings it back without a mark of its own: what the first one reads then
/// says that it began there.
async fn circles(one: &KafkaCluster, two: &KafkaCluster) {
    let topic = unique("circle");
    for cluster in [one, two] {
        new_topic(cluster, &topic, PARTITIONS, &[]).await;
    }
    let address = format!("127.0.0.1:{}", free_port());
    let plain = [
        "--set",
        "tributary.loop.prevention=off",
        "--set",
        "tributary.offsets=map",
    ];
    let marks = [
        "--set",
        "provenance.header.enable=true",
        "--listen",
        &address,
    ];
    let there = Replicate::new(one, two, &topic).with(&plain).with(&marks);
    let there = there.start();
    let load = Load::new(one.bootstrap(), &topic);
    load.send(records(10).take(10)).await.expect("acknowledged");
    wait_for_offsets(&stored(two, &topic), 10).await;
    let prometheus = Prometheus::scraping(&[&address]).await;
    assert!(!prometheus.fires("TributaryLoopSuspected").await);
    let back = Replicate::new(two, one, &topic).with(&plain).start();
    prometheus.told(&["TributaryLoopSuspected"], true).await;
    [&there, &back]
        .into_iter()
        .for_each(TributaryProcess::kill9);
    prometheus.told(&["TributaryLoopSuspected"], false).await;
    for cluster in [one, two] {
        let deleted = workload::delete_topic(&cluster.bootstrap(), &topic).await;
        deleted.expect("deleted");
    }
}
