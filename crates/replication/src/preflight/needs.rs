//! Which rights a link needs, and for what (pure). `docs/security.md` says the same in a table.

use std::collections::BTreeSet;

use config::link::{LinkConfig, LoopPrevention, Offsets, OnRefused};
use kafka_wire::message::acl::AclOperation;
use kafka_wire::types::TopicName;

use super::Topics;
use crate::metadata_sync::acl::Side;
use crate::origin::REGISTRY;

/// What a right is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resource {
    /// A topic.
    Topic(TopicName),
    /// A consumer group.
    Group(String),
    /// All transactional ids that begin like this.
    TransactionalIds(String),
    /// The cluster.
    Cluster,
}

/// When a right is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needed {
    /// Whatever is there.
    Always,
    /// If the topic does not exist: it has to be created, or may be on the cluster.
    Missing,
}

/// A right that a link needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// Where.
    pub side: Side,
    /// On what.
    pub resource: Resource,
    /// To do what.
    pub operation: AclOperation,
    /// When.
    pub when: Needed,
    /// What for, to be read after "for".
    pub purpose: &'static str,
}

/// The rights that follow from settings and topics. READ, WRITE and ALTER imply DESCRIBE, and ALTER_CONFIGS implies
/// DESCRIBE_CONFIGS, so these are not named beside them.
pub(super) fn needs(config: &LinkConfig, topics: &Topics) -> Vec<Need> {
    let settings = &config.topics;
    let features = Features {
        creates: settings.auto_create,
        grows: settings.preserve_partitions,
        follows: settings.config_sync.is_some() && !settings.naming.is_constant(),
    };
    let mut needs = Vec::new();
    for name in topics.copies.keys() {
        add(&mut needs, Side::Source, topic(name), source(features));
    }
    let copies: BTreeSet<&TopicName> = topics.copies.values().collect();
    for name in copies {
        add(&mut needs, Side::Destination, topic(name), copy(features));
    }
    if let Some(name) = &topics.positions {
        add(
            &mut needs,
            Side::Destination,
            topic(name),
            POSITIONS.to_vec(),
        );
    }
    if config.on_refused == OnRefused::Quarantine {
        let name = TopicName::from(config.quarantine_topic.as_str());
        let purpose = "setting refused records aside";
        let mut wanted = vec![(AclOperation::Write, Needed::Always, purpose)];
        if settings.auto_create {
            let purpose = "creating the topic of refused records";
            wanted.push((AclOperation::Create, Needed::Missing, purpose));
        }
        add(&mut needs, Side::Destination, topic(&name), wanted);
    }
    if let Some(group) = config.start_group.as_ref().filter(|group| group.is_given) {
        let purpose = "beginning where this group has come to";
        let describe = vec![(AclOperation::Describe, Needed::Always, purpose)];
        let group = Resource::Group(group.id.clone());
        add(&mut needs, Side::Source, group, describe);
    }
    if config.transactions.is_some() {
        let purpose = "writing in transactions, and fencing who wrote them before";
        let write = vec![(AclOperation::Write, Needed::Always, purpose)];
        let prefix = config.transactional_id_prefix(topics.group.as_deref());
        let ids = Resource::TransactionalIds(prefix);
        add(&mut needs, Side::Destination, ids, write);
    }
    // Elsewhere offsets are mapped where these are missing.
    if config.offsets.placement == Offsets::Preserve {
        let purpose = "giving records the offsets of the source";
        for name in topics.copies.values() {
            let delete = (AclOperation::Delete, Needed::Always, purpose);
            add(&mut needs, Side::Destination, topic(name), vec![delete]);
        }
        let alter = vec![(AclOperation::Alter, Needed::Always, purpose)];
        add(&mut needs, Side::Destination, Resource::Cluster, alter);
    }
    // Elsewhere a link goes on without it.
    if config.loops == LoopPrevention::Required {
        let name = TopicName::from(REGISTRY);
        let purpose = "seeing which records are copies";
        let read = vec![(AclOperation::Read, Needed::Always, purpose)];
        add(&mut needs, Side::Source, topic(&name), read);
        add(
            &mut needs,
            Side::Destination,
            topic(&name),
            REGISTERING.to_vec(),
        );
    }
    if settings.acls.is_some() {
        let describe = (
            AclOperation::Describe,
            Needed::Always,
            "reading access rights",
        );
        let alter = (AclOperation::Alter, Needed::Always, "making access rights");
        add(&mut needs, Side::Source, Resource::Cluster, vec![describe]);
        let both = vec![describe, alter];
        add(&mut needs, Side::Destination, Resource::Cluster, both);
    }
    needs
}

/// What a link does besides copying records.
#[derive(Clone, Copy)]
struct Features {
    /// Topics are created.
    creates: bool,
    /// They get more partitions.
    grows: bool,
    /// Settings are followed.
    follows: bool,
}

