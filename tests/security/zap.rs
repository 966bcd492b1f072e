//! Handlers of ZAP: only those that answer, and by the letter, let anybody in.

use std::time::Duration;

use wirelark::{Context, Identity, Message, RepSocket, ReqSocket, RouterSocket, SocketType, Zap};

use super::*;

/// Who is asked by the sockets of this context.
async fn handler(context: &Context) -> RepSocket {
    let handler = RepSocket::builder().context(context).build();
    soon(handler.bind("inproc://zeromq.zap.01")).await.unwrap();
    handler
}

#[tokio::test]
async fn handlers_of_zap_decide_by_the_letter() {
    type Reply = &'static [&'static str];
    let good: Reply = &["1.0", "1", "200", "", "ada", ""];
    let cases: [(Reply, Option<u16>); 12] = [
        (good, None),
        (&["1.0", "1", "400", "no", "", ""], Some(400)),
        (&["1.0", "1", "300", "no", "", ""], Some(300)),
        (&["1.0", "1", "500", "no", "", ""], Some(500)),
        (&["1.0", "1", "200", "", "ada"], Some(300)),
        (&["1.0", "1", "200", "", "ada", "", ""], Some(300)),
        (&["1.0", "1", "invalid", "", "ada", ""], Some(300)),
        (&["1.0", "1", "2000", "", "ada", ""], Some(300)),
        (&[""], Some(300)),
        (&["1.0", "2", "200", "", "ada", ""], Some(300)),
        (&["2.0", "1", "200", "", "ada", ""], Some(300)),
        (&["1.0", "1", "200", "", "ada", "garbage"], Some(300)),
    ];
    for (reply, status) in cases {
        for Mechanism {
            name,
            client,
            server,
            keys,
        } in mechanisms()
        {
            let context = Context::new();
            let handler = handler(&context).await;
            let asked = tokio::spawn(async move {
                let request = soon(handler.recv()).await.unwrap();
                let frames: Vec<Vec<u8>> = request.frames().map(<[u8]>::to_vec).collect();
                request.reply(reply.to_vec()).await.unwrap();
                frames
            });
            let access = Access::by(Zap::of(&context)).domain("cave");
            let meeting = meet(server(access, &keys), client).await;
            match status {
                None => meeting.succeeds(Some("ada")).await,
                Some(status) => {
                    let (own, _) = meeting.fails().await;
                    let DisconnectReason::Denied(denial) = own else {
                        panic!("{own:?}");
                    };
                    assert_eq!(denial.status(), status, "{name} {reply:?}");
                }
            }
            let asked = asked.await.unwrap();
            let head: [&[u8]; 6] = [b"1.0", b"1", b"cave", b"127.0.0.1", b"", name.as_bytes()];
            assert_eq!(asked[..6], head);
            let credentials = match name {
                "PLAIN" => vec![b"ada".to_vec(), PASSWORD.as_bytes().to_vec()],
                "CURVE" => vec![asked[6].clone()],
                _ => vec![],
            };
            assert_eq!(asked[6..], credentials);
        }
    }
}

#[tokio::test]
async fn without_a_handler_of_zap_nobody_gets_in() {
    for Mechanism {
        client,
        server,
        keys,
        ..
    } in mechanisms()
    {
        let context = Context::new();
        let zap = || Access::by(Zap::of(&context)).deadline(Duration::from_millis(20));
        let (own, _) = meet(server(zap(), &keys), client.clone())
            .await
            .fails()
            .await;
        assert!(matches!(own, DisconnectReason::Denied(_)), "{own:?}");
        // Nor with one that dies over the question.
        let handler = handler(&context).await;
        let dying = tokio::spawn(async move {
            drop(soon(handler.recv()).await.unwrap());
            soon(handler.close()).await;
        });
        let (own, _) = meet(server(zap(), &keys), client).await.fails().await;
        assert!(matches!(own, DisconnectReason::Denied(_)), "{own:?}");
        dying.await.unwrap();
    }
}

/// A ROUTER, which may answer when and as often as it likes.
struct Handler {
    router: RouterSocket,
}

impl Handler {
    /// A meeting about which it is asked, and has so long to answer.
    async fn is_asked(deadline: Duration) -> (Self, Meeting) {
        let context = Context::new();
        let router = RouterSocket::builder().context(&context).build();
        soon(router.bind("inproc://zeromq.zap.01")).await.unwrap();
        let access = Access::by(Zap::of(&context)).deadline(deadline);
        let [_, plain, _] = mechanisms();
        let meeting = meet(Security::PlainServer { access }, plain.client).await;
        (Self { router }, meeting)
    }

