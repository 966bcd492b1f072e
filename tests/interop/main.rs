//! Against pyzmq, which is libzmq: a file for each family of sockets, and one for each of what all of them have.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test an error is a failure"
)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod dealer_router;
mod metadata;
mod options;
mod pair;
mod peers;
mod pub_sub;
mod push_pull;
mod req_rep;
#[cfg(feature = "curve")]
mod security;
mod xpub_xsub;
