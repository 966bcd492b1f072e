//! The end of a socket: what is flushed, what is reported, who wakes up.

use std::time::Duration;

use wirelark::{
    BindError, Closed, ConnectError, Event, LockStepRecvError, LockStepSendError, PubSocket,
    PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, RequestError, SendError, SubSocket,
    TryRecvError, TrySendError,
};

use crate::kit::raw::RawPeer;
use crate::kit::{DEADLINE, assert_matches, frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    close_sends_what_is_queued,
    drop_sends_what_is_queued,
    close_reports_what_nobody_came_for,
    the_endpoint_is_free_after_close,
    the_endpoint_is_free_after_drop,
    peers_notice,
    who_waits_wakes,
    nothing_works_after_close,
    the_events_end,
    a_context_closes_its_sockets,
);

async fn close_sends_what_is_queued(transport: Transport) {
    let pull = PullSocket::builder().recv_hwm(None).build();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::builder().send_hwm(None).build();
    push.connect(&endpoint).unwrap();
    for number in 0..5_000 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    let clone = push.clone();
    assert_eq!(soon(push.close()).await.unsent, 0);
    assert_eq!(soon(clone.close()).await.unsent, 0);
    for number in 0..5_000 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
}

async fn drop_sends_what_is_queued(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    let clone = push.clone();
    push.connect(&endpoint).unwrap();
    for number in 0..500 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    drop(push);
    // Not the last handle: the socket is as open as before.
    soon(clone.send("500")).await.unwrap();
    drop(clone);
    for number in 0..=500 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    until(|| pull.peers().is_empty()).await;
}

async fn close_reports_what_nobody_came_for(transport: Transport) {
    let push = PushSocket::builder().linger(Duration::ZERO).build();
    push.connect(transport.somewhere()).unwrap();
    for _ in 0..5 {
        soon(push.send("x")).await.unwrap();
    }
    let clone = push.clone();
    assert_eq!(soon(push.close()).await.unsent, 5);
    assert_eq!(soon(clone.close()).await.unsent, 5);
}

async fn the_endpoint_is_free_after_close(transport: Transport) {
    let place = transport.somewhere();
    for _ in 0..5 {
        let pull = PullSocket::new();
        pull.bind(&place).await.unwrap();
        let push = PushSocket::new();
        push.connect(&place).unwrap();
        soon(push.send("x")).await.unwrap();
        soon(pull.recv()).await.unwrap();
        soon(pull.close()).await;
    }
}

