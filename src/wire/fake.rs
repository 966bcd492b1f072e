//! [`Fake`]: a cipher that hides and proves nothing, and is fast enough for thousands of handshakes. [`Open`]: one for
//! which every box is right, so that a fuzzer reaches what lies behind it.
//!
//! It only keeps what the protocol builds on: two sides agree on the same key, what is sealed opens with the same
//! key and nonce, and any change is noticed.

#![allow(clippy::unwrap_used, reason = "for tests and fuzzers")]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::security::keys::{KeyPair, PublicKey, SecretKey};
use crate::wire::mechanism::curve::cipher::{Cipher, Key, TAG};

const MASK: u8 = 0x5c;

#[derive(Debug)]
pub(super) struct Fake;

pub(super) static FAKE: Fake = Fake;

/// A pair for the fake.
pub(super) fn pair(seed: u8) -> KeyPair {
    let secret = [seed; 32];
    let public = PublicKey::from_bytes(FAKE.public(&secret));
    KeyPair::of_a_fake(public, SecretKey::from_bytes(secret))
}

fn mix(mut state: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        state ^= state >> 29;
    }
    state
}

impl Fake {
    fn stream(key: &Key, nonce: &[u8; 8], body: &mut [u8]) {
        let start = mix(mix(1, &key[..]), nonce);
        for (at, byte) in body.iter_mut().enumerate() {
            *byte ^= mix(start, &at.to_le_bytes()) as u8;
        }
    }

    fn tag(key: &Key, nonce: &[u8; 8], body: &[u8]) -> [u8; TAG] {
        let first = mix(mix(mix(2, &key[..]), nonce), body);
        let second = mix(first, &[3]);
        [first.to_le_bytes(), second.to_le_bytes()]
            .concat()
            .try_into()
            .unwrap()
    }
}

impl Cipher for Fake {
    fn fill(&self, out: &mut [u8]) -> bool {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        for chunk in out.chunks_mut(8) {
            let next = mix(NEXT.fetch_add(1, Ordering::Relaxed), &[7]).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        true
    }

    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        secret.map(|byte| byte ^ MASK)
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<Key> {
        let mut key = Key::default();
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = secret[at] ^ public[at] ^ MASK;
        }
        (*public != [0; 32]).then_some(key)
    }

    fn derive(&self, key: &Key, prefix: &[u8; 16]) -> Key {
        let mut derived = Key::default();
        for (at, byte) in derived.iter_mut().enumerate() {
            *byte = mix(mix(at as u64, &key[..]), prefix) as u8;
        }
        derived
    }

    fn seal(&self, key: &Key, nonce: &[u8; 8], body: &mut [u8]) -> [u8; TAG] {
        Self::stream(key, nonce, body);
        Self::tag(key, nonce, body)
    }

    fn open(&self, key: &Key, nonce: &[u8; 8], tag: &[u8; TAG], body: &mut [u8]) -> bool {
        let holds = Self::tag(key, nonce, body) == *tag;
        if holds {
            Self::stream(key, nonce, body);
        }
        holds
    }
}

/// See the [module](self).
#[cfg(fuzzing)]
#[derive(Debug)]
pub(super) struct Open;

#[cfg(fuzzing)]
pub(super) static OPEN: Open = Open;

#[cfg(fuzzing)]
impl Cipher for Open {
    fn fill(&self, out: &mut [u8]) -> bool {
        out.fill(7);
        true
    }

    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        FAKE.public(secret)
    }

    fn agree(&self, _: &[u8; 32], _: &[u8; 32]) -> Option<Key> {
        Some(Key::default())
    }

    fn derive(&self, key: &Key, _: &[u8; 16]) -> Key {
        key.clone()
    }

    fn seal(&self, _: &Key, _: &[u8; 8], _: &mut [u8]) -> [u8; TAG] {
        [0; TAG]
    }

    fn open(&self, _: &Key, _: &[u8; 8], _: &[u8; TAG], _: &mut [u8]) -> bool {
        true
    }
}
