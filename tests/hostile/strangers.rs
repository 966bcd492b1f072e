//! Whoever comes to the port by mistake or to look around: nobody gets past the handshake.

use std::time::{Duration, Instant};

use wirelark::{
    DisconnectReason, Event, Events, Incompatible, PeerAddress, PeerFault, ProtocolError,
    PullSocket, PushSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{DEADLINE, assert_matches, descriptors, frames, soon, wait_for};
use crate::scene;

/// Why the handshake with this peer failed.
pub(crate) async fn failure(events: &mut Events, peer: &PeerAddress) -> DisconnectReason {
    let event = wait_for(
        events,
        |event| matches!(event, Event::HandshakeFailed { address, .. } if address == peer),
    )
    .await;
    match event {
        Event::HandshakeFailed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// A peer that says `words` to a PULL and is hung up on, and the reason that is given.
async fn turned_away(words: &[u8]) -> DisconnectReason {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    peer.send(words).await;
    let reason = failure(&mut scene.events, &peer.address()).await;
    peer.rest().await;
    scene.unharmed().await;
    reason
}

fn not_zmtp(reason: &DisconnectReason) -> u8 {
    match reason {
        DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::NotZmtp { first })) => *first,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_browser() {
    let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:5555\r\nUser-Agent: Mozilla/5.0\r\n\r\n";
    let reason = turned_away(request).await;
    assert_eq!(not_zmtp(&reason), b'G');
    assert_eq!(
        reason.to_string(),
        "not a ZMTP peer: its first byte is 0x47, not 0xff"
    );
}

#[tokio::test]
async fn a_tls_hello() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(not_zmtp(&turned_away(hello).await), 0x16);
}

#[tokio::test]
async fn a_port_scan() {
    let mut scene = scene::pull().await;
    for _ in 0..20 {
        let peer = RawPeer::connect(&scene.endpoint).await;
        let address = peer.address();
        drop(peer);
        let reason = failure(&mut scene.events, &address).await;
        assert_matches!(
            reason,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        );
        let peer = RawPeer::connect(&scene.endpoint).await;
        let address = peer.address();
        peer.reset();
        let reason = failure(&mut scene.events, &address).await;
        assert_matches!(
            reason,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        );
    }
    assert_eq!(scene.socket.peers().len(), 1);
    assert_eq!(scene.socket.stats().handshakes_failed, 40);
    scene.unharmed().await;
}

/// A generator of bytes that is the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = 1 + self.next() % most;
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Noise instead of a greeting, after a greeting, and after a handshake.
#[tokio::test]
async fn random_bytes() {
    let mut scene = scene::rep().await;
    let mut noise = Noise(0x5eed_0001);
    for round in 0..90 {
        let mut peer = RawPeer::connect(&scene.endpoint).await;
        if round % 3 > 0 {
            peer.greet().await;
        }
        if round % 3 > 1 {
            peer.ready("REQ").await;
        }
        // It may be thrown out before it has finished.
        let sent = peer.try_send(noise.bytes(3_000)).await;
        let address = peer.address();
        if sent.is_err() || round % 2 == 0 {
            peer.reset();
        } else {
            drop(peer);
        }
        wait_for(&mut scene.events, |event| match event {
            Event::HandshakeFailed { .. } | Event::Disconnected { .. } => {
                event.address() == Some(&address)
            }
            _ => false,
        })
        .await;
    }
    scene.unharmed().await;
}

/// The same, from whom we have called: it is called again, and may be a good one then.
#[tokio::test]
async fn random_bytes_from_a_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(Duration::from_millis(1))
        .build();
    push.connect(listener.local_addr().unwrap()).unwrap();
    let mut noise = Noise(0x5eed_0002);
    for round in 0..90 {
        let mut server = RawPeer::accept(&listener).await;
        if round % 3 > 0 {
            server.greet().await;
        }
        if round % 3 > 1 {
            server.ready("PULL").await;
        }
        // It may hang up before it has heard all of it.
        let sent = server.try_send(noise.bytes(3_000)).await;
        if sent.is_err() || round % 2 == 0 {
            server.reset();
        }
    }
    let mut server = RawPeer::accept(&listener).await;
    server.greet().await;
    server.ready("PULL").await;
    soon(push.send("unharmed")).await.unwrap();
    assert_eq!(server.message().await, [b"unharmed"]);
}

#[tokio::test]
async fn half_a_greeting_and_silence() {
    let limit = Duration::from_millis(300);
    let mut scene = scene::pull_with(PullSocket::builder().handshake_timeout(limit)).await;
    let mut silent = RawPeer::connect(&scene.endpoint).await;
    let mut half = RawPeer::connect(&scene.endpoint).await;
    half.send(&frames::greeting(3, 1, "NULL")[..32]).await;
    let mut nearly = RawPeer::connect(&scene.endpoint).await;
    nearly.greet().await;
    for peer in [&mut silent, &mut half, &mut nearly] {
        peer.rest().await;
    }
    // One deadline for all, so the events may come in any order.
    let mut expected = vec![silent.address(), half.address(), nearly.address()];
    while !expected.is_empty() {
        let event = wait_for(&mut scene.events, |event| {
            matches!(event, Event::HandshakeFailed { .. })
        })
        .await;
        let Event::HandshakeFailed {
            address, reason, ..
        } = event
        else {
            panic!("{event:?}");
        };
        assert_matches!(reason, DisconnectReason::HandshakeTimeout { limit: l, .. } if l == limit);
        expected.retain(|other| *other != address);
    }
    scene.unharmed().await;
}

/// The same, where we are the ones who called.
#[tokio::test]
async fn a_server_that_says_nothing() {
    let limit = Duration::from_millis(100);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let push = PushSocket::builder()
        .handshake_timeout(limit)
        .reconnect_interval(Duration::from_millis(10))
        .build();
    let mut events = push.events();
    push.connect(listener.local_addr().unwrap()).unwrap();
    for _ in 0..3 {
        // It is called again after every disappointment.
        let mut silent = RawPeer::accept(&listener).await;
        let event = wait_for(&mut events, |event| {
            matches!(event, Event::HandshakeFailed { .. })
        })
        .await;
        assert_matches!(
            event,
            Event::HandshakeFailed { reason: DisconnectReason::HandshakeTimeout { limit: l, .. }, .. }
                if l == limit
        );
        silent.expect_greeting().await;
        silent.expect_eof().await;
    }
}

/// Every byte is a sign of life, but the deadline is for the whole handshake.
#[tokio::test]
async fn a_handshake_byte_by_byte_does_not_move_the_deadline() {
    let limit = Duration::from_millis(400);
    let mut scene = scene::pull_with(PullSocket::builder().handshake_timeout(limit)).await;
    let begun = Instant::now();
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut words = frames::greeting(3, 1, "NULL");
    words.extend(frames::ready(&[("Socket-Type", "PUSH")]));
    for byte in words {
        pace.tick().await;
        if peer.try_send([byte]).await.is_err() {
            break;
        }
    }
    let reason = failure(&mut scene.events, &peer.address()).await;
    assert_matches!(reason, DisconnectReason::HandshakeTimeout { .. });
    assert!(begun.elapsed() >= limit);
    assert_eq!(scene.socket.peers().len(), 1);
    scene.unharmed().await;
}

/// The same bytes one by one, but in time.
#[tokio::test]
async fn a_handshake_byte_by_byte_is_as_good_as_any() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    let mut words = frames::greeting(3, 1, "NULL");
    words.extend(frames::ready(&[("Socket-Type", "PUSH")]));
    words.extend(frames::message(["one", "", "two"]));
    for byte in words {
        peer.send([byte]).await;
        tokio::task::yield_now().await;
    }
    let stray = scene.stray().await;
    assert_eq!(stray, wirelark::Message::from(["one", "", "two"]));
    scene.unharmed().await;
}

