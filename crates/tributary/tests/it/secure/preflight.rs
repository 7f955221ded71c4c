//! `tributary preflight`: what it sees of connections, and that exactly the rights it asks for are enough.

use std::collections::BTreeSet;

use serde_json::Value;
use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::workload::{create_partitions, set_topic_settings};

use super::*;
use crate::support::{kafka_acls, program, wait_for_offsets};
use crate::topics::{described, send};
use crate::topics_settings::has_settings;

/// A link's file and its worker's.
pub(super) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(super) fn new(name: &str, from: (&str, &str), to: (&str, &str), more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let prefixed = |prefix: &str, settings: &str| -> String {
            let lines = settings.lines();
            lines.map(|line| format!("{prefix}{line}\n")).collect()
        };
        let worker = format!(
            "bootstrap.servers={}\n{}offset.storage.topic={name}.offsets\n\
             offset.storage.replication.factor=1\noffset.storage.partitions=1\n\
             exactly.once.source.support=enabled\n",
            to.0, to.1
        );
        let link = format!(
            "name={name}\nsrc.kafka.bootstrap.servers={}\n{}topic.poll.interval.ms=1000\n\
             topic.config.sync.interval.ms=1000\ntopic.create.backoff.ms=1000\n{more}",
            from.0,
            prefixed("src.kafka.", from.1)
        );
        for (file, text) in [("worker", worker), ("link", link)] {
            certificates::write(&folder.path().join(file), &text).expect("written");
        }
        Self { folder }
    }

    /// Adds a line to the link's file.
    fn add(&self, line: &str) {
        let path = self.folder.path().join("link");
        let text = std::fs::read_to_string(&path).expect("it is there");
        certificates::write(&path, &format!("{text}{line}\n")).expect("written");
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) async fn preflight(&self, more: &[&str]) -> Run {
        let (worker, link) = (self.path("worker"), self.path("link"));
        let arguments = ["preflight", "-f", &link, "--worker", &worker];
        let all = [&arguments[..], more].concat();
        let all: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
        let run = Run::to_end(&program(&all)).await;
        no_secrets("preflight", &format!("{}{}", run.output, run.error));
        run
    }

    async fn document(&self, code: i32) -> Value {
        let run = self.preflight(&["-o", "json"]).await.ended_with(code);
        let document: Value = serde_json::from_str(&run.output).expect("one document");
        assert_eq!(document["schema"], "tributary/v1/Preflight");
        assert_eq!(document["ready"], code == 0);
        document
    }

    fn standalone(&self, more: &[&str]) -> Vec<String> {
        let mut all = vec![
            "standalone".to_owned(),
            self.path("worker"),
            self.path("link"),
        ];
        all.extend(["--progress", "off"].map(str::to_owned));
        all.extend(more.iter().map(|text| (*text).to_owned()));
        all
    }
}

/// `READ orders`, for all grants there are.
async fn granted(cluster: &KafkaCluster) -> BTreeSet<String> {
    let listed = kafka_acls(cluster, &["--list"]).await;
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=")).expect("a field");
        rest.split([',', ')']).next().expect("a part").to_owned()
    };
    let (mut resource, mut found) = (String::new(), BTreeSet::new());
    for line in listed.lines() {
        if line.contains("ResourcePattern(") {
            resource = field(line, "name");
        } else if line.contains("principal=") {
            assert_eq!(field(line, "principal"), format!("User:{USER}"));
            found.insert(format!("{} {resource}", field(line, "operation")));
        }
    }
    found
}

/// The rights of a document that are not there.
fn lacking(document: &Value) -> BTreeSet<String> {
    let rights = document["rights"].as_array().expect("a list").iter();
    let lacking = rights.filter(|right| right["result"] != "ok");
    let text = |right: &Value, name: &str| right[name].as_str().expect("a text").to_owned();
    lacking
        .map(|right| {
            let [side, operation, resource, result] =
                ["side", "operation", "resource", "result"].map(|name| text(right, name));
            format!("{side} {operation} {resource} {result}")
        })
        .collect()
}

/// Two clusters in which Alice, who has all rights elsewhere, has none, and a link that she runs.
struct Least {
    source: KafkaCluster,
    destination: KafkaCluster,
    topic: String,
    copy: String,
    files: Files,
    addresses: [String; 2],
    _material: SecureMaterial,
}

