//! Partitions whose records have the offsets they have at the source, and whose links are taken over.

use config::link::StartPosition;
use kafka_wire::types::ProducerIdentity;

use super::scene::{Scene, batch, destination, position, settings, source};
use crate::data_plane::core::{Established, Ground, Watched};
use crate::data_plane::partition::Stop;
use crate::position::{Placement, Position, Preserved};
use crate::side::Source;

/// A position behind `end` offsets, of a log that is padded up to `padding`.
fn preserved(end: i64, padding: i64) -> Position {
    Position {
        offset: Source(end),
        placement: Placement::Preserved(Preserved {
            marker: ProducerIdentity { id: 8, epoch: 0 },
            coordinator_epoch: 1,
            padding,
        }),
        ..position(end, end, 0)
    }
}

fn ready(position: Position) -> Established {
    Established::Ready {
        position,
        landed: Vec::new(),
        max_message_bytes: None,
        store_first: false,
        repeated: 0,
        end: 1000,
        ground: Ground {
            deletes: true,
            source_start: 500,
            ..Ground::default()
        },
    }
}

/// A partition that goes on at a position.
fn going_on(position: &Position) -> Scene {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(position.clone()));
    scene.locate();
    let order = scene.establish_orders().remove(0);
    let outcome = ready(order.position.expect("it is stored"));
    scene.core.on_established(0, outcome, scene.now);
    scene
}

fn stop(state: &'static str) -> Stop {
    Stop {
        state,
        offset: None,
        reason: "so it is".to_owned(),
        lost: None,
    }
}

#[test]
fn before_the_first_batch_of_a_new_producer_it_is_asked_whose_the_link_is() {
    for successor in [None, Some("another".to_owned())] {
        let mut scene = Scene::new(settings());
        scene.core.guard(false);
        scene.assign(source(0), destination(0), None);
        scene.settle();
        let question = scene.core.owner_question();
        assert!(question > 0, "it is asked behind the stored position");
        if scene.is_running(0) {
            scene.fetch(0, &[batch(0, 3)]);
        }
        assert!(scene.send().is_empty(), "nothing is written before");
        let taken_over = successor.is_some();
        scene.core.on_owner(question, scene.now, successor);
        assert_eq!(scene.send().len(), usize::from(!taken_over));
        let state = scene.stop_of(0).map(|stop| stop.state);
        assert_eq!(state, taken_over.then_some("taken-over"));
    }
}

#[test]
fn a_partition_that_is_stopped_while_its_logs_are_read_stays_so() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(position(0, 100, 0)));
    scene.locate();
    let order = scene.establish_orders().remove(0);
    scene.core.halt(&"s".into(), &stop("source-deleted"));
    scene.establish(&order);
    let state = |scene: &Scene| scene.stop_of(0).map(|stop| stop.state);
    assert_eq!(state(&scene), Some("source-deleted"));
    // What was read then says nothing of the topic that is there when it is looked at again.
    scene.core.look_again(&"s".into());
    scene.settle();
    assert!(scene.is_running(0));
}

/// As when somebody who finds that padding takes long asks for mapped offsets.
#[test]
fn a_partition_that_is_only_padding_begins_mapped_where_it_was_to_begin_and_its_padding_is_deleted()
{
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(preserved(300, 500)));
    scene.locate();
    assert_eq!(scene.establish_orders().len(), 1);
    let cannot = Established::CannotPlace(stop("offsets-mapped"));
    scene.core.on_established(0, cannot, scene.now);
    scene.pass(std::time::Duration::from_secs(10));
    scene.locate();
    let order = scene.establish_orders().remove(0);
    assert_eq!(
        order.position,
        Some(preserved(300, 500)),
        "from there the log is read"
    );
    assert_eq!(order.start, StartPosition::Earliest);
    assert_eq!(order.given_up.as_deref(), Some("so it is"));
    let mapped = Position {
        offset: Source(500),
        ..position(0, 300, 0)
    };
    let mut begun = ready(mapped);
    if let Established::Ready { ground, .. } = &mut begun {
        ground.padded = 300;
    }
    scene.core.on_established(0, begun, scene.now);
    scene.settle();
    let trim = scene.core.next_trim().expect("padding is there");
    assert_eq!(trim.starts, [(0, destination(0), 300)]);
    scene.core.on_trimmed(vec![(0, Ok(300))], scene.now);
    assert!(scene.core.next_trim().is_none());
}

#[test]
fn a_log_that_grows_or_is_cut_short_while_nothing_is_written_is_looked_at() {
    for (end, changed) in [(40, false), (41, true), (39, true)] {
        let mut scene = going_on(&preserved(40, 0));
        assert!(scene.is_running(0));
        scene.core.take_watch(scene.now);
        let watched = Watched {
            destination_ends: vec![(destination(0), end)],
            ..Watched::default()
        };
        scene.core.on_watched(&watched, scene.now);
        assert_eq!(scene.is_running(0), !changed, "it ends at {end}");
    }
}

#[test]
fn where_a_leader_does_not_tell_who_leads_is_looked_up() {
    let mut scene = going_on(&preserved(40, 0));
    assert!(scene.core.take_locate().is_none());
    scene.core.take_watch(scene.now);
    let watched = Watched {
        untold: [destination(0)].into(),
        ..Watched::default()
    };
    scene.core.on_watched(&watched, scene.now);
    assert!(scene.core.take_locate().is_some());
    assert!(scene.is_running(0));
}
