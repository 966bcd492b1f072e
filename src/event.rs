//! What can be seen of a socket's connections: one [`Event`] for each thing that happens to them.
//!
//! The network's trouble is never an error of `send` or `recv`. It is told here, with the endpoint,
//! the peer's address, how far the connection had come, and the reason.

mod display;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::{Endpoint, PeerAddress};
use crate::fault::PeerFault;
use crate::identity::Identity;
use crate::peer_handle::Peer;
use crate::security::denial::Denial;

/// Something that happened to an endpoint or a connection of a socket.
///
/// See the sockets' `events` method for how to receive them. Every event names its endpoint, and
/// the addresses of both sides where it knows them. Displayed, each is one line of text.
///
/// | libzmq | here |
/// |---|---|
/// | `ZMQ_EVENT_CONNECT_DELAYED` | [`Connecting`](Self::Connecting), over ipc, too |
/// | `ZMQ_EVENT_CONNECTED` | [`Connected`](Self::Connected) |
/// | `ZMQ_EVENT_CONNECT_RETRIED` | [`ConnectFailed`](Self::ConnectFailed), [`Redialing`](Self::Redialing): `retry_in` |
/// | `ZMQ_EVENT_LISTENING` | [`Listening`](Self::Listening) |
/// | `ZMQ_EVENT_BIND_FAILED` | [`BindFailed`](Self::BindFailed), and the error of `bind` |
/// | `ZMQ_EVENT_ACCEPTED` | [`Accepted`](Self::Accepted) |
/// | `ZMQ_EVENT_ACCEPT_FAILED` | [`AcceptFailed`](Self::AcceptFailed) |
/// | `ZMQ_EVENT_CLOSED` | [`Closed`](Self::Closed) for an endpoint, [`ConnectFailed`](Self::ConnectFailed) for an attempt |
/// | `ZMQ_EVENT_CLOSE_FAILED` | none: closing does not fail |
/// | `ZMQ_EVENT_DISCONNECTED` | [`Disconnected`](Self::Disconnected), with the reason |
/// | `ZMQ_EVENT_HANDSHAKE_SUCCEEDED` | [`Ready`](Self::Ready), over inproc, too |
/// | `ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL` | [`HandshakeFailed`](Self::HandshakeFailed) for any reason but a [`Fault`](DisconnectReason::Fault) |
/// | `ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL` | [`HandshakeFailed`](Self::HandshakeFailed) for a [`Fault`](DisconnectReason::Fault), which names the rule |
/// | `ZMQ_EVENT_HANDSHAKE_FAILED_AUTH` | [`HandshakeFailed`](Self::HandshakeFailed): [`Denied`](DisconnectReason::Denied) by this side, [denied](PeerFault::Denied) or [refused](PeerFault::Refused) by the peer |
/// | `ZMQ_EVENT_MONITOR_STOPPED` | the end of the stream |
/// | `ZMQ_EVENT_PIPES_STATS` | none: `peers` gives the queue depths at any time |
/// | none: what is dropped is not told | [`Dropping`](Self::Dropping) |
///
/// After a handshake that failed libzmq also tells of a disconnection, here there is one event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A bound endpoint takes connections. libzmq: `ZMQ_EVENT_LISTENING`.
    #[non_exhaustive]
    Listening {
        /// The endpoint with its address and port resolved.
        endpoint: Endpoint,
    },
    /// A `bind` failed; the caller got the same error. libzmq: `ZMQ_EVENT_BIND_FAILED`.
    #[non_exhaustive]
    BindFailed {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the caller was told.
        error: Arc<io::Error>,
    },
    /// A connection came in; its handshake begins. libzmq: `ZMQ_EVENT_ACCEPTED`.
    #[non_exhaustive]
    Accepted {
        /// The bound endpoint.
        endpoint: Endpoint,
        /// Where the connection comes from.
        address: PeerAddress,
        /// Where it arrived; none over ipc.
        local_address: Option<SocketAddr>,
    },
    /// The operating system would not hand over a connection, as when no file descriptor is free.
    /// The listener tries again. libzmq: `ZMQ_EVENT_ACCEPT_FAILED`.
    #[non_exhaustive]
    AcceptFailed {
        /// The bound endpoint.
        endpoint: Endpoint,
        /// What the operating system said.
        error: Arc<io::Error>,
        /// When the listener tries again.
        retry_in: Duration,
    },
    /// An attempt to connect begins. libzmq: `ZMQ_EVENT_CONNECT_DELAYED`.
    #[non_exhaustive]
    Connecting {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// A connection has been made; its handshake begins. libzmq: `ZMQ_EVENT_CONNECTED`.
    #[non_exhaustive]
    Connected {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// The address that answered.
        address: PeerAddress,
        /// Where it was called from; none over ipc.
        local_address: Option<SocketAddr>,
    },
    /// No connection could be made. The next attempt follows. libzmq: `ZMQ_EVENT_CLOSED` and
    /// `ZMQ_EVENT_CONNECT_RETRIED`.
    #[non_exhaustive]
    ConnectFailed {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system or the name service said.
        error: Arc<io::Error>,
        /// When the next attempt is made; none by the socket's
        /// [`ReconnectStop`](crate::ReconnectStop).
        retry_in: Option<Duration>,
    },
    /// The handshake is complete: messages can pass. libzmq: `ZMQ_EVENT_HANDSHAKE_SUCCEEDED`.
    #[non_exhaustive]
    Ready {
        /// Endpoint and addresses, and what the peer says of itself.
        peer: Peer,
    },
    /// A connection ended before its handshake was complete. libzmq:
    /// `ZMQ_EVENT_HANDSHAKE_FAILED_*`.
    #[non_exhaustive]
    HandshakeFailed {
        /// The endpoint, as it was given to connect or resolved by bind.
        endpoint: Endpoint,
        /// The peer's address.
        address: PeerAddress,
        /// This side's address; none over ipc and inproc.
        local_address: Option<SocketAddr>,
        /// Why.
        reason: DisconnectReason,
    },
    /// A connection over which messages could pass has ended. libzmq: `ZMQ_EVENT_DISCONNECTED`.
    #[non_exhaustive]
    Disconnected {
        /// As in [`Ready`](Self::Ready).
        peer: Peer,
        /// Why.
        reason: DisconnectReason,
        /// Messages that were queued for this peer and are lost with it. What a connecting socket
        /// keeps for the next connection, or gives to another peer, is not among them. What peers
        /// that had left before had sent, and had to make room unread for what this one left, is.
        dropped: u64,
    },
    /// The queue of a peer was full, and messages for it were dropped, as counted in
    /// [`Drops::full`](crate::Drops::full): by a PUB, XPUB or XSUB, by a ROUTER that
    /// [may](crate::SocketBuilder::drop_unroutable), or a reply of a REP. Told of the first one at once, and while that
    /// goes on once a second for each peer at most, with the next message that is dropped. So of a burst that is over
    /// within a second only the first one is told: to count, ask [`stats`](crate::PubSocket::stats). libzmq: none.
    #[non_exhaustive]
    Dropping {
        /// The endpoint, as it was given to connect or resolved by bind.
        endpoint: Endpoint,
        /// Whose queue is full. None while nobody is there for whom a ROUTER queues what it sends
        /// [by name](crate::RouterSocket::connect_as).
        peer: Option<Peer>,
        /// How many since this was last told of this peer.
        dropped: u64,
    },
    /// After a connection ended, the next attempt is due. libzmq: `ZMQ_EVENT_CONNECT_RETRIED`.
    #[non_exhaustive]
    Redialing {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// When the next attempt is made.
        retry_in: Duration,
    },
    /// An endpoint is no longer served: unbound, disconnected, closed with its socket, given up (see
    /// [`ReconnectStop`](crate::ReconnectStop)), or left behind by the runtime in which it was bound or
    /// connected, which has ended. libzmq: `ZMQ_EVENT_CLOSED`.
    #[non_exhaustive]
    Closed {
        /// The endpoint, as it was given to connect or resolved by bind.
        endpoint: Endpoint,
    },
    /// This reader was more than 4,096 events behind: the oldest were dropped. See [`Events`](crate::Events).
    #[non_exhaustive]
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl Event {
    /// The endpoint that it is about, as given to connect or resolved by bind; none where a reader
    /// [lagged](Self::Lagged).
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Listening { endpoint }
            | Self::BindFailed { endpoint, .. }
            | Self::Connecting { endpoint }
            | Self::Accepted { endpoint, .. }
            | Self::AcceptFailed { endpoint, .. }
            | Self::Connected { endpoint, .. }
            | Self::ConnectFailed { endpoint, .. }
            | Self::HandshakeFailed { endpoint, .. }
            | Self::Dropping { endpoint, .. }
            | Self::Redialing { endpoint, .. }
            | Self::Closed { endpoint } => Some(endpoint),
            Self::Ready { peer } | Self::Disconnected { peer, .. } => Some(peer.endpoint()),
            Self::Lagged { .. } => None,
        }
    }

    /// The peer that it is about, where messages can pass, or could.
    pub const fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Ready { peer } | Self::Disconnected { peer, .. } => Some(peer),
            Self::Dropping { peer, .. } => peer.as_ref(),
            _ => None,
        }
    }

    /// The address of the peer that it is about, where there is one.
    pub fn address(&self) -> Option<&PeerAddress> {
        match self {
            Self::Accepted { address, .. }
            | Self::Connected { address, .. }
            | Self::HandshakeFailed { address, .. } => Some(address),
            _ => self.peer().map(Peer::address),
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer broke the protocol, cannot match us, refused us or fell silent.
    Fault(PeerFault),
    /// The peer closed the connection.
    PeerClosed,
    /// The operating system reported an error on the connection.
    Io(Arc<io::Error>),
    /// The handshake was not complete in time.
    #[non_exhaustive]
    HandshakeTimeout {
        /// The deadline that was missed, counted from the start of the connection.
        limit: Duration,
    },
    /// This side's authenticator did not let the peer in.
    Denied(Denial),
    /// Too many unfinished handshakes: the oldest one had to go.
    #[non_exhaustive]
    Crowded {
        /// How many a listener keeps.
        limit: usize,
    },
    /// This side has accepted as many peers as it may have at one time. The newcomer may try again when one of
    /// them has left. Where it was turned away as it came, no [`Accepted`](Event::Accepted) precedes this.
    #[non_exhaustive]
    TooManyPeers {
        /// The socket's [`max_peers`](crate::SocketBuilder::max_peers).
        limit: usize,
    },
    /// This side is a PAIR, which has one peer at a time, and has it. The newcomer may try again
    /// when that has left.
    Occupied,
    /// This side closed or disconnected the socket.
    Closed,
    /// The peer calls itself what another peer of this ROUTER is called already.
    #[non_exhaustive]
    IdentityTaken {
        /// The name.
        identity: Identity,
        /// The address of the one who has it; none if this side has given it, by
        /// [`connect_as`](crate::RouterSocket::connect_as).
        holder: Option<PeerAddress>,
    },
    /// Another peer has taken the name of this one, as a ROUTER with
    /// [`handover`](crate::SocketBuilder::handover) lets it.
    Replaced,
    /// This side gave the connection up, to be sure that no late reply to an abandoned request
    /// arrives on it.
    Reset,
}

impl std::error::Error for DisconnectReason {}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::Io(error) => error.fmt(f),
            Self::HandshakeTimeout { limit } => {
                write!(f, "the handshake was not complete after {limit:?}")
            }
            Self::Denied(denial) => denial.fmt(f),
            Self::Crowded { limit } => {
                write!(
                    f,
                    "more than {limit} handshakes are unfinished, this was the oldest"
                )
            }
            Self::TooManyPeers { limit } => {
                write!(f, "this socket accepts nobody beyond {limit} peers")
            }
            Self::Occupied => f.write_str("this PAIR has its one peer already"),
            Self::Closed => f.write_str("this side closed the connection"),
            Self::IdentityTaken { identity, holder } => match holder {
                Some(holder) => {
                    write!(f, "another peer, {holder}, is known as {identity} already")
                }
                None => write!(f, "another peer is known as {identity} already"),
            },
            Self::Replaced => f.write_str("another peer has taken this one's identity"),
            Self::Reset => f.write_str("this side gave the connection up with a request"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let endpoint: Endpoint = "tcp://127.0.0.1:5555".parse().unwrap();
        let address = PeerAddress::Tcp("192.0.2.1:40000".parse().unwrap());
        let error = || Arc::new(io::Error::other("it is raining"));
        let wait = Duration::from_millis(100);
        let lines = [
            (
                Event::ConnectFailed {
                    endpoint: endpoint.clone(),
                    error: error(),
                    retry_in: Some(wait),
                },
                "tcp://127.0.0.1:5555: cannot connect: it is raining; again in 100ms",
            ),
            (
                Event::ConnectFailed {
                    endpoint: endpoint.clone(),
                    error: error(),
                    retry_in: None,
                },
                "tcp://127.0.0.1:5555: cannot connect: it is raining; given up",
            ),
            (
                Event::HandshakeFailed {
                    endpoint,
                    address,
                    local_address: None,
                    reason: DisconnectReason::PeerClosed,
                },
                "tcp://127.0.0.1:5555: handshake with tcp://192.0.2.1:40000 failed: the peer closed the connection",
            ),
            (
                Event::Disconnected {
                    peer: Peer::somebody(),
                    reason: DisconnectReason::PeerClosed,
                    dropped: 3,
                },
                "inproc://somebody: disconnected from inproc peer: the peer closed the connection; messages lost: 3",
            ),
            (
                Event::Ready {
                    peer: Peer::somebody(),
                },
                "inproc://somebody: PAIR at inproc peer is ready",
            ),
            (Event::Lagged { missed: 7 }, "events missed: 7"),
        ];
        for (event, line) in lines {
            assert_eq!(event.to_string(), line);
        }
    }

    #[test]
    fn an_event_of_a_peer_names_it_and_its_address() {
        let peer = Peer::somebody();
        let dropping = |peer| Event::Dropping {
            endpoint: "inproc://somebody".parse().unwrap(),
            peer,
            dropped: 1,
        };
        let of_a_peer = [
            Event::Ready { peer: peer.clone() },
            Event::Disconnected {
                peer: peer.clone(),
                reason: DisconnectReason::PeerClosed,
                dropped: 0,
            },
            dropping(Some(peer.clone())),
        ];
        for event in of_a_peer {
            assert_eq!(event.peer(), Some(&peer), "{event}");
            assert_eq!(event.address(), Some(peer.address()), "{event}");
        }
        for event in [dropping(None), Event::Lagged { missed: 1 }] {
            assert_eq!((event.peer(), event.address()), (None, None), "{event}");
        }
    }
}
