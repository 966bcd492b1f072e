//! [`Tending`]: the task of an endpoint, and what becomes of the endpoint when that task ends.

use std::sync::Arc;

use super::attached::{Attached, Kind};
use super::core::Core;
use super::counting::count_sent;
use crate::event::{DisconnectReason, Event};
use crate::pattern::Departure;
use crate::peer::{Hub, Standing};

/// Held by the task that dials for an endpoint, or listens at it.
///
/// A task that is dropped before it has [finished](Self::finish) has been caught by the end of its runtime.
/// The socket may outlive that, and nobody else would ever dial or listen: the endpoint is given up, so
/// that what is queued for it goes elsewhere and whoever waits for room there does so no longer.
#[derive(Debug)]
pub(super) struct Tending {
    core: Arc<Core>,
    attached: Arc<Attached>,
    finished: bool,
}

impl Tending {
    pub(super) fn new(core: &Arc<Core>, attached: &Arc<Attached>) -> Self {
        Self {
            core: Arc::clone(core),
            attached: Arc::clone(attached),
            finished: false,
        }
    }

    /// The task has come to its end, and the endpoint with it.
    pub(super) fn finish(mut self) {
        self.finished = true;
        self.core.count_taken_away(&self.attached);
    }

    /// The task will not try again, though nobody has taken the endpoint away.
    pub(super) fn give_up(mut self) {
        self.finished = true;
        self.core.give_up(&self.attached);
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.core.give_up(&self.attached);
        if let Kind::Listener { .. } = self.attached.kind {
            // As the task would have told: the address is free.
            self.core.tell(Event::Closed {
                endpoint: self.attached.endpoint.clone(),
            });
        }
    }
}

impl Core {
    /// An endpoint at which nobody dials or listens any more: what is queued for it goes to others, or
    /// is lost.
    fn give_up(&self, attached: &Arc<Attached>) {
        {
            let mut state = self.state.lock();
            let before = state.endpoints.len();
            if !state.closing {
                let endpoints = &mut state.endpoints;
                endpoints.retain(|other| !Arc::ptr_eq(other, attached));
            }
            if state.endpoints.len() == before {
                drop(state);
                return self.count_taken_away(attached);
            }
        }
        attached.stop(self);
        if let Some(standing) = attached.standing() {
            self.inherit(attached, standing);
        }
        // Now that others have what was queued for it: whoever hears of this may count on that.
        attached.tell_closed(self);
        #[cfg(feature = "inproc")]
        self.turned_away.call_back(&*self.pattern);
    }

    /// The task of an endpoint that was taken away has ended, perhaps with the runtime that was to see to the rest.
    fn count_taken_away(&self, attached: &Arc<Attached>) {
        let endpoints = self.state.lock().endpoints.clone();
        // Else the socket is closing, and its report counts what is left.
        if !endpoints.iter().any(|other| Arc::ptr_eq(other, attached)) {
            self.count_left(attached);
        }
    }

    /// What was queued for an endpoint goes to others, or is lost.
    fn inherit(&self, attached: &Attached, standing: &Standing) {
        let passed = standing.outbound.passed();
        let departure = Departure {
            unwritten: standing.outbound.drain(),
            keeps_outbound: false,
            endpoint: attached.endpoint.clone(),
            reason: DisconnectReason::Closed,
        };
        let dropped = self.pattern.detach(standing.id, departure) as u64;
        count_sent(&mut self.state.lock().totals, passed);
        self.count_departed(dropped);
        self.give_up_seat(standing.id);
    }
}
