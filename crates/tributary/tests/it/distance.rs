//! A source far away, whose connections carry little each: what the link may read arrives all the same.

use std::time::Duration;

use test_support::fault_proxy::{Direction, Pace};
use test_support::workload::{Codec, GeneratedRecord, Load};
use tokio::time::Instant;

use crate::support::{Replicate, compared, new_topic, offsets, shaken, stored, unique};

const PARTITIONS: i32 = 16;
const RECORDS: i32 = 2_600;
const VALUE: usize = 16 * 1024;
/// Bytes per second: what may be read, and what one connection carries. That is a window of 100 KiB at a tenth of a second.
const LIMIT: f64 = 4e6;
const WINDOW: u64 = 1_000_000;

fn record(number: i32) -> GeneratedRecord {
    let mut state = u64::from(number.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    GeneratedRecord {
        partition: number % PARTITIONS,
        timestamp: 1_735_689_600_000,
        key: None,
        value: Some(words.flatten().take(VALUE).collect()),
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn narrow_connections_over_a_long_way_carry_together_what_the_link_may_read() {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let topic = unique("distance");
    new_topic(&pair.source, &topic, PARTITIONS, &[]).await;
    Load::new(pair.source.bootstrap(), &topic)
        .codec(Codec::None)
        .send((0..RECORDS).map(record))
        .await
        .expect("acknowledged");
    let there = Pace::latency(Duration::from_millis(50));
    let back = Pace {
        bytes_per_second: Some(WINDOW),
        ..there
    };
    let proxy = pair.source.proxy(0);
    proxy.slow(Direction::Requests, there);
    proxy.slow(Direction::Answers, back);
    let link = Replicate::new(&pair.source, &pair.destination, &topic)
        .with(&["--set", "tributary.bandwidth.limit=4MB"]);
    let program = link.start();
    let copy = stored(&pair.destination, &topic);
    let begin = Instant::now();
    let (mut best, mut all) = (0.0_f64, 0.0);
    let mut seen = (begin, 0);
    loop {
        // sleeps because a rate is what comes in a time
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (now, count) = (Instant::now(), offsets(&copy).await);
        let bytes = f64::from(i32::try_from(count - seen.1).expect("few")) * VALUE as f64;
        let rate = bytes / (now - seen.0).as_secs_f64();
        println!(
            "{:.1} s: {:.2} MB/s",
            begin.elapsed().as_secs_f64(),
            rate / 1e6
        );
        best = best.max(rate);
        seen = (now, count);
        if count >= i64::from(RECORDS) {
            all = f64::from(RECORDS) * VALUE as f64 / begin.elapsed().as_secs_f64();
            break;
        }
        if begin.elapsed() > Duration::from_secs(90) {
            break;
        }
    }
    proxy.heal().await;
    let lines = program.lines().tail(40);
    assert!(all > 0.0, "not all arrived\n{lines}");
    assert!(
        best >= 0.8 * LIMIT,
        "{best} of {LIMIT} bytes a second at best\n{lines}"
    );
    assert!(
        all <= 1.1 * LIMIT,
        "{all} bytes a second where {LIMIT} may be read"
    );
    program.terminate().expect("it runs");
    program
        .wait(Duration::from_secs(30))
        .await
        .expect("it ends");
    let verdict = compared(&stored(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
}
