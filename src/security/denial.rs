//! [`Denial`]: why a peer was not let in, for this side only.

use std::fmt::{self, Write as _};
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
                write!(f, "the authenticator refused the peer ({status}): ")?;
                in_one_line(f, why)
            }
            Cause::Failed { error } => {
                f.write_str("the authenticator failed: ")?;
                in_one_line(f, error)
            }
            Cause::Panicked => f.write_str("the authenticator panicked"),
            Cause::TooLate { limit } => {
                write!(f, "the authenticator had not answered after {limit:?}")
            }
        }
    }
}

/// Authenticators like to repeat what a peer calls itself. It shall not begin a new line in a log, nor colour it.
fn in_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let shown = |character: char| {
        if character.is_control() {
            '?'
        } else {
            character
        }
    };
    text.chars()
        .try_for_each(|character| f.write_char(shown(character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authenticator_repeats_stays_in_its_line() {
        let text = "nobody is called \"x\r\nall is well\u{1b}[2J\u{85}\0\" – é".to_owned();
        let shown = text.replace(['\r', '\n', '\u{1b}', '\u{85}', '\0'], "?");
        let why = text.clone();
        let causes = [Cause::Refused { why }, Cause::Failed { error: text }];
        for cause in causes {
            let denial = Denial::new(400, cause);
            assert!(denial.to_string().ends_with(&shown), "{denial}");
            assert!(!format!("{denial:?}").contains(char::is_control));
        }
    }
}
