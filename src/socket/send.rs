//! Sending, for every type that deals its messages out by round robin: the futures, the permit, the
//! sink.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Sink;

use super::handle::Handle;
use super::pace::Pace;
use crate::error::{Closed, TrySendError};
use crate::message::Message;
use crate::pattern::round_robin::{Reserved, RoundRobin, Sent};
use crate::pipe::wake::Ticket;

/// The sending end of a socket.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) robin: Arc<RoundRobin>,
    pace: Pace,
}

impl Outbox {
    pub(super) fn try_send(&self, mut message: Message) -> Result<(), TrySendError> {
        match self.robin.try_send(&[], &mut message) {
            Sent::To(_) => Ok(()),
            Sent::Full => Err(TrySendError::Full(message)),
            Sent::Closed => Err(TrySendError::Closed(message)),
        }
    }

    /// `false` where the socket has been closed meanwhile.
    fn fill(&self, place: Reserved, mut message: Message) -> bool {
        self.pace.carry(message.body_len());
        self.robin.send_reserved(place, &mut message)
    }

    pub(super) async fn reserve(&self) -> Result<SendPermit<'_>, Closed> {
        let reserve = Reserve {
            outbox: self,
            ticket: Ticket::default(),
        };
        let place = reserve.await.ok_or(Closed)?;
        Ok(SendPermit {
            outbox: self,
            place,
        })
    }
}

/// The sending methods of a socket with an [`Outbox`]. `$to` is whom a message is queued for;
/// `$delivery` ends the promise of `send`.
macro_rules! sending_methods {
    ($socket:ident, $to:literal, $delivery:literal) => {
        impl $socket {
            #[doc = concat!("Queues a message for ", $to, " room, waiting while none has.")]
            ///
            #[doc = concat!(
                "*Delivery*: `Ok` means that the message is in a peer's queue, whole, and goes out ",
                "by itself; at most once. It is lost if it was being written, or was in the ",
                "kernel's buffers, when its connection died. ", $delivery
            )]
            ///
            /// *Cancel safety*: a dropped future has queued nothing, and the message is dropped
            /// with it. To keep it, use [`reserve`](Self::reserve).
            ///
            /// *Errors*: [`SendError::Closed`](crate::SendError::Closed) gives the message back.
            pub async fn send(
                &self,
                message: impl Into<$crate::Message>,
            ) -> Result<(), $crate::SendError> {
                let mut message = message.into();
                if $crate::socket::send::SendTo::new(&self.outbox, &mut message).await {
                    Ok(())
                } else {
                    Err($crate::SendError::Closed(message))
                }
            }

            /// As [`send`](Self::send), without waiting.
            ///
            /// *Errors*: [`TrySendError::Full`](crate::TrySendError::Full) when no peer has room or
            /// there is none, [`TrySendError::Closed`](crate::TrySendError::Closed); both give the
            /// message back.
            pub fn try_send(
                &self,
                message: impl Into<$crate::Message>,
            ) -> Result<(), $crate::TrySendError> {
                self.outbox.try_send(message.into())
            }

            /// Waits for a place in a peer's queue and keeps it free, so that the message can be
            /// made when it is known that it will be sent.
            ///
            /// *Cancel safety*: a dropped future reserves nothing; a dropped permit gives its
            /// place back.
            ///
            /// *Errors*: the socket is closed.
            pub async fn reserve(&self) -> Result<$crate::SendPermit<'_>, $crate::Closed> {
                self.outbox.reserve().await
            }

            pub(super) fn exit(&self) -> $crate::pattern::relay::Exit<'_> {
                $crate::pattern::relay::Exit::RoundRobin(&self.outbox.robin)
            }

            /// The socket as a [`Sink`](futures::Sink).
            pub fn sink(&self) -> $crate::MessageSink {
                $crate::MessageSink::new(&self.handle, &self.outbox)
            }
        }
    };
}

pub(super) use sending_methods;

/// Waits until a message has been accepted; `false` when the socket is closed.
#[derive(Debug)]
pub(super) struct SendTo<'a> {
    outbox: &'a Outbox,
    ticket: Ticket,
    message: &'a mut Message,
}

impl<'a> SendTo<'a> {
    pub(super) fn new(outbox: &'a Outbox, message: &'a mut Message) -> Self {
        Self {
            outbox,
            ticket: Ticket::default(),
            message,
        }
    }
}

impl Future for SendTo<'_> {
    type Output = bool;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        ready!(this.outbox.pace.poll(cx));
        // Nothing is left of a message that has been sent.
        let bytes = this.message.body_len();
        let sent = ready!(
            this.outbox
                .robin
                .poll_send(cx, &mut this.ticket, &[], this.message)
        );
        this.outbox.pace.carry(bytes);
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

/// A place in a peer's queue, kept free for one message. Got from the `reserve` method
/// of a sending socket.
#[derive(Debug)]
#[must_use = "dropping a permit gives its place back"]
pub struct SendPermit<'a> {
    outbox: &'a Outbox,
    place: Reserved,
}

impl SendPermit<'_> {
    /// Queues a message in the reserved place. If the peer has left meanwhile, the next one gets it. If
    /// the socket has been closed meanwhile, the message is dropped.
    pub fn send(self, message: impl Into<Message>) {
        self.outbox.fill(self.place, message.into());
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

impl MessageSink {
    pub(super) fn new(handle: &Handle, outbox: &Arc<Outbox>) -> Self {
        Self {
            outbox: Arc::clone(outbox),
            ticket: Ticket::default(),
            place: None,
            _handle: handle.clone(),
        }
    }
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
        let sent = self.outbox.fill(place, message.into());
        sent.then_some(()).ok_or(Closed)
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
