//! `conflate`: of what waits in a queue only the newest message counts.

use wirelark::{PubSocket, PullSocket, PushSocket, SubSocket, TryRecvError};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    pull_reads_the_newest_message,
    push_keeps_the_newest_message,
    sub_reads_the_newest_message_whatever_its_topic,
    pub_keeps_the_newest_message_for_each_subscriber,
    all_is_read_by_who_keeps_up,
);

/// Well above the high-water mark.
const COUNT: usize = 3_000;

/// More than one frame, large and small.
fn message(number: usize) -> Vec<Vec<u8>> {
    vec![number.to_string().into_bytes(), vec![0; number % 5_000]]
}

#[track_caller]
fn assert_newest(message: &wirelark::Message) {
    let number = COUNT - 1;
    assert_eq!(
        (message.len(), message.text()),
        (2, number.to_string().into())
    );
    assert_eq!(message.frame(1).map(<[u8]>::len), Some(number % 5_000));
}

async fn pull_reads_the_newest_message(transport: Transport) {
    let pull = PullSocket::builder().conflate(true).recv_hwm(1).build();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    for number in 0..COUNT {
        soon(push.send(message(number))).await.unwrap();
    }
    until(|| pull.stats().received.messages == COUNT as u64).await;
    assert_newest(&soon(pull.recv()).await.unwrap());
    assert_matches!(pull.try_recv(), Err(TryRecvError::Empty));
    // Nothing was too much for anybody.
    let stats = pull.stats();
    assert_eq!((stats.drops.full, stats.drops.outdated), (0, stats.dropped));
}

async fn push_keeps_the_newest_message(transport: Transport) {
    let push = PushSocket::builder().conflate(true).build();
    let endpoint = transport.somewhere();
    push.connect(&endpoint).unwrap();
    for number in 0..COUNT {
        push.try_send(message(number)).unwrap();
    }
    let stats = push.stats();
    assert_eq!(stats.dropped, COUNT as u64 - 1);
    assert_eq!((stats.drops.full, stats.drops.outdated), (0, stats.dropped));
    let pull = PullSocket::new();
    pull.bind(&endpoint).await.unwrap();
    assert_newest(&soon(pull.recv()).await.unwrap());
    assert_matches!(pull.try_recv(), Err(TryRecvError::Empty));
    soon(push.send("last")).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "last");
}

async fn sub_reads_the_newest_message_whatever_its_topic(transport: Transport) {
    let publisher = PubSocket::builder().send_hwm(None).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    // Several subscriptions, all of which have to arrive.
    let sub = SubSocket::builder().conflate(true);
    let topics = (0..10).map(|digit| digit.to_string());
    let sub = topics.fold(sub, |sub, topic| sub.subscribe(topic)).build();
    sub.connect(&endpoint).unwrap();
    for digit in 0..10 {
        soon(publisher.wait_for_subscribers(digit.to_string(), 1))
            .await
            .unwrap();
    }
    for number in 0..COUNT {
        soon(publisher.send(message(number))).await.unwrap();
    }
    until(|| sub.stats().received.messages == COUNT as u64).await;
    assert_newest(&soon(sub.recv()).await.unwrap());
    assert_matches!(sub.try_recv(), Err(TryRecvError::Empty));
}

async fn pub_keeps_the_newest_message_for_each_subscriber(transport: Transport) {
    let publisher = PubSocket::builder().conflate(true).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subs = [(); 2].map(|()| SubSocket::builder().subscribe("").build());
    for sub in &subs {
        sub.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("", 2)).await.unwrap();
    for number in 0..COUNT {
        soon(publisher.send(message(number))).await.unwrap();
    }
    for sub in &subs {
        // Some of those before it were written before it came.
        let mut received = soon(sub.recv()).await.unwrap();
        let mut last = None;
        while received.text() != (COUNT - 1).to_string() {
            let number: usize = received.text().parse().unwrap();
            assert!(last.is_none_or(|last| last < number));
            last = Some(number);
            received = soon(sub.recv()).await.unwrap();
        }
        assert_newest(&received);
        assert_matches!(sub.try_recv(), Err(TryRecvError::Empty));
    }
}

async fn all_is_read_by_who_keeps_up(transport: Transport) {
    let pull = PullSocket::builder().conflate(true).build();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::builder().conflate(true).build();
    push.connect(&endpoint).unwrap();
    for number in 0..200 {
        soon(push.send(message(number))).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    assert_eq!(pull.stats().dropped + push.stats().dropped, 0);
}
