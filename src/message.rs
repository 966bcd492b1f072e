//! [`Message`]: a whole multipart value, never empty, never partial.
//!
//! A message whose frames are small lies inside the value itself, so that sending or receiving it
//! allocates nothing. Larger frames are [`Bytes`]: cloning such a message bumps a count per frame
//! and copies no payload.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use bytes::Bytes;

pub use convert::IntoFrame;

use crate::spares;

mod compare;
mod convert;
mod debug;
mod edit;

/// Room for the frames of an inline message: a payload of one cache line.
///
/// So a `Message` is 80 bytes, and moving it through a few futures still costs less than one trip
/// to the allocator.
const INLINE_CAPACITY: usize = 64;

/// The longest single frame that is kept inline.
pub(crate) const INLINE_FRAME_MAX: usize = INLINE_CAPACITY;

/// A whole ZeroMQ message: one or more frames that travel together.
///
/// Sockets take `impl Into<Message>`, so text, byte slices, vectors, [`Bytes`], and arrays or
/// vectors of those can be sent as they are. A value built from an empty list has one empty frame,
/// since a message without any frame does not exist in ZeroMQ.
///
/// Cloning is cheap: at most 80 bytes are copied, or one reference count is bumped per frame.
///
/// ```
/// use wirelark::Message;
///
/// let message = Message::from(["weather.oslo", "4 C"]);
/// assert_eq!(message.len(), 2);
/// assert_eq!(message.frame(1), Some(&b"4 C"[..]));
/// assert_eq!(message.text(), "weather.oslo");
/// ```
#[derive(Clone)]
pub struct Message {
    repr: Repr,
}

/// Where the frames lie. `Many` never holds fewer than two frames.
///
/// The tag takes a whole word, so that no move of the value starts at an odd byte (see [`Inline`]).
#[derive(Clone)]
#[repr(u64)]
enum Repr {
    /// One frame.
    Small(Inline),
    /// Several frames, packed one after the other, each behind its length in one byte.
    Packed(Inline),
    One(Bytes),
    Many(Vec<Bytes>),
}

/// A few bytes.
///
/// Both fields are whole words: a value whose parts lie at odd offsets, or are written in other
/// widths than they are moved in, stalls the processor on every move.
#[derive(Clone)]
#[repr(C)]
struct Inline {
    used: usize,
    bytes: [u8; INLINE_CAPACITY],
}

impl Inline {
    const fn new() -> Self {
        Self {
            used: 0,
            bytes: [0; INLINE_CAPACITY],
        }
    }

    /// Becomes these bytes, if they fit.
    #[inline]
    fn fill(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.used = bytes.len();
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    /// Appends a frame behind its length, or says `false` and changes nothing when it does not
    /// fit.
    fn pack(&mut self, frame: &[u8]) -> bool {
        let end = self.used + 1 + frame.len();
        let Some([head, body @ ..]) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        let Ok(length) = u8::try_from(frame.len()) else {
            return false;
        };
        *head = length;
        body.copy_from_slice(frame);
        self.used = end;
        true
    }
}

impl Message {
    /// A message of one frame, copied.
    #[inline]
    pub(crate) fn single(frame: &[u8]) -> Self {
        Self::small(frame).unwrap_or_else(|| Self {
            repr: Repr::One(spares::copy(frame)),
        })
    }

    /// Bytes that lie outside of the value.
    #[inline]
    pub(crate) fn body_len(&self) -> usize {
        match &self.repr {
            Repr::Small(_) | Repr::Packed(_) => 0,
            Repr::One(body) => body.len(),
            Repr::Many(frames) => frames.iter().map(Bytes::len).sum(),
        }
    }

    /// A message of one frame that is short enough to lie inside the value.
    ///
    /// Made where it is going to stay: a value that is filled first and moved afterwards makes the
    /// processor wait for its own writes.
    #[inline]
    fn small(frame: &[u8]) -> Option<Self> {
        if frame.len() > INLINE_CAPACITY {
            return None;
        }
        let mut message = Self {
            repr: Repr::Small(Inline::new()),
        };
        if let Repr::Small(inline) = &mut message.repr {
            inline.fill(frame);
        }
        Some(message)
    }

    /// A message of one frame: the first `length` bytes of `window`.
    ///
    /// To copy all of a window takes a few instructions, to copy a length that is only known at run
    /// time takes a call. What lies behind the frame is never looked at.
    #[inline]
    pub(crate) fn small_in(window: &[u8; INLINE_FRAME_MAX], length: usize) -> Self {
        Self {
            repr: Repr::Small(Inline {
                used: length.min(INLINE_FRAME_MAX),
                bytes: *window,
            }),
        }
    }

