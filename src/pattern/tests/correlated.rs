//! REQ with correlation, against a naive model: many questions at once, each with its own answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::{departure, drain, pipe};
use crate::message::Message;
use crate::pattern::envelope::number;
use crate::pattern::requests::{Answer, Asked, IN_FLIGHT_MAX, Number, Requests, Rules, Tickets};
use crate::pattern::{Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::{CloseReason, Pipe};

const CORRELATED: Rules = Rules {
    relaxed: false,
    correlate: true,
};

#[derive(Clone, Debug)]
enum Op {
    Ask,
    /// Whoever asked that many questions ago looks for the answer.
    Answer(usize),
    Abandon(usize),
    Serve(usize),
    /// The server answers any question that it has read, perhaps twice, and perhaps one that was
    /// read by another.
    Reply(usize, usize, bool),
    Theft(usize, usize),
    Unnumbered(usize),
    Mumble(usize),
    Leave(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (server, any) = (0usize..3, 0usize..8);
    prop_oneof![
        8 => Just(Op::Ask),
        8 => any.clone().prop_map(Op::Answer),
        2 => any.clone().prop_map(Op::Abandon),
        5 => server.clone().prop_map(Op::Serve),
        5 => (server.clone(), any.clone(), prop::bool::weighted(0.2))
            .prop_map(|(server, which, twice)| Op::Reply(server, which, twice)),
        1 => (server.clone(), any).prop_map(|(server, which)| Op::Theft(server, which)),
        1 => server.clone().prop_map(Op::Unnumbered),
        1 => server.clone().prop_map(Op::Mumble),
        1 => server.prop_map(Op::Leave),
    ]
}

struct Server {
    id: PeerId,
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
    /// With numbers and delimiters, as they came.
    read: Vec<Message>,
    /// Whether it has sent something malformed: nothing that comes after it is believed.
    mumbled: bool,
}

struct Question {
    text: String,
    tickets: Tickets,
    /// Whether a server has read it and then left: nothing else loses a request.
    may_be_lost: bool,
}

struct World {
    law: Arc<Requests>,
    servers: Vec<Server>,
    ids: u64,
    asked: usize,
    open: BTreeMap<Number, Question>,
}

fn text_of(request: &Message) -> String {
    String::from_utf8(request.frame(2).expect("number, delimiter, text").to_vec())
        .expect("we ask in UTF-8")
}

impl World {
    fn new(first: Number) -> Self {
        let mut world = Self {
            law: Requests::new(CORRELATED),
            servers: Vec::new(),
            ids: 0,
            asked: 0,
            open: BTreeMap::new(),
        };
        world.law.number_from(first);
        (0..3).for_each(|_| world.arrive());
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
            mumbled: false,
        });
    }

    fn depart(&mut self, index: usize) {
        let server = self.servers.remove(index);
        for request in &server.read {
            let text = text_of(request);
            for question in self.open.values_mut().filter(|q| q.text == text) {
                question.may_be_lost = true;
            }
        }
        server.inbound.close(CloseReason::Lost);
        server.outbound.close(CloseReason::Lost);
        let departure = departure(server.outbound.drain(), false);
        assert_eq!(self.law.detach(server.id, departure), 0);
        self.arrive();
    }

    fn nth(&self, which: usize) -> Option<Number> {
        let count = self.open.len();
        (count > 0).then(|| {
            *self
                .open
                .keys()
                .nth(which % count)
                .expect("within the count")
        })
    }

    fn answer(&mut self, number: Number) -> Result<(), TestCaseError> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let Some(question) = self.open.get_mut(&number) else {
                return Ok(());
            };
            let poll = self
                .law
                .poll_answer(&mut cx, &mut question.tickets, Some(number));
            match poll {
                Poll::Pending => return Ok(()),
                Poll::Ready(Answer::Reply(_, reply)) => {
                    prop_assert_eq!(reply.text(), &*question.text, "another question's answer");
                }
                Poll::Ready(Answer::Lost(endpoint, _)) => {
                    prop_assert!(question.may_be_lost, "nobody left with {}", question.text);
                    prop_assert_eq!(endpoint.to_string(), "inproc://there");
                }
                Poll::Ready(Answer::Malformed(peer)) => {
                    let index = self.servers.iter().position(|server| server.id == peer);
                    // One that has left may have mumbled before.
                    if let Some(index) = index {
                        self.depart(index);
                    }
                    continue;
                }
                Poll::Ready(other) => prop_assert!(false, "{:?}", other),
            }
            if let Some(mut question) = self.open.remove(&number) {
                self.law.leave(&mut question.tickets);
            }
        }
    }

    fn step(&mut self, op: &Op) -> Result<(), TestCaseError> {
        let mut cx = Context::from_waker(Waker::noop());
        match *op {
            Op::Ask => {
                let text = format!("question {}", self.asked);
                let mut tickets = Tickets::default();
                let mut message = Message::from(text.as_str());
                match self
                    .law
                    .poll_ask(&mut cx, &mut tickets, &mut message, false)
                {
                    Poll::Ready(Asked::Number(number)) => {
                        self.asked += 1;
                        let may_be_lost = false;
                        let question = Question {
                            text,
                            tickets,
                            may_be_lost,
                        };
                        let before = self.open.insert(number, question);
                        prop_assert!(before.is_none(), "{} is used twice", number);
                    }
                    // Every server has three to read.
                    Poll::Pending => {
                        self.law.leave(&mut tickets);
                        prop_assert!(self.servers.iter().all(|s| s.outbound.load().messages >= 2));
                    }
                    Poll::Ready(other) => prop_assert!(false, "{:?}", other),
                }
            }
            Op::Answer(which) => {
                if let Some(number) = self.nth(which) {
                    self.answer(number)?;
                }
            }
            Op::Abandon(which) => {
                if let Some(number) = self.nth(which) {
                    let question = self.open.remove(&number);
                    self.law.leave(&mut question.expect("it was found").tickets);
                    prop_assert_eq!(self.law.abandon(number), None, "nobody else is to suffer");
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
                    if !twice {
                        server.read.remove(which);
                    }
                    if server.mumbled {
                        let text = text_of(&echo);
                        let asked = self.open.values_mut().filter(|q| q.text == text);
                        asked.for_each(|question| question.may_be_lost = true);
                    }
                    drop(server.inbound.push(&[], &echo));
                }
            }
            Op::Theft(index, which) => {
                let next = (index + 1) % self.servers.len();
                let stolen = &self.servers[index].read;
                if let Some(stolen) = stolen.get(which) {
                    let forged: Vec<&[u8]> = vec![stolen.first(), b"", b"forged"];
                    let forged = Message::from(forged);
                    drop(self.servers[next].inbound.push(&[], &forged));
                }
            }
            Op::Unnumbered(index) => {
                let message = Message::from(["", "to whom?"]);
                drop(self.servers[index].inbound.push(&[], &message));
            }
            Op::Mumble(index) => {
                let server = &mut self.servers[index];
                server.mumbled = true;
                drop(server.inbound.push(&[], &Message::from("mumble")));
            }
            Op::Leave(index) => self.depart(index),
        }
        prop_assert_eq!(self.law.open(), self.open.len(), "what is open");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_question_gets_its_own_answer(
        ops in prop::collection::vec(op(), 1..120),
        first in prop_oneof![Just(Number::MAX - 3), any::<Number>()],
    ) {
        let mut world = World::new(first);
        for op in &ops {
            world.step(op)?;
        }
        // Whatever has happened: once all servers answer, nobody waits any more. A malformed reply
        // costs a server, and with it a round.
        for _ in 0..10 {
            for index in 0..3 {
                world.step(&Op::Serve(index))?;
                while !world.servers[index].read.is_empty() {
                    world.step(&Op::Reply(index, 0, false))?;
                }
            }
            let open: Vec<Number> = world.open.keys().copied().collect();
            for number in open {
                world.answer(number)?;
            }
        }
        prop_assert!(world.open.is_empty(), "{:?} got no answer", world.open.keys());
    }
}

