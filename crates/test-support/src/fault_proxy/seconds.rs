//! What arrives in each second: whether those who come back after an outage come all at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::FaultProxy;

/// An hour; what arrives later is counted with the last of them.
const MOST: u64 = 3_600;

/// What arrived within one second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// Connections, also those that were turned away.
    pub connections: u64,
    /// Requests, by API key.
    pub requests: BTreeMap<i16, u64>,
}

impl Second {
    /// Both together, of several brokers or several seconds.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        for (api_key, count) in &other.requests {
            *self.requests.entry(*api_key).or_default() += count;
        }
    }

    /// Requests but those of one API.
    #[must_use]
    pub fn requests_beside(&self, api_key: i16) -> u64 {
        let others = self.requests.iter().filter(|(key, _)| **key != api_key);
        others.map(|(_, count)| count).sum()
    }
}

/// What has arrived at several brokers together, second by second.
#[must_use]
pub fn seconds_of(proxies: &[FaultProxy]) -> Vec<Second> {
    let mut all: Vec<Second> = Vec::new();
    for proxy in proxies {
        let seconds = proxy.seconds();
        all.resize_with(all.len().max(seconds.len()), Second::default);
        for (sum, second) in all.iter_mut().zip(&seconds) {
            sum.add(second);
        }
    }
    all
}

/// Counts since a moment.
#[derive(Debug)]
pub(super) struct Seconds {
    since: Instant,
    seconds: Vec<Second>,
}

impl Seconds {
    pub(super) fn since(since: Instant) -> Self {
        Self {
            since,
            seconds: Vec::new(),
        }
    }

    /// The second of a moment. What lies between is there, empty.
    pub(super) fn at(&mut self, now: Instant) -> &mut Second {
        let passed: Duration = now.saturating_duration_since(self.since);
        let at = usize::try_from(passed.as_secs().min(MOST)).unwrap_or_default();
        if self.seconds.len() <= at {
            self.seconds.resize_with(at + 1, Second::default);
        }
        &mut self.seconds[at]
    }

    /// All seconds that are over, and the one that is not.
    pub(super) fn until(&mut self, now: Instant) -> Vec<Second> {
        self.at(now);
        self.seconds.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_counted_in_its_second_and_quiet_ones_are_there_too() {
        let begin = Instant::now();
        let mut seconds = Seconds::since(begin);
        let after = |millis| begin + Duration::from_millis(millis);
        seconds.at(after(999)).connections += 1;
        *seconds.at(after(2_500)).requests.entry(3).or_default() += 1;
        let counted = seconds.until(after(4_000));
        let connections: Vec<_> = counted.iter().map(|second| second.connections).collect();
        assert_eq!(connections, [1, 0, 0, 0, 0]);
        assert_eq!(counted[2].requests_beside(0), 1);
        assert_eq!(counted[2].requests_beside(3), 0);
        seconds.at(begin + Duration::from_secs(90_000)).connections += 1;
        assert_eq!(seconds.seconds.len(), 3_601);
    }
}
