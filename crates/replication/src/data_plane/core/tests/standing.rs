//! Partitions that stand and are resumed, one by one.

use kafka_wire::error_code::ErrorCode;

use super::scene::{SOURCE_ID, Scene, TO, batch, destination, settings, source};
use crate::data_plane::core::{Answer, Established, NotResumed, Place};
use crate::data_plane::partition::{Leader, Stop};
use config::link::OnGap;

fn stopped(scene: &mut Scene, index: usize, state: &'static str, offset: i64) {
    let stop = Stop {
        state,
        offset: Some(offset),
        reason: "for a test".to_owned(),
        lost: None,
    };
    scene
        .core
        .restart(index, "for a test".to_owned(), scene.now);
    scene.pass(std::time::Duration::from_secs(10));
    scene.locate();
    assert_eq!(scene.establish_orders().len(), 1);
    scene
        .core
        .on_established(index, Established::Stop(stop), scene.now);
    assert_eq!(scene.stop_of(index).expect("it stands").state, state);
}

#[test]
fn a_resumed_partition_begins_again_and_no_other_is_touched() {
    let mut scene = Scene::with(settings(), 2);
    let lives = scene.partition(1).life;
    stopped(&mut scene, 0, "source-gap", 5);
    assert_eq!(
        scene.core.resume(&source(1), Answer::Again, None),
        Err(NotResumed::Runs)
    );
    assert_eq!(
        scene.core.resume(&source(7), Answer::Again, None),
        Err(NotResumed::Unknown)
    );
    assert_eq!(
        scene.core.resume(&source(0), Answer::Again, Some(4)),
        Err(NotResumed::Moved(Some(5)))
    );
    assert_eq!(
        scene.core.resume(&source(0), Answer::SkipRecord, None),
        Err(NotResumed::NotPossible("source-gap", Answer::SkipRecord))
    );
    assert_eq!(
        scene.core.resume(&source(0), Answer::Again, Some(5)),
        Ok(())
    );
    scene.settle();
    assert!(scene.is_running(0));
    assert_eq!(scene.partition(1).life, lives);
}

#[test]
fn going_on_behind_a_gap_holds_for_one_beginning() {
    let mut scene = Scene::running();
    stopped(&mut scene, 0, "source-gap", 5);
    let resumed = scene.core.resume(&source(0), Answer::Continue, None);
    assert_eq!(resumed, Ok(()));
    scene.locate();
    let orders = scene.establish_orders();
    assert_eq!(orders[0].on_gap, OnGap::Continue);
    scene.establish(&orders[0]);
    scene.settle();
    scene.core.restart(0, "again".to_owned(), scene.now);
    scene.pass(std::time::Duration::from_secs(10));
    scene.locate();
    assert_eq!(scene.establish_orders()[0].on_gap, OnGap::Stop);
}

#[test]
fn a_topic_made_anew_is_appended_from_its_first_record() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 3)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    stopped(&mut scene, 0, "source-recreated", 3);
    let resumed = scene.core.resume(&source(0), Answer::Append, Some(3));
    assert_eq!(resumed, Ok(()));
    scene.locate();
    let orders = scene.establish_orders();
    assert!(orders[0].position.is_none());
    assert_eq!(orders[0].destination, destination(0));
}

#[test]
fn a_refused_record_is_left_out_and_the_next_one_is_copied() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::INVALID_TIMESTAMP));
    assert_eq!(scene.stop_of(0).expect("it stands").state, "refused");
    let resumed = scene.core.resume(&source(0), Answer::SkipRecord, Some(0));
    assert_eq!(resumed, Ok(()));
    scene.settle();
    assert_eq!(scene.partition(0).totals.skipped, 1);
    scene.fetch(0, &[batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 2);
}

#[test]
fn what_was_said_of_a_gap_does_not_hold_for_the_next_one() {
    let mut scene = Scene::running();
    stopped(&mut scene, 0, "source-gap", 5);
    let resumed = scene.core.resume(&source(0), Answer::Continue, None);
    assert_eq!(resumed, Ok(()));
    scene.locate();
    assert_eq!(scene.establish_orders()[0].on_gap, OnGap::Continue);
    // It stands for something else meanwhile.
    let stop = Stop {
        state: "destination-foreign-writes",
        offset: Some(5),
        reason: "for a test".to_owned(),
        lost: None,
    };
    scene
        .core
        .on_established(0, Established::Stop(stop), scene.now);
    let resumed = scene.core.resume(&source(0), Answer::Again, None);
    assert_eq!(resumed, Ok(()));
    scene.locate();
    assert_eq!(scene.establish_orders()[0].on_gap, OnGap::Stop);
}

#[test]
fn a_broker_that_is_ill_for_a_moment_and_gives_no_reason_makes_nothing_stand() {
    let mut scene = Scene::running();
    for _ in 0..4 {
        scene.fetch(0, &[batch(0, 2)]);
        let sent = scene.send_one();
        scene.answer(&sent, Err(ErrorCode::UNKNOWN_SERVER_ERROR));
        assert!(scene.stop_of(0).is_none());
        scene.pass(std::time::Duration::from_secs(1));
        scene.settle();
        while !scene.is_running(0) {
            let due = scene.core.next_timer().expect("it is tried again");
            scene.now = scene.now.max(due);
            scene.core.on_time(scene.now);
            scene.settle();
        }
    }
    scene.fetch(0, &[batch(0, 2)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 2);
}

/// Another leader at the source since, in this epoch.
fn led_by_another(scene: &mut Scene, epoch: i32) {
    let leader = Leader { node: TO, epoch };
    let topic_id = SOURCE_ID;
    scene.places.insert(source(0), Place { leader, topic_id });
    scene.core.look_again(&source(0).topic);
    scene.locate();
}

#[test]
fn what_was_compared_with_a_former_leader_is_compared_again() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), None);
    scene.locate();
    let orders = scene.establish_orders();
    led_by_another(&mut scene, 1);
    assert_eq!(scene.establish_orders().len(), 0, "one at a time");
    scene.establish(&orders[0]);
    assert!(!scene.core.waits_for_store() && !scene.is_running(0));

    // And once more while its position is being stored.
    scene.locate();
    let orders = scene.establish_orders();
    scene.establish(&orders[0]);
    assert_eq!(scene.core.take_positions(false).len(), 1);
    led_by_another(&mut scene, 2);
    scene.core.on_stored();
    assert!(!scene.is_running(0));
    let lives = scene.partition(0).life;
    scene.settle();
    assert!(scene.is_running(0));
    assert_eq!(scene.partition(0).life, lives + 1);
    led_by_another(&mut scene, 2);
    assert!(scene.is_running(0), "nothing has changed");
}
