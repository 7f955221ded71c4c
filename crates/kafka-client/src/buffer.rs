//! One budget of bytes for everything that holds record data, and the buffers themselves.
//!
//! Fresh memory costs more than all the rest of a copy (page faults), so large buffers are used
//! again. A buffer counts against the budget from its allocation until its last slice is gone:
//! a slice of 1 KiB keeps its whole answer alive, and the budget says so.
//!
//! Buffers of a mebibyte and more are mappings of their own, so that they are back with the system at the moment they are let go:
//! an allocator keeps freed memory for a while, which with answers of tens of megabytes was more than the whole rest. What was
//! not used for a minute is let go of ([`Buffers::trim`]).
//!
//! Invariants
//! - Memory for a fetch answer is reserved before the request is sent ([`Buffers::reserved`]), and what was reserved becomes its
//!   buffer. So `used` passes the limit only where an answer is larger than what was reserved for it, and where one
//!   needs more than half of the limit: that comes on top of no more than the other half. What is copied or made out of an answer
//!   comes on top of it until the answer is gone, where it was not reserved beside it.
//! - Reservations are granted in the order in which they were asked for, but for small ones that may go first. Otherwise a large one
//!   would wait for as long as there are others.

mod reservation;

pub use reservation::{Reservation, Turn};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use memmap2::MmapMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Buffers below this size come from the allocator: it keeps small blocks itself.
const POOLED_FROM: usize = 64 * 1024;

/// Buffers from this size on are mapped.
const MAPPED_FROM: usize = 1024 * 1024;

/// How long a buffer is kept that nobody needs.
const KEPT: Duration = Duration::from_secs(60);

/// Budget and pool; clones share both.
#[derive(Clone, Debug)]
pub struct Buffers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: AtomicUsize,
    used: AtomicUsize,
    free: Mutex<Free>,
    released: Notify,
    /// Who holds it is the next to be granted a reservation; others wait for it in the order in which they came.
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Free {
    /// In the order of their last use, and when that ended.
    buffers: Vec<(Memory, Instant)>,
    bytes: usize,
}

/// Where a buffer lies.
#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    /// The mapping, and how much of it is filled.
    Mapped(MmapMut, usize),
}

impl Memory {
    fn new(capacity: usize) -> Self {
        if capacity >= MAPPED_FROM
            && let Ok(map) = MmapMut::map_anon(capacity)
        {
            // Fewer page faults where the system has huge pages to give; without them all works the same.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            return Self::Mapped(map, 0);
        }
        // A process may have only so many mappings.
        Self::Heap(Vec::with_capacity(capacity))
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.capacity(),
            Self::Mapped(map, _) => map.len(),
        }
    }

    fn filled(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(map, filled) => &map[..*filled],
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Heap(bytes) => bytes.clear(),
            Self::Mapped(_, filled) => *filled = 0,
        }
    }
}

impl Free {
    /// Keeps so many bytes, those that were used last: buffers of a size that is not asked for any more must not keep out
    /// those that are.
    fn keep(&mut self, room: usize) {
        while self.bytes > room && !self.buffers.is_empty() {
            self.let_go(1);
        }
    }

    /// Lets go of so many, those whose last use is longest ago.
    fn let_go(&mut self, count: usize) {
        for (memory, _) in self.buffers.drain(..count) {
            self.bytes -= memory.capacity();
        }
    }
}

