//! Clusters with TLS and SASL, on the source, on the destination and on both: copies are complete, judged through the
//! listeners in plain text; wrong things are refused with the sentence that helps; no secret is in any output.

use std::path::Path;
use std::time::Duration;

use test_support::certificates::{self, Authority, STORE_PASSWORD, StoreForm};
use test_support::judge;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::KafkaVersion;
use test_support::managed_process::Stream;
use test_support::secure_cluster::{
    PLAIN_PASSWORD, SCRAM_PASSWORD, SecureMaterial, USER, add_scram_user,
};
use test_support::workload::{Generator, Load, Shape};

use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, committed, compared, new_topic, stored, unique,
};

mod expiry;
mod hostile;
mod kerberos;
mod missing;
mod oauth;
mod preflight;
mod refused;
mod rotation;
mod secrets;

const PARTITIONS: i32 = 2;
const RECORDS: usize = 800;

/// Two secure clusters of the given versions and what is needed to reach them.
struct Pair {
    material: SecureMaterial,
    source: KafkaCluster,
    destination: KafkaCluster,
}

async fn pair(source: KafkaVersion, destination: KafkaVersion) -> Pair {
    let material = SecureMaterial::new().expect("certificates");
    let builders = [
        material.builder("secure-source", source),
        material.builder("secure-destination", destination),
    ];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let (one, other) = tokio::join!(
        add_scram_user(&source, "SCRAM-SHA-512", SCRAM_PASSWORD),
        add_scram_user(&destination, "SCRAM-SHA-256", SCRAM_PASSWORD),
    );
    one.and(other).expect("users");
    Pair {
        material,
        source,
        destination,
    }
}

/// How one side is reached: a listener, and client settings as they stand in a file.
#[derive(Clone)]
struct Way {
    name: &'static str,
    listener: Option<&'static str>,
    settings: String,
}

const MODULES: &str = "org.apache.kafka.common.security";

fn plaintext() -> Way {
    Way {
        name: "PLAINTEXT",
        listener: None,
        settings: String::new(),
    }
}

fn trusting(material: &SecureMaterial) -> String {
    format!(
        "ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        material.path("ca.pem").display()
    )
}

/// A client certificate, everything in PEM.
fn mutual(material: &SecureMaterial) -> Way {
    let client = material.path("client.pem");
    Way {
        name: "SSL, PEM",
        listener: Some("MUTUAL"),
        settings: format!(
            "security.protocol=SSL\n{}ssl.keystore.type=PEM\nssl.keystore.location={}\n",
            trusting(material),
            client.display()
        ),
    }
}

fn sasl(protocol: &str, mechanism: &str, options: &str) -> String {
    let module = match mechanism {
        "PLAIN" => "plain.PlainLoginModule",
        "OAUTHBEARER" => "oauthbearer.OAuthBearerLoginModule",
        _ => "scram.ScramLoginModule",
    };
    format!(
        "security.protocol={protocol}\nsasl.mechanism={mechanism}\n\
         sasl.jaas.config={MODULES}.{module} required {options};\n"
    )
}

fn password(password: &str) -> String {
    format!("username=\"{USER}\" password=\"{password}\"")
}

fn plain(material: &SecureMaterial) -> Way {
    let settings = sasl("SASL_SSL", "PLAIN", &password(PLAIN_PASSWORD));
    Way {
        name: "SASL_SSL, PLAIN",
        listener: Some("BOTH"),
        settings: format!("{settings}{}", trusting(material)),
    }
}

fn scram_plaintext(mechanism: &'static str) -> Way {
    Way {
        name: mechanism,
        listener: Some("SASL"),
        settings: sasl("SASL_PLAINTEXT", mechanism, &password(SCRAM_PASSWORD)),
    }
}

/// A token from a file.
fn bearer(material: &SecureMaterial) -> Way {
    let token = material.path("token");
    certificates::write(&token, &material.issuer.token(3_600)).expect("written");
    Way {
        name: "SASL_SSL, OAUTHBEARER",
        listener: Some("BOTH"),
        settings: oauth_settings(
            material,
            "",
            &format!(
                "sasl.oauthbearer.token.endpoint.url=file://{}\n",
                token.display()
            ),
        ),
    }
}

fn oauth_settings(material: &SecureMaterial, options: &str, more: &str) -> String {
    let settings = sasl("SASL_SSL", "OAUTHBEARER", options);
    format!("{settings}{}{more}", trusting(material))
}