fn ask(law: &Requests, tickets: &mut Tickets) -> Option<Number> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Message::from("question");
    match law.poll_ask(&mut cx, tickets, &mut request, false) {
        Poll::Ready(Asked::Number(number)) => Some(number),
        _ => None,
    }
}

fn law_with_one(capacity: usize) -> (Arc<Requests>, Arc<Pipe>, Arc<Pipe>) {
    let law = Requests::new(CORRELATED);
    let (outbound, inbound) = (pipe(capacity), pipe(capacity));
    law.attach_outbound(PeerId(0), &outbound);
    law.attach_inbound(PeerId(0), &Peer::somebody(), &inbound);
    (law, outbound, inbound)
}

#[test]
fn a_number_that_is_in_use_is_not_given_out_again() {
    let (law, ..) = law_with_one(9);
    let mut tickets = Tickets::default();
    law.number_from(Number::MAX);
    assert_eq!(ask(&law, &mut tickets), Some(Number::MAX));
    assert_eq!(ask(&law, &mut tickets), Some(0));
    law.number_from(Number::MAX);
    assert_eq!(ask(&law, &mut tickets), Some(1));
    law.abandon(0);
    law.number_from(Number::MAX);
    assert_eq!(ask(&law, &mut tickets), Some(0));
}

#[test]
fn there_is_a_limit_to_what_is_in_flight() {
    let (law, outbound, _) = law_with_one(IN_FLIGHT_MAX + 10);
    let mut tickets = Tickets::default();
    let numbers: Vec<Number> = std::iter::from_fn(|| ask(&law, &mut tickets)).collect();
    assert_eq!(numbers.len(), IN_FLIGHT_MAX);
    law.abandon(numbers[7]);
    assert!(ask(&law, &mut tickets).is_some());
    assert!(ask(&law, &mut tickets).is_none());
    // What was given up before it was written is not sent.
    assert_eq!(drain(&outbound).len(), IN_FLIGHT_MAX);
}

