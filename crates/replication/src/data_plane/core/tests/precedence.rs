//! Small topics are read before large ones while they are late, and nobody waits for one that stands.

use std::time::Duration;

use kafka_wire::types::TopicPartition;

use super::scene::{Scene, batch, destination, settings, source};
use crate::data_plane::core::{Settings, precedence::YIELDING};

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