fn addresses(cluster: &KafkaCluster, way: &Way) -> String {
    match way.listener {
        None => cluster.bootstrap(),
        Some(listener) => cluster
            .bootstrap_of(listener)
            .expect("there is such a listener"),
    }
}

/// `replicate` with a file of settings on each side.
fn replicate(pair: &Pair, from: &Way, to: &Way, topics: &str) -> Replicate {
    let id = unique("link");
    let file = |side: &str, way: &Way| {
        let path = pair.material.path(&format!("{side}-{id}.properties"));
        certificates::write(&path, &way.settings).expect("written");
        path.display().to_string()
    };
    let (from_file, to_file) = (file("from", from), file("to", to));
    Replicate::between(
        &addresses(&pair.source, from),
        &addresses(&pair.destination, to),
        topics,
    )
    .with(&["--name", &id, "--progress", "off"])
    .with(&["--from-config", &from_file, "--to-config", &to_file])
}

async fn load(cluster: &KafkaCluster, topic: &str, seed: u64) {
    new_topic(cluster, topic, PARTITIONS, &[]).await;
    let records = Generator::new(Shape::mixed(seed, PARTITIONS)).take(RECORDS);
    let load = Load::new(cluster.bootstrap(), topic);
    load.send(records).await.expect("all are acknowledged");
}

/// Copies a topic over these ways, and compares.
async fn copies(pair: &Pair, from: &Way, to: &Way, seed: u64) -> Run {
    let topic = unique("secure");
    load(&pair.source, &topic, seed).await;
    let run = replicate(pair, from, to, &topic)
        .with(&["--log-level", "trace"])
        .until_caught_up()
        .await;
    let what = format!("{} → {}", from.name, to.name);
    assert_eq!(run.code(), 0, "{what}: {run}");
    let verdict = compared(
        &committed(&pair.source, &topic),
        &stored(&pair.destination, &topic),
    )
    .await;
    assert!(verdict.is_equal(), "{what}: {verdict}");
    assert_eq!(verdict.destination, RECORDS as u64, "{what}");
    println!("{what}: {} records are equal", verdict.destination);
    no_secrets(&what, &run.output);
    no_secrets(&what, &run.error);
    run
}

/// Everything that was planted.
fn no_secrets(what: &str, text: &str) {
    for secret in [PLAIN_PASSWORD, SCRAM_PASSWORD, STORE_PASSWORD, "planted-"] {
        assert!(!text.contains(secret), "{what}: {secret} is shown:\n{text}");
    }
    // Tokens and keys.
    for begin in ["eyJ", "PRIVATE KEY-----"] {
        assert!(!text.contains(begin), "{what}: {begin} is shown:\n{text}");
    }
}

async fn every_way(source: KafkaVersion, destination: KafkaVersion) {
    let pair = pair(source, destination).await;
    let material = &pair.material;
    let ways = [
        (mutual(material), plaintext()),
        (plaintext(), scram_plaintext("SCRAM-SHA-256")),
        (plain(material), mutual(material)),
        (scram_plaintext("SCRAM-SHA-512"), bearer(material)),
        (bearer(material), plain(material)),
    ];
    for (seed, (from, to)) in (1_u64..).zip(&ways) {
        copies(&pair, from, to, seed).await;
    }
    files_of_links(&pair).await;
    for secret in [PLAIN_PASSWORD, SCRAM_PASSWORD, STORE_PASSWORD] {
        let found = logs_with(&pair.destination, secret.as_bytes());
        assert_eq!(
            found,
            Vec::<std::path::PathBuf>::new(),
            "{secret} is in the destination's topics"
        );
    }
}

