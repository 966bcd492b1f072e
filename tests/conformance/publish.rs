//! Subscriptions: who gets what, from when to when.

use tokio::net::TcpListener;
use wirelark::{Message, PubSocket, SubSocket, TryRecvError, XPubSocket};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, ports, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_prefix_of_the_first_frame_decides,
    subscriptions_are_counted,
    what_is_read_after_unsubscribing_is_wanted_still,
    a_late_subscriber_gets_what_follows,
    a_message_that_matches_twice_comes_once,
    subscriptions_are_replayed_to_a_new_publisher,
    one_subscriber_of_several_publishers,
    a_subscriber_that_leaves_is_forgotten,
    a_subscriber_that_disconnects_is_forgotten,
    a_publisher_that_connects_first,
    topics_of_any_length,
    both_ends_count_prefixes,
);

async fn a_prefix_of_the_first_frame_decides(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let weather = SubSocket::builder().subscribe("weather.").build();
    let oslo = SubSocket::builder().subscribe("weather.oslo").build();
    let all = SubSocket::builder().subscribe("").build();
    let none = SubSocket::new();
    for subscriber in [&weather, &oslo, &all, &none] {
        subscriber.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("weather.oslo", 3))
        .await
        .unwrap();
    until(|| publisher.peers().len() == 4).await;
    for message in [
        Message::from(["weather.oslo", "4 C"]),
        Message::from(["weather.rome", "24 C"]),
        Message::from(["weathe", "weather."]),
        Message::from(""),
        Message::from("weather."),
        Message::from(["end", "weather.oslo"]),
    ] {
        publisher.send(message).await.unwrap();
    }
    publisher.send("weather.oslo.end").await.unwrap();
    let texts = async |subscriber: &SubSocket| {
        let mut texts = Vec::new();
        while texts.last().is_none_or(|last| last != "weather.oslo.end") {
            texts.push(soon(subscriber.recv()).await.unwrap().text().into_owned());
        }
        texts
    };
    assert_eq!(texts(&oslo).await, ["weather.oslo", "weather.oslo.end"]);
    assert_eq!(
        texts(&weather).await,
        [
            "weather.oslo",
            "weather.rome",
            "weather.",
            "weather.oslo.end"
        ]
    );
    assert_eq!(texts(&all).await.len(), 7);
    assert_matches!(none.try_recv(), Err(TryRecvError::Empty));
}

/// RFC 29: as many cancellations as subscriptions.
async fn subscriptions_are_counted(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::new();
    subscriber.connect(&endpoint).unwrap();
    subscriber.subscribe("a").unwrap();
    subscriber.subscribe("a").unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    subscriber.unsubscribe("a").unwrap();
    subscriber.unsubscribe("never subscribed").unwrap();
    // What comes behind it in order shows that the cancellation was none.
    subscriber.subscribe("b").unwrap();
    assert_eq!(subscriber.topic_count(), 2);
    soon(publisher.wait_for_subscribers("b", 1)).await.unwrap();
    publisher.send("a 1").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a 1");
    subscriber.unsubscribe("a").unwrap();
    assert_eq!(subscriber.topic_count(), 1);
    until(|| publisher.topic_count() == 1).await;
    publisher.send("a 2").await.unwrap();
    publisher.send("b 3").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "b 3");
}

/// Messages that lie ready when a subscription ends are dropped.
async fn what_is_read_after_unsubscribing_is_wanted_still(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").subscribe("b").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    soon(publisher.wait_for_subscribers("b", 1)).await.unwrap();
    for text in ["a 1", "b 1", "a 2", "b 2"] {
        publisher.send(text).await.unwrap();
    }
    until(|| subscriber.stats().received.messages == 4).await;
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a 1");
    subscriber.unsubscribe("a").unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "b 1");
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "b 2");
}

async fn a_late_subscriber_gets_what_follows(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    publisher.send("nobody hears this").await.unwrap();
    let subscriber = SubSocket::new();
    subscriber.connect(&endpoint).unwrap();
    subscriber.subscribe("").unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    publisher.send("somebody hears this").await.unwrap();
    assert_eq!(
        soon(subscriber.recv()).await.unwrap().text(),
        "somebody hears this"
    );
}

async fn a_message_that_matches_twice_comes_once(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder()
        .subscribe("")
        .subscribe("a")
        .subscribe("ab")
        .build();
    subscriber.connect(&endpoint).unwrap();
    until(|| publisher.topic_count() == 3).await;
    publisher.send("abc").await.unwrap();
    publisher.send("end").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "abc");
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "end");
}

