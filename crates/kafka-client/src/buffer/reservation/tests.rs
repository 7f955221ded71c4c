//! Tests: what is reserved, who is granted it when, and what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use super::super::{Buffers, Turn};

const KIB: usize = 1024;

#[test]
fn a_reservation_becomes_the_buffer_and_gives_back_what_is_not_needed() {
    let buffers = Buffers::new(1024 * KIB);
    let reserve = || buffers.reserve(200 * KIB).expect("it fits");
    let reserved = reserve();
    assert_eq!((reserved.bytes(), buffers.used()), (256 * KIB, 256 * KIB));
    let whole = buffers.take_reserved(200 * KIB, Some(reserved));
    assert_eq!(buffers.used(), 256 * KIB);
    let small = buffers.take_reserved(70 * KIB, Some(reserve()));
    assert_eq!(buffers.used(), (256 + 128) * KIB);
    // A broker may send more than it was asked for.
    let large = buffers.take_reserved(300 * KIB, Some(reserve()));
    assert_eq!(buffers.used(), (256 + 128 + 512) * KIB);
    drop((whole, small, large));
    assert_eq!(buffers.used(), 0);
}

#[test]
fn a_buffer_that_is_kept_and_larger_than_what_was_reserved_is_left_to_others() {
    let buffers = Buffers::new(1024 * KIB);
    drop(buffers.take(512 * KIB));
    let reserved = buffers.reserve(200 * KIB);
    let usual = buffers.take_reserved(100 * KIB, reserved);
    assert_eq!(buffers.used(), 128 * KIB);
    drop(usual);
}

/// Reserves, holds it for so long, and notes when it was granted.
async fn hold(buffers: &Buffers, bytes: usize, milliseconds: u64) -> Duration {
    let begin = Instant::now();
    let reserved = buffers.reserved(|_| bytes).await;
    let waited = begin.elapsed();
    let other = buffers.used() - reserved.bytes();
    let room = reserved.bytes().min(buffers.limit() / 2);
    assert!(other + room <= buffers.limit(), "{other} beside {bytes}");
    sleep(Duration::from_millis(milliseconds)).await;
    waited
}

#[tokio::test(start_paused = true)]
async fn small_reservations_do_not_overtake_a_large_one_for_ever() {
    let buffers = Buffers::new(1000);
    let small = async |delay| {
        sleep(Duration::from_millis(delay)).await;
        for _ in 0..100 {
            hold(&buffers, 300, 10).await;
        }
    };
    let large = async {
        sleep(Duration::from_millis(100)).await;
        // Beside two of three small ones it does not fit.
        let waited = hold(&buffers, 450, 50).await;
        assert!(waited <= Duration::from_millis(10), "{waited:?}");
        // What is behind it is not held up for long either.
        hold(&buffers, 10_000, 50).await
    };
    let (.., waited) = tokio::join!(small(0), small(3), small(6), large);
    assert!(waited <= Duration::from_millis(10), "{waited:?}");
    assert_eq!(buffers.used(), 0);
}

/// Reads 20 batches that are larger than what is asked for, each kept for a while; `known` is what is known of their size.
async fn read(buffers: &Buffers, known: usize) -> usize {
    let mut most = 0;
    for _ in 0..20 {
        let reserved = buffers.reserved(|limit| (limit / 16).max(known)).await;
        sleep(Duration::from_millis(3)).await;
        let batch = buffers.take_reserved(320 * KIB, Some(reserved));
        most = most.max(buffers.used());
        sleep(Duration::from_millis(7)).await;
        drop(batch);
    }
    most
}

#[tokio::test(start_paused = true)]
async fn large_batches_on_many_connections_stay_within_the_memory_where_their_size_is_known() {
    let limit = 2048 * KIB;
    for (known, expected) in [(0, 8 * 1024 * KIB), (320 * KIB, limit)] {
        let buffers = Buffers::new(limit);
        let read = || read(&buffers, known);
        let mut most = 0;
        let four = async || {
            let (a, b, c, d) = tokio::join!(read(), read(), read(), read());
            a.max(b).max(c).max(d)
        };
        let (a, b, c, d) = tokio::join!(four(), four(), four(), four());
        for all in [a, b, c, d] {
            most = most.max(all);
        }
        assert_eq!((most, buffers.used()), (expected, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_and_is_given_up_holds_up_nobody() {
    let buffers = Buffers::new(100);
    let held = buffers.reserve(60).expect("it fits");
    let wait = Duration::from_millis(1);
    assert!(timeout(wait, buffers.reserved(|_| 50)).await.is_err());
    assert!(timeout(wait, buffers.reserved(|_| 40)).await.is_ok());
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_the_memory_waits_for_half_of_it_only() {
    let buffers = Buffers::new(100);
    let kept = buffers.adopt(Bytes::from(vec![7; 50]));
    let first = buffers.reserved(|_| 1000).await;
    let wait = Duration::from_secs(9);
    for bytes in [1, 1000] {
        assert!(timeout(wait, buffers.reserved(|_| bytes)).await.is_err());
    }
    drop(first);
    assert!(timeout(wait, buffers.reserved(|_| 1000)).await.is_ok());
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn what_waits_takes_its_part_of_what_there_is_by_then() {
    let buffers = Buffers::new(800);
    let held = buffers.adopt(Bytes::from(vec![7; 750]));
    let waiting = buffers.reserved(|limit| limit / 8);
    let others = async {
        sleep(Duration::from_millis(1)).await;
        buffers.set_limit(80);
        drop(held);
    };
    let (reserved, ()) = tokio::join!(waiting, others);
    assert_eq!((reserved.bytes(), buffers.used()), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_of_a_buffer_is_reserved_together_with_it() {
    let buffers = Buffers::new(400 * KIB);
    let pair = async || {
        buffers
            .reserved_beside(|_| 100 * KIB, 20 * KIB, Turn::Last)
            .await
    };
    let (answer, beside) = pair().await;
    assert_eq!((answer.bytes(), beside.bytes()), (128 * KIB, 20 * KIB));
    let (other, _) = pair().await;
    assert_eq!(buffers.used(), 276 * KIB, "the rest was given back");
    let wait = Duration::from_secs(9);
    assert!(
        timeout(wait, pair()).await.is_err(),
        "there is no room for both"
    );
    drop(beside);
    assert!(timeout(wait, buffers.reserved(|_| 100 * KIB)).await.is_ok());
    drop((answer, other));
    assert_eq!(buffers.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_small_and_may_goes_before_those_who_wait() {
    let buffers = Buffers::new(3200);
    let held = buffers.reserved(|_| 2000).await;
    let wait = Duration::from_secs(1);
    let large = buffers.reserved(|_| 1500);
    let others = async {
        sleep(Duration::from_millis(1)).await;
        for (bytes, turn, is_first) in [
            (100, Turn::First, true),
            (101, Turn::First, false),
            (100, Turn::Last, false),
        ] {
            let granted = timeout(wait, buffers.reserved_beside(|_| bytes, 0, turn));
            assert_eq!(granted.await.is_ok(), is_first, "{bytes}, {turn:?}");
        }
        drop(held);
    };
    let (large, ()) = tokio::join!(large, others);
    assert_eq!(large.bytes(), 1500);
}
