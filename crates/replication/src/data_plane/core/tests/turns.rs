//! What waits for nothing but its turn while the link uses up its limit is told apart from what stands still.

use std::time::Duration;

use config::bandwidth::Bandwidth;

use super::scene::{FROM, SOURCE_ID, Scene, batch, destination, led_by, settings, source};
use crate::data_plane::core::Reading;

/// Reads 300 KB of the first partition; what is read is written where `writes` is set.
fn read(scene: &mut Scene, writes: bool) {
    scene.pass(Duration::from_millis(100));
    if scene.next_order().is_none() {
        return;
    }
    let asked = scene.partition(0).next_fetch;
    let answer = scene.answer_of(0, asked, &[batch(asked, 1)]);
    let reading = Reading {
        bytes: 300_000,
        ..Reading::default()
    };
    let now = scene.now;
    scene
        .core
        .on_fetched(FROM.into(), vec![answer], reading, now);
    if writes {
        let sent = scene.send_one();
        scene.answer(&sent, Ok(100 + asked));
    }
}

#[test]
fn a_partition_waits_for_its_turn_while_others_use_up_the_limit() {
    let mut scene = Scene::with(settings(), 3);
    let limit = Bandwidth::parse("1MB").expect("a rate");
    scene.core.limit(Some(limit), scene.now, 0);
    let ends = [(source(0), 1000), (source(1), 1000), (source(2), 0)];
    scene.core.on_ends(&ends, scene.now);
    assert_eq!(scene.core.turn(scene.now), None, "nothing was read yet");
    for _ in 0..200 {
        read(&mut scene, true);
    }
    assert_eq!(scene.core.turn(scene.now), Some(Duration::from_secs(1)));
    let waits = |scene: &Scene| -> [bool; 3] {
        [0, 1, 2].map(|index| scene.core.waits_for_its_turn(scene.partition(index)))
    };
    // Nothing is left of the third one.
    assert_eq!(waits(&scene), [true, true, false]);
    (0..5).for_each(|_| read(&mut scene, false));
    assert_eq!(waits(&scene), [false, true, false], "it is to be written");
    scene.core.restart(1, "source: gone".to_owned(), scene.now);
    assert_eq!(
        waits(&scene),
        [false, false, false],
        "it has another reason"
    );
    scene.now += Duration::from_secs(5);
    assert_eq!(scene.core.turn(scene.now), None, "nobody reads");
}

/// How often each of two source brokers is asked in ten seconds under a limit, given how much each answer of it holds.
fn asked(limit: &str, bytes: [usize; 2]) -> [usize; 2] {
    let mut scene = Scene::new(settings());
    let led_by_another = led_by(SOURCE_ID, 9, 1);
    scene.places.insert(source(1), led_by_another);
    for partition in 0..2 {
        scene.assign(source(partition), destination(partition), None);
    }
    scene.settle();
    let limit = Bandwidth::parse(limit).expect("a rate");
    scene.core.limit(Some(limit), scene.now, 0);
    let mut counts = [0; 2];
    for _ in 0..1_000 {
        while let Some((node, _)) = scene.next_order() {
            let at = usize::from(node != FROM);
            counts[at] += 1;
            let reading = Reading {
                bytes: bytes[at],
                ..Reading::default()
            };
            let now = scene.now;
            scene.core.on_fetched(node.into(), Vec::new(), reading, now);
        }
        scene.now += Duration::from_millis(10);
    }
    counts
}

#[test]
fn a_broker_with_large_batches_has_its_turn_beside_one_whose_answers_the_limit_makes_small() {
    // One answers as much as it may, and the other with a whole batch.
    for bytes in [[63_000, 70_000], [65_536, 1_000_000]] {
        let [small, large] = asked("1MB", bytes);
        assert!(
            large > 0 && small.abs_diff(large) <= 1 + small / 5,
            "{small} and {large}"
        );
    }
}

#[test]
fn little_news_go_before_a_backlog_but_not_for_ever() {
    let [little, much] = asked("100KB", [2_000, 60_000]);
    assert!(little > 3 * much, "{little} and {much}");
    assert!(much >= 5, "{little} and {much}");
}
