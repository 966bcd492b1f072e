//! The shortcut: a sender writes to a connection that is at rest by itself.
//!
//! Waking the session costs a thread hop, which a lone request or reply would pay in full. So a
//! sender that finds the pipe empty, its consumer at rest and the connection quiet delivers its
//! message in its own task. It is the same pipe in the same order, never a second queue: while one
//! sender delivers, others queue up behind it and the consumer keeps its hands off. Writing
//! directly on every send would be a dead end, one system call per message; the next sends of a
//! burst therefore find the connection not quiet any more and take the ordinary way.

use std::fmt;

use super::wake::Signal;
use super::{Load, Pipe, perform};
use crate::wire::batch::Batch;
use crate::wire::transmit::Transmit;

/// A connection that a sender may write to, as long as its session does not.
pub(crate) trait Shortcut: fmt::Debug + Send + Sync {
    /// Whether nothing has been written for a little while. Called with the pipe locked.
    fn is_quiet(&self) -> bool;

    /// Writes what the connection takes without waiting. What comes back may not be done: then the
    /// session goes on with it, and meets whatever error stopped it.
    fn deliver(&self, batch: Batch) -> Transmit;
}

impl Pipe {
    /// Writes what is to go through the shortcut: the first batch, which has been set aside for it.
    #[cold]
    pub(super) fn deliver(&self) {
        let mut state = self.state.lock();
        let mut written = Batch::default();
        if let (Some(shortcut), Some(batch)) = (state.shortcut.clone(), state.queue.pop_front()) {
            let wake = state.release(Load::of(&batch));
            drop(state);
            perform(wake);
            let transmit = shortcut.deliver(batch);
            let begun = if transmit.is_done() {
                written = transmit.into_batch();
                // Unlocked: a body may be the user's own, and do anything when it is dropped.
                written.release_large();
                None
            } else {
                Some(transmit)
            };
            state = self.state.lock();
            state.begun = begun;
        }
        state.delivering = false;
        state.recycle(written);
        let more = state.begun.is_some() || !state.queue.is_empty() || state.closed.is_some();
        let told = if more || state.claimed {
            state.consumer.changed(Signal::Readable)
        } else {
            None
        };
        drop(state);
        perform(told);
    }
}

#[cfg(all(test, not(pipe_loom)))]
pub(crate) mod tests {
    use super::*;

    /// A connection that is quiet, and takes whatever a sender writes.
    #[derive(Debug)]
    pub(crate) struct TakesAll;

    impl Shortcut for TakesAll {
        fn is_quiet(&self) -> bool {
            true
        }

        fn deliver(&self, _: Batch) -> Transmit {
            Transmit::default()
        }
    }
}
