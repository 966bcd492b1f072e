//! REP: every request knows its way home.

use wirelark::{
    DisconnectReason, Event, PeerFault, ProtocolError, RepSocket, ReplyError, ReqSocket,
};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    answers_out_of_order,
    everybody_is_heard,
    answers_from_other_tasks,
    an_answer_to_somebody_who_left,
    an_unanswered_request_holds_up_nobody,
    askers_that_come_and_go,
);

async fn answers_out_of_order(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let clients: Vec<_> = (0..5)
        .map(|number| {
            let req = ReqSocket::new();
            req.connect(&endpoint).unwrap();
            tokio::spawn(async move {
                let reply = req.request(number.to_string()).await.unwrap();
                assert_eq!(reply.text(), format!("re: {number}"));
            })
        })
        .collect();
    let mut requests = Vec::new();
    for _ in 0..5 {
        requests.push(soon(rep.recv()).await.unwrap());
    }
    while let Some(request) = requests.pop() {
        let answer = format!("re: {}", request.text());
        request.reply(answer).await.unwrap();
    }
    for client in clients {
        soon(client).await.unwrap();
    }
}

/// In lock-step, one after the other: whoever has asked has its turn before anybody asks again.
async fn everybody_is_heard(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let clients = names.map(|name| {
        let req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        (name, req)
    });
    for round in 1..=5 {
        for (name, req) in &clients {
            soon(req.send(*name)).await.unwrap();
        }
        until(|| rep.stats().received.messages == 5 * round).await;
        let mut asked = Vec::new();
        for _ in names {
            let name = soon(rep.recv()).await.unwrap().text().into_owned();
            rep.send(["re", &name]).await.unwrap();
            asked.push(name);
        }
        asked.sort();
        assert_eq!(asked, names);
        for (name, req) in &clients {
            let answer = soon(req.recv()).await.unwrap();
            assert_eq!(answer.frame(1), Some(name.as_bytes()));
        }
    }
}

async fn answers_from_other_tasks(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            let (question, reply) = request.into_parts();
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                reply.send(question).await.unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..10)
        .map(|client| {
            let req = ReqSocket::new();
            req.connect(&endpoint).unwrap();
            tokio::spawn(async move {
                for number in 0..50 {
                    let question = format!("{client}/{number}");
                    let reply = req.request(question.as_str()).await.unwrap();
                    assert_eq!(reply.text(), question);
                }
            })
        })
        .collect();
    for client in clients {
        soon(client).await.unwrap();
    }
}

async fn an_answer_to_somebody_who_left(transport: Transport) {
    let rep = RepSocket::new();
    let mut events = rep.events();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    soon(req.send("question")).await.unwrap();
    let request = soon(rep.recv()).await.unwrap();
    soon(req.close()).await;
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    match request.reply(["the", "answer"]).await {
        Err(ReplyError::PeerGone(answer)) => assert_eq!(answer.len(), 2),
        other => panic!("{other:?}"),
    }
    // In lock-step it is dropped, as in libzmq, and the next one is served.
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let client = tokio::spawn(async move { req.request("next").await });
    assert_eq!(soon(rep.recv()).await.unwrap().text(), "next");
    rep.send("fine").await.unwrap();
    assert_eq!(soon(client).await.unwrap().unwrap().text(), "fine");
}

async fn an_unanswered_request_holds_up_nobody(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let waiting = ReqSocket::new();
    waiting.connect(&endpoint).unwrap();
    soon(waiting.send("ignored")).await.unwrap();
    let ignored = soon(rep.recv()).await.unwrap();
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    for _ in 0..10 {
        let answer = async {
            let request = rep.recv().await.unwrap();
            request.reply("fine").await.unwrap();
        };
        let (reply, ()) = soon(futures::future::join(req.request("served"), answer)).await;
        assert_eq!(reply.unwrap().text(), "fine");
    }
    ignored.reply("at last").await.unwrap();
    assert_eq!(soon(waiting.recv()).await.unwrap().text(), "at last");
}

/// The answer of the request received last is for `send`; after that there is nothing to reply to.
#[tokio::test]
async fn a_request_is_answered_once() {
    let rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::established(&endpoint, "DEALER").await;
    peer.send(frames::message(["id", "", "question"])).await;
    let request = soon(rep.recv()).await.unwrap();
    rep.send("by send").await.unwrap();
    assert_matches!(
        request.reply("by reply").await,
        Err(ReplyError::PeerGone(_))
    );
    assert_eq!(peer.message().await, [&b"id"[..], b"", b"by send"]);
    peer.send(frames::message(["", "next"])).await;
    let request = soon(rep.recv()).await.unwrap();
    request.reply("by reply").await.unwrap();
    assert_matches!(rep.send("by send").await, Err(_));
    assert_eq!(peer.message().await, [&b""[..], b"by reply"]);
}

