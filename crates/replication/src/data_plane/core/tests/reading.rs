//! Source brokers that are read: those that hang are left, and nobody is asked more often than needed.

use std::time::Duration;

use config::bandwidth::Bandwidth;
use kafka_wire::types::NodeId;

use super::scene::{FROM, SOURCE_ID, Scene, batch, destination, led_by, settings, source};
use crate::data_plane::core::{Channel, Index, Reading, Settings};

#[test]
fn a_source_broker_that_hangs_is_left_as_soon_as_another_one_leads() {
    let mut scene = Scene::running();
    scene.order();
    // It may wait for news for a while.
    scene.pass(settings().max_wait + Duration::from_secs(2));
    assert!(!scene.locate());
    let due = scene.core.next_timer().expect("it is looked up");
    scene.pass(due - scene.now);
    assert!(scene.locate(), "its answer is due");
    assert!(scene.is_running(0), "it still leads");
    scene.places.insert(source(0), led_by(SOURCE_ID, 2, 1));
    let due = scene.core.next_timer().expect("it is looked up again");
    assert!(due - scene.now <= Duration::from_secs(5));
    scene.pass(due - scene.now);
    assert!(scene.locate());
    scene.pass_and_settle();
    assert!(scene.is_running(0));
    let (node, order) = scene.order();
    assert_eq!((node, order.set.len()), (NodeId(2), 1));
}

#[test]
fn a_broker_that_does_not_lead_a_partition_any_more_waits_for_news_as_long_as_usual() {
    let mut scene = Scene::with(
        Settings {
            partition_room: 1,
            ..settings()
        },
        2,
    );
    // Partition 0 has no room, so its news are asked for soon.
    scene.fetch(0, &[batch(0, 1)]);
    let (_, order) = scene.order();
    assert_eq!(order.max_wait, Duration::from_millis(5));
    // What is taken slowly is not asked for as often.
    scene.pass(Duration::from_millis(300));
    scene.answer_fetch(FROM, Vec::new());
    assert_eq!(scene.order().1.max_wait, Duration::from_millis(150));
    scene.answer_fetch(FROM, Vec::new());
    scene.places.insert(source(0), led_by(SOURCE_ID, 2, 1));
    scene.core.look_again(&"s".into());
    scene.locate();
    let (node, order) = scene.order();
    assert_eq!((node, order.max_wait), (FROM, settings().max_wait));
}

#[test]
fn a_pause_that_ends_while_nothing_may_be_read_wakes_nobody() {
    let mut scene = Scene::new(settings());
    scene.assign(source(0), destination(0), None);
    scene.places.insert(source(1), led_by(SOURCE_ID, 2, 1));
    scene.assign(source(1), destination(1), None);
    scene.settle();
    let bandwidth = Bandwidth::parse("10KB").expect("a rate");
    scene.core.limit(Some(bandwidth), scene.now, 0);
    let orders = [scene.order().0, scene.order().0];
    assert_eq!(orders, [FROM, NodeId(2)]);
    scene
        .core
        .on_fetch_failed(NodeId(2).into(), "gone", scene.now);
    scene.settle();
    let reading = Reading {
        bytes: 1_000_000,
        ..Default::default()
    };
    scene
        .core
        .on_fetched(FROM.into(), Vec::new(), reading, scene.now);
    scene.pass(Duration::from_secs(10));
    scene.settle();
    assert!(scene.next_order().is_none(), "it is not paid for yet");
    let due = scene.core.next_timer().expect("it will be");
    assert!(due > scene.now, "and until then there is nothing to do");
}

#[test]
fn a_partition_whose_map_cannot_be_stored_is_not_read_on_for_ever() {
    let mut scene = Scene::running();
    let mut offset = 0;
    // Each batch behind a hole at the source begins a run.
    while offset < 1_000_000 {
        let asked = scene.partition(0).next_fetch;
        let Some(_) = scene.next_order() else { break };
        if !scene.partition(0).is_readable() {
            break;
        }
        scene.fetched(0, asked, &[batch(offset, 1)]);
        let sent = scene.send_one();
        scene.answer(&sent, Ok(100 + offset / 2));
        offset += 2;
    }
    assert_eq!(offset, 2 * (256 * 128 + 1));
    assert!(!scene.store().is_empty());
    let (_, order) = scene.order();
    assert_eq!(order.set.len(), 1, "it is read on when they are stored");
}

/// Everything that is asked now: over which connection, of which partitions anew, and of which no longer.
fn asked(scene: &mut Scene) -> Vec<(u16, Vec<Index>, Vec<Index>)> {
    std::iter::from_fn(|| {
        let (channel, order) = scene.core.next_fetch(scene.now)?;
        let set = order.set.iter().map(|(index, ..)| *index);
        let remove = order.remove.iter().map(|(index, _)| *index);
        Some((channel.number, set.collect(), remove.collect()))
    })
    .collect()
}

/// The source broker takes 100 ms for each of as many questions as count.
fn is_far_away(scene: &mut Scene) {
    for _ in 0..4 {
        let far = Duration::from_millis(100);
        scene.core.on_question(FROM, far, scene.now);
        scene.pass(Duration::from_secs(1));
    }
}

