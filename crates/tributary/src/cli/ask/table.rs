//! Tables: columns aligned, at most 100 characters wide, cells short enough for people and whole for programs. Pure.

use serde_json::Value;

use super::Format;
use crate::progress::{count, cut, size};

/// Widest table, and the narrowest that texts are made for it.
const WIDTH: usize = 100;
const NARROW: usize = 8;

/// How a table is to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) format: Format,
    pub(super) headers: bool,
    pub(super) ascii: bool,
}

impl Look {
    /// The line, in ASCII where that is asked for.
    pub(super) fn plain(self, line: &str) -> String {
        if self.ascii {
            line.replace('→', "->")
                .replace(['…', '·'], "~")
                .replace('≥', ">=")
        } else {
            line.to_owned()
        }
    }
}

/// What a cell shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Text, cut to a width.
    Text(usize),
    /// A count, in SI.
    Count,
    /// A whole number as it is.
    Exact,
    /// A size, in IEC.
    Bytes,
    /// Seconds.
    Seconds,
    /// A part of a whole, or a few of them.
    Part,
}

/// A column: its heading, where its value is, how it is shown, and whether only wide tables have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// Members by points; several paths, joined by `→` or `/`, make one cell.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) wide: bool,
}

pub(super) const fn column(heading: &'static str, path: &'static str, kind: Kind) -> Column {
    Column {
        heading,
        path,
        kind,
        wide: false,
    }
}

/// One that only wide tables have.
pub(super) const fn wide(heading: &'static str, path: &'static str, kind: Kind) -> Column {
    Column {
        heading,
        path,
        kind,
        wide: true,
    }
}

fn value<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, part| &value[part])
}

fn cell(row: &Value, column: &Column) -> String {
    for joint in ['→', '/'] {
        if let Some((one, two)) = column.path.split_once(joint) {
            let part = |path| shown(value(row, path), column.kind);
            return format!("{}{joint}{}", part(one), part(two));
        }
    }
    let text = shown(value(row, column.path), column.kind);
    // What is only a lower bound says so.
    let is_lag = column.path.starts_with("lag.") && row["lag"]["known"] == false;
    if is_lag && text != "UNKNOWN" {
        format!("≥{text}")
    } else {
        text
    }
}

fn shown(value: &Value, kind: Kind) -> String {
    if value.is_null() {
        return match kind {
            Kind::Text(_) => "-".to_owned(),
            _ => "UNKNOWN".to_owned(),
        };
    }
    let number = value.as_f64().unwrap_or(0.0);
    match kind {
        Kind::Count => count(number),
        Kind::Bytes => size(number),
        Kind::Seconds => format!("{number:.1}"),
        Kind::Part => format!("{number:.2}"),
        Kind::Exact | Kind::Text(_) => match value {
            Value::String(text) => visible(text),
            Value::Array(items) => {
                let texts: Vec<String> = items.iter().map(raw).collect();
                visible(&texts.join(","))
            }
            other => other.to_string(),
        },
    }
}

/// Names are not trusted: what is no character to look at is not sent to a terminal.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_control() { '\u{fffd}' } else { one })
        .collect()
}

