//! PLAIN: the client gives a name and a password, in the clear (RFC 24).
//!
//! ```text
//! client                                    server
//! HELLO     user name, password           ─▶
//!                                         ◀─ WELCOME
//! INITIATE  metadata                      ─▶
//!                                         ◀─ READY     metadata, once the socket has admitted the client
//! ```
//!
//! WELCOME is no verdict: as with every mechanism the peer is judged once it has said everything, and is
//! sent READY, or an ERROR in its place, which RFC 24 allows there as well.

use super::{Answer, Introduction, refused, unexpected};
use crate::fault::{PeerFault, ProtocolError};
use crate::security::credentials::Credentials;
use crate::security::secret::Secret;
use crate::socket_type::SocketType;
use crate::wire::command;
use crate::wire::metadata;

/// HELLO is out, WELCOME is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitWelcome {
    ours: SocketType,
    metadata: Vec<u8>,
}

/// INITIATE is out, READY is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitReady {
    ours: SocketType,
}

/// A server awaits HELLO.
#[derive(Debug)]
pub(in crate::wire) struct AwaitHello {
    ours: SocketType,
    metadata: Vec<u8>,
}

/// WELCOME is out, INITIATE is awaited.
#[derive(Debug)]
pub(in crate::wire) struct AwaitInitiate {
    ours: SocketType,
    metadata: Vec<u8>,
    credentials: Credentials,
}

impl AwaitWelcome {
    pub(super) fn begin(
        (username, password): (&Secret, &Secret),
        ours: SocketType,
        metadata: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        let (username, password) = (username.expose(), password.expose());
        let lengths = [username, password].map(|text| u8::try_from(text.len()).unwrap_or(u8::MAX));
        let [first, second] = &lengths.map(|length| [length]);
        command::put(out, b"HELLO", &[first, username, second, password]);
        Self {
            ours,
            metadata: metadata.to_vec(),
        }
    }

    pub(super) fn step(self, body: &[u8], out: &mut Vec<u8>) -> Result<AwaitReady, PeerFault> {
        if let Some(fault) = refused_by_server(body)? {
            return Err(fault);
        }
        if !data(body, b"WELCOME")?.is_empty() {
            return Err(malformed("WELCOME", "it says more than its name"));
        }
        command::put(out, b"INITIATE", &[&self.metadata]);
        Ok(AwaitReady { ours: self.ours })
    }
}

impl AwaitReady {
    pub(super) fn step(self, body: &[u8]) -> Result<Introduction, PeerFault> {
        if let Some(fault) = refused_by_server(body)? {
            return Err(fault);
        }
        let metadata = metadata::parse(data(body, b"READY")?, self.ours)?;
        Ok(Introduction::new(metadata))
    }
}

impl AwaitHello {
    pub(super) fn begin(ours: SocketType, metadata: &[u8]) -> Self {
        Self {
            ours,
            metadata: metadata.to_vec(),
        }
    }

    pub(super) fn step(self, body: &[u8], out: &mut Vec<u8>) -> Result<AwaitInitiate, PeerFault> {
        let rest = data(body, b"HELLO")?;
        let (username, rest) = text(rest)?;
        let (password, rest) = text(rest)?;
        if !rest.is_empty() {
            return Err(malformed("HELLO", "something follows the password"));
        }
        let credentials = Credentials::Plain {
            username: username.to_vec(),
            password: Secret::new(password),
        };
        command::put(out, b"WELCOME", &[]);
        Ok(AwaitInitiate {
            ours: self.ours,
            metadata: self.metadata,
            credentials,
        })
    }
}

impl AwaitInitiate {
    pub(super) fn step(self, body: &[u8]) -> Result<Introduction, PeerFault> {
        let metadata = metadata::parse(data(body, b"INITIATE")?, self.ours)?;
        let mut introduction = Introduction::new(metadata);
        let mut answer = Answer::default();
        command::put_ready(&mut answer.0, &self.metadata);
        introduction.answer = answer;
        introduction.credentials = self.credentials;
        Ok(introduction)
    }
}

/// As [`refused`], also for what libzmq sends: there the escape in `"\x05ERROR"` takes the E for its third
/// digit, and the name begins with `^` in the place of its length and the E.
fn refused_by_server(body: &[u8]) -> Result<Option<PeerFault>, PeerFault> {
    match body.strip_prefix(b"^RROR") {
        Some(reason) => refused(&[b"\x05\x45RROR", reason].concat(), true),
        None => refused(body, true),
    }
}

/// What follows the name of the command that is awaited.
fn data<'a>(body: &'a [u8], awaited: &[u8]) -> Result<&'a [u8], PeerFault> {
    match command::split_name(body) {
        Some((name, data)) if name == awaited => Ok(data),
        _ => Err(unexpected(body)),
    }
}

/// Splits off a text behind its length.
fn text(bytes: &[u8]) -> Result<(&[u8], &[u8]), PeerFault> {
    let split = bytes
        .split_first()
        .and_then(|(&length, rest)| rest.split_at_checked(usize::from(length)));
    split.ok_or_else(|| malformed("HELLO", "it is cut short"))
}

fn malformed(command: &'static str, what: &'static str) -> PeerFault {
    ProtocolError::MalformedCommand { command, what }.into()
}
