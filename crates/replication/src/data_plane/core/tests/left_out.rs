//! Scenes with records that the destination does not take, and that are to be left out.

use config::link::OnRefused;
use kafka_wire::error_code::ErrorCode;

use super::scene::{Scene, batch, settings};
use crate::data_plane::core::Settings;

#[test]
fn a_record_that_turns_out_too_large_alone_is_left_out() {
    let skips = Settings {
        on_refused: OnRefused::Skip,
        ..settings()
    };
    let mut scene = Scene::with(skips, 1);
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Err(ErrorCode::MESSAGE_TOO_LARGE));
    assert!(scene.stop_of(0).is_none());
    assert_eq!(scene.partition(0).totals.skipped, 1);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1), batch(1, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 2);
}
