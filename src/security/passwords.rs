//! [`Passwords`]: an authenticator for PLAIN.

use std::collections::HashMap;
use std::fmt;

use super::authenticator::{AuthRequest, Authenticator, Judging, Verdict};
use super::credentials::Credentials;
use super::secret::Secret;

/// Lets in who gives a name and the password that belongs to it, and refuses every other mechanism. The name is
/// the user's.
///
/// Whether there is a user of that name cannot be told from how long the refusal takes.
#[derive(Clone, Default)]
pub struct Passwords {
    known: HashMap<Vec<u8>, Secret>,
}

impl Passwords {
    /// Nobody, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or gives it another password, of text or bytes. What is longer than 255 bytes cannot be said by a
    /// peer, and so never matches.
    pub fn with(mut self, username: &str, password: impl AsRef<[u8]>) -> Self {
        let password = Secret::new(password.as_ref());
        self.known.insert(username.as_bytes().to_vec(), password);
        self
    }

    fn verdict(&self, request: &AuthRequest) -> Verdict {
        let Credentials::Plain { username, password } = request.credentials() else {
            return Verdict::refuse("passwords are all that is known");
        };
        let known = self.known.get(username);
        // Somebody who is not known takes as long as a wrong password.
        let stranger = Secret::new(b"");
        let fits = password.is(known.unwrap_or(&stranger).expose());
        let username = String::from_utf8(username.clone());
        match (known, fits, username) {
            (Some(_), true, Ok(username)) => Verdict::admit(username),
            _ => Verdict::refuse("a wrong name or password"),
        }
    }
}

impl Authenticator for Passwords {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        Box::pin(async { Ok(self.verdict(request)) })
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}
