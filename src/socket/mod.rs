//! The sockets: public types that offer exactly the verbs of their pattern.
//!
//! A socket is a [`core`] (options, endpoints, peers, tasks) and a routing law of
//! [`pattern`](crate::pattern). One file per family; what all share is in `handle`.

mod alarm;
pub(crate) mod any;
mod attached;
pub(crate) mod builder;
mod closing;
pub(crate) mod context;
pub(crate) mod core;
mod counting;
pub(crate) mod dealer;
mod ending;
pub(crate) mod events;
mod handle;
mod home;
mod io_threads;
mod late_halt;
mod lifecycle;
pub(crate) mod live;
pub(crate) mod outlet;
mod pace;
pub(crate) mod pair;
pub(crate) mod proxy;
pub(crate) mod pub_sub;
pub(crate) mod push_pull;
pub(crate) mod recv;
pub(crate) mod rep;
pub(crate) mod req;
pub(crate) mod router;
pub(crate) mod send;
mod standing;
pub(crate) mod stats;
mod tending;
#[cfg(all(test, feature = "curve"))]
mod tests;
#[cfg(feature = "inproc")]
mod turned_away;
pub(crate) mod xpub;
pub(crate) mod xsub;
#[cfg(feature = "inproc")]
pub(crate) mod zap;
