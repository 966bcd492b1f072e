//! [`Keystream`]: the keystream of Salsa20 for long bodies, many blocks at a time.
//!
//! The crate `salsa20` makes one block after the other, in ordinary registers, and there is no well-kept crate that makes
//! several side by side, as NaCl's libraries in C do. Most of the time of a long message went into that. So this
//! much of it is our own: the rounds, in [`lanes`](super::lanes), for [processors with wide registers](super::x86).
//! Everything else is left to `salsa20`: keys, short bodies, and other processors. Tests hold the two against each other.

use zeroize::{Zeroize, Zeroizing};

use super::cipher::Key;
use super::lanes::{Pass, STRIDE_MAX};
use super::x86::Level;

/// What stands on the diagonal of every block, "expand 32-byte k".
const DIAGONAL: [u8; 16] = *b"expand 32-byte k";

/// See the [module](self).
pub(super) struct Keystream {
    level: Level,
    /// The block with the number zero, before the rounds.
    words: Zeroizing<[u32; 16]>,
}

impl Keystream {
    /// That of a nonce. `key` is a derived one.
    pub(super) fn new(level: Level, key: &Key, nonce: &[u8; 8]) -> Self {
        let [d0, d1, d2, d3] = words(&DIAGONAL);
        let key: Zeroizing<[u32; 8]> = Zeroizing::new(words(key));
        let [k0, k1, k2, k3, k4, k5, k6, k7] = *key;
        let [n0, n1] = words(nonce);
        Self {
            level,
            words: Zeroizing::new([
                d0, k0, k1, k2, //
                k3, d1, n0, n1, //
                0, 0, d2, k4, //
                k5, k6, k7, d3, //
            ]),
        }
    }

    /// Mixes it with `body`, from the block `first` on.
    pub(super) fn apply(&self, first: u64, body: &mut [u8]) {
        let mut rest = [0; STRIDE_MAX];
        let words = &*self.words;
        match self.level {
            #[cfg(feature = "avx512")]
            Level::Avx512(lanes) => lanes.vectorize(Pass {
                lanes,
                words,
                first,
                body,
                rest: &mut rest,
            }),
            Level::Avx2(lanes) => lanes.vectorize(Pass {
                lanes,
                words,
                first,
                body,
                rest: &mut rest,
            }),
            Level::Sse(lanes) => lanes.vectorize(Pass {
                lanes,
                words,
                first,
                body,
                rest: &mut rest,
            }),
        }
        // As a slice, which is overwritten in one go. Registers, and what did not fit them, are not.
        rest.as_mut_slice().zeroize();
    }
}

/// Bytes as words.
fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    const { assert!(BYTES == 4 * WORDS) };
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        if let Some(bytes) = bytes.first_chunk() {
            *word = u32::from_le_bytes(*bytes);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salsa20::Salsa20;
    use salsa20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

    use super::*;
    use crate::wire::mechanism::curve::lanes::BLOCK;

    /// What the crate makes of it.
    fn expected(key: &Key, nonce: &[u8; 8], first: u64, body: &[u8]) -> Vec<u8> {
        let mut stream = Salsa20::new((&**key).into(), nonce.into());
        stream.seek(u128::from(first) * BLOCK as u128);
        let mut body = body.to_vec();
        stream.apply_keystream(&mut body);
        body
    }

    fn filled(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// Each level that this processor has, by itself, not only the best one.
    fn assert_same(key: &Key, nonce: &[u8; 8], first: u64, body: &[u8]) {
        let expected = expected(key, nonce, first, body);
        for level in Level::all() {
            let mut mixed = body.to_vec();
            Keystream::new(level, key, nonce).apply(first, &mut mixed);
            assert!(
                mixed == expected,
                "{level:?}: {} bytes from block {first}",
                body.len()
            );
        }
    }

    #[test]
    fn every_length_is_as_the_crate_makes_it() {
        let key = Key::from(std::array::from_fn(|at| 7 * at as u8));
        for length in 0..2 * STRIDE_MAX + 2 * BLOCK {
            assert_same(&key, b"\0\x01\x02\x03\xfc\xfd\xfe\xff", 1, &filled(length));
        }
    }

    #[test]
    fn blocks_are_counted_beyond_32_bits() {
        let key = Key::from([0x42; 32]);
        let carry = u64::from(u32::MAX) + 1;
        for before in 0..=20 {
            assert_same(&key, b"a number", carry - before, &filled(STRIDE_MAX));
        }
        assert_same(
            &key,
            b"a number",
            3 * carry - 5,
            &filled(3 * STRIDE_MAX + 1),
        );
    }

    /// Everything here is compared at the levels of `all`: one that it left out would be compared with nothing.
    #[test]
    fn every_level_of_this_machine_is_compared() {
        let name = |level| match level {
            #[cfg(feature = "avx512")]
            Level::Avx512(_) => "AVX-512",
            Level::Avx2(_) => "AVX2",
            Level::Sse(_) => "SSE",
        };
        let known = [
            #[cfg(feature = "avx512")]
            ("AVX-512", pulp::x86::V4::is_available()),
            ("AVX2", pulp::x86::V3::is_available()),
            ("SSE", pulp::x86::V2::is_available()),
        ];
        let there: Vec<_> = known
            .into_iter()
            .filter_map(|(name, is_there)| is_there.then_some(name))
            .collect();
        let compared: Vec<_> = Level::all().into_iter().map(name).collect();
        assert_eq!(compared, there);
        assert_eq!(Level::best().map(name), there.first().copied());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_as_the_crate_makes_it(
            key: [u8; 32],
            nonce: [u8; 8],
            first in prop_oneof![0..100u64, any::<u32>().prop_map(u64::from), (1u64 << 40)..(1 << 50)],
            body in prop::collection::vec(any::<u8>(), 0..20_000),
        ) {
            assert_same(&Key::from(key), &nonce, first, &body);
        }

        /// Whatever the address, and nothing beside it.
        #[test]
        fn only_the_body_is_touched(start in 0..70usize, length in 0..3000usize, end in 0..70usize) {
            let key = Key::from([9; 32]);
            let whole = filled(start + length + end);
            let mut right = whole.clone();
            right.splice(start..start + length, expected(&key, &[1; 8], 5, &whole[start..start + length]));
            for level in Level::all() {
                let mut mixed = whole.clone();
                Keystream::new(level, &key, &[1; 8]).apply(5, &mut mixed[start..start + length]);
                prop_assert_eq!(&mixed, &right, "{:?}", level);
            }
        }
    }
}
