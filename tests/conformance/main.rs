//! What the six sockets promise, checked on every transport.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod transport;

mod balance;
mod closing;
mod crowds;
mod endpoints;
mod events;
mod exchange;
mod handles;
mod publish;
mod replies;
mod requests;
mod restart;
mod senders;
mod water_marks;
