//! Editions: what is gathered for several subscribers, against what each would get by itself.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::{contents, drain, pipe};
use crate::message::Message;
use crate::options::Capacity;
use crate::pattern::PeerId;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::fan_out::FanOut;
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Due;
use crate::pipe::{CloseReason, Load, Pipe, Take};
use crate::wire::subscription::Subscription;

const CAPACITY: usize = 12;

const TOPICS: [&[u8]; 3] = [b"", b"a", b"b"];

struct Reader {
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    topics: BTreeSet<&'static [u8]>,
    capacity: Capacity,
    /// What it has still to get.
    expected: VecDeque<Message>,
    sent: u64,
    dropped: u64,
    is_closed: bool,
}

fn attach(
    fan_out: &Arc<FanOut>,
    number: u64,
    topic: &'static [u8],
    capacity: impl Into<Option<usize>>,
) -> Reader {
    let capacity = Capacity {
        messages: capacity.into().unwrap_or(CAPACITY),
        bytes: usize::MAX,
    };
    let (outbound, inbound) = (Pipe::new(capacity, 256), pipe(CAPACITY));
    fan_out.attach_outbound(PeerId(number), &outbound);
    fan_out.attach_inbound(PeerId(number), &Peer::somebody(), &inbound);
    let mut reader = Reader {
        outbound,
        inbound,
        topics: BTreeSet::new(),
        capacity,
        expected: VecDeque::new(),
        sent: 0,
        dropped: 0,
        is_closed: false,
    };
    reader.ask(topic, true);
    reader
}

impl Reader {
    fn ask(&mut self, topic: &'static [u8], subscribe: bool) {
        self.inbound.push_control(
            |batch| {
                Subscription { subscribe, topic }.push_command(batch);
            },
            &mut Due::default(),
        );
        if subscribe {
            self.topics.insert(topic);
        } else {
            self.topics.remove(topic);
        }
    }

    fn wants(&self, topic: &[u8], invert: bool) -> bool {
        self.topics.iter().any(|prefix| topic.starts_with(prefix)) != invert
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.expected.iter().map(encoded).sum();
        let is_full = self.expected.len() >= self.capacity.messages || bytes >= self.capacity.bytes;
        is_full && !self.is_closed
    }

    /// What each message that is for it becomes.
    fn meets(&mut self, message: &Message) {
        if self.is_full() || self.is_closed {
            self.dropped += 1;
        } else {
            self.expected.push_back(message.clone());
            self.sent += 1;
        }
    }

    /// Takes so many batches.
    fn read(&mut self, batches: usize) -> Result<(), TestCaseError> {
        for _ in 0..batches {
            let Take::Batch(batch) = self.outbound.take() else {
                prop_assert!(self.expected.is_empty());
                break;
            };
            self.outbound.release(Load::of(&batch));
            for message in contents(batch) {
                prop_assert_eq!(Some(message), self.expected.pop_front());
            }
        }
        Ok(())
    }

    fn is_counted(&self) -> Result<(), TestCaseError> {
        let passed = self.outbound.passed();
        prop_assert_eq!((passed.messages, passed.dropped), (self.sent, self.dropped));
        Ok(())
    }
}

fn encoded(message: &Message) -> usize {
    let header = |length: usize| if length > 255 { 9 } else { 2 };
    let frames = message.frames();
    frames.map(|frame| header(frame.len()) + frame.len()).sum()
}

fn send(fan_out: &FanOut, message: &Message) {
    assert_eq!(fan_out.try_send(To::Everybody, message), Sent::Done);
}

