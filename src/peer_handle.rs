//! [`Peer`]: the other end of one connection, what we know of it apart from what it says.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::endpoint::{Endpoint, PeerAddress};
use crate::identity::Identity;
use crate::security::access::Authorised;
use crate::security::authenticator::User;
use crate::socket_type::SocketType;

/// The other end of one connection over which messages can pass, or could.
///
/// A cheap handle: a clone shares it, and it outlives the connection. Two handles are equal when they
/// are of the same connection; a peer that comes back is another `Peer`.
///
/// What its methods tell is known here: from the operating system, or because the connection
/// would not stand otherwise. What the peer only says of itself is in its [`claims`](Self::claims),
/// and nobody has checked that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{Metadata, PullSocket, PushSocket, SocketType};
///
/// let pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let metadata = Metadata::new().with("X-Room", "cellar")?;
/// let push = PushSocket::builder().metadata(metadata).build();
/// push.connect(&endpoint)?;
/// push.send("14 C").await?;
///
/// let (peer, message) = pull.recv_from().await?;
/// assert_eq!(peer.socket_type(), SocketType::Push);
/// println!("{} from {peer}", message.text()); // 14 C from PUSH at tcp://127.0.0.1:…
/// // Whether it really is in the cellar nobody knows.
/// assert_eq!(peer.claims().property("X-Room"), Some(&b"cellar"[..]));
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Peer(Arc<Known>);

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    address: PeerAddress,
    local_address: Option<SocketAddr>,
    socket_type: SocketType,
    protocol: Option<(u8, u8)>,
    connected_at: Instant,
    claims: Claims,
    authorised: Authorised,
    known_as: OnceLock<Identity>,
    /// When something was read last, and written, in nanoseconds after `connected_at`; zero: never.
    read: AtomicU64,
    written: AtomicU64,
}

/// How a connection stands, for [`Peer::new`].
#[derive(Debug)]
pub(crate) struct Standpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: PeerAddress,
    pub(crate) local_address: Option<SocketAddr>,
}

impl Peer {
    /// A peer whose connection has just become usable.
    pub(crate) fn new(
        place: Standpoint,
        socket_type: SocketType,
        protocol: Option<(u8, u8)>,
        claims: Claims,
        authorised: Authorised,
    ) -> Self {
        let Standpoint {
            endpoint,
            address,
            local_address,
        } = place;
        Self(Arc::new(Known {
            endpoint,
            address,
            local_address,
            socket_type,
            protocol,
            connected_at: Instant::now(),
            claims,
            authorised,
            known_as: OnceLock::new(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }))
    }

    /// The endpoint of this socket through which it is connected, as given to connect or resolved
    /// by bind.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Its address. libzmq: `Peer-Address`.
    pub fn address(&self) -> &PeerAddress {
        &self.0.address
    }

    /// This side's address and port; none over ipc and inproc, which have only the
    /// [endpoint](Self::endpoint).
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.0.local_address
    }

    /// Its socket type: it had to say one that fits ours. libzmq: `Socket-Type`.
    pub fn socket_type(&self) -> SocketType {
        self.0.socket_type
    }

    /// The ZMTP version that it announced, major and minor; none over inproc, where no protocol is
    /// spoken.
    pub fn protocol(&self) -> Option<(u8, u8)> {
        self.0.protocol
    }

    /// Since when messages have been able to pass.
    pub fn connected_at(&self) -> Instant {
        self.0.connected_at
    }

    /// When bytes last arrived from it; none if that has not happened since it was
    /// [connected](Self::connected_at), or if the transport is inproc, where nothing is timed.
    pub fn last_received(&self) -> Option<Instant> {
        self.0.at(&self.0.read)
    }

    /// When bytes were last handed to the operating system for it; as
    /// [`last_received`](Self::last_received).
    pub fn last_sent(&self) -> Option<Instant> {
        self.0.at(&self.0.written)
    }

    /// The name by which a ROUTER addresses it, made up or not; `None` on other types.
    pub fn known_as(&self) -> Option<&Identity> {
        self.0.known_as.get()
    }

    /// It is addressed by this name for as long as its connection lasts.
    pub(crate) fn name(&self, name: Identity) {
        // It is named once.
        let _ = self.0.known_as.set(name);
    }

    /// Who the [`Authenticator`](crate::Authenticator) of this socket says that it is; none where nobody was
    /// asked, and over inproc. libzmq: `User-Id`.
    pub fn user(&self) -> Option<&User> {
        self.0.authorised.user()
    }

    /// What it says of itself. Nobody has checked any of it.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// Something was read from it now.
    pub(crate) fn was_read(&self, now: Instant) {
        self.0.note(&self.0.read, now);
    }

