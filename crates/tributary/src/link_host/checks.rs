//! Checks of a link that do not rest on its partitions: until when credentials are good, whether settings and access rights
//! follow, whether records go in circles (pure). One that does not apply is absent.

use std::time::{Duration, SystemTime};

use kafka_client::meter::Expiry;
use replication::data_plane::{Side, Way};
use replication::metadata_sync::acl::{AclState, AclStatus};
use replication::metadata_sync::{Condition, Round};
use tokio::time::Instant;
use worker_group::detail::CheckDetail;

/// A certificate that is good for less is worth a look.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// Access rights that could not be compared for so long are worse than late.
const LONG: Duration = Duration::from_secs(3600);

const SIDES: [&str; 2] = ["source", "destination"];

fn check(name: &'static str, verdict: &'static str, evidence: String) -> CheckDetail {
    CheckDetail {
        check: name.into(),
        verdict: verdict.into(),
        evidence,
    }
}

/// How long from now, in the largest unit.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3600),
        _ => format!("{} minutes", seconds / 60),
    }
}

/// Until when certificates and tokens are good. Tokens are renewed by themselves: only one that has ended says something.
pub(super) fn credentials(sides: &[Expiry; 2], now: SystemTime) -> Option<CheckDetail> {
    let mut certificates: Vec<(SystemTime, String)> = Vec::new();
    let mut tokens: Vec<(SystemTime, String)> = Vec::new();
    for (side, expiry) in SIDES.iter().zip(sides) {
        let brokers = format!("a certificate of the {side}'s brokers");
        let own = format!("the own certificate for the {side}");
        certificates.extend(expiry.brokers.map(|ends| (ends, brokers)));
        certificates.extend(expiry.own.map(|ends| (ends, own)));
        tokens.extend(
            expiry
                .token
                .map(|ends| (ends, format!("the token for the {side}"))),
        );
    }
    let ended = |ends: SystemTime| now.duration_since(ends).ok();
    let all = tokens.iter().chain(&certificates);
    let past = all.filter_map(|(ends, what)| Some((ended(*ends)?, what)));
    if let Some((ago, what)) = past.max_by_key(|(ago, _)| *ago) {
        let text = format!("{what} ended {} ago", span(ago));
        return Some(check("credentials", "FAIL", text));
    }
    let first = certificates.iter().min_by_key(|(ends, _)| *ends);
    let Some((ends, what)) = first else {
        let (_, what) = tokens.first()?;
        return Some(check("credentials", "PASS", format!("{what} is good")));
    };
    let left = ends.duration_since(now).unwrap_or_default();
    let verdict = if left <= SOON { "WARN" } else { "PASS" };
    let text = format!("{what} is good for {}, the others for longer", span(left));
    Some(check("credentials", verdict, text))
}

/// Whether records came back that had been in their topic before.
pub(super) fn circles(circled: u64) -> CheckDetail {
    match circled {
        0 => check(
            "loop",
            "PASS",
            "no record came back to where it had been".to_owned(),
        ),
        some => {
            let text = format!(
                "{some} records that were to be copied had been in their topic before, since this process started"
            );
            check("loop", "WARN", text)
        }
    }
}

/// How what is far away is read or written: the rate of a connection is what it carries in a round trip.
pub(super) fn distance(ways: &[Way]) -> Option<CheckDetail> {
    let limited = |way: &&Way| (way.window.is_some(), way.round_trip);
    let farthest = ways.iter().max_by_key(limited)?;
    let Way {
        side,
        broker,
        connections,
        is_all,
        round_trip,
        window,
        carried,
    } = *farthest;
    let (whose, done) = match side {
        Side::Source => ("source", "read"),
        Side::Destination => ("destination", "written"),
    };
    let number = match connections {
        1 => "one connection".to_owned(),
        more => format!("{more} connections"),
    };
    let way = format!(
        "the {whose}'s broker {broker} is {} ms away, there and back, and {done} over {number}",
        round_trip.as_millis()
    );
    let remedy = side.remedy();
    let text = match (window, carried) {
        (Some(window), _) => format!(
            "{way}, of which each carries about {} KiB in that time; fewer do with {remedy}",
            window / 1024,
        ),
        (None, _) if is_all => format!(
            "{way}, which is all that transactions and tributary.fetch.connections.max leave it: it carries what is on its way at a \
             time, and that may be more with {remedy}"
        ),
        (None, None) => way,
        (None, Some(carried)) => {
            let kib = carried / 1024;
            let lately = "KiB in that time when it was busy last";
            match connections {
                1 => format!(
                    "{way}, which carried about {kib} {lately}; a partition goes over one connection at a time, so where one has \
                     most of what is to be copied it waits for that, and more is carried with {remedy}"
                ),
                _ => format!("{way}, of which each carried about {kib} {lately}"),
            }
        }
    };
    Some(check("distance", "PASS", text))
}

/// Whether settings of topics follow, as the part of a link finds that looks after its topics.
pub(super) fn settings(round: &Round) -> Option<CheckDetail> {
    if !round.follows_settings || round.number == 0 {
        return None;
    }
    let is_refused = |state: Condition| {
        matches!(
            state,
            Condition::SettingRefused | Condition::SettingsNotFollowed
        )
    };
    let mut refused = round.problems.iter().filter(|one| is_refused(one.state));
    let Some(first) = refused.next() else {
        let text = format!("settings of {} topics follow", round.copies.len());
        return Some(check("settings-sync", "PASS", text));
    };
    let text = format!(
        "settings of {} topics do not follow; first {}: {}",
        1 + refused.count(),
        first.topic,
        first.sentence()
    );
    Some(check("settings-sync", "WARN", text))
}

