//! XPUB: what it shows of its subscribers, when that takes effect, and how it waits for them.

use wirelark::{
    AcceptError, Message, PubSocket, SubSocket, SubscribeRequest, SubscriberMessage,
    SubscriberSendError, SubscriberTrySendError, TryRecvError, TrySendError, XPubSocket,
    XSubSocket,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    the_first_and_the_last_of_a_prefix_are_shown,
    verbose_shows_every_subscription,
    verboser_shows_every_cancellation,
    what_was_never_subscribed_to_is_cancelled,
    a_departure_cancels,
    manual_requests_take_effect_when_accepted,
    a_manual_request_outlives_its_subscriber,
    last_values_go_to_the_newcomer_only,
    a_welcome_comes_first,
    a_full_subscriber_is_waited_for,
    a_subscriber_that_leaves_is_not_waited_for,
    those_that_are_not_concerned_do_not_wait,
    a_broker_forwards_both_ways,
    matching_turned_round,
    requests_are_bounded_until_they_are_read,
);

/// As libzmq would give it.
async fn shown(publisher: &XPubSocket) -> Vec<u8> {
    let shown = soon(publisher.recv()).await.unwrap();
    Message::from(shown).first().to_vec()
}

async fn requested(publisher: &XPubSocket) -> SubscribeRequest {
    match soon(publisher.recv()).await.unwrap() {
        SubscriberMessage::Subscribe(request) => request,
        other => panic!("{other:?} is no subscription"),
    }
}

async fn subscriber_of(publisher: &XPubSocket, transport: Transport) -> XSubSocket {
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = XSubSocket::new();
    subscriber.connect(&endpoint).unwrap();
    until(|| !publisher.peers().is_empty()).await;
    subscriber
}

/// A second one at the same endpoint; it has said nothing yet, so it is known by its number.
async fn two_subscribers(publisher: &XPubSocket, transport: Transport) -> (XSubSocket, XSubSocket) {
    let first = subscriber_of(publisher, transport).await;
    let second = XSubSocket::new();
    second
        .connect(publisher.peers().remove(0).peer.endpoint())
        .unwrap();
    until(|| publisher.peers().len() == 2).await;
    (first, second)
}

async fn the_first_and_the_last_of_a_prefix_are_shown(transport: Transport) {
    let publisher = XPubSocket::new();
    let (first, second) = two_subscribers(&publisher, transport).await;
    first.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    // Again by the same one, and by another one.
    first.subscribe("a").unwrap();
    second.subscribe("a").unwrap();
    second.subscribe("b").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01b");
    assert_eq!(publisher.topic_count(), 2);
    first.unsubscribe("a").unwrap();
    first.unsubscribe("a").unwrap();
    first.unsubscribe("a").unwrap();
    first.subscribe("c").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01c");
    second.unsubscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\0a");
    assert_matches!(publisher.try_recv(), Err(TryRecvError::Empty));
}

async fn verbose_shows_every_subscription(transport: Transport) {
    let publisher = XPubSocket::builder().verbose(true).build();
    let (first, second) = two_subscribers(&publisher, transport).await;
    first.subscribe("a").unwrap();
    first.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    assert_eq!(shown(&publisher).await, b"\x01a");
    second.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    second.unsubscribe("a").unwrap();
    second.subscribe("b").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01b");
    first.unsubscribe("a").unwrap();
    first.unsubscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\0a");
}

async fn verboser_shows_every_cancellation(transport: Transport) {
    let publisher = XPubSocket::builder().verboser(true).build();
    let (first, second) = two_subscribers(&publisher, transport).await;
    first.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    second.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    second.unsubscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\0a");
    second.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    soon(first.close()).await;
    assert_eq!(shown(&publisher).await, b"\0a");
    soon(second.close()).await;
    assert_eq!(shown(&publisher).await, b"\0a");
    assert_eq!(publisher.topic_count(), 0);
}

