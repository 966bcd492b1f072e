//! Fan-out: a message goes to every subscriber that asked for a prefix of its first frame.
//!
//! RFC 29 "The PUB Socket Type": never waits, drops for a subscriber whose pipe is full. An XPUB may
//! choose to wait instead.
//!
//! Here are the lock and those who wait: for room, for subscribers, for something to be shown. What
//! happens under the lock is the [`Audience`]'s. A subscriber's requests are applied when they
//! arrive, in the task that read them.

use std::collections::HashMap;
use std::sync::{OnceLock, Weak};
use std::task::{Context, Poll};

use super::audience::{Audience, Denied, Policy, Sent, To};
use super::fair_queue::Passed;
use super::line::Line;
use super::notices::{Relief, Shown};
use super::relay::Turn;
use super::subscribers::Member;
use super::{Doorman, PeerId};
use crate::fault::PeerFault;
use crate::message::Message;
use crate::options::PublishOptions;
use crate::peer_handle::Peer;
use crate::pipe::sync::{Arc, AtomicBool, Mutex, Ordering};
use crate::pipe::wake::{Due, Listener, Signal, Ticket, Token};
use crate::pipe::{CloseReason, Load, Pipe, Take};
use crate::wire::batch::Batch;
use crate::wire::subscription::Subscription;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    state: Mutex<Audience>,
    /// Who waits for room.
    senders: Line,
    /// Whether anybody wants to hear of room that is made.
    awaited: AtomicBool,
    /// Who waits for subscribers.
    gatherers: Line,
    /// Who waits for something to be shown.
    readers: Line,
    /// What peers have sent that are being let go. Nothing is locked under it.
    leaving: Mutex<HashMap<PeerId, Arc<Pipe>>>,
    /// Who sends peers away that ask for too much.
    doorman: OnceLock<Weak<dyn Doorman>>,
}

