//! A radix tree over byte strings: which of the stored keys are prefixes of this one?
//!
//! Keys come from peers, so nothing here recurses: the nodes lie in one arena and a key of any
//! length costs no stack. A lookup reads each byte of its key at most once.

/// A map from byte strings that finds all keys which are prefixes of a given string.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node<V>>,
    free: Vec<usize>,
    len: usize,
}

#[derive(Debug)]
struct Node<V> {
    /// The bytes between the parent and this node. Empty at the root only.
    label: Box<[u8]>,
    value: Option<V>,
    /// Sorted by the first byte of the child's label.
    children: Vec<(u8, usize)>,
}

impl<V> Node<V> {
    fn leaf(label: &[u8], value: Option<V>) -> Self {
        Self {
            label: label.into(),
            value,
            children: Vec::new(),
        }
    }

    fn child(&self, first: u8) -> Option<usize> {
        let index = self
            .children
            .binary_search_by_key(&first, |&(byte, _)| byte)
            .ok()?;
        self.children.get(index).map(|&(_, node)| node)
    }

    fn link(&mut self, first: u8, node: usize) {
        match self
            .children
            .binary_search_by_key(&first, |&(byte, _)| byte)
        {
            Ok(index) => self.children[index].1 = node,
            Err(index) => self.children.insert(index, (first, node)),
        }
    }

    fn unlink(&mut self, first: u8) {
        self.children.retain(|&(byte, _)| byte != first);
    }
}

const ROOT: usize = 0;

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::leaf(&[], None)],
            free: Vec::new(),
            len: 0,
        }
    }
}

impl<V> Trie<V> {
    /// The number of keys.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Calls `visit` with the value of every key that is a prefix of `key`, the shortest first,
    /// until it returns `false`.
    #[inline]
    pub(crate) fn visit_prefixes(&self, key: &[u8], mut visit: impl FnMut(&V) -> bool) {
        let (mut node, mut rest) = (&self.nodes[ROOT], key);
        loop {
            if let Some(value) = &node.value {
                if !visit(value) {
                    return;
                }
            }
            let Some(child) = rest.first().and_then(|&first| node.child(first)) else {
                return;
            };
            node = &self.nodes[child];
            let Some(tail) = rest.strip_prefix(&*node.label) else {
                return;
            };
            rest = tail;
        }
    }

    /// The value of exactly `key`.
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let node = self.path(key)?.last().copied()?;
        self.nodes[node].value.as_mut()
    }

    /// The value of exactly `key`, made by default when there is none.
    pub(crate) fn entry(&mut self, key: &[u8]) -> &mut V
    where
        V: Default,
    {
        let node = self.find_or_make(key);
        if self.nodes[node].value.is_none() {
            self.len += 1;
        }
        self.nodes[node].value.get_or_insert_default()
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let path = self.path(key)?;
        let &node = path.last()?;
        let value = self.nodes[node].value.take()?;
        self.len -= 1;
        self.prune(&path);
        Some(value)
    }

    /// The nodes from the root to the one of `key`.
    fn path(&self, key: &[u8]) -> Option<Vec<usize>> {
        let (mut path, mut rest) = (vec![ROOT], key);
        while let Some(first) = rest.first() {
            let child = self.nodes[*path.last()?].child(*first)?;
            rest = rest.strip_prefix(&*self.nodes[child].label)?;
            path.push(child);
        }
        Some(path)
    }

    fn find_or_make(&mut self, key: &[u8]) -> usize {
        let (mut at, mut rest) = (ROOT, key);
        while let Some(&first) = rest.first() {
            let Some(child) = self.nodes[at].child(first) else {
                let leaf = self.make(Node::leaf(rest, None));
                self.nodes[at].link(first, leaf);
                return leaf;
            };
            let label = &self.nodes[child].label;
            let common = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if common == label.len() {
                at = child;
            } else {
                at = self.split(at, child, common);
            }
            rest = &rest[common..];
        }
        at
    }

    /// Puts a node in the middle of the label of `child` and returns it.
    fn split(&mut self, parent: usize, child: usize, at: usize) -> usize {
        let label = std::mem::take(&mut self.nodes[child].label);
        let (upper, lower) = label.split_at(at);
        self.nodes[child].label = lower.into();
        let middle = self.make(Node::leaf(upper, None));
        self.nodes[middle].link(lower[0], child);
        self.nodes[parent].link(upper[0], middle);
        middle
    }

    /// Removes what the last node of `path` no longer needs: itself when it has become a dead end,
    /// and then a node above that only led to it and one other.
    fn prune(&mut self, path: &[usize]) {
        let mut path = path.to_vec();
        while let Some(node) = path.pop() {
            let Some(&parent) = path.last() else { return };
            if self.nodes[node].value.is_some() {
                return;
            }
            match *self.nodes[node].children {
                [] => {
                    let first = self.nodes[node].label[0];
                    self.nodes[parent].unlink(first);
                    self.release(node);
                }
                [(_, only)] => {
                    let first = self.nodes[node].label[0];
                    let label = [&*self.nodes[node].label, &*self.nodes[only].label].concat();
                    self.nodes[only].label = label.into();
                    self.nodes[parent].link(first, only);
                    self.release(node);
                    return;
                }
                _ => return,
            }
        }
    }

    fn make(&mut self, node: Node<V>) -> usize {
        if let Some(index) = self.free.pop() {
            self.nodes[index] = node;
            return index;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn release(&mut self, node: usize) {
        self.nodes[node] = Node::leaf(&[], None);
        self.free.push(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..3, 0..7)
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_that_is_searched_by_prefix(
            steps in prop::collection::vec((key(), any::<bool>()), 0..200),
            probes in prop::collection::vec(key(), 1..20),
        ) {
            let (mut trie, mut model) = (Trie::<u32>::default(), BTreeMap::<Vec<u8>, u32>::new());
            for (step, (key, insert)) in steps.into_iter().enumerate() {
                let step = u32::try_from(step).unwrap();
                if insert {
                    *trie.entry(&key) = step;
                    model.insert(key, step);
                } else {
                    prop_assert_eq!(trie.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(trie.len(), model.len());
            }
            for probe in probes {
                let mut found = Vec::new();
                trie.visit_prefixes(&probe, |&value| {
                    found.push(value);
                    true
                });
                let expected: Vec<u32> = (0..=probe.len())
                    .filter_map(|end| model.get(&probe[..end]).copied())
                    .collect();
                prop_assert_eq!(found, expected);
                prop_assert_eq!(trie.get_mut(&probe).copied(), model.get(&probe).copied());
            }
            for key in model.keys() {
                trie.remove(key);
            }
            prop_assert_eq!(trie.nodes.len() - trie.free.len(), 1, "only the root is left");
        }
    }

    #[test]
    fn a_very_long_key_needs_no_stack() {
        let mut trie = Trie::<u32>::default();
        let long = vec![7u8; 1 << 20];
        for length in (0..long.len()).step_by(4096) {
            *trie.entry(&long[..length]) = 1;
        }
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || {
                for length in (0..long.len()).step_by(4096) {
                    assert_eq!(trie.remove(&long[..length]), Some(1));
                }
                drop(trie);
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
