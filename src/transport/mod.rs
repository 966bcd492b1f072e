//! Byte streams from the operating system: how to listen for them, make them, read and write them. What the
//! bytes mean is not known here.
//!
//! A listener or a stream belongs to the runtime in which it was made.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
#[cfg(all(unix, feature = "ipc"))]
use tokio::net::UnixStream;

use crate::endpoint::{Endpoint, EndpointError, PeerAddress};

#[cfg(feature = "inproc")]
pub(crate) mod inproc;
#[cfg(all(unix, feature = "ipc"))]
mod ipc;
#[cfg(all(unix, feature = "ipc"))]
mod path_lock;
#[cfg(all(unix, feature = "ipc"))]
mod socket_file;
mod tcp;

/// What a listener or a connection is made with.
#[derive(Debug, Clone)]
pub(crate) struct TransportOptions {
    /// None: off.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Permissions of an ipc socket file. Of no use for abstract names.
    pub(crate) ipc_mode: u32,
    /// Connections that the kernel may hold ready for a listener that is slow to accept.
    pub(crate) backlog: u32,
    /// For the resolution of the name and for each of its addresses. None: as long as the operating system
    /// tries, about two minutes on Linux.
    pub(crate) connect_timeout: Option<Duration>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            keep_alive: Some(KeepAlive::default()),
            // Other users of the machine are strangers.
            ipc_mode: 0o600,
            // A server that restarts meets all of its clients at once.
            backlog: 1024,
            connect_timeout: None,
        }
    }
}

/// TCP keep-alive: how a peer that vanished without a word (power, cable) is found out.
///
/// After `idle` without any traffic the kernel asks `probes` times, `interval` apart, for a sign of life; then the
/// connection is dead. The default, 60 s and 6 times 10 s, finds out after two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Silence before the first probe. Kernels count in whole seconds, at least one.
    pub idle: Duration,
    /// Time between two probes, in whole seconds as well.
    pub interval: Duration,
    /// Unanswered probes after which the connection is given up.
    pub probes: u32,
}

impl KeepAlive {
    /// Probes after `idle`, then every `interval`, `probes` times.
    pub const fn new(idle: Duration, interval: Duration, probes: u32) -> Self {
        Self {
            idle,
            interval,
            probes,
        }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::new(Duration::from_secs(60), Duration::from_secs(10), 6)
    }
}

