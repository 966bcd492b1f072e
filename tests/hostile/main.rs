//! What strangers and broken peers may do to a socket: each is dropped with an event that names
//! what happened, memory stays bounded, and a good peer on the same socket does not notice.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod descriptors;
mod endpoints;
mod names;
mod partials;
mod peers;
mod scene;
mod strangers;
mod subscriptions;
mod traffic;
