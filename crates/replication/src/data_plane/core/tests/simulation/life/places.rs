//! The part of a life in which records keep their offsets: markers, and what is read before anything is
//! written.

use config::link::{Offsets, OnForeignWrites, OnGap, OnRefused};
use kafka_wire::batch::{AbortedFilter, Batches, Entry, RawBatch, Verdict, control_type};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::ProducerIdentity;
use rand::RngExt;

use super::{Life, Plant, number};
use crate::data_plane::core::{
    Core, EstablishOrder, Established, FillGap, FillOrder, Filled, Ground,
};
use crate::data_plane::establish::preserving::{
    Digests, Ending, compare, digests, go_on, has_strangers, is_unsettled, recognises,
};
use crate::data_plane::establish::{Readings, first_position};
use crate::data_plane::status::{Snapshot, State};
use crate::placement::Topic;
use crate::position::{Placement, Position, Preserved};
use crate::side::Source;

/// Markers that were asked for.
#[derive(Debug)]
pub(super) struct Fill {
    order: FillOrder,
    /// With the outcome, once the broker has them.
    outcome: Option<Vec<(FillGap, Filled)>>,
}

impl Life {
    pub(super) fn take_fills(&mut self) {
        while let Some(order) = self.core.next_fill(self.now) {
            let outcome = None;
            self.open.fills.push(Fill { order, outcome });
        }
    }

    /// A broker writes markers, and says where the log ends then.
    pub(super) fn execute_fill(&mut self) {
        let Some(fill) = self.open.fills.iter_mut().find(|f| f.outcome.is_none()) else {
            return;
        };
        let order = fill.order.clone();
        let written = self.write_markers(&order);
        let asked = self.open.fills.iter_mut().find(|f| f.outcome.is_none());
        asked.expect("found above").outcome = Some(written);
    }

    fn write_markers(&mut self, order: &FillOrder) -> Vec<(FillGap, Filled)> {
        let mut outcomes = Vec::new();
        let reads = !matches!(self.plant, Plant::UnreadGap | Plant::OneReading);
        for gap in &order.gaps {
            let log = &mut self.destinations[number(&gap.partition)];
            let begins = gap.end - gap.count;
            let outcome = if order.latest.is_some_and(|latest| self.now >= latest) {
                Filled::Late
            } else if gap.unfenced && log.end != begins && reads {
                Filled::Elsewhere(format!("it ends at {}", log.end))
            } else if log.leader == order.node {
                let count = 0..gap.count;
                let refused = count
                    .map(|_| log.mark(gap.marker, gap.coordinator_epoch))
                    .find_map(Result::err);
                self.tally.markers += u64::try_from(gap.count).unwrap_or(0);
                match refused {
                    Some(code) => Filled::Refused(code),
                    None => Filled::End(log.end),
                }
            } else {
                Filled::Unknown(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string())
            };
            outcomes.push((gap.clone(), outcome));
        }
        outcomes
    }

    pub(super) fn answer_fill(&mut self) {
        if self.open.fills.first().is_some_and(|f| f.outcome.is_some()) {
            let fill = self.open.fills.remove(0);
            let outcomes = fill.outcome.expect("looked at");
            self.core.on_filled(fill.order.node, outcomes, self.now);
        }
    }

    /// The connection ends: whether the markers stand, or will, is not known.
    pub(super) fn cut_fill(&mut self) {
        if self.open.fills.is_empty() {
            return;
        }
        let fill = self.open.fills.remove(0);
        if self.plant == Plant::MarkersAgain {
            // What a client does that takes them for idempotent.
            let outcomes = self.write_markers(&fill.order);
            self.core.on_filled(fill.order.node, outcomes, self.now);
            return;
        }
        self.tally.cuts += 1;
        if fill.outcome.is_none() && self.random.random_bool(0.6) {
            self.late_fills.push(fill.order.clone());
        }
        let unknown = |gap: FillGap| (gap, Filled::Unknown("cut".to_owned()));
        let outcomes = fill.order.gaps.into_iter().map(unknown).collect();
        self.core.on_filled(fill.order.node, outcomes, self.now);
    }

    /// Markers and batches of connections that have ended: after a while none is carried out any more.
    pub(super) fn land_all(&mut self) {
        while !self.late.is_empty() {
            self.land_late();
        }
        while !self.late_commits.is_empty() {
            self.land_commit();
        }
        for order in std::mem::take(&mut self.late_fills) {
            self.write_markers(&order);
        }
    }

