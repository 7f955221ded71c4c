//! Single message transforms of Kafka Connect: which can be used, and what is said of the others.

use config::raw::RawConfig;
use config::{LinkConfig, resolve_link};

use crate::{link, no_cluster};

const CHAIN: &str = r"transforms=route, clean,mark , tombs
transforms.route.type=org.apache.kafka.connect.transforms.RegexRouter
transforms.route.regex=(orders)\..*
transforms.route.replacement=$1
transforms.clean.type=org.apache.kafka.connect.transforms.DropHeaders
transforms.clean.headers=trace, span
transforms.mark.type=org.apache.kafka.connect.transforms.InsertHeader
transforms.mark.header=from
transforms.mark.value.literal=west
transforms.mark.predicate=isOrders
transforms.tombs.type=Filter
transforms.tombs.predicate=isTombstone
transforms.tombs.negate=TRUE
predicates=isOrders,isTombstone,unused
predicates.isOrders.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches
predicates.isOrders.pattern=orders
predicates.isTombstone.type=org.apache.kafka.connect.transforms.predicates.RecordIsTombstone
predicates.unused.type=HasHeaderKey
predicates.unused.name=x";

#[track_caller]
fn resolved(raw: &RawConfig) -> (LinkConfig, Vec<String>) {
    let (link, notices) = resolve_link(raw, &no_cluster()).expect("usable");
    (link, notices.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check_refused(lines: &str, expected: &str) {
    let problems = resolve_link(&link(lines), &no_cluster()).expect_err("unusable");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        said.iter().any(|problem| problem.contains(expected)),
        "{lines}\n{said:?}\n{expected}"
    );
}

#[test]
fn a_chain_of_connect_is_taken_over_with_its_keys() {
    let (link, notices) = resolved(&link(CHAIN));
    let [said] = &notices[..] else {
        panic!("one notice: {notices:?}");
    };
    assert!(
        said.contains("tombs: Filter unless RecordIsTombstone"),
        "{said}"
    );
    assert_eq!(link.changes_records(), Some("transforms"));
    let naming = &link.topics.naming;
    assert_eq!(naming.apply("orders.v1").as_deref(), Ok("orders"));
    assert!(naming.may_merge() && !naming.is_constant());
    let orders = naming.transformed("orders.v1").expect("a chain");
    assert_eq!(orders.records.len(), 3);
    let others = naming.transformed("payments").expect("a chain");
    assert_eq!(others.records.len(), 2);
    assert_eq!(
        naming.to_string(),
        r"${topic}, then route: RegexRouter (orders)\..* → clean: DropHeaders trace,span → mark: InsertHeader from where TopicNameMatches orders → tombs: Filter unless RecordIsTombstone"
    );
}

#[test]
fn a_filter_on_names_selects_topics() {
    let (link, _) = resolved(&link(
        r"topic.regex=.*
transforms=f
transforms.f.type=org.apache.kafka.connect.transforms.Filter
transforms.f.predicate=p
predicates=p
predicates.p.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches
predicates.p.pattern=internal.*",
    ));
    assert!(link.topics.selection.is_selected("orders"));
    assert_eq!(link.changes_records(), None);
    let decision = link.topics.selection.decide("internal-1");
    assert_eq!(
        decision.to_string(),
        "excluded by transforms: a Filter leaves out all of its records"
    );
}

#[test]
fn what_cannot_be_done_to_bytes_is_refused_with_the_reason() {
    let native = "there are Filter, RegexRouter, TimestampRouter, InsertHeader and DropHeaders";
    for (lines, expected) in [
        (
            "transforms=m\ntransforms.m.type=org.apache.kafka.connect.transforms.MaskField$Value",
            "MaskField needs the fields of keys and values, which are bytes here",
        ),
        ("transforms=m\ntransforms.m.type=com.example.Mine", native),
        ("transforms=m", "transforms.m.type"),
        (
            "transforms=f\ntransforms.f.type=Filter",
            "without a predicate it leaves out every record",
        ),
        (
            "transforms=t\ntransforms.t.type=TimestampRouter",
            "has each record's own time in the topic's name",
        ),
        (
            "transforms=r\ntransforms.r.type=RegexRouter\ntransforms.r.regex=(\ntransforms.r.replacement=x",
            "this group is not closed",
        ),
        (
            "transforms=r\ntransforms.r.type=RegexRouter\ntransforms.r.regex=.*\ntransforms.r.replacement=$1",
            "there is no group 1",
        ),
        (
            "transforms=f\ntransforms.f.type=Filter\ntransforms.f.predicate=p",
            "there is no such predicate",
        ),
        (
            "transforms=r\ntransforms.r.type=RegexRouter\ntransforms.r.regex=.*\ntransforms.r.replacement=x\n\
             transforms.r.predicate=p\npredicates=p\npredicates.p.type=RecordIsTombstone",
            "where a record goes cannot depend on the record itself",
        ),
        (
            "transforms=d\ntransforms.d.type=DropHeaders",
            "transforms.d.headers",
        ),
        (
            "predicates=p\npredicates.p.type=com.example.Mine",
            "there are TopicNameMatches, RecordIsTombstone and HasHeaderKey",
        ),
        (
            "transforms=d\ntransforms.d.type=DropHeaders\ntransforms.d.headers=,",
            "it names no header",
        ),
        // Everything that is wrong is said at once.
        (
            "transforms=f\ntransforms.f.type=Filter\ntransforms.f.negate=maybe\ntransforms.f.predicate=p\n\
             predicates=p\npredicates.p.type=HasHeaderKey",
            "predicates.p.name",
        ),
        (
            "transforms=f\ntransforms.f.type=Filter\ntransforms.f.negate=maybe\ntransforms.f.predicate=p\n\
             predicates=p\npredicates.p.type=HasHeaderKey",
            "it is neither true nor false",
        ),
    ] {
        check_refused(lines, expected);
    }
}

#[test]
fn settings_that_nobody_reads_are_said_with_what_was_meant() {
    let mark = "transforms=mark\ntransforms.mark.type=InsertHeader\ntransforms.mark.header=h\n\
                transforms.mark.value.literal=\n";
    for (lines, expected) in [
        (
            "transforms.mark.predicat=p\n",
            "transforms.mark.predicat (--set) is unknown and has no effect; did you mean transforms.mark.predicate ?",
        ),
        (
            "transforms.other.type=Filter\n",
            "transforms.other.… has no effect: transforms does not name other",
        ),
        (
            "predicates.p.type=RecordIsTombstone\n",
            "predicates.p.… has no effect: predicates does not name p",
        ),
        (
            "predicates=a.b\npredicates.a.b.type=HasHeaderKey\npredicates.a.b.name=x\npredicates.a.b.names=y\n",
            "predicates.a.b.names (--set) is unknown and has no effect; did you mean predicates.a.b.name ?",
        ),
    ] {
        let (_, notices) = resolved(&link(&format!("{mark}{lines}")));
        let said: Vec<&String> = notices
            .iter()
            .filter(|notice| notice.contains("has no effect"))
            .collect();
        assert!(
            matches!(said[..], [said] if said.contains(expected)),
            "{notices:?}\n{expected}"
        );
    }
}

#[test]
fn a_router_without_a_time_renames() {
    let (link, _) = resolved(&link(
        "transforms=t\ntransforms.t.type=TimestampRouter\ntransforms.t.topic.format=${topic}-copy",
    ));
    assert_eq!(
        link.topics.naming.apply("orders").as_deref(),
        Ok("orders-copy")
    );
}

#[test]
fn quarantine_provenance_and_a_group_to_start_at_are_read() {
    let (resolved_link, notices) = resolved(&link(
        "tributary.on.refused=quarantine
         provenance.header.enable=true
         provenance.header.filter.overrides=abc,orders,-100
         src.consumer.group.id=old-copier
         topic.preserve.partitions=false",
    ));
    assert_eq!(resolved_link.on_refused, config::OnRefused::Quarantine);
    let topic = format!("{}.quarantine", resolved_link.name);
    assert_eq!(resolved_link.quarantine_topic, topic);
    let provenance = resolved_link.provenance.expect("on");
    assert!(provenance.overrides("abc", "orders", 99));
    assert!(!provenance.overrides("abc", "orders", 100));
    assert_eq!(resolved_link.start_group.expect("given").id, "old-copier");
    assert!(!resolved_link.topics.preserve_partitions);
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("every record is decoded"))
    );
    check_refused(
        "topic.preserve.partitions=false\nproducer.override.partitioner.class=com.example.Mine",
        "records are spread as by Kafka's default partitioner",
    );
    check_refused(
        "topic.preserve.partitions=false\nproducer.override.partitioner.ignore.keys=true",
        "records with a key go to the partition that the key gives",
    );
    check_refused("tributary.quarantine.topic=a b", "contains");
    check_refused(
        "provenance.header.enable=true\nprovenance.header.filter.overrides=abc",
        "is not <cluster id>,<topic>,<start ms>-<end ms>",
    );
}

#[test]
fn offsets_are_not_to_be_preserved_where_no_record_can_keep_its_own() {
    let preserve = "tributary.offsets=preserve\n";
    let mark = "transforms=mark\ntransforms.mark.type=InsertHeader\ntransforms.mark.header=h\n\
                transforms.mark.value.literal=v\n";
    check_refused(
        &format!("{preserve}provenance.header.enable=true"),
        "where records get a header (provenance.header.enable=true) none keeps its offset",
    );
    check_refused(
        &format!("{preserve}{mark}"),
        "where all records are changed on their way (transforms) none keeps its offset",
    );
    // Only some topics: those stop, and the others keep theirs.
    resolved(&link(&format!(
        "{preserve}{mark}transforms.mark.predicate=p\npredicates=p\npredicates.p.type=TopicNameMatches\n\
         predicates.p.pattern=orders"
    )));
}
