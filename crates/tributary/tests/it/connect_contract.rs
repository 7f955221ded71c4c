//! Connect's REST contract, asked of Tributary and, with the same requests, of Kafka Connect itself: what this file
//! expects is what Connect answers, unless it says so. Differences are listed in docs/connect-compatibility.md.

mod connectors;
mod http;
mod validation;
mod values;

use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::kafka_jars::KafkaVersion;

use crate::connect_http::{Answer, Client};
use crate::connect_worker::{SOON, Worker, expect};
use crate::support::{NEW, OLD, bootstrap, new_topic, pair, unique};

const CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceConnector";

type Part = fn(Rc<Contract>) -> Pin<Box<dyn Future<Output = ()>>>;

/// The parts of the contract, by the names of the tests that the specification gives them.
const PARTS: &[(&str, Part)] = &[
    ("create_201_location", |this| {
        Box::pin(async move { this.create_201_location().await })
    }),
    ("put_config_201_then_200", |this| {
        Box::pin(async move { this.put_config_201_then_200().await })
    }),
    ("delete_204_then_status_404_until_gone", |this| {
        Box::pin(async move { this.delete_204_then_status_404_until_gone().await })
    }),
    ("pause_202_resume_202_stop_204", |this| {
        Box::pin(async move { this.pause_202_resume_202_stop_204().await })
    }),
    ("restart_204_vs_202_body_marks_restarting", |this| {
        Box::pin(async move { this.restart_204_vs_202_body_marks_restarting().await })
    }),
    ("offsets_400_unless_stopped_message", |this| {
        Box::pin(async move { this.offsets_400_unless_stopped_message().await })
    }),
    ("names_and_what_exists", |this| {
        Box::pin(async move { this.names_and_what_exists().await })
    }),
    ("unknown_class", |this| {
        Box::pin(async move { this.unknown_class().await })
    }),
    ("validate", |this| {
        Box::pin(async move { this.validate().await })
    }),
    ("errors_of_http", |this| {
        Box::pin(async move { this.errors_of_http().await })
    }),
    ("lists", |this| Box::pin(async move { this.lists().await })),
    ("names_with_odd_characters", |this| {
        Box::pin(async move { this.names_with_odd_characters().await })
    }),
    ("loggers", |this| {
        Box::pin(async move { this.loggers().await })
    }),
    ("topics_map_key_is_name", |this| {
        Box::pin(async move { this.topics_map_key_is_name().await })
    }),
    ("values_and_initial_states", |this| {
        Box::pin(async move { this.values_and_initial_states().await })
    }),
    ("trailing_slash_all", |this| {
        Box::pin(async move { this.trailing_slash_all().await })
    }),
    ("other_origins", |this| {
        Box::pin(async move { this.other_origins().await })
    }),
    ("root_and_health", |this| {
        Box::pin(async move { this.root_and_health().await })
    }),
];

/// Pages of this origin may ask.
const ORIGIN: &str = "http://ui.example";
/// Lines of the worker's file that say so.
const ORIGINS: &str = "access.control.allow.origin=http://ui.example\naccess.control.allow.methods=GET,POST,PUT,DELETE\n";

/// What is asked, and of whom.
struct Contract {
    worker: Worker,
    client: Client,
    /// A configuration that both take.
    config: Value,
    topic: String,
}

impl Contract {
    async fn of_tributary() -> Self {
        let (source, destination) = pair(OLD, NEW).await;
        let lines = format!("bootstrap.servers={}\n{ORIGINS}", bootstrap(destination));
        let worker = Worker::tributary(&lines, &[]).await;
        Self::new(worker)
            .await
            .with_source(&bootstrap(source), &bootstrap(destination))
    }

    async fn of_connect(version: KafkaVersion) -> Self {
        let (source, destination) = pair(OLD, NEW).await;
        let worker = Worker::connect(version, &destination.bootstrap(), ORIGINS).await;
        Self::new(worker)
            .await
            .with_source(&source.bootstrap(), &destination.bootstrap())
    }

    async fn new(worker: Worker) -> Self {
        let (source, _) = pair(OLD, NEW).await;
        let topic = unique("contract");
        new_topic(source, &topic, 2, &[]).await;
        Self {
            client: worker.client.clone(),
            worker,
            config: Value::Null,
            topic,
        }
    }

