//! GSSAPI against a real key distribution center, with real brokers on both sides.

use std::ffi::OsString;
use std::path::PathBuf;

use test_support::kdc::{Kdc, REALM};
use test_support::managed_process::ProcessSpec;
use test_support::tributary_process::TributaryProcess;

use super::*;

const MODULE: &str = "com.sun.security.auth.module.Krb5LoginModule";
const LISTENER: &str = "KERBEROS";
/// Brokers advertise this name, so it is what their principal has.
const SERVICE: &str = "kafka/127.0.0.1";

/// A cluster with a listener that takes tickets of the realm.
fn with_tickets(kdc: &Kdc, name: &str, version: KafkaVersion, key_table: &Path) -> ClusterBuilder {
    let prefix = "listener.name.kerberos.";
    let server = format!(
        "{MODULE} required useKeyTab=true storeKey=true keyTab=\"{}\" principal=\"{SERVICE}@{REALM}\";",
        key_table.display()
    );
    KafkaCluster::builder()
        .name(name)
        .version(version)
        .authorizer()
        .property("super.users", "User:ANONYMOUS;User:link")
        .property("connections.max.reauth.ms", "4000")
        .jvm_option(&format!(
            "-Djava.security.krb5.conf={}",
            kdc.configuration().display()
        ))
        .listener(LISTENER, "SASL_PLAINTEXT")
        .property(&format!("{prefix}sasl.enabled.mechanisms"), "GSSAPI")
        .property(&format!("{prefix}sasl.kerberos.service.name"), "kafka")
        .property(&format!("{prefix}gssapi.sasl.jaas.config"), &server)
}

/// Client settings with these options of the login module.
fn settings(options: &str, service: &str, more: &str) -> String {
    format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=GSSAPI\nsasl.kerberos.service.name={service}\n\
         sasl.jaas.config={MODULE} required {options};\n{more}"
    )
}

fn key_table(file: &Path) -> String {
    format!(
        "useKeyTab=true storeKey=true keyTab=\"{}\" principal=\"link@{REALM}\"",
        file.display()
    )
}

/// The program with the realm's settings.
fn started(kdc: &Kdc, run: &Replicate, more: &[&str]) -> TributaryProcess {
    let settings = ("KRB5_CONFIG".to_owned(), kdc.configuration().into());
    started_with(kdc, run, more, settings)
}

fn started_with(
    kdc: &Kdc,
    run: &Replicate,
    more: &[&str],
    settings: (String, OsString),
) -> TributaryProcess {
    let arguments = run.arguments().iter().map(String::as_str);
    let mut spec = ProcessSpec::new("tributary", env!("CARGO_BIN_EXE_tributary"))
        .arguments(arguments.chain(more.iter().copied()));
    spec.environment = vec![
        settings,
        // Nobody's own tickets.
        (
            "KRB5CCNAME".to_owned(),
            OsString::from(format!("FILE:{}", kdc.path("nobody").display())),
        ),
    ];
    TributaryProcess::start_spec(spec).expect("the program starts")
}

struct Realm {
    kdc: Kdc,
    link: PathBuf,
    pair: Pair,
}

async fn realm(source: KafkaVersion, destination: KafkaVersion, life: &str) -> Realm {
    let kdc = Kdc::start().await.expect("a key distribution center");
    let broker = kdc
        .key_table(SERVICE, "10 hours", "broker.keytab")
        .expect("a principal");
    let link = kdc
        .key_table("link", life, "link.keytab")
        .expect("a principal");
    let builders = [
        with_tickets(&kdc, "tickets-source", source, &broker),
        with_tickets(&kdc, "tickets-destination", destination, &broker),
    ];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let pair = Pair {
        material: SecureMaterial::new().expect("a directory"),
        source,
        destination,
    };
    Realm { kdc, link, pair }
}

fn way(name: &'static str, settings: String) -> Way {
    Way {
        name,
        listener: Some(LISTENER),
        settings,
    }
}

