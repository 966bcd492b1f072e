//! Options of the patterns that are changed on a living socket: what the peers see of it.

use std::time::Duration;

use tokio::net::TcpListener;
use wirelark::{
    AcceptError, LockStepSendError, Message, PubSocket, RepSocket, ReqSocket, SubSocket,
    SubscribeRequest, SubscriberMessage, TryRecvError, XPubSocket, XSubSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_publisher_becomes_verbose,
    a_publisher_becomes_manual_and_automatic,
    a_welcome_is_for_those_who_come,
    drops_are_allowed,
    matching_is_turned_round,
    subscriptions_are_looked_for_elsewhere,
    a_strict_req_becomes_relaxed,
    questions_go_in_parallel_once_they_are_numbered,
    numbers_end_when_nothing_is_open,
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

async fn meet(publisher: &XPubSocket, transport: Transport) -> XSubSocket {
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = XSubSocket::builder().verbose_unsubscribe(true).build();
    subscriber.connect(&endpoint).unwrap();
    until(|| !publisher.peers().is_empty() && !subscriber.peers().is_empty()).await;
    subscriber
}

async fn a_publisher_becomes_verbose(transport: Transport) {
    let publisher = XPubSocket::new();
    let options = publisher.options();
    let subscriber = meet(&publisher, transport).await;
    let repeat = async |subscribe: bool| {
        let change = if subscribe {
            XSubSocket::subscribe
        } else {
            XSubSocket::unsubscribe
        };
        change(&subscriber, "a").unwrap();
        change(&subscriber, "a").unwrap();
        // Whatever was shown before it.
        subscriber.send("end").await.unwrap();
        let mut count = 0;
        while shown(&publisher).await != b"end" {
            count += 1;
        }
        count
    };
    assert_eq!(repeat(true).await, 1);
    options.set_verbose(true);
    assert_eq!((options.verbose(), options.verboser()), (true, false));
    assert_eq!(repeat(true).await, 2);
    options.set_verboser(true);
    assert_eq!((options.verbose(), options.verboser()), (true, true));
    let other = meet(&publisher, transport).await;
    other.subscribe("a").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01a");
    assert_eq!(repeat(false).await, 2);
    options.set_verbose(false);
    assert_eq!((options.verbose(), options.verboser()), (false, false));
    assert_eq!(repeat(true).await, 0, "somebody else has it");
}

async fn a_publisher_becomes_manual_and_automatic(transport: Transport) {
    let publisher = XPubSocket::new();
    let subscriber = meet(&publisher, transport).await;
    subscriber.subscribe("before").unwrap();
    let before = requested(&publisher).await;
    assert_eq!(before.accept_as("x"), Err(AcceptError::NotManual));
    assert_eq!(publisher.topic_count(), 1);

    publisher.options().set_manual(true);
    assert!(publisher.options().manual());
    subscriber.subscribe("during").unwrap();
    let during = requested(&publisher).await;
    assert_eq!(publisher.topic_count(), 1);
    // What was given by itself is the user's to take away.
    subscriber.unsubscribe("before").unwrap();
    match soon(publisher.recv()).await.unwrap() {
        SubscriberMessage::Cancel(cancel) => {
            assert_eq!(publisher.topic_count(), 1);
            cancel.accept();
        }
        other => panic!("{other:?} is no cancellation"),
    }
    assert_eq!(publisher.topic_count(), 0);

    publisher.options().set_manual(false);
    subscriber.subscribe("after").unwrap();
    assert_eq!(shown(&publisher).await, b"\x01after");
    assert_eq!(publisher.topic_count(), 1);
    // What was for the user to decide still is.
    during.accept_as("else").unwrap();
    during.accept().unwrap();
    assert_eq!(publisher.topic_count(), 3);
    for topic in ["else", "during", "after"] {
        publisher.send(topic).await.unwrap();
        assert_eq!(soon(subscriber.recv()).await.unwrap().text(), topic);
    }
    // What it holds when the user takes over ends with it, and is shown.
    publisher.options().set_manual(true);
    soon(subscriber.close()).await;
    for cancelled in ["after", "during", "else"] {
        let expected = [b"\0", cancelled.as_bytes()].concat();
        assert_eq!(shown(&publisher).await, expected);
    }
    assert_matches!(publisher.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(publisher.topic_count(), 0);
}

async fn a_welcome_is_for_those_who_come(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let join = async |count: usize| {
        let subscriber = SubSocket::builder().subscribe("").build();
        subscriber.connect(&endpoint).unwrap();
        soon(publisher.wait_for_subscribers("", count))
            .await
            .unwrap();
        subscriber
    };
    let early = join(1).await;
    publisher.options().set_welcome(Message::from("hello"));
    assert_eq!(publisher.options().welcome(), Some("hello".into()));
    let welcome = join(2).await;
    publisher.options().set_welcome(None);
    let late = join(3).await;
    publisher.send("end").await.unwrap();
    assert_eq!(soon(welcome.recv()).await.unwrap().text(), "hello");
    for subscriber in [early, welcome, late] {
        assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "end");
    }
}

async fn drops_are_allowed(transport: Transport) {
    let publisher = XPubSocket::builder().send_hwm(2).build();
    publisher.options().set_no_drop(true);
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let stuck = SubSocket::builder().recv_hwm(2).subscribe("").build();
    stuck.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    let body = vec![0; 1 << 16];
    while publisher.try_send(body.clone()).is_ok() {}
    publisher.options().set_no_drop(false);
    until(|| {
        publisher.try_send(body.clone()).unwrap();
        publisher.stats().dropped > 0
    })
    .await;
}

async fn matching_is_turned_round(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("a").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    let gatherer = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.wait_for_subscribers("b", 1).await }
    });
    tokio::task::yield_now().await;
    publisher.options().set_invert_matching(true);
    subscriber.options().set_invert_matching(true);
    soon(gatherer).await.unwrap().unwrap();
    for text in ["a", "b"] {
        publisher.send(text).await.unwrap();
    }
    assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "b");
}

