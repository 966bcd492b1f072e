//! Endpoints come and go: bind, connect, unbind, disconnect, close.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::attached::{Attached, Kind};
use super::closing::Closing;
use super::core::Core;
use super::counting::count_sent;
use super::home::Home;
use super::stats::CloseReport;
use super::tending::Tending;
use crate::endpoint::Endpoint;
use crate::error::BindError;
use crate::error::{ConnectError, UnknownEndpoint};
use crate::event::{DisconnectReason, Event};
use crate::identity::Identity;
use crate::pattern::Departure;
use crate::peer::acceptor::{self, Spawn};
#[cfg(feature = "inproc")]
use crate::peer::link::{self, Bound, Caller};
use crate::peer::{Hub, Newcomer, Stop, dialer, outbound_pipe};
use crate::pipe::{CloseReason, Pipe};
use crate::transport::{self, Listener, OwnListener};

/// How long tasks get to end once they have been told to halt; they only have to be scheduled.
const HALT: Duration = Duration::from_secs(5);

impl Core {
    pub(crate) async fn bind(self: &Arc<Self>, given: Endpoint) -> Result<Endpoint, BindError> {
        if self.is_closing() {
            return Err(BindError::Closed);
        }
        #[cfg(feature = "inproc")]
        if let Endpoint::Inproc(inproc) = &given {
            return self.bind_inproc(&given, inproc.name());
        }
        let Some(home) = self.home() else {
            return Err(BindError::NoRuntime { endpoint: given });
        };
        given.check_bindable()?;
        let options = self.options();
        let bind = transport::bind(&given, &options.transport);
        let listener = home.around(bind).await?;
        self.listen(given, listener, home)
    }

    pub(crate) fn bind_listener(
        self: &Arc<Self>,
        listener: OwnListener,
    ) -> Result<Endpoint, BindError> {
        let bound = self.adopt(listener);
        bound.inspect_err(|error| self.tell_of(error))
    }

    fn adopt(self: &Arc<Self>, listener: OwnListener) -> Result<Endpoint, BindError> {
        if self.is_closing() {
            return Err(BindError::Closed);
        }
        let endpoint = listener.endpoint()?;
        let Some(home) = self.home() else {
            return Err(BindError::NoRuntime { endpoint });
        };
        let listener = {
            let _inside = home.enter();
            listener.into_listener(endpoint.clone())
        };
        let listener = listener.map_err(|error| BindError::from_io(&endpoint, error))?;
        self.listen(endpoint, listener, home)
    }

    /// Takes connections from a listener, in the runtime in which it was made.
    fn listen(
        self: &Arc<Self>,
        given: Endpoint,
        listener: Listener,
        home: Home,
    ) -> Result<Endpoint, BindError> {
        let endpoint = listener.endpoint().clone();
        let (stop, stopped) = watch::channel(Stop::Run);
        self.remember(&home);
        let kind = Kind::Listener { stop };
        // A close from another thread finds the endpoint from now on, and waits for its task.
        let begun = self.tasks.begin();
        let Some(attached) = self.attach(Attached {
            endpoint: endpoint.clone(),
            given,
            kind,
        }) else {
            return Err(BindError::Closed);
        };
        let tending = Tending::new(self, &attached);
        let core = Arc::clone(self);
        let spawn: Arc<Spawn> = Arc::new(move |session| core.spawn(session));
        let hub: Arc<dyn Hub> = Arc::clone(self) as Arc<dyn Hub>;
        self.tell(Event::Listening {
            endpoint: endpoint.clone(),
        });
        self.spawn_at(home, async move {
            acceptor::run(hub, listener, stopped, spawn).await;
            tending.finish();
        });
        drop(begun);
        Ok(endpoint)
    }

    /// Takes the name and joins everybody who has been waiting for it.
    #[cfg(feature = "inproc")]
    fn bind_inproc(self: &Arc<Self>, given: &Endpoint, name: &str) -> Result<Endpoint, BindError> {
        let hub: Arc<dyn Hub> = Arc::clone(self) as Arc<dyn Hub>;
        let bound = Bound::new(&hub, given.clone());
        let waiting = {
            let mut state = self.state.lock();
            if state.closing {
                return Err(BindError::Closed);
            }
            // In one step: who finds the name must find the endpoint at its socket, or it takes the
            // socket for one that is closing, and frees the name.
            let Ok(waiting) = self.context.names().bind(name, bound.clone()) else {
                return Err(BindError::from_io(
                    given,
                    std::io::ErrorKind::AddrInUse.into(),
                ));
            };
            state.endpoints.push(Arc::new(Attached {
                endpoint: given.clone(),
                given: given.clone(),
                kind: Kind::Bound(bound.clone()),
            }));
            waiting
        };
        self.tell(Event::Listening {
            endpoint: given.clone(),
        });
        for caller in &waiting {
            link::join(&bound, caller);
        }
        Ok(given.clone())
    }

