//! Names, cycles, replicas and what happens to topics underneath, each rule as a plan.

use config::naming::Aliases;
use config::pattern::rewrite::Rewrite;
use config::pattern::{Pattern, PatternList};
use config::selection::MirrorRules;
use config::transform::{Action, Step as Transform, Transforms};

use super::super::super::history::Replicated;
use super::*;

fn mirror_maker(source: &str, destination: &str) -> TopicSettings {
    TopicSettings {
        naming: Naming::Prefixed(Aliases {
            source: source.to_owned(),
            destination: destination.to_owned(),
            separator: ".".to_owned(),
        }),
        ..settings()
    }
}

fn known(source: &str, destination: &str, ids: (u8, u8)) -> (TopicName, Replicated) {
    let replicated = Replicated {
        destination: destination.into(),
        source_id: TopicId([ids.0; 16]),
        destination_id: TopicId([ids.1; 16]),
        partitions: 2,
    };
    (source.into(), replicated)
}

fn history(replicated: impl IntoIterator<Item = (TopicName, Replicated)>) -> History {
    History::new(replicated.into_iter().collect())
}

#[test]
fn names_of_the_workers_own_topics_are_never_written_to() {
    let source = [("connect-offsets", topic(1, &[])), ("a", topic(1, &[]))];
    let plan = plan(&observed(&source, &[("a", 1)]), &settings());
    assert_eq!(conditions(&plan), ["connect-offsets: name-invalid"]);
    assert_eq!(plan.copies.len(), 1);
}

#[test]
fn a_topic_whose_name_leads_back_is_a_cycle_and_no_error() {
    let names = ["orders", "b.orders", "c.b.orders"];
    let source = names.map(|name| (name, topic(1, &[])));
    let plan = plan(&observed(&source, &[]), &mirror_maker("a", "b"));
    assert_eq!(conditions(&plan), ["b.orders: cycle", "c.b.orders: cycle"]);
    assert!(!plan.problems.iter().any(Problem::is_blocking));
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn within_one_cluster_copies_are_not_copied_again() {
    let names = ["a", "a.copy", "a.copy.copy", "b"];
    let mut seen = observed(&names.map(|name| (name, topic(1, &[]))), &[]);
    let same = renamed("${topic}.copy");
    assert_eq!(plan(&seen, &same).steps.len(), 4, "two clusters");
    seen.same_cluster = true;
    let plan = plan(&seen, &same);
    assert_eq!(conditions(&plan), ["a.copy: cycle", "a.copy.copy: cycle"]);
    let created: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.topic().as_str())
        .collect();
    assert_eq!(created, ["a.copy", "b.copy"]);
}

#[test]
fn within_one_cluster_nothing_is_copied_onto_itself() {
    let mut seen = observed(&[("a", topic(1, &[])), ("b", topic(1, &[]))], &[("a", 1)]);
    seen.same_cluster = true;
    let found = plan(&seen, &renamed("a"));
    assert_eq!(conditions(&found), ["a: cycle"]);
}

#[test]
fn names_that_differ_in_dots_and_underscores_only_belong_to_who_was_first() {
    let source = [("a.b", topic(1, &[])), ("a_b", topic(1, &[]))];
    let check = |seen: &Observation, history: &History, loser: &str| {
        let plan = Plan::new(seen, history, &super::rules(&settings()));
        assert_eq!(conditions(&plan), [format!("{loser}: name-collision")]);
    };
    check(&observed(&source, &[]), &History::default(), "a_b");
    let later = observed(&source, &[("a_b", 1)]);
    check(&later, &History::default(), "a.b");
    let replicating = history([known("a_b", "a_b", (1, 0))]);
    check(&observed(&source, &[("a_b", 1)]), &replicating, "a.b");
}

#[test]
fn replicas_are_fixed_copied_clamped_or_the_destinations_choice() {
    let source = Topic {
        replication_factor: 5,
        ..topic(1, &[])
    };
    let check = |factor, brokers, expected: Result<(i16, bool), String>| {
        let settings = TopicSettings {
            replication_factor: factor,
            ..settings()
        };
        let mut seen = observed(&[("a", source.clone())], &[]);
        seen.destination_brokers = brokers;
        let plan = plan(&seen, &settings);
        let found = match plan.steps.first() {
            Some(Step::Create {
                replication_factor,
                reducible,
                ..
            }) => Ok((*replication_factor, *reducible)),
            _ => Err(plan.problems[0].to_string()),
        };
        assert_eq!(found, expected, "{factor:?}, {brokers} brokers");
    };
    let copied = |strict| ReplicationFactor::Source { strict };
    let refused = |wanted, key| {
        Err(format!(
            "a: create-failed: replication factor {wanted} ({key}) needs as many brokers, and the destination has 3"
        ))
    };
    let strict = "tributary.topic.replication.factor.strict";
    check(copied(false), 6, Ok((5, true)));
    check(copied(false), 3, Ok((3, true)));
    check(copied(true), 6, Ok((5, false)));
    check(copied(true), 3, refused(5, strict));
    check(fixed(2), 3, Ok((2, false)));
    check(fixed(4), 3, refused(4, "replication.factor"));
    check(ReplicationFactor::BrokerDefault, 1, Ok((-1, false)));
}

