//! Tells of peers for whom messages are dropped because their queue is full: at once, and then once a
//! second at most.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

// Tokio's, since tests can hold it.
use tokio::time::Instant;

use super::core::Core;
use crate::event::Event;
use crate::pattern::PeerId;
use crate::peer::Hub;
use crate::pipe::Pipe;
use crate::pipe::alarm::Alarm;
use crate::pipe::sync::Mutex;
use crate::socket_type::SocketType;
use crate::trace::Span;

/// For how long nothing more is told of a peer of which something has been told.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches the queue to one peer.
#[derive(Debug)]
struct SlowPeer {
    core: Weak<Core>,
    id: PeerId,
    /// Whether anybody reads the socket's events.
    heard: Arc<AtomicBool>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// When something may be told again.
    again: Option<Instant>,
    /// Of how many messages it has been told so far.
    messages: u64,
}

impl Alarm for SlowPeer {
    /// Asks no more of `tracing` than a number: what it would call is the user's, and may use this socket.
    fn is_due(&self, dropped: u64) -> Option<u64> {
        if !self.heard.load(Ordering::Relaxed) && !Span::is_heard() {
            return None;
        }
        let (now, mut told) = (Instant::now(), self.told.lock());
        if told.again.is_some_and(|again| now < again) {
            return None;
        }
        told.again = Some(now + PAUSE);
        let before = std::mem::replace(&mut told.messages, dropped);
        Some(dropped.saturating_sub(before))
    }

    fn raise(&self, messages: u64) {
        if let Some(core) = self.core.upgrade() {
            core.tell_of_drops(self.id, messages);
        }
    }
}

impl Core {
    /// Has it told when messages for this peer do not fit into its queue, on sockets that drop them then.
    pub(super) fn watch(&self, id: PeerId, outbound: &Pipe) {
        let drops = matches!(
            self.socket_type,
            SocketType::Pub
                | SocketType::XPub
                | SocketType::XSub
                | SocketType::Router
                | SocketType::Rep
        );
        if drops {
            outbound.set_alarm(Arc::new(SlowPeer {
                core: self.me.clone(),
                id,
                heard: Arc::clone(self.events.heard()),
                told: Mutex::default(),
            }));
        }
    }

    fn tell_of_drops(&self, id: PeerId, dropped: u64) {
        let found = {
            let state = self.state.lock();
            let peer = state.peers.get(&id).map(|peer| peer.newcomer.peer.clone());
            let mut endpoints = state.endpoints.iter();
            match peer {
                Some(peer) => Some((peer.endpoint().clone(), Some(peer))),
                // A ROUTER queues ahead for whom it has named.
                None => endpoints
                    .find(|known| known.standing().is_some_and(|standing| standing.id == id))
                    .map(|known| (known.endpoint.clone(), None)),
            }
        };
        // Of who has left the end has been told.
        if let Some((endpoint, peer)) = found {
            self.tell(Event::Dropping {
                endpoint,
                peer,
                dropped,
            });
        }
    }
}