#[derive(Clone, Debug)]
enum Op {
    /// Some messages in a row, all of this topic and length.
    Send(usize, bool, usize),
    Read(usize, usize),
    Ask(usize, usize, bool),
    Fit(usize, Capacity),
    /// Nothing more is for this one.
    Close(usize),
    Leave(usize),
    Come(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let length = prop_oneof![Just(3usize), Just(300), Just(1_500), Just(30_000)];
    let who = 0usize..6;
    let bound = || prop_oneof![1usize..20, Just(usize::MAX)];
    let bytes = prop_oneof![1usize..100_000, Just(usize::MAX)];
    let capacity = (bound(), bytes).prop_map(|(messages, bytes)| Capacity { messages, bytes });
    prop_oneof![
        8 => (1usize..9, any::<bool>(), length).prop_map(|(n, a, length)| Op::Send(n, a, length)),
        5 => (who.clone(), 1usize..5).prop_map(|(who, batches)| Op::Read(who, batches)),
        1 => (who.clone(), 0usize..3, any::<bool>()).prop_map(|(who, what, yes)| Op::Ask(who, what, yes)),
        1 => (who.clone(), capacity).prop_map(|(who, capacity)| Op::Fit(who, capacity)),
        1 => who.clone().prop_map(Op::Close),
        1 => who.prop_map(Op::Leave),
        3 => (0usize..3).prop_map(Op::Come),
    ]
}

proptest! {
    #[test]
    fn each_subscriber_gets_what_it_would_get_alone(
        (no_drop, invert) in (any::<bool>(), prop::bool::weighted(0.2)),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let fan_out = FanOut::new(Policy { no_drop, invert, ..Policy::default() });
        let mut readers: Vec<(u64, Reader)> = Vec::new();
        let (mut ids, mut sent) = (0u64, 0u32);
        for op in ops {
            match op {
                Op::Send(count, is_a, length) => for _ in 0..count {
                    let topic: &[u8] = if is_a { b"a" } else { b"b" };
                    let mut body = vec![7; length];
                    body[..3].copy_from_slice(&sent.to_be_bytes()[1..]);
                    let message = Message::from([topic, &body]);
                    sent += 1;
                    let for_them = readers.iter_mut().map(|(_, reader)| reader);
                    let mut for_them: Vec<_> = for_them.filter(|r| r.wants(topic, invert)).collect();
                    let refused = no_drop && for_them.iter().any(|reader| reader.is_full());
                    let expected = if refused { Sent::Full } else { Sent::Done };
                    prop_assert_eq!(fan_out.try_send(To::Everybody, &message), expected);
                    if !refused {
                        for_them.iter_mut().for_each(|reader| reader.meets(&message));
                    }
                },
                Op::Read(who, batches) => if let Some((_, reader)) = readers.get_mut(who) {
                    reader.read(batches)?;
                },
                Op::Ask(who, what, subscribe) => if let Some((_, reader)) = readers.get_mut(who) {
                    reader.ask(TOPICS[what], subscribe);
                },
                Op::Fit(who, capacity) => if let Some((_, reader)) = readers.get_mut(who) {
                    reader.outbound.set_capacity(capacity);
                    reader.capacity = capacity;
                },
                Op::Close(who) => if let Some((_, reader)) = readers.get_mut(who) {
                    reader.outbound.close(CloseReason::Done);
                    reader.is_closed = true;
                },
                Op::Leave(who) => if who < readers.len() {
                    let (id, reader) = readers.remove(who);
                    fan_out.detach(PeerId(id));
                    reader.is_counted()?;
                    reader.inbound.close(CloseReason::Lost);
                },
                Op::Come(what) => {
                    readers.push((ids, attach(&fan_out, ids, TOPICS[what], None)));
                    ids += 1;
                }
            }
        }
        fan_out.close();
        for (_, mut reader) in readers {
            reader.is_counted()?;
            reader.read(usize::MAX)?;
            prop_assert!(reader.expected.is_empty());
        }
    }
}

#[test]
fn an_edition_goes_to_all_as_soon_as_one_wants_it() {
    let fan_out = FanOut::new(Policy::default());
    let readers = [1, 2, 3].map(|number| attach(&fan_out, number, b"", 1_000));
    for _ in 0..100 {
        send(&fan_out, &Message::from("x"));
    }
    // The first one is like none before it; the others are gathered, since nobody waits.
    let queued = || {
        readers
            .each_ref()
            .map(|reader| reader.outbound.queued_messages())
    };
    assert_eq!(queued(), [1; 3]);
    assert_eq!(drain(&readers[1].outbound).len(), 100);
    assert_eq!(queued(), [100, 0, 100]);
    // It waits now.
    send(&fan_out, &Message::from("x"));
    assert_eq!(queued(), [101, 1, 101]);
    send(&fan_out, &Message::from("x"));
    assert_eq!(queued(), [101, 1, 101]);
}

#[test]
fn a_long_edition_is_in_memory_once() {
    let fan_out = FanOut::new(Policy::default());
    let readers = [1, 2, 3].map(|number| attach(&fan_out, number, b"", 10_000));
    for _ in 0..2_000 {
        send(&fan_out, &Message::from(vec![7; 300]));
    }
    let bodies = readers.each_ref().map(|reader| {
        let bodies = drain(&reader.outbound).into_iter().skip(1);
        let places = bodies.map(|message| message.first().as_ptr());
        places.collect::<Vec<_>>()
    });
    assert_eq!(bodies[0].len(), 1_999);
    assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
}

#[test]
fn who_is_full_holds_up_nobody_and_loses_alone() {
    let fan_out = FanOut::new(Policy::default());
    let stalled = attach(&fan_out, 1, b"", 5);
    let quick = [2, 3].map(|number| attach(&fan_out, number, b"", 500));
    let mut total = 0;
    for round in 0..20 {
        for _ in 0..400 {
            send(&fan_out, &Message::from("x"));
            total += 1;
        }
        for reader in &quick {
            assert_eq!(drain(&reader.outbound).len(), 400, "round {round}");
        }
    }
    assert_eq!(stalled.outbound.passed().dropped, total - 5);
    assert_eq!(drain(&stalled.outbound).len(), 5);
    // And takes part again.
    for _ in 0..3 {
        send(&fan_out, &Message::from("x"));
    }
    assert_eq!(drain(&stalled.outbound).len(), 3);
    for reader in &quick {
        assert_eq!(drain(&reader.outbound).len(), 3);
        assert_eq!(reader.outbound.passed().dropped, 0);
    }
}

#[test]
fn what_is_gathered_for_one_who_is_gone_is_counted() {
    for readers in [1, 3] {
        let fan_out = FanOut::new(Policy::default());
        let readers: Vec<_> = (0..readers)
            .map(|number| attach(&fan_out, number, b"", 500))
            .collect();
        for _ in 0..100 {
            send(&fan_out, &Message::from(vec![7; 100]));
        }
        // Cut off, which does not ask for the rest.
        readers[0].outbound.close(CloseReason::Now);
        fan_out.detach(PeerId(0));
        let passed = readers[0].outbound.passed();
        assert_eq!((passed.messages, passed.dropped), (1, 99));
        for reader in &readers[1..] {
            assert_eq!(drain(&reader.outbound).len(), 100);
        }
    }
}

#[test]
fn who_is_slower_than_another_still_gets_long_batches() {
    for length in [1_000, 3_000] {
        let fan_out = FanOut::new(Policy::default());
        let [slow, quick] = [1, 2].map(|number| attach(&fan_out, number, b"", 10_000));
        for _ in 0..1_000 {
            // Waits each time, and so gets, and has the others get, each message by itself.
            drain(&quick.outbound);
            send(&fan_out, &Message::from(vec![7; length]));
        }
        let batches = std::iter::from_fn(|| match slow.outbound.take() {
            Take::Batch(batch) => Some(batch.messages()),
            _ => None,
        });
        let batches: Vec<_> = batches.collect();
        assert_eq!(batches.iter().sum::<usize>(), 1_000);
        assert!(batches.len() < 100, "{} of {length}", batches.len());
    }
}

/// A body of the user's own, which does something when nobody has it any more.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> AsRef<[u8]> for Last<F> {
    fn as_ref(&self) -> &[u8] {
        &[7; 3_000]
    }
}

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Whoever publishes while a peer is being forgotten finds it there still.
#[test]
fn who_takes_the_place_of_one_who_leaves_gets_what_is_for_it() {
    let fan_out = FanOut::new(Policy::default());
    let readers = [1, 2].map(|number| attach(&fan_out, number, b"", 100));
    send(&fan_out, &Message::from("x"));
    // Is lost, and dropped, when the first one is forgotten.
    let publisher = Arc::clone(&fan_out);
    let body = Last(move || {
        for _ in 0..2 {
            send(&publisher, &Message::from("x"));
        }
    });
    send(&fan_out, &Message::from(Bytes::from_owner(body)));
    for reader in &readers {
        reader.outbound.close(CloseReason::Now);
    }
    fan_out.detach(PeerId(1));
    let successor = attach(&fan_out, 3, b"", 100);
    for _ in 0..10 {
        send(&fan_out, &Message::from("x"));
    }
    assert_eq!(drain(&successor.outbound).len(), 10);
}

