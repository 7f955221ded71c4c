//! Questions of many, before a broker that serves them as brokers do.

use std::cell::RefCell;

use bytes::Bytes;
use kafka_wire::batch::BatchBuilder;
use kafka_wire::message::fetch::FetchedTopic;
use kafka_wire::types::TopicName;

use super::super::together::all;
use super::*;

const KIB: usize = 1024;

fn id(topic: &TopicName) -> TopicId {
    TopicId([topic.as_str().as_bytes()[0]; 16])
}

fn question(topic: &str, partition: PartitionId, bytes: usize) -> Question {
    let topic = TopicName::from(topic);
    Question {
        id: id(&topic),
        partition: TopicPartition::new(topic, partition),
        offset: 7,
        bytes: i32::try_from(bytes).expect("small"),
    }
}

fn fetched(partition: PartitionId, error: ErrorCode, bytes: usize) -> FetchedPartition {
    FetchedPartition {
        partition,
        error,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted: Vec::new(),
        preferred_read_replica: None,
        diverging_epoch: None,
        current_leader: None,
        records: batch(partition, bytes),
    }
}

/// A batch of just this size, or none.
fn batch(partition: PartitionId, bytes: usize) -> Bytes {
    let letter = u8::try_from(partition % 256).expect("a byte");
    let build = |value: usize| {
        let value = vec![letter; value];
        BatchBuilder::new(7).record(None, Some(&value)).build()
    };
    let mut sizes = bytes.saturating_sub(90)..bytes;
    let found = sizes.find_map(|value| Some(build(value)).filter(|batch| batch.len() == bytes));
    assert_eq!(found.is_none(), bytes == 0);
    found.unwrap_or_default()
}

fn response(topics: Vec<FetchedTopic>) -> FetchResponse {
    FetchResponse {
        throttle_time_ms: 0,
        error: ErrorCode::NONE,
        session_id: 0,
        topics,
        node_endpoints: Vec::new(),
    }
}

/// A broker with one batch in each partition, as large as `size` says; it names topics by their ids.
#[derive(Default)]
struct Broker {
    /// How many partitions each request named.
    asked: RefCell<Vec<usize>>,
}

impl Broker {
    async fn serve(
        &self,
        request: FetchRequest,
        size: impl Fn(PartitionId) -> usize,
    ) -> Result<FetchResponse, String> {
        tokio::task::yield_now().await;
        let mut free = usize::try_from(request.max_bytes).expect("not negative");
        let mut is_first = true;
        let mut one = |asked: FetchPartition| {
            let whole = size(asked.partition);
            let most = usize::try_from(asked.max_bytes).expect("not negative");
            let comes = match whole <= most.min(free) || is_first {
                true => whole,
                false => 0,
            };
            is_first &= comes == 0;
            free = free.saturating_sub(comes);
            fetched(asked.partition, ErrorCode::NONE, comes)
        };
        let named = request.topics.iter().map(|topic| topic.partitions.len());
        self.asked.borrow_mut().push(named.sum());
        let topics = request.topics.into_iter().map(|topic| FetchedTopic {
            topic: TopicRef::Id(topic.id),
            partitions: topic.partitions.into_iter().map(&mut one).collect(),
        });
        Ok(response(topics.collect()))
    }

    /// What all these get, asked at the same time.
    async fn answers(
        &self,
        questions: &[Question],
        size: impl Fn(PartitionId) -> usize,
    ) -> Vec<Answer> {
        let (ask, asked) = Questions::new();
        let each = questions.iter().map(|question| ask.ask(question.clone()));
        let serve = |request| self.serve(request, &size);
        tokio::select! {
            biased;
            answers = all(each) => answers,
            never = answer(asked, IsolationLevel::ReadCommitted, serve) => match never {},
        }
    }
}

fn sizes(answers: &[Answer]) -> Vec<Option<usize>> {
    let size = |answer: &Answer| match answer {
        Answer::Read(fetched) => Some(fetched.records.len()),
        Answer::LeftOut => None,
        other => panic!("answered: {other:?}"),
    };
    answers.iter().map(size).collect()
}

#[tokio::test]
async fn what_is_asked_at_the_same_time_goes_with_one_request_and_each_gets_its_own() {
    let topic = |n| match n % 3 {
        0 => "a",
        1 => "b",
        _ => "c",
    };
    let questions = (0..60).map(|n| question(topic(n), n, 4 * KIB));
    let questions: Vec<Question> = questions.collect();
    let broker = Broker::default();
    let answers = broker.answers(&questions, |_| 100).await;
    assert_eq!(*broker.asked.borrow(), [60]);
    for (question, answer) in questions.iter().zip(answers) {
        let partition = question.partition.partition;
        let expected = fetched(partition, ErrorCode::NONE, 100);
        assert_eq!(answer, Answer::Read(expected), "{question:?}");
    }
}

