//! [`ReadBuffer`]: the buffer that a connection reads into, which follows the traffic in size.
//!
//! It starts small, since most connections of most programs are quiet, and grows when reads fill
//! it. Pieces of it are handed to the receiving pipe without a copy and stay alive there, so the
//! buffer is reused where it has become free again and replaced where it has not.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The size of a read when nothing is known: a greeting and a handshake fit many times.
pub(super) const READ_MIN: usize = 4 * 1024;

/// The largest read: beyond 64 KiB a plain reader of loopback TCP got slower again, since the
/// buffer falls out of the cache nearest to the core.
pub(super) const READ_MAX: usize = 64 * 1024;

/// Reads that fill what was asked for make the next ones so many times larger.
const GROWTH: usize = 4;

#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: BytesMut,
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
    pub(super) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            size: READ_MIN,
            pending: Pending::default(),
        }
    }

    /// Where to read next. Takes at least one byte.
    pub(super) fn read_target(&mut self) -> Limit<&mut BytesMut> {
        let used = self.bytes.len();
        if used >= self.size {
            // A frame takes all of it. Nobody reads on when [`READ_MAX`] is reached, except a
            // session that does not stop for lack of room; it must not wait on a read of nothing.
            let grown = self.size.saturating_mul(GROWTH).min(READ_MAX);
            self.size = grown.max(used.saturating_add(READ_MIN));
        }
        let wanted = self.size.saturating_sub(used);
        // A new buffer for every few bytes would waste it; half a read is still a good read.
        if self.spare() < wanted.div_ceil(2) && !self.bytes.try_reclaim(wanted) {
            let mut fresh = BytesMut::with_capacity(self.size);
            fresh.extend_from_slice(&self.bytes);
            self.bytes = fresh;
        }
        let limit = wanted.min(self.spare());
        self.pending.ask(used, limit);
        (&mut self.bytes).limit(limit)
    }

    fn spare(&self) -> usize {
        self.bytes.capacity().saturating_sub(self.bytes.len())
    }

    /// Whether anything was read; adapts the size of the next read.
    pub(super) fn take_arrived(&mut self) -> bool {
        let (came, filled) = self.pending.take(self.bytes.len());
        if filled {
            self.size = self.size.saturating_mul(GROWTH).min(READ_MAX);
        }
        came > 0
    }

    pub(super) fn shrink_reads(&mut self) {
        self.size = READ_MIN;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the first `count` bytes, or all there are.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.advance(count.min(self.bytes.len()));
    }

    /// Takes the first `count` bytes, or all there are, without a copy.
    pub(super) fn split_to(&mut self, count: usize) -> Bytes {
        self.bytes.split_to(count.min(self.bytes.len())).freeze()
    }

    /// Frees the memory if it holds nothing, and starts small again.
    pub(super) fn release_if_empty(&mut self) {
        if self.bytes.is_empty() {
            *self = Self::new();
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
