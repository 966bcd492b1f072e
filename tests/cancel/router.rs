//! The futures of ROUTER and DEALER, dropped at every poll: nothing is lost, nothing comes twice, and no
//! wake-up is swallowed that somebody else waits for.

use std::pin::pin;

use futures::SinkExt;

use crate::dropping::{POLLS, cases, drop_after, poll_once, within};
use crate::{filled, read_until_last};
use wirelark::{Context, DealerSocket, Identity, RouterSocket};

fn ada() -> Identity {
    Identity::new("ada").unwrap()
}

/// Small queues, so that senders wait.
async fn pair(transport: &str) -> (RouterSocket, DealerSocket) {
    let context = Context::new();
    let router = RouterSocket::builder()
        .context(&context)
        .send_hwm(1)
        .build();
    let endpoint = router.bind(transport).await.unwrap();
    let dealer = DealerSocket::builder()
        .context(&context)
        .identity(ada())
        .recv_hwm(1)
        .build();
    dealer.connect(endpoint).unwrap();
    within(async {
        while router.peers().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (router, dealer)
}

fn fill(router: &RouterSocket) -> Vec<String> {
    filled(|text| router.try_send_to(&ada(), text).is_ok())
}

#[tokio::test]
async fn send_to_is_all_or_nothing() {
    for (transport, polls) in cases() {
        let (router, dealer) = pair(transport).await;
        let mut expected = fill(&router);
        let reader = tokio::spawn(read_until_last(dealer.into()));
        let sent = drop_after(polls, router.send_to(&ada(), "second")).await;
        expected.extend(sent.map(|sent| sent.map(|()| "second".to_owned()).unwrap()));
        within(router.send_to(&ada(), "last")).await.unwrap();
        expected.push("last".to_owned());
        assert_eq!(
            within(reader).await.unwrap(),
            expected,
            "{transport}, {polls}"
        );
    }
}

/// Flushing it may be given up, and the sink itself with what waits in it.
#[tokio::test]
async fn a_sink_sends_what_it_has_accepted_once() {
    for (transport, polls) in cases() {
        let (router, dealer) = pair(transport).await;
        let mut expected = fill(&router);
        let mut sink = router.sink();
        within(sink.feed((ada(), "second"))).await.unwrap();
        let mut dropped = router.sink();
        within(dropped.feed((ada(), "dropped"))).await.unwrap();
        let reader = tokio::spawn(read_until_last(dealer.into()));
        drop_after(polls, SinkExt::<(Identity, &str)>::flush(&mut sink)).await;
        let flush = drop_after(polls, SinkExt::<(Identity, &str)>::flush(&mut dropped)).await;
        drop(dropped);
        within(sink.send((ada(), "last"))).await.unwrap();
        expected.push("second".to_owned());
        expected.extend(flush.map(|_| "dropped".to_owned()));
        expected.push("last".to_owned());
        let mut read = within(reader).await.unwrap();
        // The two that waited had no order.
        read.sort();
        expected.sort();
        assert_eq!(read, expected, "{transport}, {polls}");
    }
}

/// Only within a process: there nothing takes messages but who receives.
#[tokio::test]
async fn a_sender_that_is_dropped_wakes_the_next() {
    for polls in 0..POLLS {
        let (router, dealer) = pair("inproc://here").await;
        let mut expected = fill(&router);
        let second = {
            // First in line, and dropped after the wake-up has come.
            let name = ada();
            let mut first = pin!(router.send_to(&name, "first in line"));
            assert!(poll_once(first.as_mut()).await.is_pending());
            let next = router.clone();
            let second = tokio::spawn(async move { next.send_to(&ada(), "second in line").await });
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            assert_eq!(dealer.recv().await.unwrap().text(), expected.remove(0));
            second
        };
        expected.push("second in line".to_owned());
        for text in expected {
            assert_eq!(within(dealer.recv()).await.unwrap().text(), text);
        }
        within(second).await.unwrap().unwrap();
    }
}

/// All that wait for a peer hear of its end, also when the first of them does not care any more.
#[tokio::test]
async fn a_sender_that_is_dropped_passes_the_news_of_the_end_on() {
    for polls in 0..POLLS {
        let (router, dealer) = pair("inproc://here").await;
        fill(&router);
        let waiting = {
            let name = ada();
            let mut first = pin!(router.send_to(&name, "first in line"));
            assert!(poll_once(first.as_mut()).await.is_pending());
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    let next = router.clone();
                    tokio::spawn(async move { next.send_to(&ada(), "next in line").await })
                })
                .collect();
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            within(dealer.close()).await;
            waiting
        };
        for next in waiting {
            assert!(within(next).await.unwrap().is_err());
        }
    }
}

#[tokio::test]
async fn recv_loses_nothing() {
    const MESSAGES: usize = 12;
    for (transport, polls) in cases().filter(|(_, polls)| *polls > 0) {
        let (router, dealer) = pair(transport).await;
        let sender = tokio::spawn(async move {
            for number in 0..MESSAGES {
                dealer.send(number.to_string()).await.unwrap();
                tokio::task::yield_now().await;
            }
            dealer
        });
        let mut received = Vec::new();
        for _ in 0..MESSAGES / 2 {
            received.extend(drop_after(polls, router.recv()).await.map(Result::unwrap));
        }
        while received.len() < MESSAGES {
            received.push(within(router.recv()).await.unwrap());
        }
        for (number, (peer, message)) in received.into_iter().enumerate() {
            assert_eq!((peer, &*message.text()), (ada(), &*number.to_string()));
        }
        drop(within(sender).await);
        assert!(router.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_dealer_loses_nothing_either_way() {
    for (transport, polls) in cases() {
        let (router, dealer) = pair(transport).await;
        let mut expected = Vec::new();
        for number in 0..8 {
            let text = number.to_string();
            if let Some(sent) = drop_after(polls, dealer.send(text.as_str())).await {
                sent.unwrap();
                expected.push(text);
            }
            drop_after(polls, dealer.recv()).await;
        }
        let last = tokio::spawn(async move {
            dealer.send("last").await.unwrap();
            dealer
        });
        expected.push("last".to_owned());
        for text in expected {
            assert_eq!(within(router.recv()).await.unwrap().1.text(), text);
        }
        drop(within(last).await);
    }
}
