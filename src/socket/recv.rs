//! Receiving, for every type that fair-queues: the future, the stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::handle::Handle;
use super::pace::{self, Pace};
use crate::error::{RecvError, TryRecvError};
use crate::message::Message;
use crate::pattern::fair_queue::{FairQueue, Next};
use crate::pattern::interest::Interest;
use crate::pattern::relay::Entrance;
use crate::peer_handle::Peer;
use crate::pipe::wake::Ticket;
use crate::wire::batch::Batch;

/// The receiving end of a socket: a fair queue, and what passes its filter.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) queue: Arc<FairQueue>,
    /// For SUB: what it wants to hear. Publishers filter, too, but a message that was on its way
    /// when a subscription ended is dropped here.
    pub(super) interest: Option<Arc<Interest>>,
    pace: Pace,
}

impl Inbox {
    pub(super) fn filtered(interest: Arc<Interest>) -> Self {
        Self {
            interest: Some(interest),
            ..Self::default()
        }
    }

    /// For peers that come one after the other.
    pub(super) fn in_sequence() -> Self {
        Self {
            queue: Arc::new(FairQueue::in_sequence()),
            ..Self::default()
        }
    }

    /// Where its messages can be taken as they stand.
    pub(super) fn entrance(&self) -> Entrance<'_> {
        Entrance {
            queue: &self.queue,
            interest: self.interest.as_deref(),
            named: false,
        }
    }

    pub(super) fn try_recv(&self) -> Result<Message, TryRecvError> {
        let mut unwanted = Vec::new();
        let next = match &self.interest {
            None => self.queue.try_next(|_, batch| batch.pop()),
            Some(interest) => self
                .queue
                .try_next(|_, batch| pop_wanted(interest, batch, &mut unwanted)),
        };
        match next {
            Next::Message(message) => Ok(message),
            Next::Empty => Err(TryRecvError::Empty),
            Next::Closed => Err(TryRecvError::Closed),
        }
    }

    /// Pending when the task has to give way to others.
    #[inline]
    fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<()> {
        std::task::ready!(self.pace.poll(cx));
        if self.queue.has_outrun() {
            pace::give_way();
        }
        Poll::Ready(())
    }

    #[inline]
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Result<Message, RecvError>> {
        std::task::ready!(self.poll_turn(cx));
        // The reader leaves the message here instead of handing it through every layer.
        let mut received = None;
        let next = match &self.interest {
            None => self.queue.poll_next(cx, ticket, |_, batch| {
                received = batch.pop();
                received.is_some().then_some(())
            }),
            Some(interest) => {
                let mut unwanted = Vec::new();
                self.queue.poll_next(cx, ticket, |_, batch| {
                    received = pop_wanted(interest, batch, &mut unwanted);
                    received.is_some().then_some(())
                })
            }
        };
        match (next, received) {
            (Poll::Pending, _) => self.waits(),
            (Poll::Ready(_), Some(message)) => Poll::Ready(Ok(message)),
            (Poll::Ready(_), None) => closed(),
        }
    }
}

impl Inbox {
    pub(super) fn try_recv_from(&self) -> Result<(Peer, Message), TryRecvError> {
        let mut unwanted = Vec::new();
        match self
            .queue
            .try_next_from(|_, peer, batch| self.pop_from(peer, batch, &mut unwanted))
        {
            Next::Message(received) => Ok(received),
            Next::Empty => Err(TryRecvError::Empty),
            Next::Closed => Err(TryRecvError::Closed),
        }
    }

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
    ) -> Poll<Result<(Peer, Message), RecvError>> {
        std::task::ready!(self.poll_turn(cx));
        let mut unwanted = Vec::new();
        let read = |_, peer: &Peer, batch: &mut Batch| self.pop_from(peer, batch, &mut unwanted);
        let next = self.queue.poll_next_from(cx, ticket, read);
        match next {
            Poll::Pending => self.waits(),
            Poll::Ready(received) => Poll::Ready(received.ok_or(RecvError::Closed)),
        }
    }

    /// The caller waits from now on, here.
    #[cold]
    fn waits<T>(&self) -> Poll<T> {
        self.queue.note_apart(pace::is_apart());
        Poll::Pending
    }

    fn pop_from(
        &self,
        peer: &Peer,
        batch: &mut Batch,
        unwanted: &mut Vec<Message>,
    ) -> Option<(Peer, Message)> {
        let message = match &self.interest {
            None => batch.pop(),
            Some(interest) => pop_wanted(interest, batch, unwanted),
        };
        message.map(|message| (peer.clone(), message))
    }
}

