//! DEALER and ROUTER against pyzmq: every kind of message, both ways round, names given, taken, handed
//! over and made up, probes, and what outlives a restart.

use crate::support::{
    Attach as _, Link, Peer, Place, Python, assert_same, corpus, until_peers, within,
};
use wirelark::{
    DealerSocket, DisconnectReason, Event, Identity, Message, RouterSocket, SendToError,
};

on_every_link!(
    our_dealer_and_their_router,
    our_router_and_their_dealer,
    our_dealer_and_their_dealer,
    our_dealer_asks_their_rep,
    our_dealer_works_for_their_router,
    their_req_asks_our_router,
    routers_learn_of_each_other_by_probes,
    our_dealer_is_there_first,
    their_dealer_is_there_first,
);

on_every_transport!(
    a_peer_named_beforehand,
    we_are_named_beforehand,
    a_taken_name,
    a_name_handed_over,
    their_handover_takes_ours,
    names_they_do_not_have_are_made_up,
    a_restarted_dealer_is_found_under_its_name,
    our_dealer_outlives_their_router,
    who_is_not_there_is_an_error_here,
    large_frames,
);

fn name(text: &str) -> Identity {
    Identity::new(text.to_owned()).unwrap()
}

fn dealer(text: &str) -> DealerSocket {
    DealerSocket::builder().identity(name(text)).build()
}

/// The message behind the frame by which a ROUTER of theirs names its peer.
fn addressed(peer: &str, message: &Message) -> Message {
    let mut frames = vec![peer.as_bytes().to_vec()];
    frames.extend(message.frames().map(<[u8]>::to_vec));
    frames.into()
}

async fn our_dealer_and_their_router(link: Link) {
    let Some(python) = Python::find() else { return };
    let (dealer, mut router) = (dealer("lark"), python.peer("ROUTER").await);
    link.join(&dealer, &mut router).await;
    for message in corpus() {
        within(dealer.send(message.clone())).await.unwrap();
        let received = router.recv().await;
        assert_same(&received, &addressed("lark", &message));
        router.send(received).await;
        assert_same(&within(dealer.recv()).await.unwrap(), &message);
    }
    within(dealer.close()).await;
}

async fn our_router_and_their_dealer(link: Link) {
    let Some(python) = Python::find() else { return };
    let (router, mut dealer) = (RouterSocket::new(), python.peer("DEALER").await);
    dealer.set("IDENTITY", "snake").await;
    link.join(&router, &mut dealer).await;
    for message in corpus() {
        dealer.send(message.clone()).await;
        let (peer, received) = within(router.recv()).await.unwrap();
        assert_eq!(peer, name("snake"));
        assert_same(&received, &message);
        within(router.send_to(&peer, received)).await.unwrap();
        assert_same(&dealer.recv().await, &message);
    }
    within(router.close()).await;
}

async fn our_dealer_and_their_dealer(link: Link) {
    let Some(python) = Python::find() else { return };
    let (ours, mut theirs) = (DealerSocket::new(), python.peer("DEALER").await);
    link.join(&ours, &mut theirs).await;
    for message in corpus() {
        within(ours.send(message.clone())).await.unwrap();
        assert_same(&theirs.recv().await, &message);
        theirs.send(message.clone()).await;
        assert_same(&within(ours.recv()).await.unwrap(), &message);
    }
    within(ours.close()).await;
}

/// The delimiter, with and without addresses in front of it, comes back as it went.
async fn our_dealer_asks_their_rep(link: Link) {
    let Some(python) = Python::find() else { return };
    let (dealer, mut rep) = (DealerSocket::new(), python.peer("REP").await);
    link.join(&dealer, &mut rep).await;
    for envelope in [&[""][..], &["one", ""], &["one", "two", ""]] {
        within(dealer.send([envelope, &["how", "", "many"]].concat()))
            .await
            .unwrap();
        assert_same(&rep.recv().await, &["how", "", "many"].into());
        rep.send(["", "42"]).await;
        let reply = within(dealer.recv()).await.unwrap();
        assert_same(&reply, &[envelope, &["", "42"]].concat().into());
    }
    within(dealer.close()).await;
}

