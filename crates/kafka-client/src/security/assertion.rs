//! Assertions that are exchanged for tokens (RFC 7523): read from a file, or signed here.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::security::{Assertion, AssertionAlgorithm, SignedAssertion};
use rand::RngExt as _;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Map, Value};

use super::pem;
use super::protection::read_file;

/// An assertion for now.
pub(super) async fn make(assertion: &Assertion, now: SystemTime) -> Result<String, String> {
    match assertion {
        Assertion::File(path) => Ok(text(path, "sasl.oauthbearer.assertion.file")
            .await?
            .trim()
            .to_owned()),
        Assertion::Signed(signed) => {
            let key = text(
                &signed.key_file,
                "sasl.oauthbearer.assertion.private.key.file",
            )
            .await?;
            let template = match &signed.template {
                Some(path) => Some(text(path, "sasl.oauthbearer.assertion.template.file").await?),
                None => None,
            };
            sign(signed, &key, template.as_deref(), now)
        }
    }
}

async fn text(path: &Path, key: &str) -> Result<String, String> {
    let bytes = read_file(path)
        .await
        .map_err(|problem| format!("{key} {}: {problem}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{key} {}: it is no text", path.display()))
}

fn sign(
    settings: &SignedAssertion,
    key: &str,
    template: Option<&str>,
    now: SystemTime,
) -> Result<String, String> {
    let (mut header, mut claims) = template.map_or(Ok((Map::new(), Map::new())), parts)?;
    let algorithm = match settings.algorithm {
        AssertionAlgorithm::Rs256 => "RS256",
        AssertionAlgorithm::Es256 => "ES256",
    };
    header.insert("alg".to_owned(), algorithm.into());
    header.entry("typ").or_insert_with(|| "JWT".into());
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "this machine's clock is wrong".to_owned())?
        .as_secs();
    claims.insert("iat".to_owned(), now.into());
    claims.insert(
        "exp".to_owned(),
        (now + settings.expires_in.as_secs()).into(),
    );
    let not_before = now.saturating_sub(settings.not_before.as_secs());
    claims.insert("nbf".to_owned(), not_before.into());
    for (name, value) in [
        ("aud", &settings.audience),
        ("iss", &settings.issuer),
        ("sub", &settings.subject),
    ] {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.as_str().into());
        }
    }
    if settings.with_id {
        let id: [u8; 16] = rand::rng().random();
        claims.insert("jti".to_owned(), URL_SAFE_NO_PAD.encode(id).into());
    }
    let encode = |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = signature(settings, key, signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// `header` and `payload` of a template.
#[expect(clippy::type_complexity, reason = "two parts of one kind")]
fn parts(template: &str) -> Result<(Map<String, Value>, Map<String, Value>), String> {
    let wrong = "sasl.oauthbearer.assertion.template.file: it has to be a JSON object with the objects header and \
                 payload";
    let template: Map<String, Value> = serde_json::from_str(template).map_err(|_| wrong)?;
    let part = |name: &str| match template.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(part)) => Ok(part.clone()),
        Some(_) => Err(wrong.to_owned()),
    };
    Ok((part("header")?, part("payload")?))
}

fn signature(settings: &SignedAssertion, key: &str, signed: &[u8]) -> Result<Vec<u8>, String> {
    let of_file = |problem: &str| {
        let path = settings.key_file.display();
        format!("sasl.oauthbearer.assertion.private.key.file {path}: {problem}")
    };
    let passphrase = settings.passphrase.as_ref().map(|p| p.expose().as_str());
    let key = pem::private_key(key, passphrase).map_err(|problem| {
        of_file(&problem.replace(
            "ssl.key.password",
            "sasl.oauthbearer.assertion.private.key.passphrase",
        ))
    })?;
    let random = SystemRandom::new();
    match settings.algorithm {
        AssertionAlgorithm::Rs256 => {
            let pair = match &key {
                PrivateKeyDer::Pkcs1(key) => {
                    aws_lc_rs::rsa::KeyPair::from_der(key.secret_pkcs1_der())
                }
                key => aws_lc_rs::rsa::KeyPair::from_pkcs8(key.secret_der()),
            }
            .map_err(|_| of_file("it is no RSA key of 2048 bits or more, which RS256 needs"))?;
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                .map_err(|_| of_file("it cannot sign"))?;
            Ok(signature)
        }
        AssertionAlgorithm::Es256 => {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = match &key {
                PrivateKeyDer::Sec1(key) => {
                    EcdsaKeyPair::from_private_key_der(algorithm, key.secret_sec1_der())
                }
                key => EcdsaKeyPair::from_pkcs8(algorithm, key.secret_der()),
            }
            .map_err(|_| of_file("it is no EC key on P-256, which ES256 needs"))?;
            let signature = pair
                .sign(&random, signed)
                .map_err(|_| of_file("it cannot sign"))?;
            Ok(signature.as_ref().to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn settings(algorithm: AssertionAlgorithm) -> SignedAssertion {
        SignedAssertion {
            key_file: "/run/key.pem".into(),
            passphrase: None,
            algorithm,
            template: None,
            audience: Some("idp".to_owned()),
            issuer: None,
            subject: Some("me".to_owned()),
            expires_in: Duration::from_secs(300),
            not_before: Duration::from_secs(60),
            with_id: true,
        }
    }

    #[test]
    fn an_assertion_says_who_we_are_and_is_signed() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).expect("a key");
        let pem = format!(
            "-----BEGIN PRIVATE KEY----- {} -----END PRIVATE KEY-----",
            STANDARD.encode(document.as_ref())
        );
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let template = r#"{"header":{"kid":"7"},"payload":{"tenant":"t","aud":"other"}}"#;
        let es256 = settings(AssertionAlgorithm::Es256);
        let assertion = sign(&es256, &pem, Some(template), now).expect("signed");
        let parts: Vec<&str> = assertion.split('.').collect();
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64");
        let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)).expect("JSON");
        let (header, claims) = (json(parts[0]), json(parts[1]));
        assert_eq!(
            header,
            serde_json::json!({"alg": "ES256", "kid": "7", "typ": "JWT"})
        );
        for (name, expected) in [
            ("aud", Value::from("idp")),
            ("sub", "me".into()),
            ("tenant", "t".into()),
            ("iat", 1_000.into()),
            ("nbf", 940.into()),
            ("exp", 1_300.into()),
        ] {
            assert_eq!(claims[name], expected, "{name}");
        }
        assert!(claims["jti"].is_string() && claims.get("iss").is_none());
        let signed = assertion.rsplit_once('.').expect("three parts").0;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
            .verify(signed.as_bytes(), &decode(parts[2]))
            .expect("the signature is right");
        let wrong =
            sign(&settings(AssertionAlgorithm::Rs256), &pem, None, now).expect_err("EC key");
        assert!(wrong.contains("/run/key.pem: it is no RSA key"), "{wrong}");
    }
}
