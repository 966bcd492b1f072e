//! An XPUB that drops nothing: a message goes to all who want it, or to nobody yet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::{drain, pipe};
use crate::message::Message;
use crate::options::PublishOptions;
use crate::pattern::PeerId;
use crate::pattern::audience::{Policy, Sent, To};
use crate::pattern::fan_out::FanOut;
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{CloseReason, Load, Pipe, Take};
use crate::wire::batch::Batch;
use crate::wire::subscription::Subscription;

const CAPACITY: usize = 4;

fn no_drop() -> Arc<FanOut> {
    FanOut::new(Policy {
        no_drop: true,
        ..Policy::default()
    })
}

fn subscriber(fan_out: &Arc<FanOut>, number: u64, topics: &[u8]) -> Arc<Pipe> {
    let (outbound, inbound) = (pipe(CAPACITY), pipe(CAPACITY));
    fan_out.attach_outbound(PeerId(number), &outbound);
    fan_out.attach_inbound(PeerId(number), &Peer::somebody(), &inbound);
    for topic in topics {
        let subscription = Subscription {
            subscribe: true,
            topic: std::slice::from_ref(topic),
        };
        inbound.push_control(
            |batch| subscription.push_command(batch),
            &mut Due::default(),
        );
    }
    outbound
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever waits for room is woken when drops are allowed, and drops.
#[test]
fn drops_are_allowed_meanwhile() {
    let fan_out = no_drop();
    let peer = subscriber(&fan_out, 1, b"a");
    let message = Message::from("a");
    for _ in 0..CAPACITY {
        assert_eq!(fan_out.try_send(To::Everybody, &message), Sent::Done);
    }
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let (mut cx, mut ticket) = (Context::from_waker(&waker), Ticket::default());
    let mut send = || fan_out.poll_send(&mut cx, &mut ticket, To::Everybody, &message);
    assert!(send().is_pending());
    fan_out.adopt(&PublishOptions::default());
    assert_eq!(bell.0.load(Ordering::Relaxed), 0, "the options are locked");
    fan_out.adopted();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    assert_eq!(send(), Poll::Ready(Sent::Done));
    assert_eq!(drain(&peer).len(), CAPACITY);
}

proptest! {
    #[test]
    fn all_or_nobody(
        interests in prop::collection::vec(prop::collection::vec(0u8..3, 0..3), 1..4),
        ops in prop::collection::vec((any::<bool>(), 0u8..3), 1..80),
    ) {
        let fan_out = no_drop();
        let mut peers: Vec<(Arc<Pipe>, Vec<Message>)> = Vec::new();
        for (number, topics) in interests.iter().enumerate() {
            peers.push((subscriber(&fan_out, number as u64, topics), Vec::new()));
        }
        for (number, (send, which)) in ops.into_iter().enumerate() {
            if !send {
                let index = usize::from(which) % peers.len();
                let (pipe, expected) = &mut peers[index];
                prop_assert_eq!(drain(pipe), std::mem::take(expected));
                continue;
            }
            let message = Message::from([vec![which], number.to_string().into_bytes()]);
            let wants = |index: usize| interests[index].contains(&which);
            let full = (0..peers.len()).any(|i| wants(i) && peers[i].1.len() == CAPACITY);
            let expected = if full { Sent::Full } else { Sent::Done };
            prop_assert_eq!(fan_out.try_send(To::Everybody, &message), expected);
            for (index, (_, queue)) in peers.iter_mut().enumerate() {
                if !full && wants(index) {
                    queue.push(message.clone());
                }
            }
        }
        for (pipe, expected) in peers {
            prop_assert_eq!(pipe.passed().dropped, 0);
            prop_assert_eq!(drain(&pipe), expected);
        }
    }
}

/// Two senders wait for two subscribers: whoever can go on does, whichever came first.
#[test]
fn room_wakes_the_sender_that_waits_for_it() {
    let fan_out = no_drop();
    let (one, two) = (subscriber(&fan_out, 1, b"a"), subscriber(&fan_out, 2, b"b"));
    for topic in ["a", "b"] {
        while fan_out.try_send(To::Everybody, &Message::from(topic)) == Sent::Done {}
    }
    let bells = [Arc::<Bell>::default(), Arc::<Bell>::default()];
    let mut tickets = [Ticket::default(), Ticket::default()];
    let mut poll = |index: usize, topic: &str| {
        let waker = Waker::from(Arc::clone(&bells[index]));
        let mut cx = Context::from_waker(&waker);
        let message = Message::from(topic);
        fan_out.poll_send(&mut cx, &mut tickets[index], To::Everybody, &message)
    };
    assert_eq!(poll(0, "a"), Poll::Pending);
    assert_eq!(poll(1, "b"), Poll::Pending);
    assert_eq!(drain(&two).len(), CAPACITY);
    assert_eq!(bells[1].0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(0, "a"), Poll::Pending);
    assert_eq!(poll(1, "b"), Poll::Ready(Sent::Done));
    assert_eq!(drain(&two), [Message::from("b")]);
    // Whoever was served has passed its wake-up on, in vain here. Then the other subscriber leaves.
    assert_eq!(poll(0, "a"), Poll::Pending);
    let before = bells[0].0.load(Ordering::Relaxed);
    one.close(CloseReason::Lost);
    assert_eq!(bells[0].0.load(Ordering::Relaxed), before + 1);
    assert_eq!(poll(0, "a"), Poll::Ready(Sent::Done));
    assert_eq!(drain(&one).len(), CAPACITY);
}

#[test]
fn the_end_wakes_a_sender() {
    let fan_out = no_drop();
    let _one = subscriber(&fan_out, 1, b"a");
    while fan_out.try_send(To::Everybody, &Message::from("a")) == Sent::Done {}
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    let mut ticket = Ticket::default();
    let message = Message::from("a");
    let mut poll = || fan_out.poll_send(&mut cx, &mut ticket, To::Everybody, &message);
    assert_eq!(poll(), Poll::Pending);
    fan_out.close();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(), Poll::Ready(Sent::Closed));
}

