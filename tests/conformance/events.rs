//! What can be seen of a socket from outside: events, counters, peers.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use wirelark::{
    DisconnectReason, Event, Events, Identity, Incompatible, PeerAddress, PeerFault, PubSocket,
    PullSocket, PushSocket, RepSocket, ReqSocket, SocketType, SubSocket,
};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    the_binding_side_is_told,
    peers_are_described,
    everything_is_counted,
    sockets_that_cannot_talk_are_told,
    queues_are_seen_peer_by_peer,
);

/// The names of the events up to the one called `last`.
async fn names(events: &mut Events, last: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    while names.last().is_none_or(|name| name != last) {
        let event = soon(events.next()).await.unwrap();
        let name = format!("{event:?}");
        names.push(name.split(' ').next().unwrap().to_owned());
    }
    names
}

async fn the_binding_side_is_told(transport: Transport) {
    let pull = PullSocket::new();
    let mut events = pull.events();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    soon(push.send("x")).await.unwrap();
    soon(pull.recv()).await.unwrap();
    soon(push.close()).await;
    let seen = names(&mut events, "Disconnected").await;
    soon(pull.close()).await;
    let after = names(&mut events, "Closed").await;
    if transport == Transport::Inproc {
        // There is no connection to accept.
        assert_eq!(seen, ["Listening", "Ready", "Disconnected"]);
    } else {
        assert_eq!(seen, ["Listening", "Accepted", "Ready", "Disconnected"]);
    }
    assert_eq!(after, ["Closed"]);
    assert!(soon(events.next()).await.is_none());
}

