//! The security mechanisms: what happens between the greeting and the first message.
//!
//! A mechanism is one step of [`Mechanism::begin`] and then a chain of states that consume
//! themselves, one per command of the peer, until one of them yields the [`Introduction`] of the peer: its
//! metadata, what it proved or gave to prove who it is, and the [`Answer`]: what this side still has to
//! say, which is held back until the socket has admitted the peer. The side whose command ends the
//! handshake must not let that command out in any other way.

#[cfg(feature = "curve")]
pub(in crate::wire) mod curve;
mod null;
mod plain;

#[cfg(feature = "curve")]
use curve::cipher::Cipher;

use super::command::{self, Command, printable};
use super::connection::Origin;
use super::metadata::Metadata;
use crate::fault::{PeerFault, ProtocolError};
use crate::security::credentials::Credentials;
#[cfg(feature = "curve")]
use crate::security::keys::{KeyPair, PublicKey};
use crate::security::secret::Secret;
use crate::socket_type::SocketType;

/// What a socket demands of its peers.
#[derive(Clone, Debug)]
pub(crate) enum Mechanism {
    /// No proof of anything, no encryption.
    Null,
    /// We give a name and a password.
    PlainClient { username: Secret, password: Secret },
    /// Peers give a name and a password.
    PlainServer,
    /// We know the server's key, and prove ours.
    #[cfg(feature = "curve")]
    CurveClient {
        cipher: &'static dyn Cipher,
        keys: KeyPair,
        server: PublicKey,
    },
    /// Peers know our key, and prove theirs.
    #[cfg(feature = "curve")]
    CurveServer {
        cipher: &'static dyn Cipher,
        keys: KeyPair,
    },
}

impl Mechanism {
    #[cfg(feature = "curve")]
    pub(crate) const fn curve_client(keys: KeyPair, server: PublicKey) -> Self {
        let cipher = &curve::nacl::Nacl;
        Self::CurveClient {
            cipher,
            keys,
            server,
        }
    }

    #[cfg(feature = "curve")]
    pub(crate) const fn curve_server(keys: KeyPair) -> Self {
        let cipher = &curve::nacl::Nacl;
        Self::CurveServer { cipher, keys }
    }

