//! Links whose peers are hostile, in one process with a link whose peers are not: each hostile one fails with what
//! happened, memory stays small, and the other one does not notice.

use std::future::Future;

use test_support::eventually::eventually;
use test_support::token_issuer::acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::connect_worker::Worker;

/// What the process may take with all these peers at work.
const MEMORY: u64 = 120 * 1024 * 1024;
/// Longest time a record of the other link may need on a busy machine.
const UNDISTURBED: Duration = Duration::from_secs(15);

/// Does the same to everybody who connects.
struct Peer {
    port: u16,
    _tasks: JoinSet<()>,
}

impl Peer {
    async fn new<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            _tasks: tasks,
        }
    }
}

/// Sends a beginning, and then a part again and again until the other side has enough.
async fn floods(mut stream: impl AsyncWrite + Unpin, begin: Vec<u8>, part: Vec<u8>) -> Option<()> {
    stream.write_all(&begin).await.ok()?;
    loop {
        stream.write_all(&part).await.ok()?;
    }
}

/// Sends a byte now and then.
async fn drips(mut stream: impl AsyncWrite + Unpin, begin: Vec<u8>) -> Option<()> {
    stream.write_all(&begin).await.ok()?;
    loop {
        // sleeps because slowness is what this peer is for
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(&[0]).await.ok()?;
    }
}

/// Bytes that mean nothing, the same in each run.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(64 * 1024).collect()
}

/// Answers the first request with the head of a frame that claims so many bytes.
async fn claims(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    length: i32,
    part: Vec<u8>,
) -> Option<()> {
    let asked = stream.read_i32().await.ok()?;
    let mut request = vec![0; usize::try_from(asked).ok()?];
    stream.read_exact(&mut request).await.ok()?;
    floods(stream, length.to_be_bytes().to_vec(), part).await
}

/// A server that pretends to speak nothing newer than TLS 1.1.
async fn talks_down(mut stream: TcpStream) -> Option<()> {
    stream.read_u8().await.ok()?;
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session, a suite of that time, no compression.
    hello.extend([0, 0xc0, 0x13, 0]);
    let length = u8::try_from(hello.len()).expect("short");
    let mut record = vec![22, 3, 2, 0, length + 4, 2, 0, 0, length];
    record.extend(hello);
    stream.write_all(&record).await.ok()?;
    drips(stream, Vec::new()).await
}

/// A hostile peer, the settings with which it is reached, and what has to be said about it.
struct Hostile {
    name: &'static str,
    peer: Peer,
    settings: String,
    says: &'static [&'static str],
}

