//! Says what a cluster shall be, and starts it.

use std::sync::Mutex;

use super::properties::{NodeSettings, properties};
use super::{ClusterError, KafkaCluster};
use crate::fault_proxy::FaultProxy;
use crate::kafka_jars::{self, JarError, KafkaJars, KafkaVersion};
use crate::kafka_process::{JvmTuning, KafkaNode, NodePorts};
use crate::machine_limit::BrokerPermits;
use crate::ports::{PortError, PortLease};
use crate::run_directory::RunDirectory;

/// The cluster to be started.
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    name: String,
    version: KafkaVersion,
    nodes: u16,
    overrides: Vec<(String, String)>,
    extra_listeners: Vec<(String, String)>,
    authorizer: bool,
    proxied: bool,
    jvm: JvmTuning,
    jvm_options: Vec<String>,
}

impl Default for ClusterBuilder {
    fn default() -> Self {
        Self {
            name: "kafka".to_owned(),
            version: KafkaVersion::default(),
            nodes: 1,
            overrides: Vec::new(),
            extra_listeners: Vec::new(),
            authorizer: false,
            proxied: false,
            jvm: JvmTuning {
                heap_mib: 512,
                full_jit: false,
            },
            jvm_options: Vec::new(),
        }
    }
}

impl ClusterBuilder {
    /// A name for messages and directories.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Which Kafka; 4.3.1 if not said.
    #[must_use]
    pub fn version(mut self, version: KafkaVersion) -> Self {
        self.version = version;
        self
    }

    /// How many nodes, each broker and controller; 1 if not said, 0 counts as 1.
    #[must_use]
    pub fn nodes(mut self, nodes: u16) -> Self {
        self.nodes = nodes.max(1);
        self
    }

    /// A broker setting, for all nodes. Wins over the settings that are made for tests.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.overrides.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A third listener with its security protocol (`SASL_PLAINTEXT`, …); settings it needs are given as properties.
    #[must_use]
    pub fn listener(mut self, name: &str, protocol: &str) -> Self {
        self.extra_listeners
            .push((name.to_owned(), protocol.to_owned()));
        self
    }

    /// Turns on ACLs, with clients in plain text as super users.
    #[must_use]
    pub fn authorizer(mut self) -> Self {
        self.authorizer = true;
        self
    }

    /// Whether the second listener is advertised through a fault proxy per broker.
    #[must_use]
    pub fn through_proxy(mut self, proxied: bool) -> Self {
        self.proxied = proxied;
        self
    }

    /// The largest Java heap of each broker in MiB; 512 if not said.
    #[must_use]
    pub fn heap_mib(mut self, heap_mib: u32) -> Self {
        self.jvm.heap_mib = heap_mib;
        self
    }

    /// An option of the brokers' JVM.
    #[must_use]
    pub fn jvm_option(mut self, option: &str) -> Self {
        self.jvm_options.push(option.to_owned());
        self
    }

    /// Full JIT and G1, for benchmarks: a slower start, faster afterwards.
    #[must_use]
    pub fn full_jit(mut self) -> Self {
        self.jvm.full_jit = true;
        self
    }

    /// Starts the cluster and waits until every node sees all others.
    ///
    /// # Errors
    /// When anything of it does not start; nothing of it is left running then.
    pub async fn start(self) -> Result<KafkaCluster, ClusterError> {
        let permits = BrokerPermits::acquire(usize::from(self.nodes)).await?;
        self.start_with(permits).await
    }

    /// Starts several clusters at the same time. Use this where a test needs more than one: tests that hold one cluster
    /// each and wait for a second would block each other.
    ///
    /// # Errors
    /// When any of them does not start; nothing is left running then.
    pub async fn start_all<const N: usize>(
        builders: [Self; N],
    ) -> Result<[KafkaCluster; N], ClusterError> {
        let brokers = builders
            .iter()
            .map(|builder| usize::from(builder.nodes))
            .sum();
        let mut permits = BrokerPermits::acquire(brokers).await?;
        let mut starting = tokio::task::JoinSet::new();
        for (index, builder) in builders.into_iter().enumerate() {
            let permits = permits.split(usize::from(builder.nodes));
            starting.spawn(async move {
                builder
                    .start_with(permits)
                    .await
                    .map(|cluster| (index, cluster))
            });
        }
        let mut clusters = Vec::with_capacity(N);
        while let Some(started) = starting.join_next().await {
            clusters.push(started.expect("starting a cluster does not panic")?);
        }
        clusters.sort_by_key(|(index, _)| *index);
        let clusters: Vec<_> = clusters.into_iter().map(|(_, cluster)| cluster).collect();
        Ok(clusters
            .try_into()
            .expect("every builder has given one cluster"))
    }

