//! Access rights at the destination follow those of the source, judged by Kafka's own `kafka-acls`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::managed_process::Stream;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, Generator, Load, Shape};

use crate::connect_http::Client;
use crate::connect_worker::free_port;
use crate::metrics::scraped;
use crate::support::{
    COPIED, NEW, OLD, Run, asked_again, bootstrap, kafka_acls, new_topic, offsets, pair, program,
    stored, unique, wait_for_offsets,
};

const SEED: u64 = 31;
/// Keys of the APIs about access rights.
const DESCRIBE_ACLS: i16 = 29;
const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;

/// Gives rights on one resource; `whom` are the tool's arguments for principals and operations.
async fn give(cluster: &KafkaCluster, whom: &[&str], on: &[&str]) {
    kafka_acls(cluster, &[&["--add"], whom, on].concat()).await;
}

async fn take(cluster: &KafkaCluster, whom: &[&str], on: &[&str]) {
    kafka_acls(cluster, &[&["--remove", "--force"], whom, on].concat()).await;
}

/// `ALLOW READ TOPIC LITERAL name User:a`; all of them come from everywhere.
async fn rights(cluster: &KafkaCluster) -> BTreeSet<String> {
    let listed = kafka_acls(cluster, &["--list"]).await;
    let (mut resource, mut found) = (String::new(), BTreeSet::new());
    let field = |line: &str, name: &str| {
        let (_, rest) = line
            .split_once(&format!("{name}="))
            .unwrap_or_else(|| panic!("{name} in {line}"));
        rest.split([',', ')'])
            .next()
            .expect("a first part")
            .to_owned()
    };
    for line in listed.lines() {
        if line.contains("ResourcePattern(") {
            let [kind, name, pattern] =
                ["resourceType", "name", "patternType"].map(|part| field(line, part));
            resource = format!("{kind} {pattern} {name}");
        } else if line.contains("principal=") {
            assert_eq!(field(line, "host"), "*");
            let [principal, operation, permission] =
                ["principal", "operation", "permissionType"].map(|part| field(line, part));
            found.insert(format!("{permission} {operation} {resource} {principal}"));
        }
    }
    found
}

/// Waits until these are all rights there are.
async fn wait_for_rights(cluster: &KafkaCluster, expected: &[String], program: &TributaryProcess) {
    let expected: BTreeSet<String> = expected.iter().cloned().collect();
    let equal = async || {
        let found = rights(cluster).await;
        if found == expected {
            Ok(())
        } else {
            Err(found)
        }
    };
    eventually("the expected access rights", COPIED, equal)
        .await
        .unwrap_or_else(|error| {
            panic!("{error}\nexpected {expected:#?}\n{}", log(program));
        });
}

/// A link from files, with rights once a second.
struct Link {
    folder: tempfile::TempDir,
    name: String,
    /// Where its worker is asked.
    address: String,
}

