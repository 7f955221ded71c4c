//! Wrong and hostile requests: the right code, bounded memory, a link that does not notice.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::connect_http::{Client, parse};
use crate::connect_worker::{SOON, Worker, expect};
use crate::support::{NEW, OLD, bootstrap, new_topic, pair, stored, unique, wait_for_offsets};
use crate::topics::send;

const NOWHERE: &str = "bootstrap.servers=127.0.0.1:1";
const MIB: u64 = 1024 * 1024;

/// 94 requests as four client libraries sent them.
fn recorded() -> Vec<Value> {
    let text = include_str!("connect_requests.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a request"))
        .collect()
}

/// The keys that the recorded configurations lack.
fn completed(method: &str, path: &str, body: &str) -> String {
    let is_config = path.ends_with("/config") && method == "PUT";
    let is_new = path == "/connectors" && method == "POST";
    if !is_config && !is_new {
        return body.to_owned();
    }
    let mut json: Value = serde_json::from_str(body).expect("JSON");
    let config = if is_new {
        &mut json["config"]
    } else {
        &mut json
    };
    for (key, value) in [
        ("source.cluster.alias", "A"),
        ("target.cluster.alias", "B"),
        ("source.cluster.bootstrap.servers", "127.0.0.1:1"),
        ("target.cluster.bootstrap.servers", "127.0.0.1:2"),
    ] {
        if config.get(key).is_none() {
            config[key] = json!(value);
        }
    }
    json.to_string()
}

/// What is expected beyond "no fault of the server".
fn expected(seq: u64) -> Option<u16> {
    Some(match seq {
        2 | 28 | 35 | 37 | 39 | 41 => 201,
        3 => 409,
        14 | 26 | 51 | 86 | 87 | 91 | 94 => 204,
        16 | 18 | 24 | 66 | 68 | 84 | 85 | 90 => 202,
        27 | 93 => 404,
        29 => 400,
        32..=34 | 36 | 38 | 40 | 58 | 60 | 62 | 76 | 78 | 89 | 92 => 200,
        _ => return None,
    })
}

