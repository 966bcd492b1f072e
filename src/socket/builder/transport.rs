//! Options of the kernel's sockets, and of finding and keeping peers: every socket type has them.

use std::time::Duration;

use super::{Build, SocketBuilder};
use crate::options::{Heartbeat, Interface, KeepAlive, ReconnectStop};

/// Connections: how they are made, watched and given up.
impl<S: Build> SocketBuilder<S> {
    /// The wait before a lost or failed connection is made again, the first time; it doubles up to
    /// [`reconnect_interval_max`](Self::reconnect_interval_max) and falls back after a connection
    /// that lasted a second. Each wait is shortened by a random part, up to half, so that a
    /// thousand clients of one restarted server do not come back at once. Default 100 ms.
    /// libzmq: `ZMQ_RECONNECT_IVL`.
    pub fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.options.reconnect_interval = interval;
        self
    }

    /// The longest wait between two attempts to connect, and the wait after a peer broke the
    /// protocol. Below [`reconnect_interval`](Self::reconnect_interval) the waits do not grow.
    /// Default 10 s. libzmq: `ZMQ_RECONNECT_IVL_MAX`, by default no growth.
    pub fn reconnect_interval_max(mut self, interval: Duration) -> Self {
        self.options.reconnect_interval_max = interval;
        self
    }

    /// When to stop to try. Default: [`ReconnectStop::never`]. libzmq: `ZMQ_RECONNECT_STOP`, and
    /// `ZMQ_RECONNECT_IVL` −1.
    pub fn reconnect_stop(mut self, stop: ReconnectStop) -> Self {
        self.options.reconnect_stop = stop;
        self
    }

    /// How long an attempt to connect may take: the resolution of the name, and each of its
    /// addresses. Default `None`: as long as the operating system tries, about two minutes on
    /// Linux. For tcp. libzmq: `ZMQ_CONNECT_TIMEOUT`.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.transport.connect_timeout = timeout.into();
        self
    }

    /// How long a peer may take from the first byte of a connection to the end of its handshake.
    /// Nothing that it sends extends this, and it cannot be turned off: strangers who say nothing would stay. Default
    /// 10 s. libzmq: `ZMQ_HANDSHAKE_IVL`, 30 s, where 0 turns it off.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.options.handshake_timeout = timeout;
        self
    }

    /// Heartbeats, by which a peer is found out that says nothing any more although its connection
    /// stands. Default `None`: PINGs of peers are answered, none are sent. For tcp and ipc. libzmq:
    /// `ZMQ_HEARTBEAT_IVL`, `ZMQ_HEARTBEAT_TIMEOUT`, `ZMQ_HEARTBEAT_TTL`.
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Heartbeat>>) -> Self {
        self.options.heartbeat = heartbeat.into();
        self
    }

    /// TCP keep-alive, by which a peer that vanished without a word is found out; `None` turns it
    /// off. Default: a probe after 60 s of silence, then 6 probes 10 s apart. libzmq:
    /// `ZMQ_TCP_KEEPALIVE` and its kin, by default off.
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.options.transport.keep_alive = keep_alive.into();
        self
    }

    /// How long sent data may stay unacknowledged before the kernel gives the connection up; in
    /// milliseconds, at least one. It also overrules the number of probes of
    /// [`keep_alive`](Self::keep_alive). Default `None`: as the system has it, about a quarter of
    /// an hour. For tcp on Linux (`TCP_USER_TIMEOUT`). libzmq: `ZMQ_TCP_MAXRT`.
    pub fn tcp_user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.transport.tcp_user_timeout = timeout.into();
        self
    }
}

/// The kernel's sockets.
impl<S: Build> SocketBuilder<S> {
    /// The kernel's buffer for what is to be sent, in bytes (`SO_SNDBUF`); `None`, the default, lets
    /// the system choose and change it. Kernels have limits of their own, and Linux doubles what
    /// it is told. For tcp. libzmq: `ZMQ_SNDBUF`, by default −1.
    pub fn send_buffer(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.options.transport.send_buffer = bytes.into();
        self
    }

    /// The kernel's buffer for what has arrived, in bytes (`SO_RCVBUF`); `None`, the default, lets
    /// the system choose and change it. A listener passes the one it was bound with on to its
    /// connections. For tcp. libzmq: `ZMQ_RCVBUF`, by default −1.
    pub fn recv_buffer(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.options.transport.recv_buffer = bytes.into();
        self
    }

    /// The connections that the kernel keeps ready while they wait to be accepted; it may keep
    /// fewer (`net.core.somaxconn`). Default 1,024. libzmq: `ZMQ_BACKLOG`, 100.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.options.transport.backlog = connections;
        self
    }

    /// Whether names are looked up as IPv6, and IPv6 addresses can be used. Default true. With
    /// `false` a name stands for its IPv4 addresses only, and an IPv6 address is refused. What `*`
    /// means does not change: `tcp://*` is every IPv4 address, `tcp://[::]` every address of both
    /// kinds. libzmq: `ZMQ_IPV6`, by default off.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.options.transport.ipv6 = ipv6;
        self
    }

    /// The field of IP headers for the type of service (IPv4) or the traffic class (IPv6; Linux
    /// only): the code point in the upper six bits. Default `None`: as the system has it. For tcp.
    /// libzmq: `ZMQ_TOS`, by default 0.
    pub fn tos(mut self, tos: impl Into<Option<u8>>) -> Self {
        self.options.transport.tos = tos.into();
        self
    }

    /// The priority of packets within this host (`SO_PRIORITY`); above 6 it takes the capability
    /// `CAP_NET_ADMIN`. Default `None`: as the system has it. For tcp on Linux. libzmq:
    /// `ZMQ_PRIORITY`, by default 0.
    pub fn priority(mut self, priority: impl Into<Option<u32>>) -> Self {
        self.options.transport.priority = priority.into();
        self
    }

    /// How long the kernel may poll the network device for packets, in whole microseconds
    /// (`SO_BUSY_POLL`); to raise it takes the capability `CAP_NET_ADMIN`. Default `None`: as the
    /// system has it. For tcp on Linux. libzmq: `ZMQ_BUSY_POLL`, by default 0.
    pub fn busy_poll(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.options.transport.busy_poll = time.into();
        self
    }

    /// The only network device through which connections are made and taken (`SO_BINDTODEVICE`),
    /// whatever the routing table says. To bind to an *address* of a device, write its name in the
    /// endpoint: `tcp://eth0:5555`. Default `None`: any. For tcp on Linux; elsewhere bind and each
    /// attempt to connect fail. libzmq: `ZMQ_BINDTODEVICE`.
    pub fn interface(mut self, interface: impl Into<Option<Interface>>) -> Self {
        self.options.transport.interface = interface.into();
        self
    }

    /// The permissions of an `ipc://` socket file that this socket binds. Default `0o600`: only
    /// this user may connect. libzmq leaves it to the umask. Abstract names have no permissions.
    pub fn ipc_mode(mut self, mode: u32) -> Self {
        self.options.transport.ipc_mode = mode;
        self
    }
}
