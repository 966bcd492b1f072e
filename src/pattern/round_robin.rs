//! Round robin: each message goes to the next peer that has room for it.
//!
//! RFC 30 "The PUSH Socket Type", RFC 28 for REQ. A peer whose pipe is full leaves the round until
//! half of the pipe has drained. When no peer has room, senders wait in line.

mod peer;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::PeerId;
use super::fair_queue::Passed;
use super::line::Line;
use super::relay::Turn;
use super::slots::Slots;
use crate::message::Message;
use crate::pipe::feed::Feed;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::{Due, Listener, Signal, Ticket, Token, Wake};
use crate::pipe::{Pipe, PushError};
use crate::wire::batch::{Batch, Extent};
use peer::Peer;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    state: Mutex<State>,
    line: Line,
}

#[derive(Debug, Default)]
struct State {
    peers: Slots<Peer>,
    /// Peers that may have room, the next to be served in front.
    round: VecDeque<Token>,
    /// Messages whose peer went away before any byte of them was written; they go first.
    orphans: VecDeque<Batch>,
    /// Whether the line knows that orphans wait for the next peer with room.
    homeless: bool,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    To(PeerId),
    /// No peer has room, or there is none.
    Full,
    Closed,
}

impl RoundRobin {
    /// Takes part in the round from now on.
    pub(crate) fn attach(self: &Arc<Self>, id: PeerId, pipe: Arc<Pipe>) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        if self.line.is_closed() {
            return;
        }
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        let token = state
            .peers
            .insert_with(|token| Peer::new(id, Feed::new(pipe, listener, token)));
        state.round.push_back(token);
        state.rehome(&self.line, &mut due);
        drop(state);
        self.line.wake_one();
    }

    /// A peer is gone. Its whole messages of which no byte was written go to other peers, now or
    /// as soon as there are some; returned is how many are lost because the socket is closed.
    pub(crate) fn detach(&self, id: PeerId, unwritten: Vec<Batch>) -> usize {
        let mut due = Due::default();
        let mut state = self.state.lock();
        if self.line.is_closed() {
            return unwritten.iter().map(Batch::messages).sum();
        }
        state
            .orphans
            .extend(unwritten.into_iter().filter(|batch| !batch.is_empty()));
        // It has signalled its end, and it may be long until somebody sends.
        state.collect(&self.line, &mut due);
        if let Some(token) = state.peers.find(|peer| peer.id == id) {
            state.remove(token);
        }
        state.rehome(&self.line, &mut due);
        0
    }

    /// A peer is gone, and what was meant for it is for nobody else. Returns how many messages are
    /// lost that its pipe had not been given.
    pub(crate) fn discard(&self, id: PeerId) -> usize {
        let mut due = Due::default();
        let mut state = self.state.lock();
        // It has signalled its end, and it may be long until somebody sends.
        state.collect(&self.line, &mut due);
        let Some(token) = state.peers.find(|peer| peer.id == id) else {
            return 0;
        };
        state.round.retain(|&other| other != token);
        let staged = state
            .peers
            .remove(token)
            .map(|peer| peer.feed.into_staged());
        let staged = staged.unwrap_or_default();
        let lost = staged.messages();
        due.lose(staged);
        lost
    }

    /// Gives the message to the next peer that has room, behind `envelope`. Nothing of use is left of a
    /// message that has been accepted; any other stays as it is.
    #[inline]
    pub(crate) fn try_send(&self, envelope: &[u8], message: &mut Message) -> Sent {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.send(&self.line, envelope, message, &mut due)
    }

    /// As [`try_send`](Self::try_send), waiting in line with `ticket` while no peer has room.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        envelope: &[u8],
        message: &mut Message,
    ) -> Poll<Sent> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        loop {
            let sent = state.send(&self.line, envelope, message, &mut due);
            if sent != Sent::Full {
                self.line.served(ticket, !state.round.is_empty());
                return Poll::Ready(sent);
            }
            if self.line.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
    }

    /// Gives messages as they stand to the next peers that have room, waiting in line with `ticket`
    /// while there is none for the first of them.
    pub(crate) fn poll_relay(
        &self,
        cx: &Context<'_>,
        ticket: &mut Ticket,
        turn: &mut Turn<'_>,
        due: &mut Due,
    ) -> Passed {
        let mut state = self.state.lock();
        loop {
            if self.line.is_closed() {
                return Passed::Closed;
            }
            let blocked = state.relay(&self.line, turn, due);
            if !blocked || !turn.is_untouched() {
                self.line.served(ticket, !state.round.is_empty());
                return Passed::On(turn.gone());
            }
            if self.line.wait(cx, ticket) {
                return Passed::Blocked;
            }
        }
    }

    /// As [`poll_relay`](Self::poll_relay), without waiting.
    pub(crate) fn relay_now(&self, turn: &mut Turn<'_>, due: &mut Due) {
        let mut state = self.state.lock();
        if !self.line.is_closed() {
            state.relay(&self.line, turn, due);
        }
    }

    /// Promises a place with the next peer that has room; `None` when the socket is closed.
    pub(crate) fn poll_reserve(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<Reserved>> {
        let mut due = Due::default();
        let mut state = self.state.lock();
        loop {
            if self.line.is_closed() {
                return Poll::Ready(None);
            }
            state.collect(&self.line, &mut due);
            let mut place = None;
            let served = state.serve(&mut due, |feed, due| {
                feed.reserve(due)?;
                place = Some(Reserved(Some(Arc::clone(feed.pipe()))));
                Ok(())
            });
            if served.is_some() {
                self.line.served(ticket, !state.round.is_empty());
                return Poll::Ready(place);
            }
            if self.line.wait(cx, ticket) {
                return Poll::Pending;
            }
        }
    }

    /// Fills a promised place. When its peer is gone meanwhile, the message goes to another one; `false`
    /// when the socket is closed, and the message goes to nobody.
    pub(crate) fn send_reserved(&self, place: Reserved, message: &mut Message) -> bool {
        let Some(pipe) = &place.0 else { return false };
        // Unlocked before `place` is dropped: giving it back may signal to this pattern.
        let mut due = Due::default();
        let mut state = self.state.lock();
        if self.line.is_closed() {
            return false;
        }
        let token = state.peers.find(|peer| Arc::ptr_eq(peer.feed.pipe(), pipe));
        if let Some(peer) = token.and_then(|token| state.peers.get_mut(token)) {
            peer.feed.push_reserved(&[], message, &mut due);
            return true;
        }
        let mut orphan = Batch::default();
        orphan.push_all_of(&[], message, 0);
        state.orphans.push_back(orphan);
        state.rehome(&self.line, &mut due);
        true
    }

    /// Looks at the first frame of everything that was sent to this peer and has not been taken for writing, in
    /// order, and takes back what is not `wanted`. What this calls for is added to `due`.
    pub(crate) fn retain(&self, id: PeerId, wanted: impl FnMut(&[u8]) -> bool, due: &mut Due) {
        let mut state = self.state.lock();
        let token = state.peers.find(|peer| peer.id == id);
        if let Some(peer) = token.and_then(|token| state.peers.get_mut(token)) {
            peer.sift(due);
            peer.feed.retain(wanted, due);
        }
    }

    /// The messages to this peer that begin with this frame are not to be sent any more, unless they have been
    /// taken for writing. What this calls for is added to `due`.
    pub(crate) fn withdraw(self: &Arc<Self>, id: PeerId, first: &[u8], due: &mut Due) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(token) = state.peers.find(|peer| peer.id == id) else {
            return;
        };
        let Some(peer) = state.peers.get_mut(token) else {
            return;
        };
        if !peer.withdraw(first) {
            return;
        }
        peer.sift(due);
        if !peer.in_round {
            peer.in_round = true;
            state.round.push_back(token);
            let listener = Arc::clone(self) as Arc<dyn Listener>;
            due.add(Some(Wake::Listener(listener, token, Signal::Writable)));
        }
    }

    /// Takes back what was sent to this peer and has not been taken for writing.
    pub(crate) fn take_back(&self, id: PeerId, due: &mut Due) -> Vec<Batch> {
        let mut state = self.state.lock();
        let token = state.peers.find(|peer| peer.id == id);
        match token.and_then(|token| state.peers.get_mut(token)) {
            Some(peer) => {
                peer.sift(due);
                peer.feed.take_back()
            }
            None => Vec::new(),
        }
    }

    /// Gives up waiting; a wake-up that had come goes to the next in line.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.line.leave(ticket);
    }

    /// Ends the round: every waiter wakes and finds it closed. Returns how many messages had no
    /// peer to go to.
    pub(crate) fn close(&self) -> usize {
        self.line.close();
        let mut due = Due::default();
        let mut state = self.state.lock();
        for token in state.peers.tokens() {
            // What is staged is still to be written; what the pipe of a dead peer would not take
            // has nobody to go to.
            if let Some(peer) = state.peers.get_mut(token) {
                peer.feed.hand_over(&mut due);
                peer.sift(&mut due);
            }
            state.remove(token);
        }
        let mut unsent = 0;
        for orphans in state.orphans.drain(..) {
            unsent += orphans.messages();
            due.lose(orphans);
        }
        unsent
    }
}

