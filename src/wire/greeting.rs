//! The greeting: 64 bytes with which both sides begin, and the version rules.
//!
//! RFC 37 "Greeting": `FF padding(8) 7F major minor mechanism(20) as-server filler(31)`. All of
//! ours are sent at once, before anything of the peer's is known: a peer that greets in stages (as
//! libzmq does) waits for our first bytes before it sends the rest of its own.

use super::command::printable;
use crate::fault::{Incompatible, PeerFault, ProtocolError};

/// Bytes of a greeting.
pub(super) const LENGTH: usize = 64;

const SIGNATURE: u8 = 0xff;
/// Where the signature ends. Bit 0 tells a versioned peer from one of ZMTP 1.0.
const SIGNATURE_END: usize = 9;
const MAJOR: usize = 10;
const MINOR: usize = 11;
const MECHANISM: usize = 12;
const MECHANISM_LENGTH: usize = 20;
/// Behind the mechanism.
const MECHANISM_END: usize = 32;
/// The last byte that is read; the rest is filler.
const AS_SERVER: usize = 32;

/// The version of ZMTP that we announce.
const OURS: [u8; 2] = [3, 1];

/// What a greeting says that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Major and minor as announced. Everything above 3.1 is spoken to as 3.1.
    pub(super) version: (u8, u8),
    /// It says that it is the server of its mechanism. libzmq says 0 in either role, so that a 0 says
    /// nothing.
    pub(super) as_server: bool,
}

/// Our greeting.
pub(super) fn encode(mechanism: &str, as_server: bool) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut put = |at: usize, values: &[u8]| {
        for (byte, value) in bytes.iter_mut().skip(at).zip(values) {
            *byte = *value;
        }
    };
    // To a peer of ZMTP 1.0 the signature is a frame with one byte of flags and no identity.
    put(0, &[SIGNATURE, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]);
    put(MAJOR, &OURS);
    put(MECHANISM, mechanism.as_bytes());
    put(AS_SERVER, &[u8::from(as_server)]);
    bytes
}

/// Reads the greeting at the start of `bytes`; `None` means that more bytes are needed.
///
/// Every verdict falls on the first byte that allows it.
pub(super) fn parse(bytes: &[u8], mechanism: &'static str) -> Result<Option<Greeting>, PeerFault> {
    match bytes.first() {
        None => return Ok(None),
        Some(&SIGNATURE) => {}
        // An anonymous peer of ZMTP 1.0 begins with an empty identity frame.
        Some(1) => return Err(version(1, 0)),
        Some(&first) => return Err(ProtocolError::NotZmtp { first }.into()),
    }
    // Bytes 1 to 8 are padding: they differ between implementations and mean nothing.
    let Some(&end) = bytes.get(SIGNATURE_END) else {
        return Ok(None);
    };
    if end & 1 == 0 {
        return Err(version(1, 0));
    }
    let Some(&major) = bytes.get(MAJOR) else {
        return Ok(None);
    };
    match major {
        0 => return Err(version(1, 0)),
        1 | 2 => return Err(version(2, 0)),
        _ => {}
    }
    let (Some(&minor), Some(theirs)) = (bytes.get(MINOR), bytes.get(MECHANISM..MECHANISM_END))
    else {
        return Ok(None);
    };
    let mut ours = [0; MECHANISM_LENGTH];
    for (byte, value) in ours.iter_mut().zip(mechanism.as_bytes()) {
        *byte = *value;
    }
    if theirs != ours {
        let padding = theirs.iter().rev().take_while(|&&byte| byte == 0).count();
        let named = theirs.len().saturating_sub(padding);
        return Err(Incompatible::Mechanism {
            ours: mechanism,
            theirs: printable(theirs.get(..named).unwrap_or_default()),
        }
        .into());
    }
    Ok((bytes.len() >= LENGTH).then_some(Greeting {
        version: (major, minor),
        as_server: bytes.get(AS_SERVER) == Some(&1),
    }))
}

fn version(major: u8, minor: u8) -> PeerFault {
    Incompatible::Version { major, minor }.into()
}
