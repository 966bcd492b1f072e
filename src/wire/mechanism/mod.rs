//! The security mechanisms: what happens between the greeting and the first message.
//!
//! A mechanism is one step of [`Mechanism::begin`] and then a chain of states that consume
//! themselves, one per command of the peer, until one of them yields the peer's metadata. Only
//! that makes traffic possible.

mod null;

use super::metadata::Metadata;
use crate::fault::PeerFault;
use crate::socket_type::SocketType;

/// What a socket demands of its peers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mechanism {
    /// No authentication, no encryption.
    Null,
}

impl Mechanism {
    /// The name in the greeting; both sides must name the same.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
        }
    }

    /// Starts the handshake once both greetings match; `out` takes what we send first.
    pub(super) fn begin(
        self,
        socket_type: SocketType,
        metadata: &[u8],
        out: &mut Vec<u8>,
    ) -> Handshake {
        match self {
            Self::Null => Handshake::Null(null::AwaitReady::begin(socket_type, metadata, out)),
        }
    }
}

/// A handshake that waits for the peer's next command.
#[derive(Debug)]
pub(super) enum Handshake {
    Null(null::AwaitReady),
}

/// What one command made of a handshake.
pub(super) enum Progress {
    /// Another command is needed. NULL is over after one; the mechanisms that prove something
    /// take several.
    #[expect(dead_code, reason = "no mechanism with several steps yet")]
    Continue(Handshake),
    /// Both sides are ready.
    Done(Metadata),
}

impl Handshake {
    /// Takes the body of the peer's next command; `out` takes our answer.
    pub(super) fn step(self, body: &[u8], _out: &mut Vec<u8>) -> Result<Progress, PeerFault> {
        match self {
            Self::Null(state) => state.step(body).map(Progress::Done),
        }
    }
}
