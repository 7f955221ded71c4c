//! Frames that follow each other, and what one read and one write are given.

use tokio::io::AsyncWriteExt as _;

use super::tests::{frame, peer};
use super::*;

#[tokio::test]
async fn frames_of_all_sizes_follow_each_other_and_next_to_nothing_is_read_ahead_behind_a_large_one()
 {
    let sizes = [
        100_000, 100_000, 1000, 100_000, 61, 60, 59, 5, 0, 0, 100_000, HEAD, 1, 100_000,
    ];
    let bodies: Vec<Vec<u8>> = (0_u8..).zip(sizes).map(|(i, size)| vec![i; size]).collect();
    let bytes: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    let (client, mut server) = tokio::io::duplex(bytes.len());
    server.write_all(&bytes).await.expect("there is room");
    let mut reader = FrameReader::new(peer(), Box::new(client), 1 << 20);
    reader.set_buffers(Buffers::new(0));
    for body in &bodies {
        assert_eq!(&reader.next().await.expect("whole")[..], body);
    }
    let (client, mut server) = tokio::io::duplex(bytes.len());
    server.write_all(&bytes).await.expect("there is room");
    let mut reader = FrameReader::new(peer(), Box::new(client), 1 << 20);
    reader.was_large = true;
    assert_eq!(reader.read_ahead().await.expect("open"), LITTLE);
}

#[test]
fn a_write_is_given_no_more_than_a_broker_takes_at_a_time() {
    for (count, size, expected) in [
        (40, 100_000, 6),
        (300, 100, SEGMENTS),
        (3, 1 << 20, 1),
        (2, 1, 2),
    ] {
        let pending: VecDeque<Bytes> = (0..count).map(|_| Bytes::from(vec![0; size])).collect();
        assert_eq!(segments_at_once(&pending), expected, "{count} of {size}");
    }
}
