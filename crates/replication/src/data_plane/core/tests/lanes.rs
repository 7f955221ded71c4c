//! Connections that destination brokers are written over: how a partition changes from one to another, and when there are more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::BatchBuilder;
use kafka_wire::message::TransactionVersion;
use kafka_wire::types::ProducerIdentity;

use super::scene::{FROM, Scene, TO, batch, destination, position, settings, source};
use crate::data_plane::core::LaneId;
use crate::data_plane::transaction::TransactionPlan;
use crate::position::Position;

const TRIP: Duration = Duration::from_millis(100);

fn lane(number: u16) -> LaneId {
    LaneId { node: TO, number }
}

/// So many connections are there, and partitions are spread over them by number.
fn write_over(scene: &mut Scene, count: u16) {
    scene.core.on_lane_stands(lane(0), scene.now);
    scene.core.set_lanes(TO, count, scene.now);
    for lane in scene.core.take_lanes_to_make() {
        scene.core.on_lane_stands(lane, scene.now);
    }
    scene.core.spread(TO, count);
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
    let mut scene = Scene::with(settings(), 2);
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
    write_over(&mut scene, 2);
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
    write_over(&mut scene, 1);
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
    let mut scene = Scene::with(settings(), 2);
    write_over(&mut scene, 2);
    read(&mut scene, 0);
    write_over(&mut scene, 1);
    assert_eq!(scene.core.take_unused_lanes(), [lane(1)]);
    let [(sent, partitions)] = &leaves(&mut scene)[..] else {
        panic!("one request");
    };
    assert_eq!((sent.lane, partitions.len()), (lane(0), 2));
}

#[test]
fn a_connection_that_was_to_end_when_all_is_answered_stays_if_it_is_needed_again() {
    let mut scene = Scene::with(settings(), 2);
    write_over(&mut scene, 2);
    read(&mut scene, 0);
    let first = leaves(&mut scene);
    assert_eq!(first.len(), 2);
    write_over(&mut scene, 1);
    write_over(&mut scene, 2);
    for (sent, _) in &first {
        scene.answer(sent, Ok(100));
    }
    assert_eq!(scene.core.take_unused_lanes(), []);
    read(&mut scene, 1);
    assert_eq!(leaves(&mut scene).len(), 2);
}

/// Over which connection what leaves now goes, and of which partitions.
fn goes(scene: &mut Scene) -> (Vec<super::scene::Sent>, Vec<(u16, Vec<i32>)>) {
    let left = leaves(scene).into_iter();
    left.map(|(sent, partitions)| {
        let goes = (sent.lane.number, partitions);
        (sent, goes)
    })
    .unzip()
}

#[test]
fn a_steady_flow_leaves_the_connection_of_a_backlog_when_the_broker_is_slow_and_comes_back_with_its_end()
 {
    let mut scene = Scene::with(settings(), 2);
    scene.core.settings.max_connections = 2;
    read(&mut scene, 0);
    let sent = scene.send_one();
    scene.core.on_lane_stands(lane(0), scene.now);
    scene.answer(&sent, Ok(100));
    // Of the first partition there is more to be read than comes.
    scene
        .core
        .on_ends(&[(source(0), 1_000_000), (source(1), 1)], scene.now);
    read(&mut scene, 1);
    let (first, numbers) = goes(&mut scene);
    assert_eq!(numbers, [(0, vec![0, 1])]);
    scene.now += SECOND / 2;
    scene.core.tend_lanes(scene.now);
    assert_eq!(scene.core.take_lanes_to_make(), []);
    read(&mut scene, 2);
    let (second, numbers) = goes(&mut scene);
    assert_eq!(numbers, [(0, vec![0, 1])]);

    scene.now += SECOND / 2;
    scene.core.tend_lanes(scene.now);
    let apart = lane(LaneId::APART);
    assert_eq!(scene.core.take_lanes_to_make(), [apart]);
    scene.core.on_lane_stands(apart, scene.now);
    // A request is on its way over the one at any time; the other partition waits for what it has there.
    read(&mut scene, 3);
    let (third, numbers) = goes(&mut scene);
    assert_eq!(numbers, [(0, vec![0])]);
    scene.answer(&first[0], Ok(101));
    read(&mut scene, 4);
    let (fourth, numbers) = goes(&mut scene);
    assert_eq!(numbers, [(0, vec![0])]);
    scene.answer(&second[0], Ok(102));
    // Two batches of it have come meanwhile.
    let (fifth, numbers) = goes(&mut scene);
    let over = (LaneId::APART, vec![1]);
    assert_eq!(numbers, [over.clone(), over]);
    for (sent, base) in fifth.iter().zip(103..) {
        scene.answer(sent, Ok(base));
    }
    for (sent, base) in [(&third[0], 103), (&fourth[0], 104)] {
        scene.answer(sent, Ok(base));
    }

    // For half a minute nothing takes long.
    scene.now += SECOND * 31;
    scene.core.tend_lanes(scene.now);
    assert_eq!(scene.core.take_unused_lanes(), [apart]);
    read(&mut scene, 5);
    assert_eq!(goes(&mut scene).1, [(0, vec![0, 1])]);
    assert!(scene.is_running(0) && scene.is_running(1));
}

