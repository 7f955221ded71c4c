//! What is done to each record of a partition on its way (pure): provenance, `transforms`, choice of the partition.
//!
//! ```text
//! record ─▶ came from here? ─▶ provenance header ─▶ steps of the chain ─▶ another partition's? ─▶ record, or nothing
//! ```
//!
//! Invariants
//! - Nothing is kept from record to record, and asking twice gives the same twice, with one exception: the time in a
//!   provenance header is that of the copy. What landed with one is therefore not compared by its bytes ([`Changes::stamps`]).
//! - Key, value and timestamp are never changed.

use config::provenance::Provenance;
use config::transform::{RecordAction, RecordPredicate, RecordStep};
use kafka_wire::record::{Header, HeaderBuffer, Record};
use kafka_wire::types::{PartitionId, TopicName};

use crate::spread::Spread;

/// Our header, and the version of its value.
pub(crate) const PROVENANCE: &str = "tributary-provenance";
const VERSION: u8 = 1;
/// The header of Redpanda Migrator: the id of the cluster a record came from.
const MIGRATOR: &[u8] = b"redpanda-migrator-provenance";
/// What is done to the records of one partition. Without anything to do its batches pass untouched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// The `transforms`, as far as they look at records.
    pub steps: Vec<RecordStep>,
    /// Whether records say where they came from.
    pub provenance: Option<Origin>,
    /// Which of them belong to the destination partition.
    pub spread: Option<Spread>,
}

/// Between which topics a partition is copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The source's cluster id.
    pub source_cluster: String,
    /// The destination's cluster id.
    pub destination_cluster: String,
    /// The topic it is read from.
    pub source: TopicName,
    /// Its number there.
    pub partition: PartitionId,
    /// The topic it is written to.
    pub destination: TopicName,
    /// Exceptions from leaving out what came from there.
    pub rules: Provenance,
}

/// What becomes of a record.
#[derive(Debug)]
pub(crate) enum Changed<'r> {
    /// It is written like this.
    Written(Record<'r>),
    /// So it is, although it was in the source topic before: it has come back in a loop that leads elsewhere too.
    Circled(Record<'r>),
    /// It is not meant to be there.
    LeftOut,
    /// It is a copy of a record of the destination topic, and left out.
    CameFromThere,
    /// It may be part of a loop: for the policy on refused records.
    Objected(String),
}

impl Changes {
    /// Whether nothing is done.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.provenance.is_none() && self.spread.is_none()
    }

    /// Whether copies of the same record at different times differ.
    pub(crate) fn stamps(&self) -> bool {
        self.provenance.is_some()
    }

    /// Does it to a record; `now` in milliseconds since 1970. The buffer is empty and takes new headers.
    pub(crate) fn apply<'r>(
        &self,
        record: Record<'r>,
        now: i64,
        buffer: &'r mut HeaderBuffer,
    ) -> Changed<'r> {
        if let Some(spread) = self.spread
            && !spread.takes(record.key(), record.offset())
        {
            return Changed::LeftOut;
        }
        let mut stamp = Vec::new();
        let mut headers: Option<Vec<Header<'_>>> = None;
        let mut written: fn(Record<'r>) -> Changed<'r> = Changed::Written;
        if let Some(origin) = &self.provenance {
            match origin.judge(&record) {
                Judged::CameFromThere => return Changed::CameFromThere,
                Judged::Objected(reason) => return Changed::Objected(reason),
                Judged::Marked => {}
                Judged::Circled => written = Changed::Circled,
                Judged::New => {
                    origin.stamp(record.offset(), now, &mut stamp);
                    let mut all: Vec<Header<'_>> = record.headers().iter().collect();
                    all.push(Header {
                        key: PROVENANCE.as_bytes(),
                        value: Some(&stamp),
                    });
                    headers = Some(all);
                }
            }
        }
        for step in &self.steps {
            if !holds(step, &record, headers.as_deref()) {
                continue;
            }
            match &step.action {
                RecordAction::Drop => return Changed::LeftOut,
                RecordAction::InsertHeader { key, value } => headers
                    .get_or_insert_with(|| record.headers().iter().collect())
                    .push(Header {
                        key: key.as_bytes(),
                        value: Some(value),
                    }),
                RecordAction::DropHeaders(keys) => {
                    let dropped =
                        |header: &Header<'_>| keys.iter().any(|key| key.as_bytes() == header.key);
                    let any = match &headers {
                        Some(headers) => headers.iter().any(dropped),
                        None => record.headers().iter().any(|header| dropped(&header)),
                    };
                    if any {
                        headers
                            .get_or_insert_with(|| record.headers().iter().collect())
                            .retain(|header| !dropped(header));
                    }
                }
            }
        }
        let Some(headers) = headers else {
            return written(record);
        };
        headers.into_iter().for_each(|header| buffer.push(header));
        let buffer: &'r HeaderBuffer = buffer;
        written(record.with_headers(buffer.headers()))
    }
}

