//! Where offsets are preserved and where they are mapped: without rights, onto a topic that is used, and when
//! somebody else writes. It is said each time, and nothing is written before it is refused.

use test_support::certificates;
use test_support::judge;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::managed_process::Stream;
use test_support::tools::{self, KafkaTools};
use test_support::workload::{Generator, Load, Mode, Shape};

use crate::offsets::{delete_before, equal_with_offsets};
use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, committed, compared, new_topic, offsets, pair, stored,
    transactions, unique, wait_for_offsets,
};

const SEED: u64 = 606;
const PRESERVE: [&str; 2] = ["--set", "tributary.offsets=preserve"];

async fn load(cluster: &KafkaCluster, topic: &str, records: usize, mode: Mode) {
    Load::new(cluster.bootstrap(), topic)
        .mode(mode)
        .send(Generator::new(Shape::mixed(SEED, 1).largest_value(1_000)).take(records))
        .await
        .expect("acknowledged");
}

/// The line that says it, from log or summary.
fn said<'a>(run: &'a Run, text: &str) -> &'a str {
    let mut lines = run.error.lines().chain(run.output.lines());
    lines
        .find(|line| line.contains(text))
        .unwrap_or_else(|| panic!("\"{text}\" is said: {run}"))
}

/// A destination at which one user has few rights, and clients in plain text all.
async fn limited() -> [KafkaCluster; 2] {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let destination = KafkaCluster::builder()
        .name("few-rights")
        .version(NEW)
        .authorizer()
        .listener("LIMITED", "SASL_PLAINTEXT")
        .property("listener.name.limited.sasl.enabled.mechanisms", "PLAIN")
        .property(
            "listener.name.limited.plain.sasl.jaas.config",
            &format!("{module} required user_copier=\"secret\";"),
        );
    let source = KafkaCluster::builder().name("all-rights").version(NEW);
    ClusterBuilder::start_all([source, destination])
        .await
        .expect("two clusters")
}

async fn give(cluster: &KafkaCluster, operations: &[&str], resource: &[&str]) {
    let kafka = KafkaTools::for_version(NEW).expect("jars");
    let bootstrap = cluster.bootstrap();
    let mut arguments = vec!["--bootstrap-server", &bootstrap, "--add"];
    arguments.extend(["--allow-principal", "User:copier"]);
    for operation in operations {
        arguments.extend(["--operation", operation]);
    }
    arguments.extend(resource);
    let done = kafka.run(tools::ACL_COMMAND, &arguments).await;
    done.expect("a right is given");
}

fn as_limited(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) -> Replicate {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let link = unique("link");
    let settings = std::env::temp_dir().join(format!("{link}.properties"));
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
         sasl.jaas.config={module} required username=\"copier\" password=\"secret\";\n"
    );
    certificates::write(&settings, &text).expect("written");
    let to = destination.bootstrap_of("LIMITED").expect("the listener");
    let settings = settings.display().to_string();
    Replicate::between(&source.bootstrap(), &to, topic)
        .with(&["--name", &link, "--progress", "off"])
        .with(&["--to-config", &settings])
        .with(&["--set", "topic.config.sync=false"])
}

