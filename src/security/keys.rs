//! [`PublicKey`], [`SecretKey`] and [`KeyPair`]: the long-term keys of CURVE.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use super::secret;
use super::z85;

/// Bytes of a key.
const LENGTH: usize = 32;

/// The public half of a [`KeyPair`]: what others know somebody by.
///
/// Its text is Z85 (RFC 32), 40 characters, in `Display` and `FromStr` alike: what pyzmq, CZMQ and
/// `curve_keygen` print. Any 32 bytes are a key.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::PublicKey;
///
/// let key: PublicKey = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7".parse()?;
/// assert_eq!(PublicKey::from_bytes(*key.as_bytes()), key);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; LENGTH]);

impl PublicKey {
    /// From 32 raw bytes, as in a request of ZAP (RFC 27).
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&z85::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = z85::decode(text).ok_or(KeyError::NotZ85)?;
        Ok(Self(*bytes))
    }
}

/// The secret half of a [`KeyPair`].
///
/// It is in no `Debug` output, no event and no error of this library; clones share one place in memory,
/// which is overwritten when the last of them is dropped; comparison takes the same time whatever the
/// keys are.
#[derive(Clone)]
pub struct SecretKey(Arc<Zeroizing<[u8; LENGTH]>>);

impl SecretKey {
    /// A new key from the operating system's source of randomness.
    ///
    /// *Errors*: the system has none to give.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(Arc::new(bytes)))
    }

    /// From 32 raw bytes.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The raw bytes. Whoever copies them has to keep them secret.
    pub fn expose_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The key as 40 characters of Z85 (RFC 32). The text is the caller's to keep secret: nobody
    /// overwrites it.
    pub fn expose_z85(&self) -> String {
        z85::encode(&self.0)
    }

    /// The public key that belongs to it. libzmq: `zmq_curve_public`.
    pub fn public(&self) -> PublicKey {
        PublicKey(x25519(**self.0, X25519_BASEPOINT_BYTES))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = z85::decode(text).ok_or(KeyError::NotZ85)?;
        Ok(Self(Arc::new(bytes)))
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        secret::is_same(&self.0, &other.0)
    }
}

impl Eq for SecretKey {}

/// A secret key and the public key that belongs to it. libzmq: `zmq_curve_keypair`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use wirelark::KeyPair;
///
/// let keys = KeyPair::generate()?;
/// println!("tell everybody: {}", keys.public());
/// assert_eq!(keys.secret().public(), *keys.public());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: SecretKey,
}

impl KeyPair {
    /// A new pair from the operating system's source of randomness.
    ///
    /// *Errors*: the system has none to give.
    pub fn generate() -> io::Result<Self> {
        SecretKey::generate().map(Self::from)
    }

    /// A pair from its halves.
    ///
    /// *Errors*: they do not belong together. Nobody could talk to a socket with such keys, and libzmq
    /// finds it out only by handshakes that fail.
    pub fn new(public: PublicKey, secret: SecretKey) -> Result<Self, KeyError> {
        let own = secret.public();
        if own != public {
            return Err(KeyError::NoPair { public: own });
        }
        Ok(Self { public, secret })
    }

    /// The half that others may know.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The half that nobody else may know.
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl From<SecretKey> for KeyPair {
    fn from(secret: SecretKey) -> Self {
        Self {
            public: secret.public(),
            secret,
        }
    }
}

/// Why something is no key. What was given is not repeated: it may be a secret with a slip of the pen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 40 characters of Z85 that stand for 32 bytes.
    #[error("a key is 40 characters of Z85 (RFC 32), which this is not")]
    NotZ85,
    /// The secret key belongs to another public key.
    #[error("the secret key belongs to another public key, {public}")]
    #[non_exhaustive]
    NoPair {
        /// The public key that belongs to it. The one that was given is not repeated: whoever has mixed up
        /// the two has given the secret one there.
        public: PublicKey,
    },
}

#[cfg(any(test, fuzzing))]
impl KeyPair {
    /// A pair for another cipher.
    pub(crate) const fn of_a_fake(public: PublicKey, secret: SecretKey) -> Self {
        Self { public, secret }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Published in libzmq's manual, `zmq_curve(7)`, for tests.
    const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    #[test]
    fn the_keys_of_the_manual_belong_together() {
        let secret: SecretKey = SECRET.parse().unwrap();
        assert_eq!(secret.public().to_string(), PUBLIC);
        assert_eq!(secret.expose_z85(), SECRET);
        assert!(KeyPair::new(PUBLIC.parse().unwrap(), secret.clone()).is_ok());
        let other = KeyPair::generate().unwrap();
        assert_eq!(
            KeyPair::new(*other.public(), secret.clone()),
            Err(KeyError::NoPair {
                public: secret.public()
            })
        );
    }

    #[test]
    fn no_two_generated_keys_are_the_same() {
        let (one, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one, one.clone());
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let keys = KeyPair::from(SECRET.parse::<SecretKey>().unwrap());
        let shown = format!("{keys:?} {keys:#?} {:?}", keys.secret());
        assert!(!shown.contains(SECRET) && !shown.contains("D:)Q"));
        assert!(shown.contains(PUBLIC));
        let slip = format!("{SECRET}x");
        let error = slip.parse::<SecretKey>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("D:)Q"));
        assert!(slip.parse::<PublicKey>().is_err());
        // Each taken for the other.
        let public = PublicKey::from_bytes(*keys.secret().expose_bytes());
        let secret = SecretKey::from_bytes(*keys.public().as_bytes());
        let error = KeyPair::new(public, secret).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("D:)Q"), "{error}");
    }
}
