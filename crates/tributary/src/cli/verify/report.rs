//! The result of a comparison, as a table and as JSON.

use std::collections::BTreeMap;

use replication::verify::{
    Difference, Excerpt, Explained, Kind, PartitionReport, ShownRecord, ShownSide, Verdict,
};
use serde_json::{Value, json};

use crate::progress::cut;

/// Widest table, widest name in it, and the least that is left for details.
const WIDTH: usize = 100;
const NAME: usize = 32;
const DETAIL: usize = 16;
/// Differences of a partition that the table lists.
const LISTED: usize = 10;
/// Characters of a key, value or header.
const CHARACTERS: usize = 40;

/// Everything there is to say.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) link: String,
    pub(super) level: String,
    pub(super) seed: Option<u64>,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// Kinds of differences that count.
    pub(super) fail_on: Vec<Kind>,
    pub(super) reports: Vec<PartitionReport>,
}

impl Document {
    fn counted(&self, report: &PartitionReport) -> u64 {
        let counted = report
            .counts
            .iter()
            .filter(|(kind, _)| self.fail_on.contains(kind));
        counted.map(|(_, count)| count).sum()
    }

    /// Whether something differs that counts.
    pub(super) fn differs(&self) -> bool {
        self.reports.iter().any(|report| self.counted(report) > 0)
    }

    /// Whether it cannot be told for some partition.
    pub(super) fn is_unknown(&self) -> bool {
        let mut verdicts = self.reports.iter().map(|report| &report.verdict);
        verdicts.any(|verdict| matches!(verdict, Verdict::Unknown(_)))
    }

    /// The least covered partition's coverage.
    pub(super) fn coverage(&self) -> f64 {
        let coverage = self.reports.iter().map(|report| report.coverage);
        coverage.fold(100.0, f64::min)
    }