#[tokio::test]
async fn an_answer_for_several_is_bounded_and_what_is_too_large_for_its_part_is_left_out() {
    let questions: Vec<Question> = (0..40).map(|n| question("a", n, 16 * KIB)).collect();
    let broker = Broker::default();
    let answers = broker.answers(&questions, |_| 16 * KIB).await;
    assert_eq!(sizes(&answers), [Some(16 * KIB); 40]);
    assert_eq!(*broker.asked.borrow(), [16, 16, 8]);

    // The first is served whole, however large it is, and takes nobody's place.
    let broker = Broker::default();
    let large = |n: PartitionId| match n {
        0 | 4 => 900 * KIB,
        2 => 20 * KIB,
        _ => 16 * KIB,
    };
    let answers = broker.answers(&questions[..6], large).await;
    let small = Some(16 * KIB);
    let expected = [Some(900 * KIB), small, None, small, None, small];
    assert_eq!(sizes(&answers), expected);
    assert_eq!(*broker.asked.borrow(), [6]);
}

#[tokio::test]
async fn who_is_asked_for_alone_is_never_left_out() {
    let broker = Broker::default();
    let whole = 1024 * KIB;
    let questions = [
        question("a", 0, KIB),
        question("a", 1, whole),
        question("a", 2, whole),
        question("a", 3, KIB),
    ];
    let answers = broker.answers(&questions, |_| 900 * KIB).await;
    assert_eq!(sizes(&answers), [Some(900 * KIB); 4]);
    assert_eq!(*broker.asked.borrow(), [1, 1, 1, 1]);
    // Nothing is there.
    let answers = broker.answers(&questions[..1], |_| 0).await;
    assert_eq!(sizes(&answers), [Some(0)]);
    let answers = broker.answers(&questions[2..], |_| 0).await;
    assert_eq!(sizes(&answers), [Some(0), Some(0)]);
}

#[tokio::test]
async fn a_partition_is_named_once_in_a_request() {
    let broker = Broker::default();
    let questions = [
        question("a", 0, KIB),
        question("b", 0, KIB),
        question("a", 0, KIB),
        question("a", 1, KIB),
    ];
    let answers = broker.answers(&questions, |_| 100).await;
    assert_eq!(sizes(&answers), [Some(100); 4]);
    assert_eq!(*broker.asked.borrow(), [2, 2]);
}

#[test]
fn what_concerns_one_partition_concerns_that_one_only() {
    let questions: Vec<Question> = (0..3).map(|n| question("a", n, KIB)).collect();
    let questions: Vec<&Question> = questions.iter().collect();
    let trouble = Answer::Trouble("source: gone".to_owned());
    let answers = sort(&questions, Err("source: gone".to_owned()));
    assert_eq!(answers, [(); 3].map(|()| trouble.clone()));

    let there = fetched(0, ErrorCode::NONE, 100);
    let moved = fetched(1, ErrorCode::NOT_LEADER_OR_FOLLOWER, 0);
    let answer = FetchResponse {
        error: ErrorCode::UNKNOWN_TOPIC_ID,
        ..response(vec![FetchedTopic {
            topic: TopicRef::Name("a".into()),
            partitions: vec![moved, there.clone()],
        }])
    };
    let mut cut = there.clone();
    cut.records.truncate(99);
    let expected = [
        Answer::Read(there),
        Answer::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        // Nothing is said of it.
        Answer::Refused(ErrorCode::UNKNOWN_TOPIC_ID),
    ];
    assert_eq!(sort(&questions, Ok(answer)), expected);

    // What was cut off is not there.
    let answer = response(vec![FetchedTopic {
        topic: TopicRef::Name("a".into()),
        partitions: vec![cut, fetched(1, ErrorCode::NONE, 0)],
    }]);
    let expected = [Answer::LeftOut, Answer::LeftOut];
    assert_eq!(sort(&questions[..2], Ok(answer)), expected);
}

#[tokio::test(start_paused = true)]
async fn a_broker_whose_quota_is_used_up_is_asked_again_when_it_said_so() {
    let begin = tokio::time::Instant::now();
    let asked = RefCell::new(Vec::new());
    let ask = |throttled: usize, throttle: i32| {
        asked.borrow_mut().push(begin.elapsed().as_millis());
        let number = asked.borrow().len();
        let partitions = vec![fetched(0, ErrorCode::NONE, 100)];
        let topic = TopicRef::Name("a".into());
        let mut topics = vec![FetchedTopic { topic, partitions }];
        if number <= throttled {
            topics.clear();
        }
        let answer = FetchResponse {
            throttle_time_ms: throttle,
            ..response(topics)
        };
        async move { Ok(answer) }
    };
    let waited = AtomicU64::new(0);
    // What comes with something in it is taken, whatever it says besides.
    let answer = unthrottled(&waited, || ask(3, 700)).await;
    let answer = answer.expect("it was not long").expect("it answers");
    assert_eq!(answer.topics.len(), 1);
    assert_eq!(asked.take(), [0, 700, 1400, 2100]);
    // Nothing, and no reason for it.
    let answer = unthrottled(&waited, || ask(3, 0)).await;
    let answer = answer.expect("it was not long").expect("it answers");
    assert_eq!(answer.topics.len(), 0);
    asked.take();
    // All of a group wait together.
    let answer = unthrottled(&waited, || ask(9, 11_000)).await;
    assert_eq!(answer, Err(Duration::from_millis(2100 + 33_000)));
    assert_eq!(asked.take().len(), 3);
}
