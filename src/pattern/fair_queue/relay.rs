//! What is relayed leaves a fair queue as it stands, in the same turns as what is read.

use std::task::Context;

use bytes::Bytes;

use super::{FairQueue, Handle, Line, State, Ticket};
use crate::wire::batch::{Batch, Extent};

/// What has become of an attempt to pass messages on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// This much is not here any more.
    On(Extent),
    /// Likewise, and nothing more is to go for now.
    Enough(Extent),
    /// There is no room; who looked stands in line for it.
    Blocked,
    /// Nothing more can be passed on.
    Closed,
}

/// Why a queue passes no more on for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It was all that was asked for.
    Done,
    /// There is nothing more; who asked stands in line for it.
    Empty,
    /// The other side has no room.
    Blocked,
    /// This queue is closed.
    Closed,
    /// The other side is closed.
    OtherClosed,
}

impl FairQueue {
    /// Has `pass` take up to `messages` out of the batches of the peers, in turn, and leaves everything that it
    /// does not take. It is told who sent them and how many may go in this turn: one, unless nobody else
    /// waits for a turn.
    pub(crate) fn poll_relay(
        &self,
        cx: &Context<'_>,
        ticket: &mut Ticket,
        messages: usize,
        mut pass: impl FnMut(&Handle, &Batch, usize) -> Passed,
    ) -> Rest {
        let mut left = messages;
        let mut bodies = Vec::new();
        let mut state = self.state.lock();
        while left > 0 {
            match state.relay(&self.line, left, &mut pass, &mut bodies) {
                Ok((extent, more)) if more => left = left.saturating_sub(extent.messages),
                Ok(_) => break,
                Err(Rest::Empty) if self.line.wait(cx, ticket) => return Rest::Empty,
                Err(Rest::Empty) => {}
                Err(rest) => {
                    // Somebody else may have a use for what is here.
                    self.line.served(ticket, true);
                    return rest;
                }
            }
        }
        self.line.served(ticket, !state.round.is_empty());
        Rest::Done
    }
}

impl State {
    /// One turn: what has gone, and whether more is to go. `bodies` are not needed here any more.
    fn relay(
        &mut self,
        line: &Line,
        left: usize,
        pass: &mut impl FnMut(&Handle, &Batch, usize) -> Passed,
        bodies: &mut Vec<Bytes>,
    ) -> Result<(Extent, bool), Rest> {
        if line.is_closed() {
            return Err(Rest::Closed);
        }
        self.collect(line);
        let token = self.front().ok_or(Rest::Empty)?;
        let is_alone = self.in_sequence || self.round.len() == 1;
        let peer = self.peers.get_mut(token).ok_or(Rest::Empty)?;
        let most = if is_alone { left } else { 1 };
        let (extent, more) = match pass(&peer.handle, &peer.batch, most) {
            Passed::On(extent) => (extent, true),
            Passed::Enough(extent) => (extent, false),
            Passed::Blocked => return Err(Rest::Blocked),
            Passed::Closed => return Err(Rest::OtherClosed),
        };
        if extent == Extent::default() {
            // What makes no sense is given up, as it is when it is read.
            peer.batch.skip();
        } else {
            peer.batch.consume(extent, bodies);
        }
        // Whether the sender is outrun is of no interest: who relays goes on to its other side.
        let _ = peer.has_read();
        self.end_turn();
        Ok((extent, more))
    }
}