#[tokio::test]
async fn peers_of_zmtp_1_and_2() {
    let version = |reason: &DisconnectReason| match reason {
        DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::Version {
            major,
            minor,
        })) => (*major, *minor),
        other => panic!("{other:?}"),
    };
    // An anonymous 1.0 peer begins with its empty identity.
    let reason = turned_away(b"\x01\x00\x05\x00work").await;
    assert_eq!(version(&reason), (1, 0));
    let reason = turned_away(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08").await;
    assert_eq!(version(&reason), (2, 0));
    assert_eq!(
        reason.to_string(),
        "the peer speaks ZMTP 2.0; 3.0 is the oldest that is accepted"
    );
}

#[tokio::test]
async fn later_versions_are_welcome() {
    let mut scene = scene::pull().await;
    for (major, minor) in [(3, 0), (3, 2), (4, 0), (255, 255)] {
        let mut peer = RawPeer::connect(&scene.endpoint).await;
        peer.send(frames::greeting(major, minor, "NULL")).await;
        peer.expect_greeting().await;
        peer.ready("PUSH").await;
        peer.send(frames::last("hello")).await;
        assert_eq!(scene.stray().await.text(), "hello");
    }
    scene.unharmed().await;
}

#[tokio::test]
async fn another_mechanism() {
    let reason = turned_away(&frames::greeting(3, 1, "CURVE")).await;
    match reason {
        DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::Mechanism {
            ours,
            theirs,
        })) => assert_eq!((ours, theirs.as_str()), ("NULL", "CURVE")),
        other => panic!("{other:?}"),
    }
}

