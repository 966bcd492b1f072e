//! The second half of an exchange: its reply, a second try, or its loss.

use std::collections::HashSet;
use std::task::{Context, Poll, Waker, ready};

use super::{Answer, Number, Requests, State, Tickets};
use crate::pattern::PeerId;
use crate::pattern::envelope::{Numbered, is_numbered, open_numbered, open_reply};
use crate::pattern::exchange::Stage;
use crate::pattern::round_robin::Sent;
use crate::peer_handle::Peer;
use crate::pipe::sync::MutexGuard;
use crate::pipe::wake::Due;
use crate::wire::batch::Batch;

impl Requests {
    /// Waits for the answer to the request of this number, or of the lock-step one under way.
    pub(crate) fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        wanted: Option<Number>,
    ) -> Poll<Answer> {
        let mut due = Due::default();
        loop {
            let mut state = self.state.lock();
            // Also where the end of the socket has ended the exchange.
            if self.turns.is_closed() {
                return Poll::Ready(Answer::Closed);
            }
            // The reply to a `request` of another task is not for a `recv` to take.
            let Some(number) = wanted.or_else(|| state.exchanges.lock_step()) else {
                return Poll::Ready(Answer::OutOfTurn);
            };
            let Some(exchange) = state.exchanges.get_mut(number) else {
                return Poll::Ready(Answer::OutOfTurn);
            };
            exchange.waker = None;
            match &exchange.stage {
                &Stage::Asked(peer) => {
                    return if state.rules.correlate {
                        self.poll_numbered(cx, tickets, number, state, &mut due)
                    } else {
                        self.poll_reply(cx, tickets, number, peer, state, &mut due)
                    };
                }
                Stage::AskAgain(_) => {
                    ready!(self.ask_again(cx, tickets, number, &mut state, &mut due));
                }
                Stage::Answered(..) | Stage::Lost(..) => {
                    let exchange = state.exchanges.end(number);
                    self.ended(state);
                    // It may have been woken for a reply that is somebody else's.
                    self.inbox.leave(&mut tickets.reply);
                    return Poll::Ready(match exchange.map(|exchange| exchange.stage) {
                        Some(Stage::Answered(from, reply)) => Answer::Reply(from, reply),
                        Some(Stage::Lost(endpoint, reason)) => Answer::Lost(endpoint, reason),
                        _ => Answer::OutOfTurn,
                    });
                }
            }
        }
    }

    /// Reads the reply of the only peer that has been asked. That of a peer that has left since
    /// lies in the inbox before its departure is told, so the inbox is always looked at first.
    fn poll_reply(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        number: Number,
        peer: PeerId,
        mut guard: MutexGuard<'_, State>,
        due: &mut Due,
    ) -> Poll<Answer> {
        let state = &mut *guard;
        let has_numbered = state.has_numbered;
        let from_peer = |id, from: &Peer, batch: &mut Batch| {
            let message = batch.pop()?;
            if id == peer && !(has_numbered && is_numbered(&message)) {
                return Some((from.clone(), message));
            }
            state.dropped = state.dropped.saturating_add(1);
            due.lose(message);
            None
        };
        let inbox = &self.inbox;
        let next = ready!(inbox.poll_next_from(cx, &mut tickets.reply, from_peer));
        let Some((from, message)) = next else {
            return Poll::Ready(Answer::Closed);
        };
        Poll::Ready(match open_reply(&message) {
            None => {
                due.lose(message);
                self.malformed(peer, due)
            }
            Some(reply) => {
                state.exchanges.end(number);
                self.ended(guard);
                Answer::Reply(from, reply)
            }
        })
    }

    /// A peer breaks the rules: nothing else that it has said is believed, either.
    fn malformed(&self, peer: PeerId, due: &mut Due) -> Answer {
        self.inbox.forget_with(peer, due);
        Answer::Malformed(peer)
    }

    /// A peer has left. Its last words may have been replies: to everything that it was sent and
    /// that is not `queued`.
    pub(super) fn read_last_words(
        &self,
        state: &mut State,
        peer: PeerId,
        queued: &HashSet<Number>,
        due: &mut Due,
    ) {
        let State {
            rules,
            exchanges,
            dropped,
            ..
        } = state;
        self.inbox.drain(peer, |from, message| {
            let reply = if rules.correlate {
                match open_numbered(&message) {
                    Numbered::Reply(number, reply) => Some((number, reply)),
                    Numbered::Unnumbered | Numbered::Malformed => None,
                }
            } else {
                exchanges.first_with(peer).zip(open_reply(&message))
            };
            let answered = reply.is_some_and(|(number, reply)| {
                !queued.contains(&number) && exchanges.answer(number, peer, from, reply)
            });
            if !answered {
                *dropped = dropped.saturating_add(1);
                due.lose(message);
            }
        });
    }

    /// Reads replies until there is the one that is wanted, and hands the others to those who wait
    /// for them.
    fn poll_numbered(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        wanted: Number,
        mut guard: MutexGuard<'_, State>,
        due: &mut Due,
    ) -> Poll<Answer> {
        let state = &mut *guard;
        let lock_step = state.exchanges.lock_step();
        let (mut wakers, mut for_recv) = (Vec::new(), false);
        let sort = |peer, from: &Peer, batch: &mut Batch| {
            let message = batch.pop()?;
            match open_numbered(&message) {
                Numbered::Malformed => {
                    due.lose(message);
                    return Some(Err(peer));
                }
                Numbered::Reply(number, reply) if state.exchanges.is_asked(number, peer) => {
                    if number == wanted {
                        return Some(Ok((from.clone(), reply)));
                    }
                    let exchange = state.exchanges.get_mut(number)?;
                    exchange.stage = Stage::Answered(from.clone(), reply);
                    wakers.extend(exchange.waker.take());
                    for_recv |= lock_step == Some(number);
                }
                Numbered::Reply(..) | Numbered::Unnumbered => {
                    state.dropped = state.dropped.saturating_add(1);
                    due.lose(message);
                }
            }
            None
        };
        let found = self.inbox.poll_next_from(cx, &mut tickets.reply, sort);
        let answer = match found {
            Poll::Pending => {
                if let Some(exchange) = state.exchanges.get_mut(wanted) {
                    exchange.waker = Some(cx.waker().clone());
                }
                drop(guard);
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(Answer::Closed),
            Poll::Ready(Some(Err(peer))) => Poll::Ready(self.malformed(peer, due)),
            Poll::Ready(Some(Ok((from, reply)))) => {
                state.exchanges.end(wanted);
                self.ended(guard);
                Poll::Ready(Answer::Reply(from, reply))
            }
        };
        wakers.into_iter().for_each(Waker::wake);
        if for_recv {
            // Several may wait for it, and the last of them may give up.
            self.inbox.nudge();
        }
        answer
    }

    /// Sends a request that came back.
    fn ask_again(
        &self,
        cx: &mut Context<'_>,
        tickets: &mut Tickets,
        number: Number,
        state: &mut State,
        due: &mut Due,
    ) -> Poll<()> {
        // It does not read replies meanwhile: others might wait for them.
        self.inbox.leave(&mut tickets.reply);
        if !state.rules.correlate {
            // What lies in the inbox now is no answer to it, whoever gets it.
            self.discard_all(state, due);
        }
        let Some(exchange) = state.exchanges.get_mut(number) else {
            return Poll::Ready(());
        };
        let Stage::AskAgain(request) = &mut exchange.stage else {
            return Poll::Ready(());
        };
        match self.sender.poll_send(cx, &mut tickets.room, &[], request) {
            Poll::Ready(Sent::To(peer)) => {
                exchange.stage = Stage::Asked(peer);
                Poll::Ready(())
            }
            // The end of the socket, which the next look finds.
            Poll::Ready(Sent::Full | Sent::Closed) => Poll::Ready(()),
            Poll::Pending => {
                exchange.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
