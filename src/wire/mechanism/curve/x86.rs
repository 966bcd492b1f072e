//! [`Level`]: what this processor has, of the family x86-64: eight blocks of Salsa20 in registers of AVX2, or four
//! in those of SSE. The feature `avx512`, on by default, has the former made with what AVX-512 adds.

use std::arch::x86_64::{__m128i, __m256i};

use pulp::cast;
#[cfg(feature = "avx512")]
use pulp::x86::V4;
use pulp::x86::{V2, V3};

use super::lanes::{BLOCK, Lanes};

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    /// AVX-512, for its rotations and its 32 registers.
    #[cfg(feature = "avx512")]
    Avx512(V4),
    /// AVX2, as nearly all processors have since 2015.
    Avx2(V3),
    /// SSE up to 4.2. Its registers hold half as much.
    Sse(V2),
}

impl Level {
    /// The best that there is.
    pub(super) fn best() -> Option<Self> {
        #[cfg(feature = "avx512")]
        if let Some(simd) = V4::try_new() {
            return Some(Self::Avx512(simd));
        }
        V3::try_new()
            .map(Self::Avx2)
            .or_else(|| V2::try_new().map(Self::Sse))
    }

    /// All that there are, the best one first.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let avx2 = V3::try_new().map(Self::Avx2);
        let levels = avx2.into_iter().chain(V2::try_new().map(Self::Sse));
        #[cfg(feature = "avx512")]
        let levels = V4::try_new().map(Self::Avx512).into_iter().chain(levels);
        levels.collect()
    }

    /// Whether there is AVX2.
    pub(super) const fn has_avx2(self) -> bool {
        !matches!(self, Self::Sse(_))
    }
}

/// As with AVX2, but that to rotate is one step, and that both groups fit the registers.
#[cfg(feature = "avx512")]
impl Lanes for V4 {
    type Word = __m256i;

    const BLOCKS: u64 = V3::BLOCKS;

    const GROUP: usize = V3::GROUP;

    #[inline(always)]
    fn all(self, word: u32) -> __m256i {
        (*self).all(word)
    }

    #[inline(always)]
    fn count(self, first: u64) -> [__m256i; 2] {
        (*self).count(first)
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        (*self).add(a, b)
    }

    #[inline(always)]
    fn mix<const LEFT: i32, const RIGHT: i32>(self, word: __m256i, sum: __m256i) -> __m256i {
        let turned = self.avx512f._mm256_rol_epi32::<LEFT>(sum);
        self.avx2._mm256_xor_si256(word, turned)
    }

    #[inline(always)]
    fn put(self, words: &[__m256i; 16], out: &mut [u8]) {
        (*self).put(words, out);
    }
}

impl Lanes for V3 {
    type Word = __m256i;

    const BLOCKS: u64 = 8;

    const GROUP: usize = 8 * BLOCK;

    #[inline(always)]
    fn all(self, word: u32) -> __m256i {
        cast([word; 8])
    }

    #[inline(always)]
    fn count(self, first: u64) -> [__m256i; 2] {
        let (low, high) = halves::<8>(first);
        [cast(low), cast(high)]
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_add_epi32(a, b)
    }

    #[inline(always)]
    fn mix<const LEFT: i32, const RIGHT: i32>(self, word: __m256i, sum: __m256i) -> __m256i {
        let word = self
            .avx2
            ._mm256_xor_si256(word, self.avx2._mm256_slli_epi32::<LEFT>(sum));
        self.avx2
            ._mm256_xor_si256(word, self.avx2._mm256_srli_epi32::<RIGHT>(sum))
    }

    #[inline(always)]
    fn put(self, words: &[__m256i; 16], out: &mut [u8]) {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *words;
        let left = transpose(self, quartets(self, a, b, c, d), quartets(self, e, f, g, h));
        let [a, b, c, d, e, f, g, h] = rest;
        let right = transpose(self, quartets(self, a, b, c, d), quartets(self, e, f, g, h));
        let blocks = left.iter().zip(&right);
        for (out, (left, right)) in out.chunks_exact_mut(BLOCK).zip(blocks) {
            if let Some(out) = out.first_chunk_mut::<BLOCK>() {
                let [one, two]: [__m256i; 2] = cast(*out);
                *out = cast([
                    self.avx2._mm256_xor_si256(one, *left),
                    self.avx2._mm256_xor_si256(two, *right),
                ]);
            }
        }
    }
}

