//! Pure parts of copying access rights, without a broker.

use std::collections::BTreeSet;
use std::time::Duration;

use config::link::{AclMode, AclSettings};
use config::naming::{Aliases, Naming};
use config::pattern::PatternList;
use config::rename::RenameFormat;
use kafka_wire::message::acl::{AclBinding, AclOperation, AclPattern, AclPermission, AclResource};
use kafka_wire::types::TopicName;
use tokio::time::Instant;

use super::desired::{Desired, Rules, limits};
use super::plan::AclPlan;
use super::record::{Origin, Recorded, decode, key, value};
use super::vanished::Vanished;
use super::{AclTopics, OwnPrincipals};

mod properties;

/// Reads what `Display` of a binding writes; host `*` may be left out.
fn binding(sentence: &str) -> AclBinding {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let [
        permission,
        operation,
        "on",
        resource,
        pattern,
        name,
        "for",
        principal,
        rest @ ..,
    ] = words.as_slice()
    else {
        panic!("{sentence:?} is no binding")
    };
    fn named<T: Copy + std::fmt::Display>(known: &[T], text: &str) -> T {
        let found = known.iter().find(|value| value.to_string() == text);
        *found.unwrap_or_else(|| panic!("what is {text}?"))
    }
    AclBinding {
        resource: named(AclResource::KNOWN, resource),
        name: (*name).into(),
        pattern: named(AclPattern::KNOWN, pattern),
        principal: (*principal).to_owned(),
        host: rest.get(1).unwrap_or(&"*").to_string(),
        operation: named(AclOperation::KNOWN, operation),
        permission: named(AclPermission::KNOWN, permission),
    }
}

fn settings(mode: AclMode) -> AclSettings {
    AclSettings {
        interval: Duration::from_secs(600),
        mode,
        topics: true,
        groups: true,
        transactional_ids: true,
        principals: PatternList::parse([".*"]).expect("legal"),
        principals_exclude: PatternList::default(),
        delete: true,
    }
}

fn named(format: &str) -> Naming {
    Naming::Format(RenameFormat::parse(format).expect("legal"))
}

/// Everything that decides; topics are those of the source.
struct Scene {
    settings: AclSettings,
    naming: Naming,
    own: OwnPrincipals,
    topics: AclTopics,
}

impl Scene {
    fn new(mode: AclMode, format: &str, topics: &[&str]) -> Self {
        let naming = named(format);
        let copies = topics.iter().map(|topic| {
            let copy = naming.apply(topic).expect("legal");
            (TopicName::from(*topic), TopicName::from(copy))
        });
        let topics = AclTopics {
            copies: copies.collect(),
            present: topics.iter().map(|topic| TopicName::from(*topic)).collect(),
        };
        Self {
            settings: settings(mode),
            naming,
            own: OwnPrincipals {
                source: Some("User:reader".to_owned()),
                destination: Some("User:writer".to_owned()),
            },
            topics,
        }
    }

    fn desired(&self, source: &[&str]) -> Desired {
        let source: Vec<_> = source.iter().map(|text| binding(text)).collect();
        let rules = Rules {
            settings: &self.settings,
            naming: &self.naming,
            own: &self.own,
            topics: &self.topics,
        };
        Desired::new(&source, rules)
    }
}

/// What one binding of the source yields.
#[track_caller]
fn check(scene: &Scene, source: &str, expected: &[&str]) {
    let desired = scene.desired(&[source]);
    let mut expected: Vec<_> = expected.iter().map(|text| binding(text)).collect();
    expected.sort();
    let found: Vec<_> = desired.bindings.into_keys().collect();
    assert_eq!(found, expected, "{source}");
}

#[test]
fn reading_is_granted_and_nothing_more_unless_exact_rights_are_wanted() {
    let read_only = Scene::new(AclMode::ReadOnly, "west.${topic}", &["orders"]);
    let exact = Scene::new(AclMode::Exact, "west.${topic}", &["orders"]);
    let source = |what: &str| format!("{what} on TOPIC LITERAL orders for User:a from 10.0.0.1");
    let copy = |what: &str| format!("{what} on TOPIC LITERAL west.orders for User:a from 10.0.0.1");
    for operation in AclOperation::KNOWN {
        let allow = format!("ALLOW {operation}");
        let kept: &[&str] = match operation {
            AclOperation::Read => &["ALLOW READ"],
            AclOperation::Describe => &["ALLOW DESCRIBE"],
            AclOperation::DescribeConfigs => &["ALLOW DESCRIBE_CONFIGS"],
            AclOperation::All => &["ALLOW READ", "ALLOW DESCRIBE_CONFIGS"],
            _ => &[],
        };
        let kept: Vec<_> = kept.iter().map(|what| copy(what)).collect();
        let kept: Vec<_> = kept.iter().map(String::as_str).collect();
        check(&read_only, &source(&allow), &kept);
        check(&exact, &source(&allow), &[&copy(&allow)]);
        // Bans in both.
        let deny = format!("DENY {operation}");
        check(&read_only, &source(&deny), &[&copy(&deny)]);
        check(&exact, &source(&deny), &[&copy(&deny)]);
    }
}

