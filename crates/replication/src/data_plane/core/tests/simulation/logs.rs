//! The logs on both sides of the simulation, and the truth about them.
//!
//! The source holds whole transactions (aborted ones too), emptied batches and holes. The destination
//! judges idempotent producers as brokers do: the last five batches of a producer are known again,
//! anything else out of sequence is refused, a producer nobody knows may begin anywhere.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kafka_wire::batch::{
    AbortedTransaction, Attributes, BatchBuilder, BatchHeader, BatchInfo, BuiltRecord, Codec,
    ControlType, HEADER_SIZE, RawBatch, control_batch, records, verify_crc,
};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::TransactionVersion;
use kafka_wire::types::{NodeId, ProducerIdentity};
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::data_plane::partition::Leader;

/// One source partition.
#[derive(Debug)]
pub(super) struct SourceLog {
    number: usize,
    pub(super) leader: Leader,
    batches: Vec<RawBatch>,
    aborted: Vec<AbortedTransaction>,
    epoch_starts: Vec<(i32, i64)>,
    pub(super) end: i64,
    /// Offsets of the records that have to arrive, in order.
    pub(super) committed: Vec<i64>,
    /// Those of them that are gone: they may have arrived before.
    pub(super) removed: BTreeSet<i64>,
    /// Where the log begins now.
    pub(super) start: i64,
    next_producer: i64,
}

impl SourceLog {
    pub(super) fn new(number: usize) -> Self {
        Self {
            number,
            leader: Leader {
                node: NodeId(1),
                epoch: 0,
            },
            batches: Vec::new(),
            aborted: Vec::new(),
            epoch_starts: vec![(0, 0)],
            end: 0,
            committed: Vec::new(),
            removed: BTreeSet::new(),
            start: 0,
            next_producer: 1000,
        }
    }

    pub(super) fn grow(&mut self, random: &mut SmallRng) {
        match random.random_range(0..8) {
            0 => self.end += random.random_range(1..4),
            1 => {
                let emptied = BatchBuilder::new(self.end)
                    .leader_epoch(self.leader.epoch)
                    .records_count(0)
                    .last_offset_delta(random.random_range(0..3));
                self.push(&emptied.build());
            }
            2 => {
                let producer = ProducerIdentity {
                    id: self.next_producer,
                    epoch: 0,
                };
                self.next_producer += 1;
                let first_offset = self.end;
                let aborts = random.random_bool(0.5);
                for _ in 0..random.random_range(1..3) {
                    self.data(random, Some(producer), !aborts);
                }
                if random.random_bool(0.3) {
                    self.move_leader(random);
                }
                let kind = if aborts {
                    self.aborted.push(AbortedTransaction {
                        producer_id: producer.id,
                        first_offset,
                    });
                    ControlType::Abort
                } else {
                    ControlType::Commit
                };
                let marker = control_batch(self.end, producer, kind);
                self.push(&marker);
            }
            _ => self.data(random, None, true),
        }
    }

    fn data(&mut self, random: &mut SmallRng, producer: Option<ProducerIdentity>, committed: bool) {
        let mut builder = BatchBuilder::new(self.end);
        if let Some(producer) = producer {
            builder = builder.producer(producer, 0).transactional();
        }
        let count = random.random_range(1..5);
        if random.random_bool(0.2) {
            // The cleaner removed records behind these.
            builder = builder.last_offset_delta(
                i32::try_from(count).expect("small") + random.random_range(0..3),
            );
        }
        for offset in self.end..self.end + count {
            let value = format!("{}:{offset}", self.number);
            // Encoded otherwise than we would: as other clients do.
            builder = builder.full_record(BuiltRecord {
                timestamp_delta: 5,
                value: Some(value.into_bytes()),
                ..BuiltRecord::default()
            });
            if committed {
                self.committed.push(offset);
            }
        }
        self.push(&builder.build());
    }

    fn push(&mut self, batch: &Bytes) {
        let mut bytes = BytesMut::from(&batch[..]);
        // The leader's epoch is outside the checksum.
        bytes[12..16].copy_from_slice(&self.leader.epoch.to_be_bytes());
        let batch = RawBatch::parse(bytes.freeze()).expect("built well formed");
        self.end = batch.info().next_offset();
        self.batches.push(batch);
    }

