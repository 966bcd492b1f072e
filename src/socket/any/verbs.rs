//! Sending, receiving and subscribing in libzmq's framing, whatever the type.

use futures::FutureExt as _;
use tokio::task::coop::unconstrained;

use super::AnySocket;
use crate::error::{AnyRecvError, AnySendError, AnySubscribeError, NoSuchVerb};
use crate::identity::Identity;
use crate::message::Message;

impl AnySocket {
    /// Sends a message, waiting for room as its type does. A ROUTER takes the first frame for the name
    /// of the peer, an XSUB takes frames that begin with 1 or 0 for subscriptions, a REP answers the
    /// request that was received last.
    ///
    /// *Delivery*, *Cancel safety*: as those of the typed socket's `send`: a dropped future has queued
    /// nothing.
    ///
    /// *Errors*: [`AnySendError`] gives the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), AnySendError> {
        let message = message.into();
        match self {
            Self::Pair(socket) => Ok(socket.send(message).await?),
            Self::Pub(socket) => Ok(socket.send(message).await?),
            Self::Req(socket) => Ok(socket.send(message).await?),
            Self::Rep(socket) => Ok(socket.send(message).await?),
            Self::Dealer(socket) => Ok(socket.send(message).await?),
            Self::Push(socket) => Ok(socket.send(message).await?),
            Self::XPub(socket) => Ok(socket.send(message).await?),
            Self::XSub(socket) => Ok(socket.send(message).await?),
            Self::Router(socket) => {
                let (peer, body) = address(message)?;
                let sent = socket.send_to(&peer, body).await;
                sent.map_err(|error| with_address(&peer, error.into()))
            }
            Self::Sub(_) | Self::Pull(_) => Err(self.cannot_send(message)),
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: [`AnySendError`] gives the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), AnySendError> {
        let message = message.into();
        match self {
            Self::Pair(socket) => Ok(socket.try_send(message)?),
            Self::Dealer(socket) => Ok(socket.try_send(message)?),
            Self::Push(socket) => Ok(socket.try_send(message)?),
            Self::XPub(socket) => Ok(socket.try_send(message)?),
            Self::Router(socket) => {
                let (peer, body) = address(message)?;
                let sent = socket.try_send_to(&peer, body);
                sent.map_err(|error| with_address(&peer, error.into()))
            }
            // These have nothing to wait for, but a REQ for a peer: then the copy is dropped.
            Self::Pub(_) | Self::Req(_) | Self::Rep(_) | Self::XSub(_) => {
                let sent = unconstrained(self.send(&message)).now_or_never();
                sent.unwrap_or(Err(AnySendError::Full(message)))
            }
            Self::Sub(_) | Self::Pull(_) => Err(self.cannot_send(message)),
        }
    }

    /// Waits for the next message. A ROUTER puts the name of the peer in front.
    ///
    /// *Delivery*, *Cancel safety*: as those of the typed socket's `recv`: a dropped future loses
    /// nothing.
    ///
    /// *Errors*: [`AnyRecvError`].
    pub async fn recv(&self) -> Result<Message, AnyRecvError> {
        match self {
            Self::Pair(socket) => Ok(socket.recv().await?),
            Self::Sub(socket) => Ok(socket.recv().await?),
            Self::Req(socket) => Ok(socket.recv().await?),
            Self::Rep(socket) => Ok(socket.recv().await?.into_parts().0),
            Self::Dealer(socket) => Ok(socket.recv().await?),
            Self::Pull(socket) => Ok(socket.recv().await?),
            Self::XPub(socket) => Ok(socket.recv().await?.into()),
            Self::XSub(socket) => Ok(socket.recv().await?),
            Self::Router(socket) => {
                let (peer, body) = socket.recv().await?;
                Ok(addressed(&peer, body))
            }
            Self::Pub(_) | Self::Push(_) => Err(self.cannot("recv").into()),
        }
    }

    /// The next message if one is there already.
    ///
    /// *Errors*: [`AnyRecvError`].
    pub fn try_recv(&self) -> Result<Message, AnyRecvError> {
        unconstrained(self.recv())
            .now_or_never()
            .unwrap_or(Err(AnyRecvError::Empty))
    }

    /// Subscribes to messages whose first frame begins with `prefix`: for SUB and XSUB.
    ///
    /// *Errors*: the type does not subscribe, or the socket is closed.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), AnySubscribeError> {
        match self {
            Self::Sub(socket) => Ok(socket.subscribe(prefix)?),
            Self::XSub(socket) => Ok(socket.subscribe(prefix)?),
            _ => Err(self.cannot("subscribe").into()),
        }
    }

    /// Takes one subscription back: for SUB and XSUB.
    ///
    /// *Errors*: the type does not subscribe, or the socket is closed.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), AnySubscribeError> {
        match self {
            Self::Sub(socket) => Ok(socket.unsubscribe(prefix)?),
            Self::XSub(socket) => Ok(socket.unsubscribe(prefix)?),
            _ => Err(self.cannot("unsubscribe").into()),
        }
    }

    const fn cannot(&self, verb: &'static str) -> NoSuchVerb {
        NoSuchVerb {
            socket_type: self.socket_type(),
            verb,
        }
    }

    const fn cannot_send(&self, message: Message) -> AnySendError {
        AnySendError::NoSuchVerb {
            what: self.cannot("send"),
            message,
        }
    }
}

/// Takes the name of the peer off.
fn address(message: Message) -> Result<(Identity, Message), AnySendError> {
    let name = message.frame_bytes(0).map(Identity::of_peer);
    match name {
        Some(Ok(peer)) if message.len() > 1 => {
            let body = Message::from_frames(message.into_frames().into_iter().skip(1));
            Ok((peer, body))
        }
        _ => Err(AnySendError::NoAddress(message)),
    }
}

/// Puts the name of the peer in front.
fn addressed(peer: &Identity, body: Message) -> Message {
    Message::from_frames(std::iter::once(peer.as_bytes().clone()).chain(body.into_frames()))
}

/// What comes back is what was given.
fn with_address(peer: &Identity, error: AnySendError) -> AnySendError {
    match error {
        AnySendError::Full(body) => AnySendError::Full(addressed(peer, body)),
        AnySendError::Closed(body) => AnySendError::Closed(addressed(peer, body)),
        AnySendError::Unroutable { peer, message } => AnySendError::Unroutable {
            message: addressed(&peer, message),
            peer,
        },
        other => other,
    }
}
