//! XPUB: publishes, and sees who subscribes to what. RFC 29.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;

use super::builder::{
    Build, Matches, Parts, Publishes, Receives, SeesSubscribers, Sends, SpeaksUpstream, TakesMany,
    sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::outlet::{Outlet, Publish, publishing_methods};
use crate::error::{
    AcceptError, RecvError, SendError, SubscriberSendError, SubscriberTrySendError, TryRecvError,
    TrySendError,
};
use crate::message::Message;
use crate::pattern::audience::{Denied, Policy, Sent, To};
use crate::pattern::holdings::SUBSCRIPTIONS_MAX;
use crate::pattern::notices::{Asked, Notice};
use crate::peer_handle::Peer;
use crate::pipe::wake::Ticket;
use crate::socket_type::SocketType;
use crate::wire::subscription::Subscription;

/// Publishes as a [`PubSocket`](crate::PubSocket) does, and shows what its subscribers ask for and
/// say (RFC 29).
///
/// By default [`recv`](Self::recv) gives the first subscription to each prefix and the
/// cancellation of the last one, as they are forwarded by a broker; builder options make it give
/// [all of them](crate::SocketBuilder::verbose) or let the program
/// [decide](crate::SocketBuilder::manual). Messages that XSUB peers send arrive here as well.
///
/// An XPUB wants to be read: what a peer has asked for or said and nobody has received counts
/// against its queue ([`recv_hwm`](crate::SocketBuilder::recv_hwm)). When that is full nothing more
/// is read from this peer, so its further subscriptions take no effect until somebody receives. With 100,000 unread
/// ones of all peers together, or 256 MiB, that goes for every peer. A publisher that does not care is a PUB.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{SubSocket, SubscriberMessage, XPubSocket};
///
/// let publisher = XPubSocket::new();
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
/// let subscriber = SubSocket::builder().subscribe("weather.").build();
/// subscriber.connect(endpoint)?;
///
/// let SubscriberMessage::Subscribe(request) = publisher.recv().await? else {
///     panic!("a SUB only subscribes");
/// };
/// assert_eq!(request.topic(), b"weather.");
/// publisher.send(["weather.oslo", "4 C"]).await?;
/// assert_eq!(subscriber.recv().await?.frame(1), Some(&b"4 C"[..]));
/// # publisher.close().await;
/// # Ok(())
/// # }
/// ```
///
/// A cache of last values greets each newcomer with what it has missed:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use wirelark::{SubSocket, SubscriberMessage, XPubSocket};
/// let cache = XPubSocket::builder().manual(true).build();
/// let endpoint = cache.bind("tcp://127.0.0.1:*").await?;
/// let newcomer = SubSocket::builder().subscribe("weather.").build();
/// newcomer.connect(endpoint)?;
///
/// if let SubscriberMessage::Subscribe(request) = cache.recv().await? {
///     request.accept()?;
///     request.send(["weather.oslo", "4 C"]).await?; // to this subscriber and to nobody else
/// }
/// assert_eq!(newcomer.recv().await?.text(), "weather.oslo");
/// # cache.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct XPubSocket {
    handle: Handle,
    outlet: Arc<Outlet>,
}

common_methods!(XPubSocket);

