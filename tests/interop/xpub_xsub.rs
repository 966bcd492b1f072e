//! XPUB and XSUB against pyzmq: what is asked for, shown, accepted and cancelled, messages against the
//! stream, and matching turned round, both ways.

use crate::support::{Attach as _, Link, Place, Python, assert_same, corpus_with_topic, within};
use wirelark::{Message, PubSocket, SubSocket, SubscriberMessage, XPubSocket, XSubSocket};

on_every_link!(
    a_sub_of_theirs_is_shown,
    an_xsub_of_theirs_is_shown,
    our_xsub_is_shown_to_theirs,
);

on_every_transport!(
    verbose_shows_theirs_as_often_as_they_ask,
    theirs_get_what_is_accepted,
    we_get_what_they_accept,
    theirs_are_welcomed,
    we_are_welcomed,
    theirs_depart,
    nothing_is_dropped_for_a_slow_one_of_theirs,
    their_publisher_turns_matching_round,
    our_publisher_turns_matching_round,
    our_cancellations_are_told_each,
    we_stand_between_theirs,
    every_frame_of_theirs_may_subscribe,
);

async fn shown(publisher: &XPubSocket) -> Message {
    within(publisher.recv()).await.unwrap().into()
}

fn asks(subscribe: bool, prefix: &str) -> Message {
    let mut frame = vec![u8::from(subscribe)];
    frame.extend_from_slice(prefix.as_bytes());
    frame.into()
}

async fn a_sub_of_theirs_is_shown(link: Link) {
    let Some(python) = Python::find() else { return };
    let (publisher, mut subscriber) = (XPubSocket::new(), python.peer("SUB").await);
    // Either side of the border between short and long frames, once the command's name is added.
    let (short, long) = ("s".repeat(245), "l".repeat(246));
    for prefix in ["weather.", "", &short, &long] {
        subscriber.subscribe(prefix).await;
    }
    link.join(&publisher, &mut subscriber).await;
    let mut prefixes = Vec::new();
    for _ in 0..4 {
        match within(publisher.recv()).await.unwrap() {
            SubscriberMessage::Subscribe(request) => prefixes.push(request.text().into_owned()),
            other => panic!("{other:?} is no subscription"),
        }
    }
    prefixes.sort();
    assert_eq!(prefixes, ["", &long, &short, "weather."]);
    for message in corpus_with_topic("weather.oslo") {
        within(publisher.send(message.clone())).await.unwrap();
        assert_same(&subscriber.recv().await, &message);
    }
    subscriber.unsubscribe("weather.").await;
    assert_same(&shown(&publisher).await, &asks(false, "weather."));
    within(publisher.close()).await;
}

/// It writes subscriptions as messages, whatever the version of the protocol.
async fn an_xsub_of_theirs_is_shown(link: Link) {
    let Some(python) = Python::find() else { return };
    // The messages below have frames that begin with a byte 0 or 1.
    let publisher = XPubSocket::builder().only_first_subscribe(true).build();
    let mut subscriber = python.peer("XSUB").await;
    subscriber.set("ONLY_FIRST_SUBSCRIBE", "1").await;
    link.join(&publisher, &mut subscriber).await;
    subscriber.send(asks(true, "a")).await;
    assert_same(&shown(&publisher).await, &asks(true, "a"));
    for message in corpus_with_topic("for the publisher") {
        subscriber.send(message.clone()).await;
        assert_same(&shown(&publisher).await, &message);
    }
    subscriber.send(["\x01b", "y"]).await;
    assert_same(&shown(&publisher).await, &asks(true, "b"));
    assert_same(&shown(&publisher).await, &"y".into());
    within(publisher.send("b")).await.unwrap();
    assert_same(&subscriber.recv().await, &"b".into());
    subscriber.send(asks(false, "a")).await;
    assert_same(&shown(&publisher).await, &asks(false, "a"));
    within(publisher.close()).await;
}