    fn result(&self, report: &PartitionReport) -> &'static str {
        match &report.verdict {
            Verdict::Failed(_) => "FAILED",
            Verdict::Unknown(_) => "UNKNOWN",
            Verdict::Different if self.counted(report) > 0 => "DIFFERENT",
            Verdict::Different => "TOLERATED",
            Verdict::Equal => "EQUAL",
        }
    }

    fn explained(&self) -> Explained {
        let mut all = Explained::default();
        self.reports
            .iter()
            .for_each(|report| all += report.explained);
        all
    }

    fn counts(&self) -> BTreeMap<Kind, u64> {
        let mut all = BTreeMap::new();
        for (kind, count) in self.reports.iter().flat_map(|report| &report.counts) {
            *all.entry(*kind).or_default() += count;
        }
        all
    }

    /// Lines for people.
    pub(super) fn table(&self) -> Vec<String> {
        let header = [
            "TOPIC", "P", "RANGE", "RECORDS", "COVERAGE", "RESULT", "DETAIL",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.reports.iter().map(|report| self.row(report)));
        let mut lines = aligned(&mut rows);
        lines.push(self.totals());
        let explained = self.explained().entries();
        if !explained.is_empty() {
            lines.push("EXPLAINED".to_owned());
            lines.extend(
                explained
                    .iter()
                    .map(|(reason, count)| format!("  {reason}: {count}")),
            );
        }
        let troubled = self
            .reports
            .iter()
            .filter(|report| report.verdict != Verdict::Equal);
        let mut attention = Vec::new();
        for report in troubled {
            match &report.verdict {
                Verdict::Failed(problem) | Verdict::Unknown(problem) => {
                    attention.push(format!("  {}: {problem}", report.source));
                }
                Verdict::Different | Verdict::Equal => {}
            }
            attention.extend(listed(report));
        }
        if !attention.is_empty() {
            lines.push("ATTENTION".to_owned());
            lines.append(&mut attention);
        }
        lines
    }

    fn row(&self, report: &PartitionReport) -> [String; 7] {
        let (from, end) = report.source_range;
        let entries: Vec<(&str, u64)> = match report.verdict {
            Verdict::Different => report
                .counts
                .iter()
                .map(|(kind, n)| (kind.name(), *n))
                .collect(),
            _ => report.explained.entries(),
        };
        let detail: Vec<String> = entries
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        [
            cut(report.source.topic.as_str(), NAME),
            report.source.partition.to_string(),
            format!("{from}..{end}"),
            report.source_records.to_string(),
            format!("{}%", percent(report.coverage)),
            self.result(report).to_owned(),
            detail.join(", "),
        ]
    }

    fn totals(&self) -> String {
        let sum = |of: fn(&PartitionReport) -> u64| self.reports.iter().map(of).sum::<u64>();
        let differences: u64 = self.counts().values().sum();
        let seed = self
            .seed
            .map(|seed| format!(" · seed {seed}"))
            .unwrap_or_default();
        format!(
            "{} partitions · {} records at the source, {} at the destination · {} equal · {differences} differences · \
             least coverage {}%{seed}",
            self.reports.len(),
            sum(|report| report.source_records),
            sum(|report| report.destination_records),
            sum(|report| report.equal),
            percent(self.coverage()),
        )
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let result = if self.reports.is_empty() {
            "unknown"
        } else if self.differs() {
            "different"
        } else if self
            .reports
            .iter()
            .all(|r| matches!(self.result(r), "EQUAL" | "TOLERATED"))
        {
            "equal"
        } else {
            "unknown"
        };
        json!({
            "schema": "tributary/v1/Verification",
            "link": self.link,
            "level": self.level,
            "as_of_ms": self.at,
            "sample_seed": self.seed,
            "result": result,
            "coverage_percent": self.coverage(),
            "differences": counts_json(&self.counts()),
            "explained": explained_json(&self.explained()),
            "partitions": self.reports.iter().map(|report| self.partition(report)).collect::<Vec<_>>(),
        })
    }

    fn partition(&self, report: &PartitionReport) -> Value {
        let reason = match &report.verdict {
            Verdict::Failed(reason) | Verdict::Unknown(reason) => Some(reason),
            Verdict::Equal | Verdict::Different => None,
        };
        let range = |(from, end): (i64, i64)| json!({"from": from, "end": end});
        let hash = |hash: u64| format!("{hash:016x}");
        json!({
            "topic": report.source.topic.as_str(),
            "partition": report.source.partition,
            "destination_topic": report.destination.topic.as_str(),
            "destination_partition": report.destination.partition,
            "result": self.result(report).to_lowercase(),
            "reason": reason,
            "by": if report.by_offset { "offset" } else { "content" },
            "source_range": range(report.source_range),
            "destination_range": range(report.destination_range),
            "source_records": report.source_records,
            "destination_records": report.destination_records,
            "equal": report.equal,
            "coverage_percent": report.coverage,
            "source_hash": hash(report.hashes.0),
            "destination_hash": hash(report.hashes.1),
            "differences": counts_json(&report.counts),
            "explained": explained_json(&report.explained),
            "listed": report.differences.iter().map(difference_json).collect::<Vec<_>>(),
        })
    }
}

/// One decimal, never rounded up to the whole.
fn percent(number: f64) -> String {
    if number >= 100.0 {
        "100".to_owned()
    } else {
        format!("{:.1}", (number * 10.0).floor() / 10.0)
    }
}

