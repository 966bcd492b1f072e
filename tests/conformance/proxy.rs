//! A proxy between two sockets: nothing is lost, doubled or overtaken, and nobody holds up others.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::join_all;
use tokio::task::JoinHandle;
use wirelark::{
    DealerSocket, Event, LockStepSendError, Message, PairSocket, Proxy, ProxyControl, ProxyEnd,
    ProxyError, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SocketType,
    SubSocket, TryRecvError, XPubSocket, XSubSocket,
};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    work_passes_in_order_and_once,
    replies_find_home,
    subscriptions_travel_back_and_messages_forth,
    a_conversation_passes_both_ways,
    peers_come_and_go_on_both_sides,
    a_paused_proxy_moves_nothing,
    a_stopped_proxy_leaves_its_sockets_open,
    a_dropped_proxy_has_lost_nothing,
    a_closed_socket_ends_it,
    a_socket_gives_everything_back,
    a_rep_gives_every_request_back,
);

pub(crate) fn start(mut proxy: Proxy) -> (ProxyControl, JoinHandle<Result<ProxyEnd, ProxyError>>) {
    let control = proxy.control();
    (control, tokio::spawn(async move { proxy.run().await }))
}

/// A PULL and a PUSH with a proxy between them, and what talks to them.
pub(crate) struct Line {
    pub(crate) push: PushSocket,
    pub(crate) pull: PullSocket,
    pub(crate) frontend: PullSocket,
    pub(crate) backend: PushSocket,
}

