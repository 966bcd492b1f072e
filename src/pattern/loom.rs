//! Models of patterns over pipes: no wake-up is lost, whoever waits, comes, goes or gives up.
//!
//! See `pipe/loom.rs` for how they run.

mod outlet;
mod publish;
mod relay;
mod seat;

use std::future::poll_fn;
use std::task::{Context, Poll};

use loom::future::block_on;
use loom::thread;

use super::fair_queue::{FairQueue, Next};
use super::requests::{Answer, Asked, Requests, Rules, Tickets};
use super::round_robin::{RoundRobin, Sent};
use super::{Departure, Pattern, PeerId};
use crate::event::DisconnectReason;
use crate::message::Message;
use crate::peer_handle::Peer;
use crate::pipe::loom::{model, pipe, read_some, write_some};
use crate::pipe::sync::Arc;
use crate::pipe::wake::Ticket;
use crate::pipe::{CloseReason, Load, Pipe, Take};
use crate::wire::batch::Batch;

const FIRST: PeerId = PeerId(1);
const SECOND: PeerId = PeerId(2);

/// Polls once, as a future does that is dropped after its first poll.
fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    block_on(poll_fn(|cx| Poll::Ready(poll(cx))))
}

fn pop(_: PeerId, batch: &mut Batch) -> Option<Message> {
    batch.pop()
}

fn receive(queue: &FairQueue) -> Option<Message> {
    let mut ticket = Ticket::default();
    block_on(poll_fn(|cx| queue.poll_next(cx, &mut ticket, pop)))
}

fn send(robin: &RoundRobin) -> bool {
    let (mut ticket, mut message) = (Ticket::default(), Message::from("x"));
    let sent = block_on(poll_fn(|cx| {
        robin.poll_send(cx, &mut ticket, &[], &mut message)
    }));
    matches!(sent, Sent::To(_))
}

/// The end of a connection, as a session tells it.
fn gone() -> Departure {
    Departure {
        unwritten: Vec::new(),
        keeps_outbound: false,
        endpoint: "inproc://x".parse().unwrap(),
        reason: DisconnectReason::PeerClosed,
    }
}

/// Takes one batch like a fair queue, without waiting.
fn drain_one(pipe: &Pipe) {
    if let Take::Batch(batch) = pipe.take() {
        pipe.release(Load {
            messages: batch.messages(),
            bytes: batch.bytes(),
        });
    }
}

fn queue_with(pipe: &Arc<Pipe>) -> Arc<FairQueue> {
    let queue = Arc::<FairQueue>::default();
    queue.attach(FIRST, &Peer::somebody(), Arc::clone(pipe));
    queue
}

fn robin_with(pipe: &Arc<Pipe>) -> Arc<RoundRobin> {
    let robin = Arc::<RoundRobin>::default();
    robin.attach(FIRST, Arc::clone(pipe));
    robin
}

#[test]
fn one_receiver_hears_of_two_peers() {
    model(2, || {
        let (first, second) = (pipe(2), pipe(2));
        let queue = queue_with(&first);
        queue.attach(SECOND, &Peer::somebody(), Arc::clone(&second));
        let producers =
            [first, second].map(|pipe| thread::spawn(move || assert!(read_some(&pipe))));
        assert!(receive(&queue).is_some());
        assert!(receive(&queue).is_some());
        producers
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        queue.close();
    });
}

#[test]
fn two_receivers_share_what_one_peer_signals_once() {
    model(2, || {
        let pipe = pipe(2);
        let queue = queue_with(&pipe);
        let other = Arc::clone(&queue);
        let receiver = thread::spawn(move || assert!(receive(&other).is_some()));
        let producer = thread::spawn(move || {
            assert!(read_some(&pipe));
            assert!(read_some(&pipe));
        });
        assert!(receive(&queue).is_some());
        receiver.join().unwrap();
        producer.join().unwrap();
        queue.close();
    });
}

#[test]
fn a_receiver_that_reads_lets_the_session_read_on() {
    model(3, || {
        let pipe = pipe(1);
        let queue = queue_with(&pipe);
        let session = thread::spawn(move || {
            assert!(read_some(&pipe));
            assert!(read_some(&pipe));
        });
        assert!(receive(&queue).is_some());
        assert!(receive(&queue).is_some());
        session.join().unwrap();
        queue.close();
    });
}

