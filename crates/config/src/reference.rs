//! The table of keys as a page of documentation.

use std::fmt::Write as _;

use crate::key::{ConfigKey, Importance, Kind, Treatment};
use crate::keys::{SECTIONS, Section};

const HEAD: &str = "\
# Configuration keys

<!-- Made by `cargo xtask docs` from the table in crates/config/src/keys. Changes made here are lost. -->

Links take Confluent Replicator's keys, MirrorMaker 2's, or both; `connector.class` says which. Workers take Kafka
Connect's. A key that is not listed here is told when it is read, and has no effect; one that begins with `tributary.`
and is not listed is refused. `tributary validate -f FILE` says what is wrong with a file, and `tributary config check
FILE` what becomes of each of its keys.

Keys in **bold** are the ones that most configurations set. *Not yet* means that a key is accepted, that it is said that
it has no effect, and why.
";

/// The page, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        render(&mut text, section);
    }
    text
}

fn render(text: &mut String, section: &Section) {
    let heading = format!("\n## {}\n\n{}\n\n", section.title, section.text);
    text.push_str(&heading);
    text.push_str("| key | type | default | meaning | effect |\n|---|---|---|---|---|\n");
    let rows = section.tables.iter().flat_map(|table| table.iter());
    for row in rows {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", line(row));
    }
}

fn line(row: &ConfigKey) -> String {
    let name = match row.importance {
        Importance::High => format!("**`{}`**", row.name),
        Importance::Medium | Importance::Low => format!("`{}`", row.name),
    };
    let default = match row.default {
        None => "—".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => code(default),
    };
    let effect = match row.treatment {
        Treatment::Implemented => "yes".to_owned(),
        Treatment::NotYet(reason) => format!("*not yet*: {reason}"),
        Treatment::Ignored => "none".to_owned(),
        Treatment::IgnoredWarn(reason) => format!("none: {reason}"),
        Treatment::Rejected(remedy) => format!("refused: {remedy}"),
        Treatment::Mapped(newer) => format!("read as `{newer}`"),
    };
    let cells = [
        name,
        kind(row.kind),
        default,
        escaped(row.doc),
        escaped(&effect),
    ];
    format!("| {} |", cells.join(" | "))
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Password => "secret".to_owned(),
        Kind::List => "list".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Fraction => "fraction".to_owned(),
        Kind::Class => "class".to_owned(),
        Kind::ClassOf(classes, _) => {
            let simple: Vec<_> = classes
                .iter()
                .map(|class| code(class.rsplit('.').next().unwrap_or(class)))
                .collect();
            format!("class: {}", simple.join(", "))
        }
        Kind::Number(low, high) => match (low, high) {
            (low, i64::MAX | 2_147_483_647 | 32_767) => format!("number from {low}"),
            (low, high) => format!("number from {low} to {high}"),
        },
        Kind::OneOf(choices) => {
            let choices: Vec<_> = choices.iter().map(|choice| code(choice)).collect();
            choices.join(", ")
        }
    }
}

fn code(text: &str) -> String {
    format!("`{}`", escaped(text))
}

/// A bar would begin the next cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_on_the_page_once() {
        let page = markdown();
        let rows: usize = SECTIONS
            .iter()
            .flat_map(|section| section.tables.iter())
            .map(|table| table.len())
            .sum();
        let lines = page
            .lines()
            .filter(|line| line.starts_with("| `") || line.starts_with("| **"));
        assert_eq!(lines.count(), rows);
        for scope in crate::keys::Scope::ALL {
            for row in scope.families().iter().flat_map(crate::keys::Family::rows) {
                assert!(page.contains(&line(row)), "{}", row.name);
            }
        }
    }
}