impl Least {
    async fn new(from: KafkaVersion, to: KafkaVersion) -> Self {
        let material = SecureMaterial::new().expect("certificates");
        let builder = |name: &str, version| {
            let builder = material.builder(name, version);
            builder.property("super.users", "User:ANONYMOUS")
        };
        let builders = [
            builder("least-source", from),
            builder("least-destination", to),
        ];
        let [source, destination] = ClusterBuilder::start_all(builders)
            .await
            .expect("two clusters");
        let topic = unique("least");
        new_topic(&source, &topic, 2, &[("retention.bytes", "123456789")]).await;
        send(&source, &topic, 2, RECORDS).await;
        let way = plain(&material);
        let addresses = [&source, &destination].map(|cluster| addresses(cluster, &way));
        let more = format!("topic.whitelist={topic}\ntopic.rename.format=west.${{topic}}\n");
        let [from, to] = addresses
            .each_ref()
            .map(|at| (at.as_str(), way.settings.as_str()));
        let files = Files::new(&topic, from, to, &more);
        Self {
            source,
            destination,
            copy: format!("west.{topic}"),
            topic,
            files,
            addresses,
            _material: material,
        }
    }

    /// Does what a preflight printed, as an administrator would.
    async fn grant(&self, command: &Value) {
        let command = command.as_str().expect("a text");
        println!("{command}");
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[..2], ["kafka-acls", "--bootstrap-server"]);
        let side = self.addresses.iter().position(|at| at == words[2]);
        let side = side.expect("the address of one of the two");
        assert_eq!(words[3..5], ["--command-config", "admin.properties"]);
        kafka_acls([&self.source, &self.destination][side], &words[5..]).await;
    }

    /// What is printed is done, and then nothing is missing any more.
    async fn is_granted_what_it_asks_for(&self) {
        let document = self.files.document(3).await;
        let missing = lacking(&document);
        let Self { topic, copy, .. } = self;
        for expected in [
            format!("source READ topic {topic} missing"),
            format!("destination WRITE topic {copy} missing"),
            format!("destination CREATE topic {copy} missing"),
            format!("destination CREATE topic {topic}.offsets missing"),
        ] {
            assert!(missing.contains(&expected), "{expected}: {document}");
        }
        for command in document["commands"].as_array().expect("a list") {
            self.grant(command).await;
        }
        let document = self.files.document(0).await;
        assert_eq!(lacking(&document), BTreeSet::new());
        let table = self.files.preflight(&[]).await.ended_with(0);
        println!("{}", table.output);
        assert!(table.output.ends_with("ready: yes\n"), "{table}");
    }

    /// Exactly these, as docs/security.md has them.
    async fn has_exactly_these(&self) {
        let of = |name: &str, operations: &[&str]| -> BTreeSet<String> {
            operations.iter().map(|op| format!("{op} {name}")).collect()
        };
        let expected = of(&self.topic, &["READ", "DESCRIBE_CONFIGS"]);
        assert_eq!(granted(&self.source).await, expected);
        let on_copy = ["CREATE", "WRITE", "READ", "ALTER", "ALTER_CONFIGS"];
        let mut expected = of(&self.copy, &on_copy);
        let on_positions = ["CREATE", "WRITE", "READ", "DESCRIBE_CONFIGS"];
        expected.extend(of(&format!("{}.offsets", self.topic), &on_positions));
        assert_eq!(granted(&self.destination).await, expected);
    }

    /// It creates, copies, goes on, grows and configures.
    async fn does_everything(&self) {
        let (topic, from) = (&self.topic, &self.source);
        let (copy, to) = (&self.copy, &self.destination);
        let ends = ["--until-caught-up", "--hold", "1s"];
        for _ in 0..2 {
            let run = Run::to_end(&program(&self.files.standalone(&ends))).await;
            run.ended_with(0).quiet();
            send(from, topic, 2, RECORDS).await;
        }
        let running = program(&self.files.standalone(&[]));
        create_partitions(&from.bootstrap(), topic, 3)
            .await
            .expect("grown");
        let changed = [("retention.bytes", "55555555")];
        set_topic_settings(&from.bootstrap(), topic, &changed)
            .await
            .expect("changed");
        let expected = [("message.timestamp.type", "CreateTime"), changed[0]];
        has_settings(to, copy, &expected, &running).await;
        let records = i64::try_from(RECORDS * 3).expect("few");
        wait_for_offsets(&stored(to, copy), records).await;
        running.terminate().expect("it runs");
        running.wait(COPIED).await.expect("it ends");
        assert_eq!(described(to, copy).await.partitions, "3");
        let log = running.text(Stream::Error);
        assert_eq!(crate::support::loud(&log), Vec::<&str>::new(), "{log}");
        let verdict = compared(&committed(from, topic), &stored(to, copy)).await;
        assert!(verdict.is_equal(), "{verdict}");
    }

    /// One right less is one right missing.
    async fn misses_each(&self) {
        for (cluster, side, [operation, shown], name) in [
            (
                &self.source,
                "source",
                ["DescribeConfigs", "DESCRIBE_CONFIGS"],
                &self.topic,
            ),
            (
                &self.destination,
                "destination",
                ["Write", "WRITE"],
                &self.copy,
            ),
        ] {
            let whom = ["--allow-principal", "User:alice", "--operation", operation];
            let change = [&["--remove", "--force"], &whom[..], &["--topic", name]].concat();
            kafka_acls(cluster, &change).await;
            let document = self.files.document(3).await;
            let lacking: Vec<String> = lacking(&document).into_iter().collect();
            assert_eq!(lacking, [format!("{side} {shown} topic {name} missing")]);
            self.grant(&document["commands"][0]).await;
        }
        self.files.document(0).await;
    }
}