impl XPubSocket {
    /// Queues a message for every subscriber that wants it. One that has no room loses it, unless
    /// the socket [drops nothing](crate::SocketBuilder::no_drop): then this waits until all of
    /// them have room. A subscriber that leaves is waited for no longer.
    ///
    /// *Delivery*: at most once to each; what a full subscriber loses is counted in
    /// [`stats`](Self::stats) and [`peers`](Self::peers).
    ///
    /// *Cancel safety*: a dropped future has queued the message for all or for nobody.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        match self.outlet.send(To::Everybody, &message).await {
            Sent::Closed => Err(SendError::Closed(message)),
            _ => Ok(()),
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: [`TrySendError::Full`] when the socket [drops
    /// nothing](crate::SocketBuilder::no_drop) and a subscriber that wants the message has no
    /// room; then nobody got it. [`TrySendError::Closed`]. Both give the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.outlet.fan_out.try_send(To::Everybody, &message) {
            Sent::Closed => Err(TrySendError::Closed(message)),
            Sent::Full => Err(TrySendError::Full(message)),
            _ => Ok(()),
        }
    }

    /// Waits for the next thing that a subscriber asks for or says, in the order in which they have
    /// arrived.
    ///
    /// *Delivery*: requests have taken effect already, unless the socket is
    /// [manual](crate::SocketBuilder::manual). The departure of a peer cancels what it had
    /// subscribed to, and is shown as that.
    ///
    /// *Cancel safety*: a dropped future loses nothing.
    ///
    /// *Errors*: [`RecvError::Closed`].
    pub async fn recv(&self) -> Result<SubscriberMessage, RecvError> {
        self.recv_from().await.map(|(_, message)| message)
    }

    /// As [`recv`](Self::recv), with the peer that asks or says it: its address, and what it says of
    /// itself. It may have left since.
    ///
    /// *Cancel safety*: a dropped future loses nothing.
    ///
    /// *Errors*: [`RecvError::Closed`].
    pub async fn recv_from(&self) -> Result<(Peer, SubscriberMessage), RecvError> {
        RecvNotice {
            outlet: &self.outlet,
            ticket: Ticket::default(),
        }
        .await
        .ok_or(RecvError::Closed)
    }

    /// The next thing that a subscriber has asked for or said, if there is one.
    ///
    /// *Errors*: [`TryRecvError::Empty`], [`TryRecvError::Closed`].
    pub fn try_recv(&self) -> Result<SubscriberMessage, TryRecvError> {
        self.try_recv_from().map(|(_, message)| message)
    }

    /// As [`try_recv`](Self::try_recv), with the peer that has asked for it or said it.
    ///
    /// *Errors*: [`TryRecvError::Empty`], [`TryRecvError::Closed`].
    pub fn try_recv_from(&self) -> Result<(Peer, SubscriberMessage), TryRecvError> {
        match self.outlet.fan_out.try_next() {
            Ok(Some((peer, notice))) => Ok((peer, SubscriberMessage::new(&self.outlet, notice))),
            Ok(None) => Err(TryRecvError::Empty),
            Err(_) => Err(TryRecvError::Closed),
        }
    }

    /// What subscribers ask for and say as a [`Stream`], which ends when the socket is closed.
    pub fn stream(&self) -> SubscriberStream {
        SubscriberStream {
            outlet: Arc::clone(&self.outlet),
            ticket: Ticket::default(),
            _handle: self.handle.clone(),
        }
    }
}

publishing_methods!(XPubSocket);

/// What an [`XPubSocket`] receives.
///
/// Converted into a [`Message`] it is what libzmq would give: a subscription is one frame of a
/// byte 1 and the prefix, a cancellation likewise with a byte 0.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubscriberMessage {
    /// A peer wants what begins with a prefix.
    Subscribe(SubscribeRequest),
    /// A peer does not want it any longer, or has left.
    Cancel(CancelRequest),
    /// An XSUB peer sends a message.
    Message(Message),
}

impl SubscriberMessage {
    fn new(outlet: &Arc<Outlet>, notice: Notice) -> Self {
        let outlet = Arc::clone(outlet);
        match notice {
            Notice::Subscribe(asked) => Self::Subscribe(SubscribeRequest { outlet, asked }),
            Notice::Cancel(asked) => Self::Cancel(CancelRequest { outlet, asked }),
            Notice::Message(message) => Self::Message(message),
        }
    }
}

impl From<SubscriberMessage> for Message {
    fn from(message: SubscriberMessage) -> Self {
        let (subscribe, asked) = match message {
            SubscriberMessage::Subscribe(request) => (true, request.asked),
            SubscriberMessage::Cancel(request) => (false, request.asked),
            SubscriberMessage::Message(message) => return message,
        };
        let topic = &asked.prefix[..];
        Subscription { subscribe, topic }.to_message()
    }
}

