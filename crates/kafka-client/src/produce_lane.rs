//! A pipelined connection to one destination broker: calls in, answers out, in order.
//!
//! Invariants
//! - The lane never holds a call back for company, and never reorders.
//! - When anything is in doubt the connection ends at once, and with one last event that carries the
//!   tags of all calls without an answer. Whether these took effect is unknown.
//! - The caller bounds the calls it has open to the capacity of its channel, so neither side ever
//!   waits for the other to take a message.
//! - A request that is large for its line is not given up while bytes of it leave: its answer is due so long after the last of them.
//! - When credentials change, or the broker wants them shown again, a second connection is made; it takes over when
//!   every call of the first has been answered.
//!
//! Deliberately absent: which batch goes when, retries, sequences (`replication`).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use config::client::HostPort;
use kafka_wire::message::produce::{ProduceRequest, ProduceResponse};
use kafka_wire::message::{ApiKey, Request};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::connection::{Connection, Parts, Succession, check_correlation};
use crate::error::ClientError;

/// One Produce request and the caller's name for it.
#[derive(Debug)]
pub struct ProduceCall {
    /// Comes back with the answer.
    pub tag: u64,
    /// What to send.
    pub request: ProduceRequest,
}

/// What a lane has to say.
#[derive(Debug)]
pub enum ProduceEvent {
    /// The answer to a call.
    Answered {
        /// The call.
        tag: u64,
        /// The broker's answer, per partition.
        response: ProduceResponse,
    },
    /// The connection has ended; nothing follows.
    Ended {
        /// Why. `Stopping` when the caller closed the lane.
        error: ClientError,
        /// Calls whose outcome is unknown, oldest first.
        unanswered: Vec<u64>,
    },
}

struct Pending {
    tag: u64,
    correlation_id: i32,
    version: i16,
    queued_at: Instant,
    deadline: Instant,
    /// How many bytes the connection has written when the last one of it is; `None` once that is so.
    end: Option<u64>,
    /// How many it had written when that was looked at last.
    written: u64,
}

impl Pending {
    /// Whether it goes on to be waited for at its deadline: bytes of it, or of what is in front of it, have left since.
    fn goes_on(&mut self, written: u64, limit: Duration, now: Instant) -> bool {
        let goes_on = self.end.is_some() && written > self.written;
        if goes_on {
            self.written = written;
            self.deadline = now + limit / 2;
        }
        goes_on
    }
}

/// Drives `connection` until it ends or `calls` closes. `emit` must not block for long: it runs in
/// the lane.
///
/// `limit` is the time from sending the last byte of a request to its answer, beyond the broker's own time-out that
/// the request carries, and about that in which not a byte is sent.
pub async fn run<F>(
    connection: Connection,
    mut calls: mpsc::Receiver<ProduceCall>,
    limit: Duration,
    mut emit: impl FnMut(ProduceEvent) -> F,
) where
    F: Future<Output = ()>,
{
    let mut pending = VecDeque::new();
    let error = match connection.into_parts() {
        Ok(parts) => {
            let meter = parts.open.shared();
            meter.asks(ApiKey::PRODUCE);
            let error = drive(parts, &mut calls, limit, &mut pending, &mut emit).await;
            if !matches!(error, ClientError::Stopping) {
                meter.unanswered(ApiKey::PRODUCE, pending.len());
            }
            error
        }
        Err(error) => error,
    };
    // Calls that were queued but never sent are as unanswered as the others: the owner decides.
    calls.close();
    let mut unanswered: Vec<u64> = pending.iter().map(|p: &Pending| p.tag).collect();
    while let Ok(call) = calls.try_recv() {
        unanswered.push(call.tag);
    }
    emit(ProduceEvent::Ended { error, unanswered }).await;
}

