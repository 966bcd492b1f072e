//! A subscriber may ask for so many topics and no more: who asks for more is sent away, with an event that
//! says so, whichever way it came.

use wirelark::{
    DisconnectReason, Endpoint, Event, Message, PeerFault, ProtocolError, PubSocket, SubSocket,
    XPubSocket, XSubSocket,
};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

/// As the README has it.
const LIMIT: usize = 100_000;

/// Likewise, in bytes of all topics together.
const LIMIT_BYTES: usize = 16 << 20;

on_every_transport!(one_topic_too_many, the_longest_topic_and_one_longer);

fn is_too_many(event: &Event) -> bool {
    let limit = LIMIT;
    let too_many = PeerFault::Protocol(ProtocolError::TooManySubscriptions { limit });
    matches!(
        event,
        Event::Disconnected { reason: DisconnectReason::Fault(fault), .. } if *fault == too_many
    )
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}

async fn one_topic_too_many(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let mut events = publisher.events();
    let good = SubSocket::builder().subscribe("good").build();
    good.connect(&endpoint).unwrap();
    let mut good_events = good.events();
    let greedy = SubSocket::new();
    let mut told = greedy.events();
    greedy.connect(&endpoint).unwrap();
    for number in 0..LIMIT {
        greedy.subscribe(format!("topic {number}")).unwrap();
    }
    soon(publisher.wait_for_subscribers("topic 99999", 1))
        .await
        .unwrap();
    publisher.send("topic 5").await.unwrap();
    assert_eq!(soon(greedy.recv()).await.unwrap().text(), "topic 5");
    greedy.subscribe("one too many").unwrap();
    wait_for(&mut events, is_too_many).await;
    match wait_for(&mut told, is_end).await {
        // A connection does not say why it is ended.
        _ if transport != Transport::Inproc => {}
        event => assert!(is_too_many(&event), "{event:?}"),
    }
    greedy.close().await;
    until(|| publisher.topic_count() == 1).await;
    soon(publisher.wait_for_subscribers("good", 1))
        .await
        .unwrap();
    publisher.send("good").await.unwrap();
    assert_eq!(soon(good.recv()).await.unwrap().text(), "good");
    while let Some(event) = good_events.try_next() {
        assert!(!is_end(&event), "{event:?}");
    }
}

/// Few topics may be too much, too, and then it is their length that is named.
#[tokio::test]
async fn one_byte_too_many() {
    const LENGTH: usize = 4_096;
    let limit = LIMIT_BYTES;
    let too_long = PeerFault::Protocol(ProtocolError::SubscriptionsTooLong { limit });
    let (publisher, greedy) = (PubSocket::new(), SubSocket::new());
    let (mut events, mut told) = (publisher.events(), greedy.events());
    let endpoint = soon(publisher.bind("inproc://bytes")).await.unwrap();
    for number in 0..LIMIT_BYTES / LENGTH {
        greedy.subscribe(format!("{number:0>LENGTH$}")).unwrap();
    }
    greedy.connect(&endpoint).unwrap();
    until(|| publisher.topic_count() == LIMIT_BYTES / LENGTH).await;
    greedy.subscribe("x").unwrap();
    for events in [&mut events, &mut told] {
        match wait_for(events, is_end).await {
            Event::Disconnected {
                reason: DisconnectReason::Fault(fault),
                ..
            } => assert_eq!(fault, too_long),
            other => panic!("{other:?}"),
        }
        // It would end likewise if it came again.
        assert_matches!(events.try_next(), None);
    }
    assert_eq!(publisher.topic_count(), 0);
}

async fn the_longest_topic_and_one_longer(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let mut events = publisher.events();
    let subscriber = SubSocket::new();
    let mut told = subscriber.events();
    subscriber.connect(&endpoint).unwrap();
    let longest = [b't'; 4_096];
    subscriber.subscribe(longest).unwrap();
    soon(publisher.wait_for_subscribers(longest, 1))
        .await
        .unwrap();
    subscriber.subscribe([b't'; 4_097]).unwrap();
    let is_too_long = |event: &Event| {
        let fault = ProtocolError::TopicTooLong {
            length: 4_097,
            limit: 4_096,
        };
        let too_long = PeerFault::Protocol(fault);
        matches!(
            event,
            Event::Disconnected { reason: DisconnectReason::Fault(fault), .. } if *fault == too_long
        )
    };
    wait_for(&mut events, is_too_long).await;
    match wait_for(&mut told, is_end).await {
        // A connection does not say why it is ended.
        _ if transport != Transport::Inproc => {}
        event => assert!(is_too_long(&event), "{event:?}"),
    }
    soon(subscriber.close()).await;
    until(|| publisher.topic_count() == 0).await;
}

