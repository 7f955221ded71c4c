//! Errors of HTTP, lists, names that have to be encoded, loggers, topics, and the worker itself.

use serde_json::{Value, json};
use test_support::eventually::eventually;

use super::{Contract, expect_bad};
use crate::connect_worker::{SOON, expect};

impl Contract {
    pub(super) async fn errors_of_http(&self) {
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

    pub(super) async fn lists(&self) {
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

    pub(super) async fn names_with_odd_characters(&self) {
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

    pub(super) async fn loggers(&self) {
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
        assert!(one["last_modified"].is_i64(), "{one}");
        let all = expect(self.client.get("/admin/loggers/").await, 200).json();
        assert_eq!(all["org.apache.kafka.connect"], one);
        let root = expect(self.client.get("/admin/loggers/root").await, 200).json();
        assert!(
            root["level"].is_string() && root["last_modified"].is_null(),
            "{root}"
        );
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

    pub(super) async fn topics_map_key_is_name(&self) {
        let answer = expect(self.client.get("/connectors/nope/topics").await, 200);
        assert_eq!(answer.json(), json!({"nope": {"topics": []}}));
        let reset = self.client.put("/connectors/nope/topics/reset", None).await;
        assert!(expect(reset, 202).body.is_empty());
    }

    pub(super) async fn root_and_health(&self) {
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
