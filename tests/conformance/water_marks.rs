//! How many messages fit between two sockets. Over the network the kernel's buffers come on top, so
//! the exact figures are those of inproc.

use wirelark::{Event, PubSocket, PullSocket, PushSocket, SocketBuilder, SubSocket, TrySendError};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    peers_that_left_keep_no_more_than_one_that_stays,
    a_burst_within_the_mark_arrives,
    a_mark_is_no_quota,
);

/// A publisher never waits, and what its mark allows is not lost either, however slow the way is.
async fn a_burst_within_the_mark_arrives(transport: Transport) {
    for (mark, under_way) in [(100, false), (1_000, false), (100, true), (1_000, true)] {
        let publisher = PubSocket::new();
        let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
        let subscriber = SubSocket::new();
        subscriber.connect(&endpoint).unwrap();
        if under_way {
            until(|| publisher.peers().len() == 1).await;
        }
        publisher.options().set_send_hwm(mark);
        subscriber.subscribe("").unwrap();
        soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
        for number in 0..mark {
            publisher.try_send(number.to_string()).unwrap();
        }
        for number in 0..mark {
            let message = soon(subscriber.recv()).await.unwrap();
            assert_eq!(message.text(), number.to_string());
        }
        assert_eq!(publisher.stats().dropped, 0);
    }
}

/// What has been read makes room for as much again.
async fn a_mark_is_no_quota(transport: Transport) {
    let publisher = PubSocket::builder().send_hwm(11_024).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().recv_hwm(11_024).subscribe("").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    for burst in [9_999, 1_100, 11_024] {
        for number in 0..burst {
            publisher.try_send(number.to_string()).unwrap();
        }
        for number in 0..burst {
            let message = soon(subscriber.recv()).await.unwrap();
            assert_eq!(message.text(), number.to_string());
        }
    }
    assert_eq!(publisher.stats().dropped, 0);
}

/// How many messages go in before there is no room, and that as many come out.
async fn fits(
    push: SocketBuilder<PushSocket>,
    pull: SocketBuilder<PullSocket>,
    bind_first: bool,
) -> usize {
    let place = Transport::Inproc.somewhere();
    let (push, pull) = (push.build(), pull.build());
    if bind_first {
        pull.bind(&place).await.unwrap();
    }
    push.connect(&place).unwrap();
    if !bind_first {
        pull.bind(&place).await.unwrap();
    }
    let mut count = 0;
    while count < 50_000 && push.try_send(count.to_string()).is_ok() {
        count += 1;
    }
    for number in 0..count {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    assert!(pull.try_recv().is_err());
    // There is room again.
    push.try_send("one more").unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "one more");
    count
}

#[tokio::test]
async fn inproc_holds_what_both_ends_allow() {
    let (push, pull) = (PushSocket::builder, PullSocket::builder);
    for bind_first in [true, false] {
        assert_eq!(fits(push(), pull(), bind_first).await, 2_000);
        assert_eq!(
            fits(push().send_hwm(1), pull().recv_hwm(1), bind_first).await,
            2
        );
        assert_eq!(
            fits(push().send_hwm(3), pull().recv_hwm(4), bind_first).await,
            7
        );
        assert_eq!(
            fits(push().send_hwm(None), pull(), bind_first).await,
            50_000
        );
        assert_eq!(
            fits(push(), pull().recv_hwm(None), bind_first).await,
            50_000
        );
        for (send, recv) in [(0, 0), (1, 0), (0, 1)] {
            let (push, pull) = (push().send_hwm(send), pull().recv_hwm(recv));
            assert_eq!(fits(push, pull, bind_first).await, 50_000);
        }
    }
}

/// Where it is the sender that is bound, and the marks are other ones than those it was made with.
#[tokio::test]
async fn inproc_holds_as_much_for_a_sender_that_binds() {
    let ends = async |send, recv| {
        let place = Transport::Inproc.somewhere();
        let (push, pull) = (PushSocket::new(), PullSocket::new());
        push.options().set_send_hwm(send);
        pull.options().set_recv_hwm(recv);
        pull.connect(&place).unwrap();
        push.bind(&place).await.unwrap();
        (push, pull)
    };
    let fill = |push: &PushSocket, from: usize| {
        let mut count = 0;
        while push.try_send((from + count).to_string()).is_ok() {
            count += 1;
        }
        count
    };
    let (push, _pull) = ends(2, 2).await;
    assert_eq!((push.options().send_hwm(), fill(&push, 0)), (Some(2), 4));
    let (push, _pull) = ends(1, 1).await;
    push.options().set_send_hwm(5);
    assert_eq!((push.options().send_hwm(), fill(&push, 0)), (Some(5), 6));
    // A lower mark takes nothing away from what is queued.
    let (push, pull) = ends(100, 1).await;
    assert_eq!(fill(&push, 0), 101);
    push.options().set_send_hwm(70);
    assert_eq!((push.options().send_hwm(), fill(&push, 0)), (Some(70), 0));
    for number in 0..101 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    assert!(pull.try_recv().is_err());
    assert_eq!(fill(&push, 101), 71);
}