#[test]
fn a_mark_that_is_lowered_holds_for_the_next_message() {
    let fan_out = FanOut::new(Policy::default());
    let readers = [1, 2].map(|number| attach(&fan_out, number, b"", 1_000));
    for _ in 0..8 {
        send(&fan_out, &Message::from("x"));
    }
    let (messages, bytes) = (10, usize::MAX);
    readers[0]
        .outbound
        .set_capacity(Capacity { messages, bytes });
    for _ in 0..100 {
        send(&fan_out, &Message::from("x"));
    }
    assert_eq!(drain(&readers[0].outbound).len(), 10);
    assert_eq!(drain(&readers[1].outbound).len(), 108);
}

/// What one subscriber's queue holds: encoded bytes, and the capacity of the buffers that are its own.
fn weigh(pipe: &Pipe) -> (usize, usize) {
    let (mut bytes, mut capacity) = (0, 0);
    while let Take::Batch(batch) = pipe.take() {
        pipe.release(Load::of(&batch));
        bytes += batch.bytes();
        capacity += batch.into_buffer().map_or(0, |buffer| buffer.capacity());
    }
    (bytes, capacity)
}

#[test]
fn a_slow_subscriber_has_little_memory_of_its_own() {
    // A long edition and a short one by turns, and single messages for others among them.
    for (length, others) in [(300, false), (300, true), (3_000, false), (70_000, true)] {
        let fan_out = FanOut::new(Policy::default());
        let slow = attach(&fan_out, 1, b"", 100_000);
        let quick = attach(&fan_out, 2, b"a", 100_000);
        let mut sent = 0;
        for _ in 0..50 {
            for _ in 0..100_000 / length + 3 {
                send(&fan_out, &Message::from([&b"a"[..], &vec![7; length]]));
            }
            drain(&quick.outbound);
            send(&fan_out, &Message::from("a"));
            drain(&quick.outbound);
            if others {
                send(&fan_out, &Message::from("b"));
            }
            sent += 100_000;
        }
        let (bytes, capacity) = weigh(&slow.outbound);
        assert!(bytes >= sent, "{bytes} of {sent}");
        assert!(capacity < bytes / 10, "{capacity} for {bytes}, {length}");
    }
}
