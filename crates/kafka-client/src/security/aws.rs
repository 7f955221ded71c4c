//! AWS_MSK_IAM: the broker is given a signed request (Signature Version 4) that it could make to AWS in our name.
//!
//! Signing is pure; credentials come from the environment or from a profile of AWS's shared file.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use config::security::AwsKeys;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::date::date;

const SERVICE: &str = "kafka-cluster";
const ACTION: &str = "kafka-cluster:Connect";
/// Life of the signed request, in seconds; the longest that brokers take.
const EXPIRES: &str = "900";

/// What is signed, apart from time and credentials.
struct Signed<'a> {
    host: &'a str,
    path: &'a str,
    region: &'a str,
    service: &'a str,
    /// Parameters beside those of the signature.
    parameters: &'a [(&'a str, &'a str)],
    expires: &'a str,
    /// Hash of the body in hexadecimal digits, or a word for none.
    payload: &'a str,
}

/// The message to the broker on `host`.
pub(super) fn message(host: &str, keys: &AwsKeys, now: SystemTime) -> Result<String, String> {
    let region = keys.region.as_deref().or_else(|| region_of(host)).ok_or(
        "the region is not part of the broker's name; set the environment's AWS_REGION to it",
    )?;
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "this machine's clock is wrong")?
        .as_secs();
    let empty = hex(&Sha256::digest(b""));
    let request = Signed {
        host,
        path: "/",
        region,
        service: SERVICE,
        parameters: &[("Action", ACTION)],
        expires: EXPIRES,
        payload: &empty,
    };
    let (parameters, signature) = presign(&request, keys, seconds);
    let mut message = serde_json::Map::new();
    let agent = concat!("tributary/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("version", "2020_10_22"),
        ("host", host),
        ("user-agent", agent),
    ] {
        message.insert(name.to_owned(), value.into());
    }
    for (name, value) in parameters {
        message.insert(name.to_lowercase(), value.into());
    }
    message.insert("x-amz-signature".to_owned(), signature.into());
    Ok(serde_json::Value::Object(message).to_string())
}

/// `b-1.name.c2.kafka.eu-west-1.amazonaws.com` is in `eu-west-1`.
fn region_of(host: &str) -> Option<&str> {
    let (before, _) = host.split_once(".amazonaws.com")?;
    before
        .rsplit('.')
        .next()
        .filter(|region| region.contains('-'))
}

/// The parameters, sorted by name, and the signature of a request whose signature is a parameter.
fn presign(request: &Signed<'_>, keys: &AwsKeys, seconds: u64) -> (Vec<(String, String)>, String) {
    let day = date(seconds).replace('-', "");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let time = format!("{day}T{hour:02}{minute:02}{second:02}Z");
    let scope = format!("{day}/{}/{}/aws4_request", request.region, request.service);
    let credential = format!("{}/{scope}", keys.access_key_id);
    let mut parameters: Vec<(String, String)> = request
        .parameters
        .iter()
        .copied()
        .chain([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", credential.as_str()),
            ("X-Amz-Date", time.as_str()),
            ("X-Amz-Expires", request.expires),
            ("X-Amz-SignedHeaders", "host"),
        ])
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Some(token) = &keys.session_token {
        parameters.push(("X-Amz-Security-Token".to_owned(), token.expose().clone()));
    }
    parameters.sort();
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let canonical = format!(
        "GET\n{}\n{}\nhost:{}\n\nhost\n{}",
        request.path,
        query.join("&"),
        request.host,
        request.payload
    );
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let signed = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{}", keys.secret_access_key.expose()).into_bytes();
    for part in [
        day.as_str(),
        request.region,
        request.service,
        "aws4_request",
    ] {
        key = hmac(&key, part);
    }
    (parameters, hex(&hmac(&key, &signed)))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a text takes everything");
    }
    text
}

/// RFC 3986, as AWS wants it.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => write!(out, "%{byte:02X}").expect("a text takes everything"),
        }
    }
    out
}

/// The keys of a profile in the text of a shared credentials file.
pub(super) fn profile(text: &str, name: &str, region: Option<&str>) -> Result<AwsKeys, String> {
    let mut inside = false;
    let mut found = false;
    let (mut id, mut secret, mut token, mut own_region) = (None, None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            inside = section.trim() == name;
            found |= inside;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match key.trim() {
            "aws_access_key_id" => id = value,
            "aws_secret_access_key" => secret = value,
            "aws_session_token" => token = value,
            "region" => own_region = value,
            _ => {}
        }
    }
    if !found {
        return Err(format!("there is no profile {name} in it"));
    }
    match (id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(AwsKeys {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: token.map(Into::into),
            region: region.map(str::to_owned).or(own_region),
        }),
        _ => Err(format!(
            "the profile {name} has no aws_access_key_id and aws_secret_access_key"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The example keys of AWS's documentation.
    fn keys() -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session_token: None,
            region: None,
        }
    }

    #[test]
    fn the_published_example_of_a_signed_request_is_reproduced() {
        // "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", Amazon S3 API reference.
        let request = Signed {
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            region: "us-east-1",
            service: "s3",
            parameters: &[],
            expires: "86400",
            payload: "UNSIGNED-PAYLOAD",
        };
        let (_, signature) = presign(&request, &keys(), 1_369_353_600);
        assert_eq!(
            signature,
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn the_message_has_what_brokers_look_for_and_not_the_secret() {
        let now = UNIX_EPOCH + Duration::from_secs(1_603_324_800);
        let host = "b-1.name.c2.kafka.eu-west-1.amazonaws.com";
        let with_token = AwsKeys {
            session_token: Some("session".to_owned().into()),
            ..keys()
        };
        let message = message(host, &with_token, now).expect("signed");
        let message: serde_json::Value = serde_json::from_str(&message).expect("JSON");
        for (name, expected) in [
            ("version", "2020_10_22"),
            ("host", host),
            ("action", "kafka-cluster:Connect"),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            (
                "x-amz-credential",
                "AKIAIOSFODNN7EXAMPLE/20201022/eu-west-1/kafka-cluster/aws4_request",
            ),
            ("x-amz-date", "20201022T000000Z"),
            ("x-amz-expires", "900"),
            ("x-amz-signedheaders", "host"),
            ("x-amz-security-token", "session"),
        ] {
            assert_eq!(message[name], expected, "{name}");
        }
        assert_eq!(message["x-amz-signature"].as_str().map(str::len), Some(64));
        assert!(!message.to_string().contains("EXAMPLEKEY"));
        let nowhere = super::message("10.0.0.1", &keys(), now).expect_err("no region");
        assert!(nowhere.contains("AWS_REGION"), "{nowhere}");
    }

    #[test]
    fn profiles_are_read_from_the_shared_file() {
        let text = "[default]\naws_access_key_id = A\n\n[team]\n# note\naws_access_key_id=B\n\
                    aws_secret_access_key = s=1\naws_session_token=t\nregion=eu-west-1\n[other]\n";
        let team = profile(text, "team", None).expect("it is there");
        assert_eq!(team.access_key_id, "B");
        assert_eq!(team.secret_access_key.expose(), "s=1");
        assert_eq!(team.region.as_deref(), Some("eu-west-1"));
        let region = profile(text, "team", Some("us-east-1"))
            .expect("it is there")
            .region;
        assert_eq!(region.as_deref(), Some("us-east-1"));
        for (name, expected) in [
            ("default", "has no aws_access_key_id"),
            ("x", "no profile x"),
        ] {
            let problem = profile(text, name, None).expect_err(name);
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