/// A subscription that an [`XPubSocket`] received.
///
/// On a [manual](crate::SocketBuilder::manual) socket it takes effect when it is accepted, and one
/// that is dropped is refused. Any other socket has accepted it already.
#[must_use = "on a manual socket a request that is dropped is refused"]
pub struct SubscribeRequest {
    outlet: Arc<Outlet>,
    asked: Asked,
}

impl SubscribeRequest {
    /// The prefix that is asked for.
    pub fn topic(&self) -> &[u8] {
        &self.asked.prefix
    }

    /// The prefix as text, with U+FFFD in place of what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.asked.prefix)
    }

    /// The prefix as [`Bytes`], without a copy.
    pub const fn topic_bytes(&self) -> &Bytes {
        &self.asked.prefix
    }

    /// Gives the subscriber what it asks for. libzmq: `ZMQ_SUBSCRIBE` on an XPUB.
    ///
    /// *Errors*: [`AcceptError::PeerGone`] when the subscriber has left, [`AcceptError::TooMany`]
    /// when it has too many already, [`AcceptError::Closed`]. Never
    /// [`NotManual`](AcceptError::NotManual).
    pub fn accept(&self) -> Result<(), AcceptError> {
        self.grant(&self.asked.prefix)
    }

    /// Gives the subscriber another prefix instead. May be called several times for several of
    /// them.
    ///
    /// *Errors*: as [`accept`](Self::accept), and [`AcceptError::NotManual`].
    pub fn accept_as(&self, prefix: impl AsRef<[u8]>) -> Result<(), AcceptError> {
        if self.asked.pending {
            self.grant(prefix.as_ref())
        } else {
            Err(AcceptError::NotManual)
        }
    }

    fn grant(&self, prefix: &[u8]) -> Result<(), AcceptError> {
        let fan_out = &self.outlet.fan_out;
        let member = self.asked.member.ok_or(AcceptError::PeerGone)?;
        let granted = if self.asked.pending {
            fan_out.grant(member, prefix)
        } else {
            fan_out.is_here(member)
        };
        granted.map_err(|denied| match denied {
            Denied::Gone => AcceptError::PeerGone,
            Denied::TooMany => AcceptError::TooMany {
                limit: SUBSCRIPTIONS_MAX,
            },
            Denied::Closed => AcceptError::Closed,
        })
    }

    /// Sends a message to this subscriber and nobody else, waiting until it has room. It has to
    /// have a subscription for it that has taken effect. libzmq: `ZMQ_XPUB_MANUAL_LAST_VALUE`.
    ///
    /// *Delivery*: in the order of all that is sent to this subscriber; at most once.
    ///
    /// *Cancel safety*: a dropped future has queued nothing.
    ///
    /// *Errors*: [`SubscriberSendError`] gives the message back: the subscriber has left or has no
    /// subscription for it, or the socket is closed.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SubscriberSendError> {
        let message = message.into();
        let Some(member) = self.asked.member else {
            return Err(SubscriberSendError::PeerGone(message));
        };
        match self.outlet.send(To::One(member), &message).await {
            Sent::Done => Ok(()),
            Sent::Unwanted => Err(SubscriberSendError::Unwanted(message)),
            // It is waited for until it has room or is gone.
            Sent::Gone | Sent::Full => Err(SubscriberSendError::PeerGone(message)),
            Sent::Closed => Err(SubscriberSendError::Closed(message)),
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: as [`send`](Self::send), and [`SubscriberTrySendError::Full`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SubscriberTrySendError> {
        let message = message.into();
        let Some(member) = self.asked.member else {
            return Err(SubscriberTrySendError::PeerGone(message));
        };
        match self.outlet.fan_out.try_send(To::One(member), &message) {
            Sent::Done => Ok(()),
            Sent::Full => Err(SubscriberTrySendError::Full(message)),
            Sent::Unwanted => Err(SubscriberTrySendError::Unwanted(message)),
            Sent::Gone => Err(SubscriberTrySendError::PeerGone(message)),
            Sent::Closed => Err(SubscriberTrySendError::Closed(message)),
        }
    }
}

impl fmt::Debug for SubscribeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SubscribeRequest")
            .field(&self.asked.prefix)
            .finish()
    }
}

