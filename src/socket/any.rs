//! [`AnySocket`]: a socket whose type is chosen at run time.

mod options;
mod relay;
mod verbs;

use super::builder::SocketBuilder;
use super::dealer::DealerSocket;
use super::events::Events;
use super::handle::Handle;
use super::live::SocketOptions;
use super::pair::PairSocket;
use super::pub_sub::{PubSocket, SubSocket};
use super::push_pull::{PullSocket, PushSocket};
use super::rep::RepSocket;
use super::req::ReqSocket;
use super::router::RouterSocket;
use super::stats::{CloseReport, PeerStats, SocketStats};
use super::xpub::XPubSocket;
use super::xsub::XSubSocket;
use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{BindError, ConnectError, NoSuchOption, UnknownEndpoint};
use crate::socket_type::SocketType;
use crate::transport::OwnListener;

/// A socket whose type is chosen at run time, for [proxies](crate::proxy), tools and bindings.
///
/// Programs that know what they want use the typed sockets, which lack the verbs that their pattern does
/// not have. Here these are errors that name type and verb. Messages are framed as in libzmq: a
/// ROUTER's begin with the name of the peer, an XPUB receives subscriptions as frames of a byte 1 and
/// the prefix (0 ends one), a REQ and a REP take turns, without their envelope.
///
/// A typed socket converts into an `AnySocket` and back; both are handles of the same socket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{AnySocket, PullSocket, SocketType};
///
/// let pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
///
/// let wanted: SocketType = "PUSH".parse()?; // from a command line, say
/// let socket = AnySocket::builder(wanted).send_hwm(10).build()?;
/// socket.connect(endpoint)?;
/// socket.send("hello").await?;
/// assert_eq!(pull.recv().await?.text(), "hello");
///
/// let error = socket.recv().await.unwrap_err();
/// assert_eq!(error.to_string(), "a PUSH socket cannot recv");
/// # socket.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnySocket {
    /// One peer, both ways.
    Pair(PairSocket),
    /// Publishes.
    Pub(PubSocket),
    /// Subscribes.
    Sub(SubSocket),
    /// Asks in turns.
    Req(ReqSocket),
    /// Answers in turns.
    Rep(RepSocket),
    /// Asks without turns.
    Dealer(DealerSocket),
    /// Addresses its peers.
    Router(RouterSocket),
    /// Collects work.
    Pull(PullSocket),
    /// Deals work out.
    Push(PushSocket),
    /// Publishes, and sees subscriptions.
    XPub(XPubSocket),
    /// Subscribes by messages.
    XSub(XSubSocket),
}

/// Does the same with whichever socket it is.
macro_rules! each {
    ($any:expr, $socket:ident => $do:expr) => {
        match $any {
            AnySocket::Pair($socket) => $do,
            AnySocket::Pub($socket) => $do,
            AnySocket::Sub($socket) => $do,
            AnySocket::Req($socket) => $do,
            AnySocket::Rep($socket) => $do,
            AnySocket::Dealer($socket) => $do,
            AnySocket::Router($socket) => $do,
            AnySocket::Pull($socket) => $do,
            AnySocket::Push($socket) => $do,
            AnySocket::XPub($socket) => $do,
            AnySocket::XSub($socket) => $do,
        }
    };
}

impl AnySocket {
    /// A socket of this type with default options.
    pub fn new(socket_type: SocketType) -> Self {
        let builder = SocketBuilder::<Result<Self, NoSuchOption>>::of_type(socket_type);
        Self::build(builder.into_parts())
    }

    /// Options first. The builder has the options of all types; one that this type does not have is
    /// an error of [`build`](SocketBuilder::build), [`NoSuchOption`], that names both, unless it was set to its
    /// default.
    pub fn builder(socket_type: SocketType) -> SocketBuilder<Result<Self, NoSuchOption>> {
        SocketBuilder::of_type(socket_type)
    }

    /// Its type.
    pub const fn socket_type(&self) -> SocketType {
        match self {
            Self::Pair(_) => SocketType::Pair,
            Self::Pub(_) => SocketType::Pub,
            Self::Sub(_) => SocketType::Sub,
            Self::Req(_) => SocketType::Req,
            Self::Rep(_) => SocketType::Rep,
            Self::Dealer(_) => SocketType::Dealer,
            Self::Router(_) => SocketType::Router,
            Self::Pull(_) => SocketType::Pull,
            Self::Push(_) => SocketType::Push,
            Self::XPub(_) => SocketType::XPub,
            Self::XSub(_) => SocketType::XSub,
        }
    }

