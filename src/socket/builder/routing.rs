//! Options of the types that address their peers, or want to be known to those that do.

use super::{Build, SocketBuilder};

/// A type whose peer may be a ROUTER that has to learn of it.
pub trait Probes: Build {}

/// A type that addresses its peers by name.
pub trait Routes: Build {}

impl<S: Probes> SocketBuilder<S> {
    /// Whether every new connection begins with an empty message, by which a ROUTER at the other
    /// end learns of this socket and how to address it. Other types receive it as a message like
    /// any other, which REP passes over as no request, and for which a REQ of libzmq breaks the
    /// connection off. It is not counted as sent. Default false. libzmq: `ZMQ_PROBE_ROUTER`.
    pub fn probe(mut self, probe: bool) -> Self {
        self.options.probe = probe;
        self
    }
}

impl<S: Routes> SocketBuilder<S> {
    /// Whether a newcomer that calls itself what a connected peer is called takes the name over.
    /// The connection of the other one ends then with
    /// [`DisconnectReason::Replaced`](crate::DisconnectReason::Replaced), and what it had sent and
    /// nobody had read is dropped, as in libzmq. By default the newcomer is turned away with
    /// [`DisconnectReason::IdentityTaken`](crate::DisconnectReason::IdentityTaken). A name that
    /// [`connect_as`](crate::RouterSocket::connect_as) has given cannot be taken.
    ///
    /// Names are claims that nobody has checked: with this, whoever reaches an endpoint can take
    /// anybody's place, unless the socket has [`security`](Self::security): a name is only given to the user
    /// who has it. All whom the authenticator lets in as nobody in particular, as
    /// [`Access::anybody`](crate::Access::anybody) does, count as one user. Default false. libzmq: `ZMQ_ROUTER_HANDOVER`.
    pub fn handover(mut self, handover: bool) -> Self {
        self.options.handover = handover;
        self
    }

    /// Whether messages to unknown peers, and to peers whose queue is full, are dropped and
    /// [counted](crate::SocketStats::dropped) instead of being refused or waiting; a full queue is also
    /// [told](crate::Event::Dropping) of. Default false.
    /// libzmq: the opposite of `ZMQ_ROUTER_MANDATORY`, by default true.
    pub fn drop_unroutable(mut self, drop: bool) -> Self {
        self.options.drop_unroutable = drop;
        self
    }
}
