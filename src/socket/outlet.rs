//! Publishing, for PUB and XPUB: the futures, the sink, and how the law is told of peers.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use futures::Sink;

use super::handle::Handle;
use super::pace::Pace;
use crate::error::Closed;
use crate::message::Message;
use crate::options::Options;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::fan_out::FanOut;
use crate::pattern::{Departure, Doorman, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::wake::Ticket;

/// The sending end of a publisher.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) fan_out: Arc<FanOut>,
    pub(super) pace: Pace,
}

impl Outlet {
    pub(super) fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            fan_out: FanOut::new(policy),
            pace: Pace::default(),
        })
    }

    /// Waits until the message has been queued, or cannot be.
    pub(super) fn send<'a>(&'a self, to: To, message: &'a Message) -> SendOut<'a> {
        SendOut {
            outlet: self,
            ticket: Ticket::default(),
            to,
            message,
        }
    }

    /// Waits for subscribers.
    pub(super) async fn gather(&self, prefix: &[u8], count: usize) -> Result<(), Closed> {
        let gather = Gather {
            outlet: self,
            ticket: Ticket::default(),
            prefix,
            count,
        };
        if gather.await { Ok(()) } else { Err(Closed) }
    }
}

/// The methods that PUB and XPUB share.
macro_rules! publishing_methods {
    ($socket:ident) => {
        impl $socket {
            /// Waits until a message whose first frame is `prefix` would go to at least `count`
            /// subscribers: their connections are up and their subscriptions have arrived.
            ///
            /// That is no proof for other prefixes: RFC 29 sets no order in which a subscriber tells its own, and subscribers
            /// are counted, not named. Wait for each that matters. (What a SUB or XSUB of this library subscribes to
            /// while it is connected arrives in that order, as long as the publisher keeps up with it; what it has
            /// subscribed to before comes in the order of the bytes, with each connection anew.)
            ///
            /// *Cancel safety*: a dropped future changes nothing.
            ///
            /// *Errors*: the socket is closed.
            pub async fn wait_for_subscribers(
                &self,
                prefix: impl AsRef<[u8]>,
                count: usize,
            ) -> Result<(), $crate::Closed> {
                self.outlet.gather(prefix.as_ref(), count).await
            }

            /// How many distinct prefixes have at least one subscriber. libzmq:
            /// `ZMQ_TOPICS_COUNT`.
            pub fn topic_count(&self) -> usize {
                self.outlet.fan_out.topics()
            }

            pub(super) fn exit(&self) -> $crate::pattern::relay::Exit<'_> {
                $crate::pattern::relay::Exit::FanOut(&self.outlet.fan_out)
            }

            /// The socket as a [`Sink`](futures::Sink).
            pub fn sink(&self) -> $crate::PublishSink {
                $crate::PublishSink::new(&self.handle, &self.outlet)
            }
        }
    };
}

pub(super) use publishing_methods;

/// Waits until a message has been queued, or cannot be.
#[derive(Debug)]
pub(super) struct SendOut<'a> {
    outlet: &'a Outlet,
    ticket: Ticket,
    to: To,
    message: &'a Message,
}

impl Future for SendOut<'_> {
    type Output = Sent;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent> {
        let this = &mut *self;
        ready!(this.outlet.pace.poll(cx));
        let fan_out = &this.outlet.fan_out;
        let sent = ready!(fan_out.poll_send(cx, &mut this.ticket, this.to, this.message));
        this.outlet.pace.carry(this.message.body_len());
        Poll::Ready(sent)
    }
}

impl Drop for SendOut<'_> {
    fn drop(&mut self) {
        self.outlet.fan_out.leave_sending(&mut self.ticket);
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
        self.outlet.fan_out.leave_gathering(&mut self.ticket);
    }
}

/// A publishing socket as a [`Sink`], got from its `sink` method. It is always ready, unless the
/// socket is an XPUB that [drops nothing](crate::SocketBuilder::no_drop): then a message for which a
/// subscriber has no room waits in the sink, which takes no other one meanwhile. Flushing waits for
/// that message; dropping the sink drops it. Closing the sink leaves the socket open.
#[derive(Debug)]
pub struct PublishSink {
    outlet: Arc<Outlet>,
    ticket: Ticket,
    /// For this one somebody has no room.
    held: Option<Message>,
    /// Keeps the socket open.
    _handle: Handle,
}

impl PublishSink {
    pub(super) fn new(handle: &Handle, outlet: &Arc<Outlet>) -> Self {
        Self {
            outlet: Arc::clone(outlet),
            ticket: Ticket::default(),
            held: None,
            _handle: handle.clone(),
        }
    }

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let Some(message) = &self.held else {
            return Poll::Ready(Ok(()));
        };
        let fan_out = &self.outlet.fan_out;
        let sent = ready!(fan_out.poll_send(cx, &mut self.ticket, To::Everybody, message));
        self.held = None;
        Poll::Ready(accepted(sent))
    }
}

fn accepted(sent: Sent) -> Result<(), Closed> {
    match sent {
        Sent::Closed => Err(Closed),
        _ => Ok(()),
    }
}

impl<M: Into<Message>> Sink<M> for PublishSink {
    type Error = Closed;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        ready!(self.outlet.pace.poll(cx));
        self.poll_held(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Closed> {
        let message = message.into();
        self.outlet.pace.carry(message.body_len());
        let sent = self.outlet.fan_out.try_send(To::Everybody, &message);
        if sent == Sent::Full {
            self.held = Some(message);
        }
        accepted(sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_held(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_held(cx)
    }
}

impl Drop for PublishSink {
    fn drop(&mut self) {
        self.outlet.fan_out.leave_sending(&mut self.ticket);
    }
}

#[derive(Debug)]
pub(super) struct Publish(pub(super) Arc<FanOut>);

impl Pattern for Publish {
    fn employ(&self, doorman: Weak<dyn Doorman>) {
        self.0.employ(doorman);
    }

    fn adopt(&self, options: &Options) {
        self.0.adopt(&options.publish);
    }

    fn adopted(&self) {
        self.0.adopted();
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.0.attach_outbound(id, pipe);
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.0.attach_inbound(id, peer, pipe);
    }

    fn shed(&self, id: PeerId) -> bool {
        self.0.shed(id)
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        self.0.detach(id) + departure.unwritten_messages()
    }

    fn forget(&self, _: PeerId) {}

    fn close(&self) -> usize {
        self.0.close();
        0
    }
}
