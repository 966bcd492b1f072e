//! [`Direct`]: the shortcut from a sender to a connection that is at rest.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::peer_handle::Peer;
use crate::pipe::shortcut::Shortcut;
use crate::pipe::sync::Arc;
use crate::transport::WriteHalf;
use crate::wire::batch::Batch;
use crate::wire::transmit::{SLICES_MAX, Transmit};

/// Rest after the last write that makes a connection quiet, and rest after the last such send that
/// makes a socket calm. Requests and replies are at least a round trip apart, which is longer; the
/// messages of a burst are not.
const QUIET: Duration = Duration::from_micros(10);

/// The largest message that a sender writes by itself. What is larger keeps the kernel busy for
/// longer than waking the session takes.
const SMALL: usize = 16 * 1024;

/// Tells whether a socket sends now and then, or one message after the other.
///
/// A server with many clients finds most of their connections at rest. Writing each reply by
/// itself would cost a system call for each; while it goes on, the sessions gather what there is
/// for each client.
#[derive(Debug)]
pub(crate) struct Pulse {
    since: Instant,
    /// When a sender last found a connection at rest, in nanoseconds after `since`.
    last: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            last: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// A sender is at it now; returns whether it has been a while.
    fn beat(&self, now: Instant) -> bool {
        let now = nanos(self.since, now);
        is_rest(self.last.swap(now, Ordering::Relaxed), now)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Direct {
    write: Arc<WriteHalf>,
    peer: Peer,
    pulse: Arc<Pulse>,
    since: Instant,
    /// When something was written last, in nanoseconds after `since`.
    last: AtomicU64,
    /// Whether messages last came in company. Who answers a batch of requests sends a batch, and would
    /// only split it, here and then at the other side, by writing the first of them at once.
    in_company: AtomicBool,
}

impl Direct {
    pub(super) fn new(write: Arc<WriteHalf>, peer: Peer, pulse: Arc<Pulse>) -> Self {
        Self {
            write,
            peer,
            pulse,
            since: Instant::now(),
            last: AtomicU64::new(0),
            in_company: AtomicBool::new(false),
        }
    }

    /// The session has taken this many messages at once.
    pub(super) fn took(&self, messages: usize) {
        if messages > 1 {
            self.in_company.store(true, Ordering::Relaxed);
        }
    }

    /// Something has been written now.
    pub(super) fn wrote(&self) {
        let now = Instant::now();
        self.last.store(nanos(self.since, now), Ordering::Relaxed);
        self.peer.was_written(now);
    }

    /// Whether nothing has been written for a while.
    fn has_rested(&self, now: Instant) -> bool {
        is_rest(self.last.load(Ordering::Relaxed), nanos(self.since, now))
    }
}

fn nanos(since: Instant, now: Instant) -> u64 {
    let elapsed = now.saturating_duration_since(since);
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

fn is_rest(last: u64, now: u64) -> bool {
    u128::from(now.saturating_sub(last)) >= QUIET.as_nanos()
}

impl Shortcut for Direct {
    fn is_quiet(&self) -> bool {
        let now = Instant::now();
        let is_calm = self.pulse.beat(now);
        if self.has_rested(now) {
            is_calm && !self.in_company.swap(false, Ordering::Relaxed)
        } else {
            self.in_company.store(true, Ordering::Relaxed);
            false
        }
    }

    fn deliver(&self, batch: Batch) -> Transmit {
        let small = batch.bytes() <= SMALL;
        let mut transmit = Transmit::new(batch);
        if small {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let used = transmit.slices(&mut slices);
            // An error is left for the session to meet: it has to end the connection for it.
            if let Ok(written) = self
                .write
                .try_write_vectored(slices.get(..used).unwrap_or(&[]))
            {
                transmit.advance(written);
                self.wrote();
            }
        }
        self.pulse.beat(Instant::now());
        transmit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_peer_has_been_sent_something_when_something_was_written() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (_read, write) = stream.unwrap().into_split();
        let peer = Peer::somebody();
        let write = Arc::new(WriteHalf::Tcp(write));
        let direct = Direct::new(write, peer.clone(), Arc::default());
        let batch = |size| {
            let mut batch = Batch::default();
            batch.push(&[], &Message::from(vec![0; size]), usize::MAX);
            batch
        };
        // Too large to be written here: the session will.
        assert!(!direct.deliver(batch(SMALL + 1)).is_done());
        assert_eq!(peer.last_sent(), None);
        assert!(direct.deliver(batch(10)).is_done());
        assert!(peer.last_sent().is_some());
    }
}
