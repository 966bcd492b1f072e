//! XSUB: subscriptions by methods and by messages, and messages to publishers.

use wirelark::{
    Message, PubSocket, SubSocket, SubscriberMessage, TryRecvError, XPubSocket, XSubSocket,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    messages_subscribe_and_cancel,
    messages_reach_the_user_of_an_xpub,
    frames_of_a_message_are_looked_through,
    only_a_first_frame_subscribes,
    every_cancellation_is_told_if_wanted,
    what_arrives_is_not_filtered,
    subscriptions_are_replayed,
    a_pub_takes_no_messages,
    a_manual_broker_hears_of_everybody,
);

async fn shown(publisher: &XPubSocket) -> Message {
    soon(publisher.recv()).await.unwrap().into()
}

async fn meet(publisher: &XPubSocket, transport: Transport, subscriber: &XSubSocket) {
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    subscriber.connect(&endpoint).unwrap();
    until(|| !publisher.peers().is_empty() && !subscriber.peers().is_empty()).await;
}

async fn messages_subscribe_and_cancel(transport: Transport) {
    let (publisher, subscriber) = (XPubSocket::new(), XSubSocket::new());
    meet(&publisher, transport, &subscriber).await;
    subscriber.send(b"\x01a").await.unwrap();
    subscriber.try_send(b"\x01a").unwrap();
    subscriber.send(b"\x01").await.unwrap();
    assert_eq!(subscriber.topic_count(), 2);
    assert_eq!(shown(&publisher).await, Message::from(b"\x01a"));
    assert_eq!(shown(&publisher).await, Message::from(b"\x01"));
    subscriber.send(b"\0a").await.unwrap();
    subscriber.unsubscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, Message::from(b"\0a"));
    publisher.send("anything").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "anything");
}

async fn messages_reach_the_user_of_an_xpub(transport: Transport) {
    let (publisher, subscriber) = (XPubSocket::new(), XSubSocket::new());
    meet(&publisher, transport, &subscriber).await;
    for message in [
        Message::from(""),
        Message::from("text"),
        Message::from(["several", "", "frames"]),
        Message::from(vec![2; 100_000]),
    ] {
        subscriber.send(message.clone()).await.unwrap();
        assert_matches!(
            soon(publisher.recv()).await.unwrap(),
            SubscriberMessage::Message(got) if got == message
        );
    }
}

async fn frames_of_a_message_are_looked_through(transport: Transport) {
    let (publisher, subscriber) = (XPubSocket::new(), XSubSocket::new());
    meet(&publisher, transport, &subscriber).await;
    subscriber.send(["x", "\x01a", "y", "\x01b"]).await.unwrap();
    assert_eq!(shown(&publisher).await, Message::from(b"\x01a"));
    assert_eq!(shown(&publisher).await, Message::from(b"\x01b"));
    assert_eq!(shown(&publisher).await, Message::from(["x", "y"]));
}

async fn only_a_first_frame_subscribes(transport: Transport) {
    let publisher = XPubSocket::builder().only_first_subscribe(true).build();
    let subscriber = XSubSocket::builder().only_first_subscribe(true).build();
    meet(&publisher, transport, &subscriber).await;
    let message = Message::from(["x", "\x01a", "y"]);
    subscriber.send(message.clone()).await.unwrap();
    assert_eq!(shown(&publisher).await, message);
    subscriber.send(["\x01a", "\x01b", "y"]).await.unwrap();
    assert_eq!(shown(&publisher).await, Message::from(b"\x01a"));
    assert_eq!(shown(&publisher).await, Message::from(b"\x01b"));
    assert_eq!(shown(&publisher).await, Message::from("y"));
    // Cancellations are looked for in the same places.
    let message = Message::from(["x", "\0a", "y"]);
    subscriber.send(message.clone()).await.unwrap();
    assert_eq!(shown(&publisher).await, message);
    subscriber.send(["\0a", "\0b"]).await.unwrap();
    assert_eq!(shown(&publisher).await, Message::from(b"\0a"));
    assert_eq!(shown(&publisher).await, Message::from(b"\0b"));
}

async fn every_cancellation_is_told_if_wanted(transport: Transport) {
    let publisher = XPubSocket::builder().verboser(true).build();
    let subscriber = XSubSocket::new();
    meet(&publisher, transport, &subscriber).await;
    for told in [false, true] {
        subscriber.options().set_verbose_unsubscribe(told);
        // Nobody has subscribed to it.
        subscriber.send(b"\0a").await.unwrap();
        subscriber.unsubscribe("a").unwrap();
        subscriber.subscribe("a").unwrap();
        subscriber.subscribe("a").unwrap();
        subscriber.unsubscribe("a").unwrap();
        subscriber.send(b"\0a").await.unwrap();
        let all = [b"\0a", b"\0a", b"\x01a", b"\x01a", b"\0a", b"\0a"];
        let without = [b"\x01a", b"\x01a", b"\0a"];
        let expected = if told { &all[..] } else { &without };
        for expected in expected {
            assert_eq!(shown(&publisher).await, Message::from(*expected));
        }
    }
}

