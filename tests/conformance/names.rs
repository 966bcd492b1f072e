//! Whose a name is, and who has to wait for whom: ROUTER at its limits.

use std::pin::Pin;

use bytes::Bytes;
use futures::FutureExt;
use wirelark::{
    ConnectError, DealerSocket, DisconnectReason, Event, Identity, RouterSocket, SendToError,
    TrySendToError,
};

use super::router::{dealer, name};
use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_taken_name_turns_the_newcomer_away,
    who_is_turned_away_loses_nothing,
    handover_gives_the_name_to_the_newcomer,
    a_peer_named_beforehand_can_be_addressed_at_once,
    a_peer_named_beforehand_keeps_its_name,
    a_name_is_given_once,
    a_full_peer_holds_up_nobody_else,
    a_sender_that_waits_learns_that_its_peer_has_left,
    a_sender_that_waits_learns_that_the_socket_is_closed,
    senders_to_one_peer_are_all_served,
    what_was_queued_for_a_peer_that_left_is_counted,
);

async fn a_taken_name_turns_the_newcomer_away(transport: Transport) {
    let router = RouterSocket::new();
    let mut events = router.events();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let first = dealer("ada");
    first.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    let known = router.peers().remove(0).peer;
    let second = DealerSocket::builder()
        .identity(name("ada"))
        .reconnect_interval_max(std::time::Duration::from_millis(100))
        .build();
    second.connect(&endpoint).unwrap();
    soon(second.send("too early")).await.unwrap();
    let refused = wait_for(&mut events, |event| {
        matches!(event, Event::HandshakeFailed {
            reason: DisconnectReason::IdentityTaken { identity, holder, .. },
            ..
        } if *identity == name("ada") && holder.as_ref() == Some(known.address()))
    })
    .await;
    // Both are named: who came, and who has the name.
    if transport == Transport::Tcp {
        assert_ne!(refused.address(), Some(known.address()));
    }
    // The first has not noticed, and gets what is meant for it.
    soon(router.send_to(&name("ada"), "for the first"))
        .await
        .unwrap();
    assert_eq!(soon(first.recv()).await.unwrap().text(), "for the first");
    soon(first.send("from the first")).await.unwrap();
    assert_eq!(
        soon(router.recv()).await.unwrap().1.text(),
        "from the first"
    );
    assert!(router.try_recv().is_err() && second.try_recv().is_err());
    assert!(router.stats().handshakes_failed >= 1);
    assert_eq!(router.stats().connections, 1);
    // The name is free again when its holder has gone.
    soon(first.close()).await;
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    soon(second.send("from the second")).await.unwrap();
    for expected in ["too early", "from the second"] {
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!((peer, &*message.text()), (name("ada"), expected));
    }
}

/// It is not told that the other side is ready, and keeps what it has until that is so.
async fn who_is_turned_away_loses_nothing(transport: Transport) {
    const MESSAGES: usize = 50;
    let router = RouterSocket::new();
    let mut events = router.events();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let first = dealer("ada");
    first.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    let second = DealerSocket::builder()
        .identity(name("ada"))
        .reconnect_interval(std::time::Duration::from_millis(5))
        .reconnect_interval_max(std::time::Duration::from_millis(20))
        .build();
    let mut seen_by_second = second.events();
    second.connect(&endpoint).unwrap();
    // Over the network it tries again and again; within a process it waits to be called.
    let tries = if transport == Transport::Inproc { 1 } else { 5 };
    for number in 0..MESSAGES {
        soon(second.send(number.to_string())).await.unwrap();
    }
    for _ in 0..tries {
        wait_for(&mut events, |event| {
            matches!(event, Event::HandshakeFailed { .. })
        })
        .await;
    }
    let mut failures = 0;
    while failures < tries {
        match soon(seen_by_second.next()).await.unwrap() {
            Event::HandshakeFailed { .. } => failures += 1,
            Event::Ready { .. } => panic!("it has been turned away"),
            _ => {}
        }
    }
    soon(first.close()).await;
    for number in 0..MESSAGES {
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!((peer, message), (name("ada"), number.to_string().into()));
    }
    assert_eq!(second.stats().dropped, 0);
}