#[test]
fn fewer_replicas_than_at_the_source_are_shown_as_long_as_that_is_so() {
    let mut seen = observed(&[("a", topic(1, &[]))], &[("a", 1)]);
    let copy = seen.destination.get_mut(&"a".into()).expect("there");
    copy.replication_factor = 2;
    let found = plan(&seen, &settings());
    assert_eq!(conditions(&found), ["a: replication-reduced"]);
}

#[test]
fn internal_topics_come_first_then_names_in_order() {
    let names = ["b", "a", "heartbeats", "mm2.internal"];
    let plan = plan(
        &observed(&names.map(|n| (n, topic(1, &[]))), &[]),
        &settings(),
    );
    let created: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.topic().as_str())
        .collect();
    assert_eq!(created, ["heartbeats", "mm2.internal", "a", "b"]);
}

#[test]
fn absent_topics_are_missing_unauthorized_or_deleted() {
    let mut seen = observed(&[("orders", topic(1, &[]))], &[("orders", 1)]);
    let missing = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    for (name, code) in [("order", missing), ("secret", denied), ("gone", missing)] {
        seen.absent.insert(name.into(), code);
    }
    let mut before = history([known("gone", "gone", (1, 2))]);
    let first = Plan::new(&seen, &before, &super::rules(&settings()));
    let expected = ["order: source-missing", "secret: source-unauthorized"];
    assert_eq!(conditions(&first), expected, "one answer is not enough");
    let hint = &first.problems[0].reason;
    assert!(hint.contains("similar names: orders"), "{hint}");
    before.deleted_at_source.insert("gone".into());
    let second = Plan::new(&seen, &before, &super::rules(&settings()));
    assert_eq!(conditions(&second)[0], "gone: source-deleted");
    assert_eq!(second.steps, []);
}

#[test]
fn a_deleted_copy_is_made_again_only_when_that_is_asked_for() {
    let seen = observed(&[("a", topic(2, &[]))], &[]);
    let mut before = history([known("a", "a", (1, 2))]);
    let check = |history: &History, on_recreate, state: &[&str], steps: usize| {
        let rules = Rules {
            on_recreate,
            ..super::rules(&settings())
        };
        let plan = Plan::new(&seen, history, &rules);
        assert_eq!(conditions(&plan), state);
        assert_eq!(plan.steps.len(), steps);
    };
    let (stop, restart) = (OnRecreate::Stop, OnRecreate::Restart);
    check(&before, stop, &["a: destination-pending"], 0);
    check(&before, restart, &["a: destination-pending"], 0);
    before.deleted_at_destination.insert("a".into());
    check(&before, stop, &["a: destination-deleted"], 0);
    check(&before, restart, &[], 1);
}

#[test]
fn a_topic_of_another_id_is_left_as_it_is_unless_a_restart_is_asked_for() {
    // The topics here have ids 1 and 2, and the new ones more partitions.
    let seen = observed(&[("a", topic(5, &[]))], &[("a", 4)]);
    let check = |ids, on_recreate, state: &[&str], steps: usize, partitions| {
        let rules = Rules {
            on_recreate,
            ..super::rules(&settings())
        };
        let plan = Plan::new(&seen, &history([known("a", "a", ids)]), &rules);
        assert_eq!(conditions(&plan), state);
        assert_eq!(plan.steps.len(), steps);
        assert_eq!(plan.copies[0].partitions, partitions);
    };
    let (stop, restart) = (OnRecreate::Stop, OnRecreate::Restart);
    check((1, 2), stop, &[], 1, 4);
    check((9, 2), stop, &["a: source-recreated"], 0, 2);
    check((1, 9), stop, &["a: destination-recreated"], 0, 2);
    check((9, 9), restart, &[], 1, 4);
}

