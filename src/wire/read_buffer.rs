//! [`ReadBuffer`]: the buffer that a connection reads into, which follows the traffic in size.
//!
//! It starts small, since most connections of most programs are quiet, and grows when reads fill
//! it. What fills most of it is handed to the receiving pipe without a copy, together with the buffer,
//! which comes [back](crate::spares) when it has been read there.

use bytes::buf::Limit;
use bytes::{BufMut, Bytes};

use crate::spares;

/// The size of the first read: a greeting and a handshake mostly fit. Whoever connects makes us keep as much.
const READ_FIRST: usize = 512;

/// The size of a read when nothing is known of the traffic.
pub(super) const READ_MIN: usize = 4 * 1024;

/// The largest read: beyond 64 KiB a plain reader of loopback TCP got slower again, since the
/// buffer falls out of the cache nearest to the core.
pub(super) const READ_MAX: usize = 64 * 1024;

/// Reads that fill what was asked for make the next ones so many times larger.
const GROWTH: usize = 4;

/// Where a connection wants the bytes that come next.
pub(crate) type ReadTarget<'a> = Limit<&'a mut Vec<u8>>;

#[derive(Debug)]
pub(super) struct ReadBuffer {
    buffer: Vec<u8>,
    /// How much of the buffer has been used.
    head: usize,
    /// How much the buffer shall hold when full.
    size: usize,
    pending: Pending,
}

/// The read that is under way: length of the buffer before it and bytes asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    asked: Option<(usize, usize)>,
}

impl Pending {
    pub(super) const fn ask(&mut self, before: usize, limit: usize) {
        self.asked = Some((before, limit));
    }

    /// What came, and whether it was all that was asked for. Only the first call after an
    /// [`ask`](Self::ask) can find anything.
    pub(super) fn take(&mut self, now: usize) -> (usize, bool) {
        let Some((before, limit)) = self.asked.take() else {
            return (0, false);
        };
        let came = now.saturating_sub(before);
        (came, came >= limit)
    }
}

impl ReadBuffer {
    pub(super) const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            head: 0,
            size: READ_FIRST,
            pending: Pending { asked: None },
        }
    }

    /// Where to read next. Takes at least one byte.
    pub(super) fn read_target(&mut self) -> ReadTarget<'_> {
        let used = self.bytes().len();
        if used >= self.size {
            // A frame takes all of it. Nobody reads on when [`READ_MAX`] is reached, except a
            // session that does not stop for lack of room; it must not wait on a read of nothing.
            let grown = self.size.saturating_mul(GROWTH).min(READ_MAX);
            self.size = grown.max(used.saturating_add(READ_MIN));
        }
        let wanted = self.size.saturating_sub(used);
        // To move or to change it for every few bytes would waste it; half a read is still a good read.
        if self.spare() < wanted.div_ceil(2) {
            self.make_room();
        }
        let limit = wanted.min(self.spare());
        self.pending.ask(self.buffer.len(), limit);
        (&mut self.buffer).limit(limit)
    }

    /// Moves what is not used yet to the front, of another buffer if this one is too short.
    fn make_room(&mut self) {
        if self.buffer.capacity() >= self.size {
            self.buffer.drain(..self.head);
        } else {
            let mut other = new_buffer(self.size);
            other.extend_from_slice(self.bytes());
            spares::give(std::mem::replace(&mut self.buffer, other));
        }
        self.head = 0;
    }

    fn spare(&self) -> usize {
        self.buffer.capacity().saturating_sub(self.buffer.len())
    }

    /// Whether anything was read; adapts the size of the next read.
    pub(super) fn take_arrived(&mut self) -> bool {
        let (came, filled) = self.pending.take(self.buffer.len());
        if filled {
            self.size = self.size.saturating_mul(GROWTH).min(READ_MAX);
        }
        came > 0
    }

    pub(super) fn shrink_reads(&mut self) {
        self.size = READ_MIN;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.head..).unwrap_or_default()
    }

    #[cfg(feature = "curve")]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.head..).unwrap_or_default()
    }

    /// Makes room for `count` more bytes that do not come from a read.
    #[cfg(feature = "curve")]
    pub(super) fn reserve(&mut self, count: usize) {
        if self.spare() < count {
            self.size = self.size.max(self.bytes().len().saturating_add(count));
            self.make_room();
        }
    }

    /// Appends bytes that do not come from a read.
    #[cfg(feature = "curve")]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets the first `count` bytes, or all there are.
    pub(super) fn consume(&mut self, count: usize) {
        let end = self.head.saturating_add(count);
        if end < self.buffer.len() {
            self.head = end;
        } else {
            self.head = 0;
            self.buffer.clear();
        }
    }

    /// Takes the first `count` bytes, or all there are: with the buffer if they are worth it, else as a
    /// copy, so that what nobody fetches never keeps much more memory than it has bytes.
    pub(super) fn split_to(&mut self, count: usize) -> Bytes {
        let end = self.head.saturating_add(count).min(self.buffer.len());
        let taken = end.saturating_sub(self.head);
        if taken < self.buffer.capacity() / 2 {
            let bytes = spares::copy(self.bytes().get(..taken).unwrap_or_default());
            self.consume(taken);
            return bytes;
        }
        let rest = self.buffer.get(end..).unwrap_or_default();
        let mut next = Vec::new();
        if !rest.is_empty() {
            next = new_buffer(self.size.max(rest.len()));
            next.extend_from_slice(rest);
        }
        let head = std::mem::take(&mut self.head);
        spares::share(std::mem::replace(&mut self.buffer, next)).slice(head..end)
    }

    /// Whether the next read asks for memory.
    #[inline]
    pub(super) fn has_no_memory(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Frees the memory if it holds nothing, and starts small again.
    pub(super) fn release_if_empty(&mut self) {
        if self.bytes().is_empty() {
            let size = self.size.min(READ_MIN);
            *self = Self {
                size,
                ..Self::new()
            };
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

fn new_buffer(size: usize) -> Vec<u8> {
    spares::take(size).unwrap_or_else(|| Vec::with_capacity(size))
}
