//! Peers that go away and come back: what was queued, and where it goes.

use std::collections::BTreeSet;
use std::time::Duration;

use wirelark::{DisconnectReason, Event, PullSocket, PushSocket};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_connecting_push_keeps_its_queue,
    a_peer_that_comes_back_is_found,
    work_of_a_worker_that_closes_goes_to_another,
);

/// A PUSH that redials quickly.
fn quick_push() -> PushSocket {
    PushSocket::builder()
        .reconnect_interval(Duration::from_millis(10))
        .reconnect_interval_max(Duration::from_millis(10))
        .build()
}

async fn a_connecting_push_keeps_its_queue(transport: Transport) {
    let place = transport.somewhere();
    let push = quick_push();
    let mut events = push.events();
    push.connect(&place).unwrap();
    for round in 0..3 {
        // The first of them are queued while nobody is there.
        for number in 0..10 {
            soon(push.send(format!("{round}/{number}"))).await.unwrap();
        }
        let pull = PullSocket::new();
        pull.bind(&place).await.unwrap();
        for number in 0..10 {
            let message = soon(pull.recv()).await.unwrap();
            assert_eq!(message.text(), format!("{round}/{number}"));
        }
        soon(pull.close()).await;
        wait_for(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        })
        .await;
    }
    assert_eq!(push.stats().dropped, 0);
    assert_eq!(push.stats().connections, 3);
}

async fn a_peer_that_comes_back_is_found(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    for round in 0..5 {
        let pull = PullSocket::new();
        pull.connect(&endpoint).unwrap();
        soon(push.send(round.to_string())).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), round.to_string());
        soon(pull.close()).await;
        until(|| push.peers().is_empty()).await;
    }
}

/// Two workers, of which one closes in the middle: what it had not been given yet goes to the
/// other, and nothing comes twice.
async fn work_of_a_worker_that_closes_goes_to_another(transport: Transport) {
    let push = PushSocket::new();
    let endpoint = push.bind(transport.anywhere()).await.unwrap();
    let (stays, leaves) = (PullSocket::new(), PullSocket::new());
    stays.connect(&endpoint).unwrap();
    leaves.connect(&endpoint).unwrap();
    until(|| push.peers().len() == 2).await;
    let sender = tokio::spawn({
        let push = push.clone();
        async move {
            for number in 0..2_000 {
                push.send(number.to_string()).await.unwrap();
            }
        }
    });
    let number = |message: wirelark::Message| message.text().parse::<u32>().unwrap();
    let mut got = BTreeSet::new();
    for _ in 0..100 {
        assert!(got.insert(number(soon(leaves.recv()).await.unwrap())));
    }
    soon(leaves.close()).await;
    soon(sender).await.unwrap();
    until(|| push.peers().len() == 1).await;
    soon(push.send("2000")).await.unwrap();
    loop {
        let number = number(soon(stays.recv()).await.unwrap());
        if number == 2_000 {
            break;
        }
        assert!(got.insert(number), "{number} came twice");
    }
    // Lost is at most what the closing worker had received and not read: its half.
    assert!(got.len() >= 1_000, "{}", got.len());
}

/// A worker that takes five jobs and dies with a full queue. The other gets everything else that
/// was not in the dead one's kernel buffers, in order and once.
#[tokio::test]
async fn unsent_work_of_a_dead_worker() {
    const JOBS: u32 = 300;
    let push = PushSocket::new();
    let mut events = push.events();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut dying = RawPeer::established(&endpoint, "PULL").await;
    let body = vec![0; 1 << 17];
    for job in 0..JOBS {
        let message = vec![job.to_string().into_bytes(), body.clone()];
        soon(push.send(message)).await.unwrap();
    }
    for job in 0..5 {
        assert_eq!(dying.message().await[0], job.to_string().as_bytes());
    }
    let worker = PullSocket::new();
    worker.connect(&endpoint).unwrap();
    until(|| push.peers().len() == 2).await;
    dying.reset();
    let event = wait_for(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
    assert_matches!(
        event,
        Event::Disconnected {
            dropped: 0,
            reason: DisconnectReason::Io(_) | DisconnectReason::PeerClosed,
            ..
        }
    );
    soon(push.send("end")).await.unwrap();
    let mut jobs = Vec::new();
    loop {
        let message = soon(worker.recv()).await.unwrap();
        if message.text() == "end" {
            break;
        }
        assert_eq!(message.byte_len(), message.text().len() + (1 << 17));
        jobs.push(message.text().parse::<u32>().unwrap());
    }
    let first = jobs.first().copied().unwrap();
    assert!(first >= 5, "{first} was done by the worker that died");
    let rest: Vec<u32> = (first..JOBS).collect();
    assert_eq!(jobs, rest);
}

/// Frames of one message that were not written when the connection died go out again as a whole.
/// What the kernel had is lost: however much that is, more follows.
#[tokio::test]
async fn a_connecting_push_never_sends_half_a_message() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let push = quick_push();
    push.connect(listener.local_addr().unwrap()).unwrap();
    let message = |number: u32| {
        let number = number.to_string();
        vec![
            number.clone().into_bytes(),
            vec![7; 300_000],
            number.into_bytes(),
        ]
    };
    let sender = tokio::spawn(async move {
        for number in 0.. {
            push.send(message(number)).await.unwrap();
        }
    });
    let mut next = 0;
    for round in 0..=20 {
        let mut server = RawPeer::accept(&listener).await;
        server.greet().await;
        server.ready("PULL").await;
        for index in 0..if round < 20 { 3 } else { 50 } {
            let frames = server.message().await;
            let number: u32 = String::from_utf8_lossy(&frames[0]).parse().unwrap();
            assert_eq!(frames, message(number));
            assert!(number >= next, "{number} came twice");
            // One connection loses nothing.
            assert!(index == 0 || number == next, "{number} came after {next}");
            next = number + 1;
        }
        server.reset();
    }
    sender.abort();
}

