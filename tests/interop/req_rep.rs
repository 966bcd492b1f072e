//! REQ and REP against pyzmq: every kind of message, both ways round, the envelopes that DEALER and
//! ROUTER let us see and forge, and what a client learns when its server dies.

use crate::support::{
    Attach as _, Link, Peer, Place, Python, assert_same, corpus, until_peers, within,
};
use wirelark::{DisconnectReason, Identity, Message, RepSocket, ReqSocket, RequestError};

on_every_link!(
    ask_pyzmq,
    answer_pyzmq,
    ask_before_the_server_is_there,
    be_asked_before_we_are_there,
    the_envelope_of_our_request,
    the_envelope_of_our_reply,
    malformed_requests_are_passed_over,
);

on_every_transport!(
    lock_step,
    requests_go_round_several_servers,
    several_clients_are_answered_out_of_order,
    a_correlated_request_is_answered,
    our_correlated_requests_are_answered,
    our_numbers_as_a_router_sees_them,
    ours_relaxed_and_correlated,
    ours_relaxed_alone,
    a_killed_server_is_an_error_and_its_successor_answers,
    they_ask_again_after_our_restart,
);

async fn ask_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (req, mut rep) = (ReqSocket::new(), python.peer("REP").await);
    link.join(&req, &mut rep).await;
    for message in corpus() {
        let reply = exchange(&req, message.clone(), &mut rep, message.clone()).await;
        assert_same(&reply, &message);
    }
    within(req.close()).await;
}

async fn answer_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (rep, mut req) = (RepSocket::new(), python.peer("REQ").await);
    link.join(&rep, &mut req).await;
    for message in corpus() {
        req.send(message.clone()).await;
        let request = within(rep.recv()).await.unwrap();
        assert_same(&request, &message);
        let reply = Message::clone(&request);
        within(request.reply(reply)).await.unwrap();
        assert_same(&req.recv().await, &message);
    }
    within(rep.close()).await;
}

async fn ask_before_the_server_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (req, mut rep) = (ReqSocket::new(), python.peer("REP").await);
    link.join_backwards(&req, &mut rep).await;
    assert_same(
        &exchange(&req, "hello", &mut rep, "world").await,
        &"world".into(),
    );
    within(req.close()).await;
}

async fn be_asked_before_we_are_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (rep, mut req) = (RepSocket::new(), python.peer("REQ").await);
    link.join_backwards(&rep, &mut req).await;
    req.send("hello").await;
    let request = within(rep.recv()).await.unwrap();
    assert_same(&request, &"hello".into());
    within(request.reply("world")).await.unwrap();
    assert_same(&req.recv().await, &"world".into());
    within(rep.close()).await;
}

/// A ROUTER shows what a REP hides: who asks, and the empty frame between the addresses and the
/// question.
async fn the_envelope_of_our_request(link: Link) {
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::builder()
        .identity(Identity::new("lark").unwrap())
        .build();
    let mut router = python.peer("ROUTER").await;
    link.join(&req, &mut router).await;
    let asked = tokio::spawn({
        let req = req.clone();
        async move { within(req.request(["how", "", "many"])).await }
    });
    assert_same(
        &router.recv().await,
        &["lark", "", "how", "", "many"].into(),
    );
    router.send(["lark", "", "", "42"]).await;
    assert_same(&within(asked).await.unwrap().unwrap(), &["", "42"].into());
    within(req.close()).await;
}

/// A DEALER may put any number of addresses before the empty frame; all of them come back.
async fn the_envelope_of_our_reply(link: Link) {
    let Some(python) = Python::find() else { return };
    let (rep, mut dealer) = (RepSocket::new(), python.peer("DEALER").await);
    link.join(&rep, &mut dealer).await;
    let long = "x".repeat(256);
    for addresses in [
        &[][..],
        &["one"],
        &["one", "two", "three"],
        &[&long, "\u{0}"],
    ] {
        dealer
            .send([addresses, &["", "how", "", "many"]].concat())
            .await;
        let request = within(rep.recv()).await.unwrap();
        assert_same(&request, &["how", "", "many"].into());
        within(request.reply(["", "42"])).await.unwrap();
        assert_same(
            &dealer.recv().await,
            &[addresses, &["", "", "42"]].concat().into(),
        );
    }
    within(rep.close()).await;
}

/// What has no empty frame, or nothing after it, is no request; it costs nobody anything.
async fn malformed_requests_are_passed_over(link: Link) {
    let Some(python) = Python::find() else { return };
    let (rep, mut dealer) = (RepSocket::new(), python.peer("DEALER").await);
    link.join(&rep, &mut dealer).await;
    for garbage in [&["junk"][..], &["more", "junk"], &[""], &["address", ""]] {
        dealer.send(garbage.to_vec()).await;
    }
    dealer.send(["", "question"]).await;
    let request = within(rep.recv()).await.unwrap();
    assert_same(&request, &"question".into());
    within(request.reply("answer")).await.unwrap();
    assert_same(&dealer.recv().await, &["", "answer"].into());
    within(rep.close()).await;
}