/// It may have asked for something by hand that it knows nothing of.
async fn what_arrives_is_not_filtered(transport: Transport) {
    let (publisher, subscriber) = (XPubSocket::new(), XSubSocket::new());
    meet(&publisher, transport, &subscriber).await;
    subscriber.subscribe("a").unwrap();
    shown(&publisher).await;
    publisher.send("a").await.unwrap();
    until(|| subscriber.stats().received.messages == 1).await;
    subscriber.unsubscribe("a").unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a");
}

async fn subscriptions_are_replayed(transport: Transport) {
    let place = transport.somewhere();
    let subscriber = XSubSocket::builder()
        .subscribe("a")
        .reconnect_interval(std::time::Duration::from_millis(10))
        .build();
    subscriber.connect(&place).unwrap();
    subscriber.send(b"\x01b").await.unwrap();
    subscriber.subscribe("b").unwrap();
    for _ in 0..2 {
        let publisher = XPubSocket::builder().verbose(true).build();
        publisher.bind(&place).await.unwrap();
        assert_eq!(shown(&publisher).await, Message::from(b"\x01a"));
        assert_eq!(shown(&publisher).await, Message::from(b"\x01b"));
        assert_matches!(publisher.try_recv(), Err(TryRecvError::Empty));
        soon(publisher.close()).await;
    }
}

async fn a_pub_takes_no_messages(transport: Transport) {
    let (publisher, subscriber) = (PubSocket::new(), XSubSocket::new());
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    subscriber.connect(&endpoint).unwrap();
    until(|| !subscriber.peers().is_empty()).await;
    subscriber.send("nobody reads this").await.unwrap();
    subscriber.send(["nor", "\x01this"]).await.unwrap();
    soon(publisher.wait_for_subscribers("this", 1))
        .await
        .unwrap();
    assert_eq!(publisher.stats().dropped, 2);
    publisher.send("this").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "this");
}

/// Grants what the next request asks for, and passes it on.
async fn pass_on(backend: &XPubSocket, frontend: &XSubSocket) -> Vec<u8> {
    let request = soon(backend.recv()).await.unwrap();
    match &request {
        SubscriberMessage::Subscribe(request) => request.accept().unwrap(),
        SubscriberMessage::Cancel(request) => request.accept(),
        other => panic!("{other:?} is no request"),
    }
    let request = Message::from(request);
    frontend.send(request.clone()).await.unwrap();
    request.first().to_vec()
}

/// Also of a second subscriber to the same prefix, and of each one's departure.
async fn a_manual_broker_hears_of_everybody(transport: Transport) {
    let frontend = XSubSocket::new();
    let backend = XPubSocket::builder().manual(true).build();
    let upstream = frontend.bind(transport.anywhere()).await.unwrap();
    let downstream = backend.bind(transport.anywhere()).await.unwrap();
    let publisher = PubSocket::new();
    publisher.connect(&upstream).unwrap();
    let mut subscribers = Vec::new();
    for topics in [&["1"][..], &["1", "2"]] {
        let subscriber = SubSocket::new();
        subscriber.connect(&downstream).unwrap();
        for topic in topics {
            subscriber.subscribe(topic).unwrap();
            let expected = [b"\x01", topic.as_bytes()].concat();
            assert_eq!(pass_on(&backend, &frontend).await, expected);
        }
        subscribers.push(subscriber);
    }
    soon(publisher.wait_for_subscribers("2", 1)).await.unwrap();
    for topic in ["1", "2", "3"] {
        publisher.send([topic, "body"]).await.unwrap();
    }
    for topic in ["1", "2"] {
        let message = soon(frontend.recv()).await.unwrap();
        assert_eq!(message, Message::from([topic, "body"]));
        backend.send(message).await.unwrap();
    }
    assert_eq!(soon(subscribers[0].recv()).await.unwrap().text(), "1");
    assert_eq!(soon(subscribers[1].recv()).await.unwrap().text(), "1");
    assert_eq!(soon(subscribers[1].recv()).await.unwrap().text(), "2");
    assert_matches!(subscribers[0].try_recv(), Err(TryRecvError::Empty));
    let second = subscribers.pop().unwrap();
    soon(subscribers[0].close()).await;
    assert_eq!(pass_on(&backend, &frontend).await, b"\x001");
    // The other one still wants it.
    assert_eq!((frontend.topic_count(), backend.topic_count()), (2, 2));
    soon(second.close()).await;
    assert_eq!(pass_on(&backend, &frontend).await, b"\x001");
    assert_eq!(pass_on(&backend, &frontend).await, b"\x002");
    until(|| publisher.topic_count() == 0).await;
    let before = publisher.stats().sent.messages;
    publisher.send(["1", "body"]).await.unwrap();
    assert_eq!(publisher.stats().sent.messages, before);
}
