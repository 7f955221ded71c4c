//! Partitions that wait for their turn under a limit for longer than a standstill may last: health does not call them stalled, and
//! says what they wait for.

use std::time::Duration;

use test_support::eventually::eventually;
use test_support::workload::Load;
use tokio::time::sleep;

use crate::connect_worker::Worker;
use crate::obstacle::record;
use crate::support::{COPIED, NEW, bootstrap, compared, new_topic, offsets, pair, stored, unique};

const PARTITIONS: i32 = 20;
/// Batches of each partition, and their bytes: a broker answers with one, because the limit allows less.
const BATCHES: i32 = 4;
const BATCH: usize = 300_000;
/// Bytes per second: each partition has its turn every 10 s.
const LIMIT: i32 = 600_000;
/// From which a partition counts as stalled elsewhere.
const STALL: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_turn_under_a_limit_is_not_stalled_and_says_so() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("turns");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    let records = (0..BATCHES * PARTITIONS).map(|number| {
        let value = vec![b'v'; BATCH];
        record(number % PARTITIONS, "k", value)
    });
    let load = Load::new(source.bootstrap(), &topic).setting("batch.size", "65536");
    load.send(records).await.expect("acknowledged");

    let link = unique("limited");
    let file = format!(
        "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntributary.bandwidth.limit={LIMIT}\ntributary.health.stall.ms={:.0}\n",
        bootstrap(source),
        STALL * 1000.0
    );
    let lines = format!(
        "bootstrap.servers={}\ntributary.health.interval.ms=500",
        bootstrap(destination)
    );
    let worker = Worker::tributary(&lines, &[&file]).await;
    let (there, copy) = (stored(source, &topic), stored(destination, &topic));
    let rows = format!("/api/v1/links/{link}/topics/{topic}/partitions");
    let all = i64::from(BATCHES * PARTITIONS);
    let (mut longest, mut told) = (0.0_f64, 0);
    while offsets(&copy).await < all {
        let list = worker.client.get(&rows).await.json();
        for row in list["items"].as_array().into_iter().flatten() {
            assert_ne!(row["state"], "stalled", "{row}");
            let waits = row["no_progress_seconds"].as_f64().unwrap_or_default();
            longest = longest.max(waits);
            let reason = row["reason"].as_str().unwrap_or_default();
            told += i32::from(reason.contains("it waits for tributary.bandwidth.limit"));
        }
        sleep(Duration::from_millis(200)).await;
    }
    println!("at most {longest:.1} s without progress; {told} times it was said why");
    assert!(longest > 2.0 * STALL, "{longest}");
    assert!(told > 20, "{told}");
    eventually("health", COPIED, async || {
        let link = worker.client.get(&format!("/api/v1/links/{link}")).await;
        let link = link.json();
        match link["health"] == "HEALTHY" {
            true => Ok(()),
            false => Err(link),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
    let verdict = compared(&there, &copy).await;
    assert!(verdict.is_equal(), "{verdict:?}");
}
