//! PUB and SUB: publish and subscribe by prefix. RFC 29.

use std::sync::Arc;

use super::builder::{
    Build, Conflates, Matches, Parts, Publishes, Receives, Sends, Subscribes, TakesMany, sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::outlet::{Outlet, Publish, publishing_methods};
use super::recv::{Inbox, receiving_methods};
use crate::error::{Closed, SendError};
use crate::message::Message;
use crate::options::Options;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::interest::Interest;
use crate::pattern::{Departure, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::socket_type::SocketType;

/// Publishes messages to every SUB (or XSUB) peer that has subscribed to a prefix of their first
/// frame (RFC 29).
///
/// Sending never waits. A subscriber whose queue is full loses the message, and the loss is
/// counted, and told by [`Event::Dropping`](crate::Event::Dropping); a message that nobody has subscribed to is dropped. A subscriber that connects later
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
        match self.outlet.send(To::Everybody, &message).await {
            Sent::Closed => Err(SendError::Closed(message)),
            _ => Ok(()),
        }
    }

    /// As [`send`](Self::send), for callers that are not async.
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        match self.outlet.fan_out.try_send(To::Everybody, &message) {
            Sent::Closed => Err(SendError::Closed(message)),
            _ => Ok(()),
        }
    }
}

publishing_methods!(PubSocket);

impl sealed::Sealed for PubSocket {}
impl TakesMany for PubSocket {}
impl Sends for PubSocket {}
impl Publishes for PubSocket {}
impl Matches for PubSocket {}
impl Conflates for PubSocket {}

impl Build for PubSocket {
    fn build(parts: Parts) -> Self {
        let outlet = Outlet::new(Policy::of_pub(&parts.options.publish));
        let pattern = Arc::new(Publish(Arc::clone(&outlet.fan_out)));
        let core = Core::new(parts.options, SocketType::Pub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outlet,
        }
    }
}

/// Receives what it has subscribed to from PUB (or XPUB) peers (RFC 29).
///
/// A subscription is a prefix of the first frame; without one nothing arrives. Subscriptions are
/// told to every publisher, also to those that connect later, and again after every reconnection.
/// Handles are cheap to clone; with several receivers each message goes to one of them. See
/// [`PubSocket`] for an example.
#[derive(Clone)]
pub struct SubSocket {
    handle: Handle,
    inbox: Arc<Inbox>,
    interest: Arc<Interest>,
}

common_methods!(SubSocket);

impl SubSocket {
    /// Asks every publisher for messages whose first frame begins with `prefix`; the empty prefix
    /// asks for all. Takes effect when the publisher has read it. Subscriptions add up: after two
    /// for one prefix it takes two [`unsubscribe`](Self::unsubscribe) to end them (RFC 29).
    ///
    /// A publisher takes 100,000 prefixes from one subscriber, 16 MiB together and 4 KiB each, and ends the connection
    /// for one more or a longer one. Over the network it is made again, as after any loss; over inproc, where both sides are told why,
    /// only with whoever binds the name next.
    ///
    /// *Errors*: the socket is closed.
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        subscribe(&self.handle, &self.interest, prefix.as_ref())
    }

    /// Takes one subscription back. With the last one of its prefix, messages stop at once, also
    /// those that have arrived and were not read. A prefix that was not subscribed to is ignored.
    ///
    /// *Errors*: the socket is closed.
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Closed> {
        unsubscribe(&self.handle, &self.interest, prefix.as_ref())
    }

    /// How many distinct prefixes are subscribed to. libzmq: `ZMQ_TOPICS_COUNT`.
    pub fn topic_count(&self) -> usize {
        self.interest.topics()
    }
}

/// For SUB and XSUB.
pub(super) fn subscribe(
    handle: &Handle,
    interest: &Arc<Interest>,
    prefix: &[u8],
) -> Result<(), Closed> {
    if handle.core().is_closing() {
        return Err(Closed);
    }
    interest.subscribe(prefix);
    Ok(())
}

/// For SUB and XSUB.
pub(super) fn unsubscribe(
    handle: &Handle,
    interest: &Arc<Interest>,
    prefix: &[u8],
) -> Result<(), Closed> {
    if handle.core().is_closing() {
        return Err(Closed);
    }
    interest.unsubscribe(prefix);
    Ok(())
}

receiving_methods!(
    SubSocket,
    " A publisher drops what does not fit into the queue towards this socket."
);

impl sealed::Sealed for SubSocket {}
impl TakesMany for SubSocket {}
impl Receives for SubSocket {}
impl Conflates for SubSocket {}
impl Subscribes for SubSocket {}
impl Matches for SubSocket {}

impl Build for SubSocket {
    fn build(parts: Parts) -> Self {
        let interest = interest(&parts);
        let inbox = Arc::new(Inbox::filtered(Arc::clone(&interest)));
        let pattern = Arc::new(Subscribe {
            inbox: Arc::clone(&inbox),
            interest: Arc::clone(&interest),
        });
        let core = Core::new(parts.options, SocketType::Sub, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            inbox,
            interest,
        }
    }
}

/// What a SUB or XSUB that is being built wants to hear.
pub(super) fn interest(parts: &Parts) -> Arc<Interest> {
    let interest = Arc::new(Interest::new((&parts.options.publish).into()));
    for prefix in &parts.subscriptions {
        interest.subscribe(prefix);
    }
    interest
}

/// How the laws of SUB and XSUB are told of peers.
#[derive(Debug)]
pub(super) struct Subscribe {
    pub(super) inbox: Arc<Inbox>,
    pub(super) interest: Arc<Interest>,
}

impl Pattern for Subscribe {
    #[cfg(feature = "inproc")]
    fn wants_too_long(&self) -> bool {
        self.interest.has_too_long()
    }

    fn adopt(&self, options: &Options) {
        self.interest.adopt((&options.publish).into());
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.interest.attach(id, pipe);
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.inbox.queue.attach(id, peer, Arc::clone(pipe));
    }

    /// Of what is unwritten, subscriptions are no loss: the next connection gets the whole set anew.
    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        self.interest.detach(id);
        let unread = self.inbox.queue.sweep(id);
        unread + departure.unwritten_without_commands()
    }

    fn forget(&self, id: PeerId) {
        self.inbox.queue.forget(id);
    }

    fn close(&self) -> usize {
        self.interest.close();
        self.inbox.queue.close();
        0
    }
}
