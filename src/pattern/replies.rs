//! The law of REP: every request knows its way home.
//!
//! RFC 28 "The REP Socket Type": requests are fair-queued, the envelope is kept and put in front of
//! the reply, which goes to the peer that asked and to nobody else. Sending never waits: a peer
//! that does not read its replies loses them.

use std::collections::HashMap;
use std::task::{Context, Poll, ready};

use super::envelope::{Envelope, open_request};
use super::fair_queue::{FairQueue, Next};
use super::{Departure, Dropped, Pattern, PeerId};
use crate::message::Message;
use crate::peer_handle::Peer;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{Pipe, PushError};
use crate::wire::batch::Batch;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Replies {
    inbox: Arc<FairQueue>,
    peers: Mutex<HashMap<PeerId, Arc<Pipe>>>,
    /// What was dropped when its peer, whose pipe counts such things, had left.
    dropped: Mutex<Dropped>,
}

/// The way home of one request.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Who asked.
    peer: Peer,
    /// None when the peer had left before its request was read.
    pipe: Option<Arc<Pipe>>,
    envelope: Envelope,
}

impl Route {
    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Sends a reply home; full or closed gives it up. The pipe counts what it has no room for.
    pub(crate) fn reply(&self, message: &Message) -> Result<(), PushError> {
        let pipe = self.pipe.as_ref().ok_or(PushError::Closed)?;
        let pushed = pipe.push(self.envelope.as_bytes(), message);
        if matches!(pushed, Err(PushError::Full)) {
            pipe.overflow(&mut Due::default());
        }
        pushed
    }
}

/// What a look for requests gives.
#[derive(Debug)]
pub(crate) enum Asked {
    Request(Route, Message),
    Empty,
    Closed,
}

impl Replies {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The next request; what has no delimiter or no body is no request and is dropped.
    pub(crate) fn try_next(&self) -> Asked {
        loop {
            match self.inbox.try_next_from(whole) {
                Next::Message((id, peer, message)) => {
                    if let Some((route, body)) = self.open(id, peer, message) {
                        return Asked::Request(route, body);
                    }
                }
                Next::Empty => return Asked::Empty,
                Next::Closed => return Asked::Closed,
            }
        }
    }

    /// As [`try_next`](Self::try_next), waiting in line with `ticket` while there is none.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>, ticket: &mut Ticket) -> Poll<Asked> {
        loop {
            let Some((id, peer, message)) = ready!(self.inbox.poll_next_from(cx, ticket, whole))
            else {
                return Poll::Ready(Asked::Closed);
            };
            if let Some((route, body)) = self.open(id, peer, message) {
                return Poll::Ready(Asked::Request(route, body));
            }
        }
    }

    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.inbox.leave(ticket);
    }

    /// As [`Route::reply`] for a reply that nobody gets back: what does not go home is counted also
    /// where the peer has left.
    pub(crate) fn reply_or_drop(&self, route: &Route, message: &Message) {
        if matches!(route.reply(message), Err(PushError::Closed)) {
            self.dropped.lock().departed += 1;
        }
    }

    fn open(&self, id: PeerId, peer: Peer, message: Message) -> Option<(Route, Message)> {
        let pipe = self.peers.lock().get(&id).cloned();
        let opened = open_request(message);
        match (&opened, &pipe) {
            (Some(_), _) => {}
            (None, Some(pipe)) => pipe.count_unusable(1),
            (None, None) => self.dropped.lock().unusable += 1,
        }
        opened.map(|(envelope, body)| {
            let route = Route {
                peer,
                pipe,
                envelope,
            };
            (route, body)
        })
    }
}

/// A message with its peer.
fn whole(id: PeerId, peer: &Peer, batch: &mut Batch) -> Option<(PeerId, Peer, Message)> {
    batch.pop().map(|message| (id, peer.clone(), message))
}

impl Pattern for Replies {
    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.peers.lock().insert(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        self.peers.lock().remove(&id);
        self.inbox.sweep(id) + departure.unwritten_messages()
    }

    fn forget(&self, id: PeerId) {
        self.inbox.forget(id);
    }

    fn dropped(&self) -> Dropped {
        *self.dropped.lock()
    }

    fn close(&self) -> usize {
        self.inbox.close();
        self.peers.lock().clear();
        0
    }
}