/// A batch of 16 KiB and a little.
fn large(base: i64) -> Bytes {
    BatchBuilder::new(base)
        .record(None, Some(&[7; 16 * 1024]))
        .build()
}

/// What a connection does that is to be made.
#[derive(Clone, Copy)]
enum Made {
    Stands,
    Hangs,
    /// It is refused.
    Fails,
}

/// One batch of each partition after the other, each of which takes a round trip, for so long. The connections that were used, each with
/// the partitions that went over it last.
fn write(scene: &mut Scene, offset: &mut i64, lasts: Duration) -> BTreeMap<u16, Vec<i32>> {
    write_where(scene, offset, lasts, |_| Made::Stands)
}

fn write_where(
    scene: &mut Scene,
    offset: &mut i64,
    lasts: Duration,
    made: fn(LaneId) -> Made,
) -> BTreeMap<u16, Vec<i32>> {
    let mut used = BTreeMap::new();
    let end = scene.now + lasts;
    while scene.now < end {
        scene.order();
        let all = 0..scene.core.partitions.len();
        let answers = all.map(|index| scene.answer_of(index, *offset, &[large(*offset)]));
        let answers = answers.collect();
        scene.answer_fetch(FROM, answers);
        for lane in scene.core.take_lanes_to_make() {
            match made(lane) {
                Made::Stands => scene.core.on_lane_stands(lane, scene.now),
                Made::Hangs => {}
                Made::Fails => scene.core.on_lane_gone(lane, true, scene.now),
            }
        }
        let sent = leaves(scene);
        scene.now += TRIP;
        used = sent
            .iter()
            .map(|(sent, partitions)| (sent.lane.number, partitions.clone()))
            .collect();
        for (sent, _) in &sent {
            scene.answer(sent, Ok(100 + *offset));
        }
        *offset += 1;
    }
    used
}

/// Partitions of these numbers with much to catch up with, to a broker as far away as [`TRIP`].
fn far_away(numbers: impl Iterator<Item = i32> + Clone) -> Scene {
    let mut scene = Scene::new(settings());
    for number in numbers.clone() {
        scene.assign(source(number), destination(number), None);
    }
    scene.settle();
    let ends: Vec<_> = numbers.map(|number| (source(number), 1_000_000)).collect();
    scene.core.on_ends(&ends, scene.now);
    measure(&mut scene);
    scene
}

