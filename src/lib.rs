//! ZeroMQ messaging as a native Rust library on [tokio].
//!
//! Sockets that carry whole messages, find their peers by themselves and follow a pattern:
//! request-reply, publish-subscribe, pipeline, a conversation of two. They speak ZMTP 3.1 and 3.0 to
//! libzmq, pyzmq and every other implementation over TCP and IPC, and reach sockets of the same process
//! over inproc.
//! There is no C code here, no broker and no `unsafe`.
//!
//! ```
//! use wirelark::{PubSocket, SubSocket};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let station = PubSocket::new();
//!     let endpoint = station.bind("tcp://127.0.0.1:*").await?; // any free port
//!
//!     let listener = SubSocket::builder().subscribe("weather.").build();
//!     listener.connect(endpoint)?; // does not wait: the station might come later
//!
//!     station.wait_for_subscribers("weather.oslo", 1).await?;
//!     station.send(["weather.oslo", "4 C"]).await?;
//!
//!     let message = listener.recv().await?;
//!     assert_eq!(message.text(), "weather.oslo");
//!     assert_eq!(message.frame(1), Some(&b"4 C"[..]));
//!
//!     let report = station.close().await; // sends what is queued, then ends
//!     assert_eq!(report.unsent, 0);
//!     Ok(())
//! }
//! ```
//!
//! # Which socket
//!
//! | You want | Use | It talks to |
//! |---|---|---|
//! | to ask, and have the answer | [`ReqSocket`] | [`RepSocket`], [`RouterSocket`] |
//! | to answer | [`RepSocket`] | [`ReqSocket`], [`DealerSocket`] |
//! | to tell everybody who is interested | [`PubSocket`] | [`SubSocket`], [`XSubSocket`] |
//! | to hear what you are interested in | [`SubSocket`] | [`PubSocket`], [`XPubSocket`] |
//! | to publish, and to see or decide who subscribes | [`XPubSocket`] | [`SubSocket`], [`XSubSocket`] |
//! | to subscribe for others, or to answer publishers | [`XSubSocket`] | [`PubSocket`], [`XPubSocket`] |
//! | to deal out work | [`PushSocket`] | [`PullSocket`] |
//! | to take work, or to collect results | [`PullSocket`] | [`PushSocket`] |
//! | to have many questions open, or to work for a broker | [`DealerSocket`] | [`RouterSocket`], [`RepSocket`], [`DealerSocket`] |
//! | to answer when and whom you like: a server, a broker | [`RouterSocket`] | [`DealerSocket`], [`ReqSocket`], [`RouterSocket`] |
//! | two ends of one conversation | [`PairSocket`] | [`PairSocket`] |
//!
//! A verb that a pattern does not have is not there: a [`PullSocket`] cannot send. These are there:
//!
//! | | sends by | receives by |
//! |---|---|---|
//! | PUSH | `send`, `try_send`, `reserve`, `sink` | |
//! | PULL, SUB | | `recv`, `try_recv`, `recv_from`, `try_recv_from`, `stream` |
//! | DEALER, PAIR | as PUSH | as PULL |
//! | ROUTER | `send_to`, `try_send_to`, `sink` | as PULL; each message comes with an [`Identity`] |
//! | PUB | `send`, `try_send`, `sink` | |
//! | XPUB | as PUB; [`SubscribeRequest::send`] to one subscriber | as PULL; what comes is a [`SubscriberMessage`] |
//! | XSUB | `send`, `try_send`, `sink` | as PULL |
//! | REQ | `request`; in lock-step `send`, `try_send` | the answer of `request`; in lock-step as PULL, without `stream` |
//! | REP | [`Request::reply`], `try_reply`; in lock-step `send`, `try_send` | `recv`, `try_recv`, `stream`: each is a [`Request`], which names its [`peer`](Request::peer) |
//!
//! What begins with `try_` never waits, and needs no async function around it. `recv_from` also tells which
//! [`Peer`] sent the message.
//!
//! A program that chooses the type while it runs takes an [`AnySocket`]. [`proxy`] joins two sockets of
//! one program, so that everybody else need only know the address in the middle.
//!
//! # First steps
//!
//! - Any socket may [bind](PullSocket::bind), [connect](PullSocket::connect), or do both, any number of
//!   times; the side that stays in its place binds. It does not matter who comes first.
//! - What is sent is a [`Message`] of one or more frames. Methods take anything that converts into one:
//!   `"text"`, `b"bytes"`, a `String`, a `Vec<u8>`, [`Bytes`], or an array or vector of
//!   those for several frames.
//! - [`Endpoint`]s are `tcp://host:port`, `ipc://path` and `inproc://name`. A bind also takes
//!   `tcp://*:5555` for every IPv4 address of the host, `tcp://[::]:5555` for every address, `tcp://eth0:5555`
//!   for the address of a network interface, `*` or `0` for any free port, and `ipc://*` for a path of its own choice; it returns what it got. `ipc://@name` is a
//!   name in Linux's abstract namespace.
//! - Options come first, from the `builder` method of each type: [`SocketBuilder`]. Most can be changed later:
//!   [`SocketOptions`].
//! - Handles are cheap to clone, and every method takes `&self`: a socket may be used from many tasks
//!   at once, one that sends and one that receives, or a dozen that share the work.
//!
//! # The rules that hold everywhere
//!
//! **Delivery.** A message arrives whole or not at all, at most once, and in the order in which one
//! socket sent it to one peer. `Ok` from a `send` means that the message is in the queue of a peer.
//! If its connection dies while it is being written, or lies in a buffer of the kernel, it is lost. What
//! becomes of the others depends on the pattern: a PUSH or DEALER that connects keeps them for the next
//! connection, and one that binds gives them to other peers; a PAIR that connects keeps them, too, and a
//! ROUTER for a peer that it [connects to by name](RouterSocket::connect_as); a REQ sends its request again;
//! all others drop and count them. Who needs more than this has messages acknowledged by the receiver.
//!
//! **Back-pressure.** Each peer has a queue in either direction, bounded in messages and in bytes (see
//! [`send_hwm`](SocketBuilder::send_hwm) and its neighbours). When they are full a PUSH, DEALER, PAIR,
//! REQ or ROUTER waits, a PUB, XPUB or XSUB drops for that peer, counts it and [says so](Event::Dropping), and a REP gives the reply back (and counts it, too).
//! [`conflate`](SocketBuilder::conflate), [`drop_unroutable`](SocketBuilder::drop_unroutable) and
//! [`no_drop`](SocketBuilder::no_drop) change that.
//!
//! **Cancel safety.** Every future may be dropped at any time, in [`tokio::select!`] or by a timeout. A
//! dropped `recv` has lost no message, and a dropped `send` has queued nothing. A dropped
//! [`request`](ReqSocket::request) abandons that request and nothing else.
//!
//! **Errors and events.** An error says what the caller can act on: the endpoint is malformed or in
//! use, the socket is closed, it is not this socket's turn. What the network and the peers do is no
//! error of `send` or `recv`: connections are made again for as long as the socket lives, and each
//! change is an [`Event`] with endpoint, address, stage and reason. Only who means one
//! certain peer hears that it has gone: [`RequestError::Lost`], [`ReplyError::PeerGone`], [`SendToError::Unroutable`],
//! [`SubscriberSendError::PeerGone`]. A failed `send`, `try_send`, `send_to` or `reply` gives
//! the message back.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use wirelark::{Event, PullSocket};
//!
//! let pull = PullSocket::new();
//! let mut events = pull.events(); // from now on
//! pull.connect("tcp://127.0.0.1:9")?; // Ok, although nobody listens there
//! while let Some(event) = events.next().await {
//!     if let Event::ConnectFailed { error, .. } = event {
//!         println!("not there yet: {error}");
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Closing.** [`close`](PushSocket::close) sends what is queued for as long as the
//! [linger](SocketBuilder::linger) time allows, ends every connection, wakes everybody who waits in the
//! socket, and reports how many messages were left. What has arrived and was not read is gone.
//! Dropping the last handle does the same in the background; but a program that returns from
//! `main` ends its runtime, and the background with it. So `close` what you have sent from.
//!
//! **Runtime.** Over tcp and ipc a socket needs a tokio runtime with I/O and time enabled, which
//! `#[tokio::main]` and `enable_all` provide, when it binds or connects; either flavour will do.
//! Connections are tasks of that runtime. After that, the futures may be polled from anywhere. When a
//! runtime ends before a socket does, the endpoints that were bound or connected in it are given up, with
//! [`Event::Closed`]: what was queued for them goes elsewhere, and the socket may bind and connect in another runtime.
//!
//! **Threads.** In a [`Context`] with [`io_threads`](ContextBuilder::io_threads) connections run on threads of the
//! context's instead. Then an application that keeps its runtime busy keeps no peer waiting, connections do not end with a
//! runtime, and none is needed: not to bind or connect, nor to poll a future.
//!
//! **Strangers.** Whatever a peer sends, it can neither make this library panic nor make it hold more
//! memory than its [limits](SocketBuilder) allow; a peer that breaks the protocol or runs into a limit is
//! disconnected with an event, and the others do not notice. Whoever reaches an endpoint is let in, and whoever
//! is on the way can read and change what passes, unless the socket's [`Security`] says otherwise.
//!
//! **Security.** By [`security`](SocketBuilder::security) a socket chooses how it knows its peers: by name and password
//! ([`Security::PlainServer`]), or by keys, with encryption (`Security::CurveServer`). An [`Authenticator`] decides who
//! is let in, and [`Peer::user`] tells who it said that a peer is. It fails closed: an authenticator
//! that is slow, missing or broken lets nobody in.
//!
//! # For those who know libzmq
//!
//! Options and events name their counterparts (`ZMQ_SNDHWM`, `ZMQ_EVENT_CONNECTED`). There is no
//! context to create or to terminate; [`Context`] separates inproc names, and has I/O threads when told to. A socket is `Send` and
//! `Sync`. REQ and REP have `send` and `recv` in lock-step as well. Some defaults differ: [`coming_from_libzmq`]
//! has them in one table, each with its reason, and maps every option and function.
//!
//! # Features
//!
//! All but `curve` are on by default, and none changes an API; an endpoint whose transport was left out is refused
//! by bind and connect with an error that says so.
//!
//! | feature | |
//! |---|---|
//! | `ipc` | the ipc transport (on Unix) |
//! | `inproc` | the inproc transport |
//! | `curve` | encryption with CURVE, its keys and `Certificate`s; off by default, since cryptography takes some twenty crates, on x86-64 thirty-five |
//! | `avx512` | with `curve`: use AVX-512 where the processor has it, with which long messages pass a fifth faster. Then Rust 1.89 is needed; without it, and for everything else, 1.85 |
//! | `tracing` | [events](Event) also go to [`tracing`](https://docs.rs/tracing), see below |
//!
//! With `tracing`, every [`Event`] is also a line under the target `wirelark`, at the level DEBUG, or
//! WARN for trouble that somebody should look at: a failed accept, a connection that took messages with
//! it, messages that the end of a runtime caught unsent. What any stranger can bring about, such as a failed
//! handshake, is no warning. Lines stand in the span of their `socket` (its `type`), and of their `connection` (its
//! `endpoint` and `address`) once there is one; both are at the level DEBUG. Nothing is told per
//! message.