impl Least {
    /// Transactions need one right more, on ids that are the link's.
    async fn transacts(&self) {
        self.files.add("exactly.once.support=required");
        let document = self.files.document(3).await;
        let lacking: Vec<String> = lacking(&document).into_iter().collect();
        let ids = format!("transactional ids tributary-{}-*", self.topic);
        assert_eq!(lacking, [format!("destination WRITE {ids} missing")]);
        self.grant(&document["commands"][0]).await;
        self.files.document(0).await;
        send(&self.source, &self.topic, 2, RECORDS).await;
        let ends = ["--until-caught-up", "--hold", "1s"];
        let run = Run::to_end(&program(&self.files.standalone(&ends))).await;
        let run = run.ended_with(0);
        let (from, to) = (
            committed(&self.source, &self.topic),
            committed(&self.destination, &self.copy),
        );
        let verdict = compared(&from, &to).await;
        assert!(verdict.is_equal(), "{verdict}\n{run}");
    }
}

async fn least_rights(from: KafkaVersion, to: KafkaVersion) {
    let least = Least::new(from, to).await;
    least.is_granted_what_it_asks_for().await;
    least.has_exactly_these().await;
    least.does_everything().await;
    least.misses_each().await;
    least.transacts().await;
}

#[tokio::test]
async fn exactly_the_rights_that_a_preflight_prints_are_enough_from_3_9_to_4_3() {
    least_rights(OLD, NEW).await;
}

#[tokio::test]
async fn exactly_the_rights_that_a_preflight_prints_are_enough_from_4_3_to_3_9() {
    least_rights(NEW, OLD).await;
}

/// A wrong source: what is wrong, its address and settings, and what a preflight says: step, result, and words of the
/// cause and the remedy.
type Row = (&'static str, String, String, [&'static str; 4]);

fn wrong_addresses(material: &SecureMaterial, source: &KafkaCluster) -> Vec<Row> {
    let ssl = format!("security.protocol=SSL\n{}", trusting(material));
    let right = sasl("SASL_PLAINTEXT", "PLAIN", &password(PLAIN_PASSWORD));
    let at = |listener: &str| source.bootstrap_of(listener).expect("a listener");
    vec![
        (
            "no such host",
            "no.such.host.invalid:9092".to_owned(),
            String::new(),
            ["DNS", "DNS", "cannot resolve", "check the name"],
        ),
        (
            "nobody listens",
            "127.0.0.1:1".to_owned(),
            String::new(),
            ["TCP", "NETWORK", "cannot connect", "firewalls"],
        ),
        (
            "a port in plain text",
            source.bootstrap(),
            ssl,
            ["TLS", "TLS", "TLS", "security.protocol"],
        ),
        (
            "a port with TLS, in plain text",
            at("BOTH"),
            right,
            ["API", "TLS", "SASL_SSL", "security.protocol"],
        ),
        (
            "a port with SASL, without it",
            at("SASL"),
            String::new(),
            ["METADATA", "PROTOCOL", "SASL", "security.protocol"],
        ),
    ]
}

