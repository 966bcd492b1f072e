//! More peers than a socket may have: those who are there go on, and a leaver makes room.

use wirelark::{DisconnectReason, Event, PeerAddress, PullSocket, PushSocket, RouterSocket};

use crate::kit::raw::RawPeer;
use crate::kit::{frames, soon, wait_for};
use crate::scene::{self, Scene};
use crate::strangers::failure;

/// It was turned away for this limit, and has heard nothing.
async fn is_turned_away(scene: &mut Scene<PullSocket>, mut peer: RawPeer, most: usize) {
    peer.expect_eof().await;
    match failure(&mut scene.events, &peer.address()).await {
        DisconnectReason::TooManyPeers { limit, .. } => assert_eq!(limit, most),
        other => panic!("{other:?}"),
    }
}

async fn has_left(scene: &mut Scene<PullSocket>, peer: &PeerAddress) {
    wait_for(
        &mut scene.events,
        |event| matches!(event, Event::Disconnected { peer: left, .. } if left.address() == peer),
    )
    .await;
}

#[tokio::test]
async fn one_more_is_turned_away_until_somebody_leaves() {
    const MOST: usize = 3;
    let mut scene = scene::pull_with(PullSocket::builder().max_peers(MOST)).await;
    // The good one is the third.
    let leaver = RawPeer::established(&scene.endpoint, "PUSH").await;
    let mut stayer = RawPeer::established(&scene.endpoint, "PUSH").await;
    for _ in 0..3 {
        let late = RawPeer::connect(&scene.endpoint).await;
        is_turned_away(&mut scene, late, MOST).await;
    }
    let stats = scene.socket.stats();
    assert_eq!((stats.connections, stats.handshakes_failed), (3, 3));
    scene.goes_on().await;
    stayer.send(frames::last("still here")).await;
    assert_eq!(scene.stray().await.text(), "still here");

    let address = leaver.address();
    drop(leaver);
    has_left(&mut scene, &address).await;
    let mut next = RawPeer::established(&scene.endpoint, "PUSH").await;
    next.send(frames::last("in its place")).await;
    assert_eq!(scene.stray().await.text(), "in its place");
    let late = RawPeer::connect(&scene.endpoint).await;
    is_turned_away(&mut scene, late, MOST).await;
    assert_eq!(scene.socket.peers().len(), MOST);
    scene.unharmed().await;
}

/// No handshake is begun for one that is too many: nothing is told of it but its end.
#[tokio::test]
async fn a_full_socket_is_told_of_each_once() {
    let pull = PullSocket::builder().max_peers(0).build();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut events = pull.events();
    for _ in 0..20 {
        RawPeer::connect(&endpoint).await.expect_eof().await;
        let event = soon(events.next()).await.unwrap();
        assert_eq!(
            event.to_string().split("failed: ").nth(1),
            Some("this socket accepts nobody beyond 0 peers"),
            "{event:?}"
        );
    }
    assert!(events.try_next().is_none());
    assert_eq!(pull.stats().handshakes_failed, 20);
}

/// Many may be shaking hands when there is room for one: the first to be through has it. No ERROR is said, which
/// would forbid the others to come again.
#[tokio::test]
async fn handshakes_under_way_take_no_place() {
    const MOST: usize = 2;
    let mut scene = scene::pull_with(PullSocket::builder().max_peers(MOST)).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut peer = RawPeer::connect(&scene.endpoint).await;
        peer.greet().await;
        waiting.push(peer);
    }
    let mut first = waiting.pop().unwrap();
    first.ready("PUSH").await;
    first.send(frames::last("first")).await;
    assert_eq!(scene.stray().await.text(), "first");
    for mut late in waiting {
        late.send(frames::ready(&[("Socket-Type", "PUSH")])).await;
        is_turned_away(&mut scene, late, MOST).await;
    }
    scene.unharmed().await;
}

/// Whom the program chose is not refused, but counts.
#[tokio::test]
async fn own_connections_are_not_refused() {
    let router = RouterSocket::builder().max_peers(1).build();
    let mut events = router.events();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let others = [RouterSocket::new(), RouterSocket::new()];
    for other in &others {
        router
            .connect(other.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    }
    RawPeer::connect(&endpoint).await.expect_eof().await;
    assert_eq!(router.peers().len(), 2);
    router.options().set_max_peers(None);
    let _stranger = RawPeer::established(&endpoint, "DEALER").await;
    wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    assert_eq!(router.peers().len(), 3);
}

/// Those in the process are the program's own.
#[cfg(feature = "inproc")]
#[tokio::test]
async fn the_process_itself_is_not_refused() {
    let pull = PullSocket::builder().max_peers(0).build();
    pull.bind("inproc://full-house").await.unwrap();
    let push = PushSocket::new();
    push.connect("inproc://full-house").unwrap();
    soon(push.send("hello")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
}

/// The same over ipc, where a peer has no address.
#[cfg(all(unix, feature = "ipc"))]
#[tokio::test]
async fn one_too_many_dials_again_over_ipc() {
    let pull = PullSocket::builder().max_peers(1).build();
    let mut events = pull.events();
    let endpoint = pull.bind("ipc://*").await.unwrap();
    let first = PushSocket::new();
    first.connect(&endpoint).unwrap();
    soon(first.send("first")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "first");
    let second = PushSocket::new();
    second.connect(&endpoint).unwrap();
    soon(second.send("second")).await.unwrap();
    wait_for(&mut events, |event| {
        matches!(
            event,
            Event::HandshakeFailed {
                reason: DisconnectReason::TooManyPeers { .. },
                ..
            }
        )
    })
    .await;
    soon(first.close()).await;
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "second");
}
