//! From the health of partitions to that of their link (pure).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Lag, LinkHealth, PartitionHealth, Rating, Reachability, Verdict};

/// Rates a link. `before` is what it was: rising to healthy takes two evaluations, falling one. `elsewhere` is what else
/// is wrong with it.
pub(super) fn rate(
    partitions: Vec<PartitionHealth>,
    elsewhere: Option<&str>,
    objective: Duration,
    before: &LinkHealth,
    ready: &mut bool,
    at: Instant,
) -> LinkHealth {
    let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut lag = Lag::NONE;
    for partition in &partitions {
        *states.entry(partition.state).or_default() += 1;
        lag = lag.with(&partition.lag);
    }
    let (rating, reason) = decide(&partitions, &lag, elsewhere, objective);
    let is_well = rating == Rating::Healthy;
    let was_well = before.rating == Rating::Healthy;
    let (rating, reason) = if is_well && !was_well && !*ready {
        (before.rating, before.reason.clone())
    } else {
        (rating, reason)
    };
    *ready = is_well;
    LinkHealth {
        at,
        rating,
        reason,
        lag,
        states,
        partitions,
        reach: before.reach.clone(),
        destination_read: before.destination_read,
    }
}

/// A side of which brokers do not answer that are needed.
pub(super) fn unreachable([source, destination]: &[Reachability; 2]) -> Option<String> {
    let sides = [("source", source), ("destination", destination)];
    let silent = |reach: &Reachability| matches!(reach.verdict, Verdict::Fail | Verdict::Warn);
    let worst = sides.into_iter().filter(|(_, reach)| silent(reach));
    let (side, reach) = worst.max_by_key(|(_, reach)| reach.verdict)?;
    Some(format!("{side}: {}", reach.evidence))
}