    async fn start_with(self, permits: BrokerPermits) -> Result<KafkaCluster, ClusterError> {
        let jars = jars(self.version).await?;
        let directory =
            RunDirectory::new(&self.name).map_err(|source| ClusterError::Directory {
                cluster: self.name.clone(),
                source,
            })?;
        let mut cluster = KafkaCluster {
            name: self.name.clone(),
            jars,
            cluster_id: new_cluster_id(),
            proxies: Vec::new(),
            nodes: Vec::new(),
            extra_listeners: self
                .extra_listeners
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            directory,
            _permits: permits,
        };
        self.prepare(&mut cluster).await?;
        // Each is a second of Java; together they share the cores.
        let formats = cluster
            .nodes
            .iter()
            .map(|node| node.begin_format(&cluster.cluster_id))
            .collect::<Result<Vec<_>, _>>()?;
        for (node, format) in cluster.nodes.iter().zip(formats) {
            node.end_format(format).await?;
        }
        for node in &cluster.nodes {
            node.launch()?;
        }
        let count = cluster.nodes.len();
        for node in &cluster.nodes {
            node.ready(|view| view.nodes.len() == count && view.cluster_id == cluster.cluster_id)
                .await?;
        }
        Ok(cluster)
    }

    /// Leases ports, starts proxies and writes the settings of all nodes.
    async fn prepare(&self, cluster: &mut KafkaCluster) -> Result<(), ClusterError> {
        let mut ports = Vec::new();
        for _ in 0..self.nodes {
            ports.push(self.node_ports()?);
        }
        let controllers: Vec<_> = (1..)
            .zip(ports.iter().map(|ports| ports.controller.port()))
            .collect();
        for (id, ports) in (1..).zip(ports) {
            let mut second_advertised = ports.second.port();
            if self.proxied {
                let proxy = FaultProxy::start(ports.second.address())
                    .await
                    .map_err(|source| ClusterError::Proxy {
                        cluster: self.name.clone(),
                        source,
                    })?;
                second_advertised = proxy.address().port();
                cluster.proxies.push(proxy);
            }
            let directory = cluster.directory.path().join(format!("node-{id}"));
            let data = directory.join("data");
            let settings = NodeSettings {
                id,
                ports: &ports,
                second_advertised,
                extra_listeners: &self.extra_listeners,
                controllers: &controllers,
                authorizer: self.authorizer,
                data: &data,
                overrides: &self.overrides,
            };
            let properties = properties(&settings);
            let node = KafkaNode {
                cluster: self.name.clone(),
                id,
                jars: cluster.jars.clone(),
                jvm: self.jvm,
                jvm_options: self.jvm_options.clone(),
                directory,
                ports,
                process: Mutex::new(None),
            };
            node.configure(&properties)?;
            cluster.nodes.push(node);
        }
        Ok(())
    }

    fn node_ports(&self) -> Result<NodePorts, PortError> {
        Ok(NodePorts {
            direct: PortLease::new()?,
            second: PortLease::new()?,
            controller: PortLease::new()?,
            extra: self
                .extra_listeners
                .iter()
                .map(|_| PortLease::new())
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The jars, fetched on a thread that may block.
async fn jars(version: KafkaVersion) -> Result<KafkaJars, JarError> {
    tokio::task::spawn_blocking(move || kafka_jars::fetch(version))
        .await
        .expect("fetching jars does not panic and is not cancelled")
}

/// A random cluster id as Kafka writes them: 16 bytes in URL-safe base64, 22 characters without padding.
fn new_cluster_id() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: u128 = rand::random();
    // 22 letters hold 132 bits; the last letter's lower four bits are padding and must be zero.
    (0..22_u32)
        .map(|index| {
            let sixbits = if index < 21 {
                bits >> (122 - 6 * index)
            } else {
                bits << 4
            };
            char::from(LETTERS[usize::try_from(sixbits & 63).expect("six bits")])
        })
        .collect()
}
