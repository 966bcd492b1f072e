//! Connections: one task each, from the first byte to the last, and the tasks that make them.
//!
//! [`session`] drives one connection: stream, protocol, pipes. [`dialer`] keeps one alive to a
//! given endpoint, [`acceptor`] starts one for whoever comes in, [`link`] joins two sockets of one
//! process, where there is nothing to drive. All of them see their socket as a [`Hub`].

pub(crate) mod acceptor;
mod auth;
pub(crate) mod backoff;
mod courtesy;
pub(crate) mod dialer;
mod direct;
mod handshake;
#[cfg(feature = "inproc")]
pub(crate) mod link;
pub(crate) mod session;
mod traffic;
pub(crate) mod turnstile;

pub(crate) use direct::Pulse;

use std::fmt;

use crate::event::{DisconnectReason, Event};
#[cfg(feature = "inproc")]
use crate::fault::PeerFault;
#[cfg(feature = "inproc")]
use crate::identity::Identity;
use crate::options::Capacity;
use crate::options::Options;
use crate::pattern::{Departure, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::socket_type::SocketType;
use crate::wire::connection::Admission;
use crate::wire::partials::Partials;

/// The socket, as its connections see it.
pub(crate) trait Hub: fmt::Debug + Send + Sync {
    /// What is chosen for it now: options can be changed while connections live.
    fn options(&self) -> Arc<Options>;

    fn socket_type(&self) -> SocketType;

    /// Whether anything that peers send is of use.
    fn listens(&self) -> bool;

    /// Whether it subscribes to a topic that no publisher takes.
    #[cfg(feature = "inproc")]
    fn wants_too_long(&self) -> bool {
        false
    }

    /// Shared by all connections of the socket.
    fn pulse(&self) -> Arc<Pulse>;

    /// What its connections hold of unfinished messages.
    fn partials(&self) -> Arc<Partials>;

    /// How many threads there are for connections alone; with none, they run where their socket is used.
    fn io_threads(&self) -> usize;

    /// A name for a new peer.
    fn next_peer_id(&self) -> PeerId;

    /// Whether there is a place for one more peer. `standing` names the queue that waits for it.
    /// Asked before the handshake, so that whom it turns away has written nothing.
    fn has_seat(&self, standing: Option<PeerId>) -> bool;

    /// The limit on peers that a listener would break with one more. Asked before any work is done for a
    /// connection that it has accepted.
    fn full(&self) -> Option<usize> {
        None
    }

    /// The verdict on a peer that has said who it is: it takes part from now on; until then no pattern
    /// knows of it, and over the network it does not know that this side is ready. An error when the
    /// socket is closing, the endpoint has been taken away, there is no place, there are too many, or the
    /// peer's name is taken.
    fn admit(&self, newcomer: Newcomer) -> Result<Admitted, DisconnectReason>;

    /// Ends the connection to a peer whose name another one has taken. Not to be called while two
    /// sockets are being joined.
    fn displace(&self, id: PeerId);

    /// Ends the connection to a peer that broke the protocol, now that its link is not held any more.
    #[cfg(feature = "inproc")]
    fn expel(&self, id: PeerId, fault: PeerFault);

    /// Has this one of the process call again when nobody has that name any more.
    #[cfg(feature = "inproc")]
    fn call_later(&self, name: Identity, caller: &Arc<link::Caller>);

    /// A socket that is closed is not over for as long as this lives: it is still to be told something.
    #[cfg(feature = "inproc")]
    fn unfinished(&self) -> Unfinished;

    /// The connection to an admitted peer has ended: forgets a part of what it had asked for, which may be too much for
    /// one turn of a task. `true` when it is time to [`depart`](Self::depart).
    fn shed(&self, id: PeerId) -> bool;

    /// The connection to an admitted peer has ended.
    fn depart(&self, id: PeerId, departure: Departure);

    fn tell(&self, event: Event);
}

/// Something that has begun, and that its socket waits for when it is closed.
#[cfg(feature = "inproc")]
pub(crate) type Unfinished = Box<dyn fmt::Debug + Send>;

/// A peer takes part.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// For its connection, which begins its traffic with it.
    pub(crate) admission: Admission,
    /// The peer whose name this one took, which is to be displaced.
    pub(crate) displaced: Option<PeerId>,
}

/// A peer that has said who it is.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) id: PeerId,
    pub(crate) peer: Peer,
    pub(crate) pipes: Pipes,
    /// Whether the outbound pipe was there before the peer and stays after it.
    pub(crate) standing: bool,
    /// Whether it came by itself: only such a peer may be one too many.
    pub(crate) uninvited: bool,
    /// For a peer in this process: what ends the connection.
    #[cfg(feature = "inproc")]
    pub(crate) link: Option<link::LinkEnd>,
}

/// The pipes between a socket and one peer.
#[derive(Clone, Debug)]
pub(crate) struct Pipes {
    pub(crate) outbound: Arc<Pipe>,
    /// None where nothing that a peer sends is of use.
    pub(crate) inbound: Option<Arc<Pipe>>,
}

/// Where a connecting socket queues messages for a peer, connected or not.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: PeerId,
    pub(crate) outbound: Arc<Pipe>,
}

/// Bodies longer than this travel from the sender to the kernel without a copy. Below it, copying
/// is cheaper than one more slice in a write.
const SHARE_ABOVE_WIRE: usize = 4 * 1024;

/// A pipe towards a connection.
pub(crate) fn outbound_pipe(capacity: Capacity) -> Arc<Pipe> {
    Pipe::new(capacity, SHARE_ABOVE_WIRE)
}

/// How a task of a socket is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Go on.
    Run,
    /// Begin nothing new; finish what is under way.
    Drain,
    /// End now.
    Halt,
}