fn aligned(rows: &mut [[String; 7]]) -> Vec<String> {
    let width = |rows: &[[String; 7]], column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(|column| width(rows, column));
    let others: usize = widths.iter().map(|width| width + 2).sum();
    let left = WIDTH.saturating_sub(others).max(DETAIL);
    let line = |row: &[String; 7]| {
        let cells = widths
            .iter()
            .enumerate()
            .map(|(column, &width)| match column {
                1 | 3 | 4 => format!("{:>width$}", row[column]),
                _ => format!("{:<width$}", row[column]),
            });
        let mut cells: Vec<String> = cells.collect();
        cells.push(cut(&row[6], left));
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The differences of a partition, with the records around them.
fn listed(report: &PartitionReport) -> Vec<String> {
    let mut lines = Vec::new();
    let all: u64 = report.counts.values().sum();
    for (difference, records) in report.differences.iter().take(LISTED) {
        lines.push(format!("  {}: {}", report.source, sentence(difference)));
        lines.extend(
            records
                .iter()
                .map(|record| format!("      {}", shown(record, difference))),
        );
    }
    let hidden = all.saturating_sub(report.differences.len().min(LISTED) as u64);
    if hidden > 0 {
        lines.push(format!("  {}: {hidden} more", report.source));
    }
    lines
}

fn sentence(difference: &Difference) -> String {
    let mut text = difference.kind.name().to_owned();
    if !difference.parts.is_empty() {
        let parts: Vec<String> = difference.parts.iter().map(ToString::to_string).collect();
        text += &format!(" ({})", parts.join(", "));
    }
    if let Some(offset) = difference.source {
        text += &format!(", source offset {offset}");
    }
    if let Some(offset) = difference.destination {
        text += &format!(", destination offset {offset}");
    }
    if let Some(note) = &difference.note {
        text += &format!(": {note}");
    }
    text
}

fn shown(record: &ShownRecord, difference: &Difference) -> String {
    let (side, at) = match record.side {
        ShownSide::Source => ("source", difference.source),
        ShownSide::Destination => ("destination", difference.destination),
    };
    let mark = if at == Some(record.offset) { '>' } else { ' ' };
    let text = |excerpt: &Option<Excerpt>| excerpt.as_ref().map_or("null".to_owned(), readable);
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)));
    let mut headers: Vec<String> = headers.collect();
    if record.header_count > headers.len() {
        headers.push("…".to_owned());
    }
    format!(
        "{mark} {side:11} {:>8}  time {}  key {}  value {}  headers [{}]",
        record.offset,
        record.timestamp,
        text(&record.key),
        text(&record.value),
        headers.join(", "),
    )
}

/// Text in quotes, other bytes in hexadecimal digits; the length where not all of it is there.
fn readable(excerpt: &Excerpt) -> String {
    let plain = std::str::from_utf8(&excerpt.bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control));
    let text = match plain {
        Some(text) => format!("\"{}\"", cut(text, CHARACTERS)),
        None => cut(&format!("0x{}", hexadecimal(&excerpt.bytes)), CHARACTERS),
    };
    if excerpt.length > CHARACTERS {
        format!("{text} ({} bytes)", excerpt.length)
    } else {
        text
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn counts_json(counts: &BTreeMap<Kind, u64>) -> Value {
    let counts = counts
        .iter()
        .map(|(kind, count)| (kind.name().to_owned(), json!(count)));
    Value::Object(counts.collect())
}

fn explained_json(explained: &Explained) -> Value {
    let entries = explained.entries().into_iter();
    Value::Object(
        entries
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect(),
    )
}

fn difference_json((difference, records): &(Difference, Vec<ShownRecord>)) -> Value {
    json!({
        "kind": difference.kind.name(),
        "source_offset": difference.source,
        "destination_offset": difference.destination,
        "parts": difference.parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "note": difference.note,
        "records": records.iter().map(record_json).collect::<Vec<_>>(),
    })
}

fn record_json(record: &ShownRecord) -> Value {
    let bytes = |excerpt: &Option<Excerpt>| match excerpt {
        None => Value::Null,
        Some(excerpt) => json!({
            "bytes": excerpt.length,
            "text": std::str::from_utf8(&excerpt.bytes).ok(),
            "hex": hexadecimal(&excerpt.bytes),
        }),
    };
    let side = match record.side {
        ShownSide::Source => "source",
        ShownSide::Destination => "destination",
    };
    json!({
        "side": side,
        "offset": record.offset,
        "timestamp_ms": record.timestamp,
        "producer_id": record.producer,
        "key": bytes(&record.key),
        "value": bytes(&record.value),
        "header_count": record.header_count,
        "headers": record.headers.iter().map(|(name, value)| json!([name, bytes(value)])).collect::<Vec<_>>(),
    })
}
