//! Fair queuing.

use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::pipe;
use crate::message::Message;
use crate::options::Capacity;
use crate::pattern::PeerId;
use crate::pattern::fair_queue::{FairQueue, Next};
use crate::peer_handle::Peer as Handle;
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Pipe};
use crate::wire::batch::Batch;

const CAPACITY: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    Attach,
    /// The peer sends; a message that is not wanted is filtered.
    Send(usize, bool),
    Receive,
    /// The connection ends; what it brought stays.
    End(usize),
    Forget(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Attach),
        8 => (0usize..5, prop::bool::weighted(0.8)).prop_map(|(peer, wanted)| Op::Send(peer, wanted)),
        8 => Just(Op::Receive),
        1 => (0usize..5).prop_map(Op::End),
        1 => (0usize..5).prop_map(Op::Forget),
    ]
}

struct Peer {
    id: PeerId,
    pipe: Arc<Pipe>,
    wanted: VecDeque<usize>,
    /// What is not wanted takes a turn, too.
    spoiled: bool,
    /// How often each other peer has been served while this one had something.
    passed_over: HashMap<PeerId, usize>,
}

fn read(id: PeerId, batch: &mut Batch) -> Option<(PeerId, usize)> {
    let message = batch.pop()?;
    Some((id, message.text().parse().ok()?))
}

proptest! {
    #[test]
    fn every_peer_gets_its_turn_and_keeps_its_order(ops in prop::collection::vec(op(), 1..150)) {
        let queue = Arc::new(FairQueue::default());
        let mut peers: Vec<Peer> = Vec::new();
        let (mut next, mut ids) = (0usize, 0u64);
        for op in ops {
            match op {
                Op::Attach => {
                    let (id, pipe) = (PeerId(ids), pipe(CAPACITY));
                    ids += 1;
                    queue.attach(id, &Handle::somebody(), Arc::clone(&pipe));
                    peers.push(Peer {
                        id,
                        pipe,
                        wanted: VecDeque::new(),
                        spoiled: false,
                        passed_over: HashMap::new(),
                    });
                }
                Op::Send(index, wanted) if index < peers.len() => {
                    let peer = &mut peers[index];
                    let text = if wanted { next.to_string() } else { "unwanted".to_owned() };
                    peer.spoiled |= !wanted;
                    if peer.pipe.push(&[], &Message::from(text)).is_ok() && wanted {
                        if peer.wanted.is_empty() {
                            peer.passed_over.clear();
                        }
                        peer.wanted.push_back(next);
                        next += 1;
                    }
                }
                Op::Receive => match queue.try_next(read) {
                    Next::Message((id, number)) => {
                        for peer in &mut peers {
                            if peer.id == id {
                                prop_assert_eq!(peer.wanted.pop_front(), Some(number));
                                peer.passed_over.clear();
                            } else if !peer.wanted.is_empty() {
                                let times = peer.passed_over.entry(id).or_default();
                                *times += 1;
                                prop_assert!(*times <= 1 || peer.spoiled, "{:?} is passed over", peer.id);
                            }
                        }
                    }
                    Next::Empty => {
                        prop_assert!(peers.iter().all(|peer| peer.wanted.is_empty()));
                        for peer in &peers {
                            prop_assert_eq!(peer.pipe.load().messages, 0);
                        }
                    }
                    Next::Closed => prop_assert!(false, "nobody closed it"),
                },
                Op::End(index) if index < peers.len() => {
                    peers[index].pipe.close(CloseReason::Lost);
                }
                Op::Forget(index) if index < peers.len() => {
                    queue.forget(peers.remove(index).id);
                }
                Op::Send(..) | Op::End(_) | Op::Forget(_) => {}
            }
        }
        queue.close();
        prop_assert_eq!(queue.try_next(read), Next::Closed);
    }
}

#[test]
fn nothing_is_kept_of_peers_that_come_and_go_while_nobody_receives() {
    let queue = Arc::new(FairQueue::default());
    let (silent, busy) = (pipe(CAPACITY), pipe(CAPACITY));
    queue.attach(PeerId(1), &Handle::somebody(), Arc::clone(&silent));
    queue.attach(PeerId(2), &Handle::somebody(), Arc::clone(&busy));
    busy.push(&[], &Message::from("kept")).unwrap();
    for (id, pipe) in [(1, &silent), (2, &busy)] {
        pipe.close(CloseReason::Lost);
        queue.sweep(PeerId(id));
    }
    assert_eq!(Arc::strong_count(&silent), 1);
    let next = queue.try_next(|_, batch| batch.pop());
    assert_eq!(next, Next::Message(Message::from("kept")));
    assert_eq!(queue.try_next(|_, batch| batch.pop()), Next::Empty);
    assert_eq!(Arc::strong_count(&busy), 1);
}

/// Whoever comes back as somebody else each time leaves no more than a peer that stays.
#[test]
fn peers_that_left_keep_no_more_than_one_that_stays() {
    const SIZE: usize = 1_000;
    let queue = Arc::new(FairQueue::default());
    let capacity = Capacity {
        messages: CAPACITY,
        bytes: 3 * SIZE,
    };
    let mut dropped = 0;
    for id in 0..1_000 {
        let pipe = Pipe::new(capacity, 256);
        queue.attach(PeerId(id), &Handle::somebody(), Arc::clone(&pipe));
        let message = Message::from([id.to_string().into_bytes(), vec![0; SIZE / 2]]);
        for _ in 0..2 {
            pipe.push(&[], &message).unwrap();
        }
        if id == 990 {
            // Somebody reads, but not much: what is half read counts for what is left of it.
            let _ = queue.try_next(|_, batch| batch.pop());
        }
        pipe.close(CloseReason::Lost);
        dropped += queue.sweep(PeerId(id));
    }
    let mut rest = Vec::new();
    while let Next::Message((id, _)) = queue.try_next(|id, batch| Some((id.0, batch.pop()?))) {
        rest.push(id);
    }
    // In turn, and the last ones in the order in which they left.
    assert_eq!(rest, [998, 999, 998, 999]);
    assert_eq!(rest.len() + dropped, 2 * 1_000 - 1);
}

/// Nor by what it has said of itself, which its handle keeps.
#[test]
fn what_those_who_left_have_claimed_counts() {
    let queue = Arc::new(FairQueue::default());
    let capacity = Capacity {
        messages: CAPACITY,
        bytes: 10_000,
    };
    for id in 0..10 {
        let pipe = Pipe::new(capacity, 256);
        queue.attach(PeerId(id), &Handle::claiming(4_000), Arc::clone(&pipe));
        pipe.push(&[], &Message::from("x")).unwrap();
        pipe.close(CloseReason::Lost);
        queue.sweep(PeerId(id));
    }
    let mut rest = Vec::new();
    while let Next::Message(id) = queue.try_next(|id, batch| batch.pop().map(|_| id.0)) {
        rest.push(id);
    }
    assert_eq!(rest, [8, 9]);
}