/// Whether access rights follow; nothing where a cluster has none, or before they were looked at.
pub(super) fn rights(acls: &AclStatus, now: Instant) -> Option<CheckDetail> {
    let found = |verdict, text| Some(check("acl-sync", verdict, text));
    match &acls.state {
        AclState::Waiting | AclState::Off { .. } => None,
        AclState::Active => match acls.refused.first() {
            None => found("PASS", format!("{} access rights follow", acls.desired)),
            Some(first) => found(
                "WARN",
                format!(
                    "{} access rights were refused; first {first}",
                    acls.refused.len()
                ),
            ),
        },
        AclState::Trouble(trouble) => {
            let since = acls
                .went_through
                .map(|at| now.saturating_duration_since(at));
            let verdict = match since {
                Some(since) if since > LONG => "FAIL",
                _ => "WARN",
            };
            found(
                verdict,
                format!("access rights cannot be compared: {trouble}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn what_ends_first_decides_and_a_token_only_when_it_has_ended() {
        let now = UNIX_EPOCH + Duration::from_secs(1000 * DAY);
        let at = |days: u64| Some(UNIX_EPOCH + Duration::from_secs(days * DAY));
        let verdict = |brokers, own, token| {
            let source = Expiry {
                brokers,
                own,
                token: None,
            };
            let destination = Expiry {
                token,
                ..Expiry::default()
            };
            let found = credentials(&[source, destination], now)?;
            Some((found.verdict.into_owned(), found.evidence))
        };
        assert_eq!(verdict(None, None, None), None);
        let said = |word: &str, text: &str| Some((word.to_owned(), text.to_owned()));
        assert_eq!(
            verdict(at(1100), at(1013), None),
            said(
                "WARN",
                "the own certificate for the source is good for 13 days, the others for longer"
            )
        );
        assert_eq!(
            verdict(at(1015), None, at(1001)).map(|one| one.0),
            Some("PASS".into())
        );
        assert_eq!(
            verdict(at(990), None, at(1001)),
            said(
                "FAIL",
                "a certificate of the source's brokers ended 10 days ago"
            )
        );
        assert_eq!(
            verdict(None, None, at(999)),
            said("FAIL", "the token for the destination ended 24 hours ago")
        );
        assert_eq!(
            verdict(None, None, at(1001)),
            said("PASS", "the token for the destination is good")
        );
    }

    #[test]
    fn what_limits_connections_over_a_long_way_is_said_with_its_remedy() {
        let way = |broker, milliseconds, window| Way {
            side: Side::Source,
            broker,
            connections: 8,
            is_all: false,
            round_trip: Duration::from_millis(milliseconds),
            window,
            carried: None,
        };
        assert_eq!(distance(&[]), None);
        let near = distance(&[way(1, 7, None)]).expect("a check");
        assert_eq!(
            near.evidence,
            "the source's broker 1 is 7 ms away, there and back, and read over 8 connections"
        );
        let far = [way(1, 100, None), way(2, 90, Some(73_000)), way(3, 7, None)];
        let far = distance(&far).expect("a check").evidence;
        assert!(far.contains("broker 2 is 90 ms away"), "{far}");
        assert!(far.contains("about 71 KiB"), "{far}");
        assert!(far.contains("socket.send.buffer.bytes=-1"), "{far}");
        let written = Way {
            side: Side::Destination,
            ..way(4, 120, Some(90_000))
        };
        let far = distance(&[way(1, 100, Some(73_000)), written]).expect("a check");
        assert_eq!(
            far.evidence,
            "the destination's broker 4 is 120 ms away, there and back, and written over 8 connections, of which each carries about \
             87 KiB in that time; fewer do with socket.receive.buffer.bytes=-1 at the destination's brokers, or a higher limit in \
             tcp_rmem there and tcp_wmem here"
        );
        let one_partition = Way {
            connections: 1,
            carried: Some(100_000),
            ..way(1, 100, None)
        };
        let evidence = distance(&[one_partition]).expect("a check").evidence;
        assert!(
            evidence.contains(
                "one connection, which carried about 97 KiB in that time when it was busy last; a partition goes"
            ),
            "{evidence}"
        );
        assert!(
            evidence.ends_with("tcp_wmem there and tcp_rmem here"),
            "{evidence}"
        );
        let alone = Way {
            connections: 1,
            is_all: true,
            window: None,
            ..written
        };
        let alone = distance(&[alone]).expect("a check").evidence;
        assert!(
            alone.contains("written over one connection, which is all that transactions"),
            "{alone}"
        );
        assert!(
            alone.contains("more with socket.receive.buffer.bytes=-1"),
            "{alone}"
        );
    }

    #[test]
    fn rights_that_cannot_be_compared_for_an_hour_have_failed() {
        let begun = Instant::now();
        let verdict = |state: AclState, went_through, now| {
            let acls = AclStatus {
                state,
                went_through,
                ..AclStatus::default()
            };
            rights(&acls, now).map(|found| found.verdict)
        };
        let trouble = || AclState::Trouble("no answer".to_owned());
        let hour = begun + Duration::from_secs(3601);
        assert_eq!(verdict(AclState::Waiting, None, begun), None);
        assert_eq!(
            verdict(AclState::Active, Some(begun), begun),
            Some("PASS".into())
        );
        assert_eq!(verdict(trouble(), Some(begun), begun), Some("WARN".into()));
        assert_eq!(verdict(trouble(), Some(begun), hour), Some("FAIL".into()));
    }
}
