//! The end of endpoints that have been taken away: what has not flushed within linger is halted.

use std::sync::Arc;

use futures::future::join_all;

use super::attached::Attached;
use super::core::Core;
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
        tokio::select! {
            () = tokio::time::sleep(linger) => {}
            _ = join_all(gone.iter().map(|attached| attached.ended())) => return,
            _ = closed.wait_for(Option::is_some) => return,
        }
        gone.iter().for_each(|attached| attached.halt());
        peers
            .iter()
            .for_each(|peer| peer.pipes.outbound.close(CloseReason::Now));
    }
}
