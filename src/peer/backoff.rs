//! How long to wait before the next attempt to connect: exponential, with jitter. Pure: no clock, no timer.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// An interval of zero would redial as fast as the processor can.
const SHORTEST_STEP: Duration = Duration::from_millis(1);

/// The waits between the attempts of one dialer.
///
/// The *step* starts at `initial`, doubles with every attempt and stops growing at `max`. The wait is drawn
/// evenly from the upper half of the step, `[step / 2, step]`: a thousand clients that lost the same server in the
/// same instant come back spread over half the step, and yet no client hammers a server with waits near zero, as
/// drawing from the whole of `[0, step]` would let it.
///
/// A `max` below `initial` (zero, as libzmq's default) means that the step does not grow.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    step: Duration,
    jitter: Jitter,
}

impl Backoff {
    /// A back-off that nobody can predict, as std's hash maps are seeded.
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self::with_seed(initial, max, RandomState::new().hash_one(()))
    }

    /// The same seed gives the same waits.
    pub(crate) fn with_seed(initial: Duration, max: Duration, seed: u64) -> Self {
        let initial = initial.max(SHORTEST_STEP);
        Self {
            initial,
            max: max.max(initial),
            step: initial,
            jitter: Jitter { state: seed },
        }
    }

    /// Other limits from now on; the step stays where it is, as far as they allow.
    pub(crate) fn set_limits(&mut self, initial: Duration, max: Duration) {
        let initial = initial.max(SHORTEST_STEP);
        if self.step == self.initial {
            self.step = initial;
        }
        self.initial = initial;
        self.max = max.max(initial);
        self.step = self.step.clamp(self.initial, self.max);
    }

    /// The wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let step = self.step;
        self.step = step.saturating_mul(2).min(self.max);
        self.jitter.upper_half(step)
    }

    /// The longest wait, for a peer that broke the protocol: it will hardly be better in a moment. Later waits
    /// stay as long until [`reset`](Self::reset).
    pub(crate) fn longest(&mut self) -> Duration {
        self.step = self.max;
        self.next()
    }

    /// The peer is back; the next loss starts at `initial` again.
    pub(crate) fn reset(&mut self) {
        self.step = self.initial;
    }
}

/// A small generator (a Weyl sequence through a mixing function). It spreads waits; it keeps no secrets.
#[derive(Debug, Clone)]
struct Jitter {
    state: u64,
}

impl Jitter {
    fn upper_half(&mut self, step: Duration) -> Duration {
        // 584 years fit in 64 bits of nanoseconds.
        let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        let half = step / 2;
        // The top 64 bits of random x width are even in [0, width), and need no division.
        let width = u128::from(step - half) + 1;
        let offset = (u128::from(self.bits()) * width) >> 64;
        Duration::from_nanos(half.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX)))
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        bits = (bits ^ (bits >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        bits ^ (bits >> 32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn assert_upper_half(wait: Duration, step: Duration) {
        assert!(step / 2 <= wait && wait <= step, "{wait:?} of {step:?}");
    }

    #[test]
    fn steps_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(ms(100), ms(10_000));
        for step in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            assert_upper_half(backoff.next(), ms(step));
        }
        backoff.reset();
        assert_upper_half(backoff.next(), ms(100));
        assert_upper_half(backoff.longest(), ms(10_000));
        assert_upper_half(backoff.next(), ms(10_000));
    }

    #[test]
    fn limits_can_change_on_the_way() {
        let mut backoff = Backoff::new(ms(100), ms(10_000));
        backoff.next();
        backoff.next();
        backoff.set_limits(ms(100), ms(300));
        assert_upper_half(backoff.next(), ms(300));
        backoff.set_limits(ms(1_000), ms(4_000));
        assert_upper_half(backoff.next(), ms(1_000));
        assert_upper_half(backoff.next(), ms(2_000));
        backoff.reset();
        backoff.set_limits(ms(10), ms(4_000));
        assert_upper_half(backoff.next(), ms(10));
    }

    #[test]
    fn a_maximum_below_the_interval_means_a_fixed_interval() {
        for max in [0, 50, 100] {
            let mut backoff = Backoff::new(ms(100), ms(max));
            for _ in 0..5 {
                assert_upper_half(backoff.next(), ms(100));
                assert_upper_half(backoff.longest(), ms(100));
            }
        }
    }

    #[test]
    fn zero_does_not_spin() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!(backoff.next() >= SHORTEST_STEP / 2);
    }

    #[test]
    fn waits_are_spread_evenly() {
        let mut buckets = [0_u32; 10];
        for seed in 0..1000 {
            let wait = Backoff::with_seed(ms(100), ms(0), seed).next();
            let bucket = (wait - ms(50)).as_nanos() * 10 / 50_000_001;
            buckets[usize::try_from(bucket).expect("one of ten")] += 1;
        }
        assert!(
            buckets.iter().all(|n| (60..=140).contains(n)),
            "{buckets:?}"
        );
    }

    #[test]
    fn two_dialers_wait_differently() {
        let mut first = Backoff::new(ms(100_000), ms(0));
        let mut second = Backoff::new(ms(100_000), ms(0));
        assert_ne!(first.next(), second.next());
    }

    proptest! {
        #[test]
        fn every_wait_is_in_the_upper_half_of_its_step(
            initial: Duration,
            max: Duration,
            seed: u64,
            actions in prop::collection::vec(0..8_u8, 0..200),
        ) {
            let ceiling = Duration::from_nanos(u64::MAX);
            let mut backoff = Backoff::with_seed(initial, max, seed);
            let initial = initial.max(SHORTEST_STEP);
            let max = max.max(initial);
            let mut step = initial;
            for action in actions {
                let wait = match action {
                    0 => {
                        backoff.reset();
                        step = initial;
                        continue;
                    }
                    1 => {
                        step = max;
                        backoff.longest()
                    }
                    _ => backoff.next(),
                };
                assert_upper_half(wait, step.min(ceiling));
                step = step.saturating_mul(2).min(max);
            }
        }
    }
}
