//! One frame's header: flags and length, in and out. The only place where a length is read.
//!
//! RFC 37 "Framing": `flags(1) size(1 or 8) body`.

use thiserror::Error;

/// Another frame of the same message follows.
pub(crate) const MORE: u8 = 0b001;
/// The size takes eight bytes instead of one.
pub(crate) const LONG: u8 = 0b010;
/// A command, not a part of a message.
pub(crate) const COMMAND: u8 = 0b100;

/// Bytes of a long header, the longest there is.
pub(crate) const HEADER_MAX: usize = 9;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) more: bool,
    pub(crate) command: bool,
    /// Length of the header itself: 2 or 9 bytes.
    pub(crate) head: usize,
    /// Declared length of the body. Nobody may size anything by it before it has met a limit.
    pub(crate) body: u64,
}

/// A header that no ZMTP 3 peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum HeaderError {
    /// Reserved flag bits are set.
    #[error("reserved bits in frame flags {0:#04x}")]
    ReservedFlags(u8),
    /// A command cannot be one part of several.
    #[error("a command frame announces more frames")]
    CommandWithMore,
    /// RFC 37 keeps the top bit of a length clear.
    #[error("frame length {0:#x} has its top bit set")]
    Length(u64),
}

/// Reads the header at the start of `bytes`; `None` means that more bytes are needed.
///
/// Flags are judged on the first byte, a length on its last.
#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some((&flags, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(HeaderError::ReservedFlags(flags));
    }
    let more = flags & MORE != 0;
    let command = flags & COMMAND != 0;
    if more && command {
        return Err(HeaderError::CommandWithMore);
    }
    if flags & LONG == 0 {
        let Some(&body) = rest.first() else {
            return Ok(None);
        };
        return Ok(Some(Header {
            more,
            command,
            head: 2,
            body: u64::from(body),
        }));
    }
    let Some(length) = rest.first_chunk::<8>() else {
        return Ok(None);
    };
    let body = u64::from_be_bytes(*length);
    if body >> 63 != 0 {
        return Err(HeaderError::Length(body));
    }
    Ok(Some(Header {
        more,
        command,
        head: HEADER_MAX,
        body,
    }))
}

/// The shortest header for a body of `length` bytes, and how many of its bytes count.
#[cfg(feature = "curve")]
pub(super) fn header(flags: u8, length: usize) -> ([u8; HEADER_MAX], usize) {
    let mut header = [flags; HEADER_MAX];
    match (u8::try_from(length), &mut header) {
        (Ok(short), [_, second, ..]) => *second = short,
        (Err(_), [first, size @ ..]) => {
            *first |= LONG;
            *size = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
        }
    }
    (header, header_len(length))
}

/// Appends the shortest header for a body of `length` bytes. `flags` may hold MORE or COMMAND.
#[inline]
pub(crate) fn put_header(out: &mut Vec<u8>, flags: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short) => out.extend_from_slice(&[flags, short]),
        Err(_) => {
            let mut header = [flags | LONG; HEADER_MAX];
            if let Some(size) = header.last_chunk_mut::<8>() {
                // `usize` is at most 64 bits wide on every platform there is.
                *size = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
            }
            out.extend_from_slice(&header);
        }
    }
}

/// Appends a whole frame, the last of its message: the first `length` bytes of `window`.
///
/// The whole window is written and the surplus cut off, since a copy of a fixed length costs next
/// to nothing.
#[inline]
pub(crate) fn put_short<const N: usize>(out: &mut Vec<u8>, window: &[u8; N], length: usize) {
    put_header(out, 0, length);
    let end = out.len().saturating_add(length);
    out.extend_from_slice(window);
    out.truncate(end);
}

/// The bytes that [`put_header`] appends for a body of `length` bytes.
#[inline]
pub(crate) const fn header_len(length: usize) -> usize {
    if length <= 255 { 2 } else { HEADER_MAX }
}

/// Appends a whole frame.
pub(crate) fn put_frame(out: &mut Vec<u8>, flags: u8, body: &[u8]) {
    put_header(out, flags, body.len());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_border_between_short_and_long() {
        let mut out = Vec::new();
        put_header(&mut out, MORE, 255);
        assert_eq!(out, [1, 255]);
        out.clear();
        put_header(&mut out, COMMAND, 256);
        assert_eq!(out, [6, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_long_header_for_a_short_body_is_read() {
        let header = parse(&[LONG, 0, 0, 0, 0, 0, 0, 0, 5]).unwrap().unwrap();
        assert_eq!((header.head, header.body), (9, 5));
    }

    #[test]
    fn what_no_peer_may_send() {
        for flags in 8..=255 {
            assert_eq!(parse(&[flags]), Err(HeaderError::ReservedFlags(flags)));
        }
        assert_eq!(parse(&[5]), Err(HeaderError::CommandWithMore));
        assert_eq!(parse(&[7]), Err(HeaderError::CommandWithMore));
        let huge = [LONG, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&huge), Err(HeaderError::Length(1 << 63)));
    }

    proptest! {
        #[test]
        fn headers_round_trip(length in 0usize..1 << 40, more: bool) {
            let mut out = Vec::new();
            put_header(&mut out, u8::from(more), length);
            prop_assert_eq!(out.len(), header_len(length));
            for cut in 0..out.len() {
                prop_assert_eq!(parse(&out[..cut]), Ok(None));
            }
            let header = Header { more, command: false, head: out.len(), body: length as u64 };
            prop_assert_eq!(parse(&out), Ok(Some(header)));
        }
    }
}
