//! Who sent a message: what is known of the sender, and what it says of itself.

use wirelark::{
    DealerSocket, Identity, Message, Metadata, MetadataError, Peer, PubSocket, PullSocket,
    PushSocket, RepSocket, ReqSocket, RouterSocket, SocketType, SubSocket, TryRecvError,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_message_comes_with_its_peer,
    a_peer_is_known_after_it_has_left,
    a_subscriber_knows_its_publisher,
    a_request_knows_its_asker,
    a_router_knows_whom_it_names,
    claims_do_not_touch_what_is_known,
    a_peer_tells_when_something_last_passed,
);

fn room(peer: &Peer) -> String {
    let room = peer.claims().property("x-room").unwrap();
    String::from_utf8_lossy(room).into_owned()
}

async fn a_message_comes_with_its_peer(transport: Transport) {
    let pull = PullSocket::new();
    assert_matches!(pull.try_recv_from(), Err(TryRecvError::Empty));
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let rooms = ["attic", "cellar", "hall"];
    let mut pushes = Vec::new();
    for room in rooms {
        let builder = PushSocket::builder().metadata(Metadata::new().with("X-Room", room).unwrap());
        let push = builder.build();
        push.connect(&endpoint).unwrap();
        for _ in 0..5 {
            soon(push.send(room)).await.unwrap();
        }
        pushes.push(push);
    }
    let mut peers = Vec::new();
    for number in 0..15 {
        let (peer, message) = if number % 2 == 0 {
            soon(pull.recv_from()).await.unwrap()
        } else {
            until(|| pull.stats().received.messages == 15).await;
            pull.try_recv_from().unwrap()
        };
        assert_eq!(message.text(), room(&peer));
        assert_eq!(peer.socket_type(), SocketType::Push);
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    assert_eq!(peers.len(), 3);
    for shown in pull.peers() {
        assert!(peers.contains(&shown.peer));
    }
}

async fn a_peer_is_known_after_it_has_left(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::builder()
        .metadata(Metadata::new().with("X-Room", "cellar").unwrap())
        .build();
    push.connect(&endpoint).unwrap();
    soon(push.send("last words")).await.unwrap();
    soon(push.close()).await;
    until(|| pull.peers().is_empty() && pull.stats().received.messages == 1).await;
    let (peer, message) = soon(pull.recv_from()).await.unwrap();
    assert_eq!(message.text(), "last words");
    assert_eq!(room(&peer), "cellar");
    assert_eq!(*peer.endpoint(), endpoint);
}

async fn a_subscriber_knows_its_publisher(transport: Transport) {
    let publisher = PubSocket::builder()
        .metadata(Metadata::new().with("X-Room", "studio").unwrap())
        .build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    soon(publisher.send("b, which nobody wants")).await.unwrap();
    soon(publisher.send("a")).await.unwrap();
    let (peer, message) = soon(subscriber.recv_from()).await.unwrap();
    assert_eq!(message.text(), "a");
    assert_eq!(peer.socket_type(), SocketType::Pub);
    assert_eq!(room(&peer), "studio");
}

async fn a_request_knows_its_asker(transport: Transport) {
    let rep = RepSocket::builder()
        .metadata(Metadata::new().with("X-Room", "pantry").unwrap())
        .build();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::builder()
        .identity(Identity::new("asker 7").unwrap())
        .metadata(Metadata::new().with("X-Room", "kitchen").unwrap())
        .build();
    req.connect(&endpoint).unwrap();
    soon(req.send("who am I?")).await.unwrap();
    let request = soon(rep.recv()).await.unwrap();
    assert_eq!(request.peer().claims().identity(), "asker 7");
    assert_eq!(room(request.peer()), "kitchen");
    assert_eq!(*request.peer(), rep.peers().remove(0).peer);
    soon(request.reply("the asker")).await.unwrap();
    let (server, answer) = soon(req.recv_from()).await.unwrap();
    assert_eq!(answer, "the asker");
    assert_eq!(room(&server), "pantry");
    assert_eq!(server.claims().property("X-Cellar"), None);
}

async fn a_router_knows_whom_it_names(transport: Transport) {
    let router = RouterSocket::new();
    assert_matches!(router.try_recv_from(), Err(TryRecvError::Empty));
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = DealerSocket::builder()
        .identity(Identity::new("ada").unwrap())
        .metadata(Metadata::new().with("X-Room", "attic").unwrap())
        .build();
    ada.connect(&endpoint).unwrap();
    for text in ["one", "two"] {
        soon(ada.send(text)).await.unwrap();
    }
    let (peer, message) = soon(router.recv_from()).await.unwrap();
    assert_eq!(message, "one");
    assert_eq!(
        (room(&peer).as_str(), peer.socket_type()),
        ("attic", SocketType::Dealer)
    );
    until(|| router.stats().received.messages == 2).await;
    let (again, message) = router.try_recv_from().unwrap();
    assert_eq!((again, message), (peer.clone(), Message::from("two")));
    let name = peer.known_as().unwrap();
    soon(router.send_to(name, "three")).await.unwrap();
    assert_eq!(soon(ada.recv_from()).await.unwrap().1, "three");
}

/// A name that means something is not the application's to give.
async fn claims_do_not_touch_what_is_known(transport: Transport) {
    for name in ["Socket-Type", "Identity", "Peer-Address", "User-Id"] {
        let refused = Metadata::new().with(name, "SERVER");
        assert_matches!(refused, Err(MetadataError::Reserved { .. }));
    }
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::builder()
        .metadata(
            Metadata::new()
                .with("X-Peer-Address", "tcp://192.0.2.1:1")
                .unwrap(),
        )
        .build();
    push.connect(&endpoint).unwrap();
    soon(push.send("x")).await.unwrap();
    let (peer, _) = soon(pull.recv_from()).await.unwrap();
    assert!(!peer.address().to_string().contains("192.0.2.1"));
    let names: Vec<&str> = peer.claims().properties().map(|(name, _)| name).collect();
    assert_eq!(names, ["X-Peer-Address"]);
    assert_eq!(peer.claims().property("Socket-Type"), None);
}

async fn a_peer_tells_when_something_last_passed(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    until(|| rep.peers().len() == 1 && req.peers().len() == 1).await;
    let (asker, server) = (rep.peers().remove(0).peer, req.peers().remove(0).peer);
    let ask = async || {
        soon(req.send("?")).await.unwrap();
        let request = soon(rep.recv()).await.unwrap();
        soon(request.reply("!")).await.unwrap();
        soon(req.recv()).await.unwrap();
    };
    ask().await;
    let first = (asker.last_received(), server.last_received());
    if transport == Transport::Inproc {
        // There are no bytes, and nothing is timed.
        assert_eq!(first, (None, None));
        return;
    }
    ask().await;
    for (peer, first) in [(asker, first.0), (server, first.1)] {
        assert!(first.unwrap() >= peer.connected_at());
        assert!(peer.last_received() > first, "{peer:?}");
        until(|| peer.last_sent().is_some()).await;
        assert!(peer.last_sent().unwrap() >= peer.connected_at());
    }
}
