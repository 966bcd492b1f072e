//! [`proxy`]: moves messages between two sockets, both ways.
//!
//! Each direction is a loop of its own: the target has a message before it is taken from the source, or
//! a place for it where it has to be decoded, so that what cannot go on stays where it is counted against the high-water marks, and a
//! side that stalls holds up nobody but those who send to it.

mod control;
mod direction;

use std::fmt;

use super::any::AnySocket;
use crate::error::ProxyError;
use crate::message::Message;
use crate::socket_type::SocketType;
pub use control::{ProxyControl, ProxyStats};
use direction::Direction;

/// Moves messages between two sockets, both ways, until one of them is closed: the middle of a
/// network, to which everybody else connects. libzmq: `zmq_proxy`.
///
/// | frontend | backend | |
/// |---|---|---|
/// | ROUTER | DEALER | requests are dealt to workers, replies find home |
/// | XSUB | XPUB | messages are forwarded, subscriptions travel back |
/// | SUB | PUB | what has been subscribed to is forwarded |
/// | PULL | PUSH | work is collected and dealt out again |
/// | PAIR | PAIR | a conversation is prolonged |
///
/// Which is which does not matter. Any two types can be joined of which each sends if the other
/// receives. A socket joined to itself gives everything back, also a REP, which answers each request with the
/// request. A REP and another socket cannot be joined, nor can a REQ: they take turns with their peers, and two that
/// do not know of each other's turns cannot keep them (libzmq starts, and ends with `EFSM` at the first request).
/// ROUTER and DEALER take their places. See [`Proxy`] for a proxy that is watched, paused and stopped.
///
/// What is only passed on is not decoded: between all of these, and any mixture of them, messages go on
/// byte by byte as they came. Only what an XPUB receives, and what an XSUB sends, is looked at.
///
/// *Delivery*: messages go on in the order in which they came from one peer. Nothing is received that
/// has nowhere to go, so a side without room stops the other's peers, and no more than that. To a
/// ROUTER each message goes to the peer that it names; if that is gone or full, the message is
/// dropped and counted, as in libzmq, since one such peer must not hold up all others. So is what a REP gives back.
///
/// *Cancel safety*: a dropped future loses nothing, with one exception: what comes from one XPUB and waits
/// for room at another that [drops nothing](crate::SocketBuilder::no_drop), one message, is lost.
/// [`Proxy::run`] keeps it.
///
/// *Errors*: [`ProxyError`] names two types that have nothing to say to each other, before anything
/// has moved.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{DealerSocket, RepSocket, ReqSocket, RouterSocket, proxy};
///
/// let (frontend, backend) = (RouterSocket::new(), DealerSocket::new());
/// let front_door = frontend.bind("tcp://127.0.0.1:*").await?;
/// let back_door = backend.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(proxy(&frontend, &backend));
///
/// let worker = RepSocket::new();
/// worker.connect(back_door)?;
/// tokio::spawn(async move {
///     while let Ok(request) = worker.recv().await {
///         let answer = format!("hello {}", request.text());
///         request.reply(answer).await.ok();
///     }
/// });
///
/// let client = ReqSocket::new();
/// client.connect(front_door)?;
/// assert_eq!(client.request("world").await?.text(), "hello world");
/// # Ok(())
/// # }
/// ```
pub fn proxy<F: Into<AnySocket>, B: Into<AnySocket>>(
    frontend: F,
    backend: B,
) -> impl Future<Output = Result<ProxyEnd, ProxyError>> + Send + 'static + use<F, B> {
    let mut proxy = Proxy::new(frontend, backend);
    async move { proxy.run().await }
}

/// Why a proxy has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyEnd {
    /// [`ProxyControl::stop`] was called.
    Stopped,
    /// A socket of this type, the frontend or the backend, has been closed.
    #[non_exhaustive]
    Closed {
        /// Its type.
        socket_type: SocketType,
    },
}

impl fmt::Display for ProxyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the proxy has been stopped"),
            Self::Closed { socket_type } => write!(f, "the {socket_type} has been closed"),
        }
    }
}

/// A [`proxy`] that copies what passes, is watched, paused and stopped. libzmq:
/// `zmq_proxy_steerable`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Proxy, ProxyEnd, PullSocket, PushSocket};
///
/// let (collect, deal) = (PullSocket::new(), PushSocket::new());
/// let entrance = collect.bind("tcp://127.0.0.1:*").await?;
/// let exit = deal.bind("tcp://127.0.0.1:*").await?;
/// let mut proxy = Proxy::new(&collect, &deal);
/// let control = proxy.control();
/// let running = tokio::spawn(async move { proxy.run().await });
///
/// let (push, pull) = (PushSocket::new(), PullSocket::new());
/// push.connect(entrance)?;
/// pull.connect(exit)?;
/// push.send("work").await?;
/// assert_eq!(pull.recv().await?.text(), "work");
///
/// assert_eq!(control.stats().backend_sent.messages, 1);
/// control.stop();
/// assert_eq!(running.await??, ProxyEnd::Stopped);
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    there: Direction,
    back: Direction,
    capture: Option<AnySocket>,
    control: ProxyControl,
}

