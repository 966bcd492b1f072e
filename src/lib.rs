//! ZeroMQ messaging as a native Rust library on tokio.
#![allow(dead_code)]

mod message;
mod wire;

pub use message::{Frames, IntoFrame, Message};