type Wanted = (AclOperation, Needed, &'static str);

/// On the topic of positions.
const POSITIONS: [Wanted; 4] = [
    (
        AclOperation::Create,
        Needed::Missing,
        "creating the topic of positions",
    ),
    (AclOperation::Write, Needed::Always, "keeping positions"),
    (
        AclOperation::Read,
        Needed::Always,
        "finding positions again",
    ),
    (
        AclOperation::DescribeConfigs,
        Needed::Always,
        "seeing that the topic of positions is compacted",
    ),
];

/// On the registry of what links have written.
const REGISTERING: [Wanted; 4] = [
    (
        AclOperation::Create,
        Needed::Missing,
        "creating the registry of copies",
    ),
    (AclOperation::Write, Needed::Always, "registering copies"),
    (
        AclOperation::Read,
        Needed::Always,
        "knowing what is registered",
    ),
    (
        AclOperation::DescribeConfigs,
        Needed::Always,
        "seeing that the registry is compacted",
    ),
];

/// On a topic of the source.
fn source(features: Features) -> Vec<Wanted> {
    let mut wanted = vec![(AclOperation::Read, Needed::Always, "copying its records")];
    if features.creates || features.follows {
        wanted.push((
            AclOperation::DescribeConfigs,
            Needed::Always,
            "creating its copy with its settings, and following them",
        ));
    }
    wanted
}

/// On a copy.
fn copy(features: Features) -> Vec<Wanted> {
    let mut wanted = vec![
        (AclOperation::Write, Needed::Always, "writing records"),
        (
            AclOperation::Read,
            Needed::Always,
            "finding after a crash what was written, so that nothing is written twice",
        ),
    ];
    if features.creates {
        wanted.push((AclOperation::Create, Needed::Missing, "creating it"));
    }
    if features.grows {
        wanted.push((
            AclOperation::Alter,
            Needed::Always,
            "more partitions when its source gets them",
        ));
    }
    if features.follows {
        wanted.push((
            AclOperation::AlterConfigs,
            Needed::Always,
            "following the settings of its source",
        ));
    }
    wanted
}

fn topic(name: &TopicName) -> Resource {
    Resource::Topic(name.clone())
}

fn add(needs: &mut Vec<Need>, side: Side, resource: Resource, wanted: Vec<Wanted>) {
    let need = |(operation, when, purpose)| Need {
        side,
        resource: resource.clone(),
        operation,
        when,
        purpose,
    };
    needs.extend(wanted.into_iter().map(need));
}

#[cfg(test)]
mod tests {
    use config::raw::RawConfig;
    use config::worker::{OffsetStorage, WorkerConfig};

    use super::*;

    fn check(settings: &str, expected: &[&str]) {
        let begin = "name=l\nsrc.kafka.bootstrap.servers=a:1\ndest.kafka.bootstrap.servers=b:1\n";
        let text = format!("{begin}topic.regex=.*\n{settings}");
        let raw = RawConfig::from_properties("test", &text).expect("properties");
        let worker = WorkerConfig {
            exactly_once: true,
            ..WorkerConfig::new(OffsetStorage::Topic {
                name: "p".to_owned(),
                replication_factor: 1,
                partitions: 1,
            })
        };
        let (config, _) = config::resolve_link(&raw.0, &worker).expect("usable");
        let topics = Topics {
            copies: [("a".into(), "x".into())].into(),
            positions: Some("p".into()),
            group: None,
        };
        let needs = needs(&config, &topics);
        let found: Vec<String> = needs
            .iter()
            .filter(|need| need.resource != Resource::Topic("p".into()))
            .map(|need| format!("{} {} {}", need.side, need.operation, need.resource))
            .collect();
        assert_eq!(found, expected, "{settings}");
        assert_eq!(needs.len() - found.len(), POSITIONS.len());
    }

    #[test]
    fn what_is_switched_off_needs_no_rights() {
        let copying = [
            "source READ topic a",
            "source DESCRIBE_CONFIGS topic a",
            "destination WRITE topic x",
            "destination READ topic x",
            "destination CREATE topic x",
            "destination ALTER topic x",
        ];
        let mut all = copying.to_vec();
        all.push("destination ALTER_CONFIGS topic x");
        check("", &all);
        check("topic.config.sync=false\n", &copying);
        let spread = "topic.config.sync=false\ntopic.preserve.partitions=false\n";
        check(spread, &copying[..5]);
        let least = [copying[0], copying[2], copying[3]];
        check(&format!("{spread}topic.auto.create=false\n"), &least);
        all.extend([
            "source DESCRIBE cluster",
            "destination DESCRIBE cluster",
            "destination ALTER cluster",
        ]);
        check("sync.topic.acls.enabled=true\n", &all);
        let preserved = ["destination DELETE topic x", "destination ALTER cluster"];
        let preserving = [&all[..7], &preserved].concat();
        check("tributary.offsets=preserve\n", &preserving);
        let transactions = ["destination WRITE transactional ids tributary-l-*"];
        let transacting = [&all[..7], &transactions].concat();
        check("exactly.once.support=required\n", &transacting);
        let aside = [
            "destination WRITE topic q",
            "destination CREATE topic q",
            "source DESCRIBE group g",
        ];
        let known = [
            "source READ topic tributary.origins.internal",
            "destination CREATE topic tributary.origins.internal",
            "destination WRITE topic tributary.origins.internal",
            "destination READ topic tributary.origins.internal",
            "destination DESCRIBE_CONFIGS topic tributary.origins.internal",
        ];
        let required = [&all[..7], &known].concat();
        check("tributary.loop.prevention=required\n", &required);
        let all = [&all[..7], &aside].concat();
        let settings = "tributary.on.refused=quarantine\ntributary.quarantine.topic=q\n";
        let begin = "src.consumer.group.id=g\noffset.start=consumer\n";
        check(&format!("{settings}{begin}"), &all);
    }
}
