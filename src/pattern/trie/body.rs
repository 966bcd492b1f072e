//! [`Body`]: the bytes between a node of a trie and the one above it, and the nodes right below, each under the
//! first byte of its own label.
//!
//! Nearly all nodes are leaves, or places where two or three keys part after a few common bytes; these are complete
//! in themselves. All others have one piece of memory beside, of exactly the right size. So a lookup sees
//! one or two cache lines for each node, whatever it is.

/// The longest label of a leaf that lies in the node itself.
const LEAF_LABEL: usize = 22;

/// The longest label of a fork that lies in the node itself, and the most edges that do.
const FORK_LABEL: usize = 7;
const FORK_EDGES: usize = 3;

/// Stands for no node: the root is below none.
const NONE: u32 = 0;

/// Bytes of a node, and with the first byte of its label.
const NODE: usize = size_of::<u32>();
const EDGE: usize = 1 + NODE;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Nothing is below.
    Leaf { length: u8, label: [u8; LEAF_LABEL] },
    /// The edges are in their order, those that are none last.
    Fork {
        length: u8,
        label: [u8; FORK_LABEL],
        firsts: [u8; FORK_EDGES],
        nodes: [u32; FORK_EDGES],
    },
    /// The first bytes of so many edges in their order, then the nodes, then the label.
    Large { edges: u16, packed: Box<[u8]> },
}

/// How many nodes are below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    None,
    One(u32),
    More,
}

impl Default for Body {
    fn default() -> Self {
        Self::Leaf {
            length: 0,
            label: [0; LEAF_LABEL],
        }
    }
}

impl Body {
    /// Edges come in the order of their bytes, and none leads to the root.
    pub(super) fn new(label: &[u8], edges: &[(u8, u32)]) -> Self {
        if let ([], Some((length, label))) = (edges, inline(label)) {
            return Self::Leaf { length, label };
        }
        if let (0..=FORK_EDGES, Some((length, label))) = (edges.len(), inline(label)) {
            let (mut firsts, mut nodes) = ([0; FORK_EDGES], [NONE; FORK_EDGES]);
            for ((place, to), &(first, node)) in firsts.iter_mut().zip(&mut nodes).zip(edges) {
                (*place, *to) = (first, node);
            }
            return Self::Fork {
                length,
                label,
                firsts,
                nodes,
            };
        }
        let mut packed = Vec::with_capacity(label.len() + EDGE * edges.len());
        packed.extend(edges.iter().map(|(first, _)| first));
        packed.extend(edges.iter().flat_map(|(_, node)| node.to_ne_bytes()));
        packed.extend_from_slice(label);
        // One for each byte at most.
        let edges = edges.len() as u16;
        let packed = packed.into();
        Self::Large { edges, packed }
    }

    #[inline]
    pub(super) fn label(&self) -> &[u8] {
        // Nothing is ever longer than what it lies in.
        let label = match self {
            Self::Leaf { length, label } => label.get(..usize::from(*length)),
            Self::Fork { length, label, .. } => label.get(..usize::from(*length)),
            Self::Large { edges, packed } => packed.get(EDGE * usize::from(*edges)..),
        };
        label.unwrap_or_default()
    }

    /// Under which byte the node above finds this one; none at the root.
    pub(super) fn first(&self) -> Option<u8> {
        self.label().first().copied()
    }

