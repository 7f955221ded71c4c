//! Small topics are read before large ones while they are late, and nobody waits for one that stands; those that are current
//! are read apart from those that catch up.

use std::time::Duration;

use config::bandwidth::Bandwidth;
use kafka_wire::types::TopicPartition;

use super::scene::{FROM, Scene, batch, destination, settings, source};
use crate::data_plane::core::channels::Channel;
use crate::data_plane::core::{Index, Reading, Settings, precedence::YIELDING};

/// What is asked of the large topic's partition at most.
const USUAL: i32 = 1 << 20;

/// Partition 0 of a large topic and one of a small topic, with so much to be read of each.
fn scene(large: i64, small: i64) -> Scene {
    let settings = Settings {
        max_partition_bytes: USUAL,
        ..settings()
    };
    let mut scene = Scene::new(settings);
    scene.assign(source(0), destination(0), None);
    scene.assign(
        small_one(),
        TopicPartition::new("small-copy".into(), 0),
        None,
    );
    scene.settle();
    scene.fetch(1, &[batch(0, 1)]);
    scene
        .core
        .on_ends(&[(source(0), large), (small_one(), small)], scene.now);
    scene
}

fn small_one() -> TopicPartition {
    TopicPartition::new("small".into(), 0)
}

/// Whether the next request asks for little of the large topic; `None` if it asks for what the one before did.
fn yields(scene: &mut Scene) -> Option<bool> {
    let (_, order) = scene.order();
    let of_large = order.set.iter().find(|(index, ..)| *index == 0);
    let asked = of_large.map(|(_, _, wanted, _)| wanted.max_bytes);
    scene.answer_fetch(super::scene::FROM, Vec::new());
    asked.map(|max_bytes| max_bytes <= YIELDING)
}

#[test]
fn a_large_topic_lets_a_small_one_go_before_until_that_is_current() {
    let mut scene = scene(1_000_000, 100);
    assert_eq!(yields(&mut scene), Some(true));
    // It is read to its end, as far as that is known.
    scene.fetch(1, &[batch(1, 99)]);
    scene.core.on_ends(&[(small_one(), 100)], scene.now);
    assert_eq!(yields(&mut scene), Some(false));
    // News that have come a moment ago are no backlog.
    scene.pass(Duration::from_secs(1));
    scene.core.on_ends(&[(small_one(), 110)], scene.now);
    assert_eq!(yields(&mut scene), None);
}

#[test]
fn nobody_waits_for_a_small_topic_that_stands() {
    let mut scene = scene(1_000_000, 100);
    assert_eq!(yields(&mut scene), Some(true));
    scene.pass(Duration::from_secs(6));
    scene.core.on_ends(&[(small_one(), 100)], scene.now);
    assert_eq!(yields(&mut scene), Some(false));
}

#[test]
fn topics_of_the_same_size_are_read_alike() {
    let mut scene = scene(1_000, 900);
    assert_eq!(yields(&mut scene), None);
}

#[test]
fn nobody_waits_for_long_for_a_small_topic_that_moves_and_never_gets_there() {
    let mut scene = scene(1_000_000, 100);
    assert_eq!(yields(&mut scene), Some(true));
    let mut told = Vec::new();
    for second in 1..40 {
        scene.pass(Duration::from_secs(1));
        scene.fetch(1, &[batch(second, 1)]);
        scene
            .core
            .on_ends(&[(small_one(), second + 100)], scene.now);
        told.extend(yields(&mut scene).map(|yields| (second, yields)));
    }
    assert_eq!(told, [(30, false)]);
}

/// A link that may read 1 MB/s of a source nearby, over as many connections: partition 0 has much to catch up with, the small
/// topic nothing.
fn under_a_limit(connections: u16) -> Scene {
    let mut scene = Scene::new(Settings {
        max_connections: connections,
        partition_room: 1,
        ..settings()
    });
    let bandwidth = Bandwidth::parse("1MB").expect("a rate");
    scene.core.limit(Some(bandwidth), scene.now, 0);
    scene.assign(source(0), destination(0), None);
    let copy = TopicPartition::new("small-copy".into(), 0);
    scene.assign(small_one(), copy, None);
    scene.settle();
    asked(&mut scene);
    let answer = scene.answer_of(0, 0, &[batch(0, 1)]);
    let now = scene.now;
    scene
        .core
        .on_fetched(FROM.into(), vec![answer], Reading::default(), now);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    let ends = [(source(0), 1_000_000), (small_one(), 0)];
    for _ in 0..2 {
        scene.core.on_ends(&ends, scene.now);
        asked(&mut scene);
        read(&mut scene, FROM.into(), 0);
        assert_eq!(scene.core.readers.len(), 1, "it may be over in a moment");
        scene.pass(Duration::from_secs(1));
    }
    scene.core.on_ends(&ends, scene.now);
    scene
}

/// Everything that is asked now: over which connection of tails or not, and of which partitions for the first time.
fn asked(scene: &mut Scene) -> Vec<(bool, Vec<Index>)> {
    std::iter::from_fn(|| {
        let (channel, order) = scene.core.next_fetch(scene.now)?;
        let rules = order.set.iter().map(|one| (one.0, one.3.clone()));
        scene.rules.extend(rules);
        let set = order.set.iter().map(|(index, ..)| *index);
        Some((channel.tails, set.collect()))
    })
    .collect()
}

