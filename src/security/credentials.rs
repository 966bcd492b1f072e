//! [`Credentials`]: what a peer gives to prove who it is.

use std::fmt;

#[cfg(feature = "curve")]
use super::keys::PublicKey;
use super::secret::Secret;

/// What a peer gives to prove who it is, for an authenticator to judge.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// NULL: nothing.
    Null,
    /// PLAIN: a name and a password, as they came. Nobody has compared them with anything.
    #[non_exhaustive]
    Plain {
        /// The name, mostly UTF-8; at most 255 bytes.
        username: Vec<u8>,
        /// The password; at most 255 bytes.
        password: Secret,
    },
    /// CURVE: a key of which the peer has proved that it has the secret half.
    #[cfg(feature = "curve")]
    #[non_exhaustive]
    Curve {
        /// The long-term public key.
        client: PublicKey,
    },
}

impl Credentials {
    /// The name of the mechanism: `NULL`, `PLAIN` or `CURVE`.
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Plain { .. } => "PLAIN",
            #[cfg(feature = "curve")]
            Self::Curve { .. } => "CURVE",
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            // Who mistakes one field of a form for the other has written a password here.
            Self::Plain { .. } => f.write_str("Plain(..)"),
            #[cfg(feature = "curve")]
            Self::Curve { client } => f.debug_tuple("Curve").field(client).finish(),
        }
    }
}
