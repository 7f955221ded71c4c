//! Client libraries that other people wrote drive a worker, and requests are made from its own description.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::client_libraries::{self, Libraries};
use test_support::limits;
use test_support::managed_process::{ManagedProcess, ProcessSpec, Stream};

use crate::connect_worker::{Worker, expect};
use crate::support::{NEW, OLD, bootstrap, new_topic, pair, unique};

/// Longest run of a client.
const LIMIT: Duration = Duration::from_secs(240);
/// How long requests are made from the description, unless the environment says so.
const SHORT: usize = 10;

/// A file of the clients' folder.
pub(crate) fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    folder.join(name)
}

pub(crate) async fn installed(libraries: Libraries) -> PathBuf {
    let fetched = tokio::task::spawn_blocking(move || client_libraries::fetch(libraries)).await;
    fetched
        .expect("no panic")
        .unwrap_or_else(|error| panic!("{error}; `cargo xtask clients` installs them"))
}

/// Runs a client to its end; what it said is shown where it failed.
pub(crate) async fn succeeds(
    name: &str,
    program: PathBuf,
    arguments: &[String],
    worker: &Worker,
) -> String {
    let mut spec = ProcessSpec::new(name, program).arguments(arguments);
    // Some keep notes where they run.
    spec.directory = Some(worker.folder.path().to_owned());
    let process = ManagedProcess::start(spec).expect("it starts");
    let status = process.wait(LIMIT).await;
    let said = [Stream::Output, Stream::Error].map(|stream| process.lines().text(stream));
    let said = said.concat();
    match status {
        Ok(status) if status.success() => said,
        other => panic!(
            "{name}: {other:?}\n{said}\n== the worker ==\n{}",
            worker.log()
        ),
    }
}

/// A worker, a configuration that can run on it, and its topic.
async fn prepared() -> (Worker, Value, String) {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("driven");
    new_topic(source, &topic, 2, &[]).await;
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let config = json!({
        "connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "source.cluster.alias": "A",
        "target.cluster.alias": "B",
        "source.cluster.bootstrap.servers": bootstrap(source),
        "target.cluster.bootstrap.servers": bootstrap(destination),
        "topics": topic,
        "replication.factor": 1,
        "tasks.max": 2,
    });
    (worker, config, topic)
}

#[tokio::test(flavor = "multi_thread")]
async fn client_libraries_for_python_drive_a_worker_through_all_that_they_can_do() {
    let libraries = installed(Libraries::Python).await;
    let (worker, config, _) = prepared().await;
    let path = worker.folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).expect("written");
    let arguments = [
        file("drive.py").display().to_string(),
        format!("http://{}", worker.client.address),
        path.display().to_string(),
    ];
    let python = client_libraries::python(&libraries);
    let said = succeeds("clients for Python", python, &arguments, &worker).await;
    let calls = said.lines().filter(|line| line.starts_with("ok: ")).count();
    println!("{calls} checks");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_library_for_node_drives_a_worker_through_all_that_it_can_do() {
    let libraries = installed(Libraries::Node).await;
    let (worker, config, topic) = prepared().await;
    let path = worker.folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).expect("written");
    let (host, port) = worker.client.address.rsplit_once(':').expect("a port");
    let arguments = [
        file("drive.cjs").display().to_string(),
        libraries.display().to_string(),
        host.to_owned(),
        port.to_owned(),
        path.display().to_string(),
        topic,
    ];
    let node = client_libraries::node().expect("node");
    succeeds("client for Node", node, &arguments, &worker).await;
}

/// The two requests that workers send each other answer 500 outside of a group, with the words of Kafka Connect; they are
/// left out.
#[tokio::test(flavor = "multi_thread")]
async fn requests_made_from_the_workers_description_find_no_fault_of_it() {
    let libraries = installed(Libraries::Schemathesis).await;
    let (worker, config, _) = prepared().await;
    let body = json!({"name": "fuzzed", "config": config}).to_string();
    expect(worker.client.post("/connectors", Some(&body)).await, 201);
    worker.becomes("fuzzed", "RUNNING").await;
    let seconds = limits::seconds(SHORT).to_string();
    let url = format!("http://{}/openapi.json", worker.client.address);
    let settings = file("schemathesis.toml").display().to_string();
    let arguments = [
        "-m",
        "schemathesis.cli",
        "--no-color",
        "--config-file",
        &settings,
        "run",
        &url,
        "--max-time",
        &seconds,
        "--checks",
        "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance",
        "--exclude-path",
        "/connectors/{connector}/fence",
        "--exclude-operation-id",
        "postTasks",
        // An answer that takes longer is a hang.
        "--request-timeout",
        "20",
    ];
    let python = client_libraries::python(&libraries);
    let said = succeeds(
        "schemathesis",
        python,
        &arguments.map(str::to_owned),
        &worker,
    )
    .await;
    for line in said
        .lines()
        .filter(|line| line.contains("generated") || line.contains("Seed"))
    {
        println!("{}", line.trim());
    }
    expect(worker.client.get("/health").await, 200);
}
