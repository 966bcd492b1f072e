//! What fuzzers feed: connections, with the bytes of a peer or of somebody on the way, and the parsers below.
//!
//! Built for `cargo fuzz` alone, which sets `cfg(fuzzing)`; the targets lie in `fuzz/`. A target finds
//! something when it panics: here by an assertion that what came out is legal.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a finding is a panic, and the targets are no API"
)]

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};

use super::batch::Batch;
use super::connection::{Admission, Connection, Incoming, Limits, Local, Origin, Room};
use super::mechanism::Mechanism;
use super::{command, frame, greeting, heartbeat, metadata, rules};
use crate::message::Message;
use crate::security::secret::Secret;
use crate::socket_type::SocketType;

const TYPES: [SocketType; 11] = [
    SocketType::Pair,
    SocketType::Pub,
    SocketType::Sub,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Pull,
    SocketType::Push,
    SocketType::XPub,
    SocketType::XSub,
];

const LIMITS: Limits = Limits {
    max_message: 1 << 16,
    max_frames: 64,
    max_topic: 300,
};

/// What may wait to be said: sixteen PONGs and the handshake, with room to spare.
const OUTGOING_MAX: usize = 16 * 1024;

fn local(socket_type: SocketType, mechanism: Mechanism, origin: Origin) -> Local {
    Local {
        origin,
        mechanism,
        socket_type,
        identity: Bytes::new(),
        properties: Vec::new(),
        limits: LIMITS,
        heartbeat: heartbeat::Settings::default(),
    }
}

/// A connection, and what it has made of its bytes.
struct Ear {
    connection: Connection,
    now: Instant,
    introduced: bool,
    failed: bool,
    messages: Vec<Message>,
    said: Vec<u8>,
}

impl Ear {
    fn new(local: Local, now: Instant) -> Self {
        let mut ear = Self {
            connection: Connection::new(local),
            now,
            introduced: false,
            failed: false,
            messages: Vec::new(),
            said: Vec::new(),
        };
        ear.listen();
        ear
    }

    /// Reads as a session does, in pieces of at most `step` bytes.
    fn feed(&mut self, mut bytes: &[u8], step: usize) {
        while !bytes.is_empty() && !self.failed {
            let mut target = self.connection.read_target();
            let count = target.remaining_mut().min(bytes.len()).min(step.max(1));
            assert!(count > 0, "no room to read into");
            target.put_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.listen();
        }
    }

    fn listen(&mut self) {
        let _ = self.connection.is_laborious();
        loop {
            match self.connection.receive(Room::UNLIMITED, self.now) {
                Ok(None) => break,
                Ok(Some(Incoming::Introduced(peer, _))) => {
                    assert!(!self.introduced, "introduced twice");
                    assert!(peer.identity.len() <= 255);
                    self.introduced = true;
                    self.connection.accept(Admission::granted(), self.now);
                }
                Ok(Some(Incoming::Messages(mut batch))) => {
                    assert!(self.introduced, "messages of a stranger");
                    assert!(batch.messages() > 0, "an empty batch");
                    while batch.peek().is_some() {
                        let message = batch.pop().unwrap();
                        assert!(message.frames().map(<[u8]>::len).sum::<usize>() <= 1 << 16);
                        self.messages.push(message);
                    }
                }
                Err(fault) => {
                    // What is shown of it can be put into a line of a log.
                    assert!(!fault.to_string().contains(|c: char| c.is_control()));
                    self.connection.refuse(&fault);
                    self.failed = true;
                    break;
                }
            }
        }
        assert!(self.connection.outgoing().len() <= OUTGOING_MAX);
        let more = std::mem::take(self.connection.outgoing());
        if self.said.len() <= OUTGOING_MAX {
            self.said.extend(more);
        }
        if let Some(deadline) = self.connection.deadline() {
            self.now = deadline.min(self.now + Duration::from_millis(1));
            self.failed |= self.connection.on_deadline(self.now).is_err();
        }
    }
}

/// The first bytes choose what listens and how the rest is cut into reads.
fn chosen(data: &[u8]) -> Option<(&[u8; 4], &[u8])> {
    data.split_first_chunk()
}

fn origin(choice: u8) -> Origin {
    match choice & 1 {
        0 => Origin::Dialled,
        _ => Origin::Accepted,
    }
}

/// All that a stranger says, from the first byte, to a socket with NULL or PLAIN.
pub fn opening(data: &[u8], now: Instant) {
    let Some((&[socket_type, mechanism, step, side], rest)) = chosen(data) else {
        return;
    };
    let mechanism = match mechanism % 3 {
        0 => Mechanism::Null,
        1 => Mechanism::PlainServer,
        _ => Mechanism::PlainClient {
            username: Secret::new(b"ada"),
            password: Secret::new(b"secret"),
        },
    };
    let socket_type = TYPES[usize::from(socket_type) % TYPES.len()];
    let mut ear = Ear::new(local(socket_type, mechanism, origin(side)), now);
    ear.feed(rest, usize::from(step));
    assert!(ear.messages.is_empty() || ear.introduced);
}

/// What a peer says that has been let in.
pub fn frames(data: &[u8], now: Instant) {
    let Some((&[socket_type, version, step, side], rest)) = chosen(data) else {
        return;
    };
    let socket_type = TYPES[usize::from(socket_type) % TYPES.len()];
    let mut ear = Ear::new(local(socket_type, Mechanism::Null, origin(side)), now);
    let mut opening = greeting::encode("NULL", false);
    opening[11] = version & 1;
    ear.feed(&opening, usize::MAX);
    let peer = TYPES.into_iter().find(|peer| {
        let metadata = metadata::encode(*peer, &Bytes::new(), &[]);
        metadata::parse(&metadata, socket_type).is_ok()
    });
    let mut ready = Vec::new();
    command::put_ready(
        &mut ready,
        &metadata::encode(peer.unwrap(), &Bytes::new(), &[]),
    );
    ear.feed(&ready, usize::MAX);
    assert!(ear.connection.is_ready());
    ear.feed(rest, usize::from(step));
}