/// Before somebody binds, only the connecting end's own mark counts.
#[tokio::test]
async fn inproc_before_the_bind() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm(5).build();
    push.connect(&place).unwrap();
    let mut count = 0;
    while push.try_send("x").is_ok() {
        count += 1;
    }
    assert_eq!(count, 5);
    let pull = PullSocket::builder().recv_hwm(7).build();
    pull.bind(&place).await.unwrap();
    while push.try_send("x").is_ok() {
        count += 1;
    }
    assert_eq!(count, 12);
}

/// A socket that is gone before anybody binds leaves what it was allowed to queue.
#[tokio::test]
async fn inproc_closed_before_the_bind() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm(3).build();
    push.connect(&place).unwrap();
    while push.try_send("left").is_ok() {}
    drop(push);
    let pull = PullSocket::builder().recv_hwm(None).build();
    pull.bind(&place).await.unwrap();
    for _ in 0..3 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "left");
    }
    assert!(pull.try_recv().is_err());
}

/// The mark in bytes; one message that is larger still passes when nothing else is there.
#[tokio::test]
async fn bytes_count_as_well() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm_bytes(10_000).build();
    let pull = PullSocket::builder().recv_hwm_bytes(10_000).build();
    pull.bind(&place).await.unwrap();
    push.connect(&place).unwrap();
    push.try_send(vec![0; 100_000]).unwrap();
    assert_matches!(push.try_send("x"), Err(TrySendError::Full(_)));
    assert_eq!(soon(pull.recv()).await.unwrap().byte_len(), 100_000);
    let mut count = 0;
    while push.try_send(vec![0; 991]).is_ok() {
        count += 1;
    }
    // 991 bytes and a header of nine.
    assert_eq!(count, 20);
}

/// A multipart message counts once.
#[tokio::test]
async fn messages_count_not_frames() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm(2).build();
    let pull = PullSocket::builder().recv_hwm(2).build();
    pull.bind(&place).await.unwrap();
    push.connect(&place).unwrap();
    let mut count = 0;
    while push.try_send(["a", "b", "c"]).is_ok() {
        count += 1;
    }
    assert_eq!(count, 4);
}

/// A full subscriber loses what is published; the others and the publisher do not notice.
#[tokio::test]
async fn a_publisher_drops_for_a_full_subscriber() {
    let place = Transport::Inproc.somewhere();
    let publisher = PubSocket::builder().send_hwm(5).build();
    publisher.bind(&place).await.unwrap();
    let slow = SubSocket::builder().recv_hwm(5).subscribe("").build();
    let fast = SubSocket::builder().recv_hwm(None).subscribe("").build();
    slow.connect(&place).unwrap();
    fast.connect(&place).unwrap();
    soon(publisher.wait_for_subscribers("", 2)).await.unwrap();
    for number in 0..100 {
        publisher.try_send(number.to_string()).unwrap();
    }
    assert_eq!(publisher.stats().dropped, 90);
    let mut dropped: Vec<u64> = publisher.peers().iter().map(|peer| peer.dropped).collect();
    dropped.sort_unstable();
    assert_eq!(dropped, [0, 90]);
    for number in 0..100 {
        assert_eq!(soon(fast.recv()).await.unwrap().text(), number.to_string());
    }
    for number in 0..10 {
        assert_eq!(soon(slow.recv()).await.unwrap().text(), number.to_string());
    }
    assert!(slow.try_recv().is_err());
    // There is room again.
    publisher.try_send("later").unwrap();
    assert_eq!(soon(slow.recv()).await.unwrap().text(), "later");
}

/// Who sends, leaves and comes back as somebody else fills no memory; what had to go is told.
async fn peers_that_left_keep_no_more_than_one_that_stays(transport: Transport) {
    const PEERS: usize = 20;
    let pull = PullSocket::builder().recv_hwm_bytes(2_000).build();
    let mut events = pull.events();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let mut dropped = 0;
    for number in 0..PEERS {
        let push = PushSocket::builder().send_hwm_bytes(2_000).build();
        push.connect(&endpoint).unwrap();
        let mut message = vec![0; 1_000];
        message[0] = number as u8;
        soon(push.send(message)).await.unwrap();
        assert_eq!(soon(push.close()).await.unsent, 0);
        let gone = wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
        match gone {
            Event::Disconnected { dropped: now, .. } => dropped += now as usize,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pull.stats().dropped, dropped as u64);
    let mut rest = Vec::new();
    while let Ok(message) = pull.try_recv() {
        rest.push(usize::from(message.first()[0]));
    }
    // A pipe within a process has both sides' marks.
    assert!((1..=4).contains(&rest.len()), "{rest:?}");
    let last: Vec<usize> = (PEERS - rest.len()..PEERS).collect();
    assert_eq!(rest, last, "the first that left had to go");
    assert_eq!(dropped, PEERS - rest.len());
}
