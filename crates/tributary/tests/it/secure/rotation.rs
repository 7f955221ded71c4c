//! Credentials that change while records are copied: nothing is lost, nothing is there twice, nothing is restarted.

use test_support::eventually::eventually;
use test_support::tools::{self, KafkaTools};

use super::preflight::Files;
use super::*;

/// Copies for a while over connections that have to be renewed again and again, and `change`s something in between.
pub(super) async fn copies_through(
    pair: &Pair,
    from: &Way,
    to: &Way,
    quiet: bool,
    change: impl AsyncFnOnce(&Pair),
) {
    let topic = unique("rotation");
    new_topic(&pair.source, &topic, PARTITIONS, &[]).await;
    let load = Load::new(pair.source.bootstrap(), &topic)
        .start(Generator::new(Shape::mixed(7, PARTITIONS)), 500);
    let process = replicate(pair, from, to, &topic)
        .with(&["--log-level", "debug"])
        .start();
    let copy = stored(&pair.destination, &topic);
    crate::support::wait_for_offsets(&copy, 500).await;
    change(pair).await;
    // sleeps because brokers close connections that have not authenticated anew after four seconds, which has to be
    // survived more than once.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let produced = load.stop().await.expect("all are acknowledged");
    let original = committed(&pair.source, &topic);
    let equal = judge::wait_until_digests_equal(&original, &copy, COPIED).await;
    let log = process.text(Stream::Error);
    equal.unwrap_or_else(|error| panic!("{error}\n{log}"));
    let verdict = compared(&original, &copy).await;
    assert!(verdict.is_equal(), "{verdict}\n{log}");
    println!("{} records are equal", produced.records());
    if quiet {
        assert_eq!(crate::support::loud(&log), Vec::<&str>::new(), "{log}");
    }
    no_secrets("rotation", &log);
    process.terminate().expect("it runs");
    let run = Run::to_end(&process).await;
    run.ended_with(0);
}

#[tokio::test]
async fn sessions_that_end_are_followed_by_new_ones_without_loss() {
    let pair = pair(NEW, NEW).await;
    let (from, to) = (bearer(&pair.material), plain(&pair.material));
    copies_through(&pair, &from, &to, true, async |_| {}).await;
}

#[tokio::test]
async fn certificates_tokens_and_passwords_are_replaced_while_records_are_copied() {
    let pair = pair(NEW, NEW).await;
    let material = &pair.material;
    let secrets = material.path("secrets.properties");
    certificates::write(&secrets, &format!("scram={SCRAM_PASSWORD}\n")).expect("written");
    let from = mutual(material);
    let variable = format!("${{file:{}:scram}}", secrets.display());
    // Between the change at the broker and the one in the file nobody can authenticate, and a session may end: that is
    // said, and nothing is lost.
    let to = Way {
        name: "SCRAM from a file",
        listener: Some("SASL"),
        settings: sasl("SASL_PLAINTEXT", "SCRAM-SHA-256", &password(&variable)),
    };
    copies_through(&pair, &from, &to, false, async |pair| {
        let client = pair.material.authority.issue("client", &["client.example"]);
        let client = client.expect("a certificate").pem();
        certificates::write(&pair.material.path("client.pem"), &client).expect("written");
        add_scram_user(&pair.destination, "SCRAM-SHA-256", "planted-changed-6Hb2")
            .await
            .expect("changed");
        certificates::write(&secrets, "scram=planted-changed-6Hb2\n").expect("written");
    })
    .await;
}

/// Gives a listener of all brokers another certificate while they run, with Kafka's own tool.
async fn present(cluster: &KafkaCluster, listener: &str, certificate: &Path) {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let location = certificate.display();
    let change = format!("listener.name.{listener}.ssl.keystore.location={location}");
    let bootstrap = cluster.bootstrap();
    for node in cluster.nodes() {
        let node = node.id().to_string();
        let whom = ["--entity-type", "brokers", "--entity-name", &node];
        let alter = ["--bootstrap-server", &bootstrap, "--alter", "--add-config"];
        let arguments = [&alter[..], &[&change], &whom].concat();
        let done = kafka.run(tools::CONFIG_COMMAND, &arguments).await;
        done.expect("changed");
    }
}

#[tokio::test]
async fn certificates_of_brokers_are_replaced_by_another_authority_while_records_are_copied() {
    let pair = pair(OLD, NEW).await;
    let way = plain(&pair.material);
    copies_through(&pair, &way, &way, true, async |pair| {
        let material = &pair.material;
        let next = Authority::new("The next authority").expect("an authority");
        // As it is done: first both are trusted, then brokers change, then only the new one is trusted.
        let both = format!("{}{}", material.authority.certificate(), next.certificate());
        certificates::write(&material.path("ca.pem"), &both).expect("written");
        let hosts = ["localhost", "127.0.0.1", "next.example"];
        let issued = next.issue("broker", &hosts);
        let path = material.path("next.pem");
        certificates::write(&path, &issued.expect("a certificate").pem()).expect("written");
        for cluster in [&pair.source, &pair.destination] {
            present(cluster, "both", &path).await;
        }
        let [from, to] = [&pair.source, &pair.destination].map(|cluster| addresses(cluster, &way));
        let settings = way.settings.as_str();
        let sides = [(from.as_str(), settings), (to.as_str(), settings)];
        let files = Files::new("seen", sides[0], sides[1], "topic.regex=nothing\n");
        eventually("the new certificates on both sides", COPIED, async || {
            let shown = files.preflight(&["-o", "json"]).await.output;
            match shown.matches("next.example").count() {
                2 => Ok(()),
                _ => Err(shown),
            }
        })
        .await
        .expect("brokers take them");
        certificates::write(&material.path("ca.pem"), next.certificate()).expect("written");
    })
    .await;
}
