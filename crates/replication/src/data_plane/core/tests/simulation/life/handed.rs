//! Lives that begin with preserved offsets, in which somebody else writes to the destination: from there on offsets are mapped.

use std::collections::BTreeSet;

use config::link::{Offsets, OnForeignWrites};

use super::{Life, Plant, number};
use crate::data_plane::core::{Core, EstablishOrder, Established};
use crate::data_plane::establish::preserving::{behind_padding, is_unsettled, mapped_behind};
use crate::position::{Placement, Position};

impl Life {
    /// See the module.
    pub(in super::super) fn handing(seed: u64, plant: Plant) -> Self {
        let mut life = Self::preserving(seed, plant);
        (life.forgets, life.hands) = (false, true);
        let mut settings = life.core.settings.clone();
        settings.offsets.placement = Offsets::Auto;
        settings.offsets.on_foreign_writes = OnForeignWrites::Map;
        life.core = Core::new(settings);
        life.assign();
        life
    }

    /// Whether a partition of a life with preserved offsets has mapped ones by now, or begins with them: somebody else was there
    /// before.
    pub(super) fn is_handed_over(&self, order: &EstablishOrder) -> bool {
        match &order.position {
            Some(position) => position.placement.preserved().is_none(),
            None => self.hands && self.destinations[number(&order.destination)].end > 0,
        }
    }

    /// A partition that goes over to mapped offsets before a record of it is known to be there.
    pub(super) fn establish_given_up(&self, order: &EstablishOrder) -> Established {
        let readings = self.read(order);
        let position = order.position.as_ref().expect("it was begun");
        let preserved = *position.placement.preserved().expect("not handed over yet");
        let log = &self.destinations[number(&order.destination)];
        let since = log.between(position.destination_end.0, log.end);
        let since: Vec<_> = since.iter().map(|batch| *batch.info()).collect();
        let mapped = Position {
            placement: Placement::Mapped,
            ..position.clone()
        };
        if is_unsettled(order, &mapped, readings, &since) {
            return Established::Unsettled(log.end);
        }
        let behind = behind_padding(position, preserved, readings, &since);
        let order = EstablishOrder {
            position: behind.records.clone(),
            ..order.clone()
        };
        mapped_behind(&order, position, readings, &since, behind)
    }

    /// Every record arrived, in order; what is there again was told; and the map knows where each is.
    pub(super) fn compare_handed(&mut self) -> Result<(), String> {
        for index in 0..self.sources.len() {
            let partitions = &self.core.partitions;
            let position = partitions[&index].position.as_ref();
            if position.is_some_and(|position| position.placement.preserved().is_some()) {
                self.compare_place(index)?;
                continue;
            }
            self.tally.handed += 1;
            let arrived: Vec<(i64, i64)> = self.arrived(index).collect();
            let mut seen = BTreeSet::new();
            let offsets = arrived.iter().map(|(offset, _)| *offset);
            let mut first: Vec<i64> = offsets.filter(|offset| seen.insert(*offset)).collect();
            let wanted: Vec<i64> = self.wanted(index).collect();
            // The batch that holds the source's start may have passed whole, while offsets were preserved.
            first.retain(|offset| *offset >= self.sources[index].start);
            if first != wanted {
                return Err(format!(
                    "partition {index} holds {arrived:?} instead of {wanted:?}"
                ));
            }
            let map = self.map_of(index);
            let is_at = |offset: &&i64| {
                let at = map.get(*offset);
                at.is_none_or(|at| !arrived.contains(&(**offset, *at)))
            };
            if let Some(offset) = wanted
                .iter()
                .find(is_at)
                .filter(|_| self.tally.repeated == 0)
            {
                return Err(format!(
                    "the map does not know where {offset} of {index} is: {map:?}, {arrived:?}"
                ));
            }
        }
        self.count_twice()
    }
}