    /// The cleaner takes records out of a batch, or all of it. The newest batch is never cleaned.
    pub(super) fn clean(&mut self, random: &mut SmallRng) {
        if self.batches.len() < 2 {
            return;
        }
        let at = random.random_range(0..self.batches.len() - 1);
        let batch = &self.batches[at];
        let info = *batch.info();
        if info.attributes.is_control() || info.records == 0 {
            return;
        }
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        let all = random.random_bool(0.3);
        for record in records(batch).expect("uncompressed") {
            if all || random.random_bool(0.4) {
                gone.push(record.offset);
            } else {
                kept.push(BuiltRecord {
                    offset_delta: i32::try_from(record.offset - info.base_offset).ok(),
                    value: record.value.map(|value| value.to_vec()),
                    ..BuiltRecord::default()
                });
            }
        }
        self.removed.extend(gone);
        if kept.is_empty() && random.random_bool(0.5) {
            self.batches.remove(at);
            return;
        }
        let delta = i32::try_from(info.last_offset - info.base_offset).expect("small");
        let mut builder = BatchBuilder::new(info.base_offset)
            .leader_epoch(info.leader_epoch)
            .last_offset_delta(delta);
        if info.attributes.is_transactional() {
            let producer = ProducerIdentity {
                id: info.producer_id,
                epoch: info.producer_epoch,
            };
            builder = builder.producer(producer, 0).transactional();
        }
        if kept.is_empty() {
            builder = builder.records_count(0);
        }
        let built = kept.into_iter().fold(builder, BatchBuilder::full_record);
        self.batches[at] = RawBatch::parse(built.build()).expect("built well formed");
    }

    /// Retention takes the front away.
    pub(super) fn move_start(&mut self, random: &mut SmallRng) {
        self.start = random.random_range(self.start..=self.last_batch_end().max(self.start));
        let start = self.start;
        self.batches
            .retain(|batch| batch.info().last_offset >= start);
        let gone = self.committed.iter().take_while(|offset| **offset < start);
        self.removed.extend(gone);
    }

    /// Its log began somewhere before this life, perhaps inside a batch.
    pub(super) fn begin_later(&mut self, random: &mut SmallRng) {
        for _ in 0..random.random_range(1..6) {
            self.grow(random);
        }
        self.move_start(random);
    }

    pub(super) fn move_leader(&mut self, random: &mut SmallRng) {
        self.leader.node = NodeId(random.random_range(1..3));
        self.leader.epoch += 1;
        self.epoch_starts.push((self.leader.epoch, self.end));
    }

    /// Where the log ends for an epoch, as OffsetForLeaderEpoch answers.
    pub(super) fn epoch_end(&self, epoch: i32) -> Option<i64> {
        let next = self.epoch_starts.iter().find(|(later, _)| *later > epoch);
        (epoch >= 0).then(|| next.map_or(self.end, |(_, start)| *start))
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Where reading ends: a hole at the end is not seen before something follows it.
    pub(super) fn last_batch_end(&self) -> i64 {
        let end = self.batches.last().map(|b| b.info().next_offset());
        end.unwrap_or(self.start)
    }

    /// Up to `count` batches from `offset` on, and the aborted transactions.
    pub(super) fn read(&self, offset: i64, count: usize) -> (Bytes, Vec<AbortedTransaction>) {
        let mut bytes = BytesMut::new();
        let wanted = self
            .batches
            .iter()
            .filter(|b| b.info().last_offset >= offset);
        for batch in wanted.take(count) {
            bytes.extend_from_slice(batch.bytes());
        }
        (bytes.freeze(), self.aborted.clone())
    }
}

/// What a broker keeps of a producer in a partition.
#[derive(Debug)]
struct Known {
    epoch: i16,
    next_sequence: i32,
    /// First and last sequence of the newest batches, and where they went.
    batches: VecDeque<(i32, i32, i64)>,
}

/// One destination partition.
#[derive(Debug)]
pub(super) struct DestinationLog {
    pub(super) leader: NodeId,
    pub(super) end: i64,
    /// Largest batch it takes, and whether it says so.
    pub(super) limit: Option<u32>,
    pub(super) tells_limit: bool,
    /// Whether its records get the time of the append: a batch then is stored with another checksum.
    pub(super) restamps: bool,
    /// Records whose source offsets this divides are refused; 0 for none.
    pub(super) refuses: i64,
    /// Whether its cleaner has been there.
    pub(super) is_cleaned: bool,
    batches: Vec<RawBatch>,
    producers: HashMap<i64, Known>,
    /// Coordinator epochs of producers' markers.
    coordinators: HashMap<i64, i32>,
    /// Source partition and offset of every record of ours, with its own offset.
    pub(super) records: Vec<((usize, i64), i64)>,
    /// Where a record of ours came first.
    pub(super) places: HashMap<(usize, i64), i64>,
    /// How transactions are dealt with, where everything is written in them; and how many records are committed.
    pub(super) transactional: Option<TransactionVersion>,
    committed: usize,
    /// The epoch of the transactional id.
    pub(super) fenced_below: i16,
}

impl DestinationLog {
    pub(super) fn new() -> Self {
        Self {
            leader: NodeId(11),
            end: 0,
            limit: None,
            tells_limit: true,
            restamps: false,
            refuses: 0,
            is_cleaned: false,
            batches: Vec::new(),
            producers: HashMap::new(),
            coordinators: HashMap::new(),
            records: Vec::new(),
            places: HashMap::new(),
            transactional: None,
            committed: 0,
            fenced_below: 0,
        }
    }

