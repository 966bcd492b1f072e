//! [`Denial`]: why a peer was not let in, for this side only.

use std::fmt;
use std::time::Duration;

/// Why a peer was not let in. The peer learns the [`status`](Self::status) at most, and nothing of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    status: u16,
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Refused { why: String },
    Failed { error: String },
    Panicked,
    TooLate { limit: Duration },
}

impl Denial {
    pub(crate) const fn new(status: u16, cause: Cause) -> Self {
        Self { status, cause }
    }

    /// There was no verdict, so the peer may come again.
    pub(crate) const fn not_now(cause: Cause) -> Self {
        Self::new(300, cause)
    }

    /// RFC 27's status: 300 not now, of which the peer is told nothing but by the end of the connection; 400 not
    /// with these credentials; 500 this side is at fault. An authenticator that failed, panicked or was too late
    /// counts as 300.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What is said to the peer in an ERROR, if anything: libzmq's clients give up for good when they are
    /// told a status.
    pub(crate) const fn told(&self) -> Option<&'static str> {
        match self.status {
            400 => Some("400"),
            500 => Some("500"),
            _ => None,
        }
    }
}

impl std::error::Error for Denial {}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        match &self.cause {
            Cause::Refused { why } if why.is_empty() => {
                write!(f, "the authenticator refused the peer ({status})")
            }
            Cause::Refused { why } => {
                write!(f, "the authenticator refused the peer ({status}): {why}")
            }
            Cause::Failed { error } => write!(f, "the authenticator failed: {error}"),
            Cause::Panicked => f.write_str("the authenticator panicked"),
            Cause::TooLate { limit } => {
                write!(f, "the authenticator had not answered after {limit:?}")
            }
        }
    }
}
