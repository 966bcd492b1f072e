//! [`Holdings`]: which peers hold which prefixes.
//!
//! A prefix is kept once, however many peers hold it. Each of them has a [`Share`]: the names of its prefixes,
//! and how much that is, since what one peer may hold is limited.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::slots::Slots;
use super::trie::{Full, Name, Trie, Value};
use crate::fault::ProtocolError;
use crate::pipe::wake::Token;

/// Subscriptions that one peer may hold. A subscription costs some 60 bytes here, so this many
/// are 6 MB: beyond what an honest peer needs, short of what would hurt.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 100_000;

/// Bytes that the prefixes of one peer may take together.
pub(crate) const SUBSCRIPTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    prefixes: Trie<Holders>,
    /// The tokens, in their order, of those who hold a prefix together.
    crowds: Slots<Vec<u32>>,
}

/// What one peer holds. It has to be given back before the peer is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    names: BTreeSet<Name>,
    bytes: usize,
}

/// Who holds a prefix, in as few bytes as the name of one peer: most prefixes have one holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holders(u32);

/// Tells the place of a crowd from the token of a peer, and is more than there may be of either.
const CROWD: u32 = 1 << 31;
const TOO_MANY: Full = Full {
    limit: CROWD as usize,
};

enum Who {
    Nobody,
    One(Token),
    Crowd(Token),
}

/// Who holds a prefix, as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Party<'a> {
    One(Token),
    /// In their order.
    Many(&'a [u32]),
}

/// Whether a new holder is the only one of the prefix.
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

impl Holdings {
    /// How many prefixes somebody holds.
    pub(super) const fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Gives a prefix to the peer of `token`, whose share that is; none when it has it already.
    pub(super) fn add(
        &mut self,
        share: &mut Share,
        token: Token,
        prefix: &[u8],
    ) -> Result<Option<Added>, ProtocolError> {
        let bytes = share.bytes.saturating_add(prefix.len());
        let refusal = if share.names.len() >= SUBSCRIPTIONS_MAX {
            let limit = SUBSCRIPTIONS_MAX;
            Some(ProtocolError::TooManySubscriptions { limit })
        } else if bytes > SUBSCRIPTION_BYTES_MAX {
            let limit = SUBSCRIPTION_BYTES_MAX;
            Some(ProtocolError::SubscriptionsTooLong { limit })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return if self.holds(token, prefix) {
                Ok(None)
            } else {
                Err(refusal)
            };
        }
        let crowds = &mut self.crowds;
        let entered = self.prefixes.enter(prefix, |name, holders| {
            let added = holders.add(token, crowds)?;
            if added.is_some() {
                share.names.insert(name);
                share.bytes = bytes;
            }
            Ok(added)
        });
        entered
            .and_then(|added| added)
            .map_err(|Full { limit }| ProtocolError::TooManySubscriptions { limit })
    }

    /// Takes a prefix from the peer of `token`, whose share that is; none when it does not have it.
    pub(super) fn remove(
        &mut self,
        share: &mut Share,
        token: Token,
        prefix: &[u8],
    ) -> Option<Removed> {
        let name = self.prefixes.find(prefix)?;
        let removed = self.take(token, name)?;
        share.names.remove(&name);
        share.bytes = share.bytes.saturating_sub(prefix.len());
        Some(removed)
    }

    /// Takes any of its prefixes from the peer of `token`, whose share that is. `false` when it has no more.
    pub(super) fn remove_any(&mut self, share: &mut Share, token: Token) -> bool {
        let Some(name) = share.names.pop_first() else {
            // Where there is no order, nobody asks how long each of them is.
            share.bytes = 0;
            return false;
        };
        self.take(token, name);
        true
    }

    fn take(&mut self, token: Token, name: Name) -> Option<Removed> {
        let crowds = &mut self.crowds;
        self.prefixes
            .change(name, |holders| holders.remove(token, crowds))
    }

    /// Whether anybody holds a prefix.
    pub(super) fn is_held(&self, prefix: &[u8]) -> bool {
        self.prefixes.find(prefix).is_some()
    }

    fn holds(&self, token: Token, prefix: &[u8]) -> bool {
        let holders = self.prefixes.get(prefix);
        let party = holders.and_then(|holders| holders.party(&self.crowds));
        party.is_some_and(|party| party.has(token))
    }

