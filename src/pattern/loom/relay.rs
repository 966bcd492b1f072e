//! Models of a relay: it waits for messages and for room, and misses neither.

use std::future::poll_fn;
use std::task::Poll;

use loom::future::block_on;
use loom::thread;

use super::{once, pipe, queue_with, receive, robin_with, send};
use crate::message::Message;
use crate::pattern::fair_queue::FairQueue;
use crate::pattern::relay::{Entrance, Exit, Relay, Relayed};
use crate::pattern::round_robin::RoundRobin;
use crate::pipe::CloseReason;
use crate::pipe::loom::{model, write_some};
use crate::pipe::sync::Arc;
use crate::pipe::wake::Due;

fn relay<'a>(queue: &'a FairQueue, robin: &'a RoundRobin) -> Relay<'a> {
    let entrance = Entrance {
        queue,
        interest: None,
        named: false,
    };
    Relay::new(entrance, Exit::RoundRobin(robin), None)
}

/// Moves so many messages.
fn move_on(queue: &FairQueue, robin: &RoundRobin, messages: usize) {
    let (mut relay, mut left) = (relay(queue, robin), messages);
    block_on(poll_fn(|cx| {
        let (mut due, mut relayed) = (Due::default(), Relayed::default());
        let poll = relay.poll(cx, left, &mut relayed, &mut due);
        left -= relayed.taken.messages;
        if left == 0 {
            Poll::Ready(())
        } else {
            poll.map(drop)
        }
    }));
}

#[test]
fn messages_and_room_wake_a_relay() {
    model(2, || {
        let (from, to) = (pipe(1), pipe(1));
        let (queue, robin) = (queue_with(&from), robin_with(&to));
        let sender = Arc::clone(&from);
        let sending = thread::spawn(move || {
            let sent = sender.push(&[], &Message::from("a"));
            assert!(sent.is_ok());
        });
        let reader = Arc::clone(&to);
        assert!(to.push(&[], &Message::from("before")).is_ok());
        let reading = thread::spawn(move || {
            let mut read = 0;
            while read < 2 {
                read += write_some(&reader).unwrap_or(2);
            }
        });
        move_on(&queue, &robin, 1);
        sending.join().unwrap();
        reading.join().unwrap();
        queue.close();
        robin.close();
    });
}

/// Polls a relay once and drops it; whether it has moved a message.
fn try_once(queue: &FairQueue, robin: &RoundRobin) -> bool {
    let mut relay = relay(queue, robin);
    let mut relayed = Relayed::default();
    let poll = once(|cx| relay.poll(cx, 1, &mut relayed, &mut Due::default()));
    assert_eq!(poll.is_ready(), relayed.taken.messages == 1);
    poll.is_ready()
}

#[test]
fn a_relay_that_gives_up_leaves_room_to_a_sender() {
    model(2, || {
        let (from, to) = (pipe(1), pipe(1));
        let (queue, robin) = (queue_with(&from), robin_with(&to));
        assert!(from.push(&[], &Message::from("a")).is_ok());
        assert!(to.push(&[], &Message::from("before")).is_ok());
        let others = (Arc::clone(&queue), Arc::clone(&robin));
        let relaying = thread::spawn(move || try_once(&others.0, &others.1));
        let reader = Arc::clone(&to);
        let reading = thread::spawn(move || while write_some(&reader).is_some() {});
        assert!(send(&robin));
        relaying.join().unwrap();
        to.close(CloseReason::Done);
        reading.join().unwrap();
        queue.close();
        robin.close();
    });
}

#[test]
fn a_relay_that_gives_up_leaves_messages_to_a_receiver() {
    model(2, || {
        let (from, to) = (pipe(1), pipe(1));
        let (queue, robin) = (queue_with(&from), robin_with(&to));
        let others = (Arc::clone(&queue), Arc::clone(&robin));
        let relaying = thread::spawn(move || {
            let moved = try_once(&others.0, &others.1);
            if moved {
                others.0.close();
            }
            moved
        });
        let feeding = thread::spawn(move || from.push(&[], &Message::from("a")).is_ok());
        let received = receive(&queue).is_some();
        assert_ne!(relaying.join().unwrap(), received);
        assert!(feeding.join().unwrap());
        queue.close();
        robin.close();
    });
}