impl Link {
    fn new(source: &KafkaCluster, destination: &KafkaCluster, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let name = unique("rights");
        let address = format!("127.0.0.1:{}", free_port());
        let worker = format!(
            "bootstrap.servers={}\nlisteners=http://{address}\noffset.storage.topic={name}.offsets\n\
             offset.storage.partitions=3\n",
            bootstrap(destination)
        );
        let link = format!(
            "name={name}\nsrc.kafka.bootstrap.servers={}\ndest.kafka.bootstrap.servers={}\n\
             topic.poll.interval.ms=1000\nsync.topic.acls.enabled=true\nsync.topic.acls.interval.seconds=1\n{settings}",
            bootstrap(source),
            bootstrap(destination)
        );
        for (file, text) in [("worker", worker), ("link", link)] {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        Self {
            folder,
            name,
            address,
        }
    }

    /// With the name and the worker of another one.
    fn in_place_of(mut self, other: &Self) -> Self {
        let text = std::fs::read_to_string(self.folder.path().join("link")).expect("written");
        let worker = std::fs::read_to_string(other.folder.path().join("worker")).expect("written");
        let text = text.replace(&self.name, &other.name);
        self.name.clone_from(&other.name);
        self.address.clone_from(&other.address);
        std::fs::write(self.folder.path().join("link"), text).expect("written");
        std::fs::write(self.folder.path().join("worker"), worker).expect("written");
        self
    }

    fn start(&self) -> TributaryProcess {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let arguments = [
            "standalone",
            &file("worker"),
            &file("link"),
            "--progress",
            "off",
        ];
        program(&arguments.map(str::to_owned))
    }
}

/// How many rights were made or taken back, as metrics say, which also say when both clusters were compared.
async fn counted(link: &Link) -> Option<f64> {
    let scrape = scraped(&Client::new(link.address.as_str())).await;
    let compared = "tributary_sync_last_success_timestamp_seconds";
    assert!(scrape.sum(compared, &["kind=\"acl\""]) > Some(0.0));
    let labels = ["kind=\"acl\"", "result=\"done\""];
    scrape.sum("tributary_sync_operations_total", &labels)
}

/// What a preview says would be made and taken back, in the words of [`rights`]; it ends with this code.
async fn previewed(link: &Link, code: i32) -> [BTreeSet<String>; 2] {
    let file = |name: &str| link.folder.path().join(name).display().to_string();
    let (worker, link) = (file("worker"), file("link"));
    let arguments = ["preview", "-f", &link, "--worker", &worker];
    let all = [&arguments[..], &["-o", "json"]].concat();
    let all: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
    let run = Run::to_end(&program(&all)).await.ended_with(code);
    let document: Value = serde_json::from_str(&run.output).expect("one document");
    ["create", "delete"].map(|what| {
        let found = document["access_rights"][what].as_array();
        let found = found.unwrap_or_else(|| panic!("{what}: {run}")).iter();
        let text = |right: &Value| right.as_str().expect("a text").to_owned();
        found
            .map(|right| {
                let right = text(right).replace(" on ", " ").replace(" for ", " ");
                let (right, host) = right.rsplit_once(" from ").expect("a host");
                assert_eq!(host, "*");
                right.to_owned()
            })
            .collect()
    })
}

async fn stop(program: &TributaryProcess) {
    program.terminate().expect("it runs");
    let status = program.wait(COPIED).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", log(program));
}

fn log(program: &TributaryProcess) -> String {
    program.text(Stream::Error)
}

/// Log lines about access rights at this level.
fn said(program: &TributaryProcess, level: &str) -> Vec<String> {
    let about = |line: &&str| line.contains(level) && line.contains("access right");
    let log = log(program);
    log.lines().filter(about).map(str::to_owned).collect()
}

/// Requests that change rights, before and after three more rounds.
async fn changes_in_three_rounds(cluster: &KafkaCluster) -> [(u64, u64); 2] {
    let proxy = cluster.proxy(0);
    let before = proxy.traffic();
    asked_again(cluster, DESCRIBE_ACLS, 4).await;
    let after = proxy.traffic();
    [CREATE_ACLS, DELETE_ACLS].map(|api| (before.requests(api), after.requests(api)))
}

async fn two_clusters(source: ClusterBuilder, destination: ClusterBuilder) -> [KafkaCluster; 2] {
    let builders = [
        source.name("rights-source").authorizer(),
        destination
            .name("rights-destination")
            .authorizer()
            .through_proxy(true),
    ];
    ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters")
}

async fn send(cluster: &KafkaCluster, topic: &str, count: usize) {
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Lz4)
        .send(Generator::new(Shape::uniform(SEED, 1, 100)).take(count))
        .await
        .expect("acknowledged");
}

