//! Peers that break the rules after the handshake.

use wirelark::{
    DisconnectReason, Event, Events, PeerAddress, PeerFault, ProtocolError, PullSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, wait_for};
use crate::scene::{self, Scene};

/// Why the connection with this peer ended.
pub(crate) async fn end(events: &mut Events, peer: &PeerAddress) -> DisconnectReason {
    let event = wait_for(
        events,
        |event| matches!(event, Event::Disconnected { peer: who, .. } if who.address() == peer),
    )
    .await;
    match event {
        Event::Disconnected { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// The rule that this peer broke.
pub(crate) async fn fault(events: &mut Events, peer: &PeerAddress) -> ProtocolError {
    match end(events, peer).await {
        DisconnectReason::Fault(PeerFault::Protocol(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// A PUSH that sends these bytes to a PULL, and the rule that it broke by them.
async fn broken_by(scene: &mut Scene<PullSocket>, bytes: &[u8]) -> ProtocolError {
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.try_send(bytes).await.ok();
    let fault = fault(&mut scene.events, &peer.address()).await;
    peer.expect_eof().await;
    fault
}

#[tokio::test]
async fn lengths_that_nobody_means() {
    const LIMIT: usize = 1 << 20;
    let mut scene = scene::pull_with(PullSocket::builder().max_message_size(LIMIT)).await;
    for (declared, expected) in [
        (1 << 63, ProtocolError::FrameLength { declared: 1 << 63 }),
        (u64::MAX, ProtocolError::FrameLength { declared: u64::MAX }),
        (
            (1 << 63) - 1,
            ProtocolError::MessageTooLarge {
                declared: (1 << 63) - 1,
                limit: LIMIT,
            },
        ),
        (
            LIMIT as u64 + 1,
            ProtocolError::MessageTooLarge {
                declared: LIMIT as u64 + 1,
                limit: LIMIT,
            },
        ),
    ] {
        let header = frames::long_header(0, declared);
        assert_eq!(broken_by(&mut scene, &header).await, expected);
    }
    // What two frames have together counts.
    let mut frames_together = frames::more(vec![7; LIMIT]);
    frames_together.extend(frames::last("x"));
    assert_eq!(
        broken_by(&mut scene, &frames_together).await,
        ProtocolError::MessageTooLarge {
            declared: LIMIT as u64 + 1,
            limit: LIMIT
        }
    );
    // The limit itself is fine.
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::last(vec![7; LIMIT])).await;
    assert_eq!(scene.stray().await.byte_len(), LIMIT);
    scene.unharmed().await;
}

/// The default limit, where only the header is ever sent.
#[tokio::test]
async fn a_message_above_the_default_limit() {
    let mut scene = scene::pull().await;
    let declared = (256 << 20) + 1;
    assert_eq!(
        broken_by(&mut scene, &frames::long_header(0, declared)).await,
        ProtocolError::MessageTooLarge {
            declared,
            limit: 256 << 20
        }
    );
    scene.unharmed().await;
}

/// Promises a quarter of a gigabyte and sends little: only what has arrived may cost memory.
#[tokio::test]
async fn a_large_message_that_never_comes() {
    let mut scene = scene::pull().await;
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
        peer.send(frames::long_header(0, 256 << 20)).await;
        peer.send([1; 10_000]).await;
        peers.push(peer);
    }
    scene.goes_on().await;
    drop(peers);
    scene.unharmed().await;
}

#[tokio::test]
async fn a_million_frames() {
    let mut scene = scene::pull().await;
    let endless = frames::more("").repeat(1_000_000);
    assert_eq!(
        broken_by(&mut scene, &endless).await,
        ProtocolError::TooManyFrames { limit: 8_192 }
    );
    // As many as allowed are fine.
    let mut many = frames::more("").repeat(8_191);
    many.extend(frames::last("end"));
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(many).await;
    assert_eq!(scene.stray().await.len(), 8_192);
    scene.unharmed().await;
}

#[tokio::test]
async fn flags_that_do_not_exist() {
    let mut scene = scene::pull().await;
    for flags in [0x08, 0x40, 0x80, 0xf9] {
        assert_eq!(
            broken_by(&mut scene, &[flags, 1, b'x']).await,
            ProtocolError::ReservedFlags { flags }
        );
    }
    assert_eq!(
        broken_by(&mut scene, &[0x05, 1, b'x']).await,
        ProtocolError::CommandWithMore
    );
    scene.unharmed().await;
}

#[tokio::test]
async fn commands_that_cannot_be_read() {
    let mut scene = scene::pull().await;
    for bytes in [&b"\x04\x00"[..], b"\x04\x03\x09PI", b"\x04\x06\x04PING\0"] {
        assert_matches!(
            broken_by(&mut scene, bytes).await,
            ProtocolError::MalformedCommand { .. }
        );
    }
    assert_matches!(
        broken_by(&mut scene, &frames::long_header(4, 1 << 30)).await,
        ProtocolError::CommandTooLarge { declared, .. } if declared == 1 << 30
    );
    // An unknown one is for later versions to know.
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::command("SPARKLE", "more")).await;
    peer.send(frames::last("still here")).await;
    assert_eq!(scene.stray().await.text(), "still here");
    scene.unharmed().await;
}

#[tokio::test]
async fn a_ping_is_answered_with_its_context() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    for context in [&b""[..], b"x", b"sixteen bytes :)"] {
        peer.send(frames::ping(context)).await;
        let frame = peer.frame().await;
        assert!(frame.is("PONG"), "{frame:?}");
        assert_eq!(&frame.body[5..], context);
    }
    let seventeen = frames::ping(b"seventeen bytes !");
    assert_matches!(
        broken_by(&mut scene, &seventeen).await,
        ProtocolError::MalformedCommand {
            command: "PING",
            ..
        }
    );
    scene.unharmed().await;
}

/// Faster than the answers are taken: nothing piles up, and the peer has to go.
#[tokio::test]
async fn a_flood_of_pings() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    let flood = frames::ping(b"are you there?").repeat(20_000);
    while peer.try_send(&flood).await.is_ok() {
        scene.goes_on().await;
    }
    assert_eq!(
        fault(&mut scene.events, &peer.address()).await,
        ProtocolError::PingFlood { limit: 1_024 }
    );
    scene.unharmed().await;
}

#[tokio::test]
async fn an_error_from_the_peer() {
    let mut scene = scene::pull().await;
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::error("had enough")).await;
    match end(&mut scene.events, &peer.address()).await {
        DisconnectReason::Fault(PeerFault::Refused { reason }) => assert_eq!(reason, "had enough"),
        other => panic!("{other:?}"),
    }
    peer.expect_eof().await;
    scene.unharmed().await;
}

/// Nothing of a message is delivered unless all of it is.
#[tokio::test]
async fn a_connection_that_ends_at_any_byte_of_a_message() {
    let mut scene = scene::pull().await;
    let whole = frames::message(["alpha", "", "omega"]);
    for cut in 1..whole.len() {
        let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
        peer.send(frames::last("before")).await;
        assert_eq!(scene.stray().await.text(), "before");
        peer.send(&whole[..cut]).await;
        let address = peer.address();
        if cut % 2 == 0 {
            peer.reset();
        } else {
            drop(peer);
        }
        assert_matches!(
            end(&mut scene.events, &address).await,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        );
    }
    // The same with a body that has a buffer of its own.
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::long_header(0, 1 << 20)).await;
    peer.send(vec![1; 1 << 19]).await;
    let address = peer.address();
    peer.reset();
    end(&mut scene.events, &address).await;
    scene.unharmed().await;
}

