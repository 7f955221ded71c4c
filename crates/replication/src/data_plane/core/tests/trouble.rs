//! Scenes in which something goes wrong with one partition.

use std::time::Duration;

use config::link::{OnRecreate, StartPosition};
use kafka_wire::batch::{BatchBuilder, RawBatch};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{NodeId, TopicId};

use super::scene::{
    DESTINATION_ID, FROM, SOURCE_ID, Scene, Sent, TO, batch, destination, position, refused_fetch,
    response, settings, source, stored,
};
use crate::data_plane::core::{Assignment, Established, Place};
use crate::data_plane::partition::Leader;
use crate::data_plane::recovery::Landed;
use crate::side::Destination;

/// One partition with one acknowledged batch and `on_their_way` more.
fn proven(on_their_way: i64) -> (Scene, Vec<Sent>) {
    let mut scene = Scene::running();
    let batches: Vec<_> = (0..=on_their_way).map(|i| batch(i, 1)).collect();
    scene.fetch(0, &batches);
    let first = scene.send_one();
    scene.answer(&first, Ok(100));
    let sent = scene.send();
    assert_eq!(sent.len() as i64, on_their_way);
    (scene, sent)
}

#[test]
fn refusals_stop_at_once_or_are_tried_again_as_their_class_says() {
    for (code, tries) in [
        (ErrorCode::INVALID_RECORD, Some(1)),
        // Again with one record in a batch.
        (ErrorCode::MESSAGE_TOO_LARGE, Some(2)),
        (ErrorCode::INVALID_TIMESTAMP, Some(1)),
        (ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, Some(1)),
        (ErrorCode::INVALID_REQUIRED_ACKS, Some(3)),
        // A broker that is ill for a moment says no more than that.
        (ErrorCode::UNKNOWN_SERVER_ERROR, Some(3)),
        (ErrorCode::NOT_ENOUGH_REPLICAS, None),
        (ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
        (ErrorCode::REQUEST_TIMED_OUT, None),
        (ErrorCode::TOPIC_AUTHORIZATION_FAILED, None),
        (ErrorCode::CORRUPT_MESSAGE, None),
    ] {
        let mut scene = Scene::running();
        let mut stopped = None;
        for attempt in 1..=5 {
            scene.fetch(0, &[batch(0, 2)]);
            let sent = scene.send_one();
            assert_eq!(sent.batches(), [(destination(0), 0, 0)], "{code}");
            scene.answer(&sent, Err(code));
            if let Some(stop) = scene.stop_of(0) {
                assert_eq!((stop.state, stop.offset), ("refused", Some(0)), "{code}");
                stopped = Some(attempt);
                break;
            }
            assert_eq!(scene.offset(0), 0, "{code}");
            scene.pass_and_settle();
        }
        assert_eq!(stopped, tries, "{code}");
    }
}

#[test]
fn a_batch_that_is_damaged_at_the_source_too_is_read_twice_and_then_named() {
    let mut bytes = batch(5, 2).to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(position(5, 105, 0)));
    scene.settle();
    for _ in 0..2 {
        assert!(scene.stop_of(0).is_none());
        scene.fetch(0, &[bytes.clone().into()]);
        let sent = scene.send_one();
        scene.answer(&sent, Err(ErrorCode::CORRUPT_MESSAGE));
        scene.pass_and_settle();
    }
    let stop = scene.stop_of(0).expect("stopped");
    assert_eq!((stop.state, stop.offset), ("damaged", Some(5)));
    assert!(stop.reason.contains("offset 5"), "{}", stop.reason);
}

