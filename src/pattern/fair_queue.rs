//! Fair queuing: every peer that has something is served in turn, one whole message at a time.
//!
//! RFC 30 "The PULL Socket Type", RFC 28 and 29 for REP and SUB: "fair-queue". A peer with nothing
//! queued leaves the round until its pipe signals; a peer that is gone stays in it until what it
//! sent has been read, or until it has to make room for what others left ([`Departed`]).

mod peer;
mod relay;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::PeerId;
use super::departed::Departed;
use super::line::Line;
use super::slots::Slots;
use crate::message::Message;
use crate::peer_handle::Peer as Handle;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, AtomicBool, Mutex, Ordering};
use crate::pipe::wake::{Due, Listener, Signal, Ticket, Token};
use crate::wire::batch::Batch;
use peer::{Peer, Refill};

pub(crate) use relay::{Passed, Rest};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    state: Mutex<State>,
    line: Line,
    /// Whether a reader has [outrun](Self::has_outrun) a sender since anybody asked.
    outrun: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    peers: Slots<Peer>,
    /// Peers that may have something, the next to be served in front.
    round: VecDeque<Token>,
    departed: Departed,
    /// Whether a peer is read to its end before the next one's turn.
    in_sequence: bool,
    /// Whether a batch that had just been gathered by its sender is read to the end.
    outran: bool,
}

/// What a look at the queue gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Message(T),
    Empty,
    Closed,
}

impl FairQueue {
    /// Peers come one after the other, and are read like that.
    pub(crate) fn in_sequence() -> Self {
        let queue = Self::default();
        queue.state.lock().in_sequence = true;
        queue
    }

    /// Takes part in the round from now on.
    pub(crate) fn attach(self: &Arc<Self>, id: PeerId, handle: &Handle, pipe: Arc<Pipe>) {
        let mut state = self.state.lock();
        if self.line.is_closed() {
            return;
        }
        let peer = Peer::new(id, handle.clone(), Arc::clone(&pipe));
        let token = state.peers.insert(peer);
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        let tenure = pipe.consume_for(listener, token);
        if let Some(peer) = state.peers.get_mut(token) {
            peer.tenure = Some(tenure);
        }
    }

    /// The pipe of a peer goes on without this queue, whose tenure has ended. It keeps what it has
    /// taken, and also what still lies in the pipe.
    #[cfg(feature = "inproc")]
    pub(crate) fn keep_rest(&self, id: PeerId) {
        let mut state = self.state.lock();
        let Some(token) = state.peers.find(|peer| peer.id == id) else {
            return;
        };
        let Some(peer) = state.peers.get_mut(token) else {
            return;
        };
        peer.pipe.settle();
        for batch in peer.pipe.drain() {
            peer.batch.append(&batch);
        }
        if !peer.in_round {
            peer.in_round = true;
            state.round.push_back(token);
        }
    }

    /// The connection to a peer has ended. One that left nothing to read is forgotten at once, since
    /// it may be long until somebody receives, and strangers may come and go in the meantime. What
    /// they leave is bounded in all: returned is how many messages had to go for it. For a caller that has nothing
    /// locked.
    pub(crate) fn sweep(&self, id: PeerId) -> usize {
        self.sweep_with(id, &mut Due::default())
    }

    /// As [`sweep`](Self::sweep), for a caller that has something locked: what has to go is dropped with `due`.
    pub(crate) fn sweep_with(&self, id: PeerId, due: &mut Due) -> usize {
        let mut dropped = 0;
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.collect(&self.line);
        let peers = state.peers.iter();
        let tokens: Vec<Token> = peers
            .filter(|(_, peer)| peer.id == id)
            .map(|(token, _)| token)
            .collect();
        for token in tokens {
            let Some(peer) = state.peers.get_mut(token) else {
                continue;
            };
            if peer.batch.is_empty() && matches!(peer.refill(), Refill::Over) {
                state.remove(token, due);
                continue;
            }
            let (rest, capacity) = (peer.rest(), peer.pipe.capacity());
            if !peer.in_round {
                peer.in_round = true;
                state.round.push_back(token);
            }
            if peer.departed.is_none() {
                peer.departed = Some(state.departed.add(token, rest));
            }
            while let Some(oldest) = state.departed.surplus(capacity) {
                dropped += state.remove(oldest, due);
            }
        }
        dropped
    }

