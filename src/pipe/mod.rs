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

pub(crate) mod alarm;
mod conflate;
pub(crate) mod feed;
#[cfg(all(test, pipe_loom))]
pub(crate) mod loom;
mod produce;
pub(crate) mod shortcut;
mod sift;
mod state;
pub(crate) mod sync;
mod terms;
#[cfg(all(test, not(pipe_loom)))]
mod tests;
pub(crate) mod wake;

pub(crate) use state::{BATCH_BYTES, buffer_like};
pub(crate) use terms::{CloseReason, Load, Passed, PushError, Take, Tenure};

use std::task::{Context, Poll};

use crate::options::Capacity;
use crate::wire::batch::Batch;
use crate::wire::transmit::Transmit;
use shortcut::Shortcut;
use state::State;
use sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering};
use wake::{Due, Listener, Signal, Token};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Pipe {
    state: Mutex<State>,
    /// Bodies longer than this are shared with the sender instead of being copied.
    share_above: usize,
    /// Whether the consumer waits: spares a feed the lock. Changes only under the lock.
    hungry: AtomicBool,
}

impl Pipe {
    pub(crate) fn new(capacity: Capacity, share_above: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(capacity)),
            share_above,
            hungry: AtomicBool::new(false),
        })
    }

    // ---- consumer -------------------------------------------------------------------------

    /// The consuming end belongs to `listener`, which hears of what is there already, until its
    /// tenure [ends](Self::leave).
    pub(crate) fn consume_for(&self, listener: Arc<dyn Listener>, token: Token) -> Tenure {
        let mut state = self.state.lock();
        state.consumer.listen(listener, token);
        state.consumer.wait();
        let ready = !state.queue.is_empty() || state.closed.is_some() || state.fed;
        let wake = if ready {
            state.consumer.changed(Signal::Readable)
        } else {
            // A feed that comes later must know that somebody waits already.
            self.hungry.store(true, Ordering::Release);
            None
        };
        let tenure = state.tenure;
        drop(state);
        perform(wake);
        tenure
    }

    /// The consumer's tenure is over: what it has not taken stays for the next one, and what it
    /// has taken counts no more. It is told, and finds the pipe closed.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        let wakes = state.end_tenure();
        self.hungry.store(false, Ordering::Release);
        drop(state);
        wakes.into_iter().for_each(perform);
    }

    /// Whether there is a consumer.
    #[cfg(feature = "inproc")]
    pub(crate) fn is_consumed(&self) -> bool {
        self.state.lock().consumer.is_held()
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
        self.take_from(self.lock_asked(State::is_empty))
    }

    /// As [`take`](Self::take), for a consumer whose tenure may have ended and that gives back what it
    /// took before.
    pub(crate) fn take_in(&self, tenure: Tenure, used_up: Batch) -> Take {
        let mut state = self.lock_asked(State::is_empty);
        if state.tenure != tenure {
            return Take::Closed(CloseReason::Lost);
        }
        state.recycle(used_up);
        self.take_from(state)
    }

    fn take_from(&self, mut state: MutexGuard<'_, State>) -> Take {
        let take = state.take();
        let empty = matches!(take, Take::Empty);
        self.hungry.store(empty, Ordering::Release);
        if empty {
            state.consumer.wait();
        }
        take
    }

    /// As [`take`](Self::take) for a consumer that is a task and needs no more accounting: what it
    /// takes is released at once.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Take> {
        let mut state = self.lock_asked(State::is_light);
        state.claimed = false;
        let take = if state.delivering {
            Take::Empty
        } else {
            state.take_to_write()
        };
        let empty = matches!(take, Take::Empty);
        self.hungry.store(empty, Ordering::Release);
        if empty {
            state.consumer.wait_as(cx.waker());
            return Poll::Pending;
        }
        state.consumer.act();
        let released = match &take {
            Take::Batch(batch) => state.release(Load::of(batch)),
            _ => None,
        };
        drop(state);
        perform(released);
        Poll::Ready(take)
    }

    /// Whether a sender of this process gathers messages for it.
    pub(crate) fn is_fed(&self) -> bool {
        self.state.lock().fed
    }

    pub(crate) fn is_light(&self) -> bool {
        self.state.lock().is_light()
    }

    /// Locks, after the feed has handed over what it has if the pipe holds too little, and taken out what nobody
    /// wants any more if there is such.
    ///
    /// A feed looks at `hungry` under its pattern's lock, and answers under the same lock: what it
    /// had staged before it is asked comes with the answer, and what it stages afterwards it hands
    /// over by itself.
    fn lock_asked(&self, too_little: impl FnOnce(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.state.lock();
        if !state.fed || !(state.is_conflating() || state.unsifted || too_little(&state)) {
            return state;
        }
        self.hungry.store(true, Ordering::Release);
        let ask = state.producer.ask();
        drop(state);
        perform(ask);
        self.state.lock()
    }

    /// Makes sure that no sender writes to the connection until the consumer waits again, and hands
    /// over what one has begun to write.
    pub(crate) fn poll_claim(&self, cx: &mut Context<'_>) -> Poll<Option<Transmit>> {
        let mut state = self.state.lock();
        state.poll_claim(cx)
    }

    /// Lets senders write to a quiet connection themselves.
    pub(crate) fn open_shortcut(&self, shortcut: Arc<dyn Shortcut>) {
        self.state.lock().shortcut = Some(shortcut);
    }

    /// Ends that, once no sender is at it, and hands over what one has begun to write.
    pub(crate) fn poll_close_shortcut(&self, cx: &mut Context<'_>) -> Poll<Option<Transmit>> {
        let mut state = self.state.lock();
        let begun = std::task::ready!(state.poll_claim(cx));
        state.shortcut = None;
        Poll::Ready(begun)
    }

    /// As [`poll_close_shortcut`](Self::poll_close_shortcut), for a consumer that has been dropped: what a
    /// sender is just writing goes down with the connection.
    pub(crate) fn drop_shortcut(&self) -> Option<Transmit> {
        let mut state = self.state.lock();
        state.shortcut = None;
        state.begun.take()
    }

    /// Part of what was taken is used up.
    pub(crate) fn release(&self, load: Load) {
        release_from(self.state.lock(), load);
    }

    /// As [`release`](Self::release), for a consumer whose tenure may have ended: then nothing of
    /// what it took counts any more.
    pub(crate) fn release_in(&self, tenure: Tenure, load: Load) {
        let state = self.state.lock();
        if state.tenure == tenure {
            release_from(state, load);
        }
    }

    /// Puts back, in front, what was taken and could not be delivered.
    pub(crate) fn put_back(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.used.messages += batch.messages();
        state.used.bytes += batch.bytes();
        state.queue.push_front(batch);
        state.conflate(&mut due);
        due.add(state.tell_consumer());
    }

    /// Offers the buffer of a batch that has been used up for the next one.
    pub(crate) fn recycle(&self, mut batch: Batch) {
        // Unlocked: a body may be the user's own, and do anything when it is dropped.
        batch.release_large();
        self.state.lock().recycle(batch);
    }

    /// Frees what an idle pipe does not need.
    pub(crate) fn release_idle_buffer(&self) {
        self.state.lock().release_idle_buffer();
    }

    // ---- both -----------------------------------------------------------------------------

    /// Ends the pipe; the first reason stands, except that [`CloseReason::Now`] cuts a
    /// [`CloseReason::Done`] short. Wakes both ends.
    pub(crate) fn close(&self, reason: CloseReason) {
        if reason.delivers() {
            self.settle();
        }
        let mut state = self.state.lock();
        match (&state.closed, &reason) {
            (None, _) | (Some(CloseReason::Done), CloseReason::Now) => state.closed = Some(reason),
            _ => return,
        }
        let consumer = state.consumer.told(Signal::Readable);
        let producer = state.producer.told(Signal::Writable);
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
        let load = Load::of_all(&batches);
        release_from(state, load);
        batches
    }

    /// Changes the bounds; a pipe that holds more than they allow stays full until it has drained.
    /// The producer is told, since what it knew of the room is no longer true.
    pub(crate) fn set_capacity(&self, capacity: Capacity) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        if state.capacity == capacity {
            return;
        }
        state.capacity = capacity;
        state.conflate(&mut due);
        due.add(state.producer.told(Signal::Refitted));
    }

    /// What is queued for a consumer whose tenure may have ended: then nothing is.
    pub(crate) fn queued_in(&self, tenure: Tenure) -> Load {
        let state = self.state.lock();
        if state.tenure == tenure {
            Load::of_all(&state.queue)
        } else {
            Load::default()
        }
    }

    /// Messages that wait to be taken.
    pub(crate) fn queued_messages(&self) -> usize {
        Load::of_all(&self.state.lock().queue).messages
    }

    pub(crate) fn capacity(&self) -> Capacity {
        self.state.lock().capacity
    }

    /// What is queued, or taken and not released.
    pub(crate) fn load(&self) -> Load {
        self.state.lock().used
    }

    /// What has passed so far.
    pub(crate) fn passed(&self) -> Passed {
        self.settle();
        self.state.lock().passed
    }

    /// Counts messages that were meant for this pipe and went nowhere.
    pub(crate) fn count_dropped(&self, messages: u64) {
        let mut state = self.state.lock();
        state.passed.dropped = state.passed.dropped.saturating_add(messages);
    }

    /// Counts messages that came, through this pipe or against it, and are of no use.
    pub(crate) fn count_unusable(&self, messages: u64) {
        let mut state = self.state.lock();
        state.passed.unusable = state.passed.unusable.saturating_add(messages);
    }
}

fn release_from(mut state: MutexGuard<'_, State>, load: Load) {
    let wake = state.release(load);
    drop(state);
    perform(wake);
}

pub(crate) fn perform(wake: Option<wake::Wake>) {
    if let Some(wake) = wake {
        wake.perform();
    }
}
