//! AWS_MSK_IAM with keys that are given out for a time: a scripted AWS over http, and a broker that looks at whose name
//! a request is signed with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::client::{ClientConfig, HostPort};
use config::security::{
    AwsCredentials, AwsKeys, AwsProfile, AwsRole, AwsServices, AwsToken, ContainerToken, Endpoint,
    LoginRetry, Mechanism, OAuth, Refresh, SaslSettings, Security, TokenSource,
};
use kafka_client::{ClientError, Connection};
use test_support::fake_broker::{FakeBroker, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::peer::{self, SASL_AUTHENTICATE, SASL_HANDSHAKE, address, broker, in_time};
use crate::secure::{shook_hands, stepped, token};

/// The keys that the scripted AWS gives out.
const GIVEN: &str = "ASIAGIVENOUT";

/// An AWS whose answers are a function of the request (head and body); remembers all requests.
struct FakeAws {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl FakeAws {
    async fn start(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, mut tasks) = (Arc::clone(&seen), JoinSet::new());
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = Vec::new();
                while !text.ends_with(b"\r\n\r\n") {
                    text.push(stream.read_u8().await.expect("a request"));
                }
                let head = String::from_utf8(text.clone())
                    .expect("a text")
                    .to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:"))
                    .map_or(0, |length| length.trim().parse().expect("a number"));
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.expect("a body");
                text.extend(body);
                let request = String::from_utf8(text).expect("a text");
                let (status, body) = answer(&request);
                log.lock().expect("not poisoned").push(request);
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n");
                let whole = [head.as_bytes(), body.as_bytes()].concat();
                stream.write_all(&whole).await.expect("sent");
            }
        });
        Self {
            port,
            seen,
            _tasks: tasks,
        }
    }

    fn at(&self, path: &str) -> Endpoint {
        Endpoint {
            tls: false,
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: path.to_owned(),
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }

    fn role(&self) -> Box<AwsRole> {
        Box::new(AwsRole {
            arn: "arn:aws:iam::1:role/link".to_owned(),
            session_name: "tributary".to_owned(),
            external_id: Some("e x".to_owned()),
            token_service: self.at("/"),
            token_region: "eu-west-1".to_owned(),
            region: Some("eu-west-1".to_owned()),
        })
    }
}

/// When the keys end, as AWS writes it, in a day whose date does not matter: far away, or gone.
fn end(alive: bool) -> &'static str {
    if alive {
        "2199-01-01T00:00:00Z"
    } else {
        "2001-01-01T00:00:00Z"
    }
}

fn of_service(alive: bool) -> String {
    format!(
        "<R><Credentials><AccessKeyId>{GIVEN}</AccessKeyId><SecretAccessKey>hunter2</SecretAccessKey>\
         <SessionToken>session/+=</SessionToken><Expiration>{}</Expiration></Credentials></R>",
        end(alive)
    )
}

fn of_agent() -> String {
    format!(
        "{{\"AccessKeyId\":\"{GIVEN}\",\"SecretAccessKey\":\"hunter2\",\"Token\":\"session/+=\",\"Expiration\":\"{}\"}}",
        end(true)
    )
}

/// Takes whoever signs with the keys that were given out.
async fn amazon() -> FakeBroker {
    broker(|request| match request.api_key {
        SASL_HANDSHAKE => shook_hands(&["AWS_MSK_IAM"]),
        SASL_AUTHENTICATE => {
            let sent = String::from_utf8(token(request)).expect("JSON is text");
            let right = sent.contains(&format!("\"x-amz-credential\":\"{GIVEN}/"))
                && sent.contains("\"x-amz-security-token\":\"session/+=\"")
                && !sent.contains("hunter2");
            if right {
                stepped(b"{}", 900_000)
            } else {
                Reply::Close
            }
        }
        _ => Reply::Close,
    })
    .await
}

async fn opened(peer: &HostPort, credentials: AwsCredentials) -> Result<Connection, ClientError> {
    with(peer, Mechanism::AwsMskIam(credentials)).await
}

async fn with(peer: &HostPort, mechanism: Mechanism) -> Result<Connection, ClientError> {
    let config = ClientConfig {
        security: Security::SaslPlaintext(Box::new(SaslSettings { mechanism })),
        ..peer::config(vec![peer.clone()])
    };
    in_time(Connection::open(&config, peer, None)).await
}