async fn handover_gives_the_name_to_the_newcomer(transport: Transport) {
    let router = RouterSocket::builder().handover(true).build();
    let mut events = router.events();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let first = DealerSocket::builder()
        .identity(name("ada"))
        // It is not to take the name back while we look.
        .reconnect_interval(std::time::Duration::from_secs(600))
        .reconnect_interval_max(std::time::Duration::from_secs(600))
        .build();
    first.connect(&endpoint).unwrap();
    soon(first.send("read")).await.unwrap();
    soon(router.recv()).await.unwrap();
    let second = dealer("ada");
    second.connect(&endpoint).unwrap();
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { peer, reason: DisconnectReason::Replaced, .. }
            if peer.known_as() == Some(&name("ada")))
    })
    .await;
    // The departure of the first has taken nothing from the second.
    soon(router.send_to(&name("ada"), "for the second"))
        .await
        .unwrap();
    assert_eq!(soon(second.recv()).await.unwrap().text(), "for the second");
    soon(second.send("from the second")).await.unwrap();
    let (peer, message) = soon(router.recv()).await.unwrap();
    assert_eq!((peer, &*message.text()), (name("ada"), "from the second"));
    assert_eq!(router.peers().len(), 1);
    assert_eq!(first.try_recv().ok(), None);
}

async fn a_peer_named_beforehand_can_be_addressed_at_once(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = transport.somewhere();
    router
        .connect_as(endpoint.as_str(), &name("server"))
        .unwrap();
    router.try_send_to(&name("server"), "early").unwrap();
    // Whatever it calls itself.
    let server = dealer("somebody else");
    server.bind(endpoint.as_str()).await.unwrap();
    assert_eq!(soon(server.recv()).await.unwrap().text(), "early");
    soon(server.send("hello")).await.unwrap();
    let (peer, message) = soon(router.recv()).await.unwrap();
    assert_eq!((peer, &*message.text()), (name("server"), "hello"));
    let peers = router.peers();
    assert_eq!(peers[0].peer.known_as(), Some(&name("server")));
    assert_eq!(peers[0].peer.claims().identity(), "somebody else");
    assert_matches!(
        router.try_send_to(&name("somebody else"), "x"),
        Err(TrySendToError::Unroutable { .. })
    );
}

async fn a_peer_named_beforehand_keeps_its_name(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = transport.somewhere();
    router
        .connect_as(endpoint.as_str(), &name("server"))
        .unwrap();
    for life in 0..3 {
        soon(router.send_to(&name("server"), life.to_string()))
            .await
            .unwrap();
        let server = DealerSocket::new();
        server.bind(endpoint.as_str()).await.unwrap();
        assert_eq!(soon(server.recv()).await.unwrap().text(), life.to_string());
        soon(server.close()).await;
        until(|| router.peers().is_empty()).await;
    }
    router.disconnect(endpoint.as_str()).unwrap();
    assert_matches!(
        router.try_send_to(&name("server"), "x"),
        Err(TrySendToError::Unroutable { .. })
    );
    router
        .connect_as(transport.somewhere().as_str(), &name("server"))
        .unwrap();
}

async fn a_name_is_given_once(transport: Transport) {
    let router = RouterSocket::builder().handover(true).build();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let mut events = router.events();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    let elsewhere = transport.somewhere();
    assert_matches!(
        router.connect_as(elsewhere.as_str(), &name("ada")),
        Err(ConnectError::IdentityTaken { ref identity, .. }) if *identity == name("ada")
    );
    router.connect_as(elsewhere.as_str(), &name("bob")).unwrap();
    assert_matches!(
        router.connect_as(elsewhere.as_str(), &name("bob")),
        Err(ConnectError::IdentityTaken { .. })
    );
    // What this side has given nobody can take, handover or not.
    let bob = dealer("bob");
    bob.connect(&endpoint).unwrap();
    wait_for(&mut events, |event| {
        matches!(
            event,
            Event::HandshakeFailed {
                reason: DisconnectReason::IdentityTaken { holder: None, .. },
                ..
            }
        )
    })
    .await;
    assert_eq!(router.peers().len(), 1);
}

