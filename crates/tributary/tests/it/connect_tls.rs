//! Listeners with TLS, asked by curl: who is trusted gets in, who has to show a certificate and has none does not, and
//! certificates that are replaced hold for the next connection.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use test_support::certificates::{Authority, STORE_PASSWORD, StoreForm, key_store};
use test_support::client_libraries;
use test_support::eventually::eventually;

use crate::connect_worker::{SOON, Worker};
use crate::support::{Run, program};

/// What curl said: its exit code, the status, and head and body.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    status: u16,
    text: String,
}

async fn curl(arguments: &[&str]) -> Said {
    let mut command = Command::new(client_libraries::curl().expect("curl"));
    command
        .args(["--silent", "--show-error", "--include", "--max-time", "30"])
        .args(["--write-out", "\n%{http_code}"])
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.rsplit('\n').next().and_then(|line| line.parse().ok());
    Said {
        code: output.status.code(),
        status: status.unwrap_or(0),
        text: text + &String::from_utf8_lossy(&output.stderr),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    // In one step, as those do who replace certificates.
    let fresh = folder.join(format!("{name}.new"));
    std::fs::write(&fresh, text).expect("written");
    std::fs::rename(&fresh, &path).expect("renamed");
    path.display().to_string()
}

/// Addresses of the listeners with TLS, in the order of the configuration.
fn secure(worker: &Worker) -> Vec<String> {
    let log = worker.log();
    let lines = log.lines();
    lines
        .filter_map(|line| line.split_once("listening at https://"))
        .map(|(_, rest)| rest.split(',').next().unwrap_or("").trim().to_owned())
        .collect()
}

/// A worker with two listeners with TLS, and what its callers show and trust.
struct Scene {
    worker: Worker,
    folder: PathBuf,
    /// Addresses of the listener for clients, which have to show a certificate, and of that for administration, where
    /// they may.
    main: String,
    admin: String,
    strangers: Authority,
    /// Files: who issued the worker's certificate, who issues the next, a client's, a stranger's.
    known: String,
    later: String,
    ours: String,
    foreign: String,
}

fn issue(authority: &Authority, name: &str) -> String {
    let issued = authority.issue(name, &["127.0.0.1", "localhost"]);
    issued.expect("a certificate").pem()
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().to_owned();
        let [servers, clients, strangers] = ["servers", "clients", "strangers"]
            .map(|name| Authority::new(name).expect("an authority"));
        let trusted = write(&at, "clients.pem", clients.certificate());
        let own = write(&at, "worker.pem", &issue(&servers, "worker"));
        let text = format!(
            "listeners=http://127.0.0.1:0,https://127.0.0.1:0\nadmin.listeners=https://127.0.0.1:0\n\
             rest.advertised.listener=https\nrest.advertised.host.name=worker.example\n\
             bootstrap.servers=127.0.0.1:1\noffset.storage.file.filename={}\n\
             listeners.https.ssl.keystore.location={own}\nlisteners.https.ssl.truststore.location={trusted}\n\
             listeners.https.ssl.client.auth=required\nssl.keystore.location={own}\nssl.truststore.location={trusted}\n\
             ssl.client.auth=requested\n",
            at.join("positions").display()
        );
        let worker = Worker::of_files(folder, &text, &[]).await;
        let [main, admin] = secure(&worker).try_into().expect("two listeners");
        Self {
            worker,
            main,
            admin,
            known: write(&at, "servers.pem", servers.certificate()),
            later: write(&at, "strangers.pem", strangers.certificate()),
            ours: write(&at, "ann.pem", &issue(&clients, "ann")),
            foreign: write(&at, "eve.pem", &issue(&strangers, "eve")),
            strangers,
            folder: at,
        }
    }

    /// What curl is told that trusts the worker, and shows this certificate.
    fn with<'a>(&'a self, certificate: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let shown = ["--cacert", &self.known, "--cert", certificate];
        [&shown, more].concat()
    }

    async fn lets_in_whom_it_knows(&self) {
        let url = format!("https://{}/connectors", self.main);
        for more in [vec![&*url], vec!["--tls-max", "1.2", &url]] {
            let said = curl(&self.with(&self.ours, &more)).await;
            assert_eq!(said.status, 200, "{said:?}");
        }
        let other = ["--cacert", &self.later, "--cert", &self.ours, &url];
        for (name, arguments) in [
            ("no certificate", vec!["--cacert", &self.known, &url]),
            ("a stranger's", self.with(&self.foreign, &[&url])),
            ("an unknown server", other.to_vec()),
            (
                "the oldest TLS",
                self.with(&self.ours, &["--tls-max", "1.1", &url]),
            ),
        ] {
            let refused = curl(&arguments).await;
            assert!(
                refused.status == 0 && refused.code != Some(0),
                "{name}: {refused:?}"
            );
        }
        // Plain HTTP on it is no request, and does it no harm.
        let plain = curl(&[&format!("http://{}/connectors", self.main)]).await;
        assert!(plain.status == 0 || plain.status == 400, "{plain:?}");
    }

    /// The program's own commands, as curl.
    async fn answers_commands(&self) {
        let url = format!("https://{}", self.main);
        let known = ["--ca-file", &self.known, "--cert", &self.ours];
        for (what, more, code) in [
            ("one that is known", &known[..], 0),
            ("one without a certificate", &known[..2], 1),
            ("one that does not know the worker", &known[2..], 1),
        ] {
            let all = [&["get", "connectors", "--url", &url], more].concat();
            let all: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
            let run = Run::to_end(&program(&all)).await;
            assert_eq!(run.code(), code, "{what}: {run}");
            // What can be done is said in this program's words.
            let told = code == 0 || run.error.contains("--ca-file") || run.error.contains("--cert");
            assert!(told, "{what}: {run}");
        }
    }

    /// A place is told as it was asked for, and the worker by the listener that is advertised.
    async fn tells_where_things_are(&self) {
        let url = format!("https://{}/connectors", self.main);
        let body = r#"{"name":"c","config":{"connector.class":"MirrorSource","source.cluster.alias":"A","topics":"t",
                       "source.cluster.bootstrap.servers":"127.0.0.1:2"},"initial_state":"PAUSED"}"#;
        let json = "Content-Type: application/json";
        let request = ["--header", json, "--data", body, &url];
        let made = curl(&self.with(&self.ours, &request)).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert!(made.text.contains(&format!("{url}/c")), "{made:?}");
        let status = self.worker.client.get("/connectors/c/status").await.json();
        let (_, port) = self.main.rsplit_once(':').expect("a port");
        assert_eq!(
            status["connector"]["worker_id"],
            format!("worker.example:{port}")
        );
    }

    /// Administration has its own listener, with the worker's TLS: a certificate may be missing, not be a stranger's.
    async fn is_administered_elsewhere(&self) {
        let loggers = format!("https://{}/admin/loggers", self.admin);
        for (arguments, status) in [
            (vec!["--cacert", &self.known, &loggers], 200),
            (self.with(&self.ours, &[&loggers]), 200),
            (self.with(&self.foreign, &[&loggers]), 0),
        ] {
            let said = curl(&arguments).await;
            assert_eq!(said.status, status, "{arguments:?}: {said:?}");
        }
        let elsewhere = format!("https://{}/connectors", self.admin);
        let elsewhere = curl(&["--cacert", &self.known, &elsewhere]).await;
        assert_eq!(elsewhere.status, 404, "{elsewhere:?}");
        let loggers = self.worker.client.get("/admin/loggers").await;
        assert_eq!(loggers.status, 404);
    }

    async fn takes_new_certificates(&self) {
        let url = format!("https://{}/connectors", self.main);
        let fresh = issue(&self.strangers, "worker");
        write(&self.folder, "worker.pem", &fresh);
        let renewed = async || {
            let said = curl(&["--cacert", &self.later, "--cert", &self.ours, &url]).await;
            if said.status == 200 {
                Ok(())
            } else {
                Err(said)
            }
        };
        let shown = eventually("the new certificate", SOON, renewed).await;
        shown.unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
        // One that cannot be read changes nothing.
        write(
            &self.folder,
            "worker.pem",
            "-----BEGIN CERTIFICATE-----\nhalf",
        );
        let said = async || {
            let log = self.worker.log();
            let found = log.contains("cannot be used, the former ones stay");
            found.then_some(()).ok_or(log)
        };
        eventually("the warning", SOON, said)
            .await
            .expect("it is said");
        renewed().await.expect("the former one stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_with_tls_let_in_whom_they_know_and_take_new_certificates() {
    let scene = Scene::new().await;
    scene.lets_in_whom_it_knows().await;
    scene.answers_commands().await;
    scene.tells_where_things_are().await;
    scene.is_administered_elsewhere().await;
    scene.takes_new_certificates().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_take_the_stores_of_java() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().to_owned();
    let store = |form: StoreForm| {
        let path = at.join(format!("{form:?}"));
        key_store(&path, form, "worker", STORE_PASSWORD).expect("a store");
        path.display().to_string()
    };
    let text = format!(
        "listeners=http://127.0.0.1:0,https://127.0.0.1:0\nadmin.listeners=https://127.0.0.1:0\n\
         bootstrap.servers=127.0.0.1:1\noffset.storage.file.filename={}\n\
         ssl.keystore.location={}\nssl.keystore.password={STORE_PASSWORD}\n\
         admin.listeners.https.ssl.keystore.location={}\n\
         admin.listeners.https.ssl.keystore.password={STORE_PASSWORD}\n",
        at.join("positions").display(),
        store(StoreForm::Jks),
        store(StoreForm::Pkcs12),
    );
    let worker = Worker::of_files(folder, &text, &[]).await;
    let [main, admin] = secure(&worker).try_into().expect("two listeners");
    for url in [
        format!("https://{main}/connectors"),
        format!("https://{admin}/admin/loggers"),
    ] {
        // keytool's certificates sign themselves; who trusts which authority is the other test's matter.
        let said = curl(&["--insecure", &url]).await;
        assert_eq!(said.status, 200, "{said:?}");
    }
    assert!(!worker.log().contains(STORE_PASSWORD));
}
