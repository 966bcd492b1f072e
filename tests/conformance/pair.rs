//! PAIR: exactly one peer at a time, both ways (RFC 31).

use futures::FutureExt;
use wirelark::{DisconnectReason, Event, PairSocket, PullSocket, TryRecvError, TrySendError};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_conversation_goes_both_ways,
    a_pair_waits_for_its_peer,
    a_pair_waits_for_room,
    a_second_peer_is_turned_away,
    the_next_one_comes_when_the_peer_has_left,
    one_that_was_turned_away_comes_by_itself,
    two_that_come_at_once_lose_nothing,
    what_was_meant_for_one_is_not_for_the_next,
    what_one_sent_is_read_before_its_successor,
    a_queue_outlives_the_peer_that_it_reaches,
    a_second_connect_waits_for_the_first,
    an_immediate_connect_leaves_the_place_free,
    other_types_are_refused,
);

fn is_occupied(event: &Event) -> bool {
    matches!(
        event,
        Event::HandshakeFailed {
            reason: DisconnectReason::Occupied,
            ..
        }
    )
}

async fn couple(transport: Transport) -> (PairSocket, PairSocket, wirelark::Endpoint) {
    let (bound, connected) = (PairSocket::new(), PairSocket::new());
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    connected.connect(&endpoint).unwrap();
    until(|| bound.peers().len() == 1 && connected.peers().len() == 1).await;
    (bound, connected, endpoint)
}

async fn a_conversation_goes_both_ways(transport: Transport) {
    let (left, right, _) = couple(transport).await;
    for number in 0..1_500 {
        soon(left.send([number.to_string(), "there".into()]))
            .await
            .unwrap();
        if number % 3 == 0 {
            soon(right.send(number.to_string())).await.unwrap();
            assert_eq!(soon(left.recv()).await.unwrap().text(), number.to_string());
        }
        let message = soon(right.recv()).await.unwrap();
        assert_eq!(
            (message.len(), message.text()),
            (2, number.to_string().into())
        );
    }
    assert_matches!(left.try_recv(), Err(TryRecvError::Empty));
}

async fn a_pair_waits_for_its_peer(transport: Transport) {
    let bound = PairSocket::new();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    assert_matches!(bound.try_send("nobody"), Err(TrySendError::Full(_)));
    let mut waiting = Box::pin(bound.send("patience"));
    assert!((&mut waiting).now_or_never().is_none());
    let peer = PairSocket::new();
    peer.connect(endpoint).unwrap();
    soon(waiting).await.unwrap();
    assert_eq!(soon(peer.recv()).await.unwrap().text(), "patience");
}

async fn a_pair_waits_for_room(transport: Transport) {
    let bound = PairSocket::builder().recv_hwm(4).build();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let peer = PairSocket::builder().send_hwm(4).build();
    peer.connect(endpoint).unwrap();
    let body = |number: u32| vec![number.to_string().into_bytes(), vec![0; 1 << 17]];
    let mut sent = 0;
    // The kernel may be swallowing for a while, but not for ever.
    let waiting = loop {
        let mut waiting = Box::pin(peer.send(body(sent)));
        match (&mut waiting).now_or_never() {
            None => break waiting,
            Some(result) => result.unwrap(),
        }
        sent += 1;
        assert!(sent < 1_000);
    };
    assert!(sent >= 4, "{sent}");
    let drain = async {
        for number in 0..=sent {
            assert_eq!(soon(bound.recv()).await.unwrap().text(), number.to_string());
        }
    };
    let (waited, ()) = futures::future::join(soon(waiting), drain).await;
    waited.unwrap();
    assert_matches!(bound.try_recv(), Err(TryRecvError::Empty));
}

async fn a_second_peer_is_turned_away(transport: Transport) {
    let (bound, first, endpoint) = couple(transport).await;
    let mut events = bound.events();
    let second = PairSocket::new();
    second.connect(&endpoint).unwrap();
    soon(second.send("not for you")).await.unwrap();
    let event = wait_for(&mut events, is_occupied).await;
    assert_matches!(event, Event::HandshakeFailed { endpoint: at, .. } if at == endpoint);
    // The first one does not notice.
    soon(first.send("still here")).await.unwrap();
    assert_eq!(soon(bound.recv()).await.unwrap().text(), "still here");
    soon(bound.send("so am I")).await.unwrap();
    assert_eq!(soon(first.recv()).await.unwrap().text(), "so am I");
    assert_eq!(bound.peers().len(), 1);
    assert!(second.peers().is_empty());
    assert_matches!(bound.try_recv(), Err(TryRecvError::Empty));
}