    /// The name in the greeting; both sides must name the same.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient { .. } | Self::PlainServer => "PLAIN",
            #[cfg(feature = "curve")]
            Self::CurveClient { .. } | Self::CurveServer { .. } => "CURVE",
        }
    }

    /// Whether this side is the server; NULL knows none.
    pub(super) const fn is_server(&self) -> bool {
        match self {
            Self::Null | Self::PlainClient { .. } => false,
            Self::PlainServer => true,
            #[cfg(feature = "curve")]
            Self::CurveClient { .. } => false,
            #[cfg(feature = "curve")]
            Self::CurveServer { .. } => true,
        }
    }

    /// Whether a peer may be told in words why it is turned away. A mechanism that proves something tells
    /// nobody what it knows.
    pub(super) const fn explains(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether its steps take long to compute.
    pub(super) const fn is_laborious(&self) -> bool {
        match self {
            Self::Null | Self::PlainClient { .. } | Self::PlainServer => false,
            #[cfg(feature = "curve")]
            Self::CurveClient { .. } | Self::CurveServer { .. } => true,
        }
    }

    /// Starts the handshake once both greetings match; `out` takes what we send first.
    pub(super) fn begin(
        &self,
        origin: Origin,
        socket_type: SocketType,
        metadata: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Handshake, PeerFault> {
        Ok(match self {
            Self::Null => {
                Handshake::Null(null::AwaitReady::begin(origin, socket_type, metadata, out))
            }
            Self::PlainClient { username, password } => {
                let own = (username, password);
                Handshake::PlainWelcome(plain::AwaitWelcome::begin(own, socket_type, metadata, out))
            }
            Self::PlainServer => {
                Handshake::PlainHello(plain::AwaitHello::begin(socket_type, metadata))
            }
            #[cfg(feature = "curve")]
            Self::CurveClient {
                cipher,
                keys,
                server,
            } => {
                let own = curve::client::Own {
                    keys,
                    server: server.as_bytes(),
                    socket_type,
                    metadata,
                };
                let state = curve::client::AwaitWelcome::begin(*cipher, own, out)?;
                Handshake::CurveWelcome(Box::new(state))
            }
            #[cfg(feature = "curve")]
            Self::CurveServer { cipher, keys } => {
                let own = curve::server::Own {
                    keys: keys.clone(),
                    socket_type,
                    metadata: metadata.to_vec(),
                };
                Handshake::CurveHello(curve::server::AwaitHello::begin(*cipher, own))
            }
        })
    }
}

/// A handshake that waits for the peer's next command.
#[derive(Debug)]
pub(super) enum Handshake {
    Null(null::AwaitReady),
    PlainWelcome(plain::AwaitWelcome),
    PlainReady(plain::AwaitReady),
    PlainHello(plain::AwaitHello),
    PlainInitiate(plain::AwaitInitiate),
    #[cfg(feature = "curve")]
    CurveWelcome(Box<curve::client::AwaitWelcome>),
    #[cfg(feature = "curve")]
    CurveReady(curve::client::AwaitReady),
    #[cfg(feature = "curve")]
    CurveHello(curve::server::AwaitHello),
    #[cfg(feature = "curve")]
    CurveInitiate(curve::server::AwaitInitiate),
}

/// What one command made of a handshake.
#[derive(Debug)]
pub(super) enum Progress {
    /// Another command is needed.
    Continue(Handshake),
    /// The peer has said everything.
    Introduced(Box<Introduction>),
}

/// A peer that has said everything about itself, and is to be judged.
#[derive(Debug)]
pub(super) struct Introduction {
    pub(super) metadata: Metadata,
    pub(super) credentials: Credentials,
    /// For the peer when it is admitted.
    pub(super) answer: Answer,
    /// What all frames go through from then on.
    #[cfg(feature = "curve")]
    pub(super) sealing: Option<curve::message::Sealing>,
}

impl Introduction {
    /// Of somebody who proved nothing and waits for nothing.
    fn new(metadata: Metadata) -> Self {
        Self {
            metadata,
            credentials: Credentials::Null,
            answer: Answer::default(),
            #[cfg(feature = "curve")]
            sealing: None,
        }
    }
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
    /// Whether the next step takes long to compute.
    pub(super) const fn is_laborious(&self) -> bool {
        match self {
            Self::Null(_)
            | Self::PlainWelcome(_)
            | Self::PlainReady(_)
            | Self::PlainHello(_)
            | Self::PlainInitiate(_) => false,
            #[cfg(feature = "curve")]
            Self::CurveWelcome(_) | Self::CurveHello(_) | Self::CurveInitiate(_) => true,
            // The keys of the connection are known by then.
            #[cfg(feature = "curve")]
            Self::CurveReady(_) => false,
        }
    }

    /// Takes the body of the peer's next command; `out` takes our answer.
    pub(super) fn step(self, body: &[u8], out: &mut Vec<u8>) -> Result<Progress, PeerFault> {
        let introduced = match self {
            Self::Null(state) => state.step(body)?,
            Self::PlainWelcome(state) => {
                return Ok(Progress::Continue(Self::PlainReady(state.step(body, out)?)));
            }
            Self::PlainReady(state) => state.step(body)?,
            Self::PlainHello(state) => {
                let next = Self::PlainInitiate(state.step(body, out)?);
                return Ok(Progress::Continue(next));
            }
            Self::PlainInitiate(state) => state.step(body)?,
            #[cfg(feature = "curve")]
            Self::CurveWelcome(state) => {
                return Ok(Progress::Continue(Self::CurveReady(state.step(body, out)?)));
            }
            #[cfg(feature = "curve")]
            Self::CurveReady(state) => state.step(body)?,
            #[cfg(feature = "curve")]
            Self::CurveHello(state) => {
                let next = Self::CurveInitiate(state.step(body, out)?);
                return Ok(Progress::Continue(next));
            }
            #[cfg(feature = "curve")]
            Self::CurveInitiate(state) => state.step(body)?,
        };
        Ok(Progress::Introduced(Box::new(introduced)))
    }
}

/// What an ERROR in the place of an awaited command says; none if the command is no ERROR.
///
/// `known` tells whether whoever says it is the server for all we can know: only then is a status
/// taken for a verdict on our credentials, which ends all attempts.
fn refused(body: &[u8], known: bool) -> Result<Option<PeerFault>, PeerFault> {
    let Some((b"ERROR", _)) = command::split_name(body) else {
        return Ok(None);
    };
    let Command::Error { reason } = command::parse(body)? else {
        return Ok(None);
    };
    let status = match reason {
        // RFC 27's codes, as RFC 24 and 26 have them in an ERROR.
        [b'3'..=b'5', b'0', b'0'] if known => std::str::from_utf8(reason).ok(),
        _ => None,
    };
    Ok(Some(match status.and_then(|status| status.parse().ok()) {
        Some(status) => PeerFault::Denied { status },
        None => PeerFault::Refused {
            reason: printable(reason),
        },
    }))
}

/// Something came when something else was awaited.
fn unexpected(body: &[u8]) -> PeerFault {
    match command::split_name(body) {
        Some((name, _)) => ProtocolError::UnexpectedCommand {
            name: printable(name),
        },
        None => ProtocolError::MalformedCommand {
            command: "unnamed",
            what: "the name is empty or longer than the command",
        },
    }
    .into()
}
