//! [`Lanes`]: registers of several words, and the rounds of Salsa20 for as many blocks at a time.
//!
//! A block of Salsa20 is made of 16 words that are added, rotated and mixed with each other. Here each of the 16 is a
//! register that has the same word of several blocks side by side, so nothing moves between lanes until the blocks are
//! complete. Two such groups take turns: a round waits for its own last step, and the other
//! group has something to do meanwhile, which is worth more than what does not fit the registers costs.
//!
//! No step and no address depends on what is in a word.
//!
//! Whatever is called between [`Pass`] and the instructions has to be inlined: only there does the compiler know that the
//! processor has them. So there are neither closures nor iterator adaptors in these paths.
//!
//! Where a slice is divided, its length is ours. Were one of them ever wrong, a panic would be better than a body that
//! leaves as it is.

use pulp::NullaryFnOnce;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// The most bytes that [`Pass`] makes at a time.
pub(super) const STRIDE_MAX: usize = 1024;

/// See the [module](self).
pub(super) trait Lanes: Copy {
    /// The same word of several blocks.
    type Word: Copy;

    /// How many.
    const BLOCKS: u64;

    /// Their bytes.
    const GROUP: usize;

    /// A word that is the same for all of them.
    fn all(self, word: u32) -> Self::Word;

    /// The lower and upper halves of as many numbers that follow each other.
    fn count(self, first: u64) -> [Self::Word; 2];

    /// The sums, with what is carried over dropped.
    fn add(self, a: Self::Word, b: Self::Word) -> Self::Word;

    /// `word` with `sum` rotated by `LEFT` mixed in; `RIGHT` is what is missing to 32.
    fn mix<const LEFT: i32, const RIGHT: i32>(
        self,
        word: Self::Word,
        sum: Self::Word,
    ) -> Self::Word;

    /// Mixes the blocks whose words these are with as many blocks of `out`, one after the other.
    fn put(self, words: &[Self::Word; 16], out: &mut [u8]);
}

/// Mixes the keystream of `words`, from the block `first` on, with `body`, at one level of the processor's instructions.
pub(super) struct Pass<'a, L> {
    pub(super) lanes: L,
    pub(super) words: &'a [u32; 16],
    pub(super) first: u64,
    pub(super) body: &'a mut [u8],
    /// For what is at the end of `body` and does not fill a stride. Secret afterwards.
    pub(super) rest: &'a mut [u8; STRIDE_MAX],
}

impl<L: Lanes> NullaryFnOnce for Pass<'_, L> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            lanes,
            words,
            first,
            body,
            rest,
        } = self;
        let mut start = [lanes.all(0); 16];
        for (start, word) in start.iter_mut().zip(words) {
            *start = lanes.all(*word);
        }
        let stride = L::GROUP.saturating_mul(2);
        let mut next = first;
        let mut strides = body.chunks_exact_mut(stride);
        for out in &mut strides {
            next = turn(lanes, &start, next, out);
        }
        let end = strides.into_remainder();
        if let (false, Some((rest, _))) = (end.is_empty(), rest.split_at_mut_checked(stride)) {
            let (used, _) = rest.split_at_mut(end.len());
            used.copy_from_slice(end);
            turn(lanes, &start, next, rest);
            let (used, _) = rest.split_at(end.len());
            end.copy_from_slice(used);
        }
    }
}

/// Makes two groups of blocks, and returns the number of the block behind them.
#[inline(always)]
fn turn<L: Lanes>(lanes: L, start: &[L::Word; 16], first: u64, out: &mut [u8]) -> u64 {
    let second = first.wrapping_add(L::BLOCKS);
    let (begun_one, begun_two) = (begin(lanes, start, first), begin(lanes, start, second));
    let (mut one, mut two) = (begun_one, begun_two);
    for _ in 0..10 {
        double_round(lanes, &mut one, &mut two);
    }
    for (word, begun) in one.iter_mut().zip(&begun_one) {
        *word = lanes.add(*word, *begun);
    }
    for (word, begun) in two.iter_mut().zip(&begun_two) {
        *word = lanes.add(*word, *begun);
    }
    let (left, right) = out.split_at_mut(L::GROUP);
    lanes.put(&one, left);
    lanes.put(&two, right);
    second.wrapping_add(L::BLOCKS)
}

/// The words of as many blocks before their rounds.
#[inline(always)]
fn begin<L: Lanes>(lanes: L, start: &[L::Word; 16], first: u64) -> [L::Word; 16] {
    let mut words = *start;
    let [_, _, _, _, _, _, _, _, low, high, ..] = &mut words;
    [*low, *high] = lanes.count(first);
    words
}

/// One round down the columns and one along the rows, of both groups in turn.
#[inline(always)]
fn double_round<L: Lanes>(lanes: L, one: &mut [L::Word; 16], two: &mut [L::Word; 16]) {
    let [
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
        a8,
        a9,
        aa,
        ab,
        ac,
        ad,
        ae,
        af,
    ] = one;
    let [
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
        b8,
        b9,
        ba,
        bb,
        bc,
        bd,
        be,
        bf,
    ] = two;
    quarter(lanes, a0, a4, a8, ac);
    quarter(lanes, b0, b4, b8, bc);
    quarter(lanes, a5, a9, ad, a1);
    quarter(lanes, b5, b9, bd, b1);
    quarter(lanes, aa, ae, a2, a6);
    quarter(lanes, ba, be, b2, b6);
    quarter(lanes, af, a3, a7, ab);
    quarter(lanes, bf, b3, b7, bb);

    quarter(lanes, a0, a1, a2, a3);
    quarter(lanes, b0, b1, b2, b3);
    quarter(lanes, a5, a6, a7, a4);
    quarter(lanes, b5, b6, b7, b4);
    quarter(lanes, aa, ab, a8, a9);
    quarter(lanes, ba, bb, b8, b9);
    quarter(lanes, af, ac, ad, ae);
    quarter(lanes, bf, bc, bd, be);
}

/// One quarter of a round.
#[inline(always)]
fn quarter<L: Lanes>(lanes: L, a: &mut L::Word, b: &mut L::Word, c: &mut L::Word, d: &mut L::Word) {
    *b = lanes.mix::<7, 25>(*b, lanes.add(*a, *d));
    *c = lanes.mix::<9, 23>(*c, lanes.add(*b, *a));
    *d = lanes.mix::<13, 19>(*d, lanes.add(*c, *b));
    *a = lanes.mix::<18, 14>(*a, lanes.add(*d, *c));
}
