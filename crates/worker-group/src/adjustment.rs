//! Changes of a configuration that a running link takes over, where all others have it begin anew. Pure.

use crate::Config;

/// Keys of what a running link takes over. How much of it is a task's part depends on how many there are.
const TAKEN_OVER: [&str; 1] = ["tributary.bandwidth.limit"];

/// Whether something is another, and nothing but what a running link takes over.
pub(crate) fn is_taken_over(before: &Config, now: &Config) -> bool {
    before != now && goes_on(before, now)
}

/// Whether what runs with one goes on with the other: nothing but what it takes over is another.
pub(crate) fn goes_on(before: &Config, now: &Config) -> bool {
    rest(before).eq(rest(now))
}

fn rest(config: &Config) -> impl Iterator<Item = (&String, &String)> {
    let rest = config.iter();
    rest.filter(|(key, _)| !TAKEN_OVER.contains(&key.as_str()))
}

/// Whether there is something in it of which every task has a part.
pub(crate) fn is_parted(config: &Config) -> bool {
    TAKEN_OVER.iter().any(|key| config.contains_key(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_limit_is_taken_over_and_nothing_else_is() {
        let limit = |bytes| ("tributary.bandwidth.limit", bytes);
        let before = config(&[("topics", "a"), limit("1MB")]);
        for (now, expected) in [
            (config(&[("topics", "a"), limit("2MB")]), true),
            (config(&[("topics", "a")]), true),
            (before.clone(), false),
            (config(&[("topics", "b"), limit("2MB")]), false),
            (config(&[limit("2MB")]), false),
        ] {
            assert_eq!(is_taken_over(&before, &now), expected, "{now:?}");
        }
        assert!(is_parted(&before) && !is_parted(&config(&[("topics", "a")])));
    }
}