pub(crate) async fn line(transport: Transport, hwm: usize) -> Line {
    let frontend = PullSocket::builder().recv_hwm(hwm).build();
    let backend = PushSocket::builder().send_hwm(hwm).build();
    let push = PushSocket::builder().send_hwm(hwm).build();
    let pull = PullSocket::builder().recv_hwm(hwm).build();
    push.connect(frontend.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    pull.connect(backend.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    until(|| push.peers().len() == 1 && pull.peers().len() == 1).await;
    Line {
        push,
        pull,
        frontend,
        backend,
    }
}

pub(crate) fn body(number: u32) -> Vec<Vec<u8>> {
    let size = [0, 20, 300, 5_000, 70_000][number as usize % 5];
    vec![number.to_string().into_bytes(), vec![7; size]]
}

#[track_caller]
pub(crate) fn assert_is(message: &Message, number: u32) {
    assert_eq!(*message, Message::from(body(number)));
}

async fn work_passes_in_order_and_once(transport: Transport) {
    let line = line(transport, 10).await;
    let (control, _running) = start(Proxy::new(&line.frontend, &line.backend));
    let push = line.push.clone();
    let sender = tokio::spawn(async move {
        for number in 0..1_000 {
            push.send(body(number)).await.unwrap();
        }
    });
    for number in 0..1_000 {
        assert_is(&soon(line.pull.recv()).await.unwrap(), number);
    }
    soon(sender).await.unwrap();
    assert_matches!(line.pull.try_recv(), Err(TryRecvError::Empty));
    // Counted a moment after it has gone.
    until(|| control.stats().backend_sent.messages == 1_000).await;
    let stats = control.stats();
    assert_eq!(stats.frontend_received, stats.backend_sent);
    assert_eq!((stats.backend_sent.messages, stats.dropped), (1_000, 0));
    let bytes: usize = (0..1_000).map(|n| Message::from(body(n)).byte_len()).sum();
    assert_eq!(stats.backend_sent.bytes, bytes as u64);
    assert_eq!(stats.backend_received.messages, 0);
}

async fn replies_find_home(transport: Transport) {
    let (frontend, backend) = (RouterSocket::new(), DealerSocket::new());
    let front = frontend.bind(transport.anywhere()).await.unwrap();
    let rear = backend.bind(transport.anywhere()).await.unwrap();
    let (control, _running) = start(Proxy::new(&frontend, &backend));
    for _ in 0..3 {
        let worker = RepSocket::new();
        worker.connect(&rear).unwrap();
        tokio::spawn(async move {
            while let Ok(request) = worker.recv().await {
                let answer = request.text().into_owned();
                request.reply(["re", &answer]).await.unwrap();
            }
        });
    }
    let clients: Vec<_> = (0..4)
        .map(|name| {
            let client = ReqSocket::new();
            client.connect(&front).unwrap();
            tokio::spawn(async move {
                for number in 0..50 {
                    let question = format!("{name}.{number}");
                    let answer = client.request(question.as_str()).await.unwrap();
                    assert_eq!(answer, Message::from(["re", &question]));
                }
            })
        })
        .collect();
    for client in clients {
        soon(client).await.unwrap();
    }
    // Counted a moment after it has gone.
    until(|| control.stats().frontend_sent.messages == 200).await;
    assert_eq!(control.stats().backend_sent.messages, 200);
}

async fn subscriptions_travel_back_and_messages_forth(transport: Transport) {
    let (frontend, backend) = (XSubSocket::new(), XPubSocket::new());
    let front = frontend.bind(transport.anywhere()).await.unwrap();
    let rear = backend.bind(transport.anywhere()).await.unwrap();
    let (_control, _running) = start(Proxy::new(&frontend, &backend));
    let publisher = PubSocket::new();
    publisher.connect(front).unwrap();
    let subscribers = ["a", "ab"].map(|topic| {
        let sub = SubSocket::builder().subscribe(topic).build();
        sub.connect(&rear).unwrap();
        sub
    });
    soon(publisher.wait_for_subscribers("a", 1)).await.unwrap();
    // The publisher knows of one peer, the proxy; that both subscribers are there is known behind it.
    soon(backend.wait_for_subscribers("ab", 2)).await.unwrap();
    for topic in ["b", "a", "abc"] {
        soon(publisher.send([topic, "body"])).await.unwrap();
    }
    for expected in ["a", "abc"] {
        assert_eq!(soon(subscribers[0].recv()).await.unwrap().text(), expected);
    }
    assert_eq!(soon(subscribers[1].recv()).await.unwrap().text(), "abc");
    assert_eq!(publisher.stats().sent.messages, 2, "nobody asked for b");
    let mut events = publisher.events();
    soon(subscribers[0].close()).await;
    soon(subscribers[1].close()).await;
    until(|| {
        let _ = events.try_next();
        publisher.try_send("abc").unwrap();
        let before = publisher.stats().sent.messages;
        publisher.try_send("abc").unwrap();
        publisher.stats().sent.messages == before
    })
    .await;
}

async fn a_conversation_passes_both_ways(transport: Transport) {
    let sides = [(); 2].map(|()| (PairSocket::new(), PairSocket::new()));
    for (end, middle) in &sides {
        end.connect(middle.bind(transport.anywhere()).await.unwrap())
            .unwrap();
    }
    let [(left, frontend), (right, backend)] = sides;
    let (_control, _running) = start(Proxy::new(frontend, backend));
    for (from, to) in [(left.clone(), right.clone()), (right.clone(), left.clone())] {
        tokio::spawn(async move {
            for number in 0..500 {
                from.send(body(number)).await.unwrap();
            }
            drop(to);
        });
    }
    for number in 0..500 {
        assert_is(&soon(left.recv()).await.unwrap(), number);
        assert_is(&soon(right.recv()).await.unwrap(), number);
    }
}

async fn peers_come_and_go_on_both_sides(transport: Transport) {
    let line = line(transport, 1_000).await;
    let front = line.frontend.bind(transport.anywhere()).await.unwrap();
    let rear = line.backend.bind(transport.anywhere()).await.unwrap();
    let (control, _running) = start(Proxy::new(&line.frontend, &line.backend));
    drop(line.pull);
    drop(line.push);
    let mut seen = BTreeMap::new();
    for round in 0..5_u32 {
        until(|| line.backend.peers().is_empty()).await;
        let pull = PullSocket::new();
        pull.connect(&rear).unwrap();
        let push = PushSocket::new();
        push.connect(&front).unwrap();
        for number in 0..20 {
            soon(push.send(body(round * 20 + number))).await.unwrap();
        }
        assert_eq!(soon(push.close()).await.unsent, 0);
        for _ in 0..20 {
            let message = soon(pull.recv()).await.unwrap();
            let number: u32 = message.text().parse().unwrap();
            assert_is(&message, number);
            *seen.entry(number).or_insert(0) += 1;
        }
        soon(pull.close()).await;
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.values().all(|count| *count == 1));
    until(|| control.stats().backend_sent.messages == 100).await;
}

async fn a_paused_proxy_moves_nothing(transport: Transport) {
    let line = line(transport, 1_000).await;
    let (control, _running) = start(Proxy::new(&line.frontend, &line.backend));
    soon(line.push.send(body(0))).await.unwrap();
    assert_is(&soon(line.pull.recv()).await.unwrap(), 0);
    control.pause();
    // It gives its place back when it has heard.
    until(|| line.backend.peers()[0].send_queue.messages == 0).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for number in 1..20 {
        soon(line.push.send(body(number))).await.unwrap();
    }
    until(|| line.frontend.stats().received.messages == 20).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(control.stats().backend_sent.messages <= 2);
    control.resume();
    for number in 1..20 {
        assert_is(&soon(line.pull.recv()).await.unwrap(), number);
    }
    until(|| control.stats().backend_sent.messages == 20).await;
}

async fn a_stopped_proxy_leaves_its_sockets_open(transport: Transport) {
    let line = line(transport, 1_000).await;
    let (control, running) = start(Proxy::new(&line.frontend, &line.backend));
    control.stop();
    control.resume();
    assert_eq!(soon(running).await.unwrap(), Ok(ProxyEnd::Stopped));
    soon(line.push.send("to the middle")).await.unwrap();
    assert_eq!(
        soon(line.frontend.recv()).await.unwrap().text(),
        "to the middle"
    );
    soon(line.backend.send("from the middle")).await.unwrap();
    assert_eq!(
        soon(line.pull.recv()).await.unwrap().text(),
        "from the middle"
    );
}

/// Again and again, at every stage that a few polls reach.
async fn a_dropped_proxy_has_lost_nothing(transport: Transport) {
    let line = line(transport, 3).await;
    let push = line.push.clone();
    let sender = tokio::spawn(async move {
        for number in 0..300 {
            push.send(body(number)).await.unwrap();
        }
    });
    let pull = line.pull.clone();
    let reader = tokio::spawn(async move {
        for number in 0..300 {
            assert_is(&soon(pull.recv()).await.unwrap(), number);
        }
        assert_matches!(pull.try_recv(), Err(TryRecvError::Empty));
    });
    let mut proxy = Proxy::new(&line.frontend, &line.backend);
    let mut round = 0;
    while !reader.is_finished() {
        round += 1;
        let mut running = Box::pin(proxy.run());
        for _ in 0..round % 7 {
            assert!((&mut running).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        drop(running);
        assert!(proxy.take_held().is_empty());
        if round % 5 == 0 {
            // One that nobody keeps.
            let mut running = Box::pin(wirelark::proxy(&line.frontend, &line.backend));
            assert!((&mut running).now_or_never().is_none());
        }
        tokio::task::yield_now().await;
    }
    soon(reader).await.unwrap();
    soon(sender).await.unwrap();
}

async fn a_closed_socket_ends_it(transport: Transport) {
    for frontend_closes in [true, false] {
        let line = line(transport, 1_000).await;
        let (_control, running) = start(Proxy::new(&line.frontend, &line.backend));
        let socket_type = if frontend_closes {
            soon(line.frontend.close()).await;
            SocketType::Pull
        } else {
            soon(line.backend.close()).await;
            SocketType::Push
        };
        match soon(running).await.unwrap() {
            Ok(ProxyEnd::Closed {
                socket_type: closed,
                ..
            }) => assert_eq!(closed, socket_type),
            other => panic!("{other:?}"),
        }
    }
}

async fn a_socket_gives_everything_back(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let (control, _running) = start(Proxy::new(&router, &router));
    let clients = [(); 3].map(|()| DealerSocket::new());
    for client in &clients {
        client.connect(&endpoint).unwrap();
    }
    for number in 0..50 {
        for client in &clients {
            soon(client.send(body(number))).await.unwrap();
        }
        for client in &clients {
            assert_is(&soon(client.recv()).await.unwrap(), number);
        }
    }
    // The envelope of a request comes back with it.
    let asker = ReqSocket::new();
    asker.connect(&endpoint).unwrap();
    let reply = soon(asker.request("msg")).await.unwrap();
    assert_eq!(reply, "msg");
    // Counted a moment after it has gone.
    until(|| control.stats().backend_sent.messages == 151).await;
    assert_eq!(control.stats().backend_received.messages, 0);
}

async fn a_rep_gives_every_request_back(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let capture = PushSocket::new();
    let seen = PullSocket::new();
    seen.connect(capture.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    until(|| capture.peers().len() == 1).await;
    let (control, running) = start(Proxy::new(&rep, rep.clone()).capture(&capture));
    // Many at a time, each to who asked.
    let clients = (0..4).map(|name| {
        let client = ReqSocket::builder().correlate(true).build();
        client.connect(&endpoint).unwrap();
        async move {
            let questions = (0..25).map(|number| [name.to_string(), number.to_string()]);
            let asked = questions.map(async |question| {
                let answer = soon(client.request(question.clone())).await.unwrap();
                assert_eq!(answer, Message::from(question));
            });
            join_all(asked).await;
        }
    });
    join_all(clients).await;
    // Behind whatever envelope it came in; what has none is no request.
    let dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    for message in [&["way", "home", "", "msg"][..], &["no request"], &["", ""]] {
        soon(dealer.send(message.to_vec())).await.unwrap();
    }
    assert_eq!(
        soon(dealer.recv()).await.unwrap(),
        ["way", "home", "", "msg"]
    );
    assert_eq!(soon(dealer.recv()).await.unwrap(), ["", ""]);
    for _ in 0..102 {
        soon(seen.recv()).await.unwrap();
    }
    // Counted a moment after it has gone.
    until(|| control.stats().backend_sent.messages == 102).await;
    let stats = control.stats();
    assert_eq!(stats.frontend_received, stats.backend_sent);
    assert_eq!((stats.backend_received.messages, stats.dropped), (0, 0));
    // It is no one's turn: nothing waits to be answered.
    assert_matches!(rep.try_send("late"), Err(LockStepSendError::OutOfTurn(_)));
    soon(rep.close()).await;
    let socket_type = SocketType::Rep;
    assert_matches!(soon(running).await.unwrap(), Ok(ProxyEnd::Closed { socket_type: end, .. }) if end == socket_type);
}

/// As a ROUTER, it does not wait for a peer that does not read what it is given back.
#[tokio::test]
async fn what_a_rep_cannot_give_back_is_dropped_and_counted() {
    let rep = RepSocket::builder().send_hwm(1).build();
    let endpoint = rep.bind(Transport::Inproc.anywhere()).await.unwrap();
    let (control, _running) = start(Proxy::new(&rep, &rep));
    let deaf = DealerSocket::builder().recv_hwm(1).build();
    deaf.connect(&endpoint).unwrap();
    until(|| {
        let _ = deaf.try_send(["", "again"]);
        control.stats().dropped > 0
    })
    .await;
    let client = ReqSocket::new();
    client.connect(&endpoint).unwrap();
    assert_eq!(soon(client.request("me?")).await.unwrap(), "me?");
}

/// A ROUTER does not wait for a peer that is gone: what is meant for it is dropped and counted.
#[tokio::test]
async fn a_reply_to_a_peer_that_left_is_dropped_and_counted() {
    let (frontend, backend) = (RouterSocket::new(), DealerSocket::new());
    let front = frontend.bind("tcp://127.0.0.1:*").await.unwrap();
    let rear = backend.bind("tcp://127.0.0.1:*").await.unwrap();
    let (control, _running) = start(Proxy::new(&frontend, &backend));
    let worker = DealerSocket::new();
    worker.connect(rear).unwrap();
    let client = DealerSocket::new();
    client.connect(&front).unwrap();
    soon(client.send("question")).await.unwrap();
    let question = soon(worker.recv()).await.unwrap();
    let mut events = frontend.events();
    soon(client.close()).await;
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    soon(worker.send(question)).await.unwrap();
    until(|| control.stats().dropped == 1).await;
    let client = DealerSocket::new();
    client.connect(&front).unwrap();
    soon(client.send("question")).await.unwrap();
    soon(worker.send(soon(worker.recv()).await.unwrap()))
        .await
        .unwrap();
    assert_eq!(soon(client.recv()).await.unwrap().text(), "question");
}
