//! A pipe: the bounded, closable queue of encoded messages between one peer and one socket.
//!
//! One end produces (a socket's pattern, or a session that reads from a connection), the other
//! consumes (a session that writes, or a socket's pattern); within a process two sockets hold the
//! two ends and nothing lies between. Messages travel as [`Batch`]es and are handed over by moving
//! whole batches out under a short lock.
//!
//! Bounds count messages and encoded bytes. What the consumer has taken counts until it is
//! released, so a high-water mark is a promise about memory and not about a place. A pipe is full
//! as soon as either bound is reached; one message larger than the byte bound still passes when
//! the pipe is empty.
//!
//! Wake-ups cost more than work: the consumer is only woken when the pipe was empty, the producer
//! only when half of what it may hold has drained.
//!
//! Lock order: a pattern's lock, then one pipe's lock. A pipe calls nobody while it is locked.

pub(crate) mod sync;
pub(crate) mod wake;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use crate::fault::PeerFault;
use crate::message::Message;
use crate::options::Capacity;
use crate::wire::batch::Batch;
use sync::{Arc, Mutex};
use wake::{End, Listener, Signal, Token};

/// Encoded bytes after which a batch takes no further message.
///
/// One write of 64 KiB costs the least per byte on loopback: 16 KiB and 256 KiB both move half as
/// many messages per second.
const BATCH_BYTES: usize = 64 * 1024;

/// A chunk from a connection that is shorter than this is copied, so that a few queued bytes never
/// pin a read buffer.
const COPY_CHUNK: usize = 2 * 1024;

/// An amount of messages and of their encoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Why a pipe takes no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// Nothing more will be sent: what is queued is still to be delivered.
    Done,
    /// The end has come: what is queued is not delivered any more.
    Now,
    /// The connection has ended.
    Lost,
    /// The socket gives up this connection, and wants a new one at once where it dials.
    Reset,
    /// The pattern found that the peer broke its rules.
    Fault(PeerFault),
}

impl CloseReason {
    /// Whether what is queued is still to be taken.
    const fn delivers(&self) -> bool {
        matches!(self, Self::Done | Self::Lost)
    }
}

/// Why a message was not accepted.
#[derive(Debug)]
pub(crate) enum PushError {
    Full,
    Closed,
}

/// What a consumer finds.
#[derive(Debug)]
pub(crate) enum Take {
    Batch(Batch),
    Empty,
    Closed(CloseReason),
}

/// What has passed through a pipe since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Pipe {
    state: Mutex<State>,
    /// Bodies longer than this are shared with the sender instead of being copied.
    share_above: usize,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Batch>,
    /// A buffer to grow the next batch in.
    spare: Option<Vec<u8>>,
    /// Queued, or taken and not released yet.
    used: Load,
    /// Places promised to senders that have not filled them yet.
    reserved: usize,
    capacity: Capacity,
    closed: Option<CloseReason>,
    producer: End,
    consumer: End,
    passed: Passed,
}

