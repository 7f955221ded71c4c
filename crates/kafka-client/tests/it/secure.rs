//! Setting up protected connections with peers that misbehave: each costs one time limit, little memory, and gives an
//! error that says what happened. And a lane whose sessions end all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use config::client::{ClientConfig, HostPort};
use config::security::{
    AwsCredentials, AwsKeys, Credentials, Mechanism, SaslSettings, ScramHash, Security, TlsSettings,
};
use kafka_client::produce_lane::{self, ProduceEvent};
use kafka_client::{ClientError, Connection};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use test_support::fake_broker::{FakeBroker, Reply, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::peer::{self, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE, address, broker, in_time};
use crate::produce::{answer, call};

fn credentials() -> Credentials {
    Credentials {
        username: "alice".to_owned(),
        password: "hunter2".to_owned().into(),
    }
}

fn plain() -> Security {
    Security::SaslPlaintext(Box::new(SaslSettings {
        mechanism: Mechanism::Plain(credentials()),
    }))
}

fn scram() -> Security {
    Security::SaslPlaintext(Box::new(SaslSettings {
        mechanism: Mechanism::Scram {
            hash: ScramHash::Sha256,
            credentials: credentials(),
            token: false,
        },
    }))
}

fn tls() -> Security {
    Security::Tls(Box::<TlsSettings>::default())
}

fn config(peer: &HostPort, security: Security) -> ClientConfig {
    ClientConfig {
        security,
        ..peer::config(vec![peer.clone()])
    }
}

async fn refused(peer: &HostPort, security: Security) -> ClientError {
    let begin = Instant::now();
    let config = config(peer, security);
    let opened = in_time(Connection::open(&config, peer, None)).await;
    let error = opened.expect_err("the peer is hostile");
    // The set-up may take 400 ms; the rest is this machine's.
    assert!(begin.elapsed() < Duration::from_secs(5), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    error
}

pub(crate) fn shook_hands(mechanisms: &[&str]) -> Reply {
    let mut body = 0_i16.to_be_bytes().to_vec();
    body.extend((mechanisms.len() as i32).to_be_bytes());
    for mechanism in mechanisms {
        peer::text(&mut body, mechanism);
    }
    Reply::Body(body)
}

pub(crate) fn stepped(token: &[u8], lifetime_ms: i64) -> Reply {
    let mut body = 0_i16.to_be_bytes().to_vec();
    body.extend((-1_i16).to_be_bytes());
    body.extend((token.len() as i32).to_be_bytes());
    body.extend(token);
    body.extend(lifetime_ms.to_be_bytes());
    Reply::Body(body)
}

/// The mechanism's bytes of a request in a header without tagged fields.
pub(crate) fn token(request: &Request) -> Vec<u8> {
    let client_id = usize::from(u16::from_be_bytes([request.rest[0], request.rest[1]]));
    request.rest[2 + client_id + 4..].to_vec()
}

#[tokio::test]
async fn a_server_that_asks_for_endless_work_or_forges_its_proof_is_refused() {
    for (first, last, expected) in [
        ("i=2147483647", "", "asks for 2147483647 iterations"),
        ("i=1", "", "asks for 1 iterations"),
        ("i=4096", "v=AAAA", "does not know the password itself"),
        ("i=4096", "", "does not follow RFC 5802"),
        ("i=4096", "e=other-error", "it says: other-error"),
    ] {
        let peer = broker(move |request| match request.api_key {
            SASL_HANDSHAKE => shook_hands(&["SCRAM-SHA-256"]),
            SASL_AUTHENTICATE => {
                let sent = String::from_utf8(token(request)).expect("SCRAM is text");
                match sent.split_once(",r=") {
                    Some((head, nonce)) if head.starts_with("n,,") => {
                        stepped(format!("r={nonce}x,s=c2FsdA==,{first}").as_bytes(), 0)
                    }
                    _ => stepped(last.as_bytes(), 0),
                }
            }
            _ => Reply::Close,
        })
        .await;
        let error = refused(&address(&peer), scram()).await;
        assert!(
            matches!(error, ClientError::Authentication { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn large_frames_random_bytes_and_silence_end_the_set_up() {
    for seed in 0..40_u64 {
        let peer = broker(move |request| {
            let mut random = SmallRng::seed_from_u64(seed);
            let length = random.random_range(0..200);
            let bytes: Vec<u8> = (0..length).map(|_| random.random_range(0..=255)).collect();
            match request.api_key {
                SASL_HANDSHAKE if seed % 2 == 0 => shook_hands(&["PLAIN"]),
                _ if seed % 3 == 0 => Reply::Bytes(bytes),
                _ => Reply::Body(bytes),
            }
        })
        .await;
        refused(&address(&peer), plain()).await;
    }
    let claimed = (50 * 1024 * 1024_i32).to_be_bytes().to_vec();
    let peer = broker(move |_| Reply::Bytes(claimed.clone())).await;
    let error = refused(&address(&peer), plain()).await;
    assert!(matches!(error, ClientError::Frame { .. }), "{error}");
    let peer = broker(|_| Reply::Silence).await;
    let error = refused(&address(&peer), plain()).await;
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

/// A peer that answers every connection with these bytes, one at a time with a pause, and stays.
async fn drips(bytes: Vec<u8>, pause: Duration) -> (HostPort, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            connections.spawn(async move {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    if !pause.is_zero() {
                        // sleeps because slowness is what this peer is for
                        sleep(pause).await;
                    }
                }
                let mut sink = vec![0; 4096];
                while stream.read_exact(&mut sink).await.is_ok() {}
            });
        }
    });
    let host = "127.0.0.1".to_owned();
    (HostPort { host, port }, tasks)
}

#[tokio::test]
async fn whatever_a_tls_peer_sends_ends_the_set_up_in_time() {
    // A ServerHello that never ends, byte by byte; a record of the largest length; nothing.
    let slow = [&[22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc], &[0; 4000][..]].concat();
    for (bytes, pause) in [
        (slow.clone(), Duration::from_millis(20)),
        (slow, Duration::ZERO),
        (vec![22, 3, 3, 0xff, 0xff], Duration::ZERO),
        (vec![], Duration::ZERO),
    ] {
        let (peer, _tasks) = drips(bytes, pause).await;
        let error = refused(&peer, tls()).await;
        assert!(
            matches!(error, ClientError::Timeout { .. } | ClientError::Tls { .. }),
            "{error}"
        );
    }
    for seed in 0..40_u64 {
        let mut random = SmallRng::seed_from_u64(seed);
        let length = random.random_range(5..2_000);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.random_range(0..=255)).collect();
        if seed % 2 == 0 {
            bytes[..3].copy_from_slice(&[22, 3, 3]);
        }
        let (peer, _tasks) = drips(bytes, Duration::ZERO).await;
        refused(&peer, tls()).await;
    }
}

/// A ServerHello of a peer that speaks an older TLS than both could, with this end of its random bytes.
fn server_hello(version: [u8; 2], end: &[u8; 8]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 24]);
    hello.extend(end);
    // No session; TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; no compression; extended master secret.
    hello.extend([0, 0xc0, 0x2f, 0, 0, 4, 0, 23, 0, 0]);
    let mut record = vec![22, version[0], version[1]];
    record.extend((hello.len() as u16 + 4).to_be_bytes());
    record.extend([2, 0, 0, hello.len() as u8]);
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_peer_that_talks_down_the_version_of_tls_is_refused() {
    let tls13_only = Security::Tls(Box::new(TlsSettings {
        tls12: false,
        ..TlsSettings::default()
    }));
    // RFC 8446, 4.1.3: who speaks TLS 1.3 and answers with less says so in its random bytes, which nobody in between
    // can change without being noticed.
    for (hello, security) in [
        (server_hello([3, 3], b"DOWNGRD\x01"), tls()),
        (server_hello([3, 2], b"DOWNGRD\x00"), tls()),
        (server_hello([3, 1], &[7; 8]), tls()),
        (server_hello([3, 3], &[7; 8]), tls13_only),
    ] {
        let (peer, _tasks) = drips(hello, Duration::ZERO).await;
        let error = refused(&peer, security).await;
        assert!(matches!(error, ClientError::Tls { .. }), "{error}");
    }
}

/// A broker that grants sessions of 300 ms and numbers the records it is given.
async fn forgetful() -> FakeBroker {
    let next = Arc::new(AtomicI64::new(0));
    broker(move |request| match request.api_key {
        SASL_HANDSHAKE => shook_hands(&["PLAIN"]),
        SASL_AUTHENTICATE if token(request) == b"\0alice\0hunter2" => stepped(b"", 300),
        PRODUCE => Reply::Body(answer(next.fetch_add(1, Ordering::Relaxed))),
        _ => Reply::Close,
    })
    .await
}

#[tokio::test]
async fn a_lane_outlives_its_sessions_without_losing_or_repeating_a_call() {
    const CALLS: u64 = 600;
    let peer = forgetful().await;
    let own = address(&peer);
    let connection = in_time(Connection::open(&config(&own, plain()), &own, None))
        .await
        .expect("the password is right");
    let (calls, queue) = mpsc::channel(5);
    let (events, mut said) = mpsc::channel(16);
    let lane = produce_lane::run(connection, queue, Duration::from_secs(5), |event| {
        let events = events.clone();
        async move { events.send(event).await.expect("there is room") }
    });
    let lane = Box::pin(lane);
    let feed = async move {
        for tag in 0..CALLS {
            calls.send(call(tag)).await.expect("the lane lives");
            if tag % 5 == 0 {
                // sleeps because sessions have to end while calls are on their way
                sleep(Duration::from_millis(10)).await;
            }
        }
        // The last answers come before the lane is closed.
        calls
    };
    let listen = async move {
        let mut answered = Vec::new();
        while answered.len() < CALLS as usize {
            match said.recv().await.expect("the lane lives") {
                ProduceEvent::Answered { tag, response } => {
                    answered.push((tag, response.topics[0].partitions[0].base_offset));
                }
                ProduceEvent::Ended { error, unanswered } => panic!("{error}: {unanswered:?}"),
            }
        }
        answered
    };
    let answered = in_time(async {
        tokio::select! {
            (calls, answered) = async { tokio::join!(feed, listen) } => {
                drop(calls);
                answered
            }
            () = lane => panic!("the lane has ended"),
        }
    })
    .await;
    let expected: Vec<(u64, i64)> = (0..CALLS).map(|tag| (tag, tag as i64)).collect();
    assert_eq!(answered, expected);
    let seen = peer.seen();
    let produced = seen.iter().filter(|r| r.api_key == PRODUCE).count();
    assert_eq!(produced, CALLS as usize);
    let connections = seen.iter().map(|r| r.connection).max().expect("some") + 1;
    assert!(connections >= 3, "{connections} connections");
}

#[tokio::test]
async fn a_connection_of_one_owner_is_renewed_between_two_requests() {
    let peer = forgetful().await;
    let own = address(&peer);
    let mut connection = in_time(Connection::open(&config(&own, plain()), &own, None))
        .await
        .expect("the password is right");
    assert!(!connection.renew().await, "the session is new");
    // sleeps because the session has to end
    sleep(Duration::from_millis(300)).await;
    assert!(in_time(connection.renew()).await, "the session has ended");
    assert_eq!(peer.seen().iter().map(|r| r.connection).max(), Some(1));
}

#[tokio::test]
async fn a_broker_of_aws_is_given_a_signed_request_and_not_the_secret() {
    let peer = broker(|request| match request.api_key {
        SASL_HANDSHAKE => shook_hands(&["AWS_MSK_IAM"]),
        SASL_AUTHENTICATE => {
            let sent = String::from_utf8(token(request)).expect("JSON is text");
            let right = sent.contains("\"action\":\"kafka-cluster:Connect\"")
                && sent.contains("\"host\":\"127.0.0.1\"")
                && sent.contains("/eu-west-1/kafka-cluster/aws4_request\"")
                && !sent.contains("hunter2");
            if right {
                stepped(b"{\"version\":\"2020_10_22\"}", 900_000)
            } else {
                Reply::Close
            }
        }
        _ => Reply::Close,
    })
    .await;
    let own = address(&peer);
    let security = Security::SaslPlaintext(Box::new(SaslSettings {
        mechanism: Mechanism::AwsMskIam(AwsCredentials::Keys(AwsKeys {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "hunter2".to_owned().into(),
            session_token: None,
            region: Some("eu-west-1".to_owned()),
        })),
    }));
    in_time(Connection::open(&config(&own, security), &own, None))
        .await
        .expect("the request is right");
}
