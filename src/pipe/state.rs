//! What a pipe's lock protects, and the steps that are taken under it.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::alarm::Alarm;
use super::shortcut::Shortcut;
use super::sync::Arc;
use super::wake::{Due, End, Signal, Wake};
use super::{CloseReason, Load, Passed, PushError, Take, Tenure};
use crate::options::Capacity;
use crate::spares;
use crate::wire::batch::Batch;
use crate::wire::transmit::Transmit;

/// Encoded bytes after which a batch takes no further message.
///
/// One write of 64 KiB costs the least per byte on loopback: 16 KiB and 256 KiB both move half as
/// many messages per second.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;

/// Encoded bytes that are worth a write of their own: below it, the fixed cost of a write is more
/// than what it costs to send the bytes.
const LIGHT: usize = 16 * 1024;

/// What a full batch takes: mostly a bit more than that, since its last message goes beyond it.
const BATCH_ROOM: usize = BATCH_BYTES + SCRAP;

/// Encoded bytes that are sooner copied than written by themselves.
const SCRAP: usize = 8 * 1024;

/// A buffer for a batch that likely fills as much as the one before, unless that was little. Large bodies lie
/// beside it.
pub(crate) fn buffer_like(before: usize) -> Option<Vec<u8>> {
    if before < SCRAP {
        return None;
    }
    let size = if before < BATCH_BYTES / 2 {
        before.next_power_of_two()
    } else {
        BATCH_ROOM
    };
    Some(spares::take(size).unwrap_or_else(|| Vec::with_capacity(size)))
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: VecDeque<Batch>,
    /// A small buffer to begin the next batch in; large ones are shared among [all pipes](crate::spares).
    spare: Option<Vec<u8>>,
    /// Queued, or taken and not released yet.
    pub(super) used: Load,
    /// Places promised to senders that have not filled them yet.
    pub(super) reserved: usize,
    pub(super) capacity: Capacity,
    pub(super) closed: Option<CloseReason>,
    pub(super) producer: End,
    pub(super) consumer: End,
    /// Whose time it is to consume.
    pub(super) tenure: Tenure,
    pub(super) passed: Passed,
    /// Who hears of what is dropped.
    pub(super) alarm: Option<Arc<dyn Alarm>>,
    pub(super) shortcut: Option<Arc<dyn Shortcut>>,
    /// A sender is using the shortcut: the consumer leaves the connection alone meanwhile.
    pub(super) delivering: bool,
    /// The consumer waits for the end of that, whatever it leaves.
    pub(super) claimed: bool,
    /// Whether the producer gathers messages of its own accord, and is asked for them.
    pub(super) fed: bool,
    /// Whether it wants to be asked before anything is taken: some of it is not wanted any more.
    pub(super) unsifted: bool,
    /// What a sender could not deliver whole; goes before everything in the queue.
    pub(super) begun: Option<Transmit>,
}

