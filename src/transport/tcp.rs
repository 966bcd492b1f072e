//! tcp: resolves names, listens, connects.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use super::Stream;
use crate::endpoint::{Endpoint, Host, PeerAddress, TcpEndpoint};
use crate::options::{KeepAlive, TransportOptions};

/// Linux takes no more, neither seconds nor probes.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(32_767);
const MAX_PROBES: u32 = 127;

/// A listening tcp socket.
#[derive(Debug)]
pub(crate) struct TcpListener {
    listener: tokio::net::TcpListener,
    endpoint: Endpoint,
    keep_alive: Option<KeepAlive>,
}

impl TcpListener {
    /// `*` is every IPv4 address, as in libzmq without its IPV6 option; `[::]` is every address, IPv4 included. A
    /// name is bound at the first of its addresses that is ours.
    pub(super) async fn bind(
        endpoint: &TcpEndpoint,
        options: &TransportOptions,
    ) -> io::Result<Self> {
        let mut failures = Failures::default();
        for address in resolve(endpoint).await? {
            match listen(address, options) {
                Ok(listener) => {
                    return Ok(Self {
                        endpoint: Endpoint::from(listener.local_addr()?),
                        listener,
                        keep_alive: options.keep_alive,
                    });
                }
                Err(error) => failures.add(address, error),
            }
        }
        Err(failures.into_io())
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        let (stream, address) = self.listener.accept().await?;
        // Fails only on a connection that has ended already, which the first read will say.
        let _ = tune(&stream, self.keep_alive);
        Ok((Stream::Tcp(stream), peer_address(address)))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Resolves the name anew, since servers move, and tries all of its addresses in turn.
pub(super) async fn connect(
    endpoint: &TcpEndpoint,
    options: &TransportOptions,
) -> io::Result<(Stream, PeerAddress)> {
    let addresses = within(options.connect_timeout, resolve(endpoint)).await?;
    connect_any(&addresses, options).await
}

pub(super) async fn connect_any(
    addresses: &[SocketAddr],
    options: &TransportOptions,
) -> io::Result<(Stream, PeerAddress)> {
    let mut failures = Failures::default();
    for &address in addresses {
        match attempt(address, options).await {
            Ok(stream) => return Ok((Stream::Tcp(stream), peer_address(address))),
            Err(error) => failures.add(address, error),
        }
    }
    Err(failures.into_io())
}

async fn attempt(address: SocketAddr, options: &TransportOptions) -> io::Result<TcpStream> {
    let stream = within(options.connect_timeout, TcpStream::connect(address)).await?;
    check_not_ourselves(&stream)?;
    tune(&stream, options.keep_alive)?;
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
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // The systems differ in their defaults.
        SockRef::from(&socket).set_only_v6(false)?;
        socket
    };
    // A restarted server must not wait for its old connections to time out. On Windows the option means
    // something else: to share the port with whoever has it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(options.backlog)
}

/// Small messages leave at once, and dead peers are found out.
fn tune(stream: &TcpStream, keep_alive: Option<KeepAlive>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if let Some(keep_alive) = keep_alive {
        // Kernels refuse zero.
        let seconds = |time: Duration| time.clamp(Duration::from_secs(1), MAX_KEEP_ALIVE);
        let options = TcpKeepalive::new()
            .with_time(seconds(keep_alive.idle))
            .with_interval(seconds(keep_alive.interval))
            .with_retries(keep_alive.probes.clamp(1, MAX_PROBES));
        SockRef::from(stream).set_tcp_keepalive(&options)?;
    }
    Ok(())
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

async fn resolve(endpoint: &TcpEndpoint) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.port().unwrap_or(0);
    let name = match endpoint.host_kind() {
        Host::Any => return Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        Host::V4(address) => return Ok(vec![(*address, port).into()]),
        Host::V6(address, None) => return Ok(vec![(*address, port).into()]),
        Host::V6(address, Some(zone)) => {
            if let Ok(index) = zone.parse() {
                return Ok(vec![SocketAddrV6::new(*address, port, 0, index).into()]);
            }
            // The resolver knows the interfaces by name.
            format!("{address}%{zone}")
        }
        Host::Name(name) => name.clone(),
    };
    let mut addresses = Vec::new();
    for address in tokio::net::lookup_host((name.as_str(), port)).await? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
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