    /// With a name, the peer is addressed by it, connected or not.
    pub(crate) fn connect(
        self: &Arc<Self>,
        endpoint: Endpoint,
        name: Option<&Identity>,
    ) -> Result<Endpoint, ConnectError> {
        endpoint.check_connectable()?;
        if self.is_closing() {
            return Err(ConnectError::Closed);
        }
        let hub: Arc<dyn Hub> = Arc::clone(self) as Arc<dyn Hub>;
        let given = endpoint.clone();
        #[cfg(feature = "inproc")]
        if let Endpoint::Inproc(inproc) = &endpoint {
            let names = Arc::clone(self.context.names());
            let standing =
                self.standing(link::inproc_pipe(self.options().send), &endpoint, name)?;
            let caller = Caller::new(&hub, given.clone(), inproc.name(), names, standing.clone());
            let kind = Kind::Caller {
                caller: Arc::clone(&caller),
                standing,
            };
            if self
                .attach(Attached {
                    endpoint: given.clone(),
                    given,
                    kind,
                })
                .is_none()
            {
                return Err(ConnectError::Closed);
            }
            caller.call();
            return Ok(endpoint);
        }
        if !transport::is_supported(&endpoint) {
            return Err(ConnectError::Unsupported { endpoint });
        }
        let Some(home) = self.home() else {
            return Err(ConnectError::NoRuntime { endpoint });
        };
        self.remember(&home);
        let (stop, stopped) = watch::channel(Stop::Run);
        let standing = self.standing(outbound_pipe(self.options().send), &endpoint, name)?;
        let kind = Kind::Dialer {
            stop,
            standing: standing.clone(),
        };
        // As for a listener.
        let begun = self.tasks.begin();
        let Some(attached) = self.attach(Attached {
            endpoint: given.clone(),
            given,
            kind,
        }) else {
            return Err(ConnectError::Closed);
        };
        let (tending, dial) = (Tending::new(self, &attached), endpoint.clone());
        // A future that is handed on by value has a place in each that awaits it.
        let dialing = Box::pin(dialer::run(hub, dial, standing, stopped));
        self.spawn_at(home, async move {
            match dialing.await {
                dialer::End::Stopped => tending.finish(),
                dialer::End::GaveUp => tending.give_up(),
            }
        });
        drop(begun);
        Ok(endpoint)
    }

    pub(crate) fn unbind(self: &Arc<Self>, endpoint: &str) -> Result<(), UnknownEndpoint> {
        self.take_away(endpoint, true)
    }

    pub(crate) fn disconnect(self: &Arc<Self>, endpoint: &str) -> Result<(), UnknownEndpoint> {
        self.take_away(endpoint, false)
    }

