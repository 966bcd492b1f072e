//! REQ that numbers its requests, and REQ that need not wait for a reply: libzmq's
//! `ZMQ_REQ_CORRELATE` and `ZMQ_REQ_RELAXED`.

use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpListener;
use wirelark::{
    DisconnectReason, Event, LockStepRecvError, LockStepSendError, Message, PeerFault,
    ProtocolError, RepSocket, ReqSocket, RequestError, RouterSocket, SocketBuilder,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    many_requests_at_once,
    a_server_that_leaves_fails_its_own_requests,
    an_abandoned_request_costs_no_connection,
    an_abandoned_request_that_was_not_written_is_not_sent,
    lock_step_beside_requests,
    lock_step_alone_stays_strict,
    relaxed_and_correlated,
    what_piles_up_is_sent,
    relaxed_alone_gives_the_connection_up,
    the_last_words_of_a_server,
    a_number_that_was_not_asked_for,
);

fn correlated() -> SocketBuilder<ReqSocket> {
    ReqSocket::builder()
        .correlate(true)
        .reconnect_interval(Duration::from_millis(10))
}

/// Asks in a task of its own.
fn asking(
    req: &ReqSocket,
    question: &str,
) -> tokio::task::JoinHandle<Result<Message, RequestError>> {
    let (req, question) = (req.clone(), question.to_owned());
    tokio::spawn(async move { req.request(question).await })
}

async fn many_requests_at_once(transport: Transport) {
    const AT_ONCE: usize = 100;
    let rep = RepSocket::new();
    let req = correlated().build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    for _ in 0..3 {
        let mut questions = Vec::new();
        for number in 0..AT_ONCE {
            questions.push(asking(&req, &number.to_string()));
        }
        let mut requests = Vec::new();
        while requests.len() < AT_ONCE {
            requests.push(soon(rep.recv()).await.unwrap());
        }
        // All of them are there before the first is answered, and that is the last to be asked.
        for request in requests.into_iter().rev() {
            let answer = format!("re: {}", request.text());
            request.reply(answer).await.unwrap();
        }
        for (number, reply) in soon(join_all(questions)).await.into_iter().enumerate() {
            assert_eq!(reply.unwrap().unwrap().text(), format!("re: {number}"));
        }
    }
    assert_eq!(req.stats().dropped, 0);
}

async fn a_server_that_leaves_fails_its_own_requests(transport: Transport) {
    let req = correlated().build();
    let (leaves, stays) = (RepSocket::new(), RepSocket::new());
    let places = [transport.somewhere(), transport.somewhere()];
    for (rep, place) in [&leaves, &stays].into_iter().zip(&places) {
        rep.bind(place).await.unwrap();
        req.connect(place).unwrap();
    }
    until(|| req.peers().len() == 2).await;
    let mut questions = Vec::new();
    for number in 0..6 {
        questions.push(asking(&req, &number.to_string()));
    }
    let (mut lost, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        lost.push(soon(leaves.recv()).await.unwrap().text().into_owned());
        kept.push(soon(stays.recv()).await.unwrap());
    }
    soon(leaves.close()).await;
    for request in kept {
        let text = request.text().into_owned();
        request.reply(text).await.unwrap();
    }
    for (number, question) in questions.into_iter().enumerate() {
        let text = number.to_string();
        match soon(question).await.unwrap() {
            Err(RequestError::Lost { endpoint, .. }) if lost.contains(&text) => {
                assert_eq!(endpoint.to_string(), places[0]);
            }
            Ok(reply) if !lost.contains(&text) => assert_eq!(reply.text(), text),
            other => panic!("{other:?} to {text}"),
        }
    }
}

