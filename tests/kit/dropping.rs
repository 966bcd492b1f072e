//! Dropping futures at every poll: what the tests of cancel safety share.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// More polls than any of these futures needs within one process; a connection over loopback is
/// up after some ten turns of the runtime.
pub(crate) const POLLS: usize = 32;

/// What to bind to.
pub(crate) const TRANSPORTS: [&str; 2] = ["inproc://here", "tcp://127.0.0.1:*"];

/// Each transport with each number of polls after which a future is dropped.
pub(crate) fn cases() -> impl Iterator<Item = (&'static str, usize)> {
    let transports = TRANSPORTS.into_iter();
    transports.flat_map(|transport| (0..POLLS).map(move |polls| (transport, polls)))
}

/// A test that waits longer than this has lost a wake-up.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(90), future)
        .await
        .expect("a wake-up was lost")
}

/// Polls a future once, and leaves it as it is then.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls a future so many times, with a turn for every other task after each, and drops it.
pub(crate) async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_once(future.as_mut()).await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