#[test]
fn groups_keep_their_names_and_transactional_ids_are_copied_only_exactly() {
    let mut read_only = Scene::new(AclMode::ReadOnly, "west.${topic}", &[]);
    let mut exact = Scene::new(AclMode::Exact, "west.${topic}", &[]);
    let read = "ALLOW READ on GROUP PREFIXED team- for User:a";
    let all = "ALLOW ALL on GROUP LITERAL * for User:a";
    let delete = "ALLOW DELETE on GROUP LITERAL team for User:a";
    check(&read_only, read, &[read]);
    check(
        &read_only,
        all,
        &["ALLOW READ on GROUP LITERAL * for User:a"],
    );
    check(&read_only, delete, &[]);
    check(&exact, all, &[all]);
    check(&exact, delete, &[delete]);
    let write = "ALLOW WRITE on TRANSACTIONAL_ID LITERAL t for User:a";
    check(&read_only, write, &[]);
    check(&exact, write, &[write]);
    for scene in [&mut read_only, &mut exact] {
        scene.settings.groups = false;
        scene.settings.transactional_ids = false;
        for source in [read, all, delete, write] {
            check(scene, source, &[]);
        }
        for never in [
            "ALLOW ALL on CLUSTER LITERAL kafka-cluster for User:a",
            "ALLOW DESCRIBE on DELEGATION_TOKEN LITERAL x for User:a",
            "DENY CREATE_TOKENS on USER LITERAL User:b for User:a",
        ] {
            check(scene, never, &[]);
        }
    }
}

#[test]
fn a_literal_name_is_copied_where_the_topic_is() {
    let scene = Scene::new(AclMode::ReadOnly, "${topic}.west", &["orders"]);
    check(
        &scene,
        "ALLOW READ on TOPIC LITERAL orders for User:a",
        &["ALLOW READ on TOPIC LITERAL orders.west for User:a"],
    );
    check(&scene, "ALLOW READ on TOPIC LITERAL secret for User:a", &[]);
}

#[test]
fn everything_becomes_the_prefix_of_all_copies_or_is_left_out_with_a_warning() {
    let all = "ALLOW READ on TOPIC LITERAL * for User:a";
    let topics = ["orders", "pay"];
    let prefix = Scene::new(AclMode::ReadOnly, "west.${topic}", &topics);
    check(
        &prefix,
        all,
        &["ALLOW READ on TOPIC PREFIXED west. for User:a"],
    );
    for mode in [AclMode::ReadOnly, AclMode::Exact] {
        for format in ["${topic}", "${topic}.west", "merged"] {
            let scene = Scene::new(mode, format, &topics);
            let desired = scene.desired(&[all]);
            assert!(desired.bindings.is_empty(), "{format}");
            assert_eq!(desired.notes.len(), 1, "{format}");
            assert!(!desired.notes[0].error);
        }
    }
    // A ban is better narrow than not at all.
    let kept = Scene::new(AclMode::ReadOnly, "${topic}", &topics);
    check(
        &kept,
        "DENY READ on TOPIC LITERAL * for User:a",
        &[
            "DENY READ on TOPIC LITERAL orders for User:a",
            "DENY READ on TOPIC LITERAL pay for User:a",
        ],
    );
    // MirrorMaker 2's names.
    let mut mirror = Scene::new(AclMode::ReadOnly, "west.${topic}", &topics);
    mirror.naming = Naming::Prefixed(Aliases {
        source: "w".to_owned(),
        destination: "c".to_owned(),
        separator: "-".to_owned(),
    });
    check(
        &mirror,
        all,
        &["ALLOW READ on TOPIC PREFIXED w- for User:a"],
    );
}

