//! Who wants what: a publisher's peers, and the prefixes to which each of them has subscribed.
//!
//! As in libzmq a publisher keeps a set: a repeated subscription of one peer changes nothing, and
//! one cancellation ends it. What one peer may hold is limited.

use std::collections::BTreeSet;

use super::PeerId;
use super::slots::Slots;
use super::trie::Trie;
use crate::fault::ProtocolError;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Token;

/// Subscriptions that one peer may hold. A subscription costs some 100 bytes here, so this many
/// are 10 MB: beyond what an honest peer needs, short of what would hurt.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 100_000;

/// Bytes that the prefixes of one peer may take together.
pub(crate) const SUBSCRIPTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Subscriptions of a departed peer that are removed before the lock is released for a moment:
/// a peer that leaves 100,000 of them behind must not hold up a publisher.
const REMOVED_AT_ONCE: usize = 1_000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    peers: Slots<Subscriber>,
    topics: Trie<Vec<Token>>,
    /// Grows with each message, so that a peer with several matching prefixes gets it once.
    mark: u64,
    /// The peers that a message goes to; kept for its allocation.
    matching: Vec<Token>,
}

/// One subscriber. A token may have got another holder meanwhile, an id never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(super) token: Token,
    pub(super) id: PeerId,
}

impl Member {
    #[cfg(all(test, not(pipe_loom)))]
    pub(crate) const fn id(&self) -> PeerId {
        self.id
    }
}

#[derive(Debug)]
struct Subscriber {
    id: PeerId,
    /// Known once it can be heard.
    peer: Option<Peer>,
    outbound: Arc<Pipe>,
    inbound: Option<Arc<Pipe>>,
    /// What it is sent.
    held: Prefixes,
    /// What it has asked for, where that is decided by the user.
    asked: Prefixes,
    mark: u64,
}

/// Whether a new subscription is the only one for its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    First,
    Another,
}

/// Who holds a prefix after a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// Nobody any more, or nobody did before.
    Last,
    Others,
}

impl Subscribers {
    pub(super) fn insert(&mut self, id: PeerId, outbound: Arc<Pipe>) -> Token {
        self.peers.insert(Subscriber {
            id,
            peer: None,
            outbound,
            inbound: None,
            held: Prefixes::default(),
            asked: Prefixes::default(),
            mark: 0,
        })
    }

    pub(super) fn find(&self, id: PeerId) -> Option<Token> {
        self.peers.find(|peer| peer.id == id)
    }

    /// Subscriptions come from this pipe.
    pub(super) fn set_inbound(&mut self, token: Token, from: &Peer, pipe: &Arc<Pipe>) {
        if let Some(peer) = self.peers.get_mut(token) {
            peer.peer = Some(from.clone());
            peer.inbound = Some(Arc::clone(pipe));
        }
    }

    /// Who can be heard.
    pub(super) fn peer(&self, token: Token) -> Option<Peer> {
        self.peers.get(token)?.peer.clone()
    }

    pub(super) fn inbound(&self, token: Token) -> Option<Arc<Pipe>> {
        self.peers.get(token)?.inbound.clone()
    }

    pub(super) fn member(&self, token: Token) -> Option<Member> {
        let id = self.peers.get(token)?.id;
        Some(Member { token, id })
    }

    pub(super) fn has(&self, member: Member) -> bool {
        self.member(member.token) == Some(member)
    }

    /// How many distinct prefixes have a subscriber.
    pub(super) const fn topics(&self) -> usize {
        self.topics.len()
    }

    // ---- subscriptions --------------------------------------------------------------------

    pub(super) fn subscribe(
        &mut self,
        token: Token,
        prefix: &[u8],
    ) -> Result<Added, ProtocolError> {
        let Some(peer) = self.peers.get_mut(token) else {
            return Ok(Added::Another);
        };
        if !peer.held.insert(prefix)? {
            return Ok(Added::Another);
        }
        let tokens = self.topics.entry(prefix);
        let added = if tokens.is_empty() {
            Added::First
        } else {
            Added::Another
        };
        if let Err(index) = tokens.binary_search(&token) {
            tokens.insert(index, token);
        }
        Ok(added)
    }

    /// Ends a subscription; one that does not exist is ignored.
    pub(super) fn cancel(&mut self, token: Token, prefix: &[u8]) -> Removed {
        let peer = self.peers.get_mut(token);
        if peer.is_some_and(|peer| peer.held.remove(prefix)) {
            return self.remove(token, prefix);
        }
        match self.topics.get_mut(prefix) {
            Some(_) => Removed::Others,
            None => Removed::Last,
        }
    }

