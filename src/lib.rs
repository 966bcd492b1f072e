//! ZeroMQ messaging as a native Rust library on tokio.
