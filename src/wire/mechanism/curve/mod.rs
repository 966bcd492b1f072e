//! CURVE: both sides prove their keys, and every frame is encrypted (RFC 26).
//!
//! ```text
//! client                                             server
//! HELLO     C', and that it knows S                ─▶
//!                                                  ◀─ WELCOME   S', and a cookie with C' and s' in it
//! INITIATE  the cookie, C, the vouch, metadata     ─▶
//!                                                  ◀─ READY     metadata, once the socket has admitted C
//! MESSAGE                                         ◀─▶ MESSAGE
//! ```
//!
//! S and C are the long-term keys, S' and C' are made for one connection. With WELCOME the server forgets
//! everything about its client but the key of the cookie, which is good for this connection only.
//! [`client`] and [`server`] are the states, [`message`] is what follows them, [`cipher`] what all of them
//! are made of: a [`Cipher`], so that tests reach what lies behind the boxes without opening them.
//!
//! What is wrong with a box is never told to who sent it: the connection ends without an ERROR.

pub(crate) mod cipher;
pub(super) mod client;
#[cfg(target_arch = "x86_64")]
mod keystream;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub(in crate::wire) mod message;
pub(in crate::wire) mod nacl;
pub(super) mod server;
#[cfg(target_arch = "x86_64")]
mod x86;

use cipher::{Cipher, Key, Nonce, TAG};

use crate::fault::{PeerFault, ProtocolError, SecurityFault};

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a cookie: a nonce, and a box with C' and s' in it.
const COOKIE: usize = 16 + COOKIE_BOX;
const COOKIE_BOX: usize = TAG + KEY + KEY;
/// Bytes of a vouch: a box from C to S' with C' and S in it.
const VOUCH: usize = TAG + KEY + KEY;
/// Bytes of a HELLO.
const HELLO: usize = 200;
/// Bytes of a WELCOME.
const WELCOME: usize = 168;
/// Bytes of an INITIATE without metadata. The limit on commands of a handshake leaves room for it.
pub(in crate::wire) const INITIATE: usize = 257;
/// Bytes of a READY without metadata.
const READY: usize = 30;

/// Reads a command from the front to the back. Every step says whether there was enough.
#[derive(Debug)]
struct Reader<'a> {
    command: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader behind the name, if this is the command, and has a legal length.
    fn new(
        command: &'static str,
        body: &'a [u8],
        fits: impl FnOnce(usize) -> bool,
    ) -> Result<Self, PeerFault> {
        let named = super::super::command::split_name(body);
        let Some((_, rest)) = named.filter(|(name, _)| *name == command.as_bytes()) else {
            return Err(super::unexpected(body));
        };
        let reader = Self { command, rest };
        if !fits(body.len()) {
            return Err(reader.malformed("it has a wrong length"));
        }
        Ok(reader)
    }

    fn malformed(&self, what: &'static str) -> PeerFault {
        let command = self.command;
        ProtocolError::MalformedCommand { command, what }.into()
    }

    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], PeerFault> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.malformed("it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Opens the box that is the rest of the command.
    fn open(self, cipher: &dyn Cipher, key: &Key, nonce: &Nonce) -> Result<Vec<u8>, PeerFault> {
        open(cipher, key, nonce, self.command, self.rest)
    }
}

/// Opens a box: what was in it.
fn open(
    cipher: &dyn Cipher,
    key: &Key,
    nonce: &Nonce,
    command: &'static str,
    sealed: &[u8],
) -> Result<Vec<u8>, PeerFault> {
    let closed = SecurityFault::Box { command };
    let (tag, body) = sealed
        .split_first_chunk::<TAG>()
        .ok_or_else(|| closed.clone())?;
    let mut body = body.to_vec();
    if !cipher.open(
        &cipher.derive(key, &nonce.prefix),
        &nonce.short,
        tag,
        &mut body,
    ) {
        return Err(closed.into());
    }
    Ok(body)
}

/// Puts `body` into a box at the end of `out`.
fn seal(cipher: &dyn Cipher, key: &Key, nonce: &Nonce, body: &[u8], out: &mut Vec<u8>) {
    let mut body = body.to_vec();
    let tag = cipher.seal(&cipher.derive(key, &nonce.prefix), &nonce.short, &mut body);
    out.extend_from_slice(&tag);
    out.append(&mut body);
}

/// What two keys share; a fault where they share nothing, as with the few public keys that
/// everybody can foresee the result of.
fn agree(cipher: &dyn Cipher, secret: &[u8; KEY], public: &[u8; KEY]) -> Result<Key, PeerFault> {
    let key = cipher.agree(secret, public);
    key.ok_or_else(|| SecurityFault::WeakKey.into())
}

/// Random bytes.
fn random<const N: usize>(cipher: &dyn Cipher) -> Result<[u8; N], PeerFault> {
    let mut bytes = [0; N];
    match cipher.fill(&mut bytes) {
        true => Ok(bytes),
        false => Err(SecurityFault::NoRandomness.into()),
    }
}

/// A key pair for one connection: secret and public.
fn generate(cipher: &dyn Cipher) -> Result<(Key, [u8; KEY]), PeerFault> {
    let mut secret = Key::default();
    if !cipher.fill(secret.as_mut_slice()) {
        return Err(SecurityFault::NoRandomness.into());
    }
    let public = cipher.public(&secret);
    Ok((secret, public))
}
