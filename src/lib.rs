//! ZeroMQ messaging as a native Rust library on tokio.
#![allow(dead_code)]

mod endpoint;
mod error;
mod event;
mod fault;
mod message;
mod options;
mod pattern;
mod peer;
mod pipe;
mod socket;
mod socket_type;
mod transport;
mod wire;

/// Which socket types have which options: the bounds in [`SocketBuilder`]'s methods.
pub mod kind {
    pub use crate::socket::builder::{Build, Identified, QueuesAhead, Receives, Sends, Subscribes};
}

pub use endpoint::{
    Endpoint, EndpointError, EndpointProblem, InprocEndpoint, IpcEndpoint, PeerAddress, TcpEndpoint,
};
pub use error::{
    BindError, Closed, ConnectError, RecvError, ReplyError, RequestError, SendError, TryRecvError,
    TrySendError, UnknownEndpoint,
};
pub use event::{DisconnectReason, Event};
pub use fault::{Incompatible, PeerFault, ProtocolError};
pub use message::{Frames, IntoFrame, Message};
pub use options::{Identity, IdentityError, KeepAlive};
pub use socket::builder::SocketBuilder;
pub use socket::context::Context;
pub use socket::events::Events;
pub use socket::pub_sub::{PubSocket, PublishSink, SubSocket};
pub use socket::push_pull::{MessageSink, PullSocket, PushSocket, SendPermit};
pub use socket::recv::MessageStream;
pub use socket::rep::{RepSocket, Reply, Request};
pub use socket::req::ReqSocket;
pub use socket::stats::{CloseReport, Flow, PeerStats, SocketStats};
pub use socket_type::{SocketType, UnknownSocketType};
