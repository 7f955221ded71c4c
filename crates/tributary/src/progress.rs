//! What a person sees of a run: live lines per topic on a terminal, a line now and then elsewhere, a
//! table at the end; and the verdict whether everything is copied.

use std::collections::BTreeMap;
use std::time::Duration;

use replication::data_plane::{DecodeReason, PartitionStatus, State};
use replication::link::LinkStatus;
use tokio::time::Instant;

use crate::answers;
use crate::output;

/// How old a reading of the source's end may be to count.
const FRESH: Duration = Duration::from_secs(5);
/// How long a link may find nothing, or topics that are not copied, before that is final: after its start, and after an answer, which
/// has topics looked at again.
const STARTED: Duration = Duration::from_secs(5);
const ANSWERED: Duration = Duration::from_secs(30);
/// How often live lines are redrawn.
const REDRAW: Duration = Duration::from_secs(1);
/// Topics shown live.
const LIVE_TOPICS: usize = 15;

/// Whether everything is at the destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CaughtUp {
    /// Every partition is copied up to an end that was read a moment ago.
    Yes,
    /// Something is still to be copied, or not known.
    NotYet,
    /// All that can be copied is, and something is missing that waiting does not bring.
    Never,
}

/// What a verdict has to come behind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    /// The start of the links.
    Started(Instant),
    /// An answer to a partition that stood; what was known before says nothing any more.
    Answered(Instant),
}

impl CaughtUp {
    /// The verdict over all links.
    pub(crate) fn of(links: &[(&str, LinkStatus)], since: Since) -> Self {
        let (late, answered) = match since {
            Since::Started(at) => (at.elapsed() > STARTED, None),
            Since::Answered(at) => (at.elapsed() > ANSWERED, Some(at)),
        };
        let (mut busy, mut missing) = (false, false);
        for (_, link) in links {
            let round = &link.round;
            let looked = round.number > 0 && round.trouble.is_none();
            let blocking = round
                .problems
                .iter()
                .filter(|problem| problem.is_blocking())
                .count();
            let known: i32 = round.copies.iter().map(|copy| copy.partitions).sum();
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            let pending = round.pending > 0;
            let nothing = known == 0 && blocking == 0 && !pending;
            busy |= !looked || pending || link.data.partitions.len() < link.assigned.max(known);
            busy |= answered.is_some_and(|at| link.data.at < at);
            if nothing || blocking > 0 {
                missing |= late;
                busy |= !late;
            }
            for partition in &link.data.partitions {
                let source = &partition.source;
                let gone = looked
                    && round
                        .selected
                        .get(&source.topic)
                        .is_none_or(|n| source.partition >= *n);
                match &partition.state {
                    State::Stopped(_) => missing = true,
                    // Its source has been deleted; waiting does not bring it back.
                    State::Waiting(_) if gone => missing = true,
                    State::Running if is_current(partition) => {}
                    _ => busy = true,
                }
            }
        }
        match (busy, missing) {
            (true, _) => Self::NotYet,
            (false, true) => Self::Never,
            (false, false) => Self::Yes,
        }
    }
}

fn is_current(partition: &PartitionStatus) -> bool {
    let fresh = partition.end.is_some_and(|(_, at)| at.elapsed() < FRESH);
    fresh && partition.lag() == Some(0)
}

#[derive(Clone, Copy, Default)]
struct Sums {
    partitions: usize,
    records: u64,
    bytes: u64,
    lag: i64,
    unknown: usize,
    waiting: usize,
    stopped: usize,
}

impl Sums {
    fn add(&mut self, partition: &PartitionStatus) {
        self.partitions += 1;
        self.records += partition.totals.records;
        self.bytes += partition.totals.bytes;
        match partition.lag() {
            Some(lag) => self.lag += lag,
            None => self.unknown += 1,
        }
        match partition.state {
            State::Waiting(_) => self.waiting += 1,
            State::Stopped(_) => self.stopped += 1,
            State::Starting | State::Running => {}
        }
    }

    fn state(&self) -> &'static str {
        if self.stopped > 0 {
            "STOPPED"
        } else if self.waiting > 0 {
            "WAITING"
        } else if self.unknown > 0 {
            "STARTING"
        } else if self.lag > 0 {
            "CATCHING UP"
        } else {
            "CURRENT"
        }
    }
}

