//! When brokers that could not be reached are tried again: all that wait for one take turns, at the pace of
//! `reconnect.backoff.ms` and `reconnect.backoff.max.ms`, as the connections of one of Kafka's clients do
//! (`ClusterConnectionStates`).
//!
//! A link has several connections to each broker. If each tried by itself, a broker that is away would be tried by all of them,
//! and so would one that is only just coming back. Whoever is not the next to try is told what the last one met.
//!
//! Deliberately absent: dialling itself, and for how long somebody goes on asking.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use config::client::HostPort;
use lifecycle::Backoff;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::error::ClientError;

/// How long a broker is remembered that nobody tries any more. It may have left for good.
const REMEMBERED: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Retrying {
    pauses: (Duration, Duration),
    away: Mutex<HashMap<HostPort, Away>>,
    /// A broker was reached that was away.
    back: Notify,
}

/// A broker that was not reached last.
#[derive(Debug)]
struct Away {
    /// Nobody tries before that.
    until: Instant,
    backoff: Backoff,
    why: ClientError,
}

impl Retrying {
    /// The pause after the first failure, and the longest.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            pauses: (first, longest),
            away: Mutex::default(),
            back: Notify::new(),
        }
    }

    /// Waits until `peer` may be tried. Cancel-safe.
    ///
    /// # Errors
    /// What somebody else met who tried last, where the turn is another one's again after the pause.
    pub(super) async fn turn(&self, peer: &HostPort) -> Result<(), ClientError> {
        let mut waited = false;
        loop {
            // Listens before it looks: what happens in between would be missed.
            let back = self.back.notified();
            let Some(until) = self.take_turn(peer, waited)? else {
                return Ok(());
            };
            waited = true;
            tokio::select! {
                () = sleep_until(until) => {}
                () = back => {}
            }
        }
    }

    /// Until when to wait; nothing where `peer` may be tried now. Whoever tries has the next one wait for as long as if it had
    /// failed already: it may take long.
    fn take_turn(&self, peer: &HostPort, waited: bool) -> Result<Option<Instant>, ClientError> {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = away.get_mut(peer) else {
            return Ok(None);
        };
        let now = Instant::now();
        if known.until <= now {
            known.until = now + known.backoff.next_delay();
            return Ok(None);
        }
        match waited {
            false => Ok(Some(known.until)),
            true => Err(known.why.clone()),
        }
    }

    /// What came of a try.
    pub(super) fn note<T>(&self, peer: &HostPort, outcome: &Result<T, ClientError>) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(why) = outcome else {
            if away.remove(peer).is_some() {
                self.back.notify_waiters();
            }
            return;
        };
        if let Some(known) = away.get_mut(peer) {
            known.why = why.clone();
            return;
        }
        let now = Instant::now();
        away.retain(|_, known| now.saturating_duration_since(known.until) < REMEMBERED);
        let (first, longest) = self.pauses;
        let mut backoff = Backoff::seeded(first, longest);
        let known = Away {
            until: now + backoff.next_delay(),
            backoff,
            why: why.clone(),
        };
        away.insert(peer.clone(), known);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

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

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_broker_try_one_at_a_time_and_the_others_are_told() {
        let retrying = Arc::new(Retrying::new(FIRST, LONGEST));
        retrying.note(&peer(1), &refused("first"));
        let mut tried = Vec::new();
        for _ in 0..40 {
            let mut all = JoinSet::new();
            for _ in 0..6 {
                let retrying = Arc::clone(&retrying);
                all.spawn(async move { retrying.turn(&peer(1)).await });
            }
            let outcomes = all.join_all().await;
            let went = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(went, 1, "{outcomes:?}");
            for told in outcomes.into_iter().filter_map(Result::err) {
                assert!(told.to_string().contains("first"), "{told}");
            }
            tried.push(Instant::now());
        }
        let pauses: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The clock of tests goes in milliseconds.
        let most = LONGEST + Duration::from_millis(2);
        assert!(
            pauses[5..]
                .iter()
                .all(|p| (LONGEST / 5 * 4..=most).contains(p)),
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
        let begin = Instant::now();
        let mut all = JoinSet::new();
        for _ in 0..6 {
            let retrying = Arc::clone(&retrying);
            all.spawn(async move { retrying.turn(&peer(1)).await });
        }
        sleep(FIRST).await;
        retrying.note(&peer(1), &Ok(()));
        let outcomes = all.join_all().await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(begin.elapsed(), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_takes_long_or_is_given_up_keeps_nobody_from_the_next() {
        let retrying = Retrying::new(FIRST, LONGEST);
        retrying.note(&peer(1), &refused("gone"));
        for _ in 0..10 {
            // Nothing is heard of any of them.
            let begin = Instant::now();
            retrying.turn(&peer(1)).await.expect("it is its turn");
            assert!(begin.elapsed() <= LONGEST + Duration::from_millis(2));
        }
    }
}
