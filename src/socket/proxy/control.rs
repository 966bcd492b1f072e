//! [`ProxyControl`]: the handle of a proxy, and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::message::Message;
use crate::pattern::relay::Relayed;
use crate::socket::stats::Flow;

/// What a proxy is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Run,
    Pause,
    Stop,
}

/// Pauses, resumes, stops and watches a [`Proxy`](crate::Proxy). Got from its `control` method;
/// cheap to clone, and of use from any task or thread.
#[derive(Clone, Debug)]
pub struct ProxyControl(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: watch::Sender<State>,
    there: Counters,
    back: Counters,
}

impl ProxyControl {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Messages stay where they are from now on: in the queues of the two sockets, which stop their
    /// peers when they are full. What is just being moved, 1,024 messages each way at most, still goes
    /// on. A proxy that has been stopped stays stopped.
    pub fn pause(&self) {
        self.order(State::Pause);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.order(State::Run);
    }

    /// Ends the proxy, for good. The sockets stay open.
    pub fn stop(&self) {
        self.order(State::Stop);
    }

    /// What has passed so far.
    pub fn stats(&self) -> ProxyStats {
        let Shared { there, back, .. } = &*self.0;
        ProxyStats {
            frontend_received: there.received.flow(),
            frontend_sent: back.sent.flow(),
            backend_received: back.received.flow(),
            backend_sent: there.sent.flow(),
            dropped: there.dropped() + back.dropped(),
            uncaptured: there.uncaptured() + back.uncaptured(),
        }
    }

    fn order(&self, order: State) {
        self.0.state.send_if_modified(|state| {
            let is_news = *state != State::Stop && *state != order;
            if is_news {
                *state = order;
            }
            is_news
        });
    }

    pub(super) fn orders(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    pub(super) fn is_running(&self) -> bool {
        *self.0.state.borrow() == State::Run
    }

    pub(super) fn there(&self) -> &Counters {
        &self.0.there
    }

    pub(super) fn back(&self) -> &Counters {
        &self.0.back
    }
}

/// What has passed through a [`Proxy`](crate::Proxy); bytes are those of the frames, without
/// headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Taken from the frontend.
    pub frontend_received: Flow,
    /// Given to the frontend.
    pub frontend_sent: Flow,
    /// Taken from the backend.
    pub backend_received: Flow,
    /// Given to the backend.
    pub backend_sent: Flow,
    /// Messages for a ROUTER that named a peer that is gone, or that is full.
    pub dropped: u64,
    /// Messages of which the capture socket had no room for a copy.
    pub uncaptured: u64,
}

/// What has passed one way.
#[derive(Debug, Default)]
pub(super) struct Counters {
    received: Amount,
    sent: Amount,
    dropped: AtomicU64,
    uncaptured: AtomicU64,
}

#[derive(Debug, Default)]
struct Amount {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Amount {
    fn add(&self, message: &Message) {
        self.add_flow(1, message.byte_len());
    }

    fn add_flow(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn flow(&self) -> Flow {
        Flow {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl Counters {
    pub(super) fn count_received(&self, message: &Message) {
        self.received.add(message);
    }

    pub(super) fn count_sent(&self, message: &Message, sent: bool) {
        if sent {
            self.sent.add(message);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_relayed(&self, relayed: &Relayed) {
        let Relayed {
            taken,
            dropped,
            uncaptured,
        } = relayed;
        if taken.messages == 0 {
            return;
        }
        self.received.add_flow(taken.messages, taken.bytes);
        self.sent.add_flow(
            taken.messages.saturating_sub(dropped.messages),
            taken.bytes.saturating_sub(dropped.bytes),
        );
        let dropped = dropped.messages as u64;
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.uncaptured
            .fetch_add(*uncaptured as u64, Ordering::Relaxed);
    }

    pub(super) fn count_captured(&self, captured: bool) {
        if !captured {
            self.uncaptured.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn uncaptured(&self) -> u64 {
        self.uncaptured.load(Ordering::Relaxed)
    }
}