#[tokio::test]
async fn rights_are_copied_for_reading_and_only_those_this_link_made_are_taken_back() {
    let version = |version| KafkaCluster::builder().version(version);
    let [source, destination] = two_clusters(version(OLD), version(NEW)).await;
    let topic = unique("orders");
    let copy = format!("west.{topic}");
    new_topic(&source, &topic, 1, &[]).await;
    send(&source, &topic, 50).await;

    let literal = ["--topic", topic.as_str()];
    let beginning = ["--topic", "ord", "--resource-pattern-type", "prefixed"];
    let alice = ["--allow-principal", "User:alice"];
    let writes = [
        &alice[..],
        &["--operation", "Write", "--operation", "Delete"],
    ]
    .concat();
    let all = ["--allow-principal", "User:bob", "--operation", "All"];
    let banned = ["--deny-principal", "User:carol", "--operation", "Write"];
    let dave = ["--allow-principal", "User:dave", "--operation", "Read"];
    let erin = ["--allow-principal", "User:erin", "--operation", "Describe"];
    let frank = ["--allow-principal", "User:frank", "--operation", "Read"];
    give(&source, &writes, &literal).await;
    give(&source, &all, &literal).await;
    give(&source, &banned, &literal).await;
    give(&source, &dave, &beginning).await;
    give(&source, &erin, &["--topic", "*"]).await;
    give(&source, &dave, &["--topic", "secret"]).await;
    let alter = ["--allow-principal", "User:dave", "--operation", "Alter"];
    give(&source, &alter, &["--cluster"]).await;
    // Made by somebody else at the destination, and equal to what would be copied.
    give(&source, &frank, &literal).await;
    give(&destination, &frank, &["--topic", &copy]).await;

    let settings = format!("topic.regex={topic}\ntopic.rename.format=west.${{topic}}\n");
    let link = Link::new(&source, &destination, &settings);
    let franks = format!("ALLOW READ TOPIC LITERAL {copy} User:frank");
    let daves = "ALLOW READ TOPIC PREFIXED west.ord User:dave".to_owned();
    let mut expected = vec![
        format!("ALLOW READ TOPIC LITERAL {copy} User:bob"),
        format!("ALLOW DESCRIBE_CONFIGS TOPIC LITERAL {copy} User:bob"),
        format!("DENY WRITE TOPIC LITERAL {copy} User:carol"),
        daves.clone(),
        "ALLOW DESCRIBE TOPIC PREFIXED west. User:erin".to_owned(),
        franks.clone(),
    ];
    let new = expected.iter().filter(|right| **right != franks).cloned();
    assert_eq!(previewed(&link, 0).await, [new.collect(), BTreeSet::new()]);
    let program = link.start();
    wait_for_rights(&destination, &expected, &program).await;

    // Bans and grants, those about beginnings of names perhaps before the topic was there; then nothing more.
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!(deleted, (0, 0), "{}", log(&program));
    assert_eq!(created.0, created.1, "{}", log(&program));
    assert!(created.0 <= 3, "{created:?}");
    assert!(said(&program, " WARN ").is_empty(), "{}", log(&program));
    let all_made = created;
    assert_eq!(counted(&link).await, Some(5.0), "{}", log(&program));

    // Gone at the source: what this link made goes, what was there before stays.
    take(&source, &dave, &beginning).await;
    take(&source, &frank, &literal).await;
    expected.retain(|right| *right != daves);
    wait_for_rights(&destination, &expected, &program).await;
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!((created, deleted), (all_made, (1, 1)), "{}", log(&program));
    assert_eq!(counted(&link).await, Some(6.0), "{}", log(&program));
    wait_for_offsets(&stored(&destination, &copy), 50).await;
    stop(&program).await;

    // The record outlives the process.
    take(&source, &all, &literal).await;
    let bobs = |right: &String| right.ends_with("User:bob");
    let gone: BTreeSet<String> = expected.iter().filter(|r| bobs(r)).cloned().collect();
    assert_eq!(previewed(&link, 0).await, [BTreeSet::new(), gone]);
    let program = link.start();
    expected.retain(|right| !bobs(right));
    wait_for_rights(&destination, &expected, &program).await;
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!((created, deleted), (all_made, (2, 2)), "{}", log(&program));
    assert!(expected.contains(&franks));
    stop(&program).await;

    // No longer selected: everything that was made for it goes, and what was made for beginnings follows the source.
    let settings = format!("topic.regex=not-{topic}\ntopic.rename.format=west.${{topic}}\n");
    let deselected = Link::new(&source, &destination, &settings).in_place_of(&link);
    let program = deselected.start();
    expected.retain(|right| !right.ends_with("User:carol"));
    wait_for_rights(&destination, &expected, &program).await;
    stop(&program).await;
}

