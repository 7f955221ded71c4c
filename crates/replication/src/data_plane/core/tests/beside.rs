//! Processes that begin while the one before them may still run.

use super::scene::{Scene, destination, position, settings, source};

#[test]
fn beside_another_process_a_position_is_stored_before_anything_is_written_under_it() {
    for (has_predecessor, stores) in [(false, false), (true, true)] {
        let mut scene = Scene::new(settings());
        scene.core.guard(has_predecessor);
        scene.assign(source(0), destination(0), Some(position(40, 140, 10)));
        scene.locate();
        let order = scene.establish_orders().remove(0);
        // What the one before stores under a name of its own, when it does not know yet, would count otherwise.
        assert_eq!(order.store_first, stores, "{has_predecessor}");
    }
}
