//! [`IoThreads`]: the threads of a context, on which the connections of its sockets run.
//!
//! Each thread drives a runtime of its own, and a connection stays where it has begun. So the
//! threads share no queue of tasks and no poll of the kernel, and none takes work from another.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

/// What the system shows of a thread's name is cut off after 15 bytes; this leaves room for three
/// digits.
const NAME: &str = "wirelark-io-";

/// The name of those that look host names up, which the operating system only does while it holds
/// a thread up.
const LOOKUP_NAME: &str = "wirelark-lookup";

/// They end by themselves when the last one who could give them work has dropped this. Nobody
/// waits for them: that may be one of their own tasks, or a task of any other runtime.
pub(super) struct IoThreads {
    threads: Vec<IoThread>,
    /// Its end is what the threads wait for.
    _wanted: watch::Sender<()>,
}

struct IoThread {
    runtime: Handle,
    tasks: Arc<AtomicUsize>,
}

impl IoThreads {
    /// Starts so many. If one cannot be made, those that have been end again.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let (wanted, unwanted) = watch::channel(());
        let mut threads = Vec::new();
        for number in 0..count {
            threads.push(IoThread {
                runtime: start(number, unwanted.clone())?,
                tasks: Arc::default(),
            });
        }
        Ok(Self {
            threads,
            _wanted: wanted,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.threads.len()
    }

    /// A place on the thread that has the fewest tasks.
    pub(super) fn place(&self) -> Option<(Handle, Place)> {
        let threads = self.threads.iter();
        let thread = threads.min_by_key(|thread| thread.tasks.load(Ordering::Relaxed))?;
        Some((thread.runtime.clone(), Place::take(&thread.tasks)))
    }

    /// Where to do what is hardly any work.
    pub(super) fn any(&self) -> Option<&Handle> {
        self.threads.first().map(|thread| &thread.runtime)
    }
}

impl fmt::Debug for IoThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoThreads({})", self.count())
    }
}

/// One task on a thread, counted for as long as this lives.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(tasks: &Arc<AtomicUsize>) -> Self {
        tasks.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tasks))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a thread that drives a runtime until nobody wants it any more.
fn start(number: usize, mut unwanted: watch::Receiver<()>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .thread_name(LOOKUP_NAME)
        .build()?;
    let driven = Driven(Some(runtime));
    let handle = driven.0.as_ref().map(|runtime| runtime.handle().clone());
    thread::Builder::new()
        .name(format!("{NAME}{number}"))
        .spawn(move || {
            if let Some(runtime) = &driven.0 {
                runtime.block_on(async { while unwanted.changed().await.is_ok() {} });
            }
        })?;
    handle.ok_or_else(|| io::ErrorKind::Other.into())
}

/// A runtime that may be dropped anywhere. A plain one waits for its lookups, which panics within
/// a task, where the thread for it may have failed to start.
struct Driven(Option<Runtime>);

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_go_where_the_fewest_are() {
        let threads = IoThreads::start(2).unwrap();
        let load = || {
            let tasks = threads.threads.iter().map(|thread| &thread.tasks);
            tasks
                .map(|tasks| tasks.load(Ordering::Relaxed))
                .collect::<Vec<_>>()
        };
        let (_, first) = threads.place().unwrap();
        let _second = threads.place().unwrap();
        let _third = threads.place().unwrap();
        assert_eq!(load(), [2, 1]);
        drop(first);
        let _fourth = threads.place().unwrap();
        assert_eq!(load(), [2, 1]);
        let _fifth = threads.place().unwrap();
        assert_eq!(load(), [2, 2]);
    }
    #[tokio::test]
    async fn a_runtime_without_a_thread_is_dropped_within_a_task() {
        drop(Driven(Builder::new_current_thread().build().ok()));
    }
}
