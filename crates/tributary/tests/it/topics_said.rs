//! What a link says of topics that are copied, and are not quite what their originals are; and of names that change.
//! Kafka's own settings and names are looked up through librdkafka.

use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{topic_settings, topics};

use crate::support::{
    Replicate, Run, bootstrap, both_directions, new_topic, offsets, program, stored, unique,
};

#[tokio::test]
async fn what_is_not_as_at_the_source_is_pointed_out_and_left_as_it_is() {
    both_directions(pointed_out).await;
}

async fn pointed_out(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("said");
    let (west, east) = (unique("west"), unique("east"));
    let system = format!("_confluent-{prefix}");
    // Names are kept, but this one is taken for heartbeats, as in Java.
    let beats = format!("{prefix}.device-heartbeats");
    let (timed, large) = (format!("{prefix}.timed"), format!("{prefix}.large"));
    for topic in [&system, &beats, &timed] {
        new_topic(source, topic, 1, &[]).await;
    }
    new_topic(source, &large, 1, &[("max.message.bytes", "9000000")]).await;
    let appended = ("message.timestamp.type", "LogAppendTime");
    new_topic(destination, &timed, 1, &[appended]).await;
    new_topic(destination, &large, 1, &[]).await;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mm2.properties");
    let text = format!(
        "clusters = {west}, {east}\n{west}.bootstrap.servers = {}\n{east}.bootstrap.servers = {}\n\
         {west}->{east}.enabled = true\n{west}->{east}.topics = .*{prefix}.*\n\
         replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n\
         config.properties.exclude = message.timestamp.type, max.message.bytes\n\
         replication.factor = 1\noffset.storage.replication.factor = 1\noffset.storage.partitions = 1\n",
        bootstrap(source),
        bootstrap(destination)
    );
    std::fs::write(&file, text).expect("a file");
    let path = file.display().to_string();
    let arguments = ["mirror-maker", &path, "--progress", "off"];
    let to_end = ["--until-caught-up", "--hold", "1s"];
    let arguments = arguments.iter().chain(&to_end);
    let arguments: Vec<String> = arguments.map(|text| (*text).to_owned()).collect();
    let run = Run::to_end(&program(&arguments)).await.ended_with(0);

    let said = run.to_string();
    for state in ["system-topic", "timestamps-replaced", "batches-too-large"] {
        assert!(said.contains(state), "{state}: {said}");
    }
    let renamed = format!("{west}.{beats}");
    let notice = format!("{beats} is copied to {renamed}");
    assert!(said.contains(&notice), "{said}");

    let there = topics(&destination.bootstrap()).await.expect("listed");
    let is_there = |name: &str| there.contains_key(name);
    assert!(is_there(&renamed) && !is_there(&beats), "{there:?}");
    assert!(is_there(&system), "{there:?}");
    let settings = topic_settings(&destination.bootstrap(), &timed).await;
    let settings = settings.expect("described");
    assert_eq!(settings[appended.0], appended.1, "{settings:?}");
    let settings = topic_settings(&destination.bootstrap(), &large).await;
    let settings = settings.expect("described");
    assert_ne!(
        settings.get("max.message.bytes").map(String::as_str),
        Some("9000000"),
        "{settings:?}"
    );
}

#[tokio::test]
async fn a_copy_that_gets_another_name_than_before_is_not_begun_anew_in_silence() {
    both_directions(renamed).await;
}

async fn renamed(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("renamed");
    new_topic(source, &topic, 1, &[]).await;
    crate::topics::send(source, &topic, 1, 50).await;
    let name = unique("link");
    let link = |format: &str| {
        let format = format!("topic.rename.format={format}");
        let link = Replicate::new(source, destination, &topic).named(&name);
        link.with(&["--set", &format])
    };
    link("before.${topic}")
        .until_caught_up()
        .await
        .ended_with(0);
    let run = link("after.${topic}").until_caught_up().await;
    assert_ne!(run.code(), 0, "{run}");
    assert!(run.to_string().contains("destination-renamed"), "{run}");
    // What to do with either is for somebody to decide.
    for (copy, records) in [("before", 50), ("after", 0)] {
        let copy = stored(destination, &format!("{copy}.{topic}"));
        assert_eq!(offsets(&copy).await, records, "{run}");
    }
}
