//! CURVE against somebody who has keys, does the cryptography by hand, and lies in what is in the boxes: nobody
//! on the way could, so no change of bytes comes to these.

use super::*;
use crate::fault::{ProtocolError, SecurityFault};
use crate::security::keys::PublicKey;
use crate::wire::mechanism::curve::cipher::{Key, TAG};
use crate::wire::mechanism::curve::nacl::Nacl;

/// A nonce: what it is for, and the rest.
type Nonce<'a> = (&'a [u8; 16], [u8; 8]);

fn sealed(key: &Key, (prefix, short): Nonce<'_>, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let tag = Nacl.seal(&Nacl.derive(key, prefix), &short, &mut body);
    [&tag[..], &body].concat()
}

fn opened(key: &Key, (prefix, short): Nonce<'_>, body: &[u8]) -> Vec<u8> {
    let (tag, body) = body.split_first_chunk::<TAG>().unwrap();
    let mut body = body.to_vec();
    assert!(Nacl.open(&Nacl.derive(key, prefix), &short, tag, &mut body));
    body
}

/// The nonce of 8 bytes of name and 16 of others.
fn long(name: &[u8; 8], random: &[u8]) -> ([u8; 16], [u8; 8]) {
    let prefix = [&name[..], &random[..8]].concat();
    (prefix.try_into().unwrap(), random[8..].try_into().unwrap())
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

const fn counted(prefix: &[u8; 16], count: u64) -> Nonce<'_> {
    (prefix, count.to_be_bytes())
}

const SHORT: [u8; 32] = [5; 32];

fn keys() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn dealer() -> Vec<u8> {
    property("Socket-Type", b"DEALER")
}

/// What a client says that need not be so.
struct Client {
    zeros: [u8; 64],
    /// Whom it says to be, and with which key it proves that.
    claims: PublicKey,
    secret: [u8; 32],
    /// For which C' and which S it vouches.
    vouched: [u8; 64],
    metadata: Vec<u8>,
    /// So many bytes are missing at the end of what is in INITIATE.
    cut: usize,
}

impl Client {
    fn honest(own: &KeyPair, server: &KeyPair) -> Self {
        let vouched = [Nacl.public(&SHORT), *server.public().as_bytes()].concat();
        Self {
            zeros: [0; 64],
            claims: *own.public(),
            secret: *own.secret().expose_bytes(),
            vouched: vouched.try_into().unwrap(),
            metadata: dealer(),
            cut: 0,
        }
    }

    /// What a server makes of it.
    fn speaks_to(&self, server: &KeyPair) -> Listener {
        let mut listener = server_of(&Nacl, server.clone());
        let mut greeting = greeting(3, 1);
        greeting[12..17].copy_from_slice(b"CURVE");
        listener.feed(&greeting);
        listener.heard.sent.clear();
        let half = Nacl.agree(&SHORT, server.public().as_bytes()).unwrap();
        let nonce = counted(b"CurveZMQHELLO---", 1);
        let hello = [
            &[1, 0][..],
            &[0; 72],
            &Nacl.public(&SHORT),
            &nonce.1,
            &sealed(&half, nonce, &self.zeros),
        ];
        listener.feed(&command("HELLO", &hello.concat()));
        if listener.heard.fault.is_some() {
            return listener;
        }
        let welcome = split(&std::mem::take(&mut listener.heard.sent)).remove(0);
        let (prefix, short) = long(b"WELCOME-", &welcome[10..26]);
        let said = opened(&half, (&prefix, short), &welcome[26..]);
        let (theirs, cookie) = (chunk::<32>(&said, 0), &said[32..]);
        let (prefix, short) = long(b"VOUCH---", &[9; 16]);
        let known = Nacl.agree(&self.secret, &theirs).unwrap();
        let vouch = sealed(&known, (&prefix, short), &self.vouched);
        let mut said = self.claims.as_bytes().to_vec();
        said.extend([9; 16]);
        said.extend(vouch);
        said.extend(&self.metadata);
        said.truncate(said.len() - self.cut);
        let session = Nacl.agree(&SHORT, &theirs).unwrap();
        let nonce = counted(b"CurveZMQINITIATE", 2);
        let initiate = [cookie, &nonce.1, &sealed(&session, nonce, &said)].concat();
        listener.feed(&command("INITIATE", &initiate));
        listener
    }
}