async fn an_abandoned_request_costs_no_connection(transport: Transport) {
    let rep = RepSocket::new();
    let req = correlated().build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let patient = asking(&req, "patient");
    let waiting = soon(rep.recv()).await.unwrap();
    for round in 0..5 {
        let slow = tokio::select! {
            reply = req.request("slow") => panic!("{reply:?}"),
            request = rep.recv() => request.unwrap(),
        };
        slow.reply("late").await.unwrap();
        let question = format!("quick {round}");
        let quick = asking(&req, &question);
        let request = soon(rep.recv()).await.unwrap();
        request.reply(question.as_str()).await.unwrap();
        assert_eq!(soon(quick).await.unwrap().unwrap().text(), question);
    }
    waiting.reply("patience").await.unwrap();
    assert_eq!(soon(patient).await.unwrap().unwrap().text(), "patience");
    assert_eq!(req.stats().connections, 1);
    assert_eq!(req.stats().dropped, 5, "the late replies");
}

async fn an_abandoned_request_that_was_not_written_is_not_sent(transport: Transport) {
    let place = transport.somewhere();
    let req = correlated().build();
    req.connect(&place).unwrap();
    let kept = req.request("first");
    let mut kept = std::pin::pin!(kept);
    assert!(futures::FutureExt::now_or_never(kept.as_mut()).is_none());
    for _ in 0..3 {
        let abandoned = req.request("never sent");
        assert!(futures::FutureExt::now_or_never(abandoned).is_none());
    }
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    let last = asking(&req, "last");
    for text in ["first", "last"] {
        let request = tokio::select! {
            request = soon(rep.recv()) => request.unwrap(),
            reply = kept.as_mut(), if text == "first" => panic!("{reply:?}"),
        };
        assert_eq!(request.text(), text);
        request.reply(text).await.unwrap();
    }
    assert_eq!(soon(kept).await.unwrap().text(), "first");
    assert_eq!(soon(last).await.unwrap().unwrap().text(), "last");
}

async fn lock_step_beside_requests(transport: Transport) {
    let rep = RepSocket::new();
    let req = correlated().build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    soon(req.send("halves")).await.unwrap();
    let halves = soon(rep.recv()).await.unwrap();
    let whole = asking(&req, "whole");
    let request = soon(rep.recv()).await.unwrap();
    // The other one's reply comes first, and is found by whoever waits.
    halves.reply("to recv").await.unwrap();
    request.reply("to request").await.unwrap();
    assert_eq!(soon(whole).await.unwrap().unwrap().text(), "to request");
    assert_eq!(soon(req.recv()).await.unwrap().text(), "to recv");
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::OutOfTurn));
}

async fn lock_step_alone_stays_strict(transport: Transport) {
    let rep = RepSocket::new();
    let req = correlated().build();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    soon(req.send("first")).await.unwrap();
    assert_matches!(
        soon(req.send("second")).await,
        Err(LockStepSendError::OutOfTurn(_))
    );
    soon(rep.recv()).await.unwrap().reply("fine").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap().text(), "fine");
}

async fn receive(rep: &RepSocket, expected: [&str; 2]) {
    let request = soon(rep.recv()).await.unwrap();
    assert_eq!(request.message(), &Message::from(expected));
}

async fn ask_in_lock_step(req: &ReqSocket, rep: &RepSocket, question: [&str; 2]) {
    soon(req.send(question)).await.unwrap();
    receive(rep, question).await;
}

/// libzmq's test of the two options together: requests go round all servers, whatever has become
/// of the ones before, and only the reply to the last is received.
async fn relaxed_and_correlated(transport: Transport) {
    let req = correlated().relaxed(true).build();
    let mut events = req.events();
    let endpoint = req.bind(transport.anywhere()).await.unwrap();
    let mut servers = Vec::new();
    for _ in 0..5 {
        let rep = RepSocket::new();
        rep.connect(&endpoint).unwrap();
        // From then on it has its place in the round.
        wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
        servers.push(rep);
    }
    // A second send before a reply to the first has come.
    ask_in_lock_step(&req, &servers[0], ["A", "B"]).await;
    ask_in_lock_step(&req, &servers[1], ["C", "D"]).await;
    let before = req.stats().received.messages;
    servers[0].send("WRONG").await.unwrap();
    until(|| req.stats().received.messages > before).await;
    servers[1].send("OK").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap().text(), "OK");
    ask_in_lock_step(&req, &servers[2], ["E", ""]).await;
    servers[2].send(["F", "G"]).await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap(), Message::from(["F", "G"]));

    // A second send when the reply to the first has come.
    until(|| req.stats().received.messages == 3).await;
    ask_in_lock_step(&req, &servers[3], ["H", ""]).await;
    servers[3].send("BAD").await.unwrap();
    until(|| req.stats().received.messages == 4).await;
    ask_in_lock_step(&req, &servers[4], ["I", ""]).await;
    servers[4].send("GOOD").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap().text(), "GOOD");

    // No connection has been given up meanwhile.
    ask_in_lock_step(&req, &servers[0], ["J", ""]).await;
    assert_eq!(req.stats().connections, 5);
    assert_eq!(req.stats().dropped, 2);
}