async fn the_endpoint_is_free_after_drop(transport: Transport) {
    let place = transport.somewhere();
    for _ in 0..5 {
        let pull = PullSocket::new();
        soon(async {
            while pull.bind(&place).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

async fn peers_notice(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    until(|| push.peers().len() == 1 && pull.peers().len() == 1).await;
    soon(push.close()).await;
    until(|| pull.peers().is_empty()).await;
    assert!(push.peers().is_empty());
}

/// Futures that wait in a socket when it is closed elsewhere.
async fn who_waits_wakes(transport: Transport) {
    let pull = PullSocket::new();
    pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.bind(transport.anywhere()).await.unwrap();
    let publisher = PubSocket::new();
    publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("").build();
    subscriber.connect(transport.somewhere()).unwrap();
    let rep = RepSocket::new();
    rep.bind(transport.anywhere()).await.unwrap();
    let (req, idle_req) = (ReqSocket::new(), ReqSocket::new());
    let place = transport.anywhere();
    let server = RepSocket::new();
    req.connect(server.bind(place).await.unwrap()).unwrap();
    let waiters = async {
        let all = (
            pull.recv(),
            push.send("job"),
            push.reserve(),
            publisher.wait_for_subscribers("", 1),
            subscriber.recv(),
            rep.recv(),
            req.request("asked"),
            req.request("waits for its turn"),
            idle_req.request("has no peer"),
        );
        tokio::join!(
            all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7, all.8
        )
    };
    let closing = async {
        // The request has been sent: everybody else waits as well by then.
        let request = server.recv().await.unwrap();
        tokio::join!(
            pull.close(),
            push.close(),
            publisher.close(),
            subscriber.close(),
            rep.close(),
            req.close(),
            idle_req.close(),
        );
        drop(request);
    };
    let (woken, ()) = soon(futures::future::join(waiters, closing)).await;
    assert_matches!(woken.0, Err(RecvError::Closed));
    match woken.1 {
        Err(SendError::Closed(message)) => assert_eq!(message.text(), "job"),
        other => panic!("{other:?}"),
    }
    assert_matches!(woken.2, Err(Closed));
    assert_matches!(woken.3, Err(Closed));
    assert_matches!(woken.4, Err(RecvError::Closed));
    assert_matches!(woken.5, Err(RecvError::Closed));
    assert_matches!(woken.6, Err(RequestError::Interrupted));
    for (unsent, text) in [(woken.7, "waits for its turn"), (woken.8, "has no peer")] {
        match unsent {
            Err(RequestError::Closed(message)) => assert_eq!(message.text(), text),
            other => panic!("{other:?}"),
        }
    }
}

async fn nothing_works_after_close(transport: Transport) {
    let given_back = |result: Result<(), SendError>| match result {
        Err(SendError::Closed(message)) => message.text().into_owned(),
        other => panic!("{other:?}"),
    };
    let push = PushSocket::new();
    push.bind(transport.anywhere()).await.unwrap();
    push.close().await;
    assert_eq!(given_back(push.send("mine").await), "mine");
    match push.try_send("mine") {
        Err(TrySendError::Closed(message)) => assert_eq!(message.text(), "mine"),
        other => panic!("{other:?}"),
    }
    assert_matches!(push.reserve().await, Err(Closed));
    assert_matches!(
        push.bind(transport.anywhere()).await,
        Err(BindError::Closed)
    );
    assert_matches!(
        push.connect(transport.somewhere()),
        Err(ConnectError::Closed)
    );
    assert!(push.peers().is_empty());

    let pull = PullSocket::new();
    pull.close().await;
    assert_matches!(pull.recv().await, Err(RecvError::Closed));
    assert_matches!(pull.try_recv(), Err(TryRecvError::Closed));

    let publisher = PubSocket::new();
    publisher.close().await;
    assert_eq!(given_back(publisher.send("mine").await), "mine");
    assert_matches!(publisher.try_send("mine"), Err(SendError::Closed(_)));
    assert_matches!(publisher.wait_for_subscribers("", 0).await, Err(Closed));

    let subscriber = SubSocket::new();
    subscriber.close().await;
    assert_matches!(subscriber.recv().await, Err(RecvError::Closed));
    assert_matches!(subscriber.subscribe(""), Err(Closed));
    assert_matches!(subscriber.unsubscribe(""), Err(Closed));

    let rep = RepSocket::new();
    rep.close().await;
    assert_matches!(rep.recv().await, Err(RecvError::Closed));
    assert_eq!(
        rep.send("mine").await.unwrap_err().into_message().text(),
        "mine"
    );

    let req = ReqSocket::new();
    req.close().await;
    assert_matches!(req.request("x").await, Err(RequestError::Closed(_)));
    assert_eq!(
        req.send("mine").await.unwrap_err().into_message().text(),
        "mine"
    );

    // In the middle of a lock-step exchange, too.
    let req = ReqSocket::new();
    req.connect(transport.somewhere()).unwrap();
    req.send("asked").await.unwrap();
    let closing = tokio::spawn({
        let req = req.clone();
        async move { req.close().await }
    });
    until(|| matches!(req.connect("inproc://x"), Err(ConnectError::Closed))).await;
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::Closed));
    let refused = soon(req.send("mine")).await.unwrap_err();
    assert_matches!(refused, LockStepSendError::Closed(_));
    assert_matches!(soon(req.request("x")).await, Err(RequestError::Closed(_)));
    closing.abort();
}

async fn the_events_end(transport: Transport) {
    let pull = PullSocket::new();
    let mut events = pull.events();
    pull.bind(transport.anywhere()).await.unwrap();
    soon(pull.close()).await;
    soon(async { while events.next().await.is_some() {} }).await;
    assert!(soon(pull.events().next()).await.is_none());
}

/// The socket closes as soon as its first peer is there, while that peer's session has hardly
/// begun: on the thread of the test, so that nothing delays the close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_sends_what_a_newcomer_was_given() {
    for transport in Transport::ALL {
        for _ in 0..200 {
            let push = PushSocket::new();
            let endpoint = push.bind(transport.anywhere()).await.unwrap();
            let pull = PullSocket::new();
            pull.connect(&endpoint).unwrap();
            soon(push.send("x")).await.unwrap();
            assert_eq!(soon(push.close()).await.unsent, 0);
            assert_eq!(soon(pull.recv()).await.unwrap().text(), "x");
        }
    }
}

/// A peer that reads late: closing waits for it.
#[tokio::test]
async fn close_waits_for_a_slow_reader() {
    const MESSAGES: usize = 200;
    let push = PushSocket::new();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut slow = RawPeer::established(&endpoint, "PULL").await;
    for _ in 0..MESSAGES {
        soon(push.send(vec![0; 1 << 17])).await.unwrap();
    }
    let mut closing = Box::pin(push.close());
    assert!(futures::FutureExt::now_or_never(&mut closing).is_none());
    let read = async {
        for _ in 0..MESSAGES {
            assert_eq!(slow.message().await[0].len(), 1 << 17);
        }
        slow.expect_eof().await;
        // Only now does the peer hang up.
        drop(slow);
    };
    let (report, ()) = futures::future::join(soon(closing), read).await;
    assert_eq!(report.unsent, 0);
}

/// A peer that never reads: closing ends when the time is over, and says what was left.
#[tokio::test]
async fn close_does_not_wait_longer_than_linger() {
    let push = PushSocket::builder()
        .linger(Duration::from_millis(100))
        .build();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let stuck = RawPeer::established(&endpoint, "PULL").await;
    for _ in 0..300 {
        soon(push.send(vec![0; 1 << 17])).await.unwrap();
    }
    let unsent = soon(push.close()).await.unsent;
    assert!((1..300).contains(&unsent), "{unsent}");
    drop(stuck);
}

/// A peer that said hello and no more does not hold up the end.
#[tokio::test]
async fn close_does_not_wait_for_a_handshake() {
    let pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut half = RawPeer::connect(&endpoint).await;
    half.expect_greeting().await;
    soon(pull.close()).await;
    half.rest().await;
}

#[tokio::test]
async fn close_does_not_wait_for_the_linger_of_an_endpoint_that_has_ended() {
    let pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let push = PushSocket::builder().linger(2 * DEADLINE).build();
    push.connect(&endpoint).unwrap();
    soon(push.send("x")).await.unwrap();
    push.disconnect(&endpoint).unwrap();
    assert_eq!(soon(push.close()).await.unsent, 0);
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "x");
}

