//! Where a proxy takes messages out of a socket, and puts them into one, without decoding them.

use super::AnySocket;
use crate::pattern::relay::{Entrance, Exit};

impl AnySocket {
    /// Where its messages lie in wire form. An XPUB has none: what it receives is made here.
    pub(in crate::socket) fn entrance(&self) -> Option<Entrance<'_>> {
        match self {
            Self::Pair(socket) => Some(socket.entrance()),
            Self::Sub(socket) => Some(socket.entrance()),
            Self::Dealer(socket) => Some(socket.entrance()),
            Self::Pull(socket) => Some(socket.entrance()),
            Self::XSub(socket) => Some(socket.entrance()),
            Self::Router(socket) => Some(socket.entrance()),
            Self::Pub(_) | Self::Push(_) | Self::XPub(_) | Self::Req(_) | Self::Rep(_) => None,
        }
    }

    /// Where it takes messages in wire form. An XSUB does not: each frame may be a subscription.
    pub(in crate::socket) fn exit(&self) -> Option<Exit<'_>> {
        match self {
            Self::Pair(socket) => Some(socket.exit()),
            Self::Dealer(socket) => Some(socket.exit()),
            Self::Push(socket) => Some(socket.exit()),
            Self::Pub(socket) => Some(socket.exit()),
            Self::XPub(socket) => Some(socket.exit()),
            Self::Router(socket) => Some(socket.exit()),
            Self::Sub(_) | Self::Pull(_) | Self::XSub(_) | Self::Req(_) | Self::Rep(_) => None,
        }
    }
}
