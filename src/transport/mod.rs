//! Byte streams from the operating system: how to listen for them, make them, read and write them. What the
//! bytes mean is not known here.
//!
//! A listener or a stream belongs to the runtime in which it was made; a stream can be moved.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
#[cfg(all(unix, feature = "ipc"))]
use tokio::net::UnixStream;

use crate::endpoint::{Endpoint, PeerAddress};
use crate::error::BindError;
use crate::options::TransportOptions;

mod address;
#[cfg(feature = "inproc")]
pub(crate) mod inproc;
#[cfg(all(unix, feature = "ipc"))]
mod ipc;
mod own;
#[cfg(all(unix, feature = "ipc"))]
mod path_lock;
#[cfg(all(unix, feature = "ipc"))]
mod socket_file;
mod tcp;
mod tuning;

pub use own::OwnListener;

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
    /// This side's address and port; none where the transport has no such thing.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok().map(tcp::plain),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(_) => None,
        }
    }

    /// The same stream in the runtime that runs here, wherever it was made.
    pub(crate) fn move_here(self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream.into_std()?).map(Self::Tcp),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(stream) => UnixStream::from_std(stream.into_std()?).map(Self::Ipc),
        }
    }

    /// Sets the options of a connection that has been accepted.
    pub(crate) fn tune(&self, options: &TransportOptions) {
        // Fails only on a connection that has ended already, which the first read will say, or where the kernel
        // forbids what it has forbidden to the listener.
        match self {
            Self::Tcp(stream) => drop(tuning::tune_accepted(stream, options)),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(_) => {}
        }
    }

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

impl ReadHalf {
    /// Ready when a read is worth a try, for whoever has no buffer to offer yet.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_read_ready(cx),
            #[cfg(all(unix, feature = "ipc"))]
            Self::Ipc(half) => half.as_ref().poll_read_ready(cx),
        }
    }
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
