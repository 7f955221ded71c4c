//! Secrets in every form there is, planted and searched for in everything that the program puts out: its streams at the
//! most talkative level, every answer of its REST API, every command, its files, and the topics of both clusters.

use std::collections::BTreeSet;
use std::ffi::OsString;

use serde_json::{Value, json};
use test_support::managed_process::ProcessSpec;
use test_support::token_issuer::{CLIENT_ID, CLIENT_SECRET, TokenEndpoint};
use test_support::tributary_process::TributaryProcess;

use super::*;
use crate::connect_http::{Answer, Client};
use crate::connect_worker::{SOON, expect};

const CLASS: &str = "io.confluent.connect.replicator.ReplicatorSourceConnector";
const ADMIN: &str = "planted-admin-8Vd3";
const VIEWER: &str = "planted-viewer-1Pk6";

/// The planted scene: files of a worker and of links whose secrets come from everywhere.
struct Planted {
    pair: Pair,
    endpoint: TokenEndpoint,
    folder: tempfile::TempDir,
    topic: String,
}

impl Planted {
    async fn new() -> Self {
        let pair = pair(NEW, NEW).await;
        let endpoint = TokenEndpoint::start(&pair.material.issuer, 3_600, None).await;
        let this = Self {
            pair,
            endpoint: endpoint.expect("a port"),
            folder: tempfile::tempdir().expect("a folder"),
            topic: unique("secrets"),
        };
        load(&this.pair.source, &this.topic, 77).await;
        this
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        certificates::write(&path, text).expect("written");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What processes find in their environment.
    fn environment(&self) -> Vec<(String, OsString)> {
        let modules = format!(
            "KafkaClient {{ {MODULES}.scram.ScramLoginModule required {}; }};\n",
            password(SCRAM_PASSWORD)
        );
        let modules = self.write("client.jaas", &modules);
        let java = format!("-Djava.security.auth.login.config={modules}");
        [
            ("KAFKA_OPTS", java),
            ("PLANTED_OAUTH", CLIENT_SECRET.to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "planted-aws-6Gr5".to_owned()),
            ("AWS_SESSION_TOKEN", "planted-session-0Nf2".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .to_vec()
    }

    fn program(&self, arguments: &[String]) -> TributaryProcess {
        let mut spec = ProcessSpec::new("tributary", env!("CARGO_BIN_EXE_tributary"))
            .arguments(arguments.iter().map(String::as_str));
        spec.environment = self.environment();
        TributaryProcess::start_spec(spec).expect("the program starts")
    }

    /// The worker's file: the destination with a password in a file, and who may ask.
    fn worker(&self) -> String {
        let users = format!("admin.basic.ann={ADMIN}\nviewer.bearer.graphs={VIEWER}\n");
        let users = self.write("users", &users);
        let secrets = self.write("secrets", &format!("scram={SCRAM_PASSWORD}\n"));
        let settings = sasl(
            "SASL_PLAINTEXT",
            "SCRAM-SHA-256",
            &password(&format!("${{file:{secrets}:scram}}")),
        );
        let to = self
            .pair
            .destination
            .bootstrap_of("SASL")
            .expect("it is there");
        let topic = &self.topic;
        self.write(
            "worker",
            &format!(
                "bootstrap.servers={to}\n{settings}listeners=http://127.0.0.1:0\ntributary.rest.auth.file={users}\n\
                 tributary.rest.hide.secrets=true\noffset.storage.topic={topic}.offsets\n\
                 offset.storage.replication.factor=1\noffset.flush.interval.ms=1000\n"
            ),
        )
    }

    /// Settings of sources, by the name of the link.
    fn sources(&self) -> Vec<(&'static str, &'static str, String)> {
        let material = &self.pair.material;
        let trusting = trusting(material);
        let store = material.path("planted.jks");
        certificates::key_store(&store, StoreForm::Jks, "client", "planted-key-5Zt1")
            .expect("a key store");
        let of_store = format!(
            "ssl.keystore.location={}\nssl.keystore.password=planted-wrong-store\nssl.key.password=planted-key-5Zt1\n",
            store.display()
        );
        let bearer = format!("clientId=\"{CLIENT_ID}\" clientSecret=\"${{env:PLANTED_OAUTH}}\"");
        let token = format!(
            "sasl.oauthbearer.token.endpoint.url={}\n",
            self.endpoint.url()
        );
        let aws = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=AWS_MSK_IAM\n\
                   sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;\n";
        let plain = |secret: &str| sasl("SASL_SSL", "PLAIN", &password(secret));
        vec![
            (
                "literal",
                "BOTH",
                format!("{}{trusting}", plain(PLAIN_PASSWORD)),
            ),
            (
                "token",
                "BOTH",
                format!(
                    "{}{trusting}{token}",
                    sasl("SASL_SSL", "OAUTHBEARER", &bearer)
                ),
            ),
            (
                "java",
                "SASL",
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n".to_owned(),
            ),
            (
                "refused",
                "BOTH",
                format!("{}{trusting}", plain("planted-wrong-9")),
            ),
            (
                "store",
                "MUTUAL",
                format!("security.protocol=SSL\n{trusting}{of_store}"),
            ),
            ("aws", "SASL", aws.to_owned()),
        ]
    }

    /// The configuration of a link, by key.
    fn link(&self, name: &str, listener: &str, settings: &str) -> Value {
        let from = self
            .pair
            .source
            .bootstrap_of(listener)
            .expect("it is there");
        let mut config = json!({
            "name": name,
            "connector.class": CLASS,
            "src.kafka.bootstrap.servers": from,
            "topic.whitelist": self.topic,
            "topic.rename.format": format!("{name}.${{topic}}"),
        });
        for line in settings.lines() {
            let (key, value) = line.split_once('=').expect("a setting");
            config[format!("src.kafka.{key}")] = value.into();
        }
        config
    }

    fn file(&self, config: &Value) -> String {
        let pairs = config.as_object().expect("a map").iter();
        let text: String = pairs
            .map(|(key, value)| format!("{key}={}\n", value.as_str().expect("a text")))
            .collect();
        self.write(config["name"].as_str().expect("a text"), &text)
    }
}

/// Asks everything there is about links, in the name of the administrator.
async fn everything(client: &Client, names: &[&str]) -> Vec<(String, Answer)> {
    let mut paths: Vec<String> = [
        "/",
        "/health",
        "/openapi.json",
        "/connectors",
        "/connectors?expand=info&expand=status",
        "/connector-plugins?connectorsOnly=false",
        "/connector-plugins/ReplicatorSourceConnector/config",
        "/admin/loggers",
        "/metrics",
    ]
    .map(str::to_owned)
    .to_vec();
    for name in names {
        let parts = [
            "",
            "/config",
            "/status",
            "/tasks",
            "/tasks-config",
            "/offsets",
            "/topics",
        ];
        paths.extend(parts.map(|part| format!("/connectors/{name}{part}")));
        paths.push(format!("/connectors/{name}/tasks/0/status"));
    }
    let mut answers = Vec::new();
    for path in paths {
        let answer = client.get(&path).await;
        answers.push((path, answer));
    }
    answers
}

/// Requests that are wrong, each with a secret in it.
async fn wrong_requests(client: &Client, mut config: Value) -> Vec<(String, Answer)> {
    let jaas = "src.kafka.sasl.jaas.config";
    config["src.kafka.ssl.keystore.password"] = "planted-x".into();
    config["src.kafka.ssl.key.password"] = "planted-x".into();
    let right = config.to_string();
    config[jaas] = "planted-jaas required password=planted-x".into();
    let text = config.to_string();
    config[jaas] = json!(["planted-list"]);
    let list = config.to_string();
    let cut = text[..text.len() - 4].to_owned();
    let mut answers = Vec::new();
    for (path, body) in [
        ("/connectors/wrong/config", &text),
        ("/connectors/wrong/config", &list),
        ("/connectors/wrong/config", &cut),
        (
            "/connector-plugins/ReplicatorSourceConnector/config/validate",
            &text,
        ),
        (
            "/connector-plugins/ReplicatorSourceConnector/config/validate",
            &right,
        ),
        (
            "/connector-plugins/ReplicatorSourceConnector/config/validate",
            &cut,
        ),
    ] {
        answers.push((format!("PUT {path}"), client.put(path, Some(body)).await));
    }
    let patch = json!({jaas: "planted-patch"}).to_string();
    let answer = client.patch("/connectors/literal/config", &patch).await;
    answers.push(("PATCH".to_owned(), answer));
    answers
}

fn as_user(client: &Client, value: &str) -> Client {
    let mut client = client.clone();
    client.headers = vec![("Authorization".to_owned(), value.to_owned())];
    client
}

fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        test_support::token_issuer::base64(&format!("{user}:{password}"))
    )
}

/// Every command about a link's files, as text and as a document.
async fn commands(planted: &Planted, files: &[String]) {
    let worker = planted.path("worker");
    for file in files {
        for output in ["table", "json"] {
            let with = |words: &[&str]| -> Vec<String> {
                let all = [words, &["-o", output, "--log-level", "trace"]].concat();
                all.iter().map(|word| (*word).to_owned()).collect()
            };
            for arguments in [
                with(&["validate", "-f", file, "-f", &worker]),
                with(&["config", "check", file, "--all"]),
                with(&["preview", "-f", file, "--worker", &worker]),
                with(&["preflight", "-f", file, "--worker", &worker]),
                with(&["verify", "-f", file, "--worker", &worker]),
            ] {
                let run = Run::to_end(&planted.program(&arguments)).await;
                assert_ne!(run.code(), 2, "{arguments:?}: {run}");
                no_secrets(
                    &arguments.join(" "),
                    &format!("{}{}", run.output, run.error),
                );
            }
        }
    }
}

/// Everything below a folder that is not one of these files.
fn files_below(folder: &Path, given: &BTreeSet<String>) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files_below(&path, given));
        } else if !given.contains(&path.display().to_string()) {
            found.push(path);
        }
    }
    found
}

