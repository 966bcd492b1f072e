//! The security mechanisms: what happens between the greeting and the first message.
//!
//! A mechanism is one step of [`Mechanism::begin`] and then a chain of states that consume
//! themselves, one per command of the peer, until one of them yields the peer's metadata. With it comes
//! the [`Answer`]: what this side still has to say, which is held back until the socket has admitted
//! the peer. The side whose command ends the handshake must not let that command out in any other way.

mod null;

use super::connection::Origin;
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
        origin: Origin,
        socket_type: SocketType,
        metadata: &[u8],
        out: &mut Vec<u8>,
    ) -> Handshake {
        match self {
            Self::Null => {
                Handshake::Null(null::AwaitReady::begin(origin, socket_type, metadata, out))
            }
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
    /// The peer has said everything. Admitted, it is given the answer.
    Introduced(Metadata, Answer),
}

/// Our last command in wire form, READY, where the peer still waits for it; else nothing.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// Says it: the peer has been admitted.
    pub(super) fn give(mut self, out: &mut Vec<u8>) {
        out.append(&mut self.0);
    }
}

impl Handshake {
    /// Takes the body of the peer's next command; `out` takes our answer.
    pub(super) fn step(self, body: &[u8], _out: &mut Vec<u8>) -> Result<Progress, PeerFault> {
        match self {
            Self::Null(state) => state.step(body),
        }
    }
}
