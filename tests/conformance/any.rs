//! Sockets whose type is chosen at run time: the verbs and framing of every type, and what is no
//! verb or no option of it.

use std::time::Duration;

use wirelark::{
    AnyRecvError, AnySendError, AnySocket, AnyTryRecvError, AnyTrySendError, BindError, Event,
    Identity, Message, Proxy, ProxyEnd, PushSocket, SocketType,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    every_pair_of_types_talks,
    a_router_takes_and_gives_names,
    an_xpub_sees_subscriptions_as_frames,
    rep_and_req_take_turns,
    all_options_reach_the_socket,
    it_tells_of_a_bind_that_failed,
);

const ALL: [SocketType; 11] = [
    SocketType::Pair,
    SocketType::Pub,
    SocketType::Sub,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Pull,
    SocketType::Push,
    SocketType::XPub,
    SocketType::XSub,
];

async fn join(
    transport: Transport,
    bound: SocketType,
    other: SocketType,
) -> (AnySocket, AnySocket) {
    let (bound, other) = (AnySocket::new(bound), AnySocket::new(other));
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    other.connect(endpoint).unwrap();
    (bound, other)
}

/// One message each way where there is one, with the types as they are.
async fn every_pair_of_types_talks(transport: Transport) {
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Sub, XPub, XSub};
    for (sender, receiver) in [
        (Pair, Pair),
        (Push, Pull),
        (Dealer, Dealer),
        (Pub, Sub),
        (XPub, XSub),
    ] {
        let (bound, other) = join(transport, sender, receiver).await;
        assert_eq!(
            (bound.socket_type(), other.socket_type()),
            (sender, receiver)
        );
        if matches!(receiver, Sub | XSub) {
            other.subscribe("he").unwrap();
            if sender == XPub {
                assert_eq!(soon(bound.recv()).await.unwrap().first(), b"\x01he");
            } else if let AnySocket::Pub(publisher) = &bound {
                soon(publisher.wait_for_subscribers("he", 1)).await.unwrap();
            }
        }
        soon(bound.send(["hello", "there"])).await.unwrap();
        assert_eq!(
            soon(other.recv()).await.unwrap(),
            Message::from(["hello", "there"])
        );
        assert_matches!(other.try_recv(), Err(AnyTryRecvError::Empty));
        assert_eq!((bound.peers().len(), bound.stats().sent.messages), (1, 1));
        soon(bound.close()).await;
        assert_matches!(bound.send("x").await, Err(AnySendError::Closed(_)));
    }
}

async fn a_router_takes_and_gives_names(transport: Transport) {
    let router = AnySocket::new(SocketType::Router);
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let dealer = AnySocket::builder(SocketType::Dealer)
        .identity(Identity::new("ada").unwrap())
        .build()
        .unwrap();
    dealer.connect(endpoint).unwrap();
    soon(dealer.send(["a", "b"])).await.unwrap();
    assert_eq!(
        soon(router.recv()).await.unwrap(),
        Message::from(["ada", "a", "b"])
    );
    soon(router.send(["ada", "c"])).await.unwrap();
    assert_eq!(soon(dealer.recv()).await.unwrap(), Message::from("c"));
    router.try_send(["ada", "", "d"]).unwrap();
    assert_eq!(soon(dealer.recv()).await.unwrap(), Message::from(["", "d"]));
    let error = router.send(["bob", "e"]).await.unwrap_err();
    assert_eq!(error.to_string(), "no peer is known as bob");
    assert_eq!(error.into_message(), Message::from(["bob", "e"]));
    for nameless in [Message::from("ada"), Message::from(["", "x"])] {
        match router.try_send(&nameless) {
            Err(AnyTrySendError::NoAddress(message)) => assert_eq!(message, nameless),
            other => panic!("{other:?}"),
        }
    }
}

async fn an_xpub_sees_subscriptions_as_frames(transport: Transport) {
    let (xpub, xsub) = join(transport, SocketType::XPub, SocketType::XSub).await;
    soon(xsub.send(b"\x01a")).await.unwrap();
    assert_eq!(soon(xpub.recv()).await.unwrap(), Message::from(b"\x01a"));
    xsub.unsubscribe("a").unwrap();
    assert_eq!(soon(xpub.recv()).await.unwrap(), Message::from(b"\x00a"));
    soon(xsub.send("a message of the user")).await.unwrap();
    assert_eq!(
        soon(xpub.recv()).await.unwrap().text(),
        "a message of the user"
    );
}

