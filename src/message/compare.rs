//! A message beside what it could be made of: comparison, and frames by index.

use std::ops::Index;

use bytes::Bytes;

use super::Message;

/// The frame at an index, as a slice gives it: panics where there is none. What a peer sent can be
/// of any length, so [`frame`](Message::frame) suits that better.
impl Index<usize> for Message {
    type Output = [u8];

    #[track_caller]
    fn index(&self, index: usize) -> &[u8] {
        #[expect(clippy::panic, reason = "that is what indexing promises")]
        match self.frame(index) {
            Some(frame) => frame,
            None => panic!("index {index} in a message of {} frames", self.len()),
        }
    }
}

impl Message {
    fn is_only(&self, frame: &[u8]) -> bool {
        let mut frames = self.frames();
        frames.next() == Some(frame) && frames.next().is_none()
    }

    fn is_all<T: AsRef<[u8]>>(&self, frames: &[T]) -> bool {
        self.frames().eq(frames.iter().map(AsRef::as_ref))
    }
}

macro_rules! equal_to_one_frame {
    ($($type:ty),*) => {$(
        /// Equal when this is the only frame.
        impl PartialEq<$type> for Message {
            fn eq(&self, frame: &$type) -> bool {
                self.is_only(frame.as_ref())
            }
        }
    )*};
}

equal_to_one_frame!(str, &str, String, [u8], &[u8], Bytes);

/// Equal when this is the only frame.
impl<const N: usize> PartialEq<&[u8; N]> for Message {
    fn eq(&self, frame: &&[u8; N]) -> bool {
        self.is_only(*frame)
    }
}

/// Equal when these are its frames.
impl<T: AsRef<[u8]>, const N: usize> PartialEq<[T; N]> for Message {
    fn eq(&self, frames: &[T; N]) -> bool {
        self.is_all(frames)
    }
}

/// Equal when these are its frames.
impl<T: AsRef<[u8]>> PartialEq<Vec<T>> for Message {
    fn eq(&self, frames: &Vec<T>) -> bool {
        self.is_all(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_is_equal_to_its_bytes() {
        let message = Message::from("a");
        assert_eq!(message, "a");
        assert_eq!(message, *"a");
        assert_eq!(message, "a".to_owned());
        assert_eq!(message, b"a");
        assert_eq!(message, b"a"[..]);
        assert_eq!(message, &b"a"[..]);
        assert_eq!(message, Bytes::from("a"));
        assert_ne!(message, "b");
        assert_ne!(message, "");
    }

    #[test]
    fn several_frames_are_equal_to_a_list() {
        let message = Message::from(["a", ""]);
        assert_eq!(message, ["a", ""]);
        assert_eq!(message, [b"a".as_slice(), b""]);
        assert_eq!(message, vec!["a", ""]);
        assert_ne!(message, ["a"]);
        assert_ne!(message, ["a", "", ""]);
        assert_ne!(message, "a");
    }

    #[test]
    fn a_frame_is_found_by_its_index() {
        let message = Message::from(["a", "bc"]);
        assert_eq!(&message[1], b"bc");
    }

    #[test]
    #[should_panic(expected = "index 2 in a message of 2 frames")]
    fn there_is_no_frame_behind_the_last() {
        let _ = &Message::from(["a", "bc"])[2];
    }
}
