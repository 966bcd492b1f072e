//! The sockets of each library, with the few calls that the roles need.

use std::future::Future;
use std::net::TcpListener;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use zeromq::{Socket as _, SocketRecv as _, SocketSend as _};

use crate::task::{Role, Task};
use crate::worker::Post;

/// A socket of the type that a task's role asks for.
pub trait End: Send + Sized + 'static {
    /// A message that has been received.
    type Received: AsRef<[u8]> + Send;

    fn bound(task: &Task, post: &Post) -> impl Future<Output = Result<Self>> + Send;
    fn connected(task: &Task) -> impl Future<Output = Result<Self>> + Send;
    /// Sends a fresh copy.
    fn send(&mut self, payload: &[u8]) -> impl Future<Output = Result<()>> + Send;
    fn recv(&mut self) -> impl Future<Output = Result<Self::Received>> + Send;
}

/// An endpoint with a port that is free just now: not all of them tell which one they were given.
fn free_endpoint() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp://{}", listener.local_addr()?))
}

pub struct Omq(omq_tokio::Socket);

impl Omq {
    fn new(task: &Task) -> Result<Self> {
        use omq_tokio::SocketType;

        let kind = match task.role {
            Role::Push => SocketType::Push,
            Role::Pull => SocketType::Pull,
            Role::Request => SocketType::Req,
            Role::Reply => SocketType::Rep,
            other => bail!("{other:?}"),
        };
        let mark = u32::try_from(task.hwm)?;
        let options = omq_tokio::Options::default().send_hwm(mark).recv_hwm(mark);
        Ok(Self(omq_tokio::Socket::new(kind, options)))
    }
}

pub struct OmqMessage(omq_tokio::Message);

impl AsRef<[u8]> for OmqMessage {
    fn as_ref(&self) -> &[u8] {
        self.0.part_slice(0).unwrap_or_default()
    }
}

impl End for Omq {
    type Received = OmqMessage;

    async fn bound(task: &Task, post: &Post) -> Result<Self> {
        let socket = Self::new(task)?;
        let endpoint = free_endpoint()?;
        socket.0.bind(endpoint.as_str()).await?;
        post.ready(&endpoint, None);
        Ok(socket)
    }

    async fn connected(task: &Task) -> Result<Self> {
        let socket = Self::new(task)?;
        socket.0.connect(task.endpoint.as_str()).await?;
        Ok(socket)
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self.0.send(omq_tokio::Message::from_slice(payload)).await?)
    }

    async fn recv(&mut self) -> Result<Self::Received> {
        Ok(OmqMessage(self.0.recv().await?))
    }
}

pub struct Rzmq {
    socket: rzmq::Socket,
    _context: rzmq::Context,
}

impl Rzmq {
    async fn new(task: &Task) -> Result<Self> {
        use rzmq::SocketType;

        let kind = match task.role {
            Role::Push => SocketType::Push,
            Role::Pull => SocketType::Pull,
            Role::Request => SocketType::Req,
            Role::Reply => SocketType::Rep,
            other => bail!("{other:?}"),
        };
        let context = rzmq::Context::new()?;
        let socket = context.socket(kind)?;
        let mark = i32::try_from(task.hwm)?.to_ne_bytes();
        socket
            .set_option_raw(rzmq::socket::options::SNDHWM, &mark)
            .await?;
        socket
            .set_option_raw(rzmq::socket::options::RCVHWM, &mark)
            .await?;
        Ok(Self {
            socket,
            _context: context,
        })
    }
}

pub struct RzmqMessage(rzmq::Msg);

impl AsRef<[u8]> for RzmqMessage {
    fn as_ref(&self) -> &[u8] {
        self.0.data().unwrap_or_default()
    }
}

impl End for Rzmq {
    type Received = RzmqMessage;

    async fn bound(task: &Task, post: &Post) -> Result<Self> {
        let this = Self::new(task).await?;
        let endpoint = free_endpoint()?;
        this.socket.bind(&endpoint).await?;
        post.ready(&endpoint, None);
        Ok(this)
    }

    async fn connected(task: &Task) -> Result<Self> {
        let this = Self::new(task).await?;
        this.socket.connect(&task.endpoint).await?;
        Ok(this)
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self
            .socket
            .send(rzmq::Msg::from_vec(payload.to_vec()))
            .await?)
    }

    async fn recv(&mut self) -> Result<Self::Received> {
        Ok(RzmqMessage(self.socket.recv().await?))
    }
}

/// Has no high-water marks to set.
pub enum Zeromq {
    Push(zeromq::PushSocket),
    Pull(zeromq::PullSocket),
    Req(zeromq::ReqSocket),
    Rep(zeromq::RepSocket),
}

impl Zeromq {
    fn new(task: &Task) -> Result<Self> {
        Ok(match task.role {
            Role::Push => Self::Push(zeromq::PushSocket::new()),
            Role::Pull => Self::Pull(zeromq::PullSocket::new()),
            Role::Request => Self::Req(zeromq::ReqSocket::new()),
            Role::Reply => Self::Rep(zeromq::RepSocket::new()),
            other => bail!("{other:?}"),
        })
    }
}

impl End for Zeromq {
    type Received = Bytes;

    async fn bound(task: &Task, post: &Post) -> Result<Self> {
        let mut socket = Self::new(task)?;
        let endpoint = free_endpoint()?;
        match &mut socket {
            Self::Pull(socket) => socket.bind(&endpoint).await?,
            Self::Rep(socket) => socket.bind(&endpoint).await?,
            _ => bail!("connects"),
        };
        post.ready(&endpoint, None);
        Ok(socket)
    }

    async fn connected(task: &Task) -> Result<Self> {
        let mut socket = Self::new(task)?;
        match &mut socket {
            Self::Push(socket) => socket.connect(&task.endpoint).await?,
            Self::Req(socket) => socket.connect(&task.endpoint).await?,
            _ => bail!("binds"),
        }
        Ok(socket)
    }

    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let message = payload.to_vec().into();
        match self {
            Self::Push(socket) => socket.send(message).await?,
            Self::Req(socket) => socket.send(message).await?,
            Self::Rep(socket) => socket.send(message).await?,
            Self::Pull(_) => bail!("only receives"),
        }
        Ok(())
    }

    async fn recv(&mut self) -> Result<Self::Received> {
        let message = match self {
            Self::Pull(socket) => socket.recv().await?,
            Self::Req(socket) => socket.recv().await?,
            Self::Rep(socket) => socket.recv().await?,
            Self::Push(_) => bail!("only sends"),
        };
        Ok(message.get(0).context("an empty message")?.clone())
    }
}
