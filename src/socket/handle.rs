//! [`Handle`]: what every public socket type holds, and the methods that all of them share.

use std::sync::Arc;

use super::core::Core;

/// A socket's core, kept open by its handles: when the last one is dropped the socket closes in
/// the background, lingering as `close` would.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Guard>);

#[derive(Debug)]
struct Guard(Arc<Core>);

impl Handle {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self(Arc::new(Guard(core)))
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.begin_close();
    }
}

/// The methods that every socket type has, as inherent methods: nobody has to import a trait.
macro_rules! common_methods {
    ($socket:ident) => {
        impl $socket {
            /// A socket with default options.
            pub fn new() -> Self {
                Self::builder().build()
            }

            /// Options first: see [`SocketBuilder`](crate::SocketBuilder).
            pub fn builder() -> $crate::SocketBuilder<Self> {
                $crate::SocketBuilder::new()
            }

            pub(super) const fn handle(&self) -> &$crate::socket::handle::Handle {
                &self.handle
            }

            /// Listens at an endpoint and returns it resolved: the port behind `*` or `0`, the
            /// path behind `ipc://*`. A socket may bind and connect to any number of endpoints,
            /// of any transports.
            ///
            /// *Cancel safety*: a dropped future leaves nothing bound.
            ///
            /// *Errors*: [`BindError`](crate::BindError) names the endpoint: it is malformed or in
            /// use, its address is not of this host, permission is missing, no tokio runtime runs
            /// here (tcp and ipc need one, or a context with
            /// [threads](crate::ContextBuilder::io_threads)), or the socket is closed.
            pub async fn bind<E>(&self, endpoint: E) -> Result<$crate::Endpoint, $crate::BindError>
            where
                E: TryInto<$crate::Endpoint>,
                E::Error: Into<$crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                let core = self.handle.core();
                let bound = core.bind(endpoint).await;
                bound.inspect_err(|error| core.tell_of(error))
            }

            /// Takes connections from a listener that the program has made, or was handed by
            /// whoever started it (socket activation), and returns its endpoint, by which
            /// [`unbind`](Self::unbind) takes it away. Of the options only those of connections
            /// apply. A socket file is not removed at the end: it is not this socket's.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # use wirelark::*;
            #[doc = concat!("let socket = ", stringify!($socket), "::new();")]
            /// let endpoint = socket.bind_listener(std::net::TcpListener::bind("127.0.0.1:0")?)?;
            /// assert!(endpoint.port().is_some());
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// *Errors*: [`BindError`](crate::BindError): no tokio runtime runs here and the
            /// context has no [threads](crate::ContextBuilder::io_threads), the socket is closed, or
            /// the operating system refused. libzmq: `ZMQ_USE_FD`.
            pub fn bind_listener(
                &self,
                listener: impl Into<$crate::OwnListener>,
            ) -> Result<$crate::Endpoint, $crate::BindError> {
                self.handle.core().bind_listener(listener.into())
            }

            /// Connects to an endpoint, now and whenever the connection is lost, until
            /// [`disconnect`](Self::disconnect) or [`close`](Self::close). The peer need not be
            /// there yet; nothing is waited for. What happens is told by
            /// [`events`](Self::events).
            ///
            /// Every call makes a connection of its own, also to an endpoint that is connected to
            /// already.
            ///
            /// *Errors*: [`ConnectError`](crate::ConnectError): the endpoint is malformed or
            /// cannot be connected to, no tokio runtime runs here (tcp and ipc need one, or a context
            /// with [threads](crate::ContextBuilder::io_threads)), or the socket is closed.
            pub fn connect<E>(&self, endpoint: E) -> Result<$crate::Endpoint, $crate::ConnectError>
            where
                E: TryInto<$crate::Endpoint>,
                E::Error: Into<$crate::EndpointError>,
            {
                let endpoint = endpoint.try_into().map_err(Into::into)?;
                self.handle.core().connect(endpoint, None)
            }

            /// Stops listening at an endpoint, named as [`bind`](Self::bind) was given it or
            /// returned it. The connections that came in through it send what is queued, for as
            /// long as linger allows, and end; what has arrived stays readable. An
            /// [`Event::Closed`](crate::Event::Closed) says when the address is free again.
            ///
            /// *Errors*: nothing is bound by that name.
            pub fn unbind(&self, endpoint: impl ToString) -> Result<(), $crate::UnknownEndpoint> {
                self.handle.core().unbind(&endpoint.to_string())
            }

            /// Ends every connection that was made to an endpoint, named as
            /// [`connect`](Self::connect) was given it. What is queued for it is sent first, for
            /// as long as linger allows; what has arrived from it and is not read yet is dropped,
            /// as in libzmq.
            ///
            /// *Errors*: nothing is connected by that name.
            pub fn disconnect(
                &self,
                endpoint: impl ToString,
            ) -> Result<(), $crate::UnknownEndpoint> {
                self.handle.core().disconnect(&endpoint.to_string())
            }

            /// Closes the socket for all its handles: whoever waits in it wakes with an error,
            /// what is queued is sent for as long as linger allows (30 s by default), then
            /// every connection ends. The report says what was left. Further calls wait for the
            /// same end and report the same.
            ///
            /// Dropping the last handle does the same in the background; a program that then
            /// returns from `main` ends the runtime, and with it the flush. (With
            /// [`io_threads`](crate::ContextBuilder::io_threads) the end of the runtime does not, but
            /// the end of the process does.)
            ///
            /// *Cancel safety*: the socket goes on closing when the future is dropped.
            pub async fn close(&self) -> $crate::CloseReport {
                self.handle.core().close().await
            }

            /// Whether the socket has been closed, through this handle or another, or with its
            /// [`Context`](crate::Context). What was queued may still be on its way:
            /// [`close`](Self::close) waits for that.
            pub fn is_closed(&self) -> bool {
                self.handle.core().is_closing()
            }

            /// The options of this socket, to read and to change.
            pub fn options(&self) -> $crate::SocketOptions<'_, Self> {
                $crate::SocketOptions::new(self.handle.core())
            }

            /// What happens to this socket's endpoints and connections from now on.
            pub fn events(&self) -> $crate::Events {
                self.handle.core().events.subscribe()
            }

            /// What has passed through this socket since it was made.
            pub fn stats(&self) -> $crate::SocketStats {
                self.handle.core().stats()
            }

            /// The connected peers, in the order in which they came, with their counters and
            /// queue depths.
            pub fn peers(&self) -> Vec<$crate::PeerStats> {
                self.handle.core().peers()
            }
        }

        impl std::fmt::Debug for $socket {
            /// The type and its endpoints.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($socket))
                    .field("endpoints", &self.handle.core().endpoints())
                    .finish_non_exhaustive()
            }
        }

        impl Default for $socket {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

pub(super) use common_methods;
