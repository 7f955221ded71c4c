//! Clusters that come back are found by one partition for all.

use std::time::Duration;

use super::scene::{Scene, destination, settings, source};
use crate::data_plane::core::Located;

#[test]
fn when_clusters_are_back_nobody_waits_for_its_own_pause() {
    let mut scene = Scene::new(settings());
    for partition in 0..3 {
        scene.assign(source(partition), destination(partition), None);
    }
    // Pauses grow, each for itself, up to five seconds.
    for _ in 0..12 {
        let due = scene.core.next_timer().unwrap_or(scene.now);
        scene.now = due.max(scene.now);
        scene.core.on_time(scene.now);
        let orders = scene.core.take_locate().expect("something is looked for");
        let away = orders.iter().map(|order| Located {
            destination: Err("destination: no broker answers".to_owned()),
            ..scene.located(order)
        });
        let away = away.collect();
        scene.core.on_located(away, scene.now);
    }
    let due = scene.core.next_timer().expect("somebody looks again");
    scene.now = due;
    scene.core.on_time(due);
    scene.settle();
    assert!((0..3).all(|index| scene.is_running(index)));
    let timer = scene.core.next_timer();
    assert!(timer.is_none_or(|at| at > due + Duration::from_secs(60)));
}
