//! Single rights that are missing, on topics, groups and the cluster, on either side: each is said with its side, thing
//! and code, and stops what needs it and nothing else; once it is granted, that goes on by itself.

use test_support::eventually::eventually;

use super::*;
use crate::connect_worker::Worker;
use crate::support::kafka_acls;
use crate::topics::send;

/// A right that is missing.
struct Missing {
    side: Side,
    resource: [String; 2],
    operation: &'static str,
    /// What has to be said about it: the parts of each line.
    says: Vec<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Source,
    Destination,
}

struct Scene {
    clusters: [KafkaCluster; 2],
    prefix: String,
    _material: SecureMaterial,
}

/// How the program reaches both clusters: as Alice, who may do what the test says.
fn as_alice() -> String {
    sasl("SASL_PLAINTEXT", "PLAIN", &password(PLAIN_PASSWORD))
}

impl Scene {
    fn cluster(&self, side: Side) -> &KafkaCluster {
        let [source, destination] = &self.clusters;
        match side {
            Side::Source => source,
            Side::Destination => destination,
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    async fn acl(&self, side: Side, change: &[&str], resource: &[&str]) {
        let whom = [change, resource].concat();
        kafka_acls(self.cluster(side), &whom).await;
    }

    async fn forbid(&self, one: &Missing, forbidden: bool) {
        let verb = if forbidden { "--add" } else { "--remove" };
        let mut change = vec![verb, "--deny-principal", "User:alice"];
        change.extend(["--operation", one.operation]);
        if !forbidden {
            change.push("--force");
        }
        let resource: Vec<&str> = one
            .resource
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        self.acl(one.side, &change, &resource).await;
    }

    /// Alice may do everything but create topics of any name.
    async fn grant_all(&self) {
        let alice = ["User:alice", "--operation"];
        let allow = [&["--add", "--allow-principal"], &alice[..], &["All"]].concat();
        let deny = [&["--add", "--deny-principal"], &alice[..], &["Create"]].concat();
        // The tool leaves the cluster out where names are beginnings.
        let beginnings = ["--resource-pattern-type", "prefixed", "--group", "progress"];
        let topics = ["--topic", &self.prefix, "--topic", "tributary."];
        let topics = [&topics[..], &beginnings].concat();
        let one_side = async |side| {
            self.acl(side, &allow, &topics).await;
            self.acl(side, &allow, &["--cluster"]).await;
        };
        tokio::join!(one_side(Side::Source), one_side(Side::Destination));
        self.acl(Side::Destination, &deny, &["--cluster"]).await;
    }

    async fn forbid_all(&self, table: &[Missing], forbidden: bool) {
        let one_side = async |side| {
            for one in table.iter().filter(|one| one.side == side) {
                self.forbid(one, forbidden).await;
            }
        };
        tokio::join!(one_side(Side::Source), one_side(Side::Destination));
    }

    /// A link whose topics begin so.
    fn link(&self, name: &str, settings: &str) -> String {
        self.link_to(Side::Destination, name, settings)
    }

    fn link_to(&self, side: Side, name: &str, settings: &str) -> String {
        let from = match side {
            Side::Source => Side::Destination,
            Side::Destination => Side::Source,
        };
        let [source, destination] = [from, side].map(|side| {
            self.cluster(side)
                .bootstrap_of("SASL")
                .expect("it is there")
        });
        let settings_of = |prefix: &str| -> String {
            let lines = as_alice();
            lines
                .lines()
                .map(|line| format!("{prefix}{line}\n"))
                .collect()
        };
        let prefix = self.topic(name);
        format!(
            "name={name}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={source}\n\
             dest.kafka.bootstrap.servers={destination}\n{}{}topic.regex={prefix}.*\ntopic.poll.interval.ms=1000\n\
             topic.create.backoff.ms=1000\n{settings}",
            settings_of("src.kafka."),
            settings_of("dest.kafka.")
        )
    }

    fn table(&self) -> Vec<Missing> {
        let row = |side, kind: &str, name: &str, operation, says: &[&[&str]]| Missing {
            side,
            resource: [kind.to_owned(), name.to_owned()],
            operation,
            says: says
                .iter()
                .map(|parts| parts.iter().map(|part| (*part).to_owned()).collect())
                .collect(),
        };
        let topic = |side, name: &str, operation, says: &[&str]| {
            let name = self.topic(name);
            let line = [&[name.as_str()], says].concat();
            row(side, "--topic", &name, operation, &[&line])
        };
        let code = "TOPIC_AUTHORIZATION_FAILED";
        let cluster = "CLUSTER_AUTHORIZATION_FAILED";
        let (source, destination) = (Side::Source, Side::Destination);
        vec![
            topic(source, "topics.unread", "Read", &["source", code]),
            topic(
                source,
                "topics.unseen",
                "DescribeConfigs",
                &["source-unauthorized"],
            ),
            topic(
                destination,
                "topics.unwritten",
                "Write",
                &["destination", code],
            ),
            topic(
                destination,
                "topics.uncreated",
                "Create",
                &["destination-unauthorized"],
            ),
            row(
                source,
                "--group",
                "progress",
                "Describe",
                &[&["source", "progress", "GROUP_AUTHORIZATION_FAILED"]],
            ),
            // One link comes from this cluster, another one goes to it.
            row(
                source,
                "--cluster",
                "",
                "Describe",
                &[
                    &["the source answers", cluster],
                    &["the destination answers", cluster],
                ],
            ),
        ]
    }
}

const TOPICS: [&str; 5] = [
    "topics.free",
    "topics.unread",
    "topics.unseen",
    "topics.unwritten",
    "topics.uncreated",
];

/// Waits until everything that is missing has been said.
async fn are_said(worker: &Worker, table: &[Missing]) {
    for parts in table.iter().flat_map(|one| &one.says) {
        let said = async || {
            let log = worker.log();
            let mut lines = log.lines();
            let line = lines.find(|line| parts.iter().all(|part| line.contains(part.as_str())));
            line.map(str::to_owned).ok_or_else(|| log.clone())
        };
        let line = eventually(&format!("a line with {parts:?}"), COPIED, said).await;
        println!("{}", line.unwrap_or_else(|error| panic!("{error}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_stops_what_needs_it_and_nothing_else() {
    let material = SecureMaterial::new().expect("certificates");
    let builder = |name| {
        let builder = material.builder(name, NEW);
        builder.property("super.users", "User:ANONYMOUS")
    };
    let builders = [builder("rights-source"), builder("rights-destination")];
    let clusters = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let scene = Scene {
        clusters,
        prefix: unique("rights"),
        _material: material,
    };
    let [source, destination] = &scene.clusters;
    scene.grant_all().await;
    let mut names = TOPICS.to_vec();
    names.extend(["group.one", "cluster.one"]);
    for name in &names {
        let topic = scene.topic(name);
        new_topic(source, &topic, 1, &[]).await;
        send(source, &topic, 1, 50).await;
    }
    let back = scene.topic("back.one");
    new_topic(destination, &back, 1, &[]).await;
    send(destination, &back, 1, 50).await;
    let table = scene.table();
    scene.forbid_all(&table, true).await;
    let rights = "sync.topic.acls.enabled=true\nsync.topic.acls.interval.seconds=1\n";
    let links = [
        scene.link("topics", ""),
        scene.link(
            "group",
            "src.consumer.group.id=progress\noffset.start=consumer\n",
        ),
        scene.link("cluster", rights),
        scene.link_to(Side::Source, "back", rights),
    ];
    let links = links.each_ref().map(String::as_str);
    let worker = Worker::tributary(
        &format!("bootstrap.servers={}", destination.bootstrap()),
        &links,
    )
    .await;
    for (cluster, name) in [
        (destination, "topics.free"),
        (destination, "cluster.one"),
        (source, "back.one"),
    ] {
        let copy = stored(cluster, &scene.topic(name));
        crate::support::wait_for_offsets(&copy, 50).await;
    }
    are_said(&worker, &table).await;
    for name in &TOPICS[1..] {
        let copy = stored(destination, &scene.topic(name));
        assert_eq!(crate::support::offsets(&copy).await, 0, "{name}");
    }
    send(source, &scene.topic("topics.free"), 1, 50).await;
    let free = stored(destination, &scene.topic("topics.free"));
    crate::support::wait_for_offsets(&free, 100).await;
    scene.forbid_all(&table, false).await;
    for name in names {
        let topic = scene.topic(name);
        let (from, to) = (committed(source, &topic), stored(destination, &topic));
        judge::wait_until_equal(&from, &to, COPIED)
            .await
            .unwrap_or_else(|error| panic!("{topic}: {error}\n{}", worker.log()));
    }
}
