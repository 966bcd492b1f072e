//! [`Batch`]: whole messages in wire form, the currency of the data path.
//!
//! A batch is a run of encoded frames. Headers and small bodies lie one after the other in one
//! buffer; a large body keeps its own [`Bytes`] and only its place in the run is noted, so that it
//! is never copied. The same value serves three ends: a sender appends messages, a session writes
//! the run to the kernel (see [`Transmit`](super::transmit::Transmit)), a receiver pops messages.
//!
//! Bytes from a peer enter only after the decoder has judged every header in them; popping stays
//! checked all the same and ends at the first thing that makes no sense.

mod encoded;
mod sift;

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::{self, MORE, header_len};
use crate::message::{INLINE_FRAME_MAX, Message, MessageBuilder, Parts};
use crate::spares;

pub(crate) use encoded::{Encoded, Extent};

/// The longest frame that a receiver copies out of a shared chunk; larger ones are slices of it.
///
/// A copy this short costs no more than the reference count of a slice, and a small frame that is
/// kept never pins the whole chunk.
const COPY_MAX: usize = 256;

/// Whole messages in wire form.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    store: Store,
    /// Bodies kept out of `store`, in order of their place.
    large: VecDeque<Large>,
    /// Where the first message that has not been popped starts in `store`.
    head: usize,
    messages: usize,
    bytes: usize,
}

/// The contiguous part: grown by senders, or handed over as it was read from a connection.
#[derive(Debug)]
enum Store {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Default for Store {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl Store {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A body that follows `at` bytes of the store.
#[derive(Clone, Debug)]
pub(super) struct Large {
    pub(super) at: usize,
    pub(super) body: Bytes,
}

/// The first frame of a message, looked at in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First<'a> {
    pub(crate) command: bool,
    pub(crate) body: &'a [u8],
}

impl Batch {
    /// An empty batch that grows in `buffer`, whose contents are forgotten.
    pub(crate) fn in_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            store: Store::Owned(buffer),
            ..Self::default()
        }
    }

    /// `messages` whole messages exactly as they came from a peer, already judged.
    pub(crate) fn from_wire(chunk: Bytes, messages: usize) -> Self {
        let bytes = chunk.len();
        Self {
            store: Store::Shared(chunk),
            large: VecDeque::new(),
            head: 0,
            messages,
            bytes,
        }
    }

    /// A copy of `messages` whole messages exactly as they came from a peer, already judged.
    pub(crate) fn copied(encoded: &[u8], messages: usize) -> Self {
        Self {
            store: Store::Owned(encoded.to_vec()),
            messages,
            bytes: encoded.len(),
            ..Self::default()
        }
    }

    /// Bytes that are only to be written, and hold nothing to be popped.
    #[cfg(feature = "curve")]
    pub(super) fn in_wire_form(bytes: Vec<u8>) -> Self {
        Self {
            store: Store::Owned(bytes),
            ..Self::default()
        }
    }

    /// Messages (and commands) that have not been popped.
    pub(crate) const fn messages(&self) -> usize {
        self.messages
    }

