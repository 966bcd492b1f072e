//! ZMTP as pure functions and state machines: bytes in, events out.
//!
//! Nothing here reads a clock, owns a socket or waits. A session reads bytes into
//! [`Connection::read_target`](connection::Connection::read_target), calls
//! [`receive`](connection::Connection::receive) until it has no more to say, writes what lies in
//! [`outgoing`](connection::Connection::outgoing) and comes back at
//! [`deadline`](connection::Connection::deadline). Instants are arguments.
//!
//! | file | grammar |
//! |---|---|
//! | `greeting` | the 64 bytes with which both sides begin |
//! | `frame` | flags and length: the only place where a length is read |
//! | `command`, `metadata`, `subscription` | what command frames hold |
//! | `mechanism` | the handshake between greeting and traffic |
//! | `socket_type` | the types and who may talk to whom |
//! | `heartbeat` | when to ping, when a peer is dead |
//! | `rules` | what a peer may send: every limit |
//! | `read_buffer`, `large` | where bytes are read to |
//! | `decoder` | bytes read → runs of whole messages |
//! | `seal` | runs of messages ↔ encrypted frames, where a mechanism encrypts |
//! | `batch`, `transmit` | runs of messages in wire form, in, out and through |
//! | `connection` | one peer's protocol: greeting, handshake, traffic |
//!
//! This is where strangers write, so every index, cast and sum is spelled out: what a peer says
//! can neither panic nor wrap. (Tests are exempt, hence `not(test)`.)
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::arithmetic_side_effects
    )
)]

pub(crate) mod batch;
mod command;
pub(crate) mod connection;
mod decoder;
pub(crate) mod frame;
mod greeting;
pub(crate) mod heartbeat;
mod large;
pub(crate) mod mechanism;
pub(crate) mod metadata;
pub(crate) mod partials;
mod read_buffer;
mod rules;
#[cfg(feature = "curve")]
mod seal;
pub(crate) mod subscription;
pub(crate) mod transmit;

#[cfg(all(any(test, fuzzing), feature = "curve"))]
mod fake;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
