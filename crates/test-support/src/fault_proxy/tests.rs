//! Each fault does what it says, between a client that sends frames and a broker that echoes them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const SOON: Duration = Duration::from_secs(5);
/// Long enough to see that nothing comes, short enough for a test.
const SILENCE: Duration = Duration::from_millis(150);
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;

/// A broker that answers each request with its correlation id and its body.
struct Echo {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

async fn echo() -> Echo {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                while let Ok(request) = read(&mut stream).await {
                    if write(&mut stream, &request[4..]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Echo {
        address,
        _tasks: tasks,
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let mut frame = vec![0; usize::try_from(length).expect("an echo")];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(stream: &mut TcpStream, frame: &[u8]) -> std::io::Result<()> {
    stream
        .write_i32(i32::try_from(frame.len()).expect("short"))
        .await?;
    stream.write_all(frame).await
}

async fn ask(stream: &mut TcpStream, api_key: i16, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut request = api_key.to_be_bytes().to_vec();
    request.extend([0, 0, 0, 0, 0, 9]);
    request.extend_from_slice(body);
    write(stream, &request).await?;
    tokio::time::timeout(SOON, read(stream))
        .await
        .map_err(std::io::Error::other)?
}

async fn proxied() -> (Echo, FaultProxy, TcpStream) {
    let echo = echo().await;
    let proxy = FaultProxy::start(echo.address).await.expect("a port");
    let mut client = TcpStream::connect(proxy.address())
        .await
        .expect("it listens");
    assert_eq!(
        ask(&mut client, FETCH, b"hello").await.expect("it passes")[4..],
        *b"hello"
    );
    (echo, proxy, client)
}

async fn works_again(proxy: &FaultProxy) {
    let mut client = TcpStream::connect(proxy.address())
        .await
        .expect("it listens");
    assert_eq!(
        ask(&mut client, FETCH, b"again").await.expect("it passes")[4..],
        *b"again"
    );
}

#[tokio::test]
async fn a_cut_closes_and_refuses_until_healed() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.cut().await;
    assert!(ask(&mut client, FETCH, b"lost").await.is_err());
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    proxy.heal().await;
    works_again(&proxy).await;
}

#[tokio::test]
async fn who_is_turned_away_is_counted_until_healed() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.begin_seconds();
    proxy.turn_away().await;
    assert!(ask(&mut client, FETCH, b"lost").await.is_err());
    for _ in 0..3 {
        let mut client = TcpStream::connect(proxy.address())
            .await
            .expect("it listens");
        assert!(ask(&mut client, FETCH, b"lost").await.is_err());
    }
    proxy.heal().await;
    works_again(&proxy).await;
    let traffic = proxy.traffic();
    assert_eq!((traffic.connections, traffic.turned_away), (2, 3));
    let mut all = Second::default();
    for second in proxy.seconds() {
        all.add(&second);
    }
    assert_eq!((all.connections, all.requests), (4, [(FETCH, 1)].into()));
}

#[tokio::test]
async fn a_stall_keeps_connections_and_moves_nothing_until_healed() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.stall(Direction::Answers);
    write(&mut client, &[0, 1, 0, 0, 0, 0, 0, 1, 7])
        .await
        .expect("open");
    assert!(
        tokio::time::timeout(SILENCE, client.read_i32())
            .await
            .is_err()
    );
    proxy.heal().await;
    let answer = tokio::time::timeout(SOON, read(&mut client))
        .await
        .expect("it goes on")
        .expect("whole");
    assert_eq!(answer, [0, 0, 0, 1, 7]);
}

#[tokio::test]
async fn latency_delays_but_frames_behind_each_other_share_it() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.slow(
        Direction::Requests,
        Pace::latency(Duration::from_millis(200)),
    );
    let begin = Instant::now();
    for _ in 0..10 {
        write(&mut client, &[0, 1, 0, 0, 0, 0, 0, 1, 7])
            .await
            .expect("open");
    }
    for _ in 0..10 {
        read(&mut client).await.expect("an answer");
    }
    let elapsed = begin.elapsed();
    assert!(
        elapsed >= Duration::from_millis(200) && elapsed < Duration::from_secs(1),
        "{elapsed:?}"
    );
}

#[tokio::test]
async fn a_rate_bounds_the_bytes_per_second() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.slow(Direction::Answers, Pace::bytes_per_second(400_000));
    let begin = Instant::now();
    ask(&mut client, FETCH, &vec![0; 160_000])
        .await
        .expect("it passes slowly");
    assert!(
        begin.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_window_bounds_what_goes_in_each_round_trip() {
    let (_echo, proxy, mut client) = proxied().await;
    let round_trip = Duration::from_millis(100);
    let bytes = 64 * 1024;
    let window = Some(Window { bytes, round_trip });
    proxy.slow(
        Direction::Answers,
        Pace {
            window,
            ..Pace::default()
        },
    );
    // Less than a window does not wait; five windows wait four times.
    for (windows, waits) in [(0, 0), (5, 4)] {
        let begin = Instant::now();
        let body = vec![0; windows * bytes];
        ask(&mut client, FETCH, &body).await.expect("it passes");
        let waited = begin.elapsed();
        assert!(
            waited >= round_trip * waits && waited < round_trip * (waits + 3),
            "{waited:?} for {windows} windows"
        );
    }
}

#[tokio::test]
async fn a_reset_is_seen_as_such_and_new_connections_pass() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.reset().await;
    let error = client.read_i32().await.expect_err("reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    works_again(&proxy).await;
}

#[tokio::test]
async fn a_half_open_connection_stays_silent_and_ends_when_healed() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.half_open().await;
    write(&mut client, &[0, 1, 0, 0, 0, 0, 0, 1, 7])
        .await
        .expect("it learns nothing");
    assert!(
        tokio::time::timeout(SILENCE, client.read_i32())
            .await
            .is_err()
    );
    works_again(&proxy).await;
    proxy.heal().await;
    assert!(client.read_i32().await.is_err());
}

#[tokio::test]
async fn the_answer_to_the_second_produce_is_lost_after_the_broker_had_the_request() {
    let (_echo, proxy, mut client) = proxied().await;
    let mut rule =
        proxy.on_frame(FrameRule::new(Direction::Answers, PRODUCE, FrameAction::Cut).nth(2));
    ask(&mut client, PRODUCE, b"first")
        .await
        .expect("not this one");
    ask(&mut client, FETCH, b"other")
        .await
        .expect("another API");
    assert!(ask(&mut client, PRODUCE, b"second").await.is_err());
    assert!(rule.wait(1, SOON).await);
    assert_eq!(
        proxy.traffic().frames[&(Direction::Answers, PRODUCE)],
        2,
        "the broker answered both"
    );
    works_again(&proxy).await;
}

#[tokio::test]
async fn a_frame_can_be_dropped_repeated_truncated_or_only_noticed() {
    let (_echo, proxy, mut client) = proxied().await;
    let (noticed, notices) = std::sync::mpsc::channel();
    proxy.on_frame(
        FrameRule::new(Direction::Requests, FETCH, FrameAction::Pass).hook(move || {
            let _ = noticed.send(());
        }),
    );
    ask(&mut client, FETCH, b"noticed")
        .await
        .expect("it passes");
    notices.try_recv().expect("the hook ran");

    proxy.on_frame(FrameRule::new(
        Direction::Requests,
        FETCH,
        FrameAction::Repeat,
    ));
    ask(&mut client, FETCH, b"twice")
        .await
        .expect("the first answer");
    assert_eq!(
        read(&mut client).await.expect("the second answer")[4..],
        *b"twice"
    );

    proxy.on_frame(FrameRule::new(Direction::Answers, None, FrameAction::Drop));
    write(&mut client, &[0, 1, 0, 0, 0, 0, 0, 1, 7])
        .await
        .expect("open");
    assert!(
        tokio::time::timeout(SILENCE, client.read_i32())
            .await
            .is_err()
    );

    proxy.on_frame(FrameRule::new(
        Direction::Answers,
        None,
        FrameAction::Truncate(6),
    ));
    write(&mut client, &[0, 1, 0, 0, 0, 0, 0, 1, 7])
        .await
        .expect("open");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("closed");
    assert_eq!(rest, [0, 0, 0, 5, 0, 0]);
}

/// A batch as a broker would store it, with these records.
fn batch(records: &[u8], attributes: u8) -> Vec<u8> {
    let mut batch = vec![0; 61];
    let length = i32::try_from(49 + records.len()).expect("short");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[22] = attributes;
    batch.extend_from_slice(records);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[test]
fn a_flipped_bit_is_in_the_records_and_nowhere_else() {
    let mut frame = b"some header".to_vec();
    frame.extend(batch(b"control", 0x20));
    let before_data = frame.len();
    frame.extend(batch(&[7; 100], 0));
    frame.extend(batch(b"cut off", 0)[..50].to_vec());
    let before = frame.clone();
    assert!(bit::flip(&mut frame));
    let changed: Vec<_> = (0..frame.len())
        .filter(|at| frame[*at] != before[*at])
        .collect();
    assert_eq!(changed, [before_data + 61 + 50]);
    assert_eq!((frame[changed[0]] ^ before[changed[0]]).count_ones(), 1);
    assert!(!bit::flip(&mut b"no batch here".to_vec()));
}

#[tokio::test]
async fn the_flip_waits_for_a_frame_that_carries_a_batch_and_is_large_enough() {
    let (_echo, proxy, mut client) = proxied().await;
    let rule = FrameRule::new(Direction::Requests, PRODUCE, FrameAction::FlipBit).larger_than(500);
    let handle = proxy.on_frame(rule);
    let small = batch(&[7; 100], 0);
    let large = batch(&[7; 1000], 0);
    assert_eq!(
        ask(&mut client, PRODUCE, &small).await.expect("it passes")[4..],
        small
    );
    assert_eq!(
        ask(&mut client, PRODUCE, &[1; 1000])
            .await
            .expect("it passes")[4..],
        [1; 1000]
    );
    assert_eq!(handle.hits(), 0);
    assert_ne!(
        ask(&mut client, PRODUCE, &large).await.expect("it passes")[4..],
        large
    );
    assert_eq!(handle.hits(), 1);
    assert_eq!(
        ask(&mut client, PRODUCE, &large).await.expect("it passes")[4..],
        large
    );
}

#[tokio::test]
async fn an_edited_answer_may_have_another_length() {
    let (_echo, proxy, mut client) = proxied().await;
    let rule = FrameRule::new(Direction::Answers, FETCH, FrameAction::Pass);
    proxy.on_frame(rule.edit(|frame| frame.extend_from_slice(b" and more")));
    let answer = ask(&mut client, FETCH, b"some").await.expect("it passes");
    assert_eq!(answer[4..], *b"some and more");
    let answer = ask(&mut client, FETCH, b"some").await.expect("it passes");
    assert_eq!(answer[4..], *b"some");
}