#[test]
fn out_of_order_alone_on_its_way_begins_a_new_epoch_and_among_others_does_not() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1)]);
    let alone = scene.send_one();
    scene.answer(&alone, Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.pass(Duration::from_secs(10));
    scene.locate();
    let orders = scene.establish_orders();
    assert!(orders[0].raise_epoch);
    scene.establish(&orders[0]);
    scene.settle();
    scene.fetch(0, &[batch(0, 1)]);
    assert_eq!(scene.send_one().batches(), [(destination(0), 1, 0)]);

    let (mut scene, sent) = proven(2);
    scene.answer(&sent[0], Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.answer(&sent[1], Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.pass(Duration::from_secs(10));
    scene.locate();
    assert!(!scene.establish_orders()[0].raise_epoch);
}

#[test]
fn a_partition_in_doubt_is_established_only_when_all_its_calls_have_ended() {
    let (mut scene, sent) = proven(3);
    scene.answer(&sent[0], Err(ErrorCode::REQUEST_TIMED_OUT));
    for sent in &sent[1..] {
        scene.pass(Duration::from_secs(10));
        scene.locate();
        assert!(scene.establish_orders().is_empty(), "calls are open");
        scene.answer(sent, Ok(500));
    }
    assert_eq!(scene.offset(0), 1, "answers of an earlier life");
    scene.pass(Duration::from_secs(10));
    scene.locate();
    assert_eq!(scene.establish_orders().len(), 1);
}

#[test]
fn a_look_up_that_began_while_it_ran_does_not_establish_it_with_calls_open() {
    let (mut scene, sent) = proven(2);
    scene.order();
    scene.core.on_fetch_failed(FROM.into(), "cut", scene.now);
    let orders = scene.core.take_locate().expect("leaders may have moved");
    scene.answer(&sent[0], Err(ErrorCode::REQUEST_TIMED_OUT));
    let located = orders.iter().map(|order| scene.located(order)).collect();
    scene.core.on_located(located, scene.now);
    assert!(scene.establish_orders().is_empty());
    scene.answer(&sent[1], Err(ErrorCode::REQUEST_TIMED_OUT));
    scene.pass(Duration::from_secs(10));
    scene.locate();
    assert_eq!(scene.establish_orders().len(), 1);
}

#[test]
fn a_partition_is_established_by_one_reading_at_a_time() {
    let mut scene = Scene::running();
    scene.order();
    scene.answer_fetch(
        FROM,
        vec![refused_fetch(0, 0, ErrorCode::OFFSET_OUT_OF_RANGE)],
    );
    assert!(!scene.is_running(0));
    scene.pass(Duration::from_secs(10));
    scene.locate();
    let first = scene.establish_orders();
    assert_eq!(first.len(), 1);
    // Its reader fails, which asks for the leaders once more.
    scene.core.on_fetch_failed(FROM.into(), "cut", scene.now);
    scene.pass(Duration::from_secs(10));
    scene.locate();
    assert!(scene.establish_orders().is_empty());
    scene.establish(&first[0]);
    assert!(scene.is_running(0));
}

#[test]
fn a_lane_that_ends_puts_its_calls_in_doubt_and_what_landed_is_not_sent_again() {
    let (mut scene, sent) = proven(3);
    let tags: Vec<u64> = sent.iter().map(|sent| sent.tag).collect();
    scene.core.on_lane_ended(TO.into(), &tags, "cut", scene.now);
    assert!(!scene.core.has_open_calls());
    assert_eq!(scene.offset(0), 1);
    let two = Landed {
        base: Destination(101),
        offsets: 2,
        batch: None,
    };
    scene.landed.insert(0, vec![two]);
    scene.pass_and_settle();
    let (_, order) = scene.order();
    assert_eq!(order.set[0].2.offset, 1);
    scene.fetched(0, 1, &[batch(1, 1), batch(2, 1), batch(3, 1)]);
    assert_eq!(scene.offset(0), 3, "two were found");
    assert_eq!(scene.partition(0).totals.found, 2);
    let sent = scene.send_one();
    assert_eq!(sent.batches(), [(destination(0), 0, 3)]);
    scene.answer(&sent, Ok(103));
    let entry = &scene.store()[0];
    assert_eq!(entry.position.destination_end, Destination(104));
    assert_eq!(
        entry.segments[0].runs.len(),
        1,
        "one for one, without a gap"
    );
}

#[test]
fn a_batch_that_was_cut_anew_at_the_source_is_sent_whole_and_counted() {
    let mut scene = Scene::new(settings());
    let index = scene.assign(source(0), destination(0), Some(position(0, 100, 0)));
    let one = Landed {
        base: Destination(100),
        offsets: 1,
        batch: None,
    };
    scene.landed.insert(index, vec![one]);
    scene.settle();
    scene.fetch(0, &[batch(0, 3)]);
    assert_eq!(scene.partition(0).totals.repeated, 1);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 3)]);
    assert_eq!(scene.send_one().batches(), [(destination(0), 1, 0)]);
}

