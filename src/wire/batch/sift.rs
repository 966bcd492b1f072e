//! Sifting: what is left of a batch when some of its messages are taken out.

use super::Batch;
use super::encoded::Extent;

impl Batch {
    /// Copies the messages whose first frame is `wanted`, which is asked for each of them, in order; large bodies
    /// are shared. `None` when all of them are.
    pub(crate) fn sifted(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Option<Self> {
        let mut rest: Option<Self> = None;
        let mut at = Extent::default();
        while let Some(message) = self.encoded(at, 1, usize::MAX) {
            match (wanted(message.first()), &mut rest) {
                (true, None) => {}
                (true, Some(rest)) => {
                    rest.append_encoded(&message, usize::MAX);
                }
                (false, Some(_)) => {}
                (false, rest) => {
                    let rest = rest.insert(Self::default());
                    let before = Extent::default();
                    if let Some(before) = self.encoded(before, at.messages, usize::MAX) {
                        rest.append_encoded(&before, usize::MAX);
                    }
                }
            }
            at = at.and(message.extent());
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_wanted_stays_in_order(
            sizes in prop::collection::vec((1u8..5, 0usize..600), 0..20),
            share_above in prop_oneof![Just(0usize), Just(256), Just(usize::MAX)],
            popped in 0usize..4,
        ) {
            let mut batch = Batch::default();
            let mut expected = Vec::new();
            for (index, (kind, size)) in sizes.into_iter().enumerate() {
                let message = Message::from(vec![vec![kind], vec![index as u8; size]]);
                batch.push(&[], &message, share_above);
                expected.push(message);
            }
            for _ in 0..popped.min(expected.len()) {
                prop_assert_eq!(batch.pop(), Some(expected.remove(0)));
            }
            let before = expected.len();
            expected.retain(|message| message.first() != [1]);
            let mut rest = batch.sifted(|first| first != [1]);
            prop_assert_eq!(rest.is_some(), expected.len() < before);
            let rest = rest.as_mut().unwrap_or(&mut batch);
            let bytes: usize = rest.bytes();
            let mut copy = Batch::default();
            expected.iter().for_each(|message| {
                copy.push(&[], message, share_above);
            });
            prop_assert_eq!((rest.messages(), bytes), (expected.len(), copy.bytes()));
            for message in expected {
                prop_assert_eq!(rest.pop(), Some(message));
            }
        }
    }
}
