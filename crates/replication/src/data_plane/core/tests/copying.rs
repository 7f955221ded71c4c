//! Scenes in which nothing goes wrong.

use std::time::Duration;

use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{NodeId, TopicPartition};

use super::scene::{
    FROM, Scene, TO, batch, destination, position, refused_fetch, response, settings, source,
};
use crate::data_plane::decode::{Decoder, Rules};
use crate::offset_map::Run;
use crate::side::{Destination, Source};

#[test]
fn a_new_partition_is_located_established_stored_and_only_then_read() {
    let mut scene = Scene::new(settings());
    let index = scene.assign(source(0), destination(0), None);
    assert!(scene.next_order().is_none());
    assert!(scene.locate());
    let orders = scene.establish_orders();
    assert_eq!(orders.len(), 1);
    scene.establish(&orders[0]);
    assert!(scene.next_order().is_none(), "its producer is not stored");
    let entries = scene.core.take_positions(false);
    assert_eq!(entries[0].position.producer.id, 7);
    assert!(scene.next_order().is_none(), "it is being stored");
    scene.core.on_stored();
    let (node, order) = scene.order();
    assert_eq!(node, FROM);
    assert_eq!((order.set[0].0, order.set[0].2.offset), (index, 0));
}

#[test]
fn a_partition_with_a_stored_position_goes_on_there_at_once() {
    let mut scene = Scene::new(settings());
    let index = scene.assign(source(0), destination(0), Some(position(40, 140, 12)));
    scene.settle();
    let (_, order) = scene.order();
    assert_eq!(order.set[0].2.offset, 40);
    scene.fetched(index, 40, &[batch(40, 2)]);
    let sent = scene.send_one();
    assert_eq!(sent.batches(), [(destination(0), 0, 12)]);
}

#[test]
fn records_are_acknowledged_and_the_position_and_map_follow() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 3), batch(3, 2)]);
    let first = scene.send_one();
    assert_eq!((first.lane.node, scene.offset(0)), (TO, 0));
    scene.answer(&first, Ok(100));
    assert_eq!(scene.offset(0), 3);
    let second = scene.send_one();
    assert_eq!(second.batches(), [(destination(0), 0, 3)]);
    scene.answer(&second, Ok(103));
    let entries = scene.store();
    let stored = &entries[0].position;
    assert_eq!((stored.offset.0, stored.sequence), (5, 5));
    assert_eq!(stored.destination_end, Destination(105));
    let run = Run {
        source: Source(0),
        destination: Destination(100),
        length: 5,
    };
    assert_eq!(entries[0].segments[0].runs, [run]);
    assert!(!scene.core.has_open_calls());
    assert!(scene.core.take_positions(true).is_empty(), "nothing is new");
}

#[test]
fn one_batch_is_alone_on_its_way_until_it_is_answered_and_then_five_are() {
    let mut scene = Scene::running();
    let batches: Vec<_> = (0..10).map(|i| batch(i, 1)).collect();
    scene.fetch(0, &batches);
    let first = scene.send_one();
    scene.answer(&first, Ok(100));
    let five = scene.send();
    let sequences: Vec<i32> = five.iter().map(|sent| sent.batches()[0].2).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    scene.answer(&five[0], Ok(101));
    assert_eq!(scene.send_one().batches()[0].2, 6);
}

#[test]
fn the_position_covers_only_what_was_acknowledged() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1), batch(1, 1), batch(2, 1)]);
    let first = scene.send_one();
    scene.answer(&first, Ok(100));
    let rest = scene.send();
    assert_eq!(scene.store()[0].position.offset, Source(1));
    scene.answer(&rest[0], Ok(101));
    assert_eq!(scene.store()[0].position.offset, Source(2));
}

#[test]
fn one_request_carries_a_batch_of_every_partition_that_has_one() {
    let mut scene = Scene::with(settings(), 3);
    scene.order();
    let answer = (0..3)
        .map(|index| {
            let routed = crate::data_plane::route::route(
                batch(0, 2),
                Vec::new(),
                0,
                &Rules::default(),
                &mut Decoder::default(),
            );
            crate::data_plane::core::FetchedPartition {
                routed,
                ..refused_fetch(index, 0, ErrorCode::NONE)
            }
        })
        .collect();
    scene.answer_fetch(FROM, answer);
    let sent = scene.send_one();
    assert_eq!(sent.batches().len(), 3);
    let answer = response(&sent, |partition| Some(Ok(i64::from(partition) + 100)));
    scene.core.on_answer(sent.tag, &answer, scene.now);
    assert_eq!([0, 1, 2].map(|index| scene.offset(index)), [2, 2, 2]);
}

