//! A destination partition that holds something although nothing is stored of it: whether it is a copy of this source, to be gone
//! on with.

use config::link::Offsets;

use super::Readings;
use super::evidence::Written;
use super::preserve::Comparison;
use super::room::Room;
use super::survey::Survey;
use crate::data_plane::core::EstablishOrder;
use crate::origin::registrations;

impl Survey<'_> {
    /// Whether what the destination holds is a copy of this source, to be gone on with. That it looks like one is not enough:
    /// another cluster may hold the same records at the same offsets, and then both copies are wanted.
    pub(super) async fn adopted(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        room: &mut Room<'_>,
    ) -> Result<Adoption, String> {
        let last = self.last(order, readings, room).await?;
        let producer = last.as_ref().map_or(-1, |last| last.info.producer_id);
        let written = Written {
            last,
            ..Written::default()
        };
        let compared = self.compared(order, readings, &written, room).await?;
        let Comparison { equal, differs, .. } = compared;
        if equal == 0 || differs.is_some() {
            return Ok(Adoption::NoCopy);
        }
        // Read behind the ends of all partitions, so that it knows who wrote up to there.
        let registered = &self.registered;
        let registered = registered.get_or_init(|| registrations(self.destination.cluster));
        // Asked for once, also where it cannot be read: the group is tried again.
        let registered = registered.await.as_ref().map_err(|error| {
            format!(
                "destination: who wrote to {} cannot be found out: {error}",
                order.destination
            )
        })?;
        let mut registered = registered.iter();
        let origin = registered.rfind(|(id, _)| *id == producer);
        let origin = origin.map(|(_, origin)| origin.clone());
        let asked_for = order.offsets.placement == Offsets::Preserve;
        Ok(whose(
            readings,
            origin,
            self.source.cluster.cluster_id(),
            asked_for,
        ))
    }
}

/// What stands in a destination partition that has no position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Adoption {
    /// Other records than the source's.
    NoCopy,
    /// A copy of this source, for this reason.
    Ours(String),
    /// What looks like one, and is not, or may not be.
    Others(String),
}

/// Whose records a log ends with that look like the source's. `asked_for` says that they are to be taken for its own where
/// nobody knows.
fn whose(
    readings: Readings,
    origin: Option<String>,
    source: Option<String>,
    asked_for: bool,
) -> Adoption {
    let (start, end) = (readings.destination_start, readings.destination_end);
    let ours = format!("the destination ends at offset {end} with the source's own records");
    let holds = format!(
        "the destination partition is not empty: it holds offsets [{start}, {end}), with records like the source's"
    );
    match (origin, source) {
        (Some(origin), Some(source)) if origin == source => Adoption::Ours(ours),
        (Some(origin), _) => Adoption::Others(format!(
            "{holds}, which were copied from another cluster ({origin})"
        )),
        (None, _) if asked_for => Adoption::Ours(ours),
        (None, _) => Adoption::Others(format!(
            "{holds}, but it is not registered that they were copied from there; tributary.offsets=preserve takes them for \
             its own"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Topic;

    #[test]
    fn a_copy_of_another_cluster_is_not_taken_for_an_own_one() {
        let readings = Readings {
            log_start: 0,
            end: 9,
            epoch_end: None,
            destination_start: 0,
            destination_end: 7,
            max_message_bytes: None,
            levels: Default::default(),
            at_time: None,
            topic: Topic::UNKNOWN,
        };
        let is_ours = |origin: Option<&str>, asked_for| {
            let origin = origin.map(str::to_owned);
            let adoption = whose(readings, origin, Some("west".to_owned()), asked_for);
            matches!(adoption, Adoption::Ours(_))
        };
        assert!(is_ours(Some("west"), false));
        for asked_for in [false, true] {
            assert!(!is_ours(Some("east"), asked_for));
            assert_eq!(is_ours(None, asked_for), asked_for);
        }
    }
}