#[test]
fn a_vouch_is_for_one_client_one_server_and_one_connection() {
    let (own, server, other) = (keys(), keys(), keys());
    let honest = || Client::honest(&own, &server);
    let listener = honest().speaks_to(&server);
    assert_eq!(listener.heard.fault, None);
    assert!(matches!(
        &listener.credentials,
        Some(Credentials::Curve { client }) if client == own.public()
    ));

    let mut elsewhere = honest();
    elsewhere.vouched[..32].copy_from_slice(other.public().as_bytes());
    let mut for_another = honest();
    for_another.vouched[32..].copy_from_slice(other.public().as_bytes());
    let mut by_another = honest();
    by_another.secret = *other.secret().expose_bytes();
    let mut as_the_server = honest();
    as_the_server.claims = *server.public();
    let vouch = SecurityFault::Vouch;
    let closed = SecurityFault::Box { command: "vouch" };
    for (lie, expected) in [
        (elsewhere, vouch.clone()),
        (for_another, vouch),
        (by_another, closed.clone()),
        (as_the_server, closed),
    ] {
        let listener = lie.speaks_to(&server);
        assert_eq!(*fault(&listener), expected.into());
        assert!(listener.credentials.is_none() && listener.heard.sent.is_empty());
    }
}

#[test]
fn what_is_in_the_boxes_of_a_client_is_looked_at() {
    let (own, server) = (keys(), keys());
    let honest = || Client::honest(&own, &server);
    let mut not_zero = honest();
    not_zero.zeros[63] = 1;
    let expected = SecurityFault::Box { command: "HELLO" };
    assert_eq!(*fault(&not_zero.speaks_to(&server)), expected.into());
    // Nothing of the metadata, then of the vouch, then of the key.
    let length = 32 + 16 + 80 + dealer().len();
    for cut in [
        dealer().len(),
        length - 100,
        length - 40,
        length - 20,
        length,
    ] {
        let client = Client { cut, ..honest() };
        let listener = client.speaks_to(&server);
        assert!(listener.heard.fault.is_some() && listener.credentials.is_none());
    }
}

/// What a server says after a client has proved its key: READY, then a frame of the traffic.
fn client_told(ready: u64, message: u64, clear: &[u8]) -> Listener {
    let server = keys();
    let mut client = client_of(&Nacl, keys(), &server);
    let mut greeting = greeting(3, 1);
    greeting[12..17].copy_from_slice(b"CURVE");
    client.feed(&greeting);
    let hello = split(&client.heard.sent[64..]).remove(0);
    client.heard.sent.clear();
    let theirs = chunk::<32>(&hello, 2 + 80);
    let half = Nacl.agree(server.secret().expose_bytes(), &theirs).unwrap();
    let (prefix, short) = long(b"WELCOME-", &[3; 16]);
    let said = [&Nacl.public(&SHORT)[..], &[8; 96]].concat();
    let welcome = [&[3; 16][..], &sealed(&half, (&prefix, short), &said)].concat();
    client.feed(&command("WELCOME", &welcome));
    assert_eq!(client.heard.fault, None);
    let session = Nacl.agree(&SHORT, &theirs).unwrap();
    let nonce = counted(b"CurveZMQREADY---", ready);
    let said = [&nonce.1[..], &sealed(&session, nonce, &dealer())].concat();
    client.feed(&command("READY", &said));
    if client.heard.fault.is_none() {
        let nonce = counted(b"CurveZMQMESSAGES", message);
        let body = [
            &b"\x07MESSAGE"[..],
            &nonce.1,
            &sealed(&session, nonce, clear),
        ];
        client.feed(&frame(0, &body.concat()));
    }
    client
}

#[test]
fn what_is_in_the_boxes_of_a_server_is_looked_at() {
    let mut client = client_told(7, 8, b"\0hello");
    assert_eq!(client.heard.fault, None);
    assert_eq!(client.messages(), [Message::from("hello")]);
    // A nonce that no server has used before its first: it could say the same again.
    let malformed = |command, what| ProtocolError::MalformedCommand { command, what }.into();
    let client = client_told(0, 1, b"\0hello");
    assert_eq!(*fault(&client), malformed("READY", "its nonce is zero"));
    assert!(client.heard.peer.is_none());
    // After the last one there is none.
    let mut client = client_told(u64::MAX, 0, b"\0hello");
    assert!(client.heard.fault.is_some() && client.messages().is_empty());
    // RFC 26 has the first flag, libzmq the second, and nobody both.
    for flags in (3..=u8::MAX).map(|flags| [flags, b'x']) {
        let mut client = client_told(1, 2, &flags);
        let expected = malformed("MESSAGE", "it has unknown flags");
        assert_eq!(*fault(&client), expected, "{flags:?}");
        assert!(client.messages().is_empty());
    }
    let client = client_told(1, 2, b"");
    assert_eq!(*fault(&client), malformed("MESSAGE", "it has no flags"));
}