impl Buffers {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            free: Mutex::default(),
            released: Notify::new(),
            turn: Semaphore::new(1),
        }))
    }

    /// The budget in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Changes the budget, because others have a share of the same memory now, or have no more. What is beyond it goes as it is
    /// given back.
    pub fn set_limit(&self, limit: usize) {
        let before = self.0.limit.swap(limit, Ordering::AcqRel);
        if limit < before {
            let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.keep(self.room(self.used()));
        } else {
            self.0.released.notify_waiters();
        }
    }

    /// Lets go of what nobody has needed for a minute before `now`; to be called now and then. What a load needed is not kept for
    /// ever.
    pub fn trim(&self, now: Instant) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(_, since): &(Memory, Instant)| now.saturating_duration_since(*since) >= KEPT;
        let old = free.buffers.partition_point(is_old);
        free.let_go(old);
    }

    /// Bytes reserved or held by living buffers.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    fn kept(&self) -> usize {
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.bytes
    }

    /// An empty buffer that can take `capacity` bytes, counted from now on.
    #[cfg(test)]
    pub(crate) fn take(&self, capacity: usize) -> Buffer {
        self.take_at_most(capacity, usize::MAX, None)
    }

    /// An empty buffer that can take `capacity` bytes, counted from now on, out of what was reserved for it; the rest of that is
    /// given back, and what is missing comes on top.
    pub(crate) fn take_reserved(&self, capacity: usize, reserved: Option<Reservation>) -> Buffer {
        // A larger one that is kept would be more than was reserved.
        let most = reserved.as_ref().map_or(usize::MAX, Reservation::bytes);
        self.take_at_most(capacity, most, reserved)
    }

    /// The same, and not one of those that are kept if it is larger than `most` and than it has to be.
    fn take_at_most(&self, capacity: usize, most: usize, reserved: Option<Reservation>) -> Buffer {
        let size = size_of(capacity);
        let most = most.max(size);
        let memory = if capacity < POOLED_FROM {
            Memory::new(capacity)
        } else {
            self.reuse(capacity, most)
                .unwrap_or_else(|| self.fresh(size))
        };
        let counted = memory.capacity();
        let before = reserved.map_or(0, Reservation::hand_over);
        if before > counted {
            self.release(before - counted);
        } else {
            self.0.used.fetch_add(counted - before, Ordering::AcqRel);
        }
        Buffer {
            memory,
            counted,
            home: self.clone(),
        }
    }

    /// Counts record data that was made here against the budget, until its last slice is gone.
    #[must_use]
    pub fn adopt(&self, bytes: Bytes) -> Bytes {
        self.0.used.fetch_add(bytes.len(), Ordering::AcqRel);
        Bytes::from_owner(Adopted {
            bytes,
            home: self.clone(),
        })
    }

    /// A copy with memory of its own: a slice of an answer keeps the whole of it.
    #[must_use]
    pub fn copied(&self, bytes: &[u8]) -> Bytes {
        // What is free is as large as answers are.
        let mut copy = self.take_at_most(bytes.len(), 0, None);
        copy.extend_from_slice(bytes);
        copy.freeze()
    }

    /// Bytes that may be kept beside those that are used. A quarter of the budget is left free: batches that are made anew come on
    /// top of what they are made from, and the allocator does not give back at once what it is given.
    fn room(&self, used: usize) -> usize {
        (self.limit() / 4 * 3).saturating_sub(used)
    }

    fn reuse(&self, capacity: usize, most: usize) -> Option<Memory> {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that fits, so that small answers do not pin large buffers; of those the one that was used last,
        // because the processor may still have it at hand.
        let index = free
            .buffers
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, (buffer, _))| (capacity..=most).contains(&buffer.capacity()))
            .min_by_key(|(_, (buffer, _))| buffer.capacity())
            .map(|(index, _)| index)?;
        // Their order is that of their last use.
        let (buffer, _) = free.buffers.remove(index);
        free.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// New memory. What is kept would come on top of it, and all of that may be too small.
    fn fresh(&self, capacity: usize) -> Memory {
        let room = self.room(self.used());
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.keep(room.saturating_sub(capacity));
        drop(free);
        Memory::new(capacity)
    }

    fn give_back(&self, mut memory: Memory, counted: usize) {
        let capacity = memory.capacity();
        if capacity >= POOLED_FROM {
            let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
            let used = self.used().saturating_sub(counted);
            let room = self.room(used);
            free.keep(room.saturating_sub(capacity));
            if free.bytes + capacity <= room {
                memory.clear();
                free.bytes += capacity;
                free.buffers.push((memory, Instant::now()));
            }
        }
        self.release(counted);
    }

    fn release(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::AcqRel);
        self.0.released.notify_waiters();
    }
}

