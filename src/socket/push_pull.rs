//! PUSH and PULL: a pipeline. RFC 30.

use std::sync::Arc;

use super::builder::{Build, Conflates, Parts, QueuesAhead, Receives, Sends, TakesMany, sealed};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::recv::{Inbox, receiving_methods};
use super::send::{Outbox, sending_methods};
use crate::pattern::round_robin::RoundRobin;
use crate::pattern::{Departure, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::socket_type::SocketType;

/// Deals messages to PULL peers in turn: the ventilator of a pipeline (RFC 30).
///
/// Each message goes to one peer, round robin among those that have room. When none has, sending
/// waits. Handles are cheap to clone and may be used from any number of tasks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{PullSocket, PushSocket};
///
/// let pull = PullSocket::new();
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
/// let push = PushSocket::new();
/// push.connect(endpoint)?;
/// push.send("job 1").await?;
/// assert_eq!(pull.recv().await?.text(), "job 1");
/// # push.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PushSocket {
    handle: Handle,
    outbox: Arc<Outbox>,
}

common_methods!(PushSocket);

sending_methods!(
    PushSocket,
    "the next peer that has",
    "A message of which no byte was written goes to another peer, or to the same one when a \
     connecting socket has reached it again."
);

impl sealed::Sealed for PushSocket {}
impl TakesMany for PushSocket {}
impl Sends for PushSocket {}
impl QueuesAhead for PushSocket {}
impl Conflates for PushSocket {}

impl Build for PushSocket {
    fn build(parts: Parts) -> Self {
        let outbox = Arc::new(Outbox::default());
        let pattern = Arc::new(Push(Arc::clone(&outbox.robin)));
        let core = Core::new(parts.options, SocketType::Push, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outbox,
        }
    }
}

#[derive(Debug)]
struct Push(Arc<RoundRobin>);

impl Pattern for Push {
    fn queues_ahead(&self) -> bool {
        true
    }

    /// RFC 30: a PUSH has no use for what a peer sends.
    fn listens(&self) -> bool {
        false
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.0.attach(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, _: PeerId, _: &Peer, _: &Arc<Pipe>) {}

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        if departure.keeps_outbound {
            0
        } else {
            self.0.detach(id, departure.unwritten)
        }
    }

    fn forget(&self, _: PeerId) {}

    fn close(&self) -> usize {
        self.0.close()
    }
}

/// Collects messages from PUSH peers: a worker or the sink of a pipeline (RFC 30).
///
/// Peers are served in turn, one whole message at a time, so that a busy one cannot crowd out the
/// others. Handles are cheap to clone; with several receivers each message goes to one of them.
/// See [`PushSocket`] for an example.
#[derive(Clone)]
pub struct PullSocket {
    handle: Handle,
    inbox: Arc<Inbox>,
}

common_methods!(PullSocket);

receiving_methods!(PullSocket, "");

impl sealed::Sealed for PullSocket {}
impl TakesMany for PullSocket {}
impl Receives for PullSocket {}
impl Conflates for PullSocket {}

impl Build for PullSocket {
    fn build(parts: Parts) -> Self {
        let inbox = Arc::new(Inbox::default());
        let pattern = Arc::new(Pull(Arc::clone(&inbox)));
        let core = Core::new(parts.options, SocketType::Pull, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            inbox,
        }
    }
}

#[derive(Debug)]
struct Pull(Arc<Inbox>);

impl Pattern for Pull {
    fn attach_outbound(&self, _: PeerId, _: &Arc<Pipe>) {}

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.0.queue.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, _: Departure) -> usize {
        self.0.queue.sweep(id)
    }

    #[cfg(feature = "inproc")]
    fn keep_rest(&self, id: PeerId) {
        self.0.queue.keep_rest(id);
    }

    fn forget(&self, id: PeerId) {
        self.0.queue.forget(id);
    }

    fn close(&self) -> usize {
        self.0.queue.close();
        0
    }
}