async fn our_xsub_is_shown_to_theirs(link: Link) {
    let Some(python) = Python::find() else { return };
    let subscriber = XSubSocket::builder().only_first_subscribe(true).build();
    let mut publisher = python.peer("XPUB").await;
    publisher.set("ONLY_FIRST_SUBSCRIBE", "1").await;
    subscriber.subscribe("a").unwrap();
    link.join(&subscriber, &mut publisher).await;
    assert_same(&publisher.recv().await, &asks(true, "a"));
    within(subscriber.send(asks(true, "b"))).await.unwrap();
    assert_same(&publisher.recv().await, &asks(true, "b"));
    for message in corpus_with_topic("for the publisher") {
        within(subscriber.send(message.clone())).await.unwrap();
        assert_same(&publisher.recv().await, &message);
    }
    for message in corpus_with_topic("b") {
        publisher.send(message.clone()).await;
        assert_same(&within(subscriber.recv()).await.unwrap(), &message);
    }
    within(subscriber.send(asks(false, "b"))).await.unwrap();
    assert_same(&publisher.recv().await, &asks(false, "b"));
    subscriber.unsubscribe("a").unwrap();
    assert_same(&publisher.recv().await, &asks(false, "a"));
    within(subscriber.close()).await;
}

async fn verbose_shows_theirs_as_often_as_they_ask(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::builder().verboser(true).build();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let (mut one, mut two) = (python.peer("SUB").await, python.peer("SUB").await);
    for subscriber in [&mut one, &mut two] {
        subscriber.subscribe("a").await;
        subscriber.connect(&endpoint).await;
        assert_same(&shown(&publisher).await, &asks(true, "a"));
        subscriber.subscribe("a").await;
        assert_same(&shown(&publisher).await, &asks(true, "a"));
    }
    one.unsubscribe("a").await;
    one.unsubscribe("a").await;
    assert_same(&shown(&publisher).await, &asks(false, "a"));
    assert_eq!(publisher.topic_count(), 1);
    within(publisher.close()).await;
}

async fn theirs_get_what_is_accepted(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::builder().manual(true).build();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let mut subscriber = python.peer("XSUB").await;
    subscriber.connect(&endpoint).await;
    subscriber.send(asks(true, "a")).await;
    let SubscriberMessage::Subscribe(request) = within(publisher.recv()).await.unwrap() else {
        panic!("no subscription");
    };
    request.accept_as("b").unwrap();
    for text in ["a", "b"] {
        within(publisher.send(text)).await.unwrap();
    }
    assert_same(&subscriber.recv().await, &"b".into());
    within(request.send("b for you")).await.unwrap();
    assert_same(&subscriber.recv().await, &"b for you".into());
    subscriber.kill().await;
    assert_same(&shown(&publisher).await, &asks(false, "a"));
    assert_eq!(publisher.topic_count(), 0);
    within(publisher.close()).await;
}

async fn we_get_what_they_accept(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut publisher = python.peer("XPUB").await;
    publisher.set("XPUB_MANUAL", "1").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    let subscriber = XSubSocket::builder().subscribe("a").build();
    subscriber.attach_connect(&endpoint);
    assert_same(&publisher.recv().await, &asks(true, "a"));
    publisher.subscribe("b").await;
    for text in ["a", "b"] {
        publisher.send(text).await;
    }
    assert_same(&within(subscriber.recv()).await.unwrap(), &"b".into());
    within(subscriber.close()).await;
    assert_same(&publisher.recv().await, &asks(false, "a"));
}

async fn theirs_are_welcomed(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::builder().welcome("Welcome").build();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let mut subscriber = python.peer("SUB").await;
    subscriber.subscribe("W").await;
    subscriber.connect(&endpoint).await;
    assert_same(&subscriber.recv().await, &"Welcome".into());
    within(publisher.close()).await;
}

async fn we_are_welcomed(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut publisher = python.peer("XPUB").await;
    publisher.set("XPUB_WELCOME_MSG", "Welcome").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    let subscriber = SubSocket::builder().subscribe("W").build();
    subscriber.attach_connect(&endpoint);
    let welcome = within(subscriber.recv()).await.unwrap();
    assert_same(&welcome, &"Welcome".into());
    within(subscriber.close()).await;
}

async fn theirs_depart(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::new();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let (mut one, mut two) = (python.peer("SUB").await, python.peer("SUB").await);
    for prefix in ["a", "b"] {
        one.subscribe(prefix).await;
    }
    two.subscribe("b").await;
    for subscriber in [&mut one, &mut two] {
        subscriber.connect(&endpoint).await;
    }
    within(publisher.wait_for_subscribers("a", 1))
        .await
        .unwrap();
    within(publisher.wait_for_subscribers("b", 2))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(shown(&publisher).await.first().first(), Some(&1));
    }
    one.kill().await;
    assert_same(&shown(&publisher).await, &asks(false, "a"));
    two.kill().await;
    assert_same(&shown(&publisher).await, &asks(false, "b"));
    within(publisher.close()).await;
}

