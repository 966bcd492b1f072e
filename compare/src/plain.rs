//! The ceiling: plain programs that move the same frames over the same transports without a library.
//!
//! No handshake, no reconnecting, no limits, no sockets of ZeroMQ; nothing but a 64 KiB buffer at each end, so
//! whatever a library does beyond that shows in the distance to them.

mod exchange;
mod fan_out;
mod frames;
mod pipeline;
mod round_trip;

use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context as _, Result, bail};
use tokio::runtime::Builder;

use crate::meter::Measured;
use crate::task::{Role, Task};
use crate::worker::Post;

/// Plays the role to its end and says what it measured.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    match task.role {
        Role::Pull => pipeline::pull(task, post),
        Role::Push => pipeline::push(task, post),
        Role::Reply => run(round_trip::reply(task, post.clone())),
        Role::Request => run(round_trip::request(task)),
        Role::Publish => run(fan_out::publish(task, post.clone())),
        Role::Subscribe => run(fan_out::subscribe(task)),
        Role::Route => run(exchange::route(task, post.clone())),
        Role::Deal => run(exchange::deal(task)),
        role => bail!("there is no plain program for {role:?}"),
    }
}

/// One thread does all of it, where there are several connections or replies to wait for.
fn run(role: impl Future<Output = Result<Measured>>) -> Result<Measured> {
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(role)
}

/// Both transports, as the standard library has them.
enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener),
}

enum Stream {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

impl Listener {
    /// Binds, and gives back where to connect to.
    fn bind(task: &Task) -> Result<(Self, String)> {
        if let Some(path) = task.endpoint.strip_prefix("ipc://") {
            return Ok((Self::Ipc(UnixListener::bind(path)?), task.endpoint.clone()));
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        Ok((Self::Tcp(listener), endpoint))
    }

    fn accept(&self) -> Result<Stream> {
        Ok(match self {
            Self::Tcp(listener) => Stream::Tcp(undelayed(listener.accept()?.0)?),
            Self::Ipc(listener) => Stream::Ipc(listener.accept()?.0),
        })
    }
}

impl Stream {
    fn connect(task: &Task) -> Result<Self> {
        if let Some(path) = task.endpoint.strip_prefix("ipc://") {
            return Ok(Self::Ipc(UnixStream::connect(path)?));
        }
        let address = task.endpoint.strip_prefix("tcp://").context("not tcp")?;
        Ok(Self::Tcp(undelayed(TcpStream::connect(address)?)?))
    }

    /// For one of tokio's runtimes.
    fn into_async(self) -> Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Box::new(tokio::net::TcpStream::from_std(stream)?)
            }
            Self::Ipc(stream) => {
                stream.set_nonblocking(true)?;
                Box::new(tokio::net::UnixStream::from_std(stream)?)
            }
        })
    }
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Duplex for T {}

fn undelayed(stream: TcpStream) -> Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}
