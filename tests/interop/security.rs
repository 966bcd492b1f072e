//! PLAIN and CURVE against pyzmq: in both roles, whoever binds, with `zmq.auth`'s authenticator and its
//! certificate files, and what each side learns when the other does not fit.
use crate::support::{Attach as _, Link, Peer, Place, Python, assert_same, corpus, within};
use wirelark::{
    Access, Certificate, ClientKeys, DealerSocket, DisconnectReason, Event, Events, Incompatible,
    KeyPair, Login, Message, PairSocket, Passwords, PeerFault, PubSocket, PullSocket, PushSocket,
    RepSocket, ReqSocket, RouterSocket, Security, SecurityFault, SubSocket, SubscriberMessage,
    XPubSocket, XSubSocket,
};

on_every_link!(
    curve_client_of_pyzmq,
    curve_server_for_pyzmq,
    plain_client_of_pyzmq,
    plain_server_for_pyzmq,
);

on_every_transport!(
    every_family_under_curve,
    certificates_of_both_are_known_to_each_other,
    a_client_that_pyzmq_refuses_gives_up,
    a_pyzmq_client_that_is_refused_gives_up,
    a_wrong_server_key_is_told_to_the_server_only,
    other_mechanisms_are_refused,
);

struct Keys {
    server: KeyPair,
    client: KeyPair,
}

impl Keys {
    fn new() -> Self {
        Self {
            server: KeyPair::generate().unwrap(),
            client: KeyPair::generate().unwrap(),
        }
    }

    fn client(&self) -> Security {
        Security::Curve {
            server: *self.server.public(),
            keys: self.client.clone(),
        }
    }

    fn server(&self) -> Security {
        Security::CurveServer {
            keys: self.server.clone(),
            access: Access::by(ClientKeys::new([*self.client.public()])),
        }
    }

    async fn make_client(&self, peer: &mut Peer) {
        let server = self.server.public().to_string();
        peer.set("CURVE_SERVERKEY", &server).await;
        let public = self.client.public().to_string();
        peer.set("CURVE_PUBLICKEY", &public).await;
        let secret = self.client.secret().expose_z85();
        peer.set("CURVE_SECRETKEY", &secret).await;
    }

    async fn make_server(&self, peer: &mut Peer) {
        peer.set("CURVE_SERVER", "1").await;
        let secret = self.server.secret().expose_z85();
        peer.set("CURVE_SECRETKEY", &secret).await;
    }
}

/// What every socket of a test has to carry: all kinds of messages, and some that take several reads.
fn messages() -> Vec<Message> {
    let mut messages = corpus();
    // Without optimisation, tens of megabytes take longer than a test has.
    messages.retain(|message| message.frames().map(<[u8]>::len).sum::<usize>() < 1 << 20);
    // Where a cipher goes over to another way of doing it, and where it has done so many blocks at a time.
    for length in [319, 543, 544, 1055, 1056, 2080, 5_119, 5_120, 40_000] {
        messages.push(Message::from(vec![0x5a; length]));
    }
    messages.push(Message::from(vec![0xa5; 64 * 1024]));
    messages.push(Message::from([vec![1; 70_000], vec![], vec![2; 1 << 20]]));
    messages.push(Message::from("the end"));
    messages
}

async fn push_all(push: &PushSocket, pull: &mut Peer) {
    let messages = messages();
    for message in &messages {
        within(push.send(message)).await.unwrap();
    }
    for message in &messages {
        assert_same(&pull.recv().await, message);
    }
    within(push.close()).await;
}

async fn pull_all(push: &mut Peer, pull: &PullSocket, user: Option<&str>) {
    let messages = messages();
    for message in &messages {
        push.send(message).await;
    }
    for message in &messages {
        let (peer, received) = within(pull.recv_from()).await.unwrap();
        assert_same(&received, message);
        assert_eq!(peer.user().map(|user| user.id()), user);
    }
    within(pull.close()).await;
}

async fn curve_client_of_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();
    let mut pull = python.peer("PULL").await;
    keys.make_server(&mut pull).await;
    pull.authenticate("curve * *").await;
    let push = PushSocket::builder().security(keys.client()).build();
    link.join(&push, &mut pull).await;
    push_all(&push, &mut pull).await;
    let user = pull.property("User-Id").await;
    assert_eq!(user, keys.client.public().to_string());
}

