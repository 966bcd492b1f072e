//! REP: is asked, and answers. RFC 28.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;

use super::builder::{Build, Parts, Receives, Sends, TakesMany, sealed};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pace::Pace;
use crate::error::{LockStepSendError, RecvError, ReplyError, TryRecvError};
use crate::message::Message;
use crate::pattern::replies::{Asked, Replies, Route};
use crate::peer_handle::Peer;
use crate::pipe::PushError;
use crate::pipe::sync::Mutex;
use crate::pipe::wake::Ticket;
use crate::socket_type::SocketType;

/// Answers REQ (or DEALER) peers (RFC 28).
///
/// [`recv`](Self::recv) gives a [`Request`], a message that knows its way home: it can be moved to
/// a task and answered later, in any order, several at a time. For code that is ported from
/// elsewhere, [`send`](Self::send) answers the request received last. See
/// [`ReqSocket`](crate::ReqSocket) for an example.
#[derive(Clone)]
pub struct RepSocket {
    handle: Handle,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    law: Arc<Replies>,
    /// The way home of the request received last, until it is answered: for lock-step.
    last: Mutex<Option<Arc<Mutex<Option<Route>>>>>,
    pace: Pace,
}

common_methods!(RepSocket);

impl RepSocket {
    /// Waits for the next request. Peers are served in turn.
    ///
    /// *Delivery*: requests are whole, and in the order in which one peer sent them. What has no
    /// delimiter frame is no request: it is dropped and counted.
    ///
    /// *Cancel safety*: a dropped future loses no request.
    ///
    /// *Errors*: [`RecvError::Closed`].
    pub async fn recv(&self) -> Result<Request, RecvError> {
        RecvRequest {
            desk: &self.desk,
            ticket: Ticket::default(),
        }
        .await
    }

    /// The next request if one is there already.
    ///
    /// *Errors*: [`TryRecvError::Empty`], [`TryRecvError::Closed`].
    pub fn try_recv(&self) -> Result<Request, TryRecvError> {
        match self.desk.law.try_next() {
            Asked::Request(route, message) => Ok(self.desk.request(route, message)),
            Asked::Empty => Err(TryRecvError::Empty),
            Asked::Closed => Err(TryRecvError::Closed),
        }
    }

    /// Answers the request that this socket received last: lock-step, as in libzmq. Like there, a
    /// reply to a peer that is gone, or that does not read its replies, is dropped (and counted).
    ///
    /// *Delivery*: `Ok` does not mean that anybody gets it; [`Request::reply`] tells whether somebody may.
    ///
    /// *Cancel safety*: never waits, so there is nothing to cancel.
    ///
    /// *Errors*: [`LockStepSendError::OutOfTurn`] when there is no unanswered request,
    /// [`LockStepSendError::Closed`]; both give the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), LockStepSendError> {
        self.try_send(message)
    }

    /// As [`send`](Self::send), for callers that are not async.
    ///
    /// *Errors*: as [`send`](Self::send).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), LockStepSendError> {
        let message = message.into();
        if self.handle.core().is_closing() {
            return Err(LockStepSendError::Closed(message));
        }
        let last = self.desk.last.lock().take();
        let Some(route) = last.and_then(|route| route.lock().take()) else {
            return Err(LockStepSendError::OutOfTurn(message));
        };
        self.desk.law.reply_or_drop(&route, &message);
        Ok(())
    }

    /// The requests as a [`Stream`], which ends when the socket is closed.
    pub fn stream(&self) -> RequestStream {
        RequestStream {
            desk: Arc::clone(&self.desk),
            ticket: Ticket::default(),
            _handle: self.handle.clone(),
        }
    }
}

impl Desk {
    fn poll_recv(&self, cx: &mut Context<'_>, ticket: &mut Ticket) -> Poll<Option<Request>> {
        ready!(self.pace.poll(cx));
        self.law.poll_next(cx, ticket).map(|asked| match asked {
            Asked::Request(route, message) => Some(self.request(route, message)),
            Asked::Empty | Asked::Closed => None,
        })
    }

    fn request(&self, route: Route, message: Message) -> Request {
        let peer = route.peer().clone();
        let route = Arc::new(Mutex::new(Some(route)));
        *self.last.lock() = Some(Arc::clone(&route));
        Request {
            message,
            peer,
            route,
        }
    }
}

/// Waits for a request; a place in line that passes a wake-up on when it is dropped.
#[derive(Debug)]
struct RecvRequest<'a> {
    desk: &'a Desk,
    ticket: Ticket,
}

impl Future for RecvRequest<'_> {
    type Output = Result<Request, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let next = this.desk.poll_recv(cx, &mut this.ticket);
        next.map(|request| request.ok_or(RecvError::Closed))
    }
}

impl Drop for RecvRequest<'_> {
    fn drop(&mut self) {
        self.desk.law.leave(&mut self.ticket);
    }
}

