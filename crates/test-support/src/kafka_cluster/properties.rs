//! What stands in `server.properties` of a node: small, quick, and the same for all supported versions.

use std::path::Path;

use crate::kafka_process::NodePorts;

pub(super) struct NodeSettings<'a> {
    pub(super) id: i32,
    pub(super) ports: &'a NodePorts,
    /// Where clients of the second listener are sent.
    pub(super) second_advertised: u16,
    /// Names and security protocols of additional listeners, in the order of `ports.extra`.
    pub(super) extra_listeners: &'a [(String, String)],
    /// Id and controller port of every node.
    pub(super) controllers: &'a [(i32, u16)],
    pub(super) authorizer: bool,
    pub(super) data: &'a Path,
    /// Given by the test; they win.
    pub(super) overrides: &'a [(String, String)],
}

pub(super) fn properties(settings: &NodeSettings<'_>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fixed(settings.controllers.len());
    all.extend(listeners(settings));
    all.push(("node.id".to_owned(), settings.id.to_string()));
    all.push(("log.dirs".to_owned(), settings.data.display().to_string()));
    if settings.authorizer {
        let class = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        all.push(("authorizer.class.name".to_owned(), class.to_owned()));
        // Clients in plain text are ANONYMOUS, brokers among themselves too.
        all.push(("super.users".to_owned(), "User:ANONYMOUS".to_owned()));
    }
    for (key, value) in settings.overrides {
        all.retain(|(known, _)| known != key);
        all.push((key.clone(), value.clone()));
    }
    all
}

/// What does not depend on the node.
fn fixed(nodes: usize) -> Vec<(String, String)> {
    let replicas = nodes.min(3).to_string();
    let in_sync = if nodes >= 3 { "2" } else { "1" };
    [
        ("process.roles", "broker,controller"),
        ("inter.broker.listener.name", "DIRECT"),
        ("controller.listener.names", "CONTROLLER"),
        ("default.replication.factor", &replicas),
        ("min.insync.replicas", in_sync),
        ("offsets.topic.replication.factor", &replicas),
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.replication.factor", &replicas),
        ("transaction.state.log.min.isr", in_sync),
        ("transaction.state.log.num.partitions", "4"),
        (
            "share.coordinator.state.topic.replication.factor",
            &replicas,
        ),
        ("share.coordinator.state.topic.min.isr", in_sync),
        ("share.coordinator.state.topic.num.partitions", "1"),
        // A topic that nobody made must not appear because somebody asked for it.
        ("auto.create.topics.enable", "false"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("num.network.threads", "2"),
        ("num.io.threads", "4"),
        ("log.cleaner.dedupe.buffer.size", "4194304"),
        // Generated records are older than a week; they must not be gone at the broker's first look.
        ("log.retention.ms", "-1"),
        // A broker that was killed is out, and one that came back is in again, within a second or two.
        ("broker.session.timeout.ms", "3000"),
        ("broker.heartbeat.interval.ms", "500"),
        ("controlled.shutdown.enable", "true"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

fn listeners(settings: &NodeSettings<'_>) -> Vec<(String, String)> {
    let ports = settings.ports;
    let mut names = vec![
        (
            "DIRECT",
            "PLAINTEXT",
            ports.direct.port(),
            ports.direct.port(),
        ),
        (
            "SECOND",
            "PLAINTEXT",
            ports.second.port(),
            settings.second_advertised,
        ),
    ];
    for ((name, protocol), port) in settings.extra_listeners.iter().zip(&ports.extra) {
        names.push((name, protocol, port.port(), port.port()));
    }
    let advertised: Vec<_> = names
        .iter()
        .map(|(name, _, _, port)| format!("{name}://127.0.0.1:{port}"))
        .collect();
    names.push((
        "CONTROLLER",
        "PLAINTEXT",
        ports.controller.port(),
        ports.controller.port(),
    ));
    let bound: Vec<_> = names
        .iter()
        .map(|(name, _, port, _)| format!("{name}://127.0.0.1:{port}"))
        .collect();
    let protocols: Vec<_> = names
        .iter()
        .map(|(name, protocol, ..)| format!("{name}:{protocol}"))
        .collect();
    let voters: Vec<_> = settings
        .controllers
        .iter()
        .map(|(id, port)| format!("{id}@127.0.0.1:{port}"))
        .collect();
    vec![
        ("listeners".to_owned(), bound.join(",")),
        ("advertised.listeners".to_owned(), advertised.join(",")),
        (
            "listener.security.protocol.map".to_owned(),
            protocols.join(","),
        ),
        ("controller.quorum.voters".to_owned(), voters.join(",")),
    ]
}
