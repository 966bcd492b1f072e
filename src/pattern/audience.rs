//! A publisher's audience: who is sent what, and what it says in return.
//!
//! A message is encoded once: into the [edition](super::edition) that its subscribers get together, or, when the
//! last message was for others, into a copy for each matching pipe. A large body is shared by all of them. What subscribers ask for is applied, or noted, and shown to the user of an XPUB. All of it
//! happens under the lock of [`FanOut`](super::fan_out::FanOut), which performs the wake-ups.

use bytes::Bytes;

use super::PeerId;
use super::edition::Edition;
use super::holdings::{Added, Removed};
use super::notices::{Asked, Notice, Notices};
use super::relay::Turn;
use super::subscribers::{Member, Subscribers, Told};
use crate::fault::ProtocolError;
use crate::message::Message;
use crate::options::{PublishOptions, Shows};
use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Token};
use crate::pipe::{Load, Pipe, PushError};
use crate::wire::batch::Batch;
use crate::wire::subscription::{Left, Subscription, TOPIC_MAX, take_subscriptions};

/// Bodies longer than this are shared by the subscribers' pipes instead of being copied into each.
///
/// Sharing costs a reference count and one more slice in the write of every subscriber, which a
/// copy of this size outweighs.
const SHARE_ABOVE: usize = 1024;

/// Copies of relayed messages after which a publisher gives way to others.
const TURN_COPIES: usize = 1_024;

/// What a publisher does otherwise than a plain PUB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Messages go to the peers that have no matching subscription.
    pub(crate) invert: bool,
    /// Sending waits for subscribers that have no room.
    pub(crate) no_drop: bool,
    /// Only a message that begins with a subscription is looked through for more of them.
    pub(crate) first_only: bool,
    /// What every new peer is sent first.
    pub(crate) welcome: Option<Message>,
    /// What is shown to the user; nothing by a PUB.
    pub(crate) shows: Option<Shows>,
}

impl Policy {
    pub(crate) fn of_pub(options: &PublishOptions) -> Self {
        Self {
            invert: options.invert_matching,
            no_drop: options.no_drop,
            first_only: options.only_first_subscribe,
            welcome: options.welcome.clone(),
            shows: None,
        }
    }

    pub(crate) fn of_xpub(options: &PublishOptions) -> Self {
        Self {
            shows: Some(options.shows),
            ..Self::of_pub(options)
        }
    }

    /// Whether the user decides what subscribers get.
    fn is_manual(&self) -> bool {
        self.shows.is_some_and(|shows| shows.manual)
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Audience {
    pub(super) policy: Policy,
    pub(super) subscribers: Subscribers,
    pub(super) notices: Notices,
    /// What is for the same subscribers as the last message was.
    edition: Edition,
    /// Where a message is encoded that is not.
    scratch: Batch,
    pub(super) closed: bool,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Everybody,
    /// One peer, if it wants the message.
    One(Member),
}

/// Where a message went.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    copies: usize,
    /// Whether somebody has no room for another one.
    filled: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It went to all that it was for, except that a plain PUB drops for those that are full.
    Done,
    /// Nobody got it, since somebody has no room.
    Full,
    /// The one peer has not subscribed to it.
    Unwanted,
    /// The one peer has left.
    Gone,
    Closed,
}

/// Why a request cannot be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Gone,
    TooMany,
    Closed,
}

impl Audience {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// For what is sent and asked for from now on.
    pub(super) fn adopt(&mut self, policy: Policy) {
        if policy.is_manual() != self.policy.is_manual() {
            self.subscribers.regard_as_asked(policy.is_manual());
        }
        self.policy = policy;
    }

    /// Whether a peer is there to be given something.
    pub(super) fn check(&self, member: Member) -> Result<(), Denied> {
        if self.closed {
            Err(Denied::Closed)
        } else if self.subscribers.has(member) {
            Ok(())
        } else {
            Err(Denied::Gone)
        }
    }

