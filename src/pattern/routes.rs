//! The law of ROUTER: every peer has a name, and a message goes to the peer that it names.
//!
//! RFC 28 "The ROUTER Socket Type": messages are fair-queued in and come with the name of their
//! peer; a message out goes to the peer of that name and to nobody else. A peer is called what it
//! calls itself, or what this side chose before it connected; whoever has no name is given one of
//! five bytes, the first of them zero.
//!
//! The names are those of the peers that can be addressed; what somebody sent who has left carries its
//! name along. The sender finds the pipe of a peer by its name and fills it with this law unlocked, so that nobody
//! who is woken by it meets a lock.
//!
//! Lock order: the fair queue and the names never meet; an outlet's gate, then its pipe or its line.

mod names;
mod place;

pub(crate) use place::Place;

use std::hash::{BuildHasher, RandomState};
use std::task::{Context, Poll};

use names::{Holder, Names};

use super::fair_queue::{FairQueue, Next, Passed};
use super::outlet::Outlet;
use super::relay::{Entrance, Turn};
use super::{Departure, Dropped, NameTaken, Pattern, PeerId};
use crate::identity::Identity;
use crate::message::Message;
use crate::options::Options;
use crate::peer_handle::Peer;
use crate::pipe::sync::{Arc, AtomicBool, AtomicUsize, Mutex, Ordering};
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{Pipe, PushError};
use crate::wire::batch::Batch;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Routes {
    inbox: Arc<FairQueue>,
    /// Whether a newcomer takes its name from the peer that holds it.
    handover: AtomicBool,
    /// Whether what cannot be sent is dropped.
    drop_unroutable: AtomicBool,
    state: Mutex<Names>,
    /// Messages that were dropped because nobody has the name.
    unroutable: AtomicUsize,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    ToPeer,
    /// The peer has no room for it.
    Full,
    /// Nobody has this name.
    Unroutable,
    Closed,
}

