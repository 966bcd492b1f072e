//! [`Heartbeat`] and [`ReconnectStop`]: how a connection is watched, and when it is not made again.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::OptionError;

/// Heartbeats: how a peer that says nothing any more is found out, although its connection stands (RFC 37,
/// *Connection Heartbeating*).
///
/// After each `interval` a PING is sent, which the peer answers by itself. When nothing at all, neither an answer
/// nor a message, arrives within the timeout after a PING, the connection ends with
/// [`PeerFault::Silent`](crate::PeerFault::Silent) and is made again. While this side reads nothing because the
/// application does not, nobody is found dead; nor is whoever has said something that lies there unread because a
/// thread was kept from its tasks.
///
/// PINGs go to peers of ZMTP 3.0 as well, as from libzmq: its releases that announce 3.0 answer them since 4.2.
/// A peer that does not know the command drops it and is found dead, unless it sends messages often enough:
/// leave heartbeats off towards such peers.
///
/// ```
/// use std::time::Duration;
/// use wirelark::{Heartbeat, ReqSocket};
///
/// let heartbeat = Heartbeat::every(Duration::from_secs(5))?
///     .with_timeout(Duration::from_secs(15))
///     .with_ttl(Duration::from_secs(20))?;
/// assert_eq!(heartbeat.timeout(), Duration::from_secs(15));
/// let req = ReqSocket::builder().heartbeat(heartbeat).build();
/// # Ok::<(), wirelark::OptionError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    ttl: Duration,
    context: Bytes,
}

/// A shorter interval would send little else than PINGs.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// The time to live travels as tenths of a second in two bytes.
const TTL_MAX: Duration = Duration::from_millis(6_553_500);
/// RFC 37: a peer has to give back no more than this.
const CONTEXT_MAX: usize = 16;

impl Heartbeat {
    /// A PING after each `interval`; whatever else is not set is as libzmq has it by default. libzmq:
    /// `ZMQ_HEARTBEAT_IVL`.
    ///
    /// *Errors*: the interval is shorter than a millisecond. To have no heartbeats, set none.
    pub fn every(interval: Duration) -> Result<Self, OptionError> {
        if interval < INTERVAL_MIN {
            return Err(OptionError {
                option: "the interval of heartbeats",
                given: format!("{interval:?}"),
                allowed: "it is at least 1 ms",
            });
        }
        Ok(Self {
            interval,
            timeout: interval,
            ttl: Duration::ZERO,
            context: Bytes::new(),
        })
    }

    /// How long nothing at all may arrive after a PING. Default: as long as the interval. libzmq:
    /// `ZMQ_HEARTBEAT_TIMEOUT`.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the PINGs tell the peer: if nothing arrives from us for this long, it may give us up. It is sent in
    /// tenths of a second, rounded down. Default: zero, the peer does no such thing. libzmq: `ZMQ_HEARTBEAT_TTL`.
    ///
    /// *Errors*: it is longer than 6,553.5 s, the most that a PING can say.
    pub fn with_ttl(mut self, ttl: Duration) -> Result<Self, OptionError> {
        if ttl > TTL_MAX {
            return Err(OptionError {
                option: "the time to live of a heartbeat",
                given: format!("{ttl:?}"),
                allowed: "it is at most 6553.5 s",
            });
        }
        self.ttl = ttl;
        Ok(self)
    }

    /// Bytes that go with each PING and come back with its answer, for whoever reads the wire. Default: none.
    /// libzmq has no such option, and sends none.
    ///
    /// *Errors*: they are more than 16.
    pub fn with_context(mut self, context: impl Into<Bytes>) -> Result<Self, OptionError> {
        let context = context.into();
        if context.len() > CONTEXT_MAX {
            return Err(OptionError {
                option: "the context of a heartbeat",
                given: format!("{} bytes", context.len()),
                allowed: "it has at most 16 bytes",
            });
        }
        self.context = context;
        Ok(self)
    }

