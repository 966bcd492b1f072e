//! The futures of XPUB and XSUB, dropped at every poll.

use std::pin::pin;

use crate::dropping::{cases, drop_after, poll_once, within};
use crate::{filled, read_until_last};
use futures::SinkExt;
use wirelark::{Context, Message, SubSocket, SubscriberMessage, XPubSocket, XSubSocket};

/// A publisher that drops nothing, with small queues, and two subscribers of everything.
async fn station(transport: &str) -> (XPubSocket, [SubSocket; 2]) {
    let context = Context::new();
    let publisher = XPubSocket::builder()
        .context(&context)
        .no_drop(true)
        .send_hwm(1)
        .build();
    let endpoint = publisher.bind(transport).await.unwrap();
    let subscribers = [(); 2].map(|()| {
        let subscriber = SubSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .subscribe("")
            .build();
        subscriber.connect(&endpoint).unwrap();
        subscriber
    });
    within(publisher.wait_for_subscribers("", 2)).await.unwrap();
    (publisher, subscribers)
}

fn fill(publisher: &XPubSocket) -> Vec<String> {
    filled(|text| publisher.try_send(text).is_ok())
}

#[tokio::test]
async fn sending_without_drops_is_all_or_nothing() {
    for (transport, polls) in cases() {
        let (publisher, subscribers) = station(transport).await;
        let mut expected = fill(&publisher);
        let readers =
            subscribers.map(|subscriber| tokio::spawn(read_until_last(subscriber.into())));
        if let Some(sent) = drop_after(polls, publisher.send("second")).await {
            sent.unwrap();
            expected.push("second".to_owned());
        }
        within(publisher.send("last")).await.unwrap();
        expected.push("last".to_owned());
        for reader in readers {
            let got = within(reader).await.unwrap();
            assert_eq!(got, expected, "{transport}, {polls}");
        }
    }
}

#[tokio::test]
async fn a_sender_that_gives_up_does_not_hold_up_the_next() {
    for (transport, polls) in cases() {
        let (publisher, [one, two]) = station(transport).await;
        fill(&publisher);
        let (first, second) = (publisher.clone(), publisher.clone());
        let second = {
            let mut first = pin!(first.send("first in line"));
            if poll_once(first.as_mut()).await.is_ready() {
                continue; // the connection was quicker
            }
            let second = tokio::spawn(async move { second.send("last").await });
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            second
        };
        let readers = [one, two].map(|subscriber| tokio::spawn(read_until_last(subscriber.into())));
        within(second).await.unwrap().unwrap();
        for reader in readers {
            within(reader).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_sink_sends_what_it_has_accepted_once() {
    for (transport, polls) in cases() {
        let (publisher, subscribers) = station(transport).await;
        let mut expected = fill(&publisher);
        let readers =
            subscribers.map(|subscriber| tokio::spawn(read_until_last(subscriber.into())));
        let mut sink = publisher.sink();
        within(sink.feed(Message::from("second"))).await.unwrap();
        drop_after(polls, SinkExt::<Message>::flush(&mut sink)).await;
        within(sink.send(Message::from("last"))).await.unwrap();
        expected.extend(["second".to_owned(), "last".to_owned()]);
        for reader in readers {
            let got = within(reader).await.unwrap();
            assert_eq!(got, expected, "{transport}, {polls}");
        }
    }
}

#[tokio::test]
async fn a_publisher_loses_nothing_that_is_shown() {
    for (transport, polls) in cases() {
        let context = Context::new();
        let publisher = XPubSocket::builder().context(&context).build();
        let endpoint = publisher.bind(transport).await.unwrap();
        let subscriber = XSubSocket::builder().context(&context).build();
        subscriber.connect(&endpoint).unwrap();
        for topic in ["a", "b", "c"] {
            subscriber.subscribe(topic).unwrap();
        }
        for topic in ["a", "b", "c"] {
            let shown = match drop_after(polls, publisher.recv()).await {
                Some(shown) => shown.unwrap(),
                None => within(publisher.recv()).await.unwrap(),
            };
            let expected = format!("\u{1}{topic}");
            let shown = Message::from(shown);
            assert_eq!(shown.text(), expected, "{transport}, {polls}");
        }
    }
}

#[tokio::test]
async fn sending_to_one_is_all_or_nothing() {
    for (transport, polls) in cases() {
        let context = Context::new();
        let publisher = XPubSocket::builder()
            .context(&context)
            .manual(true)
            .send_hwm(1)
            .build();
        let endpoint = publisher.bind(transport).await.unwrap();
        let subscriber = SubSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .subscribe("")
            .build();
        subscriber.connect(&endpoint).unwrap();
        let request = match within(publisher.recv()).await.unwrap() {
            SubscriberMessage::Subscribe(request) => request,
            other => unreachable!("{other:?}"),
        };
        request.accept().unwrap();
        let texts = (0..).map(|number| format!("first {number}"));
        let mut expected: Vec<_> = texts
            .take_while(|text| request.try_send(text.as_str()).is_ok())
            .collect();
        let reader = tokio::spawn(read_until_last(subscriber.into()));
        if let Some(sent) = drop_after(polls, request.send("second")).await {
            sent.unwrap();
            expected.push("second".to_owned());
        }
        within(request.send("last")).await.unwrap();
        expected.push("last".to_owned());
        let got = within(reader).await.unwrap();
        assert_eq!(got, expected, "{transport}, {polls}");
    }
}