async fn what_was_never_subscribed_to_is_cancelled(transport: Transport) {
    let publisher = XPubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = XSubSocket::builder().verbose_unsubscribe(true).build();
    subscriber.connect(&endpoint).unwrap();
    subscriber.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    subscriber.unsubscribe("b").unwrap();
    assert_eq!(shown(&publisher).await, b"\0b");
    // Somebody else's subscription is not touched, and not shown as ended.
    let stranger = XSubSocket::builder().verbose_unsubscribe(true).build();
    stranger.connect(&endpoint).unwrap();
    stranger.unsubscribe("a").unwrap();
    stranger.subscribe("c").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01c");
    publisher.send("a").await.unwrap();
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a");
}

async fn a_departure_cancels(transport: Transport) {
    let publisher = XPubSocket::new();
    let (first, second) = two_subscribers(&publisher, transport).await;
    for topic in ["c", "a", "b"] {
        first.subscribe(topic).unwrap();
        shown(&publisher).await;
    }
    second.subscribe("b").unwrap();
    second.subscribe("d").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01d");
    soon(first.close()).await;
    assert_eq!(shown(&publisher).await, b"\0a");
    assert_eq!(shown(&publisher).await, b"\0c");
    let endpoint = publisher.peers().remove(0).peer.endpoint().clone();
    second.disconnect(&endpoint).unwrap();
    assert_eq!(shown(&publisher).await, b"\0b");
    assert_eq!(shown(&publisher).await, b"\0d");
    publisher.send("b").await.unwrap();
    // It wants the same when it comes again, and has missed what was said meanwhile.
    second.connect(&endpoint).unwrap();
    assert_eq!(shown(&publisher).await, b"\x01b");
    assert_eq!(shown(&publisher).await, b"\x01d");
    publisher.send("b again").await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap().text(), "b again");
}

async fn manual_requests_take_effect_when_accepted(transport: Transport) {
    let publisher = XPubSocket::builder().manual(true).build();
    let subscriber = subscriber_of(&publisher, transport).await;
    for topic in ["a", "b", "refused"] {
        subscriber.subscribe(topic).unwrap();
    }
    let request = requested(&publisher).await;
    assert_eq!(request.topic(), b"a");
    assert_eq!(publisher.topic_count(), 0);
    request.accept().unwrap();
    let request = requested(&publisher).await;
    request.accept_as("xb").unwrap();
    request.accept_as("xc").unwrap();
    drop(requested(&publisher).await);
    assert_eq!(publisher.topic_count(), 3);
    for topic in ["a", "b", "refused", "xb", "xc"] {
        publisher.send(topic).await.unwrap();
    }
    for topic in ["a", "xb", "xc"] {
        assert_eq!(soon(subscriber.recv()).await.unwrap().text(), topic);
    }
    subscriber.unsubscribe("b").unwrap();
    match soon(publisher.recv()).await.unwrap() {
        SubscriberMessage::Cancel(request) => {
            assert_eq!(request.text(), "b");
            request.accept_as("xb");
        }
        other => panic!("{other:?} is no cancellation"),
    }
    assert_eq!(publisher.topic_count(), 2);
    for topic in ["xb", "xc"] {
        publisher.send(topic).await.unwrap();
    }
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "xc");
    // What it was given ends with it, and what it had asked for and not cancelled is shown.
    soon(subscriber.close()).await;
    assert_eq!(shown(&publisher).await, b"\0a");
    assert_eq!(shown(&publisher).await, b"\0refused");
    assert_eq!(publisher.topic_count(), 0);
    assert_matches!(publisher.try_recv(), Err(TryRecvError::Empty));
}

async fn a_manual_request_outlives_its_subscriber(transport: Transport) {
    let publisher = XPubSocket::builder().manual(true).build();
    let subscriber = subscriber_of(&publisher, transport).await;
    subscriber.subscribe("a").unwrap();
    let request = requested(&publisher).await;
    soon(subscriber.close()).await;
    let cancel = match soon(publisher.recv()).await.unwrap() {
        SubscriberMessage::Cancel(cancel) => cancel,
        other => panic!("{other:?} is no cancellation"),
    };
    assert_eq!(request.accept(), Err(AcceptError::PeerGone));
    assert_matches!(
        request.try_send("a"),
        Err(SubscriberTrySendError::PeerGone(_))
    );
    cancel.accept();
    assert_eq!(publisher.topic_count(), 0);
    soon(publisher.close()).await;
    assert_eq!(request.accept(), Err(AcceptError::Closed));
}

