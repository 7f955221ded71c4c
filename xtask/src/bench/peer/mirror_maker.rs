//! MirrorMaker 2 in its dedicated mode: its command, and the configuration that is published with the figures.

use std::fs;

use test_support::ports::PortLease;

use super::{Errand, Peer};
use crate::failure::{Attempt as _, Result};

/// The heap and the collector of each way to run it.
const STOCK: [&str; 3] = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];
const TUNED: [&str; 3] = ["-Xms2g", "-Xmx2g", "-XX:+UseParallelGC"];

/// What both have in common: nothing is done beside the data, and all of its topics have one replica.
const COMMON: &str = "\
    clusters = A, B\n\
    A->B.enabled = true\n\
    B->A.enabled = false\n\
    replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n\
    emit.heartbeats.enabled = false\n\
    emit.checkpoints.enabled = false\n\
    sync.topic.acls.enabled = false\n\
    sync.topic.configs.enabled = false\n\
    refresh.topics.interval.seconds = 600\n\
    refresh.groups.enabled = false\n\
    replication.factor = 1\n\
    offset-syncs.topic.replication.factor = 1\n\
    heartbeats.topic.replication.factor = 1\n\
    checkpoints.topic.replication.factor = 1\n\
    config.storage.replication.factor = 1\n\
    offset.storage.replication.factor = 1\n\
    status.storage.replication.factor = 1\n\
    A.consumer.isolation.level = read_committed\n";

/// In good faith: fewer, larger requests.
const TUNING: &str = "\
    tasks.max = 2\n\
    A.consumer.max.poll.records = 5000\n\
    A.consumer.max.partition.fetch.bytes = 2097152\n\
    A.consumer.fetch.max.bytes = 52428800\n\
    A.consumer.receive.buffer.bytes = -1\n\
    B.producer.batch.size = 262144\n\
    B.producer.linger.ms = 20\n\
    B.producer.buffer.memory = 67108864\n\
    B.producer.max.request.size = 10485760\n\
    B.producer.enable.idempotence = true\n\
    B.producer.max.in.flight.requests.per.connection = 5\n\
    B.producer.send.buffer.bytes = -1\n";

/// The command, with its configuration written; the port that it listens on, where it has one, is its own while it runs.
pub(super) fn command(errand: &Errand<'_>, peer: Peer) -> Result<Vec<String>> {
    let path = errand.directory.join(format!("{}.properties", errand.name));
    // Given back at once, so that it can be taken.
    let port = PortLease::new()
        .attempting("find a port for MirrorMaker 2")?
        .port();
    fs::write(&path, properties(errand, peer, port))
        .attempting(format!("write {}", path.display()))?;
    let machine = match peer {
        Peer::MirrorMakerStock => STOCK,
        _ => TUNED,
    };
    let mut command = vec![errand.jars.java().display().to_string()];
    command.extend(machine.map(str::to_owned));
    command.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned());
    command.extend(["-cp".to_owned(), errand.jars.classpath()]);
    command.push("org.apache.kafka.connect.mirror.MirrorMaker".to_owned());
    command.push(path.display().to_string());
    Ok(command)
}

fn properties(errand: &Errand<'_>, peer: Peer, port: u16) -> String {
    let topics = std::iter::once(errand.topic).chain(errand.also);
    let topics: Vec<String> = topics.map(|topic| topic.replace('.', "\\\\.")).collect();
    let mut text = format!(
        "{COMMON}\
         A.bootstrap.servers = {}\n\
         B.bootstrap.servers = {}\n\
         A->B.topics = {}\n\
         B.producer.compression.type = {}\n",
        errand.source,
        errand.destination,
        topics.join(", "),
        errand.codec,
    );
    text.push_str(match peer {
        Peer::MirrorMakerStock => "tasks.max = 1\n",
        _ => TUNING,
    });
    if peer == Peer::MirrorMakerStock && errand.settings.iter().any(is_limit) {
        text.push_str("B.producer.max.request.size = 10485760\n");
    }
    if let Some(milliseconds) = errand.commit {
        text.push_str(&format!(
            "B.exactly.once.source.support = enabled\n\
             dedicated.mode.enable.internal.rest = true\n\
             listeners = http://127.0.0.1:{port}\n\
             A->B.transaction.boundary = interval\n\
             A->B.transaction.boundary.interval.ms = {milliseconds}\n"
        ));
    }
    match errand.goes_on {
        true => text.replace("linger.ms = 20", "linger.ms = 0"),
        false => text,
    }
}

/// Whether it raises what a record may weigh.
fn is_limit(setting: &&str) -> bool {
    setting.starts_with("max.message.bytes")
}
