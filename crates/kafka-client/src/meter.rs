//! What talking to one cluster takes: requests by kind, connections that are open, and until when credentials are good.
//!
//! Counting is a few additions per request, without a lock: whoever reads what was counted keeps nobody waiting. Only opening
//! and closing a connection takes one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use config::client::HostPort;
use kafka_wire::message::ApiKey;
use metrics::Histogram;
use metrics::histogram::ANSWERS;

/// More than the largest key of an API in use.
const APIS: usize = 67;
const BUCKETS: usize = ANSWERS.len() + 1;

/// Requests of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiCounts {
    /// How long answers took, in seconds.
    pub answers: Histogram,
    /// For how long brokers held us back, as they say.
    pub throttled: Duration,
    /// Requests to which no answer came.
    pub unanswered: u64,
}

impl Default for ApiCounts {
    fn default() -> Self {
        Self {
            answers: Histogram::new(ANSWERS),
            throttled: Duration::ZERO,
            unanswered: 0,
        }
    }
}

/// Requests to one cluster, by kind. What was never asked is not in it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClientCounts(pub BTreeMap<ApiKey, ApiCounts>);

impl ClientCounts {
    /// Takes in what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (api, more) in &other.0 {
            let sum = self.0.entry(*api).or_default();
            sum.answers.add(&more.answers);
            sum.throttled += more.throttled;
            sum.unanswered += more.unanswered;
        }
    }

    /// What was counted since it was as `before`; all of it where it has begun anew since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let more = self.0.iter().map(|(api, now)| {
            let Some(then) = before.0.get(api) else {
                return (*api, now.clone());
            };
            let unanswered = now.unanswered.checked_sub(then.unanswered);
            let throttled = now.throttled.checked_sub(then.throttled);
            let more = ApiCounts {
                answers: now.answers.since(&then.answers),
                throttled: throttled.unwrap_or(now.throttled),
                unanswered: unanswered.unwrap_or(now.unanswered),
            };
            (*api, more)
        });
        Self(more.collect())
    }
}

/// Until when what connections are made with is good; nothing where there is no end, or no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Expiry {
    /// The certificate that ends first of those that brokers have shown.
    pub brokers: Option<SystemTime>,
    /// The own one.
    pub own: Option<SystemTime>,
    /// The token.
    pub token: Option<SystemTime>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Meter {
    slots: [OnceLock<Box<Slot>>; APIS],
    peers: Mutex<HashMap<HostPort, Peer>>,
}

#[derive(Debug, Default)]
struct Slot {
    answers: [AtomicU64; BUCKETS],
    answers_us: AtomicU64,
    throttled_ms: AtomicU64,
    unanswered: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    open: usize,
    certificate: Option<SystemTime>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            slots: [const { OnceLock::new() }; APIS],
            peers: Mutex::default(),
        }
    }
}

impl Meter {
    fn slot(&self, api: ApiKey) -> Option<&Slot> {
        let place = self.slots.get(usize::try_from(api.0).ok()?)?;
        Some(place.get_or_init(Box::default))
    }

    /// A request is to be sent.
    pub(crate) fn asks(&self, api: ApiKey) {
        self.slot(api);
    }

    /// It was answered.
    pub(crate) fn answered(&self, api: ApiKey, took: Duration, throttle_ms: u32) {
        let Some(slot) = self.slot(api) else {
            return;
        };
        let seconds = took.as_secs_f64();
        let place = ANSWERS.partition_point(|bound| *bound < seconds);
        slot.answers[place].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        slot.answers_us.fetch_add(us, Ordering::Relaxed);
        slot.throttled_ms
            .fetch_add(u64::from(throttle_ms), Ordering::Relaxed);
    }

    /// So many were not.
    pub(crate) fn unanswered(&self, api: ApiKey, requests: usize) {
        if let Some(slot) = self.slot(api) {
            let requests = u64::try_from(requests).unwrap_or(u64::MAX);
            slot.unanswered.fetch_add(requests, Ordering::Relaxed);
        }
    }

