//! PUB and SUB: publish and subscribe by prefix. RFC 29.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Sink;

use super::builder::{Build, Parts, Receives, Sends, Subscribes, sealed};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pace::Pace;
use super::recv::{Inbox, receiving_methods};
use crate::error::{Closed, SendError};
use crate::message::Message;
use crate::pattern::fan_out::FanOut;
use crate::pattern::interest::Interest;
use crate::pattern::{Departure, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::wake::Ticket;
use crate::socket_type::SocketType;

/// Publishes messages to every SUB peer that has subscribed to a prefix of their first frame
/// (RFC 29).
///
/// Sending never waits. A subscriber whose queue is full loses the message, and the loss is
/// counted; a message that nobody has subscribed to is dropped. A subscriber that connects later
/// does not get what was sent before: [`wait_for_subscribers`](Self::wait_for_subscribers) ends
/// the guessing about when everybody is there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{PubSocket, SubSocket};
///
/// let publisher = PubSocket::new();
/// let endpoint = publisher.bind("tcp://127.0.0.1:*").await?;
/// let subscriber = SubSocket::builder().subscribe("weather.").build();
/// subscriber.connect(endpoint)?;
///
/// publisher.wait_for_subscribers("weather.", 1).await?;
/// publisher.send(["weather.oslo", "4 C"]).await?;
/// assert_eq!(subscriber.recv().await?.frame(1), Some(&b"4 C"[..]));
/// # publisher.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PubSocket {
    handle: Handle,
    outlet: Arc<Outlet>,
}

#[derive(Debug, Default)]
struct Outlet {
    fan_out: Arc<FanOut>,
    pace: Pace,
}

common_methods!(PubSocket);

impl PubSocket {
    /// Queues a message for every subscriber that wants it and has room. Never waits for a
    /// subscriber; it only gives other tasks a turn now and then.
    ///
    /// *Delivery*: at most once to each; what a full subscriber loses is counted in
    /// [`stats`](Self::stats) and [`peers`](Self::peers).
    ///
    /// *Cancel safety*: a dropped future has either queued the message for all or for nobody.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        std::future::poll_fn(|cx| self.outlet.pace.poll(cx)).await;
        if self.outlet.fan_out.send(&message) {
            Ok(())
        } else {
            Err(SendError::Closed(message))
        }
    }

    /// As [`send`](Self::send), for callers that are not async.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back. It is never full.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.outlet.fan_out.send(&message) {
            Ok(())
        } else {
            Err(SendError::Closed(message))
        }
    }

    /// Waits until a message whose first frame is `prefix` would go to at least `count`
    /// subscribers: their connections are up and their subscriptions have arrived.
    ///
    /// *Cancel safety*: a dropped future changes nothing.
    ///
    /// *Errors*: the socket is closed.
    pub async fn wait_for_subscribers(
        &self,
        prefix: impl AsRef<[u8]>,
        count: usize,
    ) -> Result<(), Closed> {
        let prefix = prefix.as_ref();
        let wait = Gather {
            outlet: &self.outlet,
            ticket: Ticket::default(),
            prefix,
            count,
        };
        if wait.await { Ok(()) } else { Err(Closed) }
    }

    /// How many distinct prefixes have at least one subscriber. libzmq: `ZMQ_TOPICS_COUNT`.
    pub fn topics(&self) -> usize {
        self.outlet.fan_out.topics()
    }

    /// The socket as a [`Sink`], which is always ready.
    pub fn sink(&self) -> PublishSink {
        PublishSink {
            outlet: Arc::clone(&self.outlet),
            _handle: self.handle.clone(),
        }
    }
}

/// Waits for subscribers; `false` when the socket is closed.
#[derive(Debug)]
struct Gather<'a> {
    outlet: &'a Outlet,
    ticket: Ticket,
    prefix: &'a [u8],
    count: usize,
}

impl Future for Gather<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        this.outlet
            .fan_out
            .poll_subscribers(cx, &mut this.ticket, this.prefix, this.count)
    }
}

impl Drop for Gather<'_> {
    fn drop(&mut self) {
        self.outlet.fan_out.leave(&mut self.ticket);
    }
}

/// A publishing socket as a [`Sink`], got from its `sink` method.
#[derive(Debug)]
pub struct PublishSink {
    outlet: Arc<Outlet>,
    /// Keeps the socket open.
    _handle: Handle,
}

