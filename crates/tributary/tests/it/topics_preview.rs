//! `tributary preview` and `replicate --dry-run`: the plan before anything happens, and nothing happens.

use serde_json::Value;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{topic_settings, topics};

use crate::support::{NEW, OLD, Replicate, Run, bootstrap, new_topic, pair, program, unique};
use crate::topics::send;

/// A link's file, and the command.
struct Preview {
    folder: tempfile::TempDir,
    file: String,
}

impl Preview {
    fn new(source: &KafkaCluster, destination: &KafkaCluster, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("link.properties").display().to_string();
        let text = format!(
            "name=shown\nsrc.kafka.bootstrap.servers={}\ndest.kafka.bootstrap.servers={}\n{more}",
            bootstrap(source),
            bootstrap(destination)
        );
        std::fs::write(&file, text).expect("written");
        Self { folder, file }
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
    let (source, destination) = pair(NEW, OLD).await;
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
    let (source, destination) = pair(OLD, NEW).await;
    let prefix = unique("refused");
    let (small, clash) = (format!("{prefix}.small"), format!("{prefix}.cl.ash"));
    // 4.x wants segments of 1 MiB or more; that is no error, but a warning.
    new_topic(source, &small, 1, &[("segment.bytes", "40000")]).await;
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
    assert!(
        run.output
            .contains("refuses the setting segment.bytes=40000"),
        "{run}"
    );
    let run = preview.run(&["--why", "no.such.topic"]).await.ended_with(3);
    assert!(run.output.contains("does not exist at the source"), "{run}");
}
