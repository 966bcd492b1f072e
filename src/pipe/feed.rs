//! [`Feed`]: the producing end of a pipe for a pattern that has a lock of its own.
//!
//! A pattern holds its lock for every message anyway. A feed lives under it and gathers messages
//! in a batch beside the pipe, so that the pipe's own lock is only taken when the consumer wants
//! something: at once when it is at rest, else when it comes back for more and asks. What the pipe
//! has room for is known in advance, as credit.
//!
//! Lock order: the pattern's lock, then the pipe's. A consumer asks with the pipe unlocked.

use super::state::buffer_like;
use super::sync::Arc;
use super::wake::{Due, Listener, Token};
use super::{Load, Pipe, PushError};
use crate::message::Message;
use crate::wire::batch::{Batch, Encoded};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Feed {
    pipe: Arc<Pipe>,
    /// Accepted and not handed to the pipe yet.
    staged: Batch,
    /// What the pipe still has room for, less what is staged.
    credit: Load,
    /// How much of its buffer the batch filled that was handed over last. The next one gets its buffer with its first
    /// message: none is held between two bursts.
    last: usize,
}

impl Feed {
    /// The producing end belongs to `listener` from now on.
    pub(crate) fn new(pipe: Arc<Pipe>, listener: Arc<dyn Listener>, token: Token) -> Self {
        pipe.feed_from(listener, token);
        Self {
            pipe,
            staged: Batch::default(),
            credit: Load::default(),
            last: 0,
        }
    }

    pub(crate) const fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Accepts a message behind `envelope` and leaves nothing of use in its place, or leaves everything
    /// as it is. A producer that met a
    /// full pipe is told when half of it has drained.
    #[inline]
    pub(crate) fn push(
        &mut self,
        envelope: &[u8],
        message: &mut Message,
        due: &mut Due,
    ) -> Result<(), PushError> {
        if self.credit.is_no_room() {
            self.credit = self.accept(due)?;
        }
        // Before the pipe may say anew what it has room for.
        self.credit.messages -= 1;
        self.stage(envelope, message, due);
        Ok(())
    }

    /// What may be [relayed](Self::relay) now, up to the end of the batch that is staged. Errors as
    /// [`push`](Self::push).
    pub(crate) fn room(&mut self, due: &mut Due) -> Result<Load, PushError> {
        if self.credit.is_no_room() {
            self.credit = self.accept(due)?;
        }
        let left = super::BATCH_BYTES.saturating_sub(self.staged.bytes());
        Ok(Load {
            messages: self.credit.messages,
            bytes: self.credit.bytes.min(left),
        })
    }

    /// Accepts messages as they stand, for which there is [room](Self::room).
    pub(crate) fn relay(&mut self, encoded: &Encoded<'_>, due: &mut Due) {
        self.credit.messages = self.credit.messages.saturating_sub(encoded.messages());
        let share_above = self.pipe.share_above();
        if self.last > 0 {
            self.begin();
        }
        let added = self.staged.append_encoded(encoded, share_above);
        self.has_staged(added, due);
    }

    /// Something has become of the pipe: it is asked before it is given more.
    pub(crate) fn distrust(&mut self) {
        self.credit = Load::default();
    }

    /// Fills a place that was reserved with [`reserve`](Self::reserve). The place itself is to be
    /// given back to the pipe once the pattern is unlocked: that may call for a signal to it.
    pub(crate) fn push_reserved(&mut self, envelope: &[u8], message: &mut Message, due: &mut Due) {
        self.stage(envelope, message, due);
        self.hand_over(due);
    }

    /// Has the pipe keep a place free.
    pub(crate) fn reserve(&mut self, due: &mut Due) -> Result<(), PushError> {
        self.credit = self.accept(due)?;
        self.pipe.reserve();
        self.credit.messages -= 1;
        Ok(())
    }

    fn accept(&mut self, due: &mut Due) -> Result<Load, PushError> {
        let (staged, filled) = (self.staged.messages(), self.staged.filled());
        let accepted = self.pipe.accept(&mut self.staged, due);
        if self.staged.is_empty() && staged > 0 {
            self.last = filled;
        }
        accepted
    }

