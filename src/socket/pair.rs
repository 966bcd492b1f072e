//! PAIR: two sockets and nobody else. RFC 31.

use std::sync::Arc;

use super::builder::{Build, Parts, QueuesAhead, Receives, Sends, sealed};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::recv::{Inbox, receiving_methods};
use super::send::{Outbox, sending_methods};
use crate::pattern::pair::Pair;
use crate::socket_type::SocketType;

/// Talks to exactly one other PAIR at a time, both ways (RFC 31).
///
/// Whoever comes while there is a peer is turned away, with an
/// [`Event::HandshakeFailed`](crate::Event::HandshakeFailed) whose reason is
/// [`DisconnectReason::Occupied`](crate::DisconnectReason::Occupied). When the peer has left,
/// the next one may come: those that were turned away try again by themselves. A `connect` takes
/// the place at once, before the peer is reached, and keeps it until
/// [`disconnect`](Self::disconnect), unless the socket is
/// [`immediate`](crate::SocketBuilder::immediate); further connects wait for it in the order in
/// which they were made.
///
/// What a peer sent before it left is received before anything of its successor's. Handles are cheap
/// to clone and may be used from any number of tasks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::PairSocket;
///
/// let (left, right) = (PairSocket::new(), PairSocket::new());
/// left.bind("inproc://between us").await?;
/// right.connect("inproc://between us")?;
/// left.send("ready?").await?;
/// assert_eq!(right.recv().await?.text(), "ready?");
/// right.send("ready").await?;
/// assert_eq!(left.recv().await?.text(), "ready");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PairSocket {
    handle: Handle,
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
}

common_methods!(PairSocket);

sending_methods!(
    PairSocket,
    "the peer that has",
    "A message of which no byte was written waits for the next connection if this side connects, \
     and is dropped and counted with a peer that came to a bound endpoint: what is meant for one \
     is not given to another."
);

receiving_methods!(
    PairSocket,
    " What one peer sent comes before what its successor sends."
);

impl sealed::Sealed for PairSocket {}
impl Sends for PairSocket {}
impl Receives for PairSocket {}
impl QueuesAhead for PairSocket {}

impl Build for PairSocket {
    fn build(parts: Parts) -> Self {
        let outbox = Arc::new(Outbox::default());
        let inbox = Arc::new(Inbox::in_sequence());
        let law = Pair::new(Arc::clone(&outbox.robin), Arc::clone(&inbox.queue));
        let core = Core::new(
            parts.options,
            SocketType::Pair,
            parts.context,
            Arc::new(law),
        );
        Self {
            handle: Handle::new(core),
            outbox,
            inbox,
        }
    }
}
