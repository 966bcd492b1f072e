//! What can go wrong for a caller, by who must act: a wrong argument, a socket that is closed, a
//! request that cannot be answered. The network's trouble is not among them: see
//! [`Event`](crate::Event).
//!
//! Each verb has an error of its own where it can fail in its own way, so that nobody has to match
//! what cannot happen: only what does not wait can find no room, and only who takes turns can be out
//! of turn.

mod any;
mod context;
mod exchange;
mod place;
mod receive;
mod send;
mod subscriber;

pub use any::{
    AnyRecvError, AnySendError, AnySubscribeError, AnyTryRecvError, AnyTrySendError, NoSuchOption,
    NoSuchVerb, ProxyError,
};
pub use context::ContextError;
pub use exchange::{
    LockStepRecvError, LockStepSendError, LockStepTryRecvError, LockStepTrySendError, ReplyError,
    RequestError,
};
pub use place::{BindError, ConnectError, UnknownEndpoint};
pub use receive::{RecvError, TryRecvError};
pub use send::{SendError, SendToError, TrySendError, TrySendToError};
pub use subscriber::{AcceptError, SubscriberSendError, SubscriberTrySendError};

use thiserror::Error;

/// The socket has been closed, by `close` on this handle or on a clone of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the socket is closed")]
#[expect(clippy::exhaustive_structs, reason = "a fact without details")]
pub struct Closed;
