//! What a group of workers tells of a link is told once, and is so: states and statuses, and topics that were made anew.

use serde_json::Value;
use test_support::eventually::{eventually, eventually_true};
use test_support::judge::read_all;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{GeneratedRecord, Load, delete_topic, topics};

use crate::connect_worker::expect;
use crate::group::{Group, LINK, Member};
use crate::support::{COPIED, new_topic, stored};
use crate::topics::send;

/// What happens to the connector is told by the worker that has it.
pub(crate) async fn states_are_told_once(member: &Member) {
    let answer = member.client.get("/api/v1/activity?kind=state").await;
    let json = answer.json();
    let rows = json["items"].as_array().cloned().unwrap_or_default();
    let begins = |row: &&Value| {
        let text = row["summary"].as_str();
        text.is_some_and(|text| text.starts_with("a->b is "))
    };
    assert!(rows.iter().filter(begins).count() <= 1, "{}", answer.body);
}

/// A status that a former owner wrote late is the last one of its key, until the owner has said again how it is.
pub(crate) async fn owners_say_again(group: &Group, destination: &KafkaCluster, member: &Member) {
    let topic = format!("{}.status", group.name());
    let place = stored(destination, &topic);
    for key in ["status-connector-a->b", "status-task-a->b-0"] {
        let said = async || {
            let all = read_all(&place, COPIED).await.expect("it is read");
            let mut found = None;
            for (partition, records) in all {
                let of_key = records.iter();
                let mut of_key =
                    of_key.filter(|record| record.key.as_deref() == Some(key.as_bytes()));
                if let Some(last) = of_key.next_back() {
                    let text = last.value.clone().unwrap_or_default();
                    found = Some((partition, String::from_utf8_lossy(&text).into_owned()));
                }
            }
            found.expect("somebody has written it")
        };
        let running = async || {
            let (_, last) = said().await;
            match last.contains("RUNNING") {
                true => Ok(()),
                false => Err(last),
            }
        };
        eventually("it runs", COPIED, running)
            .await
            .expect("it does");
        let (partition, _) = said().await;
        let late = r#"{"state":"UNASSIGNED","trace":null,"worker_id":"gone:1","generation":1}"#;
        let record = GeneratedRecord {
            partition,
            timestamp: 1,
            key: Some(key.into()),
            value: Some(late.into()),
            headers: Vec::new(),
        };
        let load = Load::new(destination.bootstrap(), &topic);
        load.send([record]).await.expect("written");
        eventually("its owner says it again", COPIED, running)
            .await
            .unwrap_or_else(|last| panic!("{last}\n{}", member.process.lines().tail(40)));
    }
}

/// A topic that was made anew stands in all tasks, and goes on in all of them when that is asked of any worker; whoever looks after
/// topics knows then, too.
pub(crate) async fn is_copied_anew(members: [&Member; 2], source: &KafkaCluster, topic: &str) {
    let path = |end: &str| format!("/api/v1/links/{LINK}/topics/{topic}{end}");
    send(source, topic, 4, 40).await;
    let copied = async || {
        let list = members[0].client.get(&path("/partitions")).await.json();
        let rows = list["items"].as_array().cloned().unwrap_or_default();
        let ends = rows.iter().filter_map(|row| row["acked_offset"].as_i64());
        match ends.sum::<i64>() {
            40 => Ok(()),
            _ => Err(list.to_string()),
        }
    };
    eventually("all to be copied", COPIED, copied)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    delete_topic(&source.bootstrap(), topic)
        .await
        .expect("deleted");
    eventually_true("the topic's end", COPIED, async || {
        let all = topics(&source.bootstrap()).await;
        all.is_ok_and(|all| !all.contains_key(topic))
    })
    .await
    .expect("gone");
    new_topic(source, topic, 4, &[]).await;
    let stands = async || {
        let list = members[0].client.get(&path("/partitions")).await.json();
        let rows = list["items"].as_array().cloned().unwrap_or_default();
        let stands = |row: &Value| {
            let answers = row["answers"].as_array().cloned().unwrap_or_default();
            answers.iter().any(|answer| answer == "append")
        };
        match rows.len() == 4 && rows.iter().all(stands) {
            true => Ok(()),
            false => Err(list.to_string()),
        }
    };
    eventually("all partitions to stand", COPIED, stands)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let append = r#"{"action":"append"}"#;
    let resumed = members[1]
        .settled("POST", &path(":resume"), Some(append))
        .await;
    let resumed = expect(resumed, 202).json();
    assert!(resumed["notice"].is_null(), "{resumed}");
    for member in members {
        let known = async || {
            let answer = member.client.get(&path("")).await;
            let row = answer.json();
            match row["state"] == "replicating" && row["condition"].is_null() {
                true => Ok(()),
                false => Err(answer.body),
            }
        };
        eventually("the topic to be what it is now", COPIED, known)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", member.process.lines().tail(40)));
        let told = member.client.get("/api/v1/activity?kind=resume").await;
        assert_eq!(told.json()["total"], 1, "{}", told.body);
    }
}