impl Pipe {
    pub(crate) fn new(capacity: Capacity, share_above: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                spare: None,
                used: Load::default(),
                reserved: 0,
                capacity,
                closed: None,
                producer: End::default(),
                consumer: End::default(),
                passed: Passed::default(),
            }),
            share_above,
        })
    }

    // ---- producer -------------------------------------------------------------------------

    /// The producing end belongs to `listener`, which hears of room after it has met a full pipe.
    pub(crate) fn produce_for(&self, listener: Arc<dyn Listener>, token: Token) {
        self.state.lock().producer.listen(listener, token);
    }

    /// Appends a message behind `envelope` (encoded frames that announce more), or leaves the pipe
    /// as it is. A producer that met a full pipe is told when half of it has drained.
    #[inline]
    pub(crate) fn push(&self, envelope: &[u8], message: &Message) -> Result<(), PushError> {
        let mut state = self.state.lock();
        state.check_room()?;
        let wake = state.append(|batch| batch.push(envelope, message, self.share_above));
        drop(state);
        perform(wake);
        Ok(())
    }

    /// Appends copies of already encoded messages; their large bodies are shared. A full pipe
    /// counts them as dropped.
    pub(crate) fn push_encoded(&self, encoded: &Batch) -> Result<(), PushError> {
        let mut state = self.state.lock();
        if let Err(error) = state.check_room() {
            state.passed.dropped = state.passed.dropped.saturating_add(1);
            return Err(error);
        }
        let wake = state.append(|batch| batch.append(encoded));
        drop(state);
        perform(wake);
        Ok(())
    }

    /// Lets `put` append commands regardless of any bound: control traffic is never held back by
    /// data.
    pub(crate) fn push_control(&self, put: impl FnOnce(&mut Batch)) {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return;
        }
        let wake = state.append(put);
        drop(state);
        perform(wake);
    }

    /// Hands over a chunk that was read from a connection. The session has asked for the room
    /// before it decoded the chunk.
    pub(crate) fn push_chunk(&self, chunk: Batch) -> Result<(), PushError> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Err(PushError::Closed);
        }
        let wake = if chunk.bytes() < COPY_CHUNK {
            state.append(|batch| batch.append(&chunk))
        } else {
            state.count(Load {
                messages: chunk.messages(),
                bytes: chunk.bytes(),
            });
            state.queue.push_back(chunk);
            state.consumer.changed(Signal::Readable)
        };
        drop(state);
        perform(wake);
        Ok(())
    }

    /// How much fits; pending while nothing does. An error when the pipe is closed.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<Load, CloseReason>> {
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Poll::Ready(Err(reason.clone()));
        }
        let room = state.room();
        if room.messages == 0 || room.bytes == 0 {
            state.producer.wait_as(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(room))
    }

    /// The producer is this task, which will hear of the pipe's end even while it does not wait.
    pub(crate) fn produce_as(&self, cx: &Context<'_>) {
        self.state.lock().producer.become_task(cx.waker());
    }

    /// Promises a place to a sender, to be used by [`push_reserved`](Self::push_reserved) or given
    /// back by [`unreserve`](Self::unreserve).
    pub(crate) fn reserve(&self) -> Result<(), PushError> {
        let mut state = self.state.lock();
        state.check_room()?;
        state.reserved += 1;
        Ok(())
    }

    /// Fills a promised place. Fails only when the pipe has been closed meanwhile.
    pub(crate) fn push_reserved(
        &self,
        envelope: &[u8],
        message: &Message,
    ) -> Result<(), PushError> {
        let mut state = self.state.lock();
        state.reserved = state.reserved.saturating_sub(1);
        if state.closed.is_some() {
            return Err(PushError::Closed);
        }
        let wake = state.append(|batch| batch.push(envelope, message, self.share_above));
        drop(state);
        perform(wake);
        Ok(())
    }

    /// Gives a promised place back.
    pub(crate) fn unreserve(&self) {
        let mut state = self.state.lock();
        state.reserved = state.reserved.saturating_sub(1);
        let wake = state.drained();
        drop(state);
        perform(wake);
    }

    // ---- consumer -------------------------------------------------------------------------

    /// The consuming end belongs to `listener`, which hears of what is there already.
    pub(crate) fn consume_for(&self, listener: Arc<dyn Listener>, token: Token) {
        let mut state = self.state.lock();
        state.consumer.listen(listener, token);
        state.consumer.wait();
        let ready = !state.queue.is_empty() || state.closed.is_some();
        let wake = if ready {
            state.consumer.changed(Signal::Readable)
        } else {
            None
        };
        drop(state);
        perform(wake);
    }

    /// The consumer is gone; what it has not taken stays for the next one.
    pub(crate) fn leave(&self) {
        self.state.lock().consumer.leave();
    }

    /// The consumer is this task, which will hear of the pipe's end even while it does not wait.
    pub(crate) fn consume_as(&self, cx: &Context<'_>) {
        self.state.lock().consumer.become_task(cx.waker());
    }

    /// The reason for which the consumer is to stop at once, whatever it is doing.
    pub(crate) fn cut(&self) -> Option<CloseReason> {
        let state = self.state.lock();
        state.closed.clone().filter(|reason| !reason.delivers())
    }

    /// Takes the oldest batch. What was taken goes on counting until it is
    /// [released](Self::release). A consumer that finds nothing is told of the next message.
    pub(crate) fn take(&self) -> Take {
        let mut state = self.state.lock();
        let take = state.take();
        if matches!(take, Take::Empty) {
            state.consumer.wait();
        }
        take
    }

    /// As [`take`](Self::take) for a consumer that is a task and needs no more accounting: what it
    /// takes is released at once.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Take> {
        let mut state = self.state.lock();
        match state.take() {
            Take::Empty => {
                state.consumer.wait_as(cx.waker());
                Poll::Pending
            }
            Take::Batch(batch) => {
                let wake = state.release(Load {
                    messages: batch.messages(),
                    bytes: batch.bytes(),
                });
                drop(state);
                perform(wake);
                Poll::Ready(Take::Batch(batch))
            }
            closed => Poll::Ready(closed),
        }
    }

    /// Part of what was taken is used up.
    pub(crate) fn release(&self, load: Load) {
        let mut state = self.state.lock();
        let wake = state.release(load);
        drop(state);
        perform(wake);
    }

    /// Puts back, in front, what was taken and could not be delivered.
    pub(crate) fn put_back(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.used.messages += batch.messages();
        state.used.bytes += batch.bytes();
        state.queue.push_front(batch);
        let wake = state.consumer.changed(Signal::Readable);
        drop(state);
        perform(wake);
    }

    /// Offers an emptied buffer for the next batch.
    pub(crate) fn recycle(&self, buffer: Vec<u8>) {
        self.state.lock().spare = Some(buffer);
    }

    /// Frees what an idle pipe does not need.
    pub(crate) fn release_idle_buffer(&self) {
        let mut state = self.state.lock();
        state.spare = None;
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
    }

    // ---- both -----------------------------------------------------------------------------

    /// Ends the pipe; the first reason stands, except that [`CloseReason::Now`] cuts a
    /// [`CloseReason::Done`] short. Wakes both ends.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        match (&state.closed, &reason) {
            (None, _) | (Some(CloseReason::Done), CloseReason::Now) => state.closed = Some(reason),
            _ => return,
        }
        let consumer = state.consumer.closed(Signal::Readable);
        let producer = state.producer.closed(Signal::Writable);
        drop(state);
        perform(consumer);
        perform(producer);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }

    /// Empties the pipe: what its consumer will not deliver.
    pub(crate) fn drain(&self) -> Vec<Batch> {
        let mut state = self.state.lock();
        let batches: Vec<Batch> = state.queue.drain(..).collect();
        let load = batches.iter().fold(Load::default(), |sum, batch| Load {
            messages: sum.messages + batch.messages(),
            bytes: sum.bytes + batch.bytes(),
        });
        let wake = state.release(load);
        drop(state);
        perform(wake);
        batches
    }

    /// Changes the bounds; a pipe that holds more than they allow stays full until it has drained.
    pub(crate) fn set_capacity(&self, capacity: Capacity) {
        let mut state = self.state.lock();
        state.capacity = capacity;
        let wake = state.drained();
        drop(state);
        perform(wake);
    }

    /// What is queued, or taken and not released.
    pub(crate) fn load(&self) -> Load {
        self.state.lock().used
    }

    /// What has passed so far.
    pub(crate) fn passed(&self) -> Passed {
        self.state.lock().passed
    }

    /// Counts messages that were meant for this pipe and went nowhere.
    pub(crate) fn count_dropped(&self, messages: u64) {
        let mut state = self.state.lock();
        state.passed.dropped = state.passed.dropped.saturating_add(messages);
    }
}