/// The size of a buffer that can take so many bytes.
fn size_of(bytes: usize) -> usize {
    let pooled = bytes >= POOLED_FROM;
    // What is larger than any power of two is refused anyway.
    let power = bytes.checked_next_power_of_two().filter(|_| pooled);
    power.unwrap_or(bytes)
}

/// A buffer of the pool; goes home when dropped, also as the owner of [`Bytes`].
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Memory,
    counted: usize,
    home: Buffers,
}

impl Buffer {
    /// How many bytes are in it.
    pub(crate) fn len(&self) -> usize {
        self.memory.filled().len()
    }

    /// Appends `bytes`, for which there has to be room.
    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        match &mut self.memory {
            Memory::Heap(heap) => heap.extend_from_slice(bytes),
            Memory::Mapped(map, filled) => {
                map[*filled..*filled + bytes.len()].copy_from_slice(bytes);
                *filled += bytes.len();
            }
        }
    }

    /// Reads at most `most` bytes, for which there has to be room, and says how many came; none at the end. Cancel-safe.
    pub(crate) async fn read_from<R>(&mut self, from: &mut R, most: usize) -> std::io::Result<usize>
    where
        R: AsyncRead + Unpin + ?Sized,
    {
        match &mut self.memory {
            Memory::Heap(heap) => from.read_buf(&mut heap.limit(most)).await,
            Memory::Mapped(map, filled) => {
                let mut room = &mut map[*filled..*filled + most];
                let read = from.read_buf(&mut room).await?;
                *filled += read;
                Ok(read)
            }
        }
    }

    /// Freezes the content; the buffer goes home with the last slice.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.memory.filled()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Heap(Vec::new()));
        self.home.give_back(memory, self.counted);
    }
}

/// Memory from elsewhere that counts.
struct Adopted {
    bytes: Bytes,
    home: Buffers,
}