    /// The time between two PINGs.
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How long nothing at all may arrive after a PING.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the PINGs tell the peer; zero: nothing.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The bytes that go with each PING.
    pub const fn context(&self) -> &Bytes {
        &self.context
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("ttl", &self.ttl)
            .field("context", &self.context)
            .finish()
    }
}

/// When a connecting socket stops to try, for [`reconnect_stop`](crate::SocketBuilder::reconnect_stop).
///
/// The endpoint is then taken away as if it had been [disconnected](crate::PushSocket::disconnect): an
/// [`Event::Closed`](crate::Event::Closed) tells of it, and what was queued for it is dropped, or goes to
/// other peers where the pattern deals messages out.
///
/// ```
/// use wirelark::{PushSocket, ReconnectStop};
///
/// // A probe: connects once, and never again.
/// let probe = PushSocket::builder().reconnect_stop(ReconnectStop::always()).build();
/// // A wrong peer is given up, one that is down is not.
/// let stop = ReconnectStop::never().on_handshake_failure();
/// let push = PushSocket::builder().reconnect_stop(stop).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReconnectStop {
    pub(crate) failed: bool,
    pub(crate) refused: bool,
    pub(crate) handshake: bool,
    pub(crate) disconnected: bool,
}

impl ReconnectStop {
    /// Tries for as long as the socket lives: the default.
    pub const fn never() -> Self {
        Self {
            failed: false,
            refused: false,
            handshake: false,
            disconnected: false,
        }
    }

    /// Connects once. libzmq: `ZMQ_RECONNECT_IVL` −1.
    pub const fn always() -> Self {
        Self {
            failed: true,
            refused: true,
            handshake: true,
            disconnected: true,
        }
    }

    /// Stops when nobody listens there. libzmq: `ZMQ_RECONNECT_STOP_CONN_REFUSED`.
    pub const fn on_refused(mut self) -> Self {
        self.refused = true;
        self
    }

    /// Stops when no connection could be made, for whatever reason: refused, unreachable, unknown name, too late.
    pub const fn on_connect_failure(mut self) -> Self {
        self.failed = true;
        self
    }

    /// Stops when the handshake was not completed. libzmq: `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`.
    pub const fn on_handshake_failure(mut self) -> Self {
        self.handshake = true;
        self
    }

    /// Stops when a connection over which messages could pass has ended. libzmq has no such option:
    /// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT` is for an endpoint that the program
    /// [disconnects](crate::PushSocket::disconnect), which is dialled no more here unless something waits to be
    /// sent to it.
    pub const fn on_disconnect(mut self) -> Self {
        self.disconnected = true;
        self
    }

    /// Whether it stops when nobody listens there.
    pub const fn is_on_refused(self) -> bool {
        self.refused || self.failed
    }

    /// Whether it stops when no connection could be made, for whatever reason.
    pub const fn is_on_connect_failure(self) -> bool {
        self.failed
    }

    /// Whether it stops when the handshake was not completed.
    pub const fn is_on_handshake_failure(self) -> bool {
        self.handshake
    }

    /// Whether it stops when a connection over which messages could pass has ended.
    pub const fn is_on_disconnect(self) -> bool {
        self.disconnected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_checked() {
        let heartbeat = || Heartbeat::every(Duration::from_millis(1)).unwrap();
        let errors = [
            Heartbeat::every(Duration::from_micros(999)).unwrap_err(),
            heartbeat()
                .with_ttl(TTL_MAX + Duration::from_nanos(1))
                .unwrap_err(),
            heartbeat().with_context(vec![0; 17]).unwrap_err(),
        ];
        let told = errors.map(|error| error.to_string());
        assert_eq!(
            told,
            [
                "the interval of heartbeats cannot be 999µs: it is at least 1 ms",
                "the time to live of a heartbeat cannot be 6553.500000001s: it is at most 6553.5 s",
                "the context of a heartbeat cannot be 17 bytes: it has at most 16 bytes",
            ]
        );
        assert!(heartbeat().with_ttl(TTL_MAX).is_ok());
        assert!(heartbeat().with_context(vec![0; 16]).is_ok());
    }
}