async fn subscriptions_are_replayed_to_a_new_publisher(transport: Transport) {
    let place = transport.somewhere();
    let subscriber = SubSocket::builder()
        .subscribe("a")
        .reconnect_interval(std::time::Duration::from_millis(10))
        .build();
    subscriber.connect(&place).unwrap();
    subscriber.subscribe("gone").unwrap();
    subscriber.subscribe("b").unwrap();
    for round in 0..3 {
        let publisher = PubSocket::new();
        publisher.bind(&place).await.unwrap();
        soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
        soon(publisher.wait_for_subscribers("b", 1)).await.unwrap();
        subscriber.unsubscribe("gone").unwrap();
        until(|| publisher.topic_count() == 2).await;
        publisher.send(format!("b {round}")).await.unwrap();
        let message = soon(subscriber.recv()).await.unwrap();
        assert_eq!(message.text(), format!("b {round}"));
        assert_eq!(soon(publisher.close()).await.unsent, 0);
    }
}

async fn one_subscriber_of_several_publishers(transport: Transport) {
    let subscriber = SubSocket::builder().subscribe("a").build();
    let mut publishers = Vec::new();
    for _ in 0..3 {
        let publisher = PubSocket::new();
        let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
        subscriber.connect(&endpoint).unwrap();
        publishers.push(publisher);
    }
    let mut got = Vec::new();
    for (number, publisher) in publishers.iter().enumerate() {
        soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
        publisher.send(format!("a {number}")).await.unwrap();
        got.push(soon(subscriber.recv()).await.unwrap().text().into_owned());
    }
    assert_eq!(got, ["a 0", "a 1", "a 2"]);
    subscriber.subscribe("to all of them").unwrap();
    for publisher in &publishers {
        soon(publisher.wait_for_subscribers("to all of them", 1))
            .await
            .unwrap();
    }
}

async fn a_subscriber_that_leaves_is_forgotten(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").subscribe("b").build();
    subscriber.connect(&endpoint).unwrap();
    until(|| publisher.topic_count() == 2).await;
    soon(subscriber.close()).await;
    until(|| publisher.topic_count() == 0 && publisher.peers().is_empty()).await;
    publisher.send("a").await.unwrap();
    assert_eq!(publisher.stats().dropped, 0);
}

/// It may come back, and then gets what follows.
async fn a_subscriber_that_disconnects_is_forgotten(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    for round in 0..3 {
        subscriber.connect(&endpoint).unwrap();
        soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
        publisher.send(format!("a {round}")).await.unwrap();
        let message = soon(subscriber.recv()).await.unwrap();
        assert_eq!(message.text(), format!("a {round}"));
        subscriber.disconnect(&endpoint).unwrap();
        until(|| publisher.topic_count() == 0 && publisher.peers().is_empty()).await;
        publisher.send("a word to nobody").await.unwrap();
        assert_matches!(subscriber.try_recv(), Err(TryRecvError::Empty));
    }
}

/// Nothing is queued for a subscriber that has not said what it wants.
async fn a_publisher_that_connects_first(transport: Transport) {
    let place = transport.somewhere();
    let publisher = PubSocket::new();
    publisher.connect(&place).unwrap();
    publisher.send("before").await.unwrap();
    let subscriber = SubSocket::builder().subscribe("").build();
    subscriber.bind(&place).await.unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    publisher.send("after").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "after");
}

/// With the command's name, and with the single byte of ZMTP 3.0, around every length at which the
/// header of a frame changes.
async fn topics_of_any_length(transport: Transport) {
    let publisher = XPubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::new();
    subscriber.connect(&endpoint).unwrap();
    let shown = async |expected: [&[u8]; 2]| {
        let shown = Message::from(soon(publisher.recv()).await.unwrap());
        assert_eq!(shown, Message::from(expected.concat()));
    };
    for length in [0, 1, 244, 245, 246, 247, 253, 254, 255, 256, 257, 4_096] {
        let topic: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        subscriber.subscribe(&topic).unwrap();
        shown([b"\x01", &topic]).await;
        publisher.send(topic.as_slice()).await.unwrap();
        assert_eq!(soon(subscriber.recv()).await.unwrap().first(), topic);
        subscriber.unsubscribe(&topic).unwrap();
        shown([b"\0", &topic]).await;
    }
}

/// Whether they lie within each other or not, and in whatever order they come.
async fn both_ends_count_prefixes(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::new();
    subscriber.connect(&endpoint).unwrap();
    for prefixes in [
        ["prefix 1", "prefix 2", "prefix 3"],
        ["a", "ab", "abc"],
        ["xyz", "xy", "x"],
    ] {
        for (before, prefix) in prefixes.iter().enumerate() {
            subscriber.subscribe(prefix).unwrap();
            assert_eq!(subscriber.topic_count(), before + 1);
            until(|| publisher.topic_count() == before + 1).await;
        }
        for (gone, prefix) in prefixes.iter().rev().enumerate() {
            subscriber.unsubscribe(prefix).unwrap();
            assert_eq!(subscriber.topic_count(), 2 - gone);
            until(|| publisher.topic_count() == 2 - gone).await;
        }
    }
}