async fn the_next_one_comes_when_the_peer_has_left(transport: Transport) {
    let (bound, first, endpoint) = couple(transport).await;
    let mut next = first;
    for round in 0..3 {
        let mut events = bound.events();
        soon(next.close()).await;
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
        next = PairSocket::new();
        next.connect(&endpoint).unwrap();
        soon(bound.send(format!("hello {round}"))).await.unwrap();
        assert_eq!(
            soon(next.recv()).await.unwrap().text(),
            format!("hello {round}")
        );
        soon(next.send("hello")).await.unwrap();
        assert_eq!(soon(bound.recv()).await.unwrap().text(), "hello");
    }
}

/// What it queued meanwhile comes with it, once.
async fn one_that_was_turned_away_comes_by_itself(transport: Transport) {
    let (bound, first, endpoint) = couple(transport).await;
    let mut events = bound.events();
    let second = PairSocket::new();
    second.connect(&endpoint).unwrap();
    for number in 0..10 {
        soon(second.send(number.to_string())).await.unwrap();
    }
    wait_for(&mut events, is_occupied).await;
    soon(first.close()).await;
    for number in 0..10 {
        assert_eq!(soon(bound.recv()).await.unwrap().text(), number.to_string());
    }
    soon(bound.send("welcome")).await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap().text(), "welcome");
    assert_matches!(bound.try_recv(), Err(TryRecvError::Empty));
}

/// Both find the seat free, and one of them gets it.
async fn two_that_come_at_once_lose_nothing(transport: Transport) {
    for _ in 0..20 {
        let bound = PairSocket::new();
        let endpoint = bound.bind(transport.anywhere()).await.unwrap();
        let mut pairs = ["one", "two"].map(|name| (name, PairSocket::new()));
        for (name, pair) in &pairs {
            pair.connect(&endpoint).unwrap();
            for number in 0..10 {
                soon(pair.send([*name, &number.to_string()])).await.unwrap();
            }
        }
        for _ in 0..2 {
            let mut whose = None;
            for number in 0..10 {
                let message = soon(bound.recv()).await.unwrap();
                let name = whose.get_or_insert_with(|| message.text().into_owned());
                assert_eq!(message, [&**name, &number.to_string()]);
            }
            let (_, first) = pairs
                .iter_mut()
                .find(|(name, _)| whose.as_deref() == Some(*name))
                .unwrap();
            soon(first.close()).await;
        }
        assert_matches!(bound.try_recv(), Err(TryRecvError::Empty));
    }
}

/// As [`two_that_come_at_once_lose_nothing`], word by word: the seat is taken while one of them is still
/// in its handshake.
#[tokio::test]
async fn who_comes_too_late_is_not_told_that_its_peer_is_ready() {
    let bound = PairSocket::new();
    let mut events = bound.events();
    let endpoint = bound.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut late = RawPeer::connect(&endpoint).await;
    late.greet().await;
    let mut first = RawPeer::established(&endpoint, "PAIR").await;
    late.send(frames::ready(&[("Socket-Type", "PAIR")])).await;
    wait_for(&mut events, is_occupied).await;
    late.expect_eof().await;
    first.send(frames::last("still here")).await;
    assert_eq!(soon(bound.recv()).await.unwrap().text(), "still here");
}

/// Large enough that the kernel does not take all of it.
async fn what_was_meant_for_one_is_not_for_the_next(transport: Transport) {
    let (bound, first, endpoint) = couple(transport).await;
    let mut sent = 0;
    while sent < 40 && bound.try_send(vec![1; 1 << 20]).is_ok() {
        sent += 1;
    }
    let mut events = bound.events();
    soon(first.close()).await;
    let event = wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    assert_matches!(event, Event::Disconnected { dropped, .. } if dropped > 0 && dropped <= sent);
    let next = PairSocket::new();
    next.connect(&endpoint).unwrap();
    soon(bound.send("yours")).await.unwrap();
    assert_eq!(soon(next.recv()).await.unwrap().text(), "yours");
}

