//! REQ: one question at a time, and only its own answer.

use futures::FutureExt;
use futures::future::join_all;
use tokio::net::TcpListener;
use wirelark::{
    DisconnectReason, LockStepRecvError, LockStepSendError, LockStepTryRecvError,
    LockStepTrySendError, Message, PeerFault, ProtocolError, RepSocket, ReqSocket, RequestError,
    RouterSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until};
use crate::router::name;
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    clones_ask_in_parallel,
    servers_are_asked_in_turn,
    servers_that_connected_are_asked_in_turn,
    lock_step,
    out_of_turn,
    a_request_waits_for_its_server,
    an_abandoned_request_does_not_spoil_the_next,
    an_abandoned_request_that_was_not_sent,
    a_server_that_closes_loses_the_request,
    only_the_server_that_was_asked_is_heard,
    without_a_server_nothing_is_asked,
);

/// Answers every request with `prefix` and its own text.
fn echo(rep: &RepSocket, prefix: &'static str) {
    let rep = rep.clone();
    tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            let answer = format!("{prefix}{}", request.text());
            request.reply(answer).await.ok();
        }
    });
}

async fn clones_ask_in_parallel(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    echo(&rep, "re: ");
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let tasks = (0..20).map(|task| {
        let req = req.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                let question = format!("{task}/{number}");
                let reply = req.request(question.as_str()).await.unwrap();
                assert_eq!(reply.text(), format!("re: {question}"));
            }
        })
    });
    for task in soon(join_all(tasks)).await {
        task.unwrap();
    }
}

async fn servers_are_asked_in_turn(transport: Transport) {
    let req = ReqSocket::new();
    let mut servers = Vec::new();
    for prefix in ["a", "b", "c"] {
        let rep = RepSocket::new();
        let endpoint = rep.bind(transport.anywhere()).await.unwrap();
        req.connect(&endpoint).unwrap();
        echo(&rep, prefix);
        servers.push(rep);
    }
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(soon(req.request("")).await.unwrap().text().into_owned());
    }
    assert_eq!(answers, ["a", "b", "c", "a", "b", "c"]);
}

async fn servers_that_connected_are_asked_in_turn(transport: Transport) {
    let req = ReqSocket::new();
    let endpoint = req.bind(transport.anywhere()).await.unwrap();
    let mut servers = Vec::new();
    for prefix in ["a", "b", "c", "d", "e"] {
        let rep = RepSocket::new();
        rep.connect(&endpoint).unwrap();
        echo(&rep, prefix);
        servers.push(rep);
    }
    until(|| req.peers().len() == 5).await;
    let round = async || {
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(soon(req.request("")).await.unwrap().text().into_owned());
        }
        answers
    };
    let first = round().await;
    for _ in 0..3 {
        assert_eq!(round().await, first);
    }
    let mut everybody = first;
    everybody.sort();
    assert_eq!(everybody, ["a", "b", "c", "d", "e"]);
}

/// The others are ready to answer as well, and do, before it does.
async fn only_the_server_that_was_asked_is_heard(transport: Transport) {
    let asker = name("asker");
    let req = ReqSocket::builder().identity(asker.clone()).build();
    let endpoint = req.bind(transport.anywhere()).await.unwrap();
    let mut servers = Vec::new();
    for number in 1..=3 {
        let router = RouterSocket::new();
        router.connect(&endpoint).unwrap();
        // So that their turns come in this order.
        until(|| req.peers().len() == number && router.peers().len() == 1).await;
        servers.push(router);
    }
    for (turn, asked) in servers.iter().enumerate() {
        soon(req.send(["who", "are you?"])).await.unwrap();
        let (from, question) = soon(asked.recv()).await.unwrap();
        assert_eq!(from, asker);
        assert_eq!(question, Message::from(["", "who", "are you?"]));
        let before = req.stats().received.messages;
        for (_, other) in servers.iter().enumerate().filter(|(at, _)| *at != turn) {
            soon(other.send_to(&asker, ["", "wrong"])).await.unwrap();
        }
        until(|| req.stats().received.messages == before + 2).await;
        assert_matches!(req.try_recv(), Err(LockStepTryRecvError::Empty));
        soon(asked.send_to(&asker, ["", "right", &turn.to_string()]))
            .await
            .unwrap();
        let answer = soon(req.recv()).await.unwrap();
        assert_eq!(answer, Message::from(["right", &turn.to_string()]));
    }
}

/// It is not connected to anybody who might come.
async fn without_a_server_nothing_is_asked(transport: Transport) {
    let req = ReqSocket::new();
    let endpoint = req.bind(transport.anywhere()).await.unwrap();
    match req.try_send("now") {
        Err(LockStepTrySendError::Full(message)) => assert_eq!(message.text(), "now"),
        other => panic!("{other:?}"),
    }
    let mut asking = Box::pin(req.send("patiently"));
    assert!((&mut asking).now_or_never().is_none());
    let rep = RepSocket::new();
    rep.connect(&endpoint).unwrap();
    soon(asking).await.unwrap();
    assert_eq!(soon(rep.recv()).await.unwrap().text(), "patiently");
}

