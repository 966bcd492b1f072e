//! What a bad subscriber may do to a publisher.

use std::collections::BTreeSet;

use tokio::net::TcpListener;
use wirelark::{Endpoint, Message, ProtocolError, SubSocket, SubscriberMessage, XPubSocket};

use crate::kit::alone::is_alone;
use crate::kit::raw::RawPeer;
use crate::kit::{frames, memory, soon, until};
use crate::scene;
use crate::traffic::{end, fault};

/// Bytes of the topic that nobody needs.
const BOMB: u64 = 100 << 20;

/// A header that announces a topic of 100 MB, and as much of it as the publisher takes.
async fn bomb(start: Vec<u8>) -> ProtocolError {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(start).await;
    let piece = vec![b'x'; 1 << 16];
    for _ in 0..BOMB >> 16 {
        if peer.try_send(&piece).await.is_err() {
            break;
        }
    }
    let fault = fault(&mut scene.events, &peer.address()).await;
    assert_eq!(scene.socket.topic_count(), 1);
    scene.unharmed().await;
    fault
}

#[tokio::test]
async fn a_subscription_of_100_mb_as_a_command() {
    let mut start = frames::long_header(4, BOMB + 10);
    start.extend(b"\x09SUBSCRIBE");
    assert_eq!(
        bomb(start).await,
        ProtocolError::TopicTooLong {
            length: BOMB,
            limit: 4_096
        }
    );
}

#[tokio::test]
async fn a_subscription_of_100_mb_as_a_message() {
    let mut start = frames::long_header(0, BOMB + 1);
    start.push(1);
    assert_eq!(
        bomb(start).await,
        ProtocolError::TopicTooLong {
            length: BOMB,
            limit: 4_096
        }
    );
}

#[tokio::test]
async fn a_subscription_too_many() {
    const LIMIT: usize = 100_000;
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    let mut all = Vec::new();
    for number in 0..LIMIT {
        all.extend(frames::command("SUBSCRIBE", format!("topic {number}")));
    }
    peer.send(all).await;
    // An answer behind all of it proves that it has been read.
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    assert_eq!(scene.socket.topic_count(), LIMIT + 1);
    // Once more is no subscription more.
    peer.send(frames::command("SUBSCRIBE", "topic 0")).await;
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    scene.goes_on().await;
    peer.send(frames::command("SUBSCRIBE", "one too many"))
        .await;
    assert_eq!(
        fault(&mut scene.events, &peer.address()).await,
        ProtocolError::TooManySubscriptions { limit: LIMIT }
    );
    // What the peer had asked for goes with it.
    assert_eq!(scene.socket.topic_count(), 1);
    scene.unharmed().await;
}

/// To forget what a subscriber had asked for may take long, and other tasks of its thread have their turns meanwhile.
#[tokio::test]
async fn a_subscriber_that_leaves_much_behind_holds_up_nobody() {
    const TOPICS: usize = 20_000;
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    let topics = (0..TOPICS).map(|number| frames::command("SUBSCRIBE", number.to_string()));
    peer.send(topics.flatten().collect::<Vec<_>>()).await;
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    let address = peer.address();
    peer.reset();
    let (publisher, mut seen) = (scene.socket.clone(), BTreeSet::new());
    until(|| {
        seen.insert(publisher.topic_count());
        publisher.topic_count() == 1
    })
    .await;
    assert!(seen.len() > 10, "{seen:?}");
    end(&mut scene.events, &address).await;
    scene.unharmed().await;
}

/// Few subscriptions, each as long as one may be.
#[tokio::test]
async fn subscriptions_that_are_too_long_together() {
    const LONGEST: usize = 4_096;
    const LIMIT: usize = 16 << 20;
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    for number in 0..LIMIT / LONGEST {
        peer.send(frames::command("SUBSCRIBE", format!("{number:0>LONGEST$}")))
            .await;
    }
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    assert_eq!(scene.socket.topic_count(), LIMIT / LONGEST + 1);
    scene.goes_on().await;
    peer.send(frames::command("SUBSCRIBE", "x")).await;
    assert_eq!(
        fault(&mut scene.events, &peer.address()).await,
        ProtocolError::SubscriptionsTooLong { limit: LIMIT }
    );
    assert_eq!(scene.socket.topic_count(), 1);
    scene.unharmed().await;
}

