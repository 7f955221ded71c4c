//! Settings of topics that exist: what is set, what is removed, what is left alone.

use config::link::{ConfigDelete, DefaultsFrom};

use super::super::super::history::RefusedSetting;
use super::*;

/// The changes planned for a copy with these settings, as printed.
fn changes(
    source: Vec<ConfigEntry>,
    copy: Vec<ConfigEntry>,
    settings: &TopicSettings,
    history: &History,
) -> (Vec<String>, Vec<String>) {
    let mut seen = observed(&[("a", topic(1, &[]))], &[("a", 1)]);
    seen.source.get_mut(&"a".into()).expect("there").settings = Some(Ok(source));
    seen.destination
        .get_mut(&"a".into())
        .expect("there")
        .settings = Some(Ok(copy));
    let plan = Plan::new(&seen, history, &super::rules(settings));
    let changes = plan.steps.iter().flat_map(|step| match step {
        Step::Configure { changes, .. } => changes.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    });
    (changes.collect(), conditions(&plan))
}

fn check(
    source: &[(&str, &str)],
    copy: Vec<ConfigEntry>,
    settings: &TopicSettings,
    expected: &[&str],
) {
    let (found, _) = changes(overrides(source), copy, settings, &History::default());
    assert_eq!(found, expected);
}

/// What every broker knows, with values of its own where nothing else is said.
fn copy(own: &[(&str, &str)]) -> Vec<ConfigEntry> {
    let mut entries = overrides(own);
    for (name, value) in [
        ("cleanup.policy", "delete"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "-1"),
        ("segment.ms", "604800000"),
        ("min.insync.replicas", "1"),
        ("max.message.bytes", "1048588"),
        ("message.timestamp.type", "CreateTime"),
        ("compression.type", "producer"),
    ] {
        if !own.iter().any(|(own, _)| *own == name) {
            entries.push(entry(name, value, ConfigSource::Default));
        }
    }
    entries
}

/// The setting that copies always have, so that tests show the others.
const PINNED: (&str, &str) = ("message.timestamp.type", "CreateTime");

#[test]
fn settings_that_differ_are_set_and_those_that_do_not_are_not_sent() {
    let settings = settings();
    let source = [("retention.ms", "5"), ("segment.ms", "7")];
    let here = copy(&[PINNED, ("retention.ms", "6")]);
    let expected = ["set retention.ms=5 (was 6)", "set segment.ms=7"];
    check(&source, here, &settings, &expected);
    let here = copy(&[PINNED, ("retention.ms", " 5 "), ("segment.ms", "7")]);
    check(&source, here, &settings, &[]);
    check(
        &[],
        copy(&[]),
        &settings,
        &["set message.timestamp.type=CreateTime"],
    );
}

#[test]
fn lists_are_compared_as_sets() {
    let source = [("cleanup.policy", "delete,compact")];
    let here = copy(&[PINNED, ("cleanup.policy", "compact, delete")]);
    check(&source, here, &settings(), &[]);
    let here = copy(&[PINNED, ("cleanup.policy", "compact")]);
    let expected = ["set cleanup.policy=delete,compact (was compact)"];
    check(&source, here, &settings(), &expected);
}

#[test]
fn removed_settings_are_removed_as_far_as_the_policy_goes() {
    let here = || copy(&[PINNED, ("retention.ms", "5"), ("segment.ms", "7")]);
    let mut history = History::default();
    history
        .own
        .insert("a".into(), BTreeSet::from(["segment.ms".to_owned()]));
    let both = ["remove retention.ms (was 5)", "remove segment.ms (was 7)"];
    for (policy, expected) in [
        (ConfigDelete::Follow, &both[..]),
        (ConfigDelete::Own, &both[1..]),
        (ConfigDelete::Never, &[]),
    ] {
        let settings = TopicSettings {
            config_delete: policy,
            ..settings()
        };
        let (found, _) = changes(Vec::new(), here(), &settings, &history);
        assert_eq!(found, expected, "{policy:?}");
    }
}

