//! What peers that have left sent and nobody has read yet, and how much of it a queue keeps.
//!
//! A peer may send, leave, come back as somebody else and do it again: each time its pipe bounds
//! what it left, so all that have left need a bound together.

use std::collections::BTreeMap;

use crate::options::Capacity;
use crate::pipe::Load;
use crate::pipe::wake::Token;

/// The most messages that a queue keeps of all departed peers together, unless one pipe may hold
/// more. Each such peer left at least one, so this also bounds their number: a departed peer costs
/// about a kilobyte beside what it sent.
const DEPARTED_MESSAGES_MAX: usize = 32_768;

/// The place of a departed peer among those that have left, in the order in which they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Departed {
    rests: BTreeMap<Place, (Token, Load)>,
    next: u64,
    kept: Load,
}

impl Departed {
    /// The peer of `token` has left, and this is what it left.
    pub(super) fn add(&mut self, token: Token, rest: Load) -> Place {
        let place = Place(self.next);
        self.next += 1;
        self.rests.insert(place, (token, rest));
        self.count(Load::default(), rest);
        place
    }

    /// Of what the peer at `place` left, this is still there.
    pub(super) fn set(&mut self, place: Place, rest: Load) {
        if let Some((_, before)) = self.rests.get_mut(&place) {
            let before = std::mem::replace(before, rest);
            self.count(before, rest);
        }
    }

    /// Nothing of it is there any more.
    pub(super) fn remove(&mut self, place: Place) {
        if let Some((_, rest)) = self.rests.remove(&place) {
            self.count(rest, Load::default());
        }
    }

    /// Who has to make room: the first that left, while all together left more than one pipe of
    /// `capacity` may hold. The last that left may keep what its own pipe held.
    pub(super) fn surplus(&self, capacity: Capacity) -> Option<Token> {
        let messages = capacity.messages.max(DEPARTED_MESSAGES_MAX);
        let within = self.kept.messages <= messages && self.kept.bytes <= capacity.bytes;
        if within || self.rests.len() < 2 {
            return None;
        }
        self.rests.first_key_value().map(|(_, (token, _))| *token)
    }

    const fn count(&mut self, before: Load, after: Load) {
        self.kept.messages = self.kept.messages.saturating_sub(before.messages);
        self.kept.bytes = self.kept.bytes.saturating_sub(before.bytes);
        self.kept.messages = self.kept.messages.saturating_add(after.messages);
        self.kept.bytes = self.kept.bytes.saturating_add(after.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn load(messages: usize, bytes: usize) -> Load {
        Load { messages, bytes }
    }

    #[test]
    fn the_first_that_left_makes_room() {
        let (bytes, messages) = (100, 1);
        let capacity = Capacity { messages, bytes };
        let mut departed = Departed::default();
        let first = departed.add(7, load(1, 90));
        assert_eq!(departed.surplus(capacity), None);
        let second = departed.add(8, load(1, 11));
        assert_eq!(departed.surplus(capacity), Some(7));
        departed.set(first, load(1, 89));
        assert_eq!(departed.surplus(capacity), None);
        departed.add(9, load(1, 200));
        assert_eq!(departed.surplus(capacity), Some(7));
        departed.remove(first);
        assert_eq!(departed.surplus(capacity), Some(8));
        departed.remove(second);
        // Its own pipe has let it send that much.
        assert_eq!(departed.surplus(capacity), None);
    }

    #[test]
    fn small_messages_count_too() {
        let (messages, bytes) = (DEPARTED_MESSAGES_MAX + 1, usize::MAX);
        let mut departed = Departed::default();
        departed.add(1, load(DEPARTED_MESSAGES_MAX, 0));
        departed.add(2, load(1, 0));
        let narrow = Capacity { messages: 1, bytes };
        assert_eq!(departed.surplus(narrow), Some(1));
        assert_eq!(departed.surplus(Capacity { messages, bytes }), None);
    }
}
