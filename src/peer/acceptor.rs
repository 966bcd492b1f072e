//! Takes the connections of one bound endpoint and starts a session for each.
//!
//! A stranger can open connections faster than anybody can shake hands. Unfinished handshakes are
//! therefore counted, and the oldest has to go when there are too many; who finds the socket full of peers
//! is turned away at once; a listener that runs out of file descriptors waits and tries again.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::session::{self, Outcome, Place, Session};
use super::turnstile::Turnstile;
use super::{Hub, Stop};
use crate::endpoint::PeerAddress;
use crate::event::{DisconnectReason, Event};
use crate::pipe::sync::{Arc, Mutex};
use crate::trace::Span;
use crate::transport::{Listener, Stream};
use crate::wire::connection::Origin;

/// Handshakes that one listener keeps waiting. Each costs a descriptor and a few KiB, and an honest
/// peer is through in milliseconds, so that only a flood ever comes near.
pub(crate) const UNFINISHED_MAX: usize = 1_024;

/// The first wait after a failed accept, and the longest: the cause (no free descriptor) goes away
/// with other connections, not by asking again at once.
const ACCEPT_WAIT: Duration = Duration::from_millis(10);
const ACCEPT_WAIT_MAX: Duration = Duration::from_secs(1);

/// Starts a task for a session, in this runtime or, where there are several threads for connections, in that
/// of any of them.
pub(crate) type Spawn = dyn Fn(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync;

/// Accepts until it is stopped; then the listener is closed. Sessions go on by themselves.
pub(crate) async fn run(
    hub: Arc<dyn Hub>,
    listener: Listener,
    stop: watch::Receiver<Stop>,
    spawn: Arc<Spawn>,
) {
    let unfinished = Arc::new(Unfinished::new());
    let mut spare = Spare::new();
    let mut wait = ACCEPT_WAIT;
    let mut stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop != Stop::Run) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                wait = ACCEPT_WAIT;
                if let Some(limit) = hub.full() {
                    // A close, without an ERROR: that would forbid the peer to come again.
                    turn_away(&*hub, &listener, stream, address, limit);
                    continue;
                }
                stream.tune(&hub.options().transport);
                start(&hub, &listener, stream, address, &stop, &unfinished, &spawn);
            }
            Err(error) => {
                if is_short_of_descriptors(&error) {
                    spare.turn_one_away(&listener).await;
                }
                hub.tell(Event::AcceptFailed {
                    endpoint: listener.endpoint().clone(),
                    error: Arc::new(error),
                    retry_in: wait,
                });
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = stopped.wait_for(|stop| *stop != Stop::Run) => break,
                }
                wait = (wait * 2).min(ACCEPT_WAIT_MAX);
            }
        }
    }
    unfinished.drop_all();
    let endpoint = listener.endpoint().clone();
    drop(listener);
    // Told only now: whoever waits for it may want to bind there.
    hub.tell(Event::Closed { endpoint });
}

/// One that finds the socket full. There is one event for it and no more, since a flood of them may come.
fn turn_away(
    hub: &dyn Hub,
    listener: &Listener,
    stream: Stream,
    address: PeerAddress,
    limit: usize,
) {
    let local_address = stream.local_address();
    drop(stream);
    hub.tell(Event::HandshakeFailed {
        endpoint: listener.endpoint().clone(),
        address,
        local_address,
        reason: DisconnectReason::TooManyPeers { limit },
    });
}

fn start(
    hub: &Arc<dyn Hub>,
    listener: &Listener,
    stream: Stream,
    address: PeerAddress,
    stop: &watch::Receiver<Stop>,
    unfinished: &Arc<Unfinished>,
    spawn: &Arc<Spawn>,
) {
    let endpoint = listener.endpoint().clone();
    let local_address = stream.local_address();
    hub.tell(Event::Accepted {
        endpoint: endpoint.clone(),
        address: address.clone(),
        local_address,
    });
    let place = Place {
        origin: Origin::Accepted,
        endpoint,
        address,
        local_address,
        standing: None,
        turnstile: Some(Arc::clone(&unfinished.turnstile)),
    };
    let span = Span::connection(&place.endpoint, &place.address);
    let opening = Box::pin(open(
        Arc::clone(hub),
        stream,
        place,
        stop.clone(),
        Arc::clone(unfinished),
    ));
    // Until it has ended, somebody may wait for it who wants this endpoint to be gone.
    let running = stop.clone();
    spawn(Box::pin(async move {
        session::follow(span, opening).await;
        drop(running);
    }));
}

/// Counts a handshake among the unfinished ones for as long as it takes.
fn open(
    hub: Arc<dyn Hub>,
    stream: Stream,
    place: Place,
    mut stop: watch::Receiver<Stop>,
    unfinished: Arc<Unfinished>,
) -> impl Future<Output = Result<Box<Session>, Outcome>> + Send {
    let (number, dropped) = unfinished.add();
    async move {
        let stream = if hub.io_threads() > 1 {
            stream.move_here()
        } else {
            Ok(stream)
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                unfinished.remove(number);
                return Err(session::fail(&*hub, &place, session::io(error)));
            }
        };
        let expelled = pin!(async {
            match dropped.await {
                Ok(reason) => reason,
                Err(_) => pending().await,
            }
        });
        let done = || unfinished.remove(number);
        let opened = session::open(&hub, stream, &place, &mut stop, expelled, done).await;
        unfinished.remove(number);
        opened
    }
}

/// The handshakes under way, the oldest first, each with the means to end it.
#[derive(Debug)]
struct Unfinished {
    state: Mutex<State>,
    /// Where they wait for their turn to compute.
    turnstile: Arc<Turnstile>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    under_way: BTreeMap<u64, oneshot::Sender<DisconnectReason>>,
}

impl Unfinished {
    fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            turnstile: Arc::new(Turnstile::new()),
        }
    }

    /// Counts one more; the oldest is told to go when there are too many.
    fn add(&self) -> (u64, oneshot::Receiver<DisconnectReason>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        state.under_way.insert(number, sender);
        if state.under_way.len() > UNFINISHED_MAX {
            if let Some((_, oldest)) = state.under_way.pop_first() {
                // The receiver is gone when that session has just ended: nothing to tell it then.
                let _ = oldest.send(DisconnectReason::Crowded {
                    limit: UNFINISHED_MAX,
                });
            }
        }
        (number, receiver)
    }

    /// The handshake is over. Dropping its sender leaves the session alone: only a reason ends it.
    fn remove(&self, number: u64) {
        self.state.lock().under_way.remove(&number);
    }

    fn drop_all(&self) {
        let under_way = std::mem::take(&mut self.state.lock().under_way);
        for (_, sender) in under_way {
            let _ = sender.send(DisconnectReason::Closed);
        }
    }
}

/// One descriptor kept aside. When none is left it is given up for a moment, so that the next
/// connection can be accepted and closed instead of filling the backlog for ever.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn turn_one_away(&mut self, listener: &Listener) {
        if self.0.take().is_some() {
            // The accept that failed left its connection in the backlog, so this one does not wait.
            let _ = tokio::time::timeout(ACCEPT_WAIT, listener.accept()).await;
        }
        *self = Self::new();
    }
}

/// EMFILE or ENFILE, which std gives no kind of their own.
fn is_short_of_descriptors(error: &std::io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