    /// Something was written to it now.
    pub(crate) fn was_written(&self, now: Instant) {
        self.0.note(&self.0.written, now);
    }
}

impl Known {
    fn note(&self, cell: &AtomicU64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.connected_at).as_nanos();
        // Zero means never.
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX).max(1);
        cell.store(elapsed, Ordering::Relaxed);
    }

    fn at(&self, cell: &AtomicU64) -> Option<Instant> {
        match cell.load(Ordering::Relaxed) {
            0 => None,
            elapsed => self.connected_at.checked_add(Duration::from_nanos(elapsed)),
        }
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Peer {}

impl Hash for Peer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(Arc::as_ptr(&self.0), state);
    }
}

/// Its type and its address, for people: `PUSH at tcp://192.0.2.1:40000`. Nothing that it claims.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.0.socket_type, self.0.address)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("endpoint", &self.0.endpoint)
            .field("address", &self.0.address)
            .field("local_address", &self.0.local_address)
            .field("socket_type", &self.0.socket_type)
            .field("user", &self.user())
            .field("known_as", &self.0.known_as.get())
            .field("claims", &self.0.claims)
            .finish_non_exhaustive()
    }
}

/// What a peer says of itself in its handshake (RFC 37, "metadata"), at most 16 properties in 8 KiB.
/// It may say what it likes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    identity: Bytes,
    properties: Vec<(String, Bytes)>,
}

impl Claims {
    pub(crate) const fn new(identity: Bytes, properties: Vec<(String, Bytes)>) -> Self {
        Self {
            identity,
            properties,
        }
    }

    /// The identity that it gives itself; empty when it gives none. libzmq: `Identity`.
    pub const fn identity(&self) -> &Bytes {
        &self.identity
    }

    /// The value of a property, `X-` ones among them; case does not matter in its name (RFC 37).
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// What it costs to keep them, in bytes of the handshake.
    pub(crate) fn weight(&self) -> usize {
        let properties = self.properties.iter();
        let sizes = properties.map(|(name, value)| name.len().saturating_add(value.len()));
        sizes.fold(self.identity.len(), usize::saturating_add)
    }

    /// Every property but its socket type and its identity, in the order and the spelling in which
    /// it gave them.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), &value[..]))
    }
}

#[cfg(test)]
impl Peer {
    /// Somebody, for tests in which it does not matter who.
    pub(crate) fn somebody() -> Self {
        Self::claiming(0)
    }

    /// Somebody who says so many bytes of itself.
    pub(crate) fn claiming(bytes: usize) -> Self {
        Self::calling_itself(vec![0; bytes].into())
    }

    /// Somebody who gives itself this identity.
    pub(crate) fn calling_itself(identity: Bytes) -> Self {
        let place = Standpoint {
            endpoint: "inproc://somebody".parse().expect("it is an endpoint"),
            address: PeerAddress::Inproc,
            local_address: None,
        };
        let claims = Claims::new(identity, Vec::new());
        Self::unjudged(place, SocketType::Pair, claims)
    }

    /// Somebody whom nobody had to let in.
    pub(crate) fn unjudged(place: Standpoint, socket_type: SocketType, claims: Claims) -> Self {
        Self::new(place, socket_type, None, claims, Authorised::in_process())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_equal_to_its_clones_only() {
        let (one, other) = (Peer::somebody(), Peer::somebody());
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
    }

    #[test]
    fn it_is_told_in_words_without_its_claims() {
        let peer = Peer::calling_itself("a\nb".into());
        assert_eq!(peer.to_string(), "PAIR at inproc peer");
    }

    #[test]
    fn the_last_traffic_is_none_or_a_time_since_the_connection() {
        let peer = Peer::somebody();
        assert_eq!((peer.last_received(), peer.last_sent()), (None, None));
        let at = peer.connected_at();
        // At the very first instant, too.
        peer.was_read(at);
        assert_eq!(peer.last_received(), Some(at + Duration::from_nanos(1)));
        peer.was_written(at + Duration::from_secs(3));
        assert_eq!(peer.last_sent(), Some(at + Duration::from_secs(3)));
    }

    #[test]
    fn properties_are_found_in_any_case() {
        let properties = vec![("X-Room".to_owned(), Bytes::from("cellar"))];
        let claims = Claims::new(Bytes::new(), properties);
        assert_eq!(claims.property("x-rOOM"), Some(&b"cellar"[..]));
        assert_eq!(claims.property("X-Roo"), None);
        assert_eq!(claims.properties().count(), 1);
    }
}
