//! Real Kafka clusters of one or several combined nodes (KRaft), each in its own directory, on its own ports.
//!
//! Every broker has two listeners in plain text: `DIRECT`, for workload and judge, and `SECOND`, for the program under
//! test, which can be advertised through a fault proxy. More can be added.
//!
//! Invariants:
//! * Ports and data stay the same over stops and restarts of a node.
//! * Dropping a cluster ends all its processes before it removes their directories.
//! * Not more brokers run on this machine than [`crate::machine_limit`] allows.

mod builder;
mod properties;

use std::fmt;

pub use builder::ClusterBuilder;

use crate::fault_proxy::FaultProxy;
use crate::kafka_jars::{JarError, KafkaJars, KafkaVersion};
use crate::kafka_process::{KafkaNode, NodeError};
use crate::machine_limit::{BrokerPermits, MachineLimitError};
use crate::ports::PortError;
use crate::run_directory::RunDirectory;

/// A host that no resolver knows (RFC 6761), for the front of bootstrap lists.
const NOBODY: &str = "nobody.invalid:9092";

/// A cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The jars are missing.
    #[error(transparent)]
    Jars(#[from] JarError),
    /// The machine is full.
    #[error(transparent)]
    Machine(#[from] MachineLimitError),
    /// No ports.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// A node did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The directory for data and logs.
    #[error("cannot make a directory for the data of cluster {cluster}: {source}")]
    Directory {
        /// The cluster's name.
        cluster: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The proxy in front of a broker.
    #[error("cannot start the fault proxy of cluster {cluster}: {source}")]
    Proxy {
        /// The cluster's name.
        cluster: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running cluster; everything of it ends when this value is dropped.
pub struct KafkaCluster {
    name: String,
    jars: KafkaJars,
    cluster_id: String,
    proxies: Vec<FaultProxy>,
    nodes: Vec<KafkaNode>,
    extra_listeners: Vec<String>,
    directory: RunDirectory,
    /// Last: another test may start its brokers only when ours are gone.
    _permits: BrokerPermits,
}

impl KafkaCluster {
    /// A cluster of one node of the default version, to be changed before its start.
    #[must_use]
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The name it was given, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of its brokers.
    #[must_use]
    pub fn version(&self) -> KafkaVersion {
        self.jars.version()
    }

    /// The jars its brokers run from.
    #[must_use]
    pub fn jars(&self) -> &KafkaJars {
        &self.jars
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// `host:port` of the direct listener of every node, with commas: for workload and judge.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        join(self.nodes.iter().map(KafkaNode::address))
    }

    /// The second listener of every node, through the fault proxies if the cluster has them: for the program under
    /// test.
    #[must_use]
    pub fn proxied_bootstrap(&self) -> String {
        if self.proxies.is_empty() {
            join(self.nodes.iter().map(|node| node.ports.second.address()))
        } else {
            join(self.proxies.iter().map(FaultProxy::address))
        }
    }

    /// Like [`KafkaCluster::proxied_bootstrap`], behind a first host that does not exist: the normal state of a
    /// bootstrap list that has seen a few years.
    #[must_use]
    pub fn bootstrap_with_dead_host(&self) -> String {
        format!("{NOBODY},{}", self.proxied_bootstrap())
    }

    /// An additional listener by the name it was added with, or nothing if there is none of that name.
    #[must_use]
    pub fn bootstrap_of(&self, listener: &str) -> Option<String> {
        let index = self
            .extra_listeners
            .iter()
            .position(|name| name == listener)?;
        Some(join(
            self.nodes
                .iter()
                .map(|node| node.ports.extra[index].address()),
        ))
    }

    /// The nodes in the order of their ids.
    #[must_use]
    pub fn nodes(&self) -> &[KafkaNode] {
        &self.nodes
    }

    /// One node by its position: 0 is the node with id 1.
    ///
    /// # Panics
    /// When the cluster has fewer nodes.
    #[must_use]
    pub fn node(&self, index: usize) -> &KafkaNode {
        &self.nodes[index]
    }

    /// The fault proxy in front of a node's second listener, by the node's position.
    ///
    /// # Panics
    /// When the cluster was built without proxies or has fewer nodes.
    #[must_use]
    pub fn proxy(&self, index: usize) -> &FaultProxy {
        &self.proxies[index]
    }

    /// All fault proxies, in the order of the nodes; empty when it was built without.
    #[must_use]
    pub fn proxies(&self) -> &[FaultProxy] {
        &self.proxies
    }

    /// Where data and logs of all nodes are.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.kill();
        }
    }
}

impl fmt::Debug for KafkaCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaCluster")
            .field("name", &self.name)
            .field("version", &self.version().to_string())
            .field("bootstrap", &self.bootstrap())
            .field("directory", &self.directory.path())
            .finish_non_exhaustive()
    }
}

fn join<T: ToString>(addresses: impl Iterator<Item = T>) -> String {
    addresses
        .map(|address| address.to_string())
        .collect::<Vec<_>>()
        .join(",")
}
