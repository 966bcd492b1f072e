//! [`Sealer`] and [`Opener`]: what CURVE makes of every frame of the traffic.
//!
//! A frame, message or command, travels in the body of another one, which is the same for both:
//! `07 "MESSAGE" nonce(8) tag(16) encrypted(flags(1) payload)`. Nonces follow each other in each
//! direction, so that nothing can be repeated, left out or put into another order. RFC 26 and libzmq only ask that they
//! rise; but a frame by itself does not say to which message it belongs, and whoever could leave out single ones
//! would make new messages out of the parts of others. A stream loses nothing by itself.

use super::cipher::{Cipher, Key, TAG};
use crate::fault::{PeerFault, ProtocolError, SecurityFault};
use crate::wire::frame;

const NAME: &[u8; 8] = b"\x07MESSAGE";
/// Before the encrypted part: name, nonce and proof.
const HEAD: usize = 8 + 8 + TAG;
/// What a frame's body grows by.
pub(in crate::wire) const OVERHEAD: usize = HEAD + 1;

/// Flags inside, other than those of a frame outside: libzmq's, RFC 26 has only the first.
const MORE: u8 = 1;
const COMMAND: u8 = 2;

/// Both directions of one connection.
#[derive(Debug)]
pub(in crate::wire) struct Sealing {
    pub(in crate::wire) sealer: Sealer,
    pub(in crate::wire) opener: Opener,
}

/// Encrypts what we send.
#[derive(Debug)]
pub(in crate::wire) struct Sealer {
    cipher: &'static dyn Cipher,
    key: Key,
    /// Used up by every frame; none is used twice.
    next: u64,
}

/// Decrypts what the peer sends.
#[derive(Debug)]
pub(in crate::wire) struct Opener {
    cipher: &'static dyn Cipher,
    key: Key,
    /// The nonce of the last box that opened.
    last: u64,
}

const FROM_CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
const FROM_SERVER: &[u8; 16] = b"CurveZMQMESSAGES";

impl Sealing {
    /// `next` is the first nonce that we have not used, `last` the last one of the peer.
    pub(super) fn of_client(cipher: &'static dyn Cipher, key: &Key, next: u64, last: u64) -> Self {
        Self::new(cipher, key, [FROM_CLIENT, FROM_SERVER], next, last)
    }

    pub(super) fn of_server(cipher: &'static dyn Cipher, key: &Key, next: u64, last: u64) -> Self {
        Self::new(cipher, key, [FROM_SERVER, FROM_CLIENT], next, last)
    }

    fn new(
        cipher: &'static dyn Cipher,
        key: &Key,
        [ours, theirs]: [&[u8; 16]; 2],
        next: u64,
        last: u64,
    ) -> Self {
        Self {
            sealer: Sealer {
                cipher,
                key: cipher.derive(key, ours),
                next,
            },
            opener: Opener {
                cipher,
                key: cipher.derive(key, theirs),
                last,
            },
        }
    }
}

impl Sealer {
    /// Appends a whole frame with `body` in it, encrypted. `flags` are those of the frame in the clear.
    pub(in crate::wire) fn seal(
        &mut self,
        flags: u8,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), PeerFault> {
        let nonce = self.next;
        // The last one there is stays unused: it would have no successor to be told from.
        self.next = nonce.checked_add(1).ok_or(SecurityFault::NoncesExhausted)?;
        let nonce = nonce.to_be_bytes();
        frame::put_header(out, 0, body.len().saturating_add(OVERHEAD));
        out.extend_from_slice(NAME);
        out.extend_from_slice(&nonce);
        let tag_at = out.len();
        out.extend_from_slice(&[0; TAG]);
        let more = if flags & frame::MORE != 0 { MORE } else { 0 };
        let command = if flags & frame::COMMAND != 0 {
            COMMAND
        } else {
            0
        };
        out.push(more | command);
        out.extend_from_slice(body);
        let sealed = out.get_mut(tag_at..).unwrap_or_default();
        if let Some((tag, sealed)) = sealed.split_first_chunk_mut::<TAG>() {
            *tag = self.cipher.seal(&self.key, &nonce, sealed);
        }
        Ok(())
    }
}

impl Opener {
    /// Opens the body of a frame in place: the flags of the frame in the clear, and where its body begins.
    pub(in crate::wire) fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), PeerFault> {
        const MESSAGE: &str = "MESSAGE";
        let malformed = |what| ProtocolError::MalformedCommand {
            command: MESSAGE,
            what,
        };
        if !body.starts_with(NAME) {
            return Err(SecurityFault::NotEncrypted.into());
        }
        let (head, sealed) = body
            .split_at_mut_checked(HEAD)
            .ok_or_else(|| malformed("it is cut short"))?;
        let (_, head) = head.split_at(NAME.len());
        let Some((nonce, tag)) = head.split_first_chunk::<8>() else {
            return Err(malformed("it is cut short").into());
        };
        let Some(tag) = tag.first_chunk::<TAG>() else {
            return Err(malformed("it is cut short").into());
        };
        let given = u64::from_be_bytes(*nonce);
        if self.last.checked_add(1) != Some(given) {
            return Err(SecurityFault::Nonce {
                given,
                last: self.last,
            }
            .into());
        }
        if !self.cipher.open(&self.key, nonce, tag, sealed) {
            return Err(SecurityFault::Box { command: MESSAGE }.into());
        }
        self.last = given;
        let Some(&flags) = sealed.first() else {
            return Err(malformed("it has no flags").into());
        };
        let flags = match flags {
            0 => 0,
            MORE => frame::MORE,
            COMMAND => frame::COMMAND,
            _ => return Err(malformed("it has unknown flags").into()),
        };
        Ok((flags, OVERHEAD))
    }
}

#[cfg(test)]
impl Opener {
    /// As if so many frames had come.
    pub(in crate::wire) const fn skip_to(&mut self, next: u64) {
        self.last = next - 1;
    }
}

#[cfg(test)]
impl Sealer {
    /// As if so many frames had been sent.
    pub(in crate::wire) const fn skip_to(&mut self, next: u64) {
        self.next = next;
    }
}
