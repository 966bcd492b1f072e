//! REQ and REP as state machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::{departure, drain, pipe};
use crate::message::Message;
use crate::pattern::replies::{self, Replies, Route};
use crate::pattern::requests::{Answer, Asked, Number, Requests, Rules, Tickets};
use crate::pattern::{Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Ticket;
use crate::pipe::{CloseReason, Pipe};

#[derive(Clone, Debug)]
enum Op {
    Ask,
    /// With whether the caller is the lock-step `recv` of somebody else.
    Answer(bool),
    Abandon,
    /// The server reads what it was sent.
    Serve(usize),
    /// It answers the oldest question it has read.
    Reply(usize),
    /// It says what nobody asked for.
    Blurt(usize),
    /// It says what is no reply at all.
    Mumble(usize),
    /// Its connection ends, before or after it has read everything.
    Leave(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let server = 0usize..2;
    prop_oneof![
        6 => Just(Op::Ask),
        6 => any::<bool>().prop_map(Op::Answer),
        1 => Just(Op::Abandon),
        4 => server.clone().prop_map(Op::Serve),
        4 => server.clone().prop_map(Op::Reply),
        1 => server.clone().prop_map(Op::Blurt),
        1 => server.clone().prop_map(Op::Mumble),
        1 => server.prop_map(Op::Leave),
    ]
}

struct Server {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    read: Vec<Message>,
}

/// The law, its servers, and what a REQ may know.
struct World {
    law: Arc<Requests>,
    servers: Vec<Server>,
    ids: u64,
    asked: usize,
    /// The request under way, with its number.
    open: Option<(Number, Message)>,
    tickets: Tickets,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            law: Requests::new(Rules::default()),
            servers: Vec::new(),
            ids: 0,
            asked: 0,
            open: None,
            tickets: Tickets::default(),
        };
        world.arrive();
        world.arrive();
        world
    }

    fn arrive(&mut self) {
        let (id, outbound, inbound) = (PeerId(self.ids), pipe(2), pipe(8));
        self.ids += 1;
        self.law.attach_outbound(id, &outbound);
        self.law.attach_inbound(id, &Peer::somebody(), &inbound);
        self.servers.push(Server {
            id,
            outbound,
            inbound,
            read: Vec::new(),
        });
    }

    fn peer_asked(&self) -> Option<PeerId> {
        let (number, _) = self.open.as_ref()?;
        self.law.peer_asked(*number)
    }

    fn position(&self, id: PeerId) -> usize {
        let found = self.servers.iter().position(|server| server.id == id);
        found.expect("it asked one of them")
    }

    /// As a session ends; another server comes in its place.
    fn depart(&mut self, index: usize) {
        let server = self.servers.remove(index);
        server.inbound.close(CloseReason::Lost);
        server.outbound.close(CloseReason::Lost);
        let departure = departure(server.outbound.drain(), false);
        self.law.detach(server.id, departure);
        self.arrive();
    }

    fn step(&mut self, op: &Op) -> Result<(), TestCaseError> {
        let mut cx = Context::from_waker(Waker::noop());
        match *op {
            Op::Ask => {
                let mut question = Message::from(format!("question {}", self.asked));
                let poll = self
                    .law
                    .poll_ask(&mut cx, &mut self.tickets, &mut question, false);
                match poll {
                    Poll::Ready(Asked::Number(number)) => {
                        prop_assert!(self.open.is_none(), "two at once");
                        self.asked += 1;
                        self.open = Some((number, question));
                    }
                    Poll::Pending => prop_assert!(self.open.is_some(), "there are servers"),
                    Poll::Ready(other) => prop_assert!(false, "{:?}", other),
                }
                if self.open.is_some() {
                    self.law.leave(&mut self.tickets);
                }
            }
            Op::Answer(true) => {
                let mut tickets = Tickets::default();
                let answer = self.law.poll_answer(&mut cx, &mut tickets, None);
                prop_assert!(
                    matches!(answer, Poll::Ready(Answer::OutOfTurn)),
                    "{:?}",
                    answer
                );
            }
            Op::Answer(false) => {
                let Some((number, question)) = &self.open else {
                    return Ok(());
                };
                let answer = self
                    .law
                    .poll_answer(&mut cx, &mut self.tickets, Some(*number));
                match answer {
                    Poll::Ready(Answer::Reply(_, reply)) => {
                        prop_assert_eq!(&reply, question, "the answer to another question");
                        self.open = None;
                    }
                    Poll::Ready(Answer::Lost(..)) => self.open = None,
                    Poll::Ready(Answer::Malformed(peer)) => {
                        let index = self.position(peer);
                        self.depart(index);
                    }
                    Poll::Pending => {}
                    Poll::Ready(other) => prop_assert!(false, "{:?}", other),
                }
            }
            Op::Abandon => {
                if let Some((number, _)) = self.open.take() {
                    self.law.leave(&mut self.tickets);
                    if let Some(peer) = self.law.abandon(number) {
                        let index = self.position(peer);
                        // Its answer may come before the connection has ended.
                        self.step(&Op::Serve(index))?;
                        self.step(&Op::Reply(index))?;
                        self.depart(index);
                    }
                }
            }
            Op::Serve(index) => {
                let server = &mut self.servers[index];
                server.read.extend(drain(&server.outbound));
            }
            Op::Reply(index) => {
                let server = &mut self.servers[index];
                if !server.read.is_empty() {
                    // The delimiter that it came with, and the question: an echo.
                    drop(server.inbound.push(&[], &server.read.remove(0)));
                }
            }
            Op::Blurt(index) => {
                let asked = self.open.is_some();
                let server = &self.servers[index];
                // The one that was asked may say what it likes; the protocol cannot tell.
                if !asked || self.peer_asked() != Some(server.id) {
                    drop(server.inbound.push(&[], &Message::from(["", "blurt"])));
                }
            }
            Op::Mumble(index) => {
                drop(
                    self.servers[index]
                        .inbound
                        .push(&[], &Message::from("mumble")),
                );
            }
            Op::Leave(index) => self.depart(index),
        }
        Ok(())
    }
}

