//! A few Kafka requests written by hand, byte for byte, against the direct listener of a broker.
//!
//! Tests of fidelity need the record batches exactly as a broker sends them, and waiting for a broker needs an answer
//! from it before any client library would wait on its own. Only fixed, old request versions with the classic encoding
//! are used; every supported broker knows them.
//!
//! Deliberately absent: retries, leader look-up (the caller says which broker), anything but plain text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kafka_cluster::KafkaCluster;

/// One request and its answer must fit into this.
const LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is accepted, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;
const CLIENT: &str = "tributary-test-raw";

/// A hand-written request failed.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The connection failed.
    #[error("{broker}: {source}")]
    Connection {
        /// Whom we asked.
        broker: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No answer in time.
    #[error("{broker} did not answer within {LIMIT:?}")]
    Silent {
        /// Whom we asked.
        broker: String,
    },
    /// The answer does not have the layout of its version.
    #[error("{broker} sent an answer that ends early or is too long")]
    Malformed {
        /// Whom we asked.
        broker: String,
    },
    /// The broker answered with an error code.
    #[error("{broker} refused {what} with error code {code}")]
    Refused {
        /// Whom we asked.
        broker: String,
        /// What was asked.
        what: String,
        /// Kafka's error code.
        code: i16,
    },
}

/// What a broker says about its cluster (Metadata 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Node ids of the brokers that take part, sorted.
    pub nodes: Vec<i32>,
    /// The cluster's id.
    pub cluster_id: String,
    /// The node id of the controller, -1 if unknown.
    pub controller: i32,
}

/// Asks one broker (`host:port`) which brokers it knows.
///
/// # Errors
/// When it cannot be reached, does not answer in time, or answers what Metadata 2 does not allow.
pub async fn cluster_view(broker: &str) -> Result<ClusterView, RawError> {
    // Metadata 2: topics => [] (none; null would mean all).
    let answer = exchange(broker, 3, 2, &0_i32.to_be_bytes()).await?;
    read_cluster_view(&answer).ok_or_else(|| RawError::Malformed {
        broker: broker.to_owned(),
    })
}

fn read_cluster_view(answer: &[u8]) -> Option<ClusterView> {
    let mut reader = Reader { rest: answer };
    let mut nodes = Vec::new();
    for _ in 0..reader.i32()? {
        nodes.push(reader.i32()?);
        reader.string()?;
        reader.i32()?;
        reader.string()?;
    }
    nodes.sort_unstable();
    let cluster_id = reader.string()?.unwrap_or_default();
    let controller = reader.i32()?;
    Some(ClusterView {
        nodes,
        cluster_id,
        controller,
    })
}

/// Fetches once (Fetch 11) from one broker and returns the raw record batches, the first of which holds `offset`; the
/// last one may be cut off, as Kafka allows. Empty at the end of the partition.
///
/// # Errors
/// When the broker is not the leader, the offset does not exist, or the connection fails.
pub async fn raw_fetch(
    broker: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Vec<u8>, RawError> {
    let answer = exchange(broker, 1, 11, &fetch_body(topic, partition, offset)).await?;
    let (code, records) = read_fetch(&answer).ok_or_else(|| RawError::Malformed {
        broker: broker.to_owned(),
    })?;
    if code == 0 {
        Ok(records)
    } else {
        let what = format!("Fetch of {topic}-{partition} from offset {offset}");
        Err(RawError::Refused {
            broker: broker.to_owned(),
            what,
            code,
        })
    }
}

fn fetch_body(topic: &str, partition: i32, offset: i64) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend((-1_i32).to_be_bytes()); // replica id: a consumer
    body.extend(500_i32.to_be_bytes()); // max wait, ms
    body.extend(0_i32.to_be_bytes()); // min bytes
    body.extend(i32::MAX.to_be_bytes()); // max bytes
    body.push(0); // read_uncommitted: everything that is stored
    body.extend(0_i32.to_be_bytes()); // no session
    body.extend((-1_i32).to_be_bytes()); // session epoch
    body.extend(1_i32.to_be_bytes()); // one topic
    put_string(&mut body, topic);
    body.extend(1_i32.to_be_bytes()); // one partition
    body.extend(partition.to_be_bytes());
    body.extend((-1_i32).to_be_bytes()); // leader epoch: any
    body.extend(offset.to_be_bytes());
    body.extend((-1_i64).to_be_bytes()); // log start offset: for followers
    body.extend((64_i32 * 1024 * 1024).to_be_bytes()); // partition max bytes
    body.extend(0_i32.to_be_bytes()); // nothing to forget
    put_string(&mut body, ""); // rack
    body
}

