//! What can go wrong with sending.

use thiserror::Error;

use crate::identity::Identity;
use crate::message::Message;

/// Why `send` failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        let Self::Closed(message) = self;
        message
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
    #[error("no peer is known as {identity}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        identity: Identity,
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
    #[error("no peer is known as {identity}")]
    #[non_exhaustive]
    Unroutable {
        /// The name.
        identity: Identity,
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

impl From<SendError> for TrySendError {
    fn from(SendError::Closed(message): SendError) -> Self {
        Self::Closed(message)
    }
}

impl From<SendToError> for TrySendToError {
    fn from(error: SendToError) -> Self {
        match error {
            SendToError::Unroutable { identity, message } => Self::Unroutable { identity, message },
            SendToError::Closed(message) => Self::Closed(message),
        }
    }
}
