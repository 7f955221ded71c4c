//! Names, classes and configurations that are judged, with the texts that say what is wrong.

use serde_json::{Value, json};

use super::{CLASS, Contract};
use crate::connect_worker::expect;

impl Contract {
    pub(super) async fn names_and_what_exists(&self) {
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

    pub(super) async fn unknown_class(&self) {
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

    pub(super) async fn validate(&self) {
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
}
