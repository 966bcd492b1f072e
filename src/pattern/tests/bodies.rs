//! Bodies may be a user's own and do anything when they are dropped, such as to use the very socket that drops
//! them: no law drops one while it is locked.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::{departure, drain, pipe};
use crate::message::Message;
use crate::options::{Capacity, Shows};
use crate::pattern::audience::{Policy, To};
use crate::pattern::fair_queue::{FairQueue, Next, Passed, Rest};
use crate::pattern::fan_out::FanOut;
use crate::pattern::interest::{Interest, Taste};
use crate::pattern::pair::Pair;
use crate::pattern::requests::{Answer, Asked, Requests, Rules, Tickets};
use crate::pattern::round_robin::RoundRobin;
use crate::pattern::{Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{CloseReason, Pipe};
use crate::wire::batch::{Batch, Extent};

const PEER: PeerId = PeerId(1);

/// Uses something when it is dropped, on another thread, and says whether that came to an end.
struct Own {
    bytes: Vec<u8>,
    works: Option<Box<dyn FnOnce() + Send>>,
    told: mpsc::Sender<bool>,
}

impl AsRef<[u8]> for Own {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Some(works) = self.works.take() else {
            return;
        };
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            works();
            done.send(()).ok();
        });
        let in_time = ended.recv_timeout(Duration::from_secs(60)).is_ok();
        self.told.send(in_time).ok();
    }
}

/// A message behind `envelope` whose body uses `what` when it is dropped.
fn message<T: Send + Sync + 'static>(
    envelope: &[&'static [u8]],
    what: &Arc<T>,
    works: impl Fn(&T) + Send + 'static,
) -> (Message, mpsc::Receiver<bool>) {
    let (told, heard) = mpsc::channel();
    let what = Arc::clone(what);
    let own = Own {
        bytes: vec![7; 3_000],
        works: Some(Box::new(move || works(&what))),
        told,
    };
    let envelope = envelope.iter().map(|frame| Bytes::from_static(frame));
    let frames: Vec<Bytes> = envelope.chain([Bytes::from_owner(own)]).collect();
    (Message::from(frames), heard)
}

