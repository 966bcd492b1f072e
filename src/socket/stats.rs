//! Counters and queue depths, as values to look at.

use crate::peer_handle::Peer;
use crate::pipe::Passed;

/// Messages, and their bytes on the wire (payload and frame headers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flow {
    /// Whole messages.
    pub messages: u64,
    /// Payload and frame headers.
    pub bytes: u64,
}

impl Flow {
    pub(crate) fn add(&mut self, messages: u64, bytes: u64) {
        self.messages = self.messages.saturating_add(messages);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What has passed through a socket since it was made. See the sockets' `stats` method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Accepted for a peer: once for every subscriber that a published message goes to.
    pub sent: Flow,
    /// Arrived from peers, read by the application or not.
    pub received: Flow,
    /// Messages that were dropped: for a full subscriber, for a newer one, with a peer that left, because nobody
    /// can read them on this type of socket, because they were no requests or answered none, because a ROUTER knows
    /// nobody of the name, or because peers that had left have sent more than is
    /// [kept](crate::SocketBuilder::recv_hwm_bytes).
    pub dropped: u64,
    /// The same by reason.
    pub drops: Drops,
    /// Connections over which messages could pass, ever.
    pub connections: u64,
    /// Connections that ended, or ended before they were ready, and were dialled again.
    pub reconnects: u64,
    /// Connections that ended before their handshake was complete.
    pub handshakes_failed: u64,
    /// Attempts to connect that failed.
    pub connects_failed: u64,
}

impl SocketStats {
    /// Adds what has passed through one part of the socket.
    pub(crate) fn add(&mut self, part: &Self) {
        self.sent.add(part.sent.messages, part.sent.bytes);
        self.received
            .add(part.received.messages, part.received.bytes);
        self.dropped = self.dropped.saturating_add(part.dropped);
        self.drops.add(&part.drops);
    }
}

/// Messages that were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// The queue of the peer was full, as that of a subscriber may be.
    pub full: u64,
    /// A newer message took their place in a queue that keeps [the newest](crate::SocketBuilder::conflate)
    /// only.
    pub outdated: u64,
    /// The peer left: what was queued for it and has nowhere else to go, or what it sent beyond
    /// what is kept of peers that have left.
    pub departed: u64,
    /// They arrived and are of no use: nobody can read them on this type of socket, or they are no
    /// requests, or they are replies that answer nothing.
    pub unusable: u64,
    /// A ROUTER with [`drop_unroutable`](crate::SocketBuilder::drop_unroutable) knew nobody of the
    /// name.
    pub unroutable: u64,
}

impl Drops {
    pub(crate) fn add(&mut self, other: &Self) {
        self.full = self.full.saturating_add(other.full);
        self.outdated = self.outdated.saturating_add(other.outdated);
        self.departed = self.departed.saturating_add(other.departed);
        self.unusable = self.unusable.saturating_add(other.unusable);
        self.unroutable = self.unroutable.saturating_add(other.unroutable);
    }

    pub(crate) fn count(&mut self, passed: Passed) {
        self.full = self.full.saturating_add(passed.dropped);
        self.outdated = self.outdated.saturating_add(passed.outdated);
        self.unusable = self.unusable.saturating_add(passed.unusable);
    }

    pub(crate) const fn total(&self) -> u64 {
        let lost = self.full.saturating_add(self.departed);
        let refused = self.unusable.saturating_add(self.unroutable);
        lost.saturating_add(refused).saturating_add(self.outdated)
    }
}

/// One connected peer, as it stands. See the sockets' `peers` method.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStats {
    /// Who it is, since when, and when something last passed.
    pub peer: Peer,
    /// Accepted for it.
    pub sent: Flow,
    /// Arrived from it.
    pub received: Flow,
    /// Waiting to be written to it.
    pub send_queue: Flow,
    /// Waiting to be read by the application.
    pub recv_queue: Flow,
    /// Messages that were meant for it or came from it, and were dropped.
    pub dropped: u64,
    /// The same by reason.
    pub drops: Drops,
}

/// What is left when a socket has been closed. See the sockets' `close` method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Messages that could not be handed to the network within the linger time.
    pub unsent: u64,
}
