//! The law of REQ: one question at a time, and only its own answer.
//!
//! RFC 28 "The REQ Socket Type". A request goes round robin, behind an empty delimiter frame; its
//! reply is taken from the peer that was asked and from nobody else. Where the RFC leaves a
//! request whose connection dies waiting for ever, this one ends it with the reason, unless no
//! byte of it had been written: then it is sent again.

use std::task::{Context, Poll, ready};

use super::envelope::{DELIMITER, open_reply};
use super::fair_queue::FairQueue;
use super::line::Line;
use super::round_robin::{RoundRobin, Sent};
use super::{Departure, Pattern, PeerId};
use crate::event::DisconnectReason;
use crate::message::Message;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::Ticket;
use crate::wire::batch::Batch;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Requests {
    sender: Arc<RoundRobin>,
    inbox: Arc<FairQueue>,
    /// Who waits for its turn to ask.
    turns: Line,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    exchange: Exchange,
    asked: u64,
}

/// Names one exchange, so that whoever gives up gives up its own.
pub(crate) type Number = u64;

/// What the socket is in the middle of.
#[derive(Debug, Default)]
enum Exchange {
    #[default]
    Idle,
    /// The request is in the pipe of `peer`, or beyond it.
    Asked {
        number: Number,
        lock_step: bool,
        peer: PeerId,
    },
    /// The peer left before any byte of the request was written: somebody else is to be asked.
    AskAgain {
        number: Number,
        lock_step: bool,
        request: Message,
    },
    /// The reply will not come.
    Lost {
        number: Number,
        lock_step: bool,
        reason: DisconnectReason,
    },
    /// Nobody wants the reply; the connection goes down with it.
    Abandoned { peer: PeerId },
}

/// How it went with asking.
#[derive(Debug)]
pub(crate) enum Asked {
    Number(Number),
    /// A lock-step exchange is under way.
    OutOfTurn,
    Closed,
}

/// How it went with the answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Message),
    Lost(DisconnectReason),
    /// This peer's reply has no delimiter: the connection is to be ended for it.
    Malformed(PeerId),
    OutOfTurn,
    Closed,
}

/// The places in line of somebody who asks.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    turn: Ticket,
    room: Ticket,
    reply: Ticket,
}

impl Requests {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Sends a request when it is its turn and a peer has room.
    pub(crate) fn poll_ask(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        request: &Message,
        lock_step: bool,
    ) -> Poll<Asked> {
        let mut state = self.state.lock();
        loop {
            if self.turns.is_closed() {
                return Poll::Ready(Asked::Closed);
            }
            match &state.exchange {
                Exchange::Idle => {
                    // What is still there answers a question that nobody asks any more.
                    self.inbox.discard_all();
                    let sent = self
                        .sender
                        .poll_send(cx, &mut tickets.room, DELIMITER, request);
                    return sent.map(|sent| match sent {
                        Sent::To(peer) => {
                            state.asked += 1;
                            let number = state.asked;
                            state.exchange = Exchange::Asked {
                                number,
                                lock_step,
                                peer,
                            };
                            self.turns.served(&mut tickets.turn, false);
                            Asked::Number(number)
                        }
                        Sent::Full | Sent::Closed => Asked::Closed,
                    });
                }
                // It ends by itself, whoever asks next.
                Exchange::Abandoned { .. } => {}
                exchange if lock_step || exchange.is_lock_step() => {
                    return Poll::Ready(Asked::OutOfTurn);
                }
                _ => {}
            }
            self.sender.leave(&mut tickets.room);
            if self.turns.wait(cx, &mut tickets.turn) {
                return Poll::Pending;
            }
            self.turns.collect(|_| {});
        }
    }