#[tokio::test]
async fn the_connecting_side_is_told() {
    let place = Transport::Tcp.somewhere();
    let push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(10))
        .build();
    let mut events = push.events();
    let endpoint = push.connect(&place).unwrap();
    let first = soon(events.next()).await.unwrap();
    assert_eq!(first.endpoint(), Some(&endpoint));
    assert_matches!(first, Event::Connecting { .. });
    match soon(events.next()).await.unwrap() {
        Event::ConnectFailed {
            endpoint: named,
            error,
            ..
        } => {
            assert_eq!(named, endpoint);
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    wait_for(&mut events, |event| {
        matches!(event, Event::Connected { .. })
    })
    .await;
    match soon(events.next()).await.unwrap() {
        Event::Ready { peer, .. } => {
            assert_eq!(*peer.endpoint(), endpoint);
            assert_eq!(peer.address().to_string(), place);
            assert_eq!(peer.socket_type(), SocketType::Pull);
            assert!(peer.claims().identity().is_empty());
        }
        other => panic!("{other:?}"),
    }
    soon(pull.close()).await;
    assert_eq!(
        names(&mut events, "Redialing").await,
        ["Disconnected", "Redialing"]
    );
    // It is found again, and is told in the same words.
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    let again = names(&mut events, "Ready").await;
    assert!(again.ends_with(&["Connecting".into(), "Connected".into(), "Ready".into()]));
    assert!(events.try_next().is_none());
    soon(pull.close()).await;
    push.disconnect(&place).unwrap();
    wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
    assert!(push.stats().connects_failed >= 1);
}

async fn peers_are_described(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let mut events = rep.events();
    let req = ReqSocket::builder()
        .identity(Identity::new("asker 7").unwrap())
        .build();
    req.connect(&endpoint).unwrap();
    let event = wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    let Event::Ready { peer: told, .. } = event else {
        panic!("{event:?}");
    };
    until(|| rep.peers().len() == 1 && req.peers().len() == 1).await;
    let peer = rep.peers().remove(0).peer;
    assert_eq!(peer, told);
    assert_eq!(*peer.endpoint(), endpoint);
    assert_eq!(peer.socket_type(), SocketType::Req);
    assert_eq!(peer.claims().identity(), "asker 7");
    let protocol = (transport != Transport::Inproc).then_some((3, 1));
    assert_eq!(peer.protocol(), protocol);
    match (transport, peer.address()) {
        (Transport::Tcp, PeerAddress::Tcp(address)) => assert!(address.ip().is_loopback()),
        (Transport::Ipc, PeerAddress::Ipc { pid, .. }) => {
            assert_eq!(*pid, i32::try_from(std::process::id()).ok());
        }
        (Transport::Inproc, PeerAddress::Inproc) => {}
        other => panic!("{other:?}"),
    }
    let other = req.peers().remove(0).peer;
    assert_ne!(other, peer);
    assert_eq!(other.socket_type(), SocketType::Rep);
    assert_eq!(*other.endpoint(), endpoint);
    // What is the peer's address here is the own one there.
    for (one, other) in [(&peer, &other), (&other, &peer)] {
        let local = one.local_address().map(PeerAddress::Tcp);
        match transport {
            Transport::Tcp => assert_eq!(local.as_ref(), Some(other.address())),
            _ => assert_eq!(local, None),
        }
    }
}

async fn everything_is_counted(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for _ in 0..10 {
        soon(push.send(["four", "seven.."])).await.unwrap();
    }
    // Two frames with a header of two bytes each.
    let bytes = 10 * (4 + 7 + 2 * 2);
    until(|| pull.stats().received.messages == 10).await;
    for stats in [push.stats().sent, pull.stats().received] {
        assert_eq!((stats.messages, stats.bytes), (10, bytes));
    }
    let peer = pull.peers().remove(0);
    assert_eq!((peer.received.messages, peer.received.bytes), (10, bytes));
    assert_eq!(
        (peer.recv_queue.messages, peer.recv_queue.bytes),
        (10, bytes)
    );
    let peer = push.peers().remove(0);
    assert_eq!((peer.sent.messages, peer.sent.bytes), (10, bytes));
    for _ in 0..10 {
        soon(pull.recv()).await.unwrap();
    }
    assert_eq!(pull.peers().remove(0).recv_queue.messages, 0);
    // What has been counted stays when the peer is gone.
    soon(push.close()).await;
    until(|| pull.peers().is_empty()).await;
    assert_eq!(pull.stats().received.messages, 10);
    assert_eq!(push.stats().sent.messages, 10);
    assert_eq!((push.stats().connections, pull.stats().connections), (1, 1));
    assert_eq!((push.stats().dropped, pull.stats().dropped), (0, 0));
}

/// Those of peers that do not read hold what the operating system does not take, which is never all of it;
/// that of the one that reads is empty.
async fn queues_are_seen_peer_by_peer(transport: Transport) {
    let push = PushSocket::builder().send_hwm(40).build();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let pulls = [(); 3].map(|()| {
        let pull = PullSocket::builder().recv_hwm(1).build();
        pull.connect(&endpoint).unwrap();
        pull
    });
    until(|| push.peers().len() == 3).await;
    let body = Bytes::from(vec![0; 1 << 20]);
    while push.try_send(body.clone()).is_ok() {}
    let depths = || {
        let peers = push.peers();
        let depths = peers.iter().map(|peer| peer.send_queue.messages);
        let mut depths: Vec<u64> = depths.collect();
        depths.sort_unstable();
        depths
    };
    if transport == Transport::Inproc {
        // There the queue is that of both ends.
        assert_eq!(depths(), [41; 3]);
    }
    assert!(depths().iter().all(|depth| *depth > 0));
    until(|| {
        while pulls[0].try_recv().is_ok() {}
        depths()[0] == 0
    })
    .await;
    assert!(depths()[1] > 0, "{:?}", depths());
}

async fn sockets_that_cannot_talk_are_told(transport: Transport) {
    let publisher = PubSocket::new();
    let mut at_publisher = publisher.events();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::new();
    let mut at_pull = pull.events();
    pull.connect(&endpoint).unwrap();
    let failed = |event: &Event| matches!(event, Event::HandshakeFailed { .. });
    let at_publisher = wait_for(&mut at_publisher, failed).await;
    let at_pull = wait_for(&mut at_pull, failed).await;
    // The one that judges first tells the other, whose reason is then that it was refused.
    let mut mismatches = 0;
    for event in [at_publisher, at_pull] {
        let Event::HandshakeFailed { reason, .. } = event else {
            panic!("{event:?}");
        };
        let text = reason.to_string();
        assert!(text.contains("PULL") && text.contains("PUB"), "{text}");
        if let DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::SocketType {
            ..
        })) = reason
        {
            mismatches += 1;
        }
    }
    assert!(mismatches >= 1);
    // A fitting peer is welcome all the same.
    let subscriber = SubSocket::builder().subscribe("").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
}

/// Any number of readers, each from when it began, also as streams.
#[tokio::test]
async fn events_are_a_stream() {
    let pull = PullSocket::new();
    let first = pull.events();
    pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let second = pull.events();
    soon(pull.close()).await;
    assert_eq!(soon(first.count()).await, 2);
    assert_eq!(soon(second.count()).await, 1);
}
