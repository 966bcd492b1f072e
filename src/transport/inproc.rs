//! inproc: sockets of one process find each other by name. Either side may come first.
//!
//! There is no byte stream and nothing to connect: what is exchanged here is whatever the layer
//! above needs to give two sockets the two ends of a pair of pipes.

use std::collections::HashMap;

use crate::pipe::sync::Mutex;

/// Names, who is bound to each, and who waits for somebody to be.
///
/// `B` is a bound socket; `C` is one connecting end of a socket.
#[derive(Debug)]
pub(crate) struct Namespace<B, C> {
    names: Mutex<HashMap<String, Name<B, C>>>,
}

#[derive(Debug)]
struct Name<B, C> {
    bound: Option<B>,
    waiting: Vec<C>,
}

impl<B, C> Default for Name<B, C> {
    fn default() -> Self {
        Self {
            bound: None,
            waiting: Vec::new(),
        }
    }
}

impl<B, C> Default for Namespace<B, C> {
    fn default() -> Self {
        Self {
            names: Mutex::new(HashMap::new()),
        }
    }
}

/// Somebody is bound to the name already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NameInUse;

impl<B: Clone, C> Namespace<B, C> {
    /// Binds `name` and hands over everybody who has been waiting for it.
    pub(crate) fn bind(&self, name: &str, socket: B) -> Result<Vec<C>, NameInUse> {
        let mut names = self.names.lock();
        let name = names.entry(name.to_owned()).or_default();
        if name.bound.is_some() {
            return Err(NameInUse);
        }
        name.bound = Some(socket);
        Ok(std::mem::take(&mut name.waiting))
    }

    /// The socket that is bound to `name`, if it is one that `end` accepts, together with what was given;
    /// else `end` waits for the next one.
    pub(crate) fn connect(
        &self,
        name: &str,
        end: C,
        accepts: impl FnOnce(&B) -> bool,
    ) -> Option<(B, C)> {
        let mut names = self.names.lock();
        let name = names.entry(name.to_owned()).or_default();
        if let Some(socket) = name.bound.as_ref().filter(|socket| accepts(socket)) {
            return Some((socket.clone(), end));
        }
        name.waiting.push(end);
        None
    }

    /// Has `end` wait, also while somebody is bound to `name`: until it is [called](Self::next), or
    /// somebody else binds.
    pub(crate) fn queue(&self, name: &str, end: C) {
        let mut names = self.names.lock();
        names.entry(name.to_owned()).or_default().waiting.push(end);
    }

    /// Whoever has been waiting the longest.
    pub(crate) fn next(&self, name: &str) -> Option<C> {
        let mut next = None;
        self.change(name, |entry| {
            next = (!entry.waiting.is_empty()).then(|| entry.waiting.remove(0));
        });
        next
    }

    /// Frees `name` for somebody else, if it is bound by whom `wanted` accepts. Whoever found it
    /// bound stays with whom it found.
    pub(crate) fn unbind(&self, name: &str, wanted: impl FnOnce(&B) -> bool) {
        self.change(name, |entry| {
            entry.bound = entry.bound.take().filter(|socket| !wanted(socket));
        });
    }

    /// Takes back the waiting ends that `wanted` chooses.
    pub(crate) fn withdraw(&self, name: &str, wanted: impl Fn(&C) -> bool) {
        self.change(name, |entry| entry.waiting.retain(|end| !wanted(end)));
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Name<B, C>)) {
        let mut names = self.names.lock();
        if let Some(entry) = names.get_mut(name) {
            change(entry);
            if entry.bound.is_none() && entry.waiting.is_empty() {
                names.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_side_may_come_first() {
        let space = Namespace::<&str, u8>::default();
        assert_eq!(space.connect("a", 1, |_| true), None);
        assert_eq!(space.connect("a", 2, |_| true), None);
        assert_eq!(space.bind("a", "server"), Ok(vec![1, 2]));
        assert_eq!(space.connect("a", 3, |_| true), Some(("server", 3)));
        assert_eq!(space.bind("a", "thief"), Err(NameInUse));
        assert_eq!(space.connect("a", 4, |&socket| socket != "server"), None);
        space.unbind("a", |_| true);
        assert_eq!(space.bind("a", "successor"), Ok(vec![4]));
    }

    #[test]
    fn who_has_to_wait_at_a_name_is_called_in_turn() {
        let space = Namespace::<&str, u8>::default();
        assert_eq!(space.bind("a", "server"), Ok(vec![]));
        space.queue("a", 1);
        space.queue("a", 2);
        assert_eq!(space.next("a"), Some(1));
        space.unbind("a", |_| true);
        assert_eq!(space.bind("a", "successor"), Ok(vec![2]));
        assert_eq!(space.next("a"), None);
    }

    #[test]
    fn nothing_is_left_of_a_name_that_nobody_uses() {
        let space = Namespace::<&str, u8>::default();
        assert_eq!(space.connect("a", 1, |_| true), None);
        space.withdraw("a", |&end| end == 1);
        assert_eq!(space.bind("a", "server"), Ok(vec![]));
        space.unbind("a", |&socket| socket == "thief");
        assert_eq!(space.bind("a", "thief"), Err(NameInUse));
        space.unbind("a", |&socket| socket == "server");
        assert!(space.names.lock().is_empty());
        assert_eq!(space.connect("a", 2, |_| true), None);
    }
}
