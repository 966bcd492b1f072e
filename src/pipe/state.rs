//! What a pipe holds, and what each change of it calls for. Everything here runs under the pipe's
//! lock; wake-ups that are due are returned, to be performed without it.

use std::collections::VecDeque;

use super::wake::{End, Signal, Wake};
use super::{CloseReason, Load, Passed, PushError, Take, Tenure};
use crate::options::Capacity;
use crate::wire::batch::Batch;

/// Encoded bytes after which a batch takes no further message.
///
/// One write of 64 KiB costs the least per byte on loopback: 16 KiB and 256 KiB both move half as
/// many messages per second.
const BATCH_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: VecDeque<Batch>,
    /// A buffer to grow the next batch in.
    pub(super) spare: Option<Vec<u8>>,
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
        }
    }

    #[inline]
    pub(super) fn check_room(&mut self) -> Result<(), PushError> {
        if self.closed.is_some() {
            return Err(PushError::Closed);
        }
        let taken = self.used.messages.saturating_add(self.reserved);
        if taken >= self.capacity.messages || self.used.bytes >= self.capacity.bytes {
            self.producer.wait();
            return Err(PushError::Full);
        }
        Ok(())
    }

    pub(super) const fn room(&self) -> Load {
        let taken = self.used.messages.saturating_add(self.reserved);
        Load {
            messages: self.capacity.messages.saturating_sub(taken),
            bytes: self.capacity.bytes.saturating_sub(self.used.bytes),
        }
    }

    /// Lets `put` append to the batch that is open.
    #[inline]
    pub(super) fn append(&mut self, put: impl FnOnce(&mut Batch)) -> Option<Wake> {
        let open = self
            .queue
            .back()
            .is_some_and(|batch| batch.is_open(BATCH_BYTES));
        if !open {
            let buffer = self.spare.take().unwrap_or_default();
            self.queue.push_back(Batch::in_buffer(buffer));
        }
        let batch = self.queue.back_mut()?;
        let before = Load {
            messages: batch.messages(),
            bytes: batch.bytes(),
        };
        put(batch);
        let added = Load {
            messages: batch.messages() - before.messages,
            bytes: batch.bytes() - before.bytes,
        };
        self.count(added);
        self.consumer.changed(Signal::Readable)
    }

    #[inline]
    pub(super) const fn count(&mut self, added: Load) {
        self.used.messages += added.messages;
        self.used.bytes += added.bytes;
        self.passed.messages += added.messages as u64;
        self.passed.bytes += added.bytes as u64;
    }

    pub(super) fn take(&mut self) -> Take {
        if let Some(reason) = &self.closed {
            if self.queue.is_empty() || !reason.delivers() {
                return Take::Closed(reason.clone());
            }
        }
        match self.queue.pop_front() {
            Some(batch) => Take::Batch(batch),
            None => Take::Empty,
        }
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