    /// Whether both are handles of one socket.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(
            self.handle().core().as_ref(),
            other.handle().core().as_ref(),
        )
    }

    /// Returns when it has been closed, and has sent what it could.
    pub(super) async fn closed(&self) {
        let mut report = self.handle().core().report.subscribe();
        let _ = report.wait_for(Option::is_some).await;
    }

    fn handle(&self) -> &Handle {
        each!(self, socket => socket.handle())
    }

    /// Listens at an endpoint and returns it resolved: see [`PullSocket::bind`].
    ///
    /// *Cancel safety*: a dropped future leaves nothing bound.
    ///
    /// *Errors*: [`BindError`] names the endpoint and what is wrong with it.
    pub async fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        let core = self.handle().core();
        let bound = core.bind(endpoint).await;
        bound.inspect_err(|error| core.tell_of(error))
    }

    /// Takes connections from a listener that the program has made, or was handed by whoever started it:
    /// see [`PullSocket::bind_listener`].
    ///
    /// *Errors*: [`BindError`], as of a typed socket.
    pub fn bind_listener(&self, listener: impl Into<OwnListener>) -> Result<Endpoint, BindError> {
        self.handle().core().bind_listener(listener.into())
    }

    /// Connects to an endpoint, now and whenever the connection is lost: see
    /// [`PullSocket::connect`].
    ///
    /// *Errors*: [`ConnectError`] names the endpoint and what is wrong with it.
    pub fn connect<E>(&self, endpoint: E) -> Result<Endpoint, ConnectError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        self.handle().core().connect(endpoint, None)
    }

    /// Stops listening at an endpoint: see [`PullSocket::unbind`].
    ///
    /// *Errors*: nothing is bound by that name.
    pub fn unbind(&self, endpoint: impl ToString) -> Result<(), UnknownEndpoint> {
        self.handle().core().unbind(&endpoint.to_string())
    }

    /// Ends every connection that was made to an endpoint: see [`PullSocket::disconnect`].
    ///
    /// *Errors*: nothing is connected by that name.
    pub fn disconnect(&self, endpoint: impl ToString) -> Result<(), UnknownEndpoint> {
        self.handle().core().disconnect(&endpoint.to_string())
    }

    /// Closes the socket for all its handles, typed ones too: see [`PullSocket::close`].
    ///
    /// *Cancel safety*: the socket goes on closing when the future is dropped.
    pub async fn close(&self) -> CloseReport {
        self.handle().core().close().await
    }

    /// Whether the socket has been closed: see [`PullSocket::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.handle().core().is_closing()
    }

    /// The options that every type has, to read and to change. For those of one type, match on the socket.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wirelark::{AnySocket, SocketType};
    ///
    /// let socket = AnySocket::new(SocketType::Router);
    /// socket.options().set_linger(Duration::ZERO);
    /// if let AnySocket::Router(router) = &socket {
    ///     router.options().set_handover(true);
    /// }
    /// ```
    pub fn options(&self) -> SocketOptions<'_, Self> {
        SocketOptions::new(self.handle().core())
    }

    /// What happens to this socket's endpoints and connections from now on.
    pub fn events(&self) -> Events {
        self.handle().core().events.subscribe()
    }

    /// What has passed through this socket since it was made.
    pub fn stats(&self) -> SocketStats {
        self.handle().core().stats()
    }

    /// The connected peers, in the order in which they came.
    pub fn peers(&self) -> Vec<PeerStats> {
        self.handle().core().peers()
    }
}

/// Conversions from a typed socket and back.
macro_rules! converts {
    ($($variant:ident $socket:ident),+ $(,)?) => { $(
        impl From<$socket> for AnySocket {
            fn from(socket: $socket) -> Self {
                Self::$variant(socket)
            }
        }

        impl From<&$socket> for AnySocket {
            fn from(socket: &$socket) -> Self {
                Self::$variant(socket.clone())
            }
        }

        /// The error is the socket: it is of another type.
        impl TryFrom<AnySocket> for $socket {
            type Error = AnySocket;

            fn try_from(socket: AnySocket) -> Result<Self, AnySocket> {
                match socket {
                    AnySocket::$variant(socket) => Ok(socket),
                    other => Err(other),
                }
            }
        }
    )+ };
}

converts!(
    Pair PairSocket, Pub PubSocket, Sub SubSocket, Req ReqSocket, Rep RepSocket,
    Dealer DealerSocket, Router RouterSocket, Pull PullSocket, Push PushSocket, XPub XPubSocket,
    XSub XSubSocket,
);

impl From<&Self> for AnySocket {
    fn from(socket: &Self) -> Self {
        socket.clone()
    }
}
