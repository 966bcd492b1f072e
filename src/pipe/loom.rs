//! Models of a pipe between two tasks, as between a session and a session: `loom` runs them under
//! every interleaving of their threads, on the shipped code. A lost wake-up is a deadlock there.
//!
//! CONTRIBUTING.md has the command. The models of pipes under patterns are in `pattern/loom.rs`.

use std::future::poll_fn;

use loom::future::block_on;
use loom::thread;

use super::shortcut::Shortcut;
use super::sync::{Arc, Mutex};
use super::{CloseReason, Load, Pipe, Take};
use crate::message::Message;
use crate::options::Capacity;
use crate::wire::batch::Batch;
use crate::wire::transmit::Transmit;

/// Runs a model under every interleaving of its threads with up to `preemptions` preemptions. Two
/// or three are where nearly all mistakes of this kind show; a third with three threads takes
/// minutes.
pub(crate) fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// A pipe that holds this many messages.
pub(crate) fn pipe(messages: usize) -> Arc<Pipe> {
    let bytes = usize::MAX;
    Pipe::new(Capacity { messages, bytes }, 0)
}

/// What a session hands over: one message, as it was read.
pub(crate) fn chunk() -> Batch {
    Batch::copied(&[0, 1, b'x'], 1)
}

/// Takes like a session that writes: how many messages, or `None` when the pipe has ended.
pub(crate) fn write_some(pipe: &Pipe) -> Option<usize> {
    match block_on(poll_fn(|cx| pipe.poll_take(cx))) {
        Take::Batch(batch) => Some(batch.messages()),
        Take::Begun(_) | Take::Empty | Take::Closed(_) => None,
    }
}

/// Reads like a session: waits for room, then hands over one message. `false` when the pipe has
/// ended.
pub(crate) fn read_some(pipe: &Pipe) -> bool {
    block_on(poll_fn(|cx| pipe.poll_room(cx))).is_ok() && pipe.push_chunk(chunk()).is_ok()
}

#[test]
fn an_item_wakes_the_consumer() {
    model(3, || {
        let pipe = pipe(2);
        let producer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            producer.push(&[], &Message::from("a")).unwrap();
            producer.push(&[], &Message::from("b")).unwrap();
        });
        let mut taken = 0;
        while taken < 2 {
            taken += write_some(&pipe).unwrap();
        }
        thread.join().unwrap();
        assert_eq!(pipe.load(), Load::default());
    });
}

#[test]
fn room_wakes_the_producer() {
    model(3, || {
        let pipe = pipe(1);
        let producer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            for _ in 0..3 {
                assert!(read_some(&producer));
            }
        });
        let mut taken = 0;
        while taken < 3 {
            taken += write_some(&pipe).unwrap();
        }
        thread.join().unwrap();
    });
}

#[test]
fn the_end_wakes_a_waiting_consumer_after_the_last_message() {
    model(3, || {
        let pipe = pipe(2);
        let producer = Arc::clone(&pipe);
        let thread = thread::spawn(move || {
            producer.push(&[], &Message::from("a")).unwrap();
            producer.close(CloseReason::Done);
        });
        let mut taken = 0;
        while let Some(messages) = write_some(&pipe) {
            taken += messages;
        }
        assert_eq!(taken, 1);
        thread.join().unwrap();
    });
}

#[test]
fn the_end_wakes_a_waiting_producer() {
    model(3, || {
        let pipe = pipe(1);
        assert!(read_some(&pipe));
        let producer = Arc::clone(&pipe);
        let thread = thread::spawn(move || assert!(!read_some(&producer)));
        pipe.close(CloseReason::Lost);
        thread.join().unwrap();
    });
}

#[test]
fn raising_the_bounds_wakes_the_producer() {
    model(3, || {
        let pipe = pipe(1);
        assert!(read_some(&pipe));
        let producer = Arc::clone(&pipe);
        let thread = thread::spawn(move || assert!(read_some(&producer)));
        pipe.set_capacity(Capacity {
            messages: 2,
            bytes: usize::MAX,
        });
        thread.join().unwrap();
    });
}

/// A connection that refuses the first batch that a sender writes, and takes all others.
#[derive(Debug, Default)]
struct Wire {
    refused: Mutex<bool>,
    written: Mutex<Vec<Message>>,
}

impl Wire {
    fn write(&self, mut batch: Batch) {
        self.written
            .lock()
            .extend(std::iter::from_fn(|| batch.pop()));
    }
}

impl Shortcut for Wire {
    fn is_quiet(&self) -> bool {
        true
    }

    fn deliver(&self, batch: Batch) -> Transmit {
        if !std::mem::replace(&mut *self.refused.lock(), true) {
            return Transmit::new(batch);
        }
        self.write(batch);
        Transmit::default()
    }
}

#[test]
fn a_session_and_a_sender_share_a_connection_in_order() {
    model(3, || {
        let (pipe, wire) = (pipe(4), Arc::new(Wire::default()));
        pipe.open_shortcut(Arc::clone(&wire) as Arc<dyn Shortcut>);
        let producer = Arc::clone(&pipe);
        let producer = thread::spawn(move || {
            for text in ["a", "b", "c"] {
                producer.push(&[], &Message::from(text)).unwrap();
            }
            producer.close(CloseReason::Done);
        });
        loop {
            match block_on(poll_fn(|cx| pipe.poll_take(cx))) {
                Take::Batch(batch) => wire.write(batch),
                Take::Begun(begun) => wire.write(begun.into_unwritten()),
                Take::Empty | Take::Closed(_) => break,
            }
        }
        producer.join().unwrap();
        let written = wire.written.lock();
        assert_eq!(*written, ["a", "b", "c"].map(Message::from));
    });
}

#[test]
fn a_session_that_claims_the_connection_gets_what_was_begun() {
    for refused in [false, true] {
        model(3, move || claim(refused));
    }
}

fn claim(refused: bool) {
    let (pipe, wire) = (pipe(4), Arc::new(Wire::default()));
    *wire.refused.lock() = refused;
    pipe.open_shortcut(Arc::clone(&wire) as Arc<dyn Shortcut>);
    // At rest.
    assert!(block_on(poll_fn(|cx| std::task::Poll::Ready(pipe.poll_take(cx)))).is_pending());
    let producer = Arc::clone(&pipe);
    let producer = thread::spawn(move || {
        for text in ["a", "b"] {
            producer.push(&[], &Message::from(text)).unwrap();
        }
    });
    if let Some(begun) = block_on(poll_fn(|cx| pipe.poll_close_shortcut(cx))) {
        wire.write(begun.into_unwritten());
    }
    while wire.written.lock().len() < 2 {
        match block_on(poll_fn(|cx| pipe.poll_take(cx))) {
            Take::Batch(batch) => wire.write(batch),
            other => unreachable!("{other:?}"),
        }
    }
    producer.join().unwrap();
    assert_eq!(*wire.written.lock(), ["a", "b"].map(Message::from));
}
