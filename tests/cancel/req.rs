//! REQ and REP, their futures dropped at every poll: no answer is lost, none comes for another question, and
//! nobody else waits for ever.

use std::pin::pin;
use std::time::Duration;

use crate::dropping::{POLLS, TRANSPORTS, cases, drop_after, poll_once, within};
use wirelark::{Context, RepSocket, ReqSocket, SocketBuilder};

async fn exchange(transport: &str) -> (ReqSocket, RepSocket) {
    exchange_with(transport, come_again_soon).await
}

fn come_again_soon(req: SocketBuilder<ReqSocket>) -> SocketBuilder<ReqSocket> {
    req.reconnect_interval(Duration::from_millis(1))
}

/// The REQ has these options.
async fn exchange_with(
    transport: &str,
    options: impl FnOnce(SocketBuilder<ReqSocket>) -> SocketBuilder<ReqSocket>,
) -> (ReqSocket, RepSocket) {
    let context = Context::new();
    let rep = RepSocket::builder().context(&context).build();
    let endpoint = rep.bind(transport).await.expect("a free address");
    let req = options(ReqSocket::builder().context(&context)).build();
    req.connect(endpoint).expect("an address");
    (req, rep)
}

/// Answers every request with itself.
fn echo(rep: RepSocket) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            let answer = request.message().clone();
            // Who asked may have given up.
            let _ = request.reply(answer).await;
        }
    })
}