fn wrong_credentials(material: &SecureMaterial, source: &KafkaCluster) -> Vec<Row> {
    let stranger = Authority::new("A stranger").expect("an authority");
    let other = material.path("stranger.pem");
    certificates::write(&other, stranger.certificate()).expect("written");
    let ssl = |more: &str| format!("security.protocol=SSL\n{more}");
    let strange = ssl(&format!("ssl.truststore.location={}\n", other.display()));
    let nowhere = material.path("nowhere.pem");
    let store = format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={}\n",
        nowhere.display()
    );
    let trusting = ssl(&trusting(material));
    let at = |listener: &str| source.bootstrap_of(listener).expect("a listener");
    vec![
        (
            "an unknown authority",
            at("BOTH"),
            strange,
            ["TLS", "TLS", "not trusted", "ssl.truststore.location"],
        ),
        (
            "an expired certificate",
            at("EXPIRED"),
            trusting.clone(),
            ["TLS", "TLS", "expired on 2020-01-01", "clock"],
        ),
        (
            "another host's certificate",
            at("OTHER"),
            trusting,
            ["TLS", "TLS", "is for other.example", "advertised.listeners"],
        ),
        (
            "a key store that is not there",
            at("MUTUAL"),
            ssl(&store),
            [
                "CREDENTIALS",
                "AUTH",
                "ssl.keystore.location",
                "nowhere.pem",
            ],
        ),
        (
            "a wrong password",
            at("SASL"),
            sasl("SASL_PLAINTEXT", "PLAIN", &password("planted-wrong")),
            ["SASL", "AUTH", "does not let us in", "password"],
        ),
    ]
}

#[tokio::test]
async fn a_preflight_names_the_step_the_side_the_cause_and_the_remedy_of_what_is_wrong() {
    let material = SecureMaterial::new().expect("certificates");
    let source = material.builder("seen-source", NEW).start().await;
    let source = source.expect("it starts");
    let destination = test_support::shared::cluster(NEW, 0)
        .await
        .expect("a destination");
    let to = (destination.bootstrap(), "");
    let mut table = wrong_addresses(&material, &source);
    table.extend(wrong_credentials(&material, &source));
    for (what, address, settings, [step, result, cause, remedy]) in table {
        let from = (address.as_str(), settings.as_str());
        let files = Files::new("seen", from, (&to.0, to.1), "topic.regex=nothing\n");
        let document = files.document(3).await;
        let steps = document["steps"].as_array().expect("a list").iter();
        let failed: Vec<&Value> = steps
            .filter(|row| row["side"] == "source" && row["detail"] != "")
            .filter(|row| row["result"] != "ok")
            .collect();
        let last = failed
            .last()
            .unwrap_or_else(|| panic!("{what}: {document}"));
        println!(
            "{what}\n  {} {} {}",
            last["step"], last["result"], last["detail"]
        );
        let detail = last["detail"].as_str().expect("a text");
        assert_eq!(
            (&last["step"], &last["result"]),
            (&step.into(), &result.into()),
            "{what}: {detail}"
        );
        for words in [cause, remedy] {
            assert!(detail.contains(words), "{what}: {words} in {detail}");
        }
        let steps = document["steps"].as_array().expect("a list").iter();
        let other: Vec<&Value> = steps.filter(|row| row["side"] == "destination").collect();
        assert!(other.iter().all(|row| row["result"] == "ok"), "{other:?}");
    }
}

#[tokio::test]
async fn an_advertised_address_that_cannot_be_reached_is_the_listeners_fault() {
    let source = KafkaCluster::builder()
        .name("advertised")
        .through_proxy(true);
    let source = source.start().await.expect("it starts");
    let destination = test_support::shared::cluster(NEW, 0)
        .await
        .expect("a destination");
    let [hidden, port] = [1_u32, u32::from(source.proxy(0).address().port())].map(u32::to_be_bytes);
    const METADATA: i16 = 3;
    let rule = FrameRule::new(Direction::Answers, METADATA, FrameAction::Pass).times(u32::MAX);
    source.proxy(0).on_frame(rule.edit(move |frame| {
        for at in 0..frame.len().saturating_sub(4) {
            if frame[at..at + 4] == port {
                frame[at..at + 4].copy_from_slice(&hidden);
            }
        }
    }));
    let (from, to) = (source.proxied_bootstrap(), destination.bootstrap());
    let files = Files::new("seen", (&from, ""), (&to, ""), "topic.regex=nothing\n");
    let run = files.preflight(&[]).await.ended_with(3);
    println!("{}", run.output);
    let about = |words: &str| {
        let lines = run.output.lines();
        let mut lines = lines.filter(|line| line.contains("127.0.0.1:1 (broker "));
        assert!(lines.any(|line| line.contains(words)), "{words}: {run}");
    };
    about("TCP   LISTENER  ");
    about("(advertised.listeners), and it has to be reachable from here");
    assert!(run.output.contains("skipped (TCP)"), "{run}");
    assert!(run.output.ends_with("ready: NO\n"), "{run}");
}
