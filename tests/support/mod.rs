//! What the integration tests share: deadlines, programs run as children, pyzmq peers, and the
//! links between the two sides of a test.
//!
//! Everything here panics when something goes wrong, as a test would, and nothing sleeps: waiting
//! means waiting for an event, with a deadline so generous that only a fault can miss it.

#![allow(dead_code, reason = "every test program uses a part of this")]
#![allow(unused_imports, reason = "every test program uses a part of this")]
#![allow(unused_macros, reason = "every test program uses a part of this")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper fails the way a test fails"
)]

pub(crate) mod corpus;
#[macro_use]
pub(crate) mod link;
pub(crate) mod peer;
pub(crate) mod program;
pub(crate) mod python;

pub(crate) use corpus::{assert_same, corpus, corpus_with_topic};
pub(crate) use link::{Attach, Link, Place, Transport, folder, free_port, until_peers};
pub(crate) use peer::Peer;
pub(crate) use program::Program;
pub(crate) use python::Python;

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

/// How long a test waits for something that must happen: far longer than it takes on a busy
/// machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Waits for `future`, and fails the test with the place of the call if that takes longer than
/// [`DEADLINE`].
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        match tokio::time::timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing happened within {DEADLINE:?} at {caller}"),
        }
    }
}
