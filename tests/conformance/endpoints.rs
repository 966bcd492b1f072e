//! Binding, connecting, and taking both back, in any order and number.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use wirelark::{Event, PullSocket, PushSocket, RepSocket, ReqSocket};

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
    a_successor_at_the_same_place,
    what_is_queued_waits_for_the_bind,
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

async fn a_successor_at_the_same_place(transport: Transport) {
    let place = transport.somewhere();
    let pull = PullSocket::builder()
        .reconnect_interval(Duration::from_millis(10))
        .build();
    pull.connect(&place).unwrap();
    for round in 0..3 {
        let push = PushSocket::new();
        push.bind(&place).await.unwrap();
        soon(push.send(round.to_string())).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), round.to_string());
        assert_eq!(soon(push.close()).await.unsent, 0);
    }
}

/// As long as linger allows, though the endpoint, the handle or the socket is gone.
async fn what_is_queued_waits_for_the_bind(transport: Transport) {
    for end in ["disconnect", "drop", "close"] {
        let place = transport.somewhere();
        let push = PushSocket::builder()
            .reconnect_interval(Duration::from_millis(10))
            .build();
        push.connect(&place).unwrap();
        for number in 0..10 {
            soon(push.send(number.to_string())).await.unwrap();
        }
        let handle = match end {
            "disconnect" => {
                push.disconnect(&place).unwrap();
                Some(push)
            }
            "close" => {
                assert!(push.close().now_or_never().is_none());
                Some(push)
            }
            _ => {
                drop(push);
                None
            }
        };
        let pull = PullSocket::new();
        pull.bind(&place).await.unwrap();
        for number in 0..10 {
            assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
        }
        until(|| pull.peers().is_empty()).await;
        if let Some(push) = handle {
            assert_eq!(soon(push.close()).await.unsent, 0);
        }
    }
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

/// What bind returns names the endpoint in every call that takes one, also when it stands for many
/// addresses.
#[tokio::test]
async fn what_bind_returns_is_a_name_for_everything() {
    // Where it is switched off, one can bind to all of its addresses, and none of them can be reached.
    let is_there_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    for text in [
        "tcp://*:*",
        "tcp://[::]:*",
        "tcp://127.0.0.1:*",
        "tcp://[::1]:*",
        "tcp://localhost:*",
        "ipc://*",
    ] {
        if text.contains("::") && !is_there_ipv6 {
            eprintln!("skipped: {text} needs IPv6");
            continue;
        }
        let rep = RepSocket::new();
        let mut events = rep.events();
        let endpoint = rep.bind(text).await.unwrap();
        let req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        let answer = async { rep.recv().await.unwrap().reply(text).await.unwrap() };
        let (reply, ()) = soon(futures::future::join(req.request("?"), answer)).await;
        assert_eq!(reply.unwrap().text(), text);
        req.disconnect(&endpoint).unwrap();
        rep.unbind(&endpoint).unwrap();
        wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
        assert!(rep.unbind(&endpoint).is_err() && req.disconnect(&endpoint).is_err());
    }
}

/// A wildcard is what bind was given, so it is a name for what was bound, too.
#[tokio::test]
async fn a_wildcard_names_what_was_bound_by_it() {
    for text in ["tcp://127.0.0.1:*", "ipc://*"] {
        let pull = PullSocket::new();
        let endpoint = pull.bind(text).await.unwrap();
        pull.unbind(text).unwrap();
        assert!(pull.unbind(text).is_err() && pull.unbind(&endpoint).is_err());
    }
}

/// What was given is a name in the spelling in which it was given, too.
#[tokio::test]
async fn any_spelling_of_an_endpoint_names_it() {
    let pull = PullSocket::new();
    for text in ["tcp://127.0.0.1:0", "tcp://127.0.0.1:00"] {
        pull.bind(text).await.unwrap();
        pull.unbind(text).unwrap();
        assert!(pull.unbind(text).is_err());
    }
    for (given, other) in [
        ("tcp://127.0.0.1:05555", "tcp://127.0.0.1:5555"),
        ("tcp://[0:0::1]:5555", "tcp://[::1]:5555"),
    ] {
        for name in [given, other] {
            pull.connect(given).unwrap();
            pull.disconnect(name).unwrap();
            assert!(pull.disconnect(name).is_err());
        }
    }
}
