//! [`SocketBuilder`]: the options of a socket, only those that its type has.

mod publish;
mod routing;
mod transport;

pub use publish::{ForwardsSubscriptions, Matches, Publishes, SeesSubscribers, SpeaksUpstream};
pub use routing::{Probes, Routes};

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;

mod asks;

use super::context::Context;
use crate::identity::Identity;
use crate::options::Capacity;
use crate::options::Options;
use crate::security::choice::Security;
use crate::socket_type::SocketType;

mod metadata;

/// The options of a socket of type `S`, got from its `builder` method. Each method takes effect
/// when [`build`](Self::build) makes the socket; an option that a type has no use for does not
/// exist on its builder. Most can be changed later: see [`SocketOptions`](crate::SocketOptions).
///
/// No value is out of range: a method takes a type all of whose values are allowed, and types such
/// as [`Heartbeat`](crate::Heartbeat) check what they are made from. Where a limit or a wish can be
/// absent the method takes the value itself or `None`: no limit, no end, or whatever the operating
/// system has (libzmq's 0 and −1).
///
/// ```
/// use std::time::Duration;
/// use wirelark::PushSocket;
///
/// let push = PushSocket::builder()
///     .send_hwm(10_000)
///     .recv_buffer(None) // as the operating system has it
///     .linger(Duration::from_secs(5))
///     .build();
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct SocketBuilder<S> {
    /// Where the type is chosen at run time.
    socket_type: SocketType,
    options: Options,
    context: Option<Context>,
    subscriptions: Vec<Bytes>,
    socket: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for SocketBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What makes a socket type out of options. Sealed; part of no signature that a user writes.
pub trait Build: sealed::Sealed + Sized {
    #[doc(hidden)]
    fn build(parts: Parts) -> Self;
}

/// A type that sends messages from a queue.
pub trait Sends: Build {}

/// A type that receives messages into a queue.
pub trait Receives: Build {}

/// A type that may have any number of peers.
pub trait TakesMany: Build {}

/// A type whose messages may be queued for a peer that is not connected yet.
pub trait QueuesAhead: Build {}

/// A type of which each message may stand for all that came before it.
pub trait Conflates: Build {}

/// A type that asks, and waits for the answer.
pub trait Asks: Build {}

/// A type that tells its peers a name.
pub trait Identified: Build {}

/// A type that subscribes.
pub trait Subscribes: Build {}

/// What a builder has gathered.
#[derive(Debug)]
#[expect(unnameable_types, reason = "only sealed traits use it")]
pub struct Parts {
    /// Of a socket whose type is chosen at run time; the others know theirs.
    pub(super) socket_type: SocketType,
    pub(super) options: Options,
    pub(super) context: Context,
    pub(super) subscriptions: Vec<Bytes>,
}

pub(super) mod sealed {
    /// Only this crate's sockets can be built.
    #[expect(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

impl<S: Build> SocketBuilder<S> {
    pub(super) fn new() -> Self {
        Self::of_type(SocketType::Pair)
    }

    pub(super) fn of_type(socket_type: SocketType) -> Self {
        let subscriptions = Vec::new();
        Self {
            socket_type,
            options: Options::default(),
            context: None,
            subscriptions,
            socket: PhantomData,
        }
    }

    /// Makes the socket. It has no endpoint yet and costs no task.
    pub fn build(self) -> S {
        S::build(self.into_parts())
    }

    pub(super) fn into_parts(self) -> Parts {
        Parts {
            socket_type: self.socket_type,
            options: self.options,
            context: self.context.unwrap_or_else(Context::global),
            subscriptions: self.subscriptions,
        }
    }

    /// The namespace for `inproc://` names, and where connections run: see
    /// [`io_threads`](crate::ContextBuilder::io_threads). Default: the one of the process, without threads.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// How peers and this socket know one another, and whether what they say is encrypted. Default
    /// [`Security::Null`]: whoever reaches an endpoint is let in. For tcp and ipc. libzmq: `ZMQ_PLAIN_*`,
    /// `ZMQ_CURVE_*`, `ZMQ_ZAP_DOMAIN`.
    pub fn security(mut self, security: Security) -> Self {
        self.options.security = security;
        self
    }

    /// How long `close`, or the drop of the last handle, goes on sending what is queued; zero ends
    /// it at once, `None` is for as long as it takes. Default 30 s. libzmq: `ZMQ_LINGER`, where −1,
    /// the default, is for ever.
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.options.linger = linger.into();
        self
    }

    /// The largest message accepted from a peer: the payload of all its frames, in bytes. A peer
    /// that announces more is disconnected before it has sent it. `None` is for no limit. Default
    /// 256 MiB. libzmq: `ZMQ_MAXMSGSIZE`, for each frame, where −1, the default, is for no limit.
    pub fn max_message_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.max_message_size = bytes.into();
        self
    }

    /// The most frames accepted in one message; `None` is for no limit. Default 8,192. libzmq has no
    /// such limit.
    pub fn max_frames(mut self, frames: impl Into<Option<usize>>) -> Self {
        self.options.max_frames = frames.into();
        self
    }

    /// The most bytes of messages that have arrived in part, from all peers together; `None` is for no limit. The
    /// peer whose message would exceed it is disconnected, with
    /// [`ProtocolError::TooMuchUnfinished`](crate::ProtocolError::TooMuchUnfinished); what the others have
    /// sent is kept. Payload counts, and the room that is kept ready for more of it, which is at most as
    /// much again; the first 128 KiB of each peer do not count, so shorter messages never meet this.
    ///
    /// The limit is never less than [`max_message_size`](Self::max_message_size), so that one such message can
    /// always arrive alone; where that is lifted, this is lifted, too. Whoever receives large messages from many peers at
    /// the same time raises it. Default 256 MiB. libzmq has no such limit.
    pub fn max_partial_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.max_partial_bytes = bytes.into();
        self
    }
}

