//! A socket seen from outside while it works: a reader of events that does not keep up, what was
//! dropped and why, what failed.

use std::time::Duration;

use wirelark::{
    BindError, Event, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    who_does_not_read_events_holds_nothing_up,
    a_bind_that_fails_is_told,
    what_a_full_subscriber_loses_is_counted_as_such,
    what_is_queued_for_a_peer_that_leaves_is_counted_as_such,
    what_peers_should_not_send_is_counted_as_such,
    reconnections_are_counted,
);

/// Events that a reader may be behind, as documented.
const BEHIND_MAX: usize = 4_096;

async fn who_does_not_read_events_holds_nothing_up(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    let mut asleep = push.events();
    push.connect(&endpoint).unwrap();
    let told = async || {
        soon(push.send("before")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), "before");
    };
    told().await;
    let others = BEHIND_MAX + 10;
    for number in 0..others {
        // One event each.
        push.connect(format!("inproc://nobody {number}")).unwrap();
        push.disconnect(format!("inproc://nobody {number}"))
            .unwrap();
    }
    told().await;
    let Some(Event::Lagged { missed, .. }) = asleep.try_next() else {
        panic!("it has not lagged");
    };
    // Those of the connection came first.
    assert!((10..20).contains(&missed), "{missed}");
    for number in others - BEHIND_MAX..others {
        let event = asleep.try_next().unwrap();
        let endpoint = event.endpoint().unwrap().to_string();
        assert_eq!(endpoint, format!("inproc://nobody {number}"));
        assert_matches!(event, Event::Closed { .. });
    }
    assert_matches!(asleep.try_next(), None);
}

async fn a_bind_that_fails_is_told(transport: Transport) {
    let holder = PullSocket::new();
    let endpoint = holder.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::new();
    let mut events = pull.events();
    let refused = pull.bind(&endpoint).await;
    assert_matches!(refused, Err(BindError::AddressInUse { .. }));
    match soon(events.next()).await.unwrap() {
        Event::BindFailed {
            endpoint: named,
            error,
            ..
        } => {
            assert_eq!(named, endpoint);
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
            assert_eq!(error.to_string(), refused.unwrap_err().to_string());
        }
        other => panic!("{other:?}"),
    }
}

async fn what_a_full_subscriber_loses_is_counted_as_such(transport: Transport) {
    let publisher = PubSocket::builder().send_hwm(1).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().recv_hwm(1).subscribe("").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    let large = vec![0; 100_000];
    while publisher.stats().drops.full < 5 {
        soon(publisher.send(&large)).await.unwrap();
    }
    let stats = publisher.stats();
    assert_eq!(stats.drops.full, stats.dropped);
    let peer = publisher.peers().remove(0);
    assert_eq!((peer.drops, peer.dropped), (stats.drops, stats.dropped));
}

async fn what_is_queued_for_a_peer_that_leaves_is_counted_as_such(transport: Transport) {
    let publisher = PubSocket::builder().send_hwm(None).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().recv_hwm(1).subscribe("").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    let large = vec![0; 100_000];
    while publisher.peers()[0].send_queue.messages < 200 {
        soon(publisher.send(&large)).await.unwrap();
    }
    let mut events = publisher.events();
    soon(subscriber.close()).await;
    let left = |event: &Event| matches!(event, Event::Disconnected { .. });
    let Event::Disconnected { peer, dropped, .. } = wait_for(&mut events, left).await else {
        unreachable!()
    };
    assert_eq!(*peer.endpoint(), endpoint);
    // The operating system may have taken some more in the meantime.
    assert!(dropped > 0);
    let stats = publisher.stats();
    assert_eq!(stats.drops.departed, dropped);
    assert_eq!(stats.dropped, dropped);
}

async fn what_peers_should_not_send_is_counted_as_such(transport: Transport) {
    if transport != Transport::Tcp {
        return; // Who breaks rules has to be written by hand.
    }
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let mut dealer = RawPeer::established(&endpoint, "DEALER").await;
    dealer.send(b"\x00\x0cno delimiter\x01\x00\x00\x02ok").await;
    assert_eq!(*soon(rep.recv()).await.unwrap().message(), "ok");
    let stats = rep.stats();
    assert_eq!((stats.drops.unusable, stats.dropped), (1, 1));
    assert_eq!(rep.peers().remove(0).drops.unusable, 1);
}

async fn reconnections_are_counted(transport: Transport) {
    if transport == Transport::Inproc {
        return; // There, who binds joins whoever waits.
    }
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.somewhere()).await.unwrap();
    let req = ReqSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .build();
    req.connect(&endpoint).unwrap();
    until(|| req.peers().len() == 1).await;
    assert_eq!(req.stats().reconnects, 0);
    let first = req.peers().remove(0).peer;
    soon(rep.close()).await;
    until(|| req.stats().connects_failed > 0).await;
    assert_eq!(req.stats().reconnects, 1);
    let successor = RepSocket::new();
    soon(successor.bind(&endpoint)).await.unwrap();
    until(|| req.peers().len() == 1).await;
    assert_ne!(req.peers().remove(0).peer, first);
    assert_eq!(req.stats().connections, 2);
}
