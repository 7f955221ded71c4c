//! Copies that begin anew: because the destination was cut short, or the source is another topic.

use config::link::OnRecreate;
use kafka_wire::types::TopicId;

use super::left_out::too_large;
use super::scene::{FROM, Scene, batch, settings, source};
use crate::data_plane::core::{Answer, Established, Place, Settings};
use crate::data_plane::partition::{Leader, Stop};

/// One partition with three records copied.
fn scene(on_recreate: OnRecreate) -> Scene {
    let settings = Settings {
        on_recreate,
        ..settings()
    };
    let mut scene = Scene::with(settings, 1);
    scene.fetch(0, &[batch(0, 3)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    assert_eq!(scene.offset(0), 3);
    scene
}

fn cut_short() -> Stop {
    Stop {
        state: "destination-behind",
        offset: Some(3),
        reason: "it was cut short".to_owned(),
        lost: None,
    }
}

#[test]
fn a_destination_that_was_cut_short_gets_everything_again_where_that_is_the_policy() {
    for on_recreate in [OnRecreate::Stop, OnRecreate::Restart] {
        let mut scene = scene(on_recreate);
        scene.core.restart(0, "for a test".to_owned(), scene.now);
        scene.pass(std::time::Duration::from_secs(10));
        scene.locate();
        assert_eq!(scene.establish_orders().len(), 1);
        let stop = Established::Stop(cut_short());
        scene.core.on_established(0, stop, scene.now);
        scene.pass_and_settle();
        match on_recreate {
            OnRecreate::Stop => assert!(scene.stop_of(0).is_some()),
            OnRecreate::Restart => assert_eq!(scene.partition(0).next_fetch, 0),
        }
        assert_eq!(scene.is_running(0), on_recreate == OnRecreate::Restart);
    }
}

#[test]
fn an_answer_from_a_log_that_was_cut_short_begins_the_copy_anew_where_that_is_the_policy() {
    let mut scene = scene(OnRecreate::Restart);
    scene.fetch(0, &[batch(3, 1)]);
    let sent = scene.send_one();
    scene.answer(&sent, Ok(7));
    assert!(scene.stop_of(0).is_none());
    scene.pass_and_settle();
    assert!(scene.is_running(0));
    assert_eq!(scene.partition(0).next_fetch, 0);
}

#[test]
fn what_was_left_out_of_a_topic_is_not_left_out_of_the_one_that_takes_its_place() {
    let mut scene = too_large();
    assert_eq!(scene.partition(0).refused_records.len(), 1);
    scene.pass_and_settle();
    let remade = Place {
        leader: Leader {
            node: FROM,
            epoch: 0,
        },
        topic_id: TopicId([9; 16]),
    };
    scene.places.insert(source(0), remade);
    scene.core.look_again(&"s".into());
    scene.pass_and_settle();
    scene.pass_and_settle();
    let stop = scene.stop_of(0).expect("it stands");
    assert_eq!(stop.state, "source-recreated");
    let resumed = scene.core.resume(&source(0), Answer::Append, None);
    assert_eq!(resumed, Ok(()));
    assert!(scene.partition(0).refused_records.is_empty());
    assert_eq!(scene.partition(0).skip_to, None);
}
