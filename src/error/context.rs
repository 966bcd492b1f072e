//! What can go wrong with a context.

use std::io;

use thiserror::Error;

/// Why a [`Context`](crate::Context) with threads of its own could not be made. No thread is left behind.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContextError {
    /// More threads than a context may have.
    #[error("{asked} I/O threads are too many: a context has at most {limit}")]
    #[non_exhaustive]
    TooManyThreads {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The operating system gave no thread, or no file descriptors for one.
    #[error("cannot start {asked} I/O threads: {source}")]
    #[non_exhaustive]
    Threads {
        /// How many were asked for.
        asked: usize,
        /// What the operating system said. The message repeats it, so it is no `Error::source`.
        r#source: io::Error,
    },
}
