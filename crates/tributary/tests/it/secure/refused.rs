//! Wrong things, and the sentences that say so.

use super::*;

struct Wrong {
    what: &'static str,
    from: Way,
    /// What the error has to say, besides the side.
    says: &'static [&'static str],
}

fn way(listener: Option<&'static str>, settings: String) -> Way {
    Way {
        name: "wrong",
        listener,
        settings,
    }
}

fn wrong_tls(material: &SecureMaterial, stranger: &Authority) -> Vec<Wrong> {
    let other = material.path("stranger.pem");
    certificates::write(&other, stranger.certificate()).expect("written");
    let ssl = |settings: String| format!("security.protocol=SSL\n{settings}");
    let trusting = trusting(material);
    vec![
        Wrong {
            what: "unknown authority",
            from: way(
                Some("BOTH"),
                ssl(format!("ssl.truststore.location={}\n", other.display())),
            ),
            says: &[
                "comes from an authority that is not trusted",
                "the file of ssl.truststore.location",
            ],
        },
        Wrong {
            what: "no trust store, an authority of one's own",
            from: way(Some("BOTH"), ssl(String::new())),
            says: &["not trusted", "ssl.truststore.location is not set"],
        },
        Wrong {
            what: "another host's certificate",
            from: way(Some("OTHER"), ssl(trusting.clone())),
            says: &[
                "its certificate is for other.example and not for 127.0.0.1",
                "advertised.listeners",
            ],
        },
        Wrong {
            what: "an expired certificate",
            from: way(Some("EXPIRED"), ssl(trusting.clone())),
            says: &["its certificate expired on 2020-01-01", "clock"],
        },
        Wrong {
            what: "no client certificate",
            from: way(Some("MUTUAL"), ssl(trusting.clone())),
            says: &["certificate", "ssl.keystore.location"],
        },
        Wrong {
            what: "TLS to a plain port",
            from: way(None, ssl(trusting)),
            says: &["TLS", "check the port and security.protocol"],
        },
    ]
}

fn wrong_stores(material: &SecureMaterial) -> Vec<Wrong> {
    let store = material.path("trust.p12");
    let jks = material.path("trust.jks");
    let authority = &material.authority;
    authority
        .trust_store(&store, StoreForm::Pkcs12)
        .expect("a store");
    authority
        .trust_store(&jks, StoreForm::Jks)
        .expect("a store");
    let with_store = |path: &Path| {
        format!(
            "security.protocol=SSL\nssl.truststore.location={}\nssl.truststore.password=planted-wrong-1\n",
            path.display()
        )
    };
    vec![
        Wrong {
            what: "a wrong password of a PKCS12 store",
            from: way(Some("BOTH"), with_store(&store)),
            says: &[
                "ssl.truststore.location",
                "trust.p12",
                "the password of the store is wrong (ssl.truststore.password)",
            ],
        },
        Wrong {
            what: "a wrong password of a JKS store",
            from: way(Some("BOTH"), with_store(&jks)),
            says: &[
                "trust.jks",
                "the password of the store is wrong (ssl.truststore.password)",
            ],
        },
        Wrong {
            what: "a store that is not there",
            from: way(Some("BOTH"), with_store(Path::new("/nowhere/trust.jks"))),
            says: &["ssl.truststore.location /nowhere/trust.jks: the file cannot be read"],
        },
    ]
}

