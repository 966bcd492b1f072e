//! [`Cipher`]: the primitives that CURVE is made of, as a seam.
//!
//! A box of NaCl has a nonce of 24 bytes. Its cipher derives a key from the first 16 and uses that with
//! the other 8. In CURVE the first 16 are the same for all messages of one direction, so the two steps are
//! apart here, and the first one is done once per connection.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::Zeroizing;

/// Bytes of the proof at the front of a box.
pub(crate) const TAG: usize = 16;

/// A key that is overwritten when it is dropped, and shows nothing of itself.
#[derive(Clone, Default)]
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl From<[u8; 32]> for Key {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Key {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        &self.0
    }
}

impl DerefMut for Key {
    fn deref_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// See the [module](self).
pub(crate) trait Cipher: fmt::Debug + Send + Sync {
    /// Fills `out` with random bytes; false if there are none to be had.
    fn fill(&self, out: &mut [u8]) -> bool;

    /// The public key that belongs to a secret one.
    fn public(&self, secret: &[u8; 32]) -> [u8; 32];

    /// What a secret key of one side and a public one of the other share; none if anybody could know it.
    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<Key>;

    /// The key for all nonces with this prefix.
    fn derive(&self, key: &Key, prefix: &[u8; 16]) -> Key;

    /// Encrypts in place and returns the proof. `key` is a derived one.
    fn seal(&self, key: &Key, nonce: &[u8; 8], body: &mut [u8]) -> [u8; TAG];

    /// Decrypts in place if the proof holds; else leaves everything as it is and returns false.
    fn open(&self, key: &Key, nonce: &[u8; 8], tag: &[u8; TAG], body: &mut [u8]) -> bool;
}

/// A nonce: what the box is for, and a part that is never used twice with one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    pub(super) prefix: [u8; 16],
    pub(super) short: [u8; 8],
}

impl Nonce {
    /// For what is counted.
    pub(super) const fn counted(prefix: &[u8; 16], count: u64) -> Self {
        Self {
            prefix: *prefix,
            short: count.to_be_bytes(),
        }
    }

    /// For what is given in short form in a command.
    pub(super) const fn given(prefix: &[u8; 16], short: &[u8; 8]) -> Self {
        Self {
            prefix: *prefix,
            short: *short,
        }
    }

    /// For what is random: 16 bytes behind a prefix of 8.
    pub(super) fn random(name: &[u8; 8], random: &[u8; 16]) -> Self {
        let (first, second) = random.split_at(8);
        let mut nonce = Self {
            prefix: [0; 16],
            short: [0; 8],
        };
        let (start, end) = nonce.prefix.split_at_mut(8);
        start.copy_from_slice(name);
        end.copy_from_slice(first);
        nonce.short.copy_from_slice(second);
        nonce
    }
}