#[test]
fn a_receiver_that_gives_up_passes_its_wake_up_on() {
    model(2, || {
        let pipe = pipe(2);
        let queue = queue_with(&pipe);
        // First in line, and gone before or after it has been woken.
        let mut ticket = Ticket::default();
        assert!(once(|cx| queue.poll_next(cx, &mut ticket, pop)).is_pending());
        let other = Arc::clone(&queue);
        let fickle = thread::spawn(move || other.leave(&mut ticket));
        let producer = thread::spawn(move || assert!(read_some(&pipe)));
        assert!(receive(&queue).is_some());
        fickle.join().unwrap();
        producer.join().unwrap();
        queue.close();
    });
}

#[test]
fn the_end_of_a_queue_wakes_every_receiver() {
    model(2, || {
        let queue = Arc::<FairQueue>::default();
        let receivers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || assert!(receive(&queue).is_none()))
        });
        queue.close();
        receivers
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn room_wakes_two_senders_one_after_the_other() {
    model(2, || {
        let pipe = pipe(1);
        let robin = robin_with(&pipe);
        let senders = [(); 2].map(|()| {
            let robin = Arc::clone(&robin);
            thread::spawn(move || assert!(send(&robin)))
        });
        let mut taken = 0;
        while taken < 2 {
            taken += write_some(&pipe).unwrap();
        }
        senders
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        robin.close();
    });
}

#[test]
fn a_sender_that_gives_up_passes_its_wake_up_on() {
    model(2, || {
        let pipe = pipe(1);
        let robin = robin_with(&pipe);
        assert!(send(&robin));
        let (mut ticket, mut message) = (Ticket::default(), Message::from("x"));
        assert!(once(|cx| robin.poll_send(cx, &mut ticket, &[], &mut message)).is_pending());
        let other = Arc::clone(&robin);
        let fickle = thread::spawn(move || other.leave(&mut ticket));
        let consumer = thread::spawn(move || drain_one(&pipe));
        assert!(send(&robin));
        fickle.join().unwrap();
        consumer.join().unwrap();
        robin.close();
    });
}

#[test]
fn a_permit_that_is_dropped_wakes_a_sender() {
    model(3, || {
        let pipe = pipe(1);
        let robin = robin_with(&pipe);
        let permit = once(|cx| robin.poll_reserve(cx, &mut Ticket::default()));
        assert!(matches!(permit, Poll::Ready(Some(_))));
        let holder = thread::spawn(move || drop(permit));
        assert!(send(&robin));
        holder.join().unwrap();
        robin.close();
    });
}

#[test]
fn a_new_peer_and_the_end_of_one_wake_senders() {
    model(2, || {
        let robin = Arc::<RoundRobin>::default();
        let (other, pipe) = (Arc::clone(&robin), pipe(2));
        let kept = Arc::clone(&pipe);
        let newcomer = thread::spawn(move || other.attach(FIRST, kept));
        assert!(send(&robin));
        newcomer.join().unwrap();
        pipe.close(CloseReason::Lost);
        robin.detach(FIRST, Vec::new());
        let other = Arc::clone(&robin);
        let closer = thread::spawn(move || other.close());
        assert!(!send(&robin));
        closer.join().unwrap();
    });
}

#[test]
fn messages_pass_from_socket_to_socket() {
    model(3, || {
        let pipe = pipe(1);
        let (robin, queue) = (robin_with(&pipe), queue_with(&pipe));
        let sender = Arc::clone(&robin);
        let sender = thread::spawn(move || {
            assert!(send(&sender));
            assert!(send(&sender));
        });
        assert!(receive(&queue).is_some());
        assert!(receive(&queue).is_some());
        sender.join().unwrap();
        robin.close();
        queue.close();
    });
}

