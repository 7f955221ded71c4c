//! What both modes have in common: clusters, the program under test, and what it has copied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use test_support::judge::{self, Place};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::tributary_process::TributaryProcess;

use crate::Result;

/// Memory for record batches of the program under test, in bytes.
pub(crate) const BUFFERS: u64 = 128 * 1024 * 1024;

/// Two clusters behind proxies, with a replica of everything on each node.
pub(crate) async fn clusters(nodes: u16) -> Result<[KafkaCluster; 2]> {
    clusters_of(nodes, nodes, nodes).await
}

/// Two clusters behind proxies, of so many nodes at the source and at the destination.
pub(crate) async fn clusters_of(
    source: u16,
    destination: u16,
    replicas: u16,
) -> Result<[KafkaCluster; 2]> {
    let in_sync = if replicas > 1 { "2" } else { "1" };
    let replicas = replicas.to_string();
    let builder = |name: &str, nodes| {
        KafkaCluster::builder()
            .name(name)
            .nodes(nodes)
            .heap_mib(320)
            .through_proxy(true)
            .property("default.replication.factor", &replicas)
            .property("offsets.topic.replication.factor", &replicas)
            .property("transaction.state.log.replication.factor", &replicas)
            .property("transaction.state.log.min.isr", in_sync)
            .property("min.insync.replicas", in_sync)
    };
    let builders = [
        builder("soak-source", source),
        builder("soak-destination", destination),
    ];
    Ok(ClusterBuilder::start_all(builders).await?)
}

/// How the program is started, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

impl Command {
    pub(crate) fn new(program: &Path, [source, destination]: &[KafkaCluster; 2]) -> Self {
        let memory = format!("tributary.buffer.memory={BUFFERS}");
        let (from, to) = (
            source.bootstrap_with_dead_host(),
            destination.bootstrap_with_dead_host(),
        );
        let arguments = [
            "replicate",
            "--from",
            &from,
            "--to",
            &to,
            "--topics",
            "soak\\..*",
            "--name",
            "soak",
            "--progress",
            "off",
            "--override",
            &memory,
        ];
        Self {
            program: program.to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
        }
    }

    /// More arguments.
    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|text| (*text).to_owned()));
        self
    }

    pub(crate) fn start(&self) -> Result<TributaryProcess> {
        Ok(TributaryProcess::start(&self.program, &self.arguments)?)
    }
}

/// A topic's place at the source, as every consumer sees it.
pub(crate) fn committed(cluster: &KafkaCluster, topic: &str) -> Place {
    Place::new(cluster.bootstrap(), topic)
}

/// A topic's place at the destination, with everything that is stored.
pub(crate) fn stored(cluster: &KafkaCluster, topic: &str) -> Place {
    Place::new(cluster.bootstrap(), topic).uncommitted()
}

/// Ends of all partitions of these topics. Fails while one cannot be asked.
pub(crate) async fn ends(
    cluster: &KafkaCluster,
    topics: &[String],
) -> Result<BTreeMap<(String, i32), i64>> {
    let mut ends = BTreeMap::new();
    for topic in topics {
        for (number, marks) in judge::watermarks(&stored(cluster, topic)).await? {
            ends.insert((topic.clone(), number), marks.end);
        }
    }
    Ok(ends)
}

/// Seconds since 1970, by which reports sort.
pub(crate) fn stamp() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    format!("{}", since.unwrap_or(Duration::ZERO).as_secs())
}

/// Random numbers from a seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
