//! Source logs that end in offsets without a record.

use kafka_wire::batch::RawBatch;

use super::scene::{Scene, batch, source, stored};
use crate::data_plane::status::Snapshot;

/// A partition with records at offsets 0 to 2, all of them copied; the source's log goes on to `end`.
fn copied(end: i64, compacted: bool) -> Scene {
    let mut scene = Scene::running();
    let partition = scene.core.partitions.get_mut(&0).expect("assigned");
    partition.placing.compacted = compacted;
    scene.fetch(0, &[batch(0, 3)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    scene.core.on_ends(&[(source(0), end)], scene.now);
    scene
}

fn lag(scene: &Scene) -> Option<i64> {
    Snapshot::of(&scene.core, None).partitions[0].lag()
}

#[test]
fn nothing_is_left_to_copy_where_no_record_can_be_read_any_more() {
    let mut scene = copied(5, true);
    for behind in [2, 2, 0, 0] {
        scene.fetch(0, &[]);
        assert_eq!(lag(&scene), Some(behind));
    }
    // It is shown, and read on from where it was.
    assert_eq!(scene.offset(0), 3);
    let stored = scene.store();
    assert_eq!(stored[0].position.offset.0, 3);
    scene.core.on_ends(&[(source(0), 6)], scene.now);
    assert_eq!(lag(&scene), Some(1));
    scene.fetch(0, &[batch(5, 1)]);
    assert_eq!(lag(&scene), Some(1));
    let sent = scene.send_one();
    scene.answer(&sent, Ok(103));
    assert_eq!((lag(&scene), scene.offset(0)), (Some(0), 6));
}

#[test]
fn an_answer_that_holds_records_of_others_says_nothing() {
    let mut scene = copied(5, true);
    scene.assign(source(1), super::scene::destination(1), None);
    scene.settle();
    for base in 0..5 {
        scene.fetch(1, &[batch(base, 1)]);
        assert_eq!(lag(&scene), Some(2));
    }
}

#[test]
fn where_no_cleaner_can_have_been_nothing_is_concluded() {
    let mut scene = copied(5, false);
    for _ in 0..9 {
        scene.fetch(0, &[]);
        assert_eq!(lag(&scene), Some(2));
    }
}

#[test]
fn what_waits_to_be_compared_does_not_wait_for_records_that_never_come() {
    let mut scene = Scene::running();
    let landed = RawBatch::parse(batch(0, 3)).expect("well formed");
    let landed = stored(&landed, 100, 0);
    scene.landed.insert(0, vec![landed]);
    scene.core.begin_again(&[source(0)].into());
    scene.pass_and_settle();
    // Its cleaner has taken the last record, and nothing follows.
    scene.fetch(0, &[batch(0, 2)]);
    scene.core.on_ends(&[(source(0), 3)], scene.now);
    for _ in 0..2 {
        scene.fetch(0, &[]);
        assert!(scene.is_running(0) && scene.send().is_empty());
    }
    scene.fetch(0, &[]);
    assert_eq!(scene.partition(0).totals.repeated, 3);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 2)]);
    let sent = scene.send_one();
    assert_eq!(sent.batches()[0].1, 1, "under another epoch");
}
