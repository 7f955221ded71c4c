//! Answers that break the protocol: each ends the connection with a reason, costs little memory, and
//! never takes longer than its limit.

use std::time::Duration;

use config::client::HostPort;
use kafka_client::{Buffers, ClientError, Connection};
use kafka_wire::message::metadata::{MetadataRequest, MetadataResponse, MetadataTopics};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use test_support::fake_broker::{FakeBroker, Reply};
use tokio::time::Instant;

use crate::peer::{address, broker, config, connect, frame, in_time, metadata};

const LIMIT: Duration = Duration::from_millis(500);

async fn ask(connection: &mut Connection) -> Result<MetadataResponse, ClientError> {
    let request = MetadataRequest {
        topics: MetadataTopics::All,
        authorized_operations: false,
    };
    in_time(connection.call(&request, LIMIT)).await
}

/// Asks a peer that replies so; the connection must not be usable afterwards.
async fn check(reply: Reply) -> ClientError {
    let shown = format!("{reply:?}");
    let peer = broker(move |_| reply.clone()).await;
    let mut connection = connect(&peer).await;
    let begun = Instant::now();
    let error = ask(&mut connection).await.expect_err(&shown);
    assert!(
        begun.elapsed() < LIMIT * 4,
        "{shown}: {:?}",
        begun.elapsed()
    );
    assert!(!connection.is_usable(), "{shown}");
    let again = ask(&mut connection).await.expect_err(&shown);
    assert!(
        matches!(again, ClientError::Closed { .. }),
        "{shown}: {again}"
    );
    error
}

fn good() -> Vec<u8> {
    metadata(&HostPort {
        host: "127.0.0.1".to_owned(),
        port: 1,
    })
}

#[tokio::test]
async fn an_answer_to_another_request_ends_the_connection() {
    let error = check(Reply::WrongId(77, good())).await;
    assert!(error.to_string().contains("77"), "{error}");
}