/// RFC 29: a PUB does not read messages. What is no subscription is dropped and counted.
#[tokio::test]
async fn data_to_a_pub() {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(frames::last("unasked").repeat(10_000)).await;
    peer.send(frames::last("")).await;
    peer.send(frames::last("\x01a subscription")).await;
    soon(scene.socket.wait_for_subscribers("a subscription", 1))
        .await
        .unwrap();
    assert_eq!(scene.socket.stats().dropped, 10_001);
    scene.goes_on().await;
    scene.unharmed().await;
}

/// An unknown cancellation is nothing, a known one ends the subscription at once, however often it
/// was repeated; both forms of both requests mean the same.
#[tokio::test]
async fn cancellations() {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(frames::command("CANCEL", "never")).await;
    peer.send(frames::last("\0never")).await;
    peer.send(frames::command("SUBSCRIBE", "a")).await;
    peer.send(frames::last("\x01a")).await;
    soon(scene.socket.wait_for_subscribers("a", 1))
        .await
        .unwrap();
    peer.send(frames::last("\0a")).await;
    let publisher = scene.socket.clone();
    until(|| publisher.topic_count() == 1).await;
    scene.goes_on().await;
    scene.unharmed().await;
}

/// Only the first frame of a message is judged by the connection; the others are judged here.
#[tokio::test]
async fn a_long_topic_in_a_later_frame() {
    let publisher = XPubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut events = publisher.events();
    let good = SubSocket::builder().subscribe("good").build();
    good.connect(&endpoint).unwrap();
    let mut peer = RawPeer::established(&endpoint, "XSUB").await;
    let mut bytes = frames::more("x");
    bytes.extend(frames::long_header(0, 4_098));
    bytes.extend([&[1], &[b't'; 4_097][..]].concat());
    peer.send(bytes).await;
    assert_eq!(
        fault(&mut events, &peer.address()).await,
        ProtocolError::TopicTooLong {
            length: 4_097,
            limit: 4_096
        }
    );
    soon(publisher.wait_for_subscribers("good", 1))
        .await
        .unwrap();
    publisher.send("good").await.unwrap();
    assert_eq!(soon(good.recv()).await.unwrap().text(), "good");
}

/// An XPUB that nobody reads, and a peer that subscribes, cancels and talks without end: the peer
/// is read as far as its queue goes, others are served, and nothing is lost once somebody reads.
#[tokio::test]
async fn a_flood_of_requests() {
    if !is_alone("subscriptions::a_flood_of_requests") {
        return;
    }
    const ROUNDS: usize = 100_000;
    let publisher = XPubSocket::builder().recv_hwm(100).build();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::established(&endpoint, "XSUB").await;
    let flood = tokio::spawn(async move {
        let mut round = frames::command("SUBSCRIBE", "flood");
        round.extend(frames::last("\0flood"));
        round.extend(frames::last("talk"));
        for _ in 0..ROUNDS / 1_000 {
            peer.send(round.repeat(1_000)).await;
        }
        peer
    });
    until(|| {
        let peers = publisher.peers();
        peers
            .first()
            .is_some_and(|peer| peer.recv_queue.messages == 100)
    })
    .await;
    let good = SubSocket::builder().subscribe("good").build();
    good.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("good", 1))
        .await
        .unwrap();
    publisher.send("good").await.unwrap();
    assert_eq!(soon(good.recv()).await.unwrap().text(), "good");
    let mut counts = [0; 3];
    while counts[2] < ROUNDS {
        match soon(publisher.recv()).await.unwrap() {
            SubscriberMessage::Subscribe(request) if request.topic() == b"good" => {}
            SubscriberMessage::Subscribe(_) => counts[0] += 1,
            SubscriberMessage::Cancel(_) => counts[1] += 1,
            SubscriberMessage::Message(_) => counts[2] += 1,
            other => panic!("{other:?}"),
        }
        assert!(
            publisher
                .peers()
                .iter()
                .all(|peer| peer.recv_queue.messages <= 100)
        );
    }
    assert_eq!(counts, [ROUNDS; 3]);
    drop(soon(flood).await.unwrap());
    assert!(memory::peak() < 512 * 1024 * 1024);
}

