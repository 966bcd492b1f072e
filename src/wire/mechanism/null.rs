//! NULL: each side sends READY.
//!
//! RFC 37 has the client speak first and the server answer. The side that dialled is the client here and
//! sends READY at once; the side that accepted has its own ready, and gives it as its answer once
//! the peer has been admitted. Every connection has exactly one side that does not wait, so two
//! of this kind cannot wait for each other, and libzmq never waits.

use super::{Answer, Introduction, unexpected};
use crate::fault::PeerFault;
use crate::socket_type::SocketType;
use crate::wire::command::{self, Command, printable};
use crate::wire::connection::Origin;
use crate::wire::metadata;

/// The peer's READY is awaited; ours is out, or kept for an answer.
#[derive(Debug)]
pub(in crate::wire) struct AwaitReady {
    ours: SocketType,
    answer: Answer,
}

impl AwaitReady {
    pub(super) fn begin(
        origin: Origin,
        ours: SocketType,
        metadata: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        let mut answer = Answer::default();
        let out = match origin {
            Origin::Dialled => out,
            Origin::Accepted => &mut answer.0,
        };
        command::put_ready(out, metadata);
        Self { ours, answer }
    }

    pub(super) fn step(self, body: &[u8]) -> Result<Introduction, PeerFault> {
        match command::parse(body)? {
            Command::Ready { metadata } => {
                let metadata = metadata::parse(metadata, self.ours)?;
                let mut introduction = Introduction::new(metadata);
                introduction.answer = self.answer;
                Ok(introduction)
            }
            Command::Error { reason } => Err(PeerFault::Refused {
                reason: printable(reason),
            }),
            Command::Ping { .. } | Command::Pong | Command::Other { .. } => Err(unexpected(body)),
        }
    }
}
