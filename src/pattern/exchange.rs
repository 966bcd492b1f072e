//! The exchanges of a REQ that are open: which request went where, and what has become of it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::task::Waker;

use super::PeerId;
use super::envelope;
use crate::endpoint::Endpoint;
use crate::event::DisconnectReason;
use crate::message::Message;
use crate::peer_handle::Peer;

/// Names one exchange, so that whoever gives up gives up its own. With correlation it travels with
/// the request and comes back with the reply.
pub(crate) type Number = u32;

/// One request, from when it is sent until its reply is taken.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) stage: Stage,
    /// Who waits for the answer, should somebody else find it.
    pub(super) waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The request is in the pipe of this peer, or beyond it.
    Asked(PeerId),
    /// The peer left before any byte of the request was written: somebody else is to be asked. The
    /// request has its envelope.
    AskAgain(Message),
    /// Somebody who waits for another reply has found this one.
    Answered(Peer, Message),
    /// The reply will not come.
    Lost(Endpoint, DisconnectReason),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Exchanges {
    open: HashMap<Number, Exchange>,
    /// The one that was begun by `send` and is ended by `recv`.
    lock_step: Option<Number>,
    next: Number,
}

impl Default for Exchanges {
    fn default() -> Self {
        // A late reply to a program that was restarted is no reply to its successor: std seeds its
        // hash maps with random numbers, each anew.
        let random = RandomState::new().hash_one(());
        Self {
            open: HashMap::new(),
            lock_step: None,
            next: random as Number,
        }
    }
}

impl Exchanges {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) const fn lock_step(&self) -> Option<Number> {
        self.lock_step
    }

    /// The number of the next exchange: none that is open, also when they have all been used.
    pub(super) fn next_number(&self) -> Number {
        let mut number = self.next;
        while self.open.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        number
    }

    /// The request of this number has been sent. In lock-step it takes the place of the one
    /// before, which is given back.
    pub(super) fn begin(
        &mut self,
        number: Number,
        peer: PeerId,
        lock_step: bool,
    ) -> Option<Exchange> {
        self.next = number.wrapping_add(1);
        let before = lock_step.then(|| self.lock_step.replace(number)).flatten();
        let before = before.and_then(|before| self.open.remove(&before));
        let stage = Stage::Asked(peer);
        self.open.insert(number, Exchange { stage, waker: None });
        before
    }

    pub(super) fn end(&mut self, number: Number) -> Option<Exchange> {
        if self.lock_step == Some(number) {
            self.lock_step = None;
        }
        self.open.remove(&number)
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut Exchange> {
        self.open.get_mut(&number)
    }

    /// Whether this request was sent to this peer, and its reply is waited for.
    pub(super) fn is_asked(&self, number: Number, peer: PeerId) -> bool {
        self.open
            .get(&number)
            .is_some_and(|exchange| exchange.is_with(peer))
    }

    /// The exchange of a request that was sent to this peer: by the number in its `first` frame, or, where
    /// there is none, the only one that can be. (One with a number that came after all is of the time
    /// before the numbers ended, and nobody waits for its reply.)
    pub(super) fn of_request(&self, peer: PeerId, first: &[u8], numbered: bool) -> Option<Number> {
        if numbered {
            let number = envelope::number(first);
            return number.filter(|&number| self.is_asked(number, peer));
        }
        let is_plain = first.is_empty();
        self.first_with(peer).filter(|_| is_plain)
    }

    /// Any request that was sent to this peer and has no reply.
    pub(super) fn first_with(&self, peer: PeerId) -> Option<Number> {
        let mut open = self.open.iter();
        open.find(|(_, exchange)| exchange.is_with(peer))
            .map(|(&number, _)| number)
    }

    /// The reply has been found by somebody who does not wait for it; `false` when this peer has
    /// not been asked that.
    pub(super) fn answer(
        &mut self,
        number: Number,
        peer: PeerId,
        from: &Peer,
        reply: Message,
    ) -> bool {
        let exchange = self.open.get_mut(&number);
        match exchange.filter(|exchange| exchange.is_with(peer)) {
            Some(exchange) => {
                exchange.stage = Stage::Answered(from.clone(), reply);
                true
            }
            None => false,
        }
    }

    /// The requests that were sent to this peer and have no reply.
    pub(super) fn with_mut(&mut self, peer: PeerId) -> impl Iterator<Item = (Number, &mut Stage)> {
        self.open
            .iter_mut()
            .filter(move |(_, exchange)| exchange.is_with(peer))
            .map(|(&number, exchange)| (number, &mut exchange.stage))
    }
}

#[cfg(all(test, not(pipe_loom)))]
impl Exchanges {
    /// The next number to be given out.
    pub(super) const fn start_at(&mut self, next: Number) {
        self.next = next;
    }

    pub(super) fn peer_asked(&self, number: Number) -> Option<PeerId> {
        match self.open.get(&number)?.stage {
            Stage::Asked(peer) => Some(peer),
            _ => None,
        }
    }
}

impl Stage {
    /// The message that it holds.
    pub(super) fn into_message(self) -> Option<Message> {
        match self {
            Self::AskAgain(message) | Self::Answered(_, message) => Some(message),
            Self::Asked(_) | Self::Lost(..) => None,
        }
    }
}

impl Exchange {
    fn is_with(&self, peer: PeerId) -> bool {
        matches!(self.stage, Stage::Asked(asked) if asked == peer)
    }
}
