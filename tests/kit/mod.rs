//! What the integration tests share: waiting with a deadline, a raw peer that is scripted byte by
//! byte, and a look at this process's memory.
//!
//! Waiting here always means waiting for a fact: an event, a message, the end of a stream. The
//! deadline only turns a wait that would never end into a failure that says where.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub(crate) mod alone;
pub(crate) mod descriptors;
pub(crate) mod frames;
pub(crate) mod memory;
pub(crate) mod ports;
pub(crate) mod raw;
pub(crate) mod writes;

use std::panic::Location;
use std::time::Duration;

use wirelark::{Event, Events, Peer};

/// Longer than anything takes on a machine that is busy with other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// What `future` gives; a failure at the caller's line when that takes longer than `deadline`.
#[track_caller]
pub(crate) fn within<F: Future>(
    deadline: Duration,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    let place = Location::caller();
    async move {
        match tokio::time::timeout(deadline, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing happened within {deadline:?} at {place}"),
        }
    }
}

/// [`within`] the usual [`DEADLINE`].
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
    within(DEADLINE, future)
}

/// The first event that `wanted` accepts; the ones before it are dropped. A failure names what
/// came instead.
#[track_caller]
pub(crate) fn wait_for<'a>(
    events: &'a mut Events,
    wanted: impl Fn(&Event) -> bool + 'a,
) -> impl Future<Output = Event> + 'a {
    let place = Location::caller();
    async move {
        let mut seen = Vec::new();
        let search = async {
            while let Some(event) = events.next().await {
                if wanted(&event) {
                    return Some(event);
                }
                seen.push(event);
            }
            None
        };
        match tokio::time::timeout(DEADLINE, search).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the events ended before the wanted one at {place}: {seen:#?}"),
            Err(_) => panic!("the wanted event did not come at {place}, but: {seen:#?}"),
        }
    }
}

/// Something comes from the peer again and again, and no connection ends meanwhile.
pub(crate) async fn beats_on(peer: &Peer, events: &mut Events) {
    for _ in 0..5 {
        let before = peer.last_received();
        until(|| peer.last_received() > before).await;
    }
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
    }
}

/// Waits until `holds`, which has no event of its own, by giving other tasks their turn.
#[track_caller]
pub(crate) fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
}

/// Asserts that an expression matches a pattern, and shows it when it does not.
macro_rules! assert_matches {
    ($value:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $value {
            $pattern $(if $guard)? => {}
            ref other => panic!("{other:?} is no {}", stringify!($pattern $(if $guard)?)),
        }
    };
}
pub(crate) use assert_matches;
