//! DEALER: out in turn, in by turns, and nothing put in front.

use std::collections::BTreeMap;

use futures::{FutureExt, SinkExt, StreamExt};
use wirelark::{DealerSocket, Message, RepSocket, TrySendError};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    both_ways_at_once,
    frames_are_left_alone,
    questions_are_dealt_evenly,
    answers_are_read_in_turn,
    a_rep_answers_behind_the_envelope,
    it_queues_for_whom_it_connects_to,
    immediate_queues_for_connected_peers_only,
    sink_and_stream,
);

async fn pair(transport: Transport) -> (DealerSocket, DealerSocket) {
    let bound = DealerSocket::new();
    let endpoint = bound.bind(transport.anywhere()).await.unwrap();
    let connected = DealerSocket::new();
    connected.connect(&endpoint).unwrap();
    (bound, connected)
}

async fn both_ways_at_once(transport: Transport) {
    async fn run(dealer: DealerSocket) {
        let send = async {
            for number in 0..1_000 {
                soon(dealer.send(number.to_string())).await.unwrap();
            }
        };
        let recv = async {
            for number in 0..1_000 {
                assert_eq!(
                    soon(dealer.recv()).await.unwrap().text(),
                    number.to_string()
                );
            }
        };
        tokio::join!(send, recv);
    }
    let (one, other) = pair(transport).await;
    tokio::join!(run(one), run(other));
}

async fn frames_are_left_alone(transport: Transport) {
    let (one, other) = pair(transport).await;
    for message in [
        Message::from(""),
        Message::from(["", ""]),
        Message::from(["", "x"]),
        Message::from(["", "", "x", ""]),
    ] {
        soon(other.send(&message)).await.unwrap();
        assert_eq!(soon(one.recv()).await.unwrap(), message);
        soon(one.send(&message)).await.unwrap();
        assert_eq!(soon(other.recv()).await.unwrap(), message);
    }
}

async fn questions_are_dealt_evenly(transport: Transport) {
    let dealer = DealerSocket::new();
    let endpoint = dealer.bind(transport.anywhere()).await.unwrap();
    let peers = [(); 3].map(|()| {
        let peer = DealerSocket::new();
        peer.connect(&endpoint).unwrap();
        peer
    });
    until(|| dealer.peers().len() == 3).await;
    for number in 0..300 {
        soon(dealer.send(number.to_string())).await.unwrap();
    }
    for peer in &peers {
        let mut numbers = Vec::new();
        for _ in 0..100 {
            let number: u32 = soon(peer.recv()).await.unwrap().text().parse().unwrap();
            numbers.push(number);
        }
        assert!(
            numbers.windows(2).all(|two| two[1] == two[0] + 3),
            "{numbers:?}"
        );
    }
}

async fn answers_are_read_in_turn(transport: Transport) {
    let dealer = DealerSocket::new();
    let endpoint = dealer.bind(transport.anywhere()).await.unwrap();
    let mut peers = Vec::new();
    for name in ["a", "b", "c"] {
        let peer = DealerSocket::new();
        peer.connect(&endpoint).unwrap();
        for _ in 0..100 {
            soon(peer.send(name)).await.unwrap();
        }
        peers.push(peer);
    }
    until(|| dealer.stats().received.messages == 300).await;
    let mut noticed = BTreeMap::new();
    while noticed.len() < 3 {
        let name = soon(dealer.recv()).await.unwrap().text().into_owned();
        *noticed.entry(name).or_insert(0) += 1;
    }
    // A counter may be read a moment before the queue hears of what it counts, no longer.
    assert!(noticed.values().all(|count| *count < 30), "{noticed:?}");
    for round in 0..70 {
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(soon(dealer.recv()).await.unwrap().text().into_owned());
        }
        names.sort();
        assert_eq!(names, ["a", "b", "c"], "in round {round}");
    }
}

