//! ROUTER and DEALER as a broker uses them: devices that pass frames on, names that are known in
//! advance, peers that cannot take more.

use std::time::Duration;

use wirelark::{
    Context, DealerSocket, DisconnectReason, Endpoint, Identity, Message, PeerFault, ProtocolError,
    RepSocket, ReqSocket, RequestError, RouterSocket, TryRecvError, TrySendToError,
};

use crate::kit::{assert_matches, soon, until};
use crate::router::{dealer, name};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    frames_pass_devices_both_ways,
    a_name_is_known_though_the_router_binds_later,
    a_full_peer_of_a_router,
    a_router_names_whom_it_connects_to_while_it_receives,
    a_router_names_whom_it_connects_to_and_is_named_or_not,
    what_a_dealer_is_sent_goes_with_it,
    a_reply_without_a_delimiter,
);

/// The message behind the name of its sender, as a device passes it on.
fn with_name(peer: &Identity, message: &Message) -> Message {
    let name = [&peer.as_bytes()[..]];
    Message::from(name.into_iter().chain(message.frames()).collect::<Vec<_>>())
}

/// The name in front, and what is behind it.
fn without_name(message: &Message) -> (Identity, Message) {
    let mut frames = message.frames();
    let name = Identity::of_peer(frames.next().unwrap().to_vec()).unwrap();
    (name, Message::from(frames.collect::<Vec<_>>()))
}

/// A ROUTER and a DEALER, bound.
struct Device {
    router: RouterSocket,
    dealer: DealerSocket,
    front: Endpoint,
    back: Endpoint,
}

impl Device {
    async fn new(transport: Transport) -> Self {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        let front = router.bind(transport.anywhere()).await.unwrap();
        let back = dealer.bind(transport.anywhere()).await.unwrap();
        Self {
            router,
            dealer,
            front,
            back,
        }
    }

    async fn pass_request(&self) {
        let (peer, request) = soon(self.router.recv()).await.unwrap();
        let request = with_name(&peer, &request);
        soon(self.dealer.send(request)).await.unwrap();
    }

    async fn pass_reply(&self) {
        let (peer, reply) = without_name(&soon(self.dealer.recv()).await.unwrap());
        soon(self.router.send_to(&peer, reply)).await.unwrap();
    }
}

/// Two of them, one behind the other: the envelope grows with each.
async fn frames_pass_devices_both_ways(transport: Transport) {
    let (near, far) = (Device::new(transport).await, Device::new(transport).await);
    near.dealer.connect(&far.front).unwrap();
    near.dealer.unbind(&near.back).unwrap();
    let (req, rep) = (ReqSocket::new(), RepSocket::new());
    req.connect(&near.front).unwrap();
    rep.connect(&far.back).unwrap();
    for number in 0..10 {
        let number = number.to_string();
        soon(req.send(["ABC", &number])).await.unwrap();
        near.pass_request().await;
        far.pass_request().await;
        let request = soon(rep.recv()).await.unwrap();
        assert_eq!(request.message(), &Message::from(["ABC", &number]));
        request.reply(["GHI", &number]).await.unwrap();
        far.pass_reply().await;
        near.pass_reply().await;
        let reply = soon(req.recv()).await.unwrap();
        assert_eq!(reply, Message::from(["GHI", &number]));
    }
}

async fn a_name_is_known_though_the_router_binds_later(transport: Transport) {
    let place = transport.somewhere();
    let ada = dealer("ada");
    ada.connect(&place).unwrap();
    soon(ada.send(["A", "B"])).await.unwrap();
    let router = RouterSocket::new();
    router.bind(&place).await.unwrap();
    let (peer, message) = soon(router.recv()).await.unwrap();
    assert_eq!((peer, message), (name("ada"), Message::from(["A", "B"])));
}

/// It is an error that gives the message back, and there is room when the peer has read.
async fn a_full_peer_of_a_router(transport: Transport) {
    let router = RouterSocket::builder().send_hwm(1).build();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = DealerSocket::builder()
        .identity(name("ada"))
        .recv_hwm(1)
        .build();
    ada.connect(&endpoint).unwrap();
    soon(ada.send("here I am")).await.unwrap();
    let (peer, _) = soon(router.recv()).await.unwrap();
    let body = vec![7; 1 << 20];
    for _ in 0..3 {
        // The kernel takes some of it, but not for ever.
        let mut sent = 0;
        let full = loop {
            match router.try_send_to(&peer, body.clone()) {
                Ok(()) => sent += 1,
                Err(full) => break full,
            }
            assert!(sent < 100, "{sent} messages are in no queue");
        };
        assert_matches!(full, TrySendToError::Full(message) if message.byte_len() == 1 << 20);
        for _ in 0..sent {
            assert_eq!(soon(ada.recv()).await.unwrap().byte_len(), 1 << 20);
        }
        assert!(ada.try_recv().is_err());
    }
    assert_eq!(router.stats().dropped, 0);
}

