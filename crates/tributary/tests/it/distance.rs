//! A source far away, whose connections carry little each: several together carry what one cannot.
//!
//! The short form is a line of 20 ms there and back. The long form is one of 100 ms with a window of 100 KiB and a link that may
//! read 8 MB/s, for as many minutes as are asked for, and says how much of that arrived:
//!
//! ```text
//! TRIBUTARY_TEST_MINUTES=1 cargo test -p tributary --test it -- --nocapture distance::
//! ```

use std::time::Duration;

use test_support::fault_proxy::{Direction, Pace};
use test_support::limits;
use test_support::workload::{Codec, GeneratedRecord, Load};
use tokio::time::Instant;

use crate::support::{
    COPIED, Replicate, Shaken, compared, new_topic, offsets, shaken, stored, unique,
};

const PARTITIONS: i32 = 16;
const VALUE: i32 = 16 * 1024;
/// Bytes per second that one connection carries.
const WINDOW: i32 = 1_000_000;

/// A line, and what is read over it.
#[derive(Clone, Copy)]
struct Line {
    /// One way.
    latency: Duration,
    records: i32,
    /// Bytes per second that the link may read.
    limit: Option<i32>,
}

fn record(number: i32) -> GeneratedRecord {
    let mut state = u64::from(number.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let length = usize::try_from(VALUE).expect("positive");
    GeneratedRecord {
        partition: number % PARTITIONS,
        timestamp: 1_735_689_600_000,
        key: None,
        value: Some(words.flatten().take(length).collect()),
        headers: Vec::new(),
    }
}

/// Copies a topic over the line: how many records had arrived when, from the first on.
async fn arrivals(pair: &Shaken, line: Line) -> Vec<(Instant, f64)> {
    let topic = unique("distance");
    new_topic(&pair.source, &topic, PARTITIONS, &[]).await;
    Load::new(pair.source.bootstrap(), &topic)
        .codec(Codec::None)
        .setting("batch.size", "300000")
        .send((0..line.records).map(record))
        .await
        .expect("acknowledged");
    let there = Pace::latency(line.latency);
    let back = Pace {
        bytes_per_second: u64::try_from(WINDOW).ok(),
        ..there
    };
    let proxy = pair.source.proxy(0);
    proxy.slow(Direction::Requests, there);
    proxy.slow(Direction::Answers, back);
    let limit = line.limit.map_or("none".to_owned(), |l| l.to_string());
    let limit = format!("tributary.bandwidth.limit={limit}");
    let link = Replicate::new(&pair.source, &pair.destination, &topic).with(&["--set", &limit]);
    let program = link.start();
    let copy = stored(&pair.destination, &topic);
    let begin = Instant::now();
    let mut arrivals = Vec::new();
    while arrivals
        .last()
        .is_none_or(|(_, there)| *there < f64::from(line.records))
    {
        // sleeps because a rate is what comes in a time
        tokio::time::sleep(Duration::from_millis(200)).await;
        let there = i32::try_from(offsets(&copy).await).expect("few");
        if there > 0 {
            arrivals.push((Instant::now(), f64::from(there)));
        }
        let lines = program.lines().tail(40);
        let passed = begin.elapsed();
        assert!(
            passed < COPIED || line.limit.is_some(),
            "{there} records after {passed:?}\n{lines}"
        );
    }
    proxy.heal().await;
    let lines = program.lines().tail(400).to_string();
    println!("{lines}");
    assert!(lines.contains("more of them are made"), "{lines}");
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    let verdict = compared(&stored(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
    println!("the first record after {:?}", arrivals[0].0 - begin);
    arrivals
}

/// Bytes per second between two moments.
fn rate(from: (Instant, f64), to: (Instant, f64)) -> f64 {
    (to.1 - from.1) * f64::from(VALUE) / (to.0 - from.0).as_secs_f64()
}

#[tokio::test]
async fn narrow_connections_over_a_long_way_carry_together_what_one_cannot() {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let Some(minutes) = limits::long_run() else {
        let line = Line {
            latency: Duration::from_millis(10),
            records: 1_500,
            limit: None,
        };
        let arrivals = arrivals(pair, line).await;
        let rate = rate(arrivals[0], arrivals[arrivals.len() - 1]);
        assert!(rate > f64::from(WINDOW), "{rate} bytes a second");
        return;
    };
    let limit = 8_000_000;
    let seconds = i32::try_from(minutes.as_secs()).expect("few");
    let line = Line {
        latency: Duration::from_millis(50),
        records: limit / VALUE * seconds,
        limit: Some(limit),
    };
    let arrivals = arrivals(pair, line).await;
    let first = arrivals[0];
    for pair in arrivals.windows(26).step_by(25) {
        let at = (pair[25].0 - first.0).as_secs_f64();
        println!("{at:.0} s: {:.2} MB/s", rate(pair[0], pair[25]) / 1e6);
    }
    // Behind the steps to more connections, and before the partitions that end last are alone.
    let behind = |share: f64| {
        let found = arrivals.iter();
        let mut found = found.filter(|(_, there)| *there >= f64::from(line.records) * share);
        *found.next().expect("all arrived")
    };
    let [steady, whole] = [(0.3, 0.9), (0.0, 1.0)].map(|(a, b)| rate(behind(a), behind(b)));
    println!("steady {steady:.0}, whole {whole:.0} of {limit} bytes a second");
    assert!(steady >= 0.8 * f64::from(limit), "{steady}");
    assert!(whole <= 1.1 * f64::from(limit), "{whole}");
}
