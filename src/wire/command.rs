//! Commands: what the body of a command frame says.
//!
//! RFC 37: `name-length(1) name data`. Names that we do not know are for a later version of the
//! protocol and are ignored in traffic.

use super::frame;
use crate::fault::ProtocolError;

/// The longest context that a PING may carry and a PONG gives back.
pub(super) const CONTEXT_MAX: usize = 16;

/// How much of what a peer says is repeated in faults and logs.
const PRINTABLE_MAX: usize = 128;

const READY: &[u8] = b"READY";
const ERROR: &[u8] = b"ERROR";
const PING: &[u8] = b"PING";
const PONG: &[u8] = b"PONG";

/// A command, borrowed from the frame it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// Ends the handshake of its sender.
    Ready { metadata: &'a [u8] },
    /// The sender refuses us and is about to close.
    Error { reason: &'a [u8] },
    /// Asks for a PONG with the same context. `ttl`: tenths of a second, 0 for none.
    Ping { ttl: u16, context: &'a [u8] },
    /// Answers a PING.
    Pong,
    /// Anything else, SUBSCRIBE and CANCEL among them (see [`subscription`](super::subscription)).
    Other { name: &'a [u8] },
}

/// Reads a command from the body of its frame.
pub(super) fn parse(body: &[u8]) -> Result<Command<'_>, ProtocolError> {
    let (name, data) = split_name(body).ok_or(ProtocolError::MalformedCommand {
        command: "unnamed",
        what: "the name is empty or longer than the command",
    })?;
    Ok(match name {
        READY => Command::Ready { metadata: data },
        ERROR => {
            let reason = data
                .split_first()
                .and_then(|(&length, rest)| rest.get(..usize::from(length)));
            Command::Error {
                // What follows the reason is ignored.
                reason: reason.ok_or(ProtocolError::MalformedCommand {
                    command: "ERROR",
                    what: "the reason is longer than the command",
                })?,
            }
        }
        PING => {
            let Some((ttl, context)) = data.split_first_chunk::<2>() else {
                return Err(ProtocolError::MalformedCommand {
                    command: "PING",
                    what: "the time to live is missing",
                });
            };
            if context.len() > CONTEXT_MAX {
                return Err(ProtocolError::MalformedCommand {
                    command: "PING",
                    what: "the context is longer than 16 bytes",
                });
            }
            Command::Ping {
                ttl: u16::from_be_bytes(*ttl),
                context,
            }
        }
        PONG => Command::Pong,
        _ => Command::Other { name },
    })
}

/// Splits the body of a command into its name, never empty, and its data.
pub(super) fn split_name(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = body.split_first()?;
    if length == 0 {
        return None;
    }
    rest.split_at_checked(usize::from(length))
}

/// Appends a READY frame.
pub(super) fn put_ready(out: &mut Vec<u8>, metadata: &[u8]) {
    put(out, READY, &[metadata]);
}

/// Appends an ERROR frame. The reason is cut to what fits.
pub(super) fn put_error(out: &mut Vec<u8>, reason: &str) {
    let reason = reason.as_bytes();
    let reason = reason.get(..usize::from(u8::MAX)).unwrap_or(reason);
    let length = u8::try_from(reason.len()).unwrap_or(u8::MAX);
    put(out, ERROR, &[&[length], reason]);
}

/// Appends a PING frame. The context is cut to what a peer has to give back.
pub(super) fn put_ping(out: &mut Vec<u8>, ttl: u16, context: &[u8]) {
    let context = context.get(..CONTEXT_MAX).unwrap_or(context);
    put(out, PING, &[&ttl.to_be_bytes(), context]);
}

/// Appends a PONG frame.
pub(super) fn put_pong(out: &mut Vec<u8>, context: &[u8]) {
    put(out, PONG, &[context]);
}

/// Appends the frame of a command.
pub(super) fn put(out: &mut Vec<u8>, name: &[u8], data: &[&[u8]]) {
    let mut body = Vec::new();
    put_name(&mut body, name);
    data.iter().for_each(|part| body.extend_from_slice(part));
    frame::put_frame(out, frame::COMMAND, &body);
}

/// Appends a name behind its length. Names are our own constants and shorter than 256 bytes.
pub(super) fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    debug_assert!(!name.is_empty() && name.len() <= 255);
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name);
}

/// What a peer said, fit for a log: printable ASCII, `?` for the rest, cut at 128 characters.
pub(super) fn printable(bytes: &[u8]) -> String {
    let printable = |&byte: &u8| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '?',
    };
    bytes.iter().take(PRINTABLE_MAX).map(printable).collect()
}
