//! The law of REQ: a question gets its own answer, or the reason why there will be none.
//!
//! RFC 28 "The REQ Socket Type". A request goes round robin, behind an empty delimiter frame; its
//! reply is taken from the peer that was asked and from nobody else. Where the RFC leaves a
//! request whose connection dies waiting for ever, this one ends it with the reason, unless no
//! byte of it had been written: then it is sent again.
//!
//! By default one question is open at a time, and one that is given up takes its connection with
//! it, since nothing else tells its late reply from the next. With correlation every request has a
//! [`Number`] that its reply brings back: then many may be open, and late replies are dropped.

mod answers;

use std::collections::HashSet;
use std::task::{Context, Poll, Waker, ready};

use super::envelope::{DELIMITER, numbered};
use super::exchange::{Exchanges, Stage};
use super::fair_queue::FairQueue;
use super::line::Line;
use super::round_robin::{RoundRobin, Sent};
use super::{Departure, Dropped, Pattern, PeerId};
use crate::endpoint::Endpoint;
use crate::event::DisconnectReason;
use crate::message::Message;
use crate::options::Options;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, Mutex, MutexGuard};
use crate::pipe::wake::{Due, Ticket, Wake};

pub(crate) use super::exchange::Number;

/// The most requests that one socket has in flight with correlation; further ones wait for their
/// turn. As many replies may wait in memory for tasks that do not come to fetch them.
pub(crate) const IN_FLIGHT_MAX: usize = 1_024;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Requests {
    sender: Arc<RoundRobin>,
    inbox: Arc<FairQueue>,
    /// Who waits for its turn to ask.
    turns: Line,
    state: Mutex<State>,
}

/// How strictly questions and answers alternate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// A new question in lock-step takes the place of an open one.
    pub(crate) relaxed: bool,
    /// Requests are numbered, and so are their replies.
    pub(crate) correlate: bool,
}

impl From<&Options> for Rules {
    fn from(options: &Options) -> Self {
        Self {
            relaxed: options.relaxed,
            correlate: options.correlate,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    rules: Rules,
    /// Whether requests are to be numbered. The rule changes when no exchange is open, so that each is
    /// ended by the rule by which it was begun.
    to_correlate: bool,
    /// Whether requests have been numbered before: their late replies are not malformed.
    has_numbered: bool,
    exchanges: Exchanges,
    /// A peer whose reply nobody wants any more, and whose connection goes down with it.
    abandoned: Option<PeerId>,
    /// Replies that answered nothing.
    dropped: u64,
}

/// Whether it is somebody's turn to ask.
enum Turn {
    Now,
    Later,
    Never,
    /// As soon as the connection to this peer has been ended.
    Reset(PeerId),
}

/// How it went with asking.
#[derive(Debug)]
pub(crate) enum Asked {
    Number(Number),
    /// The exchange that was open is given up: the connection to this peer is to be ended for it,
    /// and then it may be asked again.
    Reset(PeerId),
    /// A lock-step exchange is under way.
    OutOfTurn,
    Closed,
}

/// How it went with the answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Peer, Message),
    Lost(Endpoint, DisconnectReason),
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
    pub(crate) fn new(rules: Rules) -> Arc<Self> {
        let state = State {
            rules,
            to_correlate: rules.correlate,
            ..State::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
            ..Self::default()
        })
    }

    /// Sends a request when it is its turn and a peer has room.
    pub(crate) fn poll_ask(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        request: &mut Message,
        lock_step: bool,
    ) -> Poll<Asked> {
        let mut due = Due::default();
        self.poll_turn(cx, tickets, request, lock_step, &mut due)
    }

