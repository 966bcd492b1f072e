//! One way of a proxy: a loop that moves messages from one socket to the other.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::task::yield_now;

use super::ProxyEnd;
use super::control::{Counters, ProxyControl, State};
use crate::error::{AnyRecvError, AnySendError, AnyTrySendError, RecvError};
use crate::message::Message;
use crate::pattern::relay::{End, Relay, Relayed};
use crate::pipe::wake::Due;
use crate::socket::any::AnySocket;
use crate::socket::rep::RepSocket;

/// Messages that one direction moves before it is the other's turn.
///
/// Enough to make the turn cost nothing, and few enough that the two directions share what a task may do
/// between two yields (`socket::pace`).
const BURST: usize = 128;

/// Likewise, for messages that are moved as they stand: some 20 times as fast. About as many as make a
/// full batch.
const RELAYED: usize = 1_024;

/// One way of a proxy.
#[derive(Debug)]
pub(super) struct Direction {
    from: AnySocket,
    to: AnySocket,
    /// Received, and not sent yet.
    held: Option<Message>,
}

impl Direction {
    pub(super) const fn new(from: AnySocket, to: AnySocket) -> Self {
        Self {
            from,
            to,
            held: None,
        }
    }

    /// From where, and to where.
    pub(super) const fn ends(&self) -> (&AnySocket, &AnySocket) {
        (&self.from, &self.to)
    }

    pub(super) const fn take_held(&mut self) -> Option<Message> {
        self.held.take()
    }

    pub(super) async fn run(
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

    /// The way for messages as they stand, between two types that have one.
    fn relay<'a>(&'a self, capture: Option<&'a AnySocket>) -> Option<Relay<'a>> {
        let capture = capture.and_then(AnySocket::exit);
        Some(Relay::new(self.from.entrance()?, self.to.exit()?, capture))
    }

    /// Moves some messages, fewer if there are new orders.
    async fn burst(
        &mut self,
        capture: Option<&AnySocket>,
        control: &ProxyControl,
        counters: &Counters,
    ) -> Result<(), ProxyEnd> {
        if let Some(mut relay) = self.relay(capture) {
            // A capture that is full loses copies: it is given time to drain.
            let most = if capture.is_some() { BURST } else { RELAYED };
            let relayed = poll_fn(|cx| poll_relay(&mut relay, cx, most, counters)).await;
            return relayed.map_err(|end| match end {
                End::Entrance => closed(&self.from),
                End::Exit => closed(&self.to),
            });
        }
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
        if let AnySocket::Rep(rep) = from {
            return reflect(rep, capture, counters)
                .await
                .map_err(|_| closed(from));
        }
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
        if to.is_closed() {
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
            Err(AnyTrySendError::Closed(message)) => {
                *held = Some(message);
                return Err(closed(to));
            }
            Err(AnyTrySendError::Full(message)) if !is_router => *held = Some(message),
            Err(_) => counters.count_sent(&message, false),
        }
        Ok(())
    }
}

/// Answers the next request with itself. Nothing is waited for between its receipt and the end, and the answer
/// finds its way whoever else receives from this socket.
async fn reflect(
    rep: &RepSocket,
    capture: Option<&AnySocket>,
    counters: &Counters,
) -> Result<(), RecvError> {
    let (message, reply) = rep.recv().await?.into_parts();
    counters.count_received(&message);
    if let Some(capture) = capture {
        counters.count_captured(capture.try_send(&message).is_ok());
    }
    counters.count_sent(&message, reply.try_send(&message).is_ok());
    Ok(())
}

fn poll_relay(
    relay: &mut Relay<'_>,
    cx: &Context<'_>,
    messages: usize,
    counters: &Counters,
) -> Poll<Result<(), End>> {
    let (mut due, mut relayed) = (Due::default(), Relayed::default());
    let poll = relay.poll(cx, messages, &mut relayed, &mut due);
    // Before anybody is woken by what has been moved.
    counters.count_relayed(&relayed);
    poll
}

const fn closed(socket: &AnySocket) -> ProxyEnd {
    ProxyEnd::Closed {
        socket_type: socket.socket_type(),
    }
}