/// A publisher that drops meets full pipes all the time. Their subscribers, when they have made room, need not
/// wait until it has sent.
#[test]
fn who_waits_for_nobody_is_not_told_of_room() {
    let fan_out = FanOut::new(Policy {
        shows: Some(crate::options::Shows::default()),
        ..Policy::default()
    });
    let peer = subscriber(&fan_out, 1, b"a");
    for _ in 0..=CAPACITY {
        let sent = fan_out.try_send(To::Everybody, &Message::from("a"));
        assert_eq!(sent, Sent::Done);
    }
    assert_eq!(peer.passed().dropped, 1);
    let (read, is_read) = std::sync::mpsc::channel();
    fan_out.while_locked(|| {
        std::thread::spawn(move || {
            // Not beyond the end: there, it would ask for more.
            let mut messages = 0;
            while messages < CAPACITY {
                let Take::Batch(batch) = peer.take() else {
                    return;
                };
                messages += batch.messages();
                peer.release(Load::of(&batch));
            }
            let _ = read.send(messages);
        });
        let deadline = std::time::Duration::from_secs(60);
        assert_eq!(is_read.recv_timeout(deadline), Ok(CAPACITY));
    });
}

/// What nobody has read for want of room among the notices goes with its peer, and is counted.
#[test]
fn what_a_postponed_peer_has_sent_is_counted_when_it_leaves() {
    const UNREAD_MAX: usize = 100_000;
    let fan_out = FanOut::new(Policy {
        shows: Some(crate::options::Shows::default()),
        ..Policy::default()
    });
    let say = |number, messages| {
        let (outbound, inbound) = (pipe(CAPACITY), pipe(CAPACITY));
        fan_out.attach_outbound(PeerId(number), &outbound);
        fan_out.attach_inbound(PeerId(number), &Peer::somebody(), &inbound);
        let mut batch = Batch::default();
        for _ in 0..messages {
            batch.push(&[], &Message::from("hello"), usize::MAX);
        }
        let topic = b"a";
        Subscription {
            subscribe: true,
            topic,
        }
        .push_command(&mut batch);
        inbound.push_chunk(batch).expect("it is open");
    };
    say(1, UNREAD_MAX);
    say(2, 7);
    assert_eq!(fan_out.detach(PeerId(2)), 7);
    // What has been noted of the other is still to be read.
    assert_eq!(fan_out.detach(PeerId(1)), 0);
}