/// Apart, so that the way of the message is not shared with that of the error.
#[cold]
#[inline(never)]
const fn closed() -> Poll<Result<Message, RecvError>> {
    Poll::Ready(Err(RecvError::Closed))
}

/// The next message, unless it is not wanted (any more): then the queue has to be unlocked before it is dropped,
/// if it may be more than bytes.
fn pop_wanted(
    interest: &Interest,
    batch: &mut Batch,
    unwanted: &mut Vec<Message>,
) -> Option<Message> {
    if interest.wants_everything() || batch.peek().is_some_and(|first| interest.wants(first.body)) {
        return batch.pop();
    }
    if batch.has_large() {
        unwanted.extend(batch.pop());
    } else {
        batch.skip();
    }
    None
}

/// The receiving methods of a socket with an [`Inbox`]; `$delivery` ends the promise of `recv`.
macro_rules! receiving_methods {
    ($socket:ident, $delivery:literal) => {
        impl $socket {
            /// Waits for the next message.
            ///
            #[doc = concat!("*Delivery*: messages are whole, and in the order in which one peer sent them.", $delivery)]
            ///
            /// *Cancel safety*: a dropped future loses no message.
            ///
            /// *Errors*: [`RecvError::Closed`](crate::RecvError::Closed).
            ///
            /// So it may stand in a `select!`, here of work and of the order to stop:
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// use wirelark::{PubSocket, PullSocket, PushSocket, SubSocket};
            ///
            /// # let (boss, ventilator) = (PubSocket::new(), PushSocket::new());
            /// # let orders = boss.bind("tcp://127.0.0.1:*").await?;
            /// # let jobs = ventilator.bind("tcp://127.0.0.1:*").await?;
            /// let work = PullSocket::new();
            /// work.connect(&jobs)?;
            /// let control = SubSocket::builder().subscribe("stop").build();
            /// control.connect(&orders)?;
            /// # boss.wait_for_subscribers("stop", 1).await?;
            /// # ventilator.send("one").await?;
            ///
            /// let mut done = 0;
            /// loop {
            ///     tokio::select! {
            ///         job = work.recv() => {
            ///             println!("working on {}", job?.text());
            ///             done += 1;
            /// #           boss.send("stop").await?;
            ///         }
            ///         order = control.recv() => {
            ///             order?;
            ///             break; // no job is lost by the `recv` that ends here
            ///         }
            ///     }
            /// }
            /// assert_eq!(done, 1);
            /// # Ok(())
            /// # }
            /// ```
            pub async fn recv(&self) -> Result<$crate::Message, $crate::RecvError> {
                $crate::socket::recv::Recv::new(&self.inbox).await
            }

            /// The next message if one is there already.
            ///
            /// *Errors*: [`TryRecvError::Empty`](crate::TryRecvError::Empty),
            /// [`TryRecvError::Closed`](crate::TryRecvError::Closed).
            pub fn try_recv(&self) -> Result<$crate::Message, $crate::TryRecvError> {
                self.inbox.try_recv()
            }

            /// As [`recv`](Self::recv), with the peer that sent the message: its address, its
            /// socket type, and what it says of itself. It may have left since.
            ///
            /// *Cancel safety*: a dropped future loses no message.
            ///
            /// *Errors*: [`RecvError::Closed`](crate::RecvError::Closed).
            pub async fn recv_from(
                &self,
            ) -> Result<($crate::Peer, $crate::Message), $crate::RecvError> {
                $crate::socket::recv::RecvFrom::new(&self.inbox).await
            }

            /// As [`try_recv`](Self::try_recv), with the peer that sent the message.
            ///
            /// *Errors*: [`TryRecvError::Empty`](crate::TryRecvError::Empty),
            /// [`TryRecvError::Closed`](crate::TryRecvError::Closed).
            pub fn try_recv_from(
                &self,
            ) -> Result<($crate::Peer, $crate::Message), $crate::TryRecvError> {
                self.inbox.try_recv_from()
            }

            pub(super) fn entrance(&self) -> $crate::pattern::relay::Entrance<'_> {
                self.inbox.entrance()
            }

            /// The messages as a [`Stream`](futures::Stream), which ends when the socket is
            /// closed.
            pub fn stream(&self) -> $crate::MessageStream {
                $crate::MessageStream::new(&self.handle, &self.inbox)
            }
        }
    };
}