async fn what_one_sent_is_read_before_its_successor(transport: Transport) {
    let (bound, first, endpoint) = couple(transport).await;
    for number in 0..200 {
        soon(first.send(number.to_string())).await.unwrap();
    }
    until(|| bound.stats().received.messages == 200).await;
    // The queue has noticed the first peer, and has not been read.
    assert_eq!(soon(bound.recv()).await.unwrap().text(), "0");
    soon(first.close()).await;
    let next = PairSocket::new();
    next.connect(&endpoint).unwrap();
    for number in 200..400 {
        soon(next.send(number.to_string())).await.unwrap();
    }
    until(|| bound.stats().received.messages == 400).await;
    for number in 1..400 {
        assert_eq!(soon(bound.recv()).await.unwrap().text(), number.to_string());
    }
}

/// The connecting side keeps what it has for a bound peer that comes again.
async fn a_queue_outlives_the_peer_that_it_reaches(transport: Transport) {
    let endpoint = transport.somewhere();
    let connected = PairSocket::new();
    connected.connect(&endpoint).unwrap();
    soon(connected.send("early")).await.unwrap();
    let bound = PairSocket::new();
    bound.bind(&endpoint).await.unwrap();
    assert_eq!(soon(bound.recv()).await.unwrap().text(), "early");
    let mut events = connected.events();
    soon(bound.close()).await;
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    for number in 0..10 {
        soon(connected.send(number.to_string())).await.unwrap();
    }
    let bound = PairSocket::new();
    bound.bind(&endpoint).await.unwrap();
    for number in 0..10 {
        assert_eq!(soon(bound.recv()).await.unwrap().text(), number.to_string());
    }
    soon(bound.send("thanks")).await.unwrap();
    assert_eq!(soon(connected.recv()).await.unwrap().text(), "thanks");
}

async fn a_second_connect_waits_for_the_first(transport: Transport) {
    let (first, second) = (PairSocket::new(), PairSocket::new());
    let here = first.bind(transport.anywhere()).await.unwrap();
    let there = second.bind(transport.anywhere()).await.unwrap();
    let pair = PairSocket::new();
    let mut events = pair.events();
    pair.connect(&here).unwrap();
    pair.connect(&there).unwrap();
    wait_for(&mut events, is_occupied).await;
    for number in 0..10 {
        soon(pair.send(number.to_string())).await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap().text(), number.to_string());
    }
    pair.disconnect(&here).unwrap();
    soon(pair.send("you now")).await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap().text(), "you now");
    assert_matches!(
        first.try_recv(),
        Err(TryRecvError::Empty | TryRecvError::Closed)
    );
}

async fn an_immediate_connect_leaves_the_place_free(transport: Transport) {
    let pair = PairSocket::builder().immediate(true).build();
    pair.connect(transport.somewhere()).unwrap();
    assert_matches!(pair.try_send("nobody"), Err(TrySendError::Full(_)));
    let endpoint = pair.bind(transport.anywhere()).await.unwrap();
    let peer = PairSocket::new();
    peer.connect(endpoint).unwrap();
    soon(pair.send("you will do")).await.unwrap();
    assert_eq!(soon(peer.recv()).await.unwrap().text(), "you will do");
}

async fn other_types_are_refused(transport: Transport) {
    let pair = PairSocket::new();
    let mut events = pair.events();
    let endpoint = pair.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::new();
    pull.connect(&endpoint).unwrap();
    let event = wait_for(&mut events, |event| {
        matches!(event, Event::HandshakeFailed { .. })
    })
    .await;
    assert_matches!(
        event,
        Event::HandshakeFailed {
            reason: DisconnectReason::Fault(_),
            ..
        }
    );
    let peer = PairSocket::new();
    peer.connect(&endpoint).unwrap();
    soon(pair.send("hello")).await.unwrap();
    assert_eq!(soon(peer.recv()).await.unwrap().text(), "hello");
}
