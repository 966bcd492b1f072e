//! What can go wrong between a question and its answer.

use thiserror::Error;

use crate::endpoint::Endpoint;
use crate::event::DisconnectReason;
use crate::message::Message;

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

/// Why the `send` of a REQ or a REP failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LockStepSendError {
    /// A REQ that waits for a reply, or a REP that has no request to answer, cannot send.
    #[error("out of turn: a REQ sends and then receives, a REP receives and then sends")]
    OutOfTurn(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl LockStepSendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::OutOfTurn(message) | Self::Closed(message) => message,
        }
    }
}

/// Why the `try_send` of a REQ failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LockStepTrySendError {
    /// No peer has room for it now, or there is no peer.
    #[error("no peer has room for the message")]
    Full(Message),
    /// A REQ that waits for a reply cannot send.
    #[error("out of turn: a REQ sends and then receives")]
    OutOfTurn(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl LockStepTrySendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::OutOfTurn(message) | Self::Closed(message) => message,
        }
    }
}

impl From<LockStepSendError> for LockStepTrySendError {
    fn from(error: LockStepSendError) -> Self {
        match error {
            LockStepSendError::OutOfTurn(message) => Self::OutOfTurn(message),
            LockStepSendError::Closed(message) => Self::Closed(message),
        }
    }
}

/// Why the `recv` of a REQ gave no reply.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum LockStepRecvError {
    /// Nothing was asked, so there is no reply to wait for.
    #[error("out of turn: a REQ sends and then receives")]
    OutOfTurn,
    /// The connection over which the request had been sent is gone, and with it the reply.
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

/// Why the `try_recv` of a REQ gave no reply.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum LockStepTryRecvError {
    /// The reply is not there yet.
    #[error("no message is there yet")]
    Empty,
    /// Nothing was asked, so there is no reply to wait for.
    #[error("out of turn: a REQ sends and then receives")]
    OutOfTurn,
    /// The connection over which the request had been sent is gone, and with it the reply.
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

impl From<LockStepRecvError> for LockStepTryRecvError {
    fn from(error: LockStepRecvError) -> Self {
        match error {
            LockStepRecvError::OutOfTurn => Self::OutOfTurn,
            LockStepRecvError::Lost { endpoint, reason } => Self::Lost { endpoint, reason },
            LockStepRecvError::Closed => Self::Closed,
        }
    }
}
