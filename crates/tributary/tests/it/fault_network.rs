//! Networks that lose, delay, cut and forget connections, on either side, under load: the same process goes on, and catches
//! up soon after the network is well again.
//!
//! The short form takes moments of each fault at one side after the other; `TRIBUTARY_TEST_MINUTES` asks for up to a minute
//! of each, on both sides.

use std::time::Duration;

use test_support::fault_proxy::{Direction, FaultProxy, Pace};
use test_support::judge::{self, Place};
use test_support::limits::{self, BEFORE_FAULT, CATCH_UP, CAUGHT_UP_SHARE};
use test_support::workload::{Codec, Generator, Load, Shape};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{
    COPIED, Replicate, committed, compared, new_topic, offsets, shaken, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 5_533;
const PER_SECOND: u32 = 600;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// Connections stall and are reset, again and again.
    StallsAndResets,
    /// A tenth of a second more each way, and three megabits per second.
    Slow,
    /// Nobody is reached.
    Cut,
    /// One side never learns that the other is gone.
    HalfOpen,
}

impl Fault {
    const ALL: [Self; 4] = [Self::StallsAndResets, Self::Slow, Self::Cut, Self::HalfOpen];

    async fn begin(self, proxy: &FaultProxy, until: Instant) {
        match self {
            Self::StallsAndResets => {
                let mut round = 0;
                while Instant::now() < until {
                    round += 1;
                    match round % 2 {
                        0 => proxy.reset().await,
                        _ => {
                            let direction = match round % 4 {
                                1 => Direction::Answers,
                                _ => Direction::Requests,
                            };
                            proxy.stall(direction);
                            // sleeps because the stall is the test.
                            sleep(Duration::from_millis(200 * (round % 5))).await;
                            proxy.unstall(direction);
                        }
                    }
                    // sleeps because what goes through in between is part of the test.
                    sleep(Duration::from_millis(400)).await;
                }
            }
            Self::Slow => {
                let pace = Pace {
                    latency: Duration::from_millis(100),
                    bytes_per_second: Some(3_000_000 / 8),
                    ..Pace::default()
                };
                for direction in [Direction::Requests, Direction::Answers] {
                    proxy.slow(direction, pace);
                }
            }
            Self::Cut => proxy.cut().await,
            Self::HalfOpen => {
                proxy.half_open().await;
                proxy.stall(Direction::Requests);
            }
        }
        // sleeps because the fault is the test.
        sleep_until(until).await;
        proxy.heal().await;
    }
}

/// Offsets per second, over a time.
async fn throughput(copy: &Place, time: Duration) -> f64 {
    let (begin, before) = (Instant::now(), offsets(copy).await);
    // sleeps because a mean over a time is wanted.
    sleep(time).await;
    (offsets(copy).await - before) as f64 / begin.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_stall_reset_slow_cut_and_forget_cost_time_only_and_are_caught_up_with() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let long = limits::long_run().is_some();
    let topic = unique("network");
    new_topic(&pair.source, &topic, 12, &[]).await;
    let load = Load::new(pair.source.bootstrap(), &topic).codec(Codec::Lz4);
    let records = Generator::new(Shape::mixed(SEED, 12).largest_value(4 * 1024));
    let load = load.start(records, PER_SECOND);
    let program = Replicate::new(&pair.source, &pair.destination, &topic).start();
    let (from, copy) = (
        committed(&pair.source, &topic),
        stored(&pair.destination, &topic),
    );
    wait_for_offsets(&copy, 600).await;
    let before = match long {
        true => throughput(&copy, BEFORE_FAULT).await,
        false => f64::from(PER_SECOND),
    };
    let sides = [("source", &pair.source), ("destination", &pair.destination)];
    for (number, fault) in Fault::ALL.into_iter().enumerate() {
        for (side, cluster) in sides
            .iter()
            .skip(number % 2)
            .step_by(if long { 1 } else { 2 })
        {
            let lasts = match (long, fault) {
                (false, _) => Duration::from_millis(1_500),
                (true, Fault::Cut | Fault::HalfOpen) => Duration::from_secs(60),
                (true, Fault::StallsAndResets | Fault::Slow) => Duration::from_secs(20),
            };
            fault.begin(cluster.proxy(0), Instant::now() + lasts).await;
            let healed = Instant::now();
            let caught_up = loop {
                let rate = throughput(&copy, Duration::from_secs(1)).await;
                let behind = offsets(&from).await - offsets(&copy).await;
                let caught_up = behind as f64 <= before && rate >= before * CAUGHT_UP_SHARE;
                if caught_up || !long && behind as f64 <= before {
                    break healed.elapsed();
                }
                assert!(
                    healed.elapsed() < 2 * CATCH_UP,
                    "{side} {fault:?}: {behind} behind at {rate:.0}/s, before {before:.0}/s\n{}",
                    program.lines().tail(60)
                );
            };
            println!(
                "{side} {fault:?} for {lasts:?}: caught up {caught_up:?} after healing, limit {CATCH_UP:?}; \
                 {before:.0} records/s before"
            );
        }
    }
    load.stop().await.expect("all are acknowledged");
    judge::wait_until_equal(&from, &copy, COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    assert!(
        program.runs().expect("known"),
        "the same process to the end"
    );
    let verdict = compared(&from, &copy).await;
    assert!(
        verdict.is_equal(),
        "seed {SEED}: {verdict}\n{}",
        program.lines().tail(60)
    );
    println!("{} records, no duplicates", verdict.destination);
    program.terminate().expect("it runs");
}
