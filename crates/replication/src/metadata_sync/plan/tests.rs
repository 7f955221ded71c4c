//! Observations and the plans that follow from them, as they are printed.

use config::link::TimestampType;
use config::naming::Naming;
use config::pattern::PatternList;
use config::rename::RenameFormat;
use config::selection::TopicSelection;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{ConfigEntry, ConfigSource};

use super::*;

fn settings() -> TopicSettings {
    TopicSettings::selecting(TopicSelection::default())
}

fn renamed(format: &str) -> TopicSettings {
    TopicSettings {
        naming: Naming::Format(RenameFormat::parse(format).expect("a format")),
        ..settings()
    }
}

/// A setting and where it comes from.
fn entry(name: &str, value: &str, source: ConfigSource) -> ConfigEntry {
    ConfigEntry {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source,
        read_only: false,
        sensitive: false,
        list: name == "cleanup.policy",
    }
}

fn overrides(entries: &[(&str, &str)]) -> Vec<ConfigEntry> {
    let entry = |(name, value): &(&str, &str)| entry(name, value, ConfigSource::Topic);
    entries.iter().map(entry).collect()
}

fn topic(partitions: i32, entries: &[(&str, &str)]) -> Topic {
    Topic {
        id: TopicId([1; 16]),
        partitions,
        replication_factor: 3,
        settings: Some(Ok(overrides(entries))),
    }
}

/// A copy whose settings were not asked for.
fn there(partitions: i32) -> Topic {
    Topic {
        id: TopicId([2; 16]),
        partitions,
        replication_factor: 3,
        settings: None,
    }
}

/// Source topics against three destination brokers with these topics.
fn observed(source: &[(&str, Topic)], destination: &[(&str, i32)]) -> Observation {
    Observation {
        source: source
            .iter()
            .map(|(name, topic)| ((*name).into(), topic.clone()))
            .collect(),
        destination: destination
            .iter()
            .map(|(name, partitions)| ((*name).into(), there(*partitions)))
            .collect(),
        destination_brokers: 3,
        ..Observation::default()
    }
}

fn rules(settings: &TopicSettings) -> Rules {
    Rules {
        settings: settings.clone(),
        on_recreate: OnRecreate::Stop,
        reserved: BTreeSet::from(["connect-offsets".to_owned()]),
    }
}

fn plan(observation: &Observation, settings: &TopicSettings) -> Plan {
    Plan::new(observation, &History::default(), &rules(settings))
}

fn fixed(count: i16) -> ReplicationFactor {
    let key = "replication.factor";
    ReplicationFactor::Fixed { count, key }
}

/// The conditions of topics, as "topic: condition".
fn conditions(plan: &Plan) -> Vec<String> {
    let problems = plan.problems.iter().chain(&plan.notes);
    problems
        .map(|p| format!("{}: {}", p.topic, p.state))
        .collect()
}

/// The plan as printed, and what is copied as "source → destination, partitions".
fn check(observation: &Observation, settings: &TopicSettings, steps: &[&str], copies: &[&str]) {
    let found = plan(observation, settings);
    let printed = found.to_string();
    assert_eq!(printed.lines().collect::<Vec<_>>(), steps);
    let copied: Vec<String> = found
        .copies
        .iter()
        .map(|c| format!("{} → {}, {}", c.source, c.destination, c.partitions))
        .collect();
    assert_eq!(copied, copies);
}

#[test]
fn a_missing_topic_is_created_with_the_settings_of_its_source() {
    check(
        &observed(
            &[(
                "a",
                topic(4, &[("cleanup.policy", "compact"), ("retention.ms", "5")]),
            )],
            &[],
        ),
        &settings(),
        &[
            "create a: 4 partitions, replication factor 3, cleanup.policy=compact, \
             message.timestamp.type=CreateTime, retention.ms=5",
        ],
        &[],
    );
}

#[test]
fn settings_that_are_excluded_or_mean_another_cluster_are_not_copied() {
    let excluding = TopicSettings {
        config_exclude: PatternList::parse(["retention\\..*"]).expect("a pattern"),
        timestamp_type: Some(TimestampType::LogAppendTime),
        ..settings()
    };
    let overrides = [
        ("retention.ms", "5"),
        ("retention.bytes", "5"),
        ("message.timestamp.type", "CreateTime"),
        ("leader.replication.throttled.replicas", "*"),
        ("follower.replication.throttled.replicas", "*"),
        ("message.format.version", "2.8"),
        ("segment.ms", "7"),
    ];
    check(
        &observed(&[("a", topic(1, &overrides))], &[]),
        &excluding,
        &[
            "create a: 1 partitions, replication factor 3, message.timestamp.type=LogAppendTime, \
             segment.ms=7",
        ],
        &[],
    );
}

#[test]
fn a_destination_with_fewer_brokers_gets_fewer_replicas_and_can_still_be_written() {
    let mut observation = observed(&[("a", topic(1, &[("min.insync.replicas", "2")]))], &[]);
    observation.destination_brokers = 1;
    check(
        &observation,
        &settings(),
        &[
            "create a: 1 partitions, replication factor 1, message.timestamp.type=CreateTime",
            "a: replication-reduced: replication factor 3 of the source is reduced to 1, the number of \
             destination brokers",
            "a: setting-left-out: min.insync.replicas=2 is not copied: with replication factor 1 nothing could \
             be written",
        ],
        &[],
    );
    assert!(
        plan(&observation, &settings())
            .problems
            .iter()
            .all(|p| !p.is_blocking())
    );
}