    /// A message of these frames in this order; of one empty frame when there are none.
    pub fn from_frames<I>(frames: I) -> Self
    where
        I: IntoIterator,
        I::Item: IntoFrame,
    {
        let mut builder = MessageBuilder::new();
        for frame in frames {
            builder.push_frame(frame);
        }
        builder.finish().unwrap_or_else(|| Self::single(&[]))
    }

    /// The number of frames, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Small(_) | Repr::One(_) => 1,
            Repr::Packed(_) => self.frames().count(),
            Repr::Many(frames) => frames.len(),
        }
    }

    /// The payload of all frames together, in bytes.
    pub fn byte_len(&self) -> usize {
        self.frames().map(<[u8]>::len).sum()
    }

    /// The frame at `index`, counted from zero.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.frames().nth(index)
    }

    /// The frame at `index` as [`Bytes`]: shared when the message keeps it so, else copied.
    pub fn frame_bytes(&self, index: usize) -> Option<Bytes> {
        match &self.repr {
            Repr::Small(_) | Repr::Packed(_) => self.frame(index).map(Bytes::copy_from_slice),
            Repr::One(frame) => (index == 0).then(|| frame.clone()),
            Repr::Many(frames) => frames.get(index).cloned(),
        }
    }

    /// The first frame: the topic of a published message, all of a single-frame message.
    pub fn first(&self) -> &[u8] {
        self.frames().next().unwrap_or_default()
    }

    /// The first frame as text, with U+FFFD in place of what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.first())
    }

    /// The frame at `index` as [`text`](Self::text).
    pub fn frame_text(&self, index: usize) -> Option<Cow<'_, str>> {
        self.frame(index).map(String::from_utf8_lossy)
    }

    /// The frames in order.
    pub fn frames(&self) -> Frames<'_> {
        Frames(match &self.repr {
            Repr::Small(inline) => Cursor::Single(Some(inline.bytes())),
            Repr::Packed(inline) => Cursor::Packed(inline.bytes()),
            Repr::One(frame) => Cursor::Slice(std::slice::from_ref(frame)),
            Repr::Many(frames) => Cursor::Slice(frames),
        })
    }

    /// Takes the message apart; small frames are copied into buffers of their own.
    pub fn into_frames(self) -> Vec<Bytes> {
        match self.repr {
            Repr::Small(_) | Repr::Packed(_) => self.frames().map(Bytes::copy_from_slice).collect(),
            Repr::One(frame) => vec![frame],
            Repr::Many(frames) => frames,
        }
    }

    /// The frames with large ones moved out, for an encoder: see [`Parts`].
    pub(crate) fn parts(&self) -> Parts<'_> {
        match &self.repr {
            Repr::Small(inline) => Parts::Small(&inline.bytes, inline.used),
            Repr::Packed(inline) => Parts::Packed(inline.bytes()),
            Repr::One(frame) => Parts::Shared(std::slice::from_ref(frame)),
            Repr::Many(frames) => Parts::Shared(frames),
        }
    }

    /// The frames, where they can be moved out one by one.
    #[inline]
    pub(crate) fn shared_frames(&mut self) -> Option<&mut [Bytes]> {
        match &mut self.repr {
            Repr::Small(_) | Repr::Packed(_) => None,
            Repr::One(frame) => Some(std::slice::from_mut(frame)),
            Repr::Many(frames) => Some(frames),
        }
    }

    /// The frames from `index` on as a message, or `None` when there is none left.
    pub(crate) fn skip_frames(&self, index: usize) -> Option<Self> {
        let mut builder = MessageBuilder::new();
        match &self.repr {
            Repr::Small(_) | Repr::Packed(_) => self
                .frames()
                .skip(index)
                .for_each(|frame| builder.push(frame)),
            Repr::One(frame) => {
                if index == 0 {
                    builder.push_bytes(frame.clone());
                }
            }
            Repr::Many(frames) => {
                frames
                    .iter()
                    .skip(index)
                    .for_each(|frame| builder.push_bytes(frame.clone()));
            }
        }
        builder.finish()
    }
}