#[tokio::test]
async fn without_a_right_auto_maps_and_preserve_refuses_with_the_command_that_gives_it() {
    let [source, destination] = limited().await;
    let prefixed = |name| ["--topic", name, "--resource-pattern-type", "prefixed"];
    let copying = ["Describe", "Read", "Write", "DescribeConfigs"];
    give(&destination, &["All"], &prefixed("tributary.")).await;
    give(&destination, &copying, &prefixed("choice")).await;

    let topics = ["choice-begun", "choice-transactions", "choice-plain"].map(unique);
    let [begun, transactional, plain] = &topics;
    for topic in &topics {
        new_topic(&source, topic, 1, &[]).await;
        new_topic(&destination, topic, 1, &[]).await;
        let mode = match topic == transactional {
            true => transactions(SEED),
            false => Mode::Plain,
        };
        load(&source, topic, 300, mode).await;
    }
    delete_before(&source, begun, 0, 100).await;

    for (topic, command) in [
        (begun, format!("--operation Delete --topic '{begun}'")),
        (transactional, "--operation Alter --cluster".to_owned()),
    ] {
        let strict = as_limited(&source, &destination, topic).with(&PRESERVE);
        let run = strict.until_caught_up().await.ended_with(3);
        let line = said(&run, "offsets-not-preserved");
        assert!(
            line.contains(&format!("--allow-principal 'User:copier' {command}")),
            "{line}"
        );
        println!("{line}");
        let there = offsets(&stored(&destination, topic)).await;
        assert_eq!(there, 0, "nothing was written: {run}");
        let run = as_limited(&source, &destination, topic)
            .until_caught_up()
            .await
            .ended_with(0);
        let line = said(&run, "offsets are mapped");
        assert!(line.contains(&command), "{line}");
        let verdict = compared(&committed(&source, topic), &stored(&destination, topic)).await;
        assert!(verdict.is_equal(), "{verdict}");
    }
    // Neither right is needed where nothing has to be padded and there are no transactions.
    let run = as_limited(&source, &destination, plain)
        .until_caught_up()
        .await
        .ended_with(0);
    said(&run, "offsets are preserved");
    let (from, to) = (committed(&source, plain), committed(&destination, plain));
    equal_with_offsets(&from, &to, &run.to_string()).await;

    // A transaction comes later: from there on offsets are mapped, and that is loud.
    let link = as_limited(&source, &destination, plain);
    let first = link.until_caught_up().await.ended_with(0);
    load(&source, plain, 100, transactions(SEED)).await;
    let run = link.until_caught_up().await.ended_with(0);
    let line = said(&run, "no longer preserved");
    assert!(
        line.contains(" WARN ") && line.contains("--operation Alter"),
        "{line}"
    );
    println!("{line}");
    let verdict = compared(&from, &stored(&destination, plain)).await;
    assert!(verdict.is_equal(), "{verdict}\n{first}\n{run}");

    // With the rights it goes.
    give(&destination, &["Delete"], &prefixed("choice")).await;
    give(&destination, &["Alter"], &["--cluster"]).await;
    let topic = &unique("choice-all");
    new_topic(&source, topic, 1, &[]).await;
    new_topic(&destination, topic, 1, &[]).await;
    load(&source, topic, 300, transactions(SEED)).await;
    delete_before(&source, topic, 0, 55).await;
    let strict = as_limited(&source, &destination, topic).with(&PRESERVE);
    let run = strict.until_caught_up().await.ended_with(0);
    let (from, to) = (committed(&source, topic), committed(&destination, topic));
    equal_with_offsets(&from, &to, &run.to_string()).await;
}

#[tokio::test]
async fn onto_a_topic_that_is_used_auto_maps_and_preserve_refuses() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("used");
    new_topic(source, &topic, 1, &[]).await;
    new_topic(destination, &topic, 1, &[]).await;
    load(source, &topic, 200, Mode::Plain).await;
    Load::new(destination.bootstrap(), &topic)
        .send(Generator::new(Shape::uniform(SEED + 1, 1, 50)).take(7))
        .await
        .expect("acknowledged");
    let strict = Replicate::new(source, destination, &topic).with(&PRESERVE);
    let run = strict.until_caught_up().await.ended_with(3);
    let line = said(&run, "offsets-not-preserved");
    assert!(line.contains("holds offsets [0, 7)"), "{line}");
    println!("{line}");
    assert_eq!(offsets(&stored(destination, &topic)).await, 7);
    let run = Replicate::new(source, destination, &topic)
        .until_caught_up()
        .await
        .ended_with(0);
    println!("{}", said(&run, "offsets are mapped"));
    assert_eq!(offsets(&stored(destination, &topic)).await, 207);
}

