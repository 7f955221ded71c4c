//! Length-delimited frames over a byte stream, both directions.
//!
//! Both halves keep their progress in themselves, so every future here may be dropped and asked for
//! again (`select!`) without losing a byte.

#[cfg(test)]
mod coming;
#[cfg(test)]
mod sizes;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use config::client::HostPort;
use kafka_wire::frame;
use tokio::io::{AsyncRead as _, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

use super::low_water::Incoming;
use crate::buffer::{Buffer, Buffers, Reservation};
use crate::error::ClientError;
use crate::security::explain_alert;

/// Read ahead of frames where records come: small answers take one system call, and at most this much of a large one is
/// copied a second time.
const HEAD: usize = 16 * 1024;

/// The same everywhere else.
const SMALL_HEAD: usize = 2 * 1024;

/// What is read ahead behind a large frame: mostly another one follows, of which then next to nothing is copied a second time.
const LITTLE: usize = 64;

/// Segments in one vectored write, of small ones and of large ones. The kernel takes 1,024; the array lives on the stack.
const SEGMENTS: usize = 256;
const FEW: usize = 32;

/// Bytes that one write is given: more than a broker takes at a time.
const AT_ONCE: usize = 512 * 1024;

/// Bytes of a large frame that have to be there before more of it is read: the kernel's part of reading costs half as much
/// as with what a broker sends at a time.
const PIECE: usize = 1024 * 1024;

/// The reading half as the rest sees it: plain TCP, or TLS behind the same type.
pub(crate) type ReadHalf = Box<dyn Incoming>;
/// The writing half.
pub(crate) type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// Reads frames.
pub struct FrameReader {
    peer: HostPort,
    stream: ReadHalf,
    /// What was read ahead. It takes no memory while nothing has come: a link has about ten connections, and a process may have
    /// a thousand links.
    head: BytesMut,
    /// How much is read ahead.
    ahead: usize,
    /// Whether the last frame was larger than that.
    was_large: bool,
    /// The frame that is larger than what was read ahead, and its full length.
    body: Option<(Buffer, usize)>,
    /// When the last frame began to come, if it was such a one.
    began: Option<Instant>,
    /// What has to be there before we are woken.
    wake_at: usize,
    /// Whether every byte of this frame wakes us, because large pieces of it take long.
    slow: bool,
    /// How many bytes were read, all together; others may watch it.
    received: Arc<AtomicU64>,
    buffers: Buffers,
    /// For the next frame.
    reserved: Option<Reservation>,
    limit: usize,
}

/// What readers of a connection and of its successors have in common.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    limit: usize,
    ahead: usize,
    buffers: Buffers,
    received: Arc<AtomicU64>,
}

impl FrameReader {
    pub(crate) fn new(peer: HostPort, stream: ReadHalf, limit: usize) -> Self {
        Self {
            peer,
            stream,
            head: BytesMut::new(),
            ahead: SMALL_HEAD,
            was_large: false,
            body: None,
            began: None,
            wake_at: 1,
            slow: false,
            received: Arc::default(),
            // Connections without record data have nothing worth pooling.
            buffers: Buffers::new(0),
            reserved: None,
            limit,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn set_buffers(&mut self, buffers: Buffers) {
        self.buffers = buffers;
        self.ahead = HEAD;
    }

    /// What is read counts here from now on.
    pub(super) fn count_in(&mut self, received: Arc<AtomicU64>) {
        self.received = received;
    }

    pub(crate) fn set_reservation(&mut self, reserved: Reservation) {
        self.reserved = Some(reserved);
    }

    /// What a successor of this connection has to be given.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            limit: self.limit,
            ahead: self.ahead,
            buffers: self.buffers.clone(),
            received: Arc::clone(&self.received),
        }
    }

    /// Goes on as a predecessor did.
    pub(super) fn inherit(&mut self, limits: Limits) {
        let Limits {
            limit,
            ahead,
            buffers,
            received,
        } = limits;
        (self.limit, self.ahead) = (limit, ahead);
        (self.buffers, self.received) = (buffers, received);
    }

