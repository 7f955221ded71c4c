//! What the developer sees: the only file of this crate that writes to the terminal.
//!
//! Lines go out one by one and are flushed at once, so that a step that takes minutes is seen to have begun. A closed
//! pipe (`cargo xtask … | head`) ends nothing: there is simply nobody left to read.

use std::io::Write as _;
use std::time::Duration;

/// Writes one line.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: not a reason to leave brokers running by a panic.
    let _ = writeln!(out, "{}", text.as_ref());
    let _ = out.flush();
}

/// Writes why the command failed, to standard error.
pub(crate) fn error(failure: &crate::failure::Failure) {
    let _ = writeln!(std::io::stderr().lock(), "\nerror: {failure}");
}

/// Writes the line that opens a step.
pub(crate) fn heading(text: impl AsRef<str>) {
    line(format!("\n== {}", text.as_ref()));
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 05 s`.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else if seconds >= 10 {
        format!("{seconds} s")
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Lays rows out as columns two spaces apart. The first row is the heading; columns whose body holds only numbers are
/// aligned right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let right: Vec<bool> = (0..columns)
        .map(|column| {
            rows.iter()
                .skip(1)
                .filter_map(|row| row.get(column))
                .all(|c| is_number(c))
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                if right[column] {
                    format!("{pad}{cell}")
                } else {
                    format!("{cell}{pad}")
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit()) || cell == "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(spoken(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(12)), "12 s");
        assert_eq!(spoken(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn numbers_stand_right_and_words_left() {
        let rows = [["topic", "records"], ["a", "5"], ["flights", "1200"]]
            .map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&rows),
            "topic    records\na              5\nflights     1200\n"
        );
    }
}
