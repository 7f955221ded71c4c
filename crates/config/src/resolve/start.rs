//! Where partitions begin that have no position: our own key, else the consumer's.

use std::str::FromStr as _;

use jiff::Timestamp;

use super::reader::Reader;
use crate::link::{Start, StartPosition};
use crate::raw::RawEntry;
use crate::rename::check_name;

const CHOICES: &str = "choose one of earliest, latest, a time like 2026-01-31T12:00:00Z, topic=place or topic:partition=offset";

pub(super) fn start(reader: &mut Reader<'_>, prefixes: &[&str]) -> Start {
    if let Some(entry) = reader.entry("tributary.start") {
        return own(reader, entry).unwrap_or_default();
    }
    let keys: Vec<String> = prefixes
        .iter()
        .chain(&["consumer.override."])
        .map(|prefix| format!("{prefix}auto.offset.reset"))
        .collect();
    let Some(entry) = reader.first(&keys) else {
        return Start::default();
    };
    let everywhere = match entry.value.trim() {
        "earliest" => StartPosition::Earliest,
        "latest" => StartPosition::Latest,
        "none" => StartPosition::Nowhere,
        _ => {
            let remedy = "choose one of earliest, latest, none".to_owned();
            reader.refuse(entry, "there is no such choice", Some(remedy));
            StartPosition::Earliest
        }
    };
    Start {
        everywhere,
        ..Start::default()
    }
}

/// A list: offsets of single partitions, and at most one place for all others.
fn own(reader: &mut Reader<'_>, entry: &RawEntry) -> Option<Start> {
    let mut start = Start::default();
    let mut others = None;
    for item in entry.value.split(',').map(str::trim) {
        let read = match place(item) {
            Some(place) if others.replace(place).is_none() => Ok(()),
            Some(_) => Err("two places for all partitions are given".to_owned()),
            None => match of_topic(item) {
                Some((topic, place)) => match start.topics.insert(topic, place) {
                    None => Ok(()),
                    Some(_) => Err(format!("\"{item}\" names a topic a second time")),
                },
                None => offset(item).and_then(|(partition, at)| {
                    match start.partitions.insert(partition, at) {
                        None => Ok(()),
                        Some(_) => Err(format!("\"{item}\" names a partition a second time")),
                    }
                }),
            },
        };
        if let Err(wrong) = read {
            reader.refuse(entry, wrong, Some(CHOICES.to_owned()));
            return None;
        }
    }
    start.everywhere = others.unwrap_or_default();
    Some(start)
}

fn place(item: &str) -> Option<StartPosition> {
    match item {
        "earliest" => Some(StartPosition::Earliest),
        "latest" => Some(StartPosition::Latest),
        _ => {
            let time = Timestamp::from_str(item).ok()?;
            Some(StartPosition::Time(time.as_millisecond()))
        }
    }
}

/// A place for all partitions of a topic.
fn of_topic(item: &str) -> Option<(String, StartPosition)> {
    let (topic, at) = item.split_once('=')?;
    let topic = topic.trim();
    let place = place(at.trim())?;
    check_name(topic).is_ok().then(|| (topic.to_owned(), place))
}

fn offset(item: &str) -> Result<((String, i32), i64), String> {
    let read = || {
        let (partition, at) = item.rsplit_once('=')?;
        let (topic, number) = partition.rsplit_once(':')?;
        let (number, at) = (number.trim().parse().ok()?, at.trim().parse().ok()?);
        (number >= 0 && at >= 0).then(|| ((topic.trim().to_owned(), number), at))
    };
    if let Some(offset) = read() {
        return Ok(offset);
    }
    let (of, at) = item.rsplit_once('=').unwrap_or(("", item));
    let at = at.trim();
    if of.contains(':') && place(at).is_some() {
        return Err(format!(
            "\"{item}\" gives a single partition no offset; {at} is for whole topics"
        ));
    }
    if at.starts_with(|c: char| c.is_ascii_digit()) && at.contains('-') && place(at).is_none() {
        return Err(format!("\"{item}\" is no time with a zone"));
    }
    Err(format!("\"{item}\" is no place to start"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_zone_and_offsets_a_partition() {
        for (item, expected) in [
            ("earliest", Some(StartPosition::Earliest)),
            ("latest", Some(StartPosition::Latest)),
            ("1970-01-01T00:00:01Z", Some(StartPosition::Time(1000))),
            (
                "1970-01-01T01:00:00.250+01:00",
                Some(StartPosition::Time(250)),
            ),
            ("1970-01-01T00:00:01", None),
            ("1970-01-01", None),
        ] {
            assert_eq!(place(item), expected, "{item}");
        }
        let late = ("a.b".to_owned(), StartPosition::Latest);
        assert_eq!(of_topic("a.b=latest"), Some(late));
        let timed = ("t".to_owned(), StartPosition::Time(1000));
        assert_eq!(of_topic("t=1970-01-01T00:00:01Z"), Some(timed));
        assert_eq!((of_topic("t=5"), of_topic("t:1=latest")), (None, None));
        assert_eq!(offset("a.b:3=17"), Ok((("a.b".to_owned(), 3), 17)));
        for (item, wrong) in [
            ("a:3", "no place"),
            ("a=3", "no place"),
            ("a:-1=3", "no place"),
            ("a:1=-3", "no place"),
            ("2026-01-31", "no time with a zone"),
            ("a=2026-01-31T12:00:00", "no time with a zone"),
            ("a:1=2026-01-31T12:00:00Z", "is for whole topics"),
            ("a:1=latest", "latest is for whole topics"),
            ("a b=2026-01-31T12:00:00Z", "no place"),
            ("", "no place"),
        ] {
            let problem = offset(item).expect_err(item);
            assert!(problem.contains(wrong), "{problem}");
        }
    }
}
