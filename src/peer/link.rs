//! Two sockets of one process, joined by a pair of pipes. No task, no bytes, no handshake.
//!
//! What a connection over the network does by ending, a link does by [`LinkEnd::hang_up`]: the
//! other side keeps what it has been sent, is told of the departure, and a connecting side goes
//! back to waiting for somebody to bind the name.

mod caller;
mod holders;

pub(crate) use caller::Caller;

use std::sync::Weak;

use holders::{Holders, Left};

use super::{Hub, Newcomer, Pipes};
use crate::endpoint::{Endpoint, PeerAddress};
use crate::event::{DisconnectReason, Event};
use crate::fault::{Incompatible, PeerFault, ProtocolError};
use crate::identity::Identity;
use crate::message::Message;
use crate::options::Capacity;
use crate::pattern::{Departure, PeerId};
use crate::peer_handle::{Claims, Peer, Standpoint};
use crate::pipe::sync::{Arc, Mutex, Ordering};
use crate::pipe::{CloseReason, Pipe};
use crate::security::access::Authorised;
use crate::socket_type::SocketType;
use crate::transport::inproc::Namespace;
use crate::wire::batch::Batch;

/// The names of one context.
pub(crate) type Names = Namespace<Bound, Arc<Caller>>;

/// Bodies longer than this pass from socket to socket without a copy.
const SHARE_ABOVE: usize = 2048;

/// A socket that is bound to a name.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) hub: Weak<dyn Hub>,
    pub(crate) endpoint: Endpoint,
    /// Tells one bind from the next, also of the same socket.
    which: Arc<()>,
}

impl Bound {
    pub(crate) fn new(hub: &Arc<dyn Hub>, endpoint: Endpoint) -> Self {
        Self {
            hub: Arc::downgrade(hub),
            endpoint,
            which: Arc::new(()),
        }
    }

    /// Frees the name, unless it has another holder by now.
    pub(crate) fn give_up(&self, names: &Names) {
        if let Endpoint::Inproc(inproc) = &self.endpoint {
            names.unbind(inproc.name(), |holder| holder.is(self));
        }
    }

    /// Whether this is the same bind.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.which, &other.which)
    }
}

/// A pipe between two sockets of one process.
pub(crate) fn inproc_pipe(capacity: Capacity) -> Arc<Pipe> {
    Pipe::new(capacity, SHARE_ABOVE)
}

fn put_probe(pipe: &Pipe) {
    let mut probe = Batch::default();
    probe.push(&[], &Message::from(""), 0);
    pipe.put_first(probe);
}

/// Joins whoever has been waiting the longest, for as long as a bound socket has a place.
pub(crate) fn invite(bound: &Bound, names: &Names) {
    let Endpoint::Inproc(inproc) = &bound.endpoint else {
        return;
    };
    while bound.hub.upgrade().is_some_and(|hub| hub.has_seat(None)) {
        let Some(caller) = names.next(inproc.name()) else {
            return;
        };
        join(bound, &caller);
    }
}