impl Routes {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        // Where the numbers begin says nothing about how many peers there have been.
        let seed = RandomState::new().hash_one(()) as u32;
        Arc::new(Self {
            inbox: Arc::default(),
            handover: AtomicBool::new(options.handover),
            drop_unroutable: AtomicBool::new(options.drop_unroutable),
            state: Mutex::new(Names {
                made_up: seed,
                ..Names::default()
            }),
            unroutable: AtomicUsize::new(0),
        })
    }

    /// Whether what cannot be sent is dropped instead of being given back.
    #[inline]
    pub(crate) fn drops_unroutable(&self) -> bool {
        self.drop_unroutable.load(Ordering::Relaxed)
    }

    /// Gives the message to the peer of this name.
    #[inline]
    pub(crate) fn try_send(&self, to: &Identity, message: &Message) -> Sent {
        match self.give(to.as_ref(), |outlet| outlet.push(message)) {
            Ok(()) => Sent::ToPeer,
            Err(sent) => sent,
        }
    }

    /// Has `put` give something to the peer of this name.
    #[inline]
    fn give<T>(
        &self,
        to: &[u8],
        mut put: impl FnMut(&Outlet) -> Result<T, PushError>,
    ) -> Result<T, Sent> {
        let outlet = self.find(to)?;
        match put(&outlet) {
            Ok(given) => Ok(given),
            Err(PushError::Full) => Err(Sent::Full),
            Err(PushError::Closed) => self.give_to_successors(outlet, to, put),
        }
    }

    /// The one who was found has left: perhaps because its name was handed over meanwhile.
    #[cold]
    fn give_to_successors<T>(
        &self,
        mut former: Arc<Outlet>,
        to: &[u8],
        mut put: impl FnMut(&Outlet) -> Result<T, PushError>,
    ) -> Result<T, Sent> {
        loop {
            let next = self.find(to)?;
            if Arc::ptr_eq(&next, &former) {
                // Its connection is ending: it will not be there any more in a moment.
                return Err(Sent::Unroutable);
            }
            match put(&next) {
                Ok(given) => return Ok(given),
                Err(PushError::Full) => return Err(Sent::Full),
                Err(PushError::Closed) => former = next,
            }
        }
    }

    /// As [`try_send`](Self::try_send), waiting in line in `place` while the peer has no room.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        to: &Identity,
        message: &Message,
    ) -> Poll<Sent> {
        if place.outlet.is_none() {
            match self.try_send(to, message) {
                Sent::Full => {}
                sent => return Poll::Ready(sent),
            }
        }
        self.poll_send_in_line(cx, place, to, message)
    }

    #[cold]
    fn poll_send_in_line(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        to: &Identity,
        message: &Message,
    ) -> Poll<Sent> {
        loop {
            let outlet = match self.find(to.as_ref()) {
                Ok(outlet) => outlet,
                Err(sent) => {
                    place.leave();
                    return Poll::Ready(sent);
                }
            };
            let ticket = place.stand_at(&outlet);
            match outlet.poll_push(cx, ticket, message) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(()))) => {
                    place.outlet = None;
                    return Poll::Ready(Sent::ToPeer);
                }
                Poll::Ready(Some(Err(PushError::Closed))) => {
                    place.outlet = None;
                    let push = |next: &Outlet| next.push(message);
                    match self.give_to_successors(outlet, to.as_ref(), push) {
                        Ok(()) => return Poll::Ready(Sent::ToPeer),
                        // There is a line, too.
                        Err(Sent::Full) => {}
                        Err(sent) => return Poll::Ready(sent),
                    }
                }
                // The name has another holder by now, or none. (Who meets a full pipe waits.)
                Poll::Ready(None | Some(Err(PushError::Full))) => {}
            }
        }
    }

    /// Gives messages as they stand to the peers that their first frames name; what names nobody, or
    /// somebody who has no room, is dropped.
    pub(crate) fn relay(&self, turn: &mut Turn<'_>, due: &mut Due) -> Passed {
        while let Some(message) = turn.next() {
            let Some((name, body)) = message.open() else {
                turn.dropped(&message);
                continue;
            };
            let sent = match self.give(name, |outlet| outlet.relay(&body, due)) {
                // Who has just been filled is given time before anything is dropped for him.
                Ok(has_room) => {
                    if !has_room {
                        turn.give_way();
                    }
                    Sent::ToPeer
                }
                Err(sent) => sent,
            };
            match sent {
                Sent::ToPeer => turn.moved(&message),
                Sent::Closed if turn.is_untouched() => return Passed::Closed,
                Sent::Closed => break,
                Sent::Full | Sent::Unroutable if self.drops_unroutable() => {
                    self.drop_for(name, due);
                    turn.moved(&message);
                }
                Sent::Full | Sent::Unroutable => turn.dropped(&message),
            }
        }
        Passed::On(turn.gone())
    }

    fn find(&self, to: &[u8]) -> Result<Arc<Outlet>, Sent> {
        let state = self.state.lock();
        match state.outlets.get(to) {
            Some(holder) => Ok(Arc::clone(&holder.outlet)),
            None if state.closed => Err(Sent::Closed),
            None => Err(Sent::Unroutable),
        }
    }

    /// A message that nobody gets, or that a full peer does not get. What this calls for is added to `due`.
    pub(crate) fn drop_for(&self, to: &[u8], due: &mut Due) {
        match self.find(to) {
            Ok(outlet) if !outlet.is_closed() => outlet.count_dropped(due),
            _ => {
                self.unroutable.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The next message, and who sent it.
    pub(crate) fn try_next(&self) -> Next<(Identity, Message)> {
        self.inbox.try_next_from(read)
    }

    /// As [`try_next`](Self::try_next), waiting in line with `ticket` while there is none; `None`
    /// when the socket is closed.
    #[inline]
    pub(crate) fn poll_next(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<(Identity, Message)>> {
        self.inbox.poll_next_from(cx, ticket, read)
    }

    /// As [`try_next`](Self::try_next), with all that is known of the sender.
    pub(crate) fn try_next_from(&self) -> Next<(Peer, Message)> {
        self.inbox.try_next_from(read_from)
    }

    /// Whoever was told to wait just now does so on a thread of its own, or not.
    pub(crate) fn note_apart(&self, apart: bool) {
        self.inbox.note_apart(apart);
    }

    /// As [`poll_next`](Self::poll_next), with all that is known of the sender.
    pub(crate) fn poll_next_from(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<(Peer, Message)>> {
        self.inbox.poll_next_from(cx, ticket, read_from)
    }

    /// Where messages can be taken as they stand, behind the names of their peers.
    pub(crate) fn entrance(&self) -> Entrance<'_> {
        Entrance {
            queue: &self.inbox,
            interest: None,
            named: true,
        }
    }

    /// Gives up waiting for a message.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.inbox.leave(ticket);
    }
}

/// The next message, with the name of its peer.
#[inline]
fn read(_: PeerId, peer: &Peer, batch: &mut Batch) -> Option<(Identity, Message)> {
    let message = batch.pop()?;
    Some((peer.known_as()?.clone(), message))
}

/// The next message, with its peer.
fn read_from(_: PeerId, peer: &Peer, batch: &mut Batch) -> Option<(Peer, Message)> {
    batch.pop().map(|message| (peer.clone(), message))
}

#[cfg(all(test, not(pipe_loom)))]
impl Routes {
    /// How many can be addressed, and how many have a name.
    pub(super) fn names(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.outlets.len(), state.names.len())
    }
}

impl Pattern for Routes {
    fn adopt(&self, options: &Options) {
        self.handover.store(options.handover, Ordering::Relaxed);
        let drops = options.drop_unroutable;
        self.drop_unroutable.store(drops, Ordering::Relaxed);
    }

    /// RFC 28: the peer's own name if it has one that is free, else one that is made up.
    fn welcome(
        &self,
        id: PeerId,
        peer: &Peer,
        pipe: &Arc<Pipe>,
    ) -> Result<Option<PeerId>, NameTaken> {
        let mut state = self.state.lock();
        // Whoever connects to a peer of its choice has named it already.
        if let Some(name) = state.name_of(id) {
            peer.name(name.clone());
            return Ok(None);
        }
        if state.closed {
            return Ok(None);
        }
        let claimed = peer.claims().identity().clone();
        let name = match Identity::of_peer(claimed) {
            Ok(name) => name,
            Err(_) => state.make_up(),
        };
        // Its endpoint has been taken away, and it only gets what is left: nothing can be sent to it, and
        // it takes no name from anybody who can be.
        if pipe.is_closed() {
            drop(state);
            peer.name(name);
            return Ok(None);
        }
        let displaced = match state.holder(&name) {
            Some(holder) if !self.handover.load(Ordering::Relaxed) || !holder.yields_to(peer) => {
                let owner = holder.owner.as_ref();
                let holder = owner.map(|owner| owner.address().clone());
                return Err(NameTaken { name, holder });
            }
            holder => holder.map(|holder| holder.id),
        };
        let former = state.give(name.clone(), id, pipe, Some(peer.clone()));
        drop(state);
        peer.name(name);
        Holder::dismiss(former);
        Ok(displaced)
    }

    fn reserve_name(&self, id: PeerId, name: &Identity, pipe: &Arc<Pipe>) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return true;
        }
        if state.holder(name).is_some() {
            return false;
        }
        let former = state.give(name.clone(), id, pipe, None);
        drop(state);
        Holder::dismiss(former);
        true
    }

    #[cfg(any(test, feature = "inproc"))]
    fn has_name(&self, name: &Identity) -> bool {
        self.state.lock().holder(name).is_some()
    }

    fn dropped(&self) -> Dropped {
        Dropped {
            unroutable: self.unroutable.load(Ordering::Relaxed) as u64,
            ..Dropped::default()
        }
    }

    /// It has been given its outlet with its name.
    fn attach_outbound(&self, _: PeerId, _: &Arc<Pipe>) {}

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        let dropped = self.inbox.sweep(id);
        let former = {
            let mut state = self.state.lock();
            // A peer that this side has named keeps its name until it is disconnected; that of another
            // may have gone to a third.
            match state.name_of(id).cloned() {
                Some(name) if !departure.keeps_outbound => {
                    state.names.remove(&id);
                    state.outlets.remove(&name)
                }
                _ => None,
            }
        };
        Holder::dismiss(former);
        dropped + departure.unwritten_messages()
    }

    fn forget(&self, id: PeerId) {
        self.inbox.forget(id);
    }

    fn close(&self) -> usize {
        self.inbox.close();
        let outlets = {
            let mut state = self.state.lock();
            state.closed = true;
            state.names.clear();
            std::mem::take(&mut state.outlets)
        };
        for holder in outlets.into_values() {
            Holder::dismiss(Some(holder));
        }
        0
    }
}