    /// Ends every endpoint of this name, and its connections after they have been flushed.
    fn take_away(self: &Arc<Self>, text: &str, bound: bool) -> Result<(), UnknownEndpoint> {
        // Read, not compared as text: port 0 was given, and is printed as `*`.
        let named = text.parse::<Endpoint>().ok();
        let gone = {
            let mut state = self.state.lock();
            let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut state.endpoints)
                .into_iter()
                .partition(|attached| {
                    attached.is_bound() == bound
                        && named.as_ref().is_some_and(|named| attached.is_named(named))
                });
            state.endpoints = kept;
            let lingering = gone.iter().filter(|gone| gone.lingers());
            state.leaving.extend(lingering.cloned());
            gone
        };
        if gone.is_empty() {
            return Err(UnknownEndpoint {
                endpoint: text.to_owned(),
            });
        }
        gone.iter().for_each(|attached| attached.retire(self));
        #[cfg(feature = "inproc")]
        self.count_over();
        // Only now: who is admitted later finds the endpoint retired.
        let peers = self.peers_at(&gone);
        for standing in gone.iter().filter_map(|attached| attached.standing()) {
            // Its queue is closed: nothing is added to these numbers any more.
            let passed = standing.outbound.passed();
            count_sent(&mut self.state.lock().totals, passed);
        }
        for peer in &peers {
            // As in libzmq: whoever disconnects does not want to hear what is left, whoever
            // unbinds may still read what has arrived.
            if !bound {
                self.pattern.forget(peer.id);
            }
            self.say_goodbye(peer);
        }
        for attached in &gone {
            if let Some(standing) = attached.standing() {
                let (endpoint, reason) = (attached.endpoint.clone(), DisconnectReason::Closed);
                let departure = Departure::with_nothing_left(false, endpoint, reason);
                self.pattern.detach(standing.id, departure);
                self.give_up_seat(standing.id);
            }
        }
        #[cfg(feature = "inproc")]
        self.turned_away.call_back(&*self.pattern);
        self.halt_after_linger(gone, peers);
        Ok(())
    }

    fn peers_at(&self, gone: &[Arc<Attached>]) -> Vec<Newcomer> {
        let state = self.state.lock();
        let peers = state.peers.values().map(|peer| &peer.newcomer);
        peers
            .filter(|peer| gone.iter().any(|gone| gone.is_at(peer.peer.endpoint())))
            .cloned()
            .collect()
    }

    /// Lets a connection send what is queued, and then end.
    fn say_goodbye(&self, peer: &Newcomer) {
        peer.pipes.outbound.close(CloseReason::Done);
        #[cfg(feature = "inproc")]
        if let Some(link) = &peer.link {
            // What is in the pipe is with the peer already.
            let (endpoint, reason) = (peer.peer.endpoint().clone(), DisconnectReason::Closed);
            let departure = Departure::with_nothing_left(peer.standing, endpoint, reason);
            link.hang_up(DisconnectReason::Closed, || {
                self.depart(peer.id, departure);
            });
        }
    }

    /// Begins to close: nothing new, flush within linger, then end. Ends by itself in the
    /// background.
    pub(crate) fn begin_close(self: &Arc<Self>) {
        let (endpoints, peers) = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.closing, true) {
                return;
            }
            let endpoints = state.endpoints.clone();
            let peers: Vec<Newcomer> = state
                .peers
                .values()
                .map(|peer| peer.newcomer.clone())
                .collect();
            (endpoints, peers)
        };
        let orphans = self.pattern.close() as u64;
        self.unsent.fetch_add(orphans, Ordering::Relaxed);
        endpoints.iter().for_each(|attached| attached.retire(self));
        peers.iter().for_each(|peer| self.say_goodbye(peer));
        Closing::start(Arc::clone(self), endpoints, self.runtimes());
    }

    /// Waits until every task has sent what it had; after linger, ends those that have not.
    pub(super) async fn flush(&self, endpoints: &[Arc<Attached>]) {
        let Some(linger) = self.options().linger else {
            return self.tasks.ended().await;
        };
        if tokio::time::timeout(linger, self.tasks.ended())
            .await
            .is_ok()
        {
            return;
        }
        let (leaving, pipes) = {
            let state = self.state.lock();
            let peers = state.peers.values();
            let pipes: Vec<Arc<Pipe>> = peers
                .map(|peer| Arc::clone(&peer.newcomer.pipes.outbound))
                .collect();
            (state.leaving.clone(), pipes)
        };
        let ending = endpoints.iter().chain(&leaving);
        ending.for_each(|attached| attached.halt());
        pipes.iter().for_each(|pipe| pipe.close(CloseReason::Now));
        // Elapses only when the runtime does not get to its tasks; the report is due all the same.
        let _ = tokio::time::timeout(HALT, self.tasks.ended()).await;
    }

    /// Counts what was left, and reports.
    pub(super) fn conclude(&self, endpoints: &[Arc<Attached>]) {
        let leaving = self.state.lock().leaving.clone();
        leaving.iter().for_each(|gone| self.count_left(gone));
        let unsent = self.count_unsent();
        let standing = endpoints
            .iter()
            .filter_map(|attached| attached.undelivered());
        standing.for_each(|standing| drop(standing.outbound.drain()));
        self.report.send_replace(Some(CloseReport { unsent }));
        self.events.close();
    }

    /// Closes and waits until it is done.
    pub(crate) async fn close(self: &Arc<Self>) -> CloseReport {
        self.begin_close();
        let mut report = self.report.subscribe();
        match report.wait_for(Option::is_some).await {
            Ok(report) => report.unwrap_or_default(),
            Err(_) => CloseReport::default(),
        }
    }

    /// What has not left this socket.
    pub(super) fn count_unsent(&self) -> u64 {
        let state = self.state.lock();
        let endpoints = state.endpoints.iter().chain(&state.leaving);
        let standing = endpoints.filter_map(|attached| attached.undelivered());
        let own = state
            .peers
            .values()
            .map(|peer| &peer.newcomer)
            .filter(|peer| !peer.standing);
        #[cfg(feature = "inproc")]
        let own = own.filter(|peer| peer.link.is_none());
        let outbound = standing.map(|standing| &standing.outbound);
        let queued: usize = outbound
            .chain(own.map(|peer| &peer.pipes.outbound))
            .map(|pipe| pipe.load().messages)
            .sum();
        self.unsent
            .load(Ordering::Relaxed)
            .saturating_add(queued as u64)
    }

    /// What it is bound and connected to, as text.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let state = self.state.lock();
        let endpoints = state.endpoints.iter();
        endpoints
            .map(|attached| attached.endpoint.to_string())
            .collect()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// Notes an endpoint; none, and the endpoint is taken down again, when the socket has been
    /// closed meanwhile.
    fn attach(&self, attached: Attached) -> Option<Arc<Attached>> {
        let mut state = self.state.lock();
        if state.closing {
            drop(state);
            attached.retire(self);
            attached.halt();
            return None;
        }
        let attached = Arc::new(attached);
        state.endpoints.push(Arc::clone(&attached));
        Some(attached)
    }
}
