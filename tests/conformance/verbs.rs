//! The verbs that go round the usual ones: streams, sinks, what does not wait, who it was.

use std::future::poll_fn;
use std::pin::Pin;

use futures::{FutureExt, Sink, SinkExt, StreamExt};
use wirelark::{
    AnySocket, Closed, DealerSocket, Identity, LockStepSendError, LockStepTryRecvError,
    LockStepTrySendError, Message, PullSocket, PushSocket, RepSocket, ReplyError, ReqSocket,
    RouterSink, RouterSocket, SendToError, SubscriberMessage, TryRecvError, XPubSocket, XSubSocket,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    requests_as_a_stream,
    a_router_is_a_sink,
    a_full_peer_is_waited_for_in_the_sink,
    an_xsub_is_a_sink,
    lock_step_without_waiting,
    a_reply_comes_with_its_peer,
    any_socket_tells_who_it_was,
    everybody_knows_that_it_is_closed,
    a_place_is_none_in_a_closed_socket,
);

async fn requests_as_a_stream(transport: Transport) {
    let rep = RepSocket::new();
    let req = ReqSocket::builder().correlate(true).build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let mut stream = rep.stream();
    let asking = ["one", "two"].map(|text| {
        let req = req.clone();
        tokio::spawn(async move { req.request(text).await })
    });
    let requests = [
        soon(stream.next()).await.unwrap(),
        soon(stream.next()).await.unwrap(),
    ];
    for request in requests {
        let echo = request.message().clone();
        request.try_reply(echo).unwrap();
    }
    for (asking, text) in asking.into_iter().zip(["one", "two"]) {
        assert_eq!(soon(asking).await.unwrap().unwrap(), text);
    }
    // It keeps the socket open, and ends with it.
    let handle = rep.clone();
    drop(rep);
    soon(handle.close()).await;
    assert!(soon(stream.next()).await.is_none());
}

fn name(text: &str) -> Identity {
    Identity::new(text.to_owned()).unwrap()
}

async fn dealer_of(router: &RouterSocket, transport: Transport, text: &str) -> DealerSocket {
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let dealer = DealerSocket::builder()
        .identity(name(text))
        .recv_hwm(1)
        .build();
    dealer.connect(&endpoint).unwrap();
    let known = |peer: wirelark::PeerStats| peer.peer.known_as() == Some(&name(text));
    until(|| router.peers().into_iter().any(known)).await;
    dealer
}

async fn a_router_is_a_sink(transport: Transport) {
    let router = RouterSocket::new();
    let dealer = dealer_of(&router, transport, "ada").await;
    let mut sink = router.sink();
    soon(sink.send((name("ada"), "one"))).await.unwrap();
    match soon(sink.send((name("bob"), "nobody"))).await {
        Err(SendToError::Unroutable {
            identity, message, ..
        }) => assert_eq!((identity, message), (name("bob"), "nobody".into())),
        other => panic!("{other:?}"),
    }
    soon(sink.send((name("ada"), "two"))).await.unwrap();
    for text in ["one", "two"] {
        assert_eq!(soon(dealer.recv()).await.unwrap(), text);
    }
    soon(router.close()).await;
    let closed = soon(sink.send((name("ada"), "three"))).await;
    assert_matches!(closed, Err(SendToError::Closed(_)));
}

fn flush(sink: &mut RouterSink) -> impl Future<Output = Result<(), SendToError>> {
    SinkExt::<(Identity, Message)>::flush(sink)
}

async fn a_full_peer_is_waited_for_in_the_sink(transport: Transport) {
    let router = RouterSocket::builder().send_hwm(1).build();
    let dealer = dealer_of(&router, transport, "ada").await;
    let body = vec![0; 1 << 16];
    let mut sink = router.sink();
    let mut accepted = 0;
    // Until one waits in the sink.
    while soon(async {
        sink.feed((name("ada"), body.clone())).await.unwrap();
        accepted += 1;
        flush(&mut sink).now_or_never().is_some()
    })
    .await
    {}
    let read = async {
        for _ in 0..accepted {
            soon(dealer.recv()).await.unwrap();
        }
    };
    let (flushed, ()) = tokio::join!(soon(flush(&mut sink)), read);
    flushed.unwrap();
    // One that leaves is waited for no longer, and the message comes back.
    while soon(async {
        sink.feed((name("ada"), body.clone())).await.unwrap();
        flush(&mut sink).now_or_never().is_some()
    })
    .await
    {}
    drop(dealer);
    match soon(flush(&mut sink)).await {
        Err(SendToError::Unroutable { message, .. }) => assert_eq!(message.byte_len(), body.len()),
        // The last of what it was sent went out while it left.
        other => other.unwrap(),
    }
}

async fn an_xsub_is_a_sink(transport: Transport) {
    let (publisher, subscriber) = (XPubSocket::new(), XSubSocket::new());
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    subscriber.connect(&endpoint).unwrap();
    until(|| publisher.peers().len() == 1 && subscriber.peers().len() == 1).await;
    let mut sink = subscriber.sink();
    soon(sink.send(b"\x01a")).await.unwrap();
    soon(SinkExt::<&str>::send(&mut sink, "said"))
        .await
        .unwrap();
    assert_matches!(
        soon(publisher.recv()).await.unwrap(),
        SubscriberMessage::Subscribe(_)
    );
    match soon(publisher.recv()).await.unwrap() {
        SubscriberMessage::Message(message) => assert_eq!(message, "said"),
        other => panic!("{other:?}"),
    }
    soon(subscriber.close()).await;
    assert_eq!(soon(sink.send("mute")).await, Err(Closed));
}

