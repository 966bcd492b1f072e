//! PAIR against pyzmq, sockets of a type chosen at run time, and a proxy of ours between programs of
//! theirs.

use crate::support::{Attach as _, Link, Place, Python, assert_same, corpus, until_peers, within};
use wirelark::{
    AnySocket, DealerSocket, DisconnectReason, Event, PairSocket, PullSocket, PushSocket,
    RouterSocket, SocketType, XPubSocket, XSubSocket, proxy,
};

on_every_link!(
    a_conversation_with_pyzmq,
    a_pair_before_the_other_side_is_there,
    run_time_types_talk_to_pyzmq,
);

on_every_transport!(
    a_second_pyzmq_comes_when_the_first_has_left,
    what_is_queued_reaches_a_restarted_pyzmq,
    requests_of_pyzmq_pass_a_proxy,
    work_of_pyzmq_passes_a_proxy,
    subscriptions_of_pyzmq_pass_a_proxy,
    a_conflating_pull_reads_the_newest_of_pyzmq,
);

async fn a_conversation_with_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pair, mut theirs) = (PairSocket::new(), python.peer("PAIR").await);
    link.join(&pair, &mut theirs).await;
    for message in &corpus() {
        within(pair.send(message)).await.unwrap();
        assert_same(&theirs.recv().await, message);
        theirs.send(message).await;
        assert_same(&within(pair.recv()).await.unwrap(), message);
    }
    within(pair.close()).await;
}

async fn a_pair_before_the_other_side_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pair, mut theirs) = (PairSocket::new(), python.peer("PAIR").await);
    link.join_backwards(&pair, &mut theirs).await;
    within(pair.send("hello")).await.unwrap();
    assert_same(&theirs.recv().await, &"hello".into());
    theirs.send("hello").await;
    assert_same(&within(pair.recv()).await.unwrap(), &"hello".into());
    within(pair.close()).await;
}

async fn run_time_types_talk_to_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (ours, mut theirs) = (
        AnySocket::new(SocketType::Router),
        python.peer("DEALER").await,
    );
    theirs.set("ROUTING_ID", "them").await;
    link.join(&ours, &mut theirs).await;
    theirs.send(["", "question"]).await;
    let question = within(ours.recv()).await.unwrap();
    assert_same(&question, &["them", "", "question"].into());
    within(ours.send(["them", "", "answer"])).await.unwrap();
    assert_same(&theirs.recv().await, &["", "answer"].into());
    within(ours.close()).await;
}

/// libzmq is turned away before its handshake, and tries again until it is let in.
async fn a_second_pyzmq_comes_when_the_first_has_left(place: Place) {
    let Some(python) = Python::find() else { return };
    let pair = PairSocket::new();
    let endpoint = pair.attach_bind(&place.any_endpoint()).await;
    let mut first = python.peer("PAIR").await;
    first.connect(&endpoint).await;
    until_peers(&pair, 1).await;
    let mut events = pair.events();
    let mut second = python.peer("PAIR").await;
    second.connect(&endpoint).await;
    second.send("kept until then").await;
    loop {
        let event = within(events.next()).await.unwrap();
        if let Event::HandshakeFailed { reason, .. } = event {
            assert!(matches!(reason, DisconnectReason::Occupied), "{reason:?}");
            break;
        }
    }
    first.send("first").await;
    assert_same(&within(pair.recv()).await.unwrap(), &"first".into());
    first.kill().await;
    assert_same(
        &within(pair.recv()).await.unwrap(),
        &"kept until then".into(),
    );
    within(pair.send("welcome")).await.unwrap();
    assert_same(&second.recv().await, &"welcome".into());
    within(pair.close()).await;
}

async fn what_is_queued_reaches_a_restarted_pyzmq(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let pair = PairSocket::new();
    let mut theirs = python.peer("PAIR").await;
    theirs.bind(&endpoint).await;
    pair.attach_connect(&endpoint);
    within(pair.send("before")).await.unwrap();
    assert_same(&theirs.recv().await, &"before".into());
    theirs.kill().await;
    until_peers(&pair, 0).await;
    for number in 0..10 {
        within(pair.send(number.to_string())).await.unwrap();
    }
    let mut theirs = python.peer("PAIR").await;
    theirs.bind(&endpoint).await;
    for number in 0..10 {
        assert_same(&theirs.recv().await, &number.to_string().into());
    }
    within(pair.close()).await;
}

