//! PUSH and PULL: a pipeline. RFC 30.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Sink;

use super::builder::{Build, Parts, QueuesAhead, Receives, Sends, sealed};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pace::Pace;
use super::recv::{Inbox, receiving_methods};
use crate::error::{Closed, SendError, TrySendError};
use crate::message::Message;
use crate::pattern::round_robin::{Reserved, RoundRobin, Sent};
use crate::pattern::{Departure, Pattern, PeerId};
use crate::pipe::Pipe;
use crate::pipe::wake::Ticket;
use crate::socket_type::SocketType;

/// Deals messages to PULL peers in turn: the ventilator of a pipeline (RFC 30).
///
/// Each message goes to one peer, round robin among those that have room. When none has, sending
/// waits. Handles are cheap to clone and may be used from any number of tasks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{PullSocket, PushSocket};
///
/// let pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let push = PushSocket::new();
/// push.connect(endpoint)?;
/// push.send("job 1").await?;
/// assert_eq!(pull.recv().await?.text(), "job 1");
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PushSocket {
    handle: Handle,
    outbox: Arc<Outbox>,
}

/// The sending end.
#[derive(Debug, Default)]
struct Outbox {
    robin: Arc<RoundRobin>,
    pace: Pace,
}

common_methods!(PushSocket);

impl PushSocket {
    /// Queues a message for the next peer that has room, waiting while none has.
    ///
    /// *Delivery*: `Ok` means that the message is in a peer's queue, whole, and goes out by
    /// itself; at most once. It is lost if it was being written, or was in the kernel's buffers,
    /// when its connection died. A message of which no byte was written goes to another peer, or
    /// to the same one when a connecting socket has reached it again.
    ///
    /// *Cancel safety*: a dropped future has queued nothing, and the message is dropped with it.
    /// To keep it, use [`reserve`](Self::reserve).
    ///
    /// *Errors*: [`SendError::Closed`] gives the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let send = SendTo {
            outbox: &self.outbox,
            ticket: Ticket::default(),
            message: &message,
        };
        if send.await {
            Ok(())
        } else {
            Err(SendError::Closed(message))
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: [`TrySendError::Full`] when no peer has room or there is none,
    /// [`TrySendError::Closed`]; both give the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.outbox.robin.try_send(&[], &message) {
            Sent::To(_) => Ok(()),
            Sent::Full => Err(TrySendError::Full(message)),
            Sent::Closed => Err(TrySendError::Closed(message)),
        }
    }

    /// Waits for a place in a peer's queue and keeps it free, so that the message can be made when
    /// it is known that it will be sent.
    ///
    /// *Cancel safety*: a dropped future reserves nothing; a dropped permit gives its place back.
    ///
    /// *Errors*: the socket is closed.
    pub async fn reserve(&self) -> Result<SendPermit<'_>, Closed> {
        let place = Reserve {
            outbox: &self.outbox,
            ticket: Ticket::default(),
        }
        .await;
        place
            .map(|place| SendPermit {
                outbox: &self.outbox,
                place,
            })
            .ok_or(Closed)
    }

    /// The socket as a [`Sink`].
    pub fn sink(&self) -> MessageSink {
        MessageSink {
            outbox: Arc::clone(&self.outbox),
            ticket: Ticket::default(),
            place: None,
            _handle: self.handle.clone(),
        }
    }
}

/// Waits until a message has been accepted; `false` when the socket is closed.
#[derive(Debug)]
struct SendTo<'a> {
    outbox: &'a Outbox,
    ticket: Ticket,
    message: &'a Message,
}

impl Future for SendTo<'_> {
    type Output = bool;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        ready!(this.outbox.pace.poll(cx));
        let sent = ready!(
            this.outbox
                .robin
                .poll_send(cx, &mut this.ticket, &[], this.message)
        );
        Poll::Ready(matches!(sent, Sent::To(_)))
    }
}

impl Drop for SendTo<'_> {
    fn drop(&mut self) {
        self.outbox.robin.leave(&mut self.ticket);
    }
}

/// Waits for a place; `None` when the socket is closed.
#[derive(Debug)]
struct Reserve<'a> {
    outbox: &'a Outbox,
    ticket: Ticket,
}

impl Future for Reserve<'_> {
    type Output = Option<Reserved>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Reserved>> {
        let this = &mut *self;
        ready!(this.outbox.pace.poll(cx));
        this.outbox.robin.poll_reserve(cx, &mut this.ticket)
    }
}

