//! What a listener or a connection is made with: the options of the kernel's sockets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::OptionError;

/// What a listener or a connection is made with.
#[derive(Debug, Clone)]
pub(crate) struct TransportOptions {
    /// None: off.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// How long sent data may stay unacknowledged. None: as long as the operating system has it.
    pub(crate) tcp_user_timeout: Option<Duration>,
    /// None, here and in the next four: as the operating system has it.
    pub(crate) send_buffer: Option<u32>,
    pub(crate) recv_buffer: Option<u32>,
    pub(crate) tos: Option<u8>,
    pub(crate) priority: Option<u32>,
    pub(crate) busy_poll: Option<Duration>,
    /// The only network device to be used.
    pub(crate) interface: Option<Interface>,
    /// Whether names are looked up and addresses are taken as IPv6, too.
    pub(crate) ipv6: bool,
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
            tcp_user_timeout: None,
            send_buffer: None,
            recv_buffer: None,
            tos: None,
            priority: None,
            busy_poll: None,
            interface: None,
            ipv6: true,
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
/// connection is dead. The default, 60 s and 6 times 10 s, finds out after two minutes. Kernels count in whole
/// seconds; what they would refuse is made the nearest value that they take: 1 to 32,767 seconds, 1 to 127 probes.
///
/// libzmq: `ZMQ_TCP_KEEPALIVE_IDLE`, `ZMQ_TCP_KEEPALIVE_INTVL` and `ZMQ_TCP_KEEPALIVE_CNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between two probes.
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

/// The name of a network device, such as `eth0`, for
/// [`interface`](crate::SocketBuilder::interface): 1 to 15 bytes, without white space, `/` and NUL.
///
/// ```
/// use wirelark::{Interface, PullSocket};
///
/// let pull = PullSocket::builder().interface(Interface::new("lo")?).build();
/// assert!(Interface::new("a name that is too long").is_err());
/// # Ok::<(), wirelark::OptionError>(())
/// ```
///
/// libzmq: `ZMQ_BINDTODEVICE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface(Arc<str>);

/// The longest name of a device (`IFNAMSIZ` without the final zero).
const INTERFACE_MAX: usize = 15;

impl Interface {
    /// Checks the form of `name`, not whether there is such a device: it may come later.
    ///
    /// *Errors*: the name is empty, longer than 15 bytes, or has white space, `/` or NUL in it.
    pub fn new(name: &str) -> Result<Self, OptionError> {
        let is_odd = |c: char| c.is_whitespace() || c == '/' || c == '\0';
        if name.is_empty() || name.len() > INTERFACE_MAX || name.contains(is_odd) {
            return Err(OptionError {
                option: "the name of an interface",
                // It may be anything, and as long as anything.
                given: format!("{:?}", name.chars().take(40).collect::<String>()),
                allowed: "it has 1 to 15 bytes, no white space, no '/' and no NUL",
            });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Interface {
    type Err = OptionError;

    fn from_str(name: &str) -> Result<Self, OptionError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_checked() {
        for name in ["lo", "eth0.100", "br-0123456789ab", "wlp2s0"] {
            assert_eq!(Interface::new(name).unwrap().as_str(), name);
        }
        for name in [
            "",
            "0123456789abcdef",
            "a b",
            "a/b",
            "a\0",
            &"x".repeat(1_000_000),
        ] {
            let error = Interface::new(name).unwrap_err().to_string();
            assert!(error.contains("15 bytes") && error.len() < 200, "{error}");
        }
    }
}
