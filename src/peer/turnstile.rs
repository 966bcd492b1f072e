//! [`Turnstile`]: how many handshakes of one listener compute at the same time, and who goes first: everybody else.
//!
//! A step of CURVE takes a few multiplications on the curve, as long as hundreds of messages, and a stranger
//! can ask for the first one without having proved anything. So such a step waits for its turn, and a
//! turn only ends when the runtime has been round once: whoever else had something to do there, the peers
//! that are in first of all, did it. However fast strangers ask, traffic waits for [`TURNS_MAX`] steps at a time.
//!
//! Each listener has a turnstile of its own. Sessions of several runtimes must not wait for each other: one
//! that is not driven at the moment would keep its turns.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Handshakes of one listener that compute at the same time.
///
/// With one thread they do it one after the other, within about a millisecond, before traffic has its
/// turn; with many threads it is how many of them a flood can occupy. Thousands of honest clients that
/// come at once, as when a server has been restarted, are through within their deadline.
pub(crate) const TURNS_MAX: usize = 8;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Turnstile {
    turns: Semaphore,
}

/// Leave to compute.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Turnstile {
    pub(crate) const fn new() -> Self {
        Self {
            turns: Semaphore::const_new(TURNS_MAX),
        }
    }

    /// Waits in line for a turn. None only if there are no turns any more, which nobody arranges.
    ///
    /// *Cancel safety*: dropping it leaves the line.
    pub(crate) async fn enter(&self) -> Option<Turn<'_>> {
        let permit = self.turns.acquire().await.ok()?;
        #[cfg(test)]
        BEGUN.set(BEGUN.get() + 1);
        Some(Turn { _permit: permit })
    }
}

impl Turn<'_> {
    /// Ends the turn when everybody else has had one.
    ///
    /// *Cancel safety*: dropping it ends the turn at once.
    pub(crate) async fn end(self) {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
thread_local! {
    /// Turns that have begun on this thread, where they are those of one test.
    pub(crate) static BEGUN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counts {
        now: AtomicUsize,
        most: AtomicUsize,
        done: AtomicUsize,
    }

    async fn crowd(size: usize, counts: &Arc<Counts>) {
        let turnstile = Arc::new(Turnstile::new());
        let tasks: Vec<_> = (0..size)
            .map(|_| {
                let (turnstile, counts) = (Arc::clone(&turnstile), Arc::clone(counts));
                tokio::spawn(async move {
                    let turn = turnstile.enter().await.unwrap();
                    let now = counts.now.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.most.fetch_max(now, Ordering::SeqCst);
                    // Long enough for other threads to come.
                    (0..1_000).for_each(|_| std::hint::spin_loop());
                    counts.done.fetch_add(1, Ordering::SeqCst);
                    counts.now.fetch_sub(1, Ordering::SeqCst);
                    turn.end().await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 16)]
    async fn no_more_than_the_limit_compute_at_once() {
        let counts = Arc::default();
        crowd(2_000, &counts).await;
        assert_eq!(counts.done.load(Ordering::SeqCst), 2_000);
        assert!(counts.most.load(Ordering::SeqCst) <= TURNS_MAX);
    }

    #[tokio::test]
    async fn everybody_else_has_a_turn_in_between() {
        let counts: Arc<Counts> = Arc::default();
        let watched = Arc::clone(&counts);
        let bystander = tokio::spawn(async move {
            let (mut before, mut longest) = (0, 0);
            while before < 1_000 {
                tokio::task::yield_now().await;
                let done = watched.done.load(Ordering::SeqCst);
                longest = longest.max(done - before);
                before = done;
            }
            longest
        });
        crowd(1_000, &counts).await;
        let longest = bystander.await.unwrap();
        assert!(longest <= TURNS_MAX, "{longest} steps in a row");
    }

    #[tokio::test]
    async fn who_is_dropped_leaves_turns_and_the_line() {
        let turnstile = Turnstile::new();
        for _ in 0..3 {
            let mut turns = Vec::new();
            for _ in 0..TURNS_MAX {
                turns.push(turnstile.enter().await);
            }
            let waits = tokio::time::timeout(std::time::Duration::ZERO, turnstile.enter());
            assert!(waits.await.is_err());
        }
        assert!(turnstile.enter().await.is_some());
    }
}
