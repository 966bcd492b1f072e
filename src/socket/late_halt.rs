//! The end of endpoints that have been taken away: what has not flushed within linger is halted, and
//! counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::join_all;

use super::attached::Attached;
use super::core::{Core, State};
use crate::peer::{Hub, Newcomer};
use crate::pipe::CloseReason;

impl Core {
    /// After the linger time, ends what has not ended by itself.
    pub(super) fn halt_after_linger(
        self: &Arc<Self>,
        gone: Vec<Arc<Attached>>,
        peers: Vec<Newcomer>,
    ) {
        #[cfg(feature = "inproc")]
        let peers: Vec<Newcomer> = peers.into_iter().filter(|p| p.link.is_none()).collect();
        // Wherever the connections may run: a runtime that ends takes this along.
        for runtime in self.runtimes() {
            // Not one of the tasks that a close waits for.
            runtime.spawn(Arc::clone(self).late_halt(gone.clone(), peers.clone()));
        }
    }

    async fn late_halt(self: Arc<Self>, gone: Vec<Arc<Attached>>, peers: Vec<Newcomer>) {
        let Some(linger) = self.options().linger else {
            return;
        };
        let mut closed = self.report.subscribe();
        let ended = || join_all(gone.iter().map(|attached| attached.ended()));
        let in_time = tokio::select! {
            () = tokio::time::sleep(linger) => false,
            _ = ended() => true,
            _ = closed.wait_for(Option::is_some) => return,
        };
        if !in_time {
            gone.iter().for_each(|attached| attached.halt());
            peers
                .iter()
                .for_each(|peer| peer.pipes.outbound.close(CloseReason::Now));
            tokio::select! {
                _ = ended() => {}
                _ = closed.wait_for(Option::is_some) => return,
            }
        }
        gone.iter().for_each(|attached| self.count_left(attached));
    }

    /// An endpoint that was taken away has come to its end. Counts what nobody has come for until then,
    /// or the dialer has given up before; once.
    pub(super) fn count_left(&self, gone: &Arc<Attached>) {
        let mut state = self.state.lock();
        let Some(place) = state
            .leaving
            .iter()
            .position(|other| Arc::ptr_eq(other, gone))
        else {
            return;
        };
        state.leaving.swap_remove(place);
        let Some(standing) = gone.undelivered() else {
            return;
        };
        // In one hold with its removal: what a report does not find among those that are leaving, it
        // finds counted.
        let left = standing.outbound.queued_messages() as u64;
        self.count_dropped(&mut state, left);
        drop(state);
        drop(standing.outbound.drain());
    }

    /// As [`count_left`](Self::count_left), for all that have come to their end where no task says so.
    #[cfg(feature = "inproc")]
    pub(super) fn count_over(&self) {
        let leaving = self.state.lock().leaving.clone();
        let over = leaving.iter().filter(|gone| gone.is_over());
        over.for_each(|gone| self.count_left(gone));
    }

    /// Messages had nowhere to go when a peer, or the way to it, was given up.
    pub(super) fn count_departed(&self, dropped: u64) {
        self.count_dropped(&mut self.state.lock(), dropped);
    }

    fn count_dropped(&self, state: &mut State, dropped: u64) {
        let totals = &mut state.totals;
        totals.dropped = totals.dropped.saturating_add(dropped);
        totals.drops.departed = totals.drops.departed.saturating_add(dropped);
        if state.closing {
            self.unsent.fetch_add(dropped, Ordering::Relaxed);
        }
    }
}
