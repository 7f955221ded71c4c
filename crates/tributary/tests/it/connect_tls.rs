//! Listeners with TLS, asked by curl: who is trusted gets in, who has to show a certificate and has none does not, and
//! certificates that are replaced hold for the next connection.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use test_support::certificates::{Authority, STORE_PASSWORD, StoreForm, key_store};
use test_support::client_libraries;
use test_support::eventually::eventually;

use crate::connect_worker::{SOON, Worker};

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

/// A worker with listeners of all kinds, and certificates of those who may and may not get in.
struct Served {
    worker: Worker,
    folder: PathBuf,
    strangers: Authority,
    /// Who signs the worker's certificate, and who does later.
    known: String,
    later: String,
    ours: String,
    foreign: String,
    main: String,
    admin: String,
}

fn issue(authority: &Authority, name: &str) -> String {
    let issued = authority.issue(name, &["127.0.0.1", "localhost"]);
    issued.expect("a certificate").pem()
}

impl Served {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().to_owned();
        let servers = Authority::new("servers").expect("an authority");
        let clients = Authority::new("clients").expect("an authority");
        let strangers = Authority::new("strangers").expect("an authority");
        let trusted = write(&at, "clients.pem", clients.certificate());
        let own = write(&at, "worker.pem", &issue(&servers, "worker"));
        let text = format!(
            "listeners=http://127.0.0.1:0,https://127.0.0.1:0\nadmin.listeners=https://127.0.0.1:0\n\
             rest.advertised.listener=https\nrest.advertised.host.name=worker.example\n\
             bootstrap.servers=127.0.0.1:1\noffset.storage.file.filename={}\n\
             listeners.https.ssl.keystore.location={own}\nlisteners.https.ssl.truststore.location={trusted}\n\
             listeners.https.ssl.client.auth=required\nssl.keystore.location={own}\n\
             ssl.truststore.location={trusted}\nssl.client.auth=requested\n",
            at.join("positions").display()
        );
        let worker = Worker::of_files(folder, &text, &[]).await;
        let [main, admin] = secure(&worker).try_into().expect("two listeners");
        Self {
            known: write(&at, "servers.pem", servers.certificate()),
            later: write(&at, "strangers.pem", strangers.certificate()),
            ours: write(&at, "ann.pem", &issue(&clients, "ann")),
            foreign: write(&at, "eve.pem", &issue(&strangers, "eve")),
            worker,
            folder: at,
            strangers,
            main,
            admin,
        }
    }

    fn url(&self) -> String {
        format!("https://{}/connectors", self.main)
    }

    /// Asks as somebody who may get in.
    async fn ask(&self, trusting: &str, more: &[&str]) -> Said {
        let url = self.url();
        let who = ["--cacert", trusting, "--cert", &self.ours];
        curl(&[&who, more, &[url.as_str()]].concat()).await
    }

    /// Waits until the worker shows a certificate of the later authority.
    async fn shows_another_certificate(&self) {
        let renewed = async || {
            let said = self.ask(&self.later, &[]).await;
            if said.status == 200 {
                Ok(())
            } else {
                Err(said)
            }
        };
        let shown = eventually("the new certificate", SOON, renewed).await;
        shown.unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_with_tls_let_in_whom_they_know() {
    let served = Served::new().await;
    let (known, url) = (served.known.as_str(), served.url());
    let in_order = served.ask(known, &[]).await;
    assert_eq!(in_order.status, 200, "{in_order:?}");
    let old = served.ask(known, &["--tls-max", "1.2"]).await;
    assert_eq!(old.status, 200, "{old:?}");
    let foreign = served.foreign.as_str();
    for (name, said) in [
        ("no certificate", curl(&["--cacert", known, &url]).await),
        (
            "a stranger's",
            curl(&["--cacert", known, "--cert", foreign, &url]).await,
        ),
        ("an unknown server", served.ask(&served.later, &[]).await),
        ("old TLS", served.ask(known, &["--tls-max", "1.1"]).await),
    ] {
        assert!(said.status == 0 && said.code != Some(0), "{name}: {said:?}");
    }
    // A place is told as it was asked for, and the worker by the listener that is advertised.
    let body = r#"{"name":"c","config":{"connector.class":"MirrorSource","source.cluster.alias":"A","topics":"t",
                   "source.cluster.bootstrap.servers":"127.0.0.1:2"},"initial_state":"PAUSED"}"#;
    let json = "Content-Type: application/json";
    let made = served.ask(known, &["--header", json, "--data", body]).await;
    assert_eq!(made.status, 201, "{made:?}");
    let place = format!("https://{}/connectors/c", served.main);
    assert!(made.text.contains(&place), "{made:?}");
    let status = served.worker.client.get("/connectors/c/status").await;
    let (_, port) = served.main.rsplit_once(':').expect("a port");
    assert_eq!(
        status.json()["connector"]["worker_id"],
        format!("worker.example:{port}")
    );
    // Plain HTTP on it is no request, and does it no harm.
    let plain = curl(&[&format!("http://{}/connectors", served.main)]).await;
    assert!(plain.status == 0 || plain.status == 400, "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_has_listeners_of_its_own_and_new_certificates_hold_at_once() {
    let served = Served::new().await;
    let (known, admin) = (served.known.as_str(), &served.admin);
    // With the worker's TLS: a certificate may be missing, and must not be a stranger's.
    let loggers = format!("https://{admin}/admin/loggers");
    let (ours, foreign) = (served.ours.as_str(), served.foreign.as_str());
    for (more, status) in [
        (&[][..], 200),
        (&["--cert", ours][..], 200),
        (&["--cert", foreign][..], 0),
    ] {
        let said = curl(&[&["--cacert", known], more, &[&loggers]].concat()).await;
        assert_eq!(said.status, status, "{more:?}: {said:?}");
    }
    let elsewhere = format!("https://{admin}/connectors");
    let elsewhere = curl(&["--cacert", known, &elsewhere]).await;
    assert_eq!(elsewhere.status, 404, "{elsewhere:?}");
    let here = served.worker.client.get("/admin/loggers").await;
    assert_eq!(here.status, 404);

    let own = issue(&served.strangers, "worker");
    write(&served.folder, "worker.pem", &own);
    served.shows_another_certificate().await;
    // One that cannot be read changes nothing.
    let half = "-----BEGIN CERTIFICATE-----\nhalf";
    write(&served.folder, "worker.pem", half);
    let said = async || {
        let log = served.worker.log();
        let found = log.contains("cannot be used, the former ones stay");
        found.then_some(()).ok_or(log)
    };
    let said = eventually("the warning", SOON, said).await;
    said.expect("it is said");
    served.shows_another_certificate().await;
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