    async fn asked(&self) -> Identity {
        soon(self.router.recv()).await.unwrap().0
    }

    /// The one who asked may have given up.
    fn answers(&self, to: &Identity, status: &str) {
        let reply = ["", "1.0", "1", status, "", "mallory", ""];
        let _ = self.router.try_send_to(to, Message::from(reply));
    }
}

async fn denial(events: &mut Events) -> u16 {
    match failure(events).await {
        DisconnectReason::Denied(denial) => denial.status(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_late_answer_is_good_for_nobody() {
    let (handler, mut meeting) = Handler::is_asked(Duration::from_millis(20)).await;
    let mut late = handler.asked().await;
    // It comes again, and what was meant for the time before arrives first.
    while denial(&mut meeting.pulled).await == 300 {
        let again = handler.asked().await;
        handler.answers(&late, "200");
        handler.answers(&again, "400");
        late = again;
    }
    assert!(meeting.pull.peers().is_empty());
}

#[tokio::test]
async fn the_first_answer_counts() {
    let (handler, mut meeting) = Handler::is_asked(Duration::from_secs(60)).await;
    let asked = handler.asked().await;
    handler.answers(&asked, "400");
    handler.answers(&asked, "200");
    assert_eq!(denial(&mut meeting.pulled).await, 400);
    assert!(meeting.pull.peers().is_empty());
}

#[tokio::test]
async fn an_answer_without_an_envelope_is_none() {
    let (handler, mut meeting) = Handler::is_asked(Duration::from_secs(60)).await;
    let asked = handler.asked().await;
    let reply = ["1.0", "1", "200", "", "mallory", ""];
    handler
        .router
        .try_send_to(&asked, Message::from(reply))
        .unwrap();
    assert_eq!(denial(&mut meeting.pulled).await, 300);
}

#[tokio::test]
async fn a_handler_that_says_nothing_lets_nobody_in() {
    // It reads, or does not even do that.
    for reads in [true, false] {
        let (handler, mut meeting) = Handler::is_asked(Duration::from_millis(20)).await;
        if reads {
            handler.asked().await;
        }
        assert_eq!(denial(&mut meeting.pulled).await, 300);
        assert!(meeting.pull.peers().is_empty());
    }
}

/// It is told who asks, and what it says of a peer comes with what that peer sends, however long the name is
/// that the peer gives itself.
#[tokio::test]
async fn what_a_handler_says_comes_with_every_message() {
    let own = Identity::new("desk").unwrap();
    let longest = Identity::new(vec![b'i'; 255]).unwrap();
    for Mechanism {
        client,
        server,
        keys,
        ..
    } in mechanisms()
    {
        let context = Context::new();
        let handler = handler(&context).await;
        let asked = tokio::spawn(async move {
            let request = soon(handler.recv()).await.unwrap();
            let who = request.message().frame(4).unwrap().to_vec();
            let metadata = "\x05Hello\0\0\0\x05World";
            let reply = ["1.0", "1", "200", "OK", "ada", metadata];
            request.reply(reply).await.unwrap();
            who
        });
        let access = Access::by(Zap::of(&context)).domain("cave");
        let router = RouterSocket::builder().identity(own.clone());
        let router = router.security(server(access, &keys)).build();
        let endpoint = soon(router.bind("tcp://127.0.0.1:*")).await.unwrap();
        let req = ReqSocket::builder().identity(longest.clone());
        let req = req.security(client).build();
        req.connect(&endpoint).unwrap();
        soon(req.send("hello")).await.unwrap();
        let (peer, message) = soon(router.recv_from()).await.unwrap();
        assert_eq!(message, Message::from(["", "hello"]));
        assert_eq!(asked.await.unwrap(), b"desk");
        let user = peer.user().unwrap();
        assert_eq!(user.id(), "ada");
        assert_eq!(user.property("Hello"), Some(&b"World"[..]));
        assert_eq!(user.property("No Such"), None);
        assert_eq!(peer.known_as(), Some(&longest));
        assert_eq!(peer.socket_type(), SocketType::Req);
        assert!(peer.address().to_string().starts_with("tcp://127.0.0.1:"));
    }
}