impl Drop for Reserve<'_> {
    fn drop(&mut self) {
        self.outbox.robin.leave(&mut self.ticket);
    }
}

/// A place in a peer's queue, kept free for one message. Got from [`PushSocket::reserve`].
#[derive(Debug)]
#[must_use = "dropping a permit gives its place back"]
pub struct SendPermit<'a> {
    outbox: &'a Outbox,
    place: Reserved,
}

impl SendPermit<'_> {
    /// Queues a message in the reserved place. If the peer has left meanwhile, another one gets
    /// it.
    pub fn send(self, message: impl Into<Message>) {
        self.outbox.robin.send_reserved(self.place, &message.into());
    }
}

/// A sending socket as a [`Sink`], got from its `sink` method. An item is accepted when it is in
/// a peer's queue; flushing therefore has nothing to wait for, and closing the sink leaves the
/// socket open.
#[derive(Debug)]
pub struct MessageSink {
    outbox: Arc<Outbox>,
    ticket: Ticket,
    place: Option<Reserved>,
    /// Keeps the socket open.
    _handle: Handle,
}

impl<M: Into<Message>> Sink<M> for MessageSink {
    type Error = Closed;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let this = &mut *self;
        if this.place.is_none() {
            ready!(this.outbox.pace.poll(cx));
            let place = ready!(this.outbox.robin.poll_reserve(cx, &mut this.ticket));
            this.place = Some(place.ok_or(Closed)?);
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Closed> {
        let place = self.place.take().ok_or(Closed)?;
        self.outbox.robin.send_reserved(place, &message.into());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for MessageSink {
    fn drop(&mut self) {
        self.outbox.robin.leave(&mut self.ticket);
    }
}

impl sealed::Sealed for PushSocket {}
impl Sends for PushSocket {}
impl QueuesAhead for PushSocket {}

impl Build for PushSocket {
    fn build(parts: Parts) -> Self {
        let outbox = Arc::new(Outbox::default());
        let pattern = Arc::new(Push(Arc::clone(&outbox.robin)));
        let core = Core::new(parts.options, SocketType::Push, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outbox,
        }
    }
}

#[derive(Debug)]
struct Push(Arc<RoundRobin>);

impl Pattern for Push {
    fn queues_ahead(&self) -> bool {
        true
    }

    /// RFC 30: a PUSH has no use for what a peer sends.
    fn listens(&self) -> bool {
        false
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.0.attach(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, _: PeerId, _: &Arc<Pipe>) {}

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        if departure.keeps_outbound {
            0
        } else {
            self.0.detach(id, departure.unwritten)
        }
    }

    fn forget(&self, _: PeerId) {}

    fn close(&self) -> usize {
        self.0.close()
    }
}

/// Collects messages from PUSH peers: a worker or the sink of a pipeline (RFC 30).
///
/// Peers are served in turn, one whole message at a time, so that a busy one cannot crowd out the
/// others. Handles are cheap to clone; with several receivers each message goes to one of them.
/// See [`PushSocket`] for an example.
#[derive(Clone)]
pub struct PullSocket {
    handle: Handle,
    inbox: Arc<Inbox>,
}

common_methods!(PullSocket);

receiving_methods!(PullSocket, "");

impl sealed::Sealed for PullSocket {}
impl Receives for PullSocket {}

impl Build for PullSocket {
    fn build(parts: Parts) -> Self {
        let inbox = Arc::new(Inbox::default());
        let pattern = Arc::new(Pull(Arc::clone(&inbox)));
        let core = Core::new(parts.options, SocketType::Pull, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            inbox,
        }
    }
}

#[derive(Debug)]
struct Pull(Arc<Inbox>);

impl Pattern for Pull {
    fn attach_outbound(&self, _: PeerId, _: &Arc<Pipe>) {}

    fn attach_inbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.0.queue.attach(id, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, _: Departure) -> usize {
        self.0.queue.sweep(id);
        0
    }

    #[cfg(feature = "inproc")]
    fn keep_rest(&self, id: PeerId) {
        self.0.queue.keep_rest(id);
    }

    fn forget(&self, id: PeerId) {
        self.0.queue.forget(id);
    }

    fn close(&self) -> usize {
        self.0.queue.close();
        0
    }
}
