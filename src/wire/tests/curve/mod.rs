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
