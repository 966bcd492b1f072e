//! Binding, connecting, and taking both back, in any order and number.

use std::collections::BTreeSet;

use wirelark::{Event, PullSocket, PushSocket};

use crate::kit::{soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    connect_before_bind,
    bind_again_after_unbind,
    several_connects_to_one_bind,
    disconnect_sends_what_is_queued,
    unbind_sends_what_is_queued,
    unbind_leaves_what_has_arrived,
    nothing_comes_after_disconnect,
    both_ends_may_bind_or_connect,
);

async fn connect_before_bind(transport: Transport) {
    let place = transport.somewhere();
    let push = PushSocket::new();
    push.connect(&place).unwrap();
    for word in ["one", "two", "three"] {
        soon(push.send(word)).await.unwrap();
    }
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    for word in ["one", "two", "three"] {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), word);
    }
}

/// The event says when the endpoint is free for the next one.
async fn bind_again_after_unbind(transport: Transport) {
    let place = transport.somewhere();
    let first = PullSocket::new();
    let second = PullSocket::new();
    for _ in 0..5 {
        for socket in [&first, &second] {
            let mut events = socket.events();
            let endpoint = socket.bind(&place).await.unwrap();
            assert_eq!(endpoint.to_string(), place);
            socket.unbind(&endpoint).unwrap();
            wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
        }
    }
}

async fn several_connects_to_one_bind(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.connect(&endpoint).unwrap();
    until(|| pull.peers().len() == 2).await;
    for _ in 0..10 {
        push.send("x").await.unwrap();
    }
    until(|| pull.peers().iter().all(|peer| peer.received.messages == 5)).await;
    // One name stands for both.
    push.disconnect(&endpoint).unwrap();
    until(|| pull.peers().is_empty()).await;
    assert!(push.disconnect(&endpoint).is_err());
}

async fn disconnect_sends_what_is_queued(transport: Transport) {
    let place = transport.somewhere();
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    let push = PushSocket::new();
    push.connect(&place).unwrap();
    for number in 0..500 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    push.disconnect(&place).unwrap();
    assert!(push.try_send("nobody is left").is_err());
    for number in 0..500 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    until(|| pull.peers().is_empty()).await;
    // The socket goes on.
    push.connect(&place).unwrap();
    soon(push.send("again")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "again");
}

async fn unbind_sends_what_is_queued(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::new();
    pull.connect(&endpoint).unwrap();
    for number in 0..500 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    push.unbind(&endpoint).unwrap();
    assert!(push.try_send("nobody is left").is_err());
    for number in 0..500 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
}

async fn unbind_leaves_what_has_arrived(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for number in 0..10 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    until(|| pull.stats().received.messages == 10).await;
    pull.unbind(&endpoint).unwrap();
    for number in 0..10 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    until(|| pull.peers().is_empty()).await;
}

/// As in libzmq, whoever disconnects does not want to hear what is left.
async fn nothing_comes_after_disconnect(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::new();
    pull.connect(&endpoint).unwrap();
    soon(push.send("one")).await.unwrap();
    soon(push.send("two")).await.unwrap();
    until(|| pull.stats().received.messages == 2).await;
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "one");
    pull.disconnect(&endpoint).unwrap();
    until(|| pull.peers().is_empty()).await;
    assert!(pull.try_recv().is_err());
}

/// The direction of the messages has nothing to do with who binds.
async fn both_ends_may_bind_or_connect(transport: Transport) {
    let push = PushSocket::new();
    let pull = PullSocket::new();
    let at_push = push.bind(transport.anywhere()).await.unwrap();
    let at_pull = pull.bind(transport.anywhere()).await.unwrap();
    pull.connect(&at_push).unwrap();
    push.connect(&at_pull).unwrap();
    until(|| pull.peers().len() == 2 && push.peers().len() == 2).await;
    for number in 0..100 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    let mut got = BTreeSet::new();
    for _ in 0..100 {
        got.insert(
            soon(pull.recv())
                .await
                .unwrap()
                .text()
                .parse::<u32>()
                .unwrap(),
        );
    }
    assert_eq!(got, (0..100).collect());
    let mut queues = pull.peers().into_iter().map(|peer| peer.received.messages);
    assert_eq!((queues.next(), queues.next()), (Some(50), Some(50)));
}

#[tokio::test]
async fn one_socket_on_every_transport_at_once() {
    let pull = PullSocket::new();
    let mut pushes = Vec::new();
    for transport in Transport::ALL {
        let endpoint = pull.bind(transport.anywhere()).await.unwrap();
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        pushes.push(push);
        let place = transport.somewhere();
        let push = PushSocket::new();
        pull.connect(&place).unwrap();
        push.bind(&place).await.unwrap();
        pushes.push(push);
    }
    let mut expected = BTreeSet::new();
    for (number, push) in pushes.iter().enumerate() {
        soon(push.send(number.to_string())).await.unwrap();
        expected.insert(number.to_string());
    }
    let mut got = BTreeSet::new();
    for _ in &pushes {
        got.insert(soon(pull.recv()).await.unwrap().text().into_owned());
    }
    assert_eq!(got, expected);
    assert_eq!(pull.peers().len(), 6);
}

/// Host names, both families, the wildcard: what bind returns can be connected to.
#[tokio::test]
async fn tcp_addresses() {
    for text in [
        "tcp://127.0.0.1:0",
        "tcp://localhost:*",
        "tcp://*:*",
        "tcp://0.0.0.0:*",
        "tcp://[::1]:*",
    ] {
        let pull = PullSocket::new();
        let Ok(endpoint) = pull.bind(text).await else {
            assert!(text.contains("::"), "only IPv6 may be missing, not {text}");
            continue;
        };
        assert_ne!(endpoint.port(), Some(0));
        assert!(endpoint.port().is_some());
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        soon(push.send(text)).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), text);
    }
    let pull = PullSocket::new();
    let port = pull.bind("tcp://*:*").await.unwrap().port().unwrap();
    let push = PushSocket::new();
    push.connect(format!("tcp://localhost:{port}")).unwrap();
    soon(push.send("by name")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "by name");
}
