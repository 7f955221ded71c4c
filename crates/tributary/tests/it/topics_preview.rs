//! `tributary preview` and `replicate --dry-run`: the plan before anything happens, and nothing happens.

use serde_json::Value;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{create_topic, topic_settings, topics};

use crate::support::{OLD, Replicate, Run, bootstrap, both_directions, new_topic, program, unique};
use crate::topics::send;

/// A link's file, and the command.
struct Preview {
    folder: tempfile::TempDir,
    file: String,
}

impl Preview {
    fn new(source: &KafkaCluster, destination: &KafkaCluster, more: &str) -> Self {
        let (from, to) = (bootstrap(source), bootstrap(destination));
        Self::of(&format!(
            "name=shown\nsrc.kafka.bootstrap.servers={from}\ndest.kafka.bootstrap.servers={to}\n{more}"
        ))
    }

    /// In MirrorMaker 2's words; copies are called after the first alias.
    fn mirror(
        (source, destination): (&KafkaCluster, &KafkaCluster),
        [west, east]: [&str; 2],
        topics: &str,
    ) -> Self {
        let (from, to) = (bootstrap(source), bootstrap(destination));
        Self::of(&format!(
            "name=shown\nconnector.class=org.apache.kafka.connect.mirror.MirrorSourceConnector\n\
             source.cluster.alias={west}\ntarget.cluster.alias={east}\nreplication.factor=-1\n\
             source.cluster.bootstrap.servers={from}\ntarget.cluster.bootstrap.servers={to}\ntopics={topics}\ntopics.exclude=\n"
        ))
    }

    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("link.properties").display().to_string();
        std::fs::write(&file, text).expect("written");
        Self { folder, file }
    }

    async fn document(&self) -> Value {
        let run = self.run(&["-o", "json", "--show", "all"]).await;
        serde_json::from_str(&run.output).unwrap_or_else(|error| panic!("{error}: {run}"))
    }

    async fn run(&self, more: &[&str]) -> Run {
        let arguments = [&["preview", "-f", &self.file], more].concat();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Run::to_end(&program(&arguments)).await
    }
}

/// What a row of the JSON form says.
fn row<'a>(document: &'a Value, topic: &str) -> &'a Value {
    let rows = document["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["topic"] == topic);
    row.unwrap_or_else(|| panic!("{topic} in {document}"))
}

/// The planned value of a setting.
fn setting<'a>(row: &'a Value, key: &str) -> &'a Value {
    let settings = row["settings"].as_array().expect("settings");
    let setting = settings.iter().find(|setting| setting["key"] == key);
    &setting.unwrap_or_else(|| panic!("{key} in {row}"))["planned"]
}

