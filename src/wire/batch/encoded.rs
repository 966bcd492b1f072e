//! [`Encoded`]: messages that stay in wire form on their way from one batch into another.
//!
//! Who only passes messages on has no use for their frames. Here their headers are walked over once, to
//! find where each message ends and what its first frame says; then the bytes are copied as they stand,
//! and large bodies are shared. What is looked at stays in its batch until it is [consumed](Batch::consume), so
//! whoever has no room for it need not give it back.
//!
//! Each frame keeps the header that its sender gave it. RFC 37 "Framing" lets a short body have a
//! long size; nobody has to accept more than what was accepted here.

use bytes::Bytes;

use super::{Batch, Large, Store, frame_len};
use crate::wire::frame::{self, Header, MORE};

/// How far messages reach in their batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) messages: usize,
    /// Bytes in wire form.
    pub(crate) bytes: usize,
    /// Bytes of the frames, without their headers.
    pub(crate) payload: usize,
    /// Bytes of the store.
    stored: usize,
    /// Bodies kept out of the store.
    large: usize,
}

impl Extent {
    /// As far as this, and then that.
    #[must_use]
    pub(crate) const fn and(self, next: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(next.messages),
            bytes: self.bytes.saturating_add(next.bytes),
            payload: self.payload.saturating_add(next.payload),
            stored: self.stored.saturating_add(next.stored),
            large: self.large.saturating_add(next.large),
        }
    }

    /// Without its first part.
    const fn after(self, first: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(first.messages),
            bytes: self.bytes.saturating_sub(first.bytes),
            payload: self.payload.saturating_sub(first.payload),
            stored: self.stored.saturating_sub(first.stored),
            large: self.large.saturating_sub(first.large),
        }
    }
}

/// One message or several in wire form, looked at in the batch where they lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    batch: &'a Batch,
    /// Where they start.
    start: Extent,
    extent: Extent,
    /// The longest body in the store.
    longest: usize,
    /// A frame that goes in front, for which there is a single message.
    address: Option<&'a [u8]>,
}

/// A frame, looked at in place.
struct Frame {
    header: Header,
    extent: Extent,
    /// Whether its body is kept out of the store.
    is_large: bool,
}

