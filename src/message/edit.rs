//! Building a message frame by frame, and taking it apart. It never becomes empty on the way.

use bytes::Bytes;

use super::{IntoFrame, Message, MessageBuilder, Repr};

impl Message {
    /// Appends a frame.
    ///
    /// ```
    /// let mut message = wirelark::Message::from("weather.oslo");
    /// message.push_back("4 C");
    /// message.push_front("urgent");
    /// assert_eq!(message, ["urgent", "weather.oslo", "4 C"]);
    /// ```
    pub fn push_back(&mut self, frame: impl IntoFrame) {
        match &mut self.repr {
            Repr::Many(frames) => return frames.push(frame.into_frame()),
            Repr::Packed(inline) => {
                if inline.pack(frame.as_frame()) {
                    return;
                }
            }
            Repr::Small(_) | Repr::One(_) => {}
        }
        let mut builder = MessageBuilder::new();
        builder.push_all(self);
        builder.push_frame(frame);
        self.become_what(builder);
    }

    /// Puts a frame in front of the others.
    pub fn push_front(&mut self, frame: impl IntoFrame) {
        if let Repr::Many(frames) = &mut self.repr {
            return frames.insert(0, frame.into_frame());
        }
        let mut builder = MessageBuilder::new();
        builder.push_frame(frame);
        builder.push_all(self);
        self.become_what(builder);
    }

    /// Takes the first frame off; `None`, and nothing changes, when it is the only one: a message
    /// is never empty. [`into_frames`](Self::into_frames) takes everything apart.
    ///
    /// ```
    /// let mut message = wirelark::Message::from(["weather.oslo", "4 C"]);
    /// assert_eq!(message.pop_front().unwrap(), "weather.oslo");
    /// assert_eq!(message.pop_front(), None);
    /// assert_eq!(message, "4 C");
    /// ```
    pub fn pop_front(&mut self) -> Option<Bytes> {
        self.pop(|frames| frames.remove(0), 0)
    }

    /// Takes the last frame off; `None`, and nothing changes, when it is the only one.
    pub fn pop_back(&mut self) -> Option<Bytes> {
        self.pop(|frames| frames.remove(frames.len() - 1), self.len() - 1)
    }

    /// Takes the frame at `index` off, which `remove` does where there are two or more [`Bytes`].
    fn pop(
        &mut self,
        remove: impl FnOnce(&mut Vec<Bytes>) -> Bytes,
        index: usize,
    ) -> Option<Bytes> {
        match &mut self.repr {
            Repr::Small(_) | Repr::One(_) => None,
            Repr::Packed(_) => {
                let popped = self.frame_bytes(index)?;
                let mut builder = MessageBuilder::new();
                for (other, frame) in self.frames().enumerate() {
                    if other != index {
                        builder.push(frame);
                    }
                }
                self.become_what(builder);
                Some(popped)
            }
            Repr::Many(frames) => {
                let popped = remove(frames);
                if frames.len() == 1 {
                    *self = frames.pop().map(Self::from)?;
                }
                Some(popped)
            }
        }
    }

    /// Takes the envelope off: what is in front of the first empty frame, and the body behind it.
    /// An envelope holds the addresses that lead a reply home, the empty frame ends it (RFC 28,
    /// "Request-Reply envelope").
    ///
    /// ```
    /// let request = wirelark::Message::from(["near", "far", "", "what time is it?"]);
    /// let (addresses, body) = request.split_envelope().unwrap();
    /// assert_eq!(addresses, ["near", "far"]);
    /// assert_eq!(body, "what time is it?");
    ///
    /// let reply = wirelark::Message::from("five").with_envelope(addresses);
    /// assert_eq!(reply, ["near", "far", "", "five"]);
    /// ```
    ///
    /// *Errors*: gives the message back when it has no empty frame, or nothing behind it.
    pub fn split_envelope(self) -> Result<(Vec<Bytes>, Self), Self> {
        let Some(delimiter) = self.frames().position(<[u8]>::is_empty) else {
            return Err(self);
        };
        if delimiter + 1 == self.len() {
            return Err(self);
        }
        let addresses = (0..delimiter)
            .filter_map(|index| self.frame_bytes(index))
            .collect();
        match self.skip_frames(delimiter + 1) {
            Some(body) => Ok((addresses, body)),
            // There is at least one frame behind the delimiter.
            None => Err(Self::single(&[])),
        }
    }

    /// Puts an envelope on: these addresses and an empty frame, in front of the message. See
    /// [`split_envelope`](Self::split_envelope).
    pub fn with_envelope<I>(self, addresses: I) -> Self
    where
        I: IntoIterator,
        I::Item: IntoFrame,
    {
        let mut builder = MessageBuilder::new();
        for address in addresses {
            builder.push_frame(address);
        }
        builder.push(&[]);
        builder.push_all(&self);
        builder.finish().unwrap_or(self)
    }

    fn become_what(&mut self, builder: MessageBuilder) {
        if let Some(message) = builder.finish() {
            *self = message;
        }
    }
}

