//! Which tests failed and the first lines of why, taken from what Rust's test runner prints. Other runners are passed over:
//! their own summaries are short.
//!
//! Of the lines behind the first those are kept that a program logged as worth a look: what it printed is long, and is all that
//! is left of a failure that does not come again.

/// Lines kept of what a test said when it panicked.
const KEPT: usize = 16;
/// Lines kept behind them: warnings and errors.
const LOUD: usize = 24;
/// Characters kept of each.
const WIDTH: usize = 600;

#[derive(Default)]
pub(super) struct Failed {
    tests: Vec<(String, Vec<String>)>,
    /// Lines of the last test's panic that are still to be kept, whatever they are.
    wanted: usize,
    /// And behind them of warnings and errors.
    loud: usize,
}

impl Failed {
    /// What the runner printed next, without its end.
    pub(super) fn line(&mut self, line: &str) {
        let heading = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = heading {
            self.tests.push((name.to_owned(), Vec::new()));
            (self.wanted, self.loud) = (0, 0);
            return;
        }
        let Some((_, said)) = self.tests.last_mut() else {
            return;
        };
        if said.is_empty() && line.starts_with("thread '") && line.contains(" panicked at ") {
            (self.wanted, self.loud) = (KEPT, LOUD);
        }
        let is_loud = line.contains(" WARN ") || line.contains("ERROR ");
        let left = match self.wanted {
            0 if is_loud => &mut self.loud,
            _ => &mut self.wanted,
        };
        if *left > 0 {
            *left -= 1;
            said.push(line.chars().take(WIDTH).collect());
        }
    }

    /// One text for each test that failed.
    pub(super) fn summaries(&self) -> impl Iterator<Item = String> {
        let text = |(name, said): &(String, Vec<String>)| {
            format!("failed: {name}\n        {}", said.join("\n        "))
        };
        self.tests.iter().map(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Failed, KEPT, LOUD};

    #[test]
    fn a_failed_test_is_named_with_the_first_lines_of_its_panic_and_what_was_loud_behind_them() {
        let log = |level: &str, n: usize| {
            (0..n)
                .map(|at| format!("2026-01-01 {level} line {at}"))
                .collect::<Vec<_>>()
        };
        let quiet = log("INFO", KEPT - 2);
        let printed = [
            vec![
                "test a::one ... FAILED".to_owned(),
                "failures:".to_owned(),
                "---- a::one stdout ----".to_owned(),
                "some ERROR before it".to_owned(),
                "thread 'a::one' (7) panicked at tests/a.rs:4:5:".to_owned(),
                "it took 3 s".to_owned(),
            ],
            quiet.clone(),
            log("INFO", 3),
            vec!["thread 'x' panicked at later".to_owned()],
            log(" WARN", LOUD + 5),
            vec!["failures:".to_owned(), "    a::one".to_owned()],
        ]
        .concat();
        let mut failed = Failed::default();
        printed.iter().for_each(|line| failed.line(line));
        let summaries: Vec<_> = failed.summaries().collect();
        let kept = [
            vec![
                "failed: a::one".to_owned(),
                "thread 'a::one' (7) panicked at tests/a.rs:4:5:".to_owned(),
                "it took 3 s".to_owned(),
            ],
            quiet,
            log(" WARN", LOUD),
        ]
        .concat();
        assert_eq!(summaries, [kept.join("\n        ")]);
    }
}
