//! The event stream: what changed becomes frames for everybody who listens.
//!
//! Flow: rows of an answer are offered every second → those that differ from what was sent last become frames → a ring,
//! from which somebody who was cut off goes on, and a bounded queue for each listener.
//!
//! Invariants:
//! * At most one frame of an object per second; who is too slow for that gets `reset` and reloads.
//! * Nothing is offered that nobody listens to.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use worker_group::detail::instant;

use crate::query::Query;

/// Listeners at most.
pub(crate) const STREAMS: usize = 64;
/// Frames from which somebody can go on.
const RING: usize = 1000;
/// Frames that may wait for one listener.
const QUEUE: usize = 256;
/// Silence after which a comment is sent.
const SILENCE: Duration = Duration::from_secs(15);
/// How long frames are made after the last listener left: it may come back.
const LINGER: Duration = Duration::from_secs(60);
/// A row in which only its evidence is newer is sent again after this time.
const EVIDENCE: Duration = Duration::from_secs(5);

/// What somebody listens to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Channel {
    Links,
    Topics,
    Tasks,
    Workers,
    Activity,
}

impl Channel {
    const ALL: [(&'static str, Self); 5] = [
        ("links", Self::Links),
        ("topics", Self::Topics),
        ("tasks", Self::Tasks),
        ("workers", Self::Workers),
        ("activity", Self::Activity),
    ];
}

/// Which frames a listener gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter {
    channels: Vec<Channel>,
    link: Option<String>,
}

impl Filter {
    /// From `channels=links,topics&link=x`; all channels where none are named. Channels of later versions are empty.
    pub(crate) fn of(query: &Query) -> Self {
        let named = query.first("channels");
        let is_named =
            |name: &str| named.is_none_or(|all| all.split(',').any(|one| one.trim() == name));
        let all = Channel::ALL.iter().filter(|(name, _)| is_named(name));
        Self {
            channels: all.map(|(_, channel)| *channel).collect(),
            link: query.first("link").map(str::to_owned),
        }
    }

    fn takes(&self, channel: Channel, link: Option<&str>) -> bool {
        // What belongs to no link concerns everybody.
        let fits = match (&self.link, link) {
            (Some(wanted), Some(link)) => wanted == link,
            (None, _) | (_, None) => true,
        };
        fits && self.channels.contains(&channel)
    }
}

struct Sent {
    id: u64,
    channel: Channel,
    link: Option<String>,
    bytes: Bytes,
}

struct Listener {
    filter: Filter,
    frames: mpsc::Sender<Bytes>,
    /// It was too slow, and has to reload.
    lost: bool,
    last: Instant,
}

struct Last {
    /// Of everything but times.
    digest: u64,
    whole: u64,
    at: Instant,
}

/// See the module.
pub(crate) struct Hub {
    next: u64,
    ring: VecDeque<Sent>,
    listeners: Vec<Listener>,
    /// Filters of those who left, and when.
    left: Vec<(Filter, Instant)>,
    rows: HashMap<(&'static str, String), Last>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} listeners", self.listeners.len())
    }
}