/// A connection has carried 1 MB within a second; gives everything that is asked then.
fn answered(scene: &mut Scene, number: u16) -> Vec<(u16, Vec<Index>, Vec<Index>)> {
    let carried = Reading {
        bytes: 1_000_000,
        took: Duration::from_secs(1),
        ..Reading::default()
    };
    let channel = Channel {
        number,
        ..FROM.into()
    };
    let now = scene.now;
    scene.core.on_fetched(channel, Vec::new(), carried, now);
    asked(scene)
}

#[test]
fn partitions_are_spread_over_connections_while_their_broker_is_far_away() {
    let two = Settings {
        max_connections: 2,
        ..settings()
    };
    let mut scene = Scene::with(two, 2);
    assert_eq!(asked(&mut scene), [(0, vec![0, 1], vec![])]);
    let near = Duration::from_millis(1);
    scene.core.on_question(FROM, near, scene.now);
    scene.pass(Duration::from_secs(1));
    is_far_away(&mut scene);
    let ends = [0, 1].map(|partition| (source(partition), 1_000));
    scene.core.on_ends(&ends, scene.now);
    assert_eq!(answered(&mut scene, 0), [(0, vec![], vec![])]);
    scene.pass(Duration::from_secs(1));
    let spread = answered(&mut scene, 0);
    assert_eq!(spread, [(1, vec![0], vec![]), (0, vec![], vec![0])]);
    for _ in 0..2 {
        scene.core.on_question(FROM, near, scene.now);
        scene.pass(Duration::from_secs(10));
    }
    assert_eq!(scene.core.ways(), []);
    assert_eq!(answered(&mut scene, 0), [(0, vec![0], vec![])]);
    assert_eq!(answered(&mut scene, 1), []);
    let retired = scene.core.take_retired();
    assert_eq!(
        retired.iter().map(|one| one.number).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn partitions_of_one_of_four_brokers_are_read_over_all_connections_to_it() {
    let many = Settings {
        max_connections: 32,
        ..settings()
    };
    let mut scene = Scene::new(many);
    let numbers = (0..8).map(|place| place * 4);
    for number in numbers.clone() {
        scene.assign(source(number), destination(number), None);
    }
    scene.settle();
    asked(&mut scene);
    is_far_away(&mut scene);
    let ends: Vec<_> = numbers.map(|number| (source(number), 1_000)).collect();
    scene.core.on_ends(&ends, scene.now);
    for _ in 0..2 {
        answered(&mut scene, 0);
        scene.pass(Duration::from_secs(1));
    }
    let mut counts = [0; 4];
    for index in 0..8 {
        let channel = scene.core.channel_of(index).expect("it is read");
        counts[usize::from(channel.number)] += 1;
    }
    assert_eq!(counts, [2, 2, 2, 2]);
}

#[test]
fn memory_is_reserved_for_answers_larger_than_asked_for_and_what_is_made_of_them_until_they_are_no_more()
 {
    let mut scene = Scene::running();
    let mut reserved = Vec::new();
    for (bytes, made) in [(9_000, 0), (80_000, 800), (9_000, 0), (0, 0), (9_000, 0)] {
        let (_, order) = scene.order();
        assert_eq!(order.max_bytes, settings().max_fetch_bytes);
        reserved.push((order.largest, order.made));
        let reading = Reading {
            bytes,
            made,
            ..Reading::default()
        };
        scene
            .core
            .on_fetched(FROM.into(), Vec::new(), reading, scene.now);
    }
    let expected = [(0, 0), (0, 0), (80_000, 800), (70_000, 700), (0, 0)];
    assert_eq!(reserved, expected);
}

#[test]
fn a_connection_that_has_nothing_to_catch_up_with_gets_a_partition_of_one_that_has_several() {
    let three = Settings {
        max_connections: 3,
        ..settings()
    };
    let mut scene = Scene::with(three, 4);
    is_far_away(&mut scene);
    let ends = |left: &dyn Fn(Index) -> bool| {
        [0, 1, 2, 3].map(|index| {
            let partition = i32::try_from(index).expect("few");
            (source(partition), if left(index) { 1_000 } else { 0 })
        })
    };
    scene.core.on_ends(&ends(&|_| true), scene.now);
    asked(&mut scene);
    answered(&mut scene, 0);
    scene.pass(Duration::from_secs(1));
    answered(&mut scene, 0);
    let numbers = |scene: &Scene| {
        let number = |index| scene.core.channel_of(index).expect("it is read").number;
        [0, 1, 2, 3].map(number)
    };
    // The first and the last lie on one of three.
    let before = numbers(&scene);
    assert_eq!(before[0], before[3]);
    scene.core.on_ends(&ends(&|_| true), scene.now);
    assert_eq!(numbers(&scene), before, "all have something to read");
    scene.core.on_ends(&ends(&|index| index != 1), scene.now);
    let after = numbers(&scene);
    assert_eq!(after, [before[0], before[1], before[2], before[1]]);
    let channel = Channel {
        number: before[1],
        ..FROM.into()
    };
    let now = scene.now;
    scene
        .core
        .on_fetched(channel, Vec::new(), Reading::default(), now);
    assert_eq!(asked(&mut scene), [(before[1], vec![3], vec![])]);
    // It stays there.
    scene.core.on_ends(&ends(&|_| true), scene.now);
    assert_eq!(numbers(&scene), after);
}
