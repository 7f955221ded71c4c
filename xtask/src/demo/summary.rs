//! What the demo has to show at its end: every topic on both sides, read with librdkafka, and whether they are equal.
//!
//! Producers have stopped before this runs. First the record counts are waited for, as a replicator may lag; then every
//! record is compared: key, value, headers, timestamp, partition, order.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Result;
use crate::judge::{Ends, Judge, PartitionDigest};
use crate::output;

/// How long the last records may take to arrive.
const CAUGHT_UP_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// One topic of one region and its copy.
#[derive(Debug)]
struct Pair {
    region: String,
    region_bootstrap: String,
    topic: String,
    copy: String,
}

/// Waits until `central` has as much as the regions, compares, prints the table. True when all is complete and equal.
pub(super) async fn compare(
    judge: &Judge,
    regions: &[(&str, String)],
    central: &str,
) -> Result<bool> {
    let caught_up = wait_until_caught_up(judge, regions, central).await?;
    if !caught_up {
        let limit = output::spoken(CAUGHT_UP_LIMIT);
        output::line(format!(
            "   the central cluster did not catch up within {limit}"
        ));
    }
    let mut rows = vec![
        ["source", "copy", "partitions", "records", "copied", "equal"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut all_equal = caught_up;
    for pair in pairs(judge, regions).await? {
        let source = judge
            .digest(&pair.region_bootstrap, &pair.topic, false)
            .await?;
        let present = judge.ends(central).await?.contains_key(&pair.copy);
        let copy = if present {
            judge.digest(central, &pair.copy, false).await?
        } else {
            Vec::new()
        };
        let equal = !source.is_empty() && source == copy;
        all_equal &= equal;
        rows.push(vec![
            format!("{} of {}", pair.topic, pair.region),
            pair.copy,
            format!("{}/{}", copy.len(), source.len()),
            records(&source).to_string(),
            records(&copy).to_string(),
            if equal {
                "yes".to_owned()
            } else {
                "NO".to_owned()
            },
        ]);
    }
    // A demo without topics has shown nothing.
    all_equal &= rows.len() > 1;
    output::line(output::table(&rows));
    Ok(all_equal)
}

async fn pairs(judge: &Judge, regions: &[(&str, String)]) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (region, bootstrap) in regions {
        for topic in judge.ends(bootstrap).await?.into_keys() {
            let copy = format!("{region}.{topic}");
            pairs.push(Pair {
                region: (*region).to_owned(),
                region_bootstrap: bootstrap.clone(),
                topic,
                copy,
            });
        }
    }
    Ok(pairs)
}

async fn wait_until_caught_up(
    judge: &Judge,
    regions: &[(&str, String)],
    central: &str,
) -> Result<bool> {
    let deadline = Instant::now() + CAUGHT_UP_LIMIT;
    loop {
        let copied = judge.ends(central).await?;
        let mut behind = false;
        for (region, bootstrap) in regions {
            for (topic, spans) in judge.ends(bootstrap).await? {
                let wanted: i64 = spans.iter().map(|span| span.end - span.first).sum();
                behind |= held(&copied, &format!("{region}.{topic}")) < wanted;
            }
        }
        if !behind || Instant::now() > deadline {
            return Ok(!behind);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many offsets a topic spans; -1 where it does not exist.
pub(super) fn held(ends: &Ends, topic: &str) -> i64 {
    ends.get(topic).map_or(-1, |spans| {
        spans.iter().map(|span| span.end - span.first).sum()
    })
}

fn records(partitions: &[PartitionDigest]) -> u64 {
    partitions.iter().map(|partition| partition.records).sum()
}