/// Gives a bound and a connecting socket the ends of two pipes.
pub(crate) fn join(bound: &Bound, caller: &Arc<Caller>) {
    let Some(client) = caller.hub.upgrade() else {
        return;
    };
    let Some(server) = bound.hub.upgrade() else {
        return call_another(bound, caller);
    };
    let (theirs, ours) = (server.socket_type(), client.socket_type());
    if !ours.can_talk_to(theirs) {
        mismatch(&*client, &caller.endpoint, mismatched(ours, theirs));
        mismatch(&*server, &bound.endpoint, mismatched(theirs, ours));
        // Nobody will come for what is queued.
        return caller.cancel();
    }
    if !client.has_seat(caller.standing_id()) {
        turn_away(&*client, &caller.endpoint, DisconnectReason::Occupied);
        return caller.wait_for_own_seat(&*client);
    }
    let (to_server, to_client) = bounds(&*client, &*server);
    let up = match &caller.standing {
        Some(standing) => {
            standing.outbound.set_capacity(to_server);
            Arc::clone(&standing.outbound)
        }
        None => inproc_pipe(to_server),
    };
    let down = inproc_pipe(to_client);
    // Before anybody has an end of them.
    if client.options().probe {
        caller.probe(&up);
    }
    if server.options().probe {
        put_probe(&down);
    }
    let link = Arc::new(Link {
        client: Side {
            hub: caller.hub.clone(),
            id: caller
                .standing_id()
                .unwrap_or_else(|| client.next_peer_id()),
            outbound: Arc::clone(&up),
        },
        server: Side {
            hub: bound.hub.clone(),
            id: server.next_peer_id(),
            outbound: Arc::clone(&down),
        },
        bound: bound.clone(),
        caller: Arc::clone(caller),
        holders: Holders::default(),
        over: Mutex::new(false),
    });
    let for_server = introduce(&*client, &bound.endpoint);
    let for_client = introduce(&*server, &caller.endpoint);
    // Nobody hangs up in between: whoever wants to waits for this lock, or leaves it to us.
    link.holders.enter();
    let over = link.over.lock();
    // The server first: what the client has queued, and its subscriptions, find it attached.
    let welcomed_by_server = server.admit(Newcomer {
        id: link.server.id,
        peer: for_server.clone(),
        pipes: Pipes {
            outbound: Arc::clone(&down),
            inbound: server.listens().then(|| Arc::clone(&up)),
        },
        standing: false,
        uninvited: false,
        link: Some(LinkEnd {
            link: Arc::clone(&link),
            is_client: false,
        }),
    });
    let displaced = match welcomed_by_server {
        Ok(admitted) => admitted.displaced,
        Err(reason) => {
            drop(over);
            return turned_away_by_server(bound, caller, &*client, &*server, reason);
        }
    };
    caller.probes.store(false, Ordering::Relaxed);
    let welcomed_by_client = client.admit(Newcomer {
        id: link.client.id,
        peer: for_client.clone(),
        pipes: Pipes {
            outbound: up,
            inbound: client.listens().then_some(down),
        },
        standing: caller.standing.is_some(),
        uninvited: false,
        link: Some(LinkEnd {
            link: Arc::clone(&link),
            is_client: true,
        }),
    });
    server.tell(Event::Ready { peer: for_server });
    if welcomed_by_client.is_ok() {
        client.tell(Event::Ready { peer: for_client });
    }
    drop(over);
    let id = link.client.id;
    let end = LinkEnd {
        link,
        is_client: true,
    };
    // Whoever changes marks does not see a link that is just being made.
    end.fit();
    if let Some(other) = displaced {
        server.displace(other);
    }
    let refusal = match welcomed_by_client {
        Ok(admitted) => {
            if let Some(other) = admitted.displaced {
                client.displace(other);
            }
            // Whoever disconnects does not see a link that is just being made.
            caller.is_over().then_some(DisconnectReason::Closed)
        }
        Err(reason) => {
            if !matches!(reason, DisconnectReason::Closed) {
                turn_away(&*client, &caller.endpoint, reason.clone());
            }
            Some(reason)
        }
    };
    if let Some(reason) = refusal {
        if matches!(reason, DisconnectReason::Closed) {
            // What is queued is with the server now. Whoever closes the client may be about to say that there
            // is no more, and until then it would not be the server's after the link.
            if let Some(standing) = &caller.standing {
                standing.outbound.close(CloseReason::Done);
            }
            caller.cancel();
        }
        let (stands, endpoint) = (caller.standing.is_some(), caller.endpoint.clone());
        let departure = Departure::with_nothing_left(stands, endpoint, reason.clone());
        end.hang_up(reason, || client.depart(id, departure));
    }
    end.let_go();
}

/// What the two directions may hold: from the connecting to the bound side, and back.
fn bounds(client: &dyn Hub, server: &dyn Hub) -> (Capacity, Capacity) {
    let (client, server) = (client.options(), server.options());
    (
        client.send.joined(server.recv),
        server.send.joined(client.recv),
    )
}