    /// When the last frame began to come, if it is larger than what is read ahead.
    pub(super) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Whether what has come and is not read yet begins like an alert of TLS.
    pub(super) fn begins_like_tls(&self) -> bool {
        self.head.starts_with(&[0x15, 0x03])
    }

    /// The next frame, without its length prefix. However long it takes as a whole, it keeps coming: it is given up when not a byte
    /// has come for `limit`, or half as long again. Cancel-safe.
    ///
    /// # Errors
    /// `None` when nothing comes; else as [`FrameReader::next`].
    pub async fn next_while_coming(
        &mut self,
        limit: Duration,
    ) -> Option<Result<Bytes, ClientError>> {
        let mut looked = false;
        loop {
            let before = self.received.load(Ordering::Relaxed);
            if let Ok(frame) = timeout(limit / 2, self.next()).await {
                return Some(frame);
            }
            if self.received.load(Ordering::Relaxed) > before {
                looked = false;
            } else if looked {
                return None;
            } else {
                // Less than we wait for may be there.
                self.slow = true;
                looked = true;
            }
        }
    }

    /// The next frame, without its length prefix. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` when the peer closes or the read fails, `Frame` when the length is negative or above
    /// the limit. After an error the reader must not be used again.
    pub async fn next(&mut self) -> Result<Bytes, ClientError> {
        loop {
            if let Some((buffer, length)) = &mut self.body {
                let missing = *length - buffer.len();
                if missing == 0 {
                    let (buffer, _) = self.body.take().expect("matched above");
                    self.slow = false;
                    self.was_large = true;
                    return Ok(buffer.freeze());
                }
                let piece = if self.slow { 1 } else { missing.min(PIECE) };
                wake_at(&*self.stream, &mut self.wake_at, piece);
                let read = buffer.read_from(&mut *self.stream, missing).await;
                self.check(read)?;
                continue;
            }
            if let Some(frame) = self.take_from_head()? {
                return Ok(frame);
            }
            if self.body.is_some() {
                continue;
            }
            wake_at(&*self.stream, &mut self.wake_at, 1);
            if self.head.is_empty() {
                self.head = BytesMut::new();
            }
            let read = self.read_ahead().await;
            self.check(read)?;
        }
    }