async fn a_rep_answers_behind_the_envelope(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    // No request: passed over.
    soon(dealer.send("no delimiter")).await.unwrap();
    let envelopes: [&[&str]; 4] = [&[""], &["near", ""], &["far", "near", ""], &["", ""]];
    for envelope in envelopes {
        let message = [envelope, &["question"]].concat();
        soon(dealer.send(message)).await.unwrap();
    }
    for envelope in envelopes {
        let request = soon(rep.recv()).await.unwrap();
        // All up to the first empty frame is the envelope; what follows is the user's, empty or not.
        let body: &[&str] = match envelope {
            ["", ""] => &["", "question"],
            _ => &["question"],
        };
        assert_eq!(request.message(), &Message::from(body.to_vec()));
        request.reply(["re", "question"]).await.unwrap();
        let kept = &envelope[..envelope.len() + 1 - body.len()];
        let answer = [kept, &["re", "question"]].concat();
        assert_eq!(soon(dealer.recv()).await.unwrap(), Message::from(answer));
    }
}

async fn it_queues_for_whom_it_connects_to(transport: Transport) {
    let dealer = DealerSocket::builder().send_hwm(2).build();
    let endpoint = transport.somewhere();
    assert_matches!(dealer.try_send("nobody"), Err(TrySendError::Full(_)));
    let mut waiting = Box::pin(dealer.send("one"));
    assert!((&mut waiting).now_or_never().is_none());
    dealer.connect(endpoint.as_str()).unwrap();
    soon(waiting).await.unwrap();
    dealer.try_send("two").unwrap();
    assert_matches!(dealer.try_send("three"), Err(TrySendError::Full(_)));
    let peer = DealerSocket::new();
    peer.bind(endpoint.as_str()).await.unwrap();
    for text in ["one", "two"] {
        assert_eq!(soon(peer.recv()).await.unwrap().text(), text);
    }
    soon(peer.close()).await;
    dealer.try_send("between").unwrap();
    let peer = DealerSocket::new();
    peer.bind(endpoint.as_str()).await.unwrap();
    assert_eq!(soon(peer.recv()).await.unwrap().text(), "between");
}

async fn immediate_queues_for_connected_peers_only(transport: Transport) {
    let dealer = DealerSocket::builder().immediate(true).build();
    dealer.connect(transport.somewhere().as_str()).unwrap();
    assert_matches!(dealer.try_send("nobody"), Err(TrySendError::Full(_)));
    let (peer, endpoint) = (DealerSocket::new(), transport.somewhere());
    peer.bind(endpoint.as_str()).await.unwrap();
    dealer.connect(endpoint.as_str()).unwrap();
    for number in 0..4 {
        soon(dealer.send(number.to_string())).await.unwrap();
        assert_eq!(soon(peer.recv()).await.unwrap().text(), number.to_string());
    }
    // The queue goes with the connection, and the next one has its own.
    soon(peer.close()).await;
    until(|| dealer.peers().is_empty()).await;
    assert_matches!(dealer.try_send("nobody"), Err(TrySendError::Full(_)));
    let peer = DealerSocket::new();
    peer.bind(endpoint.as_str()).await.unwrap();
    soon(peer.send("here")).await.unwrap();
    assert_eq!(soon(dealer.recv()).await.unwrap().text(), "here");
    dealer.try_send("there").unwrap();
    assert_eq!(soon(peer.recv()).await.unwrap().text(), "there");
}

async fn sink_and_stream(transport: Transport) {
    let (one, other) = pair(transport).await;
    let mut sink = other.sink();
    for number in 0..10 {
        soon(sink.send(number.to_string())).await.unwrap();
    }
    let permit = soon(other.reserve()).await.unwrap();
    permit.send("10");
    let mut stream = one.stream();
    for number in 0..=10 {
        let message = soon(stream.next()).await.unwrap();
        assert_eq!(message.text(), number.to_string());
    }
    soon(one.close()).await;
    assert_eq!(stream.next().now_or_never(), Some(None));
}
