//! The traffic phase of one connection: messages both ways, until one side ends it.
//!
//! It is one hand-written poll function instead of a pair of futures, so that a wake-up does
//! everything there is to do in both directions and nothing is polled that has not been asked for.
//! The session is ended through its outbound pipe, whatever it is doing.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Sleep;

use super::courtesy::Courtesy;
use super::direct::Direct;
use super::session::{fault, io, poll_read, poll_write};
use super::{Hub, Pipes};
use crate::event::DisconnectReason;
use crate::peer_handle::Peer;
use crate::pipe::shortcut::Shortcut;
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Take};
use crate::transport::{ReadHalf, WriteHalf};
use crate::wire::batch::Batch;
use crate::wire::connection::{Connection, Incoming, Room};
use crate::wire::transmit::Transmit;

/// Turns of reading and writing before other tasks get the thread.
const TURNS: usize = 32;

/// Silence after which a connection gives its buffers back.
const IDLE: Duration = Duration::from_secs(1);

/// How long a side that has said everything waits for the other to hang up first. Closing with
/// unread bytes would reset the connection and could destroy what the peer has not read yet.
const FAREWELL: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Traffic {
    read: ReadHalf,
    /// None once everything has been said: dropping it told the peer so.
    write: Option<Arc<WriteHalf>>,
    /// The same write half, for senders that find the connection at rest.
    direct: Option<Arc<Direct>>,
    connection: Connection,
    pipes: Pipes,
    /// Told when something moves, for whoever asks when that was.
    peer: Peer,
    transmit: Option<Transmit>,
    registered: bool,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the timer fires, if it is set.
    wakes_at: Option<Instant>,
    /// Whether anything moved since the idle check was last due.
    active: bool,
    idle_check: Option<Instant>,
    farewell: Option<Instant>,
    courtesy: Courtesy,
}

impl Traffic {
    pub(super) fn new(
        hub: &dyn Hub,
        read: ReadHalf,
        write: WriteHalf,
        connection: Connection,
        pipes: Pipes,
        peer: Peer,
    ) -> Self {
        let write = Arc::new(write);
        let direct = Arc::new(Direct::new(Arc::clone(&write), peer.clone(), hub.pulse()));
        // What has to be encrypted is encrypted in one place, in the order in which it is written.
        if connection.is_clear() {
            pipes
                .outbound
                .open_shortcut(Arc::clone(&direct) as Arc<dyn Shortcut>);
        }
        let has_threads = hub.io_threads() > 0
            || Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
        Self {
            read,
            write: Some(write),
            direct: Some(direct),
            connection,
            pipes,
            peer,
            transmit: None,
            registered: false,
            timer: None,
            wakes_at: None,
            active: false,
            idle_check: None,
            farewell: None,
            courtesy: Courtesy::new(has_threads),
        }
    }

    /// Whole messages of which no byte was written. Senders write no more when this returns.
    pub(super) fn poll_unwritten(&mut self, cx: &mut Context<'_>) -> Poll<Batch> {
        let begun = std::task::ready!(self.pipes.outbound.poll_close_shortcut(cx));
        let unwritten = self.transmit.take().or(begun);
        Poll::Ready(unwritten.map(Transmit::into_unwritten).unwrap_or_default())
    }