async fn curve_server_for_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();
    let mut push = python.peer("PUSH").await;
    keys.make_client(&mut push).await;
    let pull = PullSocket::builder().security(keys.server()).build();
    link.join(&pull, &mut push).await;
    let user = keys.client.public().to_string();
    pull_all(&mut push, &pull, Some(&user)).await;
}

async fn plain_client_of_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let mut pull = python.peer("PULL").await;
    pull.set("PLAIN_SERVER", "1").await;
    pull.authenticate("plain * ada lovelace").await;
    let login = Login::new("ada", "lovelace").unwrap();
    let push = PushSocket::builder()
        .security(Security::Plain { login })
        .build();
    link.join(&push, &mut pull).await;
    push_all(&push, &mut pull).await;
    assert_eq!(pull.property("User-Id").await, "ada");
}

async fn plain_server_for_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let mut push = python.peer("PUSH").await;
    push.set("PLAIN_USERNAME", "ada").await;
    push.set("PLAIN_PASSWORD", "lovelace").await;
    let access = Access::by(Passwords::new().with("ada", "lovelace"));
    let pull = PullSocket::builder()
        .security(Security::PlainServer { access })
        .build();
    link.join(&pull, &mut push).await;
    pull_all(&mut push, &pull, Some("ada")).await;
}

async fn every_family_under_curve(place: Place) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();

    let req = ReqSocket::builder().security(keys.client()).build();
    let mut rep = python.peer("REP").await;
    keys.make_server(&mut rep).await;
    req.attach_connect(&rep.bind(&place.any_endpoint()).await);
    let asking = tokio::spawn(async move { within(req.request("who?")).await.unwrap() });
    assert_same(&rep.recv().await, &"who?".into());
    rep.send("I").await;
    assert_same(&asking.await.unwrap(), &"I".into());

    let rep = RepSocket::builder().security(keys.server()).build();
    let mut req = python.peer("REQ").await;
    keys.make_client(&mut req).await;
    req.connect(&rep.attach_bind(&place.any_endpoint()).await)
        .await;
    req.send("who?").await;
    within(within(rep.recv()).await.unwrap().reply("we"))
        .await
        .unwrap();
    assert_same(&req.recv().await, &"we".into());

    let router = RouterSocket::builder().security(keys.server()).build();
    let mut dealer = python.peer("DEALER").await;
    keys.make_client(&mut dealer).await;
    dealer
        .connect(&router.attach_bind(&place.any_endpoint()).await)
        .await;
    dealer.send(["a", "b"]).await;
    let (name, message) = within(router.recv()).await.unwrap();
    within(router.send_to(&name, message)).await.unwrap();
    assert_same(&dealer.recv().await, &["a", "b"].into());

    let dealer = DealerSocket::builder().security(keys.client()).build();
    let mut router = python.peer("ROUTER").await;
    keys.make_server(&mut router).await;
    dealer.attach_connect(&router.bind(&place.any_endpoint()).await);
    within(dealer.send("a")).await.unwrap();
    let message = router.recv().await;
    router.send(&message).await;
    assert_same(&within(dealer.recv()).await.unwrap(), &"a".into());

    let publisher = PubSocket::builder().security(keys.server()).build();
    let mut sub = python.peer("SUB").await;
    keys.make_client(&mut sub).await;
    sub.subscribe("a").await;
    sub.connect(&publisher.attach_bind(&place.any_endpoint()).await)
        .await;
    within(publisher.wait_for_subscribers("a", 1))
        .await
        .unwrap();
    within(publisher.send(["b", "not"])).await.unwrap();
    within(publisher.send(["a", "this"])).await.unwrap();
    assert_same(&sub.recv().await, &["a", "this"].into());

    let xsub = XSubSocket::builder().security(keys.client()).build();
    let mut xpub = python.peer("XPUB").await;
    keys.make_server(&mut xpub).await;
    xsub.attach_connect(&xpub.bind(&place.any_endpoint()).await);
    xsub.subscribe("a").unwrap();
    assert_same(&xpub.recv().await, &"\u{1}a".into());
    xpub.send(["a", "that"]).await;
    assert_same(&within(xsub.recv()).await.unwrap(), &["a", "that"].into());

    let sub = SubSocket::builder()
        .security(keys.client())
        .subscribe("a")
        .build();
    let mut publisher = python.peer("XPUB").await;
    keys.make_server(&mut publisher).await;
    sub.attach_connect(&publisher.bind(&place.any_endpoint()).await);
    assert_same(&publisher.recv().await, &"\u{1}a".into());
    publisher.send("abc").await;
    assert_same(&within(sub.recv()).await.unwrap(), &"abc".into());

    let xpub = XPubSocket::builder().security(keys.server()).build();
    let mut xsub = python.peer("XSUB").await;
    keys.make_client(&mut xsub).await;
    xsub.connect(&xpub.attach_bind(&place.any_endpoint()).await)
        .await;
    xsub.send("\u{1}a").await;
    let request = within(xpub.recv()).await.unwrap();
    assert!(matches!(request, SubscriberMessage::Subscribe(_)));
    within(xpub.send("abc")).await.unwrap();
    assert_same(&xsub.recv().await, &"abc".into());

    let pair = PairSocket::builder().security(keys.server()).build();
    let mut other = python.peer("PAIR").await;
    keys.make_client(&mut other).await;
    // PINGs travel encrypted, too.
    other.set("HEARTBEAT_IVL", "20").await;
    other
        .connect(&pair.attach_bind(&place.any_endpoint()).await)
        .await;
    within(pair.send("ours")).await.unwrap();
    assert_same(&other.recv().await, &"ours".into());
    other.send("theirs").await;
    assert_same(&within(pair.recv()).await.unwrap(), &"theirs".into());
}

