//! [`Peer`]: one peer of the queue, and what of its messages has been taken and not read yet.

use crate::pattern::PeerId;
use crate::pattern::departed::Place;
use crate::peer_handle::Peer as Handle;
use crate::pipe::sync::Arc;
use crate::pipe::{Load, Pipe, Take, Tenure};
use crate::wire::batch::Batch;

/// A batch of fewer bytes than this says that its reader is as fast as the sender.
const SHORT_BATCH: usize = 8 * 1024;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Who it is, for whoever asks along with a message.
    pub(super) handle: Handle,
    pub(super) pipe: Arc<Pipe>,
    /// None until the pipe knows us.
    pub(super) tenure: Option<Tenure>,
    /// What was taken from the pipe and is not read yet.
    pub(super) batch: Batch,
    /// What was taken, and still counts against the pipe's bounds.
    held: Load,
    /// How few messages are left in the batch when the pipe is told of the others.
    release_at: usize,
    /// What came with the batch.
    taken: Load,
    pub(super) in_round: bool,
    /// Its place among those that have left, once it has.
    pub(super) departed: Option<Place>,
}

/// What a look into its pipe gives.
pub(super) enum Refill {
    Some,
    /// Nothing now: the pipe will signal.
    None,
    /// Nothing any more.
    Over,
}

/// What is dropped unread does not take up room any longer, in a pipe that outlives this queue.
impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(tenure) = self.tenure {
            self.pipe.release_in(tenure, self.held);
        }
    }
}

impl Peer {
    pub(super) fn new(id: PeerId, handle: Handle, pipe: Arc<Pipe>) -> Self {
        Self {
            id,
            handle,
            pipe,
            tenure: None,
            batch: Batch::default(),
            held: Load::default(),
            release_at: 0,
            taken: Load::default(),
            in_round: false,
            departed: None,
        }
    }

    /// What it has sent and nobody has read, and what it has said of itself: it may leave 8 KiB of claims
    /// behind with a message of one byte.
    pub(super) fn rest(&self) -> Load {
        let queued = self.tenure.map(|tenure| self.pipe.queued_in(tenure));
        let (taken, queued) = (Load::of(&self.batch), queued.unwrap_or_default());
        Load {
            messages: taken.messages.saturating_add(queued.messages),
            bytes: taken
                .bytes
                .saturating_add(queued.bytes)
                .saturating_add(self.handle.claims().weight()),
        }
    }

    /// Whether the batch was one of a few messages out of many. One message alone may be all there is.
    fn is_outrun(&self) -> bool {
        self.taken.messages > 1 && self.taken.bytes < SHORT_BATCH && self.pipe.is_fed()
    }

    pub(super) fn refill(&mut self) -> Refill {
        self.release();
        let Some(tenure) = self.tenure else {
            return Refill::Over;
        };
        match self.pipe.take_in(tenure, std::mem::take(&mut self.batch)) {
            Take::Batch(batch) => {
                self.held = Load::of(&batch);
                self.taken = self.held;
                self.release_at = self.held.messages / 2;
                self.batch = batch;
                Refill::Some
            }
            Take::Empty | Take::Begun(_) => Refill::None,
            Take::Closed(_) => Refill::Over,
        }
    }

    /// Something has been read. Half a batch is enough to let the producer go on while the rest is
    /// read. Returns whether the producer has been outrun.
    #[inline]
    pub(super) fn has_read(&mut self) -> bool {
        if self.batch.messages() > self.release_at {
            return false;
        }
        let is_outrun = self.batch.is_empty() && self.is_outrun();
        self.release();
        is_outrun
    }

    fn release(&mut self) {
        let used = Load {
            messages: self.held.messages.saturating_sub(self.batch.messages()),
            bytes: self.held.bytes.saturating_sub(self.batch.bytes()),
        };
        if used.messages > 0 || used.bytes > 0 {
            if let Some(tenure) = self.tenure {
                self.pipe.release_in(tenure, used);
            }
            self.held = Load::of(&self.batch);
            self.release_at = self.held.messages / 2;
        }
    }
}