/// As in libzmq, what was sent before there is a server is sent, although nobody waits for it.
async fn what_piles_up_is_sent(transport: Transport) {
    let place = transport.somewhere();
    let req = correlated().relaxed(true).build();
    req.connect(&place).unwrap();
    soon(req.send("discarded")).await.unwrap();
    soon(req.send("answered")).await.unwrap();
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    for _ in 0..2 {
        let request = soon(rep.recv()).await.unwrap();
        let echo = request.message().clone();
        request.reply(echo).await.unwrap();
    }
    assert_eq!(soon(req.recv()).await.unwrap().text(), "answered");
    assert_matches!(soon(req.recv()).await, Err(LockStepRecvError::OutOfTurn));
}

/// Without numbers nothing else tells the late reply from the one that is waited for.
async fn relaxed_alone_gives_the_connection_up(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::builder()
        .relaxed(true)
        .reconnect_interval(Duration::from_millis(10))
        .build();
    let mut events = req.events();
    req.connect(&endpoint).unwrap();
    soon(req.send("first")).await.unwrap();
    let first = soon(rep.recv()).await.unwrap();
    let waiter = tokio::spawn({
        let req = req.clone();
        async move { req.recv().await }
    });
    soon(req.send("second")).await.unwrap();
    // Whoever waited for the first answer is out of turn, unless it came late and waits for the
    // second.
    wait_for(&mut events, |event| {
        matches!(
            event,
            Event::Disconnected {
                reason: DisconnectReason::Reset,
                ..
            }
        )
    })
    .await;
    first.reply("late").await.ok();
    let second = soon(rep.recv()).await.unwrap();
    assert_eq!(second.text(), "second");
    second.reply("in time").await.unwrap();
    match soon(waiter).await.unwrap() {
        Ok(reply) => assert_eq!(reply.text(), "in time"),
        Err(LockStepRecvError::OutOfTurn) => {
            assert_eq!(soon(req.recv()).await.unwrap().text(), "in time");
        }
        other => panic!("{other:?}"),
    }
    // Not for what was never written.
    let place = transport.somewhere();
    let req = ReqSocket::builder().relaxed(true).build();
    req.connect(&place).unwrap();
    soon(req.send("never sent")).await.unwrap();
    soon(req.send("sent")).await.unwrap();
    let rep = RepSocket::new();
    rep.bind(&place).await.unwrap();
    let request = soon(rep.recv()).await.unwrap();
    assert_eq!(request.text(), "sent");
    request.reply("fine").await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap().text(), "fine");
}

/// A reply counts, although the server leaves before anybody has looked at it.
async fn the_last_words_of_a_server(transport: Transport) {
    for correlate in [false, true] {
        let rep = RepSocket::new();
        let endpoint = rep.bind(transport.anywhere()).await.unwrap();
        let req = ReqSocket::builder().correlate(correlate).build();
        let mut events = req.events();
        req.connect(&endpoint).unwrap();
        soon(req.send("last question")).await.unwrap();
        let request = soon(rep.recv()).await.unwrap();
        request.reply("last words").await.unwrap();
        soon(rep.close()).await;
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
        assert_eq!(soon(req.recv()).await.unwrap().text(), "last words");
    }
}

