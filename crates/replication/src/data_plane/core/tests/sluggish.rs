//! A slow broker of the destination does not keep the answers that others' records came in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_wire::types::NodeId;

use super::scene::{DESTINATION_ID, FROM, Scene, batch, destination, settings, source};
use crate::data_plane::core::Place;
use crate::data_plane::partition::Leader;

const ILL: NodeId = NodeId(12);

/// Copies two partitions for some seconds, ten batches of each in every tenth of one; `ill` answers one request in that time.
/// Says of which of them the newest answers are taken apart.
fn apart(ill: NodeId) -> BTreeMap<usize, bool> {
    let mut scene = Scene::new(settings());
    let place = Place {
        leader: Leader {
            node: ILL,
            epoch: 0,
        },
        topic_id: DESTINATION_ID,
    };
    scene.places.insert(destination(1), place);
    for partition in 0..2 {
        scene.assign(source(partition), destination(partition), None);
    }
    scene.settle();
    let (mut apart, mut waiting) = (BTreeMap::new(), VecDeque::new());
    let mut ends = BTreeMap::from([(0, 100), (1, 100)]);
    for _ in 0..30 {
        scene.pass(Duration::from_millis(100));
        let (_, order) = scene.order();
        let told = order.set.iter();
        apart.extend(told.map(|(index, _, _, rules)| (*index, rules.apart)));
        for index in [0, 1] {
            let next = scene.partition(index).next_fetch;
            let batches: Vec<_> = (next..next + 10).map(|at| batch(at, 1)).collect();
            scene.fetched(index, next, &batches);
        }
        let mut answers = 0;
        loop {
            waiting.extend(scene.send());
            let ready = waiting
                .iter()
                .position(|sent: &super::scene::Sent| sent.node != ill || answers == 0);
            let Some(sent) = ready.and_then(|at| waiting.remove(at)) else {
                break;
            };
            answers += u32::from(sent.node == ill);
            let (partition, ..) = sent.batches().remove(0);
            let end = ends.get_mut(&partition.partition).expect("one of two");
            scene.answer(&sent, Ok(*end));
            *end += 1;
        }
    }
    assert_eq!(scene.asked[&FROM].len(), 2, "both are read");
    apart
}

#[test]
fn what_a_slow_broker_has_yet_to_take_is_taken_out_of_its_answers_and_nothing_else() {
    assert_eq!(apart(ILL), BTreeMap::from([(0, false), (1, true)]));
    assert_eq!(apart(NodeId(99)), BTreeMap::from([(0, false), (1, false)]));
}