#[test]
fn what_is_found_is_compared_and_records_that_the_source_has_lost_since_are_not_counted() {
    let value = |offset: i64| {
        let text = format!("value {offset}");
        BatchBuilder::new(offset)
            .record(None, Some(text.as_bytes()))
            .build()
    };
    let landed: Vec<Landed> = (0..3)
        .map(|n| {
            let batch = RawBatch::parse(value(n)).expect("well formed");
            stored(&batch, 100 + n, i32::try_from(n).expect("small"))
        })
        .collect();
    let begin = || {
        let mut scene = Scene::new(settings());
        let index = scene.assign(source(0), destination(0), Some(position(0, 100, 0)));
        scene.landed.insert(index, landed.clone());
        scene.settle();
        scene
    };
    let mut scene = begin();
    scene.fetch(0, &[value(0), value(1), value(2), value(3)]);
    assert_eq!(scene.partition(0).totals.found, 3);
    assert_eq!(scene.partition(0).totals.repeated, 0);
    assert_eq!(scene.send_one().batches(), [(destination(0), 0, 3)]);

    // The cleaner has removed the second: by number alone, record 3 would pass for copied.
    let mut scene = begin();
    scene.fetch(0, &[value(0), value(2), value(3)]);
    assert_eq!(scene.partition(0).totals.found, 1);
    assert_eq!(scene.partition(0).totals.repeated, 2);
    // Nothing is sent before the two are written off for good: a new epoch, which is stored first.
    assert!(scene.send().is_empty());
    scene.pass_and_settle();
    let position = scene.partition(0).position.clone().expect("known");
    assert_eq!(
        (position.offset.0, position.destination_end.0),
        (1, 103),
        "what landed is not compared again"
    );
    scene.fetch(0, &[value(2), value(3)]);
    let sent = scene.send_one();
    assert_eq!(sent.batches(), [(destination(0), 1, 0)]);
    scene.answer(&sent, Ok(103));
    assert_eq!(scene.send_one().batches(), [(destination(0), 1, 1)]);
}

#[test]
fn a_blocked_batch_stops_the_partition_after_everything_before_it() {
    let unknown = BatchBuilder::new(1)
        .record(None, Some(b"v"))
        .attributes(7)
        .build();
    let mut scene = Scene::with(settings(), 2);
    scene.order();
    scene.fetched(0, 0, &[batch(0, 1), unknown.clone(), batch(6, 1)]);
    assert!(scene.stop_of(0).is_none(), "a batch before it is not there");
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    let stop = scene.stop_of(0).expect("nothing is left before it");
    assert_eq!((stop.state, stop.offset), ("cannot-pass", Some(1)));
    assert_eq!(scene.store()[0].position.offset.0, 1);
    assert!(scene.send().is_empty());
    assert!(scene.is_running(1));
    scene.fetch(1, &[batch(0, 1)]);
    let sent = scene.send_one();
    assert_eq!(sent.batches(), [(destination(1), 0, 0)]);
}

#[test]
fn trouble_of_one_partition_leaves_the_others_of_the_same_request_alone() {
    let mut scene = Scene::with(settings(), 3);
    scene.order();
    for index in 0..3 {
        scene.fetched(index, 0, &[batch(0, 1)]);
    }
    let sent = scene.send_one();
    let answer = response(&sent, |partition| match partition {
        0 => Some(Ok(100)),
        1 => Some(Err(ErrorCode::INVALID_RECORD)),
        _ => None,
    });
    scene.core.on_answer(sent.tag, &answer, scene.now);
    assert!(scene.is_running(0));
    assert_eq!(scene.offset(0), 1);
    assert_eq!(scene.stop_of(1).map(|stop| stop.state), Some("refused"));
    assert!(
        !scene.is_running(2),
        "an answer that does not name it is none"
    );
    scene.pass_and_settle();
    assert!(scene.is_running(2));
}

#[test]
fn an_answer_below_the_known_end_stops_the_partition() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(99));
    let stop = scene.stop_of(0).expect("stopped");
    assert_eq!((stop.state, stop.offset), ("destination-behind", Some(0)));
}