#[tokio::test]
async fn clusters_are_copied_with_tickets_of_a_key_table_and_of_a_cache() {
    let Realm { kdc, link, pair } = realm(OLD, NEW, "10 hours").await;
    let cache = kdc.tickets("link", &link, "tickets").expect("tickets");
    let from_cache = format!("useTicketCache=true ticketCache=\"{}\"", cache.display());
    let (table, cached) = (
        way("key table", settings(&key_table(&link), "kafka", "")),
        way("ticket cache", settings(&from_cache, "kafka", "")),
    );
    for (seed, (from, to)) in (1_u64..).zip([(&table, &cached), (&cached, &table)]) {
        let topic = unique("tickets");
        load(&pair.source, &topic, seed).await;
        let run = replicate(&pair, from, to, &topic).with(&["--log-level", "trace"]);
        let process = started(&kdc, &run, &["--until-caught-up", "--hold", "1s"]);
        Run::to_end(&process).await.ended_with(0);
        let verdict = compared(
            &committed(&pair.source, &topic),
            &stored(&pair.destination, &topic),
        )
        .await;
        assert!(verdict.is_equal(), "{verdict}");
        assert_eq!(verdict.destination, RECORDS as u64);
        println!("{} → {}: {} records are equal", from.name, to.name, RECORDS);
    }
    as_java_programs_are_told(&kdc, &pair, &key_table(&link)).await;
}