/// As they were sent, without the keys that connectors require: what would create one is refused with a list of them.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_configurations_that_lack_required_keys_are_refused_with_their_names() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    let mut refused = 0;
    for request in recorded() {
        let text = |key: &str| request[key].as_str().expect("a text").to_owned();
        let (method, path) = (text("method"), text("path"));
        let Some(body) = request["body"].as_str() else {
            continue;
        };
        if completed(&method, &path, body) == body {
            continue;
        }
        let answer = worker.client.send(&method, &path, Some(body)).await;
        let said = expect(answer, 400).error();
        assert!(
            said.starts_with("Connector configuration is invalid and contains the following"),
            "{said}"
        );
        refused += 1;
    }
    assert!(refused > 5, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_requests_of_client_libraries_are_answered_as_they_expect() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    for request in recorded() {
        let text = |key: &str| request[key].as_str().expect("a text").to_owned();
        let (method, path) = (text("method"), text("path"));
        let seq = request["seq"].as_u64().expect("a number");
        let body = request["body"]
            .as_str()
            .map(|body| completed(&method, &path, body));
        let headers = request["headers"].as_object().expect("a map");
        let length = body.as_ref().map(|body| body.len().to_string());
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| {
                let given = value.as_str().expect("a text");
                match (name.as_str(), length.as_deref()) {
                    ("Content-Length", Some(length)) => (name.as_str(), length),
                    (name, _) => (name, given),
                }
            })
            .collect();
        let answer = worker
            .client
            .with(&method, &path, &headers, body.as_deref())
            .await;
        let what = format!("{seq} {method} {path}: {answer:?}");
        match expected(seq) {
            Some(status) => assert_eq!(answer.status, status, "{what}"),
            None => assert!(answer.status < 500, "{what}"),
        }
        if seq == 76 {
            assert!(answer.json().is_array(), "{what}");
        }
        if answer.status >= 400 {
            answer.error();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_get_the_right_code_and_take_no_memory() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    let client = &worker.client;
    let before = worker.process().usage().expect("it runs").resident;
    // Bodies of 10 MB, twenty at a time; some say so, some do not.
    let large = "x".repeat(10_000_000);
    let mut sending = JoinSet::new();
    for index in 0..20 {
        let (client, large) = (client.clone(), large.clone());
        sending.spawn(async move {
            let head = if index % 2 == 0 {
                format!("Content-Length: {}", large.len())
            } else {
                "Transfer-Encoding: chunked".to_owned()
            };
            let text = format!(
                "POST /connectors HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{head}\r\n\r\n"
            );
            let mut stream = TcpStream::connect(&client.address).await.expect("a connection");
            stream.write_all(text.as_bytes()).await.expect("sent");
            let body = if index % 2 == 0 {
                large
            } else {
                format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len())
            };
            // It may be refused before all of it is sent.
            let _ = stream.write_all(body.as_bytes()).await;
        });
    }
    while sending.join_next().await.is_some() {}
    let declared = "POST /connectors HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10000000\r\n\r\n";
    let answer = parse(&client.raw(declared.as_bytes()).await.expect("an answer"));
    assert_eq!(expect(answer, 413).error(), "HTTP 413 Payload Too Large");
    // Tricks with paths, and things that are no HTTP.
    for path in [
        "/..",
        "/connectors/..%2f..%2fetc",
        "/%00",
        "/connectors/%c0%ae",
        "/connectors/%",
    ] {
        let answer = client.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        answer.error();
    }
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x00\x00\x10",
    ] {
        let mut stream = TcpStream::connect(&client.address)
            .await
            .expect("a connection");
        stream.write_all(bytes).await.expect("sent");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    // The connection may be closed before all of it is read.
    let _ = client.raw(long.as_bytes()).await;
    let nested = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    expect(client.put("/connectors/c/config", Some(&nested)).await, 400);
    expect(client.get("/health").await, 200);
    let usage = worker.process().usage().expect("it runs");
    let grown = usage.peak_resident.saturating_sub(before) / MIB;
    println!("memory grew by {grown} MiB at most");
    assert!(grown < 160, "{grown} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_that_take_long_to_judge_hold_nobody_up() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    let client = &worker.client;
    let path = "/connector-plugins/MirrorSource/config/validate";
    let mut judging = JoinSet::new();
    for request in 0..6 {
        // Patterns that have to be compiled, each request's own.
        let patterns = (0..30).map(|n| format!("p{request}-{n}.+"));
        let topics = patterns.collect::<Vec<_>>().join(",");
        let body = json!({"connector.class": "MirrorSource", "topics": topics}).to_string();
        let client = client.clone();
        judging.spawn(async move { client.put(path, Some(&body)).await.status });
    }
    // All of them have begun when the first is done, and two are judged at the same time.
    let first = judging.join_next().await.expect("six").expect("no panic");
    assert_eq!(first, 200);
    let others = async {
        let mut answered = 0;
        while let Some(status) = judging.join_next().await {
            assert_eq!(status.expect("no panic"), 200);
            answered += 1;
        }
        answered
    };
    let asked = async {
        for _ in 0..3 {
            expect(client.get("/connectors").await, 200);
        }
    };
    tokio::pin!(others);
    tokio::select! {
        biased;
        () = asked => {}
        answered = &mut others => panic!("{answered} were answered before a list"),
    }
    assert_eq!(others.await, 5);
    // Where names are too long for what workers tell each other, or keys too many to look for each, nothing begins.
    let long = json!({"name": "n".repeat(10_000), "config": {"connector.class": "MirrorSource"}});
    let answer = client.post("/connectors", Some(&long.to_string())).await;
    assert!(expect(answer, 400).body.len() < 2_000);
    let keys: serde_json::Map<String, Value> =
        (0..6_000).map(|n| (format!("k{n}"), json!("x"))).collect();
    let many = Value::Object(keys).to_string();
    expect(client.put("/connectors/c/config", Some(&many)).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_that_come_at_the_same_time_are_all_made() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    let config = json!({
        "connector.class": "MirrorSource",
        "source.cluster.alias": "A",
        "source.cluster.bootstrap.servers": "127.0.0.1:2",
        "topics": "t",
    });
    let body = json!({"name": "patched", "config": config, "initial_state": "PAUSED"}).to_string();
    expect(worker.client.post("/connectors", Some(&body)).await, 201);
    let path = "/connectors/patched/config";
    let mut patching = JoinSet::new();
    for number in 0..20 {
        let client = worker.client.clone();
        patching.spawn(async move {
            let patch = json!({format!("key.{number}"): number}).to_string();
            client.send("PATCH", path, Some(&patch)).await.status
        });
    }
    while let Some(status) = patching.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
    let made = worker.client.get(path).await.json();
    for number in 0..20 {
        assert_eq!(made[format!("key.{number}")], number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_and_slow_bodies_keep_neither_others_waiting_nor_links() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("undisturbed");
    new_topic(source, &topic, 1, &[]).await;
    let link = format!(
        "name=undisturbed\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\n",
        bootstrap(source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[&link]).await;
    let client = &worker.client;
    let copy = stored(destination, &topic);
    send(source, &topic, 1, 100).await;
    wait_for_offsets(&copy, 100).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(&client.address)
            .await
            .expect("a connection");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHo")
            .await
            .expect("sent");
        idle.push(stream);
    }
    // Ten bodies that never arrive.
    for _ in 0..10 {
        let mut stream = TcpStream::connect(&client.address)
            .await
            .expect("a connection");
        let head =
            b"PUT /connectors/c/config HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                     Content-Length: 100\r\n\r\n{";
        stream.write_all(head).await.expect("sent");
        idle.push(stream);
    }
    let start = Instant::now();
    expect(client.get("/connectors").await, 200);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    send(source, &topic, 1, 100).await;
    let start = Instant::now();
    wait_for_offsets(&copy, 200).await;
    println!("copied after {:.2?}", start.elapsed());
    let mut asking = JoinSet::new();
    for _ in 0..200 {
        let client = client.clone();
        asking.spawn(async move { client.get("/connectors").await.status });
    }
    while let Some(status) = asking.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_are_known_may_ask_and_viewers_only_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("users.properties");
    std::fs::write(
        &users,
        "admin.basic.ann=secret\nviewer.bearer.graphs=token\n",
    )
    .expect("written");
    let lines = format!("{NOWHERE}\ntributary.rest.auth.file={}", users.display());
    let worker = Worker::tributary(&lines, &[]).await;
    let address = &worker.client.address;
    let with = |value: &str| {
        let mut client = Client::new(address.clone());
        client
            .headers
            .push(("Authorization".to_owned(), value.to_owned()));
        client
    };
    let unknown = expect(worker.client.get("/connectors").await, 401);
    assert!(unknown.header("www-authenticate").is_some(), "{unknown:?}");
    unknown.error();
    // ann:secret
    let admin = with("Basic YW5uOnNlY3JldA==");
    expect(admin.get("/connectors").await, 200);
    expect(admin.delete("/connectors/nope").await, 404);
    expect(with("Basic YW5uOndyb25n").get("/connectors").await, 401);
    let viewer = with("Bearer token");
    expect(viewer.get("/connectors").await, 200);
    expect(viewer.delete("/connectors/nope").await, 403).error();
    assert!(!worker.log().contains("secret"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_ask_where_that_is_configured() {
    let lines = format!(
        "{NOWHERE}\naccess.control.allow.origin=http://ui.example\naccess.control.allow.methods=GET,PUT,POST,DELETE\n\
         response.http.headers.config=set X-Frame-Options: DENY"
    );
    let worker = Worker::tributary(&lines, &[]).await;
    let origin = ("Origin", "http://ui.example");
    for method in ["PUT", "POST", "DELETE"] {
        let asked = [origin, ("Access-Control-Request-Method", method)];
        let answer = worker
            .client
            .with("OPTIONS", "/connectors", &asked, None)
            .await;
        let allowed = expect(answer, 200);
        let methods = allowed
            .header("access-control-allow-methods")
            .expect("methods");
        assert!(methods.contains(method), "{methods}");
    }
    for (path, status) in [("/connectors", 200), ("/connectors/nope", 404)] {
        let answer = expect(
            worker.client.with("GET", path, &[origin], None).await,
            status,
        );
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("http://ui.example")
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    let other = [("Origin", "http://evil.example")];
    let answer = worker.client.with("GET", "/connectors", &other, None).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let plain = Worker::tributary(NOWHERE, &[]).await;
    let answer = plain
        .client
        .with("GET", "/connectors", &[origin], None)
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connectors_are_listed_quickly() {
    let worker = Worker::tributary(NOWHERE, &[]).await;
    let client = &worker.client;
    for index in 0..1_000 {
        let config = json!({
            "connector.class": "MirrorSource",
            "source.cluster.alias": "A",
            "source.cluster.bootstrap.servers": "127.0.0.1:2",
            "topics": format!("t{index}"),
        });
        let body =
            json!({"name": format!("c{index:04}"), "config": config, "initial_state": "PAUSED"});
        expect(
            client.post("/connectors", Some(&body.to_string())).await,
            201,
        );
    }
    let settled = async || {
        let all = client.get("/connectors?expand=status").await.json();
        let all = all.as_object().expect("a map");
        let paused = all
            .values()
            .all(|one| one["status"]["connector"]["state"] == "PAUSED");
        if paused && all.len() == 1_000 {
            Ok(())
        } else {
            Err(all.len())
        }
    };
    eventually("all connectors", SOON, settled)
        .await
        .expect("they are there");
    for path in ["/connectors", "/connectors?expand=status&expand=info"] {
        let mut times = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            let answer = client
                .raw(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
                .await;
            answer.expect("an answer");
            times.push(start.elapsed());
        }
        times.sort();
        println!("{path}: median {:?}, p99 {:?}", times[50], times[98]);
    }
}