impl FanOut {
    pub(crate) fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(Audience::new(policy)),
            ..Self::default()
        })
    }

    pub(crate) fn employ(&self, doorman: Weak<dyn Doorman>) {
        // There is one, from the start.
        let _ = self.doorman.set(doorman);
    }

    /// Takes changed options on. Nobody is woken: see [`adopted`](Self::adopted).
    pub(crate) fn adopt(&self, options: &PublishOptions) {
        let mut state = self.state.lock();
        let policy = match state.policy.shows {
            None => Policy::of_pub(options),
            Some(_) => Policy::of_xpub(options),
        };
        state.adopt(policy);
    }

    /// Who waited by the old rules may go on by the new ones.
    pub(crate) fn adopted(&self) {
        self.senders.wake_all();
        self.gatherers.wake_all();
    }

    // ---- peers ----------------------------------------------------------------------------

    pub(crate) fn attach_outbound(self: &Arc<Self>, id: PeerId, pipe: &Arc<Pipe>) {
        let welcome = self.state.lock().policy.welcome.clone();
        // Nothing else can have come into a pipe that nobody knows yet.
        if let Some(welcome) = &welcome {
            drop(pipe.push(&[], welcome));
        }
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let token = state.subscribers.insert(id, Arc::clone(pipe));
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        pipe.feed_from(listener, token);
        let invert = state.policy.invert;
        drop(state);
        if invert {
            self.gatherers.wake_all();
        }
    }

    /// Subscriptions come from this pipe. Its peer's outbound pipe has been attached before.
    pub(crate) fn attach_inbound(self: &Arc<Self>, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        let mut state = self.state.lock();
        let Some(token) = state.subscribers.find(id) else {
            return;
        };
        state.subscribers.set_inbound(token, peer, pipe);
        drop(state);
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        // A subscriber's pipe has one consumer, for its whole life.
        let _ = pipe.consume_for(listener, token);
    }

    /// Forgets a part of the subscriptions of a peer that is about to be [detached](Self::detach); `true` when none
    /// is left.
    pub(crate) fn shed(&self, id: PeerId) -> bool {
        let mut due = Due::default();
        let mut state = self.state.lock();
        let token = state.subscribers.find(id);
        // Its first part forgets this, too.
        let unread = token.and_then(|token| state.subscribers.inbound(token));
        let is_gone = state.let_go(id, &mut due);
        drop(state);
        if let Some(unread) = unread {
            self.leaving.lock().insert(id, unread);
        }
        is_gone
    }

    /// Forgets a peer and its subscriptions. Returns how many messages of it were still to be read, for
    /// want of room among what is shown.
    pub(crate) fn detach(&self, id: PeerId) -> usize {
        while !self.shed(id) {}
        let unread = self.leaving.lock().remove(&id);
        let invert = self.state.lock().policy.invert;
        self.readers.wake_one();
        // Whoever waited for its room need not any more.
        self.senders.wake_all();
        if invert {
            self.gatherers.wake_all();
        }
        unread.map_or(0, |pipe| pipe.drain().into_iter().map(spoken).sum())
    }

    pub(crate) fn close(&self) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.settle(&mut due);
        let state_before = std::mem::take(&mut *state);
        state.closed = true;
        drop(state);
        drop(state_before);
        self.senders.close();
        self.gatherers.close();
        self.readers.close();
    }

    /// How many distinct prefixes have a subscriber.
    pub(crate) fn topics(&self) -> usize {
        self.state.lock().subscribers.topics()
    }

    // ---- sending --------------------------------------------------------------------------

    /// Sends without waiting.
    pub(crate) fn try_send(&self, to: To, message: &Message) -> Sent {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.send(to, message, &mut due)
    }

    /// As [`try_send`](Self::try_send), waiting with `ticket` while somebody has no room.
    pub(crate) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        to: To,
        message: &Message,
    ) -> Poll<Sent> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        let sent = loop {
            let sent = state.send(to, message, &mut due);
            if sent != Sent::Full {
                break sent;
            }
            if self.looks_again() {
                continue;
            }
            // Refused only at the end, which the next look finds.
            if self.senders.wait(cx, ticket) {
                return Poll::Pending;
            }
        };
        drop(state);
        self.leave_sending(ticket);
        Poll::Ready(sent)
    }

    /// Sends messages as they stand, waiting with `ticket` while somebody has no room for the first of
    /// them.
    pub(crate) fn poll_relay(
        &self,
        cx: &Context<'_>,
        ticket: &mut Ticket,
        turn: &mut Turn<'_>,
        due: &mut Due,
    ) -> Passed {
        let mut state = self.state.lock();
        loop {
            let sent = state.relay(turn, due);
            if !turn.is_untouched() {
                return Passed::On(turn.gone());
            }
            match sent {
                Sent::Closed => return Passed::Closed,
                Sent::Full if self.looks_again() => {}
                Sent::Full if self.senders.wait(cx, ticket) => return Passed::Blocked,
                Sent::Full => {}
                _ => return Passed::On(turn.gone()),
            }
        }
    }

    /// As [`poll_relay`](Self::poll_relay), without waiting.
    pub(crate) fn relay_now(&self, turn: &mut Turn<'_>, due: &mut Due) {
        self.state.lock().relay(turn, due);
    }

    /// Has whoever makes room tell so. A sender that is the first to want that looks again before it waits,
    /// since room that was made just before has been told to nobody.
    fn looks_again(&self) -> bool {
        !self.awaited.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn leave_sending(&self, ticket: &mut Ticket) {
        self.senders.leave(ticket);
    }

    /// Waits until a message that is `prefix` would go to at least `wanted` peers; `false` when
    /// the socket is closed.
    pub(crate) fn poll_subscribers(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        prefix: &[u8],
        wanted: usize,
    ) -> Poll<bool> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Poll::Ready(false);
            }
            let invert = state.policy.invert;
            let found = state.subscribers.find_matching(prefix, invert);
            if found >= wanted {
                drop(state);
                self.leave_gathering(ticket);
                return Poll::Ready(true);
            }
            if self.gatherers.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
    }

    pub(crate) fn leave_gathering(&self, ticket: &mut Ticket) {
        self.gatherers.leave(ticket);
    }

    // ---- what subscribers say -------------------------------------------------------------

    /// The next thing to be shown, if there is one; an error when the socket is closed.
    pub(crate) fn try_next(&self) -> Result<Option<Shown>, Closed> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Closed);
        }
        let popped = state.notices.pop();
        drop(state);
        Ok(popped.map(|(shown, relief)| self.relieve(shown, relief)))
    }

    /// As [`try_next`](Self::try_next), waiting in line with `ticket`; `None` when the socket is
    /// closed.
    pub(crate) fn poll_next(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<Shown>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(None);
        }
        let Some((shown, relief)) = state.notices.pop() else {
            return if self.readers.wait(cx, ticket) {
                Poll::Pending
            } else {
                Poll::Ready(None)
            };
        };
        let more = !state.notices.is_empty();
        drop(state);
        self.readers.served(ticket, more);
        Poll::Ready(Some(self.relieve(shown, relief)))
    }

    pub(crate) fn leave_reading(&self, ticket: &mut Ticket) {
        self.readers.leave(ticket);
    }

    /// Lets those go on that waited for room among the notices.
    fn relieve(&self, shown: Shown, mut relief: Relief) -> Shown {
        relief.release();
        for token in relief.postponed {
            self.read(token);
        }
        shown
    }

    /// Whether a peer is still there.
    pub(crate) fn is_here(&self, member: Member) -> Result<(), Denied> {
        self.state.lock().check(member)
    }

    /// Gives a peer a subscription.
    pub(crate) fn grant(&self, member: Member, prefix: &[u8]) -> Result<(), Denied> {
        let mut state = self.state.lock();
        state.check(member)?;
        let result = state.subscribers.subscribe(member.token, prefix);
        drop(state);
        self.gatherers.wake_all();
        result.map(drop).map_err(|_| Denied::TooMany)
    }

    /// Takes a subscription from a peer, if it is there and has it.
    pub(crate) fn revoke(&self, member: Member, prefix: &[u8]) {
        let mut state = self.state.lock();
        if state.subscribers.has(member) {
            state.subscribers.cancel(member.token, prefix);
        }
        let invert = state.policy.invert;
        drop(state);
        if invert {
            self.gatherers.wake_all();
        }
    }

    /// Applies, or notes, what a peer has asked for.
    fn read(&self, token: Token) {
        let (mut shown, mut expelled) = (0, None);
        loop {
            let mut due = Due::default();
            let mut guard = self.state.lock();
            let state = &mut *guard;
            let Some(pipe) = state.subscribers.inbound(token) else {
                break;
            };
            if state.notices.postpone(token) {
                break;
            }
            let Take::Batch(mut batch) = pipe.take() else {
                break;
            };
            let (before, member) = (state.notices.len(), state.subscribers.member(token));
            let mut free = Load::default();
            // What is left of the batch after a fault is dropped unlocked as well.
            let result = state.apply(token, &pipe, &mut batch, &mut free, &mut due);
            shown += state.notices.len() - before;
            drop(guard);
            pipe.release(free);
            if let Err(fault) = result {
                let fault = PeerFault::Protocol(fault);
                pipe.close(CloseReason::Fault(fault.clone()));
                expelled = member.map(|member| (member.id, fault));
                break;
            }
        }
        if shown > 0 {
            self.readers.wake_one();
        }
        self.gatherers.wake_all();
        let doorman = self.doorman.get().and_then(Weak::upgrade);
        if let (Some((id, fault)), Some(doorman)) = (expelled, doorman) {
            doorman.expel(id, fault);
        }
    }
}

