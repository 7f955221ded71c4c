//! Keys of AWS that are given out for a time: roles of the security token service, of a container, of a machine. And
//! the service's tokens for somebody else than AWS.
//!
//! Invariant: of what AWS answers only its code and message are shown, never what it gave.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use config::Secret;
use config::security::{AwsCredentials, AwsKeys, AwsRole, AwsToken, ContainerToken, Endpoint};
use hyper::Method;
use serde_json::Value;

use super::aws::{Post, sign};
use super::endpoint::{self, Limits, NoAnswer, Question, Refused, host_of};
use super::explain::words_of_peer;
use super::protection::read_file;
use super::{date, token};

/// AWS answers within moments, or not at all.
const LIMITS: Limits<'static> = Limits {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(10),
    tls: None,
};
const VERSION: &str = "2011-06-15";
/// Life of a role's keys that is asked for, in seconds; what every role allows.
const LIFE: &str = "3600";

/// What is to be checked where a role is refused.
const OF_ROLES: &str = "the role's trust policy";
/// The same for tokens.
const OF_TOKENS: &str = "that outbound identity federation is enabled in the account, that sts:GetWebIdentityToken is allowed";

/// Keys for a time.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) keys: AwsKeys,
    obtained: SystemTime,
    expires: Option<SystemTime>,
}

impl Session {
    /// Whether newer ones should be asked for: at four fifths of their life.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| {
            let life = expires
                .duration_since(self.obtained)
                .unwrap_or(Duration::ZERO);
            now >= self.obtained + life * 4 / 5
        })
    }

    /// As with tokens.
    pub(super) fn is_held_for(&self, pause: Duration, now: SystemTime) -> bool {
        now.duration_since(self.obtained)
            .map_or(true, |age| age >= pause)
    }

    /// Whether they can be used at all.
    pub(super) fn is_alive(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Asks AWS for keys.
pub(super) async fn obtain(
    credentials: &AwsCredentials,
    now: SystemTime,
) -> Result<Session, String> {
    match credentials {
        AwsCredentials::Keys(keys) => Ok(Session {
            keys: keys.clone(),
            obtained: now,
            expires: None,
        }),
        AwsCredentials::Profile(_) => Err("the AWS profile has not been read".to_owned()),
        AwsCredentials::WebIdentity { role, token_file } => {
            let token = text_of(token_file).await?;
            let form = fields(
                "AssumeRoleWithWebIdentity",
                role,
                &[("WebIdentityToken", token)],
            );
            assume(role, Question::form(&form), now).await
        }
        AwsCredentials::Role { source, role } => {
            // Boxed: a role may be opened by a role.
            let opener = Box::pin(obtain(source, now)).await?;
            let external = role.external_id.clone().map(|id| ("ExternalId", id));
            let more: Vec<(&str, String)> = external.into_iter().collect();
            let place = (&role.token_service, role.token_region.as_str());
            let form = fields("AssumeRole", role, &more);
            let question = signed(&form, place, &opener.keys, now)?;
            assume(role, question, now).await
        }
        AwsCredentials::Container {
            endpoint,
            token,
            region,
        } => {
            let mut question = Question::get();
            match token {
                Some(ContainerToken::Value(token)) => {
                    question = question.with("authorization", token.clone());
                }
                Some(ContainerToken::File(path)) => {
                    question = question.with("authorization", text_of(path).await?.into());
                }
                None => {}
            }
            let from = format!("keys for the container's credentials at {endpoint}");
            let answer = ask(endpoint, question, &from, OF_ROLES).await?;
            of_document(&answer, region.as_ref(), now).ok_or_else(|| unreadable(&from))
        }
        AwsCredentials::Instance { endpoint, region } => {
            instance(endpoint, region.as_ref(), now).await
        }
    }
}

/// A form for the token service in the name of these keys.
fn signed(
    form: &[(&str, String)],
    (service, region): (&Endpoint, &str),
    keys: &AwsKeys,
    now: SystemTime,
) -> Result<Question, String> {
    let mut question = Question::form(form);
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "this machine's clock is wrong")?
        .as_secs();
    let host = host_of(service);
    let post = Post {
        host: &host,
        path: &service.path,
        content_type: "application/x-www-form-urlencoded",
        body: &question.body,
        region,
        service: "sts",
    };
    let headers = sign(&post, keys, seconds);
    question.headers.extend(headers);
    Ok(question)
}