async fn drive<F>(
    mut parts: Parts,
    calls: &mut mpsc::Receiver<ProduceCall>,
    limit: Duration,
    pending: &mut VecDeque<Pending>,
    emit: &mut impl FnMut(ProduceEvent) -> F,
) -> ClientError
where
    F: Future<Output = ()>,
{
    let mut segments: Vec<Bytes> = Vec::new();
    let mut succession = Succession::of(&parts);
    loop {
        if pending.is_empty() && parts.writer.is_idle() {
            succession.take_over(&mut parts);
        }
        note_written(pending, parts.writer.progress().1, limit);
        let deadline = pending
            .front()
            .map_or_else(Instant::now, |p: &Pending| p.deadline);
        // Every branch is cancel-safe: reader and writer keep their progress in themselves.
        tokio::select! {
            frame = parts.reader.next() => {
                let sent = pending.front().map(|first| first.queued_at);
                let answer = frame.and_then(|frame| answer(&parts.peer, pending, frame));
                if let (Ok((_, response)), Some(sent)) = (&answer, sent) {
                    let throttle_ms = u32::try_from(response.throttle_time_ms).unwrap_or(0);
                    let meter = parts.open.meter();
                    meter.answered(ApiKey::PRODUCE, sent.elapsed(), throttle_ms);
                }
                match answer {
                    Ok((tag, response)) => emit(ProduceEvent::Answered { tag, response }).await,
                    Err(error) => return error,
                }
            }
            sent = parts.writer.flush(), if !parts.writer.is_idle() => {
                if let Err(error) = sent {
                    return error;
                }
            }
            () = succession.progress(&mut parts.renewal), if parts.renewal.is_some() => {}
            // Calls wait for the successor; those that were sent are answered first, so that none overtakes another.
            call = calls.recv(), if !succession.is_ready() => {
                let Some(call) = call else { return ClientError::Stopping };
                let correlation_id = parts.correlate();
                segments.clear();
                let range = call.request.versions();
                let chosen = parts.versions.choose(&parts.peer, ProduceRequest::API, range);
                let version = chosen.as_ref().copied().unwrap_or(range.min);
                let encoded = call.request.encode_segments(
                    version,
                    correlation_id,
                    &parts.client_id,
                    &mut segments,
                );
                // What is not whole is never sent: the connection ends below.
                parts.writer.push(segments.drain(..));
                let (queued, written) = parts.writer.progress();
                let now = Instant::now();
                pending.push_back(Pending {
                    tag: call.tag,
                    correlation_id,
                    version,
                    queued_at: now,
                    deadline: now + limit,
                    end: Some(queued),
                    written,
                });
                if let Err(error) = chosen {
                    return error;
                }
                if let Err(cause) = encoded {
                    return ClientError::Encode { peer: parts.peer, cause };
                }
            }
            () = sleep_until(deadline), if !pending.is_empty() => {
                let (_, written) = parts.writer.progress();
                let first = pending.front_mut();
                if !first.is_some_and(|first| first.goes_on(written, limit, Instant::now())) {
                    return ClientError::Timeout {
                        peer: parts.peer,
                        what: "answer Produce".to_owned(),
                        limit,
                    };
                }
            }
        }
    }
}

/// Takes in how many bytes were written: an answer is due so long after the last one of its request.
fn note_written(pending: &mut VecDeque<Pending>, written: u64, limit: Duration) {
    let has_left = |one: &&mut Pending| one.end.is_some_and(|end| end <= written);
    for one in pending.iter_mut().filter(has_left) {
        one.end = None;
        one.deadline = Instant::now() + limit;
    }
}

/// Finds the oldest call that `frame` has to be the answer to, and reads it.
fn answer(
    peer: &HostPort,
    pending: &mut VecDeque<Pending>,
    mut frame: Bytes,
) -> Result<(u64, ProduceResponse), ClientError> {
    let Some(first) = pending.front() else {
        return Err(ClientError::Closed {
            peer: peer.clone(),
            cause: "an answer came that nobody awaits".to_owned(),
        });
    };
    let (tag, version) = (first.tag, first.version);
    check_correlation(
        peer,
        ProduceRequest::API,
        version,
        first.correlation_id,
        &mut frame,
    )?;
    let response = ProduceRequest::decode(version, frame).map_err(|cause| ClientError::Decode {
        peer: peer.clone(),
        cause,
    })?;
    pending.pop_front();
    Ok((tag, response))
}