#[test]
fn a_pattern_that_selects_nothing_is_said_with_similar_names() {
    let pattern = Pattern::parse("ordrs").expect("a pattern");
    let selection = TopicSelection::new([], [], vec![pattern], Vec::new());
    let settings = TopicSettings {
        selection,
        ..settings()
    };
    let mut seen = Observation::default();
    seen.unselected.insert("orders".into());
    let plan = plan(&seen, &settings);
    let notice = plan.notices.first().expect("one");
    assert!(
        notice.contains("none of the source's 1 topics; similar names: orders"),
        "{notice}"
    );
}

/// A list as MirrorMaker 2's `topics`.
fn listed(items: &[&str]) -> TopicSettings {
    let mut selection = TopicSelection::default();
    let list = PatternList::parse(items.iter().copied()).expect("patterns");
    selection.set_lists(list, PatternList::default());
    TopicSettings {
        selection,
        ..settings()
    }
}

#[test]
fn an_item_of_a_list_that_selects_nothing_is_said_with_similar_names() {
    for items in [&["ordrs", "b"], &["ordrs", "b.*"]] {
        let mut seen = observed(&[("b", topic(1, &[]))], &[("b", 1)]);
        seen.unselected.insert("orders".into());
        let found = plan(&seen, &listed(items));
        let notices: Vec<&String> = found.notices.iter().collect();
        let expected =
            "the item ordrs selects none of the source's 2 topics; similar names: orders";
        assert_eq!(notices, [expected], "{items:?}");
    }
    let mut seen = observed(&[], &[]);
    seen.unselected.insert("b.internal".into());
    let found = plan(&seen, &listed(&["b.*"]));
    assert!(
        found.notices.is_empty(),
        "it matches, and is left out by another rule"
    );
}

#[test]
fn an_item_that_reads_like_a_name_and_is_a_pattern_is_pointed_out() {
    let source = ["orders.v1", "ordersXv1", "plain", "x.y"].map(|name| (name, topic(1, &[])));
    let check = |item: &str, expected: usize| {
        let found = plan(&observed(&source, &[]), &listed(&[item, ".*"]));
        assert_eq!(found.notices.len(), expected, "{item}: {:?}", found.notices);
        found.notices.first().cloned().unwrap_or_default()
    };
    let said = check("orders.v1", 1);
    assert!(said.ends_with(r"write orders\.v1"), "{said}");
    check(r"orders\.v1", 0);
    check("plain", 0);
    check("orders.*", 0);
    check(".*", 0);
}

#[test]
fn a_name_that_only_looks_like_a_copy_is_pointed_out() {
    let mut settings = mirror_maker("a", "b");
    settings.selection = listed(&[".*"]).selection;
    settings.selection.set_mirror(MirrorRules {
        naming: settings.naming.clone(),
        heartbeats: true,
        internal: ".internal".to_owned(),
    });
    let mut seen = observed(
        &[("orders", topic(1, &[]))],
        &[("a.orders", 1), ("known", 1)],
    );
    let left_out = [
        "b.known",
        "b.mine",
        "c.b.mine",
        "b.x.internal",
        "a.heartbeats",
    ];
    seen.unselected.extend(left_out.map(TopicName::from));
    let found = plan(&seen, &settings);
    // What is internal is left out for that, and of b.known the destination has the original.
    assert_eq!(
        conditions(&found),
        ["b.mine: cycle", "c.b.mine: cycle", "a.heartbeats: cycle"]
    );
    assert!(found.problems[0].reason.contains("a copy of mine,"));
}

#[test]
fn where_names_are_kept_those_that_end_in_heartbeats_get_an_alias_and_that_is_pointed_out() {
    let Naming::Prefixed(aliases) = mirror_maker("a", "b").naming else {
        unreachable!("MirrorMaker 2's default");
    };
    let kept = TopicSettings {
        naming: Naming::Kept(aliases),
        ..settings()
    };
    let names = ["heartbeats", "orders", "device-heartbeats", "my-heartbeats"];
    let said = |count: usize| {
        let source: Vec<_> = names[..count]
            .iter()
            .map(|name| (*name, topic(1, &[])))
            .collect();
        let notices = plan(&observed(&source, &[]), &kept).notices;
        notices.into_iter().collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(2), "");
    let one = said(3);
    assert!(
        one.starts_with("device-heartbeats is copied to a.device-heartbeats: Identity"),
        "{one}"
    );
    let two = said(4);
    assert!(
        two.contains("a.device-heartbeats, and so for 1 more: "),
        "{two}"
    );
}

#[test]
fn the_state_of_other_programs_is_copied_and_pointed_out() {
    let names = ["_schemas", "_confluent-metrics", "__other"];
    let copies = names.map(|name| (name, 1));
    let plan = plan(
        &observed(&names.map(|n| (n, topic(1, &[]))), &copies),
        &settings(),
    );
    let expected = ["_confluent-metrics: system-topic", "_schemas: system-topic"];
    assert_eq!(conditions(&plan), expected);
    assert_eq!(plan.copies.len(), 3);
}