    /// Encodes the message once and appends it to each pipe that it is for.
    pub(super) fn send(&mut self, to: To, message: &Message, due: &mut Due) -> Sent {
        let encode = |scratch: &mut Batch| {
            scratch.push(&[], message, SHARE_ABOVE);
        };
        match self.distribute(to, message.first(), due, encode) {
            Ok(_) => Sent::Done,
            Err(sent) => sent,
        }
    }

    /// Sends messages as they stand to everybody that they are for, until one cannot be sent. Gives way
    /// before it would drop anything for a subscriber whom it has filled by itself.
    pub(super) fn relay(&mut self, turn: &mut Turn<'_>, due: &mut Due) -> Sent {
        let mut copies = 0;
        while let Some(message) = turn.next() {
            let encode = |scratch: &mut Batch| {
                scratch.append_encoded(&message, SHARE_ABOVE);
            };
            match self.distribute(To::Everybody, message.first(), due, encode) {
                Ok(spread) => {
                    turn.moved(&message);
                    copies += spread.copies;
                    if spread.filled || copies >= TURN_COPIES {
                        turn.give_way();
                    }
                }
                Err(sent) => return sent,
            }
        }
        Sent::Done
    }

    /// Has one message encoded and appends it to each pipe that it is for. Errors: why it was not.
    #[inline]
    fn distribute(
        &mut self,
        to: To,
        topic: &[u8],
        due: &mut Due,
        encode: impl FnOnce(&mut Batch),
    ) -> Result<Spread, Sent> {
        let mut spread = Spread::default();
        if self.closed {
            return Err(Sent::Closed);
        }
        match to {
            To::Everybody => {
                let found = self.subscribers.find_matching(topic, self.policy.invert);
                if found == 0 {
                    return Ok(spread);
                }
                if self.edition.is_for(self.subscribers.matching_tokens()) {
                    return self.publish(due, encode);
                }
                self.edition.end(self.subscribers.matching_tokens(), due);
            }
            To::One(member) if !self.subscribers.has(member) => return Err(Sent::Gone),
            To::One(member) => {
                if !self.subscribers.find_one(member, topic, self.policy.invert) {
                    return Err(Sent::Unwanted);
                }
                self.edition.end(&[], due);
            }
        }
        if self.policy.no_drop || matches!(to, To::One(_)) {
            let mut rooms = self.subscribers.matching().map(|pipe| pipe.check_room());
            if rooms.any(|room| matches!(room, Err(PushError::Full))) {
                return Err(Sent::Full);
            }
        }
        self.scratch.clear();
        encode(&mut self.scratch);
        for pipe in self.subscribers.matching() {
            // Full or closing: the pipe has counted the loss.
            if let Ok(room) = pipe.push_encoded(&self.scratch, due) {
                spread.copies += 1;
                spread.filled |= !room;
            }
        }
        self.scratch.release_large();
        Ok(spread)
    }

    /// As [`distribute`](Self::distribute), for the same subscribers as the last message.
    #[inline]
    fn publish(&mut self, due: &mut Due, encode: impl FnOnce(&mut Batch)) -> Result<Spread, Sent> {
        self.edition.open(self.subscribers.matching());
        if self.policy.no_drop && self.edition.has_full() {
            return Err(Sent::Full);
        }
        let (copies, filled) = self.edition.add(encode, &mut self.scratch, due);
        Ok(Spread { copies, filled })
    }

    /// A consumer wants what there is for it.
    pub(super) fn wanted_by(&mut self, token: Token, due: &mut Due) {
        self.edition.wanted_by(token, due);
    }

    /// Hands over whatever has been accepted: its peers are about to change.
    pub(super) fn settle(&mut self, due: &mut Due) {
        self.edition.end(&[], due);
    }

    /// What was known of somebody's room is no longer true.
    pub(super) fn distrust(&mut self, due: &mut Due) {
        self.edition.distrust(due);
    }

