//! Brokers that answer nothing: their partitions look for another leader, and take no memory from the others.

use std::time::Duration;

use kafka_wire::types::NodeId;

use super::scene::{DESTINATION_ID, Scene, TO, batch, destination, settings};
use crate::data_plane::core::{Place, Settings};
use crate::data_plane::partition::Leader;

fn led_by(node: i32) -> Place {
    Place {
        leader: Leader {
            node: NodeId(node),
            epoch: 1,
        },
        topic_id: DESTINATION_ID,
    }
}

#[test]
fn a_broker_that_answers_nothing_is_left_as_soon_as_another_one_leads() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1)]);
    let sent = scene.send_one();
    assert_eq!(sent.node, TO);
    scene.pass(Duration::from_secs(2));
    assert!(!scene.locate(), "it may still answer");
    scene.pass(Duration::from_secs(1));
    assert!(scene.locate(), "who leads now is looked up");
    assert!(scene.core.take_cut().is_empty(), "it still leads");
    scene.places.insert(destination(0), led_by(12));
    let due = scene.core.next_timer().expect("it is looked up again");
    scene.now = due;
    scene.core.on_time(due);
    assert!(scene.locate());
    assert_eq!(scene.core.take_cut().into_iter().collect::<Vec<_>>(), [TO]);
    scene
        .core
        .on_lane_ended(TO, &[sent.tag], "given up", scene.now);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1)]);
    assert_eq!(scene.send_one().node, NodeId(12));
}

#[test]
fn what_is_in_memory_for_a_silent_broker_is_dropped_where_others_need_the_memory() {
    let mut scene = Scene::new(settings());
    scene.places.insert(destination(1), led_by(12));
    for partition in 0..2 {
        let source = super::scene::source(partition);
        scene.assign(source, destination(partition), None);
    }
    scene.settle();
    for index in 0..2 {
        scene.fetch(index, &[batch(0, 1)]);
    }
    let sent = scene.send();
    let answered = sent.iter().find(|sent| sent.node == NodeId(12));
    scene.answer(answered.expect("sent"), Ok(100));
    scene.pass(Duration::from_secs(6));
    assert!(
        !scene.is_running(0),
        "it waits for its answer, without its records"
    );
    assert!(scene.partition(0).send.is_none());
    assert!(scene.is_running(1));

    // Its answer may take half a minute: it is left as soon as another one leads, all the same.
    scene.locate();
    assert!(scene.core.take_cut().is_empty(), "it still leads");
    scene.places.insert(destination(0), led_by(12));
    let due = scene.core.next_timer().expect("it is looked up again");
    scene.now = due;
    scene.core.on_time(due);
    scene.locate();
    assert_eq!(scene.core.take_cut().into_iter().collect::<Vec<_>>(), [TO]);
    let unanswered = sent.iter().find(|sent| sent.node == TO).expect("sent");
    let tags = [unanswered.tag];
    scene.core.on_lane_ended(TO, &tags, "given up", scene.now);
    scene.pass_and_settle();
    assert!(scene.is_running(0));
}

#[test]
fn a_slow_broker_has_a_share_of_the_memory_and_its_partitions_go_on_when_it_is_free() {
    let small = Settings {
        memory: 400,
        partition_room: 1 << 20,
        ..settings()
    };
    let mut scene = Scene::new(small);
    scene.places.insert(destination(2), led_by(12));
    for partition in 0..3 {
        let source = super::scene::source(partition);
        scene.assign(source, destination(partition), None);
    }
    scene.settle();
    scene.fetch(0, &[batch(0, 20)]);
    assert!(
        scene.core.is_full(TO),
        "its share is {} bytes",
        400 / 4 * 3 / 2
    );
    scene.order();
    let asked = |scene: &Scene| -> Vec<i32> {
        let asked = scene.asked[&super::scene::FROM].keys();
        asked.map(|partition| partition.partition).collect()
    };
    assert!(!asked(&scene).contains(&0));
    assert!(asked(&scene).contains(&2), "the other broker's is read on");
    scene.answer_fetch(super::scene::FROM, Vec::new());
    let sent = scene.send_one();
    scene.answer(&sent, Ok(100));
    scene.order();
    assert!(asked(&scene).contains(&0));
    assert!(asked(&scene).contains(&1));
}

#[test]
fn a_broker_that_lags_behind_does_not_take_a_partition_back_to_a_former_leader() {
    let mut scene = Scene::running();
    let place = |node, epoch| Place {
        leader: Leader {
            node: NodeId(node),
            epoch,
        },
        topic_id: super::scene::SOURCE_ID,
    };
    for (node, epoch) in [(2, 5), (1, 4)] {
        scene
            .places
            .insert(super::scene::source(0), place(node, epoch));
        scene.core.look_again(&"s".into());
        scene.pass_and_settle();
        scene.pass_and_settle();
        let leader = scene.partition(0).leader.expect("looked up");
        assert_eq!((leader.node, leader.epoch), (NodeId(2), 5));
        assert!(scene.is_running(0));
    }
}

#[test]
fn a_destination_broker_that_lags_behind_does_not_take_a_partition_back_either() {
    let mut scene = Scene::running();
    for (node, epoch) in [(12, 5), (11, 4)] {
        let place = Place {
            leader: Leader {
                node: NodeId(node),
                epoch,
            },
            topic_id: DESTINATION_ID,
        };
        scene.places.insert(destination(0), place);
        scene.core.look_again(&"s".into());
        scene.pass_and_settle();
        scene.pass_and_settle();
        assert_eq!(scene.partition(0).destination_leader, Some(NodeId(12)));
        assert!(scene.is_running(0));
    }
}

#[test]
fn others_are_asked_when_looking_up_leaders_does_not_help() {
    let mut scene = Scene::running();
    let mut asked = Vec::new();
    for _ in 0..3 {
        scene
            .core
            .restart(0, "destination: hung".to_owned(), scene.now);
        scene.pass(Duration::from_secs(3));
        let orders = scene.core.take_locate().expect("it is looked up");
        asked.push(orders[0].in_vain);
        let located = orders.iter().map(|order| scene.located(order)).collect();
        scene.core.on_located(located, scene.now);
        scene.settle();
    }
    assert_eq!(asked, [false, true, true]);
}
