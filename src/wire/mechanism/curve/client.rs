//! The client's side of the handshake of CURVE.

use super::super::{Introduction, refused};
use super::cipher::{Cipher, Key, Nonce};
use super::message::Sealing;
use super::{COOKIE, KEY, READY, Reader, WELCOME, agree, generate, random, seal};
use crate::fault::{PeerFault, ProtocolError};
use crate::security::keys::KeyPair;
use crate::socket_type::SocketType;
use crate::wire::command;
use crate::wire::metadata;

/// What a client knows before it begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Own<'a> {
    pub(in crate::wire) keys: &'a KeyPair,
    pub(in crate::wire) server: &'a [u8; KEY],
    pub(in crate::wire) socket_type: SocketType,
    pub(in crate::wire) metadata: &'a [u8],
}

/// HELLO is out, WELCOME is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitWelcome {
    cipher: &'static dyn Cipher,
    ours: SocketType,
    metadata: Vec<u8>,
    /// C and c.
    keys: KeyPair,
    /// S.
    server: [u8; KEY],
    /// What c' and S share.
    half: Key,
    /// C' and c'.
    short: [u8; KEY],
    short_secret: Key,
}

/// INITIATE is out, READY is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitReady {
    cipher: &'static dyn Cipher,
    ours: SocketType,
    /// What c' and S' share.
    session: Key,
}

impl AwaitWelcome {
    pub(in crate::wire) fn begin(
        cipher: &'static dyn Cipher,
        own: Own<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Self, PeerFault> {
        let (short_secret, short) = generate(cipher)?;
        let half = agree(cipher, &short_secret, own.server)?;
        let mut data = vec![1, 0];
        // Padding: an answer is never longer than its question, so nobody can have a third one flooded
        // by asking in its name.
        data.extend([0; 72]);
        data.extend(short);
        let nonce = Nonce::counted(b"CurveZMQHELLO---", 1);
        data.extend(nonce.short);
        seal(cipher, &half, &nonce, &[0; 64], &mut data);
        command::put(out, b"HELLO", &[&data]);
        Ok(Self {
            cipher,
            ours: own.socket_type,
            metadata: own.metadata.to_vec(),
            keys: own.keys.clone(),
            server: *own.server,
            half,
            short,
            short_secret,
        })
    }

    /// Takes WELCOME, answers with INITIATE.
    pub(in crate::wire) fn step(
        self,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<AwaitReady, PeerFault> {
        // Whoever says this has not proved to be the server, so it is heard, but not believed.
        if let Some(fault) = refused(body, false)? {
            return Err(fault);
        }
        let cipher = self.cipher;
        let mut welcome = Reader::new("WELCOME", body, |length| length == WELCOME)?;
        let nonce = Nonce::random(b"WELCOME-", welcome.take()?);
        let opened = welcome.open(cipher, &self.half, &nonce)?;
        let mut opened = Reader {
            command: "WELCOME",
            rest: &opened,
        };
        let theirs = opened.take::<KEY>()?;
        let cookie = opened.take::<COOKIE>()?;
        let session = agree(cipher, &self.short_secret, theirs)?;

        let random = random::<16>(cipher)?;
        let nonce = Nonce::random(b"VOUCH---", &random);
        // Who it is, and that C' is its own, said with c to this connection of S alone.
        let known = agree(cipher, self.keys.secret().expose_bytes(), theirs)?;
        let mut said = self.keys.public().as_bytes().to_vec();
        said.extend(random);
        let vouched = [self.short, self.server].concat();
        seal(cipher, &known, &nonce, &vouched, &mut said);
        said.extend(&self.metadata);
        let nonce = Nonce::counted(b"CurveZMQINITIATE", 2);
        let mut data = cookie.to_vec();
        data.extend(nonce.short);
        seal(cipher, &session, &nonce, &said, &mut data);
        command::put(out, b"INITIATE", &[&data]);
        Ok(AwaitReady {
            cipher,
            ours: self.ours,
            session,
        })
    }
}

impl AwaitReady {
    /// Takes READY, the last word of the server.
    pub(in crate::wire) fn step(self, body: &[u8]) -> Result<Introduction, PeerFault> {
        if let Some(fault) = refused(body, true)? {
            return Err(fault);
        }
        let mut ready = Reader::new("READY", body, |length| length >= READY)?;
        let short = ready.take()?;
        let nonce = Nonce::given(b"CurveZMQREADY---", short);
        let metadata = ready.open(self.cipher, &self.session, &nonce)?;
        let heard = u64::from_be_bytes(*short);
        if heard == 0 {
            return Err(ProtocolError::MalformedCommand {
                command: "READY",
                what: "its nonce is zero",
            }
            .into());
        }
        let sealing = Sealing::of_client(self.cipher, &self.session, 3, heard);
        let mut introduction = Introduction::new(metadata::parse(&metadata, self.ours)?);
        introduction.sealing = Some(sealing);
        Ok(introduction)
    }
}
