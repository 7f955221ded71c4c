//! Answers that a run brings along for partitions that stand: without HTTP nobody could give them while it runs.
//!
//! Each is given when its partition stands, and one that leaves records out again whenever it stands at that offset: where records come from several clusters
//! a partition has parts, each of which may come to stand. Those that lose records need the offset they are meant for, because the option
//! stays in the command line or the service file after the day for which it was written.

use std::fmt;

use kafka_wire::types::TopicPartition;
use replication::data_plane::{Answer, NotResumed, State, Stop};
use replication::link::LinkHandle;
use replication::link::LinkStatus;

use crate::output;

/// An answer to one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    source: TopicPartition,
    answer: Answer,
    /// Where the partition has to stand.
    expected: Option<i64>,
    /// Whether it was given already.
    given: bool,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, answer, .. } = self;
        write!(f, "{}/{}={}", source.topic, source.partition, answer.name())?;
        self.expected
            .map_or(Ok(()), |offset| write!(f, "@{offset}"))
    }
}

/// How the run is repeated to let a partition go on that stands, where that does not happen by itself once its cause is mended.
pub(crate) fn offered(source: &TopicPartition, stop: &Stop) -> Option<String> {
    let mut possible = Answer::possible(stop.state)
        .iter()
        .filter(|answer| **answer != Answer::Again)
        .copied();
    let given = Given {
        source: source.clone(),
        answer: possible.next()?,
        expected: stop.offset,
        given: false,
    };
    let others: Vec<&str> = possible.map(Answer::name).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!(", or {}", others.join(", ")),
    };
    Some(format!("to let it go on: --answer {given}{others}"))
}

/// Reads `TOPIC/P=ACTION[@OFFSET]`.
pub(crate) fn parse(text: &str) -> Result<Given, String> {
    let wrong = || "write TOPIC/P=ACTION@OFFSET, for example orders/3=continue@1042".to_owned();
    let (partition, said) = text.split_once('=').ok_or_else(wrong)?;
    let (topic, number) = partition.rsplit_once('/').ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let number = i32::try_from(number).map_err(|_| wrong())?;
    let (action, expected) = match said.split_once('@') {
        None => (said, None),
        Some((action, offset)) => {
            let offset = offset.parse::<u64>().ok();
            let offset = offset.and_then(|offset| i64::try_from(offset).ok());
            (action, Some(offset.ok_or_else(wrong)?))
        }
    };
    let answer = Answer::of(action)?;
    if expected.is_none() && matches!(answer, Answer::Continue | Answer::SkipRecord) {
        return Err(format!(
            "{action} leaves records out: say for which offset, as the partition's state tells it: {text}@OFFSET"
        ));
    }
    Ok(Given {
        source: TopicPartition::new(topic.into(), number),
        answer,
        expected,
        given: false,
    })
}

/// Gives those answers whose partitions stand now, says how that went, and leaves the others. Returns whether a partition goes on.
pub(crate) async fn give(
    answers: &mut Vec<Given>,
    links: &[(String, LinkHandle)],
    statuses: &[(&str, LinkStatus)],
) -> bool {
    let mut goes_on = false;
    for mut given in std::mem::take(answers) {
        let Some((name, handle)) = stands(&given, statuses).and_then(|at| links.get(at)) else {
            answers.push(given);
            continue;
        };
        let source = given.source.clone();
        match handle.resume(source, given.answer, given.expected).await {
            Ok(()) => {
                output::line(&format!("{name}: {given}: the partition goes on"));
                goes_on = true;
                if matches!(given.answer, Answer::Continue | Answer::SkipRecord) {
                    given.given = true;
                    answers.push(given);
                }
            }
            // It went on by itself in the meantime, and may stand again.
            Err(NotResumed::Runs | NotResumed::Unknown) => answers.push(given),
            Err(not) => output::error(&format!("{name}: {given}: {not}")),
        }
    }
    goes_on
}

/// Says which were not needed.
pub(crate) fn say_unused(answers: &[Given]) {
    for given in answers.iter().filter(|given| !given.given) {
        tracing::warn!("the answer {given} was not needed: its partition did not stand");
    }
}

/// Which of the links has the partition of an answer standing; where the answer was given before, at its offset.
fn stands(given: &Given, statuses: &[(&str, LinkStatus)]) -> Option<usize> {
    statuses.iter().position(|(_, status)| {
        let mut partitions = status.data.partitions.iter();
        partitions.any(|one| one.source == given.source && given.is_meant_for(&one.state))
    })
}

impl Given {
    fn is_meant_for(&self, state: &State) -> bool {
        match state {
            State::Stopped(stop) => !self.given || stop.offset == self.expected,
            State::Starting | State::Running | State::Waiting(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_shown() {
        for text in [
            "orders/3=continue@1042",
            "a.b/0=resume",
            "t/1=recopy",
            "t/0=append@0",
        ] {
            assert_eq!(parse(text).expect("whole").to_string(), text);
        }
    }

    #[test]
    fn an_answer_that_was_given_is_given_again_at_its_offset_alone() {
        let stands_at = |offset| {
            State::Stopped(Stop {
                state: "source-gap",
                offset: Some(offset),
                reason: String::new(),
                lost: None,
            })
        };
        let mut given = parse("t/0=continue@7").expect("whole");
        assert!(given.is_meant_for(&stands_at(7)));
        // Whoever gives it is told that the partition stands elsewhere.
        assert!(given.is_meant_for(&stands_at(8)));
        given.given = true;
        assert!(given.is_meant_for(&stands_at(7)));
        assert!(!given.is_meant_for(&stands_at(8)));
        assert!(!given.is_meant_for(&State::Running));
    }

    #[test]
    fn what_is_offered_can_be_given() {
        let source = TopicPartition::new("orders".into(), 3);
        let stop = |state, offset| Stop {
            state,
            offset,
            reason: String::new(),
            lost: None,
        };
        for (state, offset, says) in [
            ("source-gap", Some(7), "orders/3=continue@7, or recopy"),
            ("source-recreated", Some(7), "orders/3=append@7, or recopy"),
            ("destination-behind", None, "orders/3=recopy"),
        ] {
            let offered = offered(&source, &stop(state, offset)).expect(state);
            assert_eq!(offered, format!("to let it go on: --answer {says}"));
            let first = says.split(',').next().expect("not empty");
            assert_eq!(parse(first).expect(state).to_string(), first);
        }
        assert_eq!(offered(&source, &stop("cannot-place", None)), None);
    }

    #[test]
    fn what_leaves_records_out_needs_its_offset_and_what_is_unknown_is_refused() {
        for (text, says) in [
            ("orders/3=continue", "orders/3=continue@OFFSET"),
            ("orders/3=skip-record", "leaves records out"),
            (
                "orders/3=forget@3",
                "there are: resume, skip-record, continue, append, recopy",
            ),
            ("orders=continue@3", "write TOPIC/P=ACTION@OFFSET"),
            ("orders/x=continue@3", "write TOPIC/P=ACTION@OFFSET"),
            ("orders/3=continue@-3", "write TOPIC/P=ACTION@OFFSET"),
            ("orders/3", "write TOPIC/P=ACTION@OFFSET"),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(says), "{text}: {problem}");
        }
    }
}