/// As a ROUTER sees it: a frame of four bytes before the delimiter, which has to come back as it was.
async fn a_number_that_was_not_asked_for(transport: Transport) {
    let router = RouterSocket::new();
    let req = correlated().build();
    req.connect(router.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    for _ in 0..3 {
        soon(req.send(["ABC", "DEF"])).await.unwrap();
        let (peer, request) = soon(router.recv()).await.unwrap();
        let frames: Vec<&[u8]> = request.frames().collect();
        assert_eq!((frames.len(), frames[0].len()), (4, 4));
        assert_eq!(frames[1..], [&b""[..], b"ABC", b"DEF"]);
        let mut wrong = frames[0].to_vec();
        wrong[0] ^= 1;
        for (number, text) in [(&wrong[..], "wrong"), (frames[0], "right")] {
            let reply = [number, b"", text.as_bytes()];
            soon(router.send_to(&peer, reply.map(<[u8]>::to_vec)))
                .await
                .unwrap();
        }
        assert_eq!(soon(req.recv()).await.unwrap(), "right");
    }
    assert_eq!((req.stats().dropped, req.stats().connections), (3, 1));
}

/// A correlating REQ and the raw server that it is connected to.
async fn raw_server() -> (ReqSocket, TcpListener, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let req = correlated().build();
    req.connect(listener.local_addr().unwrap()).unwrap();
    let mut server = RawPeer::accept(&listener).await;
    server.greet().await;
    server.ready("REP").await;
    (req, listener, server)
}

fn numbered(number: &[u8], text: &str) -> Vec<u8> {
    [frames::more(number), frames::more(""), frames::last(text)].concat()
}

#[tokio::test]
async fn numbers_on_the_wire() {
    let (req, _listener, mut server) = raw_server().await;
    let question = asking(&req, "question");
    let request = server.message().await;
    assert_eq!(request[0].len(), 4);
    assert_eq!(request[1..], [&b""[..], b"question"]);
    let other = asking(&req, "other");
    let second = server.message().await;
    assert_ne!(request[0], second[0]);
    let mut wrong = request[0].clone();
    wrong[0] ^= 0x80;
    // Unknown, without a number, right, and twice.
    server.send(numbered(&wrong, "wrong")).await;
    server.send(frames::message(["", "unnumbered"])).await;
    server.send(numbered(&request[0], "right")).await;
    server.send(numbered(&request[0], "again")).await;
    server.send(numbered(&second[0], "other")).await;
    assert_eq!(soon(question).await.unwrap().unwrap().text(), "right");
    assert_eq!(soon(other).await.unwrap().unwrap().text(), "other");
    assert_eq!(req.stats().dropped, 3);
}

#[tokio::test]
async fn a_reply_from_somebody_else() {
    let (req, _listener, mut asked) = raw_server().await;
    let other_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    req.connect(other_listener.local_addr().unwrap()).unwrap();
    let mut other = RawPeer::accept(&other_listener).await;
    other.greet().await;
    other.ready("REP").await;
    until(|| req.peers().len() == 2).await;
    let question = asking(&req, "question");
    let request = asked.message().await;
    other.send(numbered(&request[0], "forged")).await;
    until(|| req.stats().dropped == 1).await;
    asked.send(numbered(&request[0], "real")).await;
    assert_eq!(soon(question).await.unwrap().unwrap().text(), "real");
}

/// Who breaks the envelope loses its connection and what it was asked; nobody else notices.
#[tokio::test]
async fn a_malformed_reply() {
    for malformed in [
        frames::last("answer"),
        frames::last(""),
        frames::message(["1234", "answer"]),
        frames::message(["1234", ""]),
        frames::message(["12345", "", "answer"]),
    ] {
        let (req, _listener, mut server) = raw_server().await;
        let mut events = req.events();
        let good = RepSocket::new();
        req.connect(good.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        until(|| req.peers().len() == 2).await;
        let questions = [asking(&req, "one"), asking(&req, "two")];
        server.message().await;
        let request = soon(good.recv()).await.unwrap();
        server.send(malformed).await;
        let gone = wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
        match gone {
            Event::Disconnected { reason, .. } => assert_matches!(
                reason,
                DisconnectReason::Fault(PeerFault::Protocol(ProtocolError::Envelope))
            ),
            other => panic!("{other:?}"),
        }
        request.reply("fine").await.unwrap();
        let mut answers = Vec::new();
        for question in questions {
            answers.push(soon(question).await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    }
}
