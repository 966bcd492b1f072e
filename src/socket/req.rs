//! REQ: asks, and waits for the answer. RFC 28.

use std::future::poll_fn;
use std::sync::Arc;

use futures::FutureExt as _;

use super::builder::{
    Asks, Build, Identified, Parts, Probes, QueuesAhead, Receives, Sends, TakesMany, sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::pace::Pace;
use crate::error::{
    LockStepRecvError, LockStepSendError, LockStepTryRecvError, LockStepTrySendError, RequestError,
};
use crate::fault::{PeerFault, ProtocolError};
use crate::message::Message;
use crate::pattern::requests::{Answer, Asked, Number, Requests, Rules, Tickets};
use crate::peer_handle::Peer;
use crate::pipe::CloseReason;
use crate::socket_type::SocketType;

/// Asks REP (or ROUTER) peers (RFC 28).
///
/// [`request`](Self::request) is the whole exchange as one call. [`send`](Self::send) and
/// [`recv`](Self::recv) are its halves, for code that is ported from elsewhere. Requests go round
/// robin when there are several peers. Handles are cheap to clone.
///
/// A REQ has one question open at a time: requests of several tasks wait for each other. One that
/// is built with [`correlate`](crate::SocketBuilder::correlate) has up to 1,024 open at once, each
/// of which gets its own reply, in whatever order the servers answer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{RepSocket, ReqSocket};
///
/// let rep = RepSocket::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(async move {
///     while let Ok(request) = rep.recv().await {
///         let answer = format!("hello {}", request.text());
///         request.reply(answer).await.ok(); // the asker may be gone: that is its affair
///     }
/// });
///
/// let req = ReqSocket::new();
/// req.connect(endpoint)?;
/// assert_eq!(req.request("world").await?.text(), "hello world");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReqSocket {
    handle: Handle,
    questions: Arc<Questions>,
}

#[derive(Debug)]
struct Questions {
    law: Arc<Requests>,
    pace: Pace,
}

common_methods!(ReqSocket);

impl ReqSocket {
    /// Sends a request and waits for its reply. Waits for its turn while another request of this
    /// socket is open (with [`correlate`](crate::SocketBuilder::correlate): while 1,024 are), and
    /// for a peer that has room.
    ///
    /// *Delivery*: a request is sent at most once. If its connection dies before any byte of it
    /// was written it is sent over the next one, or to another peer; if it dies later, the request
    /// fails with the reason. Then the server may or may not have acted on it. A peer that leaves
    /// fails the requests that were sent to it, and no others.
    ///
    /// *Cancel safety*: dropping the future abandons this request and nothing else. If it had been
    /// written, its connection is closed and made anew, so that a late reply cannot be taken for
    /// the answer to the next request. With [`correlate`](crate::SocketBuilder::correlate) the
    /// connection stays, and the late reply is dropped and counted. Either way
    /// `tokio::time::timeout` around it is all that a client needs to give up on a server.
    ///
    /// A request that is put aside, neither polled nor dropped, may have been woken to read the replies of
    /// all, so that those of other tasks wait for it. Await it, poll it in a `select!`, or spawn it.
    ///
    /// An answer is always waited for, so there is no form of this that does not wait:
    /// [`try_send`](Self::try_send) and [`try_recv`](Self::try_recv) are its halves.
    ///
    /// *Errors*: [`RequestError::Lost`] with the endpoint and the reason; without `correlate` and
    /// [`relaxed`](crate::SocketBuilder::relaxed), [`RequestError::OutOfTurn`] while a
    /// [`send`](Self::send) waits for its [`recv`](Self::recv); [`RequestError::Closed`] and
    /// [`RequestError::Interrupted`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    /// use wirelark::{RepSocket, ReqSocket};
    ///
    /// # let (clock, mute) = (RepSocket::new(), RepSocket::new());
    /// # let clock_endpoint = clock.bind("tcp://127.0.0.1:*").await?;
    /// # let mute_endpoint = mute.bind("tcp://127.0.0.1:*").await?;
    /// # tokio::spawn(async move {
    /// #     while let Ok(request) = clock.recv().await {
    /// #         request.reply("noon").await.ok();
    /// #     }
    /// # });
    /// let (time, weather) = (ReqSocket::new(), ReqSocket::new());
    /// time.connect(clock_endpoint)?;
    /// weather.connect(mute_endpoint)?; // it never answers
    ///
    /// // Both at once, and neither for longer than it takes.
    /// let patience = Duration::from_millis(500);
    /// let (time, weather) = tokio::join!(
    ///     timeout(patience, time.request("what time is it?")),
    ///     timeout(patience, weather.request("will it rain?")),
    /// );
    /// assert_eq!(time??.text(), "noon");
    /// assert!(weather.is_err()); // given up; the next request starts anew
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request(&self, message: impl Into<Message>) -> Result<Message, RequestError> {
        let mut message = message.into();
        let mut open = Open::new(self);
        poll_fn(|cx| self.questions.pace.poll(cx)).await;
        match open.ask(&mut message, false).await {
            Asked::Number(number) => open.number = Some(number),
            Asked::Reset(_) | Asked::OutOfTurn => return Err(RequestError::OutOfTurn(message)),
            Asked::Closed => return Err(RequestError::Closed(message)),
        }
        drop(message);
        match open.answer().await {
            Answer::Reply(_, reply) => Ok(reply),
            Answer::Lost(endpoint, reason) => Err(RequestError::Lost { endpoint, reason }),
            _ => Err(RequestError::Interrupted),
        }
    }