/// RFC 30: a PUSH has no use for what a peer sends.
#[tokio::test]
async fn data_to_a_push() {
    let mut scene = scene::push().await;
    let before = scene.socket.stats().dropped;
    let mut peer = RawPeer::established(&scene.endpoint, "PULL").await;
    peer.send(frames::last("unasked").repeat(100_000)).await;
    // An answer behind all of it proves that it has been read.
    peer.send(frames::ping(b"done")).await;
    loop {
        let frame = peer.frame().await;
        if frame.is("PONG") {
            break;
        }
        assert!(frame.body.starts_with(b"good "), "{frame:?}");
    }
    assert_eq!(scene.socket.stats().dropped - before, 100_000);
    scene.goes_on().await;
    scene.unharmed().await;
}

/// What has no delimiter is no request; it is dropped and counted, and the peer may stay.
#[tokio::test]
async fn requests_without_an_envelope() {
    let mut scene = scene::rep().await;
    let mut peer = RawPeer::established(&scene.endpoint, "REQ").await;
    peer.send(frames::last("no delimiter")).await;
    peer.send(frames::message(["no", "delimiter"])).await;
    peer.send(frames::last("")).await;
    peer.send(frames::message(["a", ""])).await;
    peer.send(frames::message(["far", "near", "", "body", ""]))
        .await;
    assert_eq!(
        peer.message().await,
        [&b"far"[..], b"near", b"", b"body", b""]
    );
    assert_eq!(scene.stray().await, wirelark::Message::from(["body", ""]));
    assert_eq!(scene.socket.stats().dropped, 4);
    scene.unharmed().await;
}

/// A peer may wait for each answer before it says anything else.
#[tokio::test]
async fn a_ping_is_answered_without_further_cause() {
    let scene = scene::pull().await;
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    soon(async {
        for _ in 0..100 {
            peer.send(frames::ping(b"?")).await;
            let answer = peer.frame().await;
            assert!(answer.is("PONG"), "{answer:?}");
        }
    })
    .await;
    scene.unharmed().await;
}
