//! Files that are looked at without starting anything: `validate` and `config check`.

use serde_json::Value;

use crate::support::{Run, program};

const WORKER: &str = "bootstrap.servers=central:9092\noffset.storage.file.filename=positions\n";
const LINK: &str = "name=west\nsrc.kafka.bootstrap.servers=west:9092\ntopic.regex=orders.*\n";
const BROKEN: &str = "\
name=west
connector.class=io.confluent.connect.replicator.ReplicatorSourceConnector
src.kafka.bootstrap.servers=west
src.kafka.sasl.jaas.config=Plain password=\"hunter2\";
src.kafka.ssl.endpoint.identification.algorithm=
topic.regex=orders\\.(v1
tasks.max=0
topic.whitelst=a
tributary.on.gapp=stop
my.api.token=hunter2
";

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

async fn run(arguments: &[&str]) -> Run {
    let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = Run::to_end(&program(&arguments)).await;
    assert!(!format!("{run}").contains("hunter2"), "a secret: {run}");
    run
}

#[tokio::test]
async fn every_problem_of_a_file_is_named_at_once_with_its_line_and_what_would_be_right() {
    let files = Files::new();
    let broken = files.write("west.properties", BROKEN);
    let run = run(&["validate", "-f", &broken]).await.ended_with(3);
    for expected in [
        format!(
            "invalid: src.kafka.bootstrap.servers=west ({broken}, line 3): \"west\" has no port; an example: west:9092"
        ),
        format!(
            "invalid: topic.regex=orders.(v1 ({broken}, line 6): the pattern orders.(v1, character 8: this group is not closed; write \\( for the character"
        ),
        format!(
            "invalid: tasks.max=0 ({broken}, line 7): the number is out of range; it has to be from 1 to 2147483647"
        ),
        format!(
            "invalid: tributary.on.gapp ({broken}, line 9): there is no such key; did you mean tributary.on.gap ?"
        ),
        format!(
            "warning: {broken}, line 6: a single backslash is dropped, topic.regex is read as \"orders.(v1\"; write \\\\. to keep it"
        ),
        format!(
            "warning: topic.whitelst ({broken}, line 8) is unknown and has no effect; did you mean topic.whitelist ?"
        ),
        format!("{broken} (link) has 4 problems"),
    ] {
        let found = run.output.lines().any(|line| line == expected);
        assert!(found, "{expected}\n{run}");
    }
}

#[tokio::test]
async fn files_that_can_be_used_together_are_said_to_be() {
    let files = Files::new();
    let worker = files.write("worker.properties", WORKER);
    let link = files.write("west.properties", LINK);
    let client = files.write(
        "client.properties",
        "bootstrap.servers=a:1\nclient.rack=r\n",
    );
    let flows =
        "clusters=a,b\na.bootstrap.servers=a:1\nb.bootstrap.servers=b:1\na->b.enabled=true\n";
    let flows = files.write("mm2.properties", flows);
    let all = ["validate", "-f", &worker, &link, "-f", &client, &flows];
    let done = run(&all).await.ended_with(0);
    for expected in [
        format!("{worker} (worker) can be used"),
        format!("{link} (link) can be used"),
        format!("{client} (client) can be used"),
        format!("{flows} (mm2) can be used"),
    ] {
        assert!(done.output.contains(&expected), "{expected}\n{done}");
    }
    // Alone, a link leaves it to the worker where the copies go.
    let alone = run(&["validate", "-f", &link]).await.ended_with(0);
    let note = "note: the destination is not named; it has to be the worker's cluster";
    assert!(alone.output.contains(note), "{alone}");
}

#[tokio::test]
async fn what_is_no_file_or_no_configuration_has_its_own_code() {
    let files = Files::new();
    let missing = run(&["validate", "-f", "/nowhere/west.properties"]).await;
    let missing = missing.ended_with(1);
    assert!(missing.output.contains("cannot be read"), "{missing}");
    let json = files.write("west.json", "{\"topics\": [1]}");
    let json = run(&["validate", "-f", &json]).await.ended_with(3);
    assert!(json.output.contains("/topics: a value is a text"), "{json}");
    run(&["validate"]).await.ended_with(2);
}

#[tokio::test]
async fn each_key_is_shown_with_what_becomes_of_it() {
    let files = Files::new();
    let broken = files.write("west.properties", BROKEN);
    let checked = run(&["config", "check", &broken]).await.ended_with(3);
    let row = |key: &str| {
        let line = checked.output.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("{key}: {checked}"));
        line.split_whitespace()
            .filter(|word| !word.chars().all(|c| c.is_ascii_hexdigit()) || word.len() != 8)
            .take(3)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(row("KEY"), "KEY VALUE STATUS");
    assert_eq!(row("name "), "name west set");
    assert_eq!(row("tasks.max"), "tasks.max 0 invalid");
    assert_eq!(row("topic.whitelst"), "topic.whitelst a unknown");
    assert_eq!(
        row("src.kafka.sasl.jaas"),
        "src.kafka.sasl.jaas.config [hidden] set"
    );
    assert_eq!(row("my.api.token"), "my.api.token [hidden] unknown");

    let link = files.write(
        "link.properties",
        "name=a\nsrc.kafka.bootstrap.servers=b:1\ntopc.regex=x\n",
    );
    run(&["config", "check", &link]).await.ended_with(0);
    run(&["config", "check", "--strict", &link])
        .await
        .ended_with(3);
    let all = run(&["config", "check", "--all", &link])
        .await
        .ended_with(0);
    let default =
        |line: &&str| line.starts_with("topic.poll.interval.ms") && line.contains("120000  ");
    assert!(all.output.lines().any(|line| default(&line)), "{all}");
}

#[tokio::test]
async fn programs_get_the_same_as_json() {
    let files = Files::new();
    let broken = files.write("west.properties", BROKEN);
    for command in [
        ["validate", "-o", "json", "-f"],
        ["config", "check", "-o", "json"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push(&broken);
        let checked = run(&arguments).await.ended_with(3);
        let value: Value = serde_json::from_str(&checked.output).expect("one document");
        assert_eq!(value["schema"], "tributary/v1/ConfigCheck");
        assert_eq!(value["valid"], false);
        let file = &value["files"][0];
        assert_eq!(file["kind"], "link");
        let problems = file["problems"].as_array().expect("a list");
        assert_eq!(problems.len(), 4, "{checked}");
        let tasks = problems
            .iter()
            .find(|problem| problem["key"] == "tasks.max");
        let tasks = tasks.expect("it is among them");
        assert_eq!(tasks["value"], "0");
        assert_eq!(tasks["remedy"], "it has to be from 1 to 2147483647");
        assert_eq!(tasks["origin"], format!("{broken}, line 7"));
    }
}