/// What is asked for and not granted counts, too.
#[tokio::test]
async fn one_topic_too_many_for_the_user_to_grant() {
    let publisher = XPubSocket::builder().manual(true).recv_hwm(None).build();
    let endpoint = soon(publisher.bind("inproc://to grant")).await.unwrap();
    let mut events = publisher.events();
    let greedy = XSubSocket::new();
    greedy.connect(&endpoint).unwrap();
    let reader = publisher.clone();
    let reading = tokio::spawn(async move { while reader.recv().await.is_ok() {} });
    for number in 0..=LIMIT {
        greedy.subscribe(format!("topic {number}")).unwrap();
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    wait_for(&mut events, is_too_many).await;
    greedy.close().await;
    publisher.close().await;
    soon(reading).await.unwrap();
}

/// Whoever has too many before it is joined is sent away while it is joined. It does not come back to the
/// same publisher with the same topics, but to whoever takes that name after it.
#[tokio::test]
async fn who_comes_with_too_many_topics_waits_for_another_publisher() {
    for publisher_binds in [true, false] {
        let endpoint: Endpoint = format!("inproc://topics {publisher_binds}")
            .parse()
            .unwrap();
        let (publisher, greedy) = (PubSocket::new(), SubSocket::new());
        let (mut events, mut told) = (publisher.events(), greedy.events());
        for number in 0..=LIMIT {
            greedy.subscribe(format!("topic {number}")).unwrap();
        }
        if publisher_binds {
            greedy.connect(&endpoint).unwrap();
            soon(publisher.bind(&endpoint)).await.unwrap();
        } else {
            soon(greedy.bind(&endpoint)).await.unwrap();
            publisher.connect(&endpoint).unwrap();
        }
        for events in [&mut events, &mut told] {
            wait_for(events, |event| matches!(event, Event::Ready { .. })).await;
            let end = wait_for(events, is_end).await;
            assert!(is_too_many(&end), "{end:?}");
            assert_matches!(events.try_next(), None);
        }
        assert_eq!(publisher.topic_count(), 0);
        assert!(publisher.peers().is_empty() && greedy.peers().is_empty());
        // One topic less, and it is welcome again.
        greedy.unsubscribe("topic 7").unwrap();
        if publisher_binds {
            publisher.unbind(&endpoint).unwrap();
            soon(publisher.bind(&endpoint)).await.unwrap();
        } else {
            greedy.unbind(&endpoint).unwrap();
            soon(greedy.bind(&endpoint)).await.unwrap();
        }
        soon(publisher.wait_for_subscribers("topic 8", 1))
            .await
            .unwrap();
        publisher.send("topic 8").await.unwrap();
        assert_eq!(soon(greedy.recv()).await.unwrap().text(), "topic 8");
    }
}

/// What is wrong with a message comes only once: the link is made again at once.
#[tokio::test]
async fn a_topic_that_is_too_long_ends_a_link_once() {
    let (publisher, sloppy) = (
        XPubSocket::new(),
        XSubSocket::builder().only_first_subscribe(true).build(),
    );
    soon(publisher.bind("inproc://a long topic")).await.unwrap();
    sloppy.connect("inproc://a long topic").unwrap();
    let (mut events, mut told) = (publisher.events(), sloppy.events());
    let topic = [&[1], &[b't'; 4_097][..]].concat();
    sloppy
        .send(Message::from([&b"x"[..], &topic]))
        .await
        .unwrap();
    for events in [&mut events, &mut told] {
        assert_matches!(
            wait_for(events, is_end).await,
            Event::Disconnected {
                reason: DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::TopicTooLong {
                    length: 4_097,
                    limit: 4_096
                })),
                ..
            }
        );
        wait_for(events, |event| matches!(event, Event::Ready { .. })).await;
    }
    sloppy.subscribe("t").unwrap();
    soon(publisher.wait_for_subscribers("t", 1)).await.unwrap();
}
