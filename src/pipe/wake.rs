//! Who is told when a pipe changes, and who waits in line at a socket.
//!
//! Everything here is plain data that lives under its owner's lock. A method that finds somebody
//! to wake hands the wake-up back, so that the owner can drop its lock before it is performed.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

use bytes::Bytes;

use super::Pipe;
use super::alarm::Alarm;
use super::sync::Arc;
use crate::message::Message;
use crate::wire::batch::Batch;

/// Names a pipe to the pattern that listens to it.
pub(crate) type Token = usize;

/// What a listener is told about one of its pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// There is something to take, or the pipe has been closed.
    Readable,
    /// There is room again, or the pipe has been closed.
    Writable,
    /// The pipe has got other bounds.
    Refitted,
    /// The consumer has found the pipe empty and asks for what is staged.
    Wanted,
}

/// A pattern that holds ends of many pipes and wants to know when one of them changes.
///
/// Called with no pipe locked, from whichever task made the change; must not block.
pub(crate) trait Listener: Send + Sync {
    fn signal(&self, token: Token, signal: Signal);

    /// Whether the next signal wakes somebody who waits on a thread of its own, as the main task does.
    fn is_awaited_apart(&self) -> bool {
        false
    }
}

/// One end of a pipe, as the other end sees it: whether it waits, and how to reach it.
#[derive(Debug, Default)]
pub(super) struct End {
    waiting: bool,
    notify: Notify,
}

#[derive(Default)]
enum Notify {
    #[default]
    Nobody,
    Task(Waker),
    Listener(Arc<dyn Listener>, Token),
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Task(_) => "Task",
            Self::Listener(..) => "Listener",
        })
    }
}

/// A wake-up that is due, to be performed once the pipe is unlocked.
#[must_use = "somebody waits for this wake-up"]
pub(crate) enum Wake {
    Task(Waker),
    Listener(Arc<dyn Listener>, Token, Signal),
    /// A connection at rest, which the sender writes to instead of waking its session.
    Connection(Arc<Pipe>),
    /// So many messages have been dropped.
    Alarm(Arc<dyn Alarm>, u64),
}

impl Wake {
    pub(super) fn perform(self) {
        match self {
            Self::Task(waker) => waker.wake(),
            Self::Listener(listener, token, signal) => listener.signal(token, signal),
            Self::Connection(pipe) => pipe.deliver(),
            Self::Alarm(alarm, messages) => alarm.raise(messages),
        }
    }
}

/// What is due once the holder of a pattern's lock has let go of it.
///
/// Declared before the lock is taken, it performs everything after the lock has been released. A
/// wake-up under the lock costs dearly: the woken thread may take the processor from the holder,
/// and then wait for the very lock.
#[derive(Default)]
pub(crate) struct Due {
    first: Option<Wake>,
    /// One of these is made and dropped for every message, and few have more to do than that.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    wakes: Vec<Wake>,
    lost: Vec<Lost>,
    holders: Vec<Box<dyn Send>>,
}

/// What nobody gets any more. It is only kept to be dropped.
pub(crate) enum Lost {
    Batch(Batch),
    Message(Message),
    Bodies(Vec<Bytes>),
}

impl From<Batch> for Lost {
    fn from(batch: Batch) -> Self {
        Self::Batch(batch)
    }
}

impl From<Message> for Lost {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Vec<Bytes>> for Lost {
    fn from(bodies: Vec<Bytes>) -> Self {
        Self::Bodies(bodies)
    }
}

impl Due {
    pub(crate) fn add(&mut self, wake: Option<Wake>) {
        if let Some(previous) = wake.and_then(|wake| self.first.replace(wake)) {
            self.more().wakes.push(previous);
        }
    }

    /// Drops what nobody gets: a body may be the user's own, and do anything when it is dropped.
    pub(crate) fn lose(&mut self, lost: impl Into<Lost>) {
        let lost = lost.into();
        let has_bodies = match &lost {
            Lost::Batch(batch) => batch.has_large(),
            Lost::Message(message) => message.body_len() > 0,
            Lost::Bodies(bodies) => !bodies.is_empty(),
        };
        if has_bodies {
            self.more().lost.push(lost);
        }
    }

    /// As [`lose`](Self::lose), for what may be the last to hold some of that, and may wake somebody
    /// when it is dropped.
    #[cold]
    pub(crate) fn lose_with(&mut self, holder: impl Send + 'static) {
        self.more().holders.push(Box::new(holder));
    }

    #[cold]
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl Drop for Due {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            let more = self.more.as_mut();
            for wake in more.into_iter().flat_map(|more| more.wakes.drain(..)) {
                wake.perform();
            }
            first.perform();
        }
    }
}

