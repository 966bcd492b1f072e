//! REQ whose rules change while it asks, by `request` and in lock-step: whatever the servers do with
//! what they have read, nobody gets another question's answer, and nobody waits for ever.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::{departure, drain, pipe};
use crate::message::Message;
use crate::options::Options;
use crate::pattern::requests::{Answer, Asked, Number, Requests, Rules, Tickets};
use crate::pattern::{Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Pipe};

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask,
    Answer(usize),
    Abandon(usize),
    Send,
    Recv,
    Serve(usize),
    /// Perhaps a second time, where a number tells.
    Reply(usize, usize, bool),
    Leave(usize),
    Change(bool, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let (server, which) = (0usize..2, 0usize..8);
    prop_oneof![
        6 => Just(Op::Ask),
        6 => which.clone().prop_map(Op::Answer),
        2 => which.clone().prop_map(Op::Abandon),
        4 => Just(Op::Send),
        4 => Just(Op::Recv),
        5 => server.clone().prop_map(Op::Serve),
        6 => (server.clone(), which, prop::bool::weighted(0.2))
            .prop_map(|(server, which, twice)| Op::Reply(server, which, twice)),
        1 => server.prop_map(Op::Leave),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(a, b)| Op::Change(a, b)),
    ]
}

struct Server {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    /// With envelopes, as they came.
    read: Vec<Message>,
}

struct World {
    law: Arc<Requests>,
    servers: Vec<Server>,
    ids: u64,
    asked: usize,
    open: BTreeMap<Number, (String, Tickets)>,
    /// What was sent in lock-step last.
    sent: Option<String>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            law: Requests::new(Rules::default()),
            servers: Vec::new(),
            ids: 0,
            asked: 0,
            open: BTreeMap::new(),
            sent: None,
        };
        (0..2).for_each(|_| world.arrive());
        world
    }

    fn arrive(&mut self) {
        let (id, outbound, inbound) = (PeerId(self.ids), pipe(3), pipe(1_000));
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

    fn depart(&mut self, index: usize) {
        let server = self.servers.remove(index);
        server.inbound.close(CloseReason::Lost);
        server.outbound.close(CloseReason::Lost);
        let departure = departure(server.outbound.drain(), false);
        self.law.detach(server.id, departure);
        self.arrive();
    }

    /// As the socket ends a connection by which nothing good can come any more.
    fn reset(&mut self, peer: PeerId) {
        if let Some(index) = self.servers.iter().position(|server| server.id == peer) {
            self.depart(index);
        }
    }

    fn ask(&mut self, lock_step: bool) -> Result<bool, TestCaseError> {
        let mut cx = Context::from_waker(Waker::noop());
        let text = format!("question {}", self.asked);
        let mut tickets = Tickets::default();
        let mut message = Message::from(text.as_str());
        loop {
            match self
                .law
                .poll_ask(&mut cx, &mut tickets, &mut message, lock_step)
            {
                Poll::Ready(Asked::Number(number)) => {
                    self.asked += 1;
                    if lock_step {
                        self.sent = Some(text);
                        self.law.leave(&mut tickets);
                    } else {
                        let before = self.open.insert(number, (text, tickets));
                        prop_assert!(before.is_none(), "{} is used twice", number);
                    }
                    return Ok(true);
                }
                Poll::Ready(Asked::Reset(peer)) => self.reset(peer),
                Poll::Ready(Asked::OutOfTurn) | Poll::Pending => {
                    self.law.leave(&mut tickets);
                    return Ok(false);
                }
                Poll::Ready(Asked::Closed) => prop_assert!(false, "it is open"),
            }
        }
    }

    /// Looks for an answer: of this number, or in lock-step.
    fn answer(&mut self, wanted: Option<Number>) -> Result<(), TestCaseError> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut own = Tickets::default();
        let (expected, tickets) = match wanted {
            None => (self.sent.clone(), &mut own),
            Some(number) => match self.open.get_mut(&number) {
                Some((text, tickets)) => (Some(text.clone()), tickets),
                None => return Ok(()),
            },
        };
        let poll = self.law.poll_answer(&mut cx, tickets, wanted);
        match poll {
            Poll::Pending => {
                self.law.leave(&mut own);
                return Ok(());
            }
            Poll::Ready(Answer::Malformed(peer)) => {
                prop_assert!(false, "{:?} has only sent echoes", peer);
            }
            Poll::Ready(Answer::Reply(_, reply)) => {
                prop_assert_eq!(Some(reply.text().into_owned()), expected);
            }
            Poll::Ready(Answer::Lost(..)) => {}
            Poll::Ready(Answer::OutOfTurn) => prop_assert!(wanted.is_none()),
            Poll::Ready(Answer::Closed) => prop_assert!(false, "it is open"),
        }
        match wanted {
            None => self.sent = None,
            Some(number) => {
                if let Some((_, mut tickets)) = self.open.remove(&number) {
                    self.law.leave(&mut tickets);
                }
            }
        }
        self.law.leave(&mut own);
        Ok(())
    }

    fn nth(&self, which: usize) -> Option<Number> {
        self.open.keys().copied().cycle().nth(which)
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Ask => drop(self.ask(false)?),
            Op::Send => drop(self.ask(true)?),
            Op::Recv => self.answer(None)?,
            Op::Answer(which) => {
                if let Some(number) = self.nth(which) {
                    self.answer(Some(number))?;
                }
            }
            Op::Abandon(which) => {
                if let Some(number) = self.nth(which) {
                    if let Some((_, mut tickets)) = self.open.remove(&number) {
                        self.law.leave(&mut tickets);
                    }
                    if let Some(peer) = self.law.abandon(number) {
                        self.reset(peer);
                    }
                }
            }
            Op::Serve(index) => {
                let server = &mut self.servers[index];
                server.read.extend(drain(&server.outbound));
            }
            Op::Reply(index, which, twice) => {
                let server = &mut self.servers[index];
                if !server.read.is_empty() {
                    let which = which % server.read.len();
                    let echo = server.read[which].clone();
                    if !twice || echo.first().is_empty() {
                        server.read.remove(which);
                    }
                    drop(server.inbound.push(&[], &echo));
                }
            }
            Op::Leave(index) => self.depart(index),
            Op::Change(relaxed, correlate) => {
                self.law.adopt(&Options {
                    relaxed,
                    correlate,
                    ..Options::default()
                });
                self.law.adopted();
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_answer_is_that_of_its_question(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            world.step(op)?;
        }
        // Once all servers answer, nobody waits any more, and the next question has its turn.
        for _ in 0..10 {
            for index in 0..2 {
                world.step(Op::Serve(index))?;
                while !world.servers[index].read.is_empty() {
                    world.step(Op::Reply(index, 0, false))?;
                }
            }
            world.answer(None)?;
            let open: Vec<Number> = world.open.keys().copied().collect();
            for number in open {
                world.answer(Some(number))?;
            }
        }
        prop_assert!(world.open.is_empty(), "{:?} got no answer", world.open.keys());
        prop_assert_eq!(world.law.open(), 0);
        prop_assert!(world.ask(false)?);
    }
}
