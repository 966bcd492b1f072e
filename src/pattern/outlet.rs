//! [`Outlet`]: the way to one peer, for senders that mean this peer and no other.
//!
//! There is a line at each peer, so that one that does not read holds up nobody but those who want
//! to talk to it.

use std::task::{Context, Poll};

use super::line::Line;
use crate::message::Message;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::{Due, Listener, Signal, Ticket, Token};
use crate::pipe::{Pipe, PushError};
use crate::wire::batch::Encoded;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Outlet {
    pipe: Arc<Pipe>,
    queue: Arc<Queue>,
}

/// Apart from the outlet, since the pipe holds it: an outlet that was held by its own pipe would
/// never be dropped.
#[derive(Debug, Default)]
struct Queue {
    /// Held from the look at the pipe until one stands in line, so that no signal comes between.
    /// Whoever finds room at once does without.
    gate: Mutex<()>,
    line: Line,
}

impl Listener for Queue {
    fn signal(&self, token: Token, _: Signal) {
        // Never urgent: only who stands in line wants to know.
        let _ = self.line.signal(token);
    }
}

impl Outlet {
    pub(super) fn new(pipe: Arc<Pipe>) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        pipe.produce_for(Arc::clone(&queue) as Arc<dyn Listener>, 0);
        Arc::new(Self { pipe, queue })
    }

    /// Gives the message to the peer if it has room.
    #[inline]
    pub(super) fn push(&self, message: &Message) -> Result<(), PushError> {
        let pushed = self.pipe.push(&[], message);
        if pushed.is_err() {
            self.forget_news();
        }
        pushed
    }

    /// As [`push`](Self::push), for a message as it stands. What this calls for is added to `due`. Returns
    /// whether there is still room.
    #[inline]
    pub(super) fn relay(&self, message: &Encoded<'_>, due: &mut Due) -> Result<bool, PushError> {
        let pushed = self.pipe.relay(message, due);
        if pushed.is_err() {
            self.forget_news();
        }
        pushed
    }

    /// The pipe signals once for every time that it was found full; what nobody stood in line for is
    /// not to pile up.
    #[cold]
    fn forget_news(&self) {
        let gate = self.queue.gate.lock();
        self.queue.line.collect(|_| {});
        drop(gate);
    }

    /// As [`push`](Self::push), waiting in line with `ticket` while the peer has no room; `None` when
    /// this is not the way to it any more.
    pub(super) fn poll_push(
        &self,
        cx: &Context<'_>,
        ticket: &mut Ticket,
        message: &Message,
    ) -> Poll<Option<Result<(), PushError>>> {
        let Queue { gate, line } = &*self.queue;
        let gate = gate.lock();
        loop {
            line.collect(|_| {});
            let pushed = if line.is_closed() {
                None
            } else {
                Some(self.pipe.push(&[], message))
            };
            if !matches!(pushed, Some(Err(PushError::Full))) {
                drop(gate);
                // The next one in line finds out by itself whether there is more.
                line.served(ticket, true);
                return Poll::Ready(pushed);
            }
            if line.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
    }

    /// Gives up waiting; a wake-up that had come goes to the next in line.
    pub(super) fn leave(&self, ticket: &mut Ticket) {
        self.queue.line.leave(ticket);
    }

    /// This is not the way to the peer any more: whoever stands in line looks for another.
    pub(super) fn close(&self) {
        self.queue.line.close();
    }

    /// Whether the pipe takes no more.
    pub(super) fn is_closed(&self) -> bool {
        self.pipe.is_closed()
    }

    /// Counts a message that the peer did not get.
    pub(super) fn count_dropped(&self, due: &mut Due) {
        self.pipe.overflow(due);
    }
}
