//! What can go wrong with a socket whose type is chosen at run time.

use thiserror::Error;

use super::{
    Closed, LockStepRecvError, LockStepSendError, LockStepTryRecvError, LockStepTrySendError,
    RecvError, SendError, SendToError, TryRecvError, TrySendError, TrySendToError,
};
use crate::endpoint::Endpoint;
use crate::event::DisconnectReason;
use crate::identity::Identity;
use crate::message::Message;
use crate::socket_type::SocketType;

/// An option was given that this type of socket does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a {socket_type} socket has no option {option}")]
#[non_exhaustive]
pub struct NoSuchOption {
    /// The type that was to be built.
    pub socket_type: SocketType,
    /// The name of the builder's method.
    pub option: &'static str,
}

/// A verb was used that this type of socket does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a {socket_type} socket cannot {verb}")]
#[non_exhaustive]
pub struct NoSuchVerb {
    /// The type of the socket.
    pub socket_type: SocketType,
    /// `send`, `recv`, `subscribe` or `unsubscribe`.
    pub verb: &'static str,
}

/// Why the `send` of an [`AnySocket`](crate::AnySocket) failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnySendError {
    /// The type of the socket does not send.
    #[error("{what}")]
    #[non_exhaustive]
    NoSuchVerb {
        /// Type and verb.
        what: NoSuchVerb,
        /// The message that was not sent.
        message: Message,
    },
    /// A REQ or a REP whose turn it is not.
    #[error("out of turn: a REQ sends and then receives, a REP receives and then sends")]
    OutOfTurn(Message),
    /// A ROUTER has no peer of the name in the first frame.
    #[error("no peer is known as {identity}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        identity: Identity,
        /// The whole message, with the name in front.
        message: Message,
    },
    /// For a ROUTER the first frame is the name of a peer, of 1 to 255 bytes, and others follow.
    #[error("the message does not begin with the name of a peer, or ends with it")]
    NoAddress(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl AnySendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Closed(message)
            | Self::OutOfTurn(message)
            | Self::NoAddress(message)
            | Self::NoSuchVerb { message, .. }
            | Self::Unroutable { message, .. } => message,
        }
    }
}

/// Why the `try_send` of an [`AnySocket`](crate::AnySocket) failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnyTrySendError {
    /// No peer has room for it now, or there is no peer.
    #[error("no peer has room for the message")]
    Full(Message),
    /// The type of the socket does not send.
    #[error("{what}")]
    #[non_exhaustive]
    NoSuchVerb {
        /// Type and verb.
        what: NoSuchVerb,
        /// The message that was not sent.
        message: Message,
    },
    /// A REQ or a REP whose turn it is not.
    #[error("out of turn: a REQ sends and then receives, a REP receives and then sends")]
    OutOfTurn(Message),
    /// A ROUTER has no peer of the name in the first frame.
    #[error("no peer is known as {identity}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        identity: Identity,
        /// The whole message, with the name in front.
        message: Message,
    },
    /// For a ROUTER the first frame is the name of a peer, of 1 to 255 bytes, and others follow.
    #[error("the message does not begin with the name of a peer, or ends with it")]
    NoAddress(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl AnyTrySendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message)
            | Self::Closed(message)
            | Self::OutOfTurn(message)
            | Self::NoAddress(message)
            | Self::NoSuchVerb { message, .. }
            | Self::Unroutable { message, .. } => message,
        }
    }
}

impl From<SendError> for AnySendError {
    fn from(SendError::Closed(message): SendError) -> Self {
        Self::Closed(message)
    }
}

impl From<LockStepSendError> for AnySendError {
    fn from(error: LockStepSendError) -> Self {
        match error {
            LockStepSendError::Closed(message) => Self::Closed(message),
            LockStepSendError::OutOfTurn(message) => Self::OutOfTurn(message),
        }
    }
}

impl From<SendToError> for AnySendError {
    fn from(error: SendToError) -> Self {
        match error {
            SendToError::Unroutable { identity, message } => Self::Unroutable { identity, message },
            SendToError::Closed(message) => Self::Closed(message),
        }
    }
}

impl From<AnySendError> for AnyTrySendError {
    fn from(error: AnySendError) -> Self {
        match error {
            AnySendError::NoSuchVerb { what, message } => Self::NoSuchVerb { what, message },
            AnySendError::OutOfTurn(message) => Self::OutOfTurn(message),
            AnySendError::Unroutable { identity, message } => {
                Self::Unroutable { identity, message }
            }
            AnySendError::NoAddress(message) => Self::NoAddress(message),
            AnySendError::Closed(message) => Self::Closed(message),
        }
    }
}

