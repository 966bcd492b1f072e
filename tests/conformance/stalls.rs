//! A proxy with something in its way: it takes nothing that it cannot pass on, which holds up nobody but
//! those who send it.

use wirelark::{
    Context, DealerSocket, Message, Proxy, ProxyEnd, PubSocket, PullSocket, PushSocket, SubSocket,
    XPubSocket, XSubSocket,
};

use crate::kit::{assert_matches, soon, until};
use crate::proxy::{assert_is, body, start};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    what_has_nowhere_to_go_is_not_taken,
    a_stalled_side_does_not_hold_up_the_other,
    a_stuck_proxy_ends,
    an_xpub_that_drops_nothing_stops_the_flow,
);

/// One of those of which the operating system takes few.
fn large(number: u32) -> Vec<Vec<u8>> {
    vec![number.to_string().into_bytes(), vec![7; 1 << 18]]
}

/// Nobody takes work, so nobody collects it.
async fn what_has_nowhere_to_go_is_not_taken(transport: Transport) {
    let (frontend, backend) = (PullSocket::builder().recv_hwm(5).build(), PushSocket::new());
    let push = PushSocket::new();
    push.connect(frontend.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let rear = backend.bind(transport.anywhere()).await.unwrap();
    let (control, _running) = start(Proxy::new(&frontend, &backend));
    for number in 0..5 {
        soon(push.send(body(number))).await.unwrap();
    }
    until(|| frontend.stats().received.messages >= 5).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(control.stats().frontend_received.messages, 0);
    let pull = PullSocket::new();
    pull.connect(rear).unwrap();
    for number in 0..5 {
        assert_is(&soon(pull.recv()).await.unwrap(), number);
    }
}

async fn a_stalled_side_does_not_hold_up_the_other(transport: Transport) {
    let hwm = 2;
    let middle = [(); 2].map(|()| DealerSocket::builder().send_hwm(hwm).recv_hwm(hwm).build());
    let ends = [(); 2].map(|()| DealerSocket::builder().send_hwm(hwm).recv_hwm(hwm).build());
    for (end, middle) in ends.iter().zip(&middle) {
        end.connect(middle.bind(transport.anywhere()).await.unwrap())
            .unwrap();
    }
    let [frontend, backend] = middle;
    let (control, _running) = start(Proxy::new(&frontend, &backend));
    let [left, right] = ends;
    // Right does not read, until left can send no more.
    let stuffed = left.clone();
    let stuffing = tokio::spawn(async move {
        for number in 0..500 {
            stuffed.send(body(number)).await.unwrap();
        }
    });
    for number in 0..200 {
        soon(right.send(body(number))).await.unwrap();
        assert_is(&soon(left.recv()).await.unwrap(), number);
    }
    assert!(control.stats().backend_sent.messages < 500);
    for number in 0..500 {
        assert_is(&soon(right.recv()).await.unwrap(), number);
    }
    soon(stuffing).await.unwrap();
}

/// What is in its way holds up neither an order nor the end of its sockets.
async fn a_stuck_proxy_ends(transport: Transport) {
    for stop in [true, false] {
        let context = Context::new();
        let frontend = SubSocket::builder().subscribe("").context(&context).build();
        let backend = PushSocket::builder().context(&context).build();
        let publisher = PubSocket::builder().context(&context).build();
        let front = frontend.bind(transport.anywhere()).await.unwrap();
        backend.bind(transport.anywhere()).await.unwrap();
        publisher.connect(front).unwrap();
        soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
        let (control, running) = start(Proxy::new(&frontend, &backend));
        for number in 0..3 {
            publisher.try_send(body(number)).unwrap();
        }
        until(|| frontend.stats().received.messages == 3).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        if stop {
            control.stop();
            assert_eq!(soon(running).await.unwrap(), Ok(ProxyEnd::Stopped));
            assert_is(&soon(frontend.recv()).await.unwrap(), 0);
        } else {
            soon(context.shutdown()).await;
            assert_matches!(soon(running).await.unwrap(), Ok(ProxyEnd::Closed { .. }));
        }
    }
}

/// As libzmq's `test_proxy_hwm`: a slow subscriber stops the publishers, and loses nothing.
async fn an_xpub_that_drops_nothing_stops_the_flow(transport: Transport) {
    let frontend = PullSocket::builder().recv_hwm(2).build();
    let backend = XPubSocket::builder().no_drop(true).send_hwm(2).build();
    let front = frontend.bind(transport.anywhere()).await.unwrap();
    let rear = backend.bind(transport.anywhere()).await.unwrap();
    let sub = SubSocket::builder().subscribe("").recv_hwm(2).build();
    sub.connect(rear).unwrap();
    soon(backend.recv()).await.unwrap();
    // A PULL cannot pass subscriptions on, so this is a job for a PUB's kin: an XSUB.
    assert_eq!(
        Proxy::new(&frontend, &backend)
            .run()
            .await
            .unwrap_err()
            .to_string(),
        "a proxy cannot join a PULL and a XPUB socket"
    );
    drop((frontend, front));
    let frontend = XSubSocket::builder().recv_hwm(2).build();
    let front = frontend.bind(transport.anywhere()).await.unwrap();
    frontend.subscribe("").unwrap();
    let publisher = XPubSocket::builder().no_drop(true).send_hwm(2).build();
    publisher.connect(front).unwrap();
    soon(publisher.recv()).await.unwrap();
    let (control, _running) = start(Proxy::new(&frontend, &backend));
    // Nobody reads, and whatever is on the way comes to its end.
    let (mut sent, mut stuck) = (0, 0);
    // Within a process there is a place for two on each side of each connection.
    let places = if transport == Transport::Inproc { 8 } else { 1 };
    soon(async {
        while sent < places || stuck < 300 {
            match publisher.try_send(large(sent)) {
                Ok(()) => (sent, stuck) = (sent + 1, 0),
                Err(_) => stuck += 1,
            }
            // It can be asked meanwhile.
            assert!(control.stats().backend_sent.messages <= u64::from(sent));
            assert!(sent < 1_000, "nothing stops it");
            tokio::task::yield_now().await;
        }
    })
    .await;
    if transport == Transport::Inproc {
        assert_eq!(sent, places);
    }
    for number in 0..sent {
        assert_eq!(
            soon(sub.recv()).await.unwrap(),
            Message::from(large(number))
        );
    }
    soon(publisher.send("and on")).await.unwrap();
    assert_eq!(soon(sub.recv()).await.unwrap(), "and on");
    assert_eq!(control.stats().dropped, 0);
}