async fn lock_step(place: Place) {
    let Some(python) = Python::find() else { return };
    let (req, rep) = (ReqSocket::new(), RepSocket::new());
    let (mut their_req, mut their_rep) = (python.peer("REQ").await, python.peer("REP").await);
    req.attach_connect(&their_rep.bind(&place.any_endpoint()).await);
    their_req
        .connect(&rep.attach_bind(&place.any_endpoint()).await)
        .await;
    for round in 0..3 {
        within(req.send(format!("question {round}"))).await.unwrap();
        their_req.send(their_rep.recv().await).await;
        let request = within(rep.recv()).await.unwrap();
        assert_same(&request, &format!("question {round}").into());
        drop(request);
        within(rep.send(format!("answer {round}"))).await.unwrap();
        their_rep.send(their_req.recv().await).await;
        assert_same(
            &within(req.recv()).await.unwrap(),
            &format!("answer {round}").into(),
        );
    }
    within(req.close()).await;
    within(rep.close()).await;
}

async fn requests_go_round_several_servers(place: Place) {
    const ROUNDS: usize = 5;
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::new();
    let (mut first, mut second) = (python.peer("REP").await, python.peer("REP").await);
    for server in [&mut first, &mut second] {
        req.attach_connect(&server.bind(&place.any_endpoint()).await);
    }
    until_peers(&req, 2).await;
    let ask = async {
        for _ in 0..2 * ROUNDS {
            within(req.request("your turn")).await.unwrap();
        }
    };
    // Neither answers more than its share, so that an unfair client would wait in vain.
    tokio::join!(ask, serve(&mut first, ROUNDS), serve(&mut second, ROUNDS));
    within(req.close()).await;
}

async fn serve(server: &mut Peer, count: usize) {
    for _ in 0..count {
        let question = server.recv().await;
        server.send(question).await;
    }
}

async fn several_clients_are_answered_out_of_order(place: Place) {
    let Some(python) = Python::find() else { return };
    let rep = RepSocket::new();
    let endpoint = rep.attach_bind(&place.any_endpoint()).await;
    let (mut clients, mut requests) = (Vec::new(), Vec::new());
    for name in ["first", "second", "third"] {
        let mut client = python.peer("REQ").await;
        client.connect(&endpoint).await;
        client.send(name).await;
        clients.push(client);
        requests.push(within(rep.recv()).await.unwrap());
    }
    for request in requests.into_iter().rev() {
        let reply = format!("to the {}", request.text());
        within(request.reply(reply)).await.unwrap();
    }
    for (client, name) in clients.iter_mut().zip(["first", "second", "third"]) {
        assert_same(&client.recv().await, &format!("to the {name}").into());
    }
    within(rep.close()).await;
}

/// A correlating REQ puts a number before the empty frame and ignores an answer that does not bring
/// it back.
async fn a_correlated_request_is_answered(place: Place) {
    let Some(python) = Python::find() else { return };
    let (rep, mut req) = (RepSocket::new(), python.peer("REQ").await);
    req.set("REQ_CORRELATE", "1").await;
    req.set("REQ_RELAXED", "1").await;
    req.connect(&rep.attach_bind(&place.any_endpoint()).await)
        .await;
    req.send("abandoned").await;
    let abandoned = within(rep.recv()).await.unwrap();
    req.send("serious").await;
    let serious = within(rep.recv()).await.unwrap();
    within(abandoned.reply("too late")).await.unwrap();
    within(serious.reply("in time")).await.unwrap();
    assert_same(&req.recv().await, &"in time".into());
    within(rep.close()).await;
}

/// A REP sends back what stands before the empty frame without looking at it.
async fn our_correlated_requests_are_answered(place: Place) {
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::builder().correlate(true).build();
    let (mut first, mut second) = (python.peer("REP").await, python.peer("REP").await);
    for server in [&mut first, &mut second] {
        req.attach_connect(&server.bind(&place.any_endpoint()).await);
    }
    until_peers(&req, 2).await;
    // Both are asked before either answers, and the one that was asked last answers first.
    let ask = async { tokio::join!(within(req.request("one")), within(req.request("two"))) };
    let serve = async {
        assert_same(&first.recv().await, &"one".into());
        assert_same(&second.recv().await, &"two".into());
        second.send("2").await;
        first.send("1").await;
    };
    let ((one, two), ()) = tokio::join!(ask, serve);
    assert_same(&one.unwrap(), &"1".into());
    assert_same(&two.unwrap(), &"2".into());
    let mut servers = [first, second];
    for (turn, message) in corpus().into_iter().enumerate() {
        let server = &mut servers[turn % 2];
        let reply = exchange(&req, message.clone(), server, message.clone()).await;
        assert_same(&reply, &message);
    }
    within(req.close()).await;
}