async fn certificates_of_both_are_known_to_each_other(place: Place) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();
    let folder = crate::support::folder();
    let saved = Certificate::of(&keys.client).save(folder.path(), "client");
    let (_, secret) = saved.unwrap();
    let loaded = Certificate::load(secret.unwrap()).unwrap().keys().unwrap();

    let mut pull = python.peer("PULL").await;
    keys.make_server(&mut pull).await;
    let rule = format!("curve * {}", folder.path().display());
    pull.authenticate(&rule).await;
    let security = Security::Curve {
        server: *keys.server.public(),
        keys: loaded,
    };
    let push = PushSocket::builder().security(security).build();
    push.attach_connect(&pull.bind(&place.any_endpoint()).await);
    within(push.send("known")).await.unwrap();
    assert_same(&pull.recv().await, &"known".into());

    let theirs = crate::support::folder();
    let made = theirs.path().to_str().unwrap();
    let mut push = python.peer("PUSH").await;
    push.make_certificate(made, "theirs").await;
    let own = theirs.path().join("theirs.key_secret");
    let client = Certificate::load(own).unwrap().keys().unwrap();
    let keys = Keys {
        client,
        ..Keys::new()
    };
    keys.make_client(&mut push).await;
    let access = Access::by(ClientKeys::load(theirs.path()).unwrap());
    let server = keys.server.clone();
    let security = Security::CurveServer {
        keys: server,
        access,
    };
    let pull = PullSocket::builder().security(security).build();
    push.connect(&pull.attach_bind(&place.any_endpoint()).await)
        .await;
    push.send("known").await;
    assert_same(&within(pull.recv()).await.unwrap(), &"known".into());
}

/// Why the next handshake fails.
async fn failure(events: &mut Events) -> DisconnectReason {
    loop {
        let event = within(events.next()).await.expect("the socket lives");
        if let Event::HandshakeFailed { reason, .. } = event {
            return reason;
        }
    }
}

const fn is_denied(reason: &DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Fault(PeerFault::Denied { status: 400, .. })
    )
}

async fn a_client_that_pyzmq_refuses_gives_up(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut pull = python.peer("PULL").await;
    pull.set("PLAIN_SERVER", "1").await;
    pull.authenticate("plain * ada lovelace").await;
    let endpoint = pull.bind(&place.any_endpoint()).await;
    let login = Login::new("ada", "byron").unwrap();
    let push = PushSocket::builder()
        .security(Security::Plain { login })
        .build();
    let mut events = push.events();
    push.attach_connect(&endpoint);
    let reason = failure(&mut events).await;
    assert!(is_denied(&reason), "{reason:?}");
    pull.wait_handshake_failed("AUTH").await;

    let keys = Keys::new();
    let known = crate::support::folder();
    let mut pull = python.peer("PULL").await;
    keys.make_server(&mut pull).await;
    let rule = format!("curve * {}", known.path().display());
    pull.authenticate(&rule).await;
    let push = PushSocket::builder().security(keys.client()).build();
    let mut curve_events = push.events();
    push.attach_connect(&pull.bind(&place.any_endpoint()).await);
    let reason = failure(&mut curve_events).await;
    assert!(is_denied(&reason), "{reason:?}");

    // Neither is dialled again: what follows is the end of the socket.
    drop(push);
    while let Some(event) = within(curve_events.next()).await {
        assert!(
            !matches!(event, Event::Connecting { .. } | Event::Redialing { .. }),
            "{event:?}"
        );
    }
}

