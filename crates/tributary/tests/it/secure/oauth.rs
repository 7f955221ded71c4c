//! Tokens from a token endpoint, over http and https, with a secret and with a signed assertion; the brokers check
//! their signatures.

use test_support::token_issuer::{CLIENT_ID, CLIENT_SECRET, TokenEndpoint};

use super::rotation::copies_through;
use super::*;

fn way(name: &'static str, settings: String) -> Way {
    Way {
        name,
        listener: Some("BOTH"),
        settings,
    }
}

/// A client that shows its secret, in the options of the login module as most files have it.
fn with_secret(material: &SecureMaterial, endpoint: &TokenEndpoint, secret: &str) -> Way {
    let options = format!("clientId=\"{CLIENT_ID}\" clientSecret=\"{secret}\" scope=\"kafka\"");
    let url = format!("sasl.oauthbearer.token.endpoint.url={}\n", endpoint.url());
    way(
        "OAUTHBEARER, secret",
        oauth_settings(material, &options, &url),
    )
}

#[tokio::test]
async fn tokens_are_obtained_and_replaced_before_they_end() {
    let pair = pair(NEW, OLD).await;
    let material = &pair.material;
    // Eight seconds: many tokens in one run, each renewed before its end.
    let plain = TokenEndpoint::start(&material.issuer, 8, None)
        .await
        .expect("a port");
    let issued = material
        .authority
        .issue("idp", &["127.0.0.1"])
        .expect("a certificate");
    let secure = TokenEndpoint::start(&material.issuer, 8, Some(&issued))
        .await
        .expect("a port");
    let from = with_secret(material, &plain, CLIENT_SECRET);
    let key = material.path("assertion.pem");
    let signing = material
        .authority
        .issue("signing", &["signing.example"])
        .expect("a key");
    certificates::write(&key, &signing.key).expect("written");
    // The endpoint's own trust is an option of the login module.
    let options = format!(
        "ssl.truststore.location=\"{}\"",
        material.path("ca.pem").display()
    );
    let more = format!(
        "sasl.oauthbearer.token.endpoint.url={}\nsasl.oauthbearer.assertion.private.key.file={}\n\
         sasl.oauthbearer.assertion.algorithm=ES256\nsasl.oauthbearer.assertion.claim.sub=me\n",
        secure.url(),
        key.display(),
    );
    let to = way(
        "OAUTHBEARER, assertion",
        oauth_settings(material, &options, &more),
    );
    copies_through(&pair, &from, &to, true, async |_| {}).await;
    for endpoint in [&plain, &secure] {
        let asked = endpoint.asked();
        println!("{}: {asked} tokens", endpoint.url());
        // One login for all connections: about one token in six seconds, and one when the link is named.
        assert!((2..=12).contains(&asked), "{asked} tokens");
    }
    let forms = secure.forms();
    assert!(
        forms[0].starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"),
        "{forms:?}"
    );
}

#[tokio::test]
async fn an_endpoint_that_gives_no_token_is_named_with_its_reason() {
    let material = SecureMaterial::new().expect("certificates");
    let plain = TokenEndpoint::start(&material.issuer, 60, None)
        .await
        .expect("a port");
    let issued = material
        .authority
        .issue("idp", &["other.example"])
        .expect("a certificate");
    let secure = TokenEndpoint::start(&material.issuer, 60, Some(&issued))
        .await
        .expect("a port");
    let wrong = with_secret(&material, &plain, "planted-wrong-4");
    let unknown = with_secret(&material, &secure, CLIENT_SECRET);
    for (way, url, says) in [
        (
            wrong,
            plain.url(),
            "gives no token: it answers 401: invalid_client, who are you?",
        ),
        (
            unknown,
            secure.url(),
            "gives no token: its certificate comes from an authority that is not trusted",
        ),
    ] {
        let path = material.path("from.properties");
        certificates::write(&path, &way.settings).expect("written");
        let run = Replicate::between("127.0.0.1:1", "127.0.0.1:1", "nothing")
            .with(&["--progress", "off", "--log-level", "trace", "--from-config"])
            .with(&[&path.display().to_string()])
            .until_caught_up()
            .await;
        assert_eq!(run.code(), 1, "{run}");
        let endpoint = url.strip_suffix("/oauth/token").expect("its path");
        for says in [says, endpoint, "source: "] {
            assert!(run.error.contains(says), "{says} is not in\n{run}");
        }
        no_secrets(way.name, &run.error);
    }
}