/// The bound socket is closing. It may not have given up its name yet; found by it again and again,
/// the caller would never get to wait for the next one.
fn call_another(bound: &Bound, caller: &Arc<Caller>) {
    bound.give_up(&caller.names);
    Arc::clone(caller).call();
}

/// A socket as its peer sees it through its own `endpoint`.
fn introduce(hub: &dyn Hub, endpoint: &Endpoint) -> Peer {
    let place = Standpoint {
        endpoint: endpoint.clone(),
        address: PeerAddress::Inproc,
        local_address: None,
    };
    let options = hub.options();
    let properties = options.metadata.as_slice().to_vec();
    let claims = Claims::new(options.identity.clone(), properties);
    Peer::new(
        place,
        hub.socket_type(),
        None,
        claims,
        Authorised::in_process(),
    )
}

/// What becomes of a caller that a bound socket would not have.
fn turned_away_by_server(
    bound: &Bound,
    caller: &Arc<Caller>,
    client: &dyn Hub,
    server: &dyn Hub,
    reason: DisconnectReason,
) {
    match reason {
        DisconnectReason::Closed => call_another(bound, caller),
        DisconnectReason::Occupied => {
            turn_away(server, &bound.endpoint, reason);
            turn_away(client, &caller.endpoint, DisconnectReason::PeerClosed);
            caller.wait_for_their_seat(bound);
        }
        reason => {
            turn_away(client, &caller.endpoint, reason.clone());
            turn_away(server, &bound.endpoint, reason.clone());
            if let DisconnectReason::IdentityTaken { identity, .. } = reason {
                server.call_later(identity, caller);
            }
        }
    }
}

fn mismatched(ours: SocketType, theirs: SocketType) -> Incompatible {
    Incompatible::SocketType {
        ours: ours.as_str(),
        theirs: theirs.to_string(),
    }
}

fn mismatch(hub: &dyn Hub, endpoint: &Endpoint, what: Incompatible) {
    let reason = DisconnectReason::Fault(PeerFault::Incompatible(what));
    turn_away(hub, endpoint, reason);
}

fn turn_away(hub: &dyn Hub, endpoint: &Endpoint, reason: DisconnectReason) {
    hub.tell(Event::HandshakeFailed {
        endpoint: endpoint.clone(),
        address: PeerAddress::Inproc,
        local_address: None,
        reason,
    });
}

/// Whether the next link would end likewise at once: subscriptions are state, and come with it. In a message they
/// do not.
fn comes_again(reason: &DisconnectReason, sides: [&Side; 2]) -> bool {
    let DisconnectReason::Fault(PeerFault::Protocol(fault)) = reason else {
        return false;
    };
    match fault {
        ProtocolError::TooManySubscriptions { .. } | ProtocolError::SubscriptionsTooLong { .. } => {
            true
        }
        ProtocolError::TopicTooLong { .. } => sides
            .iter()
            .any(|side| side.hub.upgrade().is_some_and(|hub| hub.wants_too_long())),
        _ => false,
    }
}

#[derive(Debug)]
struct Link {
    client: Side,
    server: Side,
    bound: Bound,
    caller: Arc<Caller>,
    holders: Holders,
    over: Mutex<bool>,
}

#[derive(Debug)]
struct Side {
    hub: Weak<dyn Hub>,
    id: PeerId,
    /// What this side sends into.
    outbound: Arc<Pipe>,
}

/// One side's hold on a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkEnd {
    link: Arc<Link>,
    is_client: bool,
}