#[test]
fn a_beginning_of_names_never_reaches_beyond_what_is_copied() {
    let beginning = "ALLOW READ on TOPIC PREFIXED ord for User:a";
    let topics = ["orders", "ordinary", "pay"];
    check(
        &Scene::new(AclMode::ReadOnly, "west.${topic}", &topics),
        beginning,
        &["ALLOW READ on TOPIC PREFIXED west.ord for User:a"],
    );
    check(
        &Scene::new(AclMode::Exact, "${topic}", &topics),
        beginning,
        &[beginning],
    );
    check(
        &Scene::new(AclMode::ReadOnly, "${topic}", &topics),
        beginning,
        &[
            "ALLOW READ on TOPIC LITERAL orders for User:a",
            "ALLOW READ on TOPIC LITERAL ordinary for User:a",
        ],
    );
    check(
        &Scene::new(AclMode::Exact, "${topic}.west", &topics),
        beginning,
        &[
            "ALLOW READ on TOPIC LITERAL orders.west for User:a",
            "ALLOW READ on TOPIC LITERAL ordinary.west for User:a",
        ],
    );
    // Merged topics have one name.
    check(
        &Scene::new(AclMode::ReadOnly, "merged", &topics),
        beginning,
        &["ALLOW READ on TOPIC LITERAL merged for User:a"],
    );
}

#[test]
fn principals_are_chosen_by_patterns_and_our_own_are_left_out() {
    let mut scene = Scene::new(AclMode::ReadOnly, "${topic}", &["t"]);
    scene.settings.principals = PatternList::parse(["User:team-.*", "Role:x"]).expect("legal");
    scene.settings.principals_exclude = PatternList::parse(["User:team-b"]).expect("legal");
    let read = |who: &str| format!("ALLOW READ on TOPIC LITERAL t for {who}");
    for (who, copied) in [
        ("User:team-a", true),
        ("User:team-b", false),
        ("User:other", false),
        ("Role:x", true),
    ] {
        let read = read(who);
        let expected: &[&str] = if copied { &[&read] } else { &[] };
        check(&scene, &read, expected);
    }
    let scene = Scene::new(AclMode::Exact, "${topic}", &["t"]);
    for own in ["User:reader", "User:writer"] {
        check(&scene, &read(own), &[]);
    }
    check(&scene, "DENY READ on TOPIC LITERAL t for User:reader", &[]);
}

#[test]
fn a_ban_that_would_hit_us_is_an_error_and_takes_the_grants_it_limits_with_it() {
    let scene = Scene::new(AclMode::Exact, "${topic}", &["t", "other"]);
    let desired = scene.desired(&[
        "DENY WRITE on TOPIC LITERAL t for User:writer",
        "DENY READ on TOPIC LITERAL t for User:*",
        "DENY READ on TOPIC LITERAL absent for User:*",
        "ALLOW READ on TOPIC LITERAL t for User:a",
        "ALLOW ALL on TOPIC PREFIXED t for User:b",
        "ALLOW WRITE on TOPIC LITERAL t for User:a",
        "ALLOW READ on TOPIC LITERAL other for User:a",
    ]);
    let found: Vec<_> = desired.bindings.keys().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "ALLOW READ on TOPIC LITERAL other for User:a from *",
            "ALLOW WRITE on TOPIC LITERAL t for User:a from *",
        ]
    );
    assert_eq!(desired.notes.len(), 2, "{:?}", desired.notes);
    assert!(desired.notes.iter().all(|note| note.error));
}

#[test]
fn a_ban_limits_grants_that_meet_it_in_name_principal_and_operation() {
    let ban = "DENY READ on TOPIC PREFIXED or for User:a";
    for (grant, limited) in [
        ("ALLOW READ on TOPIC LITERAL orders for User:a", true),
        ("ALLOW ALL on TOPIC LITERAL orders for User:a", true),
        ("ALLOW READ on TOPIC PREFIXED o for User:a", true),
        ("ALLOW READ on TOPIC PREFIXED orders for User:a", true),
        ("ALLOW READ on TOPIC LITERAL * for User:a", true),
        ("ALLOW WRITE on TOPIC LITERAL orders for User:a", false),
        ("ALLOW READ on TOPIC LITERAL pay for User:a", false),
        ("ALLOW READ on TOPIC LITERAL orders for User:b", false),
        ("ALLOW READ on GROUP LITERAL orders for User:a", false),
        ("DENY READ on TOPIC LITERAL orders for User:a", false),
    ] {
        assert_eq!(limits(&binding(ban), &binding(grant)), limited, "{grant}");
    }
    let describe = binding("DENY DESCRIBE on TOPIC LITERAL t for User:*");
    let read = binding("ALLOW READ on TOPIC LITERAL t for User:a");
    let configs = binding("ALLOW DESCRIBE_CONFIGS on TOPIC LITERAL t for User:a");
    assert!(limits(&describe, &read), "reading implies describing");
    assert!(!limits(&describe, &configs));
}