impl<S: Sends> SocketBuilder<S> {
    /// The most messages queued for one peer; `None`, or zero as in libzmq, is for no limit. Default
    /// 1,000. What is in the kernel's buffers, and one batch of at most 64 KiB on its way there,
    /// comes on top. libzmq: `ZMQ_SNDHWM`.
    pub fn send_hwm(mut self, messages: impl Into<Option<usize>>) -> Self {
        self.options.send.messages = Capacity::bound(messages.into());
        self
    }

    /// The most bytes queued for one peer, frame headers included; `None` or zero is for no limit.
    /// One message larger than this still passes when nothing else is queued. Default 64 MiB.
    /// libzmq has no such limit.
    pub fn send_hwm_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.send.bytes = Capacity::bound(bytes.into());
        self
    }
}

impl<S: Receives> SocketBuilder<S> {
    /// The most messages from one peer that wait to be read; `None`, or zero as in libzmq, is for no
    /// limit. Beyond it nothing more is read from the peer's connection, and in the end its sends
    /// wait. Default 1,000. libzmq: `ZMQ_RCVHWM`.
    pub fn recv_hwm(mut self, messages: impl Into<Option<usize>>) -> Self {
        self.options.recv.messages = Capacity::bound(messages.into());
        self
    }

    /// The most bytes from one peer that wait to be read, frame headers included; `None` or zero is
    /// for no limit. One message larger than this still passes. Default 64 MiB. libzmq has no such
    /// limit.
    ///
    /// What peers have sent is kept when they leave. All that have left may keep as much together
    /// as one peer may, and at most 32,768 messages or [`recv_hwm`](Self::recv_hwm) if that is
    /// more. Beyond it, what the first of them left is dropped and counted.
    pub fn recv_hwm_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.recv.bytes = Capacity::bound(bytes.into());
        self
    }
}

impl<S: TakesMany> SocketBuilder<S> {
    /// The most peers at one time; `None` is for no limit. A connection that a listener accepts beyond it is
    /// closed at once, and one whose peer has introduced itself too late, without an ERROR in either
    /// case: it may come again, and finds a place when a peer has left. Both are told as
    /// [`DisconnectReason::TooManyPeers`](crate::DisconnectReason::TooManyPeers) and counted as
    /// [`handshakes_failed`](crate::SocketStats::handshakes_failed). (Handshakes that are under way are no
    /// peers; they have a bound of their own, 1,024 for a listener.)
    ///
    /// The peers to which this socket connects, and those in the same process, are never refused, since the
    /// program chose them. But they count: with zero, or where they have filled it, nobody is accepted.
    /// A peer that comes again before its old connection has ended counts twice for so long. Default
    /// 10,000. libzmq has no such limit.
    pub fn max_peers(mut self, limit: impl Into<Option<usize>>) -> Self {
        self.options.max_peers = limit.into();
        self
    }
}

impl<S: QueuesAhead> SocketBuilder<S> {
    /// Whether messages go to connected peers only. By default a `connect` opens a queue at once
    /// and the queue outlives lost connections, so that messages are also dealt to a peer that is
    /// down. With `true` there is a queue only while there is a connection; what is unsent when it
    /// ends goes to other peers. Default false. libzmq: `ZMQ_IMMEDIATE`.
    pub fn immediate(mut self, immediate: bool) -> Self {
        self.options.immediate = immediate;
        self
    }
}

impl<S: Conflates> SocketBuilder<S> {
    /// Whether each queue keeps the newest message only: for values of which the last is all that
    /// counts. High-water marks have no meaning then, and sending never waits for room. Messages that a
    /// newer one took the place of are counted as dropped. On a SUB the newest message of all topics
    /// is kept, not one for each. A message of several frames is one message; in libzmq they do not go
    /// together with this option. Default false. libzmq: `ZMQ_CONFLATE`.
    pub fn conflate(mut self, conflate: bool) -> Self {
        self.options.conflate = conflate;
        self
    }
}

impl<S: Identified> SocketBuilder<S> {
    /// The name by which ROUTER peers address this socket. Default: none, and they make one up.
    /// What a ROUTER has made up for somebody is nobody's own name, and is passed over. libzmq:
    /// `ZMQ_ROUTING_ID`.
    pub fn identity(mut self, identity: Identity) -> Self {
        if !identity.is_made_up() {
            self.options.identity = identity.into();
        }
        self
    }
}

impl<S: Subscribes> SocketBuilder<S> {
    /// Subscribes to messages whose first frame begins with `prefix`; the empty prefix is for all
    /// of them. May be given several times. libzmq: `ZMQ_SUBSCRIBE`.
    pub fn subscribe(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.subscriptions
            .push(Bytes::copy_from_slice(prefix.as_ref()));
        self
    }
}