fn holds(step: &RecordStep, record: &Record<'_>, headers: Option<&[Header<'_>]>) -> bool {
    let Some(condition) = &step.condition else {
        return true;
    };
    let answer = match &condition.predicate {
        RecordPredicate::IsTombstone => record.value().is_none(),
        RecordPredicate::HasHeader(key) => match headers {
            Some(headers) => headers.iter().any(|header| header.key == key.as_bytes()),
            None => record.headers().last(key.as_bytes()).is_some(),
        },
    };
    answer != condition.negated
}

enum Judged {
    /// It has no header of ours yet.
    New,
    /// It has one, which stays.
    Marked,
    /// It has one that names the source topic itself.
    Circled,
    CameFromThere,
    Objected(String),
}

impl Origin {
    fn judge(&self, record: &Record<'_>) -> Judged {
        if let Some(migrated) = record.headers().last(MIGRATOR) {
            let cluster = migrated.value.unwrap_or_default();
            if cluster == self.destination_cluster.as_bytes() && !cluster.is_empty() {
                return Judged::CameFromThere;
            }
            if cluster.is_empty() || cluster == self.source_cluster.as_bytes() {
                return Judged::Objected(format!(
                    "its header redpanda-migrator-provenance names the source cluster itself, or none (\"{}\"): it seems \
                     to have come back in a loop. Let links in opposite directions not select each other's copies",
                    String::from_utf8_lossy(cluster)
                ));
            }
        }
        let Some(header) = record.headers().last(PROVENANCE.as_bytes()) else {
            return Judged::New;
        };
        let Some(found) = header.value.and_then(read) else {
            // Another version is kept, and says nothing to us.
            return Judged::Marked;
        };
        let from_there = found.cluster == self.destination_cluster.as_bytes()
            && found.topic == self.destination.as_str().as_bytes();
        if !from_there {
            let circled = found.cluster == self.source_cluster.as_bytes()
                && found.topic == self.source.as_str().as_bytes();
            return match circled {
                true => Judged::Circled,
                false => Judged::Marked,
            };
        }
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match self
            .rules
            .overrides(&text(found.cluster), &text(found.topic), found.first_copy)
        {
            true => Judged::Marked,
            false => Judged::CameFromThere,
        }
    }

    /// The value of our header.
    fn stamp(&self, offset: i64, now: i64, out: &mut Vec<u8>) {
        out.push(VERSION);
        for text in [self.source_cluster.as_str(), self.source.as_str()] {
            // Names and ids are far shorter than what the format can say.
            let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&text.as_bytes()[..usize::from(length.unsigned_abs())]);
        }
        out.extend_from_slice(&self.partition.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(&now.to_be_bytes());
    }
}

/// What a header of ours says, as far as it is asked.
struct Found<'a> {
    cluster: &'a [u8],
    topic: &'a [u8],
    first_copy: i64,
}

fn read(value: &[u8]) -> Option<Found<'_>> {
    let (&version, rest) = value.split_first()?;
    if version != VERSION {
        return None;
    }
    let text = |rest: &'_ [u8]| -> Option<(usize, usize)> {
        let length = i16::from_be_bytes(*rest.first_chunk::<2>()?);
        let end = 2 + usize::try_from(length).ok()?;
        (end <= rest.len()).then_some((2, end))
    };
    let (begin, end) = text(rest)?;
    let (cluster, rest) = (&rest[begin..end], &rest[end..]);
    let (begin, end) = text(rest)?;
    let (topic, rest) = (&rest[begin..end], &rest[end..]);
    // Partition, offset, time.
    let numbers: &[u8; 20] = rest.first_chunk()?;
    let first_copy = i64::from_be_bytes(*numbers.last_chunk::<8>()?);
    Some(Found {
        cluster,
        topic,
        first_copy,
    })
}

#[cfg(test)]
mod tests;