    /// The next of the prefixes in a share behind `last`, in the order of their names.
    pub(super) fn next_in(&self, share: &Share, last: Option<Name>) -> Option<(Name, Box<[u8]>)> {
        let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
        let name = share.names.range((behind, Bound::Unbounded)).next()?;
        Some((*name, self.prefixes.key(*name)))
    }

    /// Tells for every prefix of `topic` who holds it, the shortest first, until `each` returns `false`.
    #[inline]
    pub(super) fn visit(&self, topic: &[u8], mut each: impl FnMut(Party<'_>) -> bool) {
        self.prefixes.visit_prefixes(topic, |holders| {
            holders.party(&self.crowds).is_none_or(&mut each)
        });
    }
}

impl Share {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Party<'_> {
    pub(super) fn has(self, token: Token) -> bool {
        match self {
            Self::One(holder) => holder == token,
            Self::Many(holders) => place(holders, token).is_ok(),
        }
    }
}

fn place(crowd: &[u32], token: Token) -> Result<usize, usize> {
    crowd.binary_search_by(|&holder| (holder as Token).cmp(&token))
}

impl Value for Holders {
    #[inline]
    fn is_vacant(&self) -> bool {
        self.0 == 0
    }
}

impl Holders {
    #[inline]
    const fn who(self) -> Who {
        match self.0 {
            0 => Who::Nobody,
            crowd if crowd & CROWD != 0 => Who::Crowd((crowd & !CROWD) as Token),
            peer => Who::One((peer - 1) as Token),
        }
    }

    fn one(token: Token) -> Result<Self, Full> {
        let number = u32::try_from(token).ok().and_then(|n| n.checked_add(1));
        number.filter(|n| n & CROWD == 0).map(Self).ok_or(TOO_MANY)
    }

    fn crowd(place: Token) -> Result<Self, Full> {
        let number = u32::try_from(place).ok().filter(|n| n & CROWD == 0);
        number.map(|n| Self(n | CROWD)).ok_or(TOO_MANY)
    }

    #[inline]
    fn party(self, crowds: &Slots<Vec<u32>>) -> Option<Party<'_>> {
        match self.who() {
            Who::Nobody => None,
            Who::One(token) => Some(Party::One(token)),
            Who::Crowd(place) => crowds.get(place).map(|crowd| Party::Many(crowd)),
        }
    }

    /// Adds a holder; none when it is one already.
    fn add(&mut self, token: Token, crowds: &mut Slots<Vec<u32>>) -> Result<Option<Added>, Full> {
        let one = Self::one(token)?;
        match self.who() {
            Who::Nobody => {
                *self = one;
                Ok(Some(Added::First))
            }
            Who::One(_) if *self == one => Ok(None),
            Who::One(_) => {
                let mut both = [self.0 - 1, one.0 - 1];
                both.sort_unstable();
                let place = crowds.insert(both.to_vec());
                *self = Self::crowd(place).inspect_err(|_| drop(crowds.remove(place)))?;
                Ok(Some(Added::Another))
            }
            Who::Crowd(crowd) => Ok(crowds.get_mut(crowd).and_then(|crowd| {
                let place = place(crowd, token).err()?;
                crowd.insert(place, one.0 - 1);
                Some(Added::Another)
            })),
        }
    }

