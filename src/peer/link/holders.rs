//! [`Holders`]: who holds a link just now, and what is left to them.
//!
//! Subscriptions are applied in whichever task brings them, also in one that is just joining two sockets
//! or changing the bounds between them. What is found wrong with them there ends the link, as soon as that
//! task has let go of it.

use crate::fault::PeerFault;
use crate::pipe::sync::Mutex;

/// See the [module](self). Its lock comes after that of the link, and nothing is called under it.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    holders: usize,
    left: Option<Left>,
}

/// One side is to expel the other.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) by_client: bool,
    pub(super) fault: PeerFault,
}

impl Holders {
    /// Comes before the lock of the link is taken.
    pub(super) fn enter(&self) {
        self.0.lock().holders += 1;
    }

    /// Comes after it has been released. Returns what the last one has to do.
    #[must_use = "nobody else does it"]
    pub(super) fn leave(&self) -> Option<Left> {
        let mut state = self.0.lock();
        state.holders = state.holders.saturating_sub(1);
        if state.holders > 0 {
            return None;
        }
        state.left.take()
    }

    /// Leaves this to whoever holds the link; `false` when nobody does.
    pub(super) fn take_over(&self, left: Left) -> bool {
        let mut state = self.0.lock();
        let is_held = state.holders > 0;
        if is_held {
            // Either side is enough to end it.
            state.left.get_or_insert(left);
        }
        is_held
    }
}

#[cfg(all(test, not(pipe_loom)))]
mod tests {
    use super::*;
    use crate::fault::ProtocolError;

    fn left(by_client: bool) -> Left {
        let fault = PeerFault::Protocol(ProtocolError::Envelope);
        Left { by_client, fault }
    }

    #[test]
    fn the_last_holder_does_what_was_left_to_any() {
        let holders = Holders::default();
        assert!(!holders.take_over(left(true)));
        holders.enter();
        holders.enter();
        assert!(holders.take_over(left(true)));
        assert!(holders.leave().is_none());
        assert!(holders.take_over(left(false)));
        assert!(holders.leave().is_some_and(|left| left.by_client));
        assert!(!holders.take_over(left(true)));
        holders.enter();
        assert!(holders.leave().is_none());
    }
}
