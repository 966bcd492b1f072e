//! ROUTER: addresses its peers by name. RFC 28.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};

use super::builder::{
    Build, Identified, Parts, Probes, Receives, Routes, Sends, TakesMany, sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pace::{self, Pace};
use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{ConnectError, RecvError, SendToError, TryRecvError, TrySendToError};
use crate::identity::Identity;
use crate::message::Message;
use crate::pattern::fair_queue::Next;
use crate::pattern::relay::{Entrance, Exit};
use crate::pattern::routes::{self, Place, Sent};
use crate::peer_handle::Peer;
use crate::pipe::wake::{Due, Ticket};
use crate::socket_type::SocketType;

/// Receives from all of its peers and sends to the one that it names (RFC 28): a server that answers
/// when it likes, a broker.
///
/// A peer is called by the [identity](crate::SocketBuilder::identity) that it announces. Those that
/// announce none are given one of five bytes, the first of them zero, which is theirs until their
/// connection ends. Names are claims that nobody has checked. [Events](Self::events) and
/// [`peers`](Self::peers) tell who comes and goes, and how it is addressed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{DealerSocket, Identity, RouterSocket, SendToError};
///
/// let router = RouterSocket::new();
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
///
/// let dealer = DealerSocket::builder().identity(Identity::new("ada")?).build();
/// dealer.connect(endpoint)?;
/// dealer.send("how are you?").await?;
///
/// let (peer, question) = router.recv().await?;
/// assert_eq!((peer.to_string().as_str(), &*question.text()), ("ada", "how are you?"));
/// router.send_to(&peer, "fine").await?;
/// assert_eq!(dealer.recv().await?.text(), "fine");
///
/// // Nobody has this name; the message comes back.
/// match router.send_to(&Identity::new("bob")?, "and you?").await {
///     Err(SendToError::Unroutable { message, .. }) => assert_eq!(message.text(), "and you?"),
///     other => panic!("{other:?}"),
/// }
/// # dealer.close().await;
/// # Ok(())
/// # }
/// ```
///
/// A REQ puts an empty frame in front of its question and wants to see it in front of the answer: here it
/// is an ordinary frame of the message.
#[derive(Clone)]
pub struct RouterSocket {
    handle: Handle,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    law: Arc<routes::Routes>,
    sending: Pace,
    receiving: Pace,
}

common_methods!(RouterSocket);

impl RouterSocket {
    /// Waits for the next message, and says who sent it. Peers are served in turn.
    ///
    /// *Delivery*: messages are whole, and in the order in which one peer sent them. What a peer sent
    /// is received although it has left since.
    ///
    /// *Cancel safety*: a dropped future loses no message.
    ///
    /// *Errors*: [`RecvError::Closed`].
    pub async fn recv(&self) -> Result<(Identity, Message), RecvError> {
        let recv = Recv {
            desk: &self.desk,
            ticket: Ticket::default(),
        };
        recv.await.ok_or(RecvError::Closed)
    }

    /// The next message and its sender if one is there already.
    ///
    /// *Errors*: [`TryRecvError::Empty`], [`TryRecvError::Closed`].
    pub fn try_recv(&self) -> Result<(Identity, Message), TryRecvError> {
        match self.desk.law.try_next() {
            Next::Message(received) => Ok(received),
            Next::Empty => Err(TryRecvError::Empty),
            Next::Closed => Err(TryRecvError::Closed),
        }
    }

    /// As [`recv`](Self::recv), with all that is known of the peer that sent the message, and what
    /// it says of itself. Its name is [`Peer::known_as`].
    ///
    /// *Cancel safety*: a dropped future loses no message.
    ///
    /// *Errors*: [`RecvError::Closed`].
    pub async fn recv_from(&self) -> Result<(Peer, Message), RecvError> {
        let recv = RecvFrom(Recv {
            desk: &self.desk,
            ticket: Ticket::default(),
        });
        recv.await.ok_or(RecvError::Closed)
    }

    /// As [`try_recv`](Self::try_recv), with all that is known of the peer that sent the message.
    ///
    /// *Errors*: [`TryRecvError::Empty`], [`TryRecvError::Closed`].
    pub fn try_recv_from(&self) -> Result<(Peer, Message), TryRecvError> {
        match self.desk.law.try_next_from() {
            Next::Message(received) => Ok(received),
            Next::Empty => Err(TryRecvError::Empty),
            Next::Closed => Err(TryRecvError::Closed),
        }
    }

    /// The messages and their senders as a [`Stream`], which ends when the socket is closed.
    pub fn stream(&self) -> RouterStream {
        RouterStream {
            desk: Arc::clone(&self.desk),
            ticket: Ticket::default(),
            _handle: self.handle.clone(),
        }
    }

    /// The socket as a [`Sink`] of names and messages.
    pub fn sink(&self) -> RouterSink {
        RouterSink {
            desk: Arc::clone(&self.desk),
            place: Place::default(),
            held: None,
            _handle: self.handle.clone(),
        }
    }

    /// Queues a message for the peer of this name, waiting while its queue is full. Nobody else is held
    /// up by that.
    ///
    /// *Delivery*: `Ok` means that the message is in the queue of the peer's connection, whole, and
    /// goes out by itself; at most once. When that connection ends first it is dropped and counted; at
    /// a peer [named by this side](Self::connect_as) it waits for the next connection.
    ///
    /// *Cancel safety*: a dropped future has queued nothing, and the message is dropped with it.
    ///
    /// *Errors*: [`SendToError::Unroutable`] when no peer has this name, also when it leaves while
    /// its queue is full; [`SendToError::Closed`]. Both give the message back. With
    /// [`drop_unroutable`](crate::SocketBuilder::drop_unroutable) a message that cannot be queued at
    /// once is dropped and counted, and that is `Ok`.
    pub async fn send_to(
        &self,
        peer: &Identity,
        message: impl Into<Message>,
    ) -> Result<(), SendToError> {
        let message = message.into();
        let sent = SendTo {
            desk: &self.desk,
            place: Place::default(),
            peer,
            message: &message,
        };
        accepted(sent.await, peer, message)
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// *Errors*: [`TrySendToError::Full`] when the peer has no room,
    /// [`TrySendToError::Unroutable`], [`TrySendToError::Closed`]; all give the message back.
    pub fn try_send_to(
        &self,
        peer: &Identity,
        message: impl Into<Message>,
    ) -> Result<(), TrySendToError> {
        let message = message.into();
        match self.desk.try_send(peer, &message) {
            Sent::ToPeer => Ok(()),
            Sent::Full => Err(TrySendToError::Full(message)),
            Sent::Closed => Err(TrySendToError::Closed(message)),
            Sent::Unroutable => Err(TrySendToError::Unroutable {
                identity: peer.clone(),
                message,
            }),
        }
    }

    /// As [`connect`](Self::connect), with a name for the peer, which stands whatever the peer calls
    /// itself. The peer can be addressed from now on: what is sent to it waits for the connection,
    /// and for the next one when that is lost. The name is free again after
    /// [`disconnect`](Self::disconnect).
    ///
    /// libzmq: `ZMQ_CONNECT_ROUTING_ID`.
    ///
    /// *Errors*: [`ConnectError::IdentityTaken`] when a peer has this name, otherwise as
    /// [`connect`](Self::connect).
    pub fn connect_as<E>(&self, endpoint: E, peer: &Identity) -> Result<Endpoint, ConnectError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        self.handle.core().connect(endpoint, Some(peer))
    }
}

impl RouterSocket {
    pub(super) fn entrance(&self) -> Entrance<'_> {
        self.desk.law.entrance()
    }

    pub(super) fn exit(&self) -> Exit<'_> {
        Exit::Routes(&self.desk.law)
    }
}