    /// Forgets a peer, and drops everything of its that has not been read. For a caller that has nothing locked.
    pub(crate) fn forget(&self, id: PeerId) {
        self.forget_with(id, &mut Due::default());
    }

    /// As [`forget`](Self::forget), for a caller that has something locked: what has not been read is dropped with
    /// `due`.
    pub(crate) fn forget_with(&self, id: PeerId, due: &mut Due) {
        let mut state = self.state.lock();
        while let Some(token) = state.peers.find(|peer| peer.id == id) {
            state.remove(token, due);
        }
    }

    /// Hands over everything that a peer has sent and nobody has read.
    pub(crate) fn drain(&self, id: PeerId, mut each: impl FnMut(&Handle, Message)) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.collect(&self.line);
        let token = state.peers.find(|peer| peer.id == id);
        let Some(peer) = token.and_then(|token| state.peers.get_mut(token)) else {
            return;
        };
        loop {
            while let Some(message) = peer.batch.pop() {
                each(&peer.handle, message);
            }
            if !matches!(peer.refill(), Refill::Some) {
                return;
            }
        }
    }

    /// Drops everything that waits to be read, with `due`; returns how many messages that was.
    pub(crate) fn discard_all(&self, due: &mut Due) -> usize {
        let mut dropped = 0;
        let mut state = self.state.lock();
        let pop = |_, _: &Handle, batch: &mut Batch| batch.pop();
        while let Next::Message(message) = state.next(&self.line, pop) {
            due.lose(message);
            dropped += 1;
        }
        dropped
    }

    /// Has `read` take the next message out of its batch. What it makes nothing of is gone, and the
    /// one after that is tried.
    #[inline]
    pub(crate) fn try_next<T>(
        &self,
        mut read: impl FnMut(PeerId, &mut Batch) -> Option<T>,
    ) -> Next<T> {
        self.try_next_from(|id, _, batch| read(id, batch))
    }

    /// As [`try_next`](Self::try_next), for a reader that wants to know from whom.
    #[inline]
    pub(crate) fn try_next_from<T>(
        &self,
        read: impl FnMut(PeerId, &Handle, &mut Batch) -> Option<T>,
    ) -> Next<T> {
        self.state.lock().next(&self.line, read)
    }

    /// As [`try_next`](Self::try_next), waiting in line with `ticket` while there is none; `None`
    /// when the queue is closed.
    #[inline]
    pub(crate) fn poll_next<T>(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        mut read: impl FnMut(PeerId, &mut Batch) -> Option<T>,
    ) -> Poll<Option<T>> {
        self.poll_next_from(cx, ticket, |id, _, batch| read(id, batch))
    }

    /// As [`poll_next`](Self::poll_next), for a reader that wants to know from whom.
    #[inline]
    pub(crate) fn poll_next_from<T>(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        mut read: impl FnMut(PeerId, &Handle, &mut Batch) -> Option<T>,
    ) -> Poll<Option<T>> {
        let mut state = self.state.lock();
        loop {
            match state.next(&self.line, &mut read) {
                Next::Message(message) => {
                    self.line.served(ticket, !state.round.is_empty());
                    if std::mem::take(&mut state.outran) {
                        self.outrun.store(true, Ordering::Relaxed);
                    }
                    return Poll::Ready(Some(message));
                }
                Next::Closed => return Poll::Ready(None),
                Next::Empty => {}
            }
            if self.line.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
    }

    /// Whether a reader is at the end of a few messages that a sender in this process was just
    /// gathering. Where that one runs on another thread, it had better be given a moment to gather more:
    /// to fetch them one by one, and to sleep in between, costs both of them far more than to pass
    /// them on.
    #[inline]
    pub(crate) fn has_outrun(&self) -> bool {
        self.outrun.load(Ordering::Relaxed) && self.outrun.swap(false, Ordering::Relaxed)
    }

    /// Whoever was told to wait just now does so on a thread of its own, or not: see [`Listener`]. Among
    /// several peers that makes no difference: who has woken it has others to look after.
    pub(crate) fn note_apart(&self, apart: bool) {
        let has_one = || self.state.lock().peers.len() == 1;
        self.line.note_apart(apart && has_one());
    }

    /// Gives up waiting; a wake-up that had come goes to the next in line.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.line.leave(ticket);
    }

    /// Wakes every waiter to look around: something has changed that is not in this queue.
    pub(crate) fn nudge(&self) {
        self.line.wake_all();
    }

    /// Ends the queue: every waiter wakes and finds it closed.
    pub(crate) fn close(&self) {
        self.line.close();
        let mut state = self.state.lock();
        let peers = std::mem::take(&mut state.peers);
        state.round.clear();
        state.departed = Departed::default();
        drop(state);
        drop(peers);
    }
}

