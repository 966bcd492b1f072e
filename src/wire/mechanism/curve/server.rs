//! The server's side of the handshake of CURVE.

use zeroize::Zeroizing;

use super::super::Introduction;
use super::cipher::{Cipher, Key, Nonce};
use super::message::Sealing;
use super::{COOKIE_BOX, HELLO, INITIATE, KEY, Reader, VOUCH, agree, generate, open, random, seal};
use crate::fault::{PeerFault, SecurityFault};
use crate::security::credentials::Credentials;
use crate::security::keys::{KeyPair, PublicKey};
use crate::security::secret;
use crate::socket_type::SocketType;
use crate::wire::command;
use crate::wire::metadata;

/// What a server knows of itself.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Own {
    pub(in crate::wire) keys: KeyPair,
    pub(in crate::wire) socket_type: SocketType,
    pub(in crate::wire) metadata: Vec<u8>,
}

/// HELLO is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitHello {
    cipher: &'static dyn Cipher,
    own: Own,
}

/// WELCOME is out, INITIATE is awaited. Nothing of the client is kept: what is known of it lies in
/// the cookie that it has to bring.
#[derive(Debug)]
pub(in crate::wire) struct AwaitInitiate {
    cipher: &'static dyn Cipher,
    own: Own,
    /// Made for this connection, so that a cookie is worth nothing on another one.
    cookie_key: Key,
}

impl AwaitHello {
    pub(in crate::wire) const fn begin(cipher: &'static dyn Cipher, own: Own) -> Self {
        Self { cipher, own }
    }

    /// Takes HELLO, answers with WELCOME.
    pub(in crate::wire) fn step(
        self,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<AwaitInitiate, PeerFault> {
        let Self { cipher, own } = self;
        let mut hello = Reader::new("HELLO", body, |length| length == HELLO)?;
        if hello.take()? != &[1, 0] {
            return Err(hello.malformed("its version is not 1.0"));
        }
        if hello.take::<72>()? != &[0; 72] {
            return Err(hello.malformed("its padding is not zero"));
        }
        let theirs = hello.take::<KEY>()?;
        let nonce = Nonce::given(b"CurveZMQHELLO---", hello.take()?);
        let half = agree(cipher, own.keys.secret().expose_bytes(), theirs)?;
        if hello.open(cipher, &half, &nonce)? != [0; 64] {
            return Err(SecurityFault::Box { command: "HELLO" }.into());
        }

        let (short_secret, short) = generate(cipher)?;
        let mut cookie_key = Key::default();
        if !cipher.fill(cookie_key.as_mut_slice()) {
            return Err(SecurityFault::NoRandomness.into());
        }
        let cookie_nonce = random::<16>(cipher)?;
        let mut said = Zeroizing::new(short.to_vec());
        said.extend(cookie_nonce);
        let kept = Zeroizing::new([*theirs, *short_secret].concat());
        let nonce = Nonce::random(b"COOKIE--", &cookie_nonce);
        seal(cipher, &cookie_key, &nonce, &kept, &mut said);
        let welcome_nonce = random::<16>(cipher)?;
        let mut data = welcome_nonce.to_vec();
        let nonce = Nonce::random(b"WELCOME-", &welcome_nonce);
        seal(cipher, &half, &nonce, &said, &mut data);
        command::put(out, b"WELCOME", &[&data]);
        Ok(AwaitInitiate {
            cipher,
            own,
            cookie_key,
        })
    }
}

impl AwaitInitiate {
    /// Takes INITIATE: the client has proved who it is. READY is the answer that waits for its admission.
    pub(in crate::wire) fn step(self, body: &[u8]) -> Result<Introduction, PeerFault> {
        const COMMAND: &str = "INITIATE";
        let Self {
            cipher,
            own,
            cookie_key,
        } = self;
        let mut initiate = Reader::new(COMMAND, body, |length| length >= INITIATE)?;
        let nonce = Nonce::random(b"COOKIE--", initiate.take()?);
        let cookie = initiate.take::<COOKIE_BOX>()?;
        let kept = Zeroizing::new(open(cipher, &cookie_key, &nonce, "cookie", cookie)?);
        let mut kept = Reader {
            command: COMMAND,
            rest: &kept,
        };
        let short_client = kept.take::<KEY>()?;
        let short_secret = kept.take::<KEY>()?;
        let session = agree(cipher, short_secret, short_client)?;

        let short = initiate.take()?;
        let nonce = Nonce::given(b"CurveZMQINITIATE", short);
        let said = initiate.open(cipher, &session, &nonce)?;
        let mut said = Reader {
            command: COMMAND,
            rest: &said,
        };
        let client = said.take::<KEY>()?;
        let nonce = Nonce::random(b"VOUCH---", said.take()?);
        let vouch = said.take::<VOUCH>()?;
        let known = agree(cipher, short_secret, client)?;
        let vouch = open(cipher, &known, &nonce, "vouch", vouch)?;
        let mut vouch = Reader {
            command: COMMAND,
            rest: &vouch,
        };
        let same_client = secret::is_same(vouch.take()?, short_client);
        // Without this half, which libzmq does not look at, another server that a client trusts
        // could take the vouch on to us.
        let same_server = secret::is_same(vouch.take()?, own.keys.public().as_bytes());
        if !(same_client && same_server) {
            return Err(SecurityFault::Vouch.into());
        }
        let metadata = metadata::parse(said.rest, own.socket_type)?;

        let heard = u64::from_be_bytes(*short);
        let sealing = Sealing::of_server(cipher, &session, 2, heard);
        let nonce = Nonce::counted(b"CurveZMQREADY---", 1);
        let mut data = nonce.short.to_vec();
        seal(cipher, &session, &nonce, &own.metadata, &mut data);
        let mut introduction = Introduction::new(metadata);
        command::put(&mut introduction.answer.0, b"READY", &[&data]);
        introduction.credentials = Credentials::Curve {
            client: PublicKey::from_bytes(*client),
        };
        introduction.sealing = Some(sealing);
        Ok(introduction)
    }
}
