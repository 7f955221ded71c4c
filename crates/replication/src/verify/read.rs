//! Reads one partition from one offset to another, as fingerprints: what a reader with read_committed sees.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kafka_client::cluster::Use;
use kafka_client::offsets::list_offsets;
use kafka_client::{ClientError, Cluster, Connection};
use kafka_wire::batch::{
    AbortedFilter, Batches, ControlType, Entry, RawBatch, Verdict, control_type,
};
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::fetch::{FetchRequest, FetchedPartition};
use kafka_wire::message::list_offsets::EARLIEST;
use kafka_wire::message::metadata::{MetadataResponse, MetadataTopics};
use kafka_wire::record::{RecordDecoder, Records};
use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use lifecycle::Backoff;
use tokio::time::Instant;

use super::fingerprint::Fingerprint;
use super::run::Progress;

/// Bytes of one answer; a batch that is larger comes whole.
const FETCH_BYTES: i32 = 2 * 1024 * 1024;
/// The largest answer: a batch may be as large as a broker takes a request.
const LARGEST_ANSWER: usize = 104 * 1024 * 1024;
/// Bytes that a batch may have when decompressed.
pub(super) const DECOMPRESSED: usize = 512 * 1024 * 1024;
/// How long a partition may give nothing before it counts as unreadable.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a broker may take for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// A side of the copy and one of its partitions.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) cluster: Cluster,
    /// "source" or "destination".
    pub(super) side: &'static str,
    pub(super) partition: TopicPartition,
}

/// Who leads a partition, and which topic it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leader {
    pub(super) node: NodeId,
    pub(super) topic: TopicId,
}

/// What was read beside records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) control: u64,
    pub(super) aborted: u64,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Read {
    Records(Vec<Fingerprint>),
    /// What was to be read next is gone: the log starts here now.
    StartsAt(i64),
    End,
}

enum Trouble {
    /// It may be over soon.
    Passing(String),
    Lasting(String),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Passing(error.to_string())
    }
}

impl Log {
    fn failed(&self, cause: impl std::fmt::Display) -> String {
        format!(
            "{}: partition {} cannot be read: {cause}",
            self.side, self.partition
        )
    }

    /// Finds the leader.
    pub(super) async fn leader(&self) -> Result<Leader, String> {
        let topics = MetadataTopics::Topics(vec![self.partition.topic.clone()]);
        let answer = self.cluster.metadata(topics).await;
        let found = answer
            .map_err(|error| self.failed(error))
            .map(|a| leader_in(a, &self.partition))?;
        found.map_err(|code| self.failed(code))
    }