impl Batch {
    /// Looks at what lies behind `start`: whole messages, at most so many, and none after so many bytes
    /// have been reached. `None` when there is nothing.
    #[inline]
    pub(crate) fn encoded(
        &self,
        start: Extent,
        messages: usize,
        bytes: usize,
    ) -> Option<Encoded<'_>> {
        let (mut extent, mut longest) = (Extent::default(), 0);
        let mut message = Extent::default();
        while extent.messages < messages && extent.bytes < bytes {
            // There are only whole messages: what is missing is missing behind the last one.
            let Some(frame) = self.frame_at(start.and(extent).and(message)) else {
                break;
            };
            if !frame.is_large {
                longest = longest.max(frame.extent.payload);
            }
            message = message.and(frame.extent);
            if !frame.header.more {
                message.messages = 1;
                extent = extent.and(std::mem::take(&mut message));
            }
        }
        (extent.messages > 0).then_some(Encoded {
            batch: self,
            start,
            extent,
            longest,
            address: None,
        })
    }

    /// Forgets what has been passed on, but for its large bodies.
    pub(crate) fn consume(&mut self, extent: Extent, bodies: &mut Vec<Bytes>) {
        self.head = self.head.saturating_add(extent.stored);
        let large = self.large.drain(..extent.large.min(self.large.len()));
        bodies.extend(large.map(|large| large.body));
        self.messages = self.messages.saturating_sub(extent.messages);
        self.bytes = self.bytes.saturating_sub(extent.bytes);
    }

    /// Appends messages as they stand. Bodies longer than `share_above` are shared where they can be.
    /// Returns how many bytes the whole takes.
    #[inline]
    pub(crate) fn append_encoded(&mut self, encoded: &Encoded<'_>, share_above: usize) -> usize {
        let out = self.out();
        if let Some(address) = encoded.address {
            frame::put_frame(out, MORE, address);
        }
        match &encoded.batch.store {
            Store::Shared(chunk) if encoded.longest > share_above => {
                self.append_shared(encoded, chunk, share_above);
            }
            _ => {
                let base = out.len();
                out.extend_from_slice(encoded.stored());
                let start = encoded.stored_from();
                self.large.extend(encoded.large().map(|large| Large {
                    at: large.at.saturating_sub(start).saturating_add(base),
                    body: large.body.clone(),
                }));
            }
        }
        let added = encoded.bytes();
        self.messages = self.messages.saturating_add(encoded.messages());
        self.bytes = self.bytes.saturating_add(added);
        added
    }

    /// Copies what lies between the long bodies, and shares these.
    #[cold]
    fn append_shared(&mut self, encoded: &Encoded<'_>, chunk: &Bytes, share_above: usize) {
        let end = encoded.start.and(encoded.extent);
        let mut at = encoded.start;
        let mut copied = encoded.stored_from();
        while at.bytes < end.bytes {
            let Some(frame) = encoded.batch.frame_at(at) else {
                return;
            };
            let length = frame.extent.payload;
            let body = encoded
                .batch
                .head
                .saturating_add(at.stored)
                .saturating_add(frame.header.head);
            let next = at.and(frame.extent);
            let shared = if frame.is_large {
                encoded
                    .batch
                    .large
                    .get(at.large)
                    .map(|large| large.body.clone())
            } else {
                let behind = body.saturating_add(length);
                (length > share_above).then(|| chunk.slice(body..behind))
            };
            if let Some(shared) = shared {
                let before = chunk.get(copied..body).unwrap_or_default();
                let out = self.out();
                out.extend_from_slice(before);
                let place = out.len();
                self.large.push_back(Large {
                    at: place,
                    body: shared,
                });
                copied = encoded.batch.head.saturating_add(next.stored);
            }
            at = next;
        }
        let end = encoded.batch.head.saturating_add(end.stored);
        let rest = chunk.get(copied..end).unwrap_or_default();
        self.out().extend_from_slice(rest);
    }

    /// The frame behind `place`.
    #[inline]
    fn frame_at(&self, place: Extent) -> Option<Frame> {
        let at = self.head.saturating_add(place.stored);
        let stored = self.store.as_slice();
        let header = frame::parse(stored.get(at..)?).ok()??;
        let length = usize::try_from(header.body).ok()?;
        let body = at.checked_add(header.head)?;
        let large = self.large.get(place.large);
        let is_large = length > 0 && large.is_some_and(|large| large.at == body);
        let in_store = if is_large { 0 } else { length };
        if stored.len() < body.checked_add(in_store)? {
            return None;
        }
        Some(Frame {
            header,
            extent: Extent {
                messages: 0,
                bytes: header.head.saturating_add(length),
                payload: length,
                stored: header.head.saturating_add(in_store),
                large: usize::from(is_large),
            },
            is_large,
        })
    }
}

impl<'a> Encoded<'a> {
    /// How far it reaches in its batch.
    pub(crate) const fn extent(&self) -> Extent {
        self.extent
    }

    pub(crate) const fn messages(&self) -> usize {
        self.extent.messages
    }

    /// Bytes in wire form, with the frame in front.
    #[inline]
    fn bytes(&self) -> usize {
        self.extent
            .bytes
            .saturating_add(self.address.map_or(0, frame_len))
    }

    /// Bytes of the frames, without their headers.
    pub(crate) fn payload(&self) -> usize {
        let address = self.address.map_or(0, <[u8]>::len);
        self.extent.payload.saturating_add(address)
    }

    /// The same message, which has to be a single one, behind one more frame.
    #[must_use]
    pub(crate) fn behind(self, address: &'a [u8]) -> Self {
        debug_assert!(self.messages() == 1, "each message has its own address");
        Self {
            address: Some(address),
            ..self
        }
    }

