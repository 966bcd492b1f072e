//! What can go wrong for a caller, by who must act: a wrong argument, a socket that is closed, a
//! request that cannot be answered. The network's trouble is not among them: see
//! [`Event`].

mod any;

pub use any::{
    AnyRecvError, AnySendError, AnySubscribeError, NoSuchOption, NoSuchVerb, ProxyError,
};

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::endpoint::{Endpoint, EndpointError};
use crate::event::{DisconnectReason, Event};
use crate::identity::Identity;
use crate::message::Message;

/// The socket has been closed, by `close` on this handle or on a clone of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the socket is closed")]
#[expect(clippy::exhaustive_structs, reason = "a fact without details")]
pub struct Closed;

/// Why a `bind` failed. Nothing is left behind by a failed bind, and the socket can be used as before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Someone listens there already.
    #[error("cannot bind to {endpoint}: the address is in use")]
    #[non_exhaustive]
    AddressInUse {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system, or the look at the socket file, said.
        source: io::Error,
    },
    /// The address is none of this host's.
    #[error("cannot bind to {endpoint}: the address is none of this host's")]
    #[non_exhaustive]
    AddressNotAvailable {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
    /// The port, or the directory of the socket file, is not for this user.
    #[error("cannot bind to {endpoint}: permission denied")]
    #[non_exhaustive]
    PermissionDenied {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is a file at the ipc path that is no socket (a symbolic link counts as none). It is not touched.
    #[error("cannot bind to {endpoint}: there is a file, and it is no socket")]
    #[non_exhaustive]
    NotASocket {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// The transport does not exist on this platform, or was left out of this build.
    #[error("cannot bind to {endpoint}: this build or platform has no such transport")]
    #[non_exhaustive]
    Unsupported {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// Listening is a task: it needs a tokio runtime around the call.
    #[error("cannot bind to {endpoint}: no tokio runtime is running here")]
    #[non_exhaustive]
    NoRuntime {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
    /// Anything else that the operating system refused.
    #[error("cannot bind to {endpoint}: {source}")]
    #[non_exhaustive]
    Io {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    /// For those who were not the caller: the endpoint, and what happened there. None where nothing
    /// was tried.
    pub(crate) fn to_event(&self) -> Option<Event> {
        let (endpoint, kind) = match self {
            Self::AddressInUse { endpoint, source }
            | Self::AddressNotAvailable { endpoint, source }
            | Self::PermissionDenied { endpoint, source }
            | Self::Io { endpoint, source } => (endpoint, source.kind()),
            Self::NotASocket { endpoint } => (endpoint, io::ErrorKind::AlreadyExists),
            Self::Unsupported { endpoint } => (endpoint, io::ErrorKind::Unsupported),
            Self::Endpoint(_) | Self::NoRuntime { .. } | Self::Closed => return None,
        };
        Some(Event::BindFailed {
            endpoint: endpoint.clone(),
            error: Arc::new(io::Error::new(kind, self.to_string())),
        })
    }

    /// Sorts what the operating system said.
    pub(crate) fn from_io(endpoint: &Endpoint, source: io::Error) -> Self {
        let endpoint = endpoint.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { endpoint, source },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { endpoint, source },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { endpoint, source },
            io::ErrorKind::Unsupported => Self::Unsupported { endpoint },
            _ => Self::Io { endpoint, source },
        }
    }
}

/// Why `connect` failed. The network cannot make it fail: an unreachable peer is dialled again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no endpoint that can be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The transport does not exist on this platform, or was left out of this build.
    #[error("cannot connect to {endpoint}: this build or platform has no such transport")]
    #[non_exhaustive]
    Unsupported {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// Connections are tasks: they need a tokio runtime around the call.
    #[error("cannot connect to {endpoint}: no tokio runtime is running here")]
    #[non_exhaustive]
    NoRuntime {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// A ROUTER has a peer of this name already.
    #[error("cannot connect to {endpoint} as {identity}: another peer has this name")]
    #[non_exhaustive]
    IdentityTaken {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// The name.
        identity: Identity,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// `unbind` or `disconnect` was given an endpoint that is not bound, or not connected to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{endpoint} is not an endpoint of this socket")]
#[non_exhaustive]
pub struct UnknownEndpoint {
    /// What was given.
    pub endpoint: String,
}

/// Why `send` failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
    /// A REQ that waits for a reply, or a REP that has no request to answer, cannot send.
    #[error("out of turn: a REQ sends and then receives, a REP receives and then sends")]
    OutOfTurn(Message),
}

impl SendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Closed(message) | Self::OutOfTurn(message) => message,
        }
    }
}

/// Why `try_send` failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// No peer has room for it now, or there is no peer.
    #[error("no peer has room for the message")]
    Full(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl TrySendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

/// Why [`send_to`](crate::RouterSocket::send_to) failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendToError {
    /// No peer has this name, or the one that had it has left meanwhile.
    #[error("no peer is known as {peer}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        peer: Identity,
        /// The message that was not sent.
        message: Message,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SendToError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Unroutable { message, .. } | Self::Closed(message) => message,
        }
    }
}

/// Why [`try_send_to`](crate::RouterSocket::try_send_to) failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrySendToError {
    /// The peer has no room for it now.
    #[error("the peer has no room for the message")]
    Full(Message),
    /// No peer has this name.
    #[error("no peer is known as {peer}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        peer: Identity,
        /// The message that was not sent.
        message: Message,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl TrySendToError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::Unroutable { message, .. } | Self::Closed(message) => {
                message
            }
        }
    }
}