#[test]
fn a_destination_leader_that_moved_is_followed_after_a_new_reading() {
    let (mut scene, sent) = proven(1);
    let moved = Place {
        leader: Leader {
            node: NodeId(12),
            epoch: 1,
        },
        topic_id: DESTINATION_ID,
    };
    scene.places.insert(destination(0), moved);
    scene.answer(&sent[0], Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    scene.pass_and_settle();
    scene.fetch(0, &[batch(1, 1)]);
    let sent = scene.send_one();
    assert_eq!(sent.lane.node, NodeId(12));
    assert_eq!(sent.batches(), [(destination(0), 0, 1)]);
}

#[test]
fn a_source_leader_that_moved_is_compared_before_it_is_read() {
    let (mut scene, sent) = proven(1);
    let moved = Place {
        leader: Leader {
            node: NodeId(2),
            epoch: 1,
        },
        topic_id: SOURCE_ID,
    };
    scene.places.insert(source(0), moved);
    scene.order();
    scene.answer_fetch(
        FROM,
        vec![refused_fetch(0, 2, ErrorCode::NOT_LEADER_OR_FOLLOWER)],
    );
    assert!(scene.next_order().is_none(), "not before it is looked up");
    scene.pass(Duration::from_secs(1));
    scene.locate();
    assert!(scene.next_order().is_none(), "its log may be another one");
    assert!(
        scene.establish_orders().is_empty(),
        "something is on its way"
    );
    scene.answer(&sent[0], Ok(101));
    scene.pass(Duration::from_secs(10));
    scene.locate();
    let orders = scene.establish_orders();
    assert_eq!((orders[0].source_epoch, orders[0].sent_epoch), (1, Some(0)));
    scene.establish(&orders[0]);
    let (node, order) = scene.order();
    assert_eq!((node, order.set[0].2.leader_epoch), (NodeId(2), 1));
}

#[test]
fn a_fetch_that_is_refused_again_and_again_is_asked_once_per_look_up() {
    let mut scene = Scene::with(settings(), 2);
    for _ in 0..5 {
        scene.order();
        let refused = refused_fetch(0, 0, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        scene.answer_fetch(FROM, vec![refused]);
        let (_, order) = scene.order();
        assert_eq!(order.remove, [(0, source(0))]);
        assert_eq!(order.max_wait, Duration::from_millis(500));
        assert!(scene.asked[&FROM].contains_key(&source(1)));
        assert!(!scene.asked[&FROM].contains_key(&source(0)));
        scene.answer_fetch(FROM, Vec::new());
        scene.pass_and_settle();
    }
    scene.order();
    assert!(scene.asked[&FROM].contains_key(&source(0)));
}

#[test]
fn a_source_that_is_down_is_asked_by_one_timer_per_partition() {
    let mut scene = Scene::with(settings(), 2);
    for _ in 0..50 {
        if scene.next_order().is_some() {
            scene
                .core
                .on_fetch_failed(FROM.into(), "refused", scene.now);
        }
        if let Some(orders) = scene.core.take_locate() {
            let mut located: Vec<_> = orders.iter().map(|order| scene.located(order)).collect();
            for one in &mut located {
                one.source = Err("no broker".to_owned());
            }
            scene.core.on_located(located, scene.now);
        }
        assert!(scene.core.timers.len() <= 2, "{:?}", scene.core.timers);
        let due = scene.core.next_timer().expect("something is tried again");
        scene.now = due.max(scene.now);
        scene.core.on_time(scene.now);
    }
}

#[test]
fn stale_answers_of_a_fetch_change_nothing() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 2)]);
    scene.order();
    scene.fetched(0, 0, &[batch(0, 2)]);
    let sent = scene.send();
    assert_eq!(sent.len(), 1);
    scene.answer(&sent[0], Ok(100));
    assert!(
        scene.send().is_empty(),
        "the second answer was to an old question"
    );
    let unknown = refused_fetch(77, 0, ErrorCode::NONE);
    scene.answer_fetch(FROM, vec![unknown]);
    assert_eq!(scene.offset(0), 2);
}

#[test]
fn a_topic_that_was_made_anew_stops_or_begins_anew_as_configured() {
    let anew = |node, topic_id| Place {
        leader: Leader { node, epoch: 0 },
        topic_id,
    };
    let cases = [
        (source(0), anew(FROM, TopicId([8; 16])), "source-recreated"),
        (
            destination(0),
            anew(TO, TopicId([9; 16])),
            "destination-recreated",
        ),
    ];
    for (partition, place, state) in cases {
        let mut scene = Scene::new(settings());
        scene.assign(source(0), destination(0), Some(position(40, 140, 12)));
        scene.places.insert(partition.clone(), place.clone());
        scene.settle();
        let stop = scene.stop_of(0).expect("stopped");
        assert_eq!((stop.state, stop.offset), (state, Some(40)));

        let mut restart = settings();
        restart.on_recreate = OnRecreate::Restart;
        let mut scene = Scene::new(restart);
        scene.assign(source(0), destination(0), Some(position(40, 140, 12)));
        scene.places.insert(partition, place);
        scene.settle();
        assert!(scene.is_running(0), "{state}");
        assert_eq!(scene.offset(0), 0, "{state}: from its first record");
    }
}

