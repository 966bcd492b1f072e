//! [`Attached`]: an endpoint of a socket, from bind or connect until it is taken away.

#[cfg(feature = "inproc")]
use std::sync::Arc;

use tokio::sync::watch;

use super::core::Core;
use crate::endpoint::Endpoint;
use crate::event::Event;
#[cfg(feature = "inproc")]
use crate::peer::link::{self, Bound, Caller};
use crate::peer::{Hub, Standing, Stop};
use crate::pipe::CloseReason;

/// An endpoint that a socket has bound or connected to.
#[derive(Debug)]
pub(super) struct Attached {
    /// As resolved by bind, or as given to connect: the name by which it is taken away.
    pub(super) endpoint: Endpoint,
    /// As given.
    pub(super) given: Endpoint,
    pub(super) kind: Kind,
}

/// What holds an endpoint, and what ends it.
#[derive(Debug)]
pub(super) enum Kind {
    Listener {
        stop: watch::Sender<Stop>,
    },
    Dialer {
        stop: watch::Sender<Stop>,
        standing: Option<Standing>,
    },
    #[cfg(feature = "inproc")]
    Bound(Bound),
    #[cfg(feature = "inproc")]
    Caller {
        caller: Arc<Caller>,
        standing: Option<Standing>,
    },
}

impl Attached {
    pub(super) fn standing(&self) -> Option<&Standing> {
        match &self.kind {
            Kind::Dialer { standing, .. } => standing.as_ref(),
            #[cfg(feature = "inproc")]
            Kind::Caller { standing, .. } => standing.as_ref(),
            _ => None,
        }
    }

    /// The queue of a connecting end whose messages nobody has: what a socket of this process can
    /// read has been delivered to it.
    pub(super) fn undelivered(&self) -> Option<&Standing> {
        match &self.kind {
            #[cfg(feature = "inproc")]
            Kind::Caller { standing, .. } => standing
                .as_ref()
                .filter(|standing| !standing.outbound.is_consumed()),
            _ => self.standing(),
        }
    }

    /// Whether something may go on here after it was taken away: a handshake, or a queue that is sent.
    pub(super) fn lingers(&self) -> bool {
        match &self.kind {
            Kind::Dialer { .. } => true,
            #[cfg(feature = "inproc")]
            Kind::Caller { standing, .. } => standing.is_some(),
            _ => false,
        }
    }

    /// Whether connections of this endpoint belong to it.
    pub(super) fn is_at(&self, endpoint: &Endpoint) -> bool {
        self.endpoint == *endpoint
    }

    /// Whether it was given by this name, or is called so.
    pub(super) fn is_named(&self, name: &Endpoint) -> bool {
        self.endpoint == *name || self.given == *name
    }

    /// Whether nobody calls any more for what is queued here.
    #[cfg(feature = "inproc")]
    pub(super) fn is_over(&self) -> bool {
        matches!(&self.kind, Kind::Caller { caller, .. } if caller.is_over())
    }

    pub(super) const fn is_bound(&self) -> bool {
        match &self.kind {
            Kind::Listener { .. } => true,
            #[cfg(feature = "inproc")]
            Kind::Bound(_) => true,
            _ => false,
        }
    }

    /// Begins nothing new here. What is queued may still be sent.
    pub(super) fn retire(&self, core: &Core) {
        self.stop(core);
        self.tell_closed(core);
    }

    /// As [`retire`](Self::retire), without telling so yet.
    #[cfg_attr(not(feature = "inproc"), expect(unused_variables))]
    pub(super) fn stop(&self, core: &Core) {
        match &self.kind {
            Kind::Listener { stop } | Kind::Dialer { stop, .. } => {
                stop.send_replace(Stop::Drain);
            }
            #[cfg(feature = "inproc")]
            Kind::Bound(bound) => bound.give_up(core.context.names()),
            #[cfg(feature = "inproc")]
            Kind::Caller { caller, .. } => {
                if let Some(lingering) = caller.retire() {
                    core.spawn(lingering);
                }
            }
        }
        if let Some(standing) = self.standing() {
            standing.outbound.close(CloseReason::Done);
        }
    }

    pub(super) fn tell_closed(&self, core: &Core) {
        // A listener's task tells this itself, when the address is free again.
        if !matches!(self.kind, Kind::Listener { .. }) {
            core.tell(Event::Closed {
                endpoint: self.endpoint.clone(),
            });
        }
    }

    /// Waits until all tasks of this endpoint, and of the connections that came in by it, have
    /// ended.
    pub(super) async fn ended(&self) {
        match &self.kind {
            // Each of them holds a receiver for as long as it runs.
            Kind::Listener { stop } | Kind::Dialer { stop, .. } => stop.closed().await,
            // What is queued for nobody lingers to the end.
            #[cfg(feature = "inproc")]
            Kind::Caller { caller, .. } if !caller.is_over() => std::future::pending().await,
            #[cfg(feature = "inproc")]
            Kind::Bound { .. } | Kind::Caller { .. } => {}
        }
    }

    pub(super) fn halt(&self) {
        match &self.kind {
            Kind::Listener { stop } | Kind::Dialer { stop, .. } => {
                stop.send_replace(Stop::Halt);
            }
            #[cfg(feature = "inproc")]
            Kind::Caller { caller, .. } => caller.cancel(),
            #[cfg(feature = "inproc")]
            Kind::Bound { .. } => {}
        }
    }

    /// This socket has a place for a peer again: whoever has been waiting for it is asked.
    #[cfg(feature = "inproc")]
    pub(super) fn recall(&self, core: &Core) {
        match &self.kind {
            Kind::Bound(bound) => link::invite(bound, core.context.names()),
            Kind::Caller { caller, .. } => caller.resume(),
            _ => {}
        }
    }
}