async fn lock_step(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    for number in 0..10 {
        let question = number.to_string();
        soon(req.send(question.as_str())).await.unwrap();
        assert_eq!(soon(rep.recv()).await.unwrap().text(), question);
        rep.send(["answer", &question]).await.unwrap();
        assert_eq!(
            soon(req.recv()).await.unwrap().frame(1),
            Some(question.as_bytes())
        );
    }
}

async fn out_of_turn(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::OutOfTurn));
    match rep.send("unasked").await {
        Err(LockStepSendError::OutOfTurn(message)) => assert_eq!(message.text(), "unasked"),
        other => panic!("{other:?}"),
    }
    soon(req.send("first")).await.unwrap();
    match soon(req.send("second")).await {
        Err(LockStepSendError::OutOfTurn(message)) => assert_eq!(message.text(), "second"),
        other => panic!("{other:?}"),
    }
    match soon(req.request("third")).await {
        Err(RequestError::OutOfTurn(message)) => assert_eq!(message.text(), "third"),
        other => panic!("{other:?}"),
    }
    assert_eq!(soon(rep.recv()).await.unwrap().text(), "first");
    rep.send("answer").await.unwrap();
    assert_matches!(
        rep.send("again").await,
        Err(LockStepSendError::OutOfTurn(_))
    );
    assert_eq!(soon(req.recv()).await.unwrap().text(), "answer");
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::OutOfTurn));
    // Nothing of that did any harm.
    echo(&rep, "");
    assert_eq!(soon(req.request("fourth")).await.unwrap().text(), "fourth");
}

async fn a_request_waits_for_its_server(transport: Transport) {
    let place = transport.somewhere();
    let req = ReqSocket::new();
    req.connect(&place).unwrap();
    let client = tokio::spawn(async move { req.request("early").await });
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    echo(&rep, "");
    let reply = soon(client).await.unwrap().unwrap();
    assert_eq!(reply.text(), "early");
}

/// The server answers the abandoned question as well, and before the next one.
async fn an_abandoned_request_does_not_spoil_the_next(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::builder()
        .reconnect_interval(std::time::Duration::from_millis(10))
        .build();
    req.connect(&endpoint).unwrap();
    for round in 0..5 {
        let slow = {
            let abandoned = req.request("slow");
            tokio::select! {
                reply = abandoned => panic!("{reply:?}"),
                request = rep.recv() => request.unwrap(),
            }
        };
        assert_eq!(slow.text(), "slow");
        let question = format!("quick {round}");
        let answer = async {
            // The late answer goes out, or is refused, before the next question is even read.
            slow.reply("late").await.ok();
            let request = rep.recv().await.unwrap();
            assert_eq!(request.text(), question);
            request.reply("in time").await.unwrap();
        };
        let (reply, ()) = soon(futures::future::join(
            req.request(question.as_str()),
            answer,
        ))
        .await;
        assert_eq!(reply.unwrap().text(), "in time");
    }
}

async fn an_abandoned_request_that_was_not_sent(transport: Transport) {
    let place = transport.somewhere();
    let req = ReqSocket::new();
    req.connect(&place).unwrap();
    for _ in 0..3 {
        let abandoned = req.request("never sent");
        assert!(abandoned.now_or_never().is_none());
    }
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    let answer = async {
        let request = rep.recv().await.unwrap();
        assert_eq!(request.text(), "sent");
        request.reply("answer").await.unwrap();
    };
    let (reply, ()) = soon(futures::future::join(req.request("sent"), answer)).await;
    assert_eq!(reply.unwrap().text(), "answer");
}

async fn a_server_that_closes_loses_the_request(transport: Transport) {
    let place = transport.somewhere();
    let req = ReqSocket::builder()
        .reconnect_interval(std::time::Duration::from_millis(10))
        .build();
    req.connect(&place).unwrap();
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    let death = async {
        drop(rep.recv().await.unwrap());
        rep.close().await
    };
    let (reply, _) = soon(futures::future::join(req.request("deadly"), death)).await;
    match reply {
        Err(RequestError::Lost {
            reason, endpoint, ..
        }) => {
            assert_eq!(endpoint.to_string(), place);
            assert_matches!(
                reason,
                DisconnectReason::PeerClosed | DisconnectReason::Io(_)
            );
        }
        other => panic!("{other:?}"),
    }
    // In lock-step as well, and the next server gets the next question.
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    soon(req.send("deadly, too")).await.unwrap();
    drop(soon(rep.recv()).await.unwrap());
    soon(rep.close()).await;
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::Lost { .. }));
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    echo(&rep, "");
    assert_eq!(
        soon(req.request("harmless")).await.unwrap().text(),
        "harmless"
    );
}

