//! The choices a socket is built with: typed, documented, checked when they are made.

use std::time::Duration;

use bytes::Bytes;

pub(crate) use metadata::Metadata;
pub use metadata::MetadataError;

mod metadata;

/// Everything that can be chosen for a socket. The builder sets it; defaults are here.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) send: Capacity,
    pub(crate) recv: Capacity,
    /// None: for ever.
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
    pub(crate) immediate: bool,
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_message_size: usize,
    pub(crate) max_frames: usize,
    pub(crate) identity: Bytes,
    /// Told to every peer.
    pub(crate) metadata: Metadata,
    /// Whether every connection begins with an empty message, by which a ROUTER learns of us.
    pub(crate) probe: bool,
    /// Whether a newcomer takes the name of the peer that holds it.
    pub(crate) handover: bool,
    /// Whether messages that cannot be routed are dropped, as in libzmq.
    pub(crate) drop_unroutable: bool,
    pub(crate) transport: TransportOptions,
}

/// Messages per pipe; libzmq's default, too.
pub(crate) const HWM_MESSAGES: usize = 1_000;
/// Encoded bytes per pipe: what one stuck peer may cost.
pub(crate) const HWM_BYTES: usize = 64 * 1024 * 1024;
/// For a whole message with all its frames.
pub(crate) const MAX_MESSAGE_SIZE: usize = 256 * 1024 * 1024;
/// Empty frames cost a receiver memory that no size limit sees.
pub(crate) const MAX_FRAMES: usize = 8_192;

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
            immediate: false,
            handshake_timeout: Duration::from_secs(10),
            max_message_size: MAX_MESSAGE_SIZE,
            max_frames: MAX_FRAMES,
            identity: Bytes::new(),
            metadata: Metadata::default(),
            probe: false,
            handover: false,
            drop_unroutable: false,
            transport: TransportOptions {
                keep_alive: Some(KeepAlive::default()),
                ..TransportOptions::default()
            },
        }
    }
}

/// How much a pipe may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    /// From high-water marks, where zero means no limit.
    pub(crate) const fn from_marks(messages: usize, bytes: usize) -> Self {
        const fn or_unlimited(mark: usize) -> usize {
            if mark == 0 { usize::MAX } else { mark }
        }
        Self {
            messages: or_unlimited(messages),
            bytes: or_unlimited(bytes),
        }
    }

    /// What two sockets of one process offer together.
    #[cfg(feature = "inproc")]
    pub(crate) const fn joined(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// What a listener or a connection is made with.
#[derive(Debug, Clone)]
pub(crate) struct TransportOptions {
    /// None: off.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Permissions of an ipc socket file. Of no use for abstract names.
    pub(crate) ipc_mode: u32,
    /// Connections that the kernel may hold ready for a listener that is slow to accept.
    pub(crate) backlog: u32,
    /// For the resolution of the name and for each of its addresses. None: as long as the operating system
    /// tries, about two minutes on Linux.
    pub(crate) connect_timeout: Option<Duration>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            keep_alive: Some(KeepAlive::default()),
            // Other users of the machine are strangers.
            ipc_mode: 0o600,
            // A server that restarts meets all of its clients at once.
            backlog: 1024,
            connect_timeout: None,
        }
    }
}

/// TCP keep-alive: how a peer that vanished without a word (power, cable) is found out.
///
/// After `idle` without any traffic the kernel asks `probes` times, `interval` apart, for a sign of life; then the
/// connection is dead. The default, 60 s and 6 times 10 s, finds out after two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Silence before the first probe. Kernels count in whole seconds, at least one.
    pub idle: Duration,
    /// Time between two probes, in whole seconds as well.
    pub interval: Duration,
    /// Unanswered probes after which the connection is given up.
    pub probes: u32,
}

impl KeepAlive {
    /// Probes after `idle`, then every `interval`, `probes` times.
    pub const fn new(idle: Duration, interval: Duration, probes: u32) -> Self {
        Self {
            idle,
            interval,
            probes,
        }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::new(Duration::from_secs(60), Duration::from_secs(10), 6)
    }
}