    /// What is left of a key behind the label, if the key begins with it. That its first byte does is how
    /// this node was found; compared one by one, the rest of a short label costs less than a call.
    #[inline]
    pub(super) fn strip_from<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let label = self.label();
        let (start, rest) = key.split_at_checked(label.len())?;
        let same = start.iter().zip(label).skip(1).all(|(a, b)| a == b);
        same.then_some(rest)
    }

    /// The node below under this byte.
    #[inline]
    pub(super) fn below(&self, first: u8) -> Option<u32> {
        let node = match self {
            Self::Leaf { .. } => NONE,
            // Without a branch: which one it is cannot be foretold.
            Self::Fork { firsts, nodes, .. } => {
                let pairs = firsts.iter().zip(nodes);
                pairs.fold(
                    NONE,
                    |found, (&other, &node)| {
                        if other == first { found | node } else { found }
                    },
                )
            }
            Self::Large { edges, packed } => {
                let edges = usize::from(*edges);
                let place = place_of(packed, edges, first)?;
                node_in(packed, edges, place)?
            }
        };
        (node != NONE).then_some(node)
    }

    /// Puts `node` under this byte.
    pub(super) fn set(&mut self, first: u8, node: u32) {
        match self {
            Self::Leaf { .. } => {}
            Self::Fork { firsts, nodes, .. } => {
                let mut pairs = firsts.iter().zip(nodes);
                let same = pairs.find(|(other, node)| **other == first && **node != NONE);
                if let Some((_, place)) = same {
                    *place = node;
                    return;
                }
            }
            Self::Large { edges, packed } => {
                let edges = usize::from(*edges);
                let firsts = packed.get(..edges).unwrap_or_default();
                if let Ok(place) = firsts.binary_search(&first) {
                    let at = edges + NODE * place;
                    if let Some(place) = packed.get_mut(at..at + NODE) {
                        place.copy_from_slice(&node.to_ne_bytes());
                    }
                    return;
                }
            }
        }
        let mut edges = self.edges();
        let place = edges.partition_point(|&(other, _)| other < first);
        edges.insert(place, (first, node));
        *self = Self::new(self.label(), &edges);
    }

    pub(super) fn remove(&mut self, first: u8) {
        let mut edges = self.edges();
        edges.retain(|&(other, _)| other != first);
        *self = Self::new(self.label(), &edges);
    }

    pub(super) fn set_label(&mut self, label: &[u8]) {
        *self = Self::new(label, &self.edges());
    }

    pub(super) fn count(&self) -> Count {
        let first = self.after(None);
        let second = first.and_then(|(first, _)| self.after(Some(first)));
        match (first, second) {
            (None, _) => Count::None,
            (Some((_, only)), None) => Count::One(only),
            _ => Count::More,
        }
    }

    /// The next edge behind `last` in the order of the bytes.
    pub(super) fn after(&self, last: Option<u8>) -> Option<(u8, u32)> {
        match self {
            Self::Leaf { .. } => None,
            Self::Fork { firsts, nodes, .. } => {
                let mut pairs = firsts.iter().copied().zip(nodes.iter().copied());
                pairs.find(|&(first, node)| node != NONE && last.is_none_or(|last| first > last))
            }
            Self::Large { edges, packed } => {
                let edges = usize::from(*edges);
                let firsts = packed.get(..edges)?;
                let place = last.map_or(0, |last| firsts.partition_point(|&first| first <= last));
                Some((*firsts.get(place)?, node_in(packed, edges, place)?))
            }
        }
    }

    fn edges(&self) -> Vec<(u8, u32)> {
        let (mut edges, mut last) = (Vec::new(), None);
        while let Some((first, node)) = self.after(last) {
            edges.push((first, node));
            last = Some(first);
        }
        edges
    }
}

/// Where a byte is among the first bytes of so many edges: eight are looked at in one step. What lies behind
/// them is looked at as well, and only found where they have none.
#[inline]
fn place_of(packed: &[u8], edges: usize, first: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    for start in (0..edges).step_by(8) {
        let eight = packed.get(start..)?.first_chunk()?;
        let differs = u64::from_le_bytes(*eight) ^ (ONES * u64::from(first));
        // The lowest bit that is set is the highest of a byte that does not differ.
        let same = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if same != 0 {
            let place = start + same.trailing_zeros() as usize / 8;
            return (place < edges).then_some(place);
        }
    }
    None
}

/// The node at this place among so many edges.
#[inline]
fn node_in(packed: &[u8], edges: usize, place: usize) -> Option<u32> {
    let node = packed.get(edges + NODE * place..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*node))
}

fn inline<const N: usize>(label: &[u8]) -> Option<(u8, [u8; N])> {
    let mut bytes = [0; N];
    bytes.get_mut(..label.len())?.copy_from_slice(label);
    Some((u8::try_from(label.len()).ok()?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_label_and_a_map_of_bytes(
            steps in prop::collection::vec((any::<u8>(), 0u32..4), 0..600),
            few in any::<bool>(),
        ) {
            let (mut body, mut label, mut edges) = (Body::default(), Vec::new(), BTreeMap::new());
            for (step, (byte, kind)) in (1..).zip(steps) {
                let first = if few { byte % 5 } else { byte };
                match kind {
                    0 => {
                        label = vec![first; usize::from(byte)];
                        body.set_label(&label);
                    }
                    1 => {
                        edges.remove(&first);
                        body.remove(first);
                    }
                    _ => {
                        edges.insert(first, step);
                        body.set(first, step);
                    }
                }
                prop_assert_eq!(body.label(), &label[..]);
                prop_assert_eq!(body.first(), label.first().copied());
                prop_assert_eq!(body.below(first), edges.get(&first).copied());
                let count = match edges.values().collect::<Vec<_>>()[..] {
                    [] => Count::None,
                    [&only] => Count::One(only),
                    _ => Count::More,
                };
                prop_assert_eq!(body.count(), count);
                let fits = match edges.len() {
                    0 => label.len() <= LEAF_LABEL,
                    1..=FORK_EDGES => label.len() <= FORK_LABEL,
                    _ => false,
                };
                prop_assert_eq!(matches!(body, Body::Large { .. }), !fits);
            }
            for first in 0..=u8::MAX {
                prop_assert_eq!(body.below(first), edges.get(&first).copied());
            }
            prop_assert_eq!(body.edges(), edges.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_label_is_stripped_once() {
        for label in [&[7; 2][..], &[7; LEAF_LABEL], &[7; LEAF_LABEL + 1]] {
            let body = Body::new(label, &[]);
            let (mut key, length) = (label.repeat(2), label.len());
            assert_eq!(body.strip_from(&key), Some(label));
            assert_eq!(body.strip_from(&key[..length]), Some(&[][..]));
            assert_eq!(body.strip_from(&key[..length - 1]), None);
            key[length - 1] = 6;
            assert_eq!(body.strip_from(&key), None);
        }
    }
}
