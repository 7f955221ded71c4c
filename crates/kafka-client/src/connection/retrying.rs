//! When brokers that could not be reached are tried again: all that wait for one take turns, at the pace of
//! `reconnect.backoff.ms` and `reconnect.backoff.max.ms`, as the connections of one of Kafka's clients do
//! (`ClusterConnectionStates`).
//!
//! A link has several connections to each broker. If each tried by itself, a broker that is away would be tried by all of them,
//! and so would one that is only just coming back. Who waits is told what whoever tries meets.
//!
//! Deliberately absent: dialling itself, and for how long somebody goes on asking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::client::HostPort;
use lifecycle::Backoff;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, timeout_at};

use crate::error::ClientError;

/// How long a broker is remembered that nobody tries any more. It may have left for good.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How long somebody waits at most, whatever the pause is: less than any limit of those who ask, so that they hear what is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub(super) struct Retrying {
    pauses: (Duration, Duration),
    away: Mutex<HashMap<HostPort, Away>>,
}

/// A broker that was not reached last.
#[derive(Debug)]
struct Away {
    /// Nobody tries before that.
    until: Instant,
    backoff: Backoff,
    /// When it was not reached last, and why.
    failed: Instant,
    why: ClientError,
    /// Told what comes of each try.
    news: Arc<Notify>,
}

/// What somebody does who wants to try.
enum Next {
    Try,
    /// Until then, or until there is news.
    Wait(Instant, OwnedNotified),
    Hear(ClientError),
}