/// Why `recv` failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
    /// A REQ has asked nothing, so there is no reply to wait for.
    #[error("out of turn: a REQ sends and then receives")]
    OutOfTurn,
    /// The connection over which a REQ had sent its request is gone, and with it the reply.
    #[error("the reply of {endpoint} will not come: {reason}")]
    #[non_exhaustive]
    Lost {
        /// Where the connection was: as given to connect, or resolved by bind.
        endpoint: Endpoint,
        /// Why the connection ended.
        reason: DisconnectReason,
    },
}

/// Why `try_recv` gave no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing is there yet.
    #[error("no message is there yet")]
    Empty,
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why a request got no reply.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The socket has been closed before the request was accepted. The message comes back.
    #[error("the socket is closed")]
    Closed(Message),
    /// The socket has been closed while the reply was waited for.
    #[error("the socket was closed before the reply came")]
    Interrupted,
    /// A request sent by `send` is under way and has not been received: `request` would mix with
    /// it. The message comes back.
    #[error("out of turn: the reply to an earlier send has not been received")]
    OutOfTurn(Message),
    /// The connection died after the request, or a part of it, had been written. The server may
    /// or may not have acted on it; nothing is sent twice.
    #[error("the reply of {endpoint} will not come: {reason}")]
    #[non_exhaustive]
    Lost {
        /// Where the connection was: as given to connect, or resolved by bind.
        endpoint: Endpoint,
        /// Why the connection ended.
        reason: DisconnectReason,
    },
}

impl RequestError {
    /// The request, where it was not sent.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Closed(message) | Self::OutOfTurn(message) => Some(message),
            Self::Interrupted | Self::Lost { .. } => None,
        }
    }
}

/// Why a reply was not sent. The reply comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The peer that asked is gone.
    #[error("the peer that asked is gone")]
    PeerGone(Message),
    /// The peer does not read its replies: its queue is full. Waiting for one such peer would
    /// hold up all others.
    #[error("the queue of the peer that asked is full")]
    Full(Message),
}

impl ReplyError {
    /// The reply that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::PeerGone(message) | Self::Full(message) => message,
        }
    }
}

/// Why a subscription was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The subscriber has left.
    #[error("the subscriber is gone")]
    PeerGone,
    /// The subscriber holds as many subscriptions as a peer may.
    #[error("the subscriber has more than {limit} subscriptions, or they are too long together")]
    #[non_exhaustive]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// The socket is not [manual](crate::SocketBuilder::manual): it accepts everything, as it is.
    #[error("the socket is not manual: it has accepted the subscription as it is")]
    NotManual,
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why a message for one subscriber was not sent. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriberSendError {
    /// The subscriber has left.
    #[error("the subscriber is gone")]
    PeerGone(Message),
    /// None of the subscriber's accepted subscriptions is a prefix of the message.
    #[error("the subscriber has no subscription for the message")]
    Unwanted(Message),
    /// The subscriber's queue is full. Only [`try_send`](crate::SubscribeRequest::try_send) says so; `send` waits.
    #[error("the queue of the subscriber is full")]
    Full(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SubscriberSendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::PeerGone(message)
            | Self::Unwanted(message)
            | Self::Full(message)
            | Self::Closed(message) => message,
        }
    }
}
