//! Metadata: the properties that peers tell each other in the handshake.
//!
//! RFC 37: repeated `name-length(1) name value-length(4) value`. Names are compared without regard
//! to case. We write Socket-Type first and Identity only where a ROUTER could use it, as libzmq does.

use bytes::Bytes;

use super::command::{printable, put_name};
use crate::fault::{Incompatible, PeerFault, ProtocolError};
use crate::socket_type::SocketType;

const SOCKET_TYPE: &str = "Socket-Type";
const IDENTITY: &str = "Identity";

/// Properties in one handshake. Two are in use; the rest is room for applications' `X-` names.
/// Without a limit a stranger could make us keep as many small allocations as fit into 64 KiB.
pub(crate) const PROPERTIES_MAX: usize = 16;

/// Bytes of metadata in one handshake: 16 properties of 512 bytes. What is accepted is kept for as
/// long as the peer stays, so ten thousand peers may cost 80 MiB at most.
pub(crate) const METADATA_MAX: usize = 8 * 1024;

/// RFC 37: an identity has at most 255 bytes and does not begin with a zero byte, which is how
/// ROUTER marks the ones it made up itself.
const IDENTITY_MAX: usize = 255;

/// What a peer's metadata says, judged.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) socket_type: SocketType,
    pub(super) identity: Bytes,
    /// Everything else, in order. The peer's claims: nobody has checked them.
    pub(super) properties: Vec<(String, Bytes)>,
}

/// Our own metadata.
pub(super) fn encode(
    socket_type: SocketType,
    identity: &[u8],
    properties: &[(String, Bytes)],
) -> Vec<u8> {
    let mut out = Vec::new();
    put_property(&mut out, SOCKET_TYPE, socket_type.as_str().as_bytes());
    if socket_type.announces_identity() {
        put_property(&mut out, IDENTITY, identity);
    }
    for (name, value) in properties {
        put_property(&mut out, name, value);
    }
    out
}

fn put_property(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put_name(out, name.as_bytes());
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Reads the metadata of a peer that wants to talk to a socket of type `ours`.
pub(super) fn parse(metadata: &[u8], ours: SocketType) -> Result<Metadata, PeerFault> {
    if metadata.len() > METADATA_MAX {
        return Err(malformed("the metadata exceeds 8 KiB"));
    }
    let mut socket_type = None;
    let mut identity = None;
    let mut properties: Vec<(String, Bytes)> = Vec::new();
    let (mut rest, mut count) = (metadata, 0usize);
    while !rest.is_empty() {
        let (name, value, tail) = split_property(rest)?;
        rest = tail;
        count = count.saturating_add(1);
        if count > PROPERTIES_MAX {
            let limit = PROPERTIES_MAX;
            return Err(ProtocolError::TooManyProperties { limit }.into());
        }
        let known = [(SOCKET_TYPE, &mut socket_type), (IDENTITY, &mut identity)];
        let known = known
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let duplicate = match known {
            Some((_, slot)) => slot.replace(value).is_some(),
            None => {
                let duplicate = properties
                    .iter()
                    .any(|(known, _)| known.eq_ignore_ascii_case(name));
                properties.push((name.to_owned(), Bytes::copy_from_slice(value)));
                duplicate
            }
        };
        if duplicate {
            return Err(ProtocolError::DuplicateProperty {
                name: printable(name.as_bytes()),
            }
            .into());
        }
    }
    // libzmq lets a peer in that does not say what it is. Every known implementation says it, and
    // without it we could not tell whether we may talk at all.
    let named = socket_type.ok_or_else(|| malformed("the Socket-Type is missing"))?;
    let theirs = SocketType::parse(named).filter(|&theirs| ours.can_talk_to(theirs));
    let socket_type = theirs.ok_or_else(|| Incompatible::SocketType {
        ours: ours.as_str(),
        theirs: printable(named),
    })?;
    let identity = identity.unwrap_or_default();
    if identity.len() > IDENTITY_MAX {
        return Err(malformed("the identity is longer than 255 bytes"));
    }
    if identity.first() == Some(&0) {
        return Err(malformed("the identity begins with a zero byte"));
    }
    Ok(Metadata {
        socket_type,
        identity: Bytes::copy_from_slice(identity),
        properties,
    })
}

/// Reads properties of any kind, within the same limits; none if that cannot be done.
#[cfg(feature = "inproc")]
pub(crate) fn properties(metadata: &[u8]) -> Option<Vec<(String, Bytes)>> {
    if metadata.len() > METADATA_MAX {
        return None;
    }
    let mut properties = Vec::new();
    let mut rest = metadata;
    while !rest.is_empty() {
        let (name, value, tail) = split_property(rest).ok()?;
        rest = tail;
        properties.push((name.to_owned(), Bytes::copy_from_slice(value)));
        if properties.len() > PROPERTIES_MAX {
            return None;
        }
    }
    Some(properties)
}

/// Splits off the first property: name, value, rest.
fn split_property(bytes: &[u8]) -> Result<(&str, &[u8], &[u8]), PeerFault> {
    let (&length, rest) = bytes
        .split_first()
        .ok_or_else(|| malformed("a property is cut short"))?;
    let (name, rest) = rest
        .split_at_checked(usize::from(length))
        .ok_or_else(|| malformed("a property name is cut short"))?;
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| malformed("a property name is empty or not printable ASCII"))?;
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed("a property length is cut short"))?;
    let (value, rest) = usize::try_from(u32::from_be_bytes(*length))
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| malformed("a property value is cut short"))?;
    Ok((name, value, rest))
}

fn malformed(what: &'static str) -> PeerFault {
    ProtocolError::MalformedCommand {
        // Whichever of them brought it.
        command: "READY or INITIATE",
        what,
    }
    .into()
}