/// The end of a subscription that an [`XPubSocket`] received.
///
/// On a [manual](crate::SocketBuilder::manual) socket it takes effect when it is accepted. The
/// subscriptions of a peer that has left have ended in any case.
pub struct CancelRequest {
    outlet: Arc<Outlet>,
    asked: Asked,
}

impl CancelRequest {
    /// The prefix that is not wanted any longer.
    pub fn topic(&self) -> &[u8] {
        &self.asked.prefix
    }

    /// The prefix as text, with U+FFFD in place of what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.asked.prefix)
    }

    /// The prefix as [`Bytes`], without a copy.
    pub const fn topic_bytes(&self) -> &Bytes {
        &self.asked.prefix
    }

    /// Ends the subscription; does nothing when that has happened already. libzmq:
    /// `ZMQ_UNSUBSCRIBE` on an XPUB.
    pub fn accept(&self) {
        self.revoke(&self.asked.prefix);
    }

    /// Ends the subscription to another prefix instead, which was given for this one by
    /// [`SubscribeRequest::accept_as`]. Does nothing on a socket that is not manual.
    pub fn accept_as(&self, prefix: impl AsRef<[u8]>) {
        self.revoke(prefix.as_ref());
    }

    fn revoke(&self, prefix: &[u8]) {
        if let Some(member) = self.asked.member.filter(|_| self.asked.pending) {
            self.outlet.fan_out.revoke(member, prefix);
        }
    }
}

impl fmt::Debug for CancelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelRequest")
            .field(&self.asked.prefix)
            .finish()
    }
}

impl Outlet {
    fn poll_recv(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<(Peer, SubscriberMessage)>> {
        ready!(self.pace.poll(cx));
        let next = ready!(self.fan_out.poll_next(cx, ticket));
        Poll::Ready(next.map(|(peer, notice)| (peer, SubscriberMessage::new(self, notice))))
    }
}

/// A place in line for what subscribers say; dropping it passes a wake-up on that had come already.
#[derive(Debug)]
struct RecvNotice<'a> {
    outlet: &'a Arc<Outlet>,
    ticket: Ticket,
}

impl Future for RecvNotice<'_> {
    type Output = Option<(Peer, SubscriberMessage)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.outlet.poll_recv(cx, &mut this.ticket)
    }
}

impl Drop for RecvNotice<'_> {
    fn drop(&mut self) {
        self.outlet.fan_out.leave_reading(&mut self.ticket);
    }
}

/// What an [`XPubSocket`] receives as a [`Stream`], got from its `stream` method; ends when the
/// socket is closed. Dropping it loses nothing.
#[derive(Debug)]
pub struct SubscriberStream {
    outlet: Arc<Outlet>,
    ticket: Ticket,
    /// Keeps the socket open.
    _handle: Handle,
}

impl Stream for SubscriberStream {
    type Item = SubscriberMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = this.outlet.poll_recv(cx, &mut this.ticket);
        next.map(|next| next.map(|(_, message)| message))
    }
}

impl Drop for SubscriberStream {
    fn drop(&mut self) {
        self.outlet.fan_out.leave_reading(&mut self.ticket);
    }
}

impl sealed::Sealed for XPubSocket {}
impl TakesMany for XPubSocket {}
impl Sends for XPubSocket {}
impl Receives for XPubSocket {}
impl Publishes for XPubSocket {}
impl Matches for XPubSocket {}
impl SpeaksUpstream for XPubSocket {}
impl SeesSubscribers for XPubSocket {}

impl Build for XPubSocket {
    fn build(parts: Parts) -> Self {
        let outlet = Outlet::new(Policy::of_xpub(&parts.options.publish));
        let pattern = Arc::new(Publish(Arc::clone(&outlet.fan_out)));
        let core = Core::new(parts.options, SocketType::XPub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outlet,
        }
    }
}