/// A place that a pipe keeps free for one message; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Reserved(Option<Arc<Pipe>>);

#[cfg(test)]
impl RoundRobin {
    /// How many messages wait for a peer to go to.
    pub(super) fn orphans(&self) -> usize {
        let state = self.state.lock();
        state.orphans.iter().map(Batch::messages).sum()
    }
}

#[cfg(all(test, not(pipe_loom)))]
impl Reserved {
    pub(super) fn is_at(&self, pipe: &Arc<Pipe>) -> bool {
        self.0
            .as_ref()
            .is_some_and(|place| Arc::ptr_eq(place, pipe))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(pipe) = self.0.take() {
            pipe.unreserve();
        }
    }
}

impl Listener for RoundRobin {
    /// Lock order: this may come from a receiving pattern of the same process that is locked, and
    /// locks this one. Sending wakes a receiving pattern's line, but never locks the pattern.
    fn signal(&self, token: Token, signal: Signal) {
        let mut due = Due::default();
        match signal {
            Signal::Wanted => {
                if let Some(peer) = self.state.lock().peers.get_mut(token) {
                    peer.feed.hand_over(&mut due);
                    peer.sift(&mut due);
                }
            }
            Signal::Readable | Signal::Writable | Signal::Refitted => {
                if self.line.signal(token) {
                    self.state.lock().collect(&self.line, &mut due);
                }
            }
        }
    }
}

