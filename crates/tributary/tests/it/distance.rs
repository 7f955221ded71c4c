//! A source or a destination far away, whose connections carry little each: several together carry what one cannot. It may be far away
//! from the beginning, or become so while the link runs.
//!
//! The short form is a line of 20 ms there and back whose connections carry 1 MB/s. The long form is lines of 1, 20 and 100 ms, with a
//! window of 100 KiB for each connection and without, and links that may read 8 or 24 MB/s, each for as many minutes as are asked for,
//! and says how much of that arrived:
//!
//! ```text
//! TRIBUTARY_TEST_MINUTES=1 cargo test -p tributary --test it -- --nocapture distance::
//! ```
//!
//! After a restart over such a way many partitions go on together: two hundred, in the long form a thousand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use test_support::fault_proxy::{Direction, FaultProxy, Pace, Window};
use test_support::limits;
use test_support::workload::{Codec, GeneratedRecord, Load};
use tokio::time::Instant;

use crate::support::{
    COPIED, Replicate, Shaken, compared, new_topic, offsets, shaken, stored, unique,
    wait_for_offsets,
};

/// A partition is read over one connection at a time: of these, connections have two each, or three.
const PARTITIONS: i32 = 64;
const VALUE: i32 = 16 * 1024;
/// Bytes per second that one connection carries in the short form.
const NARROW: i32 = 1_000_000;
/// Bytes that one connection may have on its way in the long form: what brokers have unless they are told otherwise.
const WINDOW: usize = 100 * 1024;

/// What the long form may read.
const ALLOWED: i32 = 8_000_000;

/// Which cluster is far away.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Far {
    Source,
    Destination,
}

/// A line, and what is copied over it.
#[derive(Clone, Copy)]
struct Line {
    far: Far,
    /// One way.
    latency: Duration,
    /// What limits each connection beside that.
    each: Each,
    partitions: i32,
    records: i32,
    /// Bytes per second that the link may read.
    limit: Option<i32>,
    /// How long it is a short line first, from the first record on.
    near_for: Duration,
}

/// What limits a connection.
#[derive(Clone, Copy)]
enum Each {
    /// [`NARROW`] bytes a second.
    Rate,
    /// [`WINDOW`] bytes on their way.
    Window,
    Nothing,
}

impl Line {
    /// One of the long form, with its round trip in milliseconds.
    fn long(minutes: Duration, round_trip: u64, each: Each, allowed: i32) -> Self {
        let seconds = i32::try_from(minutes.as_secs()).expect("few");
        Self {
            far: Far::Source,
            latency: Duration::from_millis(round_trip) / 2,
            each,
            partitions: PARTITIONS,
            records: allowed / VALUE * seconds,
            limit: Some(allowed),
            near_for: Duration::ZERO,
        }
    }

    /// What one of its connections carries, in bytes per second.
    fn carries(self) -> f64 {
        match self.each {
            Each::Rate => f64::from(NARROW),
            Each::Window => {
                let window = u32::try_from(WINDOW).expect("small");
                f64::from(window) / (2 * self.latency).as_secs_f64()
            }
            Each::Nothing => f64::INFINITY,
        }
    }

    /// Whether one connection is not enough for what may be read.
    fn is_narrow(self) -> bool {
        self.limit
            .is_none_or(|limit| self.carries() < f64::from(limit))
    }
}

/// What was seen of a copy over a line.
struct Seen {
    /// How many records had arrived when, from the first on.
    arrivals: Vec<(Instant, f64)>,
    /// When the line became long, and how many connections to what is far away there were then.
    far: (Instant, u64),
    /// The most there were.
    most: u64,
}

