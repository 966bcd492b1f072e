//! Every future of the sockets, dropped at every poll: nothing is lost, nothing comes twice, and no
//! wake-up is swallowed that somebody else waits for.

#![allow(clippy::unwrap_used)]

#[path = "kit/dropping.rs"]
mod dropping;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use dropping::{POLLS, TRANSPORTS, drop_after, within};
use wirelark::{
    Context, Endpoint, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket,
};

/// Small queues, so that senders wait.
async fn pipeline(transport: &str) -> (PushSocket, PullSocket) {
    let context = Context::new();
    let pull = PullSocket::builder().context(&context).recv_hwm(1).build();
    let endpoint = pull.bind(transport).await.expect("a free address");
    let push = PushSocket::builder().context(&context).send_hwm(1).build();
    push.connect(endpoint).expect("an address");
    (push, pull)
}

fn fill(push: &PushSocket) -> Vec<String> {
    let texts = (0..).map(|number| format!("first {number}"));
    texts
        .take_while(|text| push.try_send(text.as_str()).is_ok())
        .collect()
}

async fn read_until_last(pull: PullSocket) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != "last") {
        let message = pull.recv().await.expect("the socket is open");
        texts.push(message.text().into_owned());
    }
    texts
}

#[tokio::test]
async fn send_is_all_or_nothing() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let reader = tokio::spawn(read_until_last(pull));
        let sent = drop_after(polls, push.send("second")).await;
        expected.extend(sent.map(|sent| sent.map(|()| "second".to_owned()).unwrap()));
        within(push.send("last")).await.unwrap();
        expected.push("last".to_owned());
        assert_eq!(
            within(reader).await.unwrap(),
            expected,
            "{transport}, {polls}"
        );
    }
}

#[tokio::test]
async fn a_sender_that_is_dropped_wakes_the_next() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let next = push.clone();
        let second = {
            // First in line, and dropped after the wake-up has come.
            let mut first = pin!(push.send("first in line"));
            let poll = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await;
            assert!(poll.is_pending());
            let second = tokio::spawn(async move { next.send("second in line").await });
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            expected.push(pull.recv().await.unwrap().text().into_owned());
            second
        };
        expected.remove(0);
        let mut received = vec![expected.pop().unwrap()];
        expected.insert(0, received[0].clone());
        expected.push("second in line".to_owned());
        while received.len() < expected.len() {
            received.push(within(pull.recv()).await.unwrap().text().into_owned());
        }
        within(second).await.unwrap().unwrap();
        assert_eq!(received, expected, "{transport}, {polls}");
    }
}

#[tokio::test]
async fn a_permit_is_a_place_and_nothing_else() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let reader = tokio::spawn(read_until_last(pull));
        match drop_after(polls, push.reserve()).await {
            Some(permit) if polls % 2 == 0 => {
                permit.unwrap().send("second");
                expected.push("second".to_owned());
            }
            Some(permit) => drop(permit),
            None => {}
        }
        within(push.send("last")).await.unwrap();
        expected.push("last".to_owned());
        assert_eq!(
            within(reader).await.unwrap(),
            expected,
            "{transport}, {polls}"
        );
    }
}

#[tokio::test]
async fn recv_loses_nothing() {
    const MESSAGES: usize = 12;
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (1..POLLS).map(move |k| (t, k)))
    {
        let (push, pull) = pipeline(transport).await;
        let sender = tokio::spawn(async move {
            for number in 0..MESSAGES {
                push.send(number.to_string()).await.unwrap();
                tokio::task::yield_now().await;
            }
            push
        });
        let mut received = Vec::new();
        for _ in 0..MESSAGES / 2 {
            received.extend(drop_after(polls, pull.recv()).await.map(Result::unwrap));
        }
        for _ in 0..MESSAGES / 4 {
            let with_peer = drop_after(polls, pull.recv_from()).await;
            received.extend(with_peer.map(|received| received.unwrap().1));
        }
        while received.len() < MESSAGES {
            received.push(within(pull.recv()).await.unwrap());
        }
        let texts: Vec<_> = received.iter().map(|message| message.text()).collect();
        let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
        assert_eq!(texts, expected, "{transport}, {polls}");
        drop(within(sender).await);
        assert!(pull.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_subscriber_loses_nothing_and_waiting_for_it_changes_nothing() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
        let context = Context::new();
        let publisher = PubSocket::builder().context(&context).build();
        let endpoint = publisher.bind(*transport).await.unwrap();
        let other = publisher.clone();
        let waiter = tokio::spawn(async move { other.wait_for_subscribers("a", 1).await });
        let subscriber = SubSocket::builder().context(&context).build();
        subscriber.connect(endpoint).unwrap();
        assert!(
            drop_after(2, publisher.wait_for_subscribers("a", 1))
                .await
                .is_none()
        );
        subscriber.subscribe("a").unwrap();
        drop_after(polls, publisher.wait_for_subscribers("a", 1)).await;
        within(waiter).await.unwrap().unwrap();
        let mut received = Vec::new();
        for text in ["a1", "b", "a2", "a3"] {
            drop_after(1, publisher.send(text)).await.unwrap().unwrap();
            received.extend(
                drop_after(polls, subscriber.recv())
                    .await
                    .map(Result::unwrap),
            );
        }
        while received.len() < 3 {
            received.push(within(subscriber.recv()).await.unwrap());
        }
        let texts: Vec<_> = received.iter().map(|message| message.text()).collect();
        assert_eq!(texts, ["a1", "a2", "a3"], "{transport}, {polls}");
    }
}

