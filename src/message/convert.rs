//! What a message can be made of.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Message, Repr};
use crate::identity::Identity;
use crate::spares;

/// What can stand for one frame of a message: text, byte slices and arrays, vectors, [`Bytes`], an
/// [`Identity`].
///
/// Sealed: it exists so that arrays and vectors of such values convert into a [`Message`].
pub trait IntoFrame: sealed::Sealed {
    #[doc(hidden)]
    fn as_frame(&self) -> &[u8];
    #[doc(hidden)]
    fn into_frame(self) -> Bytes;
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

macro_rules! into_frame {
    ($($type:ty => |$value:ident| $slice:expr, $bytes:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl IntoFrame for $type {
            fn as_frame(&self) -> &[u8] {
                let $value = self;
                $slice
            }
            fn into_frame(self) -> Bytes {
                let $value = self;
                $bytes
            }
        }
        impl From<$type> for Message {
            #[inline]
            fn from(frame: $type) -> Self {
                match Self::small(frame.as_frame()) {
                    Some(message) => message,
                    None => Self {
                        repr: Repr::One(frame.into_frame()),
                    },
                }
            }
        }
    )*};
}

into_frame! {
    &str => |v| v.as_bytes(), spares::copy(v.as_bytes());
    String => |v| v.as_bytes(), Bytes::from(v);
    &String => |v| v.as_bytes(), spares::copy(v.as_bytes());
    &[u8] => |v| v, spares::copy(v);
    Vec<u8> => |v| v, Bytes::from(v);
    &Vec<u8> => |v| v, spares::copy(v);
    Bytes => |v| v, v;
    &Bytes => |v| v, v.clone();
    Identity => |v| v.as_ref(), v.into();
    &Identity => |v| v.as_ref(), v.as_bytes().clone();
    Cow<'_, str> => |v| v.as_bytes(), Bytes::from(v.into_owned());
}

impl<const N: usize> sealed::Sealed for &[u8; N] {}

impl<const N: usize> IntoFrame for &[u8; N] {
    fn as_frame(&self) -> &[u8] {
        &self[..]
    }
    fn into_frame(self) -> Bytes {
        spares::copy(self)
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(frame: &[u8; N]) -> Self {
        Self::single(frame)
    }
}

impl<T: IntoFrame, const N: usize> From<[T; N]> for Message {
    fn from(frames: [T; N]) -> Self {
        Self::from_frames(frames)
    }
}

impl<T: IntoFrame> From<Vec<T>> for Message {
    fn from(frames: Vec<T>) -> Self {
        Self::from_frames(frames)
    }
}

impl From<&Self> for Message {
    fn from(message: &Self) -> Self {
        message.clone()
    }
}
