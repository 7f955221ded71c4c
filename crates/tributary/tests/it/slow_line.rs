//! A source that is near and answers slowly, because its line carries little: one batch may take longer than any limit of time
//! for an answer, and a topic with a record now and then does not wait behind the others. And a destination of that kind.

use std::time::Duration;

use test_support::fault_proxy::{Direction, Pace};
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, Replicate, new_topic, offsets, shaken, stored, unique, wait_for_offsets,
};
use crate::trickle::{Quiet, ends_with_equal};

const SEED: u64 = 47;
/// Bytes per second of one connection.
const LINE: u64 = 1_000_000;
/// Takes longer than a broker may be silent.
const LARGEST: usize = 13_000_000;
const OTHERS: i32 = 160;
const PARTITIONS: i32 = 4;
const VALUE: usize = 100_000;

#[tokio::test]
async fn a_batch_that_takes_long_arrives_and_a_quiet_topic_does_not_wait_for_it() {
    println!("seed {SEED}");
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let (source, destination) = (&pair.source, &pair.destination);
    let large = unique("slow-line");
    let takes = [("max.message.bytes", "20000000")];
    new_topic(source, &large, PARTITIONS, &takes).await;
    let mut quiet = Quiet::new(source, "quiet-line", SEED).await;
    let to_large = || {
        Load::new(source.bootstrap(), &large)
            .codec(Codec::None)
            .setting("batch.size", "100000")
            .setting("message.max.bytes", "20000000")
    };
    let mut generator = Generator::new(Shape::uniform(SEED, PARTITIONS, VALUE));
    let mut first = generator.next().expect("endless");
    let word = first.value.clone().expect("a value");
    first = GeneratedRecord {
        partition: 0,
        value: Some(word.iter().copied().cycle().take(LARGEST).collect()),
        ..first
    };
    to_large().send([first]).await.expect("acknowledged");
    let others = generator.take(usize::try_from(OTHERS).expect("positive"));
    to_large().send(others).await.expect("acknowledged");
    quiet.says().await;

    let line = Pace::bytes_per_second(LINE);
    source.proxy(0).slow(Direction::Answers, line);
    let topics = format!("{large}|{}", quiet.topic);
    let program = Replicate::new(source, destination, &topics).start();
    let [all, copy] = [&large, &quiet.topic].map(|topic| stored(destination, topic));
    wait_for_offsets(&copy, 1).await;
    let begin = Instant::now();
    for count in 2.. {
        if offsets(&all).await > i64::from(OTHERS) {
            break;
        }
        quiet.is_heard(&copy, count).await;
        let lines = program.lines().tail(40);
        assert!(begin.elapsed() < COPIED, "the rest is copied\n{lines}");
    }
    let whole = begin.elapsed();
    let [median, slowest] = quiet.median_and_slowest();
    let took = &quiet.took;
    println!(
        "{} records beside it: {median:?}, at most {slowest:?}; all after {whole:?}",
        took.len()
    );
    source.proxy(0).heal().await;
    println!("{}", program.lines().tail(60));
    ends_with_equal(&program, source, [(&large, &all), (&quiet.topic, &copy)]).await;
    assert!(took.len() >= 5, "it lasts: {took:?}");
    assert!(median < Duration::from_millis(500), "{took:?}");
    // Those that come while nothing is known of the line wait until it is; the batch takes 13 s.
    assert!(slowest < Duration::from_secs(6), "{took:?}");
}

/// What a connection to the destination carries, bytes per second.
const THIN: u64 = 2_000_000;
/// Each has a backlog, and batches that take a third of a second.
const MANY: i32 = 24;
const OF_EACH: i32 = 60;
const BEHIND: usize = 50_000;

#[tokio::test]
async fn a_quiet_topic_does_not_wait_for_a_backlog_where_the_destination_is_slow() {
    println!("seed {SEED}");
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let (source, destination) = (&pair.source, &pair.destination);
    let large = unique("backlog-thin");
    new_topic(source, &large, MANY, &[]).await;
    let mut quiet = Quiet::new(source, "quiet-thin", SEED).await;
    let records = MANY * OF_EACH;
    let generator = Generator::new(Shape::uniform(SEED, MANY, BEHIND));
    Load::new(source.bootstrap(), &large)
        .codec(Codec::None)
        .setting("batch.size", "600000")
        .send(generator.take(usize::try_from(records).expect("positive")))
        .await
        .expect("acknowledged");
    quiet.says().await;

    let line = Pace::bytes_per_second(THIN);
    destination.proxy(0).slow(Direction::Requests, line);
    let topics = format!("{large}|{}", quiet.topic);
    let program = Replicate::new(source, destination, &topics).start();
    let [all, copy] = [&large, &quiet.topic].map(|topic| stored(destination, topic));
    wait_for_offsets(&copy, 1).await;
    // As much as the line carries in three seconds is on its way then.
    wait_for_offsets(&all, i64::from(records) / 5).await;
    for count in 2..=14 {
        quiet.is_heard(&copy, count).await;
    }
    let there = offsets(&all).await;
    let [median, slowest] = quiet.median_and_slowest();
    let took = &quiet.took;
    println!("{took:?} beside {there} of {records}");
    assert!(there < i64::from(records), "the backlog lasts");
    assert!(median < Duration::from_millis(500), "{took:?}");
    assert!(slowest < Duration::from_secs(2), "{took:?}");
    destination.proxy(0).heal().await;
    wait_for_offsets(&all, i64::from(records)).await;
    ends_with_equal(&program, source, [(&large, &all), (&quiet.topic, &copy)]).await;
}
