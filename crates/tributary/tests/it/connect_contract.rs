//! Connect's REST contract, asked of Tributary and, with the same requests, of Kafka Connect itself: what this file
//! expects is what Connect answers, unless it says so. Differences are listed in docs/connect-compatibility.md.
//!
//! Long because it is one contract, asked of one worker after the other.

use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Value, json};
use test_support::eventually::eventually;

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
    ("root_and_health", |this| {
        Box::pin(async move { this.root_and_health().await })
    }),
];

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
        let lines = format!("bootstrap.servers={}", bootstrap(destination));
        let worker = Worker::tributary(&lines, &[]).await;
        Self::new(worker)
            .await
            .with_source(&bootstrap(source), &bootstrap(destination))
    }

    async fn of_connect(version: test_support::kafka_jars::KafkaVersion) -> Self {
        let (source, destination) = pair(OLD, NEW).await;
        let worker = Worker::connect(version, &destination.bootstrap()).await;
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

    async fn create_201_location(&self) {
        let answer = self.create("c1").await;
        let place = answer.header("location").expect("a location");
        assert_eq!(
            place,
            format!("http://{}/connectors/c1", self.client.address)
        );
        let json = answer.json();
        assert_eq!(json["name"], "c1");
        assert_eq!(json["type"], "source");
        assert_eq!(json["config"]["name"], "c1");
        assert_eq!(
            json["config"]["tasks.max"], "2",
            "numbers come back as texts"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        // raw_config_roundtrip_terraform
        let config = self.client.get("/connectors/c1/config").await.json();
        let mut expected = self.config.clone();
        expected["name"] = json!("c1");
        expected["tasks.max"] = json!("2");
        expected["replication.factor"] = json!("1");
        expected["offset-syncs.topic.replication.factor"] = json!("1");
        assert_eq!(config, expected);
        self.runs("c1").await;
        let tasks = self.client.get("/connectors/c1/tasks").await.json();
        assert_eq!(tasks[0]["id"], json!({"connector": "c1", "task": 0}));
        assert_eq!(tasks[0]["config"]["source.cluster.alias"], "A");
        let status = self
            .client
            .get("/connectors/c1/tasks/0/status")
            .await
            .json();
        assert_eq!((&status["id"], status.get("trace")), (&json!(0), None));
        let missing = self.client.get("/connectors/c1/tasks/77/status").await;
        assert_eq!(
            expect(missing, 404).error(),
            "No status found for task c1-77"
        );
        self.gone("c1").await;
    }

    async fn put_config_201_then_200(&self) {
        let path = "/connectors/c2/config";
        let body = self.config.to_string();
        let created = expect(self.client.put(path, Some(&body)).await, 201);
        assert!(
            created
                .header("location")
                .is_some_and(|place| place.ends_with("/connectors/c2"))
        );
        let again = expect(self.client.put(path, Some(&body)).await, 200);
        assert_eq!(again.json()["name"], "c2");
        // KIP-477
        let patched = self
            .client
            .patch(path, r#"{"tasks.max":null,"topics.exclude":"x"}"#)
            .await;
        let config = expect(patched, 200).json()["config"].clone();
        assert_eq!(config.get("tasks.max"), None);
        assert_eq!(config["topics.exclude"], "x");
        let missing = self.client.patch("/connectors/nope/config", "{}").await;
        assert_eq!(expect(missing, 404).error(), "Connector nope not found");
        self.gone("c2").await;
    }

    async fn delete_204_then_status_404_until_gone(&self) {
        self.created_and_running("c3").await;
        self.gone("c3").await;
        let again = expect(self.client.delete("/connectors/c3").await, 404);
        assert_eq!(again.error(), "Connector c3 not found");
    }

    async fn pause_202_resume_202_stop_204(&self) {
        self.created_and_running("c4").await;
        for _ in 0..2 {
            let paused = expect(self.client.put("/connectors/c4/pause", None).await, 202);
            assert!(paused.body.is_empty());
        }
        let status = self.worker.becomes("c4", "PAUSED").await;
        assert!(!status["tasks"].as_array().expect("tasks").is_empty());
        expect(self.client.put("/connectors/c4/resume", None).await, 202);
        self.runs("c4").await;
        for _ in 0..2 {
            let stopped = expect(self.client.put("/connectors/c4/stop", None).await, 204);
            assert!(stopped.body.is_empty());
        }
        let status = self.worker.becomes("c4", "STOPPED").await;
        assert_eq!(status["tasks"], json!([]));
        assert_eq!(
            self.client.get("/connectors/c4").await.json()["tasks"],
            json!([])
        );
        // Standalone Connect fails with 500 where it is to stop one that is not there.
        let verbs = ["pause", "resume", "stop"].into_iter();
        for verb in verbs.filter(|verb| self.is_tributary() || *verb != "stop") {
            let answer = self
                .client
                .put(&format!("/connectors/nope/{verb}"), None)
                .await;
            assert_eq!(
                expect(answer, 404).error(),
                "Unknown connector nope",
                "{verb}"
            );
        }
        self.gone("c4").await;
    }

    async fn restart_204_vs_202_body_marks_restarting(&self) {
        self.created_and_running("c5").await;
        let at = |query: &str| format!("/connectors/c5/restart{query}");
        for query in [
            "",
            "?includeTasks=false&onlyFailed=false",
            "?includeTasks=1",
            "?onlyFailed=",
        ] {
            let answer = self.client.post(&at(query), None).await;
            assert!(expect(answer, 204).body.is_empty());
            self.runs("c5").await;
        }
        let answer = self.client.post(&at("?includeTasks=True"), None).await;
        let json = expect(answer, 202).json();
        assert_eq!(json["connector"]["state"], "RESTARTING");
        let tasks = json["tasks"].as_array().expect("tasks");
        assert!(
            tasks.iter().all(|task| task["state"] == "RESTARTING"),
            "{json}"
        );
        self.runs("c5").await;
        let answer = self
            .client
            .post(&at("?includeTasks=true&onlyFailed=TRUE"), None)
            .await;
        let json = expect(answer, 202).json();
        assert_eq!(json["connector"]["state"], "RUNNING");
        let task = self
            .client
            .post("/connectors/c5/tasks/0/restart", None)
            .await;
        expect(task, 204);
        // Standalone Connect has other words for these than a group has, or fails with 500.
        if self.is_tributary() {
            let unknown = expect(
                self.client.post("/connectors/nope/restart", None).await,
                404,
            );
            assert_eq!(unknown.error(), "Unknown connector: nope");
            let unknown = self
                .client
                .post("/connectors/c5/tasks/9/restart", None)
                .await;
            assert_eq!(expect(unknown, 404).error(), "Unknown task: c5-9");
        }
        self.gone("c5").await;
    }

    async fn offsets_400_unless_stopped_message(&self) {
        self.created_and_running("c6").await;
        let path = "/connectors/c6/offsets";
        let partition = json!({"cluster": "A", "partition": 0, "topic": self.topic});
        let body = |offset: Value| {
            json!({"offsets": [{"partition": partition, "offset": offset}]}).to_string()
        };
        let refused = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done \
                       for the specified connector by issuing a 'PUT' request to the '/connectors/c6/stop' endpoint";
        let answer = self.client.patch(path, &body(json!({"offset": 4}))).await;
        assert_eq!(expect(answer, 400).error(), refused);
        assert_eq!(expect(self.client.delete(path).await, 400).error(), refused);
        let empty = self.client.patch(path, r#"{"offsets":[]}"#).await;
        assert_eq!(
            expect(empty, 400).error(),
            "Partitions / offsets need to be provided for an alter offsets request"
        );
        expect(self.client.put("/connectors/c6/stop", None).await, 204);
        self.worker.becomes("c6", "STOPPED").await;
        let answer = self.client.patch(path, &body(json!({"offset": 4}))).await;
        let message = expect(answer, 200).json()["message"].clone();
        assert_eq!(
            message,
            "The offsets for this connector have been altered successfully"
        );
        let offsets = expect(self.client.get(path).await, 200).json();
        let expected = json!({"partition": partition, "offset": {"offset": 4}});
        let all = offsets["offsets"].as_array().expect("a list");
        assert!(all.contains(&expected), "{offsets}");
        let answer = self.client.patch(path, &body(Value::Null)).await;
        expect(answer, 200);
        let message = expect(self.client.delete(path).await, 200).json()["message"].clone();
        assert_eq!(
            message,
            "The offsets for this connector have been reset successfully"
        );
        let unknown = expect(self.client.get("/connectors/nope/offsets").await, 404);
        assert_eq!(unknown.error(), "Connector nope not found");
        let unknown = expect(self.client.delete("/connectors/nope/offsets").await, 404);
        assert_eq!(unknown.error(), "Connector nope not found");
        // Connect answers 500 with the same texts.
        let bad = json!({"offsets": [{"partition": {"partition": 0, "topic": "t"}, "offset": {"offset": 1}}]});
        let status = if self.is_tributary() { 400 } else { 500 };
        let answer = expect(self.client.patch(path, &bad.to_string()).await, status);
        assert!(
            answer
                .error()
                .contains("is missing the 'cluster' key, which is required"),
            "{answer:?}"
        );
        self.gone("c6").await;
    }

    async fn names_and_what_exists(&self) {
        let config = self.config(&json!({"name": "other"}));
        let body = json!({"name": "c7", "config": config}).to_string();
        let answer = expect(self.client.post("/connectors", Some(&body)).await, 400);
        let text =
            "Connector name configuration (other) doesn't match connector name in the URL (c7)";
        assert_eq!(answer.error(), text);
        let answer = self
            .client
            .put("/connectors/c7/config", Some(&config.to_string()))
            .await;
        assert_eq!(expect(answer, 400).error(), text);
        let body = json!({"name": "  c7 ", "config": self.config}).to_string();
        let answer = expect(self.client.post("/connectors", Some(&body)).await, 201);
        assert_eq!(answer.json()["name"], "c7");
        let again = expect(self.client.post("/connectors", Some(&body)).await, 409);
        assert_eq!(again.error(), "Connector c7 already exists");
        self.runs("c7").await;
        self.gone("c7").await;
        let config = self.config(&json!({"tasks.max": "0"}));
        let body = json!({"name": "c7", "config": config}).to_string();
        let answer = expect(self.client.post("/connectors", Some(&body)).await, 400);
        let text = "Connector configuration is invalid and contains the following 1 error(s):\n\
                    Invalid value 0 for configuration tasks.max: Value must be at least 1\n\
                    You can also find the above list of errors at the endpoint \
                    `/connector-plugins/{connectorType}/config/validate`";
        assert_eq!(answer.error(), text);
    }

    async fn unknown_class(&self) {
        let prefix = "Failed to find any class that implements Connector and which name matches x.Nope, available \
                      connectors are: PluginDesc{klass=class ";
        let body = r#"{"name":"c8","config":{"connector.class":"x.Nope","topics":"t"}}"#;
        let answer = self.client.post("/connectors", Some(body)).await;
        assert!(answer.error().starts_with(prefix), "{answer:?}");
        // 3.9 answers 500, 4.x answers 400.
        let old = answer.status == 500 && !self.is_tributary();
        assert!(old || answer.status == 400, "{answer:?}");
        let body = r#"{"connector.class":"x.Nope"}"#;
        let path = "/connector-plugins/x.Nope/config/validate";
        let answer = self.client.put(path, Some(body)).await;
        // Connect puts names of its own exceptions in front here.
        let said = answer.error();
        assert!(said.contains(prefix), "{answer:?}");
        assert!(
            said.starts_with(prefix) || !self.is_tributary(),
            "{answer:?}"
        );
        let answer = self.client.put(path, Some(r#"{"a":"b"}"#)).await;
        let said = answer.error();
        assert!(
            said.ends_with("Connector config {a=b} contains no connector type"),
            "{said}"
        );
        // Connect answers 500, with the name of an exception in front.
        assert!(answer.status == 400 || !self.is_tributary(), "{answer:?}");
        let body = json!({"connector.class": CLASS}).to_string();
        let path = "/connector-plugins/MirrorHeartbeatConnector/config/validate";
        let answer = expect(self.client.put(path, Some(&body)).await, 400);
        assert_eq!(
            answer.error(),
            format!(
                "Included connector type {CLASS} does not match request type MirrorHeartbeatConnector"
            )
        );
    }

    /// Kafka 4.3 has another name for the place of a key in its group.
    fn has_order(&self, key: &Value) -> bool {
        let [order, newer] = ["order", "order_in_group"].map(|name| &key["definition"][name]);
        order.is_number() || newer.is_number() && !self.is_tributary()
    }

    async fn validate(&self) {
        let names = [CLASS, "MirrorSourceConnector", "MirrorSource"];
        for path in names {
            for class in names {
                let config = self.config(&json!({"connector.class": class, "name": "v"}));
                let answer = self
                    .client
                    .put(
                        &format!("/connector-plugins/{path}/config/validate"),
                        Some(&config.to_string()),
                    )
                    .await;
                // Neither may be written more fully in the path than in the configuration.
                if path == CLASS && class != CLASS {
                    expect(answer, 400);
                    continue;
                }
                let json = expect(answer, 200).json();
                assert_eq!(json["error_count"], 0, "{path} {class}: {json}");
                assert_eq!(json["name"], class);
            }
        }
        let config = json!({"connector.class": CLASS, "tasks.max": "x", "errors.tolerance": "some", "odd": "1"});
        let path = format!("/connector-plugins/{CLASS}/config/validate");
        let answer = self.client.put(&path, Some(&config.to_string())).await;
        let json = expect(answer, 200).json();
        let errors = |key: &str| {
            let configs = json["configs"].as_array().expect("a list");
            let found = configs.iter().find(|one| one["value"]["name"] == key);
            found.map(|one| one["value"]["errors"].clone())
        };
        // Connect adds that the value it could not read is null.
        let tasks_max = errors("tasks.max").expect("it is a key");
        let text = "Invalid value x for configuration tasks.max: Not a number of type INT";
        assert_eq!(tasks_max[0], text);
        assert!(tasks_max.as_array().map(Vec::len) == Some(1) || !self.is_tributary());
        assert_eq!(
            errors("errors.tolerance"),
            Some(json!([
                "Invalid value some for configuration errors.tolerance: String must be one of: none, all"
            ]))
        );
        assert_eq!(
            errors("name"),
            Some(json!([
                "Missing required configuration \"name\" which has no default value."
            ]))
        );
        assert_eq!(errors("odd"), None);
        let groups = json["groups"].as_array().expect("a list");
        assert_eq!(&groups[..2], [json!("Common"), json!("Transforms")]);
        for one in json["configs"].as_array().expect("a list") {
            assert!(
                one["definition"]["group"].is_string() || !self.is_tributary(),
                "{one}"
            );
            assert!(self.has_order(one), "{one}");
        }
        let plugins = self.client.get("/connector-plugins").await.json();
        for plugin in plugins.as_array().expect("a list") {
            // Connect also lists what is of no use here.
            let class = plugin["class"].as_str().expect("a class");
            if !class.contains("Mirror") && !self.is_tributary() {
                continue;
            }
            let body = json!({"connector.class": class, "topics": "t"}).to_string();
            let path = format!("/connector-plugins/{class}/config/validate");
            expect(self.client.put(&path, Some(&body)).await, 200);
            let keys = self
                .client
                .get(&format!("/connector-plugins/{class}/config"))
                .await;
            assert!(
                !expect(keys, 200)
                    .json()
                    .as_array()
                    .expect("a list")
                    .is_empty()
            );
        }
        let unknown = expect(self.client.get("/connector-plugins/nope/config").await, 404);
        assert_eq!(unknown.error(), "Unknown plugin nope.");
    }

    async fn errors_of_http(&self) {
        for path in [
            "/nope",
            "/connectors/c/nope",
            "/connectors/c/tasks/x/status",
        ] {
            let answer = expect(self.client.get(path).await, 404);
            assert_eq!(answer.error(), "HTTP 404 Not Found", "{path}");
        }
        let answer = expect(self.client.delete("/connectors").await, 405);
        assert_eq!(answer.error(), "HTTP 405 Method Not Allowed");
        let headers = [("Content-Type", "text/plain"), ("Content-Length", "2")];
        let answer = self
            .client
            .with("POST", "/connectors", &headers, Some("{}"))
            .await;
        assert_eq!(
            expect(answer, 415).error(),
            "HTTP 415 Unsupported Media Type"
        );
        let headers = [("Accept", "text/plain")];
        let answer = self.client.with("GET", "/connectors", &headers, None).await;
        assert_eq!(expect(answer, 406).error(), "HTTP 406 Not Acceptable");
        let answer = self.client.with("HEAD", "/connectors", &[], None).await;
        assert!(expect(answer, 200).body.is_empty());
        let answer = expect(
            self.client.with("OPTIONS", "/connectors", &[], None).await,
            200,
        );
        let allow = answer.header("allow").expect("methods");
        for method in ["GET", "POST", "HEAD", "OPTIONS"] {
            assert!(allow.contains(method), "{allow}");
        }
        let bad = expect_bad(self.is_tributary());
        for body in [
            "{",
            "[]",
            "\"{}\"",
            r#"{"name":"c","config":{},"more":1}"#,
            r#"{"name":"c"}"#,
        ] {
            let answer = self.client.post("/connectors", Some(body)).await;
            assert!(bad.contains(&answer.status), "{body}: {answer:?}");
        }
        if self.is_tributary() {
            let odd = [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", "0"),
            ];
            let answer = self
                .client
                .with("PUT", "/connectors/nope/pause", &odd, None)
                .await;
            assert_eq!(expect(answer, 404).error(), "Unknown connector nope");
        }
    }

    async fn lists(&self) {
        self.created_and_running("c9").await;
        let plain = self.client.get("/connectors/").await.json();
        assert_eq!(plain, json!(["c9"]));
        for query in [
            "?expand[]=status",
            "?expand%5B%5D=status",
            "?search=x",
            "?expand=nope",
        ] {
            let answer = self.client.get(&format!("/connectors{query}")).await;
            let json = expect(answer, 200).json();
            assert!(
                json.is_array() || json == json!({"c9": {}}),
                "{query}: {json}"
            );
        }
        let both = self
            .client
            .get("/connectors?expand=status&expand=info")
            .await
            .json();
        let ids = |list: &Value, key: &str| -> Vec<Value> {
            list.as_array()
                .expect("a list")
                .iter()
                .map(|one| one[key].clone())
                .collect()
        };
        let one = &both["c9"];
        assert_eq!(
            ids(&one["info"]["tasks"], "task"),
            ids(&one["status"]["tasks"], "id")
        );
        assert_eq!(one["status"]["connector"]["state"], "RUNNING");
        self.gone("c9").await;
    }

    async fn names_with_odd_characters(&self) {
        for (name, encoded) in [
            (
                "a->b.MirrorSourceConnector",
                "a%2D%3Eb.MirrorSourceConnector",
            ),
            ("with space", "with%20space"),
        ] {
            self.create(name).await;
            self.runs(encoded).await;
            let info = self
                .client
                .get(&format!("/connectors/{encoded}/"))
                .await
                .json();
            assert_eq!(info["name"], name);
            expect(
                self.client
                    .put(&format!("/connectors/{encoded}/pause"), None)
                    .await,
                202,
            );
            expect(
                self.client.delete(&format!("/connectors/{encoded}")).await,
                204,
            );
        }
        if self.is_tributary() {
            self.create("a/b").await;
            expect(self.client.get("/connectors/a%2Fb/config").await, 200);
            expect(self.client.delete("/connectors/a%2Fb").await, 204);
        }
    }

    async fn loggers(&self) {
        // Without the log4j that Kafka's distribution brings, Connect knows no loggers.
        if !self.is_tributary() {
            return;
        }
        let all = self.client.get("/admin/loggers/").await.json();
        assert!(all["root"]["level"].is_string(), "{all}");
        let path = "/admin/loggers/org.apache.kafka.connect";
        let set = self.client.put(path, Some(r#"{"level":"warn"}"#)).await;
        let affected = expect(set, 200).json();
        let affected = affected.as_array().expect("a list");
        assert!(
            affected.contains(&json!("org.apache.kafka.connect")),
            "{affected:?}"
        );
        let one = expect(self.client.get(path).await, 200).json();
        assert_eq!(one["level"], "WARN");
        let set = self
            .client
            .put(
                &format!("{path}?scope=cluster"),
                Some(r#"{"level":"INFO"}"#),
            )
            .await;
        expect(set, 204);
        let bad = self.client.put(path, Some(r#"{"level":"loud"}"#)).await;
        assert_eq!(expect(bad, 404).error(), "invalid log level 'loud'.");
        let missing = expect(self.client.put(path, Some("{}")).await, 400);
        let text = "Desired 'level' parameter was not specified in request.";
        assert_eq!(missing.error(), text);
        let unknown = expect(
            self.client.get("/admin/loggers/no.such.logger.here").await,
            404,
        );
        assert_eq!(unknown.error(), "Logger no.such.logger.here not found.");
    }

    async fn topics_map_key_is_name(&self) {
        let answer = expect(self.client.get("/connectors/nope/topics").await, 200);
        assert_eq!(answer.json(), json!({"nope": {"topics": []}}));
        let reset = self.client.put("/connectors/nope/topics/reset", None).await;
        assert!(expect(reset, 202).body.is_empty());
    }

    async fn root_and_health(&self) {
        let root = expect(self.client.get("/").await, 200).json();
        let version = root["version"].as_str().expect("a text");
        let mut numbers = version
            .split('.')
            .map(|part| part.parse::<u32>().expect("a number"));
        assert!((numbers.next(), numbers.next()) >= (Some(3), Some(7)));
        assert!(root["commit"].is_string());
        let known = async || {
            let root = self.client.get("/").await.json();
            root["kafka_cluster_id"]
                .as_str()
                .map(str::to_owned)
                .ok_or("null")
        };
        eventually("the cluster's id", SOON, known)
            .await
            .expect("it answers");
        let health = expect(self.client.get("/health").await, 200).json();
        let text = "Worker has completed startup and is ready to handle requests.";
        assert_eq!(health, json!({"status": "healthy", "message": text}));
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

#[tokio::test(flavor = "multi_thread")]
async fn kafka_connect_3_itself_answers_as_this_contract_says() {
    let asked = async { Contract::of_connect(OLD).await.whole().await };
    tokio::task::LocalSet::new().run_until(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_connect_4_itself_answers_as_this_contract_says() {
    let asked = async { Contract::of_connect(NEW).await.whole().await };
    tokio::task::LocalSet::new().run_until(asked).await;
}
