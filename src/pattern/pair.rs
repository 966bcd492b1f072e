//! The law of PAIR: one peer at a time. RFC 31 "The PAIR Socket Type".
//!
//! There is one seat. A newcomer takes it when its handshake is complete; a connecting end that
//! queues ahead takes it at once and keeps it over lost connections, until it is disconnected.
//! Whoever finds it taken is turned away; further connecting ends wait in line. What a peer had sent
//! before it left is read before anything from its successor; what was meant for it goes to
//! nobody else.

use std::collections::VecDeque;

use super::fair_queue::FairQueue;
use super::round_robin::RoundRobin;
use super::{Departure, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, Mutex};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Pair {
    sender: Arc<RoundRobin>,
    inbox: Arc<FairQueue>,
    seat: Mutex<Seat>,
}

#[derive(Debug, Default)]
struct Seat {
    holder: Option<PeerId>,
    /// Connecting ends, with their queues, in the order in which they will have the seat.
    line: VecDeque<(PeerId, Arc<Pipe>)>,
}

impl Pair {
    /// `inbox` reads its peers [in sequence](FairQueue::in_sequence).
    pub(crate) fn new(sender: Arc<RoundRobin>, inbox: Arc<FairQueue>) -> Self {
        Self {
            sender,
            inbox,
            seat: Mutex::new(Seat::default()),
        }
    }
}

impl Pattern for Pair {
    fn queues_ahead(&self) -> bool {
        true
    }

    fn has_seat(&self, standing: Option<PeerId>) -> bool {
        let holder = self.seat.lock().holder;
        holder.is_none() || holder == standing
    }

    fn take_seat(&self, id: PeerId) -> bool {
        *self.seat.lock().holder.get_or_insert(id) == id
    }

    fn give_up_seat(&self, id: PeerId) -> bool {
        let mut seat = self.seat.lock();
        seat.line.retain(|(waiting, _)| *waiting != id);
        if seat.holder != Some(id) {
            return false;
        }
        let next = seat.line.pop_front();
        seat.holder = next.as_ref().map(|(id, _)| *id);
        if let Some((id, pipe)) = next {
            self.sender.attach(id, pipe);
        }
        true
    }

    /// Of a peer that has the seat, or of a connecting end that would like to.
    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        let mut seat = self.seat.lock();
        if *seat.holder.get_or_insert(id) == id {
            self.sender.attach(id, Arc::clone(pipe));
        } else {
            seat.line.push_back((id, Arc::clone(pipe)));
        }
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        let unread = self.inbox.sweep(id);
        if departure.keeps_outbound {
            return unread;
        }
        unread + departure.unwritten_messages() + self.sender.discard(id)
    }

    #[cfg(feature = "inproc")]
    fn keep_rest(&self, id: PeerId) {
        self.inbox.keep_rest(id);
    }

    fn forget(&self, id: PeerId) {
        self.inbox.forget(id);
    }

    fn close(&self) -> usize {
        self.inbox.close();
        self.seat.lock().line.clear();
        self.sender.close()
    }
}