/// How many messages there are that are no subscriptions: with the peer, those end anyway.
fn spoken(mut batch: Batch) -> usize {
    let mut messages = 0;
    while let Some(first) = batch.peek() {
        messages += usize::from(Subscription::read(first).is_none());
        batch.skip();
    }
    messages
}

/// The socket is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed;

impl Listener for FanOut {
    fn signal(&self, token: Token, signal: Signal) {
        match signal {
            Signal::Readable => self.read(token),
            // A publisher that drops meets full pipes all the time and waits for none of them: it is not to
            // be held up for each that drains.
            Signal::Writable if !self.awaited.swap(false, Ordering::AcqRel) => {}
            Signal::Refitted => {
                let mut due = Due::default();
                self.state.lock().distrust(&mut due);
                self.senders.wake_all();
            }
            Signal::Writable => {
                // A sender that has just met the full pipe stands in line when it unlocks. Which of
                // them waits for this peer is for them to find out.
                drop(self.state.lock());
                self.senders.wake_all();
            }
            Signal::Wanted => {
                let mut due = Due::default();
                self.state.lock().wanted_by(token, &mut due);
            }
        }
    }
}

#[cfg(all(test, not(pipe_loom)))]
impl FanOut {
    /// Does something while a message is being sent.
    pub(super) fn while_locked(&self, work: impl FnOnce()) {
        let state = self.state.lock();
        work();
        drop(state);
    }
}
