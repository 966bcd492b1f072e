//! Taking part in tokio's cooperative budget without paying for it on every message.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Messages for one unit of the budget. A task has 128 units between two yields, so a hot loop
/// gives way after some 2,000 messages: about as many as make a full batch, and far less than a
/// millisecond of work.
const MESSAGES: u32 = 16;

/// Bytes in long bodies after which a sender gives way. What is queued by then still lies in the
/// processor's caches when it is written, and its buffers are used again for what comes next: a sender
/// that is far ahead of its connections fetches every byte from memory, twice.
const BYTES: usize = 512 * 1024;

/// A body from this length on is long. Shorter ones are encoded into batches, which pace themselves.
const LONG: usize = 4 * 1024;

/// A count of messages that is never reached by counting: the task is to give way at once.
const GIVE_WAY: u32 = 1 << 31;

/// Counts what one end of a socket lets through without waiting.
#[derive(Debug, Default)]
pub(super) struct Pace {
    messages: AtomicU32,
    /// In long bodies, since the end last gave way for their sake.
    bytes: AtomicUsize,
}

impl Pace {
    /// Pending when the task has to give way to others; it is woken at once then.
    #[inline]
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A lost update between two tasks only shifts the beat.
        let count = self.messages.load(Ordering::Relaxed);
        self.messages
            .store((count + 1) % GIVE_WAY, Ordering::Relaxed);
        if count % MESSAGES == 0 {
            if count == GIVE_WAY {
                cx.waker().wake_by_ref();
                give_way();
                return Poll::Pending;
            }
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        }
        Poll::Ready(())
    }

    /// So many bytes are on their way: from the next message on they count.
    #[inline]
    pub(super) fn carry(&self, bytes: usize) {
        if bytes >= LONG {
            self.carry_long(bytes);
        }
    }

    #[cold]
    fn carry_long(&self, bytes: usize) {
        let carried = self.bytes.load(Ordering::Relaxed).saturating_add(bytes);
        let is_enough = carried >= BYTES;
        self.bytes
            .store(if is_enough { 0 } else { carried }, Ordering::Relaxed);
        if is_enough {
            self.messages.store(GIVE_WAY, Ordering::Relaxed);
        }
    }
}

/// How often [`give_way`] offers the processor: a microsecond in all where nobody wants it.
const OFFERS: usize = 2;

/// Gives whoever runs on another thread of this runtime a moment, and the processor if it wants it.
#[cold]
pub(super) fn give_way() {
    let runtime = Handle::try_current();
    if runtime.is_ok_and(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread) {
        for _ in 0..OFFERS {
            thread::yield_now();
        }
    }
}

/// Whether the caller is no task of a runtime but the future of a `block_on`, which has a thread of its own
/// wherever a runtime has several.
#[cold]
pub(super) fn is_apart() -> bool {
    tokio::task::try_id().is_none()
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Messages of this length that go through before the task gives way, up to a bound.
    fn run(pace: &Pace, length: usize, most: usize) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let mut passed = 0;
        while passed < most && pace.poll(&mut cx).is_ready() {
            pace.carry(length);
            passed += 1;
        }
        passed
    }

    #[test]
    fn a_sender_of_long_bodies_gives_way_by_their_bytes() {
        // Outside of a task there is no other budget.
        let pace = Pace::default();
        for _ in 0..3 {
            assert_eq!(run(&pace, 64 * 1024, 100), BYTES / (64 * 1024));
        }
        assert_eq!(run(&pace, 4 * BYTES, 100), 1);
        assert_eq!(run(&pace, usize::MAX, 100), 1);
        assert_eq!(run(&pace, LONG - 1, 10_000), 10_000);
    }

    #[test]
    fn the_count_of_messages_never_gives_way_by_itself() {
        let pace = Pace::default();
        pace.messages.store(GIVE_WAY - 1, Ordering::Relaxed);
        assert_eq!(run(&pace, 0, 100), 100);
    }
}