/// A worker whose own settings hold for the destination, and a link with its source's behind a prefix; the worker's
/// provider has the password.
async fn files_of_links(pair: &Pair) {
    let topic = unique("standalone");
    load(&pair.source, &topic, 21).await;
    let write = |name: &str, text: &str| {
        let path = pair.material.path(name);
        certificates::write(&path, text).expect("written");
        path.display().to_string()
    };
    write("password", &format!("{PLAIN_PASSWORD}\n"));
    let directory = pair.material.directory().display();
    let variable = password(&format!("${{secrets:{directory}:password}}"));
    let settings = format!(
        "{}{}",
        sasl("SASL_SSL", "PLAIN", &variable),
        trusting(&pair.material)
    );
    let prefixed: String = settings
        .lines()
        .map(|line| format!("src.kafka.{line}\n"))
        .collect();
    let to = pair.destination.bootstrap_of("BOTH").expect("a listener");
    let from = pair.source.bootstrap_of("BOTH").expect("a listener");
    let provider = "org.apache.kafka.common.config.provider.DirectoryConfigProvider";
    let worker = write(
        "worker.properties",
        &format!(
            "bootstrap.servers={to}\n{settings}offset.storage.topic={topic}.offsets\n\
             offset.storage.replication.factor=1\nconfig.providers=secrets\n\
             config.providers.secrets.class={provider}\nconfig.providers.secrets.param.allowed.paths={directory}\n"
        ),
    );
    let class = "io.confluent.connect.replicator.ReplicatorSourceConnector";
    let link = write(
        "link.properties",
        &format!(
            "name={topic}\nconnector.class={class}\nsrc.kafka.bootstrap.servers={from}\n{prefixed}\
             topic.whitelist={topic}\n"
        ),
    );
    let mut arguments = vec!["standalone".to_owned(), worker, link];
    arguments
        .extend(["--until-caught-up", "--hold", "1s", "--log-level", "trace"].map(str::to_owned));
    let run = Run::to_end(&crate::support::program(&arguments))
        .await
        .ended_with(0);
    let copy = stored(&pair.destination, &topic);
    let verdict = compared(&committed(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict}");
    println!(
        "files with a provider: {} records are equal",
        verdict.destination
    );
    no_secrets("standalone", &format!("{}{}", run.output, run.error));
}

/// The broker's log files of all topics in which these bytes stand.
fn logs_with(cluster: &KafkaCluster, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for node in cluster.nodes() {
        let partitions = std::fs::read_dir(node.data_directory()).expect("a data directory");
        for partition in partitions.map(|entry| entry.expect("readable").path()) {
            let Ok(files) = std::fs::read_dir(&partition) else {
                continue;
            };
            for file in files.map(|entry| entry.expect("readable").path()) {
                let is_log = file.extension().is_some_and(|extension| extension == "log");
                let content = if is_log {
                    std::fs::read(&file).expect("readable")
                } else {
                    vec![]
                };
                if content.windows(bytes.len()).any(|window| window == bytes) {
                    found.push(file);
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn a_4_3_cluster_is_copied_over_tls_and_sasl_on_either_side_and_both() {
    every_way(NEW, NEW).await;
}

#[tokio::test]
async fn a_3_9_cluster_is_copied_over_tls_and_sasl_on_either_side_and_both() {
    every_way(OLD, OLD).await;
}

#[tokio::test]
async fn stores_that_keytool_made_are_read_with_a_password_of_their_own_for_the_key() {
    let material = SecureMaterial::new().expect("certificates");
    let mut trusted = material.authority.certificate().to_owned();
    let mut ways = Vec::new();
    for (form, name, key_password) in [
        (StoreForm::Jks, "client-jks", "planted-key-5Zt1"),
        // In PKCS12 keytool has one password for both.
        (StoreForm::Pkcs12, "client-p12", STORE_PASSWORD),
    ] {
        let keys = material.path(name);
        let trust = material.path(&format!("trust-{name}"));
        let certificate =
            certificates::key_store(&keys, form, name, key_password).expect("a key store");
        trusted.push_str(&certificate);
        material
            .authority
            .trust_store(&trust, form)
            .expect("a trust store");
        ways.push(Way {
            name,
            listener: Some("MUTUAL"),
            settings: format!(
                "security.protocol=SSL\nssl.truststore.location={}\nssl.truststore.password={STORE_PASSWORD}\n\
                 ssl.keystore.location={}\nssl.keystore.password={STORE_PASSWORD}\nssl.key.password={key_password}\n",
                trust.display(),
                keys.display(),
            ),
        });
    }
    certificates::write(&material.path("ca.pem"), &trusted).expect("written");
    let users = "User:ANONYMOUS;User:CN=client-jks;User:CN=client-p12";
    let builder = |name| material.builder(name, NEW).property("super.users", users);
    let builders = [builder("stores-source"), builder("stores-destination")];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let pair = Pair {
        material,
        source,
        destination,
    };
    copies(&pair, &ways[0], &ways[1], 11).await;
    copies(&pair, &ways[1], &ways[0], 12).await;
}
