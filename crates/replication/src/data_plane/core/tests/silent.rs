//! Brokers that answer nothing: their partitions look for another leader, and take no memory from the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use kafka_wire::batch::BatchBuilder;
use kafka_wire::types::NodeId;

use super::scene::{
    DESTINATION_ID, FROM, SOURCE_ID, Scene, Sent, TO, batch, destination, led_by, response,
    settings, source,
};
use crate::data_plane::core::{Index, Settings};

/// Two partitions, running; another broker of the destination leads the second.
fn with_two_brokers() -> Scene {
    let mut scene = Scene::new(settings());
    scene
        .places
        .insert(destination(1), led_by(DESTINATION_ID, 12, 1));
    for partition in 0..2 {
        let source = super::scene::source(partition);
        scene.assign(source, destination(partition), None);
    }
    scene.settle();
    scene
}

#[test]
fn a_broker_that_answers_nothing_is_left_as_soon_as_another_one_leads() {
    let mut scene = Scene::running();
    scene.fetch(0, &[batch(0, 1)]);
    let sent = scene.send_one();
    assert_eq!(sent.lane.node, TO);
    scene.pass(Duration::from_secs(2));
    assert!(!scene.locate(), "it may still answer");
    scene.pass(Duration::from_secs(1));
    assert!(scene.locate(), "who leads now is looked up");
    assert!(scene.core.take_cut(scene.now).is_empty(), "it still leads");
    scene
        .places
        .insert(destination(0), led_by(DESTINATION_ID, 12, 1));
    let due = scene.core.next_timer().expect("it is looked up again");
    scene.now = due;
    scene.core.on_time(due);
    assert!(scene.locate());
    assert_eq!(scene.core.take_cut(scene.now), [TO].into());
    scene
        .core
        .on_lane_ended(TO.into(), &[sent.tag], "given up", scene.now);
    scene.pass_and_settle();
    scene.fetch(0, &[batch(0, 1)]);
    assert_eq!(scene.send_one().lane.node, NodeId(12));
}

#[test]
fn what_is_in_memory_for_a_silent_broker_is_dropped_where_others_need_the_memory() {
    let mut scene = with_two_brokers();
    for index in 0..2 {
        scene.fetch(index, &[batch(0, 1)]);
    }
    let sent = scene.send();
    let answered = sent.iter().find(|sent| sent.lane.node == NodeId(12));
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
    assert!(scene.core.take_cut(scene.now).is_empty(), "it still leads");
    scene
        .places
        .insert(destination(0), led_by(DESTINATION_ID, 12, 1));
    let due = scene.core.next_timer().expect("it is looked up again");
    scene.now = due;
    scene.core.on_time(due);
    scene.locate();
    assert_eq!(scene.core.take_cut(scene.now), [TO].into());
    let unanswered = sent.iter().find(|sent| sent.lane.node == TO).expect("sent");
    let tags = [unanswered.tag];
    scene
        .core
        .on_lane_ended(TO.into(), &tags, "given up", scene.now);
    scene.pass_and_settle();
    assert!(scene.is_running(0));
}

/// What is told of the partitions that are asked for: whether their records linger.
fn told(scene: &mut Scene) -> BTreeMap<usize, bool> {
    let (_, order) = scene.order();
    let told = order.set.iter();
    told.map(|(index, _, _, rules)| (*index, rules.lingers))
        .collect()
}

#[test]
fn what_is_read_for_a_slow_broker_lingers_until_it_is_slow_no_more() {
    let mut scene = with_two_brokers();
    let read = |scene: &mut Scene, at: i64| {
        let answers = [0, 1].map(|index| scene.answer_of(index, at, &[batch(at, 1)]));
        scene.answer_fetch(super::scene::FROM, answers.into());
    };
    assert_eq!(told(&mut scene), BTreeMap::from([(0, false), (1, false)]));
    read(&mut scene, 0);
    let sent = scene.send();
    let to = |node| sent.iter().find(|sent| sent.lane.node == NodeId(node));
    scene.answer(to(TO.0).expect("sent"), Ok(100));
    scene.pass(Duration::from_millis(300));
    assert_eq!(told(&mut scene), BTreeMap::from([(0, false), (1, true)]));
    read(&mut scene, 1);
    scene.answer(to(12).expect("sent"), Ok(100));
    let sent = scene.send();
    assert_eq!(told(&mut scene), BTreeMap::from([(0, false), (1, true)]));
    // Both take it at once from now on.
    for sent in &sent {
        scene.answer(sent, Ok(101));
    }
    read(&mut scene, 2);
    assert_eq!(told(&mut scene), BTreeMap::from([(0, false), (1, false)]));
}