impl End {
    /// This end belongs to a listener from now on.
    pub(super) fn listen(&mut self, listener: Arc<dyn Listener>, token: Token) {
        self.notify = Notify::Listener(listener, token);
    }

    /// Whether somebody holds this end.
    #[cfg(feature = "inproc")]
    pub(super) const fn is_held(&self) -> bool {
        !matches!(self.notify, Notify::Nobody)
    }

    /// Nobody holds this end any more.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }

    /// This end found nothing to do: the next change must reach it.
    pub(super) const fn wait(&mut self) {
        self.waiting = true;
    }

    /// As [`wait`](Self::wait), for an end that is a task.
    pub(super) fn wait_as(&mut self, waker: &Waker) {
        self.waiting = true;
        self.become_task(waker);
    }

    /// This end belongs to a task from now on.
    pub(super) fn become_task(&mut self, waker: &Waker) {
        match &mut self.notify {
            Notify::Task(current) => current.clone_from(waker),
            other => *other = Notify::Task(waker.clone()),
        }
    }

    /// This end is at work: no change needs to be told to it.
    pub(super) const fn act(&mut self) {
        self.waiting = false;
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Whether the next change wakes a thread of its own.
    pub(super) fn is_awaited_apart(&self) -> bool {
        match &self.notify {
            Notify::Listener(listener, _) => self.waiting && listener.is_awaited_apart(),
            Notify::Nobody | Notify::Task(_) => false,
        }
    }

    /// The wake-up that a change calls for: none unless this end waits.
    #[inline]
    pub(super) fn changed(&mut self, signal: Signal) -> Option<Wake> {
        if !self.waiting {
            return None;
        }
        self.waiting = false;
        match &self.notify {
            Notify::Nobody => None,
            Notify::Task(waker) => Some(Wake::Task(waker.clone())),
            Notify::Listener(listener, token) => {
                Some(Wake::Listener(Arc::clone(listener), *token, signal))
            }
        }
    }

    /// The question for what this end has staged.
    pub(super) fn ask(&self) -> Option<Wake> {
        match &self.notify {
            Notify::Listener(listener, token) => {
                Some(Wake::Listener(Arc::clone(listener), *token, Signal::Wanted))
            }
            Notify::Nobody | Notify::Task(_) => None,
        }
    }

    /// The wake-up that a change of the pipe itself calls for: always, waiting or not.
    pub(super) fn told(&mut self, signal: Signal) -> Option<Wake> {
        self.waiting = true;
        self.changed(signal)
    }
}

/// A place in a [`WaitQueue`]; empty while its owner does not wait.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

/// Tasks that wait for the same thing, served in the order in which they came.
///
/// A waiter that was woken and finds the thing gone (somebody who had not waited was quicker)
/// keeps its place. A waiter that leaves after it was woken passes the wake-up on, so that a
/// dropped future never swallows it.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    waiters: VecDeque<Waiter>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    /// Absent once it has been woken and has not come back since.
    waker: Option<Waker>,
}

impl WaitQueue {
    /// Waits, or goes on waiting, in the place of `ticket`.
    pub(crate) fn wait(&mut self, ticket: &mut Ticket, waker: &Waker) {
        if let Some(waiter) = self.find(ticket) {
            match &mut waiter.waker {
                Some(current) => current.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return;
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        ticket.0 = Some(number);
        self.waiters.push_back(Waiter {
            number,
            waker: Some(waker.clone()),
        });
    }

    /// Leaves the line. When the holder had been woken, the next in line is returned for waking:
    /// the caller may only ignore it when it knows that nothing is left to be had.
    pub(crate) fn leave(&mut self, ticket: &mut Ticket) -> Option<Waker> {
        let number = ticket.0.take()?;
        let index = self
            .waiters
            .iter()
            .position(|waiter| waiter.number == number)?;
        let waiter = self.waiters.remove(index)?;
        if waiter.waker.is_none() {
            self.wake_one()
        } else {
            None
        }
    }

    /// The first in line that has not been woken yet.
    #[inline]
    pub(crate) fn wake_one(&mut self) -> Option<Waker> {
        self.waiters
            .iter_mut()
            .find_map(|waiter| waiter.waker.take())
    }

    /// Everybody.
    pub(crate) fn wake_all(&mut self) -> Vec<Waker> {
        self.waiters
            .iter_mut()
            .filter_map(|waiter| waiter.waker.take())
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    fn find(&mut self, ticket: &Ticket) -> Option<&mut Waiter> {
        let number = ticket.0?;
        self.waiters
            .iter_mut()
            .find(|waiter| waiter.number == number)
    }
}

impl Ticket {
    /// Whether its owner stands in line.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.0.is_some()
    }
}