    /// The body of the first frame.
    #[inline]
    pub(crate) fn first(&self) -> &'a [u8] {
        if let Some(address) = self.address {
            return address;
        }
        let frame = self.batch.frame_at(self.start);
        frame.map_or(&[], |frame| self.body(&frame))
    }

    /// Takes the first frame off a single message; `None` when it is the only one.
    pub(crate) fn open(self) -> Option<(&'a [u8], Self)> {
        debug_assert!(self.messages() == 1, "each message has its own address");
        if let Some(address) = self.address {
            let rest = Self {
                address: None,
                ..self
            };
            return Some((address, rest));
        }
        let frame = self.batch.frame_at(self.start)?;
        let rest = Self {
            start: self.start.and(frame.extent),
            extent: self.extent.after(frame.extent),
            ..self
        };
        frame.header.more.then(|| (self.body(&frame), rest))
    }

    /// The body of the first frame in the batch.
    fn body(&self, frame: &Frame) -> &'a [u8] {
        if frame.is_large {
            let large = self.batch.large.get(self.start.large);
            return large.map_or(&[], |large| &large.body[..]);
        }
        let behind = self.stored_from().saturating_add(frame.extent.stored);
        let body = behind.saturating_sub(frame.extent.payload);
        let stored = self.batch.store.as_slice();
        stored.get(body..behind).unwrap_or_default()
    }

    fn stored_from(&self) -> usize {
        self.batch.head.saturating_add(self.start.stored)
    }

    #[inline]
    fn stored(&self) -> &'a [u8] {
        let (from, stored) = (self.stored_from(), self.batch.store.as_slice());
        let end = from.saturating_add(self.extent.stored);
        stored.get(from..end).unwrap_or_default()
    }

    #[inline]
    fn large(&self) -> impl Iterator<Item = &'a Large> + use<'a> {
        let large = self.batch.large.iter();
        large.skip(self.start.large).take(self.extent.large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use proptest::prelude::*;

    fn message() -> impl Strategy<Value = Message> {
        let size = prop_oneof![0usize..80, Just(255), Just(256), 250usize..5000];
        let frame = (size, any::<u8>()).prop_map(|(size, byte)| vec![byte; size]);
        prop::collection::vec(frame, 1..5).prop_map(Message::from)
    }

    /// The same messages in every kind of batch.
    fn batches(messages: &[Message], share_above: usize) -> [Batch; 3] {
        let encode = |share_above| {
            let mut batch = Batch::default();
            for message in messages {
                batch.push(&[], message, share_above);
            }
            batch
        };
        let mut shared = encode(share_above);
        shared.share_store();
        let chunk = Bytes::from(encode(usize::MAX).into_buffer().unwrap());
        [
            encode(share_above),
            shared,
            Batch::from_wire(chunk, messages.len()),
        ]
    }

    fn popped(mut batch: Batch) -> Vec<Message> {
        let messages = std::iter::from_fn(|| batch.pop()).collect();
        assert_eq!((batch.messages(), batch.bytes()), (0, 0));
        assert!(batch.large.is_empty());
        messages
    }

    fn limit() -> impl Strategy<Value = usize> {
        prop_oneof![Just(0usize), Just(256), Just(1000), Just(usize::MAX)]
    }

    proptest! {
        #[test]
        fn what_is_passed_on_comes_out_the_same(
            messages in prop::collection::vec(message(), 1..20),
            (before, after) in (limit(), limit()),
            runs in prop::collection::vec((1usize..4, 1usize..8000), 1..20),
            popping in prop::collection::vec(any::<bool>(), 20),
        ) {
            for mut from in batches(&messages, before) {
                let mut to = Batch::default();
                let (mut expected, mut next) = (Vec::new(), 0);
                for (&(most, bytes), pop) in runs.iter().zip(&popping).cycle() {
                    if from.is_empty() {
                        break;
                    }
                    if *pop {
                        let popped = from.pop();
                        prop_assert_eq!(popped.as_ref(), Some(&messages[next]));
                        next += 1;
                        continue;
                    }
                    let load = (from.messages(), from.bytes(), to.bytes());
                    let run = from.encoded(Extent::default(), most, bytes).unwrap();
                    prop_assert_eq!(run.first(), messages[next].first());
                    let (count, extent) = (run.messages(), run.extent());
                    prop_assert!((1..=most).contains(&count));
                    let passed = &messages[next..next + count];
                    let payload: usize = passed.iter().map(Message::byte_len).sum();
                    prop_assert_eq!(run.payload(), payload);
                    let added = to.append_encoded(&run, after);
                    prop_assert_eq!(to.bytes(), load.2 + added);
                    from.consume(extent, &mut Vec::new());
                    prop_assert_eq!((from.messages(), from.bytes()), (load.0 - count, load.1 - added));
                    expected.extend_from_slice(passed);
                    next += count;
                }
                prop_assert!(from.encoded(Extent::default(), 9, 9).is_none());
                prop_assert_eq!(to.messages(), expected.len());
                prop_assert!(to.large.iter().all(|large| large.body.len() > after.min(before)));
                prop_assert_eq!(popped(to), expected);
            }
        }

        #[test]
        fn an_address_is_put_in_front_and_taken_off(
            messages in prop::collection::vec(message(), 1..6),
            name in prop::collection::vec(any::<u8>(), 0..256),
            (before, after) in (limit(), limit()),
        ) {
            for mut from in batches(&messages, before) {
                let (mut there, mut home, mut bare) = <(Batch, Batch, Batch)>::default();
                for message in &messages {
                    let plain = from.encoded(Extent::default(), 1, usize::MAX).unwrap();
                    let sent = plain.behind(&name);
                    prop_assert_eq!(sent.payload(), message.byte_len() + name.len());
                    prop_assert_eq!(sent.first(), &name[..]);
                    there.append_encoded(&sent, after);
                    // What has been put in front comes off again, and so does what came with it.
                    let (first, rest) = sent.open().unwrap();
                    prop_assert_eq!(first, &name[..]);
                    bare.append_encoded(&rest, after);
                    match plain.open() {
                        Some((first, _)) => prop_assert_eq!(first, message.first()),
                        None => prop_assert_eq!(message.len(), 1),
                    }
                    let extent = plain.extent();
                    from.consume(extent, &mut Vec::new());
                }
                while let Some(sent) = there.encoded(Extent::default(), 1, usize::MAX) {
                    let (first, rest) = sent.open().unwrap();
                    prop_assert_eq!(first, &name[..]);
                    home.append_encoded(&rest, after);
                    let extent = sent.extent();
                    there.consume(extent, &mut Vec::new());
                }
                prop_assert_eq!(&popped(home), &messages);
                prop_assert_eq!(&popped(bare), &messages);
            }
        }
    }

    #[test]
    fn a_run_ends_where_the_bytes_are_reached() {
        let mut batch = Batch::default();
        for text in ["one", "two", "three"] {
            batch.push(&[], &Message::from(text), usize::MAX);
        }
        let run = |bytes| {
            batch
                .encoded(Extent::default(), 9, bytes)
                .map(|run| run.messages())
        };
        assert_eq!(
            [run(0), run(1), run(5), run(6), run(11)],
            [None, Some(1), Some(1), Some(2), Some(3)]
        );
    }

    #[test]
    fn a_long_size_of_a_short_body_stays() {
        let wire = Bytes::from_static(&[0b011, 0, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 1, b'b']);
        let batch = Batch::from_wire(wire, 1);
        let mut out = Batch::default();
        out.append_encoded(&batch.encoded(Extent::default(), 1, 1).unwrap(), 0);
        assert_eq!(out.messages(), 1);
        assert_eq!(popped(out), [Message::from(["a", "b"])]);
    }
}
