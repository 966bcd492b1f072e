//! The options of the publishing and the subscribing types.

use crate::message::Message;

/// What publishers and subscribers do otherwise than by default. Each type reads its own part.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublishOptions {
    /// Messages go to, and are wanted by, those that have no matching subscription.
    pub(crate) invert_matching: bool,
    /// Only a message that begins with a subscription is looked through for more of them.
    pub(crate) only_first_subscribe: bool,
    /// What every new peer is sent first.
    pub(crate) welcome: Option<Message>,
    /// Sending waits for subscribers that have no room.
    pub(crate) no_drop: bool,
    pub(crate) shows: Shows,
    /// Publishers are told of every cancellation.
    pub(crate) verbose_unsubscribe: bool,
}

/// What is shown to the user of an XPUB besides the first subscription to a prefix and the end of
/// the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shows {
    /// Every subscription.
    pub(crate) repeats: bool,
    /// Every cancellation.
    pub(crate) cancels: bool,
    /// Everything, and the user decides about it.
    pub(crate) manual: bool,
}

impl Shows {
    /// What `verbose` sets and unsets.
    pub(crate) const fn verbose(&mut self, verbose: bool) {
        self.repeats = verbose;
        self.cancels = false;
    }

    /// What `verboser` sets and unsets.
    pub(crate) const fn verboser(&mut self, verboser: bool) {
        self.repeats = verboser;
        self.cancels = verboser;
    }
}