    /// The process ends while markers are on their way.
    pub(super) fn crash_fills(&mut self) {
        for fill in std::mem::take(&mut self.open.fills) {
            if fill.outcome.is_none() && self.random.random_bool(0.5) {
                self.late_fills.push(fill.order);
            }
        }
    }

    fn identity(&mut self) -> ProducerIdentity {
        let id = self.next_producer;
        self.next_producer += 1;
        ProducerIdentity { id, epoch: 0 }
    }

    /// As the survey of a real partition, on both logs.
    pub(super) fn establish_preserved(&mut self, order: &EstablishOrder) -> Established {
        let index = number(&order.source);
        let source = &self.sources[index];
        let log = &self.destinations[index];
        let epoch = order.copied_epoch().unwrap_or(-1);
        let readings = Readings {
            log_start: source.start,
            end: source.end,
            epoch_end: source.epoch_end(epoch),
            destination_start: 0,
            destination_end: log.end,
            at_time: None,
            levels: Default::default(),
            topic: Topic {
                deletes: false,
                ..Topic::UNKNOWN
            },
            max_message_bytes: log.limit.filter(|_| log.tells_limit),
        };
        let Some(position) = &order.position else {
            return self.place_first(order, readings);
        };
        let preserved = position.placement.preserved().copied();
        let preserved = preserved.expect("every partition of such a life is");
        let (from, end) = (position.destination_end.0, log.end);
        let since = log.between(from, end);
        let infos: Vec<_> = since.iter().map(|b| *b.info()).collect();
        let holds_records = |b: &&RawBatch| !b.info().attributes.is_control();
        let last = log
            .between(0, end)
            .iter()
            .rev()
            .find(holds_records)
            .cloned();
        let mut copies = Digests::new();
        let mut markers = Vec::new();
        for batch in since.iter().chain(&last) {
            match batch.info().attributes.is_control() {
                true => markers.push(batch.info().base_offset),
                false => copies.extend(digests(batch).expect("whole")),
            }
        }
        let original = self.delivered(index);
        let mut ending = Ending {
            since: infos,
            last: last.as_ref().map(|batch| *batch.info()),
            comparison: compare(&copies, &markers, &original, false),
        };
        let nothing_can_come = !self.forgets
            && order.first
            && order.doubt.is_none()
            && recognises(position, end, &ending.since, ending.last)
            && (end == readings.end || self.has_record(index, end));
        let foreign = has_strangers(position, preserved, &ending.since);
        let trusts = foreign || self.plant == Plant::OneReading || nothing_can_come;
        if !trusts && is_unsettled(order, position, readings, &ending.since) {
            return Established::Unsettled(end);
        }
        if self.plant == Plant::ForgetTail {
            ending.comparison = Default::default();
        }
        let pads = end <= preserved.padding && readings.log_start > end;
        let padding = pads.then(|| self.first_base(index, readings));
        go_on(order, position, preserved, readings, &ending, padding)
    }

    /// Whether a whole batch of the source goes on at an offset.
    fn has_record(&self, index: usize, at: i64) -> bool {
        let (bytes, aborted) = self.sources[index].read(at, 1);
        let mut filter = AbortedFilter::new(aborted);
        let next = whole(bytes)
            .into_iter()
            .find(|batch| batch.info().next_offset() > at);
        next.is_some_and(|batch| {
            let info = *batch.info();
            is_delivered(&mut filter, &batch)
                && info.records == info.offsets()
                && info.base_offset <= at
        })
    }

    fn place_first(&mut self, order: &EstablishOrder, readings: Readings) -> Established {
        let (producer, marker) = (self.identity(), self.identity());
        let padding = self.first_base(number(&order.source), readings);
        Established::Ready {
            position: Position {
                offset: Source(readings.destination_end),
                placement: Placement::Preserved(Preserved {
                    marker,
                    coordinator_epoch: 1,
                    padding,
                }),
                ..first_position(order, readings, producer)
            },
            landed: Vec::new(),
            max_message_bytes: readings.max_message_bytes,
            store_first: true,
            repeated: 0,
            end: readings.end,
            ground: Ground {
                source_start: readings.log_start,
                ..Ground::default()
            },
        }
    }

    /// Where the first record goes.
    fn first_base(&self, index: usize, readings: Readings) -> i64 {
        let (bytes, aborted) = self.sources[index].read(readings.log_start, 1);
        let mut filter = AbortedFilter::new(aborted);
        let first = whole(bytes).into_iter().next().filter(|batch| {
            let info = batch.info();
            let limit = readings.max_message_bytes.unwrap_or(u32::MAX);
            is_delivered(&mut filter, batch)
                && info.records == info.offsets()
                && info.size <= limit
                && info.base_offset <= readings.log_start
        });
        first.map_or(readings.log_start, |b| b.info().base_offset)
    }