    /// As [`poll_ask`](Self::poll_ask); whoever waits for a reply that is given up is woken by `due`.
    fn poll_turn(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        request: &mut Message,
        lock_step: bool,
        due: &mut Due,
    ) -> Poll<Asked> {
        let mut state = self.state.lock();
        loop {
            if self.turns.is_closed() {
                return Poll::Ready(Asked::Closed);
            }
            match self.turn(&mut state, lock_step, due) {
                Turn::Now => return self.poll_send(cx, tickets, request, lock_step, state, due),
                Turn::Later => {}
                Turn::Never => return Poll::Ready(Asked::OutOfTurn),
                Turn::Reset(peer) => {
                    drop(state);
                    // Whoever waits for the answer is out of turn now.
                    self.inbox.nudge();
                    return Poll::Ready(Asked::Reset(peer));
                }
            }
            self.sender.leave(&mut tickets.room);
            if self.turns.wait(cx, &mut tickets.turn) {
                return Poll::Pending;
            }
            self.turns.collect(|_| {});
        }
    }

    fn turn(&self, state: &mut State, lock_step: bool, due: &mut Due) -> Turn {
        state.change_rules();
        let Rules { relaxed, correlate } = state.rules;
        let sent = state.exchanges.lock_step();
        // Where the numbers come to an end, the last lock-step exchange keeps nobody waiting.
        let is_last =
            correlate != state.to_correlate && sent.is_some() && state.exchanges.len() == 1;
        if correlate && !is_last {
            let has_place = state.to_correlate && state.exchanges.len() < IN_FLIGHT_MAX;
            return match sent {
                _ if !lock_step && has_place => Turn::Now,
                _ if !lock_step => Turn::Later,
                Some(_) if !relaxed => Turn::Never,
                None if state.exchanges.len() >= IN_FLIGHT_MAX => Turn::Later,
                _ => Turn::Now,
            };
        }
        match sent {
            // It ends by itself, whoever asks next.
            _ if state.abandoned.is_some() => Turn::Later,
            Some(number) if relaxed => {
                let exchange = state.exchanges.end(number);
                let reset = exchange.and_then(|exchange| {
                    due.add(exchange.waker.map(Wake::Task));
                    self.give_up(state, number, exchange.stage, due)
                });
                state.change_rules();
                reset.map_or(Turn::Now, Turn::Reset)
            }
            Some(_) => Turn::Never,
            None if state.exchanges.len() == 0 => Turn::Now,
            None if lock_step => Turn::Never,
            None => Turn::Later,
        }
    }

    /// It is this one's turn: sends its request when a peer has room.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        request: &mut Message,
        lock_step: bool,
        mut state: MutexGuard<'_, State>,
        due: &mut Due,
    ) -> Poll<Asked> {
        let number = state.exchanges.next_number();
        let room = &mut tickets.room;
        let correlate = state.rules.correlate;
        let sent = if correlate {
            self.sender.poll_send(cx, room, &numbered(number), request)
        } else {
            self.discard_all(&mut state, due);
            self.sender.poll_send(cx, room, DELIMITER, request)
        };
        let Sent::To(peer) = ready!(sent) else {
            return Poll::Ready(Asked::Closed);
        };
        let before = state.exchanges.begin(number, peer, lock_step);
        let more = correlate && state.exchanges.len() < IN_FLIGHT_MAX;
        drop(state);
        self.turns.served(&mut tickets.turn, more);
        // Whoever waited for that answer waits for this one now.
        let waker = before.and_then(|before| before.waker);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(Asked::Number(number))
    }

    /// What is still there answers a question that nobody asks any more.
    fn discard_all(&self, state: &mut State, due: &mut Due) {
        let dropped = self.inbox.discard_all(due) as u64;
        state.dropped = state.dropped.saturating_add(dropped);
    }

    /// Leaves every line.
    pub(crate) fn leave(&self, tickets: &mut Tickets) {
        self.turns.leave(&mut tickets.turn);
        self.sender.leave(&mut tickets.room);
        self.inbox.leave(&mut tickets.reply);
    }

    /// Gives the request of this number up. Returns the peer whose connection has to end because
    /// its answer could still come.
    pub(crate) fn abandon(&self, number: Number) -> Option<PeerId> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        let stage = state.exchanges.end(number)?.stage;
        let reset = self.give_up(&mut state, number, stage, &mut due);
        self.ended(state);
        reset
    }

    /// Sees to it that the reply of an exchange that has been ended is not taken for another's.
    fn give_up(
        &self,
        state: &mut State,
        given_up: Number,
        stage: Stage,
        due: &mut Due,
    ) -> Option<PeerId> {
        let Stage::Asked(peer) = stage else {
            if let Some(message) = stage.into_message() {
                due.lose(message);
            }
            return None;
        };
        if state.rules.correlate {
            self.sender.withdraw(peer, &given_up.to_be_bytes(), due);
            return None;
        }
        let unsent = self.sender.take_back(peer, due);
        let is_unsent = !unsent.is_empty();
        unsent.into_iter().for_each(|batch| due.lose(batch));
        if is_unsent {
            return None;
        }
        state.abandoned = Some(peer);
        Some(peer)
    }

    /// An exchange has ended, and somebody else may ask.
    fn ended(&self, state: MutexGuard<'_, State>) {
        let correlate = state.rules.correlate;
        drop(state);
        if correlate {
            self.turns.wake_one();
        } else {
            self.turns.wake_all();
        }
    }
}

