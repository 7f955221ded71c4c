//! What waits to be compared with what landed: it has a share of the memory, and all of it is compared in the end.

use kafka_wire::batch::RawBatch;
use kafka_wire::types::NodeId;

use super::scene::{
    FROM, SOURCE_ID, Scene, batch, destination, led_by, position, settings, source, stored,
};
use crate::data_plane::core::{Index, Settings};

/// How many records were merged into the one batch that landed.
const MERGED: i64 = 6;

/// Batches of one record that may wait.
const SHARE: usize = 3;

/// Bytes of a batch of one record.
fn size() -> usize {
    batch(0, 1).len()
}

/// Partitions of which one batch of [`MERGED`] records has landed. The source has a batch for each record.
fn scene(partitions: i32) -> Scene {
    let mut scene = Scene::new(Settings {
        memory: 8 * SHARE * size(),
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

/// A broker answers with the next record of all that it is asked for, while there is one.
fn read(scene: &mut Scene, node: NodeId) {
    let asked = asked(scene, node).into_iter();
    let answers = asked.map(|(index, at)| {
        let next = (at < MERGED).then(|| batch(at, 1));
        scene.answer_of(index, at, next.as_slice())
    });
    let answers = answers.collect();
    scene.answer_fetch(node, answers);
}

fn waiting(scene: &Scene, index: Index) -> usize {
    scene.partition(index).recovery.bytes() / size()
}

#[test]
fn what_waits_to_be_compared_has_a_share_of_the_memory_and_all_of_it_is_found() {
    const PARTITIONS: i32 = 40;
    let mut scene = scene(PARTITIONS);
    scene.settle();
    let all = 0..usize::try_from(PARTITIONS).expect("small");
    let mut answers = 0;
    while all.clone().any(|index| scene.offset(index) < MERGED) {
        read(&mut scene, FROM);
        answers += 1;
        let waiting: usize = all.clone().map(|index| waiting(&scene, index)).sum();
        assert!(waiting <= SHARE.max(5), "{waiting} batches wait");
        assert_eq!(
            scene.core.buffers.used(),
            waiting * size(),
            "and no answer is kept for them"
        );
        assert!(answers < 10 * PARTITIONS, "it goes on");
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
    assert_eq!(read_of(FROM), [1, 0]);
    assert_eq!(read_of(FROM), [2, 0]);
    assert_eq!(read_of(OTHER), [2, 1]);
    assert_eq!(read_of(OTHER), [0, 2], "who was read longest ago lets go");
    // Its broker still owes an answer to what was asked before.
    assert_eq!(read_of(FROM), [0, 2]);
    assert!(scene.next_order().is_none(), "and is not read meanwhile");
    let away = "broker 2: it is away";
    scene.core.on_fetch_failed(OTHER.into(), away, scene.now);
    assert_eq!([0, 1].map(|index| waiting(&scene, index)), [0, 0]);
    assert_eq!(asked(&mut scene, FROM), [(0, 0)], "from its beginning");
}
