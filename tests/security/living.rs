//! What security means for sockets that live on: redialling, names, messages that are left over, other
//! transports.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wirelark::{Context, DealerSocket, Heartbeat, Identity, Passwords, RouterSocket};

use super::dropping::{POLLS, drop_after};
use super::kit::{DEADLINE, beats_on, until, wait_for};
use super::*;

#[tokio::test]
async fn a_refused_client_gives_up_and_a_postponed_one_does_not() {
    let refusing = Security::PlainServer {
        access: answers(|_| Verdict::refuse("")),
    };
    let plain = || Security::Plain {
        login: Login::new("ada", PASSWORD).unwrap(),
    };
    let mut meeting = meet(refusing, plain()).await;
    failure(&mut meeting.pushed).await;
    drop(meeting.push);
    while let Some(event) = soon(meeting.pushed.next()).await {
        assert!(!matches!(event, Event::Redialing { .. }), "{event:?}");
    }

    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let access = Access::by(from_fn(move |_| {
        let mut asked = counted.lock().unwrap();
        *asked += 1;
        let verdict = match *asked {
            1 => Verdict::refuse_for_now("busy"),
            _ => Verdict::admit("ada"),
        };
        async { Ok(verdict) }
    }));
    let meeting = meet(Security::PlainServer { access }, plain()).await;
    meeting.succeeds(Some("ada")).await;
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_name_is_handed_over_to_the_same_user_only() {
    let passwords = Passwords::new().with("ada", "a").with("eve", "e");
    let access = Access::by(passwords);
    let builder = RouterSocket::builder().handover(true);
    let router = builder.security(Security::PlainServer { access }).build();
    let mut events = router.events();
    let endpoint = soon(router.bind("tcp://127.0.0.1:*")).await.unwrap();
    let dealer = |user: &str, password: &str| {
        let login = Login::new(user, password).unwrap();
        let name = Identity::new("desk").unwrap();
        let builder = DealerSocket::builder().identity(name);
        let dealer = builder.security(Security::Plain { login }).build();
        dealer.connect(&endpoint).unwrap();
        dealer
    };
    let first = dealer("ada", "a");
    soon(first.send("one")).await.unwrap();
    let (name, _) = soon(router.recv()).await.unwrap();
    let thief = dealer("eve", "e");
    // Of two that took it from each other there would be events without end.
    wait_for(&mut events, |event| {
        matches!(event, Event::HandshakeFailed { reason: DisconnectReason::IdentityTaken { holder, .. }, .. }
            if holder.is_some())
    })
    .await;
    soon(router.send_to(&name, "still ada")).await.unwrap();
    assert_eq!(soon(first.recv()).await.unwrap().text(), "still ada");
    drop(thief);
    let second = dealer("ada", "a");
    soon(second.send("two")).await.unwrap();
    let (_, message) = soon(router.recv()).await.unwrap();
    assert_eq!(message.text(), "two");
    soon(router.send_to(&name, "ada again")).await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap().text(), "ada again");
}

#[tokio::test]
async fn within_a_process_there_is_no_mechanism() {
    let context = Context::new();
    let refusing = Security::PlainServer {
        access: answers(|_| panic!("nobody is to be asked")),
    };
    let pull = PullSocket::builder()
        .context(&context)
        .security(refusing)
        .build();
    soon(pull.bind("inproc://here")).await.unwrap();
    let push = PushSocket::builder().context(&context).build();
    push.connect("inproc://here").unwrap();
    soon(push.send("hello")).await.unwrap();
    let (peer, _) = soon(pull.recv_from()).await.unwrap();
    assert!(peer.user().is_none());
}

#[tokio::test]
async fn what_was_not_sent_goes_to_the_next_connection_encrypted() {
    const MESSAGES: usize = 2_000;
    let keys = KeyPair::generate().unwrap();
    let server = || Security::CurveServer {
        keys: keys.clone(),
        access: Access::anybody(),
    };
    let client = Security::Curve {
        server: *keys.public(),
        keys: KeyPair::generate().unwrap(),
    };
    let push = PushSocket::builder()
        .security(client)
        .send_hwm(MESSAGES)
        .reconnect_interval(Duration::from_millis(1))
        .build();
    let pull = PullSocket::builder()
        .security(server())
        .recv_hwm(10)
        .build();
    let endpoint = soon(pull.bind("tcp://127.0.0.1:*")).await.unwrap();
    push.connect(&endpoint).unwrap();
    let body = vec![7; 20_000];
    for number in 0..MESSAGES / 2 {
        let number = number.to_string().into_bytes();
        soon(push.send([number, body.clone()])).await.unwrap();
    }
    // The first server reads a few, and goes with what it has in its buffers.
    let mut last = 0;
    for _ in 0..20 {
        last = soon(pull.recv())
            .await
            .unwrap()
            .text()
            .parse::<usize>()
            .unwrap();
    }
    soon(pull.close()).await;
    let pull = PullSocket::builder().security(server()).build();
    soon(pull.bind(&endpoint)).await.unwrap();
    for number in MESSAGES / 2..MESSAGES {
        let number = number.to_string().into_bytes();
        soon(push.send([number, body.clone()])).await.unwrap();
    }
    // In order, nothing twice, and from some point on nothing is missing.
    let mut seen = 0;
    loop {
        let message = soon(pull.recv()).await.unwrap();
        let number: usize = message.text().parse().unwrap();
        assert!(number > last, "{number} after {last}");
        assert_eq!(message.frame(1), Some(&body[..]));
        if seen > 0 {
            assert_eq!(number, last + 1);
        }
        (last, seen) = (number, seen + 1);
        if number == MESSAGES - 1 {
            break;
        }
    }
    assert!(seen >= MESSAGES / 2, "{seen}");
}

