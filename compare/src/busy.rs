//! An application that has better to do: what it computes between two looks at anything else.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use crate::rusage::thread_time;

/// Processor time of one piece of work, which nothing interrupts but the kernel.
const WORK: Duration = Duration::from_millis(1);
/// Turns between two looks at the clock.
const TURNS: u64 = 1_000;

/// Computes for a millisecond of its own processor time, whoever else wants the processor.
pub fn compute() {
    let end = thread_time() + WORK;
    let mut sum = 1_u64;
    while thread_time() < end {
        for turn in 0..TURNS {
            sum = black_box(sum.wrapping_mul(31).wrapping_add(turn));
        }
    }
}

/// How many of them make a busy application: one for each processor.
pub fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
