//! Second copies of what was sent, which a broker has carried out late.

use kafka_wire::batch::BatchBuilder;
use kafka_wire::error_code::ErrorCode;

use super::scene::{Scene, Sent, batch, destination, position, settings, source};
use crate::data_plane::core::{Established, Watched};
use crate::data_plane::partition::Stop;

/// A partition of which one batch is copied, and the next one on its way.
fn copying(shared: bool) -> (Scene, Sent) {
    let settings = crate::data_plane::core::Settings {
        shared,
        ..settings()
    };
    let mut scene = Scene::with(settings, 1);
    scene.fetch(0, &[batch(0, 3), batch(3, 2)]);
    let first = scene.send_one();
    scene.answer(&first, Ok(100));
    let second = scene.send_one();
    (scene, second)
}

/// The connection is cut before a request is answered, and the partition begins anew.
fn cut(scene: &mut Scene, sent: &Sent) {
    scene
        .core
        .on_lane_ended(sent.lane, &[sent.tag], "cut", scene.now);
    scene.pass_and_settle();
}

#[test]
fn a_log_that_goes_on_where_it_was_known_to_end_is_not_looked_at() {
    let (mut scene, sent) = copying(false);
    scene.answer(&sent, Ok(103));
    assert!(scene.core.take_looks().is_empty());
}

#[test]
fn whose_a_stretch_is_that_was_not_sent_is_looked_up_and_told() {
    let (mut scene, sent) = copying(false);
    scene.answer(&sent, Ok(106));
    let looks = scene.core.take_looks();
    assert_eq!(looks.len(), 1);
    let look = &looks[0];
    assert_eq!((look.partition.clone(), look.producer), (destination(0), 7));
    let ranges: Vec<_> = look.stretches.iter().map(|s| (s.from, s.to)).collect();
    assert_eq!(ranges, [(103, 106)]);
    assert!(scene.core.take_looks().is_empty(), "it is being looked at");
    scene
        .core
        .on_looked(vec![(look.clone(), Ok(vec![(103, 106)]))]);
    assert_eq!(scene.partition(0).totals.repeated, 3);
    assert!(scene.is_running(0));
}

/// What comes late was sent before what it is found in front of, and may be older.
#[test]
fn what_may_come_late_is_as_old_as_what_was_in_doubt() {
    let (mut scene, sent) = copying(false);
    cut(&mut scene, &sent);
    let old = scene.partition(0).next_fetch;
    assert_eq!(old, 3);
    let young = BatchBuilder::new(3).base_timestamp(1 << 50);
    scene.fetch(0, &[young.record(None, Some(b"v")).build()]);
    let again = scene.send_one();
    scene.answer(&again, Ok(108));
    let looks = scene.core.take_looks();
    assert_eq!(looks[0].stretches[0].record_time, 0);
}

#[test]
fn what_a_process_before_this_one_has_sent_may_come_late_too() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(position(0, 100, 0)));
    scene.settle();
    scene.fetch(0, &[batch(0, 3)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(105));
    let looks = scene.core.take_looks();
    assert_eq!(looks[0].stretches[0].record_time, i64::MIN);
}

#[test]
fn what_comes_late_is_noticed_where_nothing_is_written_any_more_and_told_once() {
    let (mut scene, sent) = copying(false);
    cut(&mut scene, &sent);
    scene.fetch(0, &[batch(3, 2)]);
    let again = scene.send_one();
    scene.answer(&again, Ok(103));
    let watch = |scene: &mut Scene, end| {
        let [_, watched] = scene.core.take_watch(scene.now);
        let ends = watched.into_values().flatten();
        let watched = Watched {
            destination_ends: ends.map(|partition| (partition, end)).collect(),
            ..Watched::default()
        };
        scene.core.on_watched(&watched, scene.now);
        scene.core.take_looks()
    };
    assert!(watch(&mut scene, 105).is_empty());
    let looks = watch(&mut scene, 107);
    let stretch = looks[0].stretches[0];
    assert_eq!((stretch.from, stretch.to), (105, 107));
    let found = vec![(looks[0].clone(), Ok(vec![(105, 107)]))];
    scene.core.on_looked(found);
    assert!(watch(&mut scene, 107).is_empty());
    // It is met again in front of the next batch.
    scene.fetch(0, &[batch(5, 1)]);
    let next = scene.send_one();
    scene.answer(&next, Ok(107));
    assert!(scene.core.take_looks().is_empty());
    assert_eq!(scene.partition(0).totals.repeated, 2);
    scene.pass(std::time::Duration::from_secs(700));
    assert!(
        watch(&mut scene, 200).is_empty(),
        "nothing is awaited any more"
    );
}

