//! TLS and SASL from the keys of Java's clients: what is resolved, what is refused, and that no secret is shown.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::resolve::{resolve_link, resolve_worker};
use config::security::{
    Assertion, Identity, Mechanism, ScramHash, Security, TicketCache, TokenSource, Trust,
};
use config::{LinkConfig, Notice, RawConfig, Sources, Variables};

use crate::{link, no_cluster, worker};

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

fn usable(lines: &str) -> (LinkConfig, Vec<Notice>) {
    match resolve_link(&link(lines), &no_cluster()) {
        Ok(resolved) => resolved,
        Err(problems) => panic!("{problems:?}"),
    }
}

#[test]
fn each_side_has_its_own_protection() {
    let (link, notices) = usable(&format!(
        "src.kafka.security.protocol=SSL
         src.kafka.ssl.truststore.location=/tls/trust.jks
         src.kafka.ssl.keystore.location=/tls/key.p12
         src.kafka.ssl.keystore.password=hunter2
         src.kafka.ssl.key.password=hunter3
         src.kafka.ssl.enabled.protocols=TLSv1.3
         dest.kafka.security.protocol=SASL_SSL
         dest.kafka.sasl.mechanism=SCRAM-SHA-512
         dest.kafka.sasl.jaas.config={SCRAM} required username=\"al\" password=\"hunter2\";
         dest.kafka.ssl.truststore.certificates=-----BEGIN CERTIFICATE-----"
    ));
    assert_eq!(notices, vec![]);
    let Security::Tls(tls) = &link.source.security else {
        panic!("{:?}", link.source.security)
    };
    assert!(tls.tls13 && !tls.tls12 && tls.check_host_name);
    let (
        Trust::Store(trust),
        Some(Identity::Store {
            store,
            key_password,
        }),
    ) = (&tls.trust, &tls.identity)
    else {
        panic!("{tls:?}")
    };
    assert_eq!(trust.path, Path::new("/tls/trust.jks"));
    assert_eq!(trust.password, None);
    assert_eq!(store.path, Path::new("/tls/key.p12"));
    assert_eq!(
        key_password.as_ref().map(|k| k.expose().as_str()),
        Some("hunter3")
    );
    let Security::SaslTls(tls, sasl) = &link.destination.security else {
        panic!("{:?}", link.destination.security)
    };
    assert!(matches!(tls.trust, Trust::Inline(_)));
    let Mechanism::Scram {
        hash,
        credentials,
        token,
    } = &sasl.mechanism
    else {
        panic!("{sasl:?}")
    };
    assert_eq!(
        (*hash, credentials.username.as_str(), *token),
        (ScramHash::Sha512, "al", false)
    );
    assert_eq!(credentials.password.expose(), "hunter2");
    let all = format!("{link:?}");
    assert!(!all.contains("hunter"), "{all}");
}

#[test]
fn tokens_come_from_where_the_keys_say() {
    let source = |lines: &str| {
        let base = "src.kafka.security.protocol=SASL_SSL\nsrc.kafka.sasl.mechanism=OAUTHBEARER\n";
        let (link, _) = usable(&format!("{base}{lines}"));
        match &link.source.security.sasl().expect("given").mechanism {
            Mechanism::OAuthBearer(oauth) => oauth.as_ref().clone(),
            other => panic!("{other:?}"),
        }
    };
    let file = source("src.kafka.sasl.oauthbearer.token.endpoint.url=file:///run/token");
    assert_eq!(file.source, TokenSource::File("/run/token".into()));
    let client = source(&format!(
        "src.kafka.sasl.oauthbearer.token.endpoint.url=https://idp/token
         src.kafka.sasl.jaas.config={OAUTH} required clientId=\"c\" clientSecret=\"hunter2\" scope=\"s\" \
         extension_logicalCluster=\"lkc-1\" ssl.truststore.location=\"/tls/idp.pem\";"
    ));
    let TokenSource::ClientCredentials {
        endpoint,
        client_id,
        scope,
        ..
    } = &client.source
    else {
        panic!("{client:?}")
    };
    assert_eq!(endpoint.to_string(), "https://idp:443");
    assert_eq!((client_id.as_str(), scope.as_deref()), ("c", Some("s")));
    assert_eq!(
        client.extensions,
        [("logicalCluster".to_owned(), "lkc-1".to_owned())]
    );
    assert!(matches!(client.tls.expect("given").trust, Trust::Store(_)));
    let signed = source(
        "src.kafka.sasl.oauthbearer.token.endpoint.url=https://idp/token
         src.kafka.sasl.oauthbearer.assertion.private.key.file=/run/key.pem
         src.kafka.sasl.oauthbearer.assertion.claim.sub=me",
    );
    let TokenSource::JwtBearer {
        assertion: Assertion::Signed(signed),
        ..
    } = signed.source
    else {
        panic!("{signed:?}")
    };
    assert_eq!(signed.subject.as_deref(), Some("me"));
}