#[test]
fn what_is_excluded_listed_or_secret_is_never_looked_at() {
    let excluding = TopicSettings {
        config_exclude: PatternList::parse(["retention\\..*"]).expect("a pattern"),
        ..settings()
    };
    let never = ("leader.replication.throttled.replicas", "*");
    let mut secret = entry("secret.key", "x", ConfigSource::Topic);
    secret.sensitive = true;
    let mut here = copy(&[PINNED, ("retention.ms", "9"), never]);
    here.push(secret);
    check(&[("retention.ms", "5"), never], here, &excluding, &[]);
}

#[test]
fn the_timestamp_type_is_set_in_replicators_form_and_left_alone_in_mirror_makers() {
    let exclude = PatternList::parse(["message\\.timestamp\\.type"]).expect("a pattern");
    let with = |timestamp_type| TopicSettings {
        config_exclude: exclude.clone(),
        timestamp_type,
        ..settings()
    };
    let source = [("message.timestamp.type", "CreateTime")];
    let here = || copy(&[("message.timestamp.type", "LogAppendTime")]);
    let set = ["set message.timestamp.type=CreateTime (was LogAppendTime)"];
    check(
        &source,
        here(),
        &with(Some(TimestampType::CreateTime)),
        &set,
    );
    let (found, states) = changes(overrides(&source), here(), &with(None), &History::default());
    assert_eq!(found, [""; 0]);
    assert_eq!(states, ["a: timestamps-replaced"]);
}

#[test]
fn defaults_come_from_the_side_that_is_asked_for() {
    let source = || {
        vec![
            entry("retention.ms", "1", ConfigSource::Topic),
            entry("segment.ms", "2", ConfigSource::ClusterDefault),
            entry("retention.bytes", "3", ConfigSource::Broker),
            entry("compression.type", "4", ConfigSource::Default),
            entry("max.message.bytes", "5", ConfigSource::BrokerFile),
        ]
    };
    let both = TopicSettings {
        defaults_from: DefaultsFrom::Source,
        ..settings()
    };
    let (found, _) = changes(source(), copy(&[PINNED]), &settings(), &History::default());
    assert_eq!(found, ["set retention.ms=1"]);
    let (found, _) = changes(source(), copy(&[PINNED]), &both, &History::default());
    let expected = [
        "set compression.type=4",
        "set retention.bytes=3",
        "set retention.ms=1",
        "set segment.ms=2",
    ];
    assert_eq!(found, expected);
}

#[test]
fn more_in_sync_replicas_than_there_are_replicas_are_not_asked_for() {
    let source = overrides(&[("min.insync.replicas", "4")]);
    let (found, states) = changes(source, copy(&[PINNED]), &settings(), &History::default());
    assert_eq!(found, [""; 0]);
    assert_eq!(states, ["a: setting-left-out"]);
    let three = [("min.insync.replicas", "3")];
    check(
        &three,
        copy(&[PINNED]),
        &settings(),
        &["set min.insync.replicas=3"],
    );
}

#[test]
fn settings_that_the_destination_does_not_know_are_said_once_for_all_topics() {
    let mut seen = observed(&[("a", topic(1, &[]))], &[("a", 1)]);
    let unknown = overrides(&[PINNED, ("new.in.5.0", "x")]);
    seen.source.get_mut(&"a".into()).expect("there").settings = Some(Ok(unknown));
    seen.destination
        .get_mut(&"a".into())
        .expect("there")
        .settings = Some(Ok(copy(&[PINNED])));
    let plan = plan(&seen, &settings());
    assert_eq!(plan.steps, []);
    let notice = plan.notices.first().expect("one");
    assert!(
        notice.contains("does not know the setting new.in.5.0"),
        "{notice}"
    );
}

