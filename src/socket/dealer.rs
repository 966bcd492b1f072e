//! DEALER: asks and answers without turns. RFC 28.

use std::sync::Arc;

use super::builder::{
    Build, Conflates, Identified, Parts, Probes, QueuesAhead, Receives, Sends, TakesMany, sealed,
};
use super::core::Core;
use super::handle::{Handle, common_methods};
use super::recv::{Inbox, receiving_methods};
use super::send::{Outbox, sending_methods};
use crate::pattern::fair_queue::FairQueue;
use crate::pattern::round_robin::RoundRobin;
use crate::pattern::{Departure, Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::socket_type::SocketType;

/// Talks to ROUTER, REP or DEALER peers without waiting for its turn (RFC 28): a client with many
/// questions open, a worker behind a broker.
///
/// Messages go to one peer each, round robin among those that have room, and come from all of them
/// in turn. Nothing is put in front of them and nothing is taken off: whoever talks to a REP puts
/// the empty frame in front that a REQ would, and finds it in front of the answer. Handles are
/// cheap to clone, so that one task may send while another receives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wirelark::{DealerSocket, RepSocket};
///
/// let rep = RepSocket::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*").await?;
/// tokio::spawn(async move {
///     while let Ok(request) = rep.recv().await {
///         let answer = format!("done: {}", request.text());
///         request.reply(answer).await.ok();
///     }
/// });
///
/// let dealer = DealerSocket::new();
/// dealer.connect(endpoint)?;
/// dealer.send(["", "wash"]).await?; // both at once, before any answer
/// dealer.send(["", "dry"]).await?;
/// for expected in ["done: wash", "done: dry"] {
///     let answer = dealer.recv().await?;
///     assert_eq!(answer.frame(0), Some(&b""[..])); // the envelope
///     assert_eq!(answer.frame(1), Some(expected.as_bytes()));
/// }
/// # dealer.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DealerSocket {
    handle: Handle,
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
}

common_methods!(DealerSocket);

sending_methods!(
    DealerSocket,
    "the next peer that has",
    "A message of which no byte was written goes to another peer, or to the same one when a \
     connecting socket has reached it again."
);

receiving_methods!(DealerSocket, "");

impl sealed::Sealed for DealerSocket {}
impl TakesMany for DealerSocket {}
impl Sends for DealerSocket {}
impl Receives for DealerSocket {}
impl QueuesAhead for DealerSocket {}
impl Conflates for DealerSocket {}
impl Identified for DealerSocket {}
impl Probes for DealerSocket {}

impl Build for DealerSocket {
    fn build(parts: Parts) -> Self {
        let (outbox, inbox) = (Arc::new(Outbox::default()), Arc::new(Inbox::default()));
        let pattern = Arc::new(Dealer {
            robin: Arc::clone(&outbox.robin),
            queue: Arc::clone(&inbox.queue),
        });
        let core = Core::new(parts.options, SocketType::Dealer, parts.context, pattern);
        Self {
            handle: Handle::new(core),
            outbox,
            inbox,
        }
    }
}

#[derive(Debug)]
struct Dealer {
    robin: Arc<RoundRobin>,
    queue: Arc<FairQueue>,
}

impl Pattern for Dealer {
    fn queues_ahead(&self) -> bool {
        true
    }

    fn attach_outbound(&self, id: PeerId, pipe: &Arc<Pipe>) {
        self.robin.attach(id, Arc::clone(pipe));
    }

    fn attach_inbound(&self, id: PeerId, peer: &Peer, pipe: &Arc<Pipe>) {
        self.queue.attach(id, peer, Arc::clone(pipe));
    }

    fn detach(&self, id: PeerId, departure: Departure) -> usize {
        let dropped = self.queue.sweep(id);
        if departure.keeps_outbound {
            return dropped;
        }
        dropped + self.robin.detach(id, departure.unwritten)
    }

    #[cfg(feature = "inproc")]
    fn keep_rest(&self, id: PeerId) {
        self.queue.keep_rest(id);
    }

    fn forget(&self, id: PeerId) {
        self.queue.forget(id);
    }

    fn close(&self) -> usize {
        self.queue.close();
        self.robin.close()
    }
}