impl State {
    /// Takes peers that signalled back into the round.
    #[inline]
    fn collect(&mut self, line: &Line, due: &mut Due) {
        let mut returned = false;
        line.collect(|token| {
            if let Some(peer) = self.peers.get_mut(token) {
                // The signal may be that of its end.
                peer.feed.distrust();
                if !peer.in_round {
                    peer.in_round = true;
                    self.round.push_back(token);
                    returned = true;
                }
            }
        });
        if returned {
            self.rehome(line, due);
        }
    }

    #[inline]
    fn send(&mut self, line: &Line, envelope: &[u8], message: &mut Message, due: &mut Due) -> Sent {
        if line.is_closed() {
            return Sent::Closed;
        }
        self.collect(line, due);
        match self.serve(due, |feed, due| feed.push(envelope, message, due)) {
            Some(id) => Sent::To(id),
            None => Sent::Full,
        }
    }

    /// Hands messages out as they stand; `true` when some are left because nobody has room. A peer that is
    /// alone in the round gets them by the run.
    fn relay(&mut self, line: &Line, turn: &mut Turn<'_>, due: &mut Due) -> bool {
        self.collect(line, due);
        while turn.has_next() {
            let is_alone = self.round.len() == 1;
            let mut passed = false;
            let served = self.serve(due, |feed, due| {
                let room = feed.room(due)?;
                let most = if is_alone { room.messages } else { 1 };
                if let Some(run) = turn.next_run(most, room.bytes) {
                    feed.relay(&run, due);
                    turn.moved(&run);
                    passed = true;
                }
                Ok(())
            });
            if served.is_none() {
                return true;
            }
            if !passed {
                return false;
            }
        }
        false
    }

    /// Offers the pipes of the round, in turn, until one accepts.
    #[inline]
    fn serve(
        &mut self,
        due: &mut Due,
        mut offer: impl FnMut(&mut Feed, &mut Due) -> Result<(), PushError>,
    ) -> Option<PeerId> {
        while let Some(&token) = self.round.front() {
            let Some(peer) = self.peers.get_mut(token) else {
                self.round.pop_front();
                continue;
            };
            match offer(&mut peer.feed, due) {
                Ok(()) => {
                    let served = peer.id;
                    if self.round.len() > 1 {
                        self.round.rotate_left(1);
                    }
                    return Some(served);
                }
                // Of what nobody wants any more.
                Err(PushError::Full) if peer.sift(due) => {}
                // The pipe has noted that it owes a signal.
                Err(PushError::Full) => {
                    peer.in_round = false;
                    self.round.pop_front();
                }
                // Its connection is ending; what it held comes back with `detach`.
                Err(PushError::Closed) => {
                    peer.in_round = false;
                    self.round.pop_front();
                }
            }
        }
        None
    }

    /// Forgets a peer; what it had not handed over to its pipe is an orphan.
    fn remove(&mut self, token: Token) {
        self.round.retain(|&other| other != token);
        if let Some(peer) = self.peers.remove(token) {
            let staged = peer.feed.into_staged();
            if !staged.is_empty() {
                self.orphans.push_back(staged);
            }
        }
    }

    /// Hands orphans to peers that have room. Those that are left go to the next peer that
    /// signals, whether or not anybody sends.
    fn rehome(&mut self, line: &Line, due: &mut Due) {
        self.hand_out(due);
        let homeless = !self.orphans.is_empty();
        if homeless != self.homeless {
            self.homeless = homeless;
            line.set_urgent(homeless);
            if homeless {
                // Somebody may have signalled just before.
                self.collect(line, due);
            }
        }
    }

    fn hand_out(&mut self, due: &mut Due) {
        let mut bodies = Vec::new();
        while let Some(mut orphans) = self.orphans.pop_front() {
            while let Some(next) = orphans.encoded(Extent::default(), 1, usize::MAX) {
                let served = self.serve(due, |feed, due| {
                    feed.room(due)?;
                    feed.relay(&next, due);
                    Ok(())
                });
                if served.is_none() {
                    self.orphans.push_front(orphans);
                    return due.lose(bodies);
                }
                let extent = next.extent();
                orphans.consume(extent, &mut bodies);
            }
        }
        due.lose(bodies);
    }
}