/// The connection of partitions that are current.
fn tails() -> Channel {
    Channel {
        tails: true,
        ..FROM.into()
    }
}

/// An answer with so many bytes, of partitions that are not looked at.
fn read(scene: &mut Scene, channel: Channel, bytes: usize) {
    let reading = Reading {
        bytes,
        ..Reading::default()
    };
    let now = scene.now;
    scene.core.on_fetched(channel, Vec::new(), reading, now);
}

#[test]
fn under_a_limit_what_is_current_does_not_wait_for_what_the_others_read() {
    let mut scene = under_a_limit(2);
    let tails = tails();
    assert_eq!(asked(&mut scene), [(true, vec![1]), (false, vec![])]);
    // Ten seconds' worth, because batches are large; news are asked for all the same, again and again.
    read(&mut scene, FROM.into(), 10_000_000);
    for _ in 0..3 {
        read(&mut scene, tails, 1_000);
        scene.pass(Duration::from_millis(10));
        assert_eq!(asked(&mut scene), [(true, vec![])]);
    }
    // What they read themselves they wait for, at half of the limit.
    read(&mut scene, tails, 1_000_000);
    assert_eq!(asked(&mut scene), []);
    let due = scene.core.next_timer().expect("they wait");
    let waits = due.saturating_duration_since(scene.now);
    assert!(
        (Duration::from_millis(1_900)..Duration::from_millis(2_100)).contains(&waits),
        "{waits:?}"
    );
    scene.pass(waits);
    assert_eq!(asked(&mut scene), [(true, vec![])]);
    // Without a backlog one connection is enough.
    scene.core.on_ends(&[(source(0), 0)], scene.now);
    scene.pass(Duration::from_secs(20));
    read(&mut scene, tails, 0);
    assert_eq!(asked(&mut scene), [(false, vec![1])]);
    assert_eq!(scene.core.take_retired(), [tails]);
}

#[test]
fn there_is_no_connection_for_tails_where_there_may_be_one_only() {
    let mut scene = under_a_limit(1);
    assert_eq!(asked(&mut scene), [(false, vec![])]);
}

#[test]
fn a_connection_of_tails_remains_while_what_they_read_is_still_in_memory() {
    let mut scene = under_a_limit(2);
    let tails = tails();
    asked(&mut scene);
    let read = scene.answer_of(1, 0, &[batch(0, 1)]);
    let reading = Reading {
        bytes: 100,
        ..Reading::default()
    };
    scene.core.on_fetched(tails, vec![read], reading, scene.now);
    scene.pass(Duration::from_millis(10));
    assert_eq!(asked(&mut scene), [], "there is no room");
    assert_eq!(scene.core.take_retired(), []);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(asked(&mut scene), [(true, vec![1])]);
}

/// The same partitions without a limit, over a line nearby.
fn nearby() -> Scene {
    let mut scene = Scene::new(Settings {
        max_connections: 2,
        ..settings()
    });
    scene.assign(source(0), destination(0), None);
    let copy = TopicPartition::new("small-copy".into(), 0);
    scene.assign(small_one(), copy, None);
    scene.settle();
    assert_eq!(asked(&mut scene), [(false, vec![0, 1])]);
    scene
}

#[test]
fn what_is_current_is_read_beside_an_answer_that_takes_long() {
    let mut scene = nearby();
    let ends = [(source(0), 100), (small_one(), 0)];
    scene.core.on_ends(&ends, scene.now);
    assert_eq!(asked(&mut scene), []);
    // So long it may be waited for.
    scene.pass(settings().max_wait + Duration::from_millis(900));
    scene.core.on_ends(&ends, scene.now);
    assert_eq!(asked(&mut scene), [], "it may be there in a moment");
    scene.pass(Duration::from_millis(100));
    scene.core.on_ends(&ends, scene.now);
    assert_eq!(asked(&mut scene), [(true, vec![1])]);
    // Nothing is read apart while nothing is to be read.
    let mut scene = nearby();
    for _ in 0..9 {
        scene.pass(Duration::from_secs(1));
        let ends = [(source(0), 0), (small_one(), 0)];
        scene.core.on_ends(&ends, scene.now);
    }
    assert_eq!(asked(&mut scene), []);
}

#[test]
fn what_is_current_is_read_apart_where_a_line_carries_little() {
    for (took, apart) in [(300, true), (30, false)] {
        let mut scene = nearby();
        let mut offset = 0;
        let mut seen = Vec::new();
        for _ in 0..5 {
            let answer = scene.answer_of(0, offset, &[batch(offset, 1)]);
            offset += 1;
            let reading = Reading {
                bytes: 300_000,
                took: Duration::from_millis(took),
                round_trip: Duration::from_millis(1),
                ..Reading::default()
            };
            let now = scene.now;
            scene
                .core
                .on_fetched(FROM.into(), vec![answer], reading, now);
            let sent = scene.send_one();
            scene.answer(&sent, Ok(100 + offset));
            let ends = [(source(0), 1_000), (small_one(), 0)];
            scene.core.on_ends(&ends, scene.now);
            seen.extend(asked(&mut scene));
            scene.pass(Duration::from_secs(1));
        }
        assert_eq!(seen.contains(&(true, vec![1])), apart, "{seen:?}");
    }
}
