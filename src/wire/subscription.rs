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
            return Self::from_command(first.body);
        }
        let (&kind, topic) = first.body.split_first()?;
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