fn measure(scene: &mut Scene) {
    // The source is read over one all the same.
    scene.core.settings.max_connections = 32;
    for _ in 0..3 {
        scene.core.on_measured(TO, TRIP, scene.now);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Four partitions over a connection each, and the offset that comes next. No more connections are tried for as many.
fn written_over_four() -> (Scene, i64) {
    let mut scene = far_away(0..4);
    write_over(&mut scene, 4);
    let mut offset = 0;
    write(&mut scene, &mut offset, SECOND);
    (scene, offset)
}

fn numbers(used: &BTreeMap<u16, Vec<i32>>) -> Vec<u16> {
    used.keys().copied().collect()
}

fn how_many(used: &BTreeMap<u16, Vec<i32>>) -> Vec<usize> {
    used.values().map(Vec::len).collect()
}

#[test]
fn a_broker_that_is_far_away_is_written_over_more_connections_while_others_have_to_catch_up() {
    let mut scene = Scene::with(settings(), 8);
    let ends: Vec<_> = (0..8).map(|number| (source(number), 1_000_000)).collect();
    scene.core.on_ends(&ends, scene.now);
    let mut offset = 0;
    // How far away it is is not known before it was asked, which is when much was written.
    assert_eq!(scene.core.take_to_measure(), []);
    assert_eq!(numbers(&write(&mut scene, &mut offset, 5 * SECOND)), [0]);
    assert_eq!(scene.core.take_to_measure(), [(TO, destination(0))]);
    assert_eq!(scene.core.take_to_measure(), []);
    measure(&mut scene);
    let used = write(&mut scene, &mut offset, 3 * SECOND);
    assert_eq!(numbers(&used), [0, 1, 2, 3]);
    // It is near again.
    for _ in 0..2 {
        scene.core.on_measured(TO, TRIP / 100, scene.now);
        write(&mut scene, &mut offset, 11 * SECOND);
    }
    let unused: BTreeSet<_> = scene.core.take_unused_lanes().into_iter().collect();
    assert_eq!(unused, (1..4).map(lane).collect());
    assert_eq!(numbers(&write(&mut scene, &mut offset, SECOND)), [0]);
}

#[test]
fn partitions_of_one_of_four_brokers_are_spread_as_all_others() {
    let mut scene = far_away((0..8).map(|place| place * 4));
    let used = write(&mut scene, &mut 0, 3 * SECOND);
    assert_eq!(how_many(&used), [2, 2, 2, 2], "{used:?}");
}

#[test]
fn nothing_waits_for_a_connection_that_is_yet_to_be_made() {
    let mut scene = far_away(0..8);
    let mut offset = 0;
    let hangs = |lane: LaneId| match lane.number {
        3 => Made::Hangs,
        _ => Made::Stands,
    };
    let used = write_where(&mut scene, &mut offset, 3 * SECOND, hangs);
    assert_eq!(how_many(&used), [3, 3, 2], "{used:?}");
    scene.core.on_lane_stands(lane(3), scene.now);
    let used = write(&mut scene, &mut offset, SECOND);
    assert_eq!(how_many(&used), [2, 2, 2, 2], "{used:?}");
}

#[test]
fn a_connection_that_is_refused_takes_the_step_back_and_nothing_along() {
    let mut scene = far_away(0..8);
    let mut offset = 0;
    let fails = |lane: LaneId| match lane.number {
        2 => Made::Fails,
        _ => Made::Stands,
    };
    let used = write_where(&mut scene, &mut offset, 10 * SECOND, fails);
    assert_eq!(numbers(&used), [0]);
    let unused: BTreeSet<_> = scene.core.take_unused_lanes().into_iter().collect();
    assert_eq!(unused, [1, 2, 3].map(lane).into());
    assert!((0..8).all(|index| scene.is_running(index)));
}

#[test]
fn partitions_of_a_connection_that_broke_go_over_the_others_until_it_is_made_again() {
    let (mut scene, mut offset) = written_over_four();
    for broken in [3, 0] {
        scene
            .core
            .on_lane_ended(lane(broken), &[], "cut", scene.now);
        scene.core.on_lane_gone(lane(broken), true, scene.now);
        let used = write(&mut scene, &mut offset, SECOND);
        assert!(!used.contains_key(&broken), "{used:?}");
        let mut counts = how_many(&used);
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 2], "{used:?}");
        // It is not tried again at once.
        scene.core.tend_lanes(scene.now);
        assert_eq!(scene.core.take_lanes_to_make(), []);
        write(&mut scene, &mut offset, 2 * SECOND);
        scene.core.tend_lanes(scene.now);
        let used = write(&mut scene, &mut offset, SECOND);
        assert_eq!(how_many(&used), [1, 1, 1, 1], "{used:?}");
    }
}

