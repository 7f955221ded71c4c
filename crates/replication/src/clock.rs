//! The time of day, as records tell it, and how long this process stood still.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970; 0 where the clock stands before that.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// What two clocks show: one that never jumps, and the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    instant: Instant,
    wall_ms: i64,
}

impl Moment {
    /// This one.
    pub(crate) fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall_ms: wall_ms(),
        }
    }

    /// How much time has passed at least, as one of the clocks shows it. The one that never jumps stands still while the machine
    /// sleeps, or is frozen by its host (CLOCK_MONOTONIC); then the time of day has gone on. Where that is set by hand, more seems to
    /// have passed, which costs a look.
    pub(crate) fn since(self, before: Self) -> Duration {
        let awake = self.instant.saturating_duration_since(before.instant);
        let all = u64::try_from(self.wall_ms.saturating_sub(before.wall_ms)).unwrap_or(0);
        awake.max(Duration::from_millis(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_the_machine_slept_has_passed() {
        let before = Moment::now();
        let later = |awake, wall_ms| Moment {
            instant: before.instant + Duration::from_secs(awake),
            wall_ms: before.wall_ms + wall_ms,
        };
        let passed = |moment: Moment| moment.since(before).as_secs();
        assert_eq!(passed(later(2, 2000)), 2);
        assert_eq!(passed(later(0, 600_000)), 600);
        assert_eq!(passed(later(5, -600_000)), 5);
    }
}
