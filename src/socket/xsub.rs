//! XSUB: subscribes by messages, too, and hears everything that comes. RFC 29.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Sink;

use super::builder::{
    Build, ForwardsSubscriptions, Matches, Parts, Receives, Sends, SpeaksUpstream, Subscribes,
    TakesMany, sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pub_sub::{Subscribe, interest, subscribe, unsubscribe};
use super::recv::{Inbox, receiving_methods};
use crate::error::{Closed, SendError};
use crate::message::Message;
use crate::pattern::interest::Interest;
use crate::socket_type::SocketType;

/// Receives from XPUB and PUB peers as a [`SubSocket`](crate::SubSocket) does, subscribes by
/// messages if it likes, and can send messages to its publishers (RFC 29). It is one half of a
/// broker between publishers and subscribers; the other is an [`XPubSocket`](crate::XPubSocket).
///
/// What arrives is not filtered once more: between an [`unsubscribe`](Self::unsubscribe) and its
/// effect at the publishers, messages go on arriving.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Message, PubSocket, XSubSocket};
///
/// let publisher = PubSocket::new();
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
/// let subscriber = XSubSocket::new();
/// subscriber.connect(endpoint)?;
/// subscriber.send(b"\x01weather.").await?; // the same as subscriber.subscribe("weather.")
///
/// publisher.wait_for_subscribers("weather.", 1).await?;
/// publisher.send(["weather.oslo", "4 C"]).await?;
/// assert_eq!(subscriber.recv().await?, Message::from(["weather.oslo", "4 C"]));
/// # publisher.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct XSubSocket {
    handle: Handle,
    inbox: Arc<Inbox>,
    interest: Arc<Interest>,
}

common_methods!(XSubSocket);

impl XSubSocket {
    /// Asks every publisher for messages whose first frame begins with `prefix`: see
    /// [`SubSocket::subscribe`](crate::SubSocket::subscribe).
    ///
    /// *Errors*: the socket is closed.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        subscribe(&self.handle, &self.interest, prefix.as_ref())
    }

    /// Takes one subscription back. Publishers are told of the last one of its prefix, or
    /// [of each](crate::SocketBuilder::verbose_unsubscribe).
    ///
    /// *Errors*: the socket is closed.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        unsubscribe(&self.handle, &self.interest, prefix.as_ref())
    }

    /// How many distinct prefixes are subscribed to. libzmq: `ZMQ_TOPICS_COUNT`.
    pub fn topic_count(&self) -> usize {
        self.interest.topics()
    }

    /// Subscribes, or sends a message to all publishers. Never waits for one of them.
    ///
    /// A frame of a byte 1 and a prefix is a [`subscribe`](Self::subscribe), one of a byte 0 and a
    /// prefix an [`unsubscribe`](Self::unsubscribe); every frame of a message is looked at, unless
    /// [`only_first_subscribe`](crate::SocketBuilder::only_first_subscribe) says otherwise. The
    /// rest of the message goes to the users of XPUB peers; a PUB drops it.
    ///
    /// *Delivery*: subscriptions are kept, and told to publishers that come later. A message goes to
    /// the publishers that are connected and have room, at most once to each; what others lose is
    /// counted in [`stats`](Self::stats).
    ///
    /// *Cancel safety*: never waits, so there is nothing to cancel.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.try_send(message)
    }

    /// As [`send`](Self::send), for callers that are not async.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.handle.core().is_closing() {
            return Err(SendError::Closed(message));
        }
        self.interest.send(message);
        Ok(())
    }

    /// The socket as a [`Sink`].
    pub fn sink(&self) -> XSubSink {
        XSubSink(self.clone())
    }
}

/// An XSUB as a [`Sink`], got from [`XSubSocket::sink`]: what goes in is [sent](XSubSocket::send).
/// It is always ready, flushing has nothing to wait for, and closing it leaves the socket open.
#[derive(Debug)]
pub struct XSubSink(XSubSocket);

impl<M: Into<Message>> Sink<M> for XSubSink {
    type Error = Closed;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(if self.0.is_closed() {
            Err(Closed)
        } else {
            Ok(())
        })
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Closed> {
        self.0.try_send(message).map_err(|_| Closed)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}

receiving_methods!(
    XSubSocket,
    " A publisher drops what does not fit into the queue towards this socket."
);

impl sealed::Sealed for XSubSocket {}
impl TakesMany for XSubSocket {}
impl Sends for XSubSocket {}
impl Receives for XSubSocket {}
impl Subscribes for XSubSocket {}
impl Matches for XSubSocket {}
impl SpeaksUpstream for XSubSocket {}
impl ForwardsSubscriptions for XSubSocket {}

impl Build for XSubSocket {
    fn build(parts: Parts) -> Self {
        let interest = interest(&parts);
        let inbox = Arc::new(Inbox::default());
        let pattern = Arc::new(Subscribe {
            inbox: Arc::clone(&inbox),
            interest: Arc::clone(&interest),
        });
        let core = Core::new(parts.options, SocketType::XSub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            inbox,
            interest,
        }
    }
}