/// Shows progress.
pub(crate) struct Progress {
    every: Option<Duration>,
    live: bool,
    shown_at: Option<Instant>,
    drawn: usize,
    before: BTreeMap<String, (Instant, Sums)>,
}

impl Progress {
    /// Live lines on a terminal, else a line per interval; nothing at all without an interval.
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self {
            every,
            live: output::is_terminal(),
            shown_at: None,
            drawn: 0,
            before: BTreeMap::new(),
        }
    }

    /// Shows, if it is time.
    pub(crate) fn show(&mut self, links: &[(&str, LinkStatus)]) {
        let Some(every) = self.every else { return };
        let pause = if self.live { REDRAW.min(every) } else { every };
        let now = Instant::now();
        match self.shown_at {
            None => {
                self.shown_at = Some(now);
                return;
            }
            Some(at) if now - at < pause => return,
            Some(_) => self.shown_at = Some(now),
        }
        if self.live {
            self.draw(links, now);
        } else {
            for (name, link) in links {
                let total = total(link);
                let rates = self.rates(name, total, now);
                output::notice(&format!("{name}: {}", line(link, total, rates)));
            }
        }
    }

    fn draw(&mut self, links: &[(&str, LinkStatus)], now: Instant) {
        let mut lines = Vec::new();
        for (name, link) in links {
            let sum = total(link);
            let rates = self.rates(name, sum, now);
            lines.push(format!("{name}  {}", line(link, sum, rates)));
            let topics = by_topic(link);
            lines.push(format!(
                "  {:<44} {:>5} {:>9} {:>9} {:>10}  STATE",
                "TOPIC", "PARTS", "RECORDS/S", "BYTES/S", "LAG(REC)"
            ));
            for (topic, sums) in topics.iter().take(LIVE_TOPICS) {
                let (records, bytes) = self.rates(&format!("{name}/{topic}"), *sums, now);
                lines.push(format!(
                    "  {:<44} {:>5} {:>9} {:>9} {:>10}  {}",
                    cut(topic, 44),
                    sums.partitions,
                    count(records),
                    size(bytes),
                    if sums.unknown > 0 {
                        "UNKNOWN".to_owned()
                    } else {
                        count(sums.lag as f64)
                    },
                    sums.state()
                ));
            }
            if topics.len() > LIVE_TOPICS {
                lines.push(format!(
                    "  … and {} more topics",
                    topics.len() - LIVE_TOPICS
                ));
            }
        }
        output::redraw(&lines, self.drawn);
        self.drawn = lines.len();
    }

    /// Records and bytes per second since this was asked last.
    fn rates(&mut self, key: &str, sums: Sums, now: Instant) -> (f64, f64) {
        let before = self.before.insert(key.to_owned(), (now, sums));
        let Some((at, then)) = before else {
            return (0.0, 0.0);
        };
        let seconds = (now - at).as_secs_f64().max(0.001);
        let rate = |new: u64, old: u64| new.saturating_sub(old) as f64 / seconds;
        (
            rate(sums.records, then.records),
            rate(sums.bytes, then.bytes),
        )
    }

    /// The table at the end, and what is wrong below it.
    pub(crate) fn summary(links: &[(&str, LinkStatus)]) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<20} {:<36} {:>5} {:>12} {:>9} {:>9}  STATE",
            "LINK", "TOPIC", "PARTS", "RECORDS", "BYTES", "LAG(REC)"
        )];
        let mut attention = Vec::new();
        for (name, link) in links {
            for (topic, sums) in by_topic(link) {
                lines.push(format!(
                    "{:<20} {:<36} {:>5} {:>12} {:>9} {:>9}  {}",
                    cut(name, 20),
                    cut(&topic, 36),
                    sums.partitions,
                    sums.records,
                    size(sums.bytes as f64),
                    if sums.unknown > 0 {
                        "UNKNOWN".to_owned()
                    } else {
                        sums.lag.to_string()
                    },
                    sums.state()
                ));
            }
            attention.extend(problems(name, link));
        }
        for (name, link) in links {
            lines.extend(decoded(name, link));
        }
        if !attention.is_empty() {
            lines.push("ATTENTION".to_owned());
            lines.extend(attention);
        }
        lines
    }
}

