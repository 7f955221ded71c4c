//! One connection through the proxy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::rule::FrameAction;
use super::{Direction, Shared, bit, flow};

/// A frame longer than this is not Kafka's.
const LARGEST: usize = 512 * 1024 * 1024;
/// Bytes on their way in one direction, at most; one frame may be larger.
const QUEUED_BYTES: u32 = 64 * 1024 * 1024;
const QUEUED_FRAMES: usize = 1024;
/// Stalls and rates take effect between pieces of this size.
const PIECE: usize = 16 * 1024;

/// What all connections that exist now are told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Reset,
    HalfOpen,
}

/// Why a connection ends.
enum End {
    /// One side closed, or a rule says so.
    Closed,
    Reset,
    HalfOpen,
}

/// A frame, or what is left of it, on its way.
struct Outgoing {
    due: Instant,
    bytes: Vec<u8>,
    /// How the connection ends after it, if it does.
    then: Option<End>,
    _room: Option<OwnedSemaphorePermit>,
}

/// API keys of requests that have not been answered, by correlation id: answers do not carry them.
type Pending = Mutex<HashMap<i32, i16>>;

/// Runs until either side closes, a rule ends it, or an order does. Gives the client's side back if it shall stay half
/// open.
pub(super) async fn run(
    mut client: TcpStream,
    shared: Arc<Shared>,
    mut orders: watch::Receiver<Option<Order>>,
) -> Option<TcpStream> {
    let _open = Open::new(&shared);
    let mut broker = TcpStream::connect(shared.broker).await.ok()?;
    // Small frames must not wait for each other twice.
    client.set_nodelay(true).ok()?;
    broker.set_nodelay(true).ok()?;
    let pending = Pending::default();
    let end = {
        let (client_read, client_write) = client.split();
        let (broker_read, broker_write) = broker.split();
        tokio::select! {
            end = pass(Direction::Requests, client_read, broker_write, &shared, &pending) => end,
            end = pass(Direction::Answers, broker_read, client_write, &shared, &pending) => end,
            order = ordered(&mut orders) => order,
        }
    };
    match end {
        End::Closed => None,
        End::Reset => {
            // A close with pending data discarded is a reset. If it cannot be set, the close has to do.
            let _ = client.set_zero_linger();
            let _ = broker.set_zero_linger();
            None
        }
        End::HalfOpen => Some(client),
    }
}

/// Keeps a client's side open until the client closes it; what it sends goes nowhere.
pub(super) async fn swallow(mut client: TcpStream) {
    let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
}

async fn ordered(orders: &mut watch::Receiver<Option<Order>>) -> End {
    let order = orders
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|order| *order);
    match order {
        Some(Order::Reset) => End::Reset,
        Some(Order::HalfOpen) => End::HalfOpen,
        // The channel was replaced after an order that this connection no longer saw.
        None => std::future::pending().await,
    }
}

/// One direction: reading and writing take turns, so that latency does not cost throughput.
async fn pass(
    direction: Direction,
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    shared: &Shared,
    pending: &Pending,
) -> End {
    let (queue, outgoing) = mpsc::channel(QUEUED_FRAMES);
    let writing = write_frames(to, outgoing, shared.flow(direction).subscribe());
    tokio::pin!(writing);
    tokio::select! {
        end = &mut writing => end,
        // What was read before the end is still delivered; the closed queue then ends the writing.
        () = read_frames(direction, from, queue, shared, pending) => writing.await,
    }
}

