//! The only place that prints: results on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether only results are wanted, and what is wrong.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Prints results from now on, and what is wrong, and nothing else.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// A line of a result.
pub(crate) fn line(text: &str) {
    // Whoever reads may have had enough (`… | head`).
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// A whole text, which ends in a line of its own.
pub(crate) fn text(text: &str) {
    drop(write!(std::io::stdout(), "{text}"));
}

/// A failure, in the form that scripts can rely on.
pub(crate) fn error(text: &str) {
    beside(&format!("error: {text}"));
}

/// A line beside the result, also where only results are wanted.
pub(crate) fn beside(text: &str) {
    // A closed stderr is no reason to stop copying.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// A line beside the result.
pub(crate) fn notice(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        beside(text);
    }
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
