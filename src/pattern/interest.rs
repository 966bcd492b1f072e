//! What a SUB or XSUB wants to hear: prefixes with counts, told to every publisher.
//!
//! RFC 29 makes subscriptions additive: two for one prefix need two cancellations. As libzmq does,
//! every subscription is sent and a cancellation only when the last one of its prefix goes.
//! Subscriptions are state, not traffic: a publisher gets the whole set when its connection
//! comes up, and no high-water mark ever drops one. The messages of an XSUB to its publishers are
//! traffic.

use std::collections::BTreeMap;

use super::PeerId;
use super::trie::Trie;
use crate::message::Message;
use crate::options::PublishOptions;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, Mutex};
use crate::pipe::wake::Due;
use crate::wire::batch::Batch;
use crate::wire::subscription::{Subscription, take_subscriptions};

/// Bodies longer than this are shared by the publishers' pipes instead of being copied into each.
const SHARE_ABOVE: usize = 1024;

/// What a subscriber does otherwise than a plain SUB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taste {
    /// Wanted is what has no matching subscription.
    pub(crate) invert: bool,
    /// Every cancellation is told.
    pub(crate) verbose_unsubscribe: bool,
    /// Only a message that begins with a subscription is looked through for more of them.
    pub(crate) first_only: bool,
}

impl From<&PublishOptions> for Taste {
    fn from(options: &PublishOptions) -> Self {
        Self {
            invert: options.invert_matching,
            verbose_unsubscribe: options.verbose_unsubscribe,
            first_only: options.only_first_subscribe,
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Interest {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taste: Taste,
    /// How many subscriptions stand for each prefix.
    counts: Trie<usize>,
    /// The same prefixes, for telling them to a new publisher.
    prefixes: BTreeMap<Vec<u8>, ()>,
    publishers: Vec<(PeerId, Arc<Pipe>)>,
    /// Where messages are encoded.
    scratch: Batch,
}

impl Interest {
    pub(crate) fn new(taste: Taste) -> Self {
        let state = State {
            taste,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// For what is said, and what arrives, from now on.
    pub(crate) fn adopt(&self, taste: Taste) {
        self.state.lock().taste = taste;
    }

    pub(crate) fn subscribe(&self, prefix: &[u8]) {
        self.apply(Subscription {
            subscribe: true,
            topic: prefix,
        });
    }

    /// Takes one subscription back; one that does not exist is ignored, as in libzmq.
    pub(crate) fn unsubscribe(&self, prefix: &[u8]) {
        self.apply(Subscription {
            subscribe: false,
            topic: prefix,
        });
    }

    fn apply(&self, subscription: Subscription<'_>) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.apply(subscription, &mut due);
    }

    /// Sends what the user of an XSUB says: subscriptions in the form of messages are applied, the
    /// rest goes to every publisher that has room.
    pub(crate) fn send(&self, message: Message) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        let first_only = state.taste.first_only;
        let rest = take_subscriptions(message, first_only, |subscription| {
            state.apply(subscription, &mut due);
        });
        if let Some(message) = rest {
            state.send(&message, &mut due);
        }
    }

    /// Tells a new publisher everything, each prefix once.
    pub(crate) fn attach(&self, id: PeerId, pipe: &Arc<Pipe>) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        for prefix in state.prefixes.keys() {
            let subscription = Subscription {
                subscribe: true,
                topic: prefix,
            };
            due.add(pipe.push_control(|batch| subscription.push_command(batch)));
        }
        state.publishers.push((id, Arc::clone(pipe)));
    }

    pub(crate) fn detach(&self, id: PeerId) {
        self.state
            .lock()
            .publishers
            .retain(|(publisher, _)| *publisher != id);
    }

    /// Whether a message that begins with this frame is wanted.
    #[inline]
    pub(crate) fn wants(&self, first: &[u8]) -> bool {
        let mut subscribed = false;
        let state = self.state.lock();
        state.counts.visit_prefixes(first, |_| {
            subscribed = true;
            false
        });
        subscribed != state.taste.invert
    }

    /// How many distinct prefixes are subscribed to.
    pub(crate) fn topics(&self) -> usize {
        self.state.lock().counts.len()
    }

    pub(crate) fn close(&self) {
        self.state.lock().publishers.clear();
    }
}

impl State {
    fn apply(&mut self, subscription: Subscription<'_>, due: &mut Due) {
        let prefix = subscription.topic;
        let tells = if subscription.subscribe {
            *self.counts.entry(prefix) += 1;
            self.prefixes.insert(prefix.to_vec(), ());
            true
        } else {
            self.cancel(prefix) || self.taste.verbose_unsubscribe
        };
        if tells {
            for (_, pipe) in &self.publishers {
                due.add(pipe.push_control(|batch| subscription.push_command(batch)));
            }
        }
    }

    /// Whether that was the last subscription of its prefix.
    fn cancel(&mut self, prefix: &[u8]) -> bool {
        let Some(count) = self.counts.get_mut(prefix) else {
            return false;
        };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        self.counts.remove(prefix);
        self.prefixes.remove(prefix);
        true
    }

    fn send(&mut self, message: &Message, due: &mut Due) {
        self.scratch.clear();
        self.scratch.push(&[], message, SHARE_ABOVE);
        for (_, pipe) in &self.publishers {
            // Full or closing: the pipe has counted the loss.
            let _ = pipe.push_encoded(&self.scratch, due);
        }
        self.scratch.release_large();
    }
}
