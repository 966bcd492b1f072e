//! Who gets a message, and whose turn it is: round robin out, fair queue in.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::mpsc;
use wirelark::{Message, PullSocket, PushSocket, TrySendError};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    work_is_dealt_evenly,
    peers_are_read_in_turn,
    a_multipart_message_is_one_turn,
    push_waits_for_a_peer,
    push_waits_for_room,
    immediate_queues_for_connected_peers_only,
    immediate_ends_with_the_connection,
    what_a_leaving_worker_gets_is_whole,
    a_body_may_use_its_socket_when_it_is_dropped,
);

async fn work_is_dealt_evenly(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let pulls: Vec<PullSocket> = (0..3)
        .map(|_| {
            let pull = PullSocket::new();
            pull.connect(&endpoint).unwrap();
            pull
        })
        .collect();
    until(|| push.peers().len() == 3).await;
    for number in 0..300 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    for pull in &pulls {
        let mut last: Option<u32> = None;
        for _ in 0..100 {
            let number = soon(pull.recv()).await.unwrap().text().parse().unwrap();
            // Every third one.
            assert!(
                last.is_none_or(|last| number == last + 3),
                "{last:?} {number}"
            );
            last = Some(number);
        }
    }
}

/// A hundred of each lie there. Once the last of them has been noticed, each three that are read
/// are one of each.
async fn peers_are_read_in_turn(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let mut pushes = Vec::new();
    for name in ["a", "b", "c"] {
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        for _ in 0..100 {
            soon(push.send(name)).await.unwrap();
        }
        pushes.push(push);
    }
    until(|| pull.stats().received.messages == 300).await;
    let mut noticed = BTreeMap::new();
    while noticed.len() < 3 {
        let name = soon(pull.recv()).await.unwrap().text().into_owned();
        *noticed.entry(name).or_insert(0) += 1;
    }
    // A counter may be read a moment before the queue hears of what it counts, no longer.
    assert!(noticed.values().all(|count| *count < 30), "{noticed:?}");
    for round in 0..70 {
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(soon(pull.recv()).await.unwrap().text().into_owned());
        }
        names.sort();
        assert_eq!(names, ["a", "b", "c"], "in round {round}");
    }
}

async fn a_multipart_message_is_one_turn(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let mut pushes = Vec::new();
    for name in ["a", "b"] {
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        for _ in 0..50 {
            soon(push.send([name, name, name])).await.unwrap();
        }
        pushes.push(push);
    }
    let mut count = BTreeMap::new();
    for _ in 0..100 {
        let message = soon(pull.recv()).await.unwrap();
        let name = message.text().into_owned();
        assert!(message.frames().all(|frame| frame == name.as_bytes()));
        assert_eq!(message.len(), 3);
        *count.entry(name).or_insert(0) += 1;
    }
    assert_eq!(count, BTreeMap::from([("a".into(), 50), ("b".into(), 50)]));
}

async fn push_waits_for_a_peer(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    match push.try_send(["kept", "whole"]) {
        Err(TrySendError::Full(message)) => assert_eq!(message.len(), 2),
        other => panic!("{other:?}"),
    }
    let mut waiting = Box::pin(push.send("patience"));
    assert!((&mut waiting).now_or_never().is_none());
    let pull = PullSocket::new();
    pull.connect(&endpoint).unwrap();
    soon(waiting).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "patience");
}

