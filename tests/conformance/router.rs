//! ROUTER: every peer has a name, and gets what is sent to it.

use std::collections::BTreeSet;

use futures::StreamExt;
use wirelark::{
    DealerSocket, Event, Identity, Message, ReqSocket, RouterSocket, SendToError, TryRecvError,
    TrySendToError,
};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_message_goes_to_whom_it_names,
    who_has_no_name_is_given_one,
    an_unknown_name_gives_the_message_back,
    what_has_no_way_is_dropped_and_counted_on_demand,
    a_req_finds_its_answer_behind_the_delimiter,
    what_somebody_sent_who_has_left_is_read_under_its_name,
    a_name_returns_with_its_owner,
    two_routers_learn_of_each_other_by_a_probe,
    a_probe_comes_before_everything_else,
    a_probe_is_counted_where_it_arrives,
    who_was_probed_can_answer,
    events_name_who_comes_and_goes,
    many_peers,
    the_stream_ends_with_the_socket,
    a_closed_router,
);

pub(crate) fn name(text: &str) -> Identity {
    Identity::new(text.to_owned()).unwrap()
}

/// A DEALER of this name.
pub(crate) fn dealer(text: &str) -> DealerSocket {
    DealerSocket::builder().identity(name(text)).build()
}

async fn a_message_goes_to_whom_it_names(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let names = ["ada", "bob", "cyd"];
    let dealers = names.map(|name| {
        let dealer = dealer(name);
        dealer.connect(&endpoint).unwrap();
        dealer
    });
    until(|| router.peers().len() == 3).await;
    for (index, dealer) in dealers.iter().enumerate() {
        soon(dealer.send(["", "hello", ""])).await.unwrap();
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!(peer, name(names[index]));
        assert_eq!(message, Message::from(["", "hello", ""]));
        for number in 0..10 {
            soon(router.send_to(&peer, ["", &number.to_string()]))
                .await
                .unwrap();
        }
    }
    for dealer in &dealers {
        for number in 0..10 {
            let expected = Message::from(["", &number.to_string()]);
            assert_eq!(soon(dealer.recv()).await.unwrap(), expected);
        }
    }
}

async fn who_has_no_name_is_given_one(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let dealers = [(); 3].map(|()| {
        let dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        dealer
    });
    let mut known = BTreeSet::new();
    for (index, dealer) in dealers.iter().enumerate() {
        soon(dealer.send(index.to_string())).await.unwrap();
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!(message.text(), index.to_string());
        assert!(peer.is_made_up());
        assert_eq!(peer.as_bytes().len(), 5);
        soon(router.send_to(&peer, message)).await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap().text(), index.to_string());
        assert!(known.insert(peer));
    }
    let peers = router.peers();
    let listed = peers.iter().filter_map(|stats| stats.peer.known_as());
    assert_eq!(listed.cloned().collect::<BTreeSet<_>>(), known);
    for dealer in dealers {
        let mut events = router.events();
        soon(dealer.close()).await;
        let gone = wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        });
        let Event::Disconnected { peer, .. } = gone.await else {
            unreachable!("it was waited for");
        };
        assert!(known.remove(peer.known_as().unwrap()));
    }
}

async fn an_unknown_name_gives_the_message_back(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    for unknown in [
        name("ad"),
        name("adam"),
        Identity::of_peer("\0ada").unwrap(),
    ] {
        match soon(router.send_to(&unknown, ["a", "b"])).await {
            Err(SendToError::Unroutable {
                identity, message, ..
            }) => {
                assert_eq!((identity, message), (unknown.clone(), ["a", "b"].into()));
            }
            other => panic!("{other:?}"),
        }
        assert_matches!(
            router.try_send_to(&unknown, "c"),
            Err(TrySendToError::Unroutable { ref message, .. }) if message.text() == "c"
        );
    }
    soon(ada.close()).await;
    until(|| router.peers().is_empty()).await;
    let late = soon(router.send_to(&name("ada"), "late")).await;
    assert_matches!(late, Err(SendToError::Unroutable { .. }));
    assert_eq!(router.stats().dropped, 0);
}

async fn what_has_no_way_is_dropped_and_counted_on_demand(transport: Transport) {
    let router = RouterSocket::builder()
        .drop_unroutable(true)
        .send_hwm(1)
        .build();
    soon(router.send_to(&name("ada"), "x")).await.unwrap();
    router.try_send_to(&name("ada"), "x").unwrap();
    assert_eq!(router.stats().dropped, 2);
    // Nobody is there yet, so there is room for one.
    let ada = DealerSocket::builder().recv_hwm(1).build();
    let endpoint = transport.somewhere();
    router.connect_as(endpoint.as_str(), &name("ada")).unwrap();
    for text in ["one", "two", "three"] {
        soon(router.send_to(&name("ada"), text)).await.unwrap();
    }
    assert_eq!(router.stats().dropped, 4);
    ada.bind(endpoint.as_str()).await.unwrap();
    assert_eq!(soon(ada.recv()).await.unwrap().text(), "one");
}

