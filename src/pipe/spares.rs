//! Emptied buffers of full batches, kept for the next ones, of whichever pipe.
//!
//! A burst fills one batch after the other, on one thread, and another thread empties them: without
//! this store each of them would be grown anew by one thread's allocator and given back by another's,
//! which makes threads wait for each other. Pipes share it, so that one at rest holds nothing.

use std::sync::{Mutex, PoisonError};

/// Buffers that are kept at most.
const KEPT: usize = 32;

/// A buffer that has grown beyond this is not kept.
const LARGEST: usize = 256 * 1024;

/// A buffer smaller than this is sooner made anew.
pub(super) const SMALLEST: usize = 8 * 1024;

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer, for a batch that is going to be full.
pub(super) fn take() -> Vec<u8> {
    let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
    spares.pop().unwrap_or_default()
}

/// Keeps a buffer whose contents are of no use any more, if it is worth it.
pub(super) fn give(mut buffer: Vec<u8>) {
    if (SMALLEST..=LARGEST).contains(&buffer.capacity()) {
        buffer.clear();
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < KEPT {
            spares.push(buffer);
        }
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use super::*;

    #[test]
    fn keeps_few_buffers_of_a_useful_size() {
        for capacity in [0, SMALLEST / 2, LARGEST + 1] {
            give(Vec::with_capacity(capacity));
        }
        for _ in 0..2 * KEPT {
            give(vec![7; SMALLEST]);
        }
        let spares = SPARES.lock().unwrap();
        assert!(spares.len() <= KEPT);
        assert!(
            spares
                .iter()
                .all(|spare| spare.is_empty() && (SMALLEST..=LARGEST).contains(&spare.capacity()))
        );
    }
}
