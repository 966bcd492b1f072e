//! Peers of a ROUTER that call themselves what they should not, or more than fits.

use wirelark::{
    DealerSocket, DisconnectReason, Event, Identity, Message, PeerFault, ProtocolError,
    RouterSocket, SendToError,
};

use crate::kit::alone::is_alone;
use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, memory, soon, until, wait_for};
use crate::strangers::failure;
use crate::traffic::fault;

/// A ROUTER, and a good DEALER with a name.
struct Hall {
    router: RouterSocket,
    good: DealerSocket,
    endpoint: wirelark::Endpoint,
    events: wirelark::Events,
}

fn good() -> Identity {
    Identity::new("good").unwrap()
}

impl Hall {
    async fn open(router: RouterSocket) -> Self {
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let good = DealerSocket::builder().identity(good()).build();
        good.connect(&endpoint).unwrap();
        until(|| router.peers().len() == 1).await;
        let events = router.events();
        Self {
            router,
            good,
            endpoint,
            events,
        }
    }

    /// The good peer is still there, and still the one that is meant.
    async fn unharmed(self) {
        for number in 0..10 {
            let text = number.to_string();
            soon(self.router.send_to(&good(), text.as_str()))
                .await
                .unwrap();
            assert_eq!(soon(self.good.recv()).await.unwrap().text(), text);
            soon(self.good.send(text.as_str())).await.unwrap();
            let (peer, message) = soon(self.router.recv()).await.unwrap();
            assert_eq!((peer, message), (good(), Message::from(text)));
        }
        until(|| self.router.peers().len() == 1).await;
    }

    /// Somebody who calls himself so, and has not been answered yet.
    async fn caller(&self, identity: &str) -> RawPeer {
        let mut peer = RawPeer::connect(&self.endpoint).await;
        peer.greet().await;
        let properties = [("Socket-Type", "DEALER"), ("Identity", identity)];
        peer.send(frames::ready(&properties)).await;
        peer
    }

    /// Somebody who calls himself so, and has been let in.
    async fn stranger(&self, identity: &str) -> RawPeer {
        let mut peer = self.caller(identity).await;
        assert!(peer.frame().await.is("READY"));
        peer
    }
}

#[tokio::test]
async fn names_that_nobody_may_have() {
    let mut hall = Hall::open(RouterSocket::new()).await;
    for identity in ["\0", "\0abcd", &"x".repeat(256)] {
        let mut peer = hall.caller(identity).await;
        let reason = failure(&mut hall.events, &peer.address()).await;
        assert_matches!(
            reason,
            DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::MalformedCommand {
                command: "READY or INITIATE",
                ..
            }))
        );
        peer.expect_error().await;
        peer.expect_eof().await;
    }
    hall.unharmed().await;
}

/// Those that are just right: none, one byte, 255 bytes.
#[tokio::test]
async fn names_at_the_edge() {
    let hall = Hall::open(RouterSocket::new()).await;
    for identity in ["", "x", &"x".repeat(255)] {
        let mut peer = hall.stranger(identity).await;
        peer.send(frames::last("hello")).await;
        let (name, message) = soon(hall.router.recv()).await.unwrap();
        assert_eq!(message.text(), "hello");
        if identity.is_empty() {
            assert!(name.is_made_up());
        } else {
            assert_eq!(name.as_bytes(), identity);
        }
        soon(hall.router.send_to(&name, ["", "back"]))
            .await
            .unwrap();
        assert_eq!(peer.message().await, [&b""[..], b"back"]);
    }
    hall.unharmed().await;
}

#[tokio::test]
async fn a_thief_is_turned_away_and_leaves_nothing_behind() {
    let mut hall = Hall::open(RouterSocket::new()).await;
    for _ in 0..50 {
        let mut thief = hall.caller("good").await;
        let reason = failure(&mut hall.events, &thief.address()).await;
        assert_matches!(
            reason,
            DisconnectReason::IdentityTaken { ref identity, .. } if *identity == good()
        );
        // It was not told that this side is ready, and got nothing that is meant for the other.
        thief.expect_eof().await;
    }
    assert_eq!(hall.router.stats().handshakes_failed, 50);
    assert_eq!(hall.router.stats().connections, 1);
    hall.unharmed().await;
}

/// With handover whoever comes last has the name; who comes and goes takes nothing along.
#[tokio::test]
async fn a_crowd_that_takes_one_name() {
    let router = RouterSocket::builder().handover(true).build();
    let mut hall = Hall::open(router).await;
    let name = Identity::new("crowd").unwrap();
    let mut crowd = Vec::new();
    for number in 0..50 {
        let mut peer = hall.stranger("crowd").await;
        peer.send(frames::last(number.to_string())).await;
        let (who, message) = soon(hall.router.recv()).await.unwrap();
        assert_eq!((&who, message), (&name, number.to_string().into()));
        crowd.push(peer);
    }
    let mut last = crowd.pop().unwrap();
    for mut peer in crowd {
        peer.expect_eof().await;
    }
    soon(hall.router.send_to(&name, "for the last"))
        .await
        .unwrap();
    assert_eq!(last.message().await, [b"for the last"]);
    let address = last.address();
    last.reset();
    wait_for(
        &mut hall.events,
        |event| matches!(event, Event::Disconnected { peer, .. } if *peer.address() == address),
    )
    .await;
    let late = soon(hall.router.send_to(&name, "late")).await;
    assert_matches!(late, Err(SendToError::Unroutable { .. }));
    hall.unharmed().await;
}

#[tokio::test]
async fn an_envelope_of_more_frames_than_anybody_needs() {
    const LIMIT: usize = 100;
    let router = RouterSocket::builder().max_frames(LIMIT).build();
    let mut hall = Hall::open(router).await;
    let mut peer = hall.stranger("").await;
    let mut message = Vec::new();
    for _ in 0..LIMIT {
        message.extend(frames::more("x"));
    }
    message.extend(frames::last(""));
    peer.try_send(message).await.ok();
    assert_eq!(
        fault(&mut hall.events, &peer.address()).await,
        ProtocolError::TooManyFrames { limit: LIMIT }
    );
    hall.unharmed().await;
}

/// Nothing is kept of the name of somebody who has gone.
#[tokio::test]
async fn many_names_that_come_and_go() {
    if !is_alone("names::many_names_that_come_and_go") {
        return;
    }
    const ROUNDS: usize = 400;
    let hall = Hall::open(RouterSocket::new()).await;
    let before = memory::resident();
    for round in 0..ROUNDS {
        let name = format!("{round:0>255}");
        let mut peer = hall.stranger(&name).await;
        peer.send(frames::last("x")).await;
        let (name, _) = soon(hall.router.recv()).await.unwrap();
        drop(peer);
        until(|| hall.router.peers().len() == 1).await;
        let late = soon(hall.router.send_to(&name, "x")).await;
        assert_matches!(late, Err(SendToError::Unroutable { .. }));
    }
    let grown = memory::resident().saturating_sub(before);
    assert!(grown < 32 * 1024 * 1024, "{grown} bytes are left");
    hall.unharmed().await;
}