async fn subscriptions_are_looked_for_elsewhere(transport: Transport) {
    let publisher = XPubSocket::builder().verboser(true).build();
    let subscriber = meet(&publisher, transport).await;
    publisher.options().set_only_first_subscribe(true);
    subscriber.options().set_only_first_subscribe(true);
    subscriber.send(["x", "\x01a"]).await.unwrap();
    let message = Message::from(soon(publisher.recv()).await.unwrap());
    assert_eq!(message, Message::from(["x", "\x01a"]));
    // Of two cancellations only the last of its prefix goes out.
    subscriber.options().set_verbose_unsubscribe(false);
    for _ in 0..2 {
        subscriber.subscribe("b").unwrap();
        assert_eq!(shown(&publisher).await, b"\x01b");
    }
    subscriber.unsubscribe("b").unwrap();
    subscriber.unsubscribe("b").unwrap();
    subscriber.subscribe("c").unwrap();
    assert_eq!(shown(&publisher).await, b"\0b");
    assert_eq!(shown(&publisher).await, b"\x01c");
}

async fn a_strict_req_becomes_relaxed(transport: Transport) {
    let rep = RepSocket::new();
    let req = ReqSocket::builder()
        .reconnect_interval(Duration::from_millis(10))
        .build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    soon(req.send("first")).await.unwrap();
    soon(rep.recv()).await.unwrap().into_parts().0.text();
    assert_matches!(
        soon(req.send("second")).await,
        Err(LockStepSendError::OutOfTurn(_))
    );
    req.options().set_relaxed(true);
    soon(req.send("second")).await.unwrap();
    let second = soon(rep.recv()).await.unwrap();
    assert_eq!(second.text(), "second");
    second.reply("fine").await.unwrap();
    req.options().set_relaxed(false);
    assert_matches!(
        soon(req.send("third")).await,
        Err(LockStepSendError::OutOfTurn(_))
    );
    assert_eq!(soon(req.recv()).await.unwrap().text(), "fine");
}