#[tokio::test]
async fn an_abandoned_request_answers_no_other() {
    for transport in TRANSPORTS {
        let (req, rep) = exchange(transport).await;
        let server = echo(rep.clone());
        for polls in 0..POLLS {
            let given_up = format!("given up {polls}");
            if let Some(reply) = drop_after(polls, req.request(given_up.as_str())).await {
                assert_eq!(reply.unwrap().text(), given_up);
            }
            let asked = format!("asked {polls}");
            let reply = within(req.request(asked.as_str())).await.unwrap();
            assert_eq!(reply.text(), asked, "{transport}, {polls}");
        }
        within(rep.close()).await;
        within(server).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_that_is_abandoned_lets_the_next_in_line_ask() {
    for transport in TRANSPORTS {
        let (req, rep) = exchange(transport).await;
        let server = echo(rep.clone());
        for polls in 0..POLLS {
            let other = req.clone();
            let next = tokio::spawn(async move { other.request("next").await });
            if let Some(reply) = drop_after(polls, req.request("first")).await {
                assert_eq!(reply.unwrap().text(), "first");
            }
            assert_eq!(within(next).await.unwrap().unwrap().text(), "next");
        }
        within(rep.close()).await;
        within(server).await.unwrap();
    }
}

/// Many at once on one socket: one that is dropped takes no other's reply, wake-up or turn with it.
#[tokio::test]
async fn an_abandoned_request_leaves_the_others_alone() {
    for (transport, polls) in cases() {
        let (req, rep) = exchange_with(transport, |req| req.correlate(true)).await;
        let server = echo(rep.clone());
        let others: Vec<_> = (0..4)
            .map(|number| {
                let req = req.clone();
                tokio::spawn(async move {
                    let question = format!("other {number}");
                    let reply = req.request(question.as_str()).await.unwrap();
                    assert_eq!(reply.text(), question);
                })
            })
            .collect();
        if let Some(reply) = drop_after(polls, req.request("given up")).await {
            assert_eq!(reply.unwrap().text(), "given up");
        }
        for other in others {
            within(other).await.unwrap();
        }
        let reply = within(req.request("asked")).await.unwrap();
        assert_eq!(reply.text(), "asked", "{transport}, {polls}");
        assert_eq!(req.stats().connections, 1, "{transport}, {polls}");
        within(rep.close()).await;
        within(server).await.unwrap();
    }
}

/// Whoever waits for the lock-step reply that another task found may give up; the reply stays.
#[tokio::test]
async fn a_reply_that_was_found_for_recv_stays() {
    for (transport, polls) in cases() {
        let (req, rep) = exchange_with(transport, |req| req.correlate(true)).await;
        let server = echo(rep.clone());
        within(req.send("halves")).await.unwrap();
        let other = req.clone();
        let other = tokio::spawn(async move { other.request("whole").await });
        let reply = match drop_after(polls, req.recv()).await {
            Some(reply) => reply,
            None => within(req.recv()).await,
        };
        assert_eq!(reply.unwrap().text(), "halves", "{transport}, {polls}");
        assert_eq!(within(other).await.unwrap().unwrap().text(), "whole");
        within(rep.close()).await;
        within(server).await.unwrap();
    }
}

/// A relaxed send that is dropped has sent nothing, whether or not it has abandoned what was open.
#[tokio::test]
async fn a_relaxed_send_is_all_or_nothing() {
    for (transport, correlate) in TRANSPORTS.iter().flat_map(|t| [(t, false), (t, true)]) {
        for polls in 0..POLLS {
            let relaxed = |req| come_again_soon(req).relaxed(true).correlate(correlate);
            let (req, rep) = exchange_with(transport, relaxed).await;
            within(req.send("first")).await.unwrap();
            let first = within(rep.recv()).await.unwrap();
            assert_eq!(first.text(), "first");
            if drop_after(polls, req.send("second")).await.is_none() {
                within(req.send("second")).await.unwrap();
            }
            let second = within(rep.recv()).await.unwrap();
            assert_eq!(second.text(), "second", "{transport}, {polls}");
            second.reply("answer").await.unwrap();
            // Late, and perhaps to nobody.
            let _ = first.reply("late").await;
            let reply = within(req.recv()).await.unwrap();
            assert_eq!(reply.text(), "answer", "{transport}, {polls}");
            assert!(rep.try_recv().is_err(), "{transport}, {polls}: sent twice");
        }
    }
}

#[tokio::test]
async fn lock_step_halves_can_be_dropped() {
    for (transport, polls) in cases() {
        let (req, rep) = exchange(transport).await;
        let server = echo(rep.clone());
        let question = match drop_after(polls, req.send("first")).await {
            Some(sent) => {
                sent.unwrap();
                "first"
            }
            // Nothing was sent: it is still our turn.
            None => {
                within(req.send("second")).await.unwrap();
                "second"
            }
        };
        let reply = match drop_after(polls, req.recv()).await {
            Some(reply) => reply,
            None => within(req.recv()).await,
        };
        assert_eq!(reply.unwrap().text(), question, "{transport}, {polls}");
        within(rep.close()).await;
        within(server).await.unwrap();
    }
}

#[tokio::test]
async fn a_replier_loses_no_request() {
    for (transport, polls) in cases() {
        let (req, rep) = exchange(transport).await;
        let asker = tokio::spawn(async move {
            for question in ["1", "2", "3"] {
                assert_eq!(req.request(question).await.unwrap().text(), question);
            }
        });
        for question in ["1", "2", "3"] {
            let request = match drop_after(polls, rep.recv()).await {
                Some(request) => request.unwrap(),
                None => within(rep.recv()).await.unwrap(),
            };
            assert_eq!(request.text(), question, "{transport}, {polls}");
            request.reply(question).await.unwrap();
        }
        within(asker).await.unwrap();
    }
}

/// The server has read the request that was given up, and must not read the next one as its peer.
#[tokio::test]
async fn a_request_after_one_that_was_read_and_given_up_gets_its_answer() {
    for transport in TRANSPORTS {
        let (req, rep) = exchange(transport).await;
        for _ in 0..5 {
            {
                let mut request = pin!(req.request("given up"));
                assert!(poll_once(request.as_mut()).await.is_pending());
                let received = tokio::select! {
                    received = within(rep.recv()) => received.unwrap(),
                    _ = request => unreachable!("nobody has answered"),
                };
                assert_eq!(received.text(), "given up");
            }
            let (reply, ()) = within(async {
                tokio::join!(req.request("asked"), async {
                    let request = rep.recv().await.unwrap();
                    assert_eq!(request.text(), "asked");
                    request.reply("answer").await.unwrap();
                })
            })
            .await;
            assert_eq!(reply.unwrap().text(), "answer", "{transport}");
        }
    }
}
