//! [`LargeFrame`]: a frame that does not fit the read buffer, read into a buffer of its own.
//!
//! The buffer grows with what has arrived, never with what was declared: it doubles, starting
//! between 64 and 128 KiB, so a peer that declares 256 MiB and sends ten bytes gets 128 KiB at most. Once
//! a quarter has arrived, a buffer for all of it is taken from the [spares], if there is one.

use bytes::{BufMut, Bytes};

use super::frame::Header;
use super::partials::Share;
use super::read_buffer::{Pending, READ_MAX, ReadTarget};
use crate::fault::ProtocolError;
use crate::spares;

#[derive(Debug)]
pub(super) struct LargeFrame {
    header: Header,
    length: usize,
    body: Vec<u8>,
    /// Bytes at the front of it that are not the frame's.
    skip: usize,
    pending: Pending,
}

impl LargeFrame {
    /// A frame whose header has been judged, so that its length fits the limits of the socket.
    pub(super) fn new(header: Header) -> Self {
        // A limit above what the machine can address is no limit, but such a frame never ends.
        let length = usize::try_from(header.body).unwrap_or(usize::MAX);
        Self {
            header,
            length,
            body: spares::take(start(length)).unwrap_or_else(|| Vec::with_capacity(start(length))),
            skip: 0,
            pending: Pending::default(),
        }
    }

    #[cfg(feature = "curve")]
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    pub(super) fn missing(&self) -> usize {
        self.length.saturating_sub(self.body.len())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// Takes bytes that the read buffer already holds.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.missing());
        self.body.extend_from_slice(bytes);
    }

    /// Counts it in a message that will have declared so much by its end, and has room for more.
    pub(super) fn prepare(
        &mut self,
        declared: usize,
        share: &mut Share,
    ) -> Result<(), ProtocolError> {
        let before = declared.saturating_sub(self.length);
        let used = self.body.len();
        if self.body.capacity() <= used && !self.is_complete() {
            share.hold(before.saturating_add(used).saturating_add(self.next(used)))?;
            self.grow(used);
        }
        share.hold(before.saturating_add(self.body.capacity().min(self.length)))
    }

    /// How much more it has room for next.
    fn next(&self, used: usize) -> usize {
        used.min(self.missing())
    }

    /// Where to read next: at most to the end of the frame.
    pub(super) fn read_target(&mut self) -> ReadTarget<'_> {
        let used = self.body.len();
        if self.body.capacity() <= used {
            self.grow(used);
        }
        let spare = self.body.capacity().saturating_sub(used);
        let limit = spare.min(self.missing());
        self.pending.ask(used, limit);
        (&mut self.body).limit(limit)
    }

    /// Makes room for at most three times what there is.
    fn grow(&mut self, used: usize) {
        let whole = if used >= self.length / 4 {
            spares::take(self.length)
        } else {
            None
        };
        match whole {
            Some(mut whole) => {
                whole.extend_from_slice(&self.body);
                spares::give(std::mem::replace(&mut self.body, whole));
            }
            None => self.body.reserve_exact(self.next(used)),
        }
    }

    /// Whether anything was read since the last [`read_target`](Self::read_target).
    pub(super) fn take_arrived(&mut self) -> bool {
        self.pending.take(self.body.len()).0 > 0
    }

    pub(super) fn into_parts(self) -> (Header, Bytes) {
        let skip = self.skip.min(self.body.len());
        (self.header, spares::share(self.body).slice(skip..))
    }

    /// The body of a frame that is complete.
    #[cfg(feature = "curve")]
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// A frame that is complete already, behind `skip` other bytes.
    #[cfg(feature = "curve")]
    pub(super) fn complete(header: Header, body: Vec<u8>, skip: usize) -> Self {
        Self {
            header,
            length: body.len(),
            body,
            skip,
            pending: Pending::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.body.capacity()
    }
}

/// How much room a frame gets in advance.
fn start(length: usize) -> usize {
    let mut start = length;
    // Halving until it is small enough makes the doublings end where the frame ends.
    while start >= READ_MAX.saturating_mul(2) {
        start = start.div_ceil(2);
    }
    start
}