async fn last_values_go_to_the_newcomer_only(transport: Transport) {
    let publisher = XPubSocket::builder().manual(true).build();
    let (old, new) = two_subscribers(&publisher, transport).await;
    old.subscribe("a").unwrap();
    requested(&publisher).await.accept().unwrap();
    new.subscribe("a").unwrap();
    let request = requested(&publisher).await;
    let unwanted = request.send("a 1").await.unwrap_err();
    assert_eq!(unwanted, SubscriberSendError::Unwanted("a 1".into()));
    request.accept().unwrap();
    soon(request.send(["a", "last value"])).await.unwrap();
    publisher.send("a next").await.unwrap();
    assert_eq!(
        soon(new.recv()).await.unwrap().frame(1),
        Some(&b"last value"[..])
    );
    assert_eq!(soon(new.recv()).await.unwrap().text(), "a next");
    assert_eq!(soon(old.recv()).await.unwrap().text(), "a next");
}

async fn a_welcome_comes_first(transport: Transport) {
    let publisher = XPubSocket::builder().welcome(["W", "hello"]).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let deaf = SubSocket::builder().subscribe("a").build();
    let subscriber = SubSocket::builder().subscribe("W").subscribe("a").build();
    for socket in [&deaf, &subscriber] {
        socket.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("a", 2)).await.unwrap();
    let mut requests = [shown(&publisher).await, shown(&publisher).await];
    requests.sort();
    assert_eq!(requests, [b"\x01W", b"\x01a"]);
    publisher.send("a").await.unwrap();
    let welcome = soon(subscriber.recv()).await.unwrap();
    assert_eq!(welcome, Message::from(["W", "hello"]));
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "a");
    assert_eq!(soon(deaf.recv()).await.unwrap().text(), "a");
}