/// A manual XPUB is asked for more than it may be, and cancels come for what nobody asked for.
#[tokio::test]
async fn manual_requests_are_limited() {
    const LIMIT: usize = 100_000;
    let publisher = XPubSocket::builder().manual(true).recv_hwm(None).build();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut events = publisher.events();
    let mut peer = RawPeer::established(&endpoint, "SUB").await;
    let reader = publisher.clone();
    let reading = tokio::spawn(async move {
        let mut shown = 0;
        let end = Message::from(b"\0the end");
        while Message::from(reader.recv().await.unwrap()) != end {
            shown += 1;
        }
        shown
    });
    let mut all = frames::command("CANCEL", "never");
    for number in 0..LIMIT {
        all.extend(frames::command("SUBSCRIBE", format!("topic {number}")));
    }
    peer.send(all).await;
    peer.send(frames::command("CANCEL", "the end")).await;
    assert_eq!(soon(reading).await.unwrap(), 1 + LIMIT);
    assert_eq!(publisher.topic_count(), 0);
    peer.send(frames::command("SUBSCRIBE", "one too many"))
        .await;
    assert_eq!(
        fault(&mut events, &peer.address()).await,
        ProtocolError::TooManySubscriptions { limit: LIMIT }
    );
}

/// A publisher that does not read is told what matters when it does.
#[tokio::test]
async fn a_publisher_that_stops_reading() {
    if !is_alone("subscriptions::a_publisher_that_stops_reading") {
        return;
    }
    /// More than the kernel takes.
    const CHANGES: usize = 30_000;
    const QUEUED_MAX: u64 = 1_024;
    /// What is subscribed to at the end.
    const WANTED: usize = 2 + CHANGES / 1_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::from(listener.local_addr().unwrap());
    let sub = SubSocket::builder().subscribe("always").build();
    sub.connect(&endpoint).unwrap();
    let mut publisher = RawPeer::accept(&listener).await;
    publisher.greet().await;
    publisher.ready("PUB").await;
    until(|| !sub.peers().is_empty()).await;
    let before = memory::resident();
    for number in 0..CHANGES {
        let topic = format!("{number:0>4000}");
        sub.subscribe(&topic).unwrap();
        sub.unsubscribe(&topic).unwrap();
        if number % 1_000 == 0 {
            sub.subscribe(format!("stays {number}")).unwrap();
            tokio::task::yield_now().await;
        }
        assert!(sub.peers()[0].send_queue.messages <= QUEUED_MAX);
    }
    let grown = memory::resident().saturating_sub(before);
    assert!(grown < 48 * 1024 * 1024, "{grown} bytes are kept for it");
    // Now it reads all of it. What has been the case in between it never hears of.
    sub.subscribe("the last").unwrap();
    let mut known = BTreeSet::new();
    while !known.contains(&b"the last"[..]) || known.len() > WANTED {
        let frame = publisher.frame().await;
        let (name, topic) = frame.body[1..].split_at(usize::from(frame.body[0]));
        match name {
            b"SUBSCRIBE" => assert!(known.insert(topic.to_vec())),
            b"CANCEL" => assert!(known.remove(topic)),
            _ => panic!("{frame:?}"),
        }
    }
    assert_eq!(known.len(), WANTED);
    for number in (0..CHANGES).step_by(1_000) {
        assert!(known.contains(format!("stays {number}").as_bytes()));
    }
    publisher.send(frames::last("stays 0, and is heard")).await;
    assert_eq!(
        soon(sub.recv()).await.unwrap().text(),
        "stays 0, and is heard"
    );
}