/// Login module and settings of Kerberos stand in files that `KAFKA_OPTS` names, and nowhere else.
async fn as_java_programs_are_told(kdc: &Kdc, pair: &Pair, options: &str) {
    let modules = kdc.path("client.jaas");
    let text = format!(
        "KafkaServer {{ x.Y required; }};\nKafkaClient {{\n  {MODULE} required {options};\n}};\n"
    );
    certificates::write(&modules, &text).expect("written");
    let silent = way(
        "KAFKA_OPTS",
        "security.protocol=SASL_PLAINTEXT\nsasl.kerberos.service.name=kafka\n".to_owned(),
    );
    let topic = unique("tickets");
    load(&pair.source, &topic, 3).await;
    let run = replicate(pair, &silent, &silent, &topic);
    let java = format!(
        "-Xmx1g -Djava.security.krb5.conf={} -Djava.security.auth.login.config={}",
        kdc.configuration().display(),
        modules.display()
    );
    let ends = ["--until-caught-up", "--hold", "1s"];
    let process = started_with(kdc, &run, &ends, ("KAFKA_OPTS".to_owned(), java.into()));
    Run::to_end(&process).await.ended_with(0);
    let copy = stored(&pair.destination, &topic);
    let verdict = compared(&committed(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict}");
    assert_eq!(verdict.destination, RECORDS as u64);
}

#[tokio::test]
async fn sessions_and_tickets_that_end_are_followed_by_new_ones_without_loss() {
    let Realm { kdc, link, pair } = realm(NEW, NEW, "10 seconds").await;
    let often = "sasl.kerberos.min.time.before.relogin=1000\n\
                 sasl.kerberos.ticket.renew.window.factor=0.5\n";
    let way = way("key table", settings(&key_table(&link), "kafka", often));
    let topic = unique("tickets");
    new_topic(&pair.source, &topic, PARTITIONS, &[]).await;
    let load = Load::new(pair.source.bootstrap(), &topic)
        .start(Generator::new(Shape::mixed(7, PARTITIONS)), 500);
    let run = replicate(&pair, &way, &way, &topic).with(&["--log-level", "debug"]);
    let process = started(&kdc, &run, &[]);
    let copy = stored(&pair.destination, &topic);
    crate::support::wait_for_offsets(&copy, 500).await;
    // sleeps because brokers close connections that have not authenticated anew after four seconds, and tickets live
    // ten: both have to be survived more than once.
    tokio::time::sleep(Duration::from_secs(24)).await;
    let produced = load.stop().await.expect("all are acknowledged");
    let original = committed(&pair.source, &topic);
    let equal = judge::wait_until_digests_equal(&original, &copy, COPIED).await;
    let log = process.text(Stream::Error);
    equal.unwrap_or_else(|error| panic!("{error}\n{log}"));
    let verdict = compared(&original, &copy).await;
    assert!(verdict.is_equal(), "{verdict}\n{log}");
    assert_eq!(crate::support::loud(&log), Vec::<&str>::new(), "{log}");
    let logins = log.matches("logged in to Kerberos").count();
    println!("{} records are equal, {logins} logins", produced.records());
    // Two clusters, tickets of ten seconds renewed after five.
    assert!((4..=20).contains(&logins), "{logins} logins\n{log}");
    process.terminate().expect("it runs");
    Run::to_end(&process).await.ended_with(0);
}

#[tokio::test]
async fn what_is_wrong_with_tickets_is_said_with_its_remedy() {
    let kdc = Kdc::start().await.expect("a key distribution center");
    let broker = kdc
        .key_table(SERVICE, "10 hours", "broker.keytab")
        .expect("a principal");
    let link = kdc
        .key_table("link", "10 hours", "link.keytab")
        .expect("a principal");
    let stale = kdc.path("stale.keytab");
    std::fs::copy(&link, &stale).expect("copied");
    let link = kdc.export("link", "link.keytab").expect("a new key");
    let source = with_tickets(&kdc, "tickets-wrong", NEW, &broker);
    let source = source.start().await.expect("it starts");
    let nobody = format!(
        "useKeyTab=true keyTab=\"{}\" principal=\"nobody@{REALM}\"",
        link.display()
    );
    let elsewhere = format!(
        "useTicketCache=true ticketCache=\"{}\"",
        kdc.path("none").display()
    );
    let table = [
        (
            "no file",
            settings(&key_table(&kdc.path("none.keytab")), "kafka", ""),
            &[
                "keyTab of sasl.jaas.config",
                "none.keytab",
                "cannot be read",
            ][..],
        ),
        (
            "a key of yesterday",
            settings(&key_table(&stale), "kafka", ""),
            &["stale.keytab", "export the key table anew"],
        ),
        (
            "another principal",
            settings(&nobody, "kafka", ""),
            &[
                "link.keytab has no key of nobody@TRIBUTARY.TEST",
                "klist -k",
            ],
        ),
        (
            "no tickets",
            settings(&elsewhere, "kafka", ""),
            &["No credentials cache found", "kinit"],
        ),
        (
            "another service",
            settings(&key_table(&link), "other", ""),
            &["asked for as other/127.0.0.1", "sasl.kerberos.service.name"],
        ),
    ];
    for (what, text, says) in &table {
        refused(&kdc, &source, what, text, says).await;
    }
    kdc.end();
    let unreachable = settings(&key_table(&link), "kafka", "");
    let says = ["Cannot contact any KDC", "krb5.conf"];
    refused(&kdc, &source, "no center", &unreachable, &says).await;
}

/// The library's destructors run while threads that are not waited for still release tickets, unless the process ends without
/// them: about one in two hundred of these runs was aborted, or said so.
#[tokio::test]
async fn a_process_ends_with_its_code_although_tickets_are_in_use() {
    let kdc = Kdc::start().await.expect("a key distribution center");
    let link = kdc.key_table("link", "10 hours", "link.keytab");
    let path = kdc.path("both.properties");
    let text = settings(&key_table(&link.expect("a principal")), "kafka", "");
    certificates::write(&path, &text).expect("written");
    let file = path.display().to_string();
    let run = Replicate::between("127.0.0.1:1", "127.0.0.1:1", "nothing")
        .with(&["--progress", "off", "--from-config", &file])
        .with(&["--to-config", &file]);
    for _ in 0..75 {
        let together = [(); 4].map(|()| started(&kdc, &run, &["--until-caught-up"]));
        for process in together {
            let run = Run::to_end(&process).await.ended_with(1);
            assert!(!run.error.contains("k5_"), "{run}");
        }
    }
}

async fn refused(kdc: &Kdc, source: &KafkaCluster, what: &str, settings: &str, says: &[&str]) {
    let path = kdc.path("from.properties");
    certificates::write(&path, settings).expect("written");
    let address = source.bootstrap_of(LISTENER).expect("a listener");
    let run = Replicate::between(&address, "127.0.0.1:1", "nothing")
        .with(&["--progress", "off", "--from-config"])
        .with(&[&path.display().to_string()]);
    let process = started(kdc, &run, &["--until-caught-up"]);
    let run = Run::to_end(&process).await;
    let error = run
        .error
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap_or("");
    println!("{what}\n  {error}");
    assert_eq!(run.code(), 1, "{what}: {run}");
    for says in says.iter().chain(&["source: "]) {
        assert!(error.contains(says), "{what}: {says} is not in\n{run}");
    }
}