#[tokio::test]
async fn exact_rights_of_topics_groups_and_transactional_ids_are_copied_between_older_brokers() {
    let old = || KafkaCluster::builder().version(OLD);
    let [source, destination] = two_clusters(old(), old()).await;
    let topic = unique("orders");
    new_topic(&source, &topic, 1, &[]).await;
    let literal = ["--topic", topic.as_str()];
    let alice = ["--allow-principal", "User:alice", "--operation", "Write"];
    let bob = ["--deny-principal", "User:bob", "--operation", "All"];
    let everybody = ["--deny-principal", "User:*", "--operation", "Delete"];
    let team = ["--allow-principal", "User:alice", "--operation", "Read"];
    give(&source, &alice, &literal).await;
    give(&source, &bob, &literal).await;
    give(&source, &everybody, &literal).await;
    give(&source, &team, &["--topic", "*"]).await;
    let beginning = ["--topic", "ord", "--resource-pattern-type", "prefixed"];
    give(&source, &team, &beginning).await;
    give(&source, &team, &["--group", "team"]).await;
    give(&source, &alice, &["--transactional-id", "writer"]).await;
    let excluded = ["--allow-principal", "User:excluded", "--operation", "Read"];
    give(&source, &excluded, &literal).await;

    let settings = format!(
        "topic.regex={topic}\ntributary.acl.mode=exact\ntributary.acl.delete=false\n\
         tributary.acl.resources=topic,group,transactional-id\ntributary.acl.principals.exclude=User:ex.*\n"
    );
    let link = Link::new(&source, &destination, &settings);
    let alices = format!("ALLOW WRITE TOPIC LITERAL {topic} User:alice");
    let mut expected = vec![
        alices.clone(),
        format!("DENY ALL TOPIC LITERAL {topic} User:bob"),
        "ALLOW READ TOPIC PREFIXED ord User:alice".to_owned(),
        "ALLOW READ GROUP LITERAL team User:alice".to_owned(),
        "ALLOW WRITE TRANSACTIONAL_ID LITERAL writer User:alice".to_owned(),
    ];
    // Somebody has to act: everybody's ban would hit Tributary.
    let new = expected.iter().cloned().collect();
    assert_eq!(previewed(&link, 3).await, [new, BTreeSet::new()]);
    let program = link.start();
    wait_for_rights(&destination, &expected, &program).await;
    // Everybody's ban would hit Tributary, and `*` would reach beyond what is copied.
    let banned = format!("DENY DELETE on TOPIC LITERAL {topic} for User:*");
    assert_eq!(said(&program, " ERROR ").len(), 1, "{}", log(&program));
    assert!(said(&program, " ERROR ")[0].contains(&banned));
    let warned = said(&program, " WARN ");
    assert_eq!(warned.len(), 1, "{}", log(&program));
    assert!(warned[0].contains("ALLOW READ on TOPIC LITERAL * for User:alice"));

    // Gone at the source, and said instead of deleted.
    take(&source, &bob, &literal).await;
    program
        .expect_line("tributary.acl.delete=false", COPIED)
        .await
        .expect("drift is said");
    wait_for_rights(&destination, &expected, &program).await;

    // Somebody at the destination removes what this link makes: once it is made again, then no more.
    take(&destination, &alice, &literal).await;
    wait_for_rights(&destination, &expected, &program).await;
    changes_in_three_rounds(&destination).await;
    take(&destination, &alice, &literal).await;
    program
        .expect_line("vanished twice within an hour", COPIED)
        .await
        .expect("it is noticed");
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!(created.0, created.1, "{}", log(&program));
    assert_eq!(deleted, (0, 0));
    expected.retain(|right| *right != alices);
    wait_for_rights(&destination, &expected, &program).await;
    stop(&program).await;
}

