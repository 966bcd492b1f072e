//! [`Subscription`]: SUBSCRIBE and CANCEL, as commands (ZMTP 3.1) and as messages (3.0).
//!
//! Both forms are understood from any peer at any time: users of XSUB write the message form by
//! hand, whatever the version of the connection.

use super::batch::{Batch, First};
use super::command::{put_name, split_name};
use crate::message::Message;

const SUBSCRIBE: &[u8] = b"SUBSCRIBE";
const CANCEL: &[u8] = b"CANCEL";

/// The longest that precedes a topic in the body of a frame: the name SUBSCRIBE and its length.
pub(super) const PREFIX_MAX: usize = 10;

/// The longest subscription that a publisher accepts, in bytes. Longer prefixes are no topics.
pub(crate) const TOPIC_MAX: usize = 4 * 1024;

/// A wish to receive, or no longer to receive, what begins with `topic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription<'a> {
    /// `false` for a CANCEL.
    pub(crate) subscribe: bool,
    pub(crate) topic: &'a [u8],
}

impl<'a> Subscription<'a> {
    /// Reads the first frame of a message in either form; `None` when it is not a subscription.
    pub(crate) fn read(first: First<'a>) -> Option<Self> {
        if first.command {
            Self::from_command(first.body)
        } else {
            Self::from_frame(first.body)
        }
    }

    /// Reads a frame of a message.
    fn from_frame(body: &'a [u8]) -> Option<Self> {
        let (&kind, topic) = body.split_first()?;
        let subscribe = match kind {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { subscribe, topic })
    }

    /// Reads the body of a command.
    pub(super) fn from_command(body: &'a [u8]) -> Option<Self> {
        let (name, topic) = split_name(body)?;
        let subscribe = match name {
            SUBSCRIBE => true,
            CANCEL => false,
            _ => return None,
        };
        Some(Self { subscribe, topic })
    }

    /// Appends the subscription as a command, which is the form that pipes carry.
    pub(crate) fn push_command(&self, batch: &mut Batch) {
        let mut body = Vec::with_capacity(PREFIX_MAX.saturating_add(self.topic.len()));
        put_name(&mut body, if self.subscribe { SUBSCRIBE } else { CANCEL });
        body.extend_from_slice(self.topic);
        batch.push_command(&body);
    }

    /// The subscription as a message, the form for peers before ZMTP 3.1.
    pub(crate) fn to_message(self) -> Message {
        let mut body = Vec::with_capacity(self.topic.len().saturating_add(1));
        body.push(u8::from(self.subscribe));
        body.extend_from_slice(self.topic);
        Message::from(body)
    }
}

/// What is left of a message without the subscriptions in it: the message of a user.
pub(crate) enum Left {
    /// There were none.
    All,
    Some(Message),
    Nothing,
}

/// Takes the subscriptions out of a message that goes from a subscriber to a publisher.
///
/// As in libzmq every frame may be a subscription; with `first_only` (`ZMQ_ONLY_FIRST_SUBSCRIBE`)
/// none is unless the first one is.
pub(crate) fn take_subscriptions(
    message: &Message,
    first_only: bool,
    mut each: impl FnMut(Subscription<'_>),
) -> Left {
    let is_one = |frame: &[u8]| Subscription::from_frame(frame).is_some();
    if first_only && !is_one(message.first()) || !message.frames().any(is_one) {
        return Left::All;
    }
    let mut rest = Vec::new();
    for frame in message.frames() {
        match Subscription::from_frame(frame) {
            Some(subscription) => each(subscription),
            None => rest.push(frame),
        }
    }
    if rest.is_empty() {
        Left::Nothing
    } else {
        Left::Some(Message::from(rest))
    }
}

/// The bytes before the topic in the body of a command that has only begun to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    /// The topic starts behind so many bytes.
    Subscription { prefix: usize },
    /// Another command.
    Other,
    /// Too little has arrived to tell.
    NeedsMore,
}

/// Tells from its first bytes whether a command is a SUBSCRIBE or CANCEL. `whole`: nothing follows.
pub(super) fn recognise(start: &[u8], whole: bool) -> Recognised {
    let Some((&length, rest)) = start.split_first() else {
        return if whole {
            Recognised::Other
        } else {
            Recognised::NeedsMore
        };
    };
    for name in [SUBSCRIBE, CANCEL] {
        if usize::from(length) != name.len() {
            continue;
        }
        if rest.starts_with(name) {
            let prefix = name.len().saturating_add(1);
            return Recognised::Subscription { prefix };
        }
        if !whole && name.starts_with(rest) {
            return Recognised::NeedsMore;
        }
    }
    Recognised::Other
}
