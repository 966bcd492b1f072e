//! ZeroMQ messaging as a native Rust library on tokio.
#![allow(dead_code)]

mod fault;
mod message;
mod wire;

pub use fault::{Incompatible, PeerFault, ProtocolError};
pub use message::{Frames, IntoFrame, Message};
pub use wire::socket_type::{SocketType, UnknownSocketType};