fn read_fetch(answer: &[u8]) -> Option<(i16, Vec<u8>)> {
    let mut reader = Reader { rest: answer };
    reader.i32()?; // throttle time
    let code = reader.i16()?;
    reader.i32()?; // session id
    if code != 0 {
        return Some((code, Vec::new()));
    }
    reader.i32()?; // topics: one
    reader.string()?;
    reader.i32()?; // partitions: one
    reader.i32()?;
    let code = reader.i16()?;
    reader.take(24)?; // high watermark, last stable offset, log start offset
    for _ in 0..reader.i32()?.max(0) {
        reader.take(16)?; // aborted transaction: producer id, first offset
    }
    reader.i32()?; // preferred read replica
    let length = reader.i32()?;
    let records = reader.take(usize::try_from(length).unwrap_or(0))?;
    Some((code, records.to_vec()))
}

/// Produces one batch (Produce 7, acks = all) exactly as it is given, and returns the offset of its first record.
///
/// # Errors
/// When the broker is not the leader or refuses the batch, or the connection fails.
pub async fn raw_produce(
    broker: &str,
    topic: &str,
    partition: i32,
    batch: &[u8],
) -> Result<i64, RawError> {
    let mut body = Vec::new();
    body.extend((-1_i16).to_be_bytes()); // no transactional id
    body.extend((-1_i16).to_be_bytes()); // acks: all
    body.extend(10_000_i32.to_be_bytes()); // time limit, ms
    body.extend(1_i32.to_be_bytes()); // one topic
    put_string(&mut body, topic);
    body.extend(1_i32.to_be_bytes()); // one partition
    body.extend(partition.to_be_bytes());
    let length = i32::try_from(batch.len()).expect("a batch of a test is far below 2 GiB");
    body.extend(length.to_be_bytes());
    body.extend_from_slice(batch);
    let answer = exchange(broker, 0, 7, &body).await?;
    match read_produce(&answer) {
        Some((0, offset)) => Ok(offset),
        Some((code, _)) => Err(RawError::Refused {
            broker: broker.to_owned(),
            what: format!("a batch of {length} bytes for {topic}-{partition}"),
            code,
        }),
        None => Err(RawError::Malformed {
            broker: broker.to_owned(),
        }),
    }
}

fn read_produce(answer: &[u8]) -> Option<(i16, i64)> {
    let mut reader = Reader { rest: answer };
    reader.i32()?; // topics: one
    reader.string()?;
    reader.i32()?; // partitions: one
    reader.i32()?;
    Some((reader.i16()?, reader.i64()?))
}

/// Fetches from `offset` to the end of the partition at the time of each answer: whole batches only, in order.
///
/// # Errors
/// As [`raw_fetch`].
pub async fn raw_fetch_all(broker: &str, topic: &str, partition: i32) -> Result<Vec<u8>, RawError> {
    let mut all = Vec::new();
    let mut offset = 0;
    loop {
        let part = raw_fetch(broker, topic, partition, offset).await?;
        let whole = whole_batches(&part);
        let Some(next) = whole.last().map(|batch| next_offset(batch)) else {
            return Ok(all);
        };
        for batch in whole {
            all.extend_from_slice(batch);
        }
        offset = next;
    }
}

/// Cuts a record set (format 2) into its batches; a cut-off last one is left out.
#[must_use]
pub fn whole_batches(mut records: &[u8]) -> Vec<&[u8]> {
    let mut batches = Vec::new();
    // base offset: 8 bytes, length of what follows: 4 bytes; a header has 61 bytes.
    while let Some(length) = records
        .get(8..12)
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
    {
        let Some(end) = usize::try_from(i32::from_be_bytes(length))
            .ok()
            .map(|length| length + 12)
        else {
            break;
        };
        let Some((batch, rest)) = records
            .split_at_checked(end)
            .filter(|(batch, _)| batch.len() >= 61)
        else {
            break;
        };
        batches.push(batch);
        records = rest;
    }
    batches
}