mod endpoint;
mod error;
mod event;
mod fault;
mod identity;
mod message;
mod options;
mod pattern;
mod peer;
mod peer_handle;
mod pipe;
mod security;
mod socket;
mod socket_type;
mod spares;
mod trace;
mod transport;
mod wire;

/// For users of libzmq and pyzmq: what their options and functions are called here.
#[doc = include_str!("../docs/coming-from-libzmq.md")]
pub mod coming_from_libzmq {}

/// Which socket types have which options: the bounds in [`SocketBuilder`]'s methods.
pub mod kind {
    pub use crate::socket::builder::{
        Asks, Build, Conflates, ForwardsSubscriptions, Identified, Matches, Probes, Publishes,
        QueuesAhead, Receives, Routes, SeesSubscribers, Sends, SpeaksUpstream, Subscribes,
        TakesMany,
    };
}

/// The frames of a [`Message`] that are shared instead of copied, from the crate [`bytes`].
#[doc(no_inline)]
pub use bytes::Bytes;
pub use endpoint::{
    Endpoint, EndpointError, EndpointProblem, InprocEndpoint, IpcEndpoint, PeerAddress, TcpEndpoint,
};
pub use error::{
    AcceptError, AnyRecvError, AnySendError, AnySubscribeError, AnyTryRecvError, AnyTrySendError,
    BindError, Closed, ConnectError, ContextError, LockStepRecvError, LockStepSendError,
    LockStepTryRecvError, LockStepTrySendError, NoSuchOption, NoSuchVerb, ProxyError, RecvError,
    ReplyError, RequestError, SendError, SendToError, SubscriberSendError, SubscriberTrySendError,
    TryRecvError, TrySendError, TrySendToError, UnknownEndpoint,
};
pub use event::{DisconnectReason, Event};
pub use fault::{Incompatible, PeerFault, ProtocolError, SecurityFault};
pub use identity::{Identity, IdentityError};
pub use message::{Frames, IntoFrame, Message};
pub use options::{
    Heartbeat, Interface, KeepAlive, Metadata, MetadataError, OptionError, ReconnectStop,
};
pub use peer_handle::{Claims, Peer};
pub use security::access::Access;
pub use security::addresses::Addresses;
pub use security::authenticator::{AuthRequest, Authenticator, Judging, User, Verdict, from_fn};
#[cfg(feature = "curve")]
pub use security::certificate::{Certificate, CertificateError, CertificateProblem};
pub use security::choice::{Login, Security};
#[cfg(feature = "curve")]
pub use security::client_keys::ClientKeys;
pub use security::credentials::Credentials;
pub use security::denial::Denial;
#[cfg(feature = "curve")]
pub use security::keys::{KeyError, KeyPair, PublicKey, SecretKey};
pub use security::passwords::Passwords;
pub use security::secret::Secret;
pub use socket::any::AnySocket;
pub use socket::builder::SocketBuilder;
pub use socket::context::{Context, ContextBuilder};
pub use socket::dealer::DealerSocket;
pub use socket::events::Events;
pub use socket::live::SocketOptions;
pub use socket::outlet::PublishSink;
pub use socket::pair::PairSocket;
pub use socket::proxy::{Proxy, ProxyControl, ProxyEnd, ProxyStats, proxy};
pub use socket::pub_sub::{PubSocket, SubSocket};
pub use socket::push_pull::{PullSocket, PushSocket};
pub use socket::recv::MessageStream;
pub use socket::rep::{RepSocket, Reply, Request, RequestStream};
pub use socket::req::ReqSocket;
pub use socket::router::{RouterSink, RouterSocket, RouterStream};
pub use socket::send::{MessageSink, SendPermit};
pub use socket::stats::{CloseReport, Drops, Flow, PeerStats, SocketStats};
pub use socket::xpub::{
    CancelRequest, SubscribeRequest, SubscriberMessage, SubscriberStream, XPubSocket,
};
pub use socket::xsub::{XSubSink, XSubSocket};
#[cfg(feature = "inproc")]
pub use socket::zap::Zap;
pub use socket_type::{SocketType, UnknownSocketType};
pub use transport::OwnListener;

/// What the targets in `fuzz/` call.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::pattern::fuzzing::topics;
    pub use crate::wire::fuzzing::{commands, frames, opening};
    #[cfg(feature = "curve")]
    pub use crate::wire::fuzzing::{curve, curve_on_the_way};
}

/// The README's example is compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