    /// Forgets a peer, or some of its subscriptions; `true` when nothing is left of it.
    pub(super) fn let_go(&mut self, id: PeerId, due: &mut Due) -> bool {
        // In one step with the removal: its token may have another holder next.
        self.settle(due);
        let Some(token) = self.subscribers.find(id) else {
            return true;
        };
        let (shows, notices) = (self.policy.shows, &mut self.notices);
        let peer = self.subscribers.peer(token);
        // Where the user makes the one into the other, what was asked for, and else what is held.
        let (told, others) = match shows {
            Some(shows) if shows.manual => (Told::Asked, true),
            Some(shows) => (Told::Held, shows.cancels),
            None => (Told::Nothing, false),
        };
        self.subscribers
            .remove_some(token, told, |prefix, removed| {
                if let (true, Some(peer)) = (others || removed == Removed::Last, &peer) {
                    let asked = Asked {
                        prefix: Bytes::from(prefix),
                        member: None,
                        pending: false,
                    };
                    notices.push(peer.clone(), Notice::Cancel(asked));
                }
            })
    }

    /// Applies what a peer has sent. `free` grows by what it takes up no longer; what is of no use is dropped with
    /// `due`.
    pub(super) fn apply(
        &mut self,
        token: Token,
        pipe: &Arc<Pipe>,
        batch: &mut Batch,
        free: &mut Load,
        due: &mut Due,
    ) -> Result<(), ProtocolError> {
        while let Some(first) = batch.peek() {
            let (shown, bytes) = (self.notices.len(), batch.bytes());
            if first.command {
                if let Some(subscription) = Subscription::read(first) {
                    self.ask(token, subscription)?;
                }
                batch.skip();
            } else {
                let Some(message) = batch.pop() else {
                    break;
                };
                self.hear(token, pipe, message, due)?;
            }
            let load = Load {
                messages: 1,
                bytes: bytes.saturating_sub(batch.bytes()),
            };
            if self.notices.len() > shown {
                self.notices.charge(pipe, load);
            } else {
                free.messages += load.messages;
                free.bytes += load.bytes;
            }
        }
        Ok(())
    }

    /// A message may be, or hold, subscriptions: an XSUB sends what its user makes.
    fn hear(
        &mut self,
        token: Token,
        pipe: &Pipe,
        message: Message,
        due: &mut Due,
    ) -> Result<(), ProtocolError> {
        let mut result = Ok(());
        let left = take_subscriptions(&message, self.policy.first_only, |subscription| {
            if result.is_ok() {
                result = self.ask(token, subscription);
            }
        });
        let (said, rest) = match left {
            Left::All => (Some(message), None),
            Left::Some(said) => (Some(said), Some(message)),
            Left::Nothing => (None, Some(message)),
        };
        match said {
            Some(said) if self.policy.shows.is_some() => {
                self.show(token, Notice::Message(said));
            }
            // RFC 29: a PUB does not read messages.
            Some(said) => {
                pipe.count_unusable(1);
                due.lose(said);
            }
            None => {}
        }
        if let Some(rest) = rest {
            due.lose(rest);
        }
        result
    }

    fn ask(&mut self, token: Token, subscription: Subscription<'_>) -> Result<(), ProtocolError> {
        let Subscription { subscribe, topic } = subscription;
        // A connection judges commands and first frames only, and within a process there is none.
        if topic.len() > TOPIC_MAX {
            return Err(ProtocolError::TopicTooLong {
                length: topic.len() as u64,
                limit: TOPIC_MAX,
            });
        }
        let (shows, pending) = (self.policy.shows, self.policy.is_manual());
        let shown = if pending {
            self.subscribers.ask(token, topic, subscribe)?;
            true
        } else if subscribe {
            let added = self.subscribers.subscribe(token, topic)?;
            shows.is_some_and(|shows| shows.repeats || added == Added::First)
        } else {
            let removed = self.subscribers.cancel(token, topic);
            shows.is_some_and(|shows| shows.cancels || removed == Removed::Last)
        };
        if shown {
            let asked = Asked {
                prefix: Bytes::copy_from_slice(topic),
                member: self.subscribers.member(token),
                pending,
            };
            let notice = if subscribe {
                Notice::Subscribe(asked)
            } else {
                Notice::Cancel(asked)
            };
            self.show(token, notice);
        }
        Ok(())
    }

    fn show(&mut self, token: Token, notice: Notice) {
        if let Some(peer) = self.subscribers.peer(token) {
            self.notices.push(peer, notice);
        }
    }
}
