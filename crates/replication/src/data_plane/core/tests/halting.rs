//! Topics that are taken away: their partitions stop, and begin anew when the topic is there again.

use std::collections::BTreeSet;

use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{TopicId, TopicPartition};

use super::scene::{Scene, batch, destination, settings, source};
use crate::data_plane::core::{Located, Place};
use crate::data_plane::partition::{Leader, Stop};

fn deleted() -> Stop {
    Stop {
        state: "source-deleted",
        offset: None,
        reason: "it was deleted".to_owned(),
        lost: None,
    }
}

/// What the state of a partition is called while it stands.
fn state(scene: &Scene, index: usize) -> Option<(&'static str, Option<i64>)> {
    scene.stop_of(index).map(|stop| (stop.state, stop.offset))
}

#[test]
fn a_topic_that_is_halted_stops_with_its_position_and_others_go_on() {
    let mut scene = Scene::with(settings(), 1);
    let other = TopicPartition::new("other".into(), 0);
    let index = scene.assign(other, destination(1), None);
    scene.settle();
    scene.core.halt(&"s".into(), &deleted());
    assert_eq!(state(&scene, 0), Some(("source-deleted", Some(0))));
    assert!(scene.is_running(index));
    scene.pass_and_settle();
    assert_eq!(state(&scene, 0), Some(("source-deleted", Some(0))));
    let (_, order) = scene.order();
    assert_eq!(
        order.set.len(),
        1,
        "only the other one is fetched: {order:?}"
    );
}

#[test]
fn what_was_read_of_a_halted_topic_is_written_first() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 3)]);
    scene.core.halt(&"s".into(), &deleted());
    assert!(scene.is_running(0), "three records are on their way");
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(state(&scene, 0), Some(("source-deleted", Some(3))));
    assert_eq!(scene.offset(0), 3);
    assert!(scene.next_order().is_none(), "nothing is fetched");
}

#[test]
fn a_halted_topic_whose_last_records_are_refused_stops_all_the_same() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 3)]);
    scene.core.halt(&"s".into(), &deleted());
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    scene.pass(std::time::Duration::from_secs(10));
    let orders = scene.core.take_locate().expect("looked for");
    let gone = orders.iter().map(|order| Located {
        index: order.index,
        source: Err("source: it is gone".to_owned()),
        destination: scene.located(order).destination,
    });
    let gone = gone.collect();
    scene.core.on_located(gone, scene.now);
    assert_eq!(state(&scene, 0), Some(("source-deleted", Some(0))));
}

#[test]
fn a_halted_topic_goes_on_when_it_is_back_and_stops_when_it_is_another_one() {
    for (id, expected) in [(1, None), (9, Some("source-recreated"))] {
        let mut scene = Scene::running();
        scene.core.halt(&"s".into(), &deleted());
        let place = Place {
            leader: Leader {
                node: super::scene::FROM,
                epoch: 0,
            },
            topic_id: TopicId([id; 16]),
        };
        scene.places.insert(source(0), place);
        scene.core.look_again(&"s".into());
        scene.settle();
        assert_eq!(state(&scene, 0).map(|(state, _)| state), expected);
        assert_eq!(scene.is_running(0), expected.is_none());
    }
}

#[test]
fn looking_again_leaves_partitions_alone_to_which_nothing_happened() {
    let mut scene = Scene::running();
    scene.order();
    scene.core.look_again(&"s".into());
    scene.settle();
    assert!(scene.is_running(0));
    scene.fetched(0, 0, &[batch(0, 2)]);
    assert_eq!(scene.send().len(), 1, "the open fetch counts");
}

#[test]
fn partitions_that_are_begun_again_go_on_where_they_are_and_no_other_one_notices() {
    let mut scene = Scene::with(settings(), 2);
    scene.settle();
    scene.fetch(0, &[batch(0, 3)]);
    let sent = scene.send_one();
    scene.core.begin_again(&BTreeSet::from([source(0)]));
    assert!(!scene.is_running(0) && scene.is_running(1));
    // What is on its way may still land: it is looked at only when its answer is there.
    scene.settle();
    assert!(!scene.is_running(0));
    scene.answer(&sent, Ok(0));
    scene.pass_and_settle();
    assert!(scene.is_running(0) && scene.is_running(1));
}

#[test]
fn a_partition_that_stands_is_tried_again_when_it_is_begun_again() {
    let mut scene = Scene::running();
    scene.core.stop(0, deleted());
    assert!(scene.stop_of(0).is_some());
    scene.core.begin_again(&BTreeSet::from([source(0)]));
    scene.settle();
    assert!(scene.is_running(0));
    // One whose topic cannot be copied stays as it is.
    scene.core.halt(&"s".into(), &deleted());
    scene.core.begin_again(&BTreeSet::from([source(0)]));
    scene.settle();
    assert!(scene.stop_of(0).is_some());
}

#[test]
fn a_topic_that_is_halted_while_its_logs_are_read_is_not_copied_on() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), None);
    scene.locate();
    let orders = scene.establish_orders();
    scene.core.halt(&"s".into(), &deleted());
    scene.establish(&orders[0]);
    scene.settle();
    assert_eq!(
        state(&scene, 0).map(|(state, _)| state),
        Some("source-deleted")
    );
    assert!(scene.next_order().is_none(), "nothing is fetched");
    // It goes on when its topic does.
    scene.core.look_again(&"s".into());
    scene.settle();
    assert!(scene.is_running(0));
}

#[test]
fn a_halted_topic_whose_last_records_cannot_be_written_is_not_copied_on() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 3)]);
    scene.core.halt(&"s".into(), &deleted());
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    // Its topics are there: it is to stand for another reason.
    scene.pass_and_settle();
    assert_eq!(state(&scene, 0), Some(("source-deleted", Some(0))));
    assert!(scene.next_order().is_none(), "nothing is fetched");
}
