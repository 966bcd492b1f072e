//! What pyzmq sees of us beside a message, and what we see of pyzmq: socket type, identity, address,
//! and the applications' own properties.

use crate::support::{Link, Place, Python, assert_same, within};
use wirelark::{
    DisconnectReason, Event, Events, Identity, Metadata, PeerAddress, PullSocket, PushSocket,
    RepSocket, ReqSocket, SocketType,
};

on_every_link!(
    pyzmq_sees_what_we_tell,
    we_see_what_pyzmq_tells,
    identities_go_both_ways,
);

on_every_transport!(a_dump_of_properties_is_refused);

async fn pyzmq_sees_what_we_tell(link: Link) {
    let Some(python) = Python::find() else { return };
    let push = PushSocket::builder()
        .metadata(
            Metadata::new()
                .with("X-Room", "cellar")
                .unwrap()
                .with("X-Empty", "")
                .unwrap(),
        )
        .build();
    let mut pull = python.peer("PULL").await;
    link.join(&push, &mut pull).await;
    within(push.send("hello")).await.unwrap();
    assert_same(&pull.recv().await, &"hello".into());
    assert_eq!(pull.property("Socket-Type").await, "PUSH");
    assert_eq!(pull.property("X-Room").await, "cellar");
    assert_eq!(pull.property("X-Empty").await, "");
    let address = pull.property("Peer-Address").await;
    match push.peers().remove(0).peer.local_address() {
        // libzmq tells no port.
        Some(own) => assert_eq!(address, own.ip().to_string()),
        None => assert!(!address.is_empty()),
    }
    within(push.close()).await;
}

async fn we_see_what_pyzmq_tells(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pull, mut push) = (PullSocket::new(), python.peer("PUSH").await);
    push.set("METADATA", "X-Room:attic").await;
    link.join(&pull, &mut push).await;
    push.send("hello").await;
    let (peer, message) = within(pull.recv_from()).await.unwrap();
    assert_same(&message, &"hello".into());
    assert_eq!(peer.socket_type(), SocketType::Push);
    assert_eq!(peer.protocol(), Some((3, 1)));
    let properties: Vec<_> = peer.claims().properties().collect();
    assert_eq!(properties, [("X-Room", &b"attic"[..])]);
    assert!(peer.claims().identity().is_empty());
    match peer.address() {
        PeerAddress::Tcp(address) => assert!(address.ip().is_loopback()),
        PeerAddress::Ipc { pid, .. } => assert_eq!(*pid, Some(push.process())),
        other => panic!("{other:?}"),
    }
    within(pull.close()).await;
}

async fn identities_go_both_ways(link: Link) {
    let Some(python) = Python::find() else { return };
    let (rep, mut req) = (RepSocket::new(), python.peer("REQ").await);
    req.set("ROUTING_ID", "asker-7").await;
    link.join(&rep, &mut req).await;
    req.send("who am I?").await;
    let request = within(rep.recv()).await.unwrap();
    assert_eq!(request.peer().claims().identity(), "asker-7");
    within(request.reply("the asker")).await.unwrap();
    assert_same(&req.recv().await, &"the asker".into());
    within(rep.close()).await;

    let req = ReqSocket::builder()
        .identity(Identity::new("asker 8").unwrap())
        .build();
    let mut rep = python.peer("REP").await;
    link.join(&req, &mut rep).await;
    within(req.send("who am I?")).await.unwrap();
    assert_same(&rep.recv().await, &"who am I?".into());
    assert_eq!(rep.property("Identity").await, "asker 8");
    within(req.close()).await;
}

async fn end(events: &mut Events) -> DisconnectReason {
    loop {
        match within(events.next()).await.unwrap() {
            Event::HandshakeFailed { reason, .. } => return reason,
            Event::Ready { .. } => panic!("let in"),
            _ => {}
        }
    }
}

/// What pyzmq claims meets our limits like anybody else's.
async fn a_dump_of_properties_is_refused(place: Place) {
    let Some(python) = Python::find() else { return };
    let pull = PullSocket::new();
    let mut events = pull.events();
    let endpoint = within(pull.bind(place.any_endpoint().as_str()))
        .await
        .unwrap();
    let mut push = python.peer("PUSH").await;
    for number in 0..20 {
        push.set("METADATA", &format!("X-{number}:x")).await;
    }
    push.connect(&endpoint.to_string()).await;
    let reason = end(&mut events).await.to_string();
    assert!(reason.contains("16"), "{reason}");
}