    /// Waits for the answer to the request of this number, or of the lock-step one under way.
    pub(crate) fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        wanted: Option<Number>,
    ) -> Poll<Answer> {
        loop {
            let mut state = self.state.lock();
            // Also where the end of the socket has ended the exchange.
            if self.turns.is_closed() {
                return Poll::Ready(Answer::Closed);
            }
            let (number, peer) = match &state.exchange {
                Exchange::Asked { number, peer, .. } => (*number, Some(*peer)),
                Exchange::AskAgain { number, .. } | Exchange::Lost { number, .. } => {
                    (*number, None)
                }
                Exchange::Idle | Exchange::Abandoned { .. } => {
                    return Poll::Ready(Answer::OutOfTurn);
                }
            };
            let own = match wanted {
                Some(wanted) => wanted == number,
                // The reply to a `request` of another task is not for a `recv` to take.
                None => state.exchange.is_lock_step(),
            };
            if !own {
                return Poll::Ready(Answer::OutOfTurn);
            }
            if let Some(peer) = peer {
                // The reply of a peer that has left since lies in the inbox before its departure
                // is told, so the inbox is always looked at first.
                let from_peer = |id, batch: &mut Batch| {
                    if id == peer {
                        return batch.pop();
                    }
                    batch.skip();
                    None
                };
                let message = ready!(self.inbox.poll_next(cx, &mut tickets.reply, from_peer));
                let answer = match message.map(open_reply) {
                    None => Answer::Closed,
                    Some(None) => Answer::Malformed(peer),
                    Some(Some(reply)) => {
                        state.exchange = Exchange::Idle;
                        drop(state);
                        self.turns.wake_all();
                        Answer::Reply(reply)
                    }
                };
                return Poll::Ready(answer);
            }
            match std::mem::take(&mut state.exchange) {
                Exchange::AskAgain {
                    number,
                    lock_step,
                    request,
                } => match self.send_again(cx, tickets, &request) {
                    Poll::Ready(Sent::To(peer)) => {
                        state.exchange = Exchange::Asked {
                            number,
                            lock_step,
                            peer,
                        };
                    }
                    Poll::Ready(Sent::Full | Sent::Closed) => {
                        return Poll::Ready(Answer::Closed);
                    }
                    Poll::Pending => {
                        state.exchange = Exchange::AskAgain {
                            number,
                            lock_step,
                            request,
                        };
                        return Poll::Pending;
                    }
                },
                Exchange::Lost { reason, .. } => {
                    drop(state);
                    self.turns.wake_all();
                    return Poll::Ready(Answer::Lost(reason));
                }
                other => state.exchange = other,
            }
        }
    }

    /// Sends a request that came back. What lies in the inbox now is no answer to it, whoever gets
    /// it.
    fn send_again(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        request: &Message,
    ) -> Poll<Sent> {
        self.inbox.discard_all();
        self.sender.poll_send(cx, &mut tickets.room, &[], request)
    }

    /// Leaves every line.
    pub(crate) fn leave(&self, tickets: &mut Tickets) {
        self.turns.leave(&mut tickets.turn);
        self.sender.leave(&mut tickets.room);
        self.inbox.leave(&mut tickets.reply);
    }

    /// Gives the request of this number up. Returns the peer whose connection has to end because
    /// its answer could still come.
    pub(crate) fn abandon(&self, wanted: Number) -> Option<PeerId> {
        let mut state = self.state.lock();
        let reset = match &state.exchange {
            Exchange::Asked { number, peer, .. } if *number == wanted => {
                let peer = *peer;
                if !self.sender.take_back(peer).is_empty() {
                    state.exchange = Exchange::Idle;
                    None
                } else {
                    state.exchange = Exchange::Abandoned { peer };
                    Some(peer)
                }
            }
            Exchange::AskAgain { number, .. } | Exchange::Lost { number, .. }
                if *number == wanted =>
            {
                state.exchange = Exchange::Idle;
                None
            }
            _ => return None,
        };
        drop(state);
        self.turns.wake_all();
        reset
    }
}

#[cfg(all(test, not(pipe_loom)))]
impl Requests {
    pub(super) fn peer_asked(&self) -> Option<PeerId> {
        match self.state.lock().exchange {
            Exchange::Asked { peer, .. } => Some(peer),
            _ => None,
        }
    }
}

impl Exchange {
    const fn is_lock_step(&self) -> bool {
        matches!(
            self,
            Self::Asked {
                lock_step: true,
                ..
            } | Self::AskAgain {
                lock_step: true,
                ..
            } | Self::Lost {
                lock_step: true,
                ..
            }
        )
    }
}

impl Pattern for Requests {
    fn queues_ahead(&self) -> bool {
        true
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.sender.attach(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        let Departure {
            mut unwritten,
            keeps_outbound,
            reason,
        } = departure;
        let mut state = self.state.lock();
        if !keeps_outbound {
            unwritten.extend(self.sender.take_back(id));
            self.sender.detach(id, Vec::new());
        }
        let mut dropped = 0;
        match std::mem::take(&mut state.exchange) {
            Exchange::Asked {
                number,
                lock_step,
                peer,
            } if peer == id => {
                let queued = self.sender.is_queued(id);
                let request = unwritten.iter_mut().find_map(|batch| batch.pop());
                state.exchange = if keeps_outbound && queued {
                    Exchange::Asked {
                        number,
                        lock_step,
                        peer,
                    }
                } else if let Some(request) = request {
                    Exchange::AskAgain {
                        number,
                        lock_step,
                        request,
                    }
                } else {
                    Exchange::Lost {
                        number,
                        lock_step,
                        reason,
                    }
                };
            }
            Exchange::Abandoned { peer } if peer == id => {
                // It may have come back unwritten: nobody wants it sent.
                self.sender.take_back(id);
            }
            other => {
                state.exchange = other;
                dropped = unwritten.iter().map(Batch::messages).sum();
            }
        }
        dropped += self.inbox.sweep(id);
        drop(state);
        self.turns.wake_all();
        self.inbox.nudge();
        dropped
    }

    fn forget(&self, id: PeerId) {
        self.inbox.forget(id);
    }

    fn close(&self) -> usize {
        let unsent = self.sender.close();
        self.inbox.close();
        self.turns.close();
        unsent
    }
}