async fn rep_and_req_take_turns(transport: Transport) {
    let (rep, req) = join(transport, SocketType::Rep, SocketType::Req).await;
    assert_matches!(req.recv().await, Err(AnyRecvError::OutOfTurn));
    assert_matches!(
        rep.try_send("nobody asked"),
        Err(AnyTrySendError::OutOfTurn(_))
    );
    for round in 0..3 {
        soon(req.send(["question", "two"])).await.unwrap();
        assert_matches!(req.try_recv(), Err(AnyTryRecvError::Empty));
        assert_eq!(
            soon(rep.recv()).await.unwrap(),
            Message::from(["question", "two"])
        );
        rep.try_send(format!("answer {round}")).unwrap();
        assert_eq!(
            soon(req.recv()).await.unwrap().text(),
            format!("answer {round}")
        );
    }
}

async fn all_options_reach_the_socket(transport: Transport) {
    let pull = AnySocket::builder(SocketType::Pull)
        .conflate(true)
        .build()
        .unwrap();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = AnySocket::new(SocketType::Push);
    push.connect(endpoint).unwrap();
    for number in 0..20 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    until(|| pull.stats().received.messages == 20).await;
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "19");
    let sub = AnySocket::builder(SocketType::Sub)
        .subscribe("a")
        .build()
        .unwrap();
    let publisher = AnySocket::new(SocketType::XPub);
    sub.connect(publisher.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    assert_eq!(
        soon(publisher.recv()).await.unwrap(),
        Message::from(b"\x01a")
    );
}

#[test]
fn what_a_type_does_not_do_is_named() {
    use SocketType::{Pub, Pull, Push, Sub, XSub};
    for socket_type in ALL {
        let socket = AnySocket::new(socket_type);
        let name = socket_type.to_string();
        let sent = socket.try_send(["x", "y"]);
        if matches!(socket_type, Pull | Sub) {
            let error = sent.unwrap_err();
            assert_eq!(error.to_string(), format!("a {name} socket cannot send"));
            assert_eq!(error.into_message().len(), 2);
        } else {
            assert!(
                !matches!(sent, Err(AnyTrySendError::NoSuchVerb { .. })),
                "{name}"
            );
        }
        let received = socket.try_recv().unwrap_err();
        let is_mute = matches!(received, AnyTryRecvError::NoSuchVerb(_));
        assert_eq!(is_mute, matches!(socket_type, Push | Pub), "{name}");
        let subscribed = socket.subscribe("x");
        assert_eq!(
            subscribed.is_ok(),
            matches!(socket_type, Sub | XSub),
            "{name}"
        );
        assert_eq!(socket.unsubscribe("x").is_ok(), subscribed.is_ok());
        if let Err(error) = subscribed {
            assert_eq!(
                error.to_string(),
                format!("a {name} socket cannot subscribe")
            );
        }
    }
}

type Builder = wirelark::SocketBuilder<Result<AnySocket, wirelark::NoSuchOption>>;

#[test]
fn an_option_that_a_type_does_not_have_is_named() {
    type Set = fn(Builder) -> Builder;
    let options: [(&str, Set, &str); 22] = [
        (
            "send_hwm",
            |b| b.send_hwm(1),
            "PAIR PUB REQ REP DEALER ROUTER PUSH XPUB XSUB",
        ),
        (
            "send_hwm_bytes",
            |b| b.send_hwm_bytes(1),
            "PAIR PUB REQ REP DEALER ROUTER PUSH XPUB XSUB",
        ),
        (
            "recv_hwm",
            |b| b.recv_hwm(1),
            "PAIR SUB REQ REP DEALER ROUTER PULL XPUB XSUB",
        ),
        (
            "recv_hwm_bytes",
            |b| b.recv_hwm_bytes(1),
            "PAIR SUB REQ REP DEALER ROUTER PULL XPUB XSUB",
        ),
        (
            "max_peers",
            |b| b.max_peers(1),
            "PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB XSUB",
        ),
        ("immediate", |b| b.immediate(true), "PAIR REQ DEALER PUSH"),
        ("conflate", |b| b.conflate(true), "PUB SUB DEALER PULL PUSH"),
        (
            "identity",
            |b| b.identity("me".try_into().unwrap()),
            "REQ DEALER ROUTER",
        ),
        ("probe", |b| b.probe(true), "REQ DEALER ROUTER"),
        ("relaxed", |b| b.relaxed(true), "REQ"),
        ("correlate", |b| b.correlate(true), "REQ"),
        ("handover", |b| b.handover(true), "ROUTER"),
        ("drop_unroutable", |b| b.drop_unroutable(true), "ROUTER"),
        ("subscribe", |b| b.subscribe(""), "SUB XSUB"),
        (
            "invert_matching",
            |b| b.invert_matching(true),
            "PUB SUB XPUB XSUB",
        ),
        ("welcome", |b| b.welcome("hi"), "PUB XPUB"),
        (
            "only_first_subscribe",
            |b| b.only_first_subscribe(true),
            "XPUB XSUB",
        ),
        ("verbose", |b| b.verbose(true), "XPUB"),
        ("verbose", |b| b.verboser(true), "XPUB"),
        ("manual", |b| b.manual(true), "XPUB"),
        ("no_drop", |b| b.no_drop(true), "XPUB"),
        (
            "verbose_unsubscribe",
            |b| b.verbose_unsubscribe(true),
            "XSUB",
        ),
    ];
    for (option, set, types) in options {
        for socket_type in ALL {
            let built = set(AnySocket::builder(socket_type)).build();
            if types.split(' ').any(|name| name == socket_type.as_str()) {
                assert_eq!(built.unwrap().socket_type(), socket_type, "{option}");
            } else {
                let expected = format!("a {socket_type} socket has no option {option}");
                assert_eq!(built.unwrap_err().to_string(), expected);
            }
        }
    }
}

