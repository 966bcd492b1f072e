//! [`proxy`]: moves messages between two sockets, both ways.
//!
//! Each direction is a loop of its own: it has a place at the target before it takes a message from the
//! source, so that what cannot go on stays where it is counted against the high-water marks, and a
//! side that stalls holds up nobody but those who send to it.

mod control;

use tokio::task::yield_now;

use super::any::AnySocket;
use crate::error::{AnyRecvError, AnySendError, ProxyError};
use crate::message::Message;
use crate::socket_type::SocketType;
use control::{Counters, State};
pub use control::{ProxyControl, ProxyStats};

/// Messages that one direction moves before it is the other's turn.
///
/// Enough to make the turn cost nothing, and few enough that the two directions share what a task may do
/// between two yields (`socket::pace`).
const BURST: usize = 128;

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
/// receives. A socket joined to itself gives everything back. See [`Proxy`] for a proxy that
/// is watched, paused and stopped.
///
/// *Delivery*: messages go on in the order in which they came from one peer. Nothing is received that
/// has nowhere to go, so a side without room stops the other's peers, and no more than that. To a
/// ROUTER each message goes to the peer that it names; if that is gone or full, the message is
/// dropped and counted, as in libzmq, since one such peer must not hold up all others.
///
/// *Cancel safety*: a dropped future loses nothing, unless an XPUB
/// [drops nothing](crate::SocketBuilder::no_drop): then the one message that waits for room
/// there is lost. [`Proxy::run`] keeps it.
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
            control: ProxyControl::default(),
        }
    }

    /// Sends a copy of each message, whichever way it goes, to this PUB, XPUB, PUSH, DEALER or PAIR,
    /// just before it goes on. The flow never waits for that: a copy for which there is no room is dropped
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
    /// *Cancel safety*: a dropped future loses nothing; running again goes on where it was. What may
    /// have been received and not sent, one message each way at most, is kept meanwhile:
    /// [`take_held`](Self::take_held).
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
        let held = [self.there.held.take(), self.back.held.take()];
        held.into_iter().flatten().collect()
    }

    /// Which ways there are.
    fn check(&self) -> Result<Route, ProxyError> {
        let (frontend, backend) = (&self.there.from, &self.there.to);
        let (front, rear) = (frontend.socket_type(), backend.socket_type());
        if let Some(capture) = &self.capture {
            if !captures(capture.socket_type()) {
                return Err(ProxyError::CannotCapture {
                    socket_type: capture.socket_type(),
                });
            }
        }
        let is_heard = |from, to| !receives(from) || sends(to);
        let route = Route {
            there: receives(front) && sends(rear),
            back: receives(rear) && sends(front) && !frontend.is_same(backend),
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

/// REQ and REP take turns, which two sides cannot keep that do not know of each other.
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

/// One way of a proxy.
#[derive(Debug)]
struct Direction {
    from: AnySocket,
    to: AnySocket,
    /// Received, and not sent yet.
    held: Option<Message>,
}

impl Direction {
    const fn new(from: AnySocket, to: AnySocket) -> Self {
        Self {
            from,
            to,
            held: None,
        }
    }

    async fn run(
        &mut self,
        exists: bool,
        capture: Option<&AnySocket>,
        control: &ProxyControl,
        counters: &Counters,
    ) -> ProxyEnd {
        let (from, to) = (self.from.clone(), self.to.clone());
        let mut orders = control.orders();
        loop {
            let state = *orders.borrow_and_update();
            let moves = async {
                match state {
                    State::Run if exists => self.burst(capture, control, counters).await,
                    _ => std::future::pending().await,
                }
            };
            if state == State::Stop {
                return ProxyEnd::Stopped;
            }
            tokio::select! {
                biased;
                Ok(()) = orders.changed() => {}
                moved = moves => match moved {
                    Ok(()) => yield_now().await,
                    Err(end) => return end,
                },
                () = from.closed() => return closed(&from),
                () = to.closed() => return closed(&to),
            }
        }
    }

    /// Moves some messages, fewer if there are new orders.
    async fn burst(
        &mut self,
        capture: Option<&AnySocket>,
        control: &ProxyControl,
        counters: &Counters,
    ) -> Result<(), ProxyEnd> {
        for _ in 0..BURST {
            self.step(capture, counters).await?;
            if !control.is_running() {
                break;
            }
        }
        Ok(())
    }

    /// Moves one message. Nothing is waited for between its receipt and the end.
    async fn step(
        &mut self,
        capture: Option<&AnySocket>,
        counters: &Counters,
    ) -> Result<(), ProxyEnd> {
        let Self { from, to, held } = self;
        if let Some(message) = held {
            // What waits is a copy, and the message is here until that has been sent.
            let sent = to.send(&*message).await;
            if let Err(AnySendError::Closed(_)) = sent {
                return Err(closed(to));
            }
            counters.count_sent(message, sent.is_ok());
            *held = None;
            return Ok(());
        }
        let permit = match &*to {
            AnySocket::Push(socket) => Some(socket.reserve().await),
            AnySocket::Dealer(socket) => Some(socket.reserve().await),
            AnySocket::Pair(socket) => Some(socket.reserve().await),
            _ => None,
        };
        let permit = permit.transpose().map_err(|_| closed(to))?;
        let message = match from.recv().await {
            Ok(message) => message,
            Err(AnyRecvError::Closed) => return Err(closed(from)),
            Err(_) => return Ok(()),
        };
        counters.count_received(&message);
        if let Some(capture) = capture {
            counters.count_captured(capture.try_send(&message).is_ok());
        }
        if to.is_closing() {
            *held = Some(message);
            return Err(closed(to));
        }
        if let Some(permit) = permit {
            counters.count_sent(&message, true);
            permit.send(message);
            return Ok(());
        }
        let is_router = matches!(to, AnySocket::Router(_));
        match to.try_send(&message) {
            Ok(()) => counters.count_sent(&message, true),
            Err(AnySendError::Closed(message)) => {
                *held = Some(message);
                return Err(closed(to));
            }
            Err(AnySendError::Full(message)) if !is_router => *held = Some(message),
            Err(_) => counters.count_sent(&message, false),
        }
        Ok(())
    }
}

const fn closed(socket: &AnySocket) -> ProxyEnd {
    ProxyEnd::Closed {
        socket_type: socket.socket_type(),
    }
}
