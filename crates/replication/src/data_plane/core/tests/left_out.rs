//! Scenes with records that the destination does not take, and that are to be left out.

use config::link::OnRefused;
use kafka_wire::error_code::ErrorCode;

use super::scene::{Scene, batch, settings};
use crate::data_plane::core::Settings;
use crate::data_plane::quarantine::AsideTrouble;

/// One partition that leaves out what is refused, after a record was too large for the destination.
pub(super) fn too_large() -> Scene {
    let skips = Settings {
        on_refused: OnRefused::Skip,
        ..settings()
    };
    let mut scene = Scene::with(skips, 1);
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::MESSAGE_TOO_LARGE));
    scene
}

#[test]
fn a_record_that_turns_out_too_large_alone_is_left_out() {
    let mut scene = too_large();
    assert!(scene.stop_of(0).is_none());
    assert_eq!(scene.partition(0).totals.skipped, 1);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 2);
}

/// One partition whose refused records are set aside.
fn quarantining() -> Scene {
    let quarantines = Settings {
        on_refused: OnRefused::Quarantine,
        ..settings()
    };
    Scene::with(quarantines, 1)
}

#[test]
fn a_refused_record_is_passed_only_when_it_has_been_set_aside() {
    let mut scene = quarantining();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::MESSAGE_TOO_LARGE));
    let order = scene.core.take_aside().expect("something to set aside");
    assert_eq!((order.index, order.records[0].offset), (0, 0));
    // Nothing of the partition moves meanwhile.
    scene.pass_and_settle();
    assert_eq!(scene.offset(0), 0);
    assert!(scene.core.take_aside().is_none());
    // It did not work: what is met again is set aside again.
    let trouble = AsideTrouble::Passing("no leader".to_owned());
    scene.core.on_set_aside(order, Err(trouble), scene.now);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::MESSAGE_TOO_LARGE));
    let order = scene.core.take_aside().expect("something to set aside");
    scene.core.on_set_aside(order, Ok(()), scene.now);
    assert_eq!(scene.partition(0).totals.quarantined, 1);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 2);
    assert!(scene.stop_of(0).is_none());
}

#[test]
fn what_the_quarantine_refuses_stops_its_partition() {
    let mut scene = quarantining();
    scene.fetch(0, &[batch(0, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::MESSAGE_TOO_LARGE));
    let order = scene.core.take_aside().expect("something to set aside");
    let trouble = AsideTrouble::Final("not authorized".to_owned());
    scene.core.on_set_aside(order, Err(trouble), scene.now);
    let stop = scene.stop_of(0).expect("it stands");
    assert_eq!((stop.state, stop.offset), ("refused", Some(0)));
    assert!(stop.reason.contains("not authorized"), "{}", stop.reason);
}
