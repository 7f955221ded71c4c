//! What commands print, as tables and as documents, compared with what was approved: `tests/answers.txt`.
//!
//! Of a table: its heading, and its first row with a sign for everything that differs between runs. Of a document: its members.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use test_support::eventually::eventually;

use super::Scene;
use crate::support::COPIED;

/// Every command that shows something of workers.
fn commands(topic: &str) -> Vec<Vec<&str>> {
    let lines = [
        "status",
        "top --count 1",
        "get links",
        "get topics watched",
        "get partitions watched",
        "get tasks",
        "get workers",
        "get rebalances",
        "get clusters",
        "get activity",
        "lag",
        "lag --by topic",
        "lag --by partition",
        "describe link watched",
        "describe topic watched",
        "offsets get watched",
        "get plugins",
        "get loggers",
        "loggers",
        "version",
        "preview watched",
        "export watched",
        "patch watched -s tasks.max=2 --dry-run",
        "explain NOT_ENOUGH_REPLICAS",
        "explain --list",
        "topics refresh watched",
        "pause watched --dry-run",
        "restart watched --dry-run",
        "delete watched --dry-run",
    ];
    let mut all: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    for command in &mut all {
        if command.starts_with(&["describe", "topic"]) {
            command.push(topic);
        }
    }
    all
}

/// Fails unless it is as approved.
pub(super) async fn are_as_approved(scene: &Scene, topic: &str) {
    // What is deleted takes a rebalance, which commands show as well.
    let calm = async || {
        let status = scene.asked(&["status"]).await;
        match status.output.contains("no rebalance pending") {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    };
    let calm = eventually("no rebalance", COPIED, calm).await;
    calm.unwrap_or_else(|error| panic!("{error}"));
    let mut found = String::new();
    for command in commands(topic) {
        let name = command.join(" ").replace(topic, "TOPIC");
        let documents = [&command[..], &["-o", "json"]].concat();
        let (table, json) = tokio::join!(scene.asked(&command), scene.asked(&documents));
        found.push_str(&format!("==== tributary {name} → {}\n", table.code()));
        for line in table.output.lines() {
            assert!(
                ["describe", "explain"].contains(&command[0]) || line.chars().count() <= 100,
                "{name}: {line}"
            );
        }
        found.push_str(&sketch(&command, &table.output, topic));
        let document: Value = match serde_json::from_str(&json.output) {
            Ok(document) => document,
            // Not every command has documents.
            Err(_) => continue,
        };
        let mut members = BTreeSet::new();
        describe(&document, "", &mut members);
        found.push_str("---- json\n");
        for member in members {
            found.push_str(&format!("{member}\n"));
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers.txt");
    let approved = std::fs::read_to_string(&path).unwrap_or_default();
    if found != approved {
        let now = path.with_extension("new");
        std::fs::write(&now, &found).expect("writable");
        panic!(
            "answers have changed: look at the difference between {} and {}, and move the latter over the former",
            path.display(),
            now.display()
        );
    }
}

/// The first lines, without what differs between runs.
fn sketch(command: &[&str], text: &str, topic: &str) -> String {
    let lines = match (command[0], command.last()) {
        ("explain", _) => 12,
        // Rows are what has happened, or in the order of ids.
        ("get", Some(&"activity" | &"clusters" | &"rebalances")) => 1,
        _ => 2,
    };
    let lines = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(lines);
    lines.map(|line| plain(line, topic) + "\n").collect()
}

fn plain(line: &str, topic: &str) -> String {
    // One rebalance may follow another.
    let line = line.replace("work is being dealt", "no rebalance pending");
    let words = line.split_whitespace().map(|word| {
        let word = word.replace(topic, "TOPIC");
        // A rate is known once it was looked twice.
        let differs = ["-", "UNKNOWN", "unknown"].contains(&&*word)
            || word.chars().any(|c| c.is_ascii_digit());
        if word.contains("TOPIC") || !differs {
            word
        } else {
            "#".to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The paths of all members; of lists, those of any item.
fn describe(value: &Value, at: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let at = format!("{at}.{name}");
                if name == "schema" {
                    all.insert(format!("{at} = {member}"));
                } else if !name.contains(|c: char| c.is_ascii_digit()) {
                    all.insert(at.clone());
                }
                // What is in these depends on what has happened.
                let happened = ["object", "explanation", "by_state", "rebalance"];
                if !happened.contains(&name.as_str()) {
                    describe(member, &at, all);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                describe(item, &format!("{at}[]"), all);
            }
        }
        _ => {}
    }
}
