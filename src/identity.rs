//! [`Identity`]: the name by which a ROUTER addresses a peer.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

/// The name by which a ROUTER addresses a peer: 1 to 255 bytes.
///
/// A socket may choose its own, which does not begin with a zero byte; those that do are made up by
/// a ROUTER for peers that have none (RFC 28, "The ROUTER Socket Type").
///
/// ```
/// use wirelark::{Identity, IdentityError};
///
/// let own = Identity::new("worker-7")?;
/// assert_eq!(own.to_string(), "worker-7");
/// assert_eq!(Identity::new("\0four"), Err(IdentityError::LeadingZero));
///
/// let made_up = Identity::of_peer(vec![0, 1, 2, 3, 4])?;
/// assert_eq!(made_up.to_string(), "0x0001020304");
/// # Ok::<(), IdentityError>(())
/// ```
///
/// libzmq: `ZMQ_ROUTING_ID`, formerly `ZMQ_IDENTITY`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(Bytes);

/// The longest identity, in bytes.
pub(crate) const IDENTITY_MAX: usize = 255;

/// Why some bytes are no [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// An identity has at least one byte. A socket without a name simply sets none.
    #[error("an identity cannot be empty")]
    Empty,
    /// An identity has at most 255 bytes.
    #[error("an identity of {length} bytes is too long: at most {IDENTITY_MAX} are allowed")]
    #[non_exhaustive]
    TooLong {
        /// The length of what was given.
        length: usize,
    },
    /// Names that start with a zero byte belong to ROUTERs.
    #[error("an identity cannot start with a zero byte")]
    LeadingZero,
}

impl Identity {
    /// A name to choose.
    ///
    /// *Errors*: it is empty, longer than 255 bytes, or starts with a zero byte.
    pub fn new(name: impl Into<Bytes>) -> Result<Self, IdentityError> {
        let identity = Self::of_peer(name)?;
        if identity.is_made_up() {
            return Err(IdentityError::LeadingZero);
        }
        Ok(identity)
    }

    /// The name of a peer, as a ROUTER gave it: possibly one that the ROUTER has made up.
    ///
    /// *Errors*: it is empty or longer than 255 bytes.
    pub fn of_peer(name: impl Into<Bytes>) -> Result<Self, IdentityError> {
        let name = name.into();
        match name.len() {
            0 => Err(IdentityError::Empty),
            length if length > IDENTITY_MAX => Err(IdentityError::TooLong { length }),
            _ => Ok(Self(name)),
        }
    }

    /// What a ROUTER calls a peer that has no name: 5 bytes, the first of them zero.
    pub(crate) fn made_up(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self(Bytes::copy_from_slice(&[0, a, b, c, d]))
    }

    /// Whether it begins with a zero byte, as only the names do that a ROUTER makes up.
    pub fn is_made_up(&self) -> bool {
        self.0.first() == Some(&0)
    }

    /// The name.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl AsRef<[u8]> for Identity {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// So that a map with identities for keys can be asked by their bytes.
impl Borrow<[u8]> for Identity {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<Identity> for Bytes {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

impl fmt::Display for Identity {
    /// The name itself where it is printable ASCII, else its bytes in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => f.pad(text),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// As [`Identity::new`].
impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(name: &str) -> Result<Self, IdentityError> {
        Self::new(Bytes::copy_from_slice(name.as_bytes()))
    }
}

macro_rules! chosen_from {
    ($($type:ty => |$name:ident| $bytes:expr;)*) => {$(
        /// As [`Identity::new`].
        impl TryFrom<$type> for Identity {
            type Error = IdentityError;

            fn try_from($name: $type) -> Result<Self, IdentityError> {
                Self::new($bytes)
            }
        }
    )*};
}

chosen_from! {
    &str => |name| Bytes::copy_from_slice(name.as_bytes());
    &String => |name| Bytes::copy_from_slice(name.as_bytes());
    String => |name| name;
    &[u8] => |name| Bytes::copy_from_slice(name);
    Vec<u8> => |name| name;
    Bytes => |name| name;
}

macro_rules! equal_to_bytes {
    ($($type:ty),*) => {$(
        impl PartialEq<$type> for Identity {
            fn eq(&self, name: &$type) -> bool {
                let name: &[u8] = name.as_ref();
                self.0 == name
            }
        }
    )*};
}

equal_to_bytes!(str, &str, [u8], &[u8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ones_own_is_checked() {
        assert_eq!(Identity::new(""), Err(IdentityError::Empty));
        assert_eq!(Identity::new(&b"\0x"[..]), Err(IdentityError::LeadingZero));
        assert_eq!(
            Identity::new(vec![1; 256]),
            Err(IdentityError::TooLong { length: 256 })
        );
        assert!(Identity::new(vec![1; 255]).is_ok());
        assert_eq!(Identity::new("me").unwrap(), "me");
    }

    #[test]
    fn it_is_made_of_what_names_are_found_in() {
        let own = [
            "me".parse(),
            Identity::try_from("me"),
            Identity::try_from(&"me".to_owned()),
            Identity::try_from("me".to_owned()),
            Identity::try_from(&b"me"[..]),
            Identity::try_from(b"me".to_vec()),
            Identity::try_from(Bytes::from("me")),
        ];
        for identity in own {
            let identity = identity.unwrap();
            assert!(identity == "me" && identity == b"me"[..] && identity != "you");
        }
        assert_eq!("\0x".parse::<Identity>(), Err(IdentityError::LeadingZero));
    }

    #[test]
    fn a_name_of_a_peer_may_be_made_up() {
        assert_eq!(Identity::of_peer(""), Err(IdentityError::Empty));
        assert_eq!(
            Identity::of_peer(vec![0; 256]),
            Err(IdentityError::TooLong { length: 256 })
        );
        let made_up = Identity::made_up(0x0102_03ff);
        assert_eq!(Identity::of_peer(&b"\0\x01\x02\x03\xff"[..]), Ok(made_up));
    }

    #[test]
    fn only_printable_names_are_shown_as_text() {
        let shown = |name: &'static [u8]| Identity::of_peer(name).unwrap().to_string();
        assert_eq!(shown(b"a-1"), "a-1");
        assert_eq!(shown(b"a 1"), "0x612031");
        assert_eq!(shown(b"\xff\n"), "0xff0a");
        assert_eq!(
            format!("{:?}", Identity::made_up(7)),
            "Identity(0x0000000007)"
        );
    }
}
