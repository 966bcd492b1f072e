//! What fuzzers feed: the trie of topics, beside a map that is too simple to be wrong.
//!
//! Built for `cargo fuzz` alone, which sets `cfg(fuzzing)`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a finding is a panic, and the targets are no API"
)]

use std::collections::BTreeMap;

use super::trie::{Name, Trie, Value};

impl Value for u32 {
    fn is_vacant(&self) -> bool {
        *self == 0
    }
}

/// Adds, removes and looks up: an operation, the length of a key, the key.
pub fn topics(mut data: &[u8]) {
    let mut trie: Trie<u32> = Trie::default();
    let mut model: BTreeMap<Vec<u8>, (u32, Name)> = BTreeMap::new();
    while let [operation, length, rest @ ..] = data {
        let (key, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        match operation % 4 {
            0 => {
                let entered = trie.enter(key, |name, value| {
                    *value += 1;
                    (*value, name)
                });
                model.insert(key.to_vec(), entered.unwrap());
            }
            1 => {
                let removed = trie.find(key);
                let removed = removed.map(|name| (trie.change(name, std::mem::take), name));
                assert_eq!(removed, model.remove(key));
            }
            2 => assert_eq!(trie.get(key), model.get(key).map(|(value, _)| value)),
            _ => {
                let mut found = Vec::new();
                trie.visit_prefixes(key, |value| {
                    found.push(*value);
                    true
                });
                let expected: Vec<u32> = (0..=key.len())
                    .filter_map(|end| Some(model.get(key.get(..end)?)?.0))
                    .collect();
                assert_eq!(found, expected);
            }
        }
        assert_eq!(trie.len(), model.len());
    }
    let mut keys = Vec::new();
    trie.for_each(|key| keys.push(key.to_vec()));
    assert!(keys.iter().eq(model.keys()));
    for (key, (_, name)) in model {
        assert_eq!(*trie.key(name), key[..]);
    }
}