impl From<SendError> for AnyTrySendError {
    fn from(error: SendError) -> Self {
        AnySendError::from(error).into()
    }
}

impl From<LockStepSendError> for AnyTrySendError {
    fn from(error: LockStepSendError) -> Self {
        AnySendError::from(error).into()
    }
}

impl From<TrySendError> for AnyTrySendError {
    fn from(error: TrySendError) -> Self {
        match error {
            TrySendError::Full(message) => Self::Full(message),
            TrySendError::Closed(message) => Self::Closed(message),
        }
    }
}

impl From<LockStepTrySendError> for AnyTrySendError {
    fn from(error: LockStepTrySendError) -> Self {
        match error {
            LockStepTrySendError::Full(message) => Self::Full(message),
            LockStepTrySendError::OutOfTurn(message) => Self::OutOfTurn(message),
            LockStepTrySendError::Closed(message) => Self::Closed(message),
        }
    }
}

impl From<TrySendToError> for AnyTrySendError {
    fn from(error: TrySendToError) -> Self {
        match error {
            TrySendToError::Full(message) => Self::Full(message),
            TrySendToError::Unroutable { identity, message } => {
                Self::Unroutable { identity, message }
            }
            TrySendToError::Closed(message) => Self::Closed(message),
        }
    }
}

/// Why the `recv` of an [`AnySocket`](crate::AnySocket) gave no message.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AnyRecvError {
    /// The type of the socket does not receive.
    #[error(transparent)]
    NoSuchVerb(#[from] NoSuchVerb),
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
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why the `try_recv` of an [`AnySocket`](crate::AnySocket) gave no message.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AnyTryRecvError {
    /// Nothing is there yet.
    #[error("no message is there yet")]
    Empty,
    /// The type of the socket does not receive.
    #[error(transparent)]
    NoSuchVerb(#[from] NoSuchVerb),
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
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

impl From<AnyRecvError> for AnyTryRecvError {
    fn from(error: AnyRecvError) -> Self {
        match error {
            AnyRecvError::NoSuchVerb(what) => Self::NoSuchVerb(what),
            AnyRecvError::OutOfTurn => Self::OutOfTurn,
            AnyRecvError::Lost { endpoint, reason } => Self::Lost { endpoint, reason },
            AnyRecvError::Closed => Self::Closed,
        }
    }
}

impl From<RecvError> for AnyRecvError {
    fn from(RecvError::Closed: RecvError) -> Self {
        Self::Closed
    }
}

impl From<LockStepRecvError> for AnyRecvError {
    fn from(error: LockStepRecvError) -> Self {
        match error {
            LockStepRecvError::Closed => Self::Closed,
            LockStepRecvError::OutOfTurn => Self::OutOfTurn,
            LockStepRecvError::Lost { endpoint, reason } => Self::Lost { endpoint, reason },
        }
    }
}

impl From<TryRecvError> for AnyTryRecvError {
    fn from(error: TryRecvError) -> Self {
        match error {
            TryRecvError::Empty => Self::Empty,
            TryRecvError::Closed => Self::Closed,
        }
    }
}

impl From<LockStepTryRecvError> for AnyTryRecvError {
    fn from(error: LockStepTryRecvError) -> Self {
        match error {
            LockStepTryRecvError::Empty => Self::Empty,
            LockStepTryRecvError::Closed => Self::Closed,
            LockStepTryRecvError::OutOfTurn => Self::OutOfTurn,
            LockStepTryRecvError::Lost { endpoint, reason } => Self::Lost { endpoint, reason },
        }
    }
}

/// Why an [`AnySocket`](crate::AnySocket) did not subscribe, or not unsubscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnySubscribeError {
    /// The type of the socket does not subscribe.
    #[error(transparent)]
    NoSuchVerb(#[from] NoSuchVerb),
    /// The socket has been closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a [`proxy`](crate::proxy) cannot run. Nothing has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What one of the two receives the other cannot send, or neither receives anything. REQ and REP,
    /// which take turns, cannot be joined, but for a REP with itself: DEALER and ROUTER take their place.
    #[error("a proxy cannot join a {frontend} and a {backend} socket")]
    #[non_exhaustive]
    CannotTalk {
        /// The type of the frontend.
        frontend: SocketType,
        /// The type of the backend.
        backend: SocketType,
    },
    /// The capture socket cannot send to whoever listens.
    #[error("a {socket_type} socket cannot capture what passes a proxy")]
    #[non_exhaustive]
    CannotCapture {
        /// Its type.
        socket_type: SocketType,
    },
}
