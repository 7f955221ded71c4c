//! Values of other types than text, states to begin with, slashes at the end, and pages of other origins.

use serde_json::{Value, json};

use super::{CLASS, Contract, ORIGIN};
use crate::connect_worker::expect;

impl Contract {
    pub(super) async fn values_and_initial_states(&self) {
        for (state, becomes) in [("stopped", "STOPPED"), ("Paused", "PAUSED")] {
            let more =
                json!({"errors.log.enable": true, "odd.number": 1.50, "errors.retry.timeout": 5});
            // Written by hand: a number keeps the text that it had.
            let config = self.config(&more).to_string();
            let config = config.replace("\"odd.number\":1.5", "\"odd.number\":1.50");
            let body = format!(r#"{{"name":"c10","config":{config},"initial_state":"{state}"}}"#);
            expect(self.client.post("/connectors", Some(&body)).await, 201);
            self.worker.becomes("c10", becomes).await;
            let config = self.client.get("/connectors/c10/config").await.json();
            let given = ["errors.log.enable", "odd.number", "errors.retry.timeout"];
            let texts = given.map(|key| config[key].as_str().unwrap_or("none").to_owned());
            assert_eq!(texts, ["true", "1.50", "5"], "{config}");
            self.gone("c10").await;
        }
        let mut config = self.config(&json!({"name": "c10"}));
        config["odd"] = Value::Null;
        let path = format!("/connector-plugins/{CLASS}/config/validate");
        let judged = self.client.put(&path, Some(&config.to_string())).await;
        let json = expect(judged, 200).json();
        let configs = json["configs"].as_array().expect("a list");
        let odd = configs.iter().find(|one| one["value"]["name"] == "odd");
        let text = "Null value can not be supplied as the configuration value.";
        let errors = odd.map(|one| one["value"]["errors"].clone());
        assert_eq!(errors, Some(json!([text])), "{json}");
        let body = json!({"name": "c10", "config": config}).to_string();
        let refused = expect(self.client.post("/connectors", Some(&body)).await, 400);
        assert!(refused.error().contains(text), "{refused:?}");
    }

    pub(super) async fn trailing_slash_all(&self) {
        self.created_and_running("c11").await;
        for path in [
            "/connectors",
            "/connectors?expand=info",
            "/connectors/c11",
            "/connectors/c11/config",
            "/connectors/c11/tasks",
            "/connectors/c11/topics",
            "/connectors/nope",
            "/connectors/nope/status",
            "/connector-plugins",
        ] {
            let plain = self.client.get(path).await;
            let (before, query) = path.split_once('?').unwrap_or((path, ""));
            let slash = self.client.get(&format!("{before}/?{query}")).await;
            assert_eq!(plain.status, slash.status, "{path}");
            assert_eq!(plain.json(), slash.json(), "{path}");
        }
        expect(self.client.put("/connectors/c11/pause/", None).await, 202);
        expect(self.client.put("/connectors/c11/resume/", None).await, 202);
        self.gone("c11").await;
    }

    pub(super) async fn other_origins(&self) {
        let origin = [("Origin", ORIGIN)];
        for (path, status) in [("/connectors", 200), ("/connectors/nope", 404)] {
            let answer = expect(self.client.with("GET", path, &origin, None).await, status);
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some(ORIGIN), "{path}");
        }
        let elsewhere = [("Origin", "http://elsewhere.example")];
        let answer = self
            .client
            .with("GET", "/connectors", &elsewhere, None)
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let asks = [
            ("Origin", ORIGIN),
            ("Access-Control-Request-Method", "DELETE"),
            ("Access-Control-Request-Headers", "Content-Type"),
        ];
        let answer = self
            .client
            .with("OPTIONS", "/connectors", &asks, None)
            .await;
        let answer = expect(answer, 200);
        let methods = answer.header("access-control-allow-methods").unwrap_or("");
        assert!(methods.contains("DELETE"), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    }
}
