//! [`Direct`]: the shortcut from a sender to a connection that is at rest.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::peer_handle::Peer;
use crate::pipe::shortcut::Shortcut;
use crate::pipe::sync::Arc;
use crate::transport::WriteHalf;
use crate::wire::batch::Batch;
use crate::wire::transmit::{SLICES_MAX, Transmit};

/// Rest after the last write that makes a connection quiet. Requests and replies are at least a
/// round trip apart, which is longer; the messages of a burst are not.
const QUIET: Duration = Duration::from_micros(10);

/// The largest message that a sender writes by itself. What is larger keeps the kernel busy for
/// longer than waking the session takes.
const SMALL: usize = 16 * 1024;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Direct {
    write: Arc<WriteHalf>,
    peer: Peer,
    since: Instant,
    /// When something was written last, in nanoseconds after `since`.
    last: AtomicU64,
}

impl Direct {
    pub(super) fn new(write: Arc<WriteHalf>, peer: Peer) -> Self {
        Self {
            write,
            peer,
            since: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// Something has been written now.
    pub(super) fn wrote(&self) {
        let now = Instant::now();
        self.last.store(self.nanos(now), Ordering::Relaxed);
        self.peer.was_written(now);
    }

    fn nanos(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Shortcut for Direct {
    fn is_quiet(&self) -> bool {
        let now = self.nanos(Instant::now());
        let rest = now.saturating_sub(self.last.load(Ordering::Relaxed));
        u128::from(rest) >= QUIET.as_nanos()
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
            }
        }
        self.wrote();
        transmit
    }
}
