//! What a SUB or XSUB wants to hear: prefixes with counts, told to every publisher.
//!
//! RFC 29 makes subscriptions additive: two for one prefix need two cancellations. As libzmq does,
//! every subscription is sent and a cancellation only when the last one of its prefix goes.
//! Subscriptions are state, not traffic: a publisher gets the whole set when its connection
//! comes up, and no high-water mark ever drops one. The messages of an XSUB to its publishers are
//! traffic.
//!
//! A publisher that does not read would let a user, or a forwarder whose strangers change their minds,
//! queue commands without end. So only some are queued; of the rest the publisher is told, when
//! it reads again, what has changed meanwhile. What was repeated, or taken back, it never hears of.

use std::collections::BTreeMap;

use super::PeerId;
use super::slots::Slots;
use super::trie::{Full, Trie, Value};
use crate::message::Message;
use crate::options::PublishOptions;
use crate::pipe::Pipe;
use crate::pipe::sync::{Arc, AtomicBool, Mutex, Ordering};
use crate::pipe::wake::{Due, Listener, Signal, Token};
use crate::wire::batch::Batch;
#[cfg(feature = "inproc")]
use crate::wire::subscription::TOPIC_MAX;
use crate::wire::subscription::{Left, Subscription, take_subscriptions};

/// Bodies longer than this are shared by the publishers' pipes instead of being copied into each.
const SHARE_ABOVE: usize = 1024;

/// Messages and commands in the queue to a publisher beyond which no further command is queued. A
/// peer that reads has them at once; every one costs as many bytes as its topic.
const QUEUED_MAX: usize = if cfg!(test) { 4 } else { 1_024 };

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
    /// Whether everything is wanted, which many subscribe to: spares a lock per message.
    everything: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    taste: Taste,
    /// How many subscriptions stand for each prefix.
    prefixes: Trie<Count>,
    publishers: Slots<Publisher>,
    /// Where messages are encoded.
    scratch: Batch,
}

/// Subscriptions for one prefix. One that has got so many that they cannot be counted keeps them for good.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u32);

impl Value for Count {
    #[inline]
    fn is_vacant(&self) -> bool {
        self.0 == 0
    }
}

#[derive(Debug)]
struct Publisher {
    id: PeerId,
    token: Token,
    pipe: Arc<Pipe>,
    /// What it has still to be told, because its queue was too long. It asks when it has read that.
    behind: BTreeMap<Vec<u8>, Untold>,
}

/// What has become of a prefix since a publisher fell behind.
#[derive(Debug)]
struct Untold {
    /// Whether it was subscribed to at that time.
    known: bool,
    /// What was said about it last.
    subscribe: bool,
}

impl Interest {
    pub(crate) fn new(taste: Taste) -> Self {
        let state = State {
            taste,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            everything: AtomicBool::new(false),
        }
    }

    /// For what is said, and what arrives, from now on.
    pub(crate) fn adopt(&self, taste: Taste) {
        let mut state = self.state.lock();
        state.taste = taste;
        self.note(&state);
    }

    pub(crate) fn subscribe(self: &Arc<Self>, prefix: &[u8]) {
        self.apply(Subscription {
            subscribe: true,
            topic: prefix,
        });
    }

    /// Takes one subscription back; one that does not exist is ignored, as in libzmq.
    pub(crate) fn unsubscribe(self: &Arc<Self>, prefix: &[u8]) {
        self.apply(Subscription {
            subscribe: false,
            topic: prefix,
        });
    }

    fn apply(self: &Arc<Self>, subscription: Subscription<'_>) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.apply(self, subscription, &mut due);
    }

    /// Sends what the user of an XSUB says: subscriptions in the form of messages are applied, the
    /// rest goes to every publisher that has room.
    pub(crate) fn send(self: &Arc<Self>, message: Message) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        let first_only = state.taste.first_only;
        let left = take_subscriptions(&message, first_only, |subscription| {
            state.apply(self, subscription, &mut due);
        });
        match left {
            Left::All => state.send(&message, &mut due),
            Left::Some(rest) => state.send(&rest, &mut due),
            Left::Nothing => {}
        }
    }

    /// Tells a new publisher everything, each prefix once.
    pub(crate) fn attach(&self, id: PeerId, pipe: &Arc<Pipe>) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        state.prefixes.for_each(|topic| {
            let subscribe = true;
            let subscription = Subscription { subscribe, topic };
            pipe.push_control(|batch| subscription.push_command(batch), &mut due);
        });
        state.publishers.insert_with(|token| Publisher {
            id,
            token,
            pipe: Arc::clone(pipe),
            behind: BTreeMap::new(),
        });
    }

    pub(crate) fn detach(&self, id: PeerId) {
        let mut state = self.state.lock();
        let token = state.publishers.find(|publisher| publisher.id == id);
        let gone = token.and_then(|token| state.publishers.remove(token));
        drop(state);
        drop(gone);
    }

    /// Whether a message that begins with this frame is wanted.
    #[inline]
    pub(crate) fn wants(&self, first: &[u8]) -> bool {
        if self.wants_everything() {
            return true;
        }
        let mut subscribed = false;
        let state = self.state.lock();
        state.prefixes.visit_prefixes(first, |_| {
            subscribed = true;
            false
        });
        subscribed != state.taste.invert
    }

    /// Whether there is nothing that it does not want.
    #[inline]
    pub(crate) fn wants_everything(&self) -> bool {
        self.everything.load(Ordering::Acquire)
    }

    /// Keeps what is known without the lock true.
    fn note(&self, state: &State) {
        let everything = !state.taste.invert && state.prefixes.get(&[]).is_some();
        self.everything.store(everything, Ordering::Release);
    }

    /// Whether one of them is longer than any publisher takes.
    #[cfg(feature = "inproc")]
    pub(crate) fn has_too_long(&self) -> bool {
        let state = self.state.lock();
        let mut has_too_long = false;
        state
            .prefixes
            .for_each(|prefix| has_too_long |= prefix.len() > TOPIC_MAX);
        has_too_long
    }

    /// How many distinct prefixes are subscribed to.
    pub(crate) fn topics(&self) -> usize {
        self.state.lock().prefixes.len()
    }

    pub(crate) fn close(&self) {
        let gone = std::mem::take(&mut self.state.lock().publishers);
        drop(gone);
    }
}

