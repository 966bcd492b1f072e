//! A table of peers with small, stable names: a [`Token`] finds its entry without hashing.

use crate::pipe::wake::Token;

/// Entries under tokens. The token of a removed entry is used again, so a late signal may reach
/// its successor: every signal is only a hint to look.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    entries: Vec<Option<T>>,
    free: Vec<Token>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, entry: T) -> Token {
        self.insert_with(|_| entry)
    }

    /// As [`insert`](Self::insert), for an entry that knows its token.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Token) -> T) -> Token {
        let free = self.free.pop();
        let token = free.unwrap_or(self.entries.len());
        let entry = Some(make(token));
        match self.entries.get_mut(token) {
            Some(slot) => *slot = entry,
            None => self.entries.push(entry),
        }
        token
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.iter().map(|(token, _)| token).collect()
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let entry = self.entries.get_mut(token)?.take()?;
        self.free.push(token);
        Some(entry)
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        self.entries.get(token)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.entries.get_mut(token)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Token, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(token, slot)| Some((token, slot.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().flatten()
    }

    pub(crate) fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<Token> {
        self.iter()
            .find(|(_, entry)| wanted(entry))
            .map(|(token, _)| token)
    }
}
