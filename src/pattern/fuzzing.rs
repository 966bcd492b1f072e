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

use super::trie::Trie;

/// Adds, removes and looks up: an operation, the length of a key, the key.
pub fn topics(mut data: &[u8]) {
    let mut trie: Trie<u32> = Trie::default();
    let mut model: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    while let [operation, length, rest @ ..] = data {
        let (key, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        match operation % 4 {
            0 => {
                *trie.entry(key) += 1;
                *model.entry(key.to_vec()).or_default() += 1;
            }
            1 => assert_eq!(trie.remove(key), model.remove(key)),
            2 => assert_eq!(trie.get_mut(key), model.get_mut(key)),
            _ => {
                let mut found = Vec::new();
                trie.visit_prefixes(key, |value| {
                    found.push(*value);
                    true
                });
                let expected: Vec<u32> = (0..=key.len())
                    .filter_map(|end| model.get(key.get(..end)?).copied())
                    .collect();
                assert_eq!(found, expected);
            }
        }
        assert_eq!(trie.len(), model.len());
    }
}
