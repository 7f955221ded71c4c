//! Whether a link could run: every connection it would make, and every right it would need. Nothing is changed.
//!
//! ```text
//!   bootstrap addresses ─▶ probe ─▶ Metadata ─▶ advertised addresses ─▶ probe
//!   settings, topics ─▶ needs.rs (pure) ─▶ rights.rs: asked ─▶ Right: ok, missing, unknown ─▶ remedy.rs (pure)
//! ```
//!
//! Deliberately absent: whether topics can be copied as they are; that is the preview's.

mod needs;
mod remedy;
mod rights;

use std::collections::BTreeMap;
use std::fmt;

use config::link::LinkConfig;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;
use kafka_client::connection::Probe;
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::TopicName;

use crate::metadata_sync::acl::{OwnPrincipals, Side};

pub use needs::{Need, Needed, Resource};
pub use rights::{Right, Verdict};

/// Both sides.
#[derive(Debug)]
pub struct Preflight {
    /// Source and destination.
    pub sides: [SideReport; 2],
}

/// What was seen of a side.
#[derive(Debug)]
pub struct SideReport {
    /// Which.
    pub side: Side,
    /// Connections to the configured addresses, except those that are advertised.
    pub bootstrap: Vec<Probe>,
    /// Connections to the addresses that brokers advertise, with the brokers' numbers.
    pub advertised: Vec<(i32, Probe)>,
    /// Why the brokers could not be asked, although one of them could be reached.
    pub unasked: Option<String>,
    /// What was needed, and whether it is there.
    pub rights: Vec<Right>,
    /// Commands that give what is missing.
    pub commands: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

impl SideReport {
    /// Whether the link could run as far as this side is concerned.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_answering()
            && self.advertised.iter().all(|(_, probe)| probe.is_whole())
            && self
                .rights
                .iter()
                .all(|right| right.verdict == Verdict::Granted)
    }
}

impl Preflight {
    /// Whether the link could run.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sides.iter().all(SideReport::is_ready)
    }
}

/// The topics a link is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topics {
    /// Copies by source topic.
    pub copies: BTreeMap<TopicName, TopicName>,
    /// Where positions are kept, if that is a topic.
    pub positions: Option<TopicName>,
    /// The group of workers, which is part of transactional ids.
    pub group: Option<String>,
}

/// Looks at both sides.
pub async fn preflight(config: &LinkConfig, worker: &WorkerConfig) -> Preflight {
    let source = Cluster::new(config.source.clone(), "source");
    let destination = Cluster::new(config.destination.clone(), "destination");
    let (mut from, mut to) = tokio::join!(
        connections(Side::Source, &source),
        connections(Side::Destination, &destination)
    );
    let topics = if from.is_answering() {
        topics(config, worker, &source, &mut from).await
    } else {
        Topics::default()
    };
    let needs = needs::needs(config, &topics);
    let own = OwnPrincipals::of(&config.source, &config.destination);
    for (report, cluster, principal) in [
        (&mut from, &source, own.source),
        (&mut to, &destination, own.destination),
    ] {
        if !report.is_answering() {
            continue;
        }
        let of_side = needs.iter().filter(|need| need.side == report.side);
        match rights::asked(cluster, of_side.cloned().collect()).await {
            Ok(rights) => report.rights = rights,
            Err(error) => report.unasked = Some(error.to_string()),
        }
        report.commands = remedy::commands(&report.rights, cluster.config(), principal.as_deref());
    }
    Preflight { sides: [from, to] }
}

impl SideReport {
    fn is_answering(&self) -> bool {
        let advertised = self.advertised.iter().map(|(_, probe)| probe);
        let mut probes = self.bootstrap.iter().chain(advertised);
        self.unasked.is_none() && probes.any(Probe::is_whole)
    }
}

async fn connections(side: Side, cluster: &Cluster) -> SideReport {
    let mut report = SideReport {
        side,
        bootstrap: Vec::new(),
        advertised: Vec::new(),
        unasked: None,
        rights: Vec::new(),
        commands: Vec::new(),
        notes: Vec::new(),
    };
    for address in &cluster.config().bootstrap_servers {
        report.bootstrap.push(cluster.probe(address).await);
    }
    if !report.is_answering() {
        return report;
    }
    if let Err(error) = cluster.metadata(MetadataTopics::Topics(Vec::new())).await {
        report.unasked = Some(error.to_string());
        return report;
    }
    for (node, address) in cluster.advertised() {
        // What was configured as it is advertised has been seen already.
        let known = report
            .bootstrap
            .iter()
            .position(|probe| probe.peer == address);
        let probe = match known {
            Some(known) => report.bootstrap.remove(known),
            None => cluster.probe(&address).await,
        };
        report.advertised.push((node.0, probe));
    }
    report
}

async fn topics(
    config: &LinkConfig,
    worker: &WorkerConfig,
    source: &Cluster,
    report: &mut SideReport,
) -> Topics {
    let selection = &config.topics.selection;
    let mut names: Vec<TopicName> = selection.whitelist().map(TopicName::from).collect();
    match source.metadata(MetadataTopics::All).await {
        Ok(answer) => names.extend(answer.topics.into_iter().filter_map(|topic| topic.name)),
        Err(error) => report.unasked = Some(error.to_string()),
    }
    let selected = names
        .into_iter()
        .filter(|name| selection.is_selected(name.as_str()));
    let copies = selected.filter_map(|name| {
        let copy = config.topics.naming.apply(name.as_str()).ok()?;
        Some((name, TopicName::from(copy)))
    });
    let topics = Topics {
        copies: copies.collect(),
        positions: match &worker.offsets {
            OffsetStorage::Topic { name, .. } => Some(name.as_str().into()),
            OffsetStorage::File(_) => None,
        },
        group: worker.group_id.clone(),
    };
    if topics.copies.is_empty() {
        let note = "no topic is selected that may be described; rights on topics were not checked";
        report.notes.push(note.to_owned());
    } else if !selection.include().is_empty() || !selection.topics().is_empty() {
        let note = "topics that may not be described cannot be seen, so patterns do not find them";
        report.notes.push(note.to_owned());
    }
    topics
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::TransactionalIds(prefix) => write!(f, "transactional ids {prefix}*"),
            Self::Cluster => f.write_str("cluster"),
        }
    }
}
