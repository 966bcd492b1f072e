//! What the sockets promise, checked on every transport.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod topics;
mod transport;

mod any;
mod balance;
mod brokers;
mod captures;
mod closing;
mod conflate;
mod correlated;
mod crowds;
mod dealer;
mod dropping;
mod endings;
mod endpoints;
mod events;
mod exchange;
mod fairness;
mod giving_up;
mod handles;
mod heartbeats;
mod in_flight;
mod io_threads;
mod listeners;
mod live;
mod names;
mod options;
mod pair;
mod passing;
mod proxy;
mod publish;
mod replies;
mod requests;
mod restart;
mod router;
mod runtimes;
mod seat;
mod seeing;
mod senders;
mod stalls;
mod table;
mod verbs;
mod water_marks;
mod xpub;
mod xsub;