#[test]
fn a_topic_gets_its_rights_when_it_exists_at_the_destination() {
    let mut scene = Scene::new(AclMode::ReadOnly, "west.${topic}", &["t"]);
    let read = "ALLOW READ on TOPIC LITERAL t for User:a";
    let ready = |scene: &Scene| {
        let desired = scene.desired(&[read]);
        let ready: Vec<_> = desired.bindings.values().map(|w| w.ready).collect();
        ready
    };
    assert_eq!(ready(&scene), [true]);
    let copies = std::mem::take(&mut scene.topics.copies);
    assert_eq!(ready(&scene), [false], "it is there at the source");
    let plan = AclPlan::new(
        &scene.desired(&[read]),
        &BTreeSet::new(),
        &Recorded::new(),
        &BTreeSet::new(),
        |_| false,
        true,
    );
    assert!(plan.is_empty(), "{plan}");
    scene.topics.copies = copies;
    scene.topics.present.clear();
    assert_eq!(ready(&scene), [true]);
}

fn set(bindings: &[&str]) -> BTreeSet<AclBinding> {
    bindings.iter().map(|text| binding(text)).collect()
}

fn recorded(bindings: &[(&str, Option<&str>)]) -> Recorded {
    let origin = |topic: &Option<&str>| Origin {
        source_topic: topic.map(TopicName::from),
    };
    bindings
        .iter()
        .map(|(text, topic)| (binding(text), origin(topic)))
        .collect()
}

const ALICE: &str = "ALLOW READ on TOPIC LITERAL t for User:alice";
const BOB: &str = "DENY READ on TOPIC LITERAL t for User:bob";
const CAROL: &str = "ALLOW READ on TOPIC LITERAL t for User:carol";
const DAVE: &str = "DENY ALL on TOPIC LITERAL t for User:dave";

/// The plan for what the source yields, what is there, and what is recorded.
fn plan(source: &[&str], existing: &[&str], made: &[&str], delete: bool) -> AclPlan {
    let scene = Scene::new(AclMode::Exact, "${topic}", &["t"]);
    let made: Vec<_> = made.iter().map(|text| (*text, Some("t"))).collect();
    AclPlan::new(
        &scene.desired(source),
        &set(existing),
        &recorded(&made),
        &BTreeSet::new(),
        |_| false,
        delete,
    )
}

#[test]
fn only_the_difference_is_planned_bans_before_grants_and_deleted_in_reverse() {
    let both = plan(&[ALICE, BOB], &[ALICE, BOB], &[ALICE, BOB], true);
    assert_eq!(both, AclPlan::default());
    assert_eq!(
        plan(&[ALICE, BOB, CAROL], &[CAROL], &[], true).to_string(),
        "create DENY READ on TOPIC LITERAL t for User:bob from *\n\
         create ALLOW READ on TOPIC LITERAL t for User:alice from *\n"
    );
    assert_eq!(
        plan(&[], &[ALICE, BOB], &[ALICE, BOB], true).to_string(),
        "delete ALLOW READ on TOPIC LITERAL t for User:alice from *\n\
         delete DENY READ on TOPIC LITERAL t for User:bob from *\n"
    );
}

#[test]
fn only_what_this_link_made_is_deleted_and_only_if_it_may() {
    // Carol's was there before: equal to a desired one or not, it is somebody else's.
    let with = plan(&[], &[ALICE, CAROL, DAVE], &[ALICE, DAVE], true);
    assert_eq!(with.delete, [binding(ALICE), binding(DAVE)]);
    let without = plan(&[], &[ALICE, CAROL], &[ALICE], false);
    assert!(without.is_empty());
    assert_eq!(without.drift, [binding(ALICE)]);
    assert_eq!(
        without.to_string(),
        "keep ALLOW READ on TOPIC LITERAL t for User:alice from * (tributary.acl.delete=false)\n"
    );
}

#[test]
fn what_somebody_else_removed_and_nobody_wants_is_forgotten() {
    let gone = plan(&[], &[], &[ALICE], true);
    assert!(gone.is_empty());
    assert_eq!(gone.forget, [binding(ALICE)]);
    // If it is wanted, it is made again and stays ours.
    let again = plan(&[ALICE], &[], &[ALICE], true);
    assert_eq!(again.create.len(), 1);
    assert!(again.forget.is_empty());
}