impl MessageBuilder {
    /// Appends the frames of a message, sharing what it shares.
    fn push_all(&mut self, message: &Message) {
        match &message.repr {
            Repr::Small(_) | Repr::Packed(_) => {
                message.frames().for_each(|frame| self.push(frame));
            }
            Repr::One(frame) => self.push_bytes(frame.clone()),
            Repr::Many(frames) => {
                let frames = frames.iter().cloned();
                frames.for_each(|frame| self.push_bytes(frame));
            }
        }
    }
}

/// One empty frame, the least that a message can be.
impl Default for Message {
    fn default() -> Self {
        Self::single(&[])
    }
}

/// As [`Message::from_frames`].
impl<F: IntoFrame> FromIterator<F> for Message {
    fn from_iter<I: IntoIterator<Item = F>>(frames: I) -> Self {
        Self::from_frames(frames)
    }
}

impl<F: IntoFrame> Extend<F> for Message {
    fn extend<I: IntoIterator<Item = F>>(&mut self, frames: I) {
        frames.into_iter().for_each(|frame| self.push_back(frame));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use proptest::prelude::*;

    fn model(message: &Message) -> VecDeque<Vec<u8>> {
        message.frames().map(<[u8]>::to_vec).collect()
    }

    /// How a message is stored does not depend on how it came about, as far as anybody can see.
    fn is_sound(message: &Message) -> bool {
        match &message.repr {
            Repr::Small(_) | Repr::One(_) => message.len() == 1,
            Repr::Packed(_) | Repr::Many(_) => message.len() > 1,
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        PushBack(Vec<u8>),
        PushFront(Vec<u8>),
        PopBack,
        PopFront,
        Extend(Vec<Vec<u8>>),
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        // Around what is kept inline, and empty.
        prop_oneof![
            Just(Vec::new()),
            prop::collection::vec(any::<u8>(), 0..12),
            prop::collection::vec(any::<u8>(), 60..70),
            prop::collection::vec(any::<u8>(), 250..260),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            frame().prop_map(Op::PushBack),
            frame().prop_map(Op::PushFront),
            Just(Op::PopBack),
            Just(Op::PopFront),
            prop::collection::vec(frame(), 0..3).prop_map(Op::Extend),
        ]
    }

    proptest! {
        #[test]
        fn a_message_does_as_a_list_does_that_keeps_its_last_frame(
            first in prop::collection::vec(frame(), 1..4),
            ops in prop::collection::vec(op(), 0..24),
        ) {
            let mut message: Message = first.iter().collect();
            let mut list = VecDeque::from(first);
            for op in ops {
                let popped = match op {
                    Op::PushBack(frame) => {
                        message.push_back(&frame);
                        list.push_back(frame);
                        continue;
                    }
                    Op::PushFront(frame) => {
                        message.push_front(&frame);
                        list.push_front(frame);
                        continue;
                    }
                    Op::Extend(frames) => {
                        message.extend(&frames);
                        list.extend(frames);
                        continue;
                    }
                    Op::PopBack if list.len() > 1 => (message.pop_back(), list.pop_back()),
                    Op::PopFront if list.len() > 1 => (message.pop_front(), list.pop_front()),
                    Op::PopBack => (message.pop_back(), None),
                    Op::PopFront => (message.pop_front(), None),
                };
                prop_assert_eq!(popped.0.map(Vec::from), popped.1);
                prop_assert_eq!(model(&message), list.clone());
                prop_assert!(is_sound(&message), "{:?}", message);
                for (index, frame) in list.iter().enumerate() {
                    prop_assert_eq!(&message[index], &frame[..]);
                }
            }
        }

        #[test]
        fn an_envelope_comes_off_as_it_was_put_on(
            addresses in prop::collection::vec(frame(), 0..4),
            body in prop::collection::vec(frame(), 1..4),
        ) {
            prop_assume!(addresses.iter().all(|address| !address.is_empty()));
            let body = Message::from(body);
            let whole = body.clone().with_envelope(&addresses);
            prop_assert_eq!(whole.len(), addresses.len() + 1 + body.len());
            prop_assert_eq!(whole.split_envelope().unwrap(), (
                addresses.into_iter().map(Bytes::from).collect(),
                body,
            ));
        }
    }

    #[test]
    fn what_has_no_envelope_comes_back() {
        for frames in [&["a"][..], &[""], &["a", "b"], &["a", ""]] {
            let message = Message::from(frames.to_vec());
            assert_eq!(message.clone().split_envelope(), Err(message));
        }
    }

    #[test]
    fn large_frames_are_shared() {
        let large = Bytes::from(vec![7; 1000]);
        let mut message = Message::from("small");
        message.push_back(&large);
        message.push_front(&large);
        for popped in [message.pop_front(), message.pop_back()] {
            assert_eq!(popped.map(|frame| frame.as_ptr()), Some(large.as_ptr()));
        }
    }
}
