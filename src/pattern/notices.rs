//! What an XPUB shows its user: subscriptions, cancellations and messages of its subscribers.
//!
//! What has not been read counts against the pipe it came through, so a peer that asks for more
//! than its high-water mark allows is not read any further. Peers that come, ask and go again leave
//! what they asked for behind; a bound on the whole queue ends that, too.

use std::collections::VecDeque;

use bytes::Bytes;

use super::subscribers::Member;
use crate::message::Message;
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Token;
use crate::pipe::{Load, Pipe};

/// Notices that wait to be read before no further request is taken from any peer.
const UNREAD_MAX: usize = 100_000;

/// Likewise, their bytes on the wire, and those of what their senders claim: a handle of a peer that has left
/// may be all that keeps these.
const UNREAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a subscriber has said.
#[derive(Debug)]
pub(crate) enum Notice {
    Subscribe(Asked),
    Cancel(Asked),
    Message(Message),
}

/// A prefix that a peer has asked for, or wants no more.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) prefix: Bytes,
    /// None when it is the departure of the peer that ends the subscription.
    pub(crate) member: Option<Member>,
    /// Whether it is for the user to grant: the socket was manual when it was asked for.
    pub(crate) pending: bool,
}

/// What is shown, and who said it.
pub(crate) type Shown = (Peer, Notice);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Notices {
    queue: VecDeque<Entry>,
    bytes: usize,
    /// Peers that are to be read once the queue has room again.
    postponed: Vec<Token>,
}

#[derive(Debug)]
struct Entry {
    from: Peer,
    notice: Notice,
    /// What it counts for in the bound on the whole queue.
    bytes: usize,
    /// What it still takes up, and where.
    charge: Option<(Arc<Pipe>, Load)>,
}

/// What is to be done, without a lock, after a notice has been read.
#[derive(Debug, Default)]
#[must_use = "somebody waits for room"]
pub(super) struct Relief {
    charge: Option<(Arc<Pipe>, Load)>,
    pub(super) postponed: Vec<Token>,
}

impl Relief {
    pub(super) fn release(&mut self) {
        if let Some((pipe, load)) = self.charge.take() {
            pipe.release(load);
        }
    }
}

impl Notices {
    pub(super) fn push(&mut self, from: Peer, notice: Notice) {
        let bytes = from.claims().weight();
        self.bytes = self.bytes.saturating_add(bytes);
        self.queue.push_back(Entry {
            from,
            notice,
            bytes,
            charge: None,
        });
    }

    /// The notice pushed last takes up this much of `pipe` until it is read.
    pub(super) fn charge(&mut self, pipe: &Arc<Pipe>, load: Load) {
        if let Some(entry) = self.queue.back_mut() {
            self.bytes = self.bytes.saturating_add(load.bytes);
            entry.bytes = entry.bytes.saturating_add(load.bytes);
            entry.charge = Some((Arc::clone(pipe), load));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(Shown, Relief)> {
        let Entry {
            from,
            notice,
            bytes,
            charge,
        } = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        let low = self.queue.len() <= UNREAD_MAX / 2 && self.bytes <= UNREAD_BYTES_MAX / 2;
        let postponed = if low {
            std::mem::take(&mut self.postponed)
        } else {
            Vec::new()
        };
        Some(((from, notice), Relief { charge, postponed }))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether a peer may not be read now; it comes back with a [`Relief`].
    pub(super) fn postpone(&mut self, token: Token) -> bool {
        if self.queue.len() < UNREAD_MAX && self.bytes < UNREAD_BYTES_MAX {
            return false;
        }
        if !self.postponed.contains(&token) {
            self.postponed.push(token);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_claims_counts_until_it_is_read() {
        let mut notices = Notices::default();
        let half = Peer::claiming(UNREAD_BYTES_MAX / 2);
        notices.push(half.clone(), Notice::Message(Message::from("x")));
        assert!(!notices.postpone(0));
        notices.push(half, Notice::Message(Message::from("x")));
        assert!(notices.postpone(0));
        let (_, relief) = notices.pop().unwrap();
        assert_eq!(relief.postponed, [0]);
        assert!(notices.pop().is_some());
        assert_eq!(notices.bytes, 0);
    }
}