impl Listener for FairQueue {
    fn signal(&self, token: Token, _: Signal) {
        // Never urgent: what lies in the pipes waits there until somebody receives.
        let _ = self.line.signal(token);
    }

    fn is_awaited_apart(&self) -> bool {
        self.line.is_awaited_apart()
    }
}

impl State {
    /// Forgets a peer; returns how many of its messages had not been read. They are dropped with `due`.
    fn remove(&mut self, token: Token, due: &mut Due) -> usize {
        self.round.retain(|&other| other != token);
        let Some(peer) = self.peers.remove(token) else {
            return 0;
        };
        if let Some(place) = peer.departed {
            self.departed.remove(place);
        }
        let rest = peer.rest().messages;
        due.lose_with(peer);
        rest
    }

    /// Takes peers that signalled back into the round.
    #[inline]
    fn collect(&mut self, line: &Line) {
        line.collect(|token| {
            if let Some(peer) = self.peers.get_mut(token) {
                if !peer.in_round {
                    peer.in_round = true;
                    self.round.push_back(token);
                }
            }
        });
    }

    #[inline]
    fn next<T>(
        &mut self,
        line: &Line,
        mut read: impl FnMut(PeerId, &Handle, &mut Batch) -> Option<T>,
    ) -> Next<T> {
        if line.is_closed() {
            return Next::Closed;
        }
        self.collect(line);
        while let Some(token) = self.front() {
            let Some(peer) = self.peers.get_mut(token) else {
                continue;
            };
            let message = read(peer.id, &peer.handle, &mut peer.batch);
            self.outran |= peer.has_read();
            self.end_turn();
            if let Some(message) = message {
                return Next::Message(message);
            }
        }
        Next::Empty
    }

    /// The peer whose turn it is, with something in its batch.
    #[inline]
    fn front(&mut self) -> Option<Token> {
        while let Some(&token) = self.round.front() {
            let peer = self.peers.get(token);
            if peer.is_some_and(|peer| !peer.batch.is_empty()) || self.refill_front(token) {
                return Some(token);
            }
        }
        None
    }

    /// Looks for more in the pipe of the first in the round, who leaves the round if there is nothing.
    fn refill_front(&mut self, token: Token) -> bool {
        let Some(peer) = self.peers.get_mut(token) else {
            self.round.pop_front();
            return false;
        };
        match peer.refill() {
            Refill::Some => {
                if let Some(place) = peer.departed {
                    self.departed.set(place, peer.rest());
                }
                return true;
            }
            Refill::None => peer.in_round = false,
            Refill::Over => {
                if let Some(place) = peer.departed {
                    self.departed.remove(place);
                }
                // Its pipe is empty, or is still somebody else's.
                self.peers.remove(token);
            }
        }
        self.round.pop_front();
        false
    }

    #[inline]
    fn end_turn(&mut self) {
        if self.round.len() > 1 && !self.in_sequence {
            self.round.rotate_left(1);
        }
    }
}