/// It has been dropped by now, and nothing was in its way.
#[track_caller]
fn assert_free(heard: &mpsc::Receiver<bool>) {
    assert_eq!(heard.try_recv(), Ok(true));
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn newest() -> Arc<Pipe> {
    Pipe::new(Capacity::NEWEST, 256)
}

fn attached(pipe: &Arc<Pipe>) -> Arc<RoundRobin> {
    let robin = Arc::new(RoundRobin::default());
    robin.attach(PEER, Arc::clone(pipe));
    robin
}

fn send(robin: &RoundRobin) {
    robin.try_send(&[], &mut Message::from("x"));
}

#[test]
fn what_is_outdated() {
    let pipe = newest();
    let robin = attached(&pipe);
    let (mut message, heard) = message(&[], &robin, send);
    robin.try_send(&[], &mut message);
    drop(message);
    // At once, or with the next one, wherever it lies.
    for _ in 0..3 {
        send(&robin);
        pipe.settle();
    }
    assert_free(&heard);
    assert_eq!(drain(&pipe).len(), 1);
}

#[test]
fn what_is_outdated_in_the_same_batch() {
    let pipe = newest();
    let load = |pipe: &Pipe| {
        pipe.load();
    };
    for again in [false, true] {
        let (message, heard) = message(&[], &pipe, load);
        pipe.push(&[], &message).unwrap();
        drop(message);
        if again {
            let mut batch = Batch::default();
            batch.push(&[], &Message::from("x"), 0);
            pipe.put_back(batch);
            pipe.set_capacity(Capacity {
                messages: 1,
                bytes: 1,
            });
            pipe.set_capacity(Capacity::NEWEST);
        }
        pipe.push(&[], &Message::from("x")).unwrap();
        assert_free(&heard);
    }
}

#[test]
fn what_nobody_gets_any_more() {
    let closed = pipe(10);
    let robin = attached(&closed);
    let (mut first, heard) = message(&[], &robin, send);
    let mut orphan = Batch::default();
    orphan.push_all_of(&[], &mut first, 0);
    closed.close(CloseReason::Lost);
    robin.detach(PEER, vec![orphan]);
    robin.close();
    assert_free(&heard);
    // Nor what a PAIR had for a peer that has left.
    let closed = pipe(10);
    let robin = attached(&closed);
    let pair = Pair::new(Arc::clone(&robin), Arc::default());
    send(&robin);
    let (mut second, heard) = message(&[], &robin, send);
    robin.try_send(&[], &mut second);
    drop(second);
    pipe_lost(&closed);
    pair.detach(PEER, departure(Vec::new(), false));
    assert_free(&heard);
}

/// A pipe that was closed before anybody had it settled.
fn pipe_lost(pipe: &Pipe) {
    pipe.close(CloseReason::Now);
    drop(pipe.drain());
}

#[test]
fn what_is_short_for_its_new_pipe() {
    // Large in the old pipe, and copied into the new one.
    let robin = Arc::new(RoundRobin::default());
    let (mut first, heard) = message(&[], &robin, send);
    let mut orphan = Batch::default();
    orphan.push_all_of(&[], &mut first, 0);
    robin.detach(PEER, vec![orphan]);
    let bytes = usize::MAX;
    let capacity = Capacity { messages: 9, bytes };
    let wide = Pipe::new(capacity, 10_000);
    robin.attach(PEER, Arc::clone(&wide));
    drop(drain(&wide));
    assert_free(&heard);
}

#[test]
fn what_is_not_read() {
    let forget = |queue: &FairQueue| queue.forget(PEER);
    let look = |queue: &FairQueue| queue.forget(PeerId(77));
    for way in 0..4 {
        let queue = Arc::new(FairQueue::default());
        let inbound = pipe(10);
        queue.attach(PEER, &Peer::somebody(), Arc::clone(&inbound));
        let (first, heard) = message(&[], &queue, look);
        inbound.push(&[], &Message::from("x")).unwrap();
        inbound.push(&[], &first).unwrap();
        inbound.push(&[], &Message::from("x")).unwrap();
        drop(first);
        assert!(matches!(
            queue.try_next(|_, batch| batch.pop()),
            Next::Message(_)
        ));
        match way {
            0 => forget(&queue),
            1 => {
                let mut due = Due::default();
                assert_eq!(queue.discard_all(&mut due), 2);
            }
            2 => queue.close(),
            // As if the other side had written it already.
            _ => {
                let pass = |_: &Peer, batch: &Batch, most| {
                    let moved = batch.encoded(Extent::default(), most, usize::MAX);
                    Passed::On(moved.map(|moved| moved.extent()).unwrap_or_default())
                };
                let mut ticket = Ticket::default();
                let rest = queue.poll_relay(&cx(), &mut ticket, 2, pass);
                assert_eq!(rest, Rest::Done);
            }
        }
        assert_free(&heard);
    }
}

/// Of a peer that has left, the queue may be the last to hold the pipe.
#[test]
fn what_those_who_left_have_in_their_pipes() {
    let look = |queue: &FairQueue| queue.forget(PeerId(77));
    for way in 0..3 {
        let queue = Arc::new(FairQueue::default());
        let inbound = pipe(10);
        queue.attach(PEER, &Peer::somebody(), Arc::clone(&inbound));
        let (second, heard) = message(&[], &queue, look);
        inbound.push(&[], &second).unwrap();
        drop(second);
        let mut first = Batch::default();
        first.push(&[], &Message::from("x"), 0);
        inbound.put_back(first);
        if way == 0 {
            inbound.close(CloseReason::Now);
            drop(inbound);
            queue.sweep(PEER);
        } else {
            pipe_lost_unread(inbound);
            assert_eq!(queue.sweep(PEER), 0);
            assert!(heard.try_recv().is_err());
            if way == 1 {
                queue.forget(PEER);
            } else {
                // Makes room for what another one leaves.
                let (messages, bytes) = (1, 1);
                let narrow = Pipe::new(Capacity { messages, bytes }, 256);
                queue.attach(PeerId(2), &Peer::somebody(), Arc::clone(&narrow));
                narrow.push(&[], &Message::from("x")).unwrap();
                pipe_lost_unread(narrow);
                assert_eq!(queue.sweep(PeerId(2)), 2);
            }
        }
        assert_free(&heard);
    }
}

/// A pipe whose connection is lost, while something in it is still to be read.
fn pipe_lost_unread(pipe: Arc<Pipe>) {
    pipe.close(CloseReason::Lost);
    drop(pipe);
}

#[test]
fn what_publishers_have_no_use_for() {
    for shows in [None, Some(Shows::default())] {
        let is_shown = shows.is_some();
        let fan_out = FanOut::new(Policy {
            shows,
            ..Policy::default()
        });
        let (outbound, inbound) = (pipe(9), pipe(9));
        fan_out.attach_outbound(PEER, &outbound);
        fan_out.attach_inbound(PEER, &Peer::somebody(), &inbound);
        let publish = |fan_out: &FanOut| {
            fan_out.try_send(To::Everybody, &Message::from("x"));
        };
        let envelope: &[&[u8]] = if is_shown { &[b"\x01a"] } else { &[] };
        let (mut said, heard) = message(envelope, &fan_out, publish);
        let mut batch = Batch::default();
        batch.push_all_of(&[], &mut said, 0);
        drop(said);
        // It is read at once.
        inbound.put_back(batch);
        drop(fan_out.try_next());
        assert_free(&heard);
    }
}

#[test]
fn what_no_publisher_gets() {
    let interest = Arc::new(Interest::new(Taste::default()));
    let (said, heard) = message(&[], &interest, |interest: &Interest| {
        interest.topics();
    });
    interest.send(said);
    assert_free(&heard);
}

struct Rep {
    requests: Arc<Requests>,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
}

impl Rep {
    fn new(correlate: bool) -> Self {
        let relaxed = false;
        let this = Self {
            requests: Requests::new(Rules { relaxed, correlate }),
            outbound: pipe(9),
            inbound: pipe(9),
        };
        this.requests.attach_outbound(PEER, &this.outbound);
        let peer = Peer::somebody();
        this.requests.attach_inbound(PEER, &peer, &this.inbound);
        this
    }

    fn message(&self, envelope: &[&'static [u8]]) -> (Message, mpsc::Receiver<bool>) {
        let open = |requests: &Requests| {
            requests.open();
        };
        message(envelope, &self.requests, open)
    }

    fn ask(&self, mut request: Message) -> u32 {
        let mut tickets = Tickets::default();
        let asked = self
            .requests
            .poll_ask(&mut cx(), &mut tickets, &mut request, false);
        let Poll::Ready(Asked::Number(number)) = asked else {
            unreachable!("{asked:?}");
        };
        number
    }

    fn answer(&self, number: u32) -> Poll<Answer> {
        let mut tickets = Tickets::default();
        self.requests
            .poll_answer(&mut cx(), &mut tickets, Some(number))
    }
}

#[test]
fn requests_that_are_given_up() {
    for correlate in [true, false] {
        let rep = Rep::new(correlate);
        let (request, heard) = rep.message(&[]);
        let number = rep.ask(request);
        rep.requests.abandon(number);
        drop(drain(&rep.outbound));
        assert_free(&heard);
        // One that had come back unwritten, and nobody waits for it any more.
        let (mut request, heard) = rep.message(&[&[0; 4], b""]);
        let mut unwritten = Batch::default();
        unwritten.push_all_of(&[], &mut request, 0);
        let gone = departure(vec![unwritten], true);
        rep.requests.detach(PEER, gone);
        assert_free(&heard);
    }
}

#[test]
fn replies_that_answer_nothing() {
    for envelope in [&[&b"none"[..], b""][..], &[b""], &[b"x", b"y"]] {
        for (correlate, waits) in [(true, true), (true, false), (false, true), (false, false)] {
            // Found by whoever asks or waits for another one, or when the peer leaves.
            let rep = Rep::new(correlate);
            let before = waits.then(|| rep.ask(Message::from("x")));
            let (reply, heard) = rep.message(envelope);
            rep.inbound.push(&[], &reply).unwrap();
            drop(reply);
            match before {
                Some(_) if envelope == [b""] && !correlate => continue,
                Some(number) => drop(rep.answer(number)),
                None if correlate => {
                    rep.requests.detach(PEER, departure(Vec::new(), false));
                }
                None => {
                    rep.ask(Message::from("x"));
                }
            }
            assert_free(&heard);
        }
    }
}