#[test]
fn a_configured_replication_factor_is_taken_as_it_is() {
    let fixed = TopicSettings {
        replication_factor: fixed(2),
        ..settings()
    };
    check(
        &observed(&[("a", topic(1, &[("min.insync.replicas", "2")]))], &[]),
        &fixed,
        &[
            "create a: 1 partitions, replication factor 2, message.timestamp.type=CreateTime, \
             min.insync.replicas=2",
        ],
        &[],
    );
}

#[test]
fn a_topic_that_is_there_is_copied_and_grown_and_never_shrunk() {
    check(
        &observed(
            &[
                ("a", topic(4, &[])),
                ("b", topic(2, &[])),
                ("c", topic(3, &[])),
            ],
            &[("a", 4), ("b", 5), ("c", 1), ("other", 9)],
        ),
        &settings(),
        &[
            "grow c: 1 to 3 partitions",
            "b: destination-larger: b has 5 partitions, the source 2: the others stay empty",
        ],
        &["a → a, 4", "b → b, 2", "c → c, 1"],
    );
}

#[test]
fn without_auto_create_somebody_else_has_to_make_topics_and_those_that_are_there_are_grown() {
    let passive = TopicSettings {
        auto_create: false,
        ..settings()
    };
    check(
        &observed(&[("a", topic(4, &[])), ("b", topic(2, &[]))], &[("a", 3)]),
        &passive,
        &[
            "grow a: 3 to 4 partitions",
            "b: destination-pending: b does not exist, and topic.auto.create is false",
        ],
        &["a → a, 3"],
    );
}

#[test]
fn renamed_topics_are_looked_for_and_created_under_their_new_name() {
    check(
        &observed(
            &[("a", topic(1, &[])), ("b", topic(1, &[]))],
            &[("x-a", 1), ("b", 1)],
        ),
        &renamed("x-${topic}"),
        &["create x-b: 1 partitions, replication factor 3, message.timestamp.type=CreateTime"],
        &["a → x-a, 1"],
    );
}

#[test]
fn a_name_that_cannot_be_concerns_its_topic_only() {
    let long = "l".repeat(248);
    let observation = observed(
        &[("a", topic(1, &[])), (&long, topic(1, &[]))],
        &[("xxa", 1)],
    );
    let plan = plan(&observation, &renamed("xx${topic}"));
    assert_eq!(plan.copies.len(), 1);
    assert_eq!(plan.steps, []);
    assert_eq!(plan.problems.len(), 1);
    let problem = &plan.problems[0];
    assert_eq!(problem.state, Condition::NameInvalid);
    assert!(problem.reason.contains("249"), "{}", problem.reason);
}

#[test]
fn a_constant_name_merges_all_topics_into_one_with_enough_partitions() {
    let merged = renamed("all");
    let source = [("a", topic(2, &[])), ("b", topic(4, &[]))];
    check(
        &observed(&source, &[("all", 4)]),
        &merged,
        &[],
        &["a → all, 2", "b → all, 4"],
    );
    check(
        &observed(&source, &[]),
        &merged,
        &["create all: 4 partitions, replication factor 3, message.timestamp.type=CreateTime"],
        &[],
    );
    check(
        &observed(&source, &[("all", 1)]),
        &merged,
        &["grow all: 1 to 4 partitions"],
        &["a → all, 1", "b → all, 1"],
    );
}

#[test]
fn topics_that_may_not_be_looked_at_are_named_and_not_touched() {
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut observation = observed(
        &[
            ("a", topic(1, &[])),
            ("b", topic(1, &[])),
            ("c", topic(1, &[])),
        ],
        &[],
    );
    observation.absent.insert("z".into(), denied);
    observation.hidden.insert("a".into(), denied);
    let unknown = |settings| Topic {
        settings,
        ..topic(1, &[])
    };
    observation
        .source
        .insert("b".into(), unknown(Some(Err(denied))));
    observation.source.insert("c".into(), unknown(None));
    let plan = plan(&observation, &settings());
    assert_eq!((plan.steps.len(), plan.copies.len()), (0, 0));
    let expected = [
        "z: source-unauthorized",
        "a: destination-unauthorized",
        "b: source-unauthorized",
        "c: destination-pending",
    ];
    assert_eq!(conditions(&plan), expected);
    assert!(plan.problems.iter().all(Problem::is_blocking));
}

#[test]
fn a_step_names_the_topic_it_changes_and_the_one_it_is_for() {
    let source = [("a", topic(2, &[])), ("b", topic(2, &[]))];
    let plan = plan(&observed(&source, &[("x-b", 1)]), &renamed("x-${topic}"));
    let named: Vec<(&str, &str)> = plan
        .steps
        .iter()
        .map(|step| (step.source().as_str(), step.topic().as_str()))
        .collect();
    assert_eq!(named, [("a", "x-a"), ("b", "x-b")]);
}

#[test]
fn nothing_to_do_prints_nothing() {
    let plan = plan(&observed(&[("a", topic(1, &[]))], &[("a", 1)]), &settings());
    assert_eq!(plan.to_string(), "");
}

mod changes;
mod rules;
