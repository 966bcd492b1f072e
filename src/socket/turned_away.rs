//! [`TurnedAway`]: sockets of this process that wait until a name is free.
//!
//! A peer on the network dials again by itself. One in this process has no task to do so: it is
//! called back.

use std::sync::{Arc, Weak};

use crate::identity::Identity;
use crate::pattern::Pattern;
use crate::peer::link::Caller;
use crate::pipe::sync::Mutex;

/// See the [module](self). Lock order: before the pattern's state.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    waiting: Mutex<Vec<(Identity, Weak<Caller>)>>,
}

impl TurnedAway {
    /// Calls again when the name is free, which it may be already.
    pub(super) fn add(&self, name: Identity, caller: &Arc<Caller>, pattern: &dyn Pattern) {
        let caller = Arc::downgrade(caller);
        self.waiting.lock().push((name, caller));
        self.call_back(pattern);
    }

    /// Has those call whose names are free now.
    pub(super) fn call_back(&self, pattern: &dyn Pattern) {
        let mut free = Vec::new();
        {
            let mut waiting = self.waiting.lock();
            waiting.retain(|(name, caller)| {
                let Some(caller) = caller.upgrade() else {
                    return false;
                };
                let has_to_wait = pattern.has_name(name);
                if !has_to_wait {
                    free.push(caller);
                }
                has_to_wait
            });
        }
        free.into_iter().for_each(Caller::call);
    }
}
