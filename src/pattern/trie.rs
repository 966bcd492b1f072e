//! A radix tree over byte strings: which of the stored keys are prefixes of this one?
//!
//! Keys come from peers, so nothing here recurses: the nodes lie in one arena and a key of any
//! length costs no stack. A lookup reads each byte of its key at most once, and looks at no more than
//! one edge for it.
//!
//! A key has a [`Name`], under which its value is found again without it, and from which it can be told. So
//! whoever has to remember keys need not keep them a second time. A key of which no more than 22 bytes are
//! its own costs some 50 bytes, with its share of the nodes where it parts from others.

mod body;

use body::{Body, Count};

/// The most nodes that a tree may have: their names are as short as that.
const NODES_MAX: u32 = u32::MAX;

/// Nodes for which memory is kept when there is no key left.
const KEPT: usize = 64;

/// A map from byte strings that finds all keys which are prefixes of a given string.
#[derive(Clone, Debug)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node<V>>,
    /// The first of the nodes that are not in use; each names the next one as the node above it.
    free: u32,
    len: usize,
    most: u32,
}

#[derive(Clone, Debug, Default)]
struct Node<V> {
    /// The label is empty at the root only.
    body: Body,
    above: u32,
    /// Vacant where nodes part and no key ends.
    value: V,
}

/// Names a key as long as its value is not vacant, whatever is added and removed beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(u32);

/// What a key is mapped to.
pub(crate) trait Value: Default {
    /// Whether this is as good as none. The key of such a value is forgotten.
    fn is_vacant(&self) -> bool;
}

/// There is no name for another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) limit: usize,
}

const ROOT: u32 = 0;

impl<V: Value> Default for Trie<V> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: ROOT,
            len: 0,
            most: NODES_MAX,
        }
    }
}

impl<V: Value> Trie<V> {
    /// The number of keys.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Calls `visit` with the value of every key that is a prefix of `key`, the shortest first,
    /// until it returns `false`.
    #[inline]
    pub(crate) fn visit_prefixes(&self, key: &[u8], mut visit: impl FnMut(&V) -> bool) {
        let (mut node, mut rest) = (self.node(ROOT), key);
        loop {
            if !node.value.is_vacant() && !visit(&node.value) {
                return;
            }
            let Some(below) = rest.first().and_then(|&first| node.body.below(first)) else {
                return;
            };
            node = self.node(below);
            let Some(tail) = node.body.strip_from(rest) else {
                return;
            };
            rest = tail;
        }
    }

    /// Finds exactly `key`.
    pub(crate) fn find(&self, key: &[u8]) -> Option<Name> {
        let (mut at, mut rest) = (ROOT, key);
        while let Some(&first) = rest.first() {
            at = self.node(at).body.below(first)?;
            rest = self.node(at).body.strip_from(rest)?;
        }
        (!self.node(at).value.is_vacant()).then_some(Name(at))
    }

