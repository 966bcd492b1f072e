//! Heartbeats of ours, as a scripted peer sees them.

use std::thread;
use std::time::Duration;

use futures::future::join_all;
use wirelark::{AnySocket, DisconnectReason, Event, Heartbeat, PeerFault, PullSocket, SocketType};

use crate::kit::raw::RawPeer;
use crate::kit::{DEADLINE, assert_matches, beats_on, frames, soon, until, wait_for};
use crate::transport::Transport;

fn quick() -> Heartbeat {
    Heartbeat::every(Duration::from_millis(20)).unwrap()
}

/// One of each family, in both directions; and both transports that have bytes.
fn couples() -> Vec<(Transport, [SocketType; 2])> {
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub};
    let families = [[Dealer, Router], [Req, Rep], [Pull, Push], [Sub, Pub]];
    let turned = families.map(|[one, other]| [other, one]);
    let all = families.into_iter().chain(turned).chain([[Pair, Pair]]);
    let transports = [Transport::Tcp, Transport::Ipc];
    all.flat_map(|couple| transports.map(|transport| (transport, couple)))
        .collect()
}

fn beating(socket_type: SocketType, heartbeat: Heartbeat) -> AnySocket {
    let builder = AnySocket::builder(socket_type).heartbeat(heartbeat);
    builder.build().unwrap()
}

/// PING with its time to live and context, as often as nothing else is to be done; to a peer
/// of ZMTP 3.0, too.
#[tokio::test]
async fn pings_say_what_was_chosen() {
    let heartbeat = quick()
        .with_timeout(Duration::from_secs(30))
        .with_ttl(Duration::from_millis(2_590))
        .unwrap()
        .with_context("who is there")
        .unwrap();
    let pull = PullSocket::builder().heartbeat(heartbeat).build();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    for minor in [0, 1] {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(frames::greeting(3, minor, "NULL")).await;
        peer.expect_greeting().await;
        peer.ready("PUSH").await;
        for _ in 0..3 {
            let frame = peer.frame().await;
            assert!(frame.is("PING"), "{frame:?}");
            assert_eq!(frame.body, b"\x04PING\x00\x19who is there");
        }
    }
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let pull = PullSocket::builder().heartbeat(quick()).build();
    let mut events = pull.events();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::established(&endpoint, "PUSH").await;
    let gone = |event: &Event| matches!(event, Event::Disconnected { .. });
    let event = wait_for(&mut events, gone).await;
    assert_matches!(
        event,
        Event::Disconnected { reason: DisconnectReason::Fault(PeerFault::Silent { waited }), .. }
            if waited == Duration::from_millis(20)
    );
    let rest = peer.rest().await;
    assert!(rest.starts_with(b"\x04\x07\x04PING\x00\x00"), "{rest:?}");
}

/// A peer that answers, or one that sends anything else, lives. So it does where the session comes to hear of it
/// only when time is up, because somebody else has kept the thread.
#[tokio::test]
async fn whoever_is_heard_lives() {
    let timeout = Duration::from_secs(2);
    let pull = PullSocket::builder()
        .heartbeat(quick().with_timeout(timeout))
        .build();
    let mut events = pull.events();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let whole = frames::last("here");
    let (begun, rest) = whole.split_at(1);
    let signs = [&frames::command("PONG", b""), &frames::ping(b""), begun];
    let mut peers = Vec::new();
    for sign in signs {
        peers.push((RawPeer::established(&endpoint, "PUSH").await, sign));
    }
    for (peer, _) in &mut peers {
        assert!(peer.frame().await.is("PING"));
    }
    for (peer, sign) in &mut peers {
        peer.send(sign).await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "it blocks a runtime worker, as careless programs do"
    )]
    thread::sleep(timeout + timeout / 10);
    for (peer, sign) in &mut peers {
        let rest = if *sign == begun { rest } else { b"" };
        peer.send([rest, &frames::ping(b"last")].concat()).await;
        while peer.frame().await.body != b"\x04PONGlast" {}
    }
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "here");
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
    }
}

/// A change is for the connections to come.
#[tokio::test]
async fn heartbeats_can_be_turned_on_later() {
    let pull = PullSocket::new();
    let mut events = pull.events();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut old = RawPeer::established(&endpoint, "PUSH").await;
    wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    pull.options()
        .set_heartbeat(quick().with_timeout(Duration::from_secs(30)));
    let mut new = RawPeer::established(&endpoint, "PUSH").await;
    for _ in 0..5 {
        assert!(new.frame().await.is("PING"));
    }
    // The first thing that the old one hears is the answer to what it asks.
    old.send(frames::ping(b"me")).await;
    assert!(old.frame().await.is("PONG"));
}

/// Each of them answers by itself, without its user, and the answers are all that is heard from it.
#[tokio::test]
async fn every_type_answers_by_itself() {
    let couples = couples();
    let answers = couples
        .into_iter()
        .map(async |(transport, [asks, answers])| {
            let asks = beating(asks, quick().with_timeout(2 * DEADLINE));
            let mut events = asks.events();
            let endpoint = asks.bind(transport.anywhere()).await.unwrap();
            let answers = AnySocket::new(answers);
            answers.connect(&endpoint).unwrap();
            until(|| asks.peers().len() == 1 && answers.peers().len() == 1).await;
            let peer = asks.peers().remove(0).peer;
            beats_on(&peer, &mut events).await;
            assert_eq!(asks.stats().received.messages, 0);
        });
    join_all(answers).await;
}

/// It says that it will be heard from in less time than it takes to be heard from again.
#[tokio::test]
async fn a_peer_is_given_up_after_its_own_time_to_live() {
    let ttl = Duration::from_millis(100);
    let couples = couples();
    let ends = couples.into_iter().map(async |(transport, [promises, believes])| {
        let believes = AnySocket::new(believes);
        let mut events = believes.events();
        let endpoint = believes.bind(transport.anywhere()).await.unwrap();
        let heartbeat = Heartbeat::every(4 * ttl).unwrap();
        let heartbeat = heartbeat.with_timeout(2 * DEADLINE).with_ttl(ttl).unwrap();
        let promises = beating(promises, heartbeat);
        promises.connect(&endpoint).unwrap();
        let gone = |event: &Event| matches!(event, Event::Disconnected { .. });
        assert_matches!(
            wait_for(&mut events, gone).await,
            Event::Disconnected { reason: DisconnectReason::Fault(PeerFault::Silent { waited }), .. }
                if waited == ttl
        );
    });
    join_all(ends).await;
}
