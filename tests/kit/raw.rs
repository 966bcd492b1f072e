//! A peer that says exactly what a test writes down, over a plain TCP stream.
//!
//! ```ignore
//! let mut peer = RawPeer::connect(&endpoint).await;
//! peer.greet().await;
//! peer.ready("PUSH").await;
//! peer.send(frames::last("hello")).await;
//! peer.expect_eof().await;
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wirelark::{Endpoint, PeerAddress};

use super::{frames, soon};

/// One frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) const fn is_command(&self) -> bool {
        self.flags & 4 != 0
    }

    pub(crate) const fn has_more(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether this is the command `name`.
    pub(crate) fn is(&self, name: &str) -> bool {
        let mut start = vec![name.len() as u8];
        start.extend(name.as_bytes());
        self.is_command() && self.body.starts_with(&start)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct RawPeer {
    stream: TcpStream,
    address: SocketAddr,
}

impl RawPeer {
    pub(crate) async fn connect(endpoint: &Endpoint) -> Self {
        let port = endpoint.port().unwrap();
        let stream = soon(TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await;
        Self::new(stream.unwrap())
    }

    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = soon(listener.accept()).await.unwrap();
        Self::new(stream)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        let address = stream.local_addr().unwrap();
        Self { stream, address }
    }

    /// This peer as the socket's events name it, when the peer has connected.
    pub(crate) const fn address(&self) -> PeerAddress {
        PeerAddress::Tcp(self.address)
    }

    /// A connection through the handshake as a socket of this type.
    pub(crate) async fn established(endpoint: &Endpoint, socket_type: &str) -> Self {
        let mut peer = Self::connect(endpoint).await;
        peer.greet().await;
        peer.ready(socket_type).await;
        peer
    }

    /// Both greetings.
    pub(crate) async fn greet(&mut self) {
        self.send(frames::greeting(3, 1, "NULL")).await;
        self.expect_greeting().await;
    }

    pub(crate) async fn expect_greeting(&mut self) {
        let mut theirs = [0; 64];
        soon(self.stream.read_exact(&mut theirs)).await.unwrap();
        assert_eq!(&theirs[..17], b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0");
    }

    /// Both READY commands.
    pub(crate) async fn ready(&mut self, socket_type: &str) {
        self.send(frames::ready(&[("Socket-Type", socket_type)]))
            .await;
        let theirs = self.frame().await;
        assert!(theirs.is("READY"), "{theirs:?}");
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// As [`send`](Self::send) where the other side may have hung up already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        soon(self.stream.write_all(bytes.as_ref())).await
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        let flags = soon(self.stream.read_u8()).await.unwrap();
        let length = if flags & 2 == 0 {
            u64::from(soon(self.stream.read_u8()).await.unwrap())
        } else {
            soon(self.stream.read_u64()).await.unwrap()
        };
        let mut body = vec![0; usize::try_from(length).unwrap()];
        soon(self.stream.read_exact(&mut body)).await.unwrap();
        Frame { flags, body }
    }

    /// The frames of the next message; commands on the way are dropped.
    pub(crate) async fn message(&mut self) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        loop {
            let frame = self.frame().await;
            if frame.is_command() {
                continue;
            }
            let more = frame.has_more();
            bodies.push(frame.body);
            if !more {
                return bodies;
            }
        }
    }

    /// The reason of the ERROR command that comes next.
    pub(crate) async fn expect_error(&mut self) -> String {
        let frame = self.frame().await;
        assert!(frame.is("ERROR"), "{frame:?}");
        String::from_utf8(frame.body[7..].to_vec()).unwrap()
    }

    /// The end of the connection, by a close or a reset, after nothing more has come.
    pub(crate) async fn expect_eof(&mut self) {
        assert_eq!(self.rest().await, b"");
    }

    /// What still comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // An error is a reset: the other side had not read everything when it closed.
        let _ = soon(self.stream.read_to_end(&mut rest)).await;
        rest
    }

    /// Ends the connection with a RST instead of a FIN.
    pub(crate) fn reset(self) {
        #[expect(deprecated, reason = "a linger of zero does not block")]
        self.stream
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }
}
