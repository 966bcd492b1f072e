//! What can go wrong with receiving.

use thiserror::Error;

/// Why `recv` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why `try_recv` gave no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing is there yet.
    #[error("no message is there yet")]
    Empty,
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

impl From<RecvError> for TryRecvError {
    fn from(RecvError::Closed: RecvError) -> Self {
        Self::Closed
    }
}
