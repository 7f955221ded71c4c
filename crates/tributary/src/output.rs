//! The only place that prints: results on stdout, everything else on stderr.

#![expect(
    clippy::print_stdout,
    reason = "this is the command line's one output module"
)]

use std::io::{IsTerminal, Write};

/// A line of a result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A failure, in the form that scripts can rely on.
pub(crate) fn error(text: &str) {
    notice(&format!("error: {text}"));
}

/// A line beside the result.
pub(crate) fn notice(text: &str) {
    // A closed stderr is no reason to stop copying.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Whether stderr is a terminal that can be redrawn.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Draws `lines` over the `previous` lines drawn before.
pub(crate) fn redraw(lines: &[String], previous: usize) {
    let mut text = String::new();
    if previous > 0 {
        text.push_str(&format!("\x1b[{previous}A"));
    }
    for line in lines {
        text.push_str("\x1b[2K");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\x1b[J");
    drop(std::io::stderr().write_all(text.as_bytes()));
}