/// A token that tells somebody else who these keys belong to.
pub(super) async fn token(
    wanted: &AwsToken,
    keys: &AwsKeys,
    now: SystemTime,
) -> Result<token::Token, String> {
    let mut form = vec![
        ("Action", "GetWebIdentityToken".to_owned()),
        ("Version", VERSION.to_owned()),
        ("Audience.member.1", wanted.audience.clone()),
        ("DurationSeconds", wanted.duration.as_secs().to_string()),
        ("SigningAlgorithm", wanted.algorithm.clone()),
    ];
    let tags: Vec<(String, &String)> = (1..)
        .zip(&wanted.tags)
        .flat_map(|(place, (name, value))| {
            let key = |part| format!("Tags.member.{place}.{part}");
            [(key("Key"), name), (key("Value"), value)]
        })
        .collect();
    form.extend(
        tags.iter()
            .map(|(key, value)| (key.as_str(), (*value).clone())),
    );
    let service = &wanted.token_service;
    let question = signed(&form, (service, &wanted.token_region), keys, now)?;
    let from = format!("token for {} at {service}", wanted.audience);
    let answer = ask(service, question, &from, OF_TOKENS).await?;
    let answer = String::from_utf8_lossy(&answer);
    let text = element(&answer, "WebIdentityToken").ok_or_else(|| unreadable(&from))?;
    token::Token::new(text, now, Some(wanted.duration))
}