fn own_keys() -> AwsKeys {
    AwsKeys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "hunter3".to_owned().into(),
        session_token: None,
        region: None,
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_a_signed_request_and_its_keys_sign_for_the_broker() {
    let aws = FakeAws::start(|_| (200, of_service(true))).await;
    let peer = amazon().await;
    let credentials = AwsCredentials::Role {
        source: Box::new(AwsCredentials::Keys(own_keys())),
        role: aws.role(),
    };
    opened(&address(&peer), credentials)
        .await
        .expect("the keys are right");
    let seen = aws.seen();
    assert_eq!(seen.len(), 1);
    for says in [
        "POST / HTTP/1.1",
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Flink&RoleSessionName=tributary",
        "ExternalId=e+x",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
        "/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=",
    ] {
        assert!(seen[0].contains(says), "{says} is not in\n{}", seen[0]);
    }
    assert!(!seen[0].contains("hunter3"), "{}", seen[0]);
}

#[tokio::test]
async fn a_token_of_the_own_identity_provider_opens_a_role_and_a_profile_says_so() {
    let aws = FakeAws::start(|_| (200, of_service(true))).await;
    let peer = amazon().await;
    let directory = tempfile::tempdir().expect("a directory");
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, "web.identity.token\n").expect("written");
    let config_file = directory.path().join("config");
    let profile = format!(
        "[profile pod]\nrole_arn=arn:pod\nweb_identity_token_file={}\nregion=eu-west-1\n",
        token_file.display()
    );
    std::fs::write(&config_file, profile).expect("written");
    for credentials in [
        AwsCredentials::WebIdentity {
            role: aws.role(),
            token_file: token_file.clone(),
        },
        AwsCredentials::Profile(Box::new(AwsProfile {
            file: directory.path().join("credentials"),
            config_file: config_file.clone(),
            name: "pod".to_owned(),
            chosen: true,
            services: AwsServices {
                region: None,
                sts: Some(aws.at("/")),
                metadata: aws.at("/"),
                environment: None,
            },
        })),
    ] {
        opened(&address(&peer), credentials)
            .await
            .expect("the keys are right");
    }
    let seen = aws.seen();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert!(
            request.contains("Action=AssumeRoleWithWebIdentity")
                && request.contains("WebIdentityToken=web.identity.token"),
            "{request}"
        );
        assert!(
            !request.to_lowercase().contains("authorization:"),
            "{request}"
        );
    }
    assert!(seen[1].contains("RoleArn=arn%3Apod"), "{}", seen[1]);
}

#[tokio::test]
async fn containers_and_machines_have_keys_of_their_own() {
    let aws = FakeAws::start(|request| {
        let given = |header: &str| request.to_lowercase().contains(header);
        let list = "GET /latest/meta-data/iam/security-credentials/";
        if request.starts_with("PUT /latest/api/token ") && given("ttl-seconds: 300") {
            (200, "metadata-token".to_owned())
        } else if request.starts_with(&format!("{list} "))
            && given("metadata-token: metadata-token")
        {
            (200, "machine-role\n".to_owned())
        } else if request.starts_with(&format!("{list}machine-role "))
            || given("authorization: container")
        {
            (200, of_agent())
        } else {
            (401, String::new())
        }
    })
    .await;
    let peer = amazon().await;
    let region = Some("eu-west-1".to_owned());
    for credentials in [
        AwsCredentials::Instance {
            endpoint: aws.at("/"),
            region: region.clone(),
        },
        AwsCredentials::Container {
            endpoint: aws.at("/v1/credentials"),
            token: Some(ContainerToken::Value("container".to_owned().into())),
            region,
        },
    ] {
        opened(&address(&peer), credentials)
            .await
            .expect("the keys are right");
    }
    assert_eq!(aws.seen().len(), 4);
}

