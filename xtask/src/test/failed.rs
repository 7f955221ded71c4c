//! Which tests failed and the first lines of why, taken from what Rust's test runner prints. Other runners are passed over:
//! their own summaries are short.

/// Lines kept of what a test said when it panicked.
const KEPT: usize = 4;
/// Characters kept of each.
const WIDTH: usize = 600;

#[derive(Default)]
pub(super) struct Failed {
    tests: Vec<(String, Vec<String>)>,
    /// Lines of the last test's panic that are still to be kept.
    wanted: usize,
}

impl Failed {
    /// What the runner printed next, without its end.
    pub(super) fn line(&mut self, line: &str) {
        let heading = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = heading {
            self.tests.push((name.to_owned(), Vec::new()));
            self.wanted = 0;
            return;
        }
        let Some((_, said)) = self.tests.last_mut() else {
            return;
        };
        if said.is_empty() && line.starts_with("thread '") && line.contains(" panicked at ") {
            self.wanted = KEPT;
        }
        if self.wanted > 0 {
            self.wanted -= 1;
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
    use super::Failed;

    #[test]
    fn a_failed_test_is_named_with_the_first_lines_of_its_panic() {
        let printed = "test a::one ... FAILED\ntest a::two ... ok\n\nfailures:\n\n---- a::one stdout ----\nsome figure\n\n\
                       thread 'a::one' (7) panicked at tests/a.rs:4:5:\nit took 3 s\nlog line\nlog line\nlog line\n\
                       thread 'x' panicked at later\n\nfailures:\n    a::one\n";
        let mut failed = Failed::default();
        printed.lines().for_each(|line| failed.line(line));
        let summaries: Vec<_> = failed.summaries().collect();
        let expected = "failed: a::one\n        thread 'a::one' (7) panicked at tests/a.rs:4:5:\n        it took 3 s\n        \
                        log line\n        log line";
        assert_eq!(summaries, [expected]);
    }
}
