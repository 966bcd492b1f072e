//! [`Core`]: what every socket is beneath its type: options, endpoints, peers, tasks, counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokio::runtime;
use tokio::sync::watch;

use super::attached::Attached;
use super::context::Context;
use super::counting::Peer;
use super::events::EventHub;
use super::stats::{CloseReport, SocketStats};
#[cfg(feature = "inproc")]
use super::turned_away::TurnedAway;
use crate::event::{DisconnectReason, Event};
#[cfg(feature = "inproc")]
use crate::fault::PeerFault;
#[cfg(feature = "inproc")]
use crate::identity::Identity;
use crate::options::Options;
use crate::pattern::{Departure, NameTaken, Pattern, PeerId};
#[cfg(feature = "inproc")]
use crate::peer::link::Caller;
use crate::peer::{Admitted, Hub, Newcomer, Pulse};
use crate::pipe::CloseReason;
use crate::pipe::sync::Mutex;
use crate::socket_type::SocketType;
use crate::trace::Span;
use crate::wire::connection::Admission;
use crate::wire::partials::Partials;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) me: Weak<Self>,
    /// Changed as a whole, so that nobody sees half a change.
    options: Mutex<Arc<Options>>,
    pub(super) socket_type: SocketType,
    pub(super) context: Context,
    pub(super) pattern: Arc<dyn Pattern>,
    pub(super) events: EventHub,
    pub(super) span: Span,
    /// Held for a few instructions; no pipe, pattern or link is called under it. A name of inproc is
    /// taken under it.
    pub(super) state: Mutex<State>,
    pub(super) tasks: Tasks,
    #[cfg(feature = "inproc")]
    pub(super) turned_away: TurnedAway,
    /// Set once everything has ended.
    pub(super) report: watch::Sender<Option<CloseReport>>,
    next_peer: AtomicU64,
    pulse: Arc<Pulse>,
    partials: Arc<Partials>,
    /// Messages that the end of the socket caught unsent.
    pub(super) unsent: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closing: bool,
    /// The runtime of the first bind or connect: where a socket that is dropped elsewhere flushes.
    /// None where the context has threads.
    pub(super) runtime: Option<runtime::Handle>,
    pub(super) endpoints: Vec<Arc<Attached>>,
    /// Those that were taken away, and whose dialers or queues have not come to their end.
    pub(super) leaving: Vec<Arc<Attached>>,
    pub(super) peers: HashMap<PeerId, Peer>,
    /// What peers and pipes that are gone have counted.
    pub(super) totals: SocketStats,
}

impl State {
    /// The limit of peers, if `most` is one and has been reached.
    fn full(&self, most: Option<usize>) -> Option<usize> {
        most.filter(|most| self.peers.len() >= *most)
    }
}

impl Core {
    pub(crate) fn new(
        mut options: Options,
        socket_type: SocketType,
        context: Context,
        pattern: Arc<dyn Pattern>,
    ) -> Arc<Self> {
        options.suit(socket_type);
        let core = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            options: Mutex::new(Arc::new(options)),
            socket_type,
            context,
            pattern,
            events: EventHub::default(),
            span: Span::socket(socket_type),
            state: Mutex::new(State::default()),
            tasks: Tasks::default(),
            #[cfg(feature = "inproc")]
            turned_away: TurnedAway::default(),
            report: watch::Sender::new(None),
            next_peer: AtomicU64::new(0),
            pulse: Arc::default(),
            partials: Arc::default(),
            unsent: AtomicU64::new(0),
        });
        let doorman: Weak<Self> = Weak::clone(&core.me);
        core.pattern.employ(doorman);
        core.context.register(&core);
        core
    }

    /// Changes options. What reads them later sees all of the change.
    pub(super) fn change_options(&self, change: impl FnOnce(&mut Options)) {
        // Dropped when all locks have been released: a welcome may be bytes of the user's own.
        let before = self.options();
        let mut options = self.options.lock();
        let changed = Arc::make_mut(&mut options);
        change(changed);
        changed.suit(self.socket_type);
        self.pattern.adopt(&options);
        drop(options);
        drop(before);
        self.pattern.adopted();
    }

    /// The place of a peer is free: whoever has been waiting for it is asked.
    pub(super) fn give_up_seat(&self, id: PeerId) {
        if self.pattern.give_up_seat(id) {
            #[cfg(feature = "inproc")]
            {
                let endpoints = self.state.lock().endpoints.clone();
                endpoints.iter().for_each(|attached| attached.recall(self));
            }
        }
    }

    /// A runtime has ended before the flush.
    pub(super) fn warn_of_unsent(&self) {
        let unsent = self.count_unsent();
        if unsent > 0 {
            self.span.log_unsent(unsent);
        }
    }
}