async fn requests_of_pyzmq_pass_a_proxy(place: Place) {
    let Some(python) = Python::find() else { return };
    let (frontend, backend) = (RouterSocket::new(), DealerSocket::new());
    let front = frontend
        .bind(&*place.any_endpoint())
        .await
        .unwrap()
        .to_string();
    let rear = backend
        .bind(&*place.any_endpoint())
        .await
        .unwrap()
        .to_string();
    let running = tokio::spawn(proxy(&frontend, &backend));
    let mut worker = python.peer("REP").await;
    worker.connect(&rear).await;
    let mut clients = [python.peer("REQ").await, python.peer("REQ").await];
    for client in &mut clients {
        client.connect(&front).await;
    }
    for round in 0..5 {
        for (name, client) in clients.iter_mut().enumerate() {
            let question = format!("{name}.{round}");
            client.send([question.as_str(), "?"]).await;
            assert_same(&worker.recv().await, &[question.as_str(), "?"].into());
            worker.send([question.as_str(), "!"]).await;
            assert_same(&client.recv().await, &[question.as_str(), "!"].into());
        }
    }
    // A worker that dies takes nothing along but what it had been given.
    worker.kill().await;
    let mut worker = python.peer("REP").await;
    worker.connect(&rear).await;
    for client in &mut clients {
        client.send("after").await;
        assert_same(&worker.recv().await, &"after".into());
        worker.send("all").await;
        assert_same(&client.recv().await, &"all".into());
    }
    running.abort();
}

async fn work_of_pyzmq_passes_a_proxy(place: Place) {
    let Some(python) = Python::find() else { return };
    let (frontend, backend) = (PullSocket::new(), PushSocket::new());
    let front = frontend.attach_bind(&place.any_endpoint()).await;
    let rear = backend.attach_bind(&place.any_endpoint()).await;
    let running = tokio::spawn(proxy(&frontend, &backend));
    let (mut push, mut pull) = (python.peer("PUSH").await, python.peer("PULL").await);
    push.connect(&front).await;
    pull.connect(&rear).await;
    let corpus = corpus();
    for message in &corpus {
        push.send(message).await;
    }
    for message in &corpus {
        assert_same(&pull.recv().await, message);
    }
    running.abort();
}

async fn subscriptions_of_pyzmq_pass_a_proxy(place: Place) {
    let Some(python) = Python::find() else { return };
    let (frontend, backend) = (XSubSocket::new(), XPubSocket::new());
    let front = frontend.attach_bind(&place.any_endpoint()).await;
    let rear = backend.attach_bind(&place.any_endpoint()).await;
    let running = tokio::spawn(proxy(&frontend, &backend));
    let (mut publisher, mut subscriber) = (python.peer("XPUB").await, python.peer("SUB").await);
    publisher.connect(&front).await;
    subscriber.connect(&rear).await;
    subscriber.subscribe("a").await;
    assert_same(&publisher.recv().await, &"\u{1}a".into());
    for topic in ["b", "a", "ab"] {
        publisher.send([topic, "body"]).await;
    }
    for topic in ["a", "ab"] {
        assert_same(&subscriber.recv().await, &[topic, "body"].into());
    }
    subscriber.unsubscribe("a").await;
    assert_same(&publisher.recv().await, &"\u{0}a".into());
    running.abort();
}

async fn a_conflating_pull_reads_the_newest_of_pyzmq(place: Place) {
    let Some(python) = Python::find() else { return };
    let pull = PullSocket::builder().conflate(true).build();
    let endpoint = pull.attach_bind(&place.any_endpoint()).await;
    let mut push = python.peer("PUSH").await;
    push.connect(&endpoint).await;
    for number in 0..20 {
        push.send([number.to_string().as_str(), "of 20"]).await;
    }
    let mut events = pull.events();
    while pull.stats().received.messages < 20 {
        tokio::task::yield_now().await;
        let _ = events.try_next();
    }
    assert_same(&within(pull.recv()).await.unwrap(), &["19", "of 20"].into());
    within(pull.close()).await;
}
