//! What happens to topics while the process is down is found at its next start, named with numbers, and answered as the
//! policies say.

use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{create_topic, delete_topic};

use crate::offsets::delete_before;
use crate::support::{
    Replicate, both_directions, committed, compared, new_topic, offsets, stored, unique,
};
use crate::topics::send;

/// Deletes a topic and makes it anew, with so many records.
async fn anew(cluster: &KafkaCluster, topic: &str, records: usize) {
    delete_topic(&cluster.bootstrap(), topic)
        .await
        .expect("deleted");
    let bootstrap = cluster.bootstrap();
    let made = async || create_topic(&bootstrap, topic, 1, &[]).await;
    test_support::eventually::eventually("a new topic", crate::support::COPIED, made)
        .await
        .expect("made");
    if records > 0 {
        send(cluster, topic, 1, records).await;
    }
}

/// How many records the first partition of a topic has.
async fn records(cluster: &KafkaCluster, topic: &str) -> usize {
    let read = test_support::judge::read_all(&stored(cluster, topic), crate::support::COPIED).await;
    read.expect("readable")[&0].len()
}

#[tokio::test]
async fn what_happened_to_topics_while_nobody_looked_is_named_at_the_start_and_answered_as_configured()
 {
    both_directions(meanwhile).await;
}

async fn meanwhile(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("meanwhile");
    let name = |end: &str| format!("{prefix}.{end}");
    let (gap, shorter, longer) = (name("gap"), name("shorter"), name("longer"));
    let (copy, fine) = (name("copy"), name("fine"));
    for topic in [&gap, &shorter, &longer, &copy, &fine] {
        new_topic(source, topic, 1, &[]).await;
        send(source, topic, 1, 100).await;
    }
    let topics = format!("{prefix}\\..*");
    let stops = Replicate::new(source, destination, &topics);
    let goes_on = Replicate::new(source, destination, &topics).with(&[
        "--set",
        "topic.rename.format=on.${topic}",
        "--set",
        "tributary.on.gap=continue",
        "--set",
        "tributary.on.recreate=restart",
    ]);
    for link in [&stops, &goes_on] {
        link.until_caught_up().await.ended_with(0).quiet();
    }

    send(source, &gap, 1, 100).await;
    delete_before(source, &gap, 0, 130).await;
    anew(source, &shorter, 40).await;
    anew(source, &longer, 160).await;
    anew(destination, &copy, 0).await;
    anew(destination, &format!("on.{copy}"), 0).await;
    send(source, &fine, 1, 100).await;

    let run = stops.until_caught_up().await.ended_with(3);
    let says = |topic: &str, parts: &[&str]| {
        let line = run
            .output
            .lines()
            .find(|line| line.contains(topic) && parts.iter().all(|part| line.contains(part)));
        println!(
            "{}",
            line.unwrap_or_else(|| panic!("{topic}: {parts:?}: {run}"))
        );
    };
    says(&gap, &["source-gap", "30 offsets [100, 130)"]);
    says(&format!("{gap}/0=continue@100"), &["--answer", "or recopy"]);
    says(&shorter, &["source-recreated", "its id was"]);
    says(&longer, &["source-recreated", "its id was"]);
    says(&copy, &["destination-recreated", "its id was"]);
    for (topic, count) in [(&gap, 100), (&shorter, 100), (&longer, 100), (&copy, 0)] {
        let there = offsets(&stored(destination, topic)).await;
        assert_eq!(there, count, "{topic}: nothing was written: {run}");
    }
    let verdict = compared(&committed(source, &fine), &stored(destination, &fine)).await;
    assert!(verdict.is_equal(), "{verdict}\n{run}");

    // Answers that were left over do no harm: the partition does not stand there.
    let given = [
        format!("--answer={gap}/0=continue@100"),
        format!("--answer={shorter}/0=append"),
        format!("--answer={longer}/0=recopy"),
        format!("--answer={copy}/0=recopy"),
        format!("--answer={fine}/0=continue@7"),
    ];
    let run = stops.with(&given.each_ref().map(|given| given.as_str()));
    // Nothing that was known before an answer ends the run.
    let run = run.until_caught_up_for("0s").await.ended_with(0);
    assert!(run.error.contains("was not needed"), "{run}");
    assert_eq!(records(destination, &gap).await, 70, "{run}");
    // The longer one begins with the records of before, which are at their offsets already.
    for (topic, count) in [(&shorter, 140), (&longer, 160), (&copy, 100), (&fine, 200)] {
        let there = offsets(&stored(destination, topic)).await;
        assert_eq!(there, count, "{topic}: {run}");
    }

    let run = goes_on.until_caught_up().await.ended_with(0);
    assert!(run.error.contains("30 offsets [100, 130)"), "{run}");
    let copied = |topic: &str| stored(destination, &format!("on.{topic}"));
    for (topic, count) in [(&shorter, 140), (&longer, 260), (&copy, 100), (&fine, 200)] {
        assert_eq!(offsets(&copied(topic)).await, count, "{topic}: {run}");
    }
    // The start of the source's log is followed: what is in front of it has gone on both sides.
    assert_eq!(
        records(destination, &format!("on.{gap}")).await,
        70,
        "{run}"
    );
}