/// A worker: what a ROUTER of theirs passes on to it comes with the address of the asker.
async fn our_dealer_works_for_their_router(link: Link) {
    let Some(python) = Python::find() else { return };
    let (dealer, mut router) = (dealer("worker"), python.peer("ROUTER").await);
    link.join(&dealer, &mut router).await;
    within(dealer.send("ready")).await.unwrap();
    assert_same(&router.recv().await, &["worker", "ready"].into());
    router.send(["worker", "asker", "", "question"]).await;
    let request = within(dealer.recv()).await.unwrap();
    assert_same(&request, &["asker", "", "question"].into());
    within(dealer.send(["asker", "", "answer"])).await.unwrap();
    assert_same(
        &router.recv().await,
        &["worker", "asker", "", "answer"].into(),
    );
    within(dealer.close()).await;
}

async fn their_req_asks_our_router(link: Link) {
    let Some(python) = Python::find() else { return };
    let (router, mut req) = (RouterSocket::new(), python.peer("REQ").await);
    link.join(&router, &mut req).await;
    for round in 0..3 {
        let round = round.to_string();
        req.send(["question", &round]).await;
        let (peer, question) = within(router.recv()).await.unwrap();
        assert!(peer.is_made_up());
        assert_same(&question, &["", "question", &round].into());
        within(router.send_to(&peer, ["", "answer", &round]))
            .await
            .unwrap();
        assert_same(&req.recv().await, &["answer", &round].into());
    }
    within(router.close()).await;
}

async fn routers_learn_of_each_other_by_probes(link: Link) {
    let Some(python) = Python::find() else { return };
    let ours = RouterSocket::builder()
        .identity(name("lark"))
        .probe(true)
        .build();
    let mut theirs = python.peer("ROUTER").await;
    theirs.set("IDENTITY", "snake").await;
    theirs.set("PROBE_ROUTER", "1").await;
    link.join(&ours, &mut theirs).await;
    assert_same(&theirs.recv().await, &["lark", ""].into());
    let (peer, probe) = within(ours.recv()).await.unwrap();
    assert_eq!(peer, name("snake"));
    assert_same(&probe, &"".into());
    within(ours.send_to(&peer, "hello")).await.unwrap();
    assert_same(&theirs.recv().await, &["lark", "hello"].into());
    theirs.send(["lark", "and", "you"]).await;
    let (_, reply) = within(ours.recv()).await.unwrap();
    assert_same(&reply, &["and", "you"].into());
    within(ours.close()).await;
}

async fn our_dealer_is_there_first(link: Link) {
    let Some(python) = Python::find() else { return };
    let (dealer, mut router) = (dealer("lark"), python.peer("ROUTER").await);
    link.join_backwards(&dealer, &mut router).await;
    within(dealer.send("early")).await.unwrap();
    assert_same(&router.recv().await, &["lark", "early"].into());
    within(dealer.close()).await;
}

async fn their_dealer_is_there_first(link: Link) {
    let Some(python) = Python::find() else { return };
    let (router, mut dealer) = (RouterSocket::new(), python.peer("DEALER").await);
    dealer.set("IDENTITY", "snake").await;
    link.join_backwards(&router, &mut dealer).await;
    dealer.send("early").await;
    let (peer, message) = within(router.recv()).await.unwrap();
    assert_eq!(peer, name("snake"));
    assert_same(&message, &"early".into());
    within(router.close()).await;
}

