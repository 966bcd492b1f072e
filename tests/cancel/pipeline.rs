//! The futures of pipelines, subscribers, endpoints and close, dropped at every poll: nothing is lost, nothing comes
//! twice, and no wake-up is swallowed that somebody else waits for.

use std::pin::pin;

use crate::dropping::{POLLS, cases, drop_after, poll_once, within};
use crate::{filled, read_until_last};
use wirelark::{Context, Endpoint, PubSocket, PullSocket, PushSocket, SubSocket};

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
    filled(|text| push.try_send(text).is_ok())
}

#[tokio::test]
async fn send_is_all_or_nothing() {
    for (transport, polls) in cases() {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let reader = tokio::spawn(read_until_last(pull.into()));
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
    for (transport, polls) in cases() {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let next = push.clone();
        let second = {
            // First in line, and dropped after the wake-up has come.
            let mut first = pin!(push.send("first in line"));
            assert!(poll_once(first.as_mut()).await.is_pending());
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
    for (transport, polls) in cases() {
        let (push, pull) = pipeline(transport).await;
        let mut expected = fill(&push);
        let reader = tokio::spawn(read_until_last(pull.into()));
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
    for (transport, polls) in cases().filter(|(_, polls)| *polls > 0) {
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
    for (transport, polls) in cases() {
        let context = Context::new();
        let publisher = PubSocket::builder().context(&context).build();
        let endpoint = publisher.bind(transport).await.unwrap();
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

#[tokio::test]
async fn close_goes_on_in_the_background() {
    for (transport, polls) in cases() {
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