/// The requests of a [`RepSocket`] as a [`Stream`], got from [`RepSocket::stream`]; ends when the
/// socket is closed. Dropping it loses no request.
///
/// Answered as they come, or side by side in tasks of their own:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::StreamExt;
/// use wirelark::{RepSocket, ReqSocket};
///
/// let rep = RepSocket::new();
/// let req = ReqSocket::new();
/// req.connect(rep.bind("tcp://127.0.0.1:*").await?)?;
/// tokio::spawn(rep.stream().for_each_concurrent(100, async |request| {
///     let answer = format!("hello {}", request.text());
///     request.reply(answer).await.ok(); // the asker may be gone
/// }));
/// assert_eq!(req.request("world").await?.text(), "hello world");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RequestStream {
    desk: Arc<Desk>,
    ticket: Ticket,
    /// Keeps the socket open.
    _handle: Handle,
}

impl Stream for RequestStream {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        let this = &mut *self;
        this.desk.poll_recv(cx, &mut this.ticket)
    }
}

impl Drop for RequestStream {
    fn drop(&mut self) {
        self.desk.law.leave(&mut self.ticket);
    }
}

/// A request that a [`RepSocket`] received: a [`Message`] that knows its way home.
///
/// It may be kept, moved to another task, and answered out of order. Dropping it without an answer
/// leaves the asker waiting.
#[must_use = "a request that is dropped leaves its asker waiting"]
pub struct Request {
    message: Message,
    peer: Peer,
    /// Shared with the socket, which answers by it in lock-step; empty once answered.
    route: Arc<Mutex<Option<Route>>>,
}

impl Request {
    /// The question.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// Who asked: its address, and what it says of itself. It may have left since.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Takes the question and a handle for the answer apart, as for an answer that is made of the question:
    ///
    /// ```
    /// # use wirelark::{ReplyError, Request};
    /// async fn echo(request: Request) -> Result<(), ReplyError> {
    ///     let (question, reply) = request.into_parts();
    ///     reply.send(question).await
    /// }
    /// ```
    pub fn into_parts(self) -> (Message, Reply) {
        (self.message, Reply { route: self.route })
    }

    /// Sends the answer to the peer that asked. Does not wait.
    ///
    /// *Delivery*: `Ok` means that the answer is in the queue of the peer's connection; it is lost
    /// if that connection dies.
    ///
    /// *Cancel safety*: never waits, so there is nothing to cancel.
    ///
    /// *Errors*: [`ReplyError::PeerGone`] also when the request has been answered already by
    /// [`RepSocket::send`], [`ReplyError::Full`]; both give the answer back.
    pub async fn reply(self, message: impl Into<Message>) -> Result<(), ReplyError> {
        self.try_reply(message)
    }

    /// As [`reply`](Self::reply), for callers that are not async.
    ///
    /// *Errors*: as [`reply`](Self::reply).
    pub fn try_reply(self, message: impl Into<Message>) -> Result<(), ReplyError> {
        Reply { route: self.route }.try_send(message)
    }
}

impl Deref for Request {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.message).finish()
    }
}

/// The way home of a [`Request`] that has been [taken apart](Request::into_parts).
#[must_use = "a request that is not answered leaves its asker waiting"]
pub struct Reply {
    route: Arc<Mutex<Option<Route>>>,
}

impl Reply {
    /// Sends the answer to the peer that asked, as [`Request::reply`] does. Does not wait.
    ///
    /// *Delivery*: `Ok` means that the answer is in the queue of the peer's connection; it is lost
    /// if that connection dies.
    ///
    /// *Cancel safety*: never waits, so there is nothing to cancel.
    ///
    /// *Errors*: [`ReplyError::PeerGone`] also when the request has been answered already,
    /// [`ReplyError::Full`]; both give the answer back.
    pub async fn send(self, message: impl Into<Message>) -> Result<(), ReplyError> {
        self.try_send(message)
    }

    /// The same without an async function around it.
    ///
    /// *Errors*: as of [`send`](Self::send).
    pub fn try_send(self, message: impl Into<Message>) -> Result<(), ReplyError> {
        let message = message.into();
        let Some(route) = self.route.lock().take() else {
            return Err(ReplyError::PeerGone(message));
        };
        route.reply(&message).map_err(|error| match error {
            PushError::Full => ReplyError::Full(message),
            PushError::Closed => ReplyError::PeerGone(message),
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

impl sealed::Sealed for RepSocket {}
impl TakesMany for RepSocket {}
impl Sends for RepSocket {}
impl Receives for RepSocket {}

impl Build for RepSocket {
    fn build(parts: Parts) -> Self {
        let law = Replies::new();
        let pattern = Arc::clone(&law);
        let core = Core::new(parts.options, SocketType::Rep, parts.context, pattern);
        let desk = Desk {
            law,
            last: Mutex::new(None),
            pace: Pace::default(),
        };
        Self {
            handle: Handle::new(core),
            desk: Arc::new(desk),
        }
    }
}