#[test]
fn a_refused_setting_is_left_alone_until_its_value_changes() {
    let mut history = History::default();
    let refused = RefusedSetting {
        value: Some("40000".to_owned()),
        reason: "at least 1048576".to_owned(),
    };
    let key = ("a".into(), "segment.bytes".to_owned());
    history.refused.insert(key, refused);
    let mut here = copy(&[PINNED]);
    here.push(entry("segment.bytes", "1073741824", ConfigSource::Default));
    let planned = |value| {
        let source = overrides(&[("segment.bytes", value)]);
        changes(source, here.clone(), &settings(), &history)
    };
    let refused = ["a: setting-refused".to_owned()].to_vec();
    assert_eq!(planned("40000"), (Vec::new(), refused));
    let set = ["set segment.bytes=2000000".to_owned()].to_vec();
    assert_eq!(planned("2000000"), (set, Vec::new()));
}

#[test]
fn batches_that_the_copy_does_not_take_are_foreseen() {
    let excluding = TopicSettings {
        config_exclude: PatternList::parse(["max\\.message\\.bytes"]).expect("a pattern"),
        ..settings()
    };
    let source = overrides(&[("max.message.bytes", "9000000")]);
    let (found, states) = changes(source, copy(&[PINNED]), &excluding, &History::default());
    assert_eq!(found, [""; 0]);
    assert_eq!(states, ["a: batches-too-large"]);
}

#[test]
fn a_copy_that_is_cleaned_otherwise_and_stays_so_is_pointed_out() {
    let excluding = TopicSettings {
        config_exclude: PatternList::parse(["cleanup\\.policy"]).expect("a pattern"),
        ..settings()
    };
    let source = overrides(&[("cleanup.policy", "compact,delete")]);
    for (there, settings, expected) in [
        ("delete", &excluding, &["a: cleanup-differs"][..]),
        ("delete,compact", &excluding, &[]),
        ("delete", &settings(), &[]),
    ] {
        let mut here = copy(&[PINNED]);
        here.retain(|entry| entry.name != "cleanup.policy");
        here.push(entry("cleanup.policy", there, ConfigSource::Topic));
        let (_, states) = changes(source.clone(), here, settings, &History::default());
        assert_eq!(states, expected, "{there}");
    }
}

#[test]
fn what_is_refused_of_a_merged_topic_concerns_all_that_are_merged() {
    let seen = observed(&[("a", topic(1, &[])), ("b", topic(3, &[]))], &[]);
    for (settings, expected) in [
        (renamed("all"), &["a", "b"][..]),
        (renamed("to.${topic}"), &["a"]),
    ] {
        let plan = plan(&seen, &settings);
        let rules = Rules {
            settings,
            on_recreate: OnRecreate::Stop,
            reserved: BTreeSet::new(),
        };
        let sources = Plan::sources(&plan.steps[0], &seen, &rules);
        let sources: Vec<&str> = sources.iter().map(TopicName::as_str).collect();
        assert_eq!(sources, expected);
    }
}

#[test]
fn merged_topics_are_configured_at_creation_only() {
    let mut seen = observed(&[("a", topic(1, &[("retention.ms", "5")]))], &[("all", 1)]);
    seen.destination
        .get_mut(&"all".into())
        .expect("there")
        .settings = Some(Ok(copy(&[])));
    assert_eq!(plan(&seen, &renamed("all")).steps, []);
}

#[test]
fn settings_that_may_not_be_read_turn_off_only_their_own_following() {
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut seen = observed(
        &[
            ("a", topic(1, &[])),
            ("b", topic(1, &[("retention.ms", "5")])),
        ],
        &[("a", 1), ("b", 1)],
    );
    seen.source.get_mut(&"a".into()).expect("there").settings = Some(Err(denied));
    for name in ["a", "b"] {
        let copy = copy(&[PINNED]);
        seen.destination
            .get_mut(&name.into())
            .expect("there")
            .settings = Some(Ok(copy));
    }
    let plan = plan(&seen, &settings());
    assert_eq!(conditions(&plan), ["a: settings-not-followed"]);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.copies.len(), 2);
}
