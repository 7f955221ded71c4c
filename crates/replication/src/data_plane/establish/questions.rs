//! Questions for batches of partitions that are compared at the same time: what is asked at the same moment goes with one request,
//! and comes with one answer. One after the other each partition would take a round trip for itself.
//!
//! ```text
//!   partition ─ Question ─┐                                ┌─ Answer ─▶ partition
//!   partition ─ Question ─┼─▶ queue ─▶ one Fetch ─▶ broker ┼─ Answer ─▶ partition
//!   partition ─ Question ─┘                                └─ Answer ─▶ partition
//! ```
//!
//! A broker serves the first batch of an answer whole, however large it is; for another partition it sends nothing where a batch
//! is larger than that partition may send. Who is told so asks again for more; one that is asked for alone is never told so.
//! Where a quota is used up it says nothing of any partition, only when to ask again.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_wire::batch::Batches;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchedPartition,
};
use kafka_wire::message::{IsolationLevel, TopicRef};
use kafka_wire::types::{PartitionId, TopicId, TopicPartition};
use tokio::sync::{mpsc, oneshot};

use super::together::TOGETHER;

/// Bytes that several may have together: over a line that carries 100 KB a second that takes three seconds.
const TOTAL: i32 = 256 * 1024;

/// For how long a broker may say nothing but when to ask again, to all partitions of a group together: three times what a quota
/// remembers where it was not set otherwise (`quota.window.num`, `quota.window.size.seconds`).
const THROTTLED: Duration = Duration::from_secs(33);

/// Which batches are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) partition: TopicPartition,
    pub(super) id: TopicId,
    pub(super) offset: i64,
    /// Bytes that may come.
    pub(super) bytes: i32,
}

/// What a broker says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Read(FetchedPartition),
    /// Nothing came whole: what stands there may be larger than what was asked for.
    LeftOut,
    Refused(ErrorCode),
    /// The broker did not answer; with the side.
    Trouble(String),
}

/// A question, and who waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    question: Question,
    reply: oneshot::Sender<Answer>,
}

/// Where partitions of a group ask.
#[derive(Debug)]
pub(super) struct Questions(mpsc::Sender<Asked>);

impl Questions {
    /// With what [`answer`] takes.
    pub(super) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(TOGETHER);
        (Self(sender), receiver)
    }

    pub(super) async fn ask(&self, question: Question) -> Answer {
        let (reply, answer) = oneshot::channel();
        let asked = self.0.send(Asked { question, reply });
        let nobody = || Answer::Trouble("nobody asks any more".to_owned());
        match asked.await {
            Ok(()) => answer.await.unwrap_or_else(|_| nobody()),
            Err(_) => nobody(),
        }
    }
}

/// Answers what is asked for as long as it is polled. Polled behind those who ask, it sees the questions of all of them.
pub(super) async fn answer<F>(
    mut asked: mpsc::Receiver<Asked>,
    isolation: IsolationLevel,
    ask: impl Fn(FetchRequest) -> F,
) -> Infallible
where
    F: Future<Output = Result<FetchResponse, String>>,
{
    // Each partition waits for its answer before it asks again: as many as are compared.
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match asked.recv().await {
                Some(first) => waiting.push_back(first),
                None => return pending().await,
            }
        }
        while let Ok(next) = asked.try_recv() {
            waiting.push_back(next);
        }
        let some = take_some(&mut waiting);
        let questions: Vec<&Question> = some.iter().map(|asked| &asked.question).collect();
        let answer = ask(request(&questions, isolation)).await;
        let answers = sort(&questions, answer);
        for (asked, answer) in some.into_iter().zip(answers) {
            // Whoever has gone meanwhile needs none.
            drop(asked.reply.send(answer));
        }
    }
}

