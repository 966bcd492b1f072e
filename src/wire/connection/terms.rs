//! What a connection is told about its socket, and what it tells about its peer.

use bytes::Bytes;

use super::Limits;
use crate::security::credentials::Credentials;
use crate::socket_type::SocketType;
use crate::wire::batch::Batch;
use crate::wire::heartbeat;
use crate::wire::mechanism::Mechanism;

/// Leave for one peer to take part in its socket.
///
/// Only the socket gives it, once it has judged the peer (`Hub::admit`); `tests/architecture.rs` holds that
/// nobody else does.
#[derive(Debug)]
pub(crate) struct Admission(());

impl Admission {
    pub(crate) const fn granted() -> Self {
        Self(())
    }
}

/// Which side made the connection. Exactly one of the two has accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Dialled,
    Accepted,
}

/// What a connection has to know about its socket.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) origin: Origin,
    pub(crate) mechanism: Mechanism,
    pub(crate) socket_type: SocketType,
    pub(crate) identity: Bytes,
    /// What else the peer is told about us.
    pub(crate) properties: Vec<(String, Bytes)>,
    pub(crate) limits: Limits,
    pub(crate) heartbeat: heartbeat::Settings,
}

/// What the peer said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerInfo {
    pub(crate) socket_type: SocketType,
    pub(crate) identity: Bytes,
    /// Major and minor of its ZMTP as announced.
    pub(crate) version: (u8, u8),
    /// Every other property: claims that nobody has checked.
    pub(crate) properties: Vec<(String, Bytes)>,
}

/// What comes from a peer.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The peer has said all that it says about itself, and is to be judged. Comes once; nothing
    /// comes after it until the peer is [accepted](super::Connection::accept).
    Introduced(PeerInfo, Credentials),
    /// Whole messages; for PUB and XPUB also SUBSCRIBE and CANCEL commands, each one message.
    Messages(Batch),
}
