//! AWS_MSK_IAM: the broker is given a signed request (Signature Version 4) that it could make to AWS in our name.
//!
//! The requests to AWS that give out credentials are signed here too. Signing is pure; where the credentials come from is
//! the matter of `aws_profile.rs` and `aws_roles.rs`.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use config::Secret;
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

/// Day and time as signatures have them.
fn stamps(seconds: u64) -> (String, String) {
    let day = date(seconds).replace('-', "");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let time = format!("{day}T{hour:02}{minute:02}{second:02}Z");
    (day, time)
}

/// The signature of a request in its canonical form.
fn signature(
    canonical: &str,
    (region, service): (&str, &str),
    keys: &AwsKeys,
    seconds: u64,
) -> String {
    let (day, time) = stamps(seconds);
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let signed =
        format!("AWS4-HMAC-SHA256\n{time}\n{day}/{region}/{service}/aws4_request\n{hashed}");
    let mut key = format!("AWS4{}", keys.secret_access_key.expose()).into_bytes();
    for part in [day.as_str(), region, service, "aws4_request"] {
        key = hmac(&key, part);
    }
    hex(&hmac(&key, &signed))
}

/// The parameters, sorted by name, and the signature of a request whose signature is a parameter.
fn presign(request: &Signed<'_>, keys: &AwsKeys, seconds: u64) -> (Vec<(String, String)>, String) {
    let (day, time) = stamps(seconds);
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
    let place = (request.region, request.service);
    let signature = signature(&canonical, place, keys, seconds);
    (parameters, signature)
}

/// A POST whose signature is a header.
pub(super) struct Post<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// The headers that sign a POST.
pub(super) fn sign(
    post: &Post<'_>,
    keys: &AwsKeys,
    seconds: u64,
) -> Vec<(&'static str, Secret<String>)> {
    let (day, time) = stamps(seconds);
    let mut headers = vec![
        ("content-type", post.content_type.to_owned()),
        ("host", post.host.to_owned()),
        ("x-amz-date", time),
    ];
    if let Some(token) = &keys.session_token {
        headers.push(("x-amz-security-token", token.expose().clone()));
    }
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let hashed = hex(&Sha256::digest(post.body.as_bytes()));
    let canonical = format!("POST\n{}\n\n{lines}\n{names}\n{hashed}", post.path);
    let signature = signature(&canonical, (post.region, post.service), keys, seconds);
    let (id, region, service) = (&keys.access_key_id, post.region, post.service);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{day}/{region}/{service}/aws4_request, SignedHeaders={names}, \
         Signature={signature}"
    );
    headers
        .into_iter()
        .filter(|(name, _)| name.starts_with("x-amz-"))
        .chain([("authorization", authorization)])
        .map(|(name, value)| (name, value.into()))
        .collect()
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
    fn the_published_vectors_of_signed_posts_are_reproduced() {
        // AWS's test suite of Signature Version 4: post-x-www-form-urlencoded.
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session_token: None,
            region: None,
        };
        let post = Post {
            host: "example.amazonaws.com",
            path: "/",
            content_type: "application/x-www-form-urlencoded",
            body: "Param1=value1",
            region: "us-east-1",
            service: "service",
        };
        let headers = sign(&post, &keys, 1_440_938_160);
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map_or("", |(_, value)| value.expose().as_str())
        };
        assert_eq!(header("x-amz-date"), "20150830T123600Z");
        assert_eq!(
            header("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
        // The suite's get-vanilla and post-vanilla: the chain from canonical form to signature.
        let empty = hex(&Sha256::digest(b""));
        for (method, expected) in [
            (
                "GET",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ] {
            let canonical = format!(
                "{method}\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n{empty}"
            );
            let place = ("us-east-1", "service");
            assert_eq!(signature(&canonical, place, &keys, 1_440_938_160), expected);
        }
    }
}
