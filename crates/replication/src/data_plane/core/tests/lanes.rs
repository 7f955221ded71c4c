//! Connections that destination brokers are written over: how a partition changes from one to another, and when there are more.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::BatchBuilder;

use super::scene::{FROM, Scene, TO, batch, destination, settings, source};
use crate::data_plane::core::LaneId;

const TRIP: Duration = Duration::from_millis(100);

/// So many partitions, running.
fn running(partitions: i32) -> Scene {
    let mut scene = Scene::new(settings());
    for partition in 0..partitions {
        scene.assign(source(partition), destination(partition), None);
    }
    scene.settle();
    scene
}

fn lane(number: u16) -> LaneId {
    LaneId { node: TO, number }
}

/// What can leave now: over which connection, and of which partitions.
fn leaves(scene: &mut Scene) -> Vec<(super::scene::Sent, Vec<i32>)> {
    let sent = scene.send().into_iter();
    let with_partitions = sent.map(|sent| {
        let batches = sent.batches();
        let partitions = batches.iter().map(|(p, ..)| p.partition).collect();
        (sent, partitions)
    });
    with_partitions.collect()
}

/// A batch of one record for each of two partitions.
fn read(scene: &mut Scene, offset: i64) {
    for index in 0..2 {
        scene.fetch(index, &[batch(offset, 1)]);
    }
}

#[test]
fn a_partition_changes_its_connection_when_nothing_of_it_is_on_its_way() {
    let mut scene = running(2);
    // Of a writer that is not known yet one batch is on its way at a time.
    read(&mut scene, 0);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    read(&mut scene, 1);
    let [(first, partitions)] = &leaves(&mut scene)[..] else {
        panic!("one request");
    };
    assert_eq!((first.lane, &partitions[..]), (lane(0), &[0, 1][..]));

    // One of both has the second connection now.
    scene.core.write_over(TO, 2);
    read(&mut scene, 2);
    let stays = leaves(&mut scene);
    let [(second, stayed)] = &stays[..] else {
        panic!("one request: {stays:?}");
    };
    assert_eq!((second.lane, stayed.len()), (lane(0), 1));
    scene.answer(first, Ok(101));
    let moves = leaves(&mut scene);
    let [(third, moved)] = &moves[..] else {
        panic!("one request: {moves:?}");
    };
    assert_eq!((third.lane, moved.len()), (lane(1), 1));
    assert_ne!(stayed, moved);

    // And goes back when that has been answered; nobody needs the connection any more then.
    scene.core.write_over(TO, 1);
    assert_eq!(scene.core.take_unused_lanes(), []);
    let moved = usize::try_from(moved[0]).expect("a number");
    scene.fetch(moved, &[batch(3, 1)]);
    assert!(leaves(&mut scene).is_empty());
    scene.answer(third, Ok(102));
    assert_eq!(scene.core.take_unused_lanes(), [lane(1)]);
    assert_eq!(scene.send_one().lane, lane(0));
    assert!(scene.is_running(0) && scene.is_running(1));
}

#[test]
fn what_waits_for_a_connection_that_is_not_needed_any_more_goes_over_another() {
    let mut scene = running(2);
    scene.core.write_over(TO, 2);
    read(&mut scene, 0);
    scene.core.write_over(TO, 1);
    assert_eq!(scene.core.take_unused_lanes(), [lane(1)]);
    let [(sent, partitions)] = &leaves(&mut scene)[..] else {
        panic!("one request");
    };
    assert_eq!((sent.lane, partitions.len()), (lane(0), 2));
}

/// A batch of 16 KiB and a little.
fn large(base: i64) -> Bytes {
    BatchBuilder::new(base)
        .record(None, Some(&[7; 16 * 1024]))
        .build()
}

/// One batch of each partition after the other, each of which takes a round trip, for so long. The connections that were used.
fn write(scene: &mut Scene, offset: &mut i64, lasts: Duration) -> BTreeSet<u16> {
    let mut used = BTreeSet::new();
    let end = scene.now + lasts;
    while scene.now < end {
        scene.order();
        let all = 0..scene.core.partitions.len();
        let answers = all.map(|index| scene.answer_of(index, *offset, &[large(*offset)]));
        let answers = answers.collect();
        scene.answer_fetch(FROM, answers);
        let sent = scene.send();
        scene.now += TRIP;
        for sent in &sent {
            used.insert(sent.lane.number);
            scene.answer(sent, Ok(100 + *offset));
        }
        *offset += 1;
    }
    used
}

#[test]
fn a_broker_that_is_far_away_is_written_over_more_connections_while_others_have_to_catch_up() {
    let mut scene = running(8);
    let ends: Vec<_> = (0..8).map(|number| (source(number), 1_000_000)).collect();
    scene.core.on_ends(&ends, scene.now);
    let mut offset = 0;
    let second = Duration::from_secs(1);
    // How far away it is is not known before it was asked, which is when much was written.
    assert_eq!(scene.core.take_to_measure(), []);
    assert_eq!(write(&mut scene, &mut offset, 5 * second), [0].into());
    assert_eq!(scene.core.take_to_measure(), [(TO, destination(0))]);
    assert_eq!(scene.core.take_to_measure(), []);
    // The source is read over one all the same.
    scene.core.settings.max_connections = 32;
    for _ in 0..3 {
        scene.core.on_measured(TO, TRIP, scene.now);
    }
    let used = write(&mut scene, &mut offset, 3 * second);
    assert_eq!(used, [0, 1, 2, 3].into());
    // It is near again.
    for _ in 0..2 {
        scene.core.on_measured(TO, TRIP / 100, scene.now);
        write(&mut scene, &mut offset, 11 * second);
    }
    let unused: BTreeSet<_> = scene.core.take_unused_lanes().into_iter().collect();
    assert_eq!(unused, (1..4).map(lane).collect());
    assert_eq!(write(&mut scene, &mut offset, second), [0].into());
}
