//! Who wants what: a publisher's peers, and the prefixes to which each of them has subscribed.
//!
//! As in libzmq a publisher keeps a set: a repeated subscription of one peer changes nothing, and
//! one cancellation ends it. What one peer may hold is limited.

use std::collections::BTreeSet;

use super::PeerId;
use super::holdings::{Added, Holdings, Party, Removed, Share};
use super::slots::Slots;
use super::trie::Name;
use crate::fault::ProtocolError;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Token;

/// Subscriptions of a departed peer that are removed before the lock is released for a moment:
/// a peer that leaves 100,000 of them behind must not hold up a publisher.
const REMOVED_AT_ONCE: usize = 1_000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    peers: Slots<Subscriber>,
    /// What they are sent.
    held: Holdings,
    /// What they have asked for, where that is decided by the user.
    asked: Holdings,
    /// Grows with each message that several prefixes match, so that a peer that has more than one of them
    /// gets it once.
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
    held: Share,
    asked: Share,
    /// What the user is still to be told of, while it leaves.
    untold: Untold,
    mark: u64,
}

/// The prefixes of a peer that leaves, in their order.
#[derive(Debug, Default)]
struct Untold {
    prefixes: BTreeSet<Box<[u8]>>,
    /// The last one that was noted.
    last: Option<Name>,
}

/// What the user is told of a peer that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Held,
    Asked,
}

impl Subscribers {
    pub(super) fn insert(&mut self, id: PeerId, outbound: Arc<Pipe>) -> Token {
        self.peers.insert(Subscriber {
            id,
            peer: None,
            outbound,
            inbound: None,
            held: Share::default(),
            asked: Share::default(),
            untold: Untold::default(),
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
        self.held.len()
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
        let added = self.held.add(&mut peer.held, token, prefix)?;
        Ok(added.unwrap_or(Added::Another))
    }

    /// Ends a subscription; one that does not exist is ignored.
    pub(super) fn cancel(&mut self, token: Token, prefix: &[u8]) -> Removed {
        let peer = self.peers.get_mut(token);
        let removed = peer.and_then(|peer| self.held.remove(&mut peer.held, token, prefix));
        match removed {
            Some(removed) => removed,
            None if self.held.is_held(prefix) => Removed::Others,
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
            self.asked.add(&mut peer.asked, token, prefix)?;
        } else {
            self.asked.remove(&mut peer.asked, token, prefix);
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
                Share::default()
            };
        }
        self.asked = if held {
            self.held.clone()
        } else {
            Holdings::default()
        };
    }

    /// Removes a part of a peer's subscriptions, and tells of those that the user is `told` of, in their
    /// order, with who holds them now. `true` when the peer is gone.
    pub(super) fn remove_some(
        &mut self,
        token: Token,
        told: Told,
        mut each: impl FnMut(Box<[u8]>, Removed),
    ) -> bool {
        for _ in 0..REMOVED_AT_ONCE {
            let Some(peer) = self.peers.get_mut(token) else {
                return true;
            };
            peer.inbound = None;
            let told = match told {
                Told::Nothing => None,
                Told::Held => Some((&mut self.held, &mut peer.held)),
                Told::Asked => Some((&mut self.asked, &mut peer.asked)),
            };
            if let Some((holdings, share)) = told {
                if peer.untold.tell(holdings, share, token, &mut each) {
                    continue;
                }
            }
            let is_left = self.asked.remove_any(&mut peer.asked, token)
                || self.held.remove_any(&mut peer.held, token);
            if !is_left {
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
        let (peers, matching) = (&mut self.peers, &mut self.matching);
        matching.clear();
        let mut prefixes = 0;
        self.held.visit(topic, |party| {
            prefixes += 1;
            match party {
                Party::One(token) => matching.push(token),
                Party::Many(tokens) => matching.extend(tokens.iter().map(|&token| token as Token)),
            }
            true
        });
        // Nobody holds one prefix twice.
        if prefixes > 1 || invert {
            self.mark += 1;
            let mark = self.mark;
            matching.retain(|&token| {
                let peer = peers.get_mut(token);
                peer.is_some_and(|peer| std::mem::replace(&mut peer.mark, mark) != mark)
            });
            if invert {
                let others = peers.iter().filter(|(_, peer)| peer.mark != mark);
                *matching = others.map(|(token, _)| token).collect();
            }
        }
        matching.len()
    }

    /// As [`find_matching`](Self::find_matching), for one peer.
    pub(super) fn find_one(&mut self, member: Member, topic: &[u8], invert: bool) -> bool {
        let mut subscribed = false;
        self.held.visit(topic, |party| {
            subscribed = party.has(member.token);
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

impl Untold {
    /// Notes one of the prefixes, or, when all are noted, takes one from the peer and tells of it. `false`
    /// when there is none left.
    fn tell(
        &mut self,
        holdings: &mut Holdings,
        share: &mut Share,
        token: Token,
        each: impl FnOnce(Box<[u8]>, Removed),
    ) -> bool {
        if let Some((name, prefix)) = holdings.next_in(share, self.last) {
            self.last = Some(name);
            self.prefixes.insert(prefix);
        } else if let Some(prefix) = self.prefixes.pop_first() {
            // It may have been taken meanwhile.
            if let Some(removed) = holdings.remove(share, token, &prefix) {
                each(prefix, removed);
            }
        } else {
            // It may have been given more meanwhile.
            self.last = None;
            return !share.is_empty();
        }
        true
    }
}
