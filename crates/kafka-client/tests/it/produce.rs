//! The pipelined lane: answers in order, and a last word about everything without one.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use config::client::{ClientConfig, HostPort};
use kafka_client::produce_lane::{self, ProduceCall, ProduceEvent};
use kafka_client::{ClientError, Connection};
use kafka_wire::batch::{BatchBuilder, HEADER_SIZE};
use kafka_wire::message::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use kafka_wire::types::TopicId;
use test_support::fake_broker::{FakeBroker, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::peer::{broker, config, connect, frame, in_time, text};

/// One batch for partition 0 of topic t.
pub(crate) fn call(tag: u64) -> ProduceCall {
    call_of(tag, b"v")
}

/// The same with this value in its record.
fn call_of(tag: u64, value: &[u8]) -> ProduceCall {
    let batch = BatchBuilder::new(0).record(None, Some(value)).build();
    let partition = ProducePartition {
        partition: 0,
        header: *batch.first_chunk().expect("a whole header"),
        payload: batch.slice(HEADER_SIZE..),
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        transactional_id: None,
        topics: vec![ProduceTopic {
            name: "t".into(),
            id: TopicId::ZERO,
            partitions: vec![partition],
        }],
    };
    ProduceCall { tag, request }
}

/// Produce 8: partition 0 of topic t, at this offset.
pub(crate) fn answer(base_offset: i64) -> Vec<u8> {
    let mut body = 1_i32.to_be_bytes().to_vec();
    text(&mut body, "t");
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    body.extend(base_offset.to_be_bytes());
    body.extend((-1_i64).to_be_bytes());
    body.extend(0_i64.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body
}

/// What a lane says about the calls of these tags; the answers as (tag, offset).
async fn drive(peer: &FakeBroker, tags: &[u64]) -> (Vec<(u64, i64)>, ClientError, Vec<u64>) {
    let calls = tags.iter().map(|tag| call(*tag));
    drive_over(connect(peer).await, calls, Duration::from_millis(500)).await
}

/// What a lane over this connection, which ends, says about these calls.
async fn drive_over(
    connection: Connection,
    to_make: impl IntoIterator<Item = ProduceCall>,
    limit: Duration,
) -> (Vec<(u64, i64)>, ClientError, Vec<u64>) {
    let (calls, queue) = mpsc::channel(8);
    let (events, mut said) = mpsc::channel(16);
    for call in to_make {
        calls.send(call).await.expect("there is room");
    }
    let lane = produce_lane::run(connection, queue, limit, |event| {
        let events = events.clone();
        async move { events.send(event).await.expect("there is room") }
    });
    in_time(lane).await;
    drop(calls);
    let mut answered = Vec::new();
    loop {
        match in_time(said.recv())
            .await
            .expect("the lane has a last word")
        {
            ProduceEvent::Answered { tag, response } => {
                answered.push((tag, response.topics[0].partitions[0].base_offset));
            }
            ProduceEvent::Ended { error, unanswered } => return (answered, error, unanswered),
        }
    }
}

#[tokio::test]
async fn calls_leave_without_waiting_for_answers_and_answers_come_back_in_order() {
    // Nothing is answered before the third call has arrived; then all three, and the end.
    let waiting = Mutex::new(Vec::new());
    let peer = broker(move |request| {
        let mut waiting = waiting.lock().expect("no panic");
        waiting.push(request.correlation_id);
        if waiting.len() < 3 {
            return Reply::Silence;
        }
        let answers = waiting.iter().zip([100, 101, 102]);
        let frames = answers.map(|(id, offset)| frame(*id, &answer(offset)));
        Reply::BytesThenClose(frames.collect::<Vec<_>>().concat())
    })
    .await;
    let (answered, error, unanswered) = drive(&peer, &[7, 8, 9]).await;
    assert_eq!(answered, [(7, 100), (8, 101), (9, 102)]);
    assert!(matches!(error, ClientError::Closed { .. }), "{error}");
    assert_eq!(unanswered, [] as [u64; 0]);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_its_calls_unanswered_oldest_first() {
    let count = Mutex::new(0);
    let peer = broker(move |request| {
        let mut count = count.lock().expect("no panic");
        *count += 1;
        match *count {
            1 => Reply::Bytes(frame(request.correlation_id, &answer(100))),
            2 | 3 => Reply::Silence,
            _ => Reply::Close,
        }
    })
    .await;
    let (answered, error, unanswered) = drive(&peer, &[7, 8, 9, 10]).await;
    assert_eq!(answered, [(7, 100)]);
    assert!(matches!(error, ClientError::Closed { .. }), "{error}");
    assert_eq!(unanswered, [8, 9, 10]);
}

#[tokio::test]
async fn a_broker_that_hangs_ends_the_lane_in_time() {
    let peer = broker(|_| Reply::Silence).await;
    let (answered, error, unanswered) = drive(&peer, &[7, 8]).await;
    assert_eq!(answered, []);
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert_eq!(unanswered, [7, 8]);
}

/// A line between a connection and a peer, to be driven: it takes 16 KiB of requests every 20 ms, and of the first so many bytes.
fn narrow_line(peer: &FakeBroker, until: usize) -> (HostPort, impl Future<Output = ()>) {
    let listener = TcpSocket::new_v4().expect("a socket");
    // Those who are accepted have it too.
    listener.set_recv_buffer_size(16 * 1024).expect("a size");
    let any = ([127, 0, 0, 1], 0).into();
    listener.bind(any).expect("a port");
    let listener = listener.listen(1).expect("it is bound");
    let port = listener.local_addr().expect("it is bound").port();
    let peer = peer.address();
    let line = async move {
        let (client, _) = listener.accept().await.expect("it comes");
        let server = TcpStream::connect(peer).await.expect("it listens");
        let (mut asked, mut told) = client.into_split();
        let (mut answers, mut to_server) = server.into_split();
        let there = async {
            let mut pace = interval(Duration::from_millis(20));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut passed = 0;
            while passed < until {
                pace.tick().await;
                let mut bytes = Vec::with_capacity(16 * 1024);
                let count = asked.read_buf(&mut bytes).await.expect("it stands");
                passed += count;
                to_server.write_all(&bytes).await.expect("it reads");
            }
            std::future::pending::<()>().await;
        };
        // Also its end, which is the connection's.
        let back = async {
            tokio::io::copy(&mut answers, &mut told)
                .await
                .expect("it stands");
            drop(told);
            std::future::pending::<()>().await;
        };
        tokio::join!(there, back);
    };
    let host = "127.0.0.1".to_owned();
    (HostPort { host, port }, line)
}

/// What becomes of a request of 3 MB and a small one behind it with a limit of a second, and how long that takes.
async fn over_a_narrow_line(until: usize) -> (Vec<(u64, i64)>, ClientError, Duration) {
    let count = Mutex::new(0);
    let peer = broker(move |request| {
        let mut count = count.lock().expect("no panic");
        *count += 1;
        let answer = frame(request.correlation_id, &answer(*count));
        match *count {
            1 => Reply::Bytes(answer),
            _ => Reply::BytesThenClose(answer),
        }
    })
    .await;
    let (address, line) = narrow_line(&peer, until);
    let config = ClientConfig {
        send_buffer: Some(16 * 1024),
        request_timeout: Duration::from_secs(5),
        ..config(vec![address.clone()])
    };
    let seen = async {
        let connection = Connection::open(&config, &address, None).await;
        let connection = connection.expect("the peer shakes hands");
        let calls = [call_of(7, &vec![1; 3_000_000]), call(8)];
        let began = Instant::now();
        let (answered, error, _) = drive_over(connection, calls, Duration::from_secs(1)).await;
        (answered, error, began.elapsed())
    };
    let seen = async {
        tokio::select! {
            seen = seen => seen,
            () = line => panic!("a line has no end"),
        }
    };
    Box::pin(in_time(seen)).await
}

#[tokio::test]
async fn a_request_is_not_given_up_while_bytes_of_it_leave() {
    let (answered, error, took) = over_a_narrow_line(usize::MAX).await;
    assert!(matches!(error, ClientError::Closed { .. }), "{error}");
    assert_eq!(answered, [(7, 1), (8, 2)]);
    assert!(
        took > Duration::from_secs(2),
        "the line is narrow: {took:?}"
    );
}

#[tokio::test]
async fn a_request_of_which_no_byte_leaves_any_more_is_given_up() {
    let (answered, error, took) = over_a_narrow_line(500_000).await;
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(answered.is_empty(), "{answered:?}");
    // What lies in buffers on the way is on its way, and half of the limit is how often it is looked at.
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn an_answer_that_nobody_awaits_ends_the_lane() {
    let peer = broker(|request| {
        let id = request.correlation_id;
        Reply::Bytes([frame(id, &answer(100)), frame(id + 1, &answer(101))].concat())
    })
    .await;
    let (answered, error, unanswered) = drive(&peer, &[7]).await;
    assert_eq!(answered, [(7, 100)]);
    assert!(error.to_string().contains("nobody awaits"), "{error}");
    assert_eq!(unanswered, [] as [u64; 0]);
}

#[tokio::test]
async fn answers_out_of_order_or_unreadable_leave_their_calls_unanswered() {
    for reply in [
        Reply::WrongId(i32::MAX, answer(100)),
        Reply::Body(answer(100)[..20].to_vec()),
        Reply::Bytes((-1_i32).to_be_bytes().to_vec()),
        Reply::BytesThenClose(frame(1, &answer(100))[..30].to_vec()),
    ] {
        let shown = format!("{reply:?}");
        let peer = broker(move |_| reply.clone()).await;
        let (answered, _, unanswered) = drive(&peer, &[7]).await;
        assert_eq!((answered, unanswered), (vec![], vec![7]), "{shown}");
    }
}

#[tokio::test]
async fn a_lane_whose_owner_leaves_says_what_is_open() {
    let peer = broker(|_| Reply::Silence).await;
    let connection = connect(&peer).await;
    let (calls, queue) = mpsc::channel(8);
    let (events, mut said) = mpsc::channel(16);
    calls.send(call(7)).await.expect("there is room");
    drop(calls);
    let lane = produce_lane::run(connection, queue, Duration::from_secs(5), |event| {
        let events = events.clone();
        async move { events.send(event).await.expect("there is room") }
    });
    in_time(lane).await;
    let Some(ProduceEvent::Ended { error, unanswered }) = said.recv().await else {
        panic!("nothing was answered");
    };
    assert!(matches!(error, ClientError::Stopping), "{error}");
    assert_eq!(unanswered, [7]);
}

#[tokio::test]
async fn a_batch_reaches_the_broker_byte_for_byte() {
    let peer = broker(|_| Reply::Close).await;
    drive(&peer, &[7]).await;
    let sent: Bytes = BatchBuilder::new(0).record(None, Some(b"v")).build();
    let seen = peer.seen();
    let request = seen.last().expect("the call arrived");
    assert!(
        request
            .rest
            .windows(sent.len())
            .any(|window| window == sent)
    );
}
