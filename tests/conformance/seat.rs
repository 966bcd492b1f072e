//! The one seat of a PAIR under attack: many who want it, who come and go again and again, and endpoints
//! that are taken away meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use wirelark::{Endpoint, Event, PairSocket, SocketBuilder, TryRecvError, TrySendError};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    a_crowd_has_it_one_after_the_other,
    one_that_comes_and_goes_again_and_again,
    both_ends_come_and_go,
    who_wants_it_leaves_in_every_stage,
    it_is_free_after_unbind,
    it_is_free_after_disconnect,
    a_place_that_was_promised_at_one_is_had_at_the_next,
    a_full_peer_that_leaves_lets_the_next_one_have_what_waits,
    two_that_dial_each_other_do_not_spin,
);

fn hasty() -> SocketBuilder<PairSocket> {
    PairSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .reconnect_interval_max(Duration::from_millis(20))
}

async fn seated(pair: &PairSocket) {
    until(|| pair.peers().len() == 1).await;
}

/// Each says its name until it is heard, all of what it says, before the next one is.
async fn a_crowd_has_it_one_after_the_other(transport: Transport) {
    const CROWD: usize = 12;
    const WORDS: usize = 50;
    let bound = PairSocket::new();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let crowd: Vec<_> = (0..CROWD)
        .map(|who| {
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                let pair = hasty().build();
                pair.connect(&endpoint).unwrap();
                for word in 0..WORDS {
                    pair.send([who.to_string(), word.to_string()])
                        .await
                        .unwrap();
                }
                // It leaves when it has been answered: by its own name.
                let answer = pair.recv().await.unwrap();
                assert_eq!(answer.text(), who.to_string());
                assert_eq!(pair.close().await.unsent, 0);
            })
        })
        .collect();
    let mut heard = HashSet::new();
    for _ in 0..CROWD {
        let first = soon(bound.recv()).await.unwrap();
        let who = first.text().into_owned();
        for word in 1..WORDS {
            assert_eq!(
                soon(bound.recv()).await.unwrap(),
                [who.as_str(), &word.to_string()]
            );
        }
        assert!(heard.insert(who.clone()), "{who} was heard twice");
        soon(bound.send(who)).await.unwrap();
    }
    for one in crowd {
        soon(one).await.unwrap();
    }
    until(|| bound.peers().is_empty()).await;
    assert_matches!(bound.try_recv(), Err(TryRecvError::Empty));
}

async fn one_that_comes_and_goes_again_and_again(transport: Transport) {
    let bound = PairSocket::new();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let pair = hasty().build();
    for round in 0..40 {
        pair.connect(&endpoint).unwrap();
        soon(pair.send(round.to_string())).await.unwrap();
        assert_eq!(soon(bound.recv()).await.unwrap(), round.to_string());
        soon(bound.send(round.to_string())).await.unwrap();
        assert_eq!(soon(pair.recv()).await.unwrap(), round.to_string());
        pair.disconnect(&endpoint).unwrap();
        until(|| pair.peers().is_empty() && bound.peers().is_empty()).await;
        assert_matches!(bound.try_send("nobody"), Err(TrySendError::Full(_)));
    }
    assert_eq!((pair.stats().dropped, bound.stats().dropped), (0, 0));
}

/// The bound end is another socket each time; what the connecting end had sent before arrives.
async fn both_ends_come_and_go(transport: Transport) {
    let place = transport.somewhere();
    let pair = hasty().build();
    pair.connect(&place).unwrap();
    for round in 0..15 {
        soon(pair.send(round.to_string())).await.unwrap();
        let bound = PairSocket::new();
        bound.bind(&place).await.unwrap();
        assert_eq!(soon(bound.recv()).await.unwrap(), round.to_string());
        soon(bound.send(round.to_string())).await.unwrap();
        assert_eq!(soon(pair.recv()).await.unwrap(), round.to_string());
        soon(bound.close()).await;
        until(|| pair.peers().is_empty()).await;
    }
}

/// Whatever becomes of those in line and in their handshake, the seat is not lost with one of them.
async fn who_wants_it_leaves_in_every_stage(transport: Transport) {
    let bound = PairSocket::new();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    for round in 0..3 {
        let leaving: Vec<_> = (0..40)
            .map(|turns| {
                let endpoint = endpoint.clone();
                tokio::spawn(async move {
                    let pair = hasty().build();
                    pair.connect(&endpoint).unwrap();
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                    if turns % 2 == 0 {
                        pair.close().await;
                    } else if turns % 3 == 0 {
                        pair.disconnect(&endpoint).unwrap();
                    }
                })
            })
            .collect();
        for one in leaving {
            soon(one).await.unwrap();
        }
        let honest = hasty().build();
        honest.connect(&endpoint).unwrap();
        soon(honest.send(round.to_string())).await.unwrap();
        assert_eq!(soon(bound.recv()).await.unwrap(), round.to_string());
        soon(honest.close()).await;
        until(|| bound.peers().is_empty()).await;
    }
}

async fn swap(bound: &PairSocket, other: &PairSocket, text: &str) {
    soon(other.send(text)).await.unwrap();
    assert_eq!(soon(bound.recv()).await.unwrap(), text);
    soon(bound.send(text)).await.unwrap();
    assert_eq!(soon(other.recv()).await.unwrap(), text);
}

