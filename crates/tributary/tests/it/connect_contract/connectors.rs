//! Connectors are created, changed, steered, restarted and deleted, and their positions changed.

use serde_json::{Value, json};

use super::Contract;
use crate::connect_worker::expect;

impl Contract {
    pub(super) async fn create_201_location(&self) {
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

    pub(super) async fn put_config_201_then_200(&self) {
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

    pub(super) async fn delete_204_then_status_404_until_gone(&self) {
        self.created_and_running("c3").await;
        self.gone("c3").await;
        let again = expect(self.client.delete("/connectors/c3").await, 404);
        assert_eq!(again.error(), "Connector c3 not found");
    }

    pub(super) async fn pause_202_resume_202_stop_204(&self) {
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

    pub(super) async fn restart_204_vs_202_body_marks_restarting(&self) {
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

    pub(super) async fn offsets_400_unless_stopped_message(&self) {
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
}