fn decide(
    partitions: &[PartitionHealth],
    lag: &Lag,
    elsewhere: Option<&str>,
    objective: Duration,
) -> (Rating, String) {
    let total = partitions.len();
    let count = |verdict| partitions.iter().filter(|p| p.verdict == verdict).count();
    let first = |verdict| partitions.iter().find(|p| p.verdict == verdict);
    let told = |partition: &PartitionHealth, number: usize, what: &str| {
        format!(
            "{number} of {total} partitions {what}; first {}: {}{}",
            partition.source,
            partition.state,
            partition
                .reason
                .as_ref()
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default()
        )
    };
    if let Some(failed) = first(Verdict::Fail) {
        let number = count(Verdict::Fail);
        let moves = partitions.iter().any(|p| p.verdict < Verdict::Unknown);
        let rating = if moves {
            Rating::Degraded
        } else {
            Rating::Failed
        };
        return (rating, told(failed, number, "are not copied"));
    }
    if let Some(unknown) = first(Verdict::Unknown) {
        let number = count(Verdict::Unknown);
        return (Rating::Unknown, told(unknown, number, "are not known"));
    }
    if let Some(warned) = first(Verdict::Warn) {
        let number = count(Verdict::Warn);
        return (Rating::Degraded, told(warned, number, "have trouble"));
    }
    if let Some(trouble) = elsewhere {
        return (Rating::Degraded, trouble.to_owned());
    }
    if !lag.known && total > 0 {
        return (
            Rating::Unknown,
            "how much is still to be copied is not known yet".to_owned(),
        );
    }
    if lag.seconds > objective.as_secs_f64() {
        let reason = format!(
            "{} records wait, the oldest for {:.0} s; the objective is {} s",
            lag.records.unwrap_or(0),
            lag.seconds,
            objective.as_secs()
        );
        // Nothing is wrong with any of them: it is what they wait for.
        let told = partitions
            .iter()
            .find_map(|p| Some((p, p.reason.as_ref()?)));
        let reason = match told {
            Some((first, why)) => format!("{reason}; {}: {why}", first.source),
            None => reason,
        };
        return (Rating::CatchingUp, reason);
    }
    // Without a number: this may be a part of a link, and its sentence that of the whole.
    let reason = match total {
        0 => "there is nothing to copy",
        _ => "all partitions are copied within the objective",
    };
    (Rating::Healthy, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use kafka_wire::types::TopicPartition;

    use super::*;

    fn partition(number: i32, verdict: Verdict, lag: Lag) -> PartitionHealth {
        let name = TopicPartition::new("t".into(), number);
        PartitionHealth {
            source: name.clone(),
            destination: name,
            state: "active",
            since: Instant::now(),
            reason: None,
            verdict,
            lag,
            no_progress: Duration::ZERO,
            progress: Some(0),
            source_start: None,
            source_end: None,
            destination_end: None,
            leaders: [None; 2],
        }
    }

    fn rating(verdicts: &[Verdict], seconds: f64) -> Rating {
        let lag = Lag {
            seconds,
            ..Lag::NONE
        };
        let all = (0..).zip(verdicts).map(|(n, v)| partition(n, *v, lag));
        let all: Vec<_> = all.collect();
        let lag = all.iter().fold(Lag::NONE, |sum, p| sum.with(&p.lag));
        decide(&all, &lag, None, Duration::from_secs(60)).0
    }

    #[test]
    fn a_link_is_as_well_as_the_worst_of_its_partitions() {
        use Verdict::{Fail, Pass, Unknown, Warn};
        assert_eq!(rating(&[Pass, Pass], 1.0), Rating::Healthy);
        assert_eq!(rating(&[Pass, Pass], 61.0), Rating::CatchingUp);
        assert_eq!(rating(&[Pass, Warn], 1.0), Rating::Degraded);
        assert_eq!(rating(&[Pass, Fail], 1.0), Rating::Degraded);
        assert_eq!(rating(&[Fail, Fail], 1.0), Rating::Failed);
        assert_eq!(rating(&[Fail, Unknown], 1.0), Rating::Failed);
        assert_eq!(rating(&[Pass, Unknown], 1.0), Rating::Unknown);
    }

    #[test]
    fn a_link_that_catches_up_says_what_its_partitions_wait_for() {
        let lag = Lag {
            seconds: 61.0,
            ..Lag::NONE
        };
        let mut all = vec![
            partition(0, Verdict::Pass, lag),
            partition(1, Verdict::Pass, lag),
        ];
        all[1].reason = Some("it waits for the limit".to_owned());
        let (rating, reason) = decide(&all, &lag, None, Duration::from_secs(60));
        assert_eq!(rating, Rating::CatchingUp);
        assert!(
            reason.ends_with("; t-1: it waits for the limit"),
            "{reason}"
        );
    }

    #[test]
    fn rising_takes_two_looks_and_falling_one() {
        let objective = Duration::from_secs(60);
        let mut ready = false;
        let at = Instant::now();
        let mut health = LinkHealth::unknown();
        let mut look = |verdict| {
            let all = vec![partition(0, verdict, Lag::NONE)];
            health = rate(all, None, objective, &health, &mut ready, at);
            health.rating
        };
        assert_eq!(look(Verdict::Pass), Rating::Unknown);
        assert_eq!(look(Verdict::Pass), Rating::Healthy);
        assert_eq!(look(Verdict::Fail), Rating::Failed);
        assert_eq!(look(Verdict::Pass), Rating::Failed);
        assert_eq!(look(Verdict::Pass), Rating::Healthy);
    }

    #[test]
    fn a_side_that_does_not_answer_is_said_although_nothing_waits_to_be_copied() {
        let reach = |verdict| Reachability {
            verdict,
            answering: 0,
            needed: 1,
            evidence: "broker 1 does not answer".to_owned(),
        };
        let sides = [reach(Verdict::Pass), reach(Verdict::Fail)];
        let text = unreachable(&sides).expect("it is said");
        assert_eq!(text, "destination: broker 1 does not answer");
        let all = [partition(0, Verdict::Pass, Lag::NONE)];
        let objective = Duration::from_secs(60);
        let decided = decide(&all, &Lag::NONE, Some(&text), objective);
        assert_eq!(decided, (Rating::Degraded, text));
        assert_eq!(
            unreachable(&[reach(Verdict::Pass), Reachability::unknown()]),
            None
        );
    }
}
