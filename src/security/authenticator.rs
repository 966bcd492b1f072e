//! [`Authenticator`]: who judges peers: the question, the answer, and the user that comes of it.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::credentials::Credentials;
use crate::endpoint::{Endpoint, PeerAddress};
use crate::peer_handle::Claims;
use crate::socket_type::SocketType;

/// What an authenticator's answer comes as.
pub type Judging<'a> =
    Pin<Box<dyn Future<Output = Result<Verdict, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Judges peers by their credentials and by where they come from. It is asked once per connection, and nothing
/// is remembered.
///
/// Ready-made are [`Passwords`](crate::Passwords), [`Addresses`](crate::Addresses), with the feature
/// `curve` `ClientKeys`, and [`Zap`](crate::Zap) for handlers that speak RFC 27;
/// [`from_fn`] makes one of a closure.
///
/// *Cancel safety*: the future may be dropped at any time: when the peer leaves, at the deadline, when the socket is
/// closed. It must not block the thread, which is one of the runtime's.
///
/// *Errors*: an error keeps the peer out as a panic and silence do; its text is in the event of this
/// socket, and the peer does not see it. No password should be in it.
pub trait Authenticator: Send + Sync + 'static {
    /// The verdict on one peer.
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a>;
}

impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        (**self).judge(request)
    }
}

impl<A: Authenticator + ?Sized> Authenticator for Box<A> {
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        (**self).judge(request)
    }
}

/// An authenticator from an async closure.
///
/// ```
/// use wirelark::{Access, Credentials, Security, Verdict, from_fn};
///
/// let access = Access::by(from_fn(|request| async move {
///     // Ask a data base, a directory, another service.
///     match request.credentials() {
///         Credentials::Plain { username, password, .. } if password.is("sesame") => {
///             Ok(Verdict::admit(String::from_utf8_lossy(username)))
///         }
///         _ => Ok(Verdict::refuse("not by that name")),
///     }
/// }));
/// let security = Security::PlainServer { access };
/// ```
pub fn from_fn<F, V>(judge: F) -> impl Authenticator
where
    F: Fn(AuthRequest) -> V + Send + Sync + 'static,
    V: Future<Output = Result<Verdict, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    Closure(judge)
}

struct Closure<F>(F);

impl<F, V> Authenticator for Closure<F>
where
    F: Fn(AuthRequest) -> V + Send + Sync + 'static,
    V: Future<Output = Result<Verdict, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn judge<'a>(&'a self, request: &'a AuthRequest) -> Judging<'a> {
        Box::pin((self.0)(request.clone()))
    }
}

/// What an authenticator is asked about: one peer that has completed its part of a handshake.
#[derive(Clone, Debug)]
pub struct AuthRequest {
    pub(crate) credentials: Credentials,
    pub(crate) domain: Arc<str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) address: PeerAddress,
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) own_identity: Bytes,
    pub(crate) socket_type: SocketType,
    pub(crate) claims: Claims,
}

impl AuthRequest {
    /// What it gave to prove who it is.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// As the socket was [told](crate::Access::domain).
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The endpoint of this side, as resolved by bind or given to connect.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Where it comes from, as far as the operating system knows.
    pub const fn address(&self) -> &PeerAddress {
        &self.address
    }

    /// Where it arrived; none over ipc.
    pub const fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }

    /// The identity of *this* side, which is what RFC 27's handlers are told by libzmq.
    pub const fn own_identity(&self) -> &Bytes {
        &self.own_identity
    }

    /// The type that it says it is.
    pub const fn socket_type(&self) -> SocketType {
        self.socket_type
    }

    /// What else it says of itself. A verdict that rests on this alone lets in whoever says it.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// What an authenticator says.
#[derive(Clone, Debug)]
#[must_use]
pub struct Verdict(pub(crate) Judgement);

#[derive(Clone, Debug)]
pub(crate) enum Judgement {
    /// The peer may take part, as this user.
    Admit(Option<User>),
    /// It may not.
    Refuse { status: u16, why: String },
}

impl Verdict {
    /// The peer may take part, as the user of this name, which is [`Peer::user`](crate::Peer::user) from
    /// then on.
    pub fn admit(user: impl Into<User>) -> Self {
        Self(Judgement::Admit(Some(user.into())))
    }

    /// The peer may take part, as nobody in particular.
    pub const fn admit_nobody() -> Self {
        Self(Judgement::Admit(None))
    }

    /// Not with these credentials (RFC 27's status 400). The peer is told the status and gives up; `why` is
    /// for the event of this side.
    pub fn refuse(why: impl Into<String>) -> Self {
        Self::with_status(400, why)
    }

    /// Not now (status 300). The peer only sees the connection end, and tries again.
    pub fn refuse_for_now(why: impl Into<String>) -> Self {
        Self::with_status(300, why)
    }

    /// This side cannot tell (status 500). The peer is told the status, upon which libzmq's clients give up,
    /// and this library's wait for longest before they try again.
    pub fn fail(why: impl Into<String>) -> Self {
        Self::with_status(500, why)
    }

    fn with_status(status: u16, why: impl Into<String>) -> Self {
        let why = why.into();
        Self(Judgement::Refuse { status, why })
    }
}

/// Who an authenticator says that a peer is.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    id: String,
    properties: Vec<(String, Bytes)>,
}

impl User {
    /// Somebody of this name.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            properties: Vec::new(),
        }
    }

    /// Something more that the authenticator knows of it.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The name. libzmq: `User-Id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The value of a property; case does not matter in its name.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All of them, in order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.properties.iter();
        all.map(|(name, value)| (name.as_str(), &value[..]))
    }
}

impl<S: Into<String>> From<S> for User {
    fn from(id: S) -> Self {
        Self::new(id)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What an authenticator adds may be meant for the program only.
        f.debug_tuple("User").field(&self.id).finish()
    }
}
