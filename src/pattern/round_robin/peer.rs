//! [`Peer`]: one peer of the round, and what it was sent that nobody wants any more.

use std::collections::HashSet;

use crate::pattern::PeerId;
use crate::pipe::feed::Feed;
use crate::pipe::wake::Due;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) feed: Feed,
    pub(super) in_round: bool,
    /// The first frames of messages that nobody wants any more, and that may still lie in the pipe. Whoever gives up
    /// many gives them up one by one: they are looked for together, when somebody is about to take one.
    withdrawn: HashSet<Box<[u8]>>,
}

impl Peer {
    pub(super) fn new(id: PeerId, feed: Feed) -> Self {
        Self {
            id,
            feed,
            in_round: true,
            withdrawn: HashSet::new(),
        }
    }

    /// The messages that begin with this frame are not to be sent any more. Returns whether they are to be
    /// [sifted out](Self::sift) at once: somebody may wait for their room, or most of them have been sent, and are
    /// not to be kept in mind for ever.
    #[must_use]
    pub(super) fn withdraw(&mut self, first: &[u8]) -> bool {
        self.withdrawn.insert(first.into());
        if !self.in_round || self.withdrawn.len() > self.feed.queued() {
            return true;
        }
        self.feed.pipe().sift_before_next();
        false
    }

    /// Takes back what has been withdrawn; `false` when nothing has.
    pub(super) fn sift(&mut self, due: &mut Due) -> bool {
        let withdrawn = std::mem::take(&mut self.withdrawn);
        if withdrawn.is_empty() {
            return false;
        }
        self.feed.retain(|first| !withdrawn.contains(first), due);
        true
    }
}