    /// An offset of the log: [`EARLIEST`], the end, or that of a time.
    pub(super) async fn offset(&self, at: i64, isolation: IsolationLevel) -> Result<i64, String> {
        let mut backoff = Backoff::seeded(Duration::from_millis(100), Duration::from_secs(2));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let problem = match self.ask_offset(at, isolation).await {
                Ok(offset) => return Ok(offset),
                Err(problem) => problem,
            };
            if Instant::now() >= deadline {
                return Err(problem);
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn ask_offset(&self, at: i64, isolation: IsolationLevel) -> Result<i64, String> {
        let leader = self.leader().await?.node;
        let wanted = std::slice::from_ref(&self.partition);
        let answer = list_offsets(&self.cluster, leader, Use::Watch, wanted, at, isolation).await;
        let mut answer: HashMap<_, _> = answer.map_err(|error| self.failed(error))?;
        match answer.remove(&self.partition) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(self.failed(code)),
            None => Err(self.failed("the broker says nothing about it")),
        }
    }
}

fn leader_in(answer: MetadataResponse, partition: &TopicPartition) -> Result<Leader, ErrorCode> {
    let topic = answer.topics.into_iter().next();
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if topic.error != ErrorCode::NONE {
        return Err(topic.error);
    }
    let mut partitions = topic.partitions.iter();
    let found = partitions.find(|p| p.index == partition.partition);
    let found = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if found.leader.0 < 0 {
        return Err(ErrorCode::LEADER_NOT_AVAILABLE);
    }
    Ok(Leader {
        node: found.leader,
        topic: topic.id,
    })
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    log: Log,
    next: i64,
    end: i64,
    places_only: bool,
    connection: Option<(Connection, Leader)>,
    decoder: RecordDecoder,
    progress: Arc<Progress>,
    pub(super) tally: Tally,
}

impl Reader {
    pub(super) fn new(
        log: Log,
        (from, end): (i64, i64),
        places_only: bool,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            log,
            next: from,
            end,
            places_only,
            connection: None,
            decoder: RecordDecoder::new(),
            progress,
            tally: Tally::default(),
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// When the partition cannot be read for a minute, or a batch of it not at all.
    pub(super) async fn read(&mut self) -> Result<Read, String> {
        if self.next >= self.end {
            return Ok(Read::End);
        }
        let mut backoff = Backoff::seeded(Duration::from_millis(100), Duration::from_secs(2));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let problem = match self.attempt().await {
                Ok(Some(read)) => return Ok(read),
                Ok(None) => "the broker sends nothing below the end".to_owned(),
                Err(Trouble::Lasting(problem)) => return Err(self.log.failed(problem)),
                Err(Trouble::Passing(problem)) => {
                    self.connection = None;
                    problem
                }
            };
            if Instant::now() >= deadline {
                return Err(self.log.failed(problem));
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn attempt(&mut self) -> Result<Option<Read>, Trouble> {
        let fetched = self.fetch().await?;
        match fetched.error {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return self.jump().await.map(Some),
            code if matches!(code.class(), ErrorClass::Fatal | ErrorClass::Denied) => {
                return Err(Trouble::Lasting(code.to_string()));
            }
            code => return Err(Trouble::Passing(code.to_string())),
        }
        let before = self.next;
        self.progress
            .bytes
            .fetch_add(fetched.records.len() as u64, Ordering::Relaxed);
        let records = self.take(fetched)?;
        if self.next == before {
            return Ok(None);
        }
        self.progress
            .records
            .fetch_add(records.len() as u64, Ordering::Relaxed);
        Ok(Some(Read::Records(records)))
    }

    /// Where the log starts now, if it has lost what was to be read.
    async fn jump(&mut self) -> Result<Read, Trouble> {
        let start = self
            .log
            .ask_offset(EARLIEST, IsolationLevel::ReadCommitted)
            .await;
        let start = start.map_err(Trouble::Passing)?;
        if start <= self.next {
            return Err(Trouble::Lasting(format!(
                "offset {} is gone, although the log starts at {start}: it was cut short",
                self.next
            )));
        }
        self.next = start.min(self.end);
        Ok(Read::StartsAt(start))
    }

    async fn fetch(&mut self) -> Result<FetchedPartition, Trouble> {
        let (connection, leader) = match &mut self.connection {
            Some(open) => open,
            None => {
                let leader = self.log.leader().await.map_err(Trouble::Passing)?;
                let mut connection = Box::pin(self.log.cluster.connect(leader.node)).await?;
                connection.set_frame_limit(LARGEST_ANSWER);
                self.connection.insert((connection, leader))
            }
        };
        let partition = &self.log.partition;
        let mut request = FetchRequest::of_one(
            partition.topic.clone(),
            leader.topic,
            partition.partition,
            self.next,
            FETCH_BYTES,
        );
        request.isolation_level = IsolationLevel::ReadCommitted;
        connection.renew().await;
        let answer = connection.call(&request, ANSWER).await?;
        answer
            .into_one()
            .map_err(|code| Trouble::Passing(code.to_string()))
    }

    fn take(&mut self, fetched: FetchedPartition) -> Result<Vec<Fingerprint>, Trouble> {
        let mut filter = AbortedFilter::new(fetched.aborted);
        let mut found = Vec::new();
        for entry in Batches::new(fetched.records) {
            let entry = entry.map_err(|error| Trouble::Lasting(error.to_string()))?;
            let next = match &entry {
                Entry::Batch(batch) => {
                    self.batch(batch, &mut filter, &mut found)?;
                    batch.info().next_offset()
                }
                Entry::Legacy(entry) => {
                    let records = self.decoder.legacy(entry, DECOMPRESSED);
                    let range = (self.next, self.end);
                    collect(records, None, range, &mut found).map_err(Trouble::Lasting)?;
                    entry.offset.saturating_add(1)
                }
            };
            self.next = self.next.max(next);
            if self.next >= self.end {
                break;
            }
        }
        Ok(found)
    }

    fn batch(
        &mut self,
        batch: &RawBatch,
        filter: &mut AbortedFilter,
        found: &mut Vec<Fingerprint>,
    ) -> Result<(), Trouble> {
        let info = batch.info();
        let control: Option<ControlType> = if info.attributes.is_control() {
            control_type(batch).map_err(|error| Trouble::Lasting(error.to_string()))?
        } else {
            None
        };
        // Of a batch that begins before the range or ends behind it only a part counts.
        let from = info.base_offset.max(self.next);
        let to = info.last_offset.saturating_add(1).min(self.end);
        let inside = u64::try_from(to - from)
            .unwrap_or(0)
            .min(u64::from(info.records));
        match filter.on_batch(info, control) {
            Verdict::DropControl => self.tally.control += inside,
            Verdict::DropAborted => self.tally.aborted += inside,
            Verdict::Deliver if self.places_only && info.records == info.offsets() => {
                found.extend((from..to).map(|offset| Fingerprint::place(offset, info.producer_id)));
            }
            Verdict::Deliver => {
                let range = (self.next, self.end);
                let begin = found.len();
                let records = self.decoder.batch(batch, DECOMPRESSED);
                collect(records, Some(info), range, found).map_err(Trouble::Lasting)?;
                if self.places_only {
                    for record in &mut found[begin..] {
                        *record = Fingerprint::place(record.offset, record.producer);
                    }
                }
            }
        }
        Ok(())
    }
}

fn collect(
    records: Result<Records<'_>, impl std::fmt::Display>,
    info: Option<&kafka_wire::batch::BatchInfo>,
    (from, end): (i64, i64),
    found: &mut Vec<Fingerprint>,
) -> Result<(), String> {
    for record in records.map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        if (from..end).contains(&record.offset()) {
            found.push(Fingerprint::of(&record, info));
        }
    }
    Ok(())
}
