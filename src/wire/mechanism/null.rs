//! NULL: both sides send READY at once, neither waits for the other.

use crate::fault::{PeerFault, ProtocolError};
use crate::socket_type::SocketType;
use crate::wire::command::{self, Command, printable};
use crate::wire::metadata::{self, Metadata};

/// Our READY is out; the peer's is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitReady {
    ours: SocketType,
}

impl AwaitReady {
    pub(super) fn begin(ours: SocketType, metadata: &[u8], out: &mut Vec<u8>) -> Self {
        command::put_ready(out, metadata);
        Self { ours }
    }

    pub(super) fn step(self, body: &[u8]) -> Result<Metadata, PeerFault> {
        match command::parse(body)? {
            Command::Ready { metadata } => metadata::parse(metadata, self.ours),
            Command::Error { reason } => Err(PeerFault::Refused {
                reason: printable(reason),
            }),
            Command::Ping { .. } => Err(unexpected(b"PING")),
            Command::Pong => Err(unexpected(b"PONG")),
            Command::Other { name } => Err(unexpected(name)),
        }
    }
}

fn unexpected(name: &[u8]) -> PeerFault {
    ProtocolError::UnexpectedCommand {
        name: printable(name),
    }
    .into()
}