async fn exchange(transport: &str) -> (ReqSocket, RepSocket) {
    let context = Context::new();
    let rep = RepSocket::builder().context(&context).build();
    let endpoint = rep.bind(transport).await.expect("a free address");
    let req = ReqSocket::builder()
        .context(&context)
        .reconnect_interval(Duration::from_millis(1))
        .build();
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
    for transport in TRANSPORTS {
        for polls in 0..POLLS {
            let context = Context::new();
            let rep = RepSocket::builder().context(&context).build();
            let endpoint = rep.bind(transport).await.unwrap();
            let req = ReqSocket::builder()
                .context(&context)
                .correlate(true)
                .build();
            req.connect(endpoint).unwrap();
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
}

/// Whoever waits for the lock-step reply that another task found may give up; the reply stays.
#[tokio::test]
async fn a_reply_that_was_found_for_recv_stays() {
    for transport in TRANSPORTS {
        for polls in 0..POLLS {
            let context = Context::new();
            let rep = RepSocket::builder().context(&context).build();
            let endpoint = rep.bind(transport).await.unwrap();
            let req = ReqSocket::builder()
                .context(&context)
                .correlate(true)
                .build();
            req.connect(endpoint).unwrap();
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
}

/// A relaxed send that is dropped has sent nothing, whether or not it has abandoned what was open.
#[tokio::test]
async fn a_relaxed_send_is_all_or_nothing() {
    for (transport, correlate) in TRANSPORTS.iter().flat_map(|t| [(t, false), (t, true)]) {
        for polls in 0..POLLS {
            let context = Context::new();
            let rep = RepSocket::builder().context(&context).build();
            let endpoint = rep.bind(*transport).await.unwrap();
            let req = ReqSocket::builder()
                .context(&context)
                .relaxed(true)
                .correlate(correlate)
                .reconnect_interval(Duration::from_millis(1))
                .build();
            req.connect(endpoint).unwrap();
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
    for transport in TRANSPORTS {
        for polls in 0..POLLS {
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
}

#[tokio::test]
async fn a_replier_loses_no_request() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
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

#[tokio::test]
async fn close_goes_on_in_the_background() {
    for (transport, polls) in TRANSPORTS
        .iter()
        .flat_map(|t| (0..POLLS).map(move |k| (t, k)))
    {
        let (push, pull) = pipeline(transport).await;
        let expected = fill(&push);
        drop_after(polls, push.close()).await;
        let mut received = Vec::new();
        while received.len() < expected.len() {
            received.push(within(pull.recv()).await.unwrap().text().into_owned());
        }
        assert_eq!(received, expected);
        if polls > 0 {
            assert!(push.send("too late").await.is_err());
        }
        assert_eq!(within(push.close()).await.unsent, 0, "{transport}, {polls}");
    }
}

#[tokio::test]
async fn a_shutdown_goes_on_in_the_background() {
    for polls in 0..POLLS {
        let context = Context::new();
        let (push, pull) = (
            PushSocket::builder().context(&context).build(),
            PullSocket::new(),
        );
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        within(push.send("x")).await.unwrap();
        drop_after(polls, context.shutdown()).await;
        assert_eq!(within(pull.recv()).await.unwrap().text(), "x");
        if polls > 0 {
            assert!(push.send("too late").await.is_err());
        }
        assert_eq!(within(context.shutdown()).await.unsent, 0, "{polls}");
    }
}

#[tokio::test]
async fn bind_can_be_repeated() {
    repeat_bind(&Context::new()).await;
}

/// What is bound belongs to another runtime than the future is polled in.
#[tokio::test]
async fn bind_on_threads_can_be_repeated() {
    repeat_bind(&Context::builder().io_threads(1).build().unwrap()).await;
}

async fn repeat_bind(context: &Context) {
    let folder = tempfile::tempdir().unwrap();
    for polls in 0..POLLS {
        let path = folder.path().join(format!("{polls}"));
        let endpoints = [
            "inproc://bind can be repeated".to_owned(),
            "tcp://localhost:*".to_owned(),
            format!("ipc://{}", path.display()),
        ];
        for given in endpoints {
            let pull = PullSocket::builder().context(context).build();
            let bound: Endpoint = match drop_after(polls, pull.bind(given.as_str())).await {
                Some(bound) => bound.unwrap(),
                None => within(pull.bind(given.as_str())).await.unwrap(),
            };
            let push = PushSocket::builder().context(context).build();
            push.connect(&bound).unwrap();
            push.send("hello").await.unwrap();
            assert_eq!(
                within(pull.recv()).await.unwrap().text(),
                "hello",
                "{given}"
            );
            within(push.close()).await;
            within(pull.close()).await;
        }
    }
}

/// What a peer took and left behind must not count against the next one.
#[tokio::test]
async fn a_queue_outlives_a_peer_of_the_same_process() {
    let context = Context::new();
    let push = PushSocket::builder().context(&context).send_hwm(4).build();
    push.connect("inproc://here").unwrap();
    for _ in 0..10 {
        let pull = PullSocket::builder().context(&context).recv_hwm(4).build();
        pull.bind("inproc://here").await.unwrap();
        // What the last one did not take.
        while pull.try_recv().is_ok() {}
        for number in 0..8 {
            within(push.send(number.to_string())).await.unwrap();
        }
        for number in 0..2 {
            let message = within(pull.recv()).await.unwrap();
            assert_eq!(message.text(), number.to_string());
        }
        within(pull.close()).await;
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
                let poll = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx))).await;
                assert!(poll.is_pending());
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
