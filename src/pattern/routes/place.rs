//! [`Place`]: where somebody stands who waits to send to one peer of a ROUTER.

use crate::pattern::outlet::Outlet;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Ticket;

/// The place in line of somebody who sends, at the peer that had no room.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(super) outlet: Option<Arc<Outlet>>,
    ticket: Ticket,
}

impl Place {
    /// Goes to the line of this outlet, and out of that of another.
    pub(super) fn stand_at(&mut self, outlet: &Arc<Outlet>) -> &mut Ticket {
        let is_there = self
            .outlet
            .as_ref()
            .is_some_and(|there| Arc::ptr_eq(there, outlet));
        if !is_there {
            self.leave();
            self.outlet = Some(Arc::clone(outlet));
        }
        &mut self.ticket
    }

    /// Gives up waiting; a wake-up that had come goes to the next in line.
    pub(crate) fn leave(&mut self) {
        if let Some(outlet) = self.outlet.take() {
            outlet.leave(&mut self.ticket);
        }
    }
}

/// A sender that is dropped while it waits leaves its line.
impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}