/// An asker: its pipes, and what it is to be told.
type Home = (PeerId, Arc<Pipe>, Arc<Pipe>, Vec<Message>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_answer_is_to_the_question_and_from_who_was_asked(
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new();
        for op in &ops {
            world.step(op)?;
        }
        // Whatever has happened, the next question gets its answer.
        world.step(&Op::Abandon)?;
        world.step(&Op::Ask)?;
        for index in [0, 1] {
            world.step(&Op::Serve(index))?;
            while !world.servers[index].read.is_empty() {
                world.step(&Op::Reply(index))?;
            }
        }
        world.step(&Op::Answer(false))?;
        prop_assert!(world.open.is_none(), "the last question got no answer");
    }

    #[test]
    fn a_reply_goes_home(
        ops in prop::collection::vec((0u8..5, 0usize..3), 1..80),
    ) {
        let law = Replies::new();
        let mut homes: Vec<Home> = Vec::new();
        let mut open: Vec<(Route, Message)> = Vec::new();
        let (mut ids, mut next) = (0u64, 0usize);
        for (kind, index) in ops {
            if kind == 0 {
                let (outbound, inbound) = (pipe(3), pipe(8));
                law.attach_outbound(PeerId(ids), &outbound);
                law.attach_inbound(PeerId(ids), &Peer::somebody(), &inbound);
                homes.push((PeerId(ids), outbound, inbound, Vec::new()));
                ids += 1;
            }
            let home = homes.get(index);
            match (kind, home) {
                (1, Some((id, _, inbound, _))) => {
                    let text = format!("{} {next}", id.0);
                    next += 1;
                    let request = Message::from(["hop", "", text.as_str()]);
                    drop(inbound.push(&[], &request));
                    drop(inbound.push(&[], &Message::from("no request")));
                }
                (2, _) => match law.try_next() {
                    replies::Asked::Request(route, body) => open.push((route, body)),
                    replies::Asked::Empty => {}
                    replies::Asked::Closed => prop_assert!(false),
                },
                (3, _) if !open.is_empty() => {
                    let (route, body) = open.remove(index % open.len());
                    let sent = route.reply(&body).is_ok();
                    let home = homes.iter_mut().find(|home| {
                        body.text().starts_with(&format!("{} ", home.0.0))
                    });
                    prop_assert!(home.is_some() || !sent, "a reply to a peer that is gone");
                    if let (Some(home), true) = (home, sent) {
                        home.3.push(body);
                    }
                }
                (4, Some(_)) => {
                    let (id, outbound, inbound, expected) = homes.remove(index);
                    inbound.close(CloseReason::Lost);
                    outbound.close(CloseReason::Lost);
                    let expected: Vec<_> = expected
                        .into_iter()
                        .map(|body| Message::from(["hop", "", &*body.text()]))
                        .collect();
                    prop_assert_eq!(drain(&outbound), expected);
                    prop_assert_eq!(law.detach(id, departure(Vec::new(), false)), 0);
                }
                _ => {}
            }
        }
        let mut ticket = Ticket::default();
        let mut cx = Context::from_waker(Waker::noop());
        law.close();
        let closed = matches!(law.poll_next(&mut cx, &mut ticket), Poll::Ready(replies::Asked::Closed));
        prop_assert!(closed);
    }
}