/// The document of the first test.
fn shows_every_topic(document: &Value, prefix: &str) {
    let name = |end: &str| format!("{prefix}.{end}");
    let new = row(document, &name("new"));
    assert_eq!(new["action"], "create");
    assert_eq!(new["destination_topic"], format!("to.{}", name("new")));
    assert_eq!(
        (
            &new["partitions"]["planned"],
            &new["replication_factor"]["planned"]
        ),
        (&Value::from(3), &Value::from(1))
    );
    assert_eq!(setting(new, "retention.bytes"), "77777777");
    assert!(
        new["retained_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 10_000),
        "{new}"
    );
    assert!(
        new["rule"]
            .as_str()
            .is_some_and(|rule| rule.contains("selected by")),
        "{new}"
    );
    // Pinned, because the destination could have another default.
    let same = row(document, &name("same"));
    assert_eq!(setting(same, "message.timestamp.type"), "CreateTime");
    assert_eq!(row(document, &name("grown"))["action"], "grow");
    let left = row(document, &name("left.out"));
    assert_eq!(
        (&left["decision"], &left["destination_topic"]),
        (&Value::from("excluded"), &Value::Null)
    );
    // Nothing is written yet, and which offsets its records will get is known.
    assert_eq!(new["offsets"]["outlook"], "preserved", "{new}");
    assert_eq!(new["offsets"]["padding"], 0, "{new}");
    let totals = &document["totals"];
    assert_eq!(
        (&totals["topics"], &totals["partitions"]),
        (&Value::from(3), &Value::from(9))
    );
    let estimate = &document["estimate"];
    assert!(estimate["seconds"].as_u64().is_some(), "{estimate}");
}

#[tokio::test]
async fn a_preview_shows_every_topic_with_its_rule_and_changes_nothing() {
    both_directions(shown).await;
}

async fn shown(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("seen");
    let name = |end: &str| format!("{prefix}.{end}");
    new_topic(source, &name("new"), 3, &[("retention.bytes", "77777777")]).await;
    send(source, &name("new"), 3, 500).await;
    new_topic(source, &name("same"), 2, &[]).await;
    new_topic(source, &name("grown"), 4, &[]).await;
    new_topic(source, &name("left.out"), 1, &[]).await;
    new_topic(destination, &format!("to.{}", name("same")), 2, &[]).await;
    new_topic(destination, &format!("to.{}", name("grown")), 1, &[]).await;
    let before = topics(&destination.bootstrap()).await.expect("listed");
    let settings = format!(
        "topic.regex={prefix}\\\\..*\ntopic.blacklist={}\ntopic.rename.format=to.${{topic}}\n",
        name("left.out")
    );
    let preview = Preview::new(source, destination, &settings);
    let run = preview
        .run(&["-o", "json", "--show", "all"])
        .await
        .ended_with(0);
    let document: Value = serde_json::from_str(&run.output).expect("one document");
    assert_eq!(document["schema"], "tributary/v1/Preview");
    shows_every_topic(&document, &prefix);

    let run = preview.run(&[]).await.ended_with(0);
    println!("{}", run.output);
    assert!(run.output.starts_with("SOURCE TOPIC"), "{run}");
    assert!(!run.output.contains("left.out"), "only what matches: {run}");
    let why = preview
        .run(&["--why", &name("left.out")])
        .await
        .ended_with(0);
    assert!(
        why.output
            .contains("excluded by the list of excluded names"),
        "{why}"
    );
    let excluded = preview.run(&["--show", "excluded"]).await.ended_with(0);
    assert!(
        excluded.output.contains(&name("left.out")[..20]),
        "{excluded}"
    );
    let dry = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--dry-run"])
        .start();
    let dry = Run::to_end(&dry).await.ended_with(0);
    assert!(dry.output.starts_with("SOURCE TOPIC"), "{dry}");

    let after = topics(&destination.bootstrap()).await.expect("listed");
    let mine = |all: &std::collections::BTreeMap<String, usize>| {
        let all = all.iter().filter(|(name, _)| name.contains(&prefix));
        all.map(|(name, count)| (name.clone(), *count))
            .collect::<Vec<_>>()
    };
    assert_eq!(mine(&before), mine(&after), "nothing was changed");
    let same = format!("to.{}", name("same"));
    let settings = topic_settings(&destination.bootstrap(), &same).await;
    assert!(settings.expect("readable").is_empty());
    drop(preview.folder);
}

#[tokio::test]
async fn a_preview_with_errors_ends_with_code_3_and_says_what_the_destination_would_refuse() {
    both_directions(refused).await;
}

async fn refused(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("refused");
    let (small, clash) = (format!("{prefix}.small"), format!("{prefix}.cl.ash"));
    // 4.x wants segments of 1 MiB or more; that is no error, but a warning. 3.9 takes what 4.x has.
    let settings = [("segment.bytes", "40000")];
    let refused = source.version() == OLD;
    new_topic(source, &small, 1, &settings[..usize::from(refused)]).await;
    new_topic(source, &clash, 1, &[]).await;
    new_topic(destination, &format!("{prefix}.cl_ash"), 1, &[]).await;
    let preview = Preview::new(
        source,
        destination,
        &format!("topic.regex={prefix}\\\\..*\ntopic.whitelist={prefix}.gone\n"),
    );
    let run = preview.run(&["--show", "errors"]).await.ended_with(3);
    println!("{}", run.output);
    assert!(run.output.contains("name-collision"), "{run}");
    assert!(run.output.contains("source-missing"), "{run}");
    let run = preview.run(&["--why", &small]).await.ended_with(0);
    let said = run
        .output
        .contains("refuses the setting segment.bytes=40000");
    assert_eq!(said, refused, "{run}");
    let run = preview.run(&["--why", "no.such.topic"]).await.ended_with(3);
    assert!(run.output.contains("does not exist at the source"), "{run}");
}

#[tokio::test]
async fn topics_of_kafka_itself_are_never_copied_although_they_are_listed() {
    both_directions(of_kafka_itself).await;
}

async fn of_kafka_itself(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    const OWN: [&str; 5] = [
        "__consumer_offsets",
        "__transaction_state",
        "__share_group_state",
        "__cluster_metadata",
        "__consumer_timestamps",
    ];
    let prefix = unique("kafkas-own");
    let topic = format!("{prefix}.a");
    new_topic(source, &topic, 1, &[]).await;
    send(source, &topic, 1, 30).await;
    // Replicator's own is an ordinary one to the broker. It may be there from another run of this test.
    drop(create_topic(&source.bootstrap(), OWN[4], 1, &[]).await);
    let all = topics(&source.bootstrap()).await.expect("listed");
    let there = OWN.into_iter().filter(|own| all.contains_key(*own));
    let there: Vec<&str> = there.collect();
    assert!(there.contains(&OWN[4]), "{all:?}");
    let list = OWN.join(",");
    let settings =
        format!("topic.whitelist={topic},{list}\ntopic.rename.format={prefix}.of.${{topic}}\n");
    let document = Preview::new(source, destination, &settings)
        .document()
        .await;
    for own in there {
        let row = row(&document, own);
        assert_eq!(row["decision"], "internal", "{row}");
        let rule = row["rule"].as_str().expect("a rule");
        assert!(rule.contains("never copied"), "{rule}");
    }
    let mut link = Replicate::new(source, destination, "__.*").with(&[
        "--topic",
        &topic,
        "--rename",
        &format!("{prefix}.of.${{topic}}"),
    ]);
    for own in OWN {
        link = link.with(&["--topic", own]);
    }
    let run = link.until_caught_up().await.ended_with(0);
    let copies = topics(&destination.bootstrap()).await.expect("listed");
    let copies = copies.keys().filter(|name| name.starts_with(&prefix));
    let copies: Vec<&String> = copies.collect();
    assert_eq!(copies, [&format!("{prefix}.of.{topic}")], "{run}");
}

#[tokio::test]
async fn what_mirrormaker_2s_patterns_and_names_select_and_leave_out_is_pointed_out() {
    both_directions(mirrors).await;
}

async fn mirrors(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("mirrored-names");
    let (west, east) = (unique("west"), unique("east"));
    let name = |end: &str| format!("{prefix}{end}");
    // What reads like a copy of the destination's is none there.
    let stranger = format!("{east}.{prefix}.orders");
    let internal = name(".state-internal");
    // Copied whatever the lists say, except those that came from the source itself.
    let beats = format!("{prefix}.heartbeats");
    let circle = format!("{west}.{beats}");
    for topic in [
        &name(".v1"),
        &name("Xv1"),
        &stranger,
        &internal,
        &beats,
        &circle,
    ] {
        new_topic(source, topic, 1, &[]).await;
    }
    let list = format!("{prefix}.v1,{east}.*,{prefix}.*internal");
    let sides = (source, destination);
    let preview = Preview::mirror(sides, [&west, &east], &list);
    let document = preview.document().await;
    let shown = document.to_string();
    for topic in [name(".v1"), name("Xv1"), beats] {
        let row = row(&document, &topic);
        let copy = format!("{west}.{topic}");
        assert_eq!(row["destination_topic"], copy, "{row}");
        // The destination's default, which is not known.
        assert_eq!(row["replication_factor"]["planned"], Value::Null, "{row}");
    }
    assert!(
        shown.contains("is a pattern, and a dot in it matches any character"),
        "{shown}"
    );
    for (topic, reason) in [
        (&stranger, "came from the destination"),
        (&internal, "it is internal"),
        (&circle, "came from the source itself"),
    ] {
        let row = row(&document, topic);
        assert_ne!(row["decision"], "match", "{row}");
        let rule = row["rule"].as_str().expect("a rule");
        assert!(rule.contains(reason), "{rule}");
    }
    assert!(
        shown.contains(&format!("its name makes it a copy of {prefix}.orders")),
        "{shown}"
    );
    // A count has a comma, and lists are cut at commas.
    let wrong = Preview::mirror(sides, [&west, &east], "a{1,3}")
        .run(&[])
        .await;
    assert_ne!(wrong.code(), 0, "{wrong}");
    assert!(wrong.error.contains("comma"), "{wrong}");
}