async fn nothing_is_dropped_for_a_slow_one_of_theirs(place: Place) {
    const MESSAGES: usize = 200;
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::builder().no_drop(true).send_hwm(2).build();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let mut subscriber = python.peer("SUB").await;
    subscriber.set("RCVHWM", "2").await;
    subscriber.subscribe("").await;
    subscriber.connect(&endpoint).await;
    within(publisher.wait_for_subscribers("", 1)).await.unwrap();
    let body = vec![7; 1 << 16];
    let sender = publisher.clone();
    let message = move |number: usize| Message::from([number.to_string().as_bytes(), &body]);
    let theirs = message.clone();
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            sender.send(message(number)).await.unwrap();
        }
    });
    for number in 0..MESSAGES {
        assert_same(&subscriber.recv().await, &theirs(number));
    }
    within(sending).await.unwrap();
    assert_eq!(publisher.stats().dropped, 0);
    within(publisher.close()).await;
}

async fn their_publisher_turns_matching_round(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut publisher = python.peer("XPUB").await;
    publisher.set("INVERT_MATCHING", "1").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    let subscriber = SubSocket::builder()
        .invert_matching(true)
        .subscribe("a")
        .build();
    subscriber.attach_connect(&endpoint);
    assert_same(&publisher.recv().await, &asks(true, "a"));
    for text in ["a 1", "b 2"] {
        publisher.send(text).await;
    }
    assert_same(&within(subscriber.recv()).await.unwrap(), &"b 2".into());
    within(subscriber.close()).await;
}

async fn our_publisher_turns_matching_round(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = PubSocket::builder().invert_matching(true).build();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let mut subscriber = python.peer("SUB").await;
    subscriber.set("INVERT_MATCHING", "1").await;
    for prefix in ["a", "b"] {
        subscriber.subscribe(prefix).await;
    }
    subscriber.connect(&endpoint).await;
    within(async {
        while publisher.topic_count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for text in ["a 1", "b 2", "c 3"] {
        within(publisher.send(text)).await.unwrap();
    }
    assert_same(&subscriber.recv().await, &"c 3".into());
    within(publisher.close()).await;
}

async fn our_cancellations_are_told_each(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut publisher = python.peer("XPUB").await;
    publisher.set("XPUB_VERBOSER", "1").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    let subscriber = XSubSocket::builder().verbose_unsubscribe(true).build();
    subscriber.attach_connect(&endpoint);
    subscriber.subscribe("a").unwrap();
    assert_same(&publisher.recv().await, &asks(true, "a"));
    subscriber.subscribe("a").unwrap();
    assert_same(&publisher.recv().await, &asks(true, "a"));
    for _ in 0..2 {
        subscriber.unsubscribe("a").unwrap();
        assert_same(&publisher.recv().await, &asks(false, "a"));
    }
    within(subscriber.close()).await;
}

async fn every_frame_of_theirs_may_subscribe(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = XPubSocket::new();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    let mut subscriber = python.peer("XSUB").await;
    subscriber.connect(&endpoint).await;
    subscriber.send(["x", "\x01b", "y"]).await;
    assert_same(&shown(&publisher).await, &asks(true, "b"));
    assert_same(&shown(&publisher).await, &["x", "y"].into());
    within(publisher.close()).await;
}

/// A broker made of our two between a publisher and a subscriber of theirs.
async fn we_stand_between_theirs(place: Place) {
    let Some(python) = Python::find() else { return };
    let (frontend, backend) = (XSubSocket::new(), XPubSocket::new());
    let upstream = frontend.attach_bind(&place.any_endpoint()).await;
    let downstream = backend.attach_bind(&place.any_endpoint()).await;
    let (mut publisher, mut subscriber) = (python.peer("XPUB").await, python.peer("SUB").await);
    publisher.connect(&upstream).await;
    subscriber.subscribe("a").await;
    subscriber.connect(&downstream).await;
    within(frontend.send(shown(&backend).await)).await.unwrap();
    assert_same(&publisher.recv().await, &asks(true, "a"));
    for message in corpus_with_topic("a") {
        publisher.send(message.clone()).await;
        let passing = within(frontend.recv()).await.unwrap();
        within(backend.send(passing)).await.unwrap();
        assert_same(&subscriber.recv().await, &message);
    }
    subscriber.kill().await;
    within(frontend.send(shown(&backend).await)).await.unwrap();
    assert_same(&publisher.recv().await, &asks(false, "a"));
    within(frontend.close()).await;
    within(backend.close()).await;
}
