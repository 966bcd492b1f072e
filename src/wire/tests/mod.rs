//! Tests of the whole of `wire`: a scripted peer on one side, a [`Connection`] on the other.

#[cfg(feature = "curve")]
mod curve;
mod limits;
mod opening;
mod partials;
mod plain;
mod splits;
mod traffic;
mod two_sides;

use std::time::Instant;

use bytes::{BufMut, Bytes};

use super::connection::{Admission, Connection, Incoming, Limits, Local, Origin, PeerInfo, Room};
use super::frame::{self, COMMAND, LONG, MORE};
use super::heartbeat;
use super::mechanism::Mechanism;
use crate::fault::PeerFault;
use crate::message::Message;
use crate::security::credentials::Credentials;
use crate::socket_type::SocketType;

pub(super) const LIMITS: Limits = Limits {
    max_message: 1 << 20,
    max_frames: 64,
    max_topic: 300,
};

pub(super) fn local(socket_type: SocketType) -> Local {
    Local {
        origin: Origin::Dialled,
        mechanism: Mechanism::Null,
        socket_type,
        properties: Vec::new(),
        identity: Bytes::new(),
        limits: LIMITS,
        heartbeat: heartbeat::Settings::default(),
    }
}

/// The side that accepted the connection, and holds its READY back.
pub(super) fn accepting(socket_type: SocketType) -> Local {
    Local {
        origin: Origin::Accepted,
        ..local(socket_type)
    }
}

/// A frame with the shortest header.
pub(super) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put_frame(&mut out, flags, body);
    out
}

/// A frame whose length takes eight bytes whatever it is.
pub(super) fn long_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![flags | LONG];
    out.extend((body.len() as u64).to_be_bytes());
    out.extend(body);
    out
}

pub(super) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend(name.as_bytes());
    body.extend(data);
    frame(COMMAND, &body)
}

pub(super) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = vec![name.len() as u8];
    out.extend(name.as_bytes());
    out.extend((value.len() as u32).to_be_bytes());
    out.extend(value);
    out
}

pub(super) fn ready(socket_type: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", socket_type.as_bytes()))
}

pub(super) fn multipart(frames: &[&[u8]]) -> Vec<u8> {
    let last = frames.len() - 1;
    let frames = frames.iter().enumerate();
    frames
        .flat_map(|(index, body)| frame(if index < last { MORE } else { 0 }, body))
        .collect()
}

/// A greeting as another implementation writes it: zero padding, any version, NULL.
pub(super) fn greeting(major: u8, minor: u8) -> [u8; 64] {
    let mut bytes = [0; 64];
    (bytes[0], bytes[9], bytes[10], bytes[11]) = (0xff, 0x7f, major, minor);
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// Greeting and READY of a peer of ZMTP 3.1.
pub(super) fn opening(socket_type: &str) -> Vec<u8> {
    [&greeting(3, 1)[..], &ready(socket_type)].concat()
}

/// Everything that a connection made of what it was fed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) peer: Option<PeerInfo>,
    /// Whether it is a command, and the frames.
    pub(super) messages: Vec<(bool, Message)>,
    pub(super) fault: Option<PeerFault>,
    /// What the connection wants written.
    pub(super) sent: Vec<u8>,
}

/// A connection and what it has heard.
pub(super) struct Listener {
    pub(super) connection: Connection,
    pub(super) heard: Heard,
    pub(super) now: Instant,
    /// What the peer gave to prove who it is.
    pub(super) credentials: Option<Credentials>,
    /// Whether the peer is admitted as soon as it has said who it is.
    pub(super) admits: bool,
}

impl Listener {
    pub(super) fn new(local: Local) -> Self {
        Self {
            connection: Connection::new(local),
            heard: Heard::default(),
            now: Instant::now(),
            credentials: None,
            admits: true,
        }
    }

    pub(super) fn admit(&mut self) {
        self.connection.accept(Admission::granted(), self.now);
    }

    /// A listener of this type past the handshake, with its own opening forgotten.
    pub(super) fn ready(local: Local, peer: &str) -> Self {
        let mut listener = Self::new(local);
        listener.feed(&opening(peer));
        assert!(listener.connection.is_ready(), "{:?}", listener.heard.fault);
        listener.heard.sent.clear();
        listener
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.feed_with(bytes, Room::UNLIMITED);
    }

    /// Reads `bytes` as a session does: into what the connection offers, then until it is silent.
    pub(super) fn feed_with(&mut self, mut bytes: &[u8], room: Room) {
        while !bytes.is_empty() {
            let mut target = self.connection.read_target();
            let count = target.remaining_mut().min(bytes.len());
            assert!(count > 0, "no room to read into");
            assert!(target.chunk_mut().len() >= count, "the read would allocate");
            target.put_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.drain(room);
        }
    }

    pub(super) fn drain(&mut self, room: Room) {
        loop {
            match self.connection.receive(room, self.now) {
                Ok(None) => break,
                Ok(Some(Incoming::Introduced(peer, credentials))) => {
                    self.credentials = Some(credentials);
                    assert!(self.heard.peer.replace(peer).is_none(), "introduced twice");
                    if self.admits {
                        self.admit();
                    }
                }
                Ok(Some(Incoming::Messages(mut batch))) => {
                    let count = batch.messages();
                    assert!(count > 0, "an empty batch");
                    for _ in 0..count {
                        let command = batch.peek().unwrap().command;
                        self.heard.messages.push((command, batch.pop().unwrap()));
                    }
                    assert_eq!((batch.messages(), batch.bytes()), (0, 0));
                    assert!(batch.peek().is_none());
                    if room != Room::UNLIMITED {
                        break;
                    }
                }
                Err(fault) => {
                    assert!(self.heard.fault.is_none(), "two faults");
                    self.heard.fault = Some(fault);
                    break;
                }
            }
        }
        self.heard.sent.append(self.connection.outgoing());
    }

    /// The messages heard since the last call.
    pub(super) fn messages(&mut self) -> Vec<Message> {
        let messages = std::mem::take(&mut self.heard.messages);
        messages.into_iter().map(|(_, message)| message).collect()
    }
}

/// What a connection hears when it is fed these pieces.
pub(super) fn hear<'a>(local: Local, pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let mut listener = Listener::new(local);
    for piece in pieces {
        listener.feed(piece);
    }
    listener.heard
}