async fn hostile_tls(material: &SecureMaterial) -> Vec<Hostile> {
    let ssl = format!("security.protocol=SSL\n{}", trusting(material));
    let issued = material.authority.issue("hostile", &["127.0.0.1"]);
    let issued = issued.expect("a certificate");
    let inside = acceptor(&issued).expect("a certificate that can be used");
    let hello = |length: u8| vec![22, 3, 3, 0x40, 0, 2, length, 0xff, 0xff, 3, 3];
    vec![
        Hostile {
            name: "random-bytes",
            peer: Peer::new(|stream| floods(stream, Vec::new(), noise())).await,
            settings: ssl.clone(),
            says: &["TLS"],
        },
        Hostile {
            name: "endless-handshake",
            peer: Peer::new(move |stream| {
                let record = [&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat();
                floods(stream, [hello(0xff), vec![0; 0x4000 - 6]].concat(), record)
            })
            .await,
            settings: ssl.clone(),
            says: &["TLS"],
        },
        Hostile {
            name: "slow-handshake",
            peer: Peer::new(move |stream| drips(stream, hello(0))).await,
            settings: ssl.clone(),
            says: &["finish the TLS handshake"],
        },
        Hostile {
            name: "older-tls",
            peer: Peer::new(talks_down).await,
            settings: ssl.clone(),
            says: &["TLS"],
        },
        Hostile {
            name: "noise-in-tls",
            peer: Peer::new(move |stream| {
                let accepting = inside.accept(stream);
                async move { floods(accepting.await.ok()?, Vec::new(), noise()).await }
            })
            .await,
            settings: ssl,
            says: &["frame"],
        },
    ]
}

async fn hostile_sasl() -> Vec<Hostile> {
    let scram = sasl(
        "SASL_PLAINTEXT",
        "SCRAM-SHA-256",
        &password("planted-hostile"),
    );
    let endpoint = Peer::new(|stream| {
        floods(
            stream,
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            b"x-more: and more of it\r\n".repeat(1_000),
        )
    })
    .await;
    let settings = sasl(
        "SASL_PLAINTEXT",
        "OAUTHBEARER",
        "clientId=c clientSecret=planted-hostile",
    );
    let url = format!(
        "sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:{}/token\nsasl.login.retry.backoff.max.ms=1000\n",
        endpoint.port
    );
    vec![
        Hostile {
            name: "huge-frame",
            peer: Peer::new(|stream| claims(stream, i32::MAX, noise())).await,
            settings: scram.clone(),
            says: &["frame"],
        },
        Hostile {
            name: "large-frame",
            peer: Peer::new(|stream| claims(stream, 60 * 1024 * 1024, noise())).await,
            settings: scram.clone(),
            says: &["frame"],
        },
        Hostile {
            name: "slow-frame",
            peer: Peer::new(|stream| async move {
                // Silence first: nobody is asked anything by this one.
                drips(stream, vec![0, 0, 0x10, 0]).await
            })
            .await,
            settings: scram,
            says: &["within"],
        },
        Hostile {
            name: "endless-headers",
            peer: endpoint,
            settings: format!("{settings}{url}"),
            says: &["token endpoint", "it does not speak HTTP as it should"],
        },
    ]
}

/// Waits until a link has failed with these words, and returns them.
async fn fails(worker: &Worker, name: &str, says: &[&str]) {
    let path = format!("/connectors/{name}/status");
    let look = async || {
        let json = worker.client.get(&path).await.json();
        let trace = json["connector"]["trace"].as_str().unwrap_or("").to_owned();
        match json["connector"]["state"] == "FAILED" {
            true => Ok(trace),
            false => Err(json),
        }
    };
    let trace = eventually(&format!("{name} to have failed"), COPIED, look)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
    println!("{name}\n  {trace}");
    for says in says.iter().chain(&["source: "]) {
        assert!(trace.contains(says), "{name}: {says} is not in {trace}");
    }
    no_secrets(name, &trace);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_peers_cost_their_own_links_only_and_little_memory() {
    let material = SecureMaterial::new().expect("certificates");
    let (source, destination) = crate::support::pair(OLD, NEW).await;
    let topic = unique("undisturbed");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    let link = |name: &str, from: &str, settings: &str| {
        let prefixed: String = settings
            .lines()
            .map(|line| format!("src.kafka.{line}\n"))
            .collect();
        format!(
            "name={name}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={from}\n\
             src.kafka.socket.connection.setup.timeout.ms=2000\ntopic.whitelist={topic}\n{prefixed}"
        )
    };
    let mut all = hostile_tls(&material).await;
    all.extend(hostile_sasl().await);
    let good = link("good", &source.bootstrap(), "");
    let mut links = vec![good];
    for one in &all {
        let at = format!("127.0.0.1:{}", one.peer.port);
        links.push(link(one.name, &at, &one.settings));
    }
    let lines = format!("bootstrap.servers={}", destination.bootstrap());
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let worker = Worker::tributary(&lines, &links).await;
    for one in &all {
        fails(&worker, one.name, one.says).await;
    }
    // They are begun again and again from here on.
    let copy = stored(destination, &topic);
    let mut slowest = Duration::ZERO;
    for round in 1..=5 {
        let shape = Shape::mixed(round, PARTITIONS).producer(u32::try_from(round).expect("small"));
        let records = Generator::new(shape).take(RECORDS);
        let load = Load::new(source.bootstrap(), &topic);
        load.send(records).await.expect("all are acknowledged");
        let begin = Instant::now();
        let count = i64::try_from(RECORDS).expect("few") * i64::try_from(round).expect("few");
        crate::support::wait_for_offsets(&copy, count).await;
        slowest = slowest.max(begin.elapsed());
    }
    let verdict = compared(&committed(source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict}\n{}", worker.log());
    let status = worker.client.get("/connectors/good/status").await.json();
    assert_eq!(status["connector"]["state"], "RUNNING", "{status}");
    let usage = worker.process().usage().expect("it runs");
    println!(
        "slowest round {slowest:?}, peak memory {} KiB, {:?} of processor",
        usage.peak_resident / 1024,
        usage.processor()
    );
    assert!(slowest < UNDISTURBED, "{slowest:?}\n{}", worker.log());
    assert!(usage.peak_resident < MEMORY, "{usage:?}");
    no_secrets("the log", &worker.log());
}