/// The offset after the last of a whole batch: base offset + last offset delta + 1.
fn next_offset(batch: &[u8]) -> i64 {
    let mut reader = Reader { rest: batch };
    let base = reader.i64().unwrap_or(0);
    reader.take(15); // length 4, leader epoch 4, magic 1, CRC 4, attributes 2
    let delta = reader.i32().unwrap_or(0);
    base.saturating_add(i64::from(delta)).saturating_add(1)
}

/// The `.log` files of a partition in the data directory of every node that has it, sorted.
///
/// # Errors
/// When a data directory cannot be read.
pub fn segment_files(
    cluster: &KafkaCluster,
    topic: &str,
    partition: i32,
) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for node in cluster.nodes() {
        let directory = node.data_directory().join(format!("{topic}-{partition}"));
        if directory.is_dir() {
            files.extend(log_files(&directory)?);
        }
    }
    files.sort();
    Ok(files)
}

fn log_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Sends one request with a classic header (version 1) and returns the body of the answer.
///
/// # Errors
/// When the connection fails, or no whole answer with the right correlation id comes in time.
pub async fn exchange(
    broker: &str,
    api_key: i16,
    version: i16,
    body: &[u8],
) -> Result<Vec<u8>, RawError> {
    let connection = async {
        let mut stream = TcpStream::connect(broker).await?;
        stream.set_nodelay(true)?;
        stream
            .write_all(&request(api_key, version, 1, body))
            .await?;
        let length = usize::try_from(stream.read_i32().await?)
            .ok()
            .filter(|length| (4..=LARGEST).contains(length));
        let Some(length) = length else {
            return Ok(None);
        };
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(answer
            .strip_prefix(&1_i32.to_be_bytes())
            .map(<[u8]>::to_vec))
    };
    match tokio::time::timeout(LIMIT, connection).await {
        Err(_) => Err(RawError::Silent {
            broker: broker.to_owned(),
        }),
        Ok(Err(source)) => Err(RawError::Connection {
            broker: broker.to_owned(),
            source,
        }),
        Ok(Ok(None)) => Err(RawError::Malformed {
            broker: broker.to_owned(),
        }),
        Ok(Ok(Some(answer))) => Ok(answer),
    }
}

/// A whole request frame: length, header version 1 (api key, version, correlation id, client id), body.
#[must_use]
pub fn request(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(api_key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation_id.to_be_bytes());
    put_string(&mut frame, CLIENT);
    frame.extend_from_slice(body);
    let length = i32::try_from(frame.len() - 4).expect("a request of a test is far below 2 GiB");
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let length = i16::try_from(text.len()).expect("names in tests are short");
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads big-endian values from the front; nothing when the bytes end early.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A nullable string; the outer value is nothing when the bytes end early.
    fn string(&mut self) -> Option<Option<String>> {
        let length = self.i16()?;
        match usize::try_from(length) {
            Err(_) => Some(None),
            Ok(length) => self
                .take(length)
                .map(|bytes| Some(String::from_utf8_lossy(bytes).into_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_frame_states_its_length_and_header() {
        let frame = request(18, 0, 7, b"xy");
        assert_eq!(
            frame[..4],
            i32::try_from(frame.len() - 4).expect("short").to_be_bytes()
        );
        assert_eq!(frame[4..12], [0, 18, 0, 0, 0, 0, 0, 7]);
        assert!(frame.ends_with(b"xy"));
    }

    #[test]
    fn a_cut_off_last_batch_is_left_out() {
        let mut batch = vec![0; 61];
        batch[11] = 49;
        batch[7] = 5;
        batch[26] = 2;
        let mut records = batch.clone();
        records.extend_from_slice(&batch[..60]);
        assert_eq!(whole_batches(&records), [&batch[..]]);
        assert_eq!(next_offset(&batch), 8);
    }

    #[test]
    fn an_answer_that_ends_early_is_not_a_view() {
        assert_eq!(read_cluster_view(&[0, 0, 0, 2, 0, 0]), None);
        assert_eq!(read_fetch(&[0; 9]), None);
        assert_eq!(read_produce(&[0; 9]), None);
    }
}