#[tokio::test]
async fn a_copy_without_a_position_goes_on_at_its_end_when_it_is_a_copy() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("forgotten");
    new_topic(source, &topic, 1, &[]).await;
    load(source, &topic, 500, Mode::Plain).await;
    let first = Replicate::new(source, destination, &topic);
    first.until_caught_up().await.ended_with(0).quiet();
    load(source, &topic, 300, Mode::Plain).await;
    // Another name: nothing is known of what was copied.
    let second = Replicate::new(source, destination, &topic);
    let run = second.until_caught_up().await.ended_with(0).quiet();
    println!("{}", said(&run, "offsets are preserved"));
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    let records = equal_with_offsets(&from, &to, &run.to_string()).await;
    assert_eq!(records, 800);
}

#[tokio::test]
async fn the_same_records_of_two_clusters_are_both_copied_to_one_topic() {
    let (west, destination) = pair(NEW, NEW).await;
    let (east, _) = pair(OLD, NEW).await;
    let topic = unique("alike");
    for source in [west, east] {
        new_topic(source, &topic, 1, &[]).await;
        load(source, &topic, 300, Mode::Plain).await;
    }
    let first = Replicate::new(west, destination, &topic);
    let run = first.until_caught_up().await.ended_with(0).quiet();
    said(&run, "offsets are preserved");
    let strict = Replicate::new(east, destination, &topic).with(&PRESERVE);
    let run = strict.until_caught_up().await.ended_with(3);
    println!("{}", said(&run, "copied from another cluster"));
    // The copy of the one is not taken for that of the other.
    let second = Replicate::new(east, destination, &topic);
    let run = second.until_caught_up().await.ended_with(0);
    println!("{}", said(&run, "copied from another cluster"));
    let copy = stored(destination, &topic);
    assert_eq!(offsets(&copy).await, 600, "{run}");
    // Both go on, the first one noticing that it is not alone any more.
    for source in [west, east] {
        load(source, &topic, 50, Mode::Plain).await;
    }
    for link in [&first, &second] {
        link.until_caught_up().await.ended_with(0);
    }
    assert_eq!(offsets(&copy).await, 700);
}

#[tokio::test]
async fn foreign_writes_stop_the_partition_or_map_it_as_configured() {
    let (source, destination) = pair(NEW, NEW).await;
    for policy in ["stop", "map"] {
        let topic = unique("foreign");
        new_topic(source, &topic, 1, &[]).await;
        load(source, &topic, 200, Mode::Plain).await;
        let setting = format!("tributary.on.foreign.writes={policy}");
        let link = Replicate::new(source, destination, &topic).with(&["--set", &setting]);
        let program = link.start();
        let to = stored(destination, &topic);
        wait_for_offsets(&to, 200).await;
        Load::new(destination.bootstrap(), &topic)
            .send(Generator::new(Shape::uniform(SEED + 1, 1, 50)).take(1))
            .await
            .expect("acknowledged");
        // Nothing is copied at the moment, and it is noticed all the same.
        let line = program
            .expect_line("destination-foreign-writes", COPIED)
            .await;
        println!("{policy}: {}", line.expect("it is said").text);
        load(source, &topic, 100, Mode::Plain).await;
        if policy == "map" {
            wait_for_offsets(&to, 301).await;
            let from = committed(source, &topic);
            let there = judge::read_all(&from, COPIED).await.expect("readable");
            let mut here = judge::read_all(&to, COPIED).await.expect("readable");
            here.get_mut(&0).expect("a partition").remove(200);
            let verdict = judge::compare(&there, &here);
            assert!(verdict.is_equal(), "{verdict}");
        } else {
            assert_eq!(offsets(&to).await, 201, "{}", program.text(Stream::Error));
        }
        program.kill9();
    }
}
