//! What can go wrong with endpoints: to bind, to connect, to take them away.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::endpoint::{Endpoint, EndpointError};
use crate::event::Event;
use crate::identity::Identity;

/// Why a `bind` failed. Nothing is left behind by a failed bind, and the socket can be used as before.
#[derive(Debug, Error)]
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
    /// Listening is a task: it needs a tokio runtime around the call, or a context with
    /// [threads of its own](crate::ContextBuilder::io_threads).
    #[error("cannot bind to {endpoint}: no tokio runtime is running here")]
    #[non_exhaustive]
    NoRuntime {
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
        /// What the operating system said. The message repeats it, so it is no `Error::source`, which would
        /// be printed behind it.
        r#source: io::Error,
    },
}

impl BindError {
    /// For those who were not the caller: the endpoint, and what happened there. None where nothing
    /// was tried.
    pub(crate) fn to_event(&self) -> Option<Event> {
        let (endpoint, kind) = match self {
            Self::AddressInUse { endpoint, source }
            | Self::AddressNotAvailable { endpoint, source }
            | Self::PermissionDenied { endpoint, source }
            | Self::Io { endpoint, source } => (endpoint, source.kind()),
            Self::NotASocket { endpoint } => (endpoint, io::ErrorKind::AlreadyExists),
            Self::Unsupported { endpoint } => (endpoint, io::ErrorKind::Unsupported),
            Self::Endpoint(_) | Self::NoRuntime { .. } | Self::Closed => return None,
        };
        Some(Event::BindFailed {
            endpoint: endpoint.clone(),
            error: Arc::new(io::Error::new(kind, self.to_string())),
        })
    }

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

/// Why `connect` failed. The network cannot make it fail: an unreachable peer is dialled again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no endpoint that can be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The transport does not exist on this platform, or was left out of this build.
    #[error("cannot connect to {endpoint}: this build or platform has no such transport")]
    #[non_exhaustive]
    Unsupported {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// Connections are tasks: they need a tokio runtime around the call, or a context with
    /// [threads of its own](crate::ContextBuilder::io_threads).
    #[error("cannot connect to {endpoint}: no tokio runtime is running here")]
    #[non_exhaustive]
    NoRuntime {
        /// The endpoint as it was given.
        endpoint: Endpoint,
    },
    /// A ROUTER has a peer of this name already.
    #[error("cannot connect to {endpoint} as {identity}: another peer has this name")]
    #[non_exhaustive]
    IdentityTaken {
        /// The endpoint as it was given.
        endpoint: Endpoint,
        /// The name.
        identity: Identity,
    },
    /// The socket has been closed.
    #[error("the socket is closed")]
    Closed,
}

/// `unbind` or `disconnect` was given an endpoint that is not bound, or not connected to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{endpoint} is not an endpoint of this socket")]
#[non_exhaustive]
pub struct UnknownEndpoint {
    /// What was given.
    pub endpoint: String,
}