    /// Removes a holder; none when it is none.
    fn remove(&mut self, token: Token, crowds: &mut Slots<Vec<u32>>) -> Option<Removed> {
        match self.who() {
            Who::One(holder) if holder == token => {
                *self = Self::default();
                Some(Removed::Last)
            }
            Who::Nobody | Who::One(_) => None,
            Who::Crowd(index) => {
                let crowd = crowds.get_mut(index)?;
                crowd.remove(place(crowd, token).ok()?);
                if let [only] = crowd[..] {
                    *self = Self(only + 1);
                    crowds.remove(index);
                }
                Some(Removed::Others)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PEERS: usize = 5;

    fn prefix() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..3, 0..4)
    }

    proptest! {
        #[test]
        fn everybody_holds_what_it_was_given(
            steps in prop::collection::vec((0..PEERS, prefix(), 0u8..8), 0..200),
            probe in prefix(),
        ) {
            let mut holdings = Holdings::default();
            let mut shares: Vec<Share> = vec![Share::default(); PEERS];
            let mut model: BTreeMap<Vec<u8>, BTreeSet<Token>> = BTreeMap::new();
            for (token, prefix, kind) in steps {
                let share = &mut shares[token];
                let holders = model.entry(prefix.clone()).or_default();
                match kind {
                    0..4 => {
                        let first = if holders.is_empty() { Added::First } else { Added::Another };
                        let expected = holders.insert(token).then_some(first);
                        prop_assert_eq!(holdings.add(share, token, &prefix).unwrap(), expected);
                    }
                    4..7 => {
                        let was_one = holders.remove(&token);
                        let rest = if holders.is_empty() { Removed::Last } else { Removed::Others };
                        let removed = holdings.remove(share, token, &prefix);
                        prop_assert_eq!(removed, was_one.then_some(rest));
                    }
                    _ => {
                        while holdings.remove_any(share, token) {}
                        prop_assert_eq!(share.bytes, 0);
                        model.values_mut().for_each(|holders| {
                            holders.remove(&token);
                        });
                    }
                }
                model.retain(|_, holders| !holders.is_empty());
                prop_assert_eq!(holdings.len(), model.len());
                let crowds = model.values().filter(|holders| holders.len() > 1).count();
                prop_assert_eq!(holdings.crowds.iter().count(), crowds);
            }
            let mut found: Vec<BTreeSet<Token>> = Vec::new();
            holdings.visit(&probe, |party| {
                found.push((0..PEERS).filter(|&token| party.has(token)).collect());
                true
            });
            let begins = |(prefix, _): &(&Vec<u8>, _)| probe.starts_with(prefix);
            let expected: Vec<BTreeSet<Token>> =
                model.iter().filter(begins).map(|(_, holders)| holders.clone()).collect();
            prop_assert_eq!(found, expected);
            for (token, share) in shares.iter().enumerate() {
                let held = model.iter().filter(|(_, holders)| holders.contains(&token));
                let held: BTreeSet<&[u8]> = held.map(|(prefix, _)| &prefix[..]).collect();
                prop_assert_eq!(share.bytes, held.iter().map(|prefix| prefix.len()).sum::<usize>());
                let (mut last, mut listed) = (None, BTreeSet::new());
                while let Some((name, prefix)) = holdings.next_in(share, last) {
                    prop_assert!(held.contains(&*prefix));
                    listed.insert(prefix);
                    last = Some(name);
                }
                prop_assert_eq!(listed.len(), held.len());
            }
        }
    }

    #[test]
    fn a_peer_holds_no_more_than_it_may() {
        let mut holdings = Holdings::default();
        let (mut much, mut many) = (Share::default(), Share::default());
        let limit = SUBSCRIPTIONS_MAX;
        let too_many = Err(ProtocolError::TooManySubscriptions { limit });
        let too_long = Err(ProtocolError::SubscriptionsTooLong {
            limit: SUBSCRIPTION_BYTES_MAX,
        });
        let half = vec![b'h'; SUBSCRIPTION_BYTES_MAX / 2];
        assert!(holdings.add(&mut much, 0, &half).is_ok());
        assert!(holdings.add(&mut much, 0, &half[1..]).is_ok());
        assert!(holdings.add(&mut much, 0, b"1").is_ok());
        assert_eq!(holdings.add(&mut much, 0, b"2"), too_long);
        assert!(holdings.add(&mut much, 0, b"").is_ok());
        for number in 0..limit {
            let prefix = number.to_be_bytes();
            assert!(holdings.add(&mut many, 1, &prefix).is_ok());
        }
        assert_eq!(holdings.add(&mut many, 1, b""), too_many);
        assert_eq!(holdings.len(), 4 + limit);
        // What it has already is nothing more.
        assert_eq!(holdings.add(&mut many, 1, &[0; 8]), Ok(None));
        assert_eq!(holdings.add(&mut much, 0, b"1"), Ok(None));
        assert_eq!(holdings.remove(&mut many, 1, &[0; 8]), Some(Removed::Last));
        assert_eq!(holdings.add(&mut many, 1, b""), Ok(Some(Added::Another)));
    }

    #[test]
    fn a_token_that_has_no_number_is_refused() {
        let mut holdings = Holdings::default();
        for token in [TOO_MANY.limit - 1, TOO_MANY.limit, usize::MAX] {
            let added = holdings.add(&mut Share::default(), token, b"a");
            assert!(added.is_err());
            assert_eq!(holdings.len(), 0);
        }
        let added = holdings.add(&mut Share::default(), TOO_MANY.limit - 2, b"a");
        assert_eq!(added, Ok(Some(Added::First)));
    }
}