/// A REQ and the raw server that it is connected to.
async fn raw_server() -> (ReqSocket, TcpListener, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let req = ReqSocket::builder()
        .reconnect_interval(std::time::Duration::from_millis(10))
        .reconnect_interval_max(std::time::Duration::from_millis(10))
        .build();
    req.connect(listener.local_addr().unwrap()).unwrap();
    let server = accept(&listener).await;
    (req, listener, server)
}

async fn accept(listener: &TcpListener) -> RawPeer {
    let mut server = RawPeer::accept(listener).await;
    server.greet().await;
    server.ready("REP").await;
    server
}

/// The connection that might bring the late answer is given up with the request.
#[tokio::test]
async fn a_late_answer_on_the_old_connection() {
    let (req, listener, mut server) = raw_server().await;
    tokio::select! {
        reply = req.request("slow") => panic!("{reply:?}"),
        request = server.message() => assert_eq!(request, [&b""[..], b"slow"]),
    }
    // Sent before it can have seen that nobody waits for it any more.
    server.send(frames::message(["", "late"])).await;
    let second = tokio::spawn({
        let req = req.clone();
        async move { req.request("quick").await }
    });
    server.expect_eof().await;
    let mut server = accept(&listener).await;
    assert_eq!(server.message().await, [&b""[..], b"quick"]);
    server.send(frames::message(["", "in", "time"])).await;
    let reply = soon(second).await.unwrap().unwrap();
    assert_eq!(reply, Message::from(["in", "time"]));
}

#[tokio::test]
async fn a_server_that_dies_with_the_request() {
    let (req, listener, mut server) = raw_server().await;
    let port = listener.local_addr().unwrap().port();
    let lost = format!("the reply of tcp://127.0.0.1:{port} will not come: ");
    for round in 0..4 {
        let client = tokio::spawn({
            let req = req.clone();
            async move { req.request("deadly").await }
        });
        assert_eq!(server.message().await, [&b""[..], b"deadly"]);
        // Half an answer is none.
        if round >= 2 {
            server.send(frames::more("")).await;
        }
        if round % 2 == 0 {
            server.reset();
        } else {
            drop(server);
        }
        match soon(client).await.unwrap() {
            Err(error @ RequestError::Lost { .. }) => {
                assert!(error.to_string().starts_with(&lost), "{error}");
            }
            other => panic!("{other:?}"),
        }
        // Nothing is sent twice: the next connection brings no request.
        server = accept(&listener).await;
    }
    let client = tokio::spawn(async move { req.request("harmless").await });
    assert_eq!(server.message().await, [&b""[..], b"harmless"]);
    server.send(frames::message(["", "fine"])).await;
    assert_eq!(soon(client).await.unwrap().unwrap().text(), "fine");
}

/// A request of which no byte was written is not lost with a connection.
#[tokio::test]
async fn a_connection_that_dies_in_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let req = ReqSocket::builder()
        .reconnect_interval(std::time::Duration::from_millis(10))
        .build();
    req.connect(listener.local_addr().unwrap()).unwrap();
    let client = tokio::spawn(async move { req.request("kept").await });
    drop(RawPeer::accept(&listener).await);
    let mut half = RawPeer::accept(&listener).await;
    half.greet().await;
    half.reset();
    let mut server = accept(&listener).await;
    assert_eq!(server.message().await, [&b""[..], b"kept"]);
    server.send(frames::message(["", "fine"])).await;
    assert_eq!(soon(client).await.unwrap().unwrap().text(), "fine");
}

#[tokio::test]
async fn a_reply_without_a_delimiter() {
    let (req, _listener, mut server) = raw_server().await;
    let client = tokio::spawn(async move { req.request("question").await });
    server.message().await;
    server.send(frames::last("answer")).await;
    match soon(client).await.unwrap() {
        Err(RequestError::Lost { reason, .. }) => assert_matches!(
            reason,
            DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::Envelope))
        ),
        other => panic!("{other:?}"),
    }
    server.expect_eof().await;
}

/// What a server says without having been asked is not an answer, from whomever it comes.
#[tokio::test]
async fn answers_that_nobody_asked_for() {
    let (req, _listener, mut asked) = raw_server().await;
    let other_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    req.connect(other_listener.local_addr().unwrap()).unwrap();
    let mut other = accept(&other_listener).await;
    until(|| req.peers().len() == 2).await;
    asked.send(frames::message(["", "too early"])).await;
    other.send(frames::message(["", "too early"])).await;
    until(|| req.stats().received.messages == 2).await;
    let client = tokio::spawn({
        let req = req.clone();
        async move { req.request("question").await }
    });
    asked.message().await;
    other.send(frames::message(["", "not asked"])).await;
    until(|| req.stats().received.messages == 3).await;
    asked.send(frames::message(["", "answer"])).await;
    assert_eq!(soon(client).await.unwrap().unwrap().text(), "answer");
}