#[test]
fn a_request_of_which_nothing_was_written_is_sent_to_another_peer() {
    let mut world = World::new();
    world.step(&Op::Ask).unwrap();
    let asked = world.peer_asked().unwrap();
    let index = world.position(asked);
    world.depart(index);
    // It is asked again by whoever waits for the answer, who gets it.
    world.step(&Op::Answer(false)).unwrap();
    assert_ne!(world.peer_asked(), Some(asked));
    for index in [0, 1] {
        world.step(&Op::Serve(index)).unwrap();
        world.step(&Op::Reply(index)).unwrap();
    }
    world.step(&Op::Answer(false)).unwrap();
    assert!(world.open.is_none());
}

#[test]
fn what_a_peer_said_before_it_was_asked_again_is_no_answer() {
    let mut world = World::new();
    world.step(&Op::Ask).unwrap();
    let asked = world.peer_asked().unwrap();
    let index = world.position(asked);
    world.depart(index);
    world.step(&Op::Blurt(0)).unwrap();
    world.step(&Op::Blurt(1)).unwrap();
    // Not what they blurted out.
    world.step(&Op::Answer(false)).unwrap();
    assert!(world.open.is_some());
}

/// Whether their requests are dropped, kept or never read: the law lets go of peers that leave.
#[test]
fn nothing_is_kept_of_askers_that_have_left() {
    let law = Replies::new();
    let (mut pipes, mut routes) = (Vec::new(), Vec::new());
    for id in 0..100 {
        let (outbound, inbound) = (pipe(3), pipe(8));
        law.attach_outbound(PeerId(id), &outbound);
        law.attach_inbound(PeerId(id), &Peer::somebody(), &inbound);
        inbound.push(&[], &Message::from(["", "question"])).unwrap();
        match law.try_next() {
            replies::Asked::Request(route, _) if id % 2 == 0 => routes.push(route),
            replies::Asked::Request(..) => {}
            other => panic!("{other:?}"),
        }
        for closed in [&inbound, &outbound] {
            closed.close(CloseReason::Lost);
        }
        law.detach(PeerId(id), departure(Vec::new(), false));
        pipes.push((outbound, inbound));
    }
    for route in routes.drain(..) {
        law.reply_or_drop(&route, &Message::from("late"));
    }
    assert_eq!(law.dropped().departed, 50);
    for (outbound, inbound) in pipes {
        assert_eq!(Arc::strong_count(&outbound), 1);
        assert_eq!(Arc::strong_count(&inbound), 1);
    }
}

/// Looks for its answer at once, in the middle of whatever has woken it.
struct Eager {
    law: Arc<Requests>,
    number: Number,
    closed: AtomicBool,
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        let (mut cx, mut tickets) = (Context::from_waker(Waker::noop()), Tickets::default());
        let answer = self
            .law
            .poll_answer(&mut cx, &mut tickets, Some(self.number));
        let closed = matches!(answer, Poll::Ready(Answer::Closed));
        self.closed.store(closed, Ordering::Relaxed);
    }
}

/// A request that came back waits for somebody else to be asked, and the socket ends meanwhile.
#[test]
fn who_is_woken_by_the_end_does_not_look_for_it_again_and_again() {
    let (law, server, outbound) = (Requests::new(Rules::default()), PeerId(1), pipe(2));
    law.attach_outbound(server, &outbound);
    let (mut cx, mut tickets) = (Context::from_waker(Waker::noop()), Tickets::default());
    let asked = law.poll_ask(&mut cx, &mut tickets, &mut Message::from("?"), false);
    let Poll::Ready(Asked::Number(number)) = asked else {
        panic!("{asked:?}");
    };
    outbound.close(CloseReason::Lost);
    law.detach(server, departure(outbound.drain(), false));
    let eager = Arc::new(Eager {
        law: Arc::clone(&law),
        number,
        closed: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&eager));
    let answer = law.poll_answer(&mut Context::from_waker(&waker), &mut tickets, Some(number));
    assert!(answer.is_pending());
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        law.close();
        done.send(())
    });
    let ended = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(ended, Ok(()), "it looks for ever");
    assert!(eager.closed.load(Ordering::Relaxed));
}