/// Messages that are large, so that the kernel's buffers hold few of them.
async fn push_waits_for_room(transport: Transport) {
    let pull = PullSocket::builder().recv_hwm(4).build();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::builder().send_hwm(4).build();
    push.connect(&endpoint).unwrap();
    until(|| push.peers().len() == 1).await;
    let body = |number: u32| vec![number.to_string().into_bytes(), vec![0; 1 << 17]];
    let mut sent = 0;
    loop {
        match push.try_send(body(sent)) {
            Ok(()) => sent += 1,
            Err(TrySendError::Full(message)) => {
                assert_eq!(message.text(), sent.to_string());
                break;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((4..1_000).contains(&sent), "{sent}");
    // The kernel may still be swallowing, but not for ever.
    let waiting = loop {
        let mut waiting = Box::pin(push.send(body(sent)));
        match (&mut waiting).now_or_never() {
            None => break waiting,
            Some(result) => result.unwrap(),
        }
        sent += 1;
        assert!(sent < 1_000);
    };
    let drain = async {
        for number in 0..=sent {
            let message = soon(pull.recv()).await.unwrap();
            assert_eq!(message.text(), number.to_string());
        }
    };
    let (waited, ()) = futures::future::join(soon(waiting), drain).await;
    waited.unwrap();
    assert_matches!(pull.try_recv(), Err(wirelark::TryRecvError::Empty));
}

/// By default messages are dealt to a peer that is not there, too.
async fn immediate_queues_for_connected_peers_only(transport: Transport) {
    let push = PushSocket::builder().immediate(true).build();
    push.connect(transport.somewhere()).unwrap();
    assert_matches!(push.try_send("nobody"), Err(TrySendError::Full(_)));
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    push.connect(&endpoint).unwrap();
    for number in 0..10 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    for number in 0..10 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }

    let push = PushSocket::builder().linger(Duration::ZERO).build();
    push.connect(transport.somewhere()).unwrap();
    push.connect(&endpoint).unwrap();
    until(|| push.peers().len() == 1).await;
    for number in 0..10 {
        soon(push.send(number.to_string())).await.unwrap();
    }
    for _ in 0..5 {
        soon(pull.recv()).await.unwrap();
    }
    // The others wait for who is not there.
    assert_matches!(pull.try_recv(), Err(wirelark::TryRecvError::Empty));
    assert_eq!(soon(push.close()).await.unsent, 5);
}

/// No peer, no queue; and the next one gets what comes after it is there.
async fn immediate_ends_with_the_connection(transport: Transport) {
    let place = transport.somewhere();
    let push = PushSocket::builder()
        .immediate(true)
        .reconnect_interval(Duration::from_millis(10))
        .build();
    push.connect(&place).unwrap();
    for round in 0..3 {
        assert_matches!(push.try_send("nobody"), Err(TrySendError::Full(_)));
        let pull = PullSocket::new();
        pull.bind(&place).await.unwrap();
        soon(push.send(round.to_string())).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), round.to_string());
        soon(pull.close()).await;
        until(|| push.peers().is_empty()).await;
    }
}

/// Messages of several frames, larger than any buffer on the way, to a worker that leaves in the
/// middle and comes back: whatever is lost is lost as a whole.
async fn what_a_leaving_worker_gets_is_whole(transport: Transport) {
    let large = vec![7; 8 << 20];
    let message = |name: &str, frames: usize| {
        let mut parts = vec![name.as_bytes().to_vec(); frames - 1];
        parts.push(large.clone());
        Message::from(parts)
    };
    let push = PushSocket::builder().send_hwm(1).build();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let pull = PullSocket::builder().recv_hwm(1).build();
    pull.connect(&endpoint).unwrap();
    soon(push.send(message("0", 3))).await.unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap(), message("0", 3));

    soon(push.send("1")).await.unwrap();
    soon(push.send(message("2", 3))).await.unwrap();
    pull.disconnect(&endpoint).unwrap();
    pull.connect(&endpoint).unwrap();
    let (third, fourth, last) = (message("3", 4), message("4", 3), message("5", 2));
    let sender = tokio::spawn(async move {
        for message in [third, fourth] {
            push.send(message).await.unwrap();
        }
        // The connection that ends may get, and lose, more than one of them.
        loop {
            push.send(&last).await.unwrap();
        }
    });
    loop {
        let got = soon(pull.recv()).await.unwrap();
        let name = got.text().into_owned();
        match name.as_str() {
            "1" => assert_eq!(got, Message::from("1")),
            "2" | "4" => assert_eq!(got, message(&name, 3)),
            "3" => assert_eq!(got, message(&name, 4)),
            "5" => {
                assert_eq!(got, message(&name, 2));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    sender.abort();
}

/// A body that the user keeps elsewhere.
struct Lent {
    bytes: Vec<u8>,
    socket: PushSocket,
    dropped: mpsc::Sender<u64>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Takes every lock that the socket has.
        let sent = self.socket.stats().sent.messages;
        drop(self.socket.try_send("from a drop"));
        self.dropped.try_send(sent).ok();
    }
}

async fn a_body_may_use_its_socket_when_it_is_dropped(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(endpoint).unwrap();
    let (dropped, mut drops) = mpsc::channel(3);
    for size in [3_000, 10_000, 100_000] {
        let lent = Lent {
            bytes: vec![7; size],
            socket: push.clone(),
            dropped: dropped.clone(),
        };
        soon(push.send(Bytes::from_owner(lent))).await.unwrap();
        let message = soon(pull.recv()).await.unwrap();
        assert_eq!(message.byte_len(), size);
        drop(message);
        soon(drops.recv()).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), "from a drop");
    }
}