async fn a_peer_named_beforehand(place: Place) {
    let Some(python) = Python::find() else { return };
    let (router, endpoint) = (RouterSocket::new(), place.fixed_endpoint());
    router
        .connect_as(endpoint.as_str(), &name("server"))
        .unwrap();
    within(router.send_to(&name("server"), "early"))
        .await
        .unwrap();
    for life in ["early", "again"] {
        let mut theirs = python.peer("ROUTER").await;
        theirs.set("IDENTITY", "snake").await;
        theirs.bind(&endpoint).await;
        let received = theirs.recv().await;
        assert_eq!(received.len(), 2);
        assert_eq!(received.frame(1), Some(life.as_bytes()));
        // Under the name that they made up for us.
        theirs.send(received).await;
        let (peer, message) = within(router.recv()).await.unwrap();
        assert_eq!(peer, name("server"));
        assert_same(&message, &life.into());
        theirs.kill().await;
        until_peers(&router, 0).await;
        within(router.send_to(&name("server"), "again"))
            .await
            .unwrap();
    }
}

async fn we_are_named_beforehand(place: Place) {
    let Some(python) = Python::find() else { return };
    let (router, mut theirs) = (RouterSocket::new(), python.peer("ROUTER").await);
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    theirs.set("IDENTITY", "snake").await;
    theirs.set("CONNECT_ROUTING_ID", "bird").await;
    theirs.connect(&endpoint).await;
    theirs.send(["bird", "hello"]).await;
    let (peer, message) = within(router.recv()).await.unwrap();
    assert_eq!(peer, name("snake"));
    assert_same(&message, &"hello".into());
    within(router.send_to(&peer, "back")).await.unwrap();
    assert_same(&theirs.recv().await, &["bird", "back"].into());
    within(router.close()).await;
}

/// The first of two with one name keeps it, and the other gets in when it has gone.
async fn a_taken_name(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::new();
    let mut events = router.events();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    let mut first = named(&python, "snake", &endpoint).await;
    until_peers(&router, 1).await;
    let mut second = named(&python, "snake", &endpoint).await;
    loop {
        let event = within(events.next()).await.unwrap();
        if let Event::HandshakeFailed { reason, .. } = event {
            assert!(matches!(
                reason,
                DisconnectReason::IdentityTaken { identity, .. } if identity == name("snake")
            ));
            break;
        }
    }
    within(router.send_to(&name("snake"), "for the first"))
        .await
        .unwrap();
    assert_same(&first.recv().await, &"for the first".into());
    first.kill().await;
    second.send("here I am").await;
    loop {
        let event = within(events.next()).await.unwrap();
        if matches!(event, Event::Ready { .. }) && router.peer_count() == 1 {
            break;
        }
    }
    within(router.send_to(&name("snake"), "for the second"))
        .await
        .unwrap();
    assert_same(&second.recv().await, &"for the second".into());
    within(router.close()).await;
}

async fn named(python: &Python, name: &str, endpoint: &str) -> Peer {
    let mut dealer = python.peer("DEALER").await;
    dealer.set("IDENTITY", name).await;
    // Who is turned away is not to come back before we look.
    dealer.set("RECONNECT_IVL", "200").await;
    dealer.connect(endpoint).await;
    dealer
}

async fn a_name_handed_over(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::builder().handover(true).build();
    let mut events = router.events();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    let mut first = python.peer("DEALER").await;
    first.set("IDENTITY", "snake").await;
    // It is not to take the name back.
    first.set("RECONNECT_IVL", "-1").await;
    first.connect(&endpoint).await;
    until_peers(&router, 1).await;
    let mut second = named(&python, "snake", &endpoint).await;
    loop {
        let event = within(events.next()).await.unwrap();
        if let Event::Disconnected { peer, reason, .. } = event {
            assert!(matches!(reason, DisconnectReason::Replaced), "{reason}");
            assert_eq!(peer.known_as(), Some(&name("snake")));
            break;
        }
    }
    first.wait_disconnects(1).await;
    within(router.send_to(&name("snake"), "hello"))
        .await
        .unwrap();
    assert_same(&second.recv().await, &"hello".into());
    within(router.close()).await;
}