/// A mechanism whose tokens come from there, in the name of a role.
fn with_tokens_of(aws: &FakeAws) -> Mechanism {
    Mechanism::OAuthBearer(Box::new(OAuth {
        source: TokenSource::Aws(Box::new(AwsToken {
            credentials: AwsCredentials::Role {
                source: Box::new(AwsCredentials::Keys(own_keys())),
                role: aws.role(),
            },
            audience: "https://brokers.example".to_owned(),
            duration: Duration::from_secs(300),
            algorithm: "ES384".to_owned(),
            tags: vec![("team".to_owned(), "a b".to_owned())],
            token_service: aws.at("/"),
            token_region: "eu-west-1".to_owned(),
        })),
        extensions: Vec::new(),
        tls: None,
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        refresh: Refresh::default(),
        retry: LoginRetry::default(),
        claims: Vec::new(),
    }))
}

#[tokio::test]
async fn a_broker_that_is_not_of_aws_is_shown_a_token_of_aws() {
    const TOKEN: &str = "e30.e30.c2ln";
    let aws = FakeAws::start(|request| {
        if request.contains("Action=GetWebIdentityToken") {
            let end = end(true);
            let token = format!(
                "<GetWebIdentityTokenResponse><GetWebIdentityTokenResult><WebIdentityToken>{TOKEN}</WebIdentityToken>\
                 <Expiration>{end}</Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
            );
            (200, token)
        } else {
            (200, of_service(true))
        }
    })
    .await;
    let peer = broker(|request| match request.api_key {
        SASL_HANDSHAKE => shook_hands(&["OAUTHBEARER"]),
        SASL_AUTHENTICATE => {
            let sent = String::from_utf8(token(request)).expect("a text");
            match sent.contains(&format!("auth=Bearer {TOKEN}\u{1}")) {
                true => stepped(b"", 900_000),
                false => Reply::Close,
            }
        }
        _ => Reply::Close,
    })
    .await;
    with(&address(&peer), with_tokens_of(&aws))
        .await
        .expect("the token is right");
    let seen = aws.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for says in [
        "Audience.member.1=https%3A%2F%2Fbrokers.example&DurationSeconds=300&SigningAlgorithm=ES384",
        "Tags.member.1.Key=team&Tags.member.1.Value=a+b",
        &format!("AWS4-HMAC-SHA256 Credential={GIVEN}/"),
        "/eu-west-1/sts/aws4_request",
        "x-amz-security-token: session/+=",
    ] {
        assert!(seen[1].contains(says), "{says} is not in\n{}", seen[1]);
    }
}

#[tokio::test]
async fn a_token_that_aws_does_not_give_is_named_with_what_to_check() {
    let body = "<ErrorResponse><Error><Code>OutboundWebIdentityFederationDisabled</Code><Message>it is disabled\
                </Message></Error></ErrorResponse>";
    let aws = FakeAws::start(
        move |request| match request.contains("Action=AssumeRole&") {
            true => (200, of_service(true)),
            false => (403, body.to_owned()),
        },
    )
    .await;
    let peer = amazon().await;
    let refused = with(&address(&peer), with_tokens_of(&aws))
        .await
        .expect_err("no token");
    let text = format!("{refused} {refused:?}");
    for says in [
        "AWS gives no token for https://brokers.example at http://127.0.0.1",
        "it answers 403: OutboundWebIdentityFederationDisabled, it is disabled",
        "check that outbound identity federation is enabled",
    ] {
        assert!(text.contains(says), "{text}");
    }
    assert!(!text.contains("hunter"), "{text}");
}

#[tokio::test]
async fn a_role_that_is_refused_is_named_with_the_reason_and_no_secret() {
    let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform \
                sts:AssumeRole</Message></Error><Secret>hunter2</Secret></ErrorResponse>";
    let aws = FakeAws::start(move |_| (403, body.to_owned())).await;
    let peer = amazon().await;
    let credentials = AwsCredentials::Role {
        source: Box::new(AwsCredentials::Keys(own_keys())),
        role: aws.role(),
    };
    let refused = opened(&address(&peer), credentials)
        .await
        .expect_err("no keys");
    let text = format!("{refused} {refused:?}");
    for says in [
        "AWS gives no keys for the role arn:aws:iam::1:role/link at http://127.0.0.1",
        "it answers 403: AccessDenied, not authorized to perform sts:AssumeRole",
        "trust policy",
    ] {
        assert!(text.contains(says), "{text}");
    }
    assert!(!text.contains("hunter"), "{text}");
}