/// Asks until the broker says something of partitions. Where a quota is used up it does not (KIP-219), and not for longer than the
/// quota's samples go back. `waited` are the milliseconds that its group has waited for that.
///
/// # Errors
/// It was told to wait for longer than a group waits.
pub(super) async fn unthrottled<F>(
    waited: &AtomicU64,
    ask: impl Fn() -> F,
) -> Result<Result<FetchResponse, String>, Duration>
where
    F: Future<Output = Result<FetchResponse, String>>,
{
    loop {
        let answer = match ask().await {
            Ok(answer) => answer,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let throttle = u64::try_from(answer.throttle_time_ms).unwrap_or(0);
        let is_empty = answer.topics.is_empty() && answer.error == ErrorCode::NONE;
        if !is_empty || throttle == 0 {
            return Ok(Ok(answer));
        }
        let all = waited.fetch_add(throttle, Ordering::Relaxed) + throttle;
        let all = Duration::from_millis(all);
        if all > THROTTLED {
            return Err(all);
        }
        tokio::time::sleep(Duration::from_millis(throttle)).await;
    }
}

/// The first questions, as many as go with one request: each partition once, and what needs more than several may have alone.
fn take_some(waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
    let mut some: Vec<Asked> = Vec::new();
    let mut bytes = 0;
    while let Some(next) = waiting.front().map(|asked| &asked.question) {
        bytes += next.bytes;
        let mut before = some.iter().map(|asked| &asked.question.partition);
        let is_twice = before.any(|partition| *partition == next.partition);
        let is_full = bytes > TOTAL || some.len() == TOGETHER;
        if !some.is_empty() && (is_twice || is_full) {
            break;
        }
        some.extend(waiting.pop_front());
    }
    some
}

/// One request for all of these, outside any session.
pub(super) fn request(questions: &[&Question], isolation_level: IsolationLevel) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for question in questions {
        let partition = FetchPartition {
            partition: question.partition.partition,
            current_leader_epoch: -1,
            fetch_offset: question.offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            max_bytes: question.bytes,
        };
        let name = &question.partition.topic;
        let is_same = |topic: &&mut FetchTopic| topic.name == *name && topic.id == question.id;
        match topics.iter_mut().find(is_same) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic {
                name: name.clone(),
                id: question.id,
                partitions: vec![partition],
            }),
        }
    }
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: match questions {
            [alone] => alone.bytes,
            // What partitions may send bounds it, and a first batch that is larger would take the place of the others.
            _ => i32::MAX,
        },
        isolation_level,
        session_id: 0,
        session_epoch: -1,
        rack_id: String::new(),
        topics,
        forgotten: Vec::new(),
    }
}

/// The answer for each of these.
pub(super) fn sort(questions: &[&Question], answer: Result<FetchResponse, String>) -> Vec<Answer> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => {
            let all = questions.iter();
            return all.map(|_| Answer::Trouble(trouble.clone())).collect();
        }
    };
    let mut found: HashMap<(TopicRef, PartitionId), FetchedPartition> = HashMap::new();
    for topic in answer.topics {
        for fetched in topic.partitions {
            found.insert((topic.topic.clone(), fetched.partition), fetched);
        }
    }
    let is_alone = questions.len() == 1;
    let mut one = |question: &Question| {
        let number = question.partition.partition;
        let by_name = (TopicRef::Name(question.partition.topic.clone()), number);
        let by_id = (TopicRef::Id(question.id), number);
        let fetched = found.remove(&by_name).or_else(|| found.remove(&by_id));
        match fetched.map_or(Err(answer.error), FetchedPartition::without_error) {
            Err(code) => Answer::Refused(code),
            Ok(fetched) if is_alone || holds_some(&fetched) => Answer::Read(fetched),
            Ok(_) => Answer::LeftOut,
        }
    };
    questions.iter().map(|question| one(question)).collect()
}

/// Whether anything came whole.
fn holds_some(fetched: &FetchedPartition) -> bool {
    let first = Batches::new(fetched.records.clone()).next();
    first.is_some_and(|entry| entry.is_ok())
}

#[cfg(test)]
mod tests;
