//! [`OwnListener`]: a listening socket that comes from outside.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

#[cfg(all(unix, feature = "ipc"))]
use super::ipc;
use super::{Listener, tcp};
use crate::endpoint::Endpoint;
use crate::error::BindError;

/// A listening socket that the program has made, or was handed by whoever started it, for the sockets'
/// `bind_listener` methods. Made by `From` from std's `TcpListener`, and on Unix with the feature `ipc` from its
/// `UnixListener`.
#[derive(Debug)]
pub struct OwnListener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(std::net::TcpListener),
    #[cfg(all(unix, feature = "ipc"))]
    Ipc(std::os::unix::net::UnixListener),
}

impl From<std::net::TcpListener> for OwnListener {
    fn from(listener: std::net::TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }
}

#[cfg(all(unix, feature = "ipc"))]
impl From<std::os::unix::net::UnixListener> for OwnListener {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        Self(Kind::Ipc(listener))
    }
}

impl OwnListener {
    /// Where it listens. A listener without a name has no endpoint.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BindError> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().map(Endpoint::from).map_err(|error| {
                let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                BindError::from_io(&Endpoint::from(nowhere), error)
            }),
            #[cfg(all(unix, feature = "ipc"))]
            Kind::Ipc(listener) => {
                let text = listener
                    .local_addr()
                    .ok()
                    .and_then(|address| ipc::text_of(&address));
                Ok(Endpoint::try_from(
                    text.unwrap_or_else(|| "ipc://".to_owned()),
                )?)
            }
        }
    }

    /// Takes it over, in the runtime that runs here.
    pub(crate) fn into_listener(self, endpoint: Endpoint) -> io::Result<Listener> {
        match self.0 {
            Kind::Tcp(listener) => tcp::TcpListener::adopt(listener, endpoint).map(Listener::Tcp),
            #[cfg(all(unix, feature = "ipc"))]
            Kind::Ipc(listener) => ipc::IpcListener::adopt(listener, endpoint).map(Listener::Ipc),
        }
    }
}