#[test]
fn rights_of_a_topic_deleted_at_the_source_stay_and_those_of_a_deselected_one_go() {
    let scene = Scene::new(AclMode::Exact, "${topic}", &[]);
    let made = recorded(&[(ALICE, Some("t")), (BOB, Some("deselected"))]);
    let is_deleted = |origin: &Origin| origin.source_topic == Some("t".into());
    let plan = AclPlan::new(
        &scene.desired(&[ALICE, BOB]),
        &set(&[ALICE, BOB]),
        &made,
        &BTreeSet::new(),
        is_deleted,
        true,
    );
    assert_eq!(plan.delete, [binding(BOB)]);
    assert!(plan.create.is_empty() && plan.forget.is_empty());
}

#[test]
fn what_vanishes_twice_within_an_hour_is_left_alone_until_the_next_day() {
    let made = recorded(&[(ALICE, None), (CAROL, None)]);
    let (there, gone) = (set(&[ALICE, CAROL]), set(&[CAROL]));
    let begin = Instant::now();
    let at = |minutes: u64| begin + Duration::from_secs(60 * minutes);
    let mut vanished = Vanished::default();
    assert!(vanished.observe(&gone, &made, at(0)).is_empty());
    assert!(vanished.observe(&there, &made, at(1)).is_empty());
    assert!(vanished.observe(&gone, &made, at(2)).is_empty(), "once");
    assert!(
        vanished.observe(&gone, &made, at(3)).is_empty(),
        "not seen in between"
    );
    assert!(vanished.observe(&there, &made, at(4)).is_empty());
    // More than an hour after the first time.
    assert!(vanished.observe(&gone, &made, at(70)).is_empty());
    assert!(vanished.observe(&there, &made, at(71)).is_empty());
    assert_eq!(vanished.observe(&gone, &made, at(100)), [binding(ALICE)]);
    assert_eq!(vanished.paused(), set(&[ALICE]));

    let scene = Scene::new(AclMode::Exact, "${topic}", &["t"]);
    let paused = vanished.paused();
    let desired = scene.desired(&[ALICE, CAROL]);
    let plan = AclPlan::new(&desired, &gone, &made, &paused, |_| false, true);
    assert!(plan.is_empty());
    assert_eq!(
        (plan.paused, plan.forget),
        (vec![binding(ALICE)], vec![binding(ALICE)])
    );

    assert!(
        vanished
            .observe(&gone, &made, at(100 + 24 * 60 - 1))
            .is_empty()
    );
    assert_eq!(vanished.paused(), set(&[ALICE]));
    assert!(vanished.observe(&gone, &made, at(100 + 24 * 60)).is_empty());
    assert!(vanished.paused().is_empty());
}

#[test]
fn what_we_delete_ourselves_does_not_vanish() {
    let made = recorded(&[(ALICE, None)]);
    let now = Instant::now();
    let mut vanished = Vanished::default();
    for _ in 0..3 {
        assert!(vanished.observe(&set(&[ALICE]), &made, now).is_empty());
        vanished.deleted(&binding(ALICE));
        assert!(vanished.observe(&set(&[]), &made, now).is_empty());
    }
}

#[test]
fn the_record_reads_back_and_has_connects_form() {
    let alice = binding("ALLOW READ on TOPIC PREFIXED west. for User:a from 10.0.0.1");
    let origin = Origin {
        source_topic: Some("orders".into()),
    };
    let (key, value) = (key("a \"b\"", &alice), value(&origin));
    assert_eq!(
        key,
        r#"["a \"b\"",{"acl":"TOPIC","name":"west.","pattern":"PREFIXED","principal":"User:a","host":"10.0.0.1","operation":"READ","permission":"ALLOW"}]"#
    );
    assert_eq!(value, r#"{"format":1,"source.topic":"orders"}"#);
    let stored = [(key.clone(), Some(value.clone()))];
    let expected: Recorded = [(alice, origin)].into();
    assert_eq!(decode("a \"b\"", &stored), expected);
    assert!(decode("other", &stored).is_empty());
    let deleted = [stored[0].clone(), (key, None)];
    assert!(decode("a \"b\"", &deleted).is_empty());
}

#[test]
fn what_is_no_record_of_ours_is_passed_over() {
    let good = key("l", &binding(ALICE));
    for (key, value) in [
        ("", "{}"),
        ("[]", "{}"),
        (r#"["l",{"topic":"t","partition":0}]"#, r#"{"offset":1}"#),
        (r#"["l",{"acl":"TOPIC"}]"#, r#"{"format":1}"#),
        (good.as_str(), ""),
        (good.as_str(), "{}"),
        (good.as_str(), r#"{"format":2}"#),
    ] {
        let stored = [(key.to_owned(), Some(value.to_owned()))];
        assert_eq!(decode("l", &stored), Recorded::new(), "{key} {value}");
    }
}