#[test]
fn a_typed_socket_converts_there_and_back() {
    let push = PushSocket::new();
    let any = AnySocket::from(&push);
    push.connect("inproc://nobody in particular").unwrap();
    assert_eq!(format!("{any:?}").matches("nobody").count(), 1);
    let any = wirelark::PullSocket::try_from(any).unwrap_err();
    let back = PushSocket::try_from(any).unwrap();
    assert_eq!(format!("{back:?}"), format!("{push:?}"));
}

async fn it_tells_of_a_bind_that_failed(transport: Transport) {
    let holder = AnySocket::new(SocketType::Pull);
    let endpoint = holder.bind(transport.anywhere()).await.unwrap();
    let other = AnySocket::new(SocketType::Pull);
    let mut events = other.events();
    let refused = other.bind(&endpoint).await;
    assert_matches!(refused, Err(BindError::AddressInUse { .. }));
    let event = soon(events.next()).await.unwrap();
    assert_matches!(event, Event::BindFailed { endpoint: named, .. } if named == endpoint);
}

#[tokio::test]
async fn it_takes_a_listener_of_the_program() {
    let pull = AnySocket::new(SocketType::Pull);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let push = AnySocket::new(SocketType::Push);
    push.connect(pull.bind_listener(listener).unwrap()).unwrap();
    soon(push.send("work")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap(), "work");
}

#[test]
fn its_options_are_those_of_the_socket() {
    let push = PushSocket::new();
    AnySocket::from(&push).options().set_linger(Duration::ZERO);
    assert_eq!(push.options().linger(), Some(Duration::ZERO));
}

#[tokio::test]
async fn two_that_cannot_talk_are_named() {
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
    let all = [
        Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub,
    ];
    for frontend in all {
        for backend in all {
            let mut proxy = Proxy::new(AnySocket::new(frontend), AnySocket::new(backend));
            let control = proxy.control();
            control.stop();
            let ends = proxy.run().await;
            let one_way = |a, b| {
                matches!(a, Sub | Pull)
                    && matches!(b, Pub | Push | Pair | Dealer | Router | XPub | XSub)
                    && matches!(b, Pub | Push)
            };
            let out =
                |a, b| matches!(a, Pub | Push) && matches!(b, Pair | Dealer | Router | XPub | XSub);
            let both = |a| matches!(a, Pair | Dealer | Router | XPub | XSub);
            let can = one_way(frontend, backend)
                || one_way(backend, frontend)
                || out(frontend, backend)
                || out(backend, frontend)
                || (both(frontend) && both(backend));
            if can {
                assert_eq!(ends, Ok(ProxyEnd::Stopped), "{frontend} {backend}");
            } else {
                let text = format!("a proxy cannot join a {frontend} and a {backend} socket");
                assert_eq!(ends.unwrap_err().to_string(), text);
            }
        }
    }
    let capture = AnySocket::new(Router);
    let (frontend, backend) = (AnySocket::new(Pull), AnySocket::new(Push));
    let error = Proxy::new(frontend, backend)
        .capture(capture)
        .run()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a ROUTER socket cannot capture what passes a proxy"
    );
}
