//! CURVE between two connections: a scene that records what passes.

mod by_hand;
mod handshake;
mod traffic;

use super::*;
use crate::fault::PeerFault;
use crate::security::keys::KeyPair;
use crate::wire::batch::Batch;
use crate::wire::fake::{FAKE, pair};
use crate::wire::mechanism::curve::cipher::Cipher;

const CLIENT: u8 = 0x11;
const SERVER: u8 = 0x22;

/// Both sides of one connection, and every frame that passed, in the order in which it did.
struct Scene {
    client: Listener,
    server: Listener,
    frames: Vec<(Side, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

fn client_of(cipher: &'static dyn Cipher, keys: KeyPair, server: &KeyPair) -> Listener {
    Listener::new(Local {
        mechanism: Mechanism::CurveClient {
            cipher,
            keys,
            server: *server.public(),
        },
        ..local(SocketType::Dealer)
    })
}

fn server_of(cipher: &'static dyn Cipher, keys: KeyPair) -> Listener {
    Listener::new(Local {
        mechanism: Mechanism::CurveServer { cipher, keys },
        ..accepting(SocketType::Dealer)
    })
}

/// The points of small order, each in every spelling: whatever our secret is, they share zero with it.
fn weak_keys() -> Vec<[u8; 32]> {
    let one = std::array::from_fn(|at| u8::from(at == 0));
    // Around the prime, 2^255 - 19: less by one, zero again, and one again.
    let around = [0xec, 0xed, 0xee].map(|first| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (first, 0x7f);
        key
    });
    // Those of order eight.
    let eighth = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let eighth = eighth.map(|hex| {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    });
    let all = [&[[0; 32], one][..], &around, &eighth].concat();
    // With the bit, too, that nobody looks at.
    let high = |key: &[u8; 32]| std::array::from_fn(|at| key[at] | (u8::from(at == 31) << 7));
    all.iter().flat_map(|key| [*key, high(key)]).collect()
}

/// Splits bytes into the frames they are.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let header = frame::parse(bytes).unwrap().unwrap();
        let (frame, rest) = bytes.split_at(header.head + header.body as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

impl Scene {
    /// Past the greetings.
    fn new() -> Self {
        Self::with(
            client_of(&FAKE, pair(CLIENT), &pair(SERVER)),
            server_of(&FAKE, pair(SERVER)),
        )
    }

    fn with(mut client: Listener, mut server: Listener) -> Self {
        client.drain(Room::UNLIMITED);
        server.drain(Room::UNLIMITED);
        let greetings = [&mut client, &mut server].map(|side| std::mem::take(&mut side.heard.sent));
        client.feed(&greetings[1]);
        server.feed(&greetings[0]);
        let frames = Vec::new();
        Self {
            client,
            server,
            frames,
        }
    }

    fn of(&mut self, side: Side) -> &mut Listener {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Lets so many frames pass.
    fn pass(&mut self, mut count: usize) {
        while count > 0 {
            let (from, to) = match self.client.heard.sent.is_empty() {
                false => (Side::Client, Side::Server),
                true => (Side::Server, Side::Client),
            };
            let sent = std::mem::take(&mut self.of(from).heard.sent);
            let frames = split(&sent);
            assert!(
                !frames.is_empty(),
                "nothing to pass: {:?}",
                self.server.heard.fault
            );
            for frame in frames {
                self.of(to).feed(&frame);
                self.frames.push((from, frame));
                count -= 1;
            }
        }
    }

    fn ready() -> Self {
        let mut scene = Self::new();
        scene.pass(4);
        assert!(scene.client.connection.is_ready() && scene.server.connection.is_ready());
        scene
    }

    /// What one side writes for these messages, frame by frame.
    fn written(&mut self, from: Side, messages: &[Message]) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        for message in messages {
            batch.push(&[], message, usize::MAX);
        }
        let transmit = self.of(from).connection.outbound(batch).unwrap();
        split(transmit.contents())
    }
}

fn fault(listener: &Listener) -> &PeerFault {
    listener.heard.fault.as_ref().expect("a fault")
}