#[test]
fn what_could_not_be_looked_at_is_looked_at_again_and_not_for_ever() {
    let (mut scene, sent) = copying(false);
    scene.answer(&sent, Ok(106));
    let mut looks = 0;
    loop {
        let orders = scene.core.take_looks();
        let Some(order) = orders.into_iter().next() else {
            break;
        };
        looks += 1;
        let trouble = Err("no broker".to_owned());
        scene.core.on_looked(vec![(order, trouble)]);
    }
    assert_eq!(looks, 10);
}

/// A process that starts behind it would never look there.
#[test]
fn a_position_is_not_stored_behind_what_may_be_a_copy_before_that_was_looked_at() {
    let (mut scene, sent) = copying(false);
    cut(&mut scene, &sent);
    scene.store();
    scene.fetch(0, &[batch(3, 2)]);
    let again = scene.send_one();
    scene.answer(&again, Ok(105));
    assert!(scene.core.take_positions(true).is_empty());
    let look = scene.core.take_looks().remove(0);
    assert!(scene.core.take_positions(true).is_empty());
    scene.core.on_looked(vec![(look, Ok(vec![(103, 105)]))]);
    let entries = scene.core.take_positions(true);
    assert_eq!(entries[0].position.destination_end.0, 107);
    scene.core.on_stored();
    // Where somebody else writes all the time something always waits to be looked at, and the position is not held for ever.
    let write = |scene: &mut Scene, offset: i64| {
        scene.fetch(0, &[batch(offset, 1)]);
        let sent = scene.send_one();
        scene.answer(&sent, Ok(98 + 2 * offset));
    };
    let held = (3..).position(|round| {
        write(&mut scene, 2 * round - 1);
        if !scene.core.take_positions(true).is_empty() {
            return true;
        }
        let looks = scene.core.take_looks();
        write(&mut scene, 2 * round);
        let none = looks.into_iter().map(|look| (look, Ok(Vec::new())));
        scene.core.on_looked(none.collect());
        false
    });
    assert_eq!(held, Some(3));
}

#[test]
fn copies_are_told_in_whatever_order_they_are_found() {
    let (mut scene, sent) = copying(false);
    scene.answer(&sent, Ok(106));
    let look = scene.core.take_looks().remove(0);
    scene.core.restart(0, "for a test".to_owned(), scene.now);
    scene.pass(std::time::Duration::from_secs(10));
    scene.locate();
    let orders = scene.establish_orders();
    let stop = Stop {
        state: "destination-foreign-writes",
        offset: Some(5),
        reason: "something is missing".to_owned(),
        lost: None,
    };
    let copies = Box::new([(120, 122), (130, 131)]);
    let found = Established::StopAndTell(stop, copies);
    scene.core.on_established(orders[0].index, found, scene.now);
    assert!(scene.stop_of(0).is_some());
    assert_eq!(scene.partition(0).totals.repeated, 3);
    scene.core.on_looked(vec![(look, Ok(vec![(103, 106)]))]);
    assert_eq!(scene.partition(0).totals.repeated, 6);
}

#[test]
fn where_others_of_the_link_write_only_what_follows_a_doubt_is_looked_at() {
    let (mut scene, sent) = copying(true);
    scene.answer(&sent, Ok(106));
    assert!(scene.core.take_looks().is_empty());
    let (mut scene, sent) = copying(true);
    cut(&mut scene, &sent);
    scene.fetch(0, &[batch(3, 2)]);
    let again = scene.send_one();
    scene.answer(&again, Err(ErrorCode::NOT_ENOUGH_REPLICAS));
    scene.pass_and_settle();
    scene.fetch(0, &[batch(3, 2)]);
    let again = scene.send_one();
    scene.answer(&again, Ok(106));
    assert_eq!(scene.core.take_looks().len(), 1);
}