/// The connection waits in its handshake while its endpoint is taken away.
#[tokio::test]
async fn what_connects_after_disconnect_is_not_kept() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let sub = SubSocket::builder().subscribe("").build();
    sub.connect(&endpoint).unwrap();
    let mut publisher = RawPeer::accept(&listener).await;
    publisher.greet().await;
    sub.disconnect(&endpoint).unwrap();
    // It may end the handshake instead, which is as good.
    let ready = frames::ready(&[("Socket-Type", "PUB")]);
    let _ = publisher.try_send(ready).await;
    let _ = publisher.rest().await;
    assert!(sub.peers().is_empty());
}

#[tokio::test]
async fn what_is_queued_when_an_endpoint_is_taken_away_lingers_for_ever() {
    let place = Transport::Tcp.somewhere();
    let push = PushSocket::builder().linger(None).build();
    let mut events = push.events();
    push.connect(&place).unwrap();
    soon(push.send("x")).await.unwrap();
    push.disconnect(&place).unwrap();
    wait_for(&mut events, |event| {
        matches!(event, Event::ConnectFailed { .. })
    })
    .await;
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "x");
}

/// A context ends all of its sockets, whoever has them, and says what was left in all of them.
async fn a_context_closes_its_sockets(transport: Transport) {
    let (context, other) = (wirelark::Context::new(), wirelark::Context::new());
    let lost = |context| {
        PushSocket::builder()
            .context(context)
            .linger(Duration::ZERO)
            .build()
    };
    let (one, two, stranger) = (lost(&context), lost(&context), lost(&other));
    for push in [&one, &two, &stranger] {
        push.connect(transport.somewhere()).unwrap();
        push.try_send("nobody comes for it").unwrap();
    }
    let pull = PullSocket::builder().context(&context).build();
    let waiting = tokio::spawn(async move { pull.recv().await });
    tokio::task::yield_now().await;
    assert_eq!(soon(context.shutdown()).await.unsent, 2);
    assert_matches!(soon(waiting).await.unwrap(), Err(RecvError::Closed));
    assert_matches!(one.try_send("x"), Err(TrySendError::Closed(_)));
    stranger.try_send("still open").unwrap();
    // What is made later is as open as ever, and those that are gone cost nothing.
    let later = PullSocket::builder().context(&context).build();
    later.bind(transport.anywhere()).await.unwrap();
    drop((one, two));
    assert_eq!(soon(context.shutdown()).await.unsent, 0);
}

/// What watches over the linger time of an endpoint ends with the endpoint, not with that time.
#[tokio::test]
async fn an_endpoint_that_has_ended_leaves_no_task() {
    let hour = Duration::from_secs(3_600);
    let pull = PullSocket::builder().linger(hour).build();
    let push = PushSocket::builder().linger(hour).build();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..10 {
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        push.connect(&endpoint).unwrap();
        soon(push.send("hello")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
        push.disconnect(&endpoint).unwrap();
        pull.unbind(&endpoint).unwrap();
    }
    until(|| tasks() == before).await;
}
