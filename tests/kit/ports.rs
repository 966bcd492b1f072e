//! Ports of this host for tests that must know the port before anybody listens there.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes ports for outgoing connections, so that none of
/// those can take it away, or connect to itself. What `support` gives to programs lies above it.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// A port that nobody uses and that no other test of this process gets.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes at once start at different places.
    let start = (std::process::id() * 131 % u32::from(COUNT)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