#[test]
fn a_request_that_is_full_leaves_the_rest_to_the_next() {
    let mut narrow = settings();
    narrow.max_request_bytes = batch(0, 1).len();
    let mut scene = Scene::with(narrow, 2);
    scene.order();
    for index in 0..2 {
        scene.fetched(index, 0, &[batch(0, 1)]);
    }
    let sent = scene.send();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|sent| sent.batches().len() == 1));
}

#[test]
fn a_batch_that_does_not_fit_is_first_in_the_next_request() {
    let mut narrow = settings();
    narrow.max_request_bytes = 2 * batch(0, 1).len();
    let mut scene = Scene::with(narrow, 3);
    scene.order();
    // Two have small batches for many requests; two of these fill one.
    for index in 0..2 {
        let small: Vec<_> = (0..20).map(|offset| batch(offset, 1)).collect();
        scene.fetched(index, 0, &small);
    }
    scene.fetched(2, 0, &[batch(0, 9)]);
    let sent = scene.send();
    let large = |(partition, ..): &(TopicPartition, i16, i32)| *partition == destination(2);
    assert!(sent[1].batches().iter().any(large), "{sent:?}");
}

#[test]
fn a_merged_topic_never_names_a_destination_partition_twice_in_one_request() {
    let mut scene = Scene::new(settings());
    for partition in 0..3 {
        scene.assign(source(partition), destination(0), None);
    }
    scene.settle();
    scene.order();
    for index in 0..3 {
        scene.fetched(index, 0, &[batch(0, 1)]);
    }
    let sent = scene.send();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|sent| sent.batches().len() == 1));
    for (sent, base) in sent.iter().zip([100, 101, 102]) {
        scene.answer(sent, Ok(base));
    }
    assert_eq!([0, 1, 2].map(|index| scene.offset(index)), [1, 1, 1]);
}

#[test]
fn a_partition_without_room_is_left_out_and_the_fetch_waits_only_briefly() {
    let mut narrow = settings();
    narrow.partition_room = 1;
    let mut scene = Scene::with(narrow, 2);
    let (_, order) = scene.order();
    assert_eq!(order.max_wait, Duration::from_millis(500));
    scene.fetched(0, 0, &[batch(0, 1)]);
    let (_, order) = scene.order();
    assert_eq!(
        (order.set.len(), &order.remove[..]),
        (0, &[(0, source(0))][..])
    );
    assert_eq!(order.max_wait, Duration::from_millis(5));
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    scene.fetched(1, 0, &[]);
    let (_, order) = scene.order();
    assert_eq!((order.set[0].0, order.set[0].2.offset), (0, 1));
    assert_eq!(order.max_wait, Duration::from_millis(500));
}

#[test]
fn records_that_are_dropped_move_the_position_only_with_what_is_before_them() {
    use kafka_wire::batch::{ControlType, control_batch};
    use kafka_wire::types::ProducerIdentity;
    let marker = |offset| {
        let producer = ProducerIdentity { id: 9, epoch: 0 };
        control_batch(offset, producer, ControlType::Commit)
    };
    let mut scene = Scene::running();
    scene.fetch(0, &[marker(0), batch(1, 1), marker(2)]);
    assert_eq!(scene.offset(0), 0);
    let sent = scene.send_one();
    scene.fetch(0, &[marker(3)]);
    assert_eq!(scene.offset(0), 0);
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 4, "all of it was read behind the batch");
    scene.fetch(0, &[marker(4)]);
    assert_eq!(scene.offset(0), 5, "nothing is on its way");
    assert_eq!(scene.partition(0).totals.control, 4);
}

#[test]
fn a_follower_is_read_when_the_leader_names_one_and_the_leader_again_when_it_lags() {
    let mut scene = Scene::running();
    let follower = NodeId(3);
    scene.order();
    let redirect = crate::data_plane::core::FetchedPartition {
        follower: Some(follower),
        ..refused_fetch(0, 0, ErrorCode::NONE)
    };
    scene.answer_fetch(FROM, vec![redirect]);
    let (node, order) = scene.order();
    assert_eq!((node, order.set[0].0), (follower, 0));
    scene.answer_fetch(
        follower,
        vec![refused_fetch(0, 0, ErrorCode::OFFSET_OUT_OF_RANGE)],
    );
    let (node, _) = scene.order();
    assert_eq!(node, FROM);
    assert!(scene.is_running(0), "the position is not in doubt");
}