fn perform(wake: Option<wake::Wake>) {
    if let Some(wake) = wake {
        wake.perform();
    }
}

impl State {
    #[inline]
    fn check_room(&mut self) -> Result<(), PushError> {
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

    const fn room(&self) -> Load {
        let taken = self.used.messages.saturating_add(self.reserved);
        Load {
            messages: self.capacity.messages.saturating_sub(taken),
            bytes: self.capacity.bytes.saturating_sub(self.used.bytes),
        }
    }

    /// Lets `put` append to the batch that is open.
    #[inline]
    fn append(&mut self, put: impl FnOnce(&mut Batch)) -> Option<wake::Wake> {
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
    const fn count(&mut self, added: Load) {
        self.used.messages += added.messages;
        self.used.bytes += added.bytes;
        self.passed.messages += added.messages as u64;
        self.passed.bytes += added.bytes as u64;
    }

    fn take(&mut self) -> Take {
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

    fn release(&mut self, load: Load) -> Option<wake::Wake> {
        self.used.messages = self.used.messages.saturating_sub(load.messages);
        self.used.bytes = self.used.bytes.saturating_sub(load.bytes);
        self.drained()
    }

    /// The producer's wake-up, when it waits and half of the capacity is free again.
    fn drained(&mut self) -> Option<wake::Wake> {
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
