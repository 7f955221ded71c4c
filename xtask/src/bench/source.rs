//! The source of a series: made, filled by the judge, cleaned where it is compacted, and read once for the gate.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::log::{self, LogSize};
use super::run::Place;
use super::workload::Data;
use crate::failure::{Failure, Result};
use crate::judge::PartitionDigest;
use crate::output;

/// Until the cleaner has gone through everything: it looks twice a second, and a core cleans tens of MB in one.
const CLEANED: Duration = Duration::from_secs(180);
/// Index files of empty partitions need not be large.
const RESTING: [&str; 1] = ["segment.index.bytes=4096"];

/// What is copied.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) topic: String,
    /// A topic of partitions that hold nothing, where there is one.
    pub(super) idle: Option<String>,
    /// Of the last record of each key, where the topic is compacted.
    pub(super) digest: Vec<PartitionDigest>,
    /// As the broker keeps it, aborted batches and markers included.
    pub(super) size: LogSize,
    /// Those of the digest.
    pub(super) records: u64,
    /// Bytes of their keys and values.
    pub(super) logical_bytes: u64,
    /// The time of each partition's last record, later than that of every other.
    pub(super) last: i64,
}

impl Source {
    /// Makes the topic in place of all others and fills it until its log has `bytes`.
    pub(super) async fn load(
        place: &Place<'_>,
        data: &Data,
        number: usize,
        bytes: u64,
    ) -> Result<Self> {
        let judge = &place.prepared.judge;
        let bootstrap = place.source.bootstrap();
        let topic = format!("bench.{number}-{}", data.codec);
        output::heading(format!("{topic}: loading"));
        judge.ask(&["clear", &bootstrap]).await?;
        judge
            .create_topic(&bootstrap, &topic, data.partitions, data.settings)
            .await?;
        let idle = (data.idle > 0).then(|| format!("{topic}.idle"));
        if let Some(idle) = &idle {
            judge
                .create_topic(&bootstrap, idle, data.idle, &RESTING)
                .await?;
        }
        let log_directory = place.source.node(0).data_directory();
        let log_text = log_directory.display().to_string();
        let [partitions, record, batch] = [
            data.partitions,
            data.record_bytes,
            uncompressed(data.batch_bytes, data.record_bytes, &data.codec),
        ]
        .map(|number| number.to_string());
        let bytes = bytes.to_string();
        let mut arguments = vec!["load", &bootstrap, &topic, "--codec", &data.codec];
        arguments.extend(["--partitions", &partitions, "--batch-bytes", &batch]);
        arguments.extend(["--record-bytes", &record, "--shape", data.shape.word()]);
        arguments.extend(["--wire-bytes", &bytes, "--log-directory", &log_text]);
        let loaded = judge.ask(&arguments).await?;
        let written = loaded["records"].as_u64().unwrap_or_default();
        let last = loaded["last"].as_i64();
        let last = last.ok_or_else(|| Failure::new(format!("the judge has loaded {loaded}")))?;
        if data.is_compacted() {
            cleaned(&log_directory, &topic).await?;
        }
        let digest = judge
            .digest(&bootstrap, &topic, data.is_compacted())
            .await?;
        let records: u64 = digest.iter().map(|partition| partition.records).sum();
        if records != written && !data.is_compacted() {
            return Err(Failure::new(format!(
                "{written} records were loaded, {records} are there"
            )));
        }
        let source = Self {
            size: log::measure(&log_directory, &topic)?,
            logical_bytes: digest.iter().map(|partition| partition.bytes).sum(),
            topic,
            idle,
            digest,
            records,
            last,
        };
        output::line(format!(
            "   {records} records, {} bytes in {} batches, {} of them thinned",
            source.size.bytes, source.size.batches, source.size.thinned
        ));
        Ok(source)
    }
}

/// Waits until the cleaner has been wherever it goes: everywhere but in the newest segments.
async fn cleaned(log_directory: &Path, topic: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let newest = log::newest_segments(log_directory, topic)?;
        let checkpoint = fs::read_to_string(log_directory.join("cleaner-offset-checkpoint"));
        let done = cleaned_to(&checkpoint.unwrap_or_default(), topic);
        let is_done =
            |(partition, base): &(u32, i64)| *base == 0 || done.contains(&(*partition, *base));
        if newest.iter().all(is_done) {
            return Ok(());
        }
        if began.elapsed() > CLEANED {
            return Err(Failure::new(format!(
                "the cleaner has not been through {topic} within {CLEANED:?}: {done:?} of {newest:?}"
            )));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Partitions of a topic in a broker's checkpoint of its cleaner, and up to where each is clean: after two lines that count, a
/// line of topic, partition and offset for each.
fn cleaned_to(checkpoint: &str, topic: &str) -> Vec<(u32, i64)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let partition = (words.next() == Some(topic))
            .then(|| words.next())
            .flatten()?;
        Some((partition.parse().ok()?, words.next()?.parse().ok()?))
    };
    checkpoint.lines().filter_map(line).collect()
}

/// Bytes of the generator's records that make a batch of a size on the wire. Producers count what they have not compressed
/// yet, or guess; ratios are those of 64 to 240 records of the generator.
fn uncompressed(wire: u32, record: u32, codec: &str) -> u32 {
    let tenths = match (codec, record) {
        ("lz4", ..=200) => 21,
        ("zstd", _) => 38,
        ("gzip", _) => 39,
        ("snappy", _) => 25,
        ("lz4", _) => 24,
        _ => 10,
    };
    match wire {
        1 => 1,
        _ => wire.saturating_mul(tenths) / 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clean_is_read_from_the_checkpoint_of_the_cleaner() {
        let text = "0\n3\nbench.1-lz4 0 4711\nbench.1-lz4 11 22\nbench.1-lz4.idle 3 5\n";
        assert_eq!(cleaned_to(text, "bench.1-lz4"), [(0, 4711), (11, 22)]);
        assert_eq!(cleaned_to("", "bench.1-lz4"), []);
    }
}