    /// A connection is open for as long as what this gives.
    pub(crate) fn opened(self: &Arc<Self>, peer: &HostPort) -> Open {
        self.peers().entry(peer.clone()).or_default().open += 1;
        Open {
            meter: Arc::clone(self),
            peer: peer.clone(),
        }
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> ClientCounts {
        let used = (0..).zip(&self.slots);
        let used = used.filter_map(|(key, slot)| Some((ApiKey(key), slot.get()?.counts())));
        ClientCounts(used.collect())
    }

    /// Connections that are open, by broker; 0 where there were some.
    pub(crate) fn connections(&self) -> Vec<(HostPort, usize)> {
        let peers = self.peers();
        let open = peers.iter().map(|(peer, seen)| (peer.clone(), seen.open));
        let mut open: Vec<(HostPort, usize)> = open.collect();
        open.sort_by_cached_key(|(peer, _)| peer.to_string());
        open
    }

    /// When the first of the certificates ends that brokers have shown, of those that are connected.
    pub(crate) fn certificate(&self) -> Option<SystemTime> {
        let peers = self.peers();
        let connected = peers.values().filter(|peer| peer.open > 0);
        connected.filter_map(|peer| peer.certificate).min()
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<HostPort, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn counts(&self) -> ApiCounts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = self.answers.iter().map(load).collect();
        let seconds = Duration::from_micros(load(&self.answers_us)).as_secs_f64();
        ApiCounts {
            answers: Histogram::counted(ANSWERS, counts, seconds),
            throttled: Duration::from_millis(load(&self.throttled_ms)),
            unanswered: load(&self.unanswered),
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Open {
    meter: Arc<Meter>,
    peer: HostPort,
}

impl Open {
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The same, for longer than the connection is open.
    pub(crate) fn shared(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// The broker has shown a certificate that ends then.
    pub(crate) fn shown(&self, ends: Option<SystemTime>) {
        if let Some(peer) = self.meter.peers().get_mut(&self.peer) {
            peer.certificate = ends;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(peer) = self.meter.peers().get_mut(&self.peer) {
            peer.open = peer.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_what_came_since_is_added_once() {
        let meter = Meter::default();
        assert_eq!(meter.counts(), ClientCounts::default());
        meter.asks(ApiKey::FETCH);
        meter.answered(ApiKey::FETCH, Duration::from_millis(20), 0);
        meter.answered(ApiKey::FETCH, Duration::from_secs(60), 250);
        let before = meter.counts();
        let fetch = &before.0[&ApiKey::FETCH];
        assert_eq!(fetch.answers.count(), 2);
        assert_eq!(fetch.throttled, Duration::from_millis(250));
        meter.unanswered(ApiKey::FETCH, 2);
        meter.answered(ApiKey::PRODUCE, Duration::ZERO, 0);
        let more = meter.counts().since(&before);
        assert_eq!(more.0[&ApiKey::FETCH].answers.count(), 0);
        assert_eq!(more.0[&ApiKey::FETCH].unanswered, 2);
        assert_eq!(more.0[&ApiKey::PRODUCE].answers.count(), 1);
        let mut sum = before;
        sum.add(&more);
        assert_eq!(sum, meter.counts());
        // A key that nobody knows is not counted, and harms nobody.
        meter.unanswered(ApiKey(-1), 1);
        meter.unanswered(ApiKey(i16::MAX), 1);
        assert_eq!(sum, meter.counts());
    }

    #[test]
    fn connections_are_open_until_they_are_dropped_and_certificates_count_as_long() {
        let meter = Arc::new(Meter::default());
        let peer = |host: &str| HostPort {
            host: host.to_owned(),
            port: 9092,
        };
        let time = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let (one, two) = (meter.opened(&peer("a")), meter.opened(&peer("a")));
        let other = meter.opened(&peer("b"));
        two.shown(Some(time(20)));
        other.shown(Some(time(10)));
        assert_eq!(meter.certificate(), Some(time(10)));
        drop((one, other));
        assert_eq!(meter.connections(), [(peer("a"), 1), (peer("b"), 0)]);
        assert_eq!(meter.certificate(), Some(time(20)));
    }
}
