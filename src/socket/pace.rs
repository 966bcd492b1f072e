//! Taking part in tokio's cooperative budget without paying for it on every message.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Messages for one unit of the budget. A task has 128 units between two yields, so a hot loop
/// gives way after some 2,000 messages: about as many as make a full batch, and far less than a
/// millisecond of work.
const MESSAGES: u32 = 16;

/// Counts the messages that one end of a socket lets through without waiting.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicU32);

impl Pace {
    /// Pending when the task has to give way to others; it is woken at once then.
    #[inline]
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A lost update between two tasks only shifts the beat.
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count.wrapping_add(1), Ordering::Relaxed);
        if count % MESSAGES == 0 {
            ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        }
        Poll::Ready(())
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