    /// What was written in the open transaction counts.
    pub(super) fn commit(&mut self) {
        if self.committed < self.records.len() {
            self.end += 1;
        }
        self.committed = self.records.len();
    }

    /// It does not.
    pub(super) fn take_back(&mut self) {
        if self.committed < self.records.len() {
            self.end += 1;
        }
        for (origin, at) in self.records.split_off(self.committed) {
            if self.places.get(&origin) == Some(&at) {
                self.places.remove(&origin);
            }
        }
    }

    /// Somebody else writes.
    pub(super) fn write_foreign(&mut self) {
        let foreign = BatchBuilder::new(0).record(None, Some(b"foreign")).build();
        self.store(&foreign);
    }

    /// Another owner has raised the epoch of every producer and written nothing.
    pub(super) fn fence(&mut self) {
        for known in self.producers.values_mut() {
            known.epoch += 1;
            known.next_sequence = 0;
            known.batches.clear();
        }
    }

    /// The cleaner takes a record out of a batch, or a batch out of the log; the newest one stays.
    pub(super) fn clean(&mut self, random: &mut SmallRng) {
        if self.batches.len() < 2 {
            return;
        }
        let at = random.random_range(0..self.batches.len() - 1);
        self.is_cleaned = true;
        let info = *self.batches[at].info();
        // The newest batch of a producer stays, as long as the broker knows the producer.
        let mut later = self.batches[at + 1..].iter();
        let has_later = later.any(|batch| batch.info().producer_id == info.producer_id);
        if !has_later {
            return;
        }
        if info.records < 2 || random.random_bool(0.5) {
            self.batches.remove(at);
            return;
        }
        // Nobody reads them; headers tell.
        let mut bytes = BytesMut::from(&self.batches[at].bytes()[..]);
        bytes[57..61].copy_from_slice(&(info.records - 1).to_be_bytes());
        self.batches[at] = RawBatch::parse(bytes.freeze()).expect("only a number differs");
    }

    /// Indices of records that this destination refuses.
    fn refused(&self, batch: &[u8]) -> Vec<i32> {
        if self.refuses == 0 {
            return Vec::new();
        }
        let batch = RawBatch::parse(Bytes::copy_from_slice(batch)).expect("a whole batch");
        (0..)
            .zip(records(&batch).expect("uncompressed"))
            .filter(|(_, record)| origin(record).is_some_and(|(_, at)| self.is_refused(at)))
            .map(|(index, _)| index)
            .collect()
    }

    /// Whether a record of the source is refused here.
    pub(super) fn is_refused(&self, source_offset: i64) -> bool {
        self.refuses > 0 && source_offset % self.refuses == 0
    }

    /// Takes a batch as a broker does. With a refusal come the indices of refused records.
    pub(super) fn append(
        &mut self,
        header: &[u8; HEADER_SIZE],
        payload: &[u8],
    ) -> Result<i64, (ErrorCode, Vec<i32>)> {
        let whole = [&header[..], payload].concat();
        let indices = self.refused(&whole);
        if !indices.is_empty() {
            return Err((ErrorCode::INVALID_RECORD, indices));
        }
        self.take(header, payload)
            .map_err(|code| (code, Vec::new()))
    }