fn asking(req: &ReqSocket, question: &str) -> tokio::task::JoinHandle<String> {
    let (req, question) = (req.clone(), question.to_owned());
    tokio::spawn(async move { req.request(question).await.unwrap().text().into_owned() })
}

async fn questions_go_in_parallel_once_they_are_numbered(transport: Transport) {
    let rep = RepSocket::new();
    let req = ReqSocket::new();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let alone = asking(&req, "alone");
    let asked = soon(rep.recv()).await.unwrap();
    let others = [asking(&req, "one"), asking(&req, "two")];
    tokio::task::yield_now().await;
    // Those that wait for their turn by the old rule go by the new one.
    req.options().set_correlate(true);
    assert!(req.options().correlate());
    asked.reply("alone").await.unwrap();
    assert_eq!(soon(alone).await.unwrap(), "alone");
    let (first, second) = (
        soon(rep.recv()).await.unwrap(),
        soon(rep.recv()).await.unwrap(),
    );
    for request in [second, first] {
        let echo = request.message().clone();
        request.reply(echo).await.unwrap();
    }
    for (asking, text) in others.into_iter().zip(["one", "two"]) {
        assert_eq!(soon(asking).await.unwrap(), text);
    }
}

async fn numbers_end_when_nothing_is_open(transport: Transport) {
    let rep = RepSocket::new();
    let req = ReqSocket::builder().correlate(true).relaxed(true).build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let open = [asking(&req, "one"), asking(&req, "two")];
    let requests = [
        soon(rep.recv()).await.unwrap(),
        soon(rep.recv()).await.unwrap(),
    ];
    req.options().set_correlate(false);
    let next = asking(&req, "three");
    for request in requests {
        assert_matches!(rep.try_recv(), Err(TryRecvError::Empty));
        let echo = request.message().clone();
        request.reply(echo).await.unwrap();
    }
    for (asking, text) in open.into_iter().zip(["one", "two"]) {
        assert_eq!(soon(asking).await.unwrap(), text);
    }
    let three = soon(rep.recv()).await.unwrap();
    assert_eq!(three.text(), "three");
    three.reply("three").await.unwrap();
    assert_eq!(soon(next).await.unwrap(), "three");

    // One that is open in lock-step is given up as it would be by either rule.
    req.options().set_correlate(true);
    soon(req.send("four")).await.unwrap();
    let four = soon(rep.recv()).await.unwrap();
    req.options().set_correlate(false);
    soon(req.send("five")).await.unwrap();
    let five = soon(rep.recv()).await.unwrap();
    assert_eq!(five.text(), "five");
    four.reply("late").await.unwrap();
    five.reply("fine").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap().text(), "fine");
    assert_eq!(req.stats().connections, 1);
}

/// The numbers come and go with the option; the late reply to a numbered request is no breach of the
/// rules by which the next one is asked.
#[tokio::test]
async fn numbers_come_and_go_on_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let req = ReqSocket::builder().relaxed(true).build();
    req.connect(listener.local_addr().unwrap()).unwrap();
    let mut server = RawPeer::accept(&listener).await;
    server.greet().await;
    server.ready("REP").await;

    let plain = asking(&req, "plain");
    assert_eq!(server.message().await, [&b""[..], b"plain"]);
    server.send(frames::message(["", "answer"])).await;
    assert_eq!(soon(plain).await.unwrap(), "answer");

    req.options().set_correlate(true);
    soon(req.send("numbered")).await.unwrap();
    let numbered = server.message().await;
    assert_eq!(numbered[0].len(), 4);
    assert_eq!(numbered[1..], [&b""[..], b"numbered"]);

    req.options().set_correlate(false);
    soon(req.send("plain again")).await.unwrap();
    assert_eq!(server.message().await, [&b""[..], b"plain again"]);
    let late = [
        frames::more(&numbered[0]),
        frames::more(""),
        frames::last("late"),
    ];
    server.send(late.concat()).await;
    server.send(frames::message(["", "in time"])).await;
    assert_eq!(soon(req.recv()).await.unwrap().text(), "in time");
    assert_eq!((req.stats().dropped, req.stats().connections), (1, 1));
}