    /// Sends a request whose reply [`recv`](Self::recv) will take: lock-step, as in libzmq. Waits
    /// for a peer that has room, and with [`correlate`](crate::SocketBuilder::correlate) while 1,024
    /// requests are open.
    ///
    /// *Delivery*: as for [`request`](Self::request).
    ///
    /// *Cancel safety*: a dropped future has sent nothing. With
    /// [`relaxed`](crate::SocketBuilder::relaxed) and without
    /// [`correlate`](crate::SocketBuilder::correlate) it may have abandoned the request before.
    ///
    /// *Errors*: [`LockStepSendError::OutOfTurn`] while another request is open: with `correlate`
    /// only one that was sent by `send`, with `relaxed` none such. [`LockStepSendError::Closed`].
    /// Both give the message back.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), LockStepSendError> {
        let mut message = message.into();
        let mut open = Open::new(self);
        match open.ask(&mut message, true).await {
            Asked::Number(_) => Ok(()),
            Asked::Reset(_) | Asked::OutOfTurn => Err(LockStepSendError::OutOfTurn(message)),
            Asked::Closed => Err(LockStepSendError::Closed(message)),
        }
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// *Errors*: [`LockStepTrySendError::Full`] when no peer has room or there is none, while 1,024 requests
    /// are open, and while the connection of a request that was abandoned for this one is coming to its end;
    /// [`LockStepTrySendError::OutOfTurn`], [`LockStepTrySendError::Closed`]. All give the message
    /// back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), LockStepTrySendError> {
        let mut message = message.into();
        let mut open = Open::new(self);
        match open.ask(&mut message, true).now_or_never() {
            Some(Asked::Number(_)) => Ok(()),
            Some(Asked::Reset(_) | Asked::OutOfTurn) => {
                Err(LockStepTrySendError::OutOfTurn(message))
            }
            Some(Asked::Closed) => Err(LockStepTrySendError::Closed(message)),
            None => Err(LockStepTrySendError::Full(message)),
        }
    }

    /// Waits for the reply to the request that was [sent](Self::send).
    ///
    /// *Cancel safety*: a dropped future loses nothing; the reply can be waited for again.
    ///
    /// *Errors*: [`LockStepRecvError::Lost`] with the endpoint and the reason when the connection
    /// died, [`LockStepRecvError::OutOfTurn`] when nothing was asked, [`LockStepRecvError::Closed`].
    pub async fn recv(&self) -> Result<Message, LockStepRecvError> {
        self.recv_from().await.map(|(_, reply)| reply)
    }

    /// As [`recv`](Self::recv), with the peer that has replied: its address, and what it says of
    /// itself. It may have left since.
    ///
    /// *Cancel safety*: a dropped future loses nothing; the reply can be waited for again.
    ///
    /// *Errors*: as [`recv`](Self::recv).
    pub async fn recv_from(&self) -> Result<(Peer, Message), LockStepRecvError> {
        match Open::new(self).answer().await {
            Answer::Reply(from, reply) => Ok((from, reply)),
            Answer::Lost(endpoint, reason) => Err(LockStepRecvError::Lost { endpoint, reason }),
            Answer::OutOfTurn => Err(LockStepRecvError::OutOfTurn),
            Answer::Malformed(_) | Answer::Closed => Err(LockStepRecvError::Closed),
        }
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// *Errors*: [`LockStepTryRecvError::Empty`] when the reply is not there yet, otherwise as
    /// [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Message, LockStepTryRecvError> {
        self.try_recv_from().map(|(_, reply)| reply)
    }

    /// As [`try_recv`](Self::try_recv), with the peer that has replied.
    ///
    /// *Errors*: as [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self) -> Result<(Peer, Message), LockStepTryRecvError> {
        match self.recv_from().now_or_never() {
            Some(received) => Ok(received?),
            None => Err(LockStepTryRecvError::Empty),
        }
    }
}