async fn text_of(path: &std::path::Path) -> Result<String, String> {
    let bytes = read_file(path)
        .await
        .map_err(|problem| format!("AWS's token {}: {problem}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn fields<'a>(action: &str, role: &AwsRole, more: &[(&'a str, String)]) -> Vec<(&'a str, String)> {
    let mut form = vec![
        ("Action", action.to_owned()),
        ("Version", VERSION.to_owned()),
        ("RoleArn", role.arn.clone()),
        ("RoleSessionName", role.session_name.clone()),
        ("DurationSeconds", LIFE.to_owned()),
    ];
    form.extend(more.iter().cloned());
    form
}

async fn assume(role: &AwsRole, question: Question, now: SystemTime) -> Result<Session, String> {
    let from = format!("keys for the role {} at {}", role.arn, role.token_service);
    let answer = ask(&role.token_service, question, &from, OF_ROLES).await?;
    of_xml(&String::from_utf8_lossy(&answer), role.region.as_ref(), now)
        .ok_or_else(|| unreadable(&from))
}

fn unreadable(from: &str) -> String {
    format!("AWS gives no {from}: its answer cannot be read")
}

async fn ask(at: &Endpoint, question: Question, from: &str, remedy: &str) -> Result<Bytes, String> {
    let answer = endpoint::ask(&LIMITS, at, question).await;
    answer.map_err(|problem| {
        let problem = match problem {
            NoAnswer::Refused(Refused { status, body }) => {
                let body = String::from_utf8_lossy(&body).into_owned();
                let words: Vec<&str> = [element(&body, "Code"), element(&body, "Message")]
                    .into_iter()
                    .flatten()
                    .collect();
                let words = words_of_peer(&words.join(", "));
                let said = if words.is_empty() {
                    format!("it answers {status}")
                } else {
                    format!("it answers {status}: {words}")
                };
                format!("{said}; check {remedy}, the credentials and this machine's clock")
            }
            trouble @ NoAnswer::Trouble(_) => trouble.in_words(),
        };
        format!("AWS gives no {from}: {problem}")
    })
}

/// The metadata service of a machine, version 2: a token, the name of the role, its keys.
async fn instance(
    endpoint: &Endpoint,
    region: Option<&String>,
    now: SystemTime,
) -> Result<Session, String> {
    let from = format!(
        "keys for this machine's role at {endpoint}, the last place of AWS's chain (nothing is in the environment, and no profile)"
    );
    let at = |path: String| Endpoint {
        path,
        ..endpoint.clone()
    };
    let mut question = Question::get();
    question.method = Method::PUT;
    let question = question.with(
        "x-aws-ec2-metadata-token-ttl-seconds",
        "300".to_owned().into(),
    );
    let token = ask(
        &at("/latest/api/token".to_owned()),
        question,
        &from,
        OF_ROLES,
    )
    .await?;
    let token: Secret<String> = String::from_utf8_lossy(&token).trim().to_owned().into();
    let list = "/latest/meta-data/iam/security-credentials/";
    let with_token = || Question::get().with("x-aws-ec2-metadata-token", token.clone());
    let names = ask(&at(list.to_owned()), with_token(), &from, OF_ROLES).await?;
    let names = String::from_utf8_lossy(&names).into_owned();
    let role = names.lines().next().unwrap_or("").trim();
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if role.is_empty() || !role.chars().all(legal) {
        return Err(unreadable(&from));
    }
    let answer = ask(&at(format!("{list}{role}")), with_token(), &from, OF_ROLES).await?;
    of_document(&answer, region, now).ok_or_else(|| unreadable(&from))
}

/// Keys as agents of containers and machines give them.
fn of_document(answer: &[u8], region: Option<&String>, now: SystemTime) -> Option<Session> {
    let document: Value = serde_json::from_slice(answer).ok()?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    session(
        [
            text("AccessKeyId")?,
            text("SecretAccessKey")?,
            text("Token")?,
        ],
        text("Expiration")?,
        region,
        now,
    )
}

/// Keys as the security token service gives them.
fn of_xml(answer: &str, region: Option<&String>, now: SystemTime) -> Option<Session> {
    let credentials = element(answer, "Credentials")?;
    let text = |name: &str| element(credentials, name);
    session(
        [
            text("AccessKeyId")?,
            text("SecretAccessKey")?,
            text("SessionToken")?,
        ],
        text("Expiration")?,
        region,
        now,
    )
}

fn session(
    [id, secret, token]: [&str; 3],
    expires: &str,
    region: Option<&String>,
    now: SystemTime,
) -> Option<Session> {
    let legal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if ![id, secret, token].into_iter().all(legal) {
        return None;
    }
    Some(Session {
        keys: AwsKeys {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: Some(token.to_owned().into()),
            region: region.cloned(),
        },
        obtained: now,
        expires: UNIX_EPOCH.checked_add(Duration::from_secs(date::seconds(expires)?)),
    })
}

/// The text of the first element of that name. Nothing in these answers needs more of XML.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let open = format!("<{name}>");
    let begin = text.find(&open)? + open.len();
    let end = begin + text[begin..].find(&format!("</{name}>"))?;
    Some(text[begin..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_role_are_replaced_before_they_end() {
        let answer = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\n<AccessKeyId>ASIA</AccessKeyId>\
                      <SecretAccessKey>hunter2</SecretAccessKey><SessionToken>FwoG/+=</SessionToken>\
                      <Expiration>1970-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let region = "eu-west-1".to_owned();
        let session = of_xml(answer, Some(&region), UNIX_EPOCH).expect("keys");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!session.is_due(at(2_879)) && session.is_due(at(2_880)));
        assert!(session.is_alive(at(3_599)) && !session.is_alive(at(3_600)));
        assert_eq!(session.keys.access_key_id, "ASIA");
        assert_eq!(session.keys.region, Some(region));
        assert!(!format!("{session:?}").contains("hunter2"));
    }

    #[test]
    fn answers_that_are_none_give_no_keys() {
        for answer in [
            "",
            "<Credentials></Credentials>",
            "<Credentials><AccessKeyId>",
            "{}",
        ] {
            assert!(of_xml(answer, None, UNIX_EPOCH).is_none(), "{answer}");
        }
        let whole = r#"{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"1970-01-02T00:00:00Z"}"#;
        assert!(of_document(whole.as_bytes(), None, UNIX_EPOCH).is_some());
        for answer in [
            "",
            "{}",
            &whole.replace("\"t\"", "\"a b\""),
            &whole.replace("1970-01-02", "soon"),
        ] {
            assert!(
                of_document(answer.as_bytes(), None, UNIX_EPOCH).is_none(),
                "{answer}"
            );
        }
    }
}
