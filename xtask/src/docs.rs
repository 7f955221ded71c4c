//! `docs`: pages that are made from the program, so that they cannot say something else than it does.
//!
//! Deliberately absent: how a page looks. The program prints it (`tributary config reference`); here it is only put
//! where it belongs, or compared with what is there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::{output, workspace};

/// Pages, from the root of the workspace, and what the program is asked for to print each.
const PAGES: [(&str, &[&str]); 3] = [
    ("docs/config-reference.md", &["config", "reference"]),
    ("docs/rest-api.json", &["config", "openapi"]),
    ("docs/metrics.md", &["config", "metrics"]),
];

/// Writes the pages, or with `check` fails where one is not as it should be.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let program = build::tributary(root, Profile::Debug)?;
    for (page, arguments) in PAGES {
        let made = workspace::captured(Command::new(&program).args(arguments))?;
        one(root, page, &made, check)?;
    }
    Ok(())
}

fn one(root: &Path, page: &str, made: &str, check: bool) -> Result<()> {
    let path = root.join(page);
    if !check {
        fs::write(&path, made).attempting(format!("write {page}"))?;
        output::line(format!("   {page} is written"));
        return Ok(());
    }
    let kept = fs::read_to_string(&path).attempting(format!("read {page}"))?;
    match difference(&kept, made) {
        None => Ok(()),
        Some(line) => Err(Failure::new(format!(
            "{page} is not what the program says, from line {line} on; `cargo xtask docs` makes it anew"
        ))),
    }
}

/// The first line, from 1, that differs.
fn difference(kept: &str, made: &str) -> Option<usize> {
    if kept == made {
        return None;
    }
    let same = kept
        .lines()
        .zip(made.lines())
        .take_while(|(one, other)| one == other)
        .count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(difference("a", "a\n"), Some(2));
    }
}