/// Narrow on both sides.
async fn narrow(transport: Transport) -> (RouterSocket, DealerSocket, DealerSocket) {
    let router = RouterSocket::builder().send_hwm(1).build();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let [ada, bob] = ["ada", "bob"].map(|text| {
        let dealer = DealerSocket::builder()
            .identity(name(text))
            .recv_hwm(1)
            .build();
        dealer.connect(&endpoint).unwrap();
        dealer
    });
    until(|| router.peers().len() == 2).await;
    (router, ada, bob)
}

fn body() -> Bytes {
    Bytes::from_static(&[7; 256 * 1024])
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendToError>> + Send + 'a>>;

/// Sends until it has to wait: returns how many were sent, and the one that waits.
async fn fill<'a>(router: &'a RouterSocket, peer: &'a Identity) -> (usize, Sending<'a>) {
    let mut sent = 0;
    'next: loop {
        let mut sending: Sending<'a> = Box::pin(router.send_to(peer, body()));
        // The kernel's buffers take some more.
        for _ in 0..300 {
            if let Some(result) = (&mut sending).now_or_never() {
                result.unwrap();
                sent += 1;
                continue 'next;
            }
            tokio::task::yield_now().await;
        }
        return (sent, sending);
    }
}

async fn a_full_peer_holds_up_nobody_else(transport: Transport) {
    let (router, ada, bob) = narrow(transport).await;
    let (to_ada, to_bob) = (name("ada"), name("bob"));
    let (sent, sending) = fill(&router, &to_ada).await;
    for number in 0..50 {
        soon(router.send_to(&to_bob, number.to_string()))
            .await
            .unwrap();
        assert_eq!(soon(bob.recv()).await.unwrap().text(), number.to_string());
    }
    // What waits goes when there is room.
    let read = async {
        for _ in 0..=sent {
            assert_eq!(soon(ada.recv()).await.unwrap().byte_len(), body().len());
        }
    };
    let (result, ()) = tokio::join!(soon(sending), read);
    result.unwrap();
}

async fn a_sender_that_waits_learns_that_its_peer_has_left(transport: Transport) {
    let (router, ada, _bob) = narrow(transport).await;
    let to_ada = name("ada");
    let (_, sending) = fill(&router, &to_ada).await;
    soon(ada.close()).await;
    let result = match soon(sending).await {
        // The kernel's buffers have taken it at last.
        Ok(()) => soon(router.send_to(&to_ada, body())).await,
        result => result,
    };
    assert_matches!(
        result,
        Err(SendToError::Unroutable { ref message, .. }) if message.byte_len() == body().len()
    );
}

async fn a_sender_that_waits_learns_that_the_socket_is_closed(transport: Transport) {
    let (router, _ada, _bob) = narrow(transport).await;
    let to_ada = name("ada");
    let (_, sending) = fill(&router, &to_ada).await;
    let closing = router.clone();
    tokio::spawn(async move { closing.close().await });
    let result = match soon(sending).await {
        Ok(()) => soon(router.send_to(&to_ada, body())).await,
        result => result,
    };
    assert_matches!(result, Err(SendToError::Closed(_)));
}

async fn senders_to_one_peer_are_all_served(transport: Transport) {
    let (router, ada, _bob) = narrow(transport).await;
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let router = router.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let message = [sender.to_string(), number.to_string()];
                    router.send_to(&name("ada"), message).await.unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 8];
    for _ in 0..8 * 50 {
        let message = soon(ada.recv()).await.unwrap();
        let sender: usize = message.text().parse().unwrap();
        let number = std::str::from_utf8(message.frame(1).unwrap()).unwrap();
        assert_eq!(number, next[sender].to_string());
        next[sender] += 1;
    }
    for sender in senders {
        soon(sender).await.unwrap();
    }
}

async fn what_was_queued_for_a_peer_that_left_is_counted(transport: Transport) {
    let router = RouterSocket::new();
    let mut events = router.events();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = DealerSocket::builder()
        .identity(name("ada"))
        .recv_hwm(1)
        .linger(std::time::Duration::ZERO)
        .build();
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    for _ in 0..200 {
        router.try_send_to(&name("ada"), body()).unwrap();
    }
    soon(ada.close()).await;
    let gone = wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    });
    let Event::Disconnected { dropped, .. } = gone.await else {
        unreachable!("it was waited for");
    };
    assert!(dropped > 50, "{dropped}");
    assert_eq!(router.stats().dropped, dropped);
}
