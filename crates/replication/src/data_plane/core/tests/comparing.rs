//! What waits to be compared with what landed: it has a share of the memory, and all of it is compared in the end.

use std::time::Duration;

use kafka_wire::batch::RawBatch;
use kafka_wire::types::NodeId;

use super::scene::{
    FROM, SOURCE_ID, Scene, batch, destination, led_by, position, settings, source, stored,
};
use crate::data_plane::core::{Index, Settings};
use crate::data_plane::piped::PipedBatch;

/// How many records were merged into the one batch that landed.
const MERGED: i64 = 6;

/// Batches of one record that may wait.
const SHARE: usize = 3;

/// Bytes of a batch of one record, and what counts of it.
fn size() -> usize {
    batch(0, 1).len()
}

fn counted() -> usize {
    size() + size_of::<PipedBatch>()
}

/// Partitions of which one batch of [`MERGED`] records has landed. The source has a batch for each record.
fn scene(partitions: i32) -> Scene {
    let mut scene = Scene::new(Settings {
        memory: 8 * SHARE * counted(),
        ..settings()
    });
    for partition in 0..partitions {
        let at = Some(position(0, 100, 0));
        let index = scene.assign(source(partition), destination(partition), at);
        let merged = batch(0, usize::try_from(MERGED).expect("small"));
        let merged = RawBatch::parse(merged).expect("well formed");
        scene.landed.insert(index, vec![stored(&merged, 100, 0)]);
    }
    scene
}

/// What a broker is asked for, with all questions asked that there are.
fn asked(scene: &mut Scene, node: NodeId) -> Vec<(Index, i64)> {
    while scene.next_order().is_some() {}
    let asked = scene.asked.get(&node).into_iter();
    asked.flat_map(|all| all.values().copied()).collect()
}

/// A broker answers with the next record of all that it is asked for, while there is one, and says how many those are.
fn read(scene: &mut Scene, node: NodeId) -> usize {
    let asked = asked(scene, node);
    let records = asked.iter().filter(|(_, at)| *at < MERGED);
    let records: Vec<_> = records.map(|(_, at)| batch(*at, 1)).collect();
    // One piece of memory for all of them.
    let mut answer = scene.core.buffers.adopt(records.concat().into());
    let answers = asked.iter().map(|(index, at)| {
        let size = if *at < MERGED { size() } else { 0 };
        scene.answer_with(*index, *at, answer.split_to(size))
    });
    let answers = answers.collect();
    drop(answer);
    scene.answer_fetch(node, answers);
    records.len()
}

fn waiting(scene: &Scene, index: Index) -> usize {
    scene.partition(index).recovery.bytes() / counted()
}

#[test]
fn what_waits_to_be_compared_has_a_share_of_the_memory_and_all_of_it_is_found() {
    const PARTITIONS: i32 = 40;
    let mut scene = scene(PARTITIONS);
    scene.settle();
    let all = 0..usize::try_from(PARTITIONS).expect("small");
    let mut records = 0;
    while all.clone().any(|index| scene.offset(index) < MERGED) {
        records += read(&mut scene, FROM);
        let waiting: usize = all.clone().map(|index| waiting(&scene, index)).sum();
        let newest = usize::try_from(MERGED).expect("small") - 1;
        assert!(waiting <= SHARE + newest, "{waiting} batches wait");
        assert_eq!(
            scene.core.buffers.used(),
            waiting * size(),
            "and no answer is kept for them"
        );
        assert!(
            records < 3 * all.len() * 6,
            "it goes on: {records} were read"
        );
    }
    for index in all {
        let totals = &scene.partition(index).totals;
        assert_eq!((totals.found, totals.repeated), (1, 0));
    }
    assert!(scene.send().is_empty(), "nothing is sent twice");
}

#[test]
fn where_nothing_comes_for_one_that_waits_the_others_do_not_wait_for_it() {
    const OTHER: NodeId = NodeId(2);
    let mut scene = scene(2);
    scene
        .places
        .insert(source(1), led_by(SOURCE_ID, OTHER.0, 0));
    scene.settle();
    let mut read_of = |node| {
        read(&mut scene, node);
        [0, 1].map(|index| waiting(&scene, index))
    };
    for records in 1..5 {
        assert_eq!(read_of(FROM), [records, 0], "what was read last goes on");
    }
    assert_eq!(read_of(OTHER), [0, 1], "who was read longest ago lets go");
    // Its broker still owes an answer to what was asked before.
    assert_eq!(read_of(FROM), [0, 1]);
    assert!(scene.next_order().is_none(), "and is not read meanwhile");
    for seconds in [0, 9] {
        scene.now += Duration::from_secs(seconds);
        scene.core.look_at_comparing(scene.now);
        assert!(scene.next_order().is_none(), "the other one may be read on");
    }
    scene.now += Duration::from_secs(1);
    scene.core.look_at_comparing(scene.now);
    assert_eq!([0, 1].map(|index| waiting(&scene, index)), [0, 0]);
    for record in 0..MERGED {
        assert_eq!(asked(&mut scene, FROM), [(0, record)], "from its beginning");
        read(&mut scene, FROM);
    }
    assert_eq!([0, 1].map(|index| scene.offset(index)), [MERGED, 0]);
    // What its broker still owes, and then again what it let go of.
    for record in [1, 0] {
        assert_eq!(asked(&mut scene, OTHER), [(1, record)]);
        read(&mut scene, OTHER);
    }
    assert_eq!(waiting(&scene, 1), 1);
}

#[test]
fn where_there_is_less_memory_less_waits() {
    let mut scene = scene(3);
    scene.settle();
    read(&mut scene, FROM);
    let all = |scene: &Scene| [0, 1, 2].map(|index| waiting(scene, index));
    assert_eq!(all(&scene), [1, 1, 1]);
    // For another link.
    scene.core.settings.memory = 8 * counted();
    scene.core.look_at_comparing(scene.now);
    assert_eq!(all(&scene), [0, 1, 1]);
    // What is begun anew has nothing to wait for.
    scene
        .core
        .restart(0, "a leader moved".to_owned(), scene.now);
    assert!(!scene.core.is_compared_later(0));
}