/// What is refused, one line for each problem.
#[track_caller]
fn refused(lines: &str, expected: &[&str]) {
    let problems = resolve_link(&link(lines), &no_cluster()).expect_err(lines);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
    for (text, expected) in texts.iter().zip(expected) {
        assert!(text.contains(expected), "{texts:#?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_a_remedy() {
    let sasl = "src.kafka.security.protocol=SASL_PLAINTEXT\n";
    refused(
        &format!("{sasl}src.kafka.sasl.mechanism=PLAIN"),
        &[
            "src.kafka.sasl.jaas.config: PLAIN needs a name and a password; set it to org.apache.kafka",
        ],
    );
    refused(
        &format!(
            "{sasl}src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=\"hunter2\";"
        ),
        &["src.kafka.sasl.mechanism: it is not set, which means GSSAPI, but the login module"],
    );
    refused(
        &format!(
            "{sasl}src.kafka.sasl.mechanism=SCRAM-SHA-256
             src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=\"hunter2\";"
        ),
        &[
            "src.kafka.sasl.mechanism=SCRAM-SHA-256 (--set): the login module of sasl.jaas.config is that of PLAIN",
        ],
    );
    refused(
        &format!(
            "{sasl}src.kafka.sasl.mechanism=PLAIN
             src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=hunter2"
        ),
        &[
            "src.kafka.sasl.jaas.config=[hidden] 997ac39e (--set): a semicolon is missing at the end",
        ],
    );
    refused(
        &format!(
            "{sasl}src.kafka.sasl.mechanism=PLAIN
             src.kafka.sasl.jaas.config=com.sun.security.auth.module.JndiLoginModule required x=\"hunter2\";"
        ),
        &["the login module com.sun.security.auth.module.JndiLoginModule is not known"],
    );
    refused(
        sasl,
        &[
            "src.kafka.sasl.jaas.config: sasl.mechanism is not set, which means GSSAPI, and that needs a key table or \
             a ticket cache",
        ],
    );
    refused(
        "src.kafka.security.protocol=SSL
         src.kafka.ssl.enabled.protocols=TLSv1,TLSv1.1
         src.kafka.ssl.cipher.suites=TLS_RSA_WITH_AES_128_CBC_SHA
         src.kafka.ssl.endpoint.identification.algorithm=LDAPS
         src.kafka.ssl.keystore.key=hunter2
         dest.kafka.security.protocol=TLS",
        &[
            "dest.kafka.security.protocol=TLS (--set): there is no such choice",
            "src.kafka.ssl.enabled.protocols=TLSv1,TLSv1.1 (--set): only TLS 1.2 and 1.3 are spoken",
            "src.kafka.ssl.endpoint.identification.algorithm=LDAPS (--set): there is no such choice",
            "src.kafka.ssl.keystore.certificate.chain: the certificate is missing",
        ],
    );
}

#[test]
fn what_is_weak_or_without_effect_is_said() {
    let (_, notices) = usable(&format!(
        "src.kafka.security.protocol=SASL_PLAINTEXT
         src.kafka.sasl.mechanism=PLAIN
         src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=\"hunter2\";
         dest.kafka.security.protocol=SSL
         dest.kafka.ssl.endpoint.identification.algorithm=
         dest.kafka.ssl.cipher.suites=TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_MD5"
    ));
    let texts: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[0].contains("SASL_PLAINTEXT with PLAIN sends the secret readable"),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("TLS_RSA_WITH_RC4_128_MD5 cannot be used"),
        "{texts:?}"
    );
    assert!(
        texts[2].contains("the certificate need not name the broker"),
        "{texts:?}"
    );
}

#[test]
fn one_key_of_a_link_is_laid_over_the_settings_of_the_worker_for_the_same_brokers_only() {
    let lines = format!(
        "offset.storage.file.filename=p\nbootstrap.servers=east:9092\nsecurity.protocol=SASL_SSL\n\
         sasl.mechanism=PLAIN\nsasl.jaas.config={PLAIN} required username=\"w\" password=\"hunter2\";"
    );
    let (worker, _) = resolve_worker(&worker(&lines)).expect("usable");
    let name = |lines: &str| {
        let (link, notices) = resolve_link(&link(lines), &worker).expect("usable");
        let sasl = link.destination.security.sasl().cloned();
        let name = sasl.map(|sasl| match sasl.mechanism {
            Mechanism::Plain(credentials) => credentials.username,
            other => panic!("{other:?}"),
        });
        (name, notices.len())
    };
    assert_eq!(
        name("dest.kafka.bootstrap.servers"),
        (Some("w".to_owned()), 0)
    );
    assert_eq!(name(""), (Some("w".to_owned()), 0));
    let own = format!(
        "producer.override.sasl.jaas.config={PLAIN} required username=\"l\" password=\"x\";"
    );
    assert_eq!(name(&own), (Some("l".to_owned()), 0));
    assert_eq!(name("dest.kafka.bootstrap.servers=other:9092"), (None, 1));
}

/// An environment that can change.
pub(crate) struct Changing(Mutex<&'static str>);

impl Sources for Changing {
    fn environment(&self, name: &str) -> Option<String> {
        (name == "PASSWORD").then(|| (*self.0.lock().expect("no panic")).to_owned())
    }

    fn file(&self, _: &Path) -> Result<String, String> {
        Err("No such file".to_owned())
    }
}

pub(crate) fn with_variables(raw: &mut RawConfig) -> Arc<Changing> {
    let sources = Arc::new(Changing(Mutex::new("hunter2")));
    raw.set_variables(Variables::new(Arc::<Changing>::clone(&sources)));
    sources
}

#[test]
fn variables_are_looked_up_again_for_every_new_connection() {
    let mut raw = link(&format!(
        "src.kafka.security.protocol=SASL_SSL
         src.kafka.sasl.mechanism=PLAIN
         src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=\"${{env:PASSWORD}}\";"
    ));
    let sources = with_variables(&mut raw);
    let (link, _) = resolve_link(&raw, &no_cluster()).expect("usable");
    let password = |security: &Security| match &security.sasl().expect("given").mechanism {
        Mechanism::Plain(credentials) => credentials.password.expose().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(password(&link.source.security), "hunter2");
    assert!(link.source.given_security.has_variables());
    *sources.0.lock().expect("no panic") = "changed";
    let now = link.source.given_security.resolve().expect("still there");
    assert_eq!(password(&now), "changed");
    *sources.0.lock().expect("no panic") = "hunter2\"; x";
    let problem = link.source.given_security.resolve().expect_err("malformed");
    assert!(
        problem.contains("something follows the semicolon"),
        "{problem}"
    );
    let all = format!("{link:?} {raw:?} {problem}");
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn a_variable_that_brings_nothing_or_nonsense_later_weakens_nothing() {
    for (line, later, expected) in [
        ("security.protocol=${env:PASSWORD}", "SLS", "no such choice"),
        ("security.protocol=${env:PASSWORD}", "", "bring nothing"),
        (
            "ssl.truststore.certificates=${env:PASSWORD}",
            " ",
            "bring nothing",
        ),
        (
            "ssl.endpoint.identification.algorithm=${env:PASSWORD}",
            "",
            "bring nothing",
        ),
    ] {
        let protocol = match line.contains("protocol") {
            true => "",
            false => "src.kafka.security.protocol=SSL\n",
        };
        let mut raw = link(&format!("{protocol}src.kafka.{line}"));
        let sources = with_variables(&mut raw);
        *sources.0.lock().expect("no panic") = match line {
            _ if line.contains("algorithm") => "https",
            _ => "SSL",
        };
        let (link, _) = resolve_link(&raw, &no_cluster()).expect("usable");
        assert!(link.source.security.tls().is_some(), "{line}");
        *sources.0.lock().expect("no panic") = later;
        let given = &link.source.given_security;
        let problem = given.resolve().expect_err("weaker than it was");
        assert!(problem.contains(expected), "{line}: {problem}");
        let problems = resolve_link(&raw, &no_cluster()).expect_err("at the start too");
        assert!(!problems.is_empty());
    }
}

#[test]
fn tokens_without_a_signature_are_made_only_where_the_worker_allows_it() {
    let raw = link(&format!(
        "src.kafka.security.protocol=SASL_PLAINTEXT
         src.kafka.sasl.mechanism=OAUTHBEARER
         src.kafka.sasl.jaas.config={OAUTH} required unsecuredLoginStringClaim_sub=\"al\" \
         unsecuredLoginLifetimeSeconds=60;"
    ));
    let problems = resolve_link(&raw, &no_cluster()).expect_err("not allowed");
    let text = problems[0].to_string();
    assert!(text.contains("tributary.oauth.unsecured=true"), "{text}");
    let mut worker = no_cluster();
    worker.oauth.unsecured = true;
    let (link, _) = resolve_link(&raw, &worker).expect("allowed");
    let now = link.source.given_security.resolve().expect("and later");
    assert_eq!(now, link.source.security);
    let Some(Mechanism::OAuthBearer(oauth)) = now.sasl().map(|sasl| &sasl.mechanism) else {
        panic!("{now:?}")
    };
    match &oauth.source {
        TokenSource::Unsecured(token) => assert_eq!(token.lifetime, Duration::from_secs(60)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_that_are_submitted_use_only_allowed_endpoints_and_files() {
    let config = |lines: &str, submitted: bool| {
        let mut raw = link(&format!(
            "src.kafka.security.protocol=SASL_SSL\nsrc.kafka.sasl.mechanism=OAUTHBEARER\n{lines}"
        ));
        if submitted {
            raw.set_submitted();
        }
        raw
    };
    let file = "src.kafka.sasl.oauthbearer.token.endpoint.url=file:///run/token";
    let signed = "src.kafka.sasl.oauthbearer.token.endpoint.url=https://idp/token\n\
                  src.kafka.sasl.oauthbearer.assertion.private.key.file=/run/key.pem";
    let of_this_machine = config(file, false);
    resolve_link(&of_this_machine, &no_cluster()).expect("no limit");
    for (lines, urls, allowed) in [
        (file, None, false),
        (file, Some("file:///run/token"), true),
        (signed, None, false),
        (signed, Some("https://idp/token"), false),
        (signed, Some("https:, file:///run/"), true),
        (signed, Some(""), false),
    ] {
        let settings = urls.map_or_else(String::new, |urls| {
            format!("tributary.oauth.allowed.urls={urls}")
        });
        let worker = worker(&format!("offset.storage.file.filename=x\n{settings}"));
        let (worker, _) = resolve_worker(&worker).expect("usable");
        let found = resolve_link(&config(lines, true), &worker);
        assert_eq!(found.is_ok(), allowed, "{lines} {urls:?} {found:?}");
        if let Err(problems) = found {
            let text = problems[0].to_string();
            assert!(text.contains("tributary.oauth.allowed.urls"), "{text}");
        }
    }
}

#[test]
fn secrets_that_are_submitted_literally_are_said_without_being_shown() {
    let mut raw = link(&format!(
        "src.kafka.security.protocol=SASL_SSL
         src.kafka.sasl.mechanism=PLAIN
         src.kafka.sasl.jaas.config={PLAIN} required username=\"a\" password=\"hunter2\";
         src.kafka.ssl.truststore.location=/trust
         src.kafka.ssl.truststore.password=${{env:PASSWORD}}"
    ));
    with_variables(&mut raw);
    let warnings = |raw: &RawConfig| {
        let (_, notices) = resolve_link(raw, &no_cluster()).expect("usable");
        let texts = notices.iter().map(ToString::to_string);
        texts.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warnings(&raw), "");
    raw.set_submitted();
    let said = warnings(&raw);
    assert!(
        said.contains("administrators: src.kafka.sasl.jaas.config; keep"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn clusters_of_a_mirror_maker_file_have_variables_too() {
    let text = format!(
        "clusters=west,east\nwest.bootstrap.servers=w:1\neast.bootstrap.servers=e:1\n\
         west->east.enabled=true\nwest.security.protocol=SASL_SSL\nwest.sasl.mechanism=PLAIN\n\
         west.sasl.jaas.config={PLAIN} required username=\"a\" password=\"${{env:PASSWORD}}\";\n"
    );
    let (mut raw, _) = RawConfig::from_properties("mm2", &text).expect("properties");
    with_variables(&mut raw);
    let (flows, _) = config::resolve_mirrors(&raw, None).expect("usable");
    match flows[0]
        .link
        .source
        .security
        .sasl()
        .map(|sasl| &sasl.mechanism)
    {
        Some(Mechanism::Plain(credentials)) => assert_eq!(credentials.password.expose(), "hunter2"),
        other => panic!("{other:?}"),
    }
}

const KERBEROS: &str = "com.sun.security.auth.module.Krb5LoginModule";

#[test]
fn tickets_come_from_a_key_table_or_a_cache_and_are_for_one_service() {
    let kerberos = |options: &str, more: &str| {
        let text = format!(
            "src.kafka.security.protocol=SASL_PLAINTEXT\nsrc.kafka.sasl.jaas.config={KERBEROS} required {options};\n{more}"
        );
        match usable(&text).0.source.security {
            Security::SaslPlaintext(sasl) => match sasl.mechanism {
                Mechanism::Gssapi(kerberos) => kerberos,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let from_table = kerberos(
        "useKeyTab=true storeKey=true keyTab=\"/etc/link.keytab\" principal=\"link@EXAMPLE\" serviceName=kafka",
        "src.kafka.sasl.kerberos.ticket.renew.window.factor=0.5\n\
         src.kafka.sasl.kerberos.min.time.before.relogin=1000\n",
    );
    assert_eq!(from_table.service, "kafka");
    assert_eq!(from_table.principal.as_deref(), Some("link@EXAMPLE"));
    assert_eq!(
        from_table.key_table.as_deref(),
        Some(Path::new("/etc/link.keytab"))
    );
    assert_eq!(from_table.ticket_cache, None);
    assert_eq!(from_table.renewal.window_per_mille, 500);
    assert_eq!(from_table.renewal.jitter_per_mille, 50);
    assert_eq!(from_table.renewal.min_pause, Duration::from_secs(1));
    let service = "src.kafka.sasl.kerberos.service.name=kafka\n";
    let from_cache = kerberos("useTicketCache=true ticketCache=\"FILE:/tmp/t\"", service);
    assert_eq!(
        from_cache.ticket_cache,
        Some(TicketCache::File("/tmp/t".into()))
    );
    let default = kerberos("useTicketCache=true useKeyTab=false keyTab=\"x\"", service);
    assert_eq!(default.ticket_cache, Some(TicketCache::Default));
    assert_eq!(default.key_table, None);
    for (options, more, expected) in [
        ("useKeyTab=true", service, "the option keyTab is missing"),
        ("", service, "neither a key table nor a ticket cache"),
        (
            "useTicketCache=true",
            "",
            "src.kafka.sasl.kerberos.service.name: it is not said by which name",
        ),
        (
            "useTicketCache=true serviceName=\"other\"",
            service,
            "serviceName of sasl.jaas.config says something else",
        ),
    ] {
        let text = format!(
            "src.kafka.security.protocol=SASL_PLAINTEXT\nsrc.kafka.sasl.jaas.config={KERBEROS} required {options};\n{more}"
        );
        refused(&text, &[expected]);
    }
}

/// Java's options and a file of login modules that can change.
struct Java(Mutex<&'static str>);

impl Sources for Java {
    fn environment(&self, name: &str) -> Option<String> {
        let options = "-Xmx1g -Djava.security.auth.login.config=/etc/kafka/client.jaas";
        (name == "KAFKA_OPTS").then(|| options.to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        assert_eq!(path, Path::new("/etc/kafka/client.jaas"));
        match *self.0.lock().expect("no panic") {
            "" => Err("No such file".to_owned()),
            text => Ok(text.to_owned()),
        }
    }
}

#[test]
fn login_modules_stand_in_javas_file_where_no_key_names_one() {
    const FILE: &str = "KafkaServer { x.Y required; };\nKafkaClient {\n\
        org.apache.kafka.common.security.scram.ScramLoginModule required username=al password=hunter2;\n};";
    let sources = Arc::new(Java(Mutex::new(FILE)));
    let resolved = |lines: &str| {
        let mut raw = link(&format!(
            "src.kafka.security.protocol=SASL_SSL\nsrc.kafka.sasl.mechanism=SCRAM-SHA-512\n{lines}"
        ));
        raw.set_variables(Variables::new(Arc::<Java>::clone(&sources)));
        resolve_link(&raw, &no_cluster()).map_err(|problems| format!("{problems:?}"))
    };
    let name = |security: &Security| match &security.sasl().expect("given").mechanism {
        Mechanism::Scram { credentials, .. } => credentials.username.clone(),
        other => panic!("{other:?}"),
    };
    let (link, _) = resolved("").expect("usable");
    assert_eq!(name(&link.source.security), "al");
    assert!(!format!("{link:?}").contains("hunter2"));
    let own =
        format!("src.kafka.sasl.jaas.config={SCRAM} required username=\"own\" password=\"x\";");
    let (other, _) = resolved(&own).expect("usable");
    assert_eq!(name(&other.source.security), "own");
    assert!(!other.source.given_security.has_variables());
    // The file is looked at again for new connections.
    assert!(link.source.given_security.has_variables());
    *sources.0.lock().expect("no panic") = "KafkaClient { \
        org.apache.kafka.common.security.scram.ScramLoginModule required username=bo password=hunter2; };";
    let now = link.source.given_security.resolve().expect("still there");
    assert_eq!(name(&now), "bo");
    for (text, expected) in [
        ("", "it cannot be read: No such file"),
        ("Other { };", "it has no section KafkaClient"),
        ("KafkaClient { hunter2 };", "followed by required"),
    ] {
        *sources.0.lock().expect("no panic") = text;
        let problem = resolved("").expect_err(text);
        assert!(problem.contains(expected), "{problem}");
        assert!(problem.contains("src.kafka.sasl.jaas.config"), "{problem}");
        assert!(problem.contains("/etc/kafka/client.jaas"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
        let again = link.source.given_security.resolve().expect_err(text);
        assert!(again.contains(expected), "{again}");
    }
}