impl AsRef<[u8]> for Adopted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        self.home.release(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(buffer: &Buffer) -> *const u8 {
        buffer.memory.filled().as_ptr()
    }

    #[test]
    fn a_reservation_is_refused_above_the_limit_and_returns_when_dropped() {
        let buffers = Buffers::new(100);
        let first = buffers.reserve(60).expect("fits");
        assert!(buffers.reserve(60).is_none());
        drop(first);
        assert!(buffers.reserve(60).is_some());
    }

    #[test]
    fn an_empty_budget_grants_one_reservation_of_any_size() {
        let buffers = Buffers::new(100);
        let large = buffers
            .reserve(1000)
            .expect("nothing is held, so it must be possible to go on");
        assert!(buffers.reserve(1).is_none());
        drop(large);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn memory_from_elsewhere_counts_until_its_last_slice_is_gone() {
        let buffers = Buffers::new(100);
        let whole = buffers.adopt(Bytes::from(vec![7; 80]));
        let slice = whole.slice(10..20);
        drop(whole);
        assert_eq!((buffers.used(), &slice[..]), (80, &[7; 10][..]));
        drop(slice);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn a_copy_does_not_keep_what_it_was_copied_from() {
        let buffers = Buffers::new(1 << 20);
        let mut answer = buffers.take(500_000);
        answer.extend_from_slice(&[7; 100]);
        let answer = answer.freeze();
        let copy = buffers.copied(&answer[10..20]);
        drop(answer);
        assert_eq!((buffers.used(), &copy[..]), (10, &[7; 10][..]));
        drop(copy);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn a_buffer_counts_until_its_last_slice_is_gone_and_is_used_again() {
        let buffers = Buffers::new(1 << 20);
        let mut buffer = buffers.take(100_000);
        buffer.extend_from_slice(&[7; 100]);
        let before = address(&buffer);
        let whole = buffer.freeze();
        let slice = whole.slice(10..20);
        drop(whole);
        assert_eq!(buffers.used(), 131_072);
        drop(slice);
        assert_eq!(buffers.used(), 0);
        assert_eq!(address(&buffers.take(90_000)), before);
    }

    #[tokio::test]
    async fn a_mapped_buffer_takes_what_comes_and_is_empty_when_it_is_used_again() {
        let buffers = Buffers::new(8 * MAPPED_FROM);
        for fill in [7, 9] {
            let mut buffer = buffers.take(MAPPED_FROM + 1);
            buffer.extend_from_slice(&[fill; 3]);
            let mut from = tokio::io::repeat(fill).take(1000);
            while buffer.len() < 900 {
                let most = 900 - buffer.len();
                assert_ne!(buffer.read_from(&mut from, most).await.expect("open"), 0);
            }
            assert!(matches!(buffer.memory, Memory::Mapped(..)));
            assert_eq!(buffers.used(), 2 * MAPPED_FROM);
            assert_eq!(buffer.freeze(), vec![fill; 900]);
        }
    }

    #[test]
    fn what_is_kept_fits_beside_what_is_used_and_the_last_one_is_used_first() {
        let size = 128 * 1024;
        let buffers = Buffers::new(6 * size);
        let taken: Vec<Buffer> = (0..4).map(|_| buffers.take(size)).collect();
        let addresses: Vec<_> = taken.iter().map(address).collect();
        drop(taken);
        let again: Vec<Buffer> = (0..4).map(|_| buffers.take(size)).collect();
        let reused: Vec<_> = again.iter().map(address).collect();
        assert_eq!(reused, addresses.into_iter().rev().collect::<Vec<_>>());
        let large = buffers.take(2 * size);
        drop(again);
        assert_eq!(buffers.kept(), 2 * size, "the large one takes half");
        drop(large);
        assert_eq!(buffers.kept(), 4 * size);
    }

    #[test]
    fn what_is_kept_makes_room_for_a_buffer_that_is_larger_than_each_of_them() {
        let size = 128 * 1024;
        let buffers = Buffers::new(6 * size);
        drop((0..4).map(|_| buffers.take(size)).collect::<Vec<_>>());
        let large = buffers.take(2 * size);
        assert_eq!(buffers.used() + buffers.kept(), 4 * size);
        let other = buffers.take(2 * size);
        assert_eq!((buffers.used(), buffers.kept()), (4 * size, 0));
        drop((large, other));
    }

    #[test]
    fn buffers_of_a_size_that_is_not_asked_for_any_more_make_room() {
        let size = 128 * 1024;
        let buffers = Buffers::new(6 * size);
        drop((0..4).map(|_| buffers.take(size)).collect::<Vec<_>>());
        let before = {
            let large = buffers.take(4 * size);
            address(&large)
        };
        assert_eq!(address(&buffers.take(4 * size)), before);
    }

    #[test]
    fn what_nobody_has_needed_for_a_minute_is_let_go_of() {
        let buffers = Buffers::new(8 * POOLED_FROM);
        let [one, other] = [(); 2].map(|()| buffers.take(POOLED_FROM));
        drop(one);
        let between = Instant::now();
        while Instant::now() == between {}
        drop(other);
        buffers.trim(between);
        assert_eq!(buffers.kept(), 2 * POOLED_FROM);
        buffers.trim(between + KEPT);
        assert_eq!(buffers.kept(), POOLED_FROM, "the other was used later");
        drop(buffers.take(POOLED_FROM));
        buffers.trim(Instant::now() + KEPT);
        assert_eq!((buffers.kept(), buffers.used()), (0, 0));
    }

    #[test]
    fn a_budget_that_shrinks_lets_go_of_what_is_kept_and_one_that_grows_is_used() {
        let buffers = Buffers::new(8 * POOLED_FROM);
        drop(buffers.take(4 * POOLED_FROM));
        assert_eq!(buffers.kept(), 4 * POOLED_FROM);
        buffers.set_limit(POOLED_FROM);
        assert_eq!((buffers.kept(), buffers.limit()), (0, POOLED_FROM));
        let held = buffers.reserve(POOLED_FROM).expect("it fits");
        assert!(buffers.reserve(1).is_none());
        buffers.set_limit(2 * POOLED_FROM);
        assert!(buffers.reserve(1).is_some());
        drop(held);
    }
}