impl Hub {
    /// A hub whose frames are numbered from a time on, so that those of an earlier process are not taken for its own.
    pub(crate) fn new(now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            next: u64::try_from(since.as_millis()).unwrap_or(0) * 1000,
            ring: VecDeque::new(),
            listeners: Vec::new(),
            left: Vec::new(),
            rows: HashMap::new(),
        }
    }

    /// Takes a listener that has seen everything up to frame `last`; nothing where there are too many.
    pub(crate) fn listen(
        &mut self,
        filter: Filter,
        last: Option<u64>,
        now: Instant,
    ) -> Option<mpsc::Receiver<Bytes>> {
        self.listeners
            .retain(|listener| !listener.frames.is_closed());
        if self.listeners.len() >= STREAMS {
            return None;
        }
        let (frames, receiver) = mpsc::channel(QUEUE);
        let mut listener = Listener {
            filter,
            frames,
            lost: false,
            last: now,
        };
        match last {
            None => {
                // So that the client knows at once that it is heard.
                drop(
                    listener
                        .frames
                        .try_send(Bytes::from_static(b": listening\n\n")),
                );
            }
            Some(last) if self.has_all_since(last, &listener.filter) => {
                let missed = self.ring.iter().filter(|frame| frame.id > last);
                for frame in missed {
                    if listener.filter.takes(frame.channel, frame.link.as_deref())
                        && listener.frames.try_send(frame.bytes.clone()).is_err()
                    {
                        listener.lost = true;
                        break;
                    }
                }
            }
            Some(_) => listener.lost = true,
        }
        self.listeners.push(listener);
        self.catch_up(now);
        Some(receiver)
    }

    /// Whether every frame after `last` that `filter` takes is in the ring.
    fn has_all_since(&self, last: u64, filter: &Filter) -> bool {
        let mut known = self.listeners.iter().map(|one| &one.filter);
        let mut left = self.left.iter().map(|(filter, _)| filter);
        let made = known.any(|one| one == filter) || left.any(|one| one == filter);
        let first = self.ring.front().map_or(self.next, |frame| frame.id);
        made && last < self.next && last.saturating_add(1) >= first
    }

    /// Whether anybody listens to anything, or left so recently that they may come back.
    pub(crate) fn is_heard(&self) -> bool {
        let left = self.left.iter().map(|(filter, _)| filter);
        let mut all = self.listeners.iter().map(|one| &one.filter).chain(left);
        all.any(|filter| !filter.channels.is_empty())
    }

    /// Whether anybody listens to this.
    pub(crate) fn is_wanted(&self, channel: Channel, link: Option<&str>) -> bool {
        let left = self.left.iter().map(|(filter, _)| filter);
        let mut all = self.listeners.iter().map(|one| &one.filter).chain(left);
        all.any(|filter| filter.takes(channel, link))
    }

    /// Sends something that happened, at once.
    pub(crate) fn happened(
        &mut self,
        channel: Channel,
        event: &str,
        link: Option<&str>,
        row: &Value,
        now: Instant,
    ) {
        if !self.is_wanted(channel, link) {
            return;
        }
        let id = self.next;
        self.next += 1;
        let bytes = Bytes::from(format!("id: {id}\nevent: {event}\ndata: {row}\n\n"));
        for listener in &mut self.listeners {
            if listener.filter.takes(channel, link) && !listener.lost {
                listener.lost = listener.frames.try_send(bytes.clone()).is_err();
                listener.last = now;
            }
        }
        self.ring.push_back(Sent {
            id,
            channel,
            link: link.map(str::to_owned),
            bytes,
        });
        if self.ring.len() > RING {
            self.ring.pop_front();
        }
    }

    /// Whether a row is to be sent: it differs from what was sent last.
    pub(crate) fn is_news(
        &mut self,
        event: &'static str,
        key: String,
        row: &Value,
        now: Instant,
    ) -> bool {
        let (digest, whole) = (digest(row, false), digest(row, true));
        let fresh = Last {
            digest,
            whole,
            at: now,
        };
        match self.rows.get_mut(&(event, key.clone())) {
            None => {
                self.rows.insert((event, key), fresh);
                true
            }
            Some(last) => {
                let changed = last.digest != digest
                    || (last.whole != whole && now.duration_since(last.at) >= EVIDENCE);
                if changed {
                    *last = fresh;
                }
                changed
            }
        }
    }

    /// What time brings: comments, `reset` for those who were too slow, an end of what nobody listens to.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut left = Vec::new();
        self.listeners.retain(|listener| {
            let gone = listener.frames.is_closed();
            if gone {
                left.push((listener.filter.clone(), now));
            }
            !gone
        });
        self.left.extend(left);
        self.left
            .retain(|(_, since)| now.duration_since(*since) < LINGER);
        if !self.is_heard() {
            self.rows.clear();
            self.ring.clear();
        }
        self.catch_up(now);
        for listener in &mut self.listeners {
            if now.duration_since(listener.last) >= SILENCE {
                listener.last = now;
                // A full queue is no silence.
                drop(
                    listener
                        .frames
                        .try_send(Bytes::from_static(b": still here\n\n")),
                );
            }
        }
    }

    /// Tells those who missed something to reload, as soon as there is room.
    fn catch_up(&mut self, now: Instant) {
        let last = self.next.saturating_sub(1);
        for listener in self.listeners.iter_mut().filter(|listener| listener.lost) {
            let row = json!({"schema": "tributary/v1/Reset", "as_of": instant(SystemTime::now())});
            let frame = format!("id: {last}\nevent: reset\ndata: {row}\n\n");
            listener.lost = listener.frames.try_send(Bytes::from(frame)).is_err();
            listener.last = now;
        }
    }
}

/// A number that stands for a row, with or without the times at which it was so.
fn digest(row: &Value, with_times: bool) -> u64 {
    fn add(value: &Value, with_times: bool, hasher: &mut DefaultHasher) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let is_time = matches!(name.as_str(), "as_of" | "observed_at" | "age_seconds");
                    if !is_time || (with_times && name == "as_of") {
                        name.hash(hasher);
                        add(member, with_times, hasher);
                    }
                }
            }
            Value::Array(items) => {
                items.len().hash(hasher);
                for item in items {
                    add(item, with_times, hasher);
                }
            }
            other => other.to_string().hash(hasher),
        }
    }
    let mut hasher = DefaultHasher::new();
    add(row, with_times, &mut hasher);
    hasher.finish()
}