#[cfg(all(test, not(pipe_loom)))]
impl Requests {
    pub(super) fn peer_asked(&self, number: Number) -> Option<PeerId> {
        self.state.lock().exchanges.peer_asked(number)
    }

    pub(super) fn number_from(&self, next: Number) {
        self.state.lock().exchanges.start_at(next);
    }

    pub(super) fn open(&self) -> usize {
        self.state.lock().exchanges.len()
    }
}

impl State {
    fn change_rules(&mut self) {
        if self.exchanges.len() == 0 && self.abandoned.is_none() {
            self.has_numbered |= self.rules.correlate;
            self.rules.correlate = self.to_correlate;
        }
    }
}

impl Pattern for Requests {
    fn adopt(&self, options: &Options) {
        let mut state = self.state.lock();
        state.rules.relaxed = options.relaxed;
        state.to_correlate = options.correlate;
    }

    fn adopted(&self) {
        self.turns.wake_all();
    }

    fn queues_ahead(&self) -> bool {
        true
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.sender.attach(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.attach(id, peer, Arc::clone(pipe));
    }

    /// Requests that came back unwritten are sent again, those that are still queued stay, and the
    /// others are lost, unless the reply was there before the end. Those that nobody waits for any more count as given up, not as dropped.
    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        let Departure {
            mut unwritten,
            keeps_outbound,
            endpoint,
            reason,
        } = departure;
        let mut due = Due::default();
        let mut guard = self.state.lock();
        let numbered = guard.rules.correlate;
        let exchanges = &mut guard.exchanges;
        let mut queued = HashSet::new();
        if keeps_outbound {
            let wanted = |first: &[u8]| {
                let number = exchanges.of_request(id, first, numbered);
                queued.extend(number);
                number.is_some()
            };
            self.sender.retain(id, wanted, &mut due);
        } else {
            unwritten.extend(self.sender.take_back(id, &mut due));
            self.sender.detach(id, Vec::new());
        }
        for mut batch in unwritten {
            while let Some(request) = batch.pop() {
                let number = exchanges.of_request(id, request.first(), numbered);
                match number.and_then(|number| exchanges.get_mut(number)) {
                    Some(exchange) => exchange.stage = Stage::AskAgain(request),
                    None => due.lose(request),
                }
            }
        }
        self.read_last_words(&mut guard, id, &queued, &mut due);
        let exchanges = &mut guard.exchanges;
        for (number, stage) in exchanges.with_mut(id) {
            if !queued.contains(&number) {
                *stage = Stage::Lost(endpoint.clone(), reason.clone());
            }
        }
        if guard.abandoned == Some(id) {
            guard.abandoned = None;
        }
        let dropped = self.inbox.sweep_with(id, &mut due);
        drop(guard);
        self.turns.wake_all();
        self.inbox.nudge();
        dropped
    }

    fn forget(&self, id: PeerId) {
        self.inbox.forget(id);
    }

    fn dropped(&self) -> Dropped {
        Dropped {
            unusable: self.state.lock().dropped,
            ..Dropped::default()
        }
    }

    /// The turns end first: whoever is woken by the end of the other two looks there for what has happened,
    /// and would look again and again until it finds it.
    fn close(&self) -> usize {
        self.turns.close();
        let unsent = self.sender.close();
        self.inbox.close();
        unsent
    }
}
