//! Routing laws: which peer a message goes to, and whose message is read next.
//!
//! Patterns see pipes, never connections. They are synchronous, start no task and do no I/O, so
//! all of this is tested without a runtime.
//!
//! | socket | sends by | receives by |
//! |---|---|---|
//! | PUSH | [`round_robin`] | – |
//! | PULL | – | [`fair_queue`] |
//! | PUB | [`fan_out`] of [`edition`]s to its [`audience`], the [`subscribers`] by their [`holdings`] | subscriptions only |
//! | SUB | subscriptions only ([`interest`]) | [`fair_queue`] with a filter |
//! | XPUB | as PUB | subscriptions and messages, as [`notices`] |
//! | XSUB | to all: subscriptions and messages ([`interest`]) | [`fair_queue`] |
//! | REQ | [`round_robin`] | [`fair_queue`], from the peer that was asked ([`requests`]) |
//! | REP | the peer that asked | [`fair_queue`] with an [`envelope`] ([`replies`]) |
//! | DEALER | [`round_robin`] | [`fair_queue`] |
//! | ROUTER | the peer that is named | [`fair_queue`], with the name of the peer ([`routes`]) |
//! | PAIR | its one peer | its one peer ([`pair`]) |
//!
//! A proxy has a [`relay`] move messages from a law that receives to one that sends.
//!
//! Lock order: the pattern's state, then its line, or one pipe. Nothing is called under a line's
//! lock, and a pipe's signals arrive with no pipe locked.

pub(crate) mod audience;
mod departed;
mod edition;
pub(crate) mod envelope;
mod exchange;
pub(crate) mod fair_queue;
pub(crate) mod fan_out;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub(crate) mod holdings;
pub(crate) mod interest;
mod line;
#[cfg(all(test, pipe_loom))]
mod loom;
pub(crate) mod notices;
mod outlet;
pub(crate) mod pair;
pub(crate) mod relay;
pub(crate) mod replies;
pub(crate) mod requests;
pub(crate) mod round_robin;
pub(crate) mod routes;
mod slots;
pub(crate) mod subscribers;
#[cfg(all(test, not(pipe_loom)))]
mod tests;
mod trie;

use std::fmt;
use std::sync::Weak;

use crate::endpoint::{Endpoint, PeerAddress};
use crate::event::DisconnectReason;
use crate::fault::PeerFault;
use crate::identity::Identity;
use crate::options::Options;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::wire::batch::Batch;

/// Names one peer of a socket for as long as the socket lives; never used twice.
///
/// A connecting end that keeps its queue over reconnections keeps its name, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerId(pub(crate) u64);

/// The end of a connection, as a pattern is told of it.
#[derive(Debug)]
pub(crate) struct Departure {
    /// Whole messages of which no byte was written.
    pub(crate) unwritten: Vec<Batch>,
    /// Whether the peer's outbound pipe stays, with what it holds, for the next connection.
    pub(crate) keeps_outbound: bool,
    /// Where the connection was bound or connected.
    pub(crate) endpoint: Endpoint,
    pub(crate) reason: DisconnectReason,
}

impl Departure {
    /// The end of a connection that leaves nothing to be sent elsewhere.
    pub(crate) const fn with_nothing_left(
        keeps_outbound: bool,
        endpoint: Endpoint,
        reason: DisconnectReason,
    ) -> Self {
        Self {
            unwritten: Vec::new(),
            keeps_outbound,
            endpoint,
            reason,
        }
    }

    /// How many messages would have to go elsewhere.
    pub(crate) fn unwritten_messages(&self) -> usize {
        self.unwritten.iter().map(Batch::messages).sum()
    }

    /// Likewise, where commands among them need not go anywhere.
    pub(crate) fn unwritten_without_commands(self) -> usize {
        let mut messages = 0;
        for mut batch in self.unwritten {
            while let Some(first) = batch.peek() {
                messages += usize::from(!first.command);
                batch.skip();
            }
        }
        messages
    }
}

/// A newcomer's name belongs to another peer.
#[derive(Debug)]
pub(crate) struct NameTaken {
    pub(crate) name: Identity,
    /// Where that one is; none if this side chose the name.
    pub(crate) holder: Option<PeerAddress>,
}

