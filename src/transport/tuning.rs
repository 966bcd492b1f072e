//! The options of tcp sockets, as the kernel is told of them: before a socket is bound or connected, and after.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use crate::options::{Interface, TransportOptions};

/// Linux takes no more, neither seconds nor probes.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(32_767);
const MAX_PROBES: u32 = 127;

/// A socket for addresses of this family. What has to be known before it listens or connects is set: buffers (the
/// window that is offered depends on them) and by which device packets leave.
pub(super) fn socket_for(address: SocketAddr, options: &TransportOptions) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    let kernel = SockRef::from(&socket);
    if let Some(bytes) = options.send_buffer {
        kernel.set_send_buffer_size(signed(bytes))?;
    }
    if let Some(bytes) = options.recv_buffer {
        kernel.set_recv_buffer_size(signed(bytes))?;
    }
    mark(&kernel, address.is_ipv4(), options)?;
    if let Some(interface) = &options.interface {
        use_only(&kernel, interface)?;
    }
    Ok(socket)
}

/// Kernels count with signed numbers.
fn signed(bytes: u32) -> usize {
    let most = bytes.min(i32::MAX.unsigned_abs());
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// What a connected socket is told: small messages leave at once, dead peers are found out.
pub(super) fn tune(stream: &TcpStream, options: &TransportOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let kernel = SockRef::from(stream);
    if let Some(keep_alive) = options.keep_alive {
        // Kernels refuse zero.
        let seconds = |time: Duration| time.clamp(Duration::from_secs(1), MAX_KEEP_ALIVE);
        let keep_alive = TcpKeepalive::new()
            .with_time(seconds(keep_alive.idle))
            .with_interval(seconds(keep_alive.interval))
            .with_retries(keep_alive.probes.clamp(1, MAX_PROBES));
        kernel.set_tcp_keepalive(&keep_alive)?;
    }
    Ok(())
}

/// As [`tune`], for a connection that came in through a listener: what was chosen since that began to listen.
pub(super) fn tune_accepted(stream: &TcpStream, options: &TransportOptions) -> io::Result<()> {
    tune(stream, options)?;
    mark(
        &SockRef::from(stream),
        stream.local_addr()?.is_ipv4(),
        options,
    )
}

/// How packets are treated on their way, and how long one may go unanswered.
fn mark(kernel: &SockRef<'_>, is_ipv4: bool, options: &TransportOptions) -> io::Result<()> {
    if let Some(tos) = options.tos.map(u32::from) {
        if is_ipv4 {
            kernel.set_tos_v4(tos)?;
        } else {
            set_traffic_class(kernel, tos)?;
        }
    }
    if let Some(limit) = options.tcp_user_timeout {
        set_user_timeout(kernel, limit.max(Duration::from_millis(1)))?;
    }
    if let Some(priority) = options.priority {
        set_priority(kernel, priority)?;
    }
    if let Some(time) = options.busy_poll {
        let most = i32::MAX.unsigned_abs();
        set_busy_poll(
            kernel,
            u32::try_from(time.as_micros()).map_or(most, |time| time.min(most)),
        )?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::time::Duration;

    use socket2::SockRef;

    use super::Interface;

    pub(super) fn set_traffic_class(kernel: &SockRef<'_>, tos: u32) -> io::Result<()> {
        // An IPv4 peer of a dual-stack socket is served with the field of its own protocol.
        let _ = kernel.set_tos_v4(tos);
        kernel.set_tclass_v6(tos)
    }

    pub(super) fn set_user_timeout(kernel: &SockRef<'_>, limit: Duration) -> io::Result<()> {
        kernel.set_tcp_user_timeout(Some(limit))
    }

    pub(super) fn set_priority(kernel: &SockRef<'_>, priority: u32) -> io::Result<()> {
        kernel.set_priority(priority)
    }

    pub(super) fn set_busy_poll(kernel: &SockRef<'_>, microseconds: u32) -> io::Result<()> {
        kernel.set_busy_poll(microseconds)
    }

    pub(super) fn use_only(kernel: &SockRef<'_>, interface: &Interface) -> io::Result<()> {
        kernel.bind_device(Some(interface.as_str().as_bytes()))
    }
}

/// Elsewhere a connection is not refused for a wish of which the kernel has never heard, except for the one on which
/// secrecy may depend.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::time::Duration;

    use socket2::SockRef;

    use super::Interface;

    pub(super) fn set_traffic_class(_: &SockRef<'_>, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn set_user_timeout(_: &SockRef<'_>, _: Duration) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn set_priority(_: &SockRef<'_>, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn set_busy_poll(_: &SockRef<'_>, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn use_only(_: &SockRef<'_>, _: &Interface) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

use system::{set_busy_poll, set_priority, set_traffic_class, set_user_timeout, use_only};
