//! Fair queuing: every peer that has something is served in turn, one whole message at a time.
//!
//! RFC 30 "The PULL Socket Type", RFC 28 and 29 for REP and SUB: "fair-queue". A peer with nothing
//! queued leaves the round until its pipe signals; a peer that is gone stays in it until what it
//! sent has been read.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::PeerId;
use super::line::Line;
use super::slots::Slots;
use crate::message::Message;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::{Listener, Signal, Ticket, Token};
use crate::pipe::{Load, Pipe, Take, Tenure};
use crate::wire::batch::{Batch, First};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    state: Mutex<State>,
    line: Line,
}

#[derive(Debug, Default)]
struct State {
    peers: Slots<Peer>,
    /// Peers that may have something, the next to be served in front.
    round: VecDeque<Token>,
    received: Load64,
}

/// Messages handed to the application, and their encoded bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load64 {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Peer {
    id: PeerId,
    pipe: Arc<Pipe>,
    /// None until the pipe knows us.
    tenure: Option<Tenure>,
    /// What was taken from the pipe and is not read yet.
    batch: Batch,
    /// What was taken, and still counts against the pipe's bounds.
    held: Load,
    in_round: bool,
}

/// What a look at the queue gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Message(PeerId, Message),
    Empty,
    Closed,
}

/// Whether a message is wanted, decided on its first frame before it is decoded. None: always.
pub(crate) type Filter<'a> = Option<&'a dyn Fn(PeerId, First<'_>) -> bool>;

impl FairQueue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Takes part in the round from now on.
    pub(crate) fn attach(self: &Arc<Self>, id: PeerId, pipe: Arc<Pipe>) {
        let mut state = self.state.lock();
        if self.line.is_closed() {
            return;
        }
        let token = state.peers.insert(Peer {
            id,
            pipe: Arc::clone(&pipe),
            tenure: None,
            batch: Batch::default(),
            held: Load::default(),
            in_round: false,
        });
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        let tenure = pipe.consume_for(listener, token);
        if let Some(peer) = state.peers.get_mut(token) {
            peer.tenure = Some(tenure);
        }
    }

    /// Drops a peer together with everything of its that has not been read.
    pub(crate) fn forget(&self, id: PeerId) {
        let mut state = self.state.lock();
        while let Some(token) = state.peers.find(|peer| peer.id == id) {
            state.peers.remove(token);
            state.round.retain(|&other| other != token);
        }
    }

    /// Drops everything that waits to be read.
    pub(crate) fn discard_all(&self) {
        let mut state = self.state.lock();
        while let Next::Message(..) = state.next(&self.line, None) {}
    }

    /// The next message that passes `filter`; what does not pass is dropped.
    #[inline]
    pub(crate) fn try_next(&self, filter: Filter<'_>) -> Next {
        self.state.lock().next(&self.line, filter)
    }

    /// As [`try_next`](Self::try_next), waiting in line with `ticket` while there is none.
    #[inline]
    pub(crate) fn poll_next(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        filter: Filter<'_>,
    ) -> Poll<Next> {
        let mut state = self.state.lock();
        loop {
            let next = state.next(&self.line, filter);
            if next != Next::Empty {
                self.line.served(ticket, !state.round.is_empty());
                return Poll::Ready(next);
            }
            if self.line.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
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
        drop(state);
        drop(peers);
    }

    pub(crate) fn received(&self) -> Load64 {
        self.state.lock().received
    }
}

impl Listener for FairQueue {
    fn signal(&self, token: Token, _: Signal) {
        // Never urgent: what lies in the pipes waits there until somebody receives.
        let _ = self.line.signal(token);
    }
}

impl State {
    #[inline]
    fn next(&mut self, line: &Line, filter: Filter<'_>) -> Next {
        if line.is_closed() {
            return Next::Closed;
        }
        line.collect(|token| {
            if let Some(peer) = self.peers.get_mut(token) {
                if !peer.in_round {
                    peer.in_round = true;
                    self.round.push_back(token);
                }
            }
        });
        while let Some(&token) = self.round.front() {
            let Some(peer) = self.peers.get_mut(token) else {
                self.round.pop_front();
                continue;
            };
            if peer.batch.is_empty() {
                match peer.refill() {
                    Refill::Some => {}
                    Refill::None => {
                        peer.in_round = false;
                        self.round.pop_front();
                        continue;
                    }
                    Refill::Over => {
                        self.round.pop_front();
                        self.peers.remove(token);
                        continue;
                    }
                }
            }
            let (id, before) = (peer.id, peer.batch.bytes());
            let message = peer.read(filter);
            let bytes = before.saturating_sub(peer.batch.bytes());
            if self.round.len() > 1 {
                self.round.rotate_left(1);
            }
            if let Some(message) = message {
                self.received.messages += 1;
                self.received.bytes += bytes as u64;
                return Next::Message(id, message);
            }
        }
        Next::Empty
    }
}

enum Refill {
    Some,
    /// Nothing now: the pipe will signal.
    None,
    /// Nothing any more.
    Over,
}

impl Peer {
    fn refill(&mut self) -> Refill {
        self.release();
        let Some(tenure) = self.tenure else {
            return Refill::Over;
        };
        match self.pipe.take_in(tenure) {
            Take::Batch(batch) => {
                self.held = Load {
                    messages: batch.messages(),
                    bytes: batch.bytes(),
                };
                self.batch = batch;
                Refill::Some
            }
            Take::Empty => Refill::None,
            Take::Closed(_) => Refill::Over,
        }
    }

    fn read(&mut self, filter: Filter<'_>) -> Option<Message> {
        let passes = filter.is_none_or(|passes| {
            self.batch
                .peek()
                .is_some_and(|first| passes(self.id, first))
        });
        let message = if passes {
            self.batch.pop()
        } else {
            self.batch.skip();
            None
        };
        // Half a batch is enough to let the producer go on while the rest is read.
        if self.batch.messages() * 2 <= self.held.messages {
            self.release();
        }
        message
    }

    fn release(&mut self) {
        let used = Load {
            messages: self.held.messages.saturating_sub(self.batch.messages()),
            bytes: self.held.bytes.saturating_sub(self.batch.bytes()),
        };
        if used.messages > 0 || used.bytes > 0 {
            if let Some(tenure) = self.tenure {
                self.pipe.release_in(tenure, used);
            }
            self.held = Load {
                messages: self.batch.messages(),
                bytes: self.batch.bytes(),
            };
        }
    }
}