#[tokio::test]
async fn futures_that_are_dropped_at_any_poll_lose_nothing() {
    for polls in 0..POLLS {
        let [_, _, curve] = mechanisms();
        let server = (curve.server)(Access::anybody(), &curve.keys);
        let Meeting { pull, push, .. } = meet(server, curve.client).await;
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for number in 0..20 {
            let text = number.to_string();
            if drop_after(polls, push.send(text.as_str())).await.is_some() {
                sent.push(text);
            }
            if let Some(message) = drop_after(polls, pull.recv()).await {
                received.push(message.unwrap().text().into_owned());
            }
        }
        soon(push.send("last")).await.unwrap();
        sent.push("last".to_owned());
        while received.last().is_none_or(|text| text != "last") {
            received.push(soon(pull.recv()).await.unwrap().text().into_owned());
        }
        assert_eq!(received, sent, "dropped after {polls} polls");
    }
}

#[tokio::test]
async fn a_question_ends_with_the_socket_that_asks() {
    let (asked, mut asks) = tokio::sync::mpsc::channel::<()>(1);
    for Mechanism {
        client,
        server,
        keys,
        ..
    } in mechanisms()
    {
        let asked = asked.clone();
        let access = Access::by(from_fn(move |_| {
            // Held for as long as the question lives.
            let held = asked.clone();
            async move {
                held.send(()).await.ok();
                std::future::pending::<()>().await;
                drop(held);
                Ok(Verdict::admit_nobody())
            }
        }));
        let access = access.deadline(Duration::from_secs(3600));
        let meeting = meet(server(access, &keys), client).await;
        soon(asks.recv()).await.unwrap();
        assert_eq!(soon(meeting.pull.close()).await.unsent, 0);
    }
    drop(asked);
    assert!(
        soon(asks.recv()).await.is_none(),
        "a question has outlived its socket"
    );
}

#[tokio::test]
async fn strangers_get_a_greeting_and_nothing_else() {
    let [_, _, curve] = mechanisms();
    let server = (curve.server)(Access::anybody(), &curve.keys);
    let Meeting { pull, push, .. } = meet(server, curve.client).await;
    soon(push.send("before")).await.unwrap();
    let (peer, _) = soon(pull.recv_from()).await.unwrap();
    let port = peer.endpoint().port().unwrap();
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xff, 0x7f, 3, 1);
    greeting[12..17].copy_from_slice(b"CURVE");
    let hello = |fill: u8| [&[4, 200][..], b"\x05HELLO\x01\x00", &[0; 72], &[fill; 120]].concat();
    let initiate = [
        &[6, 0, 0, 0, 0, 0, 0, 1, 44][..],
        b"\x08INITIATE",
        &[9; 291],
    ]
    .concat();
    let error = b"\x04\x0a\x05ERROR\x03400".to_vec();
    let huge = vec![6, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    let message = [&[0, 40][..], b"\x07MESSAGE", &[7; 32]].concat();
    let says = [
        hello(0),
        hello(1),
        hello(0xff),
        initiate,
        error,
        huge,
        message,
    ];
    for said in says.iter().cycle().take(140) {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port));
        let mut stream = soon(stream).await.unwrap();
        let bytes = [&greeting[..], said].concat();
        soon(stream.write_all(&bytes)).await.unwrap();
        let mut heard = Vec::new();
        // What it has not read may make the end of it an error.
        let _ = soon(stream.read_to_end(&mut heard)).await;
        assert!(heard.len() <= 64, "{heard:?}");
    }
    soon(push.send("after")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "after");
    assert_eq!(pull.peers().len(), 1);
}

/// PINGs go through whatever the mechanism makes of them, and so do the answers, which is all that comes from
/// the other side.
#[tokio::test]
async fn heartbeats_pass_every_mechanism() {
    let heartbeat = Heartbeat::every(Duration::from_millis(20)).unwrap();
    let heartbeat = heartbeat.with_timeout(2 * DEADLINE);
    for Mechanism {
        client,
        server,
        keys,
        ..
    } in mechanisms()
    {
        let access = answers(|_| Verdict::admit("ada"));
        let asks = PullSocket::builder()
            .security(server(access, &keys))
            .heartbeat(heartbeat.clone())
            .build();
        let mut events = asks.events();
        let endpoint = soon(asks.bind("tcp://127.0.0.1:*")).await.unwrap();
        let answers = PushSocket::builder().security(client).build();
        answers.connect(&endpoint).unwrap();
        until(|| asks.peers().len() == 1 && answers.peers().len() == 1).await;
        let peer = asks.peers().remove(0).peer;
        beats_on(&peer, &mut events).await;
    }
}

/// What a socket says by itself goes the way of messages: encrypted, and counted with them.
#[tokio::test]
async fn a_probe_passes_every_mechanism() {
    for Mechanism {
        name,
        client,
        server,
        keys,
    } in mechanisms()
    {
        let access = answers(|_| Verdict::admit("ada"));
        let builder = RouterSocket::builder().security(server(access, &keys));
        let router = builder.build();
        let endpoint = soon(router.bind("tcp://127.0.0.1:*")).await.unwrap();
        let dealer = DealerSocket::builder().probe(true).security(client).build();
        dealer.connect(&endpoint).unwrap();
        let (known_as, probe) = soon(router.recv()).await.unwrap();
        assert_eq!(probe.text(), "", "{name}");
        soon(dealer.send("hello")).await.unwrap();
        let (_, message) = soon(router.recv()).await.unwrap();
        assert_eq!(message.text(), "hello", "{name}");
        soon(router.send_to(&known_as, "hello")).await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap().text(), "hello", "{name}");
    }
}