async fn their_handover_takes_ours(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut router = python.peer("ROUTER").await;
    router.set("ROUTER_HANDOVER", "1").await;
    let endpoint = router.bind(&place.any_endpoint()).await;
    let (first, second) = (dealer("lark"), dealer("lark"));
    first.attach_connect(&endpoint);
    within(first.send("first")).await.unwrap();
    assert_same(&router.recv().await, &["lark", "first"].into());
    second.attach_connect(&endpoint);
    within(second.send("second")).await.unwrap();
    assert_same(&router.recv().await, &["lark", "second"].into());
    router.send(["lark", "for the second"]).await;
    assert_same(
        &within(second.recv()).await.unwrap(),
        &"for the second".into(),
    );
    within(first.close()).await;
    within(second.close()).await;
}

async fn names_they_do_not_have_are_made_up(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::new();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    let (mut one, mut other) = (python.peer("DEALER").await, python.peer("DEALER").await);
    let mut names = Vec::new();
    for dealer in [&mut one, &mut other] {
        dealer.connect(&endpoint).await;
        dealer.send("who am I?").await;
        let (peer, _) = within(router.recv()).await.unwrap();
        assert!(peer.is_made_up());
        names.push(peer);
    }
    assert_ne!(names[0], names[1]);
    for (name, dealer) in names.iter().zip([&mut one, &mut other]) {
        within(router.send_to(name, name.to_string()))
            .await
            .unwrap();
        assert_same(&dealer.recv().await, &name.to_string().into());
    }
    within(router.close()).await;
}

async fn a_restarted_dealer_is_found_under_its_name(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::new();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    for life in ["first", "second", "third"] {
        let mut dealer = named(&python, "snake", &endpoint).await;
        dealer.send(life).await;
        let (peer, message) = within(router.recv()).await.unwrap();
        assert_eq!(peer, name("snake"));
        assert_same(&message, &life.into());
        within(router.send_to(&peer, life)).await.unwrap();
        assert_same(&dealer.recv().await, &life.into());
        dealer.kill().await;
        until_peers(&router, 0).await;
    }
    within(router.close()).await;
}

async fn our_dealer_outlives_their_router(place: Place) {
    let Some(python) = Python::find() else { return };
    let (dealer, endpoint) = (dealer("lark"), place.fixed_endpoint());
    dealer.attach_connect(&endpoint);
    for life in ["first", "second", "third"] {
        within(dealer.send(life)).await.unwrap();
        let mut router = python.peer("ROUTER").await;
        router.bind(&endpoint).await;
        assert_same(&router.recv().await, &["lark", life].into());
        router.send(["lark", "well"]).await;
        assert_same(&within(dealer.recv()).await.unwrap(), &"well".into());
        router.kill().await;
        until_peers(&dealer, 0).await;
    }
    within(dealer.close()).await;
}

async fn who_is_not_there_is_an_error_here(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::new();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    let mut dealer = named(&python, "snake", &endpoint).await;
    until_peers(&router, 1).await;
    let result = within(router.send_to(&name("python"), "x")).await;
    assert!(matches!(result, Err(SendToError::Unroutable { .. })));
    within(router.send_to(&name("snake"), "x")).await.unwrap();
    assert_same(&dealer.recv().await, &"x".into());
    dealer.kill().await;
    until_peers(&router, 0).await;
    let result = within(router.send_to(&name("snake"), "x")).await;
    assert!(matches!(result, Err(SendToError::Unroutable { .. })));
    within(router.close()).await;
}

async fn large_frames(place: Place) {
    let Some(python) = Python::find() else { return };
    let router = RouterSocket::new();
    let endpoint = router.attach_bind(&place.any_endpoint()).await;
    let mut dealer = named(&python, "snake", &endpoint).await;
    let large: Vec<u8> = (0..16_usize << 20)
        .map(|index| (index % 251) as u8)
        .collect();
    let message = Message::from(vec![b"head".to_vec(), large, b"tail".to_vec()]);
    dealer.send(message.clone()).await;
    let (peer, received) = within(router.recv()).await.unwrap();
    assert_same(&received, &message);
    within(router.send_to(&peer, received)).await.unwrap();
    assert_same(&dealer.recv().await, &message);
    within(router.close()).await;
}
