//! The words of pipes: amounts, reasons to close, what a producer and a consumer are told.

use crate::fault::PeerFault;
use crate::wire::batch::Batch;
use crate::wire::transmit::Transmit;

/// An amount of messages and of their encoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) const fn of(batch: &Batch) -> Self {
        Self {
            messages: batch.messages(),
            bytes: batch.bytes(),
        }
    }

    /// More than there can be of anything.
    pub(crate) const MOST: Self = Self {
        messages: usize::MAX,
        bytes: usize::MAX,
    };

    /// The lesser amount of either.
    pub(crate) fn least(self, other: Self) -> Self {
        Self {
            messages: self.messages.min(other.messages),
            bytes: self.bytes.min(other.bytes),
        }
    }

    /// By how much `put` makes a batch grow. Who knows that in advance had better say so: to look at
    /// what has just been written makes the processor wait.
    pub(super) fn growth_of(batch: &mut Batch, put: impl FnOnce(&mut Batch)) -> Self {
        let before = Self::of(batch);
        put(batch);
        Self {
            messages: batch.messages() - before.messages,
            bytes: batch.bytes() - before.bytes,
        }
    }

    /// What several batches hold together.
    pub(super) fn of_all<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        batches
            .into_iter()
            .map(Self::of)
            .fold(Self::default(), |sum, load| Self {
                messages: sum.messages + load.messages,
                bytes: sum.bytes + load.bytes,
            })
    }

    /// As room: whether nothing fits, because either bound has been reached.
    #[inline]
    pub(crate) const fn is_no_room(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }
}

/// Why a pipe takes no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// Nothing more will be sent: what is queued is still to be delivered.
    Done,
    /// The end has come: what is queued is not delivered any more.
    Now,
    /// The connection has ended.
    Lost,
    /// The socket gives up this connection, and wants a new one at once where it dials.
    Reset,
    /// Another peer has taken the name of this one.
    Replaced,
    /// The pattern found that the peer broke its rules.
    Fault(PeerFault),
}

impl CloseReason {
    /// Whether what is queued is still to be taken.
    pub(super) const fn delivers(&self) -> bool {
        matches!(self, Self::Done | Self::Lost)
    }
}

/// One consumer's time at a pipe. A pipe that outlives its connection has several consumers, one
/// after the other, and the earlier ones may still hold what they took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenure(pub(super) u64);

/// Why a message was not accepted.
#[derive(Debug)]
pub(crate) enum PushError {
    Full,
    Closed,
}

/// What a consumer finds.
#[derive(Debug)]
pub(crate) enum Take {
    Batch(Batch),
    /// A sender has begun to write this.
    Begun(Transmit),
    Empty,
    Closed(CloseReason),
}

/// What has passed through a pipe since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Messages for which there was no room.
    pub(crate) dropped: u64,
    /// Messages whose place a newer one took.
    pub(crate) outdated: u64,
    /// Messages that came and could not be used.
    pub(crate) unusable: u64,
}