impl Desk {
    #[inline]
    fn poll_send(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        peer: &Identity,
        message: &Message,
    ) -> Poll<Sent> {
        if self.law.drops_unroutable() {
            return Poll::Ready(self.try_send(peer, message));
        }
        self.law.poll_send(cx, place, peer, message)
    }

    fn try_send(&self, peer: &Identity, message: &Message) -> Sent {
        match self.law.try_send(peer, message) {
            Sent::Full | Sent::Unroutable if self.law.drops_unroutable() => {
                self.law.drop_for(peer.as_ref(), &mut Due::default());
                Sent::ToPeer
            }
            sent => sent,
        }
    }
}

/// Waits until the message has been accepted, or cannot be any more.
#[derive(Debug)]
struct SendTo<'a> {
    desk: &'a Desk,
    place: Place,
    peer: &'a Identity,
    message: &'a Message,
}

impl Future for SendTo<'_> {
    type Output = Sent;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent> {
        let this = &mut *self;
        ready!(this.desk.sending.poll(cx));
        let desk = this.desk;
        let sent = ready!(desk.poll_send(cx, &mut this.place, this.peer, this.message));
        desk.sending.carry(this.message.body_len());
        Poll::Ready(sent)
    }
}

/// A ROUTER as a [`Sink`] of names and messages, got from [`RouterSocket::sink`]. A message for a peer
/// that has no room waits in the sink, which takes no other one meanwhile, for whomever; flushing
/// waits for that message, and dropping the sink drops it. What cannot be sent comes back in the
/// error, and the sink goes on with the next one. Closing it leaves the socket open.
#[derive(Debug)]
pub struct RouterSink {
    desk: Arc<Desk>,
    place: Place,
    /// This peer has no room for it.
    held: Option<(Identity, Message)>,
    /// Keeps the socket open.
    _handle: Handle,
}

