//! The choices a socket is built with: typed, documented, checked when they are made.

mod connection;
mod metadata;
mod publish;
mod transport;

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

pub use connection::{Heartbeat, ReconnectStop};
pub use metadata::{Metadata, MetadataError};
pub(crate) use publish::{PublishOptions, Shows};
pub(crate) use transport::TransportOptions;
pub use transport::{Interface, KeepAlive};

use crate::security::choice::Security;
use crate::socket_type::SocketType;

/// Everything that can be chosen for a socket. The builder sets it; defaults are here.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) send: Capacity,
    pub(crate) recv: Capacity,
    /// None: for ever.
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
    pub(crate) reconnect_stop: ReconnectStop,
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) immediate: bool,
    /// Keep only the newest message of each queue.
    pub(crate) conflate: bool,
    pub(crate) relaxed: bool,
    pub(crate) correlate: bool,
    pub(crate) handshake_timeout: Duration,
    /// None, here and in the next one: no limit.
    pub(crate) max_message_size: Option<usize>,
    pub(crate) max_frames: Option<usize>,
    /// None: no limit.
    pub(crate) max_partial_bytes: Option<usize>,
    /// Beyond it nobody is accepted; none: no limit.
    pub(crate) max_peers: Option<usize>,
    pub(crate) identity: Bytes,
    /// Told to every peer.
    pub(crate) metadata: Metadata,
    /// Whether every connection begins with an empty message, by which a ROUTER learns of us.
    pub(crate) probe: bool,
    /// Whether a newcomer takes the name of the peer that holds it.
    pub(crate) handover: bool,
    /// Whether messages that cannot be routed are dropped, as in libzmq.
    pub(crate) drop_unroutable: bool,
    pub(crate) publish: PublishOptions,
    pub(crate) transport: TransportOptions,
    /// Not to be changed while the socket lives: peers were let in by it.
    pub(crate) security: Security,
}

impl Options {
    /// What unfinished messages may take together: never less than the largest one that is allowed, which could
    /// not arrive otherwise.
    pub(crate) fn partial_limit(&self) -> usize {
        match (self.max_partial_bytes, self.max_message_size) {
            (Some(all), Some(one)) => all.max(one),
            _ => usize::MAX,
        }
    }

    /// With [`conflate`](Self::conflate) made true for those queues of this type that hold messages:
    /// none of several subscriptions can stand for all of them.
    pub(crate) const fn suit(&mut self, socket_type: SocketType) {
        use SocketType::{Dealer, Pub, Pull, Push, Sub};
        if self.conflate {
            if matches!(socket_type, Push | Pub | Dealer) {
                self.send = Capacity::NEWEST;
            }
            if matches!(socket_type, Pull | Sub | Dealer) {
                self.recv = Capacity::NEWEST;
            }
        }
    }
}

/// Messages per pipe; libzmq's default, too.
pub(crate) const HWM_MESSAGES: usize = 1_000;
/// Encoded bytes per pipe: what one stuck peer may cost.
pub(crate) const HWM_BYTES: usize = 64 * 1024 * 1024;
/// For a whole message with all its frames.
pub(crate) const MAX_MESSAGE_SIZE: usize = 256 * 1024 * 1024;
/// Empty frames cost a receiver memory that no size limit sees.
pub(crate) const MAX_FRAMES: usize = 8_192;
/// For all unfinished messages of a socket.
pub(crate) const MAX_PARTIAL_BYTES: usize = 256 * 1024 * 1024;
/// At some 4 KiB for each that is at rest, strangers can have 40 MiB.
pub(crate) const MAX_PEERS: usize = 10_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            send: Capacity {
                messages: HWM_MESSAGES,
                bytes: HWM_BYTES,
            },
            recv: Capacity {
                messages: HWM_MESSAGES,
                bytes: HWM_BYTES,
            },
            linger: Some(Duration::from_secs(30)),
            reconnect_interval: Duration::from_millis(100),
            reconnect_interval_max: Duration::from_secs(10),
            reconnect_stop: ReconnectStop::never(),
            heartbeat: None,
            immediate: false,
            conflate: false,
            relaxed: false,
            correlate: false,
            handshake_timeout: Duration::from_secs(10),
            max_message_size: Some(MAX_MESSAGE_SIZE),
            max_frames: Some(MAX_FRAMES),
            max_partial_bytes: Some(MAX_PARTIAL_BYTES),
            max_peers: Some(MAX_PEERS),
            identity: Bytes::new(),
            metadata: Metadata::default(),
            probe: false,
            handover: false,
            drop_unroutable: false,
            publish: PublishOptions::default(),
            transport: TransportOptions::default(),
            security: Security::Null,
        }
    }
}

/// A value that an option cannot have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{option} cannot be {given}: {allowed}")]
#[non_exhaustive]
pub struct OptionError {
    /// What it was for, in words.
    pub option: &'static str,
    /// The value, as text.
    pub given: String,
    /// What is allowed, with the limit.
    pub allowed: &'static str,
}

/// How much a pipe may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    /// The bound that a high-water mark stands for: none without one, and none with zero, as in libzmq.
    pub(crate) const fn bound(mark: Option<usize>) -> usize {
        match mark {
            None | Some(0) => usize::MAX,
            Some(mark) => mark,
        }
    }

    /// The high-water mark that stands for a bound.
    pub(crate) const fn mark(bound: usize) -> Option<usize> {
        if bound == usize::MAX {
            None
        } else {
            Some(bound)
        }
    }

    /// Only the newest message. A bound of zero stands for it, since no mark does.
    pub(crate) const NEWEST: Self = Self {
        messages: 0,
        bytes: 0,
    };

    pub(crate) const fn is_newest(self) -> bool {
        self.messages == 0
    }

    /// What two sockets of one process offer together.
    #[cfg(feature = "inproc")]
    pub(crate) const fn joined(self, other: Self) -> Self {
        if self.is_newest() || other.is_newest() {
            return Self::NEWEST;
        }
        Self {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}
