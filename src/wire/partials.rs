//! [`Partials`]: what all peers of a socket have sent of messages that are not whole yet, in bytes of payload.
//!
//! One peer is bounded by the size of its messages. But ten thousand may each send most of a large one and
//! then nothing more, so there is a limit for all of them together, too. What the read buffer of a
//! connection could hold is not counted: it costs no more than that, and small messages never come here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::read_buffer::READ_MAX;
use crate::fault::ProtocolError;

/// So much of each connection counts for nothing: the first buffer of a large frame.
const FREE: usize = 2 * READ_MAX;

/// See the [module](self). Shared by the connections of a socket.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    held: AtomicUsize,
}

impl Partials {
    /// What one more connection holds: nothing yet. It may hold as much as leaves all of them within `limit`.
    pub(crate) fn share(self: &Arc<Self>, limit: usize) -> Share {
        Share {
            of: Arc::clone(self),
            limit,
            held: 0,
        }
    }

    /// What is counted now.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one connection holds of it. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Partials>,
    limit: usize,
    held: usize,
}

impl Share {
    /// For a connection that is counted with no other.
    pub(super) fn unlimited() -> Self {
        Arc::<Partials>::default().share(usize::MAX)
    }

    /// For another part of the same connection.
    #[cfg(feature = "curve")]
    pub(super) fn another(&self) -> Self {
        self.of.share(self.limit)
    }

    /// From now on it holds so much.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), ProtocolError> {
        let bytes = bytes.saturating_sub(FREE);
        let more = bytes.saturating_sub(self.held);
        if more > 0 {
            let limit = self.limit;
            let sum = |held: usize| held.checked_add(more).filter(|sum| *sum <= limit);
            // Only a number: nothing else is told by it.
            let held = &self.of.held;
            let taken = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
            taken.map_err(|_| ProtocolError::TooMuchUnfinished { limit })?;
        } else if bytes < self.held {
            let less = self.held.saturating_sub(bytes);
            self.of.held.fetch_sub(less, Ordering::Relaxed);
        }
        self.held = bytes;
        Ok(())
    }

    /// It holds nothing any more.
    pub(super) fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held > 0 {
            self.of.held.fetch_sub(held, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_given_back() {
        let all = Arc::new(Partials::default());
        let mut one = all.share(1000);
        let mut other = all.share(1000);
        one.hold(FREE).unwrap();
        assert_eq!(all.held(), 0);
        one.hold(FREE + 600).unwrap();
        other.hold(FREE + 400).unwrap();
        assert_eq!(all.held(), 1000);
        let limit = 1000;
        let refused = Err(ProtocolError::TooMuchUnfinished { limit });
        assert_eq!(other.hold(FREE + 401), refused);
        assert_eq!(all.held(), 1000);
        one.hold(FREE + 599).unwrap();
        other.hold(FREE + 401).unwrap();
        one.release();
        assert_eq!(all.held(), 401);
        drop(other);
        assert_eq!(all.held(), 0);
        one.hold(FREE + 1000).unwrap();
        assert_eq!(one.hold(usize::MAX), refused);
    }
}