    /// Moves what can be moved. Ready with the reason when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        match self.poll_end(cx) {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(reason),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Result<(), DisconnectReason> {
        if !self.registered {
            self.registered = true;
            self.pipes.outbound.consume_as(cx);
            if let Some(inbound) = &self.pipes.inbound {
                inbound.produce_as(cx);
            }
        }
        if let Some(reason) = self.pipes.outbound.cut() {
            return Err(ended(reason));
        }
        let now = Instant::now();
        for _ in 0..TURNS {
            let wrote = self.write_some(cx)?;
            let had_nothing_to_say = self.connection.outgoing().is_empty();
            let read = self.read_some(cx, now)?;
            // What was read may have to be answered. Nothing else would wake this for it.
            let answers = had_nothing_to_say && !self.connection.outgoing().is_empty();
            if !wrote && !read && !answers {
                return self.arm(cx, now);
            }
            self.active = true;
        }
        self.check_timers(now)?;
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Writes one batch, or what the protocol wants to say; `true` when something was finished.
    fn write_some(&mut self, cx: &mut Context<'_>) -> Result<bool, DisconnectReason> {
        let Some(write) = &self.write else {
            return Ok(false);
        };
        if self.transmit.is_none() {
            let control = !self.connection.outgoing().is_empty();
            let take = if control {
                // What a sender has begun to write goes first: control comes between messages.
                match self.pipes.outbound.poll_claim(cx) {
                    Poll::Ready(Some(begun)) => Poll::Ready(Take::Begun(begun)),
                    Poll::Ready(None) => {
                        let bytes = Bytes::from(std::mem::take(self.connection.outgoing()));
                        Poll::Ready(Take::Begun(Transmit::new(Batch::from_wire(bytes, 0))))
                    }
                    Poll::Pending => Poll::Pending,
                }
            } else {
                self.courtesy.give_way(|| self.pipes.outbound.is_light());
                self.pipes.outbound.poll_take(cx)
            };
            self.transmit = Some(match take {
                Poll::Ready(Take::Batch(batch)) => {
                    if let Some(direct) = &self.direct {
                        direct.took(batch.messages());
                    }
                    self.courtesy.has_taken(batch.messages());
                    self.connection.outbound(batch).map_err(fault)?
                }
                Poll::Ready(Take::Begun(transmit)) => transmit,
                Poll::Ready(Take::Closed(reason)) => return self.finish(cx, reason),
                Poll::Ready(Take::Empty) | Poll::Pending => return Ok(false),
            });
        }
        let Some(transmit) = &mut self.transmit else {
            return Ok(false);
        };
        match poll_write(cx, write, transmit) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(io(error)),
            Poll::Ready(Ok(())) => {
                if let Some(direct) = &self.direct {
                    direct.wrote();
                }
                if let Some(written) = self.transmit.take() {
                    let batch = self.connection.recycle(written);
                    self.pipes.outbound.recycle(batch);
                }
                Ok(true)
            }
        }
    }

    /// Nothing more is to be sent: says so to the peer and waits for it to hang up.
    fn finish(
        &mut self,
        cx: &mut Context<'_>,
        reason: CloseReason,
    ) -> Result<bool, DisconnectReason> {
        if reason != CloseReason::Done {
            return Err(ended(reason));
        }
        // The pipe is closed and empty, so no sender is writing: this is ready at once.
        if self.pipes.outbound.poll_close_shortcut(cx).is_pending() {
            return Ok(false);
        }
        self.direct = None;
        self.write = None;
        self.farewell = Some(Instant::now() + FAREWELL);
        Ok(true)
    }

    /// Decodes what has been read, or reads more; `true` when there was something.
    fn read_some(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, DisconnectReason> {
        if self.farewell.is_some() {
            return self.read_nothing(cx);
        }
        let room = match &self.pipes.inbound {
            None => Some(Room::UNLIMITED),
            Some(inbound) => match inbound.poll_room(cx) {
                Poll::Ready(Ok(room)) => Some(Room {
                    messages: room.messages,
                    bytes: room.bytes,
                }),
                Poll::Ready(Err(reason)) => return Err(ended(reason)),
                Poll::Pending => None,
            },
        };
        self.connection.set_reading(room.is_some(), now);
        let full = Room {
            messages: 0,
            bytes: 0,
        };
        match self
            .connection
            .receive(room.unwrap_or(full), now)
            .map_err(fault)?
        {
            Some(Incoming::Messages(batch)) => {
                match &self.pipes.inbound {
                    // A closed pipe ends the session in the next turn.
                    Some(inbound) => {
                        let messages = batch.messages();
                        let is_apart = inbound.push_chunk(batch).unwrap_or(false);
                        self.courtesy.has_delivered(messages, is_apart);
                    }
                    None => self.pipes.outbound.count_unusable(batch.messages() as u64),
                }
                return Ok(true);
            }
            Some(Incoming::Introduced(..)) => return Ok(true),
            None if room.is_none() => return Ok(false),
            None => {}
        }
        match poll_read(cx, &mut self.read, &mut self.connection) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(DisconnectReason::PeerClosed),
            Poll::Ready(Ok(_)) => {
                self.peer.was_read(now);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(io(error)),
        }
    }

    /// Reads into the void until the peer hangs up.
    fn read_nothing(&mut self, cx: &mut Context<'_>) -> Result<bool, DisconnectReason> {
        let mut void = [0; 4096];
        let mut void = ReadBuf::new(&mut void);
        match Pin::new(&mut self.read).poll_read(cx, &mut void) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) if void.filled().is_empty() => Err(DisconnectReason::Closed),
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(_)) => Err(DisconnectReason::Closed),
        }
    }

    /// Does what is due. Comes after reading: something else may have had this thread for longer than a peer may be
    /// silent, and what it has said lies there.
    fn check_timers(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        if self.farewell.is_some_and(|at| at <= now) {
            return Err(DisconnectReason::Closed);
        }
        if self.connection.deadline().is_some_and(|at| at <= now) {
            self.connection.on_deadline(now).map_err(fault)?;
        }
        if self.idle_check.is_some_and(|at| at <= now) {
            self.idle_check = None;
            if !self.active {
                self.connection.release_idle_buffer();
                self.pipes.outbound.release_idle_buffer();
            }
        }
        Ok(())
    }

    /// Before waiting: sees to it that the next deadline wakes the task.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), DisconnectReason> {
        loop {
            if self.active && self.idle_check.is_none() {
                self.idle_check = Some(now + IDLE);
                self.active = false;
            }
            let next = [self.idle_check, self.connection.deadline(), self.farewell];
            let Some(next) = next.into_iter().flatten().min() else {
                self.timer = None;
                self.wakes_at = None;
                return Ok(());
            };
            let timer = self.timer.get_or_insert_with(|| {
                self.wakes_at = Some(next);
                Box::pin(tokio::time::sleep_until(next.into()))
            });
            if self.wakes_at != Some(next) {
                self.wakes_at = Some(next);
                timer.as_mut().reset(next.into());
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            // Due already: do it now, there will be no second call.
            let now = Instant::now().max(next);
            self.wakes_at = None;
            self.check_timers(now)?;
            if !self.connection.outgoing().is_empty() {
                // A PING is due, and is written at the next call.
                cx.waker().wake_by_ref();
            }
        }
    }
}

/// What a pipe's end means for its connection.
fn ended(reason: CloseReason) -> DisconnectReason {
    match reason {
        CloseReason::Done | CloseReason::Now => DisconnectReason::Closed,
        CloseReason::Lost => DisconnectReason::PeerClosed,
        CloseReason::Reset => DisconnectReason::Reset,
        CloseReason::Replaced => DisconnectReason::Replaced,
        CloseReason::Fault(fault) => DisconnectReason::Fault(fault),
    }
}