    /// Encoded bytes that have not been popped.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much of the buffer that it owns is filled; nothing where it shares one.
    pub(crate) fn filled(&self) -> usize {
        match &self.store {
            Store::Owned(buffer) => buffer.len(),
            Store::Shared(_) => 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Empties the batch and keeps its buffer.
    pub(crate) fn clear(&mut self) {
        let buffer = std::mem::take(&mut self.store);
        *self = match buffer {
            Store::Owned(buffer) => Self::in_buffer(buffer),
            Store::Shared(_) => Self::default(),
        };
    }

    /// Whether bodies lie outside of the contiguous part.
    pub(crate) fn has_large(&self) -> bool {
        !self.large.is_empty()
    }

    /// Lets go of large bodies; only for a batch that is cleared before it is used again.
    pub(crate) fn release_large(&mut self) {
        self.large.clear();
    }

    /// Whether a sender may append: the batch owns its buffer and is shorter than `limit`.
    #[inline]
    pub(crate) const fn is_open(&self, limit: usize) -> bool {
        matches!(self.store, Store::Owned(_)) && self.bytes < limit
    }

    /// Makes the contiguous part shareable, so that popping slices its larger bodies instead of
    /// copying them. Worth it for a part that is large and complete.
    pub(crate) fn share_store(&mut self) {
        if let Store::Owned(buffer) = &mut self.store {
            self.store = Store::Shared(spares::share_filled(std::mem::take(buffer)));
        }
    }

    /// The same messages in the same memory; `None` where that is not [shareable](Self::share_store).
    pub(crate) fn share(&self) -> Option<Self> {
        let Store::Shared(bytes) = &self.store else {
            return None;
        };
        Some(Self {
            store: Store::Shared(bytes.clone()),
            large: self.large.clone(),
            head: self.head,
            messages: self.messages,
            bytes: self.bytes,
        })
    }

    /// Gives the buffer back for another batch; `None` where the batch did not own one.
    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.store {
            Store::Owned(buffer) => Some(buffer),
            Store::Shared(_) => None,
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        if let Store::Shared(chunk) = &self.store {
            self.store = Store::Owned(chunk.to_vec());
        }
        match &mut self.store {
            Store::Owned(buffer) => buffer,
            Store::Shared(_) => unreachable!("made owned above"),
        }
    }

    /// Appends a message behind `envelope`, which is encoded frames that all announce more.
    ///
    /// Bodies longer than `share_above` bytes are kept as they are instead of being copied. Returns
    /// how many bytes the whole takes.
    #[inline]
    pub(crate) fn push(&mut self, envelope: &[u8], message: &Message, share_above: usize) -> usize {
        let mut added = envelope.len();
        let out = self.out();
        if !envelope.is_empty() {
            out.extend_from_slice(envelope);
        }
        match message.parts() {
            Parts::Small(window, length) => {
                frame::put_short(out, window, length);
                added = added.saturating_add(length).saturating_add(2);
            }
            // The packed form keeps the length byte in front, just as a short header does.
            Parts::Packed(packed) => {
                let mut rest = packed;
                while let Some(&length) = rest.first() {
                    let whole = usize::from(length).saturating_add(1).min(rest.len());
                    let (frame, tail) = rest.split_at(whole);
                    out.push(if tail.is_empty() { 0 } else { MORE });
                    out.extend_from_slice(frame);
                    added = added.saturating_add(frame.len()).saturating_add(1);
                    rest = tail;
                }
            }
            Parts::Shared(frames) => {
                if let Some((last, before)) = frames.split_last() {
                    for body in before {
                        added = added.saturating_add(self.put(MORE, body, share_above));
                    }
                    added = added.saturating_add(self.put(0, last, share_above));
                }
            }
        }
        self.finish_message(added);
        added
    }

    /// As [`push`](Self::push), for a message that is of no use afterwards: bodies that are kept as they
    /// are move over, which spares what it takes to count those who share them.
    #[inline]
    pub(crate) fn push_all_of(
        &mut self,
        envelope: &[u8],
        message: &mut Message,
        share_above: usize,
    ) -> usize {
        match message.shared_frames() {
            Some(frames) => self.move_in(envelope, frames, share_above),
            None => self.push(envelope, message, share_above),
        }
    }

    fn move_in(&mut self, envelope: &[u8], frames: &mut [Bytes], share_above: usize) -> usize {
        let mut added = envelope.len();
        self.out().extend_from_slice(envelope);
        let last = frames.len().saturating_sub(1);
        for (index, body) in frames.iter_mut().enumerate() {
            let flags = if index == last { 0 } else { MORE };
            let length = if body.len() > share_above {
                self.put_large(flags, std::mem::take(body))
            } else {
                self.put(flags, body, share_above)
            };
            added = added.saturating_add(length);
        }
        self.finish_message(added);
        added
    }

    /// Appends one frame of a message that [`finish_message`](Self::finish_message) will end.
    /// Returns how many bytes the frame takes.
    pub(crate) fn put(&mut self, flags: u8, body: &Bytes, share_above: usize) -> usize {
        if body.len() > share_above {
            return self.put_large(flags, body.clone());
        }
        frame::put_frame(self.out(), flags, body);
        frame_len(body)
    }

    /// As [`put`](Self::put), for a body that is kept as it is.
    fn put_large(&mut self, flags: u8, body: Bytes) -> usize {
        let length = frame_len(&body);
        let out = self.out();
        frame::put_header(out, flags, body.len());
        let at = out.len();
        self.large.push_back(Large { at, body });
        length
    }

    /// Appends whole frames of a message that [`finish_message`](Self::finish_message) will end,
    /// exactly as they came from a peer, already judged.
    pub(crate) fn put_encoded(&mut self, frames: &[u8]) {
        self.out().extend_from_slice(frames);
    }

    /// Counts the frames put since the last message as one message of `bytes` encoded bytes.
    pub(crate) fn finish_message(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Appends a command, which counts as a message.
    pub(crate) fn push_command(&mut self, body: &[u8]) {
        frame::put_frame(self.out(), frame::COMMAND, body);
        self.finish_message(frame_len(body));
    }

    /// Appends a copy of what `other` still holds; large bodies are shared.
    pub(crate) fn append(&mut self, other: &Self) {
        let start = self.out().len();
        let rest = other.store.as_slice().get(other.head..).unwrap_or_default();
        self.out().extend_from_slice(rest);
        if !other.large.is_empty() {
            self.append_large(other, start);
        }
        self.messages = self.messages.saturating_add(other.messages);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// The large bodies of `other`, whose contiguous part begins at `start` here.
    #[cold]
    fn append_large(&mut self, other: &Self, start: usize) {
        self.large.extend(other.large.iter().map(|large| Large {
            at: large.at.saturating_sub(other.head).saturating_add(start),
            body: large.body.clone(),
        }));
    }

    /// The first frame of the next message.
    pub(crate) fn peek(&self) -> Option<First<'_>> {
        let bytes = self.store.as_slice();
        let header = frame::parse(bytes.get(self.head..)?).ok()??;
        let at = self.head.checked_add(header.head)?;
        let body = match self.large.front() {
            Some(large) if large.at == at && header.body > 0 => &large.body[..],
            _ => bytes.get(at..at.checked_add(usize::try_from(header.body).ok()?)?)?,
        };
        Some(First {
            command: header.command,
            body,
        })
    }

    /// Shows every frame that has not been popped: its flags MORE and COMMAND, and its body.
    #[cfg(feature = "curve")]
    pub(super) fn each_frame(&self, mut each: impl FnMut(u8, &[u8])) {
        let bytes = self.stored();
        let mut large = self.large.iter().peekable();
        let mut at = self.head;
        while let Some(Ok(Some(header))) = bytes.get(at..).map(frame::parse) {
            at = at.saturating_add(header.head);
            let flags = if header.more { MORE } else { 0 };
            let flags = flags | if header.command { frame::COMMAND } else { 0 };
            if let Some(large) = large.next_if(|large| large.at == at && header.body > 0) {
                each(flags, &large.body);
                continue;
            }
            let length = usize::try_from(header.body).unwrap_or(usize::MAX);
            let end = at.saturating_add(length);
            let Some(body) = bytes.get(at..end) else {
                return;
            };
            each(flags, body);
            at = end;
        }
    }

    /// Forgets the next message.
    pub(crate) fn skip(&mut self) {
        self.next_message(|_| {});
    }

    /// Takes the next message out.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        if let Some(message) = self.pop_single() {
            return Some(message);
        }
        let mut builder = MessageBuilder::new();
        self.next_message(|body| match body {
            Body::Small(bytes) => builder.push(bytes),
            Body::Shared(bytes) => builder.push_bytes(bytes),
        });
        builder.finish()
    }

    /// The commonest message by far: one frame that fits into a [`Message`] itself.
    #[inline]
    fn pop_single(&mut self) -> Option<Message> {
        let bytes = self.store.as_slice();
        let [flags, length, rest @ ..] = bytes.get(self.head..)? else {
            return None;
        };
        let length = usize::from(*length);
        if *flags != 0 || length > INLINE_FRAME_MAX {
            return None;
        }
        if self
            .large
            .front()
            .is_some_and(|large| large.at == self.head.saturating_add(2))
            && length > 0
        {
            return None;
        }
        let message = match rest.first_chunk() {
            Some(window) => Message::small_in(window, length),
            None => Message::single(rest.get(..length)?),
        };
        let whole = length.saturating_add(2);
        self.consumed(whole, whole);
        Some(message)
    }

    /// Walks over the frames of the next message and leaves `head` behind it.
    fn next_message(&mut self, mut each: impl FnMut(Body<'_>)) {
        let (mut at, mut total) = (self.head, 0usize);
        loop {
            let bytes = self.store.as_slice();
            let Some(Ok(Some(header))) = bytes.get(at..).map(frame::parse) else {
                return self.give_up();
            };
            at = at.saturating_add(header.head);
            let Ok(length) = usize::try_from(header.body) else {
                return self.give_up();
            };
            total = total.saturating_add(header.head).saturating_add(length);
            if length > 0 && self.large.front().is_some_and(|large| large.at == at) {
                if let Some(large) = self.large.pop_front() {
                    each(Body::Shared(large.body));
                }
            } else {
                let Some(end) = at.checked_add(length) else {
                    return self.give_up();
                };
                let Some(body) = bytes.get(at..end) else {
                    return self.give_up();
                };
                match &self.store {
                    Store::Shared(chunk) if length > COPY_MAX => {
                        each(Body::Shared(chunk.slice(at..end)));
                    }
                    _ => each(Body::Small(body)),
                }
                at = end;
            }
            if !header.more {
                return self.consumed(at.saturating_sub(self.head), total);
            }
        }
    }

    fn consumed(&mut self, stored: usize, total: usize) {
        self.head = self.head.saturating_add(stored);
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(total);
    }

    /// What is left makes no sense: nothing more comes out of this batch.
    fn give_up(&mut self) {
        debug_assert!(self.messages == 0, "a batch holds only whole messages");
        *self = Self::default();
    }

    /// Where the next message starts in [`stored`](Self::stored).
    pub(super) const fn head(&self) -> usize {
        self.head
    }

    pub(super) fn stored(&self) -> &[u8] {
        self.store.as_slice()
    }

    pub(super) const fn large(&self) -> &VecDeque<Large> {
        &self.large
    }
}

/// Bytes of a frame with this body.
fn frame_len(body: &[u8]) -> usize {
    header_len(body.len()).saturating_add(body.len())
}

enum Body<'a> {
    Small(&'a [u8]),
    Shared(Bytes),
}

#[cfg(test)]
mod tests;