impl Listener for Interest {
    /// A publisher that is behind has read something: its queue is not empty until it has asked.
    fn signal(&self, token: Token, _: Signal) {
        let mut due = Due::default();
        let mut state = self.state.lock();
        if let Some(publisher) = state.publishers.get_mut(token) {
            publisher.catch_up(QUEUED_MAX, &mut due);
        }
    }
}

impl State {
    fn apply(&mut self, owner: &Arc<Interest>, subscription: Subscription<'_>, due: &mut Due) {
        let prefix = subscription.topic;
        let mut known = false;
        let tells = if subscription.subscribe {
            let entered = self.prefixes.enter(prefix, |_, count| {
                known = !count.is_vacant();
                count.0 = count.0.saturating_add(1);
            });
            match entered {
                Ok(()) => true,
                // There are 4,294,967,295 nodes, 128 GiB of them. Nobody can be told of what is not held.
                Err(Full { .. }) => return,
            }
        } else {
            let name = self.prefixes.find(prefix);
            known = name.is_some();
            let last = name.is_some_and(|name| {
                self.prefixes.change(name, |count| {
                    if count.0 != u32::MAX {
                        count.0 -= 1;
                    }
                    count.is_vacant()
                })
            });
            last || self.taste.verbose_unsubscribe
        };
        owner.note(self);
        if tells {
            // Where every cancellation is told, a publisher may have forgotten what is subscribed to.
            let is_sure = !self.taste.verbose_unsubscribe;
            for publisher in self.publishers.iter_mut() {
                if publisher.is_up_to_date() {
                    publisher.tell(subscription, due);
                    continue;
                }
                if publisher.behind.is_empty() {
                    let listener: Arc<dyn Listener> = Arc::clone(owner) as Arc<dyn Listener>;
                    publisher.pipe.feed_from(listener, publisher.token);
                }
                publisher.note(subscription, known, is_sure);
                // It may have read everything just before it was to ask.
                publisher.catch_up(QUEUED_MAX, due);
            }
        }
    }

    fn send(&mut self, message: &Message, due: &mut Due) {
        self.scratch.clear();
        self.scratch.push(&[], message, SHARE_ABOVE);
        for publisher in self.publishers.iter_mut() {
            // A message does not overtake what was said before it.
            if !publisher.behind.is_empty() && publisher.pipe.check_room().is_ok() {
                publisher.catch_up(usize::MAX, due);
            }
            // Full or closing: the pipe has counted the loss.
            let _ = publisher.pipe.push_encoded(&self.scratch, due);
        }
        self.scratch.release_large();
    }
}

impl Publisher {
    fn is_up_to_date(&self) -> bool {
        self.behind.is_empty() && self.pipe.queued_messages() < QUEUED_MAX
    }

    fn tell(&self, subscription: Subscription<'_>, due: &mut Due) {
        let told = |batch: &mut Batch| subscription.push_command(batch);
        self.pipe.push_control(told, due);
    }

    /// Notes what it is to be told later. Only what makes a difference is kept, so there are never more
    /// notes than prefixes that are subscribed to, now or when it fell behind.
    fn note(&mut self, subscription: Subscription<'_>, known: bool, is_sure: bool) {
        let Subscription { subscribe, topic } = subscription;
        let fresh = || Untold { known, subscribe };
        let note = self.behind.entry(topic.to_vec()).or_insert_with(fresh);
        note.subscribe = subscribe;
        let is_known = note.known;
        if (subscribe && is_known && is_sure) || (!subscribe && !is_known) {
            self.behind.remove(topic);
        }
    }

    /// Tells what it has not been told, until `limit` messages are queued.
    fn catch_up(&mut self, limit: usize, due: &mut Due) {
        while self.pipe.queued_messages() < limit {
            let Some((topic, Untold { subscribe, .. })) = self.behind.pop_first() else {
                break;
            };
            let topic = topic.as_slice();
            self.tell(Subscription { subscribe, topic }, due);
        }
        if self.behind.is_empty() {
            self.pipe.feed_no_more();
        }
    }
}