    /// Takes in what has come, as far as there is room. Cancel-safe.
    async fn read_ahead(&mut self) -> io::Result<usize> {
        let (stream, head) = (&mut self.stream, &mut self.head);
        let room = match self.was_large && head.is_empty() {
            true => LITTLE,
            false => self.ahead.saturating_sub(head.len()),
        };
        // Polled by hand: the array would be kept in every future that waits for this otherwise, idle ones too.
        poll_fn(|context| {
            let mut space = [const { MaybeUninit::uninit() }; HEAD];
            let mut space = ReadBuf::uninit(&mut space[..room]);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut space))?;
            head.extend_from_slice(space.filled());
            Poll::Ready(Ok(space.filled().len()))
        })
        .await
    }

    /// A frame that lies in `head` whole, or the start of a larger one moved to `body`.
    fn take_from_head(&mut self) -> Result<Option<Bytes>, ClientError> {
        let Some(prefix) = self.head.first_chunk::<4>() else {
            return Ok(None);
        };
        let length =
            frame::frame_length(*prefix, self.limit).map_err(|cause| ClientError::Frame {
                peer: self.peer.clone(),
                cause,
            })?;
        if self.head.len() - 4 >= length {
            self.reserved = None;
            self.was_large = false;
            self.head.advance(4);
            // Copied, so that a small answer does not keep the read-ahead buffer alive.
            let frame = Bytes::copy_from_slice(&self.head[..length]);
            self.head.advance(length);
            self.began = None;
            return Ok(Some(match self.ahead {
                HEAD => self.buffers.adopt(frame),
                _ => frame,
            }));
        }
        if length + 4 > self.ahead {
            let reserved = self.reserved.take();
            let mut buffer = self.buffers.take_reserved(length, reserved);
            buffer.extend_from_slice(&self.head[4..]);
            self.head.clear();
            self.body = Some((buffer, length));
            self.began = Some(Instant::now());
        }
        Ok(None)
    }

    fn check(&self, read: io::Result<usize>) -> Result<(), ClientError> {
        let cause = match read {
            Ok(0) => "closed by the broker".to_owned(),
            Ok(bytes) => {
                self.received.fetch_add(bytes as u64, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => explain_alert(&error),
        };
        Err(ClientError::Closed {
            peer: self.peer.clone(),
            cause,
        })
    }
}

fn wake_at(stream: &dyn Incoming, now: &mut usize, bytes: usize) {
    if *now != bytes {
        *now = bytes;
        stream.wake_at(bytes);
    }
}

impl fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Writes frames given as segments, without joining them.
pub struct FrameWriter {
    peer: HostPort,
    stream: WriteHalf,
    pending: VecDeque<Bytes>,
    /// TLS has taken bytes that may not have left yet: a flush that is given up has to be asked for again.
    unflushed: bool,
    /// Bytes that were queued, and that were written.
    queued: u64,
    written: u64,
}

impl FrameWriter {
    pub(crate) fn new(peer: HostPort, stream: WriteHalf) -> Self {
        Self {
            peer,
            stream,
            pending: VecDeque::new(),
            unflushed: false,
            queued: 0,
            written: 0,
        }
    }

    /// Bytes that were queued until now, and those of them that the kernel, or a stream that encrypts, has taken.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.queued, self.written)
    }

    /// Queues the segments of a frame; [`FrameWriter::flush`] sends them.
    pub fn push(&mut self, segments: impl IntoIterator<Item = Bytes>) {
        let segments = segments.into_iter().filter(|segment| !segment.is_empty());
        let queued = &mut self.queued;
        self.pending
            .extend(segments.inspect(|segment| *queued += segment.len() as u64));
        self.unflushed |= !self.pending.is_empty();
    }

    /// Whether nothing waits to be sent, here or in a stream that encrypts.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.unflushed
    }

    /// Sends all that is queued. Cancel-safe: what was sent is remembered.
    ///
    /// # Errors
    /// `Closed`; the writer must not be used again.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        while !self.pending.is_empty() {
            let (stream, pending) = (&mut self.stream, &self.pending);
            // Polled by hand: the array would be kept in every future that waits for this otherwise, idle ones too.
            let written = poll_fn(|context| match segments_at_once(pending) {
                count @ ..=FEW => write::<FEW>(stream, context, pending.iter().take(count)),
                count => write::<SEGMENTS>(stream, context, pending.iter().take(count)),
            });
            match written.await {
                Ok(0) => return Err(self.closed("the broker takes no more bytes".to_owned())),
                Ok(written) => {
                    self.unflushed = true;
                    self.written += written as u64;
                    self.advance(written);
                }
                Err(error) => return Err(self.closed(explain_alert(&error))),
            }
        }
        // A no-op on TCP; TLS has records to push out.
        self.stream
            .flush()
            .await
            .map_err(|error| self.closed(explain_alert(&error)))?;
        self.unflushed = false;
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.pending.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pending.pop_front();
        }
    }

    fn closed(&self, cause: String) -> ClientError {
        ClientError::Closed {
            peer: self.peer.clone(),
            cause,
        }
    }
}

/// How many segments one write is given.
fn segments_at_once(pending: &VecDeque<Bytes>) -> usize {
    let mut bytes = 0;
    let before = pending.iter().take(SEGMENTS).take_while(|segment| {
        let more = bytes < AT_ONCE;
        bytes += segment.len();
        more
    });
    before.count()
}

