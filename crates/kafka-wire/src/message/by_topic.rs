//! Partitions grouped by topic, as most requests and answers about partitions have them.
//!
//! ```text
//! list of (topic name · list of (partition's fields · tags) · tags)
//! list of (topic name · list of partition numbers           · tags)
//! ```
//!
//! Deliberately absent: Fetch and Produce, which name topics by id in later versions.

use crate::error_code::ErrorCode;
use crate::types::{PartitionId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{DecodeError, EncodeError};

/// Topics, each once, with something about each of some partitions. Answers come in an order of the
/// broker's own, those that failed first for instance: look entries up, do not count on places.
pub type ByTopic<T> = Vec<(TopicName, Vec<T>)>;

/// What became of one partition, where an answer says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOutcome {
    /// The partition.
    pub partition: PartitionId,
    /// What is wrong, or NONE.
    pub error: ErrorCode,
}

impl PartitionOutcome {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            partition: reader.i32("partition")?,
            error: reader.error_code()?,
        })
    }
}

impl Reader {
    /// Reads topics; `partition` reads the fields of one partition, without the tags at their end.
    pub(super) fn by_topic<T>(
        &mut self,
        mut partition: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<ByTopic<T>, DecodeError> {
        self.each_topic(|reader| {
            reader.array("partitions", |reader| {
                let read = partition(reader)?;
                reader.skip_tags("partition")?;
                Ok(read)
            })
        })
    }

    /// Reads topics with bare numbers of partitions.
    pub(super) fn numbers_by_topic(&mut self) -> Result<ByTopic<PartitionId>, DecodeError> {
        self.each_topic(|reader| reader.array("partitions", |reader| reader.i32("partition")))
    }

    fn each_topic<T>(
        &mut self,
        mut partitions: impl FnMut(&mut Self) -> Result<Vec<T>, DecodeError>,
    ) -> Result<ByTopic<T>, DecodeError> {
        self.array("topics", |reader| {
            let name = reader.topic_name()?;
            let partitions = partitions(reader)?;
            reader.skip_tags("topic")?;
            Ok((name, partitions))
        })
    }
}

impl Writer<'_> {
    /// Writes topics; `partition` writes the fields of one partition, without the tags at their
    /// end.
    pub(super) fn by_topic<T>(
        &mut self,
        topics: &[(TopicName, Vec<T>)],
        mut partition: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.each_topic(topics, |writer, partitions| {
            writer.array("partitions", partitions, |writer, each| {
                partition(writer, each)?;
                writer.end();
                Ok(())
            })
        })
    }

    /// Writes topics with bare numbers of partitions.
    pub(super) fn numbers_by_topic(
        &mut self,
        topics: &[(TopicName, Vec<PartitionId>)],
    ) -> Result<(), EncodeError> {
        self.each_topic(topics, |writer, partitions| {
            writer.numbers("partitions", partitions)
        })
    }

    fn each_topic<T>(
        &mut self,
        topics: &[(TopicName, Vec<T>)],
        mut partitions: impl FnMut(&mut Self, &[T]) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.array("topics", topics, |writer, (name, each)| {
            writer.string("topic name", name.as_str())?;
            partitions(writer, each)?;
            writer.end();
            Ok(())
        })
    }
}

/// Whether a value is there more than once.
pub(super) fn has_equals<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.windows(2).any(|pair| pair[0] == pair[1])
}