/// Reads frames until the connection, the queue or a rule ends it.
async fn read_frames(
    direction: Direction,
    mut from: ReadHalf<'_>,
    queue: mpsc::Sender<Outgoing>,
    shared: &Shared,
    pending: &Pending,
) {
    let room = Arc::new(Semaphore::new(QUEUED_BYTES as usize));
    while let Some(mut bytes) = read_frame(&mut from).await {
        let api_key = api_key(direction, &bytes[4..], pending);
        shared.count(direction, api_key, bytes.len());
        let verdict = shared.rules().look(direction, api_key, &bytes[4..]);
        let mut due = shared.flow(direction).borrow().pace.due();
        let mut then = None;
        if let Some(verdict) = verdict {
            verdict.announce();
            verdict.edit(&mut bytes);
            match verdict.action {
                FrameAction::Pass => {}
                FrameAction::Drop => continue,
                FrameAction::Delay(delay) => due += delay,
                FrameAction::Repeat => bytes.extend_from_within(..),
                FrameAction::Truncate(length) => {
                    bytes.truncate(length);
                    then = Some(End::Closed);
                }
                FrameAction::Cut | FrameAction::Reset => {
                    bytes.clear();
                    then = Some(if verdict.action == FrameAction::Cut {
                        End::Closed
                    } else {
                        End::Reset
                    });
                }
                FrameAction::CutAfter => then = Some(End::Closed),
                FrameAction::FlipBit => {
                    let flipped = bit::flip(&mut bytes[4..]);
                    debug_assert!(flipped, "the rule matched because there is a batch");
                }
            }
        }
        let wanted = u32::try_from(bytes.len())
            .unwrap_or(QUEUED_BYTES)
            .min(QUEUED_BYTES);
        let room = Arc::clone(&room).acquire_many_owned(wanted).await.ok();
        if queue
            .send(Outgoing {
                due,
                bytes,
                then,
                _room: room,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A whole frame with its length field, or nothing at the end or when it cannot be Kafka's.
async fn read_frame(from: &mut ReadHalf<'_>) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await.ok()?;
    let end = usize::try_from(i32::from_be_bytes(length))
        .ok()
        .filter(|length| *length <= LARGEST)?
        + 4;
    let mut bytes = vec![0; end];
    bytes[..4].copy_from_slice(&length);
    from.read_exact(&mut bytes[4..]).await.ok()?;
    Some(bytes)
}

/// A request begins with API key, version and correlation id; an answer with the correlation id alone.
fn api_key(direction: Direction, frame: &[u8], pending: &Pending) -> Option<i16> {
    let mut pending = pending
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match direction {
        Direction::Requests => {
            let api_key = i16::from_be_bytes(frame.get(..2)?.try_into().ok()?);
            let correlation = i32::from_be_bytes(frame.get(4..8)?.try_into().ok()?);
            pending.insert(correlation, api_key);
            Some(api_key)
        }
        Direction::Answers => {
            let correlation = i32::from_be_bytes(frame.get(..4)?.try_into().ok()?);
            pending.remove(&correlation)
        }
    }
}

/// Writes what comes through the queue, each when it is due and as fast as the flow allows.
async fn write_frames(
    mut to: WriteHalf<'_>,
    mut queue: mpsc::Receiver<Outgoing>,
    mut flow: watch::Receiver<flow::Flow>,
) -> End {
    // When the line is free again, at a limited rate.
    let mut free = Instant::now();
    let mut in_flight = flow::InFlight::default();
    while let Some(outgoing) = queue.recv().await {
        tokio::time::sleep_until(outgoing.due).await;
        for piece in outgoing.bytes.chunks(PIECE) {
            let pace = flow::open(&mut flow).await;
            if let Some(rate) = pace.bytes_per_second {
                tokio::time::sleep_until(free).await;
                let micros = (piece.len() as u64).saturating_mul(1_000_000) / rate;
                free = free.max(Instant::now()) + std::time::Duration::from_micros(micros);
            }
            if let Some(window) = pace.window {
                in_flight.send(window, piece.len()).await;
            }
            if to.write_all(piece).await.is_err() {
                return End::Closed;
            }
        }
        if let Some(end) = outgoing.then {
            return end;
        }
    }
    End::Closed
}

/// Counts a connection as open while it lives.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.traffic().open += 1;
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.traffic().open -= 1;
    }
}