impl Proxy {
    /// A proxy between these two, which does nothing until it is [run](Self::run).
    pub fn new(frontend: impl Into<AnySocket>, backend: impl Into<AnySocket>) -> Self {
        let (frontend, backend) = (frontend.into(), backend.into());
        Self {
            there: Direction::new(frontend.clone(), backend.clone()),
            back: Direction::new(backend, frontend),
            capture: None,
            control: ProxyControl::new(),
        }
    }

    /// Sends a copy of each message, whichever way it goes, to this PUB, XPUB, PUSH, DEALER or PAIR,
    /// as it goes on. The flow never waits for that: a copy for which there is no room is dropped
    /// and [counted](ProxyStats::uncaptured).
    #[must_use]
    pub fn capture(mut self, socket: impl Into<AnySocket>) -> Self {
        self.capture = Some(socket.into());
        self
    }

    /// What pauses, stops and watches it.
    pub fn control(&self) -> ProxyControl {
        self.control.clone()
    }

    /// Moves messages until it is stopped, or one of the two sockets is closed.
    ///
    /// *Delivery*: as [`proxy`].
    ///
    /// *Cancel safety*: a dropped future loses nothing; running again goes on where it was. What an XPUB has
    /// received and could not be sent, one message each way at most, is kept meanwhile:
    /// [`take_held`](Self::take_held). Anything else stays in the socket that received it.
    ///
    /// *Errors*: [`ProxyError`], before anything has moved.
    pub async fn run(&mut self) -> Result<ProxyEnd, ProxyError> {
        let route = self.check()?;
        let Self {
            there,
            back,
            capture,
            control,
        } = self;
        let (capture, control) = (capture.as_ref(), &*control);
        let there = there.run(route.there, capture, control, control.there());
        let back = back.run(route.back, capture, control, control.back());
        Ok(tokio::select! {
            end = there => end,
            end = back => end,
        })
    }

    /// Takes what was received and could not be sent: at most one message each way, and nothing
    /// while the proxy could go on.
    pub fn take_held(&mut self) -> Vec<Message> {
        let held = [self.there.take_held(), self.back.take_held()];
        held.into_iter().flatten().collect()
    }

    /// Which ways there are.
    fn check(&self) -> Result<Route, ProxyError> {
        let (frontend, backend) = self.there.ends();
        let (front, rear) = (frontend.socket_type(), backend.socket_type());
        if let Some(capture) = &self.capture {
            if !captures(capture.socket_type()) {
                return Err(ProxyError::CannotCapture {
                    socket_type: capture.socket_type(),
                });
            }
        }
        let is_heard = |from, to| !receives(from) || sends(to);
        let is_one = frontend.is_same(backend);
        let reflects = is_one && front == SocketType::Rep;
        let route = Route {
            there: receives(front) && sends(rear) || reflects,
            back: receives(rear) && sends(front) && !is_one,
        };
        if (route.there || route.back) && is_heard(front, rear) && is_heard(rear, front) {
            return Ok(route);
        }
        Err(ProxyError::CannotTalk {
            frontend: front,
            backend: rear,
        })
    }
}

/// Which ways there are.
#[derive(Clone, Copy, Debug)]
struct Route {
    there: bool,
    back: bool,
}

/// REQ and REP take turns, which two sides cannot keep that do not know of each other. (A REP alone can.)
const fn receives(socket_type: SocketType) -> bool {
    use SocketType::{Dealer, Pair, Pull, Router, Sub, XPub, XSub};
    matches!(
        socket_type,
        Pair | Sub | Dealer | Router | Pull | XPub | XSub
    )
}

const fn sends(socket_type: SocketType) -> bool {
    use SocketType::{Dealer, Pair, Pub, Push, Router, XPub, XSub};
    matches!(
        socket_type,
        Pair | Pub | Dealer | Router | Push | XPub | XSub
    )
}

const fn captures(socket_type: SocketType) -> bool {
    use SocketType::{Dealer, Pair, Pub, Push, XPub};
    matches!(socket_type, Pub | XPub | Push | Dealer | Pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let socket_type = SocketType::Pull;
        let ends = [
            (ProxyEnd::Stopped, "the proxy has been stopped"),
            (ProxyEnd::Closed { socket_type }, "the PULL has been closed"),
        ];
        for (end, words) in ends {
            assert_eq!(end.to_string(), words);
        }
    }
}