async fn lock_step_without_waiting(transport: Transport) {
    let (rep, req) = (RepSocket::new(), ReqSocket::new());
    match req.try_send("nobody is there") {
        Err(LockStepTrySendError::Full(message)) => assert_eq!(message, "nobody is there"),
        other => panic!("{other:?}"),
    }
    assert_matches!(req.try_recv(), Err(LockStepTryRecvError::OutOfTurn));
    assert_matches!(rep.try_send("no"), Err(LockStepSendError::OutOfTurn(_)));
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    req.try_send("question").unwrap();
    match req.try_send("another") {
        Err(LockStepTrySendError::OutOfTurn(message)) => assert_eq!(message, "another"),
        other => panic!("{other:?}"),
    }
    assert_matches!(req.try_recv(), Err(LockStepTryRecvError::Empty));
    let request = soon(rep.recv()).await.unwrap();
    assert_matches!(req.try_recv(), Err(LockStepTryRecvError::Empty));
    rep.try_send("answer").unwrap();
    assert_matches!(request.try_reply("late"), Err(ReplyError::PeerGone(_)));
    let mut reply = None;
    until(|| match req.try_recv() {
        Ok(message) => reply.insert(message) == "answer",
        Err(LockStepTryRecvError::Empty) => false,
        Err(other) => panic!("{other}"),
    })
    .await;
    assert_matches!(req.try_recv(), Err(LockStepTryRecvError::OutOfTurn));
    soon(req.close()).await;
    assert_matches!(req.try_recv(), Err(LockStepTryRecvError::Closed));
    assert_matches!(req.try_send("x"), Err(LockStepTrySendError::Closed(_)));
}

async fn a_reply_comes_with_its_peer(transport: Transport) {
    for correlate in [false, true] {
        let req = ReqSocket::builder().correlate(correlate).build();
        let mut servers = Vec::new();
        for _ in 0..2 {
            let rep = RepSocket::new();
            let endpoint = rep.bind(transport.anywhere()).await.unwrap();
            req.connect(&endpoint).unwrap();
            servers.push((rep, endpoint));
        }
        until(|| req.peers().len() == 2).await;
        // In the order in which they have come into the round, whichever that is.
        for leaves in [false, true] {
            soon(req.send("who?")).await.unwrap();
            let (request, (rep, endpoint)) = tokio::select! {
                request = soon(servers[0].0.recv()) => (request.unwrap(), &servers[0]),
                request = soon(servers[1].0.recv()) => (request.unwrap(), &servers[1]),
            };
            request.try_reply("me").unwrap();
            if leaves {
                soon(rep.close()).await;
                until(|| req.peers().len() == 1).await;
            }
            let (peer, reply) = soon(req.recv_from()).await.unwrap();
            assert_eq!((peer.endpoint(), reply), (endpoint, "me".into()));
        }
    }
}

async fn any_socket_tells_who_it_was(transport: Transport) {
    let router = AnySocket::from(RouterSocket::new());
    let dealer = DealerSocket::builder().identity(name("ada")).build();
    dealer
        .connect(router.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    soon(dealer.send("hello")).await.unwrap();
    let (peer, message) = soon(router.recv_from()).await.unwrap();
    assert_eq!(message, Message::from(["ada", "hello"]));
    assert_eq!(peer.known_as(), Some(&name("ada")));
    soon(router.send(["ada", "hello back"])).await.unwrap();
    let dealer = AnySocket::from(dealer);
    let (peer, message) = soon(dealer.recv_from()).await.unwrap();
    assert_eq!((peer.known_as(), message), (None, "hello back".into()));
    assert!(dealer.try_recv_from().is_err());

    let rep = AnySocket::from(RepSocket::new());
    let req = AnySocket::from(ReqSocket::new());
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    soon(req.send("question")).await.unwrap();
    let (_, question) = soon(rep.recv_from()).await.unwrap();
    rep.try_send("answer").unwrap();
    let (_, answer) = soon(req.recv_from()).await.unwrap();
    assert_eq!((question, answer), ("question".into(), "answer".into()));
}

async fn everybody_knows_that_it_is_closed(transport: Transport) {
    let router = RouterSocket::new();
    let (clone, any) = (router.clone(), AnySocket::from(&router));
    router.bind(transport.anywhere()).await.unwrap();
    assert!(!clone.is_closed() && !any.is_closed());
    soon(router.close()).await;
    assert!(clone.is_closed() && any.is_closed());
}

/// What was promised a place, and comes after the end, is refused where there is a way to say so.
async fn a_place_is_none_in_a_closed_socket(transport: Transport) {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    push.connect(pull.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let mut sink = push.sink();
    soon(SinkExt::<&str>::feed(&mut sink, "in time"))
        .await
        .unwrap();
    soon(poll_fn(|cx| {
        Sink::<&str>::poll_ready(Pin::new(&mut sink), cx)
    }))
    .await
    .unwrap();
    let handle = push.clone();
    let permit = soon(push.reserve()).await.unwrap();
    assert_eq!(soon(handle.close()).await.unsent, 0);
    assert_matches!(Pin::new(&mut sink).start_send("too late"), Err(Closed));
    permit.send("too late as well");
    assert_eq!(soon(pull.recv()).await.unwrap(), "in time");
    assert_matches!(pull.try_recv(), Err(TryRecvError::Empty));
}