/// After a fault of the peer the next attempt comes at the longest interval, with an event.
#[tokio::test]
async fn a_server_that_breaks_the_protocol_is_dialled_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let longest = Duration::from_millis(50);
    let push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(longest)
        .build();
    let mut events = push.events();
    push.connect(listener.local_addr().unwrap()).unwrap();
    push.send("kept").await.unwrap();
    let mut rogue = RawPeer::accept(&listener).await;
    rogue.send(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let event = wait_for(&mut events, |event| {
        matches!(event, Event::Redialing { .. })
    })
    .await;
    assert_matches!(event, Event::Redialing { retry_in, .. } if retry_in >= longest / 2);
    let mut server = RawPeer::accept(&listener).await;
    server.greet().await;
    server.ready("PULL").await;
    assert_eq!(server.frame().await.body, b"kept");
    server.send(frames::ping(b"")).await;
}

/// Over inproc what a receiver has not read is not lost with it, does not go to two of them, and
/// does not take up room for ever.
#[tokio::test]
async fn inproc_receivers_come_and_go() {
    let place = Transport::Inproc.somewhere();
    let push = PushSocket::builder().send_hwm(10).build();
    push.connect(&place).unwrap();
    for _ in 0..30 {
        let pull = PullSocket::builder().recv_hwm(10).build();
        pull.bind(&place).await.unwrap();
        while push.try_send("work").is_ok() {}
        // Takes some of them, and gives one to its user.
        soon(pull.recv()).await.unwrap();
        soon(pull.close()).await;
    }
    let old = PullSocket::builder().recv_hwm(10).build();
    old.bind(&place).await.unwrap();
    while old.try_recv().is_ok() {}
    let mut room = 0;
    while push.try_send("work").is_ok() {
        room += 1;
    }
    assert_eq!(room, 20);
    while old.try_recv().is_ok() {}
    let before = old.stats().received.messages;
    soon(push.send("for the old one")).await.unwrap();
    assert_eq!(old.stats().received.messages, before + 1);
    old.unbind(&place).unwrap();
    soon(push.send("for the new one")).await.unwrap();
    assert_eq!(soon(old.recv()).await.unwrap().text(), "for the old one");
    assert!(old.try_recv().is_err());
    let new = PullSocket::new();
    new.bind(&place).await.unwrap();
    assert_eq!(soon(new.recv()).await.unwrap().text(), "for the new one");
    assert_eq!(new.stats().received.messages, 1);
    assert_eq!(new.peers()[0].received.messages, 1);
}

/// Linger is for the network. What a socket of this process has been given it may read for ever.
#[tokio::test]
async fn inproc_messages_do_not_linger() {
    for disconnect in [true, false] {
        let pull = PullSocket::new();
        let place = Transport::Inproc.somewhere();
        pull.bind(&place).await.unwrap();
        let push = PushSocket::builder().linger(Duration::ZERO).build();
        let mut events = push.events();
        push.connect(&place).unwrap();
        for number in 0..10 {
            soon(push.send(number.to_string())).await.unwrap();
        }
        if disconnect {
            push.disconnect(&place).unwrap();
            wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
        }
        assert_eq!(soon(push.close()).await.unsent, 0);
        for number in 0..10 {
            assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
        }
    }
}