/// How many batches could not pass as they were, and why.
fn decoded(name: &str, link: &LinkStatus) -> Option<String> {
    let totals = || link.data.partitions.iter().map(|p| &p.totals);
    let reasons: Vec<String> = DecodeReason::ALL
        .into_iter()
        .filter_map(|reason| {
            let count: u64 = totals().map(|t| t.decoded[reason as usize]).sum();
            (count > 0).then(|| format!("{} {count}", reason.as_str()))
        })
        .collect();
    let untouched: u64 = totals().map(|t| t.untouched).sum();
    (!reasons.is_empty()).then(|| {
        format!(
            "{name}: {untouched} batches passed untouched; decoded: {}",
            reasons.join(", ")
        )
    })
}

fn problems(name: &str, link: &LinkStatus) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    problems.extend(
        link.round
            .trouble
            .iter()
            .map(|trouble| format!("  {name}: {trouble}")),
    );
    if link.round.number > 0 && link.round.copies.is_empty() && link.round.problems.is_empty() {
        problems.push(format!(
            "  {name}: no topic is selected ({} of the source seen)",
            link.round.seen
        ));
    }
    for problem in &link.round.problems {
        problems.push(format!(
            "  {name} {}: {}: {}",
            problem.topic,
            problem.state,
            problem.sentence()
        ));
    }
    for partition in &link.data.partitions {
        match &partition.state {
            State::Stopped(stop) => {
                let at = stop
                    .offset
                    .map(|offset| format!(" at offset {offset}"))
                    .unwrap_or_default();
                problems.push(format!(
                    "  {name} {}: {}{at}: {}",
                    partition.source, stop.state, stop.reason
                ));
                let offered = answers::offered(&partition.source, stop);
                problems.extend(offered.map(|offered| format!("    {offered}")));
            }
            State::Waiting(trouble) => {
                problems.push(format!("  {name} {}: waiting: {trouble}", partition.source));
            }
            State::Starting | State::Running => {}
        }
        let totals = &partition.totals;
        let returned = format!(
            "came from {} itself and were left out",
            partition.destination.topic
        );
        let counts = [
            (
                totals.skipped,
                "were left out, because the destination does not take them",
            ),
            (
                totals.quarantined,
                "were set aside in the quarantine, because the destination does not take them",
            ),
            (totals.returned, &returned),
            (
                totals.circled,
                "had been in the topic before, and came back in a loop",
            ),
            (totals.repeated, "may be at the destination twice"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            problems.push(format!(
                "  {name} {}: {count} records {what}",
                partition.source
            ));
        }
    }
    problems.extend(
        link.data
            .store_trouble
            .iter()
            .map(|trouble| format!("  {name}: {trouble}")),
    );
    problems
}

fn line(link: &LinkStatus, total: Sums, (records, bytes): (f64, f64)) -> String {
    let topics = link.round.copies.len();
    let state = if link.round.trouble.is_some() {
        "WAITING"
    } else {
        total.state()
    };
    let lag = if total.unknown > 0 {
        "lag UNKNOWN".to_owned()
    } else {
        format!("lag {} rec", count(total.lag as f64))
    };
    if topics == 0 && link.round.number > 0 && link.round.pending == 0 {
        return format!(
            "no topic is selected ({} seen) · waiting for one",
            link.round.seen
        );
    }
    format!(
        "{topics} topics · {} rec/s · {}/s · {lag} · {state}",
        count(records),
        size(bytes)
    )
}

fn total(link: &LinkStatus) -> Sums {
    let mut sums = Sums::default();
    for partition in &link.data.partitions {
        sums.add(partition);
    }
    sums
}

fn by_topic(link: &LinkStatus) -> BTreeMap<String, Sums> {
    let mut topics: BTreeMap<String, Sums> = BTreeMap::new();
    for partition in &link.data.partitions {
        let from = &partition.source.topic;
        let to = &partition.destination.topic;
        let name = if from == to {
            from.to_string()
        } else {
            format!("{from} → {to}")
        };
        topics.entry(name).or_default().add(partition);
    }
    topics
}

pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// SI, without a space inside.
pub(crate) fn count(number: f64) -> String {
    scale(number, 1000.0, &["", "k", "M", "G", "T"])
}

/// IEC, without a space inside.
pub(crate) fn size(bytes: f64) -> String {
    scale(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

fn scale(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && number < 100.0);
    format!("{number:.digits$}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_no_space_inside() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(999.0), "999");
        assert_eq!(count(18_400.0), "18.4k");
        assert_eq!(size(22_020_096.0), "21.0MiB");
        assert_eq!(size(512.0), "512B");
    }

    #[test]
    fn long_names_are_cut_with_a_mark() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