impl Hub for Core {
    fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options.lock())
    }

    fn socket_type(&self) -> SocketType {
        self.socket_type
    }

    fn listens(&self) -> bool {
        self.pattern.listens()
    }

    #[cfg(feature = "inproc")]
    fn wants_too_long(&self) -> bool {
        self.pattern.wants_too_long()
    }

    fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    fn partials(&self) -> Arc<Partials> {
        Arc::clone(&self.partials)
    }

    fn io_threads(&self) -> usize {
        self.context.io_threads()
    }

    fn next_peer_id(&self) -> PeerId {
        PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed))
    }

    fn has_seat(&self, standing: Option<PeerId>) -> bool {
        self.pattern.has_seat(standing)
    }

    fn full(&self) -> Option<usize> {
        let most = self.options().max_peers;
        self.state.lock().full(most)
    }

    fn admit(&self, newcomer: Newcomer) -> Result<Admitted, DisconnectReason> {
        let (id, standing) = (newcomer.id, newcomer.standing);
        if !self.pattern.take_seat(id) {
            return Err(DisconnectReason::Occupied);
        }
        let peer = Peer::new(newcomer.clone());
        #[cfg(feature = "inproc")]
        let linked = newcomer.link.is_some();
        #[cfg(not(feature = "inproc"))]
        let linked = false;
        let most = self.options().max_peers;
        {
            let mut state = self.state.lock();
            // A dialer may still bring what is queued to its peer. Anybody else would have nobody to
            // end it: whoever takes the endpoint away has looked for its peers already.
            let endpoint = newcomer.peer.endpoint();
            let is_known = state.endpoints.iter().any(|known| known.is_at(endpoint));
            let refusal = if (state.closing || !is_known) && (linked || !standing) {
                Some(DisconnectReason::Closed)
            } else {
                // It found room when it came. Others may have been quicker since.
                let limit = state.full(most).filter(|_| newcomer.uninvited);
                limit.map(|limit| DisconnectReason::TooManyPeers { limit })
            };
            if let Some(reason) = refusal {
                drop(state);
                if !standing {
                    self.give_up_seat(id);
                }
                return Err(reason);
            }
            state.peers.insert(id, peer);
        }
        // Marks may have been changed since its pipes were made. (A link sees to that by itself.)
        if !linked {
            self.fit(&newcomer);
        }
        let Newcomer {
            peer: who, pipes, ..
        } = &newcomer;
        // It does not depart before it has been admitted, so no name is given to who is gone.
        let displaced = match self.pattern.welcome(id, who, &pipes.outbound) {
            Ok(displaced) => displaced,
            Err(NameTaken { name, holder }) => {
                self.state.lock().peers.remove(&id);
                return Err(DisconnectReason::IdentityTaken {
                    identity: name,
                    holder,
                });
            }
        };
        if !standing {
            self.watch(id, &pipes.outbound);
            self.pattern.attach_outbound(id, &pipes.outbound);
        }
        if let Some(inbound) = &pipes.inbound {
            self.pattern.attach_inbound(id, who, inbound);
        }
        // In one step: who sees the peer can send to it, and finds it counted.
        let mut state = self.state.lock();
        state.totals.connections = state.totals.connections.saturating_add(1);
        if let Some(peer) = state.peers.get_mut(&id) {
            peer.takes_part = true;
        }
        Ok(Admitted {
            admission: Admission::granted(),
            displaced,
        })
    }

    fn displace(&self, id: PeerId) {
        self.pattern.forget(id);
        self.end_peer(id, CloseReason::Replaced);
    }

    #[cfg(feature = "inproc")]
    fn expel(&self, id: PeerId, fault: PeerFault) {
        crate::pattern::Doorman::expel(self, id, fault);
    }

    #[cfg(feature = "inproc")]
    fn call_later(&self, name: Identity, caller: &Arc<Caller>) {
        self.turned_away.add(name, caller, &*self.pattern);
    }

    #[cfg(feature = "inproc")]
    fn unfinished(&self) -> crate::peer::Unfinished {
        Box::new(self.tasks.begin())
    }

    fn shed(&self, id: PeerId) -> bool {
        self.pattern.shed(id)
    }

    fn depart(&self, id: PeerId, departure: Departure) {
        let Some(peer) = self.state.lock().peers.get(&id).cloned() else {
            return;
        };
        let passed = peer.passed();
        let closing = {
            let mut state = self.state.lock();
            if state.peers.remove(&id).is_none() {
                return;
            }
            // In one step with the removal: whoever asks finds its messages in one place or the other.
            state.totals.add(&passed);
            state.closing
        };
        let reason = departure.reason.clone();
        #[cfg(feature = "inproc")]
        if peer.newcomer.link.is_some() && matches!(reason, DisconnectReason::Closed) {
            self.pattern.keep_rest(id);
        }
        let keeps_seat = departure.keeps_outbound;
        let dropped = self.pattern.detach(id, departure) as u64;
        if closing {
            self.unsent.fetch_add(dropped, Ordering::Relaxed);
        }
        if dropped > 0 {
            let totals = &mut self.state.lock().totals;
            totals.dropped = totals.dropped.saturating_add(dropped);
            totals.drops.departed = totals.drops.departed.saturating_add(dropped);
        }
        self.tell(Event::Disconnected {
            peer: peer.newcomer.peer,
            reason,
            dropped,
        });
        // Only now: its successor is told of afterwards.
        if !keeps_seat {
            self.give_up_seat(id);
        }
        #[cfg(feature = "inproc")]
        self.turned_away.call_back(&*self.pattern);
    }

    fn tell(&self, event: Event) {
        self.span.log(&event);
        match &event {
            Event::HandshakeFailed { .. } => self.state.lock().totals.handshakes_failed += 1,
            Event::ConnectFailed { .. } => self.state.lock().totals.connects_failed += 1,
            Event::Redialing { .. } => self.state.lock().totals.reconnects += 1,
            _ => {}
        }
        self.events.tell(&event);
    }
}

impl Drop for Core {
    /// The last task is gone, too. What is still queued then was caught by the end of the runtime.
    fn drop(&mut self) {
        if self.report.borrow().is_none() {
            self.warn_of_unsent();
        }
    }
}

/// How many tasks of a socket are running.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: watch::Sender<usize>,
}

/// One running task.
#[derive(Debug)]
pub(super) struct Running(watch::Sender<usize>);

impl Tasks {
    /// Counts a task for as long as the value lives.
    pub(super) fn begin(&self) -> Running {
        self.running.send_modify(|count| *count += 1);
        Running(self.running.clone())
    }

    /// Waits until none is running.
    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