/// One caller's part in an exchange. Dropping it leaves every line, and abandons the request that
/// is its own.
#[derive(Debug)]
struct Open<'a> {
    socket: &'a ReqSocket,
    tickets: Tickets,
    /// The request to abandon on drop.
    number: Option<Number>,
}

impl<'a> Open<'a> {
    fn new(socket: &'a ReqSocket) -> Self {
        Self {
            socket,
            tickets: Tickets::default(),
            number: None,
        }
    }

    /// Waits until the request has been sent. Where another one is given up for it, the connection
    /// of that one is ended first.
    async fn ask(&mut self, request: &mut Message, lock_step: bool) -> Asked {
        let law = &self.socket.questions.law;
        loop {
            let tickets = &mut self.tickets;
            match poll_fn(|cx| law.poll_ask(cx, tickets, request, lock_step)).await {
                Asked::Reset(peer) => {
                    self.socket.handle.core().end_peer(peer, CloseReason::Reset);
                }
                asked => return asked,
            }
        }
    }

    /// Waits for the end of the exchange. A malformed reply ends its connection, and that ends the
    /// exchange.
    async fn answer(&mut self) -> Answer {
        let law = &self.socket.questions.law;
        loop {
            match poll_fn(|cx| law.poll_answer(cx, &mut self.tickets, self.number)).await {
                Answer::Malformed(peer) => {
                    let fault = PeerFault::Protocol(ProtocolError::Envelope);
                    self.socket
                        .handle
                        .core()
                        .end_peer(peer, CloseReason::Fault(fault));
                }
                answer => {
                    self.number = None;
                    return answer;
                }
            }
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let law = &self.socket.questions.law;
        law.leave(&mut self.tickets);
        if let Some(peer) = self.number.and_then(|number| law.abandon(number)) {
            self.socket.handle.core().end_peer(peer, CloseReason::Reset);
        }
    }
}

impl sealed::Sealed for ReqSocket {}
impl TakesMany for ReqSocket {}
impl Sends for ReqSocket {}
impl Receives for ReqSocket {}
impl QueuesAhead for ReqSocket {}
impl Asks for ReqSocket {}
impl Identified for ReqSocket {}
impl Probes for ReqSocket {}

impl Build for ReqSocket {
    fn build(parts: Parts) -> Self {
        let law = Requests::new(Rules::from(&parts.options));
        let pattern = Arc::clone(&law);
        let core = Core::new(parts.options, SocketType::Req, parts.context, pattern);
        let questions = Arc::new(Questions {
            law,
            pace: Pace::default(),
        });
        Self {
            handle: Handle::new(core),
            questions,
        }
    }
}