#[tokio::test]
async fn lengths_that_cannot_be_end_the_connection() {
    for length in [-1, i32::MIN, i32::MAX, 64 * 1024 * 1024 + 1] {
        let error = check(Reply::Bytes(length.to_be_bytes().to_vec())).await;
        assert!(
            matches!(error, ClientError::Frame { .. }),
            "{length}: {error}"
        );
    }
    // Too short for a correlation id.
    for length in 0..4_usize {
        let bytes = [&(length as i32).to_be_bytes()[..], &[0; 3][..length]].concat();
        let error = check(Reply::Bytes(bytes)).await;
        assert!(
            matches!(error, ClientError::Decode { .. }),
            "{length}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_ends_the_connection_wherever_it_is_cut() {
    let whole = frame(1, &good());
    for kept in [0, 1, 3, 4, 7, 8, 9, whole.len() / 2, whole.len() - 1] {
        let error = check(Reply::BytesThenClose(whole[..kept].to_vec())).await;
        assert!(
            matches!(error, ClientError::Closed { .. }),
            "{kept}: {error}"
        );
    }
    // The same, with a frame that claims to be whole.
    let body = good();
    for kept in [0, 1, 3, 8, body.len() / 2, body.len() - 1] {
        let error = check(Reply::Body(body[..kept].to_vec())).await;
        assert!(
            matches!(error, ClientError::Decode { .. }),
            "{kept}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_stops_half_way_is_given_up_in_time() {
    let whole = frame(1, &good());
    for kept in [0, 3, 6, whole.len() - 1] {
        let error = check(Reply::Bytes(whole[..kept].to_vec())).await;
        assert!(
            matches!(error, ClientError::Timeout { .. }),
            "{kept}: {error}"
        );
    }
}

#[tokio::test]
async fn counts_that_cannot_be_are_refused_before_memory_is_reserved() {
    for count in [i32::MAX, i32::MIN, 1 << 24] {
        let mut body = good();
        body[4..8].copy_from_slice(&count.to_be_bytes());
        let error = check(Reply::Body(body)).await;
        assert!(
            matches!(error, ClientError::Decode { .. }),
            "{count}: {error}"
        );
    }
}

#[tokio::test]
async fn trailing_bytes_are_not_an_answer() {
    let mut body = good();
    body.push(0);
    let error = check(Reply::Body(body)).await;
    assert!(matches!(error, ClientError::Decode { .. }), "{error}");
}

#[tokio::test]
async fn random_bytes_never_do_more_than_end_the_connection() {
    for seed in 0..150 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bytes = frame(1, &good());
        if random.random_bool(0.5) {
            let length = random.random_range(0..200);
            bytes = (0..length).map(|_| random.random_range(0..=255)).collect();
        } else {
            for _ in 0..random.random_range(1..8) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random_range(0..=255);
            }
        }
        let shown = format!("seed {seed}: {bytes:?}");
        let peer = broker(move |_| Reply::BytesThenClose(bytes.clone())).await;
        let mut connection = connect(&peer).await;
        // Some changes leave an answer that can be read; an error always ends the connection.
        let outcome = ask(&mut connection).await;
        assert_eq!(outcome.is_err(), !connection.is_usable(), "{shown}");
    }
}

#[tokio::test]
async fn a_hostile_handshake_is_an_error() {
    for seed in 0..60_u64 {
        let mut random = SmallRng::seed_from_u64(seed);
        let length = random.random_range(0..60);
        let body: Vec<u8> = (0..length).map(|_| random.random_range(0..=255)).collect();
        let peer = FakeBroker::start(move |_| Reply::Body(body.clone()))
            .await
            .expect("a port");
        let own = address(&peer);
        let opened = in_time(Connection::open(&config(vec![own.clone()]), &own, None)).await;
        assert!(opened.is_err(), "seed {seed}");
    }
}

/// Resident bytes of this process.
pub(crate) fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: usize = pages
        .split(' ')
        .nth(1)
        .and_then(|count| count.parse().ok())
        .expect("the second number of statm");
    pages * 4096
}

#[tokio::test]
async fn frames_that_are_only_claimed_cost_no_memory() {
    // As large as is allowed; nothing but the length ever comes.
    let claimed = (60 * 1024 * 1024_i32).to_be_bytes().to_vec();
    let peer = broker(move |_| Reply::Bytes(claimed.clone())).await;
    let before = resident();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut connection = connect(&peer).await;
        let error = ask(&mut connection).await.expect_err("nothing comes");
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
        waiting.push(connection);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 * 1024 * 1024, "{grown} bytes more are resident");
}

#[tokio::test]
async fn an_answer_counts_against_the_budget_until_its_last_slice_is_gone() {
    let peer = broker(|request| {
        // An answer of 100,000 bytes; nobody reads what is in it.
        Reply::Bytes(frame(request.correlation_id, &[0; 100_000]))
    })
    .await;
    let buffers = Buffers::new(200_000);
    let mut connection = connect(&peer).await;
    connection.set_buffers(buffers.clone());
    let mut parts = connection.into_parts().expect("usable");
    let correlation_id = parts.correlate();
    let request = test_support::raw::request(3, 8, correlation_id, &[0; 7]);
    parts.writer.push([request.into()]);
    in_time(parts.writer.flush()).await.expect("open");
    let answer = in_time(parts.reader.next()).await.expect("a frame");
    assert!(buffers.used() >= 100_000);
    let slice = answer.slice(10..20);
    drop(answer);
    assert!(buffers.used() >= 100_000);
    let waiting = buffers.reserved(|_| 1 << 17);
    tokio::pin!(waiting);
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("the budget is in use"),
        () = std::future::ready(()) => {}
    }
    drop(slice);
    let reservation = in_time(waiting).await;
    assert_eq!(buffers.used(), 1 << 17);
    drop(reservation);
    assert_eq!(buffers.used(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_release_is_missed_however_waiting_and_releasing_meet() {
    let buffers = Buffers::new(100);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let buffers = buffers.clone();
        tasks.spawn(async move {
            for _ in 0..5_000 {
                let reservation = buffers.reserved(|_| 60).await;
                tokio::task::yield_now().await;
                drop(reservation);
            }
        });
    }
    in_time(tasks.join_all()).await;
    assert_eq!(buffers.used(), 0);
}
