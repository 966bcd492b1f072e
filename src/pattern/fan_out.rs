//! Fan-out: a message goes to every subscriber that asked for a prefix of its first frame.
//!
//! RFC 29 "The PUB Socket Type": never waits, drops for a subscriber whose pipe is full. A message
//! is encoded once and appended to each matching pipe; a large body is shared by all of them.
//!
//! A subscriber's requests are applied when they arrive, in the task that read them. As in libzmq
//! a publisher keeps a set: a repeated subscription of one peer changes nothing, and one
//! cancellation ends it.

use std::collections::HashSet;
use std::task::{Context, Poll};

use super::PeerId;
use super::line::Line;
use super::slots::Slots;
use super::trie::Trie;
use crate::fault::{PeerFault, ProtocolError};
use crate::message::Message;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::{Listener, Signal, Ticket, Token};
use crate::pipe::{CloseReason, Load, Pipe, Take};
use crate::wire::batch::Batch;
use crate::wire::subscription::Subscription;

/// Bodies longer than this are shared by the subscribers' pipes instead of being copied into each.
///
/// Sharing costs a reference count and one more slice in the write of every subscriber, which a
/// copy of this size outweighs.
const SHARE_ABOVE: usize = 1024;

/// Subscriptions that one peer may hold. A subscription costs some 100 bytes here, so this many
/// are 10 MB: beyond what an honest peer needs, short of what would hurt.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 100_000;

/// Bytes that the prefixes of one peer may take together.
pub(crate) const SUBSCRIPTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Subscriptions of a departed peer that are removed before the lock is released for a moment:
/// a peer that leaves 100,000 of them behind must not hold up a publisher.
const REMOVED_AT_ONCE: usize = 1_000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    state: Mutex<State>,
    /// Who waits for subscribers.
    line: Line,
}

#[derive(Debug, Default)]
struct State {
    peers: Slots<Peer>,
    subscribers: Trie<Vec<Token>>,
    /// Grows with each message, so that a peer with several matching prefixes gets it once.
    mark: u64,
    /// Where each message is encoded.
    scratch: Batch,
    /// The peers that a message goes to; kept for its allocation.
    matching: Vec<Token>,
    closed: bool,
}

#[derive(Debug)]
struct Peer {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Option<Arc<Pipe>>,
    prefixes: HashSet<Box<[u8]>>,
    prefix_bytes: usize,
    mark: u64,
}

impl FanOut {
    pub(crate) fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.peers.insert(Peer {
                id,
                outbound: Arc::clone(pipe),
                inbound: None,
                prefixes: HashSet::new(),
                prefix_bytes: 0,
                mark: 0,
            });
        }
    }

    /// Subscriptions come from this pipe. Its peer's outbound pipe has been attached before.
    pub(crate) fn attach_inbound(self: &Arc<Self>, id: PeerId, pipe: &Arc<Pipe>) {
        let mut state = self.state.lock();
        let Some(token) = state.peers.find(|peer| peer.id == id) else {
            return;
        };
        if let Some(peer) = state.peers.get_mut(token) {
            peer.inbound = Some(Arc::clone(pipe));
        }
        drop(state);
        let listener: Arc<dyn Listener> = Arc::clone(self) as Arc<dyn Listener>;
        // A subscriber's pipe has one consumer, for its whole life.
        let _ = pipe.consume_for(listener, token);
    }

    /// Forgets a peer and its subscriptions.
    pub(crate) fn detach(&self, id: PeerId) {
        loop {
            let mut state = self.state.lock();
            let Some(token) = state.peers.find(|peer| peer.id == id) else {
                return;
            };
            if state.remove_some(token) {
                state.peers.remove(token);
                return;
            }
        }
    }

    /// Gives the message to every matching subscriber that has room; `false` when closed.
    pub(crate) fn send(&self, message: &Message) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed {
            return false;
        }
        state.find_matching(message.first());
        if state.matching.is_empty() {
            return true;
        }
        state.scratch.clear();
        state.scratch.push(&[], message, SHARE_ABOVE);
        for &token in &state.matching {
            if let Some(peer) = state.peers.get(token) {
                // Full or closing: the pipe has counted the loss.
                drop(peer.outbound.push_encoded(&state.scratch));
            }
        }
        state.scratch.release_large();
        true
    }

    /// Waits until a message that is `prefix` would go to at least `wanted` peers; `false` when
    /// the socket is closed.
    pub(crate) fn poll_subscribers(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        prefix: &[u8],
        wanted: usize,
    ) -> Poll<bool> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Poll::Ready(false);
            }
            state.find_matching(prefix);
            if state.matching.len() >= wanted {
                self.line.served(ticket, true);
                return Poll::Ready(true);
            }
            if self.line.wait(cx, ticket) {
                return Poll::Pending;
            }
            self.line.collect(|_| {});
        }
    }

    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.line.leave(ticket);
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.peers = Slots::default();
        state.subscribers = Trie::default();
        drop(state);
        self.line.close();
    }

    /// How many distinct prefixes have a subscriber.
    pub(crate) fn topics(&self) -> usize {
        self.state.lock().subscribers.len()
    }
}