/// Messages that a pattern has dropped and that no peer's pipe has counted, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Nobody has the name to which they were sent.
    pub(crate) unroutable: u64,
    /// They arrived, and nobody has a use for them.
    pub(crate) unusable: u64,
    /// The peer to which they were sent had left.
    pub(crate) departed: u64,
}

/// What sends peers away for a pattern.
///
/// A pattern that finds fault with what a peer has said closes the pipe through which it came. A session
/// watches its pipes; within a process nobody does, and the pipe would just stay closed.
pub(crate) trait Doorman: Send + Sync {
    /// The connection to this peer is to end. Called with nothing locked, except that the link to that very
    /// peer may be held.
    fn expel(&self, id: PeerId, fault: PeerFault);
}

/// What a socket type does with the ends of its peers' pipes.
pub(crate) trait Pattern: fmt::Debug + Send + Sync {
    /// Comes before everything else: who sends peers away. Only for those who judge what is said.
    fn employ(&self, _: Weak<dyn Doorman>) {}

    /// Whether messages may be queued for a peer that is not connected yet.
    fn queues_ahead(&self) -> bool {
        false
    }

    /// Whether anything that peers send is of use; what is not is dropped before it is queued.
    fn listens(&self) -> bool {
        true
    }

    /// Whether it subscribes to a topic that no publisher takes.
    #[cfg(feature = "inproc")]
    fn wants_too_long(&self) -> bool {
        false
    }

    /// Options of the socket have changed. The socket's options are locked: only to be taken note of.
    fn adopt(&self, _: &Options) {}

    /// What was [adopted](Self::adopt) counts from now on: whoever waited by the old rules may look
    /// again. Nothing is locked.
    fn adopted(&self) {}

    /// Comes before the pipes of a connection are attached: gives the peer its name, under which what is
    /// sent goes into this pipe, where peers have names. Returns from whom it took the name: to that
    /// one nothing is sent any more, and its connection is to be ended.
    fn welcome(&self, _: PeerId, _: &Peer, _: &Arc<Pipe>) -> Result<Option<PeerId>, NameTaken> {
        Ok(None)
    }

    /// Keeps a name for a peer that is still to be connected; `false` when another one has it.
    fn reserve_name(&self, _: PeerId, _: &Identity, _: &Arc<Pipe>) -> bool {
        false
    }

    /// Whether there is a place for one more peer. `standing` names one whose queue is here
    /// already.
    fn has_seat(&self, _standing: Option<PeerId>) -> bool {
        true
    }

    /// Gives a place to this peer, or says that there is none.
    fn take_seat(&self, _: PeerId) -> bool {
        true
    }

    /// A peer that has been detached for good, or could not be attached, gives its place up.
    /// Returns whether others may have been waiting for it.
    fn give_up_seat(&self, _: PeerId) -> bool {
        false
    }

    /// Whether a peer has this name.
    #[cfg(any(test, feature = "inproc"))]
    fn has_name(&self, _: &Identity) -> bool {
        false
    }

    /// Messages can be sent into this pipe.
    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>);

    /// Messages of this peer can be read from this pipe.
    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>);

    /// The connection to a peer has ended: forgets a part of what the peer had asked for, as much as may be done in one
    /// turn of a task. `true` when [`detach`](Self::detach) has nothing of that kind left to do.
    fn shed(&self, _: PeerId) -> bool {
        true
    }

    /// The connection to a peer has ended. Returns how many messages were dropped for good.
    fn detach(&self, id: PeerId, departure: Departure) -> usize;

    /// The pipe from this peer goes on, but to another socket, and what lies in it is to be read
    /// here. Only work to be done is worth keeping like that: who asked a question asks it of whoever comes
    /// next, so a law that answers (REP, ROUTER) leaves what it has not taken to them.
    #[cfg(feature = "inproc")]
    fn keep_rest(&self, _: PeerId) {}

    /// Nothing more is to be read from this peer.
    fn forget(&self, id: PeerId);

    /// What was dropped that no peer's pipe has counted.
    fn dropped(&self) -> Dropped {
        Dropped::default()
    }

    /// Nothing more will be sent or received. Returns how many messages had no peer to go to.
    fn close(&self) -> usize;
}
