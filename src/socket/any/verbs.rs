//! Sending, receiving and subscribing in libzmq's framing, whatever the type.

use super::AnySocket;
use crate::error::{
    AnyRecvError, AnySendError, AnySubscribeError, AnyTryRecvError, AnyTrySendError, NoSuchVerb,
    SendToError, TrySendToError,
};
use crate::identity::Identity;
use crate::message::Message;
use crate::peer_handle::Peer;
use crate::socket::rep::Request;
use crate::socket::xpub::SubscriberMessage;

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
                // What comes back is what was given.
                sent.map_err(|error| match error {
                    SendToError::Closed(body) => AnySendError::Closed(addressed(&peer, body)),
                    SendToError::Unroutable { identity, message } => {
                        let message = addressed(&identity, message);
                        AnySendError::Unroutable { identity, message }
                    }
                })
            }
            Self::Sub(_) | Self::Pull(_) => Err(self.cannot_send(message)),
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: [`AnyTrySendError`] gives the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), AnyTrySendError> {
        let message = message.into();
        match self {
            Self::Pair(socket) => Ok(socket.try_send(message)?),
            Self::Pub(socket) => Ok(socket.try_send(message)?),
            Self::Req(socket) => Ok(socket.try_send(message)?),
            Self::Rep(socket) => Ok(socket.try_send(message)?),
            Self::Dealer(socket) => Ok(socket.try_send(message)?),
            Self::Push(socket) => Ok(socket.try_send(message)?),
            Self::XPub(socket) => Ok(socket.try_send(message)?),
            Self::XSub(socket) => Ok(socket.try_send(message)?),
            Self::Router(socket) => {
                let (peer, body) = address(message)?;
                let sent = socket.try_send_to(&peer, body);
                // What comes back is what was given.
                sent.map_err(|error| match error {
                    TrySendToError::Full(body) => AnyTrySendError::Full(addressed(&peer, body)),
                    TrySendToError::Closed(body) => AnyTrySendError::Closed(addressed(&peer, body)),
                    TrySendToError::Unroutable { identity, message } => {
                        let message = addressed(&identity, message);
                        AnyTrySendError::Unroutable { identity, message }
                    }
                })
            }
            Self::Sub(_) | Self::Pull(_) => Err(self.cannot_send(message).into()),
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
    /// *Errors*: [`AnyTryRecvError`].
    pub fn try_recv(&self) -> Result<Message, AnyTryRecvError> {
        match self {
            Self::Pair(socket) => Ok(socket.try_recv()?),
            Self::Sub(socket) => Ok(socket.try_recv()?),
            Self::Req(socket) => Ok(socket.try_recv()?),
            Self::Rep(socket) => Ok(socket.try_recv()?.into_parts().0),
            Self::Dealer(socket) => Ok(socket.try_recv()?),
            Self::Pull(socket) => Ok(socket.try_recv()?),
            Self::XPub(socket) => Ok(socket.try_recv()?.into()),
            Self::XSub(socket) => Ok(socket.try_recv()?),
            Self::Router(socket) => {
                let (peer, body) = socket.try_recv()?;
                Ok(addressed(&peer, body))
            }
            Self::Pub(_) | Self::Push(_) => Err(self.cannot("recv").into()),
        }
    }

    /// As [`recv`](Self::recv), with the peer that sent the message.
    ///
    /// *Cancel safety*: a dropped future loses nothing.
    ///
    /// *Errors*: [`AnyRecvError`].
    pub async fn recv_from(&self) -> Result<(Peer, Message), AnyRecvError> {
        match self {
            Self::Pair(socket) => Ok(socket.recv_from().await?),
            Self::Sub(socket) => Ok(socket.recv_from().await?),
            Self::Req(socket) => Ok(socket.recv_from().await?),
            Self::Rep(socket) => Ok(asked(socket.recv().await?)),
            Self::Dealer(socket) => Ok(socket.recv_from().await?),
            Self::Pull(socket) => Ok(socket.recv_from().await?),
            Self::XPub(socket) => Ok(shown(socket.recv_from().await?)),
            Self::XSub(socket) => Ok(socket.recv_from().await?),
            Self::Router(socket) => Ok(named(socket.recv_from().await?)),
            Self::Pub(_) | Self::Push(_) => Err(self.cannot("recv").into()),
        }
    }

    /// As [`try_recv`](Self::try_recv), with the peer that sent the message.
    ///
    /// *Errors*: [`AnyTryRecvError`].
    pub fn try_recv_from(&self) -> Result<(Peer, Message), AnyTryRecvError> {
        match self {
            Self::Pair(socket) => Ok(socket.try_recv_from()?),
            Self::Sub(socket) => Ok(socket.try_recv_from()?),
            Self::Req(socket) => Ok(socket.try_recv_from()?),
            Self::Rep(socket) => Ok(asked(socket.try_recv()?)),
            Self::Dealer(socket) => Ok(socket.try_recv_from()?),
            Self::Pull(socket) => Ok(socket.try_recv_from()?),
            Self::XPub(socket) => Ok(shown(socket.try_recv_from()?)),
            Self::XSub(socket) => Ok(socket.try_recv_from()?),
            Self::Router(socket) => Ok(named(socket.try_recv_from()?)),
            Self::Pub(_) | Self::Push(_) => Err(self.cannot("recv").into()),
        }
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

fn asked(request: Request) -> (Peer, Message) {
    let peer = request.peer().clone();
    (peer, request.into_parts().0)
}

fn shown((peer, message): (Peer, SubscriberMessage)) -> (Peer, Message) {
    (peer, message.into())
}

/// With the name of the peer in front. Who has sent something to a ROUTER has one.
fn named((peer, body): (Peer, Message)) -> (Peer, Message) {
    let message = match peer.known_as() {
        Some(name) => addressed(name, body),
        None => body,
    };
    (peer, message)
}