impl State {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            queue: VecDeque::new(),
            spare: None,
            used: Load::default(),
            reserved: 0,
            capacity,
            closed: None,
            producer: End::default(),
            consumer: End::default(),
            tenure: Tenure(0),
            passed: Passed::default(),
            alarm: None,
            shortcut: None,
            delivering: false,
            claimed: false,
            fed: false,
            unsifted: false,
            begun: None,
        }
    }

    #[inline]
    pub(super) fn check_room(&mut self) -> Result<(), PushError> {
        if self.closed.is_some() {
            return Err(PushError::Closed);
        }
        if self.room().is_no_room() {
            self.producer.wait();
            return Err(PushError::Full);
        }
        Ok(())
    }

    #[inline]
    pub(super) const fn room(&self) -> Load {
        if self.is_conflating() {
            return Load {
                messages: usize::MAX,
                bytes: usize::MAX,
            };
        }
        let taken = self.used.messages.saturating_add(self.reserved);
        Load {
            messages: self.capacity.messages.saturating_sub(taken),
            bytes: self.capacity.bytes.saturating_sub(self.used.bytes),
        }
    }

    /// Lets `put` append to the batch that is open and say how much that was, and tells the consumer.
    #[inline]
    pub(super) fn append(&mut self, put: impl FnOnce(&mut Batch) -> Load, due: &mut Due) {
        self.append_untold(put, due);
        due.add(self.tell_consumer());
    }

    #[inline]
    pub(super) fn append_untold(&mut self, put: impl FnOnce(&mut Batch) -> Load, due: &mut Due) {
        let open = self
            .queue
            .back()
            .is_some_and(|batch| batch.is_open(BATCH_BYTES));
        if !open {
            let buffer = self.buffer(self.queue.back().map_or(0, Batch::filled));
            self.queue.push_back(Batch::in_buffer(buffer));
        }
        let Some(batch) = self.queue.back_mut() else {
            return;
        };
        let added = put(batch);
        self.count(added);
        self.conflate(due);
    }

    /// Moves `staged` into the queue, and leaves an empty batch in its place, with a small buffer if there
    /// is one.
    pub(super) fn enqueue(&mut self, staged: &mut Batch, due: &mut Due) {
        let buffer = self.spare.take().unwrap_or_default();
        let batch = std::mem::replace(staged, Batch::in_buffer(buffer));
        self.count(Load::of(&batch));
        self.queue.push_back(batch);
        self.conflate(due);
    }

    /// A buffer for the next batch, which is likely as long as the one before.
    pub(super) fn buffer(&mut self, before: usize) -> Vec<u8> {
        match buffer_like(before) {
            Some(buffer) => buffer,
            None => self.spare.take().unwrap_or_default(),
        }
    }

    /// Keeps the buffer of a batch that has been used up.
    pub(super) fn recycle(&mut self, batch: Batch) {
        match batch.into_buffer() {
            Some(buffer) if buffer.capacity() < SCRAP => self.spare = Some(buffer),
            Some(buffer) => spares::give(buffer),
            None => {}
        }
    }

    /// Frees what an idle pipe does not need.
    pub(super) fn release_idle_buffer(&mut self) {
        self.spare = None;
        if self.queue.is_empty() {
            self.queue.shrink_to_fit();
        }
    }

    /// The consumer's wake-up, when it waits. While a sender delivers, it is told afterwards.
    #[inline]
    pub(super) fn tell_consumer(&mut self) -> Option<Wake> {
        if self.delivering {
            None
        } else {
            self.consumer.changed(Signal::Readable)
        }
    }

    #[inline]
    pub(super) const fn count(&mut self, added: Load) {
        self.used.messages += added.messages;
        self.used.bytes += added.bytes;
        self.passed.messages += added.messages as u64;
        self.passed.bytes += added.bytes as u64;
    }

    /// Whether the next message may go to the connection at once: the consumer is at rest, nothing
    /// is queued before it, and the connection has been quiet.
    #[inline]
    pub(super) fn may_deliver(&self) -> bool {
        self.consumer.is_waiting()
            && !self.delivering
            && self.queue.is_empty()
            && self.begun.is_none()
            && self
                .shortcut
                .as_ref()
                .is_some_and(|shortcut| shortcut.is_quiet())
    }

    /// Keeps senders off the connection; pending while one is at it.
    pub(super) fn poll_claim(&mut self, cx: &Context<'_>) -> Poll<Option<Transmit>> {
        if self.delivering {
            self.claimed = true;
            self.consumer.wait_as(cx.waker());
            return Poll::Pending;
        }
        self.consumer.act();
        Poll::Ready(self.begun.take())
    }

    /// Whether so little is queued that a connection had better ask for more before it writes.
    pub(super) fn is_light(&self) -> bool {
        self.begun.is_none()
            && self.queue.len() <= 1
            && self.queue.front().is_none_or(|batch| batch.bytes() < LIGHT)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.begun.is_none()
    }

    pub(super) fn take(&mut self) -> Take {
        if let Some(reason) = &self.closed {
            if self.is_empty() || !reason.delivers() {
                return Take::Closed(reason.clone());
            }
        }
        if let Some(begun) = self.begun.take() {
            return Take::Begun(begun);
        }
        self.queue.pop_front().map_or(Take::Empty, Take::Batch)
    }

    /// As [`take`](Self::take), for a connection: what is left after the oldest batch goes along if it is
    /// too little for a write of its own.
    pub(super) fn take_to_write(&mut self) -> Take {
        let mut take = self.take();
        if let Take::Batch(batch) = &mut take {
            let is_scrap = self.queue.len() == 1
                && self.queue.front().is_some_and(|rest| rest.bytes() < SCRAP);
            if is_scrap && batch.is_open(usize::MAX) {
                if let Some(rest) = self.queue.pop_front() {
                    batch.append(&rest);
                }
            }
        }
        take
    }

    /// The consumer is gone, and what it took counts no more. Returns what it, and the producer,
    /// are to be told.
    pub(super) fn end_tenure(&mut self) -> [Option<Wake>; 2] {
        let consumer = self.consumer.told(Signal::Readable);
        self.consumer.leave();
        self.tenure.0 = self.tenure.0.wrapping_add(1);
        self.used = Load::of_all(&self.queue);
        [consumer, self.drained()]
    }

    pub(super) fn release(&mut self, load: Load) -> Option<Wake> {
        self.used.messages = self.used.messages.saturating_sub(load.messages);
        self.used.bytes = self.used.bytes.saturating_sub(load.bytes);
        self.drained()
    }

    /// The producer's wake-up, when it waits and half of the capacity is free again.
    pub(super) fn drained(&mut self) -> Option<Wake> {
        if !self.producer.is_waiting() {
            return None;
        }
        let taken = self.used.messages.saturating_add(self.reserved);
        let low = taken <= self.capacity.messages / 2 && self.used.bytes <= self.capacity.bytes / 2;
        if low {
            self.producer.changed(Signal::Writable)
        } else {
            None
        }
    }
}
