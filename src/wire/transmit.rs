//! [`Transmit`]: one batch on its way into the kernel, and the cut when the connection dies.

use std::io::IoSlice;

use super::batch::Batch;
#[cfg(feature = "curve")]
use super::frame;

/// Slices handed to one vectored write. Linux takes up to 1,024; beyond a few dozen the kernel's
/// own work per slice outweighs the saved call, and the array lives on the stack.
pub(crate) const SLICES_MAX: usize = 64;

/// A batch of which some bytes have been written.
#[derive(Debug, Default)]
pub(crate) struct Transmit {
    batch: Batch,
    /// How much of the contiguous part has been written.
    stored: usize,
    /// How many large bodies have been written whole.
    large: usize,
    /// How much of the next large body has been written.
    within: usize,
    #[cfg(feature = "curve")]
    sealed: Option<Box<Sealed>>,
}

/// What the batch was before it was encrypted.
#[cfg(feature = "curve")]
#[derive(Debug)]
struct Sealed {
    plain: Batch,
    /// What every body grew by.
    overhead: usize,
}

impl Transmit {
    pub(crate) fn new(batch: Batch) -> Self {
        Self {
            batch,
            ..Self::default()
        }
    }

    /// `plain` with every body encrypted: `wire` is all of it.
    #[cfg(feature = "curve")]
    pub(super) fn sealed(plain: Batch, wire: Vec<u8>, overhead: usize) -> Self {
        Self {
            batch: Batch::in_wire_form(wire),
            sealed: Some(Box::new(Sealed { plain, overhead })),
            ..Self::default()
        }
    }

    /// Every byte, written or not, of a batch without large bodies.
    #[cfg(test)]
    pub(super) fn contents(&self) -> &[u8] {
        assert!(self.batch.large().is_empty());
        self.batch.stored()
    }

    /// Whether every byte has been written.
    pub(crate) fn is_done(&self) -> bool {
        self.stored >= self.batch.stored().len() && self.large >= self.batch.large().len()
    }

    /// Lays out what comes next into `slices` and returns how many it used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let stored = self.batch.stored();
        let (mut at, mut within, mut used) = (self.stored, self.within, 0usize);
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            let Some(slot) = slices.get_mut(used) else {
                return false;
            };
            *slot = IoSlice::new(bytes);
            used = used.saturating_add(1);
            true
        };
        for large in self.batch.large().iter().skip(self.large) {
            let run = stored.get(at..large.at).unwrap_or_default();
            let body = large.body.get(within..).unwrap_or_default();
            if !put(run) || !put(body) {
                return used;
            }
            (at, within) = (large.at, 0);
        }
        put(stored.get(at..).unwrap_or_default());
        used
    }

    /// Notes that the next `written` bytes are in the kernel.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let next = self.batch.large().get(self.large);
            let end = next.map_or_else(|| self.batch.stored().len(), |large| large.at);
            let step = written.min(end.saturating_sub(self.stored));
            self.stored = self.stored.saturating_add(step);
            written = written.saturating_sub(step);
            let Some(large) = next else {
                debug_assert!(written == 0, "more written than there was");
                return;
            };
            let left = large.body.len().saturating_sub(self.within);
            let step = written.min(left);
            written = written.saturating_sub(step);
            if step == left {
                (self.large, self.within) = (self.large.saturating_add(1), 0);
            } else {
                self.within = self.within.saturating_add(step);
            }
        }
    }

    /// The whole messages of which no byte has been written: what may still go elsewhere.
    ///
    /// A message that was begun is not among them: its peer may have all of it or part of it, so
    /// it is neither completed nor sent twice.
    pub(crate) fn into_unwritten(mut self) -> Batch {
        #[cfg(feature = "curve")]
        if let Some(sealed) = self.sealed.take() {
            return sealed.into_unwritten(self.stored);
        }
        // A message starts with a header, and headers are never kept apart: it has been begun
        // exactly when the contiguous part is written beyond its first byte.
        while !self.batch.is_empty() && self.batch.head() < self.stored {
            self.batch.skip();
        }
        self.batch
    }

    /// The batch, for its buffer once all of it has been written.
    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }

    /// The same, and the buffer in which it was encrypted, if it was.
    pub(super) fn into_batches(self) -> (Batch, Option<Vec<u8>>) {
        #[cfg(feature = "curve")]
        if let Some(sealed) = self.sealed {
            return (sealed.plain, self.batch.into_buffer());
        }
        (self.into_batch(), None)
    }
}

#[cfg(feature = "curve")]
impl Sealed {
    /// The whole messages that begin behind `written` bytes of their encrypted form.
    fn into_unwritten(self, written: usize) -> Batch {
        let mut plain = self.plain;
        let (mut at, mut begun, mut is_first) = (0usize, 0usize, true);
        plain.each_frame(|flags, body| {
            if is_first && at < written {
                begun = begun.saturating_add(1);
            }
            let body = body.len().saturating_add(self.overhead);
            at = at
                .saturating_add(frame::header_len(body))
                .saturating_add(body);
            is_first = flags & frame::MORE == 0;
        });
        for _ in 0..begun {
            plain.skip();
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::wire::frame;
    use proptest::prelude::*;

    fn batch(sizes: &[Vec<usize>], share_above: usize) -> (Vec<Message>, Batch) {
        let mut batch = Batch::default();
        let mut messages = Vec::new();
        for (index, sizes) in sizes.iter().enumerate() {
            let fill = u8::try_from(index % 251).unwrap();
            let message = Message::from_frames(sizes.iter().map(|&size| vec![fill; size]));
            batch.push(&[], &message, share_above);
            messages.push(message);
        }
        (messages, batch)
    }

    /// Drains at most `step` bytes, as a kernel with little room would.
    fn drain(transmit: &mut Transmit, step: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 3];
        let used = transmit.slices(&mut slices);
        let mut out: Vec<u8> = slices[..used]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        out.truncate(step);
        transmit.advance(out.len());
        out
    }

    proptest! {
        #[test]
        fn every_split_writes_the_same_bytes_and_cuts_at_a_message(
            sizes in prop::collection::vec(prop::collection::vec(0usize..600, 1..4), 1..8),
            share_above in prop_oneof![Just(0usize), Just(100), Just(usize::MAX)],
            step in 1usize..700,
            dies_after in 0usize..3000,
        ) {
            let (_, flat) = batch(&sizes, usize::MAX);
            let (messages, shared) = batch(&sizes, share_above);
            let expected = flat.stored().to_vec();
            let mut transmit = Transmit::new(shared);
            let mut written = Vec::new();
            while !transmit.is_done() && written.len() < dies_after {
                let step = step.min(dies_after - written.len());
                written.extend(drain(&mut transmit, step));
            }
            prop_assert_eq!(&written[..], &expected[..written.len()]);
            let mut left = transmit.into_unwritten();
            // By hand: how many messages start at or behind the cut.
            let mut start = 0;
            let mut unbegun = Vec::new();
            for message in messages {
                if start >= written.len() {
                    unbegun.push(message.clone());
                }
                start += message.frames().map(|f| frame::header_len(f.len()) + f.len()).sum::<usize>();
            }
            prop_assert_eq!(left.messages(), unbegun.len());
            for message in unbegun {
                prop_assert_eq!(left.pop(), Some(message));
            }
            prop_assert_eq!(left.bytes(), 0);
        }
    }
}
