//! Listeners of a worker: their addresses, and whose keys of TLS hold for them.

use std::path::PathBuf;

use config::report::{FileKind, report};
use config::resolve_worker;
use config::rest::{ClientAuth, RestConfig};
use config::security::Identity;

use crate::worker;

const POSITIONS: &str = "offset.storage.file.filename=p\nbootstrap.servers=a:1\n";

fn rest(lines: &str) -> (RestConfig, Vec<String>) {
    let (worker, notices) =
        resolve_worker(&worker(&format!("{POSITIONS}{lines}"))).expect("usable");
    let texts = notices.into_iter().map(|notice| notice.text);
    (worker.rest, texts.collect())
}

fn refused(lines: &str) -> Vec<String> {
    let problems = resolve_worker(&worker(&format!("{POSITIONS}{lines}"))).expect_err("not usable");
    problems.iter().map(ToString::to_string).collect()
}

fn store(rest: &RestConfig) -> Option<PathBuf> {
    match rest.tls.as_ref()?.settings.identity.as_ref()? {
        Identity::Store { store, .. } => Some(store.path.clone()),
        Identity::Inline { .. } => None,
    }
}

#[test]
fn listeners_have_the_workers_tls_unless_they_have_any_of_their_own() {
    let (shared, notices) =
        rest("listeners=http://:1,https://:2\nssl.keystore.location=/w\nssl.client.auth=required");
    assert_eq!(store(&shared), Some("/w".into()));
    assert_eq!(
        shared.tls.as_ref().map(|tls| tls.client_auth),
        Some(ClientAuth::Required)
    );
    assert_eq!(notices, [""; 0], "it has an effect");
    // As in Connect, one key of their own replaces all.
    let (own, _) = rest(
        "listeners=https://:2\nssl.keystore.location=/w\nssl.client.auth=required\n\
         listeners.https.ssl.keystore.location=/l",
    );
    assert_eq!(store(&own), Some("/l".into()));
    assert_eq!(
        own.tls.as_ref().map(|tls| tls.client_auth),
        Some(ClientAuth::None)
    );
    let (plain, _) = rest("listeners=http://:1\nlisteners.https.ssl.keystore.location=/l");
    assert_eq!(plain.tls, None);
    let (admin, _) = rest(
        "listeners=http://:1\nadmin.listeners=https://:3\nadmin.listeners.https.ssl.keystore.location=/a",
    );
    assert!(admin.tls.is_none() && admin.admin_tls.is_some());
}

#[test]
fn a_listener_with_tls_needs_an_identity() {
    assert_eq!(
        refused("listeners=https://:2"),
        [
            "ssl.keystore.location: a listener is https, and it is not said who it is; set it to a file with the private \
          key and its certificates (PEM, PKCS12 or JKS)"
        ]
    );
    let problems = refused(
        "listeners=https://:2\nlisteners.https.ssl.keystore.location=/l\nlisteners.https.ssl.client.auth=perhaps",
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].ends_with("choose one of none, requested, required"),
        "{problems:?}"
    );
}

#[test]
fn the_advertised_listener_is_one_that_is_served() {
    let both = "listeners=http://:1,https://:2\nssl.keystore.location=/w\n";
    let (rest, _) = rest(&format!("{both}rest.advertised.listener=https"));
    assert_eq!(rest.advertised_https, Some(true));
    let problems = refused("listeners=http://:1\nrest.advertised.listener=https");
    assert!(
        problems[0].contains("an address where nobody listens"),
        "{problems:?}"
    );
}

#[test]
fn keys_of_before_listeners_hold_where_there_are_none() {
    let (former, _) = rest("rest.host.name=h\nrest.port=99");
    assert_eq!(
        former
            .listeners
            .iter()
            .map(|one| (one.host.as_deref(), one.port))
            .collect::<Vec<_>>(),
        [(Some("h"), 99)]
    );
    let (newer, _) = rest("rest.host.name=h\nlisteners=http://:1");
    assert_eq!(newer.listeners[0].port, 1);
}

#[test]
fn secrets_of_listeners_are_not_shown() {
    let lines = format!(
        "{POSITIONS}listeners=https://:2\nlisteners.https.ssl.keystore.location=/l\nlisteners.https.ssl.keystore.password=hunter2"
    );
    let report = report(&worker(&lines), FileKind::Worker, None, false);
    assert!(!format!("{report:?}").contains("hunter2"));
}