/// Many are given up one by one, in any order, and looked for once.
#[test]
fn what_is_given_up_is_taken_out_together() {
    let (law, outbound, _) = law_with_one(IN_FLIGHT_MAX);
    let mut tickets = Tickets::default();
    let mut numbers: Vec<Number> = std::iter::from_fn(|| ask(&law, &mut tickets)).collect();
    outbound.settle();
    let kept: Vec<Number> = numbers.iter().copied().skip(500).step_by(7).collect();
    numbers.retain(|number| !kept.contains(number));
    numbers.reverse();
    for number in numbers {
        law.abandon(number);
    }
    assert_eq!(outbound.load().messages, IN_FLIGHT_MAX, "not one by one");
    let sent = drain(&outbound);
    let sent = sent.iter().map(|request| number(request.first()));
    assert_eq!(sent.collect::<Option<Vec<_>>>(), Some(kept));
    assert_eq!(outbound.load().messages, 0);
}

/// What nobody wants any more takes up no room for those who wait for it.
#[test]
fn what_is_given_up_makes_room() {
    let (law, outbound, _) = law_with_one(2);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut tickets = Tickets::default();
    let first = ask(&law, &mut tickets).expect("room");
    assert!(ask(&law, &mut tickets).is_some());
    let mut waiting = Tickets::default();
    let mut request = Message::from("waits");
    let mut asks = |cx: &mut Context<'_>| law.poll_ask(cx, &mut waiting, &mut request, false);
    assert!(asks(&mut cx).is_pending());
    law.abandon(first);
    assert!(woken.0.load(Ordering::Relaxed) > 0);
    let Poll::Ready(Asked::Number(third)) = asks(&mut cx) else {
        unreachable!("there is room");
    };
    // Also for those who come later.
    law.abandon(third);
    assert!(ask(&law, &mut Tickets::default()).is_some());
    assert_eq!(drain(&outbound).len(), 2);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that keeps its queue has written two, brings one back, and has one in the queue that
/// is given up.
#[test]
fn what_was_not_written_stays_in_a_queue_that_stays() {
    let (law, outbound, inbound) = law_with_one(9);
    let mut tickets = Tickets::default();
    let numbers: Vec<Number> = (0..3).filter_map(|_| ask(&law, &mut tickets)).collect();
    let mut batch = match outbound.take() {
        crate::pipe::Take::Batch(batch) => batch,
        other => panic!("{other:?}"),
    };
    let later: Vec<Number> = (0..2).filter_map(|_| ask(&law, &mut tickets)).collect();
    drop(batch.pop());
    drop(batch.pop());
    law.abandon(later[0]);
    inbound.close(CloseReason::Lost);
    outbound.leave();
    outbound.put_back(batch);
    law.detach(PeerId(0), departure(Vec::new(), true));
    let mut cx = Context::from_waker(Waker::noop());
    for number in &numbers[..2] {
        let answer = law.poll_answer(&mut cx, &mut tickets, Some(*number));
        assert!(
            matches!(answer, Poll::Ready(Answer::Lost(..))),
            "{answer:?}"
        );
    }
    for number in [numbers[2], later[1]] {
        let answer = law.poll_answer(&mut cx, &mut tickets, Some(number));
        assert!(answer.is_pending(), "{answer:?}");
    }
    let queued: Vec<Vec<u8>> = drain(&outbound)
        .iter()
        .map(|m| m.first().to_vec())
        .collect();
    assert_eq!(queued, [numbers[2].to_be_bytes(), later[1].to_be_bytes()]);
}

#[test]
fn replies_that_answer_nothing_are_counted() {
    let (law, outbound, inbound) = law_with_one(9);
    let mut tickets = Tickets::default();
    let number = ask(&law, &mut tickets).unwrap();
    let late = ask(&law, &mut tickets).unwrap();
    let requests = drain(&outbound);
    law.abandon(late);
    inbound.push(&[], &requests[1]).unwrap();
    inbound
        .push(&[], &Message::from(["", "unnumbered"]))
        .unwrap();
    inbound.push(&[], &requests[0]).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let answer = law.poll_answer(&mut cx, &mut tickets, Some(number));
    assert!(
        matches!(answer, Poll::Ready(Answer::Reply(..))),
        "{answer:?}"
    );
    assert_eq!(law.dropped().unusable, 2);
}
