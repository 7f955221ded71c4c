//! The last lines a child printed, kept in memory, and feeding its standard input.
//!
//! Plain threads do the reading: they need no runtime and end when the child's end of the pipe closes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};

/// Older lines than these are forgotten.
const KEPT: usize = 20_000;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// One line a child printed, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was printed.
    pub stream: Stream,
    /// What was printed; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// The captured lines of one child; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CapturedLines {
    shared: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    /// How many lines were forgotten at the front.
    forgotten: usize,
    /// Streams that have not ended yet.
    open: usize,
}

impl CapturedLines {
    /// All kept lines from number `first` on (0 is the first ever printed).
    #[must_use]
    pub fn since(&self, first: usize) -> Vec<Line> {
        let lines = self.lock();
        lines
            .kept
            .iter()
            .skip(first.saturating_sub(lines.forgotten))
            .cloned()
            .collect()
    }

    /// How many lines were ever printed.
    #[must_use]
    pub fn count(&self) -> usize {
        let lines = self.lock();
        lines.forgotten + lines.kept.len()
    }

    /// The kept lines of one stream as one text.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        let lines = self.lock();
        lines
            .kept
            .iter()
            .filter(|line| line.stream == stream)
            .fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// The last `count` lines of both streams as one text.
    #[must_use]
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lock();
        let skipped = lines.kept.len().saturating_sub(count);
        lines
            .kept
            .iter()
            .skip(skipped)
            .fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// Whether both streams have been read to their end.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.lock().open == 0
    }

    pub(super) fn read(&self, stream: Stream, source: impl Read + Send + 'static) {
        self.lock().open += 1;
        let lines = self.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut bytes = Vec::new();
            // An error of the pipe is its end: nothing more will come.
            while source
                .read_until(b'\n', &mut bytes)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
                lines.push(Line { stream, text });
                bytes.clear();
            }
            lines.lock().open -= 1;
        });
    }

    fn push(&self, line: Line) {
        let mut lines = self.lock();
        if lines.kept.len() == KEPT {
            lines.kept.pop_front();
            lines.forgotten += 1;
        }
        lines.kept.push_back(line);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.shared
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes all input in the background and closes it. A child that stops reading is not an error of ours.
pub(super) fn write(input: Vec<u8>, mut destination: impl Write + Send + 'static) {
    std::thread::spawn(move || {
        let _ = destination.write_all(&input);
    });
}
