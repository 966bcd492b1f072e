//! What can go wrong between an XPUB and one of its subscribers.

use thiserror::Error;

use crate::message::Message;

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

/// Why [`send`](crate::SubscribeRequest::send) to one subscriber failed. The message comes back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriberSendError {
    /// The subscriber has left.
    #[error("the subscriber is gone")]
    PeerGone(Message),
    /// None of the subscriber's accepted subscriptions is a prefix of the message.
    #[error("the subscriber has no subscription for the message")]
    Unwanted(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SubscriberSendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::PeerGone(message) | Self::Unwanted(message) | Self::Closed(message) => message,
        }
    }
}

/// Why [`try_send`](crate::SubscribeRequest::try_send) to one subscriber failed. The message comes
/// back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriberTrySendError {
    /// The subscriber's queue is full.
    #[error("the queue of the subscriber is full")]
    Full(Message),
    /// The subscriber has left.
    #[error("the subscriber is gone")]
    PeerGone(Message),
    /// None of the subscriber's accepted subscriptions is a prefix of the message.
    #[error("the subscriber has no subscription for the message")]
    Unwanted(Message),
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SubscriberTrySendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message)
            | Self::PeerGone(message)
            | Self::Unwanted(message)
            | Self::Closed(message) => message,
        }
    }
}

impl From<SubscriberSendError> for SubscriberTrySendError {
    fn from(error: SubscriberSendError) -> Self {
        match error {
            SubscriberSendError::PeerGone(message) => Self::PeerGone(message),
            SubscriberSendError::Unwanted(message) => Self::Unwanted(message),
            SubscriberSendError::Closed(message) => Self::Closed(message),
        }
    }
}