/// The first three copy, the others have failed.
async fn as_expected(planted: &Planted, client: &Client, names: &[&str]) {
    for name in &names[..3] {
        let copy = stored(
            &planted.pair.destination,
            &format!("{name}.{}", planted.topic),
        );
        crate::support::wait_for_offsets(&copy, RECORDS as i64).await;
    }
    for name in &names[3..] {
        let path = format!("/connectors/{name}/status");
        let failed = async || {
            let json = client.get(&path).await.json();
            match json["connector"]["state"] == "FAILED" {
                true => Ok(()),
                false => Err(json),
            }
        };
        test_support::eventually::eventually("a failure", SOON, failed)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_is_put_out() {
    let planted = Planted::new().await;
    let worker = planted.worker();
    let sources = planted.sources();
    let links: Vec<Value> = sources
        .iter()
        .map(|(name, listener, settings)| planted.link(name, listener, settings))
        .collect();
    let files: Vec<String> = links.iter().map(|link| planted.file(link)).collect();
    let mut arguments = vec!["standalone".to_owned(), worker];
    arguments.extend(["--progress", "off", "--log-level", "trace"].map(str::to_owned));
    // One of them is made by a request.
    arguments.extend(files[1..].iter().cloned());
    let process = planted.program(&arguments);
    let line = process.expect_line("listening at http://", COPIED).await;
    let line = line.unwrap_or_else(|error| panic!("{error}"));
    let (_, address) = line.text.split_once("http://").expect("an address");
    let nobody = Client::new(address.trim());
    let client = as_user(&nobody, &basic("ann", ADMIN));
    let body = json!({"name": "literal", "config": links[0]}).to_string();
    let created = expect(client.post("/connectors", Some(&body)).await, 201);
    no_secrets("POST /connectors", &created.body);

    let names: Vec<&str> = sources.iter().map(|(name, ..)| *name).collect();
    as_expected(&planted, &client, &names).await;
    let mut answers = everything(&client, &names).await;
    answers.extend(wrong_requests(&client, planted.link("wrong", "BOTH", &sources[0].2)).await);
    let wrong = as_user(&nobody, &basic("ann", "planted-wrong-admin"));
    answers.push(("as nobody".to_owned(), wrong.get("/connectors").await));
    let viewer = as_user(&nobody, &format!("Bearer {VIEWER}"));
    answers.push((
        "as viewer".to_owned(),
        viewer.get("/connectors/literal/config").await,
    ));
    for (path, answer) in &answers {
        let headers = format!("{:?}", answer.headers);
        no_secrets(path, &format!("{headers}{}", answer.body));
    }
    println!("{} answers without a secret", answers.len());
    let config = client.get("/connectors/literal/config").await.json();
    assert_eq!(config["src.kafka.sasl.jaas.config"], "[hidden]");
    let config = client.get("/connectors/token/config").await.json();
    let shown = config["src.kafka.sasl.jaas.config"]
        .as_str()
        .expect("a text");
    assert!(shown.contains("${env:PLANTED_OAUTH}"), "{shown}");

    commands(&planted, &files).await;
    process.terminate().expect("it runs");
    let run = Run::to_end(&process).await;
    println!("{} bytes of log without a secret", run.error.len());
    no_secrets("standalone", &format!("{}{}", run.output, run.error));
    positions_in_a_file(&planted, &files[0]).await;
    let planted_ones = [
        PLAIN_PASSWORD,
        SCRAM_PASSWORD,
        CLIENT_SECRET,
        "planted-",
        "PRIVATE KEY-----",
    ];
    for cluster in [&planted.pair.source, &planted.pair.destination] {
        for secret in planted_ones {
            let found = logs_with(cluster, secret.as_bytes());
            // The brokers' own record of users has no password in this form either.
            assert_eq!(found, Vec::<std::path::PathBuf>::new(), "{secret}");
        }
    }
}

/// The same with positions in a file; whatever the program leaves behind is searched.
async fn positions_in_a_file(planted: &Planted, link: &str) {
    let worker = std::fs::read_to_string(planted.path("worker")).expect("written");
    let kept = |line: &&str| !line.starts_with("offset.storage.");
    let lines: Vec<&str> = worker.lines().filter(kept).collect();
    let positions = planted.path("positions");
    let text = format!(
        "{}\noffset.storage.file.filename={positions}\n",
        lines.join("\n")
    );
    let worker = planted.write("worker-2", &text);
    let given: BTreeSet<String> = files_below(planted.folder.path(), &BTreeSet::new())
        .into_iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut arguments = vec!["standalone".to_owned(), worker, link.to_owned()];
    arguments.extend(["--until-caught-up", "--hold", "1s"].map(str::to_owned));
    arguments.extend(["--log-level", "trace", "--log-format", "json"].map(str::to_owned));
    let run = Run::to_end(&planted.program(&arguments)).await;
    let run = run.ended_with(0);
    no_secrets("JSON log", &format!("{}{}", run.output, run.error));
    let left = files_below(planted.folder.path(), &given);
    assert!(
        left.iter().any(|path| path.ends_with("positions")),
        "{left:?}"
    );
    for path in left {
        let bytes = std::fs::read(&path).expect("readable");
        no_secrets(
            &path.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
}
