//! Clusters that all tests of one test binary use: started at the first use, ended with the process.
//!
//! Statics are never dropped. The brokers end all the same, because the kernel kills them with this process (see
//! [`crate::managed_process`]); their directories are swept by the next run (see [`crate::run_directory`]).
//!
//! Rules for their users: own topic names ([`unique`]), and no faults: a test that kills, freezes or reconfigures brokers
//! starts its own cluster.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use crate::kafka_cluster::{ClusterError, KafkaCluster};
use crate::kafka_jars::KafkaVersion;

type Cell = &'static OnceCell<KafkaCluster>;

/// The n-th shared cluster of a version, with one node.
///
/// # Errors
/// When it does not start; the next call tries again.
pub async fn cluster(
    version: KafkaVersion,
    number: u8,
) -> Result<&'static KafkaCluster, ClusterError> {
    static CLUSTERS: Mutex<Option<HashMap<(KafkaVersion, u8), Cell>>> = Mutex::new(None);
    let cell: Cell = {
        let mut clusters = CLUSTERS
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let clusters = clusters.get_or_insert_default();
        clusters
            .entry((version, number))
            .or_insert_with(|| Box::leak(Box::default()))
    };
    cell.get_or_try_init(|| {
        let name = format!("shared-{version}-{number}");
        let builder = KafkaCluster::builder().name(&name).version(version);
        let builder = builder
            // Nobody removes topics: with 512 MiB its old generation was 246 of 252 MiB full near the end of all tests.
            .heap_mib(1024)
            // It is its cluster's only node: to be taken for dead while it stands for a moment only refuses what tests ask for.
            .property("broker.session.timeout.ms", "30000")
            // Where a test waits for a cleaner, fifteen seconds would be most of it.
            .property("log.cleaner.backoff.ms", "500");
        Box::pin(builder.start())
    })
    .await
}

/// Two different clusters, as source and destination. The same versions give the same clusters, whatever the direction.
///
/// # Errors
/// When one of them does not start.
pub async fn pair(
    source: KafkaVersion,
    destination: KafkaVersion,
) -> Result<(&'static KafkaCluster, &'static KafkaCluster), ClusterError> {
    let second = u8::from(source == destination);
    tokio::try_join!(cluster(source, 0), cluster(destination, second))
}

/// A topic name that nothing else on the shared clusters has: `name`, and a number.
#[must_use]
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}