/// A publisher that does not filter, as old ones may not: the subscriber does.
#[tokio::test]
async fn a_subscriber_filters_on_its_own_side() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    subscriber.connect(listener.local_addr().unwrap()).unwrap();
    let mut publisher = RawPeer::accept(&listener).await;
    publisher.greet().await;
    publisher.ready("PUB").await;
    let request = publisher.frame().await;
    assert_eq!((request.flags, &*request.body), (4, &b"\x09SUBSCRIBEa"[..]));
    publisher.send(frames::message(["b", "unwanted"])).await;
    publisher.send(frames::message(["", "unwanted"])).await;
    publisher.send(frames::message(["ab", "wanted"])).await;
    assert_eq!(
        soon(subscriber.recv()).await.unwrap(),
        Message::from(["ab", "wanted"])
    );
    assert_matches!(subscriber.try_recv(), Err(TryRecvError::Empty));
}

/// To a peer of ZMTP 3.0 subscriptions are messages.
#[tokio::test]
async fn subscriptions_in_the_form_of_zmtp_3_0() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    subscriber.connect(listener.local_addr().unwrap()).unwrap();
    let mut publisher = RawPeer::accept(&listener).await;
    publisher.send(frames::greeting(3, 0, "NULL")).await;
    publisher.expect_greeting().await;
    publisher.ready("XPUB").await;
    assert_eq!(publisher.message().await, [b"\x01a"]);
    publisher.send(frames::last("a message")).await;
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a message");
    subscriber.unsubscribe("a").unwrap();
    assert_eq!(publisher.message().await, [b"\0a"]);
}

/// Subscribers of either version ask in their own way, which is shown as one, and get the same.
#[tokio::test]
async fn subscribers_of_both_versions() {
    let publisher = XPubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let command = b"\x04\x0b\x09SUBSCRIBEA";
    let message = b"\x00\x02\x01A";
    for (minor, request) in [(1, command.as_slice()), (0, message.as_slice())] {
        let mut subscriber = RawPeer::connect(&endpoint).await;
        subscriber.send(frames::greeting(3, minor, "NULL")).await;
        subscriber.expect_greeting().await;
        subscriber.ready("SUB").await;
        subscriber.send(request).await;
        let shown = Message::from(soon(publisher.recv()).await.unwrap());
        assert_eq!(shown, Message::from(b"\x01A"));
        publisher.send("ALOL").await.unwrap();
        let frame = subscriber.frame().await;
        assert_eq!((frame.flags, frame.body.as_slice()), (0, &b"ALOL"[..]));
        drop(subscriber);
        let shown = Message::from(soon(publisher.recv()).await.unwrap());
        assert_eq!(shown, Message::from(b"\0A"));
    }
}

/// A subscriber that stops reading loses messages; a lively one and the publisher do not notice.
#[tokio::test]
async fn a_subscriber_that_does_not_read() {
    let publisher = PubSocket::builder().send_hwm(10).build();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut stuck = RawPeer::established(&endpoint, "SUB").await;
    stuck.send(frames::command("SUBSCRIBE", "")).await;
    let lively = SubSocket::builder().subscribe("").build();
    lively.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 2)).await.unwrap();
    let body = vec![0; 1 << 16];
    let mut sent = 0_u64;
    while publisher.stats().dropped < 100 {
        publisher.send(body.clone()).await.unwrap();
        assert_eq!(soon(lively.recv()).await.unwrap().byte_len(), 1 << 16);
        sent += 1;
    }
    let dropped: u64 = publisher.peers().iter().map(|peer| peer.dropped).sum();
    assert_eq!(dropped, 100);
    assert_eq!(lively.stats().received.messages, sent);
    // What the stuck one does get is whole.
    for _ in 0..sent - 100 {
        assert_eq!(stuck.message().await, [body.as_slice()]);
    }
}

/// More subscriptions than the queue of a peer may hold messages, before the peer is there.
#[tokio::test]
async fn no_subscription_is_lost_to_a_water_mark() {
    let place = format!("tcp://127.0.0.1:{}", ports::free());
    let subscriber = SubSocket::new();
    subscriber.connect(&place).unwrap();
    for number in 0..5_000 {
        subscriber.subscribe(format!("topic {number:04}")).unwrap();
    }
    let publisher = PubSocket::new();
    publisher.bind(&place).await.unwrap();
    until(|| publisher.topic_count() == 5_000).await;
}
