//! Waiting for a condition, with a limit and a description of what did not come true.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// Pause between two looks at the condition.
const PAUSE: Duration = Duration::from_millis(25);

/// A condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("waited in vain for {what} (limit {limit:?}); last seen: {last}")]
pub struct NotInTime {
    what: String,
    /// Zero when the wait was given up because there was nothing more to come.
    limit: Duration,
    last: String,
}

impl NotInTime {
    /// What was waited for cannot come any more.
    pub(crate) fn at_the_end_of(what: &str, last: &str) -> Self {
        Self {
            what: what.to_owned(),
            limit: Duration::ZERO,
            last: last.to_owned(),
        }
    }
}

/// Looks again and again until `look` answers `Ok`, at most for `limit`; what it last answered is in the error.
///
/// A look that hangs is given up at the limit too.
///
/// # Errors
/// When the limit has passed.
pub async fn eventually<T, E: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, NotInTime> {
    let end = Instant::now() + limit;
    let mut last = "nothing: the first look did not end".to_owned();
    loop {
        match tokio::time::timeout_at(end, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = format!("{error:?}"),
            Err(_) => {
                return Err(NotInTime {
                    what: what.to_owned(),
                    limit,
                    last,
                });
            }
        }
        if Instant::now() + PAUSE >= end {
            return Err(NotInTime {
                what: what.to_owned(),
                limit,
                last,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// [`eventually`] for a plain yes or no.
///
/// # Errors
/// When the limit has passed.
pub async fn eventually_true(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> bool,
) -> Result<(), NotInTime> {
    eventually(what, limit, async || {
        if look().await { Ok(()) } else { Err("not yet") }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_value_is_returned_once_the_condition_holds() {
        let mut looks = 0;
        let value = eventually("three looks", Duration::from_secs(1), async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        })
        .await;
        assert_eq!(value.expect("the third look succeeds"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_says_what_was_waited_for_and_what_was_seen() {
        let error = eventually::<(), _>("rain", Duration::from_secs(2), async || Err("sun")).await;
        let text = error.expect_err("it never rains").to_string();
        assert!(text.contains("rain") && text.contains("sun"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_given_up_at_the_limit() {
        let error = eventually_true("an answer", Duration::from_secs(2), async || {
            std::future::pending::<()>().await;
            true
        })
        .await;
        assert!(error.is_err());
    }
}