fn wrong_sasl(material: &SecureMaterial) -> Vec<Wrong> {
    let plain = |protocol: &str, secret: &str| sasl(protocol, "PLAIN", &password(secret));
    vec![
        Wrong {
            what: "plain text to a TLS port",
            from: way(Some("MUTUAL"), String::new()),
            says: &["set security.protocol to SSL or SASL_SSL, which is PLAINTEXT now"],
        },
        Wrong {
            what: "no SASL to a SASL port",
            from: way(Some("SASL"), String::new()),
            says: &["a listener with SASL does that when security.protocol is without it"],
        },
        Wrong {
            what: "SASL to a port without",
            from: way(None, plain("SASL_PLAINTEXT", PLAIN_PASSWORD)),
            says: &[
                "does not",
                "SASL",
                "set security.protocol to PLAINTEXT or SSL",
            ],
        },
        Wrong {
            what: "a wrong password, PLAIN",
            from: way(
                Some("BOTH"),
                format!(
                    "{}{}",
                    plain("SASL_SSL", "planted-wrong-2"),
                    trusting(material)
                ),
            ),
            says: &[
                "authentication by PLAIN as alice was refused",
                "check username and password of sasl.jaas.config",
            ],
        },
        Wrong {
            what: "a wrong password, SCRAM",
            from: way(
                Some("SASL"),
                sasl(
                    "SASL_PLAINTEXT",
                    "SCRAM-SHA-512",
                    &password("planted-wrong-3"),
                ),
            ),
            says: &[
                "authentication by SCRAM-SHA-512 as alice was refused",
                "check username and password",
            ],
        },
        Wrong {
            what: "a token that is none",
            from: {
                let token = material.path("bad-token");
                certificates::write(&token, "planted-token-no-jwt").expect("written");
                let settings = sasl("SASL_PLAINTEXT", "OAUTHBEARER", "");
                let url = format!(
                    "sasl.oauthbearer.token.endpoint.url=file://{}\n",
                    token.display()
                );
                way(Some("SASL"), format!("{settings}{url}"))
            },
            says: &[
                "authentication by OAUTHBEARER was refused",
                "check the token's issuer",
            ],
        },
    ]
}

#[tokio::test]
async fn wrong_things_are_refused_with_the_sentence_that_helps() {
    let material = SecureMaterial::new().expect("certificates");
    // A mechanism that one listener lacks.
    let source = material
        .builder("wrong-source", NEW)
        .listener("SCRAMONLY", "SASL_PLAINTEXT")
        .property(
            "listener.name.scramonly.sasl.enabled.mechanisms",
            "SCRAM-SHA-256",
        )
        .property(
            "listener.name.scramonly.scram-sha-256.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        );
    let source = source.start().await.expect("it starts");
    add_scram_user(&source, "SCRAM-SHA-512", SCRAM_PASSWORD)
        .await
        .expect("a user");
    let stranger = Authority::new("A stranger").expect("an authority");
    let mut table = wrong_tls(&material, &stranger);
    table.extend(wrong_stores(&material));
    table.extend(wrong_sasl(&material));
    table.push(Wrong {
        what: "a mechanism that is not offered",
        from: way(
            Some("SCRAMONLY"),
            sasl("SASL_PLAINTEXT", "PLAIN", &password(PLAIN_PASSWORD)),
        ),
        says: &[
            "it does not offer PLAIN on this listener, but SCRAM-SHA-256",
            "set sasl.mechanism",
        ],
    });
    for wrong in &table {
        let path = material.path("wrong.properties");
        certificates::write(&path, &wrong.from.settings).expect("written");
        let address = addresses(&source, &wrong.from);
        let run = Replicate::between(&address, "127.0.0.1:1", "nothing")
            .with(&["--progress", "off", "--log-level", "trace", "--from-config"])
            .with(&[&path.display().to_string()])
            .until_caught_up()
            .await;
        let error = run
            .error
            .lines()
            .find(|line| line.starts_with("error:"))
            .unwrap_or("");
        println!("{}\n  {error}", wrong.what);
        assert_eq!(run.code(), 1, "{}: {run}", wrong.what);
        for says in wrong.says.iter().chain(&["source: ", &address]) {
            assert!(
                error.contains(says),
                "{}: {says} is not in\n{run}",
                wrong.what
            );
        }
        no_secrets(wrong.what, &format!("{}{}", run.output, run.error));
    }
}

#[tokio::test]
async fn secrets_on_the_command_line_are_refused_and_variables_are_not() {
    for (flag, setting, expected) in [
        (
            "--set",
            "src.kafka.sasl.jaas.config=planted-x",
            "put it into a file, or name a variable",
        ),
        (
            "--from-set",
            "ssl.keystore.password=planted-x",
            "a secret on the command line",
        ),
        (
            "--from-set",
            "sasl.jaas.config=planted-x",
            "put it into the file of --from-config",
        ),
        (
            "--from-set",
            "ssl.keystore.password=${env:TRIBUTARY_TEST_NOBODY}",
            "the environment has no variable",
        ),
    ] {
        let run = Replicate::between("127.0.0.1:1", "127.0.0.1:1", "nothing")
            .with(&["--name", "n", flag, setting])
            .until_caught_up()
            .await;
        assert_eq!(run.code(), 2, "{run}");
        assert!(run.error.contains(expected), "{run}");
        no_secrets(setting, &run.error);
    }
}