async fn it_is_free_after_unbind(transport: Transport) {
    let bound = PairSocket::new();
    let first: Endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let second = bound.bind(transport.anywhere()).await.unwrap();
    let (one, other) = (hasty().build(), hasty().build());
    one.connect(&first).unwrap();
    seated(&bound).await;
    other.connect(&second).unwrap();
    soon(other.send("later")).await.unwrap();
    swap(&bound, &one, "first").await;
    bound.unbind(&first).unwrap();
    assert_eq!(soon(bound.recv()).await.unwrap(), "later");
    swap(&bound, &other, "second").await;
}

/// A connecting end gives its seat up, and one that has been bound meanwhile has it next.
async fn it_is_free_after_disconnect(transport: Transport) {
    let pair = hasty().build();
    let nowhere = transport.somewhere();
    pair.connect(&nowhere).unwrap();
    let endpoint = pair.bind(transport.anywhere()).await.unwrap();
    let mut events = pair.events();
    let other = hasty().build();
    other.connect(&endpoint).unwrap();
    wait_for(&mut events, |event| {
        matches!(event, Event::HandshakeFailed { .. })
    })
    .await;
    // What is meant for one goes to nobody else.
    soon(pair.send("for nobody")).await.unwrap();
    pair.options().set_linger(Duration::ZERO);
    pair.disconnect(&nowhere).unwrap();
    swap(&pair, &other, "hello").await;
    assert_matches!(other.try_recv(), Err(TryRecvError::Empty));
    until(|| pair.stats().drops.departed == 1).await;
}

/// What is sent when the first has left is for whoever comes next, also where the place was had before.
async fn a_place_that_was_promised_at_one_is_had_at_the_next(transport: Transport) {
    let bound = PairSocket::builder().send_hwm(1).build();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let first = PairSocket::new();
    first.connect(&endpoint).unwrap();
    let permit = soon(bound.reserve()).await.unwrap();
    soon(first.close()).await;
    until(|| bound.peers().is_empty()).await;
    permit.send("for whoever comes");
    let next = PairSocket::new();
    next.connect(&endpoint).unwrap();
    assert_eq!(soon(next.recv()).await.unwrap(), "for whoever comes");
    swap(&bound, &next, "hello").await;
    assert_eq!(bound.stats().dropped, 0);
}

/// A sender that waits for room at the first is not lost with it.
async fn a_full_peer_that_leaves_lets_the_next_one_have_what_waits(transport: Transport) {
    let bound = PairSocket::builder().send_hwm(2).build();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let first = PairSocket::builder().recv_hwm(2).build();
    first.connect(&endpoint).unwrap();
    seated(&bound).await;
    while bound.try_send(vec![0; 1 << 18]).is_ok() {
        tokio::task::yield_now().await;
    }
    let mut waiting = Vec::new();
    for number in 0..5 {
        let (bound, text) = (bound.clone(), number.to_string());
        waiting.push((
            text.clone(),
            tokio::spawn(async move { bound.send(["waited", &text]).await }),
        ));
    }
    first.options().set_linger(Duration::ZERO);
    soon(first.close()).await;
    until(|| bound.peers().is_empty()).await;
    // The kernel may have made room for some of them before.
    let late = waiting.iter().filter(|(_, sent)| !sent.is_finished());
    let late: HashSet<_> = late.map(|(text, _)| text.clone()).collect();
    let next = PairSocket::new();
    next.connect(&endpoint).unwrap();
    let send_last = async {
        for (_, sent) in waiting {
            soon(sent).await.unwrap().unwrap();
        }
        soon(bound.send(["waited", "last"])).await.unwrap();
    };
    let listen = async {
        let mut heard = HashSet::new();
        while !heard.contains("last") {
            let message = soon(next.recv()).await.unwrap();
            assert_eq!(message.text(), "waited", "what was meant for the first");
            let text = String::from_utf8(message[1].to_vec()).unwrap();
            assert!(heard.insert(text), "twice: {message:?}");
        }
        heard
    };
    let ((), heard) = futures::future::join(send_last, listen).await;
    assert!(late.is_subset(&heard), "{late:?}, {heard:?}");
}

/// Each has given its seat to the other's endpoint, so over a network none is let in, as in libzmq. They
/// talk when one of them stops to dial.
async fn two_that_dial_each_other_do_not_spin(transport: Transport) {
    let (left, right) = (hasty().build(), hasty().build());
    let (mut at_the_left, mut at_the_right) = (left.events(), right.events());
    let at_left = left.bind(transport.anywhere()).await.unwrap();
    let at_right = right.bind(transport.anywhere()).await.unwrap();
    left.connect(&at_right).unwrap();
    right.connect(&at_left).unwrap();
    if transport == Transport::Inproc {
        // The first of the two has found the other's seat free.
        return swap(&right, &left, "at once").await;
    }
    let refused = |event: &Event| matches!(event, Event::HandshakeFailed { .. });
    wait_for(&mut at_the_left, refused).await;
    wait_for(&mut at_the_right, refused).await;
    assert!(left.peers().is_empty() && right.peers().is_empty());
    right.disconnect(&at_left).unwrap();
    swap(&right, &left, "at last").await;
    soon(left.close()).await;
    soon(right.close()).await;
}
