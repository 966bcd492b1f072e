//! What a SUB wants to hear: prefixes with counts, told to every publisher.
//!
//! RFC 29 makes subscriptions additive: two for one prefix need two cancellations. As libzmq does,
//! every subscription is sent and a cancellation only when the last one of its prefix goes.
//! Subscriptions are state, not traffic: a publisher gets the whole set when its connection
//! comes up, and no high-water mark ever drops one.

use std::collections::BTreeMap;

use super::PeerId;
use super::trie::Trie;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, Mutex};
use crate::wire::subscription::Subscription;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Interest {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many subscriptions stand for each prefix.
    counts: Trie<usize>,
    /// The same prefixes, for telling them to a new publisher.
    prefixes: BTreeMap<Vec<u8>, ()>,
    publishers: Vec<(PeerId, Arc<Pipe>)>,
}

impl Interest {
    pub(crate) fn subscribe(&self, prefix: &[u8]) {
        let mut state = self.state.lock();
        *state.counts.entry(prefix) += 1;
        state.prefixes.insert(prefix.to_vec(), ());
        state.tell(Subscription {
            subscribe: true,
            topic: prefix,
        });
    }

    /// Takes one subscription back; one that does not exist is ignored, as in libzmq.
    pub(crate) fn unsubscribe(&self, prefix: &[u8]) {
        let mut state = self.state.lock();
        let Some(count) = state.counts.get_mut(prefix) else {
            return;
        };
        *count -= 1;
        if *count > 0 {
            return;
        }
        state.counts.remove(prefix);
        state.prefixes.remove(prefix);
        state.tell(Subscription {
            subscribe: false,
            topic: prefix,
        });
    }

    /// Tells a new publisher everything, each prefix once.
    pub(crate) fn attach(&self, id: PeerId, pipe: &Arc<Pipe>) {
        let mut state = self.state.lock();
        for prefix in state.prefixes.keys() {
            let subscription = Subscription {
                subscribe: true,
                topic: prefix,
            };
            pipe.push_control(|batch| subscription.push_command(batch));
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
        let mut wanted = false;
        self.state.lock().counts.visit_prefixes(first, |_| {
            wanted = true;
            false
        });
        wanted
    }

    pub(crate) fn close(&self) {
        self.state.lock().publishers.clear();
    }
}

impl State {
    fn tell(&self, subscription: Subscription<'_>) {
        for (_, pipe) in &self.publishers {
            pipe.push_control(|batch| subscription.push_command(batch));
        }
    }
}