#[test]
fn after_all_have_broken_the_others_follow_the_first_that_is_there() {
    let (mut scene, mut offset) = written_over_four();
    for broken in (0..4).map(lane) {
        scene.core.on_lane_ended(broken, &[], "cut", scene.now);
        scene.core.on_lane_gone(broken, true, scene.now);
    }
    assert_eq!(scene.core.ways()[0].connections, 1);
    scene.now += 10 * SECOND;
    scene.core.tend_lanes(scene.now);
    assert_eq!(scene.core.take_lanes_to_make(), [], "nobody answers yet");
    assert_eq!(numbers(&write(&mut scene, &mut offset, SECOND)), [0]);
    scene.core.tend_lanes(scene.now);
    let used = write(&mut scene, &mut offset, SECOND);
    assert_eq!(how_many(&used), [1, 1, 1, 1], "{used:?}");
    assert_eq!(scene.core.ways()[0].connections, 4);
}

#[test]
fn what_waited_for_connections_that_are_given_up_waits_for_the_first() {
    let mut scene = Scene::with(settings(), 2);
    write_over(&mut scene, 2);
    read(&mut scene, 0);
    scene.core.on_lanes_given_up(TO, scene.now);
    let [(sent, partitions)] = &leaves(&mut scene)[..] else {
        panic!("one request");
    };
    assert_eq!((sent.lane, partitions.len()), (lane(0), 2));
}

#[test]
fn without_anything_to_write_there_is_one_connection_again_and_a_broker_without_partitions_is_forgotten()
 {
    let (mut scene, _) = written_over_four();
    assert_eq!(scene.core.ways()[0].connections, 4);
    scene.now += 59 * SECOND;
    assert!(!scene.core.tend_lanes(scene.now));
    scene.now += 2 * SECOND;
    assert!(scene.core.tend_lanes(scene.now));
    assert_eq!(scene.core.take_unused_lanes().len(), 3);
    assert_eq!(scene.core.ways()[0].connections, 1);
    assert_eq!(scene.core.lanes.len(), 1);
    for partition in scene.core.partitions.values_mut() {
        partition.destination_leader = None;
    }
    assert!(scene.core.tend_lanes(scene.now));
    assert!(scene.core.lanes.is_empty());
}

#[test]
fn in_transactions_there_is_one_connection() {
    let mut scene = Scene::new(settings());
    scene.core.transact(TransactionPlan {
        id: "link-0".to_owned(),
        version: TransactionVersion::EpochPerTransaction,
        writer: ProducerIdentity { id: 900, epoch: 0 },
        interval: 1000 * SECOND,
    });
    for number in 0..8 {
        let stored = Position {
            transactional: true,
            ..position(0, 100, 0)
        };
        scene.assign(source(number), destination(number), Some(stored));
    }
    scene.settle();
    let ends: Vec<_> = (0..8).map(|number| (source(number), 1_000_000)).collect();
    scene.core.on_ends(&ends, scene.now);
    measure(&mut scene);
    let used = write(&mut scene, &mut 0, 10 * SECOND);
    assert_eq!((numbers(&used), how_many(&used)), (vec![0], vec![8]));
    assert!(scene.core.ways()[0].is_all);
}

#[test]
fn a_connection_with_nothing_to_send_keeps_no_other_from_sending() {
    let mut scene = Scene::with(settings(), 2);
    write_over(&mut scene, 2);
    read(&mut scene, 0);
    // What waits for one of both is read again before it could leave.
    let waits = scene.core.partitions[&0].over.home;
    scene.core.restart(0, "gone".to_owned(), scene.now);
    let sent = scene.send_one();
    assert_ne!(sent.lane.number, waits);
}