impl RouterSink {
    fn poll_held(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendToError>> {
        let Some((peer, message)) = &self.held else {
            return Poll::Ready(Ok(()));
        };
        let sent = ready!(self.desk.poll_send(cx, &mut self.place, peer, message));
        let held = self.held.take();
        Poll::Ready(held.map_or(Ok(()), |(peer, message)| accepted(sent, &peer, message)))
    }
}

impl<M: Into<Message>> Sink<(Identity, M)> for RouterSink {
    type Error = SendToError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendToError>> {
        ready!(self.desk.sending.poll(cx));
        self.poll_held(cx)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        (peer, message): (Identity, M),
    ) -> Result<(), SendToError> {
        let message = message.into();
        self.desk.sending.carry(message.body_len());
        match self.desk.try_send(&peer, &message) {
            Sent::Full => {
                self.held = Some((peer, message));
                Ok(())
            }
            sent => accepted(sent, &peer, message),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendToError>> {
        self.poll_held(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendToError>> {
        self.poll_held(cx)
    }
}

/// What has become of a message that was waited for.
fn accepted(sent: Sent, peer: &Identity, message: Message) -> Result<(), SendToError> {
    match sent {
        Sent::ToPeer => Ok(()),
        Sent::Closed => Err(SendToError::Closed(message)),
        Sent::Unroutable | Sent::Full => Err(SendToError::Unroutable {
            identity: peer.clone(),
            message,
        }),
    }
}

/// Waits for a message; a place in line that passes a wake-up on when it is dropped.
#[derive(Debug)]
struct Recv<'a> {
    desk: &'a Desk,
    ticket: Ticket,
}

impl Desk {
    #[inline]
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Option<(Identity, Message)>> {
        ready!(self.receiving.poll(cx));
        match self.law.poll_next(cx, ticket) {
            Poll::Pending => self.waits(),
            next => next,
        }
    }

    /// The caller waits from now on, here.
    #[cold]
    fn waits<T>(&self) -> Poll<T> {
        self.law.note_apart(pace::is_apart());
        Poll::Pending
    }
}

impl Future for Recv<'_> {
    type Output = Option<(Identity, Message)>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.desk.poll_recv(cx, &mut this.ticket)
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.desk.law.leave(&mut self.ticket);
    }
}

/// As [`Recv`], for a message with all that is known of its peer.
#[derive(Debug)]
struct RecvFrom<'a>(Recv<'a>);

impl Future for RecvFrom<'_> {
    type Output = Option<(Peer, Message)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Recv { desk, ticket } = &mut self.0;
        ready!(desk.receiving.poll(cx));
        match desk.law.poll_next_from(cx, ticket) {
            Poll::Pending => desk.waits(),
            next => next,
        }
    }
}

/// The messages of a ROUTER and their senders as a [`Stream`], got from
/// [`RouterSocket::stream`]; ends when the socket is closed. Dropping it loses no message.
#[derive(Debug)]
pub struct RouterStream {
    desk: Arc<Desk>,
    ticket: Ticket,
    /// Keeps the socket open.
    _handle: Handle,
}

impl Stream for RouterStream {
    type Item = (Identity, Message);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.desk.poll_recv(cx, &mut this.ticket)
    }
}

impl Drop for RouterStream {
    fn drop(&mut self) {
        self.desk.law.leave(&mut self.ticket);
    }
}

impl sealed::Sealed for RouterSocket {}
impl TakesMany for RouterSocket {}
impl Sends for RouterSocket {}
impl Receives for RouterSocket {}
impl Identified for RouterSocket {}
impl Probes for RouterSocket {}
impl Routes for RouterSocket {}

impl Build for RouterSocket {
    fn build(parts: Parts) -> Self {
        let law = routes::Routes::new(&parts.options);
        let pattern = Arc::clone(&law);
        let core = Core::new(parts.options, SocketType::Router, parts.context, pattern);
        let desk = Desk {
            law,
            sending: Pace::default(),
            receiving: Pace::default(),
        };
        Self {
            handle: Handle::new(core),
            desk: Arc::new(desk),
        }
    }
}