pub(super) use receiving_methods;

/// A place in line at an inbox; dropping it passes a wake-up on that had come already.
#[derive(Debug)]
pub(super) struct Recv<'a> {
    inbox: &'a Inbox,
    ticket: Ticket,
}

impl<'a> Recv<'a> {
    pub(super) fn new(inbox: &'a Inbox) -> Self {
        Self {
            inbox,
            ticket: Ticket::default(),
        }
    }
}

impl Future for Recv<'_> {
    type Output = Result<Message, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.inbox.poll_recv(cx, &mut this.ticket)
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.inbox.queue.leave(&mut self.ticket);
    }
}

/// As [`Recv`], for a message with its peer.
#[derive(Debug)]
pub(super) struct RecvFrom<'a>(Recv<'a>);

impl<'a> RecvFrom<'a> {
    pub(super) fn new(inbox: &'a Inbox) -> Self {
        Self(Recv::new(inbox))
    }
}

impl Future for RecvFrom<'_> {
    type Output = Result<(Peer, Message), RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Recv { inbox, ticket } = &mut self.0;
        inbox.poll_recv_from(cx, ticket)
    }
}

/// The messages of a socket as a [`Stream`], got from its `stream` method; ends when the socket is
/// closed. Dropping it loses no message.
#[derive(Debug)]
pub struct MessageStream {
    inbox: Arc<Inbox>,
    ticket: Ticket,
    /// Keeps the socket open.
    _handle: Handle,
}

impl MessageStream {
    pub(super) fn new(handle: &Handle, inbox: &Arc<Inbox>) -> Self {
        Self {
            inbox: Arc::clone(inbox),
            ticket: Ticket::default(),
            _handle: handle.clone(),
        }
    }
}

impl Stream for MessageStream {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let this = &mut *self;
        this.inbox.poll_recv(cx, &mut this.ticket).map(Result::ok)
    }
}

impl Drop for MessageStream {
    fn drop(&mut self) {
        self.inbox.queue.leave(&mut self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::options::Capacity;
    use crate::pattern::PeerId;
    use crate::pipe::Pipe;

    fn batch() -> Batch {
        let mut batch = Batch::default();
        batch.push(&[], &Message::from("x"), usize::MAX);
        batch
    }

    /// What a connection learns that delivers a message to whoever waits for one of these peers.
    async fn wakes_a_thread(peers: u64) -> bool {
        let inbox = Inbox::default();
        let pipes: Vec<_> = (0..peers)
            .map(|_| {
                Pipe::new(
                    Capacity {
                        messages: 10,
                        bytes: usize::MAX,
                    },
                    0,
                )
            })
            .collect();
        for (id, pipe) in (0..).zip(&pipes) {
            inbox
                .queue
                .attach(PeerId(id), &Peer::somebody(), Arc::clone(pipe));
        }
        let mut recv = Recv::new(&inbox);
        poll_fn(|cx| {
            assert!(Pin::new(&mut recv).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let answers: Vec<_> = (0..2)
            .map(|_| pipes[0].push_chunk(batch()).unwrap())
            .collect();
        assert!(!answers[1], "it is awake already");
        answers[0]
    }

    #[tokio::test]
    async fn a_connection_knows_whether_it_wakes_another_thread() {
        assert!(wakes_a_thread(1).await, "the main task");
        assert!(!wakes_a_thread(2).await, "it has others to look after");
        let in_a_task = tokio::spawn(wakes_a_thread(1)).await.unwrap();
        assert!(!in_a_task, "a task is on the runtime's threads");
    }
}