#[test]
fn every_condition_has_a_name_of_its_own() {
    // One by one, so that a new one is thought of here too.
    let all = [
        Condition::Active,
        Condition::SourceMissing,
        Condition::SourceUnauthorized,
        Condition::SourceDeleted,
        Condition::SourceRecreated,
        Condition::NameInvalid,
        Condition::NameCollision,
        Condition::Cycle,
        Condition::DestinationPending,
        Condition::CreateFailed,
        Condition::DestinationUnauthorized,
        Condition::PartitionsPending,
        Condition::DestinationDeleted,
        Condition::DestinationRecreated,
        Condition::DestinationRenamed,
        Condition::DestinationBehind,
    ];
    let names: BTreeSet<&str> = all.iter().map(|state| state.name()).collect();
    assert_eq!(names.len(), all.len());
    assert!(all[1..].iter().all(|state| !state.remedy().is_empty()));
}

fn routed() -> TopicSettings {
    let route = Transform {
        name: "route".to_owned(),
        condition: None,
        action: Action::Rename(Rewrite::parse("(.*)-\\d", "$1").expect("legal")),
    };
    TopicSettings {
        naming: Naming::default().with_transforms(Transforms { steps: vec![route] }),
        ..settings()
    }
}

/// That `source` was copied to `copy` before.
fn before(source: &str, copy: &str) -> History {
    History::new([known(source, copy, (0, 0))].into())
}

#[test]
fn a_copy_of_two_topics_keeps_its_settings_while_one_of_them_is_missing() {
    let mut seen = observed(&[("a-2", topic(1, &[("retention.ms", "5")]))], &[("a", 1)]);
    let copy = seen.destination.get_mut(&"a".into()).expect("there");
    copy.settings = Some(Ok(Vec::new()));
    let steps = |history: &History| Plan::new(&seen, history, &rules(&routed())).steps.len();
    assert_eq!(steps(&History::default()), 1);
    assert_eq!(steps(&before("a-1", "a")), 0);
}

#[test]
fn within_one_cluster_a_copy_is_not_copied_though_its_original_is_missing() {
    let planned = |history: &History, absent: bool| {
        let mut seen = observed(&[("orders.copy", topic(1, &[]))], &[("orders.copy", 1)]);
        seen.same_cluster = true;
        if absent {
            let gone = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            seen.absent.insert("orders".into(), gone);
        }
        Plan::new(&seen, history, &rules(&renamed("${topic}.copy")))
    };
    assert_eq!(planned(&History::default(), false).steps.len(), 1);
    for plan in [
        planned(&before("orders", "orders.copy"), false),
        planned(&History::default(), true),
    ] {
        assert_eq!(plan.steps, []);
        assert!(conditions(&plan).contains(&"orders.copy: cycle".to_owned()));
    }
}

#[test]
fn topics_that_a_router_gives_one_name_are_merged_into_one_with_enough_partitions() {
    let routed = routed();
    let names = [("a-1", 2), ("b", 1), ("a-2", 5)];
    let source = names.map(|(name, partitions)| (name, topic(partitions, &[])));
    let fresh = plan(&observed(&source, &[]), &routed);
    assert_eq!(conditions(&fresh), Vec::<String>::new());
    let created: Vec<String> = fresh
        .steps
        .iter()
        .map(|step| step.topic().to_string())
        .collect();
    assert_eq!(created, ["a", "b"]);
    assert!(
        fresh.steps[0].to_string().contains("5 partitions"),
        "{}",
        fresh.steps[0]
    );
    // What is there is as large as the largest needs, and nobody is told that the smaller does not fill it.
    let there = plan(&observed(&source, &[("a", 5), ("b", 1)]), &routed);
    assert_eq!((conditions(&there), there.steps.len()), (Vec::new(), 0));
    assert_eq!(there.copies.len(), 3);
}

#[test]
fn records_that_are_spread_need_no_partitions_like_those_of_the_source() {
    let spread = TopicSettings {
        preserve_partitions: false,
        ..settings()
    };
    let source = [("a", topic(4, &[])), ("b", topic(4, &[]))];
    let plan = plan(&observed(&source, &[("a", 2), ("b", 7)]), &spread);
    assert_eq!((conditions(&plan), plan.steps.len()), (Vec::new(), 0));
    let copies = plan
        .copies
        .iter()
        .map(|copy| (copy.partitions, copy.spread));
    assert_eq!(copies.collect::<Vec<_>>(), [(4, Some(2)), (4, Some(7))]);
}