    /// The value of exactly `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.find(key).map(|name| &self.node(name.0).value)
    }

    /// The key with this name.
    pub(crate) fn key(&self, name: Name) -> Box<[u8]> {
        let (mut key, mut at) = (Vec::new(), name.0);
        while at != ROOT {
            let node = self.node(at);
            key.extend(node.body.label().iter().rev());
            at = node.above;
        }
        key.reverse();
        key.into()
    }

    /// Calls `each` with every key, in their order.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&[u8])) {
        let (mut key, mut at, mut last) = (Vec::new(), ROOT, None);
        loop {
            if last.is_none() && !self.node(at).value.is_vacant() {
                each(&key);
            }
            if let Some((_, below)) = self.node(at).body.after(last) {
                key.extend_from_slice(self.node(below).body.label());
                (at, last) = (below, None);
                continue;
            }
            let Node { body, above, .. } = self.node(at);
            let Some(first) = body.first() else { return };
            key.truncate(key.len() - body.label().len());
            (at, last) = (*above, Some(first));
        }
    }

    /// Changes the value of `key`, which is vacant at first. Errors: there is no room for it, and nothing has
    /// been changed.
    pub(crate) fn enter<R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(Name, &mut V) -> R,
    ) -> Result<R, Full> {
        let name = self.find_or_make(key)?;
        Ok(self.change(name, |value| change(name, value)))
    }

    /// Changes the value of a key, which is forgotten when that leaves it vacant.
    pub(crate) fn change<R>(&mut self, name: Name, change: impl FnOnce(&mut V) -> R) -> R {
        let value = &mut self.node_mut(name.0).value;
        let before = value.is_vacant();
        let result = change(value);
        let after = value.is_vacant();
        self.len = self.len + usize::from(before) - usize::from(after);
        if after {
            self.prune(name.0);
        }
        result
    }

    fn find_or_make(&mut self, key: &[u8]) -> Result<Name, Full> {
        let (mut at, mut rest) = (ROOT, key);
        while let Some(&first) = rest.first() {
            let Some(below) = self.node(at).body.below(first) else {
                let leaf = self.make(Body::new(rest, &[]), at);
                return leaf.map(Name).inspect_err(|_| self.prune(at));
            };
            let label = self.node(below).body.label();
            let common = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            at = if common == label.len() {
                below
            } else {
                self.split(below, common)?
            };
            rest = rest.get(common..).unwrap_or_default();
        }
        Ok(Name(at))
    }

    /// Puts a node in the middle of the label of this one and returns it.
    fn split(&mut self, below: u32, at: usize) -> Result<u32, Full> {
        let node = self.node(below);
        let (upper, lower) = node.body.label().split_at(at);
        let edge = lower.first().map(|&first| (first, below));
        let (middle, lower) = (Body::new(upper, edge.as_slice()), lower.to_vec());
        let middle = self.make(middle, node.above)?;
        let node = self.node_mut(below);
        node.body.set_label(&lower);
        node.above = middle;
        Ok(middle)
    }

    /// Removes a node that is not needed any longer: a dead end, with those above it that are none but for
    /// it, and one that only leads to another one.
    fn prune(&mut self, mut at: u32) {
        loop {
            let node = self.node(at);
            let (Some(first), true) = (node.body.first(), node.value.is_vacant()) else {
                break;
            };
            let above = node.above;
            match node.body.count() {
                Count::None => {
                    self.node_mut(above).body.remove(first);
                    self.release(at);
                    at = above;
                }
                Count::One(only) => {
                    let both = [node.body.label(), self.node(only).body.label()].concat();
                    let below = self.node_mut(only);
                    below.body.set_label(&both);
                    below.above = above;
                    self.node_mut(above).body.set(first, only);
                    self.release(at);
                    break;
                }
                Count::More => break,
            }
        }
        if self.len == 0 && self.nodes.len() > KEPT {
            self.nodes.truncate(1);
            self.nodes.shrink_to(KEPT);
            self.free = ROOT;
        }
    }

    /// Makes a node where the one `above` has none, or in the place of that.
    fn make(&mut self, body: Body, above: u32) -> Result<u32, Full> {
        let first = body.first();
        let node = Node {
            body,
            above,
            value: V::default(),
        };
        let name = if self.free == ROOT {
            let name = u32::try_from(self.nodes.len()).unwrap_or(self.most);
            if name >= self.most {
                return Err(Full {
                    limit: self.most as usize,
                });
            }
            self.nodes.push(node);
            name
        } else {
            let name = self.free;
            self.free = self.node(name).above;
            *self.node_mut(name) = node;
            name
        };
        if let Some(first) = first {
            self.node_mut(above).body.set(first, name);
        }
        Ok(name)
    }

    fn release(&mut self, node: u32) {
        let above = std::mem::replace(&mut self.free, node);
        *self.node_mut(node) = Node {
            above,
            ..Node::default()
        };
    }

    #[inline]
    fn node(&self, name: u32) -> &Node<V> {
        &self.nodes[name as usize]
    }

    fn node_mut(&mut self, name: u32) -> &mut Node<V> {
        &mut self.nodes[name as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Value for u32 {
        fn is_vacant(&self) -> bool {
            *self == 0
        }
    }

    /// Short and with few letters, so that keys meet; and longer than a label that lies in its node.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        let long = |(letters, times): (Vec<u8>, usize)| letters.repeat(times);
        let letters = prop::collection::vec(0u8..3, 0..7);
        let many = prop::collection::vec(0u8..40, 1..3);
        prop_oneof![
            4 => letters.clone(),
            1 => (letters, 1usize..9).prop_map(long),
            1 => many,
        ]
    }

    fn in_use<V>(trie: &Trie<V>) -> usize {
        let (mut free, mut at) = (0, trie.free);
        while at != ROOT {
            free += 1;
            at = trie.nodes[at as usize].above;
        }
        trie.nodes.len() - free
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_that_is_searched_by_prefix(
            steps in prop::collection::vec((key(), any::<bool>()), 0..200),
            probes in prop::collection::vec(key(), 1..20),
            most in prop_oneof![Just(NODES_MAX), 1u32..60],
        ) {
            let mut trie = Trie::<u32> { most, ..Trie::default() };
            let mut model = BTreeMap::<Vec<u8>, (Name, u32)>::new();
            for (step, (key, insert)) in (1..).zip(steps) {
                if insert {
                    let entered = trie.enter(&key, |name, value| {
                        *value = step;
                        name
                    });
                    match entered {
                        Ok(name) => drop(model.insert(key, (name, step))),
                        Err(full) => {
                            prop_assert_eq!(full.limit, most as usize);
                            prop_assert!(in_use(&trie) + 1 >= most as usize && !model.contains_key(&key));
                        }
                    }
                } else {
                    let found = trie.find(&key);
                    prop_assert_eq!(found, model.get(&key).map(|&(name, _)| name));
                    if let Some(name) = found {
                        prop_assert_eq!(trie.change(name, std::mem::take), model[&key].1);
                        model.remove(&key);
                    }
                }
                prop_assert_eq!(trie.len(), model.len());
                // One for each key, and for each place where two of them part.
                prop_assert!(in_use(&trie) <= 1 + 2 * model.len());
            }
            for probe in probes {
                let mut found = Vec::new();
                trie.visit_prefixes(&probe, |&value| {
                    found.push(value);
                    true
                });
                let expected: Vec<u32> = (0..=probe.len())
                    .filter_map(|end| model.get(&probe[..end]).map(|&(_, value)| value))
                    .collect();
                prop_assert_eq!(&found, &expected);
                let mut seen = Vec::new();
                trie.visit_prefixes(&probe, |&value| {
                    seen.push(value);
                    seen.len() < 2
                });
                prop_assert_eq!(&seen, &expected[..expected.len().min(2)]);
                prop_assert_eq!(trie.get(&probe), model.get(&probe).map(|(_, value)| value));
            }
            let mut keys = Vec::new();
            trie.for_each(|key| keys.push(key.to_vec()));
            prop_assert!(keys.iter().eq(model.keys()));
            for (key, &(name, value)) in &model {
                prop_assert_eq!(&*trie.key(name), &key[..]);
                prop_assert_eq!(trie.change(name, std::mem::take), value);
            }
            prop_assert_eq!(in_use(&trie), 1, "only the root is left");
            prop_assert!(trie.nodes.capacity() <= KEPT.max(trie.nodes.len()));
        }
    }

    #[test]
    fn a_very_long_key_needs_no_stack() {
        let mut trie = Trie::<u32>::default();
        let long = vec![7u8; 1 << 20];
        for length in (0..long.len()).step_by(4096) {
            trie.enter(&long[..length], |_, value| *value = 1).unwrap();
        }
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || {
                let mut keys = 0;
                trie.for_each(|key| keys += usize::from(key.len() % 4096 == 0));
                assert_eq!(keys, trie.len());
                for length in (0..long.len()).step_by(4096) {
                    let name = trie.find(&long[..length]).unwrap();
                    assert_eq!(trie.key(name).len(), length);
                    assert_eq!(trie.change(name, std::mem::take), 1);
                }
                drop(trie);
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn a_node_is_small() {
        assert_eq!(size_of::<Node<u32>>(), 32);
    }
}