async fn a_req_finds_its_answer_behind_the_delimiter(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let serve = async {
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!(message, Message::from(["", "a", "question"]));
        soon(router.send_to(&peer, ["", "answer"])).await.unwrap();
    };
    let (reply, ()) = tokio::join!(soon(req.request(["a", "question"])), serve);
    assert_eq!(reply.unwrap(), Message::from("answer"));
}

async fn what_somebody_sent_who_has_left_is_read_under_its_name(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    for number in 0..10 {
        soon(ada.send(number.to_string())).await.unwrap();
    }
    soon(ada.close()).await;
    until(|| router.peers().is_empty()).await;
    for number in 0..10 {
        let (peer, message) = soon(router.recv()).await.unwrap();
        assert_eq!(peer, name("ada"));
        assert_eq!(message.text(), number.to_string());
    }
    assert_matches!(router.try_recv(), Err(TryRecvError::Empty));
}

async fn a_name_returns_with_its_owner(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    for life in 0..5 {
        let ada = dealer("ada");
        ada.connect(&endpoint).unwrap();
        soon(ada.send("here")).await.unwrap();
        let (peer, _) = soon(router.recv()).await.unwrap();
        assert_eq!(peer, name("ada"));
        soon(router.send_to(&peer, life.to_string())).await.unwrap();
        assert_eq!(soon(ada.recv()).await.unwrap().text(), life.to_string());
        soon(ada.close()).await;
        until(|| router.peers().is_empty()).await;
    }
}

async fn two_routers_learn_of_each_other_by_a_probe(transport: Transport) {
    let (ada, bob) = ("ada", "bob");
    let bound = RouterSocket::builder()
        .identity(name(ada))
        .probe(true)
        .build();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let connected = RouterSocket::builder()
        .identity(name(bob))
        .probe(true)
        .build();
    connected.connect(&endpoint).unwrap();
    assert_eq!(
        soon(bound.recv()).await.unwrap(),
        (name(bob), Message::from(""))
    );
    assert_eq!(
        soon(connected.recv()).await.unwrap(),
        (name(ada), Message::from(""))
    );
    soon(bound.send_to(&name(bob), "hello bob")).await.unwrap();
    assert_eq!(
        soon(connected.recv()).await.unwrap(),
        (name(ada), Message::from("hello bob"))
    );
    soon(connected.send_to(&name(ada), "hello ada"))
        .await
        .unwrap();
    assert_eq!(
        soon(bound.recv()).await.unwrap(),
        (name(bob), Message::from("hello ada"))
    );
}

/// Also before what was queued before there was a connection, and once on each connection.
async fn a_probe_is_counted_where_it_arrives(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let dealer = DealerSocket::builder().probe(true).build();
    dealer.connect(&endpoint).unwrap();
    soon(dealer.send("hello")).await.unwrap();
    for text in ["", "hello"] {
        assert_eq!(soon(router.recv()).await.unwrap().1.text(), text);
    }
    assert_eq!(router.stats().received.messages, 2);
    assert_eq!(router.peers()[0].received.messages, 2);
}

async fn a_probe_comes_before_everything_else(transport: Transport) {
    let endpoint = transport.somewhere();
    let dealer = DealerSocket::builder()
        .identity(name("ada"))
        .probe(true)
        .build();
    dealer.connect(endpoint.as_str()).unwrap();
    for life in 0..3 {
        soon(dealer.send(life.to_string())).await.unwrap();
        let router = RouterSocket::new();
        router.bind(endpoint.as_str()).await.unwrap();
        for expected in ["", &life.to_string()] {
            let (peer, message) = soon(router.recv()).await.unwrap();
            assert_eq!((peer, message), (name("ada"), expected.into()));
        }
        soon(router.close()).await;
        until(|| dealer.peers().is_empty()).await;
    }
}

/// One side probes, the other has no name of its own.
async fn who_was_probed_can_answer(transport: Transport) {
    let server = RouterSocket::new();
    let endpoint = server.bind(transport.anywhere()).await.unwrap();
    let router = RouterSocket::builder()
        .identity(name("X"))
        .probe(true)
        .build();
    router.connect(&endpoint).unwrap();
    let (peer, message) = soon(server.recv()).await.unwrap();
    assert_eq!((&peer, message), (&name("X"), Message::from("")));
    soon(server.send_to(&peer, "hello")).await.unwrap();
    let (made_up, message) = soon(router.recv()).await.unwrap();
    assert_eq!((made_up.as_bytes().len(), made_up.is_made_up()), (5, true));
    assert_eq!(message, "hello");

    let dealer = DealerSocket::builder()
        .identity(name("Y"))
        .probe(true)
        .build();
    dealer.connect(&endpoint).unwrap();
    let (peer, message) = soon(server.recv()).await.unwrap();
    assert_eq!((&peer, message), (&name("Y"), Message::from("")));
    soon(server.send_to(&peer, "hello")).await.unwrap();
    assert_eq!(soon(dealer.recv()).await.unwrap(), "hello");
    // Neither of them was probed.
    assert_matches!(dealer.try_recv(), Err(TryRecvError::Empty));
    assert_matches!(router.try_recv(), Err(TryRecvError::Empty));
}