impl LinkEnd {
    /// Ends the link from this side: the other side may still read what it was sent, and is told.
    /// What this side knows of the peer is cleared away by `depart`, which is not called when the
    /// other side has been quicker: that has done it then. Only afterwards may a new link begin,
    /// since a queue that outlives its connections keeps its name.
    pub(crate) fn hang_up(&self, reason: DisconnectReason, depart: impl FnOnce()) {
        let Link {
            client,
            server,
            bound,
            caller,
            ..
        } = &*self.link;
        // Whoever closes meanwhile only sees that the link is over. It still has to be told.
        let unfinished = [client, server].map(|side| Some(side.hub.upgrade()?.unfinished()));
        if std::mem::replace(&mut *self.link.over.lock(), true) {
            return;
        }
        let (mine, other) = if self.is_client {
            (client, server)
        } else {
            (server, client)
        };
        // Whose name is somebody else's would only be turned away again, or turn that one away.
        let calls_when_free = match &reason {
            DisconnectReason::IdentityTaken { identity, .. } => Some(identity.clone()),
            DisconnectReason::Replaced => other
                .hub
                .upgrade()
                .and_then(|hub| Identity::of_peer(hub.options().identity.clone()).ok()),
            _ => None,
        };
        let comes_again = comes_again(&reason, [client, server]);
        let told = match reason {
            DisconnectReason::Closed | DisconnectReason::Occupied => DisconnectReason::PeerClosed,
            other => other,
        };
        self.end_outbound(mine, self.is_client);
        let unwritten = self.end_outbound(other, !self.is_client);
        let keeps_outbound = !self.is_client && caller.standing.is_some();
        if let Some(hub) = other.hub.upgrade() {
            let departure = Departure {
                unwritten,
                keeps_outbound,
                endpoint: caller.endpoint.clone(),
                reason: told,
            };
            hub.depart(other.id, departure);
        }
        depart();
        drop(unfinished);
        match (calls_when_free, mine.hub.upgrade()) {
            (Some(name), Some(hub)) => hub.call_later(name, caller),
            _ if comes_again => Arc::clone(caller).call_others(bound),
            _ => Arc::clone(caller).call(),
        }
    }

    /// Gives both directions the bounds that the sockets have chosen by now.
    pub(crate) fn fit(&self) {
        let Link {
            client,
            server,
            holders,
            over,
            ..
        } = &*self.link;
        holders.enter();
        // Who hangs up waits for this lock, and has the last word on a queue that stays.
        let over = over.lock();
        if let (false, Some(one), Some(other)) = (*over, client.hub.upgrade(), server.hub.upgrade())
        {
            let (to_server, to_client) = bounds(&*one, &*other);
            client.outbound.set_capacity(to_server);
            server.outbound.set_capacity(to_client);
        }
        drop(over);
        self.let_go();
    }

    /// Whether the end of this link, for a fault of the other side, is left to whoever holds it just now,
    /// perhaps the caller.
    pub(crate) fn leaves_to_holder(&self, fault: &PeerFault) -> bool {
        self.link.holders.take_over(Left {
            by_client: self.is_client,
            fault: fault.clone(),
        })
    }

    /// The link is not held any more: does what was left to its holder.
    fn let_go(&self) {
        let Some(Left { by_client, fault }) = self.link.holders.leave() else {
            return;
        };
        let Link { client, server, .. } = &*self.link;
        let side = if by_client { client } else { server };
        if let Some(hub) = side.hub.upgrade() {
            hub.expel(side.id, fault);
        }
    }

    /// Ends one direction. The receiver keeps what it was sent when the sender hangs up; what was
    /// sent to the side that hangs up comes back, or stays where a queue outlives its connection.
    fn end_outbound(&self, side: &Side, is_client: bool) -> Vec<Batch> {
        let leaves = is_client == self.is_client;
        if is_client && self.link.caller.standing.is_some() {
            if leaves && side.outbound.is_closed() {
                return Vec::new();
            }
            side.outbound.leave();
            if let Some(hub) = side.hub.upgrade() {
                side.outbound.set_capacity(hub.options().send);
            }
            return Vec::new();
        }
        if leaves {
            side.outbound.close(CloseReason::Done);
            return Vec::new();
        }
        // In this order: what is sent meanwhile is refused instead of forgotten.
        side.outbound.close(CloseReason::Lost);
        side.outbound.drain()
    }
}

#[cfg(test)]
mod tests;