/// The peer is told why before the connection ends.
#[tokio::test]
async fn another_socket_type() {
    let mut scene = scene::pull().await;
    for theirs in ["PULL", "REQ", "SUB", "NONSENSE"] {
        let mut peer = RawPeer::connect(&scene.endpoint).await;
        peer.greet().await;
        peer.send(frames::ready(&[("Socket-Type", theirs)])).await;
        let mut frame = peer.frame().await;
        if frame.is("READY") {
            frame = peer.frame().await;
        }
        assert!(frame.is("ERROR"), "{frame:?}");
        let reason = String::from_utf8_lossy(&frame.body[7..]).into_owned();
        let expected = format!("the peer is a {theirs} socket, which cannot talk to PULL");
        assert_eq!(reason, expected);
        peer.expect_eof().await;
        let reason = failure(&mut scene.events, &peer.address()).await;
        assert_eq!(reason.to_string(), expected);
        assert_matches!(
            reason,
            DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::SocketType { .. }))
        );
    }
    scene.unharmed().await;
}

#[tokio::test]
async fn a_message_before_the_handshake() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    peer.greet().await;
    peer.send(frames::last("too early")).await;
    let reason = failure(&mut scene.events, &peer.address()).await;
    assert_matches!(reason, DisconnectReason::Fault(PeerFault::Protocol(_)));
    scene.unharmed().await;
}

#[tokio::test]
async fn a_peer_that_refuses_us_in_the_handshake() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::connect(&scene.endpoint).await;
    peer.greet().await;
    peer.send(frames::error("not \x07you")).await;
    match failure(&mut scene.events, &peer.address()).await {
        DisconnectReason::Fault(PeerFault::Refused { reason }) => assert_eq!(reason, "not ?you"),
        other => panic!("{other:?}"),
    }
    scene.unharmed().await;
}

/// More strangers than a listener is willing to wait for: the oldest have to go, and an honest
/// newcomer is let in all the same.
#[tokio::test]
async fn a_crowd_of_unfinished_handshakes() {
    const KEPT: usize = 1_024;
    // Both ends are here, and other tests beside them.
    if !descriptors::are_enough(3 * KEPT as u64) {
        return;
    }
    // The first one is to go for the crowd, not for the time that it takes to gather.
    let patient = PullSocket::builder().handshake_timeout(20 * DEADLINE);
    let mut scene = scene::pull_with(patient).await;
    let mut first = RawPeer::connect(&scene.endpoint).await;
    // Its session must be there first: its greeting says so.
    first.expect_greeting().await;
    let mut crowd = Vec::new();
    for _ in 0..KEPT + 10 {
        crowd.push(RawPeer::connect(&scene.endpoint).await);
    }
    match failure(&mut scene.events, &first.address()).await {
        DisconnectReason::Crowded { limit, .. } => assert_eq!(limit, KEPT),
        other => panic!("{other:?}"),
    }
    first.expect_eof().await;
    let mut honest = RawPeer::established(&scene.endpoint, "PUSH").await;
    honest.send(frames::last("made it")).await;
    assert_eq!(scene.stray().await.text(), "made it");
    soon(scene.goes_on()).await;
    drop(crowd);
    scene.unharmed().await;
}