/// Why a `bind` failed. Nothing is left behind by a failed bind, and the socket can be used as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Someone listens there already.
    #[error("cannot bind to {endpoint}: the address is in use")]
    #[non_exhaustive]
    AddressInUse {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system, or the look at the socket file, said.
        source: io::Error,
    },
    /// The address is none of this host's.
    #[error("cannot bind to {endpoint}: the address is none of this host's")]
    #[non_exhaustive]
    AddressNotAvailable {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
    /// The port, or the directory of the socket file, is not for this user.
    #[error("cannot bind to {endpoint}: permission denied")]
    #[non_exhaustive]
    PermissionDenied {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is a file at the ipc path that is no socket (a symbolic link counts as none). It is not touched.
    #[error("cannot bind to {endpoint}: there is a file, and it is no socket")]
    #[non_exhaustive]
    NotASocket {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// The transport does not exist on this platform, or was left out of this build.
    #[error("cannot bind to {endpoint}: this build or platform has no such transport")]
    #[non_exhaustive]
    Unsupported {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
    /// Anything else that the operating system refused.
    #[error("cannot bind to {endpoint}: {source}")]
    #[non_exhaustive]
    Io {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    /// Sorts what the operating system said.
    pub(crate) fn from_io(endpoint: &Endpoint, source: io::Error) -> Self {
        let endpoint = endpoint.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { endpoint, source },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { endpoint, source },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { endpoint, source },
            io::ErrorKind::Unsupported => Self::Unsupported { endpoint },
            _ => Self::Io { endpoint, source },
        }
    }
}

/// One attempt to connect that failed. The next may succeed, whatever the reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {endpoint}: {source}")]
pub(crate) struct ConnectFailure {
    pub(crate) endpoint: Endpoint,
    pub(crate) source: io::Error,
}

/// Listens at a tcp or ipc endpoint.
pub(crate) async fn bind(
    endpoint: &Endpoint,
    options: &TransportOptions,
) -> Result<Listener, BindError> {
    match endpoint {
        Endpoint::Tcp(tcp) => tcp::TcpListener::bind(tcp, options)
            .await
            .map(Listener::Tcp)
            .map_err(|error| BindError::from_io(endpoint, error)),
        #[cfg(all(unix, feature = "ipc"))]
        Endpoint::Ipc(ipc) => ipc::IpcListener::bind(ipc, options)
            .await
            .map(Listener::Ipc)
            .map_err(|error| match error {
                socket_file::ClaimError::NotASocket => BindError::NotASocket {
                    endpoint: endpoint.clone(),
                },
                socket_file::ClaimError::Io(error) => BindError::from_io(endpoint, error),
            }),
        #[cfg(not(all(unix, feature = "ipc")))]
        Endpoint::Ipc(_) => Err(BindError::from_io(endpoint, unsupported())),
        Endpoint::Inproc(_) => Err(BindError::from_io(endpoint, unsupported())),
    }
}

/// Makes one attempt to connect to a tcp or ipc endpoint.
///
/// *Cancel safety*: a dropped attempt leaves nothing behind.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    options: &TransportOptions,
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    let connected = match endpoint {
        Endpoint::Tcp(tcp) => tcp::connect(tcp, options).await,
        #[cfg(all(unix, feature = "ipc"))]
        Endpoint::Ipc(ipc) => ipc::connect(ipc).await,
        #[cfg(not(all(unix, feature = "ipc")))]
        Endpoint::Ipc(_) => Err(unsupported()),
        Endpoint::Inproc(_) => Err(unsupported()),
    };
    connected.map_err(|source| ConnectFailure {
        endpoint: endpoint.clone(),
        source,
    })
}

/// Whether an endpoint of this kind can be connected to by a byte stream in this build.
pub(crate) const fn is_supported(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Tcp(_) => true,
        Endpoint::Ipc(_) => cfg!(all(unix, feature = "ipc")),
        Endpoint::Inproc(_) => false,
    }
}

/// inproc has no byte streams, and ipc may have been left out.
fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this build or platform has no such transport",
    )
}

/// A bound endpoint. Closed when dropped, and then an ipc socket file is removed if it is still ours.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(tcp::TcpListener),
    #[cfg(all(unix, feature = "ipc"))]
    Ipc(ipc::IpcListener),
}

impl Listener {
    /// Waits for the next connection. An error says nothing about the listener itself; whoever accepts decides
    /// how long to wait before trying again.
    ///
    /// *Cancel safety*: no connection is lost.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        match self {
            Self::Tcp(tcp) => tcp.accept().await,
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(ipc) => ipc.accept().await,
        }
    }

    /// The endpoint with everything resolved: numeric address, port, real path.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Tcp(tcp) => tcp.endpoint(),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(ipc) => ipc.endpoint(),
        }
    }
}

/// A connected byte stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(all(unix, feature = "ipc"))]
    Ipc(UnixStream),
}

impl Stream {
    /// The two directions. The connection ends when both are dropped; dropping the write half alone tells the
    /// peer that nothing more will come.
    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Ipc(read), WriteHalf::Ipc(write))
            }
        }
    }
}

/// The direction from the peer.
///
/// Read through `AsyncRead`, not through `try_read`: tokio's `poll_read` takes a read that did not fill the buffer
/// as the sign that the kernel has nothing more, and saves the read that would only say so.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Tcp(tokio::net::tcp::OwnedReadHalf),
    #[cfg(all(unix, feature = "ipc"))]
    Ipc(tokio::net::unix::OwnedReadHalf),
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buf),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(half) => Pin::new(half).poll_read(cx, buf),
        }
    }
}

/// The direction to the peer. Everything is on `&self`, so that the session and a sender that writes directly can
/// share it; they see to it that only one of them writes at a time.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Tcp(tokio::net::tcp::OwnedWriteHalf),
    #[cfg(all(unix, feature = "ipc"))]
    Ipc(tokio::net::unix::OwnedWriteHalf),
}

impl WriteHalf {
    /// Ready when a write is worth a try. Only the last task that polled is woken.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(half) => half.as_ref().poll_write_ready(cx),
        }
    }

    /// Writes what the kernel takes now, at least one byte; `WouldBlock` if it takes none.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write_vectored(slices),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(half) => half.try_write_vectored(slices),
        }
    }
}

#[cfg(test)]
mod tests;