/// libzmq's test of correlation: a ROUTER answers with a wrong number, then with the right one.
async fn our_numbers_as_a_router_sees_them(place: Place) {
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::builder()
        .correlate(true)
        .identity(Identity::new("lark").unwrap())
        .build();
    let mut router = python.peer("ROUTER").await;
    req.attach_connect(&router.bind(&place.any_endpoint()).await);
    let asked = tokio::spawn({
        let req = req.clone();
        async move { within(req.request(["ABC", "DEF"])).await }
    });
    let request = router.recv().await;
    let number = request.frame(1).unwrap().to_vec();
    assert_eq!(number.len(), 4);
    let envelope =
        |number: &[u8]| -> Vec<Vec<u8>> { vec![b"lark".to_vec(), number.to_vec(), Vec::new()] };
    let mut expected = envelope(&number);
    expected.extend([b"ABC".to_vec(), b"DEF".to_vec()]);
    assert_same(&request, &expected.into());
    let mut wrong = number.clone();
    wrong[3] ^= 1;
    for (number, text) in [(&wrong, "bad"), (&number, "GHI"), (&number, "twice")] {
        let mut reply = envelope(number);
        reply.push(text.as_bytes().to_vec());
        router.send(reply).await;
    }
    assert_same(&within(asked).await.unwrap().unwrap(), &"GHI".into());
    within(req.close()).await;
}

/// What is sent in place of an open request is answered, and only that.
async fn ours_relaxed_and_correlated(place: Place) {
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::builder().correlate(true).relaxed(true).build();
    let mut rep = python.peer("REP").await;
    req.attach_connect(&rep.bind(&place.any_endpoint()).await);
    within(req.send("abandoned")).await.unwrap();
    assert_same(&rep.recv().await, &"abandoned".into());
    within(req.send("serious")).await.unwrap();
    rep.send("too late").await;
    assert_same(&rep.recv().await, &"serious".into());
    rep.send("in time").await;
    assert_same(&within(req.recv()).await.unwrap(), &"in time".into());
    assert_eq!(req.stats().connections, 1);
    within(req.close()).await;
}

/// Without numbers the connection goes with the request, and the server is asked over a new one.
async fn ours_relaxed_alone(place: Place) {
    let Some(python) = Python::find() else { return };
    let req = ReqSocket::builder().relaxed(true).build();
    let mut rep = python.peer("REP").await;
    req.attach_connect(&rep.bind(&place.any_endpoint()).await);
    within(req.send("abandoned")).await.unwrap();
    assert_same(&rep.recv().await, &"abandoned".into());
    within(req.send("serious")).await.unwrap();
    rep.send("too late").await;
    assert_same(&rep.recv().await, &"serious".into());
    rep.send("in time").await;
    assert_same(&within(req.recv()).await.unwrap(), &"in time".into());
    within(req.close()).await;
}

async fn a_killed_server_is_an_error_and_its_successor_answers(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let (req, mut rep) = (ReqSocket::new(), python.peer("REP").await);
    rep.bind(&endpoint).await;
    req.attach_connect(&endpoint);
    assert_same(
        &exchange(&req, "hello", &mut rep, "world").await,
        &"world".into(),
    );

    let asked = tokio::spawn({
        let req = req.clone();
        async move { within(req.request("will you answer?")).await }
    });
    assert_same(&rep.recv().await, &"will you answer?".into());
    rep.kill().await;
    let error = within(asked)
        .await
        .unwrap()
        .expect_err("a dead server does not answer");
    assert!(is_loss_of_the_peer(&error), "{error:?}");

    let mut rep = python.peer("REP").await;
    rep.bind(&endpoint).await;
    assert_same(
        &exchange(&req, "hello again", &mut rep, "welcome").await,
        &"welcome".into(),
    );
    within(req.close()).await;
}

/// A killed process has its connections closed by the system, or reset if something was unread.
fn is_loss_of_the_peer(error: &RequestError) -> bool {
    match error {
        RequestError::Lost { reason, .. } => {
            matches!(
                reason,
                DisconnectReason::PeerClosed | DisconnectReason::Io(_)
            )
        }
        _ => false,
    }
}

async fn they_ask_again_after_our_restart(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let mut req = python.peer("REQ").await;
    req.connect(&endpoint).await;
    for (lost, life) in ["first", "second", "third"].into_iter().enumerate() {
        let rep = RepSocket::new();
        rep.attach_bind(&endpoint).await;
        // What it writes to a server that has just gone is lost, as ever.
        req.wait_disconnects(lost).await;
        req.send("who is there?").await;
        let request = within(rep.recv()).await.unwrap();
        within(request.reply(life)).await.unwrap();
        assert_same(&req.recv().await, &life.into());
        within(rep.close()).await;
    }
}

/// Asks `rep` through `req` and answers: the reply as it arrives, after a check that the question
/// did.
async fn exchange(
    req: &ReqSocket,
    question: impl Into<Message>,
    rep: &mut Peer,
    answer: impl Into<Message>,
) -> Message {
    let question = question.into();
    let ask = async { within(req.request(question.clone())).await.unwrap() };
    let serve = async {
        assert_same(&rep.recv().await, &question);
        rep.send(answer).await;
    };
    tokio::join!(ask, serve).0
}