    /// Notes what a peer has asked for, without giving it.
    pub(super) fn ask(
        &mut self,
        token: Token,
        prefix: &[u8],
        subscribe: bool,
    ) -> Result<(), ProtocolError> {
        let Some(peer) = self.peers.get_mut(token) else {
            return Ok(());
        };
        if subscribe {
            peer.asked.insert(prefix)?;
        } else {
            peer.asked.remove(prefix);
        }
        Ok(())
    }

    /// What peers hold they have asked for, now that the user decides about it; or nothing is asked
    /// for any more, since what they ask for they hold.
    pub(super) fn regard_as_asked(&mut self, held: bool) {
        for peer in self.peers.iter_mut() {
            peer.asked = if held {
                peer.held.clone()
            } else {
                Prefixes::default()
            };
        }
    }

    fn remove(&mut self, token: Token, prefix: &[u8]) -> Removed {
        let Some(tokens) = self.topics.get_mut(prefix) else {
            return Removed::Last;
        };
        tokens.retain(|&other| other != token);
        if !tokens.is_empty() {
            return Removed::Others;
        }
        self.topics.remove(prefix);
        Removed::Last
    }

    /// Removes a part of a peer's subscriptions, in their order, and says what was held (with
    /// who holds it now) and what was only asked for (with none). `true` when the peer is gone.
    pub(super) fn remove_some(
        &mut self,
        token: Token,
        mut each: impl FnMut(Box<[u8]>, Option<Removed>),
    ) -> bool {
        for _ in 0..REMOVED_AT_ONCE {
            let Some(peer) = self.peers.get_mut(token) else {
                return true;
            };
            peer.inbound = None;
            if let Some(prefix) = peer.asked.pop() {
                each(prefix, None);
            } else if let Some(prefix) = peer.held.pop() {
                let removed = self.remove(token, &prefix);
                each(prefix, Some(removed));
            } else {
                self.peers.remove(token);
                return true;
            }
        }
        false
    }

    // ---- messages -------------------------------------------------------------------------

    /// Finds the peers with a prefix of `topic`, each once, or those without if that is inverted.
    /// Returns how many they are.
    #[inline]
    pub(super) fn find_matching(&mut self, topic: &[u8], invert: bool) -> usize {
        self.mark += 1;
        self.matching.clear();
        let (peers, matching, mark) = (&mut self.peers, &mut self.matching, self.mark);
        self.topics.visit_prefixes(topic, |tokens| {
            for &token in tokens {
                if let Some(peer) = peers.get_mut(token) {
                    if peer.mark != mark {
                        peer.mark = mark;
                        matching.push(token);
                    }
                }
            }
            true
        });
        if invert {
            let others = peers.iter().filter(|(_, peer)| peer.mark != mark);
            *matching = others.map(|(token, _)| token).collect();
        }
        matching.len()
    }

    /// As [`find_matching`](Self::find_matching), for one peer.
    pub(super) fn find_one(&mut self, member: Member, topic: &[u8], invert: bool) -> bool {
        let mut subscribed = false;
        self.topics.visit_prefixes(topic, |tokens| {
            subscribed = tokens.binary_search(&member.token).is_ok();
            !subscribed
        });
        self.matching.clear();
        let found = subscribed != invert;
        if found {
            self.matching.push(member.token);
        }
        found
    }

    /// The peers that were found.
    #[inline]
    pub(super) fn matching_tokens(&self) -> &[Token] {
        &self.matching
    }

    /// The pipes to the peers that were found.
    #[inline]
    pub(super) fn matching(&self) -> impl Iterator<Item = &Arc<Pipe>> {
        let peers = self.matching.iter();
        peers.filter_map(|&token| Some(&self.peers.get(token)?.outbound))
    }
}

/// Prefixes of one peer, and how long they are together.
#[derive(Clone, Debug, Default)]
struct Prefixes {
    set: BTreeSet<Box<[u8]>>,
    bytes: usize,
}

impl Prefixes {
    /// Whether the prefix is new.
    fn insert(&mut self, prefix: &[u8]) -> Result<bool, ProtocolError> {
        if self.set.contains(prefix) {
            return Ok(false);
        }
        let bytes = self.bytes.saturating_add(prefix.len());
        if self.set.len() >= SUBSCRIPTIONS_MAX {
            let limit = SUBSCRIPTIONS_MAX;
            return Err(ProtocolError::TooManySubscriptions { limit });
        }
        if bytes > SUBSCRIPTION_BYTES_MAX {
            let limit = SUBSCRIPTION_BYTES_MAX;
            return Err(ProtocolError::SubscriptionsTooLong { limit });
        }
        self.bytes = bytes;
        Ok(self.set.insert(prefix.into()))
    }

    fn remove(&mut self, prefix: &[u8]) -> bool {
        let known = self.set.remove(prefix);
        if known {
            self.bytes = self.bytes.saturating_sub(prefix.len());
        }
        known
    }

    fn pop(&mut self) -> Option<Box<[u8]>> {
        self.set.pop_first()
    }
}
