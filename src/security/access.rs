//! [`Access`]: who decides whether a peer is let in, and [`Authorised`], the proof that somebody did.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{AuthRequest, Authenticator, Judgement, Judging, User, Verdict};
use super::choice::Security;
use super::credentials::Credentials;
use super::denial::{Cause, Denial};

/// How long a verdict may take unless the program says otherwise. A peer that waits for it
/// is one of the handshakes of which a listener keeps a limited number.
const DEADLINE: Duration = Duration::from_secs(2);

/// Who decides whether a peer is let in: an [`Authenticator`], a domain that it is told, and how long it may take.
///
/// It fails closed: a peer is only let in by a verdict that says so. An authenticator that fails, panics or takes
/// too long lets nobody in; the peer sees its connection closed and may try again.
#[derive(Clone)]
pub struct Access {
    authenticator: Arc<dyn Authenticator>,
    domain: Arc<str>,
    deadline: Duration,
}

impl Access {
    /// Asks this authenticator about every connection.
    pub fn by(authenticator: impl Authenticator) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            domain: Arc::from(""),
            deadline: DEADLINE,
        }
    }

    /// Lets everybody in who completes the handshake, without a user. With CURVE that is encryption
    /// without authentication, the Guide's "stonehouse". A peer that gives a password is refused:
    /// one that nobody checks is worse than none.
    pub fn anybody() -> Self {
        Self::by(Anybody)
    }

    /// What the authenticator is told as the domain: it may serve several sockets and tell them apart
    /// by this. Default: empty. libzmq: `ZMQ_ZAP_DOMAIN`.
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Arc::from(domain);
        self
    }

    /// How long a verdict may take; it is also cut short by the
    /// [`handshake_timeout`](crate::SocketBuilder::handshake_timeout). Default 2 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(super) fn verdict_on_anybody(request: &AuthRequest) -> Verdict {
        match request.credentials() {
            Credentials::Plain { .. } => Verdict::refuse("no passwords are known"),
            _ => Verdict::admit_nobody(),
        }
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.deadline
    }

    /// Asks. Whoever waits for it keeps to [`limit`](Self::limit), and is ready for a panic.
    pub(crate) async fn ask(&self, mut request: AuthRequest) -> Result<Authorised, Denial> {
        request.domain = Arc::clone(&self.domain);
        match self.authenticator.judge(&request).await {
            Ok(Verdict(Judgement::Admit(user))) => Ok(Authorised(user.map(Arc::new))),
            Ok(Verdict(Judgement::Refuse { status, why })) => {
                Err(Denial::new(status, Cause::Refused { why }))
            }
            Err(error) => {
                let error = error.to_string();
                Err(Denial::not_now(Cause::Failed { error }))
            }
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An authenticator may hold passwords.
        f.debug_struct("Access")
            .field("domain", &self.domain)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// See [`Access::anybody`].
struct Anybody;

impl Authenticator for Anybody {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        Box::pin(async { Ok(Access::verdict_on_anybody(request)) })
    }
}

/// Proof that a peer may take part. There is no [`Peer`](crate::Peer) without one, so nobody is admitted, nor told that
/// this side is ready, whom no verdict has let in.
#[derive(Clone, Debug)]
pub(crate) struct Authorised(Option<Arc<User>>);

impl Authorised {
    /// By a socket that has chosen to ask nobody.
    pub(crate) fn unasked(security: &Security) -> Self {
        debug_assert!(security.access().is_none(), "somebody is to be asked");
        Self(None)
    }

    /// Between two sockets of a process.
    #[cfg(any(test, feature = "inproc"))]
    pub(crate) const fn in_process() -> Self {
        Self(None)
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.0.as_deref()
    }
}