#[test]
fn positions_handed_out_are_not_handed_out_again_before_they_are_stored() {
    let mut scene = Scene::with(settings(), 2);
    scene.order();
    scene.fetched(0, 0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.core.take_positions(true).len(), 1);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(101));
    // The store keeps trying; nothing more is given out, and nothing is forgotten.
    assert!(scene.core.take_positions(true).is_empty());
    assert!(scene.core.is_storing());
    scene.core.on_stored();
    let entries = scene.core.take_positions(true);
    assert_eq!(entries[0].position.offset.0, 2);
}

#[test]
fn only_readings_in_a_row_that_find_the_destination_behind_are_counted() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), Some(position(40, 140, 12)));
    let mut counted = Vec::new();
    let outcomes = [
        Established::Retry("cut".to_owned()),
        Established::Behind("short".to_owned()),
        Established::Behind("short".to_owned()),
        Established::Retry("cut".to_owned()),
        Established::Behind("short".to_owned()),
    ];
    for outcome in outcomes {
        scene.locate();
        let orders = scene.establish_orders();
        counted.push(orders[0].readings);
        scene.core.on_established(0, outcome, scene.now);
        scene.pass(Duration::from_secs(10));
    }
    assert_eq!(counted, [0, 0, 1, 2, 0]);
}

#[test]
fn a_position_of_a_copy_under_another_name_is_not_taken_for_this_one() {
    let assign = |scene: &mut Scene| {
        scene.core.assign(Assignment {
            source: source(0),
            source_id: SOURCE_ID,
            destination: destination(0),
            stored: Some(position(40, 140, 12)),
            moved_from: Some("another-name".into()),
            segment: None,
            start: StartPosition::Earliest,
            changes: Default::default(),
        })
    };
    let mut scene = Scene::new(settings());
    assign(&mut scene);
    scene.settle();
    let stop = scene.stop_of(0).expect("stopped");
    assert_eq!((stop.state, stop.offset), ("destination-renamed", Some(40)));
    assert!(stop.reason.contains("another-name"), "{}", stop.reason);

    let mut restart = settings();
    restart.on_recreate = OnRecreate::Restart;
    let mut scene = Scene::new(restart);
    assign(&mut scene);
    scene.settle();
    assert!(scene.is_running(0));
    assert_eq!(
        scene.offset(0),
        0,
        "everything is copied under the new name"
    );
}

#[test]
fn an_answer_about_the_topic_that_was_replaced_is_not_taken() {
    let mut scene = Scene::running();
    scene.order();
    let mut late = refused_fetch(0, 0, ErrorCode::OFFSET_OUT_OF_RANGE);
    late.topic_id = TopicId([7; 16]);
    scene.answer_fetch(FROM, vec![late]);
    assert!(scene.is_running(0));
    scene.order();
    scene.fetched(0, 0, &[batch(0, 2)]);
    assert_eq!(scene.send().len(), 1);
}

#[test]
fn a_quota_of_the_destination_is_waited_out() {
    let mut scene = Scene::running();
    scene.order();
    scene.fetched(0, 0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    let mut answer = response(&sent, |_| Some(Ok(100)));
    answer.throttle_time_ms = 700;
    scene.core.on_answer(sent.tag, &answer, scene.now);
    assert!(scene.send().is_empty(), "the broker does not read now");
    assert_eq!(
        scene.core.next_timer(),
        Some(scene.now + Duration::from_millis(700))
    );
    scene.pass(Duration::from_millis(700));
    assert_eq!(scene.send().len(), 1);
}

#[test]
fn trouble_of_an_idle_partition_ends_with_the_evidence_that_nothing_is_missing() {
    let mut scene = Scene::running();
    scene.order();
    scene.core.on_fetch_failed(FROM.into(), "cut", scene.now);
    assert!(scene.partition(0).trouble.is_some());
    for (end, is_missing) in [(5, true), (0, false)] {
        scene.core.on_ends(&[(source(0), end)], scene.now);
        assert_eq!(scene.partition(0).trouble.is_some(), is_missing, "{end}");
    }
}