fn raw(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The lines of a table.
pub(super) fn lines(rows: &[Value], columns: &[Column], look: &Look) -> Vec<String> {
    if look.format == Format::Csv {
        return csv(rows, columns, look);
    }
    let is_wide = look.format == Format::Wide;
    let columns: Vec<&Column> = columns.iter().filter(|one| is_wide || !one.wide).collect();
    let mut cells: Vec<Vec<String>> = Vec::new();
    if look.headers {
        cells.push(columns.iter().map(|one| one.heading.to_owned()).collect());
    }
    for row in rows {
        let texts = columns.iter().map(|column| {
            let text = cell(row, column);
            match column.kind {
                Kind::Text(width) if !is_wide => cut(&text, width),
                _ => text,
            }
        });
        cells.push(texts.collect());
    }
    if !is_wide {
        fit(&mut cells, &columns);
    }
    let width = |number: usize| {
        let widths = cells.iter().map(|row| row[number].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let aligned = cells.iter().map(|row| {
        let mut line = String::new();
        for ((text, width), column) in row.iter().zip(&widths).zip(&columns) {
            let space = if line.is_empty() { "" } else { "  " };
            let width = *width;
            line.push_str(&match column.kind {
                Kind::Text(_) => format!("{space}{text:<width$}"),
                _ => format!("{space}{text:>width$}"),
            });
        }
        let line = line.trim_end();
        if is_wide {
            line.to_owned()
        } else {
            cut(line, WIDTH)
        }
    });
    aligned.collect()
}

/// Shortens texts, the widest column first, until a line fits: numbers stay whole.
fn fit(cells: &mut [Vec<String>], columns: &[&Column]) {
    let width = |cells: &[Vec<String>], number: usize| {
        let widths = cells.iter().map(|row| row[number].chars().count());
        widths.max().unwrap_or(0)
    };
    loop {
        let widths: Vec<usize> = (0..columns.len()).map(|one| width(cells, one)).collect();
        let all: usize = widths.iter().map(|width| width + 2).sum();
        let texts = (0..columns.len()).filter(|one| matches!(columns[*one].kind, Kind::Text(_)));
        let mut texts: Vec<usize> = texts.collect();
        texts.sort_by_key(|one| std::cmp::Reverse(widths[*one]));
        let over = all.saturating_sub(2).saturating_sub(WIDTH);
        let Some((&widest, rest)) = texts.split_first() else {
            return;
        };
        if over == 0 || widths[widest] <= NARROW {
            return;
        }
        // Not below the next one, which is as good a place to save.
        let next = rest.first().map_or(0, |one| widths[*one]);
        let least = next.min(widths[widest] - 1).max(NARROW);
        let target = widths[widest].saturating_sub(over).max(least);
        for row in cells.iter_mut() {
            row[widest] = cut(&row[widest], target);
        }
    }
}

/// A cell between commas.
pub(super) fn quoted(text: String) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn csv(rows: &[Value], columns: &[Column], look: &Look) -> Vec<String> {
    let mut lines = Vec::new();
    if look.headers {
        let names = columns
            .iter()
            .map(|one| quoted(one.path.replace(['→', '/'], ":")));
        lines.push(names.collect::<Vec<_>>().join(","));
    }
    for row in rows {
        let cells = columns.iter().map(|column| {
            let parts = column
                .path
                .split(['→', '/'])
                .map(|path| raw(value(row, path)));
            quoted(parts.collect::<Vec<_>>().join(":"))
        });
        lines.push(cells.collect::<Vec<_>>().join(","));
    }
    lines
}

/// Everything of an object, one member a line.
pub(super) fn members(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    members_at(0, value, &mut lines);
    lines
}

fn members_at(depth: usize, value: &Value, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for (name, member) in value.as_object().into_iter().flatten() {
        match member {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push(format!("{indent}{name}:"));
                members_at(depth + 1, member, lines);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                lines.push(format!("{indent}{name}:"));
                for item in items {
                    lines.push(format!("{indent}  -"));
                    members_at(depth + 2, item, lines);
                }
            }
            Value::Null => lines.push(format!("{indent}{name}: unknown")),
            other => lines.push(format!("{indent}{name}: {}", shown(other, Kind::Text(0)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 5] = [
        column("NAME", "name", Kind::Text(20)),
        column("FLOW", "source.alias→destination.alias", Kind::Text(20)),
        column("LAG(REC)", "lag.records", Kind::Count),
        column("BYTES/S", "rate", Kind::Bytes),
        wide("STATE", "state", Kind::Text(20)),
    ];

    fn look(format: Format) -> Look {
        Look {
            format,
            headers: true,
            ascii: false,
        }
    }

    fn rows() -> Vec<Value> {
        vec![
            json!({
                "name": "orders-dr", "source": {"alias": "east"}, "destination": {"alias": "west"},
                "lag": {"records": 18_400, "known": true}, "rate": 22_020_096.0, "state": "RUNNING",
            }),
            json!({
                "name": "a,b", "source": {"alias": null}, "destination": {"alias": "w"},
                "lag": {"records": 3, "known": false}, "rate": null, "state": "x",
            }),
        ]
    }

    #[test]
    fn texts_are_shortened_before_a_number_is_cut_off() {
        let name = "a-rather-long-name-of-a-link-that-nobody-shortens";
        let columns: Vec<Column> = vec![
            column("NAME", "name", Kind::Text(60)),
            column("FLOW", "flow", Kind::Text(60)),
            column("LAG(REC)", "lag.records", Kind::Count),
        ];
        let row = json!({"name": name, "flow": name, "lag": {"records": 7, "known": true}});
        let lines = lines(&[row], &columns, &look(Format::Table));
        assert!(
            lines.iter().all(|line| line.chars().count() <= WIDTH),
            "{lines:#?}"
        );
        assert!(lines[1].ends_with("       7"), "{lines:#?}");
    }

    #[test]
    fn numbers_stand_to_the_right_and_what_is_not_known_is_never_0() {
        assert_eq!(
            lines(&rows(), &COLUMNS, &look(Format::Table)),
            [
                "NAME       FLOW       LAG(REC)  BYTES/S",
                "orders-dr  east→west     18.4k  21.0MiB",
                "a,b        -→w              ≥3  UNKNOWN",
            ]
        );
        let line = &lines(&rows(), &COLUMNS, &look(Format::Wide))[1];
        assert!(line.ends_with("RUNNING"), "{line}");
    }

    #[test]
    fn csv_has_every_column_and_exact_numbers() {
        assert_eq!(
            lines(&rows(), &COLUMNS, &look(Format::Csv)),
            [
                "name,source.alias:destination.alias,lag.records,rate,state",
                "orders-dr,east:west,18400,22020096.0,RUNNING",
                "\"a,b\",:w,3,,x",
            ]
        );
    }

    #[test]
    fn a_table_is_never_wider_than_a_hundred() {
        let row = json!({"name": "n".repeat(200), "source": {"alias": "s".repeat(90)}, "lag": {}});
        for line in lines(&[row], &COLUMNS, &look(Format::Table)) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