/// A ROUTER that is spoken to by one peer and connects to another.
async fn a_router_names_whom_it_connects_to_while_it_receives(transport: Transport) {
    let router = |own: &str| RouterSocket::builder().identity(name(own)).build();
    let (x, y, z) = (router("X"), router("Y"), router("Z"));
    let at_x = x.bind(transport.anywhere()).await.unwrap();
    let at_z = z.bind(transport.anywhere()).await.unwrap();
    y.connect_as(&at_x, &name("x of y")).unwrap();
    soon(y.send_to(&name("x of y"), "from Y")).await.unwrap();
    until(|| x.stats().received.messages == 1).await;
    x.connect_as(&at_z, &name("z of x")).unwrap();
    soon(x.send_to(&name("z of x"), "from X")).await.unwrap();
    let (peer, message) = soon(z.recv()).await.unwrap();
    assert_eq!((peer, message), (name("X"), Message::from("from X")));
    assert_matches!(y.try_recv(), Err(TryRecvError::Empty));
    let (peer, message) = soon(x.recv()).await.unwrap();
    assert_eq!(
        (peer.clone(), message),
        (name("Y"), Message::from("from Y"))
    );
    soon(x.send_to(&peer, "ok")).await.unwrap();
    let (peer, message) = soon(y.recv()).await.unwrap();
    assert_eq!((peer, message), (name("x of y"), Message::from("ok")));
}

/// What it calls the other side has nothing to do with what the other side calls it.
async fn a_router_names_whom_it_connects_to_and_is_named_or_not(transport: Transport) {
    for own in [None, Some(name("Y"))] {
        let x = RouterSocket::new();
        let endpoint = x.bind(transport.anywhere()).await.unwrap();
        let y = match own.clone() {
            Some(own) => RouterSocket::builder().identity(own).build(),
            None => RouterSocket::new(),
        };
        y.connect_as(&endpoint, &name("x of y")).unwrap();
        soon(y.send_to(&name("x of y"), "hi")).await.unwrap();
        let (peer, message) = soon(x.recv()).await.unwrap();
        assert_eq!(message, "hi");
        match own {
            Some(own) => assert_eq!(peer, own),
            None => assert!(peer.is_made_up()),
        }
        soon(x.send_to(&peer, "ok")).await.unwrap();
        let (peer, message) = soon(y.recv()).await.unwrap();
        assert_eq!((peer, message), (name("x of y"), Message::from("ok")));
    }
}

/// The other side of a queue that is gone: nobody reads what was meant for the former connection.
async fn what_a_dealer_is_sent_goes_with_it(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let ada = dealer("ada");
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    soon(router.send_to(&name("ada"), "old")).await.unwrap();
    until(|| ada.stats().received.messages == 1).await;
    ada.disconnect(&endpoint).unwrap();
    until(|| router.peers().is_empty()).await;
    assert_matches!(
        router.try_send_to(&name("ada"), "nobody"),
        Err(TrySendToError::Unroutable { .. })
    );
    ada.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    soon(router.send_to(&name("ada"), "new")).await.unwrap();
    assert_eq!(soon(ada.recv()).await.unwrap().text(), "new");
}

/// Whoever sends it loses its connection, and what it was asked fails with the reason.
async fn a_reply_without_a_delimiter(transport: Transport) {
    let router = RouterSocket::new();
    let endpoint = router.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(Duration::from_millis(1))
        .build();
    req.connect(&endpoint).unwrap();
    for reply in [Message::from("no delimiter"), Message::from(["a", "", "b"])] {
        let answer = async {
            let (peer, _) = router.recv().await.unwrap();
            router.send_to(&peer, reply).await.unwrap();
            // Nothing mends that. It may find the connection gone already.
            let _ = router.send_to(&peer, ["", "right"]).await;
        };
        let (reply, ()) = soon(futures::future::join(req.request("?"), answer)).await;
        assert_matches!(
            reply,
            Err(RequestError::Lost {
                reason: DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::Envelope)),
                ..
            })
        );
        let answer = async {
            let (peer, request) = router.recv().await.unwrap();
            router.send_to(&peer, request).await.unwrap();
        };
        let (reply, ()) = soon(futures::future::join(req.request("again"), answer)).await;
        assert_eq!(reply.unwrap().text(), "again");
    }
}

/// Again and again, as soon as it is there: a newcomer of another context is reached by its name.
#[tokio::test]
async fn a_dealer_of_another_context_is_reached_at_once() {
    let (here, there) = (Context::new(), Context::new());
    let router = RouterSocket::builder().context(&here).build();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    for number in 0..100 {
        let own = name(&format!("dealer {number}"));
        let dealer = DealerSocket::builder()
            .context(&there)
            .identity(own.clone())
            .build();
        dealer.connect(&endpoint).unwrap();
        soon(async {
            while router.try_send_to(&own, "hello").is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(soon(dealer.recv()).await.unwrap().text(), "hello");
    }
}