#[test]
fn what_is_staged_when_the_sender_closes_arrives() {
    model(3, || {
        let pipe = pipe(4);
        let robin = robin_with(&pipe);
        let kept = Arc::clone(&pipe);
        let sender = thread::spawn(move || {
            assert!(send(&robin));
            assert!(send(&robin));
            robin.close();
            kept.close(CloseReason::Done);
        });
        let mut taken = 0;
        while let Some(messages) = write_some(&pipe) {
            taken += messages;
        }
        assert_eq!(taken, 2);
        sender.join().unwrap();
    });
}

#[test]
fn orphans_find_the_peer_that_drains_meanwhile() {
    model(3, || {
        let pipe = pipe(1);
        let robin = robin_with(&pipe);
        assert!(send(&robin));
        // The peer leaves the round.
        assert_eq!(robin.try_send(&[], &mut Message::from("no")), Sent::Full);
        let consumer = Arc::clone(&pipe);
        let consumer = thread::spawn(move || drain_one(&consumer));
        let mut orphan = Batch::default();
        orphan.push(&[], &Message::from("orphan"), 0);
        robin.detach(SECOND, vec![orphan]);
        consumer.join().unwrap();
        pipe.settle();
        assert_eq!(pipe.load().messages, 1);
        assert_eq!(robin.orphans(), 0);
        robin.close();
    });
}

#[test]
fn a_pipe_changes_its_consumer_without_a_loss() {
    model(3, || {
        let pipe = pipe(2);
        let old = queue_with(&pipe);
        let new = Arc::<FairQueue>::default();
        let producer = Arc::clone(&pipe);
        let producer = thread::spawn(move || assert!(read_some(&producer)));
        let early = matches!(old.try_next(pop), Next::Message(..));
        pipe.leave();
        new.attach(SECOND, &Peer::somebody(), Arc::clone(&pipe));
        assert_eq!(old.try_next(pop), Next::Empty);
        if !early {
            assert!(receive(&new).is_some());
        }
        producer.join().unwrap();
        assert_eq!(new.try_next(pop), Next::Empty);
        assert_eq!(pipe.load(), Load::default());
        old.close();
        new.close();
    });
}

/// A whole exchange; `None` when the reply will not come.
fn ask(law: &Requests) -> Option<Message> {
    let (mut tickets, mut request) = (Tickets::default(), Message::from("q"));
    let asked = block_on(poll_fn(|cx| {
        law.poll_ask(cx, &mut tickets, &mut request, false)
    }));
    let Asked::Number(number) = asked else {
        return None;
    };
    let answer = block_on(poll_fn(|cx| {
        law.poll_answer(cx, &mut tickets, Some(number))
    }));
    law.leave(&mut tickets);
    match answer {
        Answer::Reply(_, reply) => Some(reply),
        _ => None,
    }
}

fn law_with(outbound: &Arc<Pipe>, inbound: &Arc<Pipe>) -> Arc<Requests> {
    let law = Requests::new(Rules::default());
    law.attach_outbound(FIRST, outbound);
    law.attach_inbound(FIRST, &Peer::somebody(), inbound);
    law
}

#[test]
fn two_askers_take_turns() {
    model(2, || {
        let (outbound, inbound) = (pipe(2), pipe(2));
        let law = law_with(&outbound, &inbound);
        let server = thread::spawn(move || {
            for _ in 0..2 {
                assert_eq!(write_some(&outbound), Some(1));
                inbound.push(&[], &Message::from(["", "a"])).unwrap();
            }
        });
        let other = Arc::clone(&law);
        let asker = thread::spawn(move || assert!(ask(&other).is_some()));
        assert!(ask(&law).is_some());
        asker.join().unwrap();
        server.join().unwrap();
        law.close();
    });
}

#[test]
fn an_asker_hears_of_the_end_of_its_connection() {
    model(3, || {
        let (outbound, inbound) = (pipe(2), pipe(2));
        let law = law_with(&outbound, &inbound);
        let other = Arc::clone(&law);
        let server = thread::spawn(move || {
            assert_eq!(write_some(&outbound), Some(1));
            inbound.close(CloseReason::Lost);
            let departure = Departure {
                keeps_outbound: true,
                ..gone()
            };
            other.detach(FIRST, departure);
        });
        assert!(ask(&law).is_none());
        server.join().unwrap();
        law.close();
    });
}