/// The frame after which a client goes on.
pub(crate) fn last_id(headers: &HeaderMap) -> Option<u64> {
    headers
        .get("last-event-id")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// An answer that goes on for as long as there are frames.
pub(crate) fn stream(frames: mpsc::Receiver<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Frames(frames)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Frames(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|bytes| Some(Ok(Frame::data(bytes?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> Filter {
        Filter::of(&Query::parse(query))
    }

    fn next(receiver: &mut mpsc::Receiver<Bytes>) -> Option<String> {
        let bytes = receiver.try_recv().ok()?;
        Some(String::from_utf8(bytes.to_vec()).expect("text"))
    }

    fn id_of(frame: &str) -> u64 {
        let id = frame.trim_start_matches("id: ").split('\n').next();
        id.expect("a number").parse().expect("a number")
    }

    #[test]
    fn for_a_listener_to_nothing_nothing_is_looked_for() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let nothing = hub.listen(filter("channels=none"), None, now);
        assert!(nothing.is_some() && !hub.is_heard());
        let links = hub.listen(filter("channels=links"), None, now);
        assert!(links.is_some() && hub.is_heard());
    }

    #[test]
    fn a_listener_gets_what_it_asked_for_and_nothing_else() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let mut one = hub
            .listen(filter("channels=links&link=a"), None, now)
            .expect("room");
        assert!(next(&mut one).is_some_and(|frame| frame.starts_with(':')));
        for link in ["a", "b"] {
            hub.happened(
                Channel::Links,
                "link",
                Some(link),
                &json!({"name": link}),
                now,
            );
            hub.happened(Channel::Tasks, "task", Some(link), &json!({}), now);
        }
        let frame = next(&mut one).expect("of a");
        assert!(
            frame.contains("event: link\ndata: {\"name\":\"a\"}\n\n"),
            "{frame}"
        );
        assert_eq!(next(&mut one), None);
        hub.tick(now + SILENCE);
        assert!(next(&mut one).is_some_and(|frame| frame.starts_with(':')));
    }

    #[test]
    fn who_was_cut_off_goes_on_where_the_ring_reaches_and_reloads_where_it_does_not() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let mut one = hub.listen(filter(""), None, now).expect("room");
        let send = |hub: &mut Hub, number: usize| {
            hub.happened(Channel::Links, "link", None, &json!({"n": number}), now);
        };
        send(&mut hub, 0);
        next(&mut one);
        let seen = id_of(&next(&mut one).expect("a frame"));
        drop(one);
        hub.tick(now);
        send(&mut hub, 1);
        let mut again = hub.listen(filter(""), Some(seen), now).expect("room");
        assert!(next(&mut again).is_some_and(|frame| frame.contains("\"n\":1")));
        assert_eq!(next(&mut again), None);
        // One of another process, and one that listened to less.
        for (last, query) in [(7, ""), (seen, "channels=tasks")] {
            let mut other = hub.listen(filter(query), Some(last), now).expect("room");
            assert!(next(&mut other).is_some_and(|frame| frame.contains("event: reset")));
        }
        for number in 0..=RING {
            send(&mut hub, number);
        }
        let mut late = hub.listen(filter(""), Some(seen), now).expect("room");
        assert!(next(&mut late).is_some_and(|frame| frame.contains("event: reset")));
    }

    #[test]
    fn who_is_too_slow_is_told_to_reload_and_takes_no_memory() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let mut slow = hub.listen(filter(""), None, now).expect("room");
        for number in 0..QUEUE * 3 {
            hub.happened(Channel::Links, "link", None, &json!({"n": number}), now);
        }
        hub.tick(now);
        let mut frames = 0;
        while next(&mut slow).is_some() {
            frames += 1;
        }
        assert_eq!(frames, QUEUE);
        hub.tick(now);
        let reset = next(&mut slow).expect("told");
        assert!(reset.contains("event: reset"), "{reset}");
        hub.happened(Channel::Links, "link", None, &json!({"n": 0}), now);
        assert!(next(&mut slow).is_some_and(|frame| id_of(&frame) > id_of(&reset)));
    }

    #[test]
    fn a_row_is_sent_when_it_differs_and_its_evidence_now_and_then() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let mut news = |records: i64, time: &str, seconds: u64| {
            let row = json!({"lag": {"records": records, "as_of": time}, "as_of": time});
            hub.is_news(
                "link",
                "a".to_owned(),
                &row,
                now + Duration::from_secs(seconds),
            )
        };
        assert!(news(1, "t0", 0));
        assert!(!news(1, "t0", 1));
        assert!(!news(1, "t1", 2));
        assert!(news(2, "t1", 3));
        assert!(!news(2, "t2", 4));
        assert!(news(2, "t3", 9));
    }

    #[test]
    fn there_are_so_many_listeners_and_no_more() {
        let now = Instant::now();
        let mut hub = Hub::new(SystemTime::now());
        let all: Vec<_> = (0..STREAMS)
            .map(|_| hub.listen(filter(""), None, now).expect("room"))
            .collect();
        assert!(hub.listen(filter(""), None, now).is_none());
        drop(all);
        assert!(hub.listen(filter(""), None, now).is_some());
    }
}
