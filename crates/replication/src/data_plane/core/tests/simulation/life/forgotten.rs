//! Lives in which brokers forget who wrote records whose offsets are mapped: what a broker then carries out late is there twice.
//! It has to be told, also where nothing is written any more.

use std::collections::BTreeSet;

use config::link::{OnGap, OnRefused};
use kafka_wire::batch::RawBatch;
use rand::RngExt;

use super::{Life, Plant, number};
use crate::data_plane::core::{Core, EstablishOrder, Established, LookOrder, Looked, Watched};
use crate::data_plane::late::ours;
use crate::data_plane::partition::Phase;
use crate::data_plane::status::{Snapshot, State};

impl Life {
    /// See the module. Nothing is cleaned, merged or left out in it.
    pub(in super::super) fn forgetting(seed: u64, plant: Plant) -> Self {
        let mut life = Self::new(seed, plant);
        let partitions = life.sources.len();
        life.cleans = false;
        life.forgets = true;
        life.to = (0..partitions).collect();
        for log in &mut life.destinations {
            (log.restamps, log.refuses) = (false, 0);
        }
        let mut settings = life.core.settings.clone();
        (settings.on_refused, settings.on_gap) = (OnRefused::Stop, OnGap::Stop);
        life.core = Core::new(settings);
        life.assign();
        life
    }

    /// Looks at stretches that nobody expected.
    pub(super) fn answer_looks(&mut self) {
        let looks = self.core.take_looks();
        let looked = looks.into_iter().map(|order| {
            let log = &self.destinations[number(&order.partition)];
            let copies = order.stretches.iter().flat_map(|stretch| {
                let batches = log.between(stretch.from, stretch.to);
                let batches: Vec<_> = batches.iter().map(|b: &RawBatch| *b.info()).collect();
                ours(&batches, order.producer, stretch).collect::<Vec<_>>()
            });
            let copies = copies.collect();
            (order, Ok(copies))
        });
        let looked: Vec<(LookOrder, Looked)> = looked.collect();
        for (order, copies) in &looked {
            let copies = copies.iter().flatten();
            let offsets = copies.flat_map(|(from, to)| *from..*to);
            self.told.extend(offsets.map(|at| (order.index, at)));
        }
        self.core.on_looked(looked);
    }

    /// Remembers what a start tells.
    pub(super) fn note_told(&mut self, order: &EstablishOrder, outcome: &Established) {
        let copies = match outcome {
            Established::Ready { ground, .. } => &ground.copies,
            Established::StopAndTell(_, copies) => copies,
            _ => return,
        };
        let offsets = copies.iter().flat_map(|(from, to)| *from..*to);
        self.told.extend(offsets.map(|at| (order.index, at)));
    }

    /// Of each record all places but one were told. Where a limit changes batches are cut anew, cannot be compared with what was
    /// sent before, and are told by their source offsets.
    fn compare_told(&self) -> Result<(), String> {
        if self.destinations.iter().any(|log| log.limit.is_some()) {
            return Ok(());
        }
        let mut untold = BTreeSet::new();
        for index in 0..self.sources.len() {
            // What comes to a partition that has stopped is told when it begins again.
            if self.zombies.is_some() && self.has_stopped(index) {
                continue;
            }
            let places = self.arrived(index);
            let places = places.filter(|(_, at)| !self.told.contains(&(index, *at)));
            for (offset, at) in places {
                if !untold.insert((index, offset)) {
                    return Err(format!(
                        "that the record at {offset} of {index} is at {at} a second time was not told"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Both logs of what is watched are looked at.
    pub(super) fn watch(&mut self) {
        let [_, destinations] = self.core.take_watch(self.now);
        let ends = destinations.into_values().flatten();
        let destination_ends = ends.map(|partition| {
            let end = self.destinations[number(&partition)].end;
            (partition, end)
        });
        let watched = Watched {
            destination_ends: destination_ends.collect(),
            ..Watched::default()
        };
        self.core.on_watched(&watched, self.now);
    }

    fn has_stopped(&self, index: usize) -> bool {
        matches!(self.core.partitions[&index].phase, Phase::Stopped(_))
    }

    /// Every record is there, and without what was told the rest is in order. An overtaken process may have written a record
    /// before the one that was to come.
    fn compare_untold(&self, index: usize, wanted: &[i64]) -> Result<(), String> {
        let all: BTreeSet<i64> = self.arrived(index).map(|(offset, _)| offset).collect();
        let untold = self.arrived(index);
        let untold = untold.filter(|(_, at)| !self.told.contains(&(index, *at)));
        let untold: Vec<i64> = untold.map(|(offset, _)| offset).collect();
        if !all.iter().eq(wanted) || !untold.is_sorted() {
            return Err(format!(
                "of partition {index} it was not told that it holds {untold:?} instead of {wanted:?}"
            ));
        }
        Ok(())
    }

    /// Something of a connection that has ended may be carried out before a purge and something after it.
    pub(super) fn forget_amid(&mut self, at: usize) {
        self.destinations[at].forget();
        if self.restarts.random_bool(0.5) {
            self.land_late();
            self.destinations[at].forget();
        }
    }

    /// Every record arrived, in order; what is there again was told. A partition whose order is broken has stopped, and says so.
    pub(super) fn compare_forgotten(&mut self) -> Result<(), String> {
        self.watch();
        self.answer_looks();
        self.count_totals();
        let snapshot = Snapshot::of(&self.core, None);
        for (index, status) in snapshot.partitions.iter().enumerate() {
            if matches!(&status.state, State::Stopped(_)) {
                self.tally.stopped += 1;
                continue;
            }
            let arrived: Vec<i64> = self.arrived(index).map(|(offset, _)| offset).collect();
            let wanted: Vec<i64> = self.wanted(index).collect();
            if self.zombies.is_some() {
                self.compare_untold(index, &wanted)?;
                continue;
            }
            let mut seen = BTreeSet::new();
            let first: Vec<i64> = arrived
                .iter()
                .copied()
                .filter(|o| seen.insert(*o))
                .collect();
            if first != wanted {
                return Err(format!(
                    "partition {index} holds {arrived:?} instead of {wanted:?}"
                ));
            }
        }
        self.compare_told()?;
        let stopped = (0..self.sources.len()).any(|index| self.has_stopped(index));
        match stopped && self.zombies.is_some() {
            true => Ok(()),
            false => self.count_twice(),
        }
    }
}
