//! A source that is near and answers slowly, because its line carries little: one batch may take longer than any limit of time
//! for an answer, and a topic with a record now and then does not wait behind the others. And a destination of that kind.

use std::time::Duration;

use test_support::fault_proxy::{Direction, Pace};
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, Replicate, compared, new_topic, offsets, shaken, stored, unique, wait_for_offsets,
};

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
    let [large, quiet] = ["slow-line", "quiet-line"].map(unique);
    let takes = [("max.message.bytes", "20000000")];
    new_topic(source, &large, PARTITIONS, &takes).await;
    new_topic(source, &quiet, 1, &[]).await;
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
    let mut news = Generator::new(Shape::uniform(SEED, 1, 100));
    let say = async |record| {
        let load = Load::new(source.bootstrap(), &quiet);
        load.send([record]).await.expect("acknowledged");
    };
    say(news.next().expect("endless")).await;

    let line = Pace::bytes_per_second(LINE);
    source.proxy(0).slow(Direction::Answers, line);
    let topics = format!("{large}|{quiet}");
    let program = Replicate::new(source, destination, &topics).start();
    let [all, copy] = [&large, &quiet].map(|topic| stored(destination, topic));
    wait_for_offsets(&copy, 1).await;
    let begin = Instant::now();
    let mut took = Vec::new();
    for count in 2.. {
        if offsets(&all).await > i64::from(OTHERS) {
            break;
        }
        say(news.next().expect("endless")).await;
        let said = Instant::now();
        wait_for_offsets(&copy, count).await;
        took.push(said.elapsed());
        let lines = program.lines().tail(40);
        assert!(begin.elapsed() < COPIED, "the rest is copied\n{lines}");
    }
    let whole = begin.elapsed();
    took.sort_unstable();
    let [median, slowest] = [took.len() / 2, took.len().saturating_sub(1)].map(|n| took[n]);
    println!(
        "{} records beside it: {median:?}, at most {slowest:?}; all after {whole:?}",
        took.len()
    );
    source.proxy(0).heal().await;
    println!("{}", program.lines().tail(60));
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    for (topic, copy) in [(&large, &all), (&quiet, &copy)] {
        let verdict = compared(&stored(source, topic), copy).await;
        assert!(verdict.is_equal(), "{topic}: {verdict:?}");
    }
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
    let [large, quiet] = ["backlog-thin", "quiet-thin"].map(unique);
    new_topic(source, &large, MANY, &[]).await;
    new_topic(source, &quiet, 1, &[]).await;
    let records = MANY * OF_EACH;
    let generator = Generator::new(Shape::uniform(SEED, MANY, BEHIND));
    Load::new(source.bootstrap(), &large)
        .codec(Codec::None)
        .setting("batch.size", "600000")
        .send(generator.take(usize::try_from(records).expect("positive")))
        .await
        .expect("acknowledged");
    let mut news = Generator::new(Shape::uniform(SEED, 1, 100));
    let say = async |record| {
        let load = Load::new(source.bootstrap(), &quiet);
        load.send([record]).await.expect("acknowledged");
    };
    say(news.next().expect("endless")).await;

    let line = Pace::bytes_per_second(THIN);
    destination.proxy(0).slow(Direction::Requests, line);
    let topics = format!("{large}|{quiet}");
    let program = Replicate::new(source, destination, &topics).start();
    let [all, copy] = [&large, &quiet].map(|topic| stored(destination, topic));
    wait_for_offsets(&copy, 1).await;
    // As much as the line carries in three seconds is on its way then.
    wait_for_offsets(&all, i64::from(records) / 5).await;
    let mut took = Vec::new();
    for count in 2..=14 {
        say(news.next().expect("endless")).await;
        let said = Instant::now();
        wait_for_offsets(&copy, count).await;
        took.push(said.elapsed());
    }
    let there = offsets(&all).await;
    took.sort_unstable();
    println!("{took:?} beside {there} of {records}");
    assert!(there < i64::from(records), "the backlog lasts");
    let [median, slowest] = [took.len() / 2, took.len() - 1].map(|n| took[n]);
    assert!(median < Duration::from_millis(500), "{took:?}");
    assert!(slowest < Duration::from_secs(2), "{took:?}");
    destination.proxy(0).heal().await;
    wait_for_offsets(&all, i64::from(records)).await;
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    for (topic, copy) in [(&large, &all), (&quiet, &copy)] {
        let verdict = compared(&stored(source, topic), copy).await;
        assert!(verdict.is_equal(), "{topic}: {verdict:?}");
    }
}
