//! A topic with a record now and then, beside one with much to catch up with, on a link that may read little: the record does
//! not wait for the backlog (the head of the line), and the limit holds. Batches are far smaller than what is read in a second, or
//! a third of it: a broker answers with whole ones.

use std::time::Duration;

use test_support::KafkaCluster;
use test_support::judge::Place;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Generator, Load, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, NEW, Replicate, compared, new_topic, offsets, pair, stored, unique, wait_for_offsets,
};

/// A topic with a record now and then, and how long each took to be copied.
pub(crate) struct Quiet<'a> {
    source: &'a KafkaCluster,
    pub(crate) topic: String,
    news: Generator,
    pub(crate) took: Vec<Duration>,
}

impl<'a> Quiet<'a> {
    /// A topic of that name, nearly, in which nothing is yet.
    pub(crate) async fn new(source: &'a KafkaCluster, name: &str, seed: u64) -> Self {
        let topic = unique(name);
        new_topic(source, &topic, 1, &[]).await;
        Self {
            source,
            topic,
            news: Generator::new(Shape::uniform(seed, 1, 100)),
            took: Vec::new(),
        }
    }

    /// One more record.
    pub(crate) async fn says(&mut self) {
        let record = self.news.next().expect("endless");
        let load = Load::new(self.source.bootstrap(), &self.topic);
        load.send([record]).await.expect("acknowledged");
    }

    /// One more record, with which there are so many at the copy.
    pub(crate) async fn is_heard(&mut self, copy: &Place, count: i64) {
        self.says().await;
        let said = Instant::now();
        wait_for_offsets(copy, count).await;
        self.took.push(said.elapsed());
    }

    /// What half of them took at most, and what the slowest did.
    pub(crate) fn median_and_slowest(&mut self) -> [Duration; 2] {
        let took = &mut self.took;
        took.sort_unstable();
        [took.len() / 2, took.len().saturating_sub(1)].map(|n| took[n])
    }
}

/// Ends the program; then these topics are equal to their copies.
pub(crate) async fn ends_with_equal(
    program: &TributaryProcess,
    source: &KafkaCluster,
    copies: [(&str, &Place); 2],
) {
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    for (topic, copy) in copies {
        let verdict = compared(&stored(source, topic), copy).await;
        assert!(verdict.is_equal(), "{topic}: {verdict:?}");
    }
}

const SEED: u64 = 41;
const PARTITIONS: i32 = 6;
/// Bytes per second: a backlog lasts 13 s.
const LIMIT: i32 = 3_000_000;
const BACKLOG: i32 = 39_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_quiet_topic_does_not_wait_for_the_backlog_of_another_under_a_limit() {
    beside_a_backlog_of(16 * 1024).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_where_batches_of_the_other_take_a_third_of_a_second() {
    beside_a_backlog_of(1_000_000).await;
}

async fn beside_a_backlog_of(value: usize) {
    println!("seed {SEED}");
    let records = BACKLOG / i32::try_from(value).expect("small");
    let (source, destination) = pair(NEW, NEW).await;
    let large = unique("backlog");
    new_topic(source, &large, PARTITIONS, &[]).await;
    let mut quiet = Quiet::new(source, "trickle", SEED).await;
    let load = Load::new(source.bootstrap(), &large).setting("batch.size", "65536");
    let generator = Generator::new(Shape::uniform(SEED, PARTITIONS, value));
    load.send(generator.take(usize::try_from(records).expect("positive")))
        .await
        .expect("acknowledged");
    quiet.says().await;

    let limit = format!("tributary.bandwidth.limit={LIMIT}");
    let topics = format!("{large}|{}", quiet.topic);
    let link = Replicate::new(source, destination, &topics).with(&["--set", &limit]);
    let program = link.start();
    let [all, copy] = [&large, &quiet.topic].map(|topic| stored(destination, topic));
    wait_for_offsets(&copy, 1).await;
    let begin = (Instant::now(), offsets(&all).await);
    for count in 2.. {
        if offsets(&all).await >= i64::from(records) * 9 / 10 {
            break;
        }
        quiet.is_heard(&copy, count).await;
        assert!(begin.0.elapsed() < COPIED, "the backlog is copied");
    }
    let seconds = begin.0.elapsed().as_secs_f64();
    let read = i32::try_from(offsets(&all).await - begin.1).expect("few");
    let rate = f64::from(read) * f64::from(u32::try_from(value).expect("small")) / seconds;
    let [median, slowest] = quiet.median_and_slowest();
    let took = &quiet.took;
    println!(
        "{} records beside a backlog: {median:?}, at most {slowest:?}; {rate:.0} of {LIMIT} bytes a second",
        took.len()
    );
    assert!(took.len() >= 5, "the backlog lasts: {took:?}");
    assert!(median < Duration::from_millis(500), "{took:?}");
    assert!(slowest < Duration::from_secs(2), "{took:?}");
    let limit = f64::from(LIMIT);
    assert!((0.8 * limit..1.2 * limit).contains(&rate), "{rate}");
    wait_for_offsets(&all, i64::from(records)).await;
    ends_with_equal(&program, source, [(&large, &all), (&quiet.topic, &copy)]).await;
}
