//! Rows as they are shown, from observations and from what a link did before; everything is granted.

use config::naming::Naming;
use config::pattern::Pattern;
use config::rename::RenameFormat;
use config::selection::TopicSelection;
use kafka_wire::types::TopicId;

use super::*;
use crate::metadata_sync::observe::Topic;
use crate::metadata_sync::{Replicated, SettingChange};

fn topic(id: u8, partitions: i32) -> Topic {
    Topic {
        id: TopicId([id; 16]),
        partitions,
        replication_factor: 1,
        settings: Some(Ok(Vec::new())),
    }
}

fn observed(source: &[(&str, Topic)], destination: &[(&str, Topic)]) -> Observation {
    let all = |topics: &[(&str, Topic)]| {
        let topics = topics.iter().cloned();
        topics.map(|(name, topic)| (name.into(), topic)).collect()
    };
    Observation {
        source: all(source),
        destination: all(destination),
        destination_brokers: 1,
        ..Observation::default()
    }
}

fn rules(format: &str, on_recreate: OnRecreate) -> Rules {
    let every = Pattern::parse(".*").expect("a pattern");
    let selection = TopicSelection::new([], [], vec![every], Vec::new());
    let settings = TopicSettings {
        naming: Naming::Format(RenameFormat::parse(format).expect("a format")),
        timestamp_type: None,
        ..TopicSettings::selecting(selection)
    };
    Rules {
        settings,
        on_recreate,
        reserved: BTreeSet::new(),
    }
}

/// It was copied, with the ids 1 and 2.
fn copied(topic: &str, copy: &str) -> History {
    let replicated = Replicated {
        destination: copy.into(),
        source_id: TopicId([1; 16]),
        destination_id: TopicId([2; 16]),
        partitions: 2,
    };
    History::new(BTreeMap::from([(topic.into(), replicated)]))
}

fn shown(seen: &Observation, mut history: History, rules: &Rules) -> Preview {
    history.observed_once(seen, Instant::now());
    let plan = Plan::new(seen, &history, rules);
    let applied = plan.steps.iter().map(|step| Applied {
        step: step.clone(),
        outcome: Outcome::Done,
        refused: Vec::<(SettingChange, String)>::new(),
    });
    let mut preview = rows(seen, &plan, applied.collect(), rules);
    copied_before(&mut preview, &plan, &history, rules.on_recreate);
    preview
}

/// The states of the only topic, its steps, and whether it is copied anew.
fn check(
    (source, copy): (Option<Topic>, Option<Topic>),
    before: &str,
    on_recreate: OnRecreate,
    expected: (&[&str], &[&str], bool),
) {
    let source = source.map(|topic| ("a", topic));
    let copy = copy.map(|topic| ("x", topic));
    let mut seen = observed(source.as_slice(), copy.as_slice());
    if source.is_none() {
        let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        seen.absent.insert("a".into(), code);
    }
    let preview = shown(&seen, copied("a", before), &rules("x", on_recreate));
    let row = &preview.rows[0];
    let states: Vec<&str> = row.problems.iter().map(|p| p.state.name()).collect();
    let steps: Vec<String> = row.steps.iter().map(ToString::to_string).collect();
    assert_eq!((states.as_slice(), row.anew), (expected.0, expected.2));
    assert_eq!(steps, expected.1);
    let said = preview.notices.iter().any(|text| text.starts_with("a: "));
    assert_eq!(said, expected.2, "{:?}", preview.notices);
}

#[test]
fn what_was_copied_before_is_shown_as_a_link_decides_about_it() {
    let (stop, restart) = (OnRecreate::Stop, OnRecreate::Restart);
    let create = "create x: 2 partitions, replication factor 1";
    let (source, copy) = (topic(1, 2), topic(2, 2));
    let both = || (Some(source.clone()), Some(copy.clone()));
    check(both(), "x", stop, (&[], &[], false));
    for policy in [stop, restart] {
        let gone = (None, Some(copy.clone()));
        check(gone, "x", policy, (&["source-deleted"], &[], false));
    }
    let other = || (Some(topic(7, 2)), Some(copy.clone()));
    check(other(), "x", stop, (&["source-recreated"], &[], false));
    check(other(), "x", restart, (&[], &[], true));
    let other = || (Some(source.clone()), Some(topic(7, 2)));
    check(other(), "x", stop, (&["destination-recreated"], &[], false));
    check(other(), "x", restart, (&[], &[], true));
    let gone = || (Some(source.clone()), None);
    check(gone(), "x", stop, (&["destination-deleted"], &[], false));
    check(gone(), "x", restart, (&[], &[create], true));
    let renamed = &["destination-renamed"];
    check(gone(), "before", stop, (renamed, &[create], false));
    check(gone(), "before", restart, (&[], &[create], true));
}

#[test]
fn topics_that_are_merged_are_all_shown_as_the_one_that_is_made_for_them() {
    let source = [("a", topic(1, 2)), ("b", topic(1, 3))];
    let rules = rules("all", OnRecreate::Stop);
    let preview = shown(&observed(&source, &[]), History::default(), &rules);
    for row in &preview.rows {
        let steps: Vec<String> = row.steps.iter().map(ToString::to_string).collect();
        let create = "create all: 3 partitions, replication factor 1";
        assert_eq!(steps, [create], "{}", row.source);
        assert_eq!(
            (row.copy_partitions, row.replication_factor),
            (None, Some(1))
        );
    }
    // The plan names it once.
    let named = preview.rows.iter().flat_map(|row| {
        let all = row.steps.iter();
        all.filter(|step| *step.source() == row.source)
    });
    assert_eq!(named.count(), 1);
    let there = observed(&source, &[("all", topic(2, 3))]);
    let preview = shown(&there, History::default(), &rules);
    for row in &preview.rows {
        assert_eq!((row.steps.len(), row.copy_partitions), (0, Some(3)));
    }
}