#[tokio::test]
async fn a_crash_before_an_answer_leaves_no_right_that_nobody_takes_back() {
    let new = || KafkaCluster::builder().version(NEW);
    let [source, destination] = two_clusters(new(), new()).await;
    let topic = unique("orders");
    new_topic(&source, &topic, 1, &[]).await;
    let link = Link::new(&source, &destination, &format!("topic.regex={topic}\n"));
    let program = Arc::new(link.start());
    changes_in_three_rounds(&destination).await;

    // More than one request takes, and the process dies when the first is answered.
    let proxy = destination.proxy(0);
    let dying = Arc::clone(&program);
    let rule = FrameRule::new(Direction::Answers, CREATE_ACLS, FrameAction::Cut);
    proxy.on_frame(rule.hook(move || dying.kill9()));
    let principals: Vec<_> = (0..600).map(|number| format!("User:{number}")).collect();
    let allow = principals.iter().flat_map(|who| ["--allow-principal", who]);
    let crowd: Vec<_> = allow.chain(["--operation", "Read"]).collect();
    let literal = ["--topic", topic.as_str()];
    give(&source, &crowd, &literal).await;
    program.wait(COPIED).await.expect("killed");
    assert_eq!(rights(&destination).await.len(), 500);
    proxy.heal().await;

    take(&source, &crowd, &literal).await;
    let program = link.start();
    wait_for_rights(&destination, &[], &program).await;
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!((created, deleted), ((1, 1), (1, 1)), "{}", log(&program));

    give(&source, &crowd, &literal).await;
    let all = principals.iter();
    let all: Vec<_> = all
        .map(|who| format!("ALLOW READ TOPIC LITERAL {topic} {who}"))
        .collect();
    wait_for_rights(&destination, &all, &program).await;
    let [created, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!((created, deleted), ((3, 3), (1, 1)));
    stop(&program).await;
}

#[tokio::test]
async fn a_right_that_an_older_destination_refuses_stops_no_other_except_grants_that_it_limits() {
    let version = |version| KafkaCluster::builder().version(version);
    let [source, destination] = two_clusters(version(NEW), version(OLD)).await;
    let topic = unique("orders");
    new_topic(&source, &topic, 1, &[]).await;
    // Unknown to Kafka 3.9.
    let newer = [
        "--deny-principal",
        "User:bob",
        "--operation",
        "TwoPhaseCommit",
    ];
    let all = ["--allow-principal", "User:bob", "--operation", "All"];
    let write = ["--operation", "Write", "--operation", "Describe"];
    let carol = [&["--allow-principal", "User:carol"], &write[..]].concat();
    let writer = ["--transactional-id", "writer"];
    give(&source, &newer, &writer).await;
    give(&source, &all, &writer).await;
    give(&source, &carol, &writer).await;
    let settings = format!(
        "topic.regex={topic}\ntributary.acl.mode=exact\ntributary.acl.resources=topic,transactional-id\n"
    );
    let link = Link::new(&source, &destination, &settings);
    let program = link.start();
    let mut expected = vec![
        "ALLOW WRITE TRANSACTIONAL_ID LITERAL writer User:carol".to_owned(),
        "ALLOW DESCRIBE TRANSACTIONAL_ID LITERAL writer User:carol".to_owned(),
    ];
    wait_for_rights(&destination, &expected, &program).await;
    let [_, deleted] = changes_in_three_rounds(&destination).await;
    assert_eq!(deleted, (0, 0));
    let warned = said(&program, " WARN ");
    let about = |text: &str| warned.iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        (warned.len(), about("INVALID_REQUEST")),
        (2, 1),
        "{}",
        log(&program)
    );
    assert_eq!(about("a ban that limits it was refused"), 1);

    take(&source, &newer, &writer).await;
    expected.push("ALLOW ALL TRANSACTIONAL_ID LITERAL writer User:bob".to_owned());
    wait_for_rights(&destination, &expected, &program).await;
    stop(&program).await;
}

#[tokio::test]
async fn clusters_without_an_authorizer_are_no_trouble() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("unguarded");
    new_topic(source, &topic, 1, &[]).await;
    send(source, &topic, 50).await;
    let link = Link::new(source, destination, &format!("topic.regex={topic}\n"));
    let program = link.start();
    wait_for_offsets(&stored(destination, &topic), 50).await;
    program
        .expect_line("the source has no authorizer", COPIED)
        .await
        .expect("it is said");
    send(source, &topic, 50).await;
    wait_for_offsets(&stored(destination, &topic), 100).await;
    stop(&program).await;
    assert_eq!(said(&program, " INFO ").len(), 1, "{}", log(&program));
    assert!(said(&program, " WARN ").is_empty(), "{}", log(&program));
}

#[tokio::test]
async fn a_cluster_that_does_not_let_us_look_at_rights_is_still_copied_from() {
    // Clients and brokers in plain text are both ANONYMOUS: it may do what no right is given for, and whatever it
    // needs, but not describe the cluster.
    let builders = [
        KafkaCluster::builder()
            .name("closed-source")
            .authorizer()
            .property("super.users", "User:nobody")
            .property("allow.everyone.if.no.acl.found", "true"),
        KafkaCluster::builder()
            .name("open-destination")
            .authorizer(),
    ];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let topic = unique("closed");
    new_topic(&source, &topic, 1, &[]).await;
    send(&source, &topic, 50).await;
    let ours = ["--allow-principal", "User:ANONYMOUS"];
    let enough = [
        "--operation",
        "ClusterAction",
        "--operation",
        "IdempotentWrite",
    ];
    give(&source, &[&ours[..], &enough].concat(), &["--cluster"]).await;

    let link = Link::new(&source, &destination, &format!("topic.regex={topic}\n"));
    let program = link.start();
    let denied = "the source answers CLUSTER_AUTHORIZATION_FAILED (31)";
    program
        .expect_line(denied, COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", log(&program)));
    wait_for_offsets(&stored(&destination, &topic), 50).await;
    send(&source, &topic, 50).await;
    wait_for_offsets(&stored(&destination, &topic), 100).await;
    assert_eq!(offsets(&stored(&destination, &topic)).await, 100);
    // sleeps because nothing must happen: the next look is an hour away.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop(&program).await;
    assert_eq!(said(&program, " WARN ").len(), 1, "{}", log(&program));
}
