//! [`Relay`]: moves messages from one law to another as they stand, for a proxy.
//!
//! No message is decoded. It lies in the batch of the peer that sent it until the law that it goes to has
//! taken it, so what has no room is still counted where it came in, and nothing is in between that
//! could be lost. Whoever relays stands in one line at a time: in that for messages, or, with a message in
//! sight, in that for room.
//!
//! Lock order: the fair queue at the entrance, then the law at the exit, then one pipe. A receiver's
//! queue comes before a sender's law anyway (see [`crate::pipe::feed`]). A law is held for one turn of one
//! peer, never while a pipe is looked into for more. What that calls for is performed when
//! both have been let go.

mod turn;

use std::ops::AddAssign;
use std::task::{Context, Poll};

use super::fair_queue::{FairQueue, Passed, Rest};
use super::fan_out::FanOut;
use super::interest::Interest;
use super::round_robin::RoundRobin;
use super::routes::Routes;
use crate::peer_handle::Peer;
use crate::pipe::Load;
use crate::pipe::wake::{Due, Ticket};
use crate::wire::batch::Batch;
pub(crate) use turn::Turn;

/// Where messages come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrance<'a> {
    pub(crate) queue: &'a FairQueue,
    /// What is wanted, if that is not everything.
    pub(crate) interest: Option<&'a Interest>,
    /// Whether the name of its peer goes in front of each message.
    pub(crate) named: bool,
}

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exit<'a> {
    RoundRobin(&'a RoundRobin),
    FanOut(&'a FanOut),
    /// To the peer that the first frame names, which is taken off. What cannot go there is dropped.
    Routes(&'a Routes),
}

/// What has been relayed; bytes are those of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relayed {
    pub(crate) taken: Load,
    /// Part of that: what nobody could be given.
    pub(crate) dropped: Load,
    /// Of how many there is no copy.
    pub(crate) uncaptured: usize,
}

impl AddAssign for Relayed {
    fn add_assign(&mut self, other: Self) {
        self.taken.messages += other.taken.messages;
        self.taken.bytes += other.taken.bytes;
        self.dropped.messages += other.dropped.messages;
        self.dropped.bytes += other.dropped.bytes;
        self.uncaptured += other.uncaptured;
    }
}

/// Why there will be no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing more will come.
    Entrance,
    /// Nothing more can go.
    Exit,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Relay<'a> {
    entrance: Entrance<'a>,
    exit: Exit<'a>,
    /// Where copies go, without waiting.
    capture: Option<Exit<'a>>,
    for_messages: Ticket,
    for_room: Ticket,
}

impl<'a> Relay<'a> {
    pub(crate) fn new(entrance: Entrance<'a>, exit: Exit<'a>, capture: Option<Exit<'a>>) -> Self {
        Self {
            entrance,
            exit,
            capture,
            for_messages: Ticket::default(),
            for_room: Ticket::default(),
        }
    }

    /// Moves up to `messages` and adds them to `relayed`; pending when there are fewer to be moved by
    /// now. Ready earlier when somebody has been filled who would miss what comes next. What that calls for is added to `due`.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        messages: usize,
        relayed: &mut Relayed,
        due: &mut Due,
    ) -> Poll<Result<(), End>> {
        let Self {
            entrance,
            exit,
            capture,
            for_messages,
            for_room,
        } = self;
        let pass = |peer: &Peer, batch: &Batch, most| {
            let name = match peer.known_as() {
                Some(name) if entrance.named => Some(&name.as_bytes()[..]),
                _ => None,
            };
            let mut turn = Turn::new(batch, name, entrance.interest, most);
            let passed = exit.poll_pass(cx, for_room, &mut turn, due);
            *relayed += turn.relayed();
            if let (Some(capture), Passed::On(_)) = (&*capture, passed) {
                let messages = turn.gone().messages;
                let copies = Turn::new(batch, name, entrance.interest, messages);
                let mut copies = copies.without_another();
                capture.pass_now(&mut copies, due);
                let captured = copies.relayed().taken.messages;
                relayed.uncaptured += turn.relayed().taken.messages.saturating_sub(captured);
            }
            match passed {
                Passed::On(extent) if turn.gives_way() => Passed::Enough(extent),
                passed => passed,
            }
        };
        let rest = entrance.queue.poll_relay(cx, for_messages, messages, pass);
        if rest != Rest::Blocked {
            exit.leave(for_room);
        }
        match rest {
            Rest::Done => Poll::Ready(Ok(())),
            Rest::Empty | Rest::Blocked => Poll::Pending,
            Rest::Closed => Poll::Ready(Err(End::Entrance)),
            Rest::OtherClosed => Poll::Ready(Err(End::Exit)),
        }
    }
}

/// Whoever gives up waiting leaves its place to the next in line.
impl Drop for Relay<'_> {
    fn drop(&mut self) {
        self.entrance.queue.leave(&mut self.for_messages);
        self.exit.leave(&mut self.for_room);
    }
}

impl Exit<'_> {
    /// Moves what there is room for, or stands in line for room.
    fn poll_pass(
        &self,
        cx: &Context<'_>,
        ticket: &mut Ticket,
        turn: &mut Turn<'_>,
        due: &mut Due,
    ) -> Passed {
        match self {
            Self::RoundRobin(law) => law.poll_relay(cx, ticket, turn, due),
            Self::FanOut(law) => law.poll_relay(cx, ticket, turn, due),
            Self::Routes(law) => law.relay(turn, due),
        }
    }

    /// Moves what there is room for.
    fn pass_now(&self, turn: &mut Turn<'_>, due: &mut Due) {
        match self {
            Self::RoundRobin(law) => law.relay_now(turn, due),
            Self::FanOut(law) => law.relay_now(turn, due),
            Self::Routes(law) => drop(law.relay(turn, due)),
        }
    }

    fn leave(&self, ticket: &mut Ticket) {
        match self {
            Self::RoundRobin(law) => law.leave(ticket),
            Self::FanOut(law) => law.leave_sending(ticket),
            Self::Routes(_) => {}
        }
    }
}