    /// A life in which records keep their offsets. Nothing is cleaned, merged or left out in it.
    pub(in super::super) fn preserving(seed: u64, plant: Plant) -> Self {
        let mut life = Self::new(seed, plant);
        let partitions = life.sources.len();
        life.places = true;
        life.cleans = false;
        life.forgets = life.random.random_bool(0.3);
        life.to = (0..partitions).collect();
        for log in &mut life.destinations {
            (log.restamps, log.refuses) = (false, 0);
            // Smaller than a batch of filler would be.
            log.limit = None;
        }
        for log in &mut life.sources {
            if life.random.random_bool(0.5) {
                log.begin_later(&mut life.random);
            }
        }
        let mut settings = life.core.settings.clone();
        settings.offsets.placement = Offsets::Preserve;
        settings.offsets.on_foreign_writes = OnForeignWrites::Stop;
        settings.on_refused = OnRefused::Stop;
        life.core = Core::new(settings);
        life.assign();
        life
    }

    /// A life in which the source loses records before they were copied, and the link goes on behind them.
    pub(in super::super) fn losing(seed: u64, plant: Plant) -> Self {
        let mut life = Self::preserving(seed, plant);
        life.loses = true;
        let mut settings = life.core.settings.clone();
        settings.on_gap = OnGap::Continue;
        life.core = Core::new(settings);
        life.assign();
        life
    }

    /// What a committed reader sees of a source partition.
    pub(super) fn delivered(&self, index: usize) -> Digests {
        let (bytes, aborted) = self.sources[index].read(0, usize::MAX);
        let mut filter = AbortedFilter::new(aborted);
        let mut all = Digests::new();
        for batch in whole(bytes) {
            if is_delivered(&mut filter, &batch) {
                all.extend(digests(&batch).expect("whole"));
            }
        }
        // The batch that holds the log's start is served whole.
        all.split_off(&self.sources[index].start)
    }

    /// Every record once, and where it is at the source; both logs end at the same offset. Where brokers have
    /// forgotten writers a partition may have stopped instead, and said so.
    pub(super) fn compare_places(&mut self) -> Result<(), String> {
        let snapshot = Snapshot::of(&self.core, None);
        for (index, status) in snapshot.partitions.iter().enumerate() {
            if let State::Stopped(stop) = &status.state
                && self.forgets
                && stop.state == "destination-foreign-writes"
            {
                self.tally.stopped += 1;
                continue;
            }
            self.compare_place(index)?;
        }
        Ok(())
    }

    /// The same, of one partition.
    pub(super) fn compare_place(&self, index: usize) -> Result<(), String> {
        let arrived: Vec<(i64, i64)> = self.arrived(index).collect();
        if let Some((offset, at)) = arrived.iter().find(|(offset, at)| offset != at) {
            return Err(format!("the record at {offset} of {index} is at {at}"));
        }
        let mut wanted = self.wanted(index);
        let missing = wanted.find(|offset| !arrived.contains(&(*offset, *offset)));
        if let Some(offset) = missing {
            return Err(format!("the record at {offset} of {index} is missing"));
        }
        drop(wanted);
        if let Some(at) = self.destinations[index].filler_behind_records() {
            return Err(format!("filler stands behind records of {index}, at {at}"));
        }
        let distinct: std::collections::BTreeSet<_> = arrived.iter().collect();
        if distinct.len() != arrived.len() {
            return Err(format!(
                "partition {index} holds records twice: {arrived:?}"
            ));
        }
        let (there, here) = (
            self.sources[index].last_batch_end(),
            self.destinations[index].end,
        );
        // A gap is filled when something follows it.
        let follows = !self.sources[index].is_empty();
        if there != here && follows {
            return Err(format!("{index} ends at {there}, its copy at {here}"));
        }
        Ok(())
    }
}

fn whole(bytes: bytes::Bytes) -> Vec<RawBatch> {
    let batch = |entry| match entry {
        Ok(Entry::Batch(batch)) => Some(batch),
        Ok(Entry::Legacy(_)) | Err(_) => None,
    };
    Batches::new(bytes).filter_map(batch).collect()
}

fn is_delivered(filter: &mut AbortedFilter, batch: &RawBatch) -> bool {
    let control = match batch.info().attributes.is_control() {
        true => control_type(batch).ok().flatten(),
        false => None,
    };
    filter.on_batch(batch.info(), control) == Verdict::Deliver
}
