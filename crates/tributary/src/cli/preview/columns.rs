//! Rows of a preview as lines that fit a terminal.

use crate::progress::cut;

/// Widest table, and the least of it that is left for notes.
pub(super) const WIDTH: usize = 100;
const NOTE: usize = 12;

/// Cuts notes to what the other columns leave.
pub(super) fn fit(rows: &mut [[String; 6]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count() + 2);
        cells.max().unwrap_or(0)
    };
    let others: usize = (0..5).map(width).sum();
    for row in rows {
        row[5] = cut(&row[5], WIDTH.saturating_sub(others).max(NOTE));
    }
}

/// One line per row, its cells below each other.
pub(super) fn aligned(rows: &[[String; 6]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(number, (cell, width))| {
                    // Numbers to the right.
                    if number == 3 {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