/// A peer that asks without reading its answers gets no more than its queue holds, and the error
/// gives the answer back.
#[tokio::test]
async fn a_peer_that_does_not_read_its_answers() {
    let rep = RepSocket::builder().send_hwm(4).build();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::established(&endpoint, "DEALER").await;
    until(|| rep.peers().len() == 1).await;
    let answer = vec![0; 1 << 18];
    let mut answered = 0;
    let full = loop {
        peer.send(frames::message(["", "question"])).await;
        let request = soon(rep.recv()).await.unwrap();
        match request.reply(answer.clone()).await {
            Ok(()) => answered += 1,
            Err(error) => break error,
        }
    };
    match full {
        ReplyError::Full(message) => assert_eq!(message.byte_len(), 1 << 18),
        other => panic!("{other:?}"),
    }
    assert_eq!(rep.stats().dropped, 1);
    for _ in 0..answered {
        assert_eq!(peer.message().await, [&b""[..], &answer]);
    }
}

/// Whether their requests are dropped, kept or answered too late: nothing is left of them, and it
/// is told what went nowhere.
async fn askers_that_come_and_go(transport: Transport) {
    const ASKERS: u64 = 60;
    let rep = RepSocket::new();
    let mut events = rep.events();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let (mut kept, mut late) = (Vec::new(), 0);
    for number in 0..ASKERS {
        let req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        soon(req.send("question")).await.unwrap();
        let request = soon(rep.recv()).await.unwrap();
        if number % 3 == 0 {
            kept.push(request);
        }
        soon(req.close()).await;
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
        if number % 3 == 1 {
            // In lock-step, to nobody.
            rep.send("late").await.unwrap();
            late += 1;
        }
    }
    assert!(rep.peers().is_empty());
    assert_eq!(rep.stats().connections, ASKERS);
    assert_eq!(rep.stats().dropped, late);
    assert_eq!(rep.stats().drops.departed, late);
    for request in kept {
        match request.reply("too late").await {
            Err(ReplyError::PeerGone(answer)) => assert_eq!(answer.text(), "too late"),
            other => panic!("{other:?}"),
        }
    }
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let client = tokio::spawn(async move { req.request("next").await });
    let request = soon(rep.recv()).await.unwrap();
    request.reply("fine").await.unwrap();
    assert_eq!(soon(client).await.unwrap().unwrap().text(), "fine");
}

/// What is no request is dropped and counted, also when its sender has left meanwhile, and holds
/// up nobody.
#[tokio::test]
async fn envelopes_without_a_question() {
    let rep = RepSocket::new();
    let mut events = rep.events();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let malformed: [&[u8]; 5] = [
        &frames::last("no delimiter"),
        &frames::last(""),
        &frames::message(["address", ""]),
        &frames::message(["address", "no delimiter"]),
        &frames::message(["a", "b", "c", "d", ""]),
    ];
    let mut stays = RawPeer::established(&endpoint, "DEALER").await;
    let mut leaves = RawPeer::established(&endpoint, "DEALER").await;
    for bytes in malformed {
        stays.send(bytes).await;
        leaves.send(bytes).await;
    }
    until(|| rep.stats().received.messages == 10).await;
    drop(leaves);
    wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    stays.send(frames::message(["id", "", "question"])).await;
    let request = soon(rep.recv()).await.unwrap();
    assert_eq!(request.text(), "question");
    request.reply("answer").await.unwrap();
    assert_eq!(stays.message().await, [&b"id"[..], b"", b"answer"]);
    assert!(rep.try_recv().is_err());
    assert_eq!(rep.stats().dropped, 10);
    assert_eq!(rep.stats().drops.unusable, 10);
}

/// Who puts too many addresses before a question is disconnected for it, and nobody else.
#[tokio::test]
async fn an_envelope_of_too_many_frames() {
    let rep = RepSocket::builder().max_frames(10).build();
    let mut events = rep.events();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut good = RawPeer::established(&endpoint, "DEALER").await;
    let mut bad = RawPeer::established(&endpoint, "DEALER").await;
    for _ in 0..9 {
        good.send(frames::more("address")).await;
        bad.send(frames::more("address")).await;
    }
    bad.send(frames::message(["", "question"])).await;
    let gone = wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    let limit = 10;
    let fault = PeerFault::Protocol(ProtocolError::TooManyFrames { limit });
    match gone {
        Event::Disconnected { reason, .. } => {
            assert_matches!(reason, DisconnectReason::Fault(ref what) if *what == fault);
        }
        other => panic!("{other:?}"),
    }
    good.send(frames::last("")).await;
    good.send(frames::message(["", "question"])).await;
    assert_eq!(soon(rep.recv()).await.unwrap().text(), "question");
}
