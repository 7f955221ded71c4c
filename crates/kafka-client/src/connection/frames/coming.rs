//! Tests: frames that take long to come, and what small ones count.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

use super::tests::{frame, peer};
use super::{FrameReader, PIECE};
use crate::buffer::Buffers;

#[tokio::test(start_paused = true)]
async fn a_frame_may_take_any_time_while_it_comes_and_is_given_up_when_it_does_not() {
    let limit = Duration::from_secs(10);
    let (client, mut server) = tokio::io::duplex(1 << 20);
    let mut reader = FrameReader::new(peer(), Box::new(client), 1 << 20);
    let whole = frame(&[7; 300_000]);
    let send = async {
        for part in whole.chunks(30_000) {
            tokio::time::sleep(limit / 10 * 9).await;
            server.write_all(part).await.expect("open");
        }
    };
    let (got, ()) = tokio::join!(reader.next_while_coming(limit), send);
    assert_eq!(
        got.expect("it comes").expect("whole"),
        Bytes::from(vec![7; 300_000])
    );
    server.write_all(&whole[..100_000]).await.expect("open");
    let begun = tokio::time::Instant::now();
    assert!(reader.next_while_coming(limit).await.is_none());
    let waited = begun.elapsed();
    assert!(
        waited >= limit && waited <= limit / 2 * 3,
        "{waited:?} without a byte"
    );
}

#[tokio::test]
async fn what_is_less_than_is_waited_for_shows_that_a_frame_comes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let client = tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await;
    let (read, _write) = client.expect("connected").into_split();
    let (mut server, _) = listener.accept().await.expect("connected");
    let limit = Duration::from_millis(600);
    // Two thirds of a piece, four times the limit long.
    let whole = frame(&vec![7; PIECE / 3 * 2]);
    let send = async {
        for part in whole.chunks(whole.len() / 12 + 1) {
            tokio::time::sleep(limit / 3).await;
            server.write_all(part).await.expect("open");
        }
    };
    let mut reader = FrameReader::new(peer(), Box::new(read), 2 * PIECE);
    let (got, ()) = tokio::join!(reader.next_while_coming(limit), send);
    let got = got.expect("it comes").expect("whole");
    assert_eq!(got.len(), PIECE / 3 * 2);
}

#[tokio::test]
async fn small_answers_count_where_records_come() {
    let buffers = Buffers::new(1 << 20);
    let (client, mut server) = tokio::io::duplex(1 << 20);
    let mut reader = FrameReader::new(peer(), Box::new(client), 1 << 20);
    reader.set_buffers(buffers.clone());
    server.write_all(&frame(&[7; 5000])).await.expect("open");
    let answer = reader.next().await.expect("whole");
    let part = answer.slice(10..20);
    drop(answer);
    assert_eq!(buffers.used(), 5000);
    drop(part);
    assert_eq!(buffers.used(), 0);
}