async fn a_pyzmq_client_that_is_refused_gives_up(place: Place) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();
    let nobody = Security::CurveServer {
        keys: keys.server.clone(),
        access: Access::by(ClientKeys::default()),
    };
    let pull = PullSocket::builder().security(nobody).build();
    let mut events = pull.events();
    let mut push = python.peer("PUSH").await;
    keys.make_client(&mut push).await;
    push.connect(&pull.attach_bind(&place.any_endpoint()).await)
        .await;
    let DisconnectReason::Denied(denial) = failure(&mut events).await else {
        panic!("not by the authenticator");
    };
    assert_eq!(denial.status(), 400);
    assert!(
        denial
            .to_string()
            .contains(&keys.client.public().to_string())
    );
    push.wait_handshake_failed("AUTH").await;

    let access = Access::by(Passwords::new().with("ada", "lovelace"));
    let pull = PullSocket::builder()
        .security(Security::PlainServer { access })
        .build();
    let mut events = pull.events();
    let mut push = python.peer("PUSH").await;
    push.set("PLAIN_USERNAME", "ada").await;
    push.set("PLAIN_PASSWORD", "byron").await;
    push.connect(&pull.attach_bind(&place.any_endpoint()).await)
        .await;
    let reason = failure(&mut events).await;
    assert!(matches!(reason, DisconnectReason::Denied(_)), "{reason:?}");
    assert!(!reason.to_string().contains("byron"));
    // A client of libzmq looks for an ERROR that is misspelt as its own server's is.
    push.wait_handshake_failed("PROTOCOL").await;
}

async fn a_wrong_server_key_is_told_to_the_server_only(place: Place) {
    let Some(python) = Python::find() else { return };
    let (keys, others) = (Keys::new(), Keys::new());
    let pull = PullSocket::builder().security(keys.server()).build();
    let mut events = pull.events();
    let mut push = python.peer("PUSH").await;
    others.make_client(&mut push).await;
    push.connect(&pull.attach_bind(&place.any_endpoint()).await)
        .await;
    let reason = failure(&mut events).await;
    assert!(
        matches!(
            &reason,
            DisconnectReason::Fault(PeerFault::Security(SecurityFault::Box {
                command: "HELLO",
                ..
            }))
        ),
        "{reason:?}"
    );

    let mut pull = python.peer("PULL").await;
    keys.make_server(&mut pull).await;
    let push = PushSocket::builder().security(others.client()).build();
    let mut events = push.events();
    push.attach_connect(&pull.bind(&place.any_endpoint()).await);
    let reason = failure(&mut events).await;
    assert!(
        matches!(
            reason,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        ),
        "{reason:?}"
    );
    pull.wait_handshake_failed("PROTOCOL").await;
}

async fn other_mechanisms_are_refused(place: Place) {
    let Some(python) = Python::find() else { return };
    let keys = Keys::new();
    let pull = PullSocket::builder().security(keys.server()).build();
    let mut events = pull.events();
    let endpoint = pull.attach_bind(&place.any_endpoint()).await;
    let mut null = python.peer("PUSH").await;
    null.connect(&endpoint).await;
    // Whoever of the two reads the other's greeting first closes.
    let reason = failure(&mut events).await;
    assert!(is_mismatch(&reason), "{reason:?}");

    let null = PullSocket::new();
    let mut events = null.events();
    let endpoint = null.attach_bind(&place.any_endpoint()).await;
    let mut push = python.peer("PUSH").await;
    keys.make_client(&mut push).await;
    push.connect(&endpoint).await;
    let reason = failure(&mut events).await;
    assert!(is_mismatch(&reason), "{reason:?}");
}

const fn is_mismatch(reason: &DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::Mechanism { .. }))
            | DisconnectReason::PeerClosed
            | DisconnectReason::Io(_)
    )
}