#[test]
fn a_slow_broker_has_a_share_of_the_memory_and_its_partitions_go_on_when_it_is_free() {
    let small = Settings {
        memory: 400,
        partition_room: 1 << 20,
        ..settings()
    };
    let mut scene = Scene::new(small);
    scene
        .places
        .insert(destination(2), led_by(DESTINATION_ID, 12, 1));
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
    assert_eq!(asked(&scene), [2], "the other broker's is read on");
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
    for (node, epoch) in [(2, 5), (1, 4)] {
        scene
            .places
            .insert(source(0), led_by(SOURCE_ID, node, epoch));
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
        let place = led_by(DESTINATION_ID, node, epoch);
        scene.places.insert(destination(0), place);
        scene.core.look_again(&"s".into());
        scene.pass_and_settle();
        scene.pass_and_settle();
        assert_eq!(scene.partition(0).destination_leader, Some(NodeId(12)));
        assert_eq!(scene.core.held.len(), 1, "who leads nothing has no share");
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

/// A slow line to [`TO`], and a fast one to another broker; there is always something to send to both.
struct Lines {
    scene: Scene,
    /// What is on the slow line, oldest first, and how much of the first has arrived.
    slow: VecDeque<Sent>,
    arrived: usize,
    /// Bytes that it carries in [`TICK`]; nothing where its broker hangs.
    carries: usize,
    /// Where logs end, and offsets that were acknowledged in each.
    ends: BTreeMap<i32, i64>,
}

const TICK: Duration = Duration::from_millis(100);
/// Partitions of which the last one is led by the other broker.
const MANY: u8 = 9;
/// Bytes of a batch.
const LARGE: usize = 500_000;

impl Lines {
    fn new(carries: usize) -> Self {
        let mut scene = Scene::new(Settings {
            max_partition_bytes: 1 << 20,
            max_fetch_bytes: 64 << 20,
            max_request_bytes: 64 << 20,
            ..settings()
        });
        let fast = destination(i32::from(MANY - 1));
        scene.places.insert(fast, led_by(DESTINATION_ID, 12, 1));
        for partition in 0..i32::from(MANY) {
            let source = super::scene::source(partition);
            scene.assign(source, destination(partition), None);
        }
        scene.settle();
        Self {
            scene,
            slow: VecDeque::new(),
            arrived: 0,
            carries,
            ends: BTreeMap::new(),
        }
    }

    /// Goes on for so long, or until a partition does not run. Gives the longest time in which the slow broker answered nothing.
    fn run(&mut self, time: Duration) -> Duration {
        let (begin, mut answered, mut longest) = (self.scene.now, self.scene.now, Duration::ZERO);
        while self.scene.now < begin + time && self.running() {
            self.scene.pass(TICK);
            self.read();
            for sent in self.scene.send() {
                match sent.lane.node {
                    TO => self.slow.push_back(sent),
                    _ => self.answer(&sent),
                }
            }
            self.arrived += self.carries;
            while let Some(sent) = self.slow.pop_front() {
                let size = sent.batches().len() * LARGE;
                if self.arrived < size {
                    self.slow.push_front(sent);
                    break;
                }
                self.arrived -= size;
                self.answer(&sent);
                answered = self.scene.now;
            }
            if self.slow.is_empty() {
                self.arrived = 0;
            }
            longest = longest.max(self.scene.now - answered);
        }
        longest
    }

    fn running(&self) -> bool {
        (0..Index::from(MANY)).all(|index| self.scene.is_running(index))
    }

    /// Everything that is asked for is there.
    fn read(&mut self) {
        while self.scene.next_order().is_some() {
            let asked: Vec<_> = self.scene.asked[&FROM].values().copied().collect();
            let answers = asked.into_iter().map(|(index, offset)| {
                let value = vec![b'v'; LARGE - 100];
                let batch = BatchBuilder::new(offset).record(None, Some(&value));
                self.scene.answer_of(index, offset, &[batch.build()])
            });
            let answers = answers.collect();
            self.scene.answer_fetch(FROM, answers);
        }
    }

    fn answer(&mut self, sent: &Sent) {
        let mut bases = HashMap::new();
        for (partition, _, _) in sent.batches() {
            let end = self.ends.entry(partition.partition).or_insert(100);
            bases.insert(partition.partition, *end);
            *end += 1;
        }
        let response = response(sent, |partition| Some(Ok(bases[&partition])));
        self.scene
            .core
            .on_answer(sent.tag, &response, self.scene.now);
    }
}

#[test]
fn a_slow_broker_that_answers_one_request_after_the_other_is_not_silent() {
    // 1 MB/s, and half of that from one moment to the next; and down to so little that the least that is sent takes 7 s.
    for carries in [[100_000, 50_000], [30_000, 15_000]] {
        let mut lines = Lines::new(carries[0]);
        let longest = lines.run(Duration::from_secs(60));
        lines.carries = carries[1];
        let longest = longest.max(lines.run(Duration::from_secs(120)));
        assert!(lines.running(), "{carries:?}");
        assert!(lines.scene.core.take_cut(lines.scene.now).is_empty());
        let waits = lines.scene.core.writers[&TO].silent_for(lines.scene.now);
        assert_eq!(waits, None);
        let seconds = longest.as_secs();
        assert!((2..15).contains(&seconds), "it is slow: {longest:?}");
    }
}

#[test]
fn a_slow_broker_that_hangs_is_silent_soon() {
    let mut lines = Lines::new(100_000);
    lines.run(Duration::from_secs(60));
    assert!(lines.running());
    lines.carries = 0;
    let hung = lines.scene.now;
    lines.run(Duration::from_secs(60));
    assert!(!lines.running());
    // It was in the middle of a request that takes 3 s.
    let after = lines.scene.now - hung;
    let is_soon = (Duration::from_secs(2)..Duration::from_secs(8)).contains(&after);
    assert!(is_soon, "{after:?}");
    for index in 0..8 {
        let partition = lines.scene.partition(index);
        assert!(partition.send.is_none(), "{index}");
        let trouble = partition.trouble.clone().unwrap_or_default();
        assert!(
            trouble.contains("broker 11 has not answered for"),
            "{trouble}"
        );
    }
    assert!(lines.scene.is_running(8), "the other one answers");
}
