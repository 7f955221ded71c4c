//! `/api/v1` of a living worker: every answer has the shape that its own OpenAPI document states, and says what is so.

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::judge;
use test_support::workload::{Generator, Load, Shape};

use crate::connect_http::Client;
use crate::connect_worker::{SOON, Worker, expect};
use crate::support::{COPIED, NEW, OLD, bootstrap, committed, new_topic, pair, unique};

const SEED: u64 = 31_337;
const EACH: usize = 500;

/// Says what of a value is not as a schema of the document states; a member that it does not know counts too.
pub(crate) fn differences(
    value: &Value,
    schema: &Value,
    document: &Value,
    at: &str,
    all: &mut Vec<String>,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#'));
        let schema = schema.unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return differences(value, schema, document, at, all);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut found = Vec::new();
            differences(value, choice, document, at, &mut found);
            found.is_empty()
        });
        if !fits {
            all.push(format!("{at}: {value} fits none of its choices"));
        }
        return;
    }
    if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
        all.push(format!("{at}: {value} is not {constant}"));
    }
    if let Some(values) = schema["enum"].as_array().filter(|all| !all.contains(value)) {
        all.push(format!("{at}: {value} is none of {values:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"));
    if !kinds.is_empty() && !fits {
        all.push(format!("{at}: {value} is no {kinds:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        differences(item, &schema["items"], document, &format!("{at}[]"), all);
    }
    let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap_or("")) {
            all.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, member) in members {
        match properties.get(name) {
            Some(schema) => differences(member, schema, document, &format!("{at}.{name}"), all),
            None => all.push(format!("{at}.{name} is not described")),
        }
    }
}

/// Asks, and fails unless the answer is as the document describes it.
async fn asked(client: &Client, document: &Value, template: &str, path: &str) -> Value {
    let answer = expect(client.get(path).await, 200).json();
    let pointer = format!(
        "/paths/{}/get/responses/200/content/application~1json/schema",
        template.replace('~', "~0").replace('/', "~1")
    );
    let schema = document.pointer(&pointer);
    let schema = schema.unwrap_or_else(|| panic!("{template} is not described"));
    let mut found = Vec::new();
    differences(&answer, schema, document, "", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{path}: {answer:#}");
    answer
}

async fn healthy(worker: &Worker, link: &str, health: &str) -> Value {
    let look = async || {
        let answer = worker.client.get(&format!("/api/v1/links/{link}")).await;
        let json = answer.json();
        match json["health"] == health {
            true => Ok(json),
            false => Err(answer.body),
        }
    };
    eventually(&format!("{link} to be {health}"), COPIED, look)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_api_is_as_its_document_says_and_true() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("shown");
    new_topic(source, &topic, 3, &[]).await;
    Load::new(source.bootstrap(), &topic)
        .send(Generator::new(Shape::mixed(SEED, 3)).take(EACH))
        .await
        .expect("acknowledged");
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let link = format!(
        "name=to show\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         source.cluster.alias=west\ntopic.whitelist={topic}\ntopic.poll.interval.ms=1000\ntasks.max=2\n",
        bootstrap(source)
    );
    let worker = Worker::tributary(&lines, &[&link]).await;
    let client = &worker.client;
    let document = expect(client.get("/openapi.json").await, 200).json();
    let one = healthy(&worker, "to%20show", "HEALTHY").await;
    assert_eq!(one["lag"]["records"], 0, "{one:#}");
    let by_path = |path: &str| {
        path.replace("{link}", "to%20show")
            .replace("{topic}", &topic)
            .replace("{partition}", "1")
            .replace("{worker}", &client.address)
    };
    let mut answers = std::collections::BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        if path.starts_with("/api/v1/") && item.get("get").is_some() && !path.ends_with("/events") {
            let answer = asked(client, &document, path, &by_path(path)).await;
            answers.insert(path.trim_start_matches("/api/v1").to_owned(), answer);
        }
    }
    // Exact names select: how many topics are left out was not looked at.
    assert_eq!(
        answers["/links/{link}"]["topics"]["excluded"],
        Value::Null,
        "{one:#}"
    );
    // What another client reads at the source is what is said of it.
    let marks = judge::watermarks(&committed(source, &topic))
        .await
        .expect("readable");
    let rows = answers["/links/{link}/topics/{topic}/partitions"]["items"]
        .as_array()
        .expect("partitions");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let number = i32::try_from(row["partition"].as_i64().expect("a number")).expect("small");
        let end = json!(marks[&number].end);
        assert_eq!(
            (&row["source_end_offset"], &row["acked_offset"]),
            (&end, &end),
            "{row}"
        );
        assert!(row["task"].is_u64(), "{row}");
    }
    let health = &answers["/links/{link}/health"];
    assert!(
        health["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .all(|check| check["verdict"] == "PASS"),
        "{health:#}"
    );
    let clusters = &answers["/clusters"];
    assert_eq!(clusters["total"], 2, "{clusters:#}");
    assert!(
        clusters["items"][0]["cluster_id"].is_string(),
        "{clusters:#}"
    );
    assert_eq!(one["source"]["alias"], "west", "{one:#}");
    let topics = &answers["/topics"];
    assert_eq!(topics["total"], 1, "{topics:#}");
    assert_eq!(
        topics["items"][0]["topic"],
        json!(topic),
        "the same as the link's own: {topics:#}"
    );
    tasks_tell_since_when_and_how_far(&answers["/links/{link}/tasks"]);
    a_change_is_told_with_what_became_another(&worker, &document).await;
    stands_still_and_is_never_green(&worker).await;
    refused(&worker, &document).await;
}

/// Two tasks that have copied everything.
fn tasks_tell_since_when_and_how_far(answer: &Value) {
    let tasks = answer["items"].as_array();
    let tasks = tasks.expect("tasks");
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        assert!(task["since"].is_string(), "{task:#}");
        assert_eq!(
            (&task["lag"]["known"], &task["lag"]["records"]),
            (&json!(true), &json!(0)),
            "{task:#}"
        );
    }
}

/// A changed configuration is in the list of activity, key by key.
async fn a_change_is_told_with_what_became_another(worker: &Worker, document: &Value) {
    let client = &worker.client;
    let path = "/connectors/to%20show/config";
    let mut config = expect(client.get(path).await, 200).json();
    config["tributary.health.lag.seconds"] = json!("90");
    expect(client.put(path, Some(&config.to_string())).await, 200);
    let look = async || {
        let answer = client.get("/api/v1/activity?kind=configure").await;
        match answer.json()["total"] == 1 {
            true => Ok(answer.json()),
            false => Err(answer.body),
        }
    };
    let told = eventually("the change to be taken down", SOON, look).await;
    let told = told.expect("it is");
    let schema = json!({"$ref": "#/components/schemas/ActivityList"});
    let mut found = Vec::new();
    differences(&told, &schema, document, "", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{told:#}");
    assert_eq!(
        told["items"][0]["diff"],
        json!([{"key": "tributary.health.lag.seconds", "before": null, "after": "90"}]),
        "{told:#}"
    );
}

/// A paused link is neutral, and what is not known of it is null.
async fn stands_still_and_is_never_green(worker: &Worker) {
    let client = &worker.client;
    expect(client.put("/connectors/to%20show/pause", None).await, 202);
    let paused = healthy(worker, "to%20show", "PAUSED").await;
    assert_eq!(
        (&paused["lag"]["known"], &paused["lag"]["records"]),
        (&json!(false), &Value::Null),
        "{paused:#}"
    );
    assert_eq!(paused["topics"]["total"], Value::Null);
    expect(
        client.get("/api/v1/links/to%20show/health?as=status").await,
        503,
    );
    let look = async || {
        let answer = client.get("/api/v1/activity?kind=pause").await;
        match answer.json()["total"] == 1 {
            true => Ok(()),
            false => Err(answer.body),
        }
    };
    eventually("the pause to be taken down", SOON, look)
        .await
        .expect("it is");
}

/// What is wrong with a request is said.
async fn refused(worker: &Worker, document: &Value) {
    let client = &worker.client;
    for (path, status) in [
        ("/api/v1/links/nobody", 404),
        ("/api/v1/links/nobody/topics", 404),
        ("/api/v1/links?limit=x", 400),
        ("/api/v1/links?colour=red", 400),
        ("/api/v1/nothing", 404),
        ("/api/v1/links/%zz", 400),
    ] {
        let answer = expect(client.get(path).await, status).json();
        assert_eq!(answer["error_code"], status, "{answer}");
    }
    expect(client.put("/api/v1/links", Some("{}")).await, 405);
    let body = r#"{"link":"to show"}"#;
    let preflight = expect(client.post("/api/v1/preflight", Some(body)).await, 200).json();
    let mut found = Vec::new();
    let schema = json!({"$ref": "#/components/schemas/Preflight"});
    differences(&preflight, &schema, document, "", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{preflight:#}");
    assert_eq!(preflight["ready"], true, "{preflight:#}");
    let steps = preflight["steps"].as_array().expect("steps");
    for side in ["source", "destination"] {
        assert!(steps.iter().any(|step| step["side"] == side), "{side}");
    }
    let preview = expect(client.post("/api/v1/preview", Some(body)).await, 200).json();
    let mut found = Vec::new();
    let schema = json!({"$ref": "#/components/schemas/Preview"});
    differences(&preview, &schema, document, "", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{preview:#}");
    let rows = preview["rows"].as_array().expect("rows");
    assert!(
        rows.iter()
            .any(|row| row["decision"] == "match" && row["action"] == "exists"),
        "{preview:#}"
    );
    let body =
        r#"{"text":"TopicAuthorizationException: Not authorized to access topics: [orders]"}"#;
    let explained = expect(client.post("/api/v1/explain", Some(body)).await, 200).json();
    assert_eq!(explained["items"][0]["id"], "topic-authorization");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("users.properties");
    std::fs::write(&users, "admin.basic.ann=secret\nviewer.bearer.vic=token\n").expect("written");
    let lines = format!("tributary.rest.auth.file={}", users.display());
    let worker = Worker::tributary(&lines, &[]).await;
    let mut client = worker.client.clone();
    expect(client.get("/api/v1/links").await, 401);
    let header = ("Authorization".to_owned(), "Bearer token".to_owned());
    client.headers.push(header);
    let whoami = expect(client.get("/api/v1/whoami").await, 200).json();
    assert_eq!(
        (&whoami["user"], &whoami["role"]),
        (&json!("vic"), &json!("viewer"))
    );
    expect(client.get("/api/v1/overview").await, 200);
    let text = r#"{"text":"Connection refused"}"#;
    expect(client.post("/api/v1/explain", Some(text)).await, 200);
    let all = expect(client.get("/api/v1/explain").await, 200).json();
    let ids = all["items"].as_array().expect("a list").iter();
    let ids: Vec<&str> = ids.filter_map(|one| one["id"].as_str()).collect();
    assert!(ids.contains(&"topic-authorization"), "{ids:?}");
    expect(client.post("/api/v1/links/x:refresh", None).await, 403);
    let config = r#"{"config":{"connector.class":"ReplicatorSourceConnector"}}"#;
    expect(client.post("/api/v1/preview", Some(config)).await, 403);
    expect(client.post("/api/v1/preflight", Some(config)).await, 403);
    let link = r#"{"link":"x"}"#;
    expect(client.post("/api/v1/preflight", Some(link)).await, 404);
    expect(client.post("/api/v1/preview", Some(link)).await, 404);
}