/// How a message stores its frames, as an encoder wants to see it.
pub(crate) enum Parts<'a> {
    /// One frame: so many of these bytes, from the first.
    Small(&'a [u8; INLINE_FRAME_MAX], usize),
    /// Frames packed one after the other, each behind its length in one byte.
    Packed(&'a [u8]),
    /// Frames that can be shared without a copy.
    Shared(&'a [Bytes]),
}

/// The frames of a [`Message`], in order. See [`Message::frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a>(Cursor<'a>);

#[derive(Clone, Debug)]
enum Cursor<'a> {
    Single(Option<&'a [u8]>),
    Packed(&'a [u8]),
    Slice(&'a [Bytes]),
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.0 {
            Cursor::Single(frame) => frame.take(),
            Cursor::Packed(rest) => {
                let (length, tail) = rest.split_first()?;
                let (frame, tail) = tail.split_at_checked(usize::from(*length))?;
                *rest = tail;
                Some(frame)
            }
            Cursor::Slice(rest) => {
                let (frame, tail) = rest.split_first()?;
                *rest = tail;
                Some(frame)
            }
        }
    }
}

/// Gathers frames one by one; stays inline for as long as they fit.
pub(crate) struct MessageBuilder {
    inline: Inline,
    /// Used from the first frame on that did not fit; then holds all of them.
    spilled: Vec<Bytes>,
}

impl MessageBuilder {
    pub(crate) const fn new() -> Self {
        Self {
            inline: Inline::new(),
            spilled: Vec::new(),
        }
    }

    /// Appends a frame by copying it.
    pub(crate) fn push(&mut self, frame: &[u8]) {
        if !self.spilled.is_empty() || !self.inline.pack(frame) {
            self.spill();
            self.spilled.push(spares::copy(frame));
        }
    }

    /// Appends a frame, sharing it unless it is small enough to be inline.
    pub(crate) fn push_bytes(&mut self, frame: Bytes) {
        if !self.spilled.is_empty() || !self.inline.pack(&frame) {
            self.spill();
            self.spilled.push(frame);
        }
    }

    fn push_frame(&mut self, frame: impl IntoFrame) {
        if !self.spilled.is_empty() || !self.inline.pack(frame.as_frame()) {
            self.spill();
            self.spilled.push(frame.into_frame());
        }
    }

    fn spill(&mut self) {
        if self.inline.used > 0 {
            let packed = Frames(Cursor::Packed(self.inline.bytes()));
            self.spilled.extend(packed.map(Bytes::copy_from_slice));
            self.inline = Inline::new();
        }
    }

    /// The message, or `None` when no frame was pushed.
    pub(crate) fn finish(mut self) -> Option<Message> {
        let repr = match self.spilled.len() {
            0 if self.inline.used == 0 => return None,
            0 => match *self.inline.bytes() {
                [length, ref only @ ..] if usize::from(length) == only.len() => {
                    return Some(Message::single(only));
                }
                _ => Repr::Packed(self.inline),
            },
            1 => Repr::One(self.spilled.pop()?),
            _ => Repr::Many(self.spilled),
        };
        Some(Message { repr })
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a [u8];
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.frames()
    }
}

impl IntoIterator for Message {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_frames().into_iter()
    }
}

/// Two messages are equal when their frames are, however they are stored.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.frames().eq(other.frames())
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.frames().for_each(|frame| frame.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_80_bytes() {
        assert_eq!(size_of::<Message>(), 80);
    }

    #[test]
    fn an_empty_list_is_one_empty_frame() {
        let message = Message::from(Vec::<&str>::new());
        assert_eq!((message.len(), message.byte_len()), (1, 0));
        assert_eq!(message, Message::from(""));
    }

    #[test]
    fn small_stays_inline_and_large_is_shared() {
        assert!(matches!(
            Message::single(&[7; INLINE_FRAME_MAX]).repr,
            Repr::Small(_)
        ));
        let large = Bytes::from(vec![7; INLINE_FRAME_MAX + 1]);
        let message = Message::from(large.clone());
        assert_eq!(
            message.frame_bytes(0).map(|b| b.as_ptr()),
            Some(large.as_ptr())
        );
    }

    #[test]
    fn any_frame_is_text() {
        let message = Message::from([&b"topic"[..], b"4 \xff"]);
        let text = |index| message.frame_text(index);
        assert_eq!(text(0), Some(message.text()));
        assert_eq!(text(1).as_deref(), Some("4 \u{fffd}"));
        assert_eq!(text(2), None);
    }

    proptest! {
        #[test]
        fn frames_survive(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..9)) {
            let message = Message::from(frames.clone());
            prop_assert_eq!(message.len(), frames.len());
            prop_assert!(message.frames().eq(frames.iter().map(Vec::as_slice)));
            for skip in 0..=frames.len() {
                let rest = message.clone().skip_frames(skip);
                prop_assert_eq!(rest.map_or(0, |rest| rest.len()), frames.len() - skip);
            }
            let apart: Vec<Bytes> = message.clone().into_frames();
            prop_assert_eq!(Message::from(apart), message);
        }
    }
}