impl Retrying {
    /// The pause after the first failure, and the longest.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            pauses: (first, longest),
            away: Mutex::default(),
        }
    }

    /// Whether `peer` was not reached last, and is not to be tried yet.
    pub(super) fn is_away(&self, peer: &HostPort) -> bool {
        let away = self.away();
        away.get(peer)
            .is_some_and(|known| known.until > Instant::now())
    }

    /// Waits until `peer` may be tried. Cancel-safe.
    ///
    /// # Errors
    /// What somebody else has met meanwhile, or met last where that takes long.
    pub(super) async fn turn(&self, peer: &HostPort) -> Result<(), ClientError> {
        let since = Instant::now();
        loop {
            match self.next(peer, since) {
                Next::Try => return Ok(()),
                // Whichever it is, it is looked again.
                Next::Wait(until, news) => drop(timeout_at(until, news).await),
                Next::Hear(why) => return Err(why),
            }
        }
    }

    /// For somebody who waits since then. Whoever tries has the next one wait for as long as if it had failed already: it may take
    /// long.
    fn next(&self, peer: &HostPort, since: Instant) -> Next {
        let mut away = self.away();
        let now = Instant::now();
        let Some(known) = away.get_mut(peer).filter(|known| known.is_recent(now)) else {
            away.remove(peer);
            return Next::Try;
        };
        if known.until <= now {
            known.until = now + known.backoff.next_delay();
            return Next::Try;
        }
        let latest = since + PATIENCE;
        match known.failed > since || latest <= now {
            true => Next::Hear(known.why.clone()),
            // It listens before the lock is let go of: what happens in between would be missed.
            false => {
                let news = Arc::clone(&known.news).notified_owned();
                Next::Wait(known.until.min(latest), news)
            }
        }
    }

    /// What came of a try.
    pub(super) fn note<T>(&self, peer: &HostPort, outcome: &Result<T, ClientError>) {
        let mut away = self.away();
        let now = Instant::now();
        let Err(why) = outcome else {
            if let Some(known) = away.remove(peer) {
                known.news.notify_waiters();
            }
            return;
        };
        if let Some(known) = away.get_mut(peer) {
            (known.failed, known.why) = (now, why.clone());
            known.news.notify_waiters();
            return;
        }
        away.retain(|_, known| known.is_recent(now));
        let (first, longest) = self.pauses;
        let mut backoff = Backoff::seeded(first, longest);
        let known = Away {
            until: now + backoff.next_delay(),
            backoff,
            failed: now,
            why: why.clone(),
            news: Arc::default(),
        };
        away.insert(peer.clone(), known);
    }

    fn away(&self) -> MutexGuard<'_, HashMap<HostPort, Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Away {
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.until) < REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    /// The clock of tests goes in milliseconds.
    const TICK: Duration = Duration::from_millis(2);

    fn peer(port: u16) -> HostPort {
        HostPort {
            host: "broker".to_owned(),
            port,
        }
    }

    fn refused(text: &str) -> Result<(), ClientError> {
        Err(ClientError::Closed {
            peer: peer(1),
            cause: text.to_owned(),
        })
    }

    /// So many want to try; whoever may takes so long and meets this. What each has come to, and after which time.
    fn want(
        retrying: &Arc<Retrying>,
        count: usize,
        takes: Duration,
        meets: &'static str,
    ) -> JoinSet<(bool, Result<(), ClientError>, Duration)> {
        let mut all = JoinSet::new();
        for _ in 0..count {
            let retrying = Arc::clone(retrying);
            all.spawn(async move {
                let begin = Instant::now();
                let turn = retrying.turn(&peer(1)).await;
                let tried = turn.is_ok();
                let outcome = match tried {
                    true => {
                        sleep(takes).await;
                        let outcome = match meets {
                            "" => Ok(()),
                            text => refused(text),
                        };
                        retrying.note(&peer(1), &outcome);
                        outcome
                    }
                    false => turn,
                };
                (tried, outcome, begin.elapsed())
            });
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_broker_try_one_at_a_time_and_the_others_are_told_what_it_met() {
        let retrying = Arc::new(Retrying::new(FIRST, LONGEST));
        retrying.note(&peer(1), &refused("first"));
        let mut tried = Vec::new();
        for _ in 0..40 {
            let all = want(&retrying, 6, FIRST, "again").join_all().await;
            let went = all.iter().filter(|(tried, ..)| *tried).count();
            assert_eq!(went, 1, "{all:?}");
            for (_, told, _) in all {
                let told = told.expect_err("it is away").to_string();
                assert!(told.contains("again"), "{told}");
            }
            tried.push(Instant::now());
        }
        let pauses: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let expected = LONGEST / 5 * 4..=LONGEST + TICK;
        assert!(
            pauses[5..].iter().all(|pause| expected.contains(pause)),
            "{pauses:?}"
        );
        // Others are not held up by it.
        let before = Instant::now();
        retrying
            .turn(&peer(2))
            .await
            .expect("nothing is known of it");
        assert_eq!(Instant::now(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_broker_is_back_nobody_waits_any_more() {
        let retrying = Arc::new(Retrying::new(LONGEST, LONGEST));
        retrying.note(&peer(1), &refused("gone"));
        // One of another broker is no news of this one.
        retrying.note(&peer(2), &refused("gone"));
        let all = want(&retrying, 6, FIRST, "");
        sleep(FIRST).await;
        retrying.note(&peer(2), &Ok(()));
        let all = all.join_all().await;
        assert!(all.iter().all(|(_, outcome, _)| outcome.is_ok()), "{all:?}");
        let first = all.iter().map(|(.., after)| *after).min();
        assert!(first >= Some(LONGEST / 5 * 4), "{all:?}");
        let last = all.iter().map(|(.., after)| *after).max();
        assert!(last <= Some(LONGEST + FIRST * 2 + TICK), "{all:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_takes_long_or_is_given_up_keeps_nobody_from_the_next() {
        let retrying = Retrying::new(LONGEST, LONGEST);
        retrying.note(&peer(1), &refused("gone"));
        for _ in 0..10 {
            // Nothing is heard of any of them.
            let begin = Instant::now();
            assert!(retrying.is_away(&peer(1)));
            retrying.turn(&peer(1)).await.expect("it is its turn");
            let expected = LONGEST / 5 * 4..=LONGEST + TICK;
            assert!(expected.contains(&begin.elapsed()), "{:?}", begin.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_and_what_was_long_ago_does_not_count() {
        let long = Duration::from_secs(600);
        let retrying = Retrying::new(long, long);
        retrying.note(&peer(1), &refused("gone"));
        let begin = Instant::now();
        let told = retrying.turn(&peer(1)).await.expect_err("it is away");
        assert!(told.to_string().contains("gone"), "{told}");
        assert!((PATIENCE..=PATIENCE + TICK).contains(&begin.elapsed()));
        sleep(long + REMEMBERED).await;
        for _ in 0..3 {
            retrying.turn(&peer(1)).await.expect("it is forgotten");
        }
    }
}
