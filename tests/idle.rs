//! What a peer costs that is connected and says nothing. The only test of its process, so that nothing else
//! is resident than what it looks at.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(unused_imports, unused_macros, reason = "others use the rest")]
#[path = "kit/mod.rs"]
mod kit;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use kit::{descriptors, frames, memory, until};
use wirelark::RouterSocket;

/// The first few pay for what all share.
const FIRST: usize = 40;
const PEERS: usize = 400;

/// Two for each, and those of the process.
const DESCRIPTORS: u64 = 2 * (FIRST + PEERS) as u64 + 100;

/// In bytes. Some 4 KiB, and room for what the allocator does with them.
const MOST: u64 = 6 * 1024;

/// A connection past the handshake that costs next to nothing at its own end.
fn silent_peer(port: u16) -> TcpStream {
    let mut peer = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    peer.write_all(&frames::greeting(3, 1, "NULL")).unwrap();
    let ready = frames::ready(&[("Socket-Type", "DEALER")]);
    peer.write_all(&ready).unwrap();
    let mut opening = [0; 66];
    peer.read_exact(&mut opening).unwrap();
    let mut ready = vec![0; usize::from(opening[65])];
    peer.read_exact(&mut ready).unwrap();
    peer
}

async fn silent_peers(count: usize, port: u16) -> Vec<TcpStream> {
    let connect = move || (0..count).map(|_| silent_peer(port)).collect();
    tokio::task::spawn_blocking(connect).await.unwrap()
}

#[tokio::test]
async fn a_peer_that_says_nothing_costs_little() {
    if !descriptors::are_enough(DESCRIPTORS) {
        return;
    }
    let router = RouterSocket::new();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let port = endpoint.port().unwrap();
    let first = silent_peers(FIRST, port).await;
    until(|| router.peers().len() == FIRST).await;
    let before = memory::resident();
    let others = silent_peers(PEERS, port).await;
    until(|| router.peers().len() == FIRST + PEERS).await;
    let grown = memory::resident().saturating_sub(before);
    let each = grown / PEERS as u64;
    assert!(each <= MOST, "{each} bytes for each of {PEERS} peers");
    drop((first, others));
}