    fn with_source(mut self, source: &str, destination: &str) -> Self {
        self.config = json!({
            "connector.class": CLASS,
            "source.cluster.alias": "A",
            "target.cluster.alias": "B",
            "source.cluster.bootstrap.servers": source,
            "target.cluster.bootstrap.servers": destination,
            "topics": self.topic,
            "replication.factor": 1,
            "offset-syncs.topic.replication.factor": 1,
            "tasks.max": 2,
        });
        self
    }

    fn is_tributary(&self) -> bool {
        self.worker.is_tributary()
    }

    /// The configuration with other values; null takes a key out.
    fn config(&self, more: &Value) -> Value {
        let mut config = self.config.clone();
        let entries = more.as_object().expect("a map");
        for (key, value) in entries {
            let map = config.as_object_mut().expect("a map");
            match value {
                Value::Null => drop(map.remove(key)),
                value => drop(map.insert(key.clone(), value.clone())),
            }
        }
        config
    }

    async fn create(&self, name: &str) -> Answer {
        let body = json!({"name": name, "config": self.config}).to_string();
        expect(self.client.post("/connectors", Some(&body)).await, 201)
    }

    async fn created_and_running(&self, name: &str) {
        self.create(name).await;
        self.runs(name).await;
    }

    async fn gone(&self, name: &str) {
        expect(
            self.client.delete(&format!("/connectors/{name}")).await,
            204,
        );
        let path = format!("/connectors/{name}/status");
        let look = async || match self.client.get(&path).await {
            answer if answer.status == 404 => Ok(answer),
            answer => Err(answer.status),
        };
        let answer = eventually("the status to be gone", SOON, look)
            .await
            .expect("gone");
        assert_eq!(
            answer.error(),
            format!("No status found for connector {name}")
        );
    }

    /// Every part, each in a task of its own, so that one that fails does not hide the next. What failed is told.
    async fn whole(self) {
        let this = Rc::new(self);
        let mut failed = Vec::new();
        for (name, part) in PARTS {
            let part = tokio::task::spawn_local(part(Rc::clone(&this)));
            if let Err(error) = part.await {
                failed.push(format!("{name}: {}", said(error)));
                this.clear().await;
            }
        }
        let log = this.worker.log();
        assert!(failed.is_empty(), "{log}\n{}", failed.join("\n"));
    }

    /// Waits until the connector and its tasks run. Connect says that a connector runs before it has told its tasks.
    async fn runs(&self, name: &str) {
        let path = format!("/connectors/{name}/status");
        let look = async || {
            let answer = self.client.get(&path).await;
            let json = answer.json();
            let tasks = json["tasks"].as_array().filter(|tasks| !tasks.is_empty());
            let run =
                tasks.is_some_and(|tasks| tasks.iter().all(|task| task["state"] == "RUNNING"));
            match run && json["connector"]["state"] == "RUNNING" {
                true => Ok(()),
                false => Err(answer.body),
            }
        };
        let waiting = format!("{name} and its tasks to run");
        eventually(&waiting, SOON, look)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Takes away what a part has left.
    async fn clear(&self) {
        let names = self.client.get("/connectors").await.json();
        for name in names.as_array().expect("a list") {
            let name = name.as_str().expect("a text").replace(' ', "%20");
            self.client.delete(&format!("/connectors/{name}")).await;
        }
    }
}

/// What a part that failed has said.
fn said(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a text").to_owned()
}

/// Connect answers bad bodies with 500; Tributary says what is wrong with them.
fn expect_bad(tributary: bool) -> &'static [u16] {
    if tributary { &[400] } else { &[400, 500] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_keeps_connects_rest_contract() {
    let asked = async { Contract::of_tributary().await.whole().await };
    tokio::task::LocalSet::new().run_until(asked).await;
}

/// Sends all of it to a worker of Kafka Connect.
async fn asked_of_connect(version: KafkaVersion) {
    let asked = async { Contract::of_connect(version).await.whole().await };
    tokio::task::LocalSet::new().run_until(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_connect_3_9_itself_answers_as_this_contract_says() {
    asked_of_connect(KafkaVersion::V3_9_1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_connect_4_2_itself_answers_as_this_contract_says() {
    asked_of_connect(KafkaVersion::V4_2_0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_connect_4_3_itself_answers_as_this_contract_says() {
    asked_of_connect(KafkaVersion::V4_3_1).await;
}