/// Writes what it takes of no more than `N` segments.
fn write<'a, const N: usize>(
    stream: &mut WriteHalf,
    context: &mut Context<'_>,
    segments: impl Iterator<Item = &'a Bytes>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); N];
    let mut count = 0;
    for (slice, segment) in slices.iter_mut().zip(segments) {
        *slice = IoSlice::new(segment);
        count += 1;
    }
    Pin::new(stream).poll_write_vectored(context, &slices[..count])
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    pub(super) fn peer() -> HostPort {
        HostPort {
            host: "broker".to_owned(),
            port: 9092,
        }
    }

    pub(super) fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len())
            .expect("small")
            .to_be_bytes()
            .to_vec();
        frame.extend_from_slice(body);
        frame
    }

    #[tokio::test]
    async fn frames_of_any_size_come_out_whole_however_they_are_cut() {
        let around = [SMALL_HEAD, HEAD].map(|head| [head - 4, head - 3, head, head * 3 + 1]);
        for size in [0, 1, 100, 300_000].into_iter().chain(around.concat()) {
            for chunk in [1000, 3, HEAD, 1 << 20] {
                if size > 100_000 && chunk < 100 {
                    continue;
                }
                let body: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                let mut bytes = frame(b"first");
                bytes.extend(frame(&body));
                bytes.extend(frame(b"last"));
                let (client, mut server) = tokio::io::duplex(chunk);
                let write = async move {
                    server.write_all(&bytes).await.expect("open");
                    server
                };
                let read = async move {
                    let mut reader = FrameReader::new(peer(), Box::new(client), 1 << 20);
                    if size % 2 == 0 {
                        reader.set_buffers(Buffers::new(0));
                    }
                    assert_eq!(&reader.next().await.expect("whole")[..], b"first");
                    assert_eq!(&reader.next().await.expect("whole")[..], &body[..]);
                    assert_eq!(&reader.next().await.expect("whole")[..], b"last");
                    reader
                };
                let (_open, mut reader) = tokio::join!(write, read);
                tokio::select! {
                    biased;
                    _ = reader.next() => panic!("nothing more was sent"),
                    () = std::future::ready(()) => {}
                }
                assert_eq!(reader.head.capacity(), 0, "it waits without memory");
            }
        }
    }

    #[tokio::test]
    async fn a_frame_above_the_limit_is_refused_before_memory_is_reserved() {
        let (client, mut server) = tokio::io::duplex(64);
        server
            .write_all(&[0x7f, 0xff, 0xff, 0xff, 0])
            .await
            .expect("open");
        let mut reader = FrameReader::new(peer(), Box::new(client), 1000);
        assert!(matches!(
            reader.next().await,
            Err(ClientError::Frame { .. })
        ));
    }

    #[tokio::test]
    async fn a_close_inside_a_frame_is_an_error() {
        let (client, mut server) = tokio::io::duplex(64);
        server.write_all(&[0, 0, 0, 9, 1, 2]).await.expect("open");
        drop(server);
        let mut reader = FrameReader::new(peer(), Box::new(client), 1000);
        assert!(matches!(
            reader.next().await,
            Err(ClientError::Closed { .. })
        ));
    }

    /// Takes everything at once and needs two tries to let it go, as TLS over a slow network does.
    struct Holding {
        flushes: usize,
    }

    impl AsyncWrite for Holding {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            if self.flushes > 1 {
                return Poll::Ready(Ok(()));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_flush_that_is_given_up_is_still_to_be_done() {
        let mut writer = FrameWriter::new(peer(), Box::new(Holding { flushes: 0 }));
        writer.push([Bytes::from_static(b"request")]);
        tokio::select! {
            biased;
            _ = writer.flush() => panic!("it needs two tries"),
            () = std::future::ready(()) => {}
        }
        assert!(!writer.is_idle(), "nobody would ask for it again");
        writer.flush().await.expect("open");
        assert!(writer.is_idle());
    }

    #[tokio::test]
    async fn segments_leave_in_order_also_when_the_peer_takes_few_bytes_at_a_time() {
        let (client, mut server) = tokio::io::duplex(7);
        let segments: Vec<Bytes> = (0..1000_u32)
            .map(|i| Bytes::from(i.to_be_bytes()[..(i % 5) as usize].to_vec()))
            .collect();
        let expected: Vec<u8> = segments.iter().flat_map(|s| s.to_vec()).collect();
        let length = expected.len();
        let write = async move {
            let mut writer = FrameWriter::new(peer(), Box::new(client));
            writer.push(segments);
            writer.flush().await.expect("open");
            assert!(writer.is_idle());
        };
        let read = async move {
            let mut found = vec![0; length];
            server.read_exact(&mut found).await.expect("all arrives");
            found
        };
        let ((), found) = tokio::join!(write, read);
        assert_eq!(found, expected);
    }
}
