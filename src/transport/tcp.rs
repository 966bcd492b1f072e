//! tcp: listens, connects.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::tuning::{socket_for, tune};
use super::{Stream, address};
use crate::endpoint::{Endpoint, PeerAddress, TcpEndpoint};
use crate::options::TransportOptions;

/// A listening tcp socket.
#[derive(Debug)]
pub(crate) struct TcpListener {
    listener: tokio::net::TcpListener,
    endpoint: Endpoint,
}

impl TcpListener {
    /// `*` is every IPv4 address, as in libzmq without its IPV6 option; `[::]` is every address, IPv4 included. A
    /// name is bound at the first of its addresses that is ours, an interface at its first address.
    pub(super) async fn bind(
        endpoint: &TcpEndpoint,
        options: &TransportOptions,
    ) -> io::Result<Self> {
        let mut failures = Failures::default();
        for address in address::local(endpoint, options.ipv6).await? {
            match listen(address, options) {
                Ok(listener) => {
                    return Ok(Self {
                        endpoint: Endpoint::from(listener.local_addr()?),
                        listener,
                    });
                }
                Err(error) => failures.add(address, error),
            }
        }
        Err(failures.into_io())
    }

    /// A listener that the program has made.
    pub(super) fn adopt(listener: std::net::TcpListener, endpoint: Endpoint) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self { listener, endpoint })
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        let (stream, address) = self.listener.accept().await?;
        Ok((Stream::Tcp(stream), peer_address(address)))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Tries all addresses of the name in turn, each from the first source of its family if there is to be one.
pub(super) async fn connect(
    endpoint: &TcpEndpoint,
    options: &TransportOptions,
) -> io::Result<(Stream, PeerAddress)> {
    let limit = options.connect_timeout;
    let addresses = within(limit, address::remote(endpoint, options.ipv6)).await?;
    let sources = match endpoint.source() {
        Some(source) => Some(within(limit, address::local(source, options.ipv6)).await?),
        None => None,
    };
    connect_any(&addresses, sources.as_deref(), options).await
}

pub(super) async fn connect_any(
    addresses: &[SocketAddr],
    sources: Option<&[SocketAddr]>,
    options: &TransportOptions,
) -> io::Result<(Stream, PeerAddress)> {
    let mut failures = Failures::default();
    for &address in addresses {
        match attempt(address, sources, options).await {
            Ok(stream) => return Ok((Stream::Tcp(stream), peer_address(address))),
            Err(error) => failures.add(address, error),
        }
    }
    Err(failures.into_io())
}

async fn attempt(
    address: SocketAddr,
    sources: Option<&[SocketAddr]>,
    options: &TransportOptions,
) -> io::Result<TcpStream> {
    let socket = socket_for(address, options)?;
    if let Some(sources) = sources {
        let source = sources
            .iter()
            .find(|source| source.is_ipv4() == address.is_ipv4())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::AddrNotAvailable,
                    "the source has no address of this family",
                )
            })?;
        // The port of an earlier connection may still be in TIME_WAIT.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(*source)?;
    }
    let stream = within(options.connect_timeout, socket.connect(address)).await?;
    check_not_ourselves(&stream)?;
    tune(&stream, options)?;
    Ok(stream)
}

/// A client that redials a free port of its own host can be given that very port to dial from. TCP then connects it
/// with itself, and the server finds its port taken.
pub(super) fn check_not_ourselves(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "nobody listens (the connection met itself)",
        ));
    }
    Ok(())
}

fn listen(address: SocketAddr, options: &TransportOptions) -> io::Result<tokio::net::TcpListener> {
    let socket = socket_for(address, options)?;
    if address.is_ipv6() {
        // The systems differ in their defaults.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // A restarted server must not wait for its old connections to time out. On Windows the option means
    // something else: to share the port with whoever has it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(options.backlog)
}

fn peer_address(address: SocketAddr) -> PeerAddress {
    PeerAddress::Tcp(plain(address))
}

/// An IPv4 address as such, also at a socket for both.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(v6.ip().to_canonical(), v6.port())
        }
        other => other,
    }
}

pub(super) async fn within<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let Some(limit) = limit else {
        return attempt.await;
    };
    match tokio::time::timeout(limit, attempt).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {limit:?}"),
        )),
    }
}

/// What each address of a name said.
#[derive(Debug, Default)]
struct Failures(Vec<(SocketAddr, io::Error)>);

impl Failures {
    fn add(&mut self, address: SocketAddr, error: io::Error) {
        self.0.push((address, error));
    }

    /// A single failure as the operating system gave it, with its error number.
    fn into_io(mut self) -> io::Error {
        match self.0.pop() {
            None => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Some((_, error)) if self.0.is_empty() => error,
            Some((address, error)) => {
                let kind = error.kind();
                self.add(address, error);
                io::Error::new(kind, self)
            }
        }
    }
}

impl std::fmt::Display for Failures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failures {}
