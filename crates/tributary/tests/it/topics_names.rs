//! Which topics are copied, under which names, and what a topic that cannot be copied does to the others: nothing.

use std::time::Duration;

use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{delete_topic, topics};

use crate::support::{
    COPIED, Replicate, Run, both_directions, committed, new_topic, stored, unique,
};
use crate::topics::{described, equal, send};

/// Lines of the summary about a topic's condition.
fn has(run: &Run, topic: &str, state: &str) {
    let text = format!("{topic}: {state}: ");
    assert!(
        run.output.contains(&text),
        "\"{text}\" is in the summary: {run}"
    );
}

#[tokio::test]
async fn names_that_cannot_be_are_conditions_of_their_topics_and_all_others_are_copied() {
    both_directions(names).await;
}

async fn names(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("names");
    let good = format!("{prefix}.good");
    let long = format!("{prefix}.{}", "l".repeat(248 - prefix.len()));
    // Brokers refuse both in one cluster, so the source has one, and the destination another.
    let clashing = format!("{prefix}.clash.ing");
    new_topic(destination, &format!("to.{prefix}.clash_ing"), 1, &[]).await;
    for topic in [&good, &long, &clashing] {
        new_topic(source, topic, 2, &[]).await;
        send(source, topic, 2, 50).await;
    }
    let missing = format!("{prefix}.good1");
    let run = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--rename", "to.${topic}", "--topic", &missing])
        .until_caught_up()
        .await
        .ended_with(3);
    has(&run, &long, "name-invalid");
    has(&run, &clashing, "name-collision");
    has(&run, &missing, "source-missing");
    let hint = format!("similar names: {good}");
    assert!(run.output.contains(&hint), "{run}");
    judge::wait_until_equal(
        &committed(source, &good),
        &stored(destination, &format!("to.{good}")),
        COPIED,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}\n{run}"));
    for line in run.error.lines().filter(|line| line.contains("collides")) {
        println!("{line}");
    }
    let said = run.error.matches("state=name-invalid").count();
    assert_eq!(said, 1, "said once, not in every round: {run}");
}

#[tokio::test]
async fn a_listed_topic_is_picked_up_when_it_appears_and_strictness_refuses_to_wait() {
    both_directions(listed).await;
}

async fn listed(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("listed");
    let between = |more: &[&str]| {
        let (from, to) = (source.bootstrap(), destination.bootstrap());
        let arguments = ["replicate", "--from", &from, "--to", &to, "--topic", &topic];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.extend(["--name", &unique("link"), "--progress", "off"].map(str::to_owned));
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        crate::support::program(&arguments)
    };
    let strict = between(&["--set", "tributary.topic.whitelist.strict=true"]);
    let run = Run::to_end(&strict).await.ended_with(1);
    assert!(
        run.error.contains("topic.whitelist contains topics"),
        "{run}"
    );
    assert!(run.error.contains(&topic), "{run}");
    let program = between(&[]);
    program
        .expect_line("state=source-missing", COPIED)
        .await
        .expect("said");
    new_topic(source, &topic, 1, &[]).await;
    send(source, &topic, 1, 50).await;
    judge::wait_until_equal(
        &committed(source, &topic),
        &stored(destination, &topic),
        COPIED,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    program
        .expect_line("no longer so", COPIED)
        .await
        .expect("the end of a state is said");
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn without_auto_create_a_link_waits_visibly_until_somebody_creates_the_topic_and_grows_it() {
    both_directions(without_auto_create).await;
}

async fn without_auto_create(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("waits");
    new_topic(source, &topic, 2, &[]).await;
    send(source, &topic, 2, 50).await;
    let program = Replicate::new(source, destination, &topic)
        .with(&["--set", "topic.auto.create=false"])
        .start();
    program
        .expect_line("state=destination-pending", COPIED)
        .await
        .expect("said");
    assert!(
        !topics(&destination.bootstrap())
            .await
            .expect("listed")
            .contains_key(&topic)
    );
    // Smaller than it should be: only making topics is somebody else's.
    new_topic(destination, &topic, 1, &[]).await;
    judge::wait_until_equal(
        &committed(source, &topic),
        &stored(destination, &topic),
        COPIED,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn a_name_without_a_placeholder_merges_topics_into_one_that_is_large_enough() {
    both_directions(merged).await;
}

async fn merged(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("merged");
    let (first, second) = (format!("{prefix}.a"), format!("{prefix}.b"));
    let merged = unique("all");
    new_topic(source, &first, 1, &[("retention.bytes", "111111111")]).await;
    new_topic(source, &second, 3, &[("retention.bytes", "222222222")]).await;
    send(source, &first, 1, 40).await;
    send(source, &second, 3, 60).await;
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*")).with(&[
        "--rename",
        &merged,
        "--set",
        "topic.timestamp.type=LogAppendTime",
    ]);
    let run = link.until_caught_up().await.ended_with(0);
    let seen = described(destination, &merged).await;
    assert_eq!(seen.partitions, "3");
    let retention = seen.configs.get("retention.bytes").map(String::as_str);
    assert_eq!(retention, Some("111111111"), "of the first by name");
    assert_eq!(seen.configs["message.timestamp.type"], "LogAppendTime");
    let copied = crate::support::offsets(&stored(destination, &merged)).await;
    assert_eq!(copied, 100, "{run}");
}

#[tokio::test]
async fn within_one_cluster_copies_are_not_copied_again_and_own_topics_not_overwritten() {
    both_directions(within_one_cluster).await;
}

async fn within_one_cluster(cluster: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("inside");
    let name = unique("inside-link");
    let topic = format!("{prefix}.a");
    new_topic(cluster, &topic, 1, &[]).await;
    send(cluster, &topic, 1, 50).await;
    let program = Replicate::new(cluster, cluster, &format!("{prefix}.*"))
        .with(&["--rename", "${topic}.copy"])
        .named(&name)
        .start();
    program
        .expect_line("state=cycle", COPIED)
        .await
        .expect("the copy is selected too");
    let copy = format!("{topic}.copy");
    judge::wait_until_equal(&committed(cluster, &topic), &stored(cluster, &copy), COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    // sleeps because nothing more is to appear in some rounds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let names = topics(&cluster.bootstrap()).await.expect("listed");
    let mine = names
        .keys()
        .filter(|name| name.starts_with(&prefix))
        .count();
    assert_eq!(mine, 2, "the topic and its copy: {names:?}");
    program.terminate().expect("it runs");
    drop(program);

    // A topic that would be copied over the link's own positions.
    let name = unique("over-itself");
    let own = format!("tributary.{name}.offsets.internal");
    new_topic(cluster, &own, 1, &[]).await;
    let run = Replicate::new(cluster, destination, &own.replace('.', "\\."))
        .named(&name)
        .until_caught_up()
        .await
        .ended_with(3);
    has(&run, &own, "name-invalid");
    delete_topic(&cluster.bootstrap(), &own)
        .await
        .expect("deleted");
    equal(cluster, cluster, &topic).await;
}
