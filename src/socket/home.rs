//! [`Home`]: the runtime in which a task of a socket runs, and how the socket finds it.
//!
//! It is a thread of the socket's context, where that has some, else the runtime around the caller.

use std::future::poll_fn;
use std::pin::pin;

use tokio::runtime::{EnterGuard, Handle};

use super::core::Core;
use super::io_threads::Place;

/// A runtime for one task and what that task reads and writes.
#[derive(Debug)]
pub(super) struct Home {
    runtime: Handle,
    /// On a thread of the context.
    place: Option<Place>,
}

impl Home {
    const fn of_caller(runtime: Handle) -> Self {
        Self {
            runtime,
            place: None,
        }
    }

    /// While the guard lives, what is made here belongs to this runtime: streams, listeners, timers.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// A future that makes such things, and may be polled anywhere.
    ///
    /// *Cancel safety*: that of the future.
    pub(super) async fn around<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _inside = self.enter();
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl Core {
    /// Where a task may begin: none where the context has no threads and no runtime runs here.
    pub(super) fn home(&self) -> Option<Home> {
        match self.context.threads() {
            Some(threads) => threads.place().map(|(runtime, place)| Home {
                runtime,
                place: Some(place),
            }),
            None => Handle::try_current().ok().map(Home::of_caller),
        }
    }

    /// The runtimes in which this socket's tasks may be, the one of the caller last.
    pub(super) fn runtimes(&self) -> Vec<Handle> {
        if let Some(threads) = self.context.threads() {
            return threads.any().cloned().into_iter().collect();
        }
        let first = self.state.lock().runtime.clone();
        first
            .into_iter()
            .chain(Handle::try_current().ok())
            .collect()
    }

    /// Notes where the first endpoint was made.
    pub(super) fn remember(&self, home: &Home) {
        // Threads of the context are found by the context.
        if home.place.is_none() {
            self.state
                .lock()
                .runtime
                .get_or_insert_with(|| home.runtime.clone());
        }
    }

    /// Starts a task that counts as one of this socket's: here, since a socket may outlive the
    /// runtime in which it was first used, unless its context has threads.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let first = || self.state.lock().runtime.clone().map(Home::of_caller);
        if let Some(home) = self.home().or_else(first) {
            self.spawn_at(home, task);
        }
    }

    /// Starts such a task there.
    pub(super) fn spawn_at(&self, home: Home, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.tasks.begin();
        let Home { runtime, place } = home;
        runtime.spawn(self.span.around(async move {
            task.await;
            drop((running, place));
        }));
    }
}