fn record(number: i32, partitions: i32) -> GeneratedRecord {
    let mut state = u64::from(number.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let length = usize::try_from(VALUE).expect("positive");
    GeneratedRecord {
        partition: number % partitions,
        timestamp: 1_735_689_600_000,
        key: None,
        value: Some(words.flatten().take(length).collect()),
        headers: Vec::new(),
    }
}

/// Makes the way a long one.
fn lengthen(proxy: &FaultProxy, line: Line) {
    let plain = Pace::latency(line.latency);
    let records = match line.each {
        Each::Rate => Pace {
            bytes_per_second: u64::try_from(NARROW).ok(),
            ..plain
        },
        Each::Window => Pace {
            window: Some(Window {
                bytes: WINDOW,
                round_trip: 2 * line.latency,
            }),
            ..plain
        },
        Each::Nothing => plain,
    };
    let (with_records, others) = match line.far {
        Far::Source => (Direction::Answers, Direction::Requests),
        Far::Destination => (Direction::Requests, Direction::Answers),
    };
    proxy.slow(with_records, records);
    proxy.slow(others, plain);
}

/// Copies a topic over the line.
async fn copy_over(pair: &Shaken, line: Line) -> Seen {
    const MORE: &str = "more of them are made";
    let topic = unique("distance");
    new_topic(&pair.source, &topic, line.partitions, &[]).await;
    Load::new(pair.source.bootstrap(), &topic)
        .codec(Codec::None)
        .setting("batch.size", "300000")
        .send((0..line.records).map(move |number| record(number, line.partitions)))
        .await
        .expect("acknowledged");
    let proxy = match line.far {
        Far::Source => pair.source.proxy(0),
        Far::Destination => pair.destination.proxy(0),
    };
    let mut far = line.near_for.is_zero().then(|| {
        lengthen(proxy, line);
        (Instant::now(), proxy.traffic().open)
    });
    let limit = line.limit.map_or("none".to_owned(), |l| l.to_string());
    let limit = format!("tributary.bandwidth.limit={limit}");
    let link = Replicate::new(&pair.source, &pair.destination, &topic).with(&["--set", &limit]);
    let program = link.start();
    let copy = stored(&pair.destination, &topic);
    let begin = Instant::now();
    let mut arrivals: Vec<(Instant, f64)> = Vec::new();
    let mut most = 0;
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
            passed < COPIED || limits::long_run().is_some(),
            "{there} records after {passed:?}\n{lines}"
        );
        let open = proxy.traffic().open;
        most = most.max(open);
        let first = arrivals.first();
        if far.is_none() && first.is_some_and(|(at, _)| at.elapsed() >= line.near_for) {
            assert!(!lines.to_string().contains(MORE), "{lines}");
            lengthen(proxy, line);
            far = Some((Instant::now(), open));
        }
    }
    proxy.heal().await;
    let lines = program.lines().tail(400).to_string();
    println!("{lines}");
    println!(
        "{:?}: copied within {:?}, at most {most} connections",
        line.far,
        begin.elapsed()
    );
    assert!(lines.contains(MORE) || !line.is_narrow(), "{lines}");
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    let verdict = compared(&stored(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
    println!("the first record after {:?}", arrivals[0].0 - begin);
    Seen {
        arrivals,
        far: far.expect("there was more to be copied"),
        most,
    }
}

/// Says what arrived in each five seconds.
fn say(arrivals: &[(Instant, f64)]) {
    let first = arrivals[0];
    for pair in arrivals.windows(26).step_by(25) {
        let at = (pair[25].0 - first.0).as_secs_f64();
        println!("{at:.0} s: {:.2} MB/s", rate(pair[0], pair[25]) / 1e6);
    }
}

/// Bytes per second between two moments.
fn rate(from: (Instant, f64), to: (Instant, f64)) -> f64 {
    (to.1 - from.1) * f64::from(VALUE) / (to.0 - from.0).as_secs_f64()
}

#[tokio::test]
async fn narrow_connections_from_a_source_far_away_carry_together_what_one_cannot() {
    let one = |minutes| Line {
        partitions: 1,
        ..Line::long(minutes, 100, Each::Nothing, ALLOWED)
    };
    let round_trips = [100, 20, 1].into_iter();
    let lines = |minutes| {
        let all = round_trips.flat_map(|round_trip| {
            [Each::Window, Each::Nothing]
                .into_iter()
                .flat_map(move |each| {
                    [ALLOWED, 3 * ALLOWED]
                        .map(|allowed| Line::long(minutes, round_trip, each, allowed))
                })
        });
        [one(minutes)].into_iter().chain(all).collect()
    };
    narrow(Far::Source, lines).await;
}

#[tokio::test]
async fn narrow_connections_to_a_destination_far_away_carry_together_what_one_cannot() {
    let lines = |minutes| {
        let all = [100, 20].into_iter().flat_map(|round_trip| {
            [ALLOWED, 3 * ALLOWED].map(|allowed| Line {
                far: Far::Destination,
                ..Line::long(minutes, round_trip, Each::Window, allowed)
            })
        });
        all.collect()
    };
    narrow(Far::Destination, lines).await;
}

/// The short form, or in the long one all of these lines.
async fn narrow(far: Far, lines: impl FnOnce(Duration) -> Vec<Line>) {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let Some(minutes) = limits::long_run() else {
        let line = Line {
            far,
            latency: Duration::from_millis(10),
            each: Each::Rate,
            partitions: PARTITIONS,
            records: 1_500,
            limit: None,
            near_for: Duration::ZERO,
        };
        let arrivals = copy_over(pair, line).await.arrivals;
        let rate = rate(arrivals[0], arrivals[arrivals.len() - 1]);
        println!("{far:?}: {rate} bytes a second");
        assert!(rate > f64::from(NARROW), "{far:?}: {rate} bytes a second");
        return;
    };
    println!(
        "| far | there and back | partitions | window | allowed MB/s | steady MB/s | share | whole MB/s | connections |"
    );
    for line in lines(minutes) {
        over(pair, line).await;
    }
}

/// Says how much of what is allowed arrives over a line, and that it is enough and not more than that.
async fn over(pair: &Shaken, line: Line) {
    let Seen { arrivals, most, .. } = copy_over(pair, line).await;
    say(&arrivals);
    // Behind the steps to more connections, and before the partitions that end last are alone.
    let behind = |share: f64| {
        let found = arrivals.iter();
        let mut found = found.filter(|(_, there)| *there >= f64::from(line.records) * share);
        *found.next().expect("all arrived")
    };
    let [steady, whole] = [(0.3, 0.9), (0.0, 1.0)].map(|(a, b)| rate(behind(a), behind(b)));
    let allowed = f64::from(line.limit.expect("it has one"));
    println!(
        "| {:?} | {:?} | {} | {} | {} | {:.2} | {:.0} % | {:.2} | {most} |",
        line.far,
        2 * line.latency,
        line.partitions,
        if line.carries().is_finite() {
            "100 KiB"
        } else {
            "none"
        },
        allowed / 1e6,
        steady / 1e6,
        100.0 * steady / allowed,
        whole / 1e6,
    );
    assert!(steady >= 0.8 * allowed, "{steady}");
    assert!(whole <= 1.1 * allowed, "{whole}");
}

#[tokio::test]
async fn a_way_that_becomes_long_while_the_link_runs_is_read_over_several_connections() {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let Some(minutes) = limits::long_run() else {
        let line = Line {
            far: Far::Source,
            latency: Duration::from_millis(10),
            each: Each::Rate,
            partitions: PARTITIONS,
            records: 1_800,
            limit: Some(4 * NARROW),
            near_for: Duration::from_secs(3),
        };
        let seen = copy_over(pair, line).await;
        let (_, before) = seen.far;
        assert!(seen.most >= before + 2, "{before} and then {}", seen.most);
        return;
    };
    let line = Line {
        near_for: Duration::from_secs(10),
        ..Line::long(minutes, 100, Each::Window, ALLOWED)
    };
    let seen = copy_over(pair, line).await;
    say(&seen.arrivals);
    let (far, before) = seen.far;
    println!("{before} connections to the source, then {}", seen.most);
    let after = |seconds: u64| {
        let at = far + Duration::from_secs(seconds);
        let mut found = seen.arrivals.iter().filter(|(then, _)| *then >= at);
        *found.next().expect("it takes longer")
    };
    let enough = 0.8 * f64::from(ALLOWED);
    let found = (0..30).find(|second| rate(after(*second), after(second + 3)) >= enough);
    println!("four fifths of what is allowed arrive {found:?} s after the line became long");
    let steady = rate(after(15), after(30));
    println!("{steady:.0} of {ALLOWED} bytes a second between 15 and 30 s after");
    assert!(steady >= enough, "{steady}");
}

/// Records of a few bytes, so many for each partition. They are new: of old ones brokers may have forgotten who wrote them, and what
/// stands at the end of a copy is looked at twice.
fn small(partitions: i32, each: i32) -> impl Iterator<Item = GeneratedRecord> + Send + 'static {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_millis();
    let timestamp = i64::try_from(now).expect("before the end of time");
    (0..partitions * each).map(move |number| GeneratedRecord {
        partition: number % partitions,
        timestamp,
        key: None,
        value: Some(number.to_string().into_bytes()),
        headers: Vec::new(),
    })
}

