//! [`Phase`]: how far a connection has come, and the steps up to where the peer has said who it is.

use std::mem;

use super::{Connection, Incoming, Local, PeerInfo};
use crate::fault::{Incompatible, PeerFault};
use crate::security::credentials::Credentials;
#[cfg(feature = "curve")]
use crate::wire::mechanism::curve::message::Sealing;
use crate::wire::mechanism::{Answer, Handshake, Progress};
use crate::wire::metadata::{self, Metadata};
use crate::wire::{frame, greeting};

/// See the [module](self).
#[derive(Debug)]
pub(super) enum Phase {
    Greeting,
    Handshake {
        mechanism: Box<Handshake>,
        version: (u8, u8),
        /// Bytes of the handshake that the peer has spent.
        spent: usize,
    },
    Introduced {
        answer: Answer,
        #[cfg(feature = "curve")]
        sealing: Option<Box<Sealing>>,
        version: (u8, u8),
    },
    Traffic {
        version: (u8, u8),
    },
    /// A verdict has been passed; nothing more is read.
    Closed {
        /// It fell in the handshake, where an ERROR may tell the peer why.
        explain: bool,
    },
}

impl Phase {
    /// Whether an ERROR may still tell the peer why it is turned away.
    pub(super) const fn may_explain(&self) -> bool {
        matches!(
            self,
            Self::Handshake { .. } | Self::Introduced { .. } | Self::Closed { explain: true }
        )
    }
}

impl Connection {
    /// One step of greeting or handshake at a time, until one of them needs more bytes.
    pub(super) fn shake_hands(&mut self) -> Result<Option<Incoming>, PeerFault> {
        loop {
            match &mut self.phase {
                Phase::Greeting => {
                    let Some(local) = &self.local else {
                        return Ok(None);
                    };
                    let mechanism = &local.mechanism;
                    let (unread, name) = (self.decoder.unread(), mechanism.name());
                    let Some(greeting) = greeting::parse(unread, name)? else {
                        return Ok(None);
                    };
                    if greeting.as_server && mechanism.is_server() {
                        return Err(Incompatible::TwoServers { mechanism: name }.into());
                    }
                    self.decoder.consume(greeting::LENGTH);
                    let Local {
                        origin,
                        socket_type,
                        identity,
                        properties,
                        ..
                    } = &**local;
                    let metadata = metadata::encode(*socket_type, identity, properties);
                    let out = &mut self.outgoing;
                    let mechanism = mechanism.begin(*origin, *socket_type, &metadata, out)?;
                    self.phase = Phase::Handshake {
                        mechanism: Box::new(mechanism),
                        version: greeting.version,
                        spent: greeting::LENGTH,
                    };
                }
                Phase::Handshake { spent, .. } => {
                    let Some(body) = self.decoder.handshake_frame(*spent)? else {
                        return Ok(None);
                    };
                    if let Some((peer, credentials)) = self.step(&body)? {
                        return Ok(Some(Incoming::Introduced(peer, credentials)));
                    }
                }
                Phase::Introduced { .. } | Phase::Traffic { .. } | Phase::Closed { .. } => {
                    return Ok(None);
                }
            }
        }
    }

    /// Hands a command to the mechanism.
    fn step(&mut self, body: &[u8]) -> Result<Option<(PeerInfo, Credentials)>, PeerFault> {
        // Should the step end in a fault, this is where it leaves the connection.
        let phase = mem::replace(&mut self.phase, Phase::Closed { explain: true });
        let Phase::Handshake {
            mechanism,
            version,
            spent,
        } = phase
        else {
            self.phase = phase;
            return Ok(None);
        };
        match mechanism.step(body, &mut self.outgoing)? {
            Progress::Continue(mechanism) => {
                let frame = body.len().saturating_add(frame::HEADER_MAX);
                self.phase = Phase::Handshake {
                    mechanism: Box::new(mechanism),
                    version,
                    spent: spent.saturating_add(frame),
                };
                Ok(None)
            }
            Progress::Introduced(introduction) => {
                let Metadata {
                    socket_type,
                    identity,
                    properties,
                } = introduction.metadata;
                self.phase = Phase::Introduced {
                    answer: introduction.answer,
                    #[cfg(feature = "curve")]
                    sealing: introduction.sealing.map(Box::new),
                    version,
                };
                let peer = PeerInfo {
                    socket_type,
                    identity,
                    version,
                    properties,
                };
                Ok(Some((peer, introduction.credentials)))
            }
        }
    }
}