    /// Gets a buffer for a batch that is likely as long as the last one.
    #[cold]
    fn begin(&mut self) {
        if let Some(buffer) = buffer_like(std::mem::take(&mut self.last)) {
            self.staged = Batch::in_buffer(buffer);
        }
    }

    #[inline]
    fn stage(&mut self, envelope: &[u8], message: &mut Message, due: &mut Due) {
        if self.last > 0 {
            self.begin();
        }
        let added = self
            .staged
            .push_all_of(envelope, message, self.pipe.share_above());
        self.has_staged(added, due);
    }

    /// More bytes are staged: they go on if the consumer waits, or a batch is full.
    #[inline]
    fn has_staged(&mut self, added: usize, due: &mut Due) {
        self.credit.bytes = self.credit.bytes.saturating_sub(added);
        if self.pipe.is_hungry() || !self.staged.is_open(super::BATCH_BYTES) {
            self.hand_over(due);
        }
    }

    /// Gives the pipe what is staged: the consumer asked for it.
    pub(crate) fn hand_over(&mut self, due: &mut Due) {
        if self.staged.is_empty() {
            return;
        }
        // A pipe that is full takes it all the same, since there was room when it was staged. One
        // that is closed leaves it here, for `into_staged`.
        match self.accept(due) {
            Ok(credit) => self.credit = credit,
            Err(_) => self.distrust(),
        }
    }

    /// Messages that count against the pipe, or will.
    pub(crate) fn queued(&self) -> usize {
        self.pipe
            .load()
            .messages
            .saturating_add(self.staged.messages())
    }

    /// Takes out what the consumer has not taken and is not `wanted`: see [`Pipe::retain`].
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&[u8]) -> bool, due: &mut Due) {
        // What is staged is counted by the pipe.
        self.hand_over(due);
        self.pipe.retain(&mut wanted, due);
        // A closed pipe has not taken it.
        if let Some(rest) = self.staged.sifted(wanted) {
            due.lose(std::mem::replace(&mut self.staged, rest));
        }
        self.distrust();
    }

    /// Takes back everything that the consumer has not taken.
    pub(crate) fn take_back(&mut self) -> Vec<Batch> {
        let mut batches = self.pipe.drain();
        if !self.staged.is_empty() {
            batches.push(std::mem::take(&mut self.staged));
        }
        self.distrust();
        batches
    }

    /// The messages that a closed pipe did not take.
    pub(crate) fn into_staged(self) -> Batch {
        self.staged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Capacity;
    use crate::pipe::Take;
    use crate::pipe::wake::Signal;

    struct Deaf;

    impl Listener for Deaf {
        fn signal(&self, _: Token, _: Signal) {}
    }

    #[test]
    fn the_last_place_is_the_last_one_for_a_consumer_that_waits_too() {
        let bytes = usize::MAX;
        let pipe = Pipe::new(Capacity { messages: 1, bytes }, 0);
        let mut feed = Feed::new(Arc::clone(&pipe), Arc::new(Deaf), 0);
        assert!(matches!(pipe.take(), Take::Empty));
        let mut message = Message::from("x");
        feed.push(&[], &mut message, &mut Due::default()).unwrap();
        assert!(matches!(
            feed.push(&[], &mut message, &mut Due::default()),
            Err(PushError::Full)
        ));
        assert_eq!(pipe.load().messages, 1);
    }

    #[test]
    fn no_buffer_is_held_between_two_bursts() {
        let (messages, bytes) = (1000, usize::MAX);
        let pipe = Pipe::new(Capacity { messages, bytes }, usize::MAX);
        let mut feed = Feed::new(Arc::clone(&pipe), Arc::new(Deaf), 0);
        let mut message = Message::from(vec![7; 1000]);
        for _ in 0..200 {
            feed.push(&[], &mut message, &mut Due::default()).unwrap();
        }
        feed.hand_over(&mut Due::default());
        assert_eq!(pipe.load().messages, 200);
        assert_eq!(
            feed.into_staged().into_buffer().map(|b| b.capacity()),
            Some(0)
        );
    }
}