impl Listener for FanOut {
    /// Applies what a subscriber asks for.
    fn signal(&self, token: Token, _: Signal) {
        let fault = self.state.lock().read_subscriptions(token);
        if let Some((pipe, fault)) = fault {
            pipe.close(CloseReason::Fault(PeerFault::Protocol(fault)));
        }
        self.line.wake_all();
    }
}

impl State {
    /// Collects into `matching` the peers with a prefix of `topic`, each once.
    #[inline]
    fn find_matching(&mut self, topic: &[u8]) {
        self.mark += 1;
        self.matching.clear();
        let (peers, matching, mark) = (&mut self.peers, &mut self.matching, self.mark);
        self.subscribers.visit_prefixes(topic, |tokens| {
            for &token in tokens {
                if let Some(peer) = peers.get_mut(token) {
                    if peer.mark != mark {
                        peer.mark = mark;
                        matching.push(token);
                    }
                }
            }
            true
        });
    }

    /// Reads all requests that a peer has sent; gives back its pipe and the fault when it went too
    /// far, to be closed without this lock.
    fn read_subscriptions(&mut self, token: Token) -> Option<(Arc<Pipe>, ProtocolError)> {
        let pipe = Arc::clone(self.peers.get(token)?.inbound.as_ref()?);
        loop {
            let Take::Batch(mut batch) = pipe.take() else {
                return None;
            };
            pipe.release(Load::of(&batch));
            while let Some(first) = batch.peek() {
                let result = match Subscription::read(first) {
                    Some(Subscription {
                        subscribe: true,
                        topic,
                    }) => self.subscribe(token, topic),
                    Some(Subscription {
                        subscribe: false,
                        topic,
                    }) => {
                        self.cancel(token, topic);
                        Ok(())
                    }
                    // RFC 29: a PUB does not read messages.
                    None => {
                        pipe.count_unusable(1);
                        Ok(())
                    }
                };
                if let Err(fault) = result {
                    return Some((pipe, fault));
                }
                batch.skip();
            }
        }
    }

    fn subscribe(&mut self, token: Token, prefix: &[u8]) -> Result<(), ProtocolError> {
        let Some(peer) = self.peers.get_mut(token) else {
            return Ok(());
        };
        if peer.prefixes.contains(prefix) {
            return Ok(());
        }
        let bytes = peer.prefix_bytes.saturating_add(prefix.len());
        if peer.prefixes.len() >= SUBSCRIPTIONS_MAX || bytes > SUBSCRIPTION_BYTES_MAX {
            return Err(ProtocolError::TooManySubscriptions {
                limit: SUBSCRIPTIONS_MAX,
            });
        }
        peer.prefixes.insert(prefix.into());
        peer.prefix_bytes = bytes;
        let tokens = self.subscribers.entry(prefix);
        if let Err(index) = tokens.binary_search(&token) {
            tokens.insert(index, token);
        }
        Ok(())
    }

    /// Ends a subscription; one that does not exist is ignored.
    fn cancel(&mut self, token: Token, prefix: &[u8]) {
        let known = self.peers.get_mut(token).is_some_and(|peer| {
            let known = peer.prefixes.remove(prefix);
            if known {
                peer.prefix_bytes = peer.prefix_bytes.saturating_sub(prefix.len());
            }
            known
        });
        if known {
            self.remove_subscriber(token, prefix);
        }
    }

    fn remove_subscriber(&mut self, token: Token, prefix: &[u8]) {
        if let Some(tokens) = self.subscribers.get_mut(prefix) {
            tokens.retain(|&other| other != token);
            if tokens.is_empty() {
                self.subscribers.remove(prefix);
            }
        }
    }

    /// Removes a part of a peer's subscriptions; `true` when none is left.
    fn remove_some(&mut self, token: Token) -> bool {
        let Some(peer) = self.peers.get_mut(token) else {
            return true;
        };
        peer.inbound = None;
        let some: Vec<Box<[u8]>> = peer
            .prefixes
            .iter()
            .take(REMOVED_AT_ONCE)
            .cloned()
            .collect();
        for prefix in &some {
            peer.prefixes.remove(prefix);
        }
        for prefix in &some {
            self.remove_subscriber(token, prefix);
        }
        some.len() < REMOVED_AT_ONCE
    }
}