/// Four words of eight blocks as four of each block: those of the first four in the lower halves, those of the
/// others in the upper ones.
#[inline(always)]
fn quartets(simd: V3, a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> [__m256i; 4] {
    let ab = simd.avx2._mm256_unpacklo_epi32(a, b);
    let cd = simd.avx2._mm256_unpacklo_epi32(c, d);
    let ab_high = simd.avx2._mm256_unpackhi_epi32(a, b);
    let cd_high = simd.avx2._mm256_unpackhi_epi32(c, d);
    [
        simd.avx2._mm256_unpacklo_epi64(ab, cd),
        simd.avx2._mm256_unpackhi_epi64(ab, cd),
        simd.avx2._mm256_unpacklo_epi64(ab_high, cd_high),
        simd.avx2._mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Eight words of each of eight blocks, from their first four and their last four.
#[inline(always)]
fn transpose(simd: V3, first: [__m256i; 4], last: [__m256i; 4]) -> [__m256i; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (first, last);
    [
        simd.avx2._mm256_permute2x128_si256::<0x20>(a, e),
        simd.avx2._mm256_permute2x128_si256::<0x20>(b, f),
        simd.avx2._mm256_permute2x128_si256::<0x20>(c, g),
        simd.avx2._mm256_permute2x128_si256::<0x20>(d, h),
        simd.avx2._mm256_permute2x128_si256::<0x31>(a, e),
        simd.avx2._mm256_permute2x128_si256::<0x31>(b, f),
        simd.avx2._mm256_permute2x128_si256::<0x31>(c, g),
        simd.avx2._mm256_permute2x128_si256::<0x31>(d, h),
    ]
}

impl Lanes for V2 {
    type Word = __m128i;

    const BLOCKS: u64 = 4;

    const GROUP: usize = 4 * BLOCK;

    #[inline(always)]
    fn all(self, word: u32) -> __m128i {
        cast([word; 4])
    }

    #[inline(always)]
    fn count(self, first: u64) -> [__m128i; 2] {
        let (low, high) = halves::<4>(first);
        [cast(low), cast(high)]
    }

    #[inline(always)]
    fn add(self, a: __m128i, b: __m128i) -> __m128i {
        self.sse2._mm_add_epi32(a, b)
    }

    #[inline(always)]
    fn mix<const LEFT: i32, const RIGHT: i32>(self, word: __m128i, sum: __m128i) -> __m128i {
        let word = self
            .sse2
            ._mm_xor_si128(word, self.sse2._mm_slli_epi32::<LEFT>(sum));
        self.sse2
            ._mm_xor_si128(word, self.sse2._mm_srli_epi32::<RIGHT>(sum))
    }

    #[inline(always)]
    fn put(self, words: &[__m128i; 16], out: &mut [u8]) {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *words;
        let (first, second) = (quartet(self, a, b, c, d), quartet(self, e, f, g, h));
        let [a, b, c, d, e, f, g, h] = rest;
        let (third, fourth) = (quartet(self, a, b, c, d), quartet(self, e, f, g, h));
        let blocks = first.iter().zip(&second).zip(third.iter().zip(&fourth));
        for (out, ((first, second), (third, fourth))) in out.chunks_exact_mut(BLOCK).zip(blocks) {
            if let Some(out) = out.first_chunk_mut::<BLOCK>() {
                let [one, two, three, four]: [__m128i; 4] = cast(*out);
                *out = cast([
                    self.sse2._mm_xor_si128(one, *first),
                    self.sse2._mm_xor_si128(two, *second),
                    self.sse2._mm_xor_si128(three, *third),
                    self.sse2._mm_xor_si128(four, *fourth),
                ]);
            }
        }
    }
}

/// Four words of four blocks as four of each block.
#[inline(always)]
fn quartet(simd: V2, a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> [__m128i; 4] {
    let ab = simd.sse2._mm_unpacklo_epi32(a, b);
    let cd = simd.sse2._mm_unpacklo_epi32(c, d);
    let ab_high = simd.sse2._mm_unpackhi_epi32(a, b);
    let cd_high = simd.sse2._mm_unpackhi_epi32(c, d);
    [
        simd.sse2._mm_unpacklo_epi64(ab, cd),
        simd.sse2._mm_unpackhi_epi64(ab, cd),
        simd.sse2._mm_unpacklo_epi64(ab_high, cd_high),
        simd.sse2._mm_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// The lower and upper halves of numbers that follow each other.
#[inline(always)]
fn halves<const N: usize>(first: u64) -> ([u32; N], [u32; N]) {
    let (mut lows, mut highs) = ([0; N], [0; N]);
    let mut number = first;
    for (low, high) in lows.iter_mut().zip(&mut highs) {
        // The lower half lies first in these processors.
        [*low, *high] = cast(number);
        number = number.wrapping_add(1);
    }
    (lows, highs)
}
