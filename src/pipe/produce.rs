//! The producing end of a pipe: every way in which messages get into it.

use std::task::{Context, Poll};

use super::state::State;
use super::sync::{Arc, Ordering};
use super::wake::{Due, Listener, Token, Wake};
use super::{CloseReason, Load, Pipe, PushError, perform};
use crate::message::Message;
use crate::wire::batch::{Batch, Encoded};

/// A chunk from a connection that is shorter than this is copied, so that a few queued bytes never
/// pin a read buffer.
const COPY_CHUNK: usize = 2 * 1024;

impl Pipe {
    /// Appends a message behind `envelope` (encoded frames that announce more), or leaves the pipe
    /// as it is. A producer that met a full pipe is told when half of it has drained.
    #[inline]
    pub(crate) fn push(&self, envelope: &[u8], message: &Message) -> Result<(), PushError> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.check_room()?;
        let put = |batch: &mut Batch| Load {
            messages: 1,
            bytes: batch.push(envelope, message, self.share_above),
        };
        if state.may_deliver() {
            state.append_untold(put, &mut due);
            state.delivering = true;
            drop(state);
            self.deliver();
            return Ok(());
        }
        state.append(put, &mut due);
        Ok(())
    }

    /// Appends messages as they stand, or leaves the pipe as it is. What this calls for is added to
    /// `due`. Returns whether there is still room.
    pub(crate) fn relay(
        self: &Arc<Self>,
        encoded: &Encoded<'_>,
        due: &mut Due,
    ) -> Result<bool, PushError> {
        let mut state = self.state.lock();
        state.check_room()?;
        let deliver = state.may_deliver();
        let put = |batch: &mut Batch| {
            Load::growth_of(batch, |batch| {
                batch.append_encoded(encoded, self.share_above);
            })
        };
        state.append_untold(put, due);
        due.add(if deliver {
            state.delivering = true;
            Some(Wake::Connection(Arc::clone(self)))
        } else {
            state.tell_consumer()
        });
        Ok(!state.room().is_no_room())
    }

    /// The producing end belongs to `listener`, which hears when a full pipe has drained, and of its
    /// end.
    pub(crate) fn produce_for(&self, listener: Arc<dyn Listener>, token: Token) {
        self.state.lock().producer.listen(listener, token);
    }

    /// The producing end gathers messages beside the pipe, as a [`Feed`](super::feed::Feed) does: its
    /// `listener` is asked for them when the consumer finds the pipe empty.
    pub(crate) fn feed_from(&self, listener: Arc<dyn Listener>, token: Token) {
        let mut state = self.state.lock();
        state.producer.listen(listener, token);
        state.fed = true;
    }

    /// Nothing has been gathered: there is no need to ask.
    pub(crate) fn feed_no_more(&self) {
        self.state.lock().fed = false;
    }

    /// Takes what a feed has staged; returns the room that is left. Errors: the pipe is closed, and
    /// `staged` stays as it is; or it has no room left, and `staged` has been taken.
    pub(crate) fn accept(
        self: &Arc<Self>,
        staged: &mut Batch,
        due: &mut Due,
    ) -> Result<Load, PushError> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Err(PushError::Closed);
        }
        if !staged.is_empty() {
            let deliver = state.may_deliver();
            state.enqueue(staged, due);
            due.add(if deliver {
                state.delivering = true;
                Some(Wake::Connection(Arc::clone(self)))
            } else {
                self.tell(&mut state)
            });
        }
        state.check_room().map(|()| state.room())
    }

    /// Whether the consumer waits for something.
    #[inline]
    pub(crate) fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Acquire)
    }

    pub(super) const fn share_above(&self) -> usize {
        self.share_above
    }

    /// Has the feed, if there is one, hand over what it has staged.
    pub(crate) fn settle(&self) {
        let ask = {
            let state = self.state.lock();
            if state.fed {
                state.producer.ask()
            } else {
                None
            }
        };
        perform(ask);
    }

    /// Whether one more message would be accepted. A producer that met a full pipe is told when half
    /// of it has drained.
    pub(crate) fn check_room(&self) -> Result<(), PushError> {
        self.state.lock().check_room()
    }

    /// Appends copies of already encoded messages; their large bodies are shared. A full pipe
    /// counts them as dropped. What this calls for is added to `due`. Returns whether there is still room.
    pub(crate) fn push_encoded(&self, encoded: &Batch, due: &mut Due) -> Result<bool, PushError> {
        let mut state = self.state.lock();
        match state.check_room() {
            Ok(()) => {}
            Err(PushError::Full) => {
                due.add(state.overflow());
                return Err(PushError::Full);
            }
            Err(PushError::Closed) => {
                state.passed.dropped = state.passed.dropped.saturating_add(1);
                return Err(PushError::Closed);
            }
        }
        let put = |batch: &mut Batch| {
            batch.append(encoded);
            Load::of(encoded)
        };
        state.append_untold(put, due);
        due.add(self.tell(&mut state));
        Ok(!state.room().is_no_room())
    }

    /// Takes messages that other pipes are given, too, in memory that all of them share if it is to be
    /// shared. There was [room](Self::room) for them when they were accepted. Returns the room that is left.
    /// Errors: the pipe is closed, and has counted the loss; or it has no room left.
    pub(crate) fn push_shared(&self, batch: &Batch, due: &mut Due) -> Result<Load, PushError> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            let lost = batch.messages() as u64;
            state.passed.dropped = state.passed.dropped.saturating_add(lost);
            return Err(PushError::Closed);
        }
        match batch.share() {
            Some(batch) => {
                state.count(Load::of(&batch));
                state.queue.push_back(batch);
                state.conflate(due);
            }
            None => {
                let put = |open: &mut Batch| {
                    open.append(batch);
                    Load::of(batch)
                };
                state.append_untold(put, due);
            }
        }
        due.add(self.tell(&mut state));
        state.check_room().map(|()| state.room())
    }

    /// How much fits, for a producer that gathers messages. One that met a full pipe is told when half of
    /// it has drained.
    pub(crate) fn room(&self) -> Result<Load, PushError> {
        let mut state = self.state.lock();
        state.check_room().map(|()| state.room())
    }

    /// The consumer's wake-up, when it waits.
    fn tell(&self, state: &mut State) -> Option<Wake> {
        self.hungry.store(false, Ordering::Release);
        state.tell_consumer()
    }

    /// Puts messages in front of everything that is queued, regardless of any bound.
    #[cfg(feature = "inproc")]
    pub(crate) fn put_first(&self, batch: Batch) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.count(Load::of(&batch));
        state.queue.push_front(batch);
        state.conflate(&mut due);
        due.add(state.tell_consumer());
    }

    /// Lets `put` append commands regardless of any bound: control traffic is never held back by
    /// data. What this calls for is added to `due`.
    pub(crate) fn push_control(&self, put: impl FnOnce(&mut Batch), due: &mut Due) {
        let mut state = self.state.lock();
        if state.closed.is_none() {
            state.append(|batch| Load::growth_of(batch, put), due);
        }
    }

    /// Hands over a chunk that was read from a connection. The session has asked for the room
    /// before it decoded the chunk. Returns whether that has woken somebody on a thread of its own.
    pub(crate) fn push_chunk(&self, chunk: Batch) -> Result<bool, PushError> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Err(PushError::Closed);
        }
        let wakes_a_thread = state.consumer.is_awaited_apart();
        if chunk.bytes() < COPY_CHUNK {
            let put = |batch: &mut Batch| {
                batch.append(&chunk);
                Load::of(&chunk)
            };
            state.append(put, &mut due);
        } else {
            state.count(Load::of(&chunk));
            state.queue.push_back(chunk);
            state.conflate(&mut due);
            due.add(state.tell_consumer());
        }
        Ok(wakes_a_thread)
    }

    /// How much fits; pending while nothing does. An error when the pipe is closed.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<Load, CloseReason>> {
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Poll::Ready(Err(reason.clone()));
        }
        let room = state.room();
        if room.is_no_room() {
            state.producer.wait_as(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(room))
    }

    /// The producer is this task, which will hear of the pipe's end even while it does not wait.
    pub(crate) fn produce_as(&self, cx: &Context<'_>) {
        self.state.lock().producer.become_task(cx.waker());
    }

    /// Promises a place to a sender, who gives it back when it has been filled.
    pub(super) fn reserve(&self) {
        self.state.lock().reserved += 1;
    }

    /// Gives a promised place back.
    pub(crate) fn unreserve(&self) {
        let mut state = self.state.lock();
        state.reserved = state.reserved.saturating_sub(1);
        let wake = state.drained();
        drop(state);
        perform(wake);
    }
}