#[tokio::test]
async fn after_a_kill_many_partitions_of_a_source_far_away_go_on_together() {
    const EACH: i32 = 3;
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let partitions = limits::long_run().map_or(200, |_| 1000);
    let topic = unique("restarted-far-away");
    new_topic(&pair.source, &topic, partitions, &[]).await;
    let write = async || {
        let load = Load::new(pair.source.bootstrap(), &topic).codec(Codec::None);
        let sent = load.send(small(partitions, EACH)).await;
        sent.expect("acknowledged");
    };
    write().await;
    let link = Replicate::new(&pair.source, &pair.destination, &topic);
    let copy = stored(&pair.destination, &topic);
    let program = link.start();
    let count = i64::from(partitions * EACH);
    wait_for_offsets(&copy, count).await;
    program.kill9();
    write().await;

    // One after the other, each with two questions to the source, they would take a fifth of a second each.
    let alone = Duration::from_millis(200) * partitions.unsigned_abs();
    let proxy = pair.source.proxy(0);
    for direction in [Direction::Requests, Direction::Answers] {
        proxy.slow(direction, Pace::latency(Duration::from_millis(50)));
    }
    let begin = Instant::now();
    let program = link.start();
    wait_for_offsets(&copy, 2 * count).await;
    let passed = begin.elapsed();
    println!(
        "{partitions} partitions went on within {passed:?}, one after the other it were {alone:?}"
    );
    proxy.heal().await;
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    let verdict = compared(&stored(&pair.source, &topic), &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
    let lines = program.lines().tail(60);
    assert!(passed < alone / 2, "{passed:?}\n{lines}");
}