/// Nothing of it is mixed with what it says, not even when it has to go in the middle of a message.
async fn events_name_who_comes_and_goes(transport: Transport) {
    let router = RouterSocket::builder().max_message_size(64).build();
    let mut events = router.events();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    for too_much in [false, true] {
        let ada = dealer("ada");
        ada.connect(&endpoint).unwrap();
        let came = wait_for(&mut events, |event| matches!(event, Event::Ready { .. }));
        assert_matches!(came.await, Event::Ready { peer, .. } if peer.known_as() == Some(&name("ada")));
        soon(ada.send("hello")).await.unwrap();
        assert_eq!(soon(router.recv()).await.unwrap().1, "hello");
        if too_much && transport != Transport::Inproc {
            // The second frame is what the limit does not allow, when the first has come.
            let message = [b"first".to_vec(), vec![b'*'; 127]];
            soon(ada.send(message)).await.unwrap();
        } else {
            ada.disconnect(&endpoint).unwrap();
        }
        let went = wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        });
        assert_matches!(went.await, Event::Disconnected { peer, .. } if peer.known_as() == Some(&name("ada")));
        assert_matches!(router.try_recv(), Err(TryRecvError::Empty));
    }
}

async fn many_peers(transport: Transport) {
    const PEERS: usize = 64;
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let server = tokio::spawn(async move {
        while let Ok((peer, message)) = router.recv().await {
            router.send_to(&peer, message).await.unwrap();
        }
    });
    let clients: Vec<_> = (0..PEERS)
        .map(|client| {
            let dealer = DealerSocket::new();
            dealer.connect(&endpoint).unwrap();
            tokio::spawn(async move {
                for number in 0..20 {
                    let text = format!("{client}/{number}");
                    dealer.send(text.as_str()).await.unwrap();
                    assert_eq!(dealer.recv().await.unwrap().text(), text);
                }
            })
        })
        .collect();
    for client in clients {
        soon(client).await.unwrap();
    }
    server.abort();
}

async fn the_stream_ends_with_the_socket(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    let mut stream = router.stream();
    soon(ada.send("w")).await.unwrap();
    let (peer, message) = soon(router.recv_from()).await.unwrap();
    assert_eq!(peer.known_as(), Some(&name("ada")));
    assert_eq!(message.text(), "w");
    soon(ada.send("x")).await.unwrap();
    assert_eq!(
        soon(stream.next()).await,
        Some((name("ada"), Message::from("x")))
    );
    soon(router.close()).await;
    assert_eq!(soon(stream.next()).await, None);
}

async fn a_closed_router(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    let receiver = router.clone();
    let waiting = tokio::spawn(async move { receiver.recv().await });
    soon(router.close()).await;
    assert!(soon(waiting).await.unwrap().is_err());
    assert_matches!(router.try_recv(), Err(TryRecvError::Closed));
    assert_matches!(
        soon(router.send_to(&name("ada"), "x")).await,
        Err(SendToError::Closed(_))
    );
    assert_matches!(
        router.try_send_to(&name("ada"), "x"),
        Err(TrySendToError::Closed(_))
    );
}

/// What was queued for a peer of a chosen name is still brought to it after `disconnect`. It is nobody's
/// peer any more, whatever it calls itself.
#[tokio::test]
async fn a_farewell_takes_nobody_s_name() {
    let router = RouterSocket::builder().handover(true).build();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let ada = dealer("ada");
    ada.connect(endpoint).unwrap();
    soon(ada.send("here")).await.unwrap();
    soon(router.recv()).await.unwrap();

    let place = Transport::Tcp.somewhere();
    router.connect_as(&place, &name("bob")).unwrap();
    soon(router.send_to(&name("bob"), "so long")).await.unwrap();
    let mut events = router.events();
    router.disconnect(&place).unwrap();
    let impostor = dealer("ada");
    impostor.bind(&place).await.unwrap();
    assert_eq!(soon(impostor.recv()).await.unwrap().text(), "so long");
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    router.try_send_to(&name("ada"), "still there").unwrap();
    assert_eq!(soon(ada.recv()).await.unwrap().text(), "still there");
}
