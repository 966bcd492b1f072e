//! Fan-out and interest: who wants what.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::{drain, pipe};
use crate::message::Message;
use crate::pattern::PeerId;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::fan_out::FanOut;
use crate::pattern::interest::Interest;
use crate::peer_handle;
use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{Load, Pipe, Take};
use crate::wire::subscription::Subscription;

const CAPACITY: usize = 4;

#[derive(Clone, Debug)]
enum Op {
    Attach,
    Detach(usize),
    Subscribe(usize, Vec<u8>),
    Cancel(usize, Vec<u8>),
    Send(Vec<u8>),
    Read(usize),
}

/// Few letters, so that prefixes meet.
fn topic() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let peer = 0usize..4;
    prop_oneof![
        1 => Just(Op::Attach),
        1 => peer.clone().prop_map(Op::Detach),
        4 => (peer.clone(), topic()).prop_map(|(peer, topic)| Op::Subscribe(peer, topic)),
        2 => (peer.clone(), topic()).prop_map(|(peer, topic)| Op::Cancel(peer, topic)),
        6 => topic().prop_map(Op::Send),
        3 => peer.prop_map(Op::Read),
    ]
}

struct Peer {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    prefixes: BTreeSet<Vec<u8>>,
    expected: Vec<Message>,
    dropped: u64,
}

impl Peer {
    fn wants(&self, topic: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| topic.starts_with(prefix))
    }
}

fn tell(pipe: &Pipe, subscribe: bool, topic: &[u8]) {
    let subscription = Subscription { subscribe, topic };
    pipe.push_control(
        |batch| subscription.push_command(batch),
        &mut Due::default(),
    );
}

