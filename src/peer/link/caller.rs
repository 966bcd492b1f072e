//! [`Caller`]: one `connect` to a name, and what it waits for.

use std::sync::Weak;

use tokio::sync::Notify;

use super::{Bound, Names, invite, join, put_probe};
use crate::endpoint::Endpoint;
use crate::pattern::PeerId;
use crate::peer::{Hub, Standing};
use crate::pipe::sync::{Arc, AtomicBool, Mutex, Ordering};
use crate::pipe::{CloseReason, Pipe};

/// One `connect` to a name, for as long as it is wanted.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(super) hub: Weak<dyn Hub>,
    pub(super) endpoint: Endpoint,
    pub(super) name: String,
    pub(super) names: Arc<Names>,
    pub(super) standing: Option<Standing>,
    /// Whether `disconnect` or `close` has ended it.
    pub(super) over: Mutex<bool>,
    /// Ends the task that calls for what is left, when that is over.
    pub(super) ended: Notify,
    /// Whether a probe waits in the standing pipe for the next socket that reads it.
    pub(super) probes: AtomicBool,
    /// Whether it waits until its own socket has a place for a peer.
    pub(super) waits: AtomicBool,
}

impl Caller {
    pub(crate) fn new(
        hub: &Arc<dyn Hub>,
        endpoint: Endpoint,
        name: &str,
        names: Arc<Names>,
        standing: Option<Standing>,
    ) -> Arc<Self> {
        let name = name.to_owned();
        Arc::new(Self {
            hub: Arc::downgrade(hub),
            endpoint,
            name,
            names,
            standing,
            over: Mutex::new(false),
            ended: Notify::new(),
            probes: AtomicBool::new(false),
            waits: AtomicBool::new(false),
        })
    }

    /// Joins whoever is bound to the name, or waits for somebody to be.
    pub(crate) fn call(self: Arc<Self>) {
        self.call_if(|_| true);
    }

    /// As [`call`](Self::call), but leaves this one alone.
    pub(super) fn call_others(self: Arc<Self>, shunned: &Bound) {
        self.call_if(|bound| !bound.is(shunned));
    }

    fn call_if(self: Arc<Self>, accepts: impl FnOnce(&Bound) -> bool) {
        let found = {
            // Who cancels waits for this lock, and then finds what waits.
            let over = self.over.lock();
            if *over {
                return;
            }
            self.names.connect(&self.name, Arc::clone(&self), accepts)
        };
        if let Some((bound, caller)) = found {
            join(&bound, &caller);
        }
    }

    /// Calls again when a peer of its own socket has left: it has one at a time.
    pub(super) fn wait_for_own_seat(self: &Arc<Self>, client: &dyn Hub) {
        self.waits.store(true, Ordering::Release);
        if client.has_seat(self.standing_id()) {
            // That was a moment ago.
            self.resume();
        }
    }

    /// Its own socket has a place for a peer again.
    pub(crate) fn resume(self: &Arc<Self>) {
        if self.waits.swap(false, Ordering::AcqRel) {
            Arc::clone(self).call();
        }
    }

    /// Is called when the peer of the bound socket has left: that has one at a time.
    pub(super) fn wait_for_their_seat(self: &Arc<Self>, bound: &Bound) {
        {
            let over = self.over.lock();
            if *over {
                return;
            }
            self.names.queue(&self.name, Arc::clone(self));
        }
        // That may have been a moment ago.
        invite(bound, &self.names);
    }

    pub(super) fn standing_id(&self) -> Option<PeerId> {
        self.standing.as_ref().map(|standing| standing.id)
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.over.lock()
    }

    /// Puts a probe in front of what is queued.
    pub(super) fn probe(&self, outbound: &Pipe) {
        if self.standing.is_none() || !self.probes.swap(true, Ordering::Relaxed) {
            put_probe(outbound);
        }
    }

    /// Never calls again. A link that stands is ended by hanging up.
    pub(crate) fn cancel(self: &Arc<Self>) {
        *self.over.lock() = true;
        self.names
            .withdraw(&self.name, |other| Arc::ptr_eq(other, self));
        self.ended.notify_one();
    }

    /// The endpoint is taken away. What is queued and nobody has is still called for by the task
    /// that is returned, until somebody has come for it or it is [cancelled](Self::cancel), as it
    /// is when the task is dropped.
    pub(crate) fn retire(self: &Arc<Self>) -> Option<impl Future<Output = ()> + Send + use<>> {
        let is_queued = self
            .standing
            .as_ref()
            .is_some_and(|Standing { outbound, .. }| {
                outbound.close(CloseReason::Done);
                !outbound.is_consumed() && outbound.load().messages > 0
            });
        if !is_queued {
            self.cancel();
            return None;
        }
        let lingering = Lingering(Arc::clone(self));
        Some(async move { lingering.0.ended.notified().await })
    }
}

/// Calls until it is dropped.
struct Lingering(Arc<Caller>);

impl Drop for Lingering {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