impl<M: Into<Message>> Sink<M> for PublishSink {
    type Error = Closed;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        ready!(self.outlet.pace.poll(cx));
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Closed> {
        if self.outlet.fan_out.send(&message.into()) {
            Ok(())
        } else {
            Err(Closed)
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}

impl sealed::Sealed for PubSocket {}
impl Sends for PubSocket {}

impl Build for PubSocket {
    fn build(parts: Parts) -> Self {
        let outlet = Arc::new(Outlet::default());
        let pattern = Arc::new(Publish(Arc::clone(&outlet.fan_out)));
        let core = Core::new(parts.options, SocketType::Pub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outlet,
        }
    }
}

#[derive(Debug)]
struct Publish(Arc<FanOut>);

impl Pattern for Publish {
    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.0.attach_outbound(id, pipe);
    }

    fn attach_inbound(&self, id: PeerId, _: &Peer, pipe: &Arc<Pipe>) {
        self.0.attach_inbound(id, pipe);
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        self.0.detach(id);
        departure.unwritten_messages()
    }

    fn forget(&self, _: PeerId) {}

    fn close(&self) -> usize {
        self.0.close();
        0
    }
}

/// Receives what it has subscribed to from PUB peers (RFC 29).
///
/// A subscription is a prefix of the first frame; without one nothing arrives. Subscriptions are
/// told to every publisher, also to those that connect later, and again after every reconnection.
/// Handles are cheap to clone; with several receivers each message goes to one of them. See
/// [`PubSocket`] for an example.
#[derive(Clone)]
pub struct SubSocket {
    handle: Handle,
    inbox: Arc<Inbox>,
}

common_methods!(SubSocket);

impl SubSocket {
    /// Asks every publisher for messages whose first frame begins with `prefix`; the empty prefix
    /// asks for all. Takes effect when the publisher has read it. Subscriptions add up: after two
    /// for one prefix it takes two [`unsubscribe`](Self::unsubscribe) to end them (RFC 29).
    ///
    /// *Errors*: the socket is closed.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        let interest = self.interest()?;
        interest.subscribe(prefix.as_ref());
        Ok(())
    }

    /// Takes one subscription back. With the last one of its prefix, messages stop at once, also
    /// those that have arrived and were not read. A prefix that was not subscribed to is ignored.
    ///
    /// *Errors*: the socket is closed.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        let interest = self.interest()?;
        interest.unsubscribe(prefix.as_ref());
        Ok(())
    }

    fn interest(&self) -> Result<&Interest, Closed> {
        if self.handle.core().is_closing() {
            return Err(Closed);
        }
        self.inbox.interest.as_ref().ok_or(Closed)
    }
}

receiving_methods!(
    SubSocket,
    " A publisher drops what does not fit into the queue towards this socket."
);

impl sealed::Sealed for SubSocket {}
impl Receives for SubSocket {}
impl Subscribes for SubSocket {}

impl Build for SubSocket {
    fn build(parts: Parts) -> Self {
        let inbox = Arc::new(Inbox::filtered());
        if let Some(interest) = &inbox.interest {
            parts
                .subscriptions
                .iter()
                .for_each(|prefix| interest.subscribe(prefix));
        }
        let pattern = Arc::new(Subscribe(Arc::clone(&inbox)));
        let core = Core::new(parts.options, SocketType::Sub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            inbox,
        }
    }
}

#[derive(Debug)]
struct Subscribe(Arc<Inbox>);

impl Pattern for Subscribe {
    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        if let Some(interest) = &self.0.interest {
            interest.attach(id, pipe);
        }
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.0.queue.attach(id, peer, Arc::clone(pipe));
    }

    /// What is unwritten are subscriptions: the next connection gets the whole set anew.
    fn detach(&self, id: PeerId, _: Departure) -> usize {
        if let Some(interest) = &self.0.interest {
            interest.detach(id);
        }
        self.0.queue.sweep(id)
    }

    fn forget(&self, id: PeerId) {
        self.0.queue.forget(id);
    }

    fn close(&self) -> usize {
        if let Some(interest) = &self.0.interest {
            interest.close();
        }
        self.0.queue.close();
        0
    }
}