/// The parsers of commands and of metadata by themselves.
pub fn commands(data: &[u8]) {
    let Some((&socket_type, body)) = data.split_first() else {
        return;
    };
    let socket_type = TYPES[usize::from(socket_type) % TYPES.len()];
    let _ = command::parse(body);
    let _ = metadata::properties(body);
    if let Ok(parsed) = metadata::parse(body, socket_type) {
        assert!(body.len() <= rules::COMMAND_MAX);
        let again = metadata::encode(parsed.socket_type, &parsed.identity, &parsed.properties);
        let again = metadata::parse(&again, socket_type).unwrap();
        assert_eq!(again.identity, parsed.identity);
        assert_eq!(again.properties, parsed.properties);
    }
    for byte in command::printable(body).chars() {
        assert!(!byte.is_control());
    }
}

#[cfg(feature = "curve")]
pub use with_curve::{curve, curve_on_the_way};

#[cfg(feature = "curve")]
mod with_curve {
    use super::*;
    use crate::security::keys::KeyPair;
    use crate::wire::fake::{FAKE, OPEN, pair};
    use crate::wire::mechanism::curve::cipher::Cipher;

    fn sides(cipher: &'static dyn Cipher, now: Instant) -> [Ear; 2] {
        let server: KeyPair = pair(2);
        let client = Mechanism::CurveClient {
            cipher,
            keys: pair(1),
            server: *server.public(),
        };
        let server = Mechanism::CurveServer {
            cipher,
            keys: server,
        };
        [
            Ear::new(local(SocketType::Dealer, client, Origin::Dialled), now),
            Ear::new(local(SocketType::Dealer, server, Origin::Accepted), now),
        ]
    }

    /// All that a peer says for which every box opens: what lies behind the boxes.
    pub fn curve(data: &[u8], now: Instant) {
        let Some((&[side, step, ..], rest)) = chosen(data) else {
            return;
        };
        let [client, server] = sides(&OPEN, now);
        let (mut ear, is_server) = match side & 1 {
            0 => (client, false),
            _ => (server, true),
        };
        ear.feed(&greeting::encode("CURVE", !is_server), usize::MAX);
        ear.feed(rest, usize::from(step));
    }

    /// The frames at the front of what one side has said, and the rest.
    fn take_frame(said: &mut Vec<u8>) -> Option<Vec<u8>> {
        let header = frame::parse(said).ok()??;
        let total = header.head + usize::try_from(header.body).ok()?;
        (said.len() >= total).then(|| said.drain(..total).collect())
    }

    /// Two honest sides, and somebody on the way who changes, repeats, reorders and invents. Whatever is done,
    /// neither side hears anything but what the other has sent, in its order.
    pub fn curve_on_the_way(data: &[u8], now: Instant) {
        let mut sides = sides(&FAKE, now);
        let greetings = sides.each_mut().map(|side| std::mem::take(&mut side.said));
        sides[0].feed(&greetings[1], usize::MAX);
        sides[1].feed(&greetings[0], usize::MAX);
        let mut sent: [Vec<Message>; 2] = [Vec::new(), Vec::new()];
        let mut passed: Vec<Vec<u8>> = Vec::new();
        let mut steps = data.chunks_exact(4);
        for step in steps.by_ref().take(64) {
            let from = usize::from(step[0] >> 7);
            let to = 1 - from;
            let argument = usize::from(u16::from_be_bytes([step[1], step[2]]));
            match step[0] % 8 {
                // Most often, what is said arrives.
                0..=2 => {
                    if let Some(frame) = take_frame(&mut sides[from].said) {
                        sides[to].feed(&frame, usize::from(step[3]));
                        passed.push(frame);
                    }
                }
                3 => {
                    if let Some(mut frame) = take_frame(&mut sides[from].said) {
                        let bit = argument % (frame.len() * 8);
                        frame[bit / 8] ^= 1 << (bit % 8);
                        sides[to].feed(&frame, usize::MAX);
                    }
                }
                4 if !passed.is_empty() => {
                    let again = passed[argument % passed.len()].clone();
                    sides[to].feed(&again, usize::MAX);
                }
                5 => drop(take_frame(&mut sides[from].said)),
                6 => {
                    let frames = [step[1..2].to_vec(), vec![step[2]; usize::from(step[3])]];
                    let message = Message::from(frames);
                    let mut batch = Batch::default();
                    batch.push(&[], &message, usize::MAX);
                    if sides[from].connection.is_ready() && !sides[from].failed {
                        let transmit = sides[from].connection.outbound(batch).unwrap();
                        let bytes = contents(&transmit);
                        sides[from].said.extend(bytes);
                        sent[from].push(message);
                    }
                }
                _ => sides[to].feed(&step[1..], usize::MAX),
            }
        }
        for from in 0..2 {
            let mut sent = sent[from].iter();
            for heard in &sides[1 - from].messages {
                assert!(
                    sent.any(|message| message == heard),
                    "heard what was not sent"
                );
            }
        }
    }

    fn contents(transmit: &super::super::transmit::Transmit) -> Vec<u8> {
        let mut slices = [std::io::IoSlice::new(&[]); super::super::transmit::SLICES_MAX];
        let used = transmit.slices(&mut slices);
        slices[..used]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }
}