/// Fills the queue towards a subscriber of everything that begins with `topic`; returns how many
/// messages it holds.
fn fill(publisher: &XPubSocket, topic: &str) -> usize {
    let body = vec![0; 1 << 16];
    let mut sent = 0;
    loop {
        match publisher.try_send([topic.as_bytes(), &sent.to_string().into_bytes(), &body]) {
            Ok(()) => sent += 1,
            Err(TrySendError::Full(message)) => {
                assert_eq!(message.text(), topic);
                return sent;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn no_drop() -> XPubSocket {
    XPubSocket::builder().no_drop(true).send_hwm(2).build()
}

async fn a_full_subscriber_is_waited_for(transport: Transport) {
    let publisher = no_drop();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let slow = SubSocket::builder().recv_hwm(2).subscribe("").build();
    let lively = SubSocket::builder().subscribe("").recv_hwm(None).build();
    for socket in [&slow, &lively] {
        socket.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("", 2)).await.unwrap();
    let mut sent = fill(&publisher, "x");
    let read = async {
        let mut got = 0;
        loop {
            let message = soon(slow.recv()).await.unwrap();
            if message.text() == "end" {
                return got;
            }
            got += 1;
        }
    };
    let (result, got) = tokio::join!(soon(publisher.send("end")), read);
    result.unwrap();
    assert_eq!(got, sent);
    // Nothing came twice, and nothing was dropped on anybody's account.
    while soon(lively.recv()).await.unwrap().text() != "end" {
        sent -= 1;
    }
    assert_eq!(sent, 0);
    assert_eq!(publisher.stats().dropped, 0);
}

async fn a_subscriber_that_leaves_is_not_waited_for(transport: Transport) {
    let publisher = no_drop();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let stuck = SubSocket::builder().recv_hwm(2).subscribe("").build();
    stuck.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    fill(&publisher, "x");
    let waiting = async {
        // Until the connection has taken all that it takes.
        for _ in 0..10_000 {
            publisher.send(vec![0; 1 << 16]).await.unwrap();
            if publisher.peers().is_empty() {
                return;
            }
        }
        panic!("a subscriber that does not read took 10,000 messages");
    };
    let leave = async {
        tokio::task::yield_now().await;
        stuck.close().await;
    };
    soon(async { tokio::join!(waiting, leave) }).await;
}

async fn those_that_are_not_concerned_do_not_wait(transport: Transport) {
    let publisher = no_drop();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let stuck = SubSocket::builder().recv_hwm(2).subscribe("x").build();
    let lively = SubSocket::builder().subscribe("y").build();
    for socket in [&stuck, &lively] {
        socket.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("x", 1)).await.unwrap();
    soon(publisher.wait_for_subscribers("y", 1)).await.unwrap();
    fill(&publisher, "x");
    for _ in 0..20 {
        soon(publisher.send("y")).await.unwrap();
        assert_eq!(soon(lively.recv()).await.unwrap().text(), "y");
    }
}

/// XSUB and XPUB between a publisher and a subscriber, moved by hand.
async fn a_broker_forwards_both_ways(transport: Transport) {
    let (frontend, backend) = (XSubSocket::new(), XPubSocket::new());
    let upstream = frontend.bind(transport.anywhere()).await.unwrap();
    let downstream = backend.bind(transport.anywhere()).await.unwrap();
    let publisher = PubSocket::new();
    publisher.connect(&upstream).unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    subscriber.connect(&downstream).unwrap();
    let request = soon(backend.recv()).await.unwrap();
    frontend.send(request).await.unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    publisher.send(["a", "1"]).await.unwrap();
    let message = soon(frontend.recv()).await.unwrap();
    backend.send(message).await.unwrap();
    assert_eq!(
        soon(subscriber.recv()).await.unwrap(),
        Message::from(["a", "1"])
    );
    soon(subscriber.close()).await;
    let cancel = soon(backend.recv()).await.unwrap();
    frontend.send(cancel).await.unwrap();
    until(|| publisher.topic_count() == 0).await;
}

async fn matching_turned_round(transport: Transport) {
    let publisher = PubSocket::builder().invert_matching(true).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let one = SubSocket::builder()
        .invert_matching(true)
        .subscribe("a")
        .build();
    let two = SubSocket::builder()
        .invert_matching(true)
        .subscribe("a")
        .subscribe("b")
        .build();
    for socket in [&one, &two] {
        socket.connect(&endpoint).unwrap();
    }
    until(|| publisher.topic_count() == 2).await;
    soon(publisher.wait_for_subscribers("c", 2)).await.unwrap();
    soon(publisher.wait_for_subscribers("b", 1)).await.unwrap();
    for text in ["a", "b", "c"] {
        publisher.send(text).await.unwrap();
    }
    assert_eq!(soon(one.recv()).await.unwrap().text(), "b");
    assert_eq!(soon(one.recv()).await.unwrap().text(), "c");
    assert_eq!(soon(two.recv()).await.unwrap().text(), "c");
}

/// Nobody reads the XPUB: an eager peer gets as far as its queue, others are not concerned, and
/// nothing is lost.
async fn requests_are_bounded_until_they_are_read(transport: Transport) {
    let publisher = XPubSocket::builder().recv_hwm(10).build();
    let (eager, modest) = two_subscribers(&publisher, transport).await;
    for number in 0..500 {
        eager.send(format!("message {number}")).await.unwrap();
    }
    // Within a process the sender's queue is the receiver's.
    let bound = match transport {
        Transport::Inproc => 500,
        _ => 10,
    };
    until(|| publisher.peers().first().unwrap().recv_queue.messages == bound).await;
    modest.subscribe("a").unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    assert_eq!(
        publisher.peers().first().unwrap().recv_queue.messages,
        bound
    );
    let mut number = 0;
    while number < 500 {
        match soon(publisher.recv()).await.unwrap() {
            SubscriberMessage::Message(message) => {
                assert_eq!(message.text(), format!("message {number}"));
                number += 1;
            }
            other => assert_eq!(Message::from(other), Message::from(b"\x01a")),
        }
    }
}