    fn take(&mut self, header: &[u8; HEADER_SIZE], payload: &[u8]) -> Result<i64, ErrorCode> {
        let batch = [&header[..], payload].concat();
        if !verify_crc(&batch) {
            return Err(ErrorCode::CORRUPT_MESSAGE);
        }
        if self.limit.is_some_and(|limit| batch.len() > limit as usize) {
            return Err(ErrorCode::MESSAGE_TOO_LARGE);
        }
        let header = BatchHeader::new(header);
        let mut expected = 0;
        if let Some(version) = self.transactional {
            expected = Attributes::TRANSACTIONAL;
            if header.producer_epoch() < self.fenced_below {
                return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
            }
            let known = self.producers.contains_key(&header.producer_id());
            let from_zero = version == TransactionVersion::EpochPerTransaction;
            if !known && from_zero && header.base_sequence() != 0 {
                return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
        }
        let found = header.attributes().0 & !Attributes::CODEC_MASK;
        assert_eq!(
            found, expected,
            "nothing of the source's transactions is left"
        );
        let first = header.base_sequence();
        let last = crate::position::advance_sequence(first, i64::from(header.last_offset_delta()));
        let epoch = header.producer_epoch();
        if let Some(known) = self.producers.get(&header.producer_id()) {
            if epoch < known.epoch {
                return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
            }
            let same = known.batches.iter().find(|b| (b.0, b.1) == (first, last));
            if let Some((_, _, base)) = same.filter(|_| epoch == known.epoch) {
                return Ok(*base);
            }
            let due = if epoch == known.epoch {
                known.next_sequence
            } else {
                0
            };
            if first != due {
                return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
        }
        let base = self.store(&batch);
        let known = self
            .producers
            .entry(header.producer_id())
            .or_insert_with(|| Known {
                epoch,
                next_sequence: 0,
                batches: VecDeque::new(),
            });
        if known.epoch != epoch {
            known.epoch = epoch;
            known.batches.clear();
        }
        known.next_sequence = crate::position::advance_sequence(last, 1);
        known.batches.push_back((first, last, base));
        if known.batches.len() > 5 {
            known.batches.pop_front();
        }
        Ok(base)
    }

    fn store(&mut self, batch: &[u8]) -> i64 {
        let base = self.end;
        let mut bytes = BytesMut::from(batch);
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        if self.restamps {
            bytes[17] ^= 1;
            bytes[22] |= Attributes::LOG_APPEND_TIME as u8;
        }
        let batch = RawBatch::parse(bytes.freeze()).expect("written well formed");
        self.end = batch.info().next_offset();
        // Only filler is compressed.
        let holds_records = batch.header().codec() == Codec::None;
        for record in holds_records
            .then(|| records(&batch).expect("uncompressed"))
            .into_iter()
            .flatten()
        {
            if let Some(origin) = origin(&record) {
                self.records.push((origin, record.offset));
                self.places.entry(origin).or_insert(record.offset);
            }
        }
        self.batches.push(batch);
        base
    }

    /// Takes a marker as a broker does: not idempotent, but fenced.
    pub(super) fn mark(
        &mut self,
        producer: ProducerIdentity,
        coordinator_epoch: i32,
    ) -> Result<(), ErrorCode> {
        let known = self.coordinators.entry(producer.id).or_default();
        if coordinator_epoch < *known {
            return Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED);
        }
        *known = coordinator_epoch;
        let marker = control_batch(self.end, producer, ControlType::Commit);
        let marker = RawBatch::parse(marker).expect("built well formed");
        self.end = marker.info().next_offset();
        self.batches.push(marker);
        Ok(())
    }

    /// The broker forgets who wrote, as it does where records are old.
    pub(super) fn forget(&mut self) {
        self.producers.clear();
        self.coordinators.clear();
    }

    /// Where filler stands that a reader of records meets.
    pub(super) fn filler_behind_records(&self) -> Option<i64> {
        let first = self.records.iter().map(|(_, at)| *at).min()?;
        let filler =
            |b: &&RawBatch| b.header().codec() != Codec::None && b.info().base_offset > first;
        self.batches
            .iter()
            .find(filler)
            .map(|b| b.info().base_offset)
    }

    /// The batches that overlap some offsets.
    pub(super) fn between(&self, from: i64, to: i64) -> Vec<RawBatch> {
        let overlaps = |b: &&RawBatch| b.info().next_offset() > from && b.info().base_offset < to;
        self.batches.iter().filter(overlaps).cloned().collect()
    }

    /// Headers of the batches from `offset` on.
    pub(super) fn tail(&self, offset: i64) -> Vec<BatchInfo> {
        self.batches
            .iter()
            .map(|batch| *batch.info())
            .filter(|info| info.base_offset >= offset)
            .collect()
    }
}

/// Source partition and offset of a record of ours.
fn origin(record: &kafka_wire::batch::Record) -> Option<(usize, i64)> {
    let value = record.value.as_ref().expect("every record has one");
    let text = std::str::from_utf8(value).expect("written as text");
    let (number, offset) = text.split_once(':')?;
    let number = number.parse().expect("a number");
    Some((number, offset.parse().expect("an offset")))
}