proptest! {
    #[test]
    fn each_subscriber_gets_what_it_wants_once(ops in prop::collection::vec(op(), 1..120)) {
        let fan_out = FanOut::new(Policy::default());
        let mut peers: Vec<Peer> = Vec::new();
        let (mut ids, mut sent) = (0u64, 0u64);
        let mut cx = Context::from_waker(Waker::noop());
        for op in ops {
            match op {
                Op::Attach => {
                    let (outbound, inbound) = (pipe(CAPACITY), pipe(CAPACITY));
                    fan_out.attach_outbound(PeerId(ids), &outbound);
                    fan_out.attach_inbound(PeerId(ids), &peer_handle::Peer::somebody(), &inbound);
                    peers.push(Peer {
                        id: PeerId(ids),
                        outbound,
                        inbound,
                        prefixes: BTreeSet::new(),
                        expected: Vec::new(),
                        dropped: 0,
                    });
                    ids += 1;
                }
                Op::Detach(index) if index < peers.len() => {
                    let peer = peers.remove(index);
                    fan_out.detach(peer.id);
                    // Too late.
                    tell(&peer.inbound, true, b"");
                }
                Op::Subscribe(index, topic) if index < peers.len() => {
                    tell(&peers[index].inbound, true, &topic);
                    peers[index].prefixes.insert(topic);
                }
                Op::Cancel(index, topic) if index < peers.len() => {
                    tell(&peers[index].inbound, false, &topic);
                    peers[index].prefixes.remove(&topic);
                }
                Op::Send(topic) => {
                    let message = Message::from([topic.clone(), sent.to_string().into_bytes()]);
                    prop_assert_eq!(fan_out.try_send(To::Everybody, &message), Sent::Done);
                    sent += 1;
                    for peer in peers.iter_mut().filter(|peer| peer.wants(&topic)) {
                        if peer.expected.len() < CAPACITY {
                            peer.expected.push(message.clone());
                        } else {
                            peer.dropped += 1;
                        }
                    }
                }
                Op::Read(index) if index < peers.len() => {
                    let peer = &mut peers[index];
                    prop_assert_eq!(drain(&peer.outbound), std::mem::take(&mut peer.expected));
                }
                _ => {}
            }
            let topics: BTreeSet<_> = peers.iter().flat_map(|peer| &peer.prefixes).collect();
            prop_assert_eq!(fan_out.topics(), topics.len());
            for peer in &peers {
                prop_assert_eq!(peer.outbound.passed().dropped, peer.dropped);
            }
            let wanting = peers.iter().filter(|peer| peer.wants(b"ab")).count();
            for count in [wanting, wanting + 1] {
                let mut ticket = Ticket::default();
                let poll = fan_out.poll_subscribers(&mut cx, &mut ticket, b"ab", count);
                let expected = if count > wanting { Poll::Pending } else { Poll::Ready(true) };
                prop_assert_eq!(poll, expected);
                fan_out.leave_gathering(&mut ticket);
            }
        }
        for peer in peers {
            prop_assert_eq!(drain(&peer.outbound), peer.expected);
        }
        fan_out.close();
        prop_assert_eq!(fan_out.try_send(To::Everybody, &Message::from("x")), Sent::Closed);
    }

    #[test]
    fn every_publisher_knows_what_is_wanted(
        ops in prop::collection::vec((0u8..4, topic()), 1..80),
    ) {
        let interest = Arc::new(Interest::default());
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut publishers: Vec<(PeerId, Arc<Pipe>, BTreeSet<Vec<u8>>)> = Vec::new();
        let mut ids = 0u64;
        for (kind, topic) in ops {
            match kind {
                0 => {
                    let pipe = pipe(1);
                    interest.attach(PeerId(ids), &pipe);
                    publishers.push((PeerId(ids), pipe, BTreeSet::new()));
                    ids += 1;
                }
                1 if !publishers.is_empty() && topic.len() == 1 => {
                    let (id, pipe, _) = publishers.remove(0);
                    interest.detach(id);
                    drain(&pipe);
                    interest.subscribe(b"after");
                    interest.unsubscribe(b"after");
                    prop_assert_eq!(pipe.load(), Load::default());
                }
                2 => {
                    interest.unsubscribe(&topic);
                    if let Some(count) = counts.get_mut(&topic) {
                        *count -= 1;
                        if *count == 0 {
                            counts.remove(&topic);
                        }
                    }
                }
                _ => {
                    interest.subscribe(&topic);
                    *counts.entry(topic.clone()).or_default() += 1;
                }
            }
            let wanted = counts.keys().any(|prefix| topic.starts_with(prefix));
            prop_assert_eq!(interest.wants(&topic), wanted);
            for (_, pipe, known) in &mut publishers {
                while let Take::Batch(mut batch) = pipe.take() {
                    pipe.release(Load::of(&batch));
                    while let Some(first) = batch.peek() {
                        let told = Subscription::read(first).unwrap();
                        if told.subscribe {
                            known.insert(told.topic.to_vec());
                        } else {
                            prop_assert!(known.remove(told.topic), "never subscribed to");
                        }
                        batch.skip();
                    }
                }
                prop_assert!(known.iter().eq(counts.keys()));
            }
        }
    }

    /// However rarely they read: whoever has read everything knows everything, a message finds what was
    /// said before it, and no queue grows beyond its bound.
    #[test]
    fn a_publisher_that_reads_rarely_catches_up(
        ops in prop::collection::vec((0u8..8, topic(), 0usize..3), 1..200),
        room in 1usize..12,
    ) {
        const BOUND: usize = 4;
        let interest = Arc::new(Interest::default());
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut publishers: Vec<Rare> = Vec::new();
        for (number, (kind, topic, which)) in ops.into_iter().enumerate() {
            match kind {
                0 if publishers.len() < 3 => {
                    let pipe = pipe(room);
                    let id = PeerId(number as u64);
                    interest.attach(id, &pipe);
                    publishers.push(Rare { id, pipe, known: BTreeSet::new(), bound: counts.len() });
                }
                1 if which < publishers.len() && topic.len() == 1 => {
                    let gone = publishers.remove(which);
                    interest.detach(gone.id);
                    prop_assert_eq!(Arc::strong_count(&gone.pipe), 1);
                }
                2 | 3 => if let Some(publisher) = publishers.get_mut(which) {
                    publisher.read(topic.len());
                },
                4 => {
                    let wanted: Vec<_> = counts.keys().map(|topic| [b"t", &topic[..]].concat()).collect();
                    let first = vec![b"m".to_vec()];
                    interest.send([first, wanted].concat().into_iter().collect());
                }
                5 | 6 => {
                    interest.unsubscribe(&topic);
                    if let Some(count) = counts.get_mut(&topic) {
                        *count -= 1;
                        if *count == 0 {
                            counts.remove(&topic);
                        }
                    }
                }
                _ => {
                    interest.subscribe(&topic);
                    *counts.entry(topic).or_default() += 1;
                }
            }
            for publisher in &publishers {
                let bound = BOUND.max(publisher.bound) + 2 * counts.len() + room;
                prop_assert!(publisher.pipe.queued_messages() <= bound);
            }
        }
        for publisher in &mut publishers {
            publisher.read(usize::MAX);
            prop_assert!(publisher.known.iter().eq(counts.keys()));
        }
    }
}

/// A publisher that takes a batch now and then.
struct Rare {
    id: PeerId,
    pipe: Arc<Pipe>,
    known: BTreeSet<Vec<u8>>,
    /// What it was told at first.
    bound: usize,
}

impl Rare {
    fn read(&mut self, batches: usize) {
        for _ in 0..batches {
            let Take::Batch(mut batch) = self.pipe.take() else {
                return;
            };
            self.pipe.release(Load::of(&batch));
            while let Some(first) = batch.peek() {
                if let Some(told) = Subscription::read(first) {
                    if told.subscribe {
                        self.known.insert(told.topic.to_vec());
                    } else {
                        self.known.remove(told.topic);
                    }
                    batch.skip();
                    continue;
                }
                let message = batch.pop().expect("a message");
                let wanted = message.frames().skip(1).map(|frame| frame[1..].to_vec());
                assert!(self.known.iter().cloned().eq(wanted), "it was overtaken");
            }
        }
    }
}
