//! What changes underneath a running link: topics deleted, made anew, forbidden. Each is a condition of that topic,
//! and no other topic notices.

use std::time::Duration;

use test_support::eventually::{eventually, eventually_true};
use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::shared;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{delete_topic, topics};

use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, both_directions, committed, kafka_acls, new_topic, offsets,
    stored, unique,
};
use crate::topics::send;

/// A topic counts as deleted after ten seconds at the earliest.
const CONFIRMED: Duration = Duration::from_secs(40);

async fn says(program: &TributaryProcess, topic: &str, state: &str) {
    let what = format!("{topic} in state {state}");
    let found = program.expect_line_where(&what, CONFIRMED, |line| {
        line.text.contains(&format!("state={state}"))
            && (line.text.contains(&format!("topic={topic} "))
                || line.text.contains(&format!("partition={topic}-0")))
    });
    let line = found.await.unwrap_or_else(|error| panic!("{error}"));
    println!("{}", line.text);
}

async fn complete(from: &KafkaCluster, to: &KafkaCluster, topic: &str, program: &TributaryProcess) {
    judge::wait_until_equal(&committed(from, topic), &stored(to, topic), COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
}

async fn gone(cluster: &KafkaCluster, topic: &str) {
    delete_topic(&cluster.bootstrap(), topic)
        .await
        .expect("deleted");
    let bootstrap = cluster.bootstrap();
    eventually_true("the topic's end", COPIED, async || {
        let all = topics(&bootstrap).await;
        all.is_ok_and(|all| !all.contains_key(topic))
    })
    .await
    .expect("gone");
}

#[tokio::test]
async fn deleted_and_recreated_topics_stop_alone_and_wait_for_an_operator() {
    both_directions(stop).await;
}

async fn stop(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("stops");
    let name = |end: &str| format!("{prefix}.{end}");
    let (at_source, at_destination, other) = (name("source"), name("destination"), name("other"));
    for topic in [&at_source, &at_destination, &other] {
        new_topic(source, topic, 2, &[]).await;
        send(source, topic, 2, 100).await;
    }
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let program = link.start();
    for topic in [&at_source, &at_destination, &other] {
        complete(source, destination, topic, &program).await;
    }
    gone(source, &at_source).await;
    gone(destination, &at_destination).await;
    says(&program, &at_source, "source-deleted").await;
    says(&program, &at_destination, "destination-deleted").await;
    // The copy of what was deleted stays, and what was deleted at the destination is not made again.
    assert_eq!(offsets(&stored(destination, &at_source)).await, 100);
    let there = topics(&destination.bootstrap()).await.expect("listed");
    assert!(!there.contains_key(&at_destination));
    send(source, &other, 2, 100).await;
    complete(source, destination, &other, &program).await;

    new_topic(source, &at_source, 3, &[]).await;
    send(source, &at_source, 3, 30).await;
    new_topic(destination, &at_destination, 2, &[]).await;
    says(&program, &at_source, "source-recreated").await;
    says(&program, &at_destination, "destination-recreated").await;
    send(source, &other, 2, 100).await;
    complete(source, destination, &other, &program).await;
    assert_eq!(
        offsets(&stored(destination, &at_source)).await,
        100,
        "nothing of the new topic"
    );
    assert_eq!(
        offsets(&stored(destination, &at_destination)).await,
        0,
        "nothing is copied into it"
    );
    let there = topics(&destination.bootstrap()).await.expect("listed");
    assert_eq!(there[&at_source], 2, "not grown for the new topic");
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    // Who asks beforehand is told the same as by the link, which is known from its positions.
    let preview = Run::to_end(&link.with(&["--dry-run"]).start())
        .await
        .ended_with(3);
    for (topic, state) in [
        (&at_source, "source-recreated"),
        (&at_destination, "destination-recreated"),
    ] {
        let said = format!("{topic}: {state}: ");
        assert!(preview.output.contains(&said), "{said}: {preview}");
    }
    assert!(!preview.output.contains(&format!("{other}: ")), "{preview}");
}

#[tokio::test]
async fn deleted_and_recreated_topics_are_copied_anew_where_that_is_asked_for() {
    both_directions(restart).await;
}

async fn restart(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("restarts");
    let name = |end: &str| format!("{prefix}.{end}");
    let (at_source, at_destination) = (name("source"), name("destination"));
    for topic in [&at_source, &at_destination] {
        new_topic(source, topic, 2, &[]).await;
        send(source, topic, 2, 100).await;
    }
    let program = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--set", "tributary.on.recreate=restart"])
        .start();
    for topic in [&at_source, &at_destination] {
        complete(source, destination, topic, &program).await;
    }
    gone(destination, &at_destination).await;
    gone(source, &at_source).await;
    // Longer than what was copied: nothing of its beginning may be taken for copied.
    new_topic(source, &at_source, 3, &[]).await;
    send(source, &at_source, 3, 300).await;
    complete(source, destination, &at_destination, &program).await;
    let copy = stored(destination, &at_source);
    let copied = eventually(
        "the new topic behind the old one",
        COPIED,
        async || match offsets(&copy).await {
            400 => Ok(()),
            other => Err(other),
        },
    );
    copied
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn a_topic_that_is_deselected_keeps_its_position_and_resumes_when_it_is_selected_again() {
    both_directions(deselected).await;
}

async fn deselected(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("deselected");
    let link = unique("deselected-link");
    let (first, second) = (format!("{prefix}.a"), format!("{prefix}.b"));
    for topic in [&first, &second] {
        new_topic(source, topic, 1, &[]).await;
        send(source, topic, 1, 100).await;
    }
    for (more, copied) in [
        (&[][..], 100),
        (&["--exclude", first.as_str()], 100),
        (&[], 200),
    ] {
        let link = Replicate::new(source, destination, &format!("{prefix}\\..*"))
            .named(&link)
            .with(more);
        link.until_caught_up().await.ended_with(0);
        assert_eq!(offsets(&stored(destination, &first)).await, copied);
        if copied == 100 && !more.is_empty() {
            assert_eq!(offsets(&stored(destination, &second)).await, 200);
        }
        if copied == 100 && more.is_empty() {
            for topic in [&first, &second] {
                send(source, topic, 1, 100).await;
            }
        }
    }
}

/// Kafka's own `kafka-acls`.
async fn rights(cluster: &KafkaCluster, change: &[&str]) {
    drop(kafka_acls(cluster, &[&["--force"], change].concat()).await);
}

/// Forbids an operation on a topic, or allows it again.
async fn forbid(cluster: &KafkaCluster, forbidden: bool, operation: &str, topic: &str) {
    let deny = [
        "--deny-principal",
        "User:ANONYMOUS",
        "--operation",
        operation,
    ];
    let action = if forbidden { "--add" } else { "--remove" };
    rights(
        cluster,
        &[&[action], &deny[..], &["--topic", topic]].concat(),
    )
    .await;
}

/// Allows everything on topics whose names begin so, since a topic with any rule needs one that allows the rest.
async fn allow(cluster: &KafkaCluster, prefix: &str) {
    let all = [
        "--add",
        "--allow-principal",
        "User:ANONYMOUS",
        "--operation",
        "All",
    ];
    let pattern = ["--topic", prefix, "--resource-pattern-type", "prefixed"];
    rights(cluster, &[&all[..], &pattern].concat()).await;
}

#[tokio::test]
async fn unauthorized_topics_are_named_and_nothing_else_stops() {
    tokio::join!(unauthorized(NEW, OLD), unauthorized(OLD, NEW));
}

/// A cluster of one version is guarded, and copied to and from one of the other.
async fn unauthorized(guarded: KafkaVersion, open: KafkaVersion) {
    // Everything is allowed that is not forbidden, so that single topics can be.
    let guarded = KafkaCluster::builder()
        .name("guarded")
        .version(guarded)
        .authorizer()
        .property("super.users", "User:nobody")
        .property("allow.everyone.if.no.acl.found", "true")
        .start();
    let (guarded, open) = tokio::join!(guarded, shared::cluster(open, 0));
    let (guarded, open) = (guarded.expect("a cluster"), open.expect("a cluster"));
    let prefix = unique("rights");
    let name = |end: &str| format!("{prefix}.{end}");
    let (free, hidden, settings) = (name("free"), name("hidden"), name("settings"));
    let outside = unique("outside");
    allow(&guarded, &prefix).await;
    for topic in [&free, &hidden, &settings, &outside] {
        new_topic(&guarded, topic, 1, &[]).await;
        send(&guarded, topic, 1, 50).await;
    }
    for (operation, topic) in [
        ("Describe", &hidden),
        ("DescribeConfigs", &settings),
        ("Describe", &outside),
    ] {
        forbid(&guarded, true, operation, topic).await;
    }
    let program = Replicate::new(&guarded, open, &format!("{prefix}\\..*"))
        .with(&["--topic", &hidden, "--set", "topic.create.backoff.ms=1000"])
        .start();
    complete(&guarded, open, &free, &program).await;
    says(&program, &hidden, "source-unauthorized").await;
    says(&program, &settings, "source-unauthorized").await;
    let text = program.lines().tail(100_000);
    assert!(
        !text.contains(&outside),
        "nothing is said of topics outside the selection: {text}"
    );
    forbid(&guarded, false, "Describe", &hidden).await;
    forbid(&guarded, false, "DescribeConfigs", &settings).await;
    complete(&guarded, open, &hidden, &program).await;
    complete(&guarded, open, &settings, &program).await;
    program.terminate().expect("it runs");
    drop(program);
    unauthorized_destination(&guarded, open, &prefix).await;
}

async fn unauthorized_destination(guarded: &KafkaCluster, open: &KafkaCluster, prefix: &str) {
    let name = |end: &str| format!("{prefix}.{end}");
    let (create, grow, alter) = (name("create"), name("grow"), name("alter"));
    for topic in [&create, &grow, &alter] {
        new_topic(open, topic, 2, &[("retention.bytes", "77777777")]).await;
        send(open, topic, 2, 50).await;
    }
    for topic in [&grow, &alter] {
        new_topic(guarded, topic, if *topic == grow { 1 } else { 2 }, &[]).await;
    }
    // Who may create topics of any name is not asked about this one.
    let anybody = ["--add", "--allow-principal", "User:ANONYMOUS", "--cluster"];
    rights(guarded, &[&anybody[..], &["--operation", "All"]].concat()).await;
    let nobody = ["--add", "--deny-principal", "User:ANONYMOUS", "--cluster"];
    rights(guarded, &[&nobody[..], &["--operation", "Create"]].concat()).await;
    allow(guarded, "tributary.").await;
    forbid(guarded, true, "Create", &create).await;
    forbid(guarded, true, "Alter", &grow).await;
    forbid(guarded, true, "AlterConfigs", &alter).await;
    let link = Replicate::new(open, guarded, &format!("{prefix}\\.(create|grow|alter)"))
        .with(&["--set", "topic.create.backoff.ms=1000"]);
    let program = link.start();
    complete(open, guarded, &alter, &program).await;
    says(&program, &create, "destination-unauthorized").await;
    says(&program, &grow, "partitions-pending").await;
    says(&program, &alter, "settings-not-followed").await;
    let first = judge::watermarks(&stored(guarded, &grow)).await;
    assert!(first.expect("readable")[&0].end > 0, "what fits is copied");
    forbid(guarded, false, "Create", &create).await;
    forbid(guarded, false, "Alter", &grow).await;
    complete(open, guarded, &create, &program).await;
    complete(open, guarded, &grow, &program).await;
    program.terminate().expect("it runs");
    // Where a preview may not read what was copied before, it does not pass for what the link would do.
    let positions = format!("tributary.{}.offsets.internal", link.name());
    forbid(guarded, true, "Read", &positions).await;
    let preview = Run::to_end(&link.with(&["--dry-run"]).start())
        .await
        .ended_with(0);
    let said = "what this link did before cannot be read";
    assert!(preview.output.contains(said), "{preview}");
    assert!(preview.output.contains(&positions), "{preview}");
}
