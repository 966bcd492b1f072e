//! What is relayed: it comes out as it went in, nothing is taken that has no room, and nobody sleeps who could
//! go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::{drain, pipe};
use crate::identity::Identity;
use crate::message::Message;
use crate::options::Options;
use crate::pattern::audience::Policy;
use crate::pattern::fair_queue::FairQueue;
use crate::pattern::fan_out::FanOut;
use crate::pattern::interest::{Interest, Taste};
use crate::pattern::relay::{End, Entrance, Exit, Relay, Relayed};
use crate::pattern::round_robin::RoundRobin;
use crate::pattern::routes::Routes;
use crate::pattern::{Pattern, PeerId};
use crate::peer_handle::Peer;
use crate::pipe::sync::Arc;
use crate::pipe::wake::{Due, Ticket};
use crate::pipe::{Load, Pipe};
use crate::wire::batch::Batch;
use crate::wire::subscription::Subscription;

const CAPACITY: usize = 4;

/// Notes that it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task that relays.
struct Task<'a> {
    relay: Relay<'a>,
    bell: Arc<Bell>,
    /// All that it has relayed.
    sum: Relayed,
}

impl<'a> Task<'a> {
    fn new(relay: Relay<'a>) -> Self {
        Self {
            relay,
            bell: Arc::default(),
            sum: Relayed::default(),
        }
    }

    /// How many messages it moves, and how that ends.
    fn poll(&mut self, messages: usize) -> (usize, Poll<Result<(), End>>) {
        let waker = Waker::from(Arc::clone(&self.bell));
        let (mut due, mut relayed) = (Due::default(), Relayed::default());
        let cx = Context::from_waker(&waker);
        let poll = self.relay.poll(&cx, messages, &mut relayed, &mut due);
        self.sum += relayed;
        (relayed.taken.messages, poll)
    }

    /// How many messages it moves now.
    fn go(&mut self) -> usize {
        self.poll(9).0
    }

    /// Polls as a runtime does: only when it was woken.
    fn run(&mut self) -> usize {
        let mut moved = 0;
        while self.bell.0.swap(false, Ordering::Relaxed) {
            loop {
                let (more, poll) = self.poll(2);
                moved += more;
                match poll {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => assert_eq!(more, 2),
                    Poll::Ready(Err(end)) => unreachable!("{end:?} has not ended"),
                }
            }
        }
        moved
    }
}

fn entrance(queue: &FairQueue) -> Entrance<'_> {
    Entrance {
        queue,
        interest: None,
        named: false,
    }
}

/// A queue and the pipes that lead into it.
fn queue(peers: usize) -> (Arc<FairQueue>, Vec<Arc<Pipe>>) {
    let queue = Arc::<FairQueue>::default();
    let attach = |number: usize| {
        let pipe = pipe(CAPACITY);
        queue.attach(PeerId(number as u64), &Peer::somebody(), Arc::clone(&pipe));
        pipe
    };
    let pipes = (0..peers).map(attach).collect();
    (queue, pipes)
}

/// A round and the pipes that lead out of it.
fn round(peers: usize) -> (Arc<RoundRobin>, Vec<Arc<Pipe>>) {
    let robin = Arc::<RoundRobin>::default();
    let attach = |number: usize| {
        let pipe = pipe(CAPACITY);
        robin.attach(PeerId(number as u64), Arc::clone(&pipe));
        pipe
    };
    let pipes = (0..peers).map(attach).collect();
    (robin, pipes)
}

fn message(source: usize, number: usize) -> Message {
    let size = [0, 3, 300, 5_000, 70_000][number % 5];
    let head = format!("{source} {number}");
    vec![head.into_bytes(), vec![number as u8; size]].into()
}

fn source_of(message: &Message) -> usize {
    usize::from(message.first()[0] - b'0')
}

#[derive(Clone, Debug)]
enum Op {
    /// A peer sends; as a sender does, or as a chunk that was read.
    Say(usize, bool),
    /// A peer reads everything.
    Drain(usize),
    /// The task ends, and another one goes on.
    Replace,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (0usize..3, any::<bool>()).prop_map(|(peer, chunk)| Op::Say(peer, chunk)),
        4 => (0usize..3).prop_map(Op::Drain),
        1 => Just(Op::Replace),
    ]
}

proptest! {
    #[test]
    fn everything_arrives_once_and_in_order(
        (sources, targets) in (1usize..4, 1usize..4),
        captured: bool,
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let (queue, ins) = queue(sources);
        let (robin, outs) = round(targets);
        let (copies, witness) = round(1);
        let capture = captured.then_some(Exit::RoundRobin(&copies));
        let relay = || Task::new(Relay::new(entrance(&queue), Exit::RoundRobin(&robin), capture));
        let mut task = relay();
        prop_assert_eq!(task.poll(1).1, Poll::Pending);
        let (mut said, mut heard) = (vec![0; sources], vec![0; sources]);
        let (mut moved, mut uncaptured, mut seen) = (0, 0, 0);
        for op in ops.into_iter().chain((0..30).map(|number| Op::Drain(number % 3))) {
            match op {
                Op::Say(source, chunk) if source < sources => {
                    let message = message(source, said[source]);
                    if ins[source].load().messages >= CAPACITY {
                        continue;
                    }
                    said[source] += 1;
                    if chunk {
                        let mut batch = Batch::default();
                        batch.push(&[], &message, usize::MAX);
                        batch.share_store();
                        ins[source].push_chunk(batch).unwrap();
                    } else {
                        ins[source].push(&[], &message).unwrap();
                    }
                }
                Op::Drain(target) if target < targets => {
                    let mut last = vec![None; sources];
                    for heard_now in drain(&outs[target]) {
                        let source = source_of(&heard_now);
                        let number = (0..said[source]).find(|&n| heard_now == message(source, n));
                        prop_assert!(number.is_some(), "{:?}", heard_now);
                        prop_assert!(last[source] < number, "{source} is out of order");
                        last[source] = number;
                        heard[source] += 1;
                    }
                    seen += drain(&witness[0]).len();
                }
                Op::Replace => {
                    uncaptured += task.sum.uncaptured;
                    task = relay();
                    task.bell.0.store(true, Ordering::Relaxed);
                }
                _ => {}
            }
            moved += task.run();
            for pipe in ins.iter().chain(&outs).chain(&witness) {
                prop_assert!(pipe.load().messages <= CAPACITY);
            }
        }
        uncaptured += task.sum.uncaptured;
        prop_assert_eq!(&heard, &said);
        prop_assert_eq!(moved, said.iter().sum::<usize>());
        prop_assert_eq!(seen + uncaptured, if captured { moved } else { 0 });
        prop_assert!(ins.iter().all(|pipe| pipe.load() == Load::default()));
    }
}

#[test]
fn what_has_no_room_stays_where_it_came_in() {
    let (queue, ins) = queue(1);
    let (robin, outs) = round(1);
    let mut task = Task::new(Relay::new(entrance(&queue), Exit::RoundRobin(&robin), None));
    for number in 0..CAPACITY {
        ins[0].push(&[], &message(0, number)).unwrap();
    }
    assert_eq!(task.poll(9), (CAPACITY, Poll::Pending));
    for number in 0..CAPACITY {
        ins[0].push(&[], &message(0, number)).unwrap();
    }
    assert!(task.bell.0.swap(false, Ordering::Relaxed));
    assert_eq!(task.poll(9), (0, Poll::Pending));
    assert_eq!(ins[0].load().messages, CAPACITY, "all of it counts there");
    assert!(!task.bell.0.load(Ordering::Relaxed));
    assert_eq!(drain(&outs[0]).len(), CAPACITY);
    assert_eq!(task.run(), CAPACITY);
    // Who has nothing to send any more does not stand in line for room.
    drain(&outs[0]);
    assert!(!task.bell.0.load(Ordering::Relaxed));
}

/// The task that relays is first in line for room, and leaves: who sends is next.
#[test]
fn a_task_that_is_dropped_passes_its_wake_up_on() {
    let (queue, ins) = queue(1);
    let (robin, outs) = round(1);
    let mut task = Task::new(Relay::new(entrance(&queue), Exit::RoundRobin(&robin), None));
    for number in 0..CAPACITY {
        ins[0].push(&[], &message(0, number)).unwrap();
    }
    assert_eq!(task.go(), CAPACITY);
    ins[0].push(&[], &message(0, 9)).unwrap();
    assert_eq!(task.poll(9), (0, Poll::Pending));
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut ticket = Ticket::default();
    let mut sent = message(1, 0);
    let mut cx = Context::from_waker(&waker);
    assert!(
        robin
            .poll_send(&mut cx, &mut ticket, &[], &mut sent)
            .is_pending()
    );
    drain(&outs[0]);
    assert!(task.bell.0.load(Ordering::Relaxed) && !bell.0.load(Ordering::Relaxed));
    drop(task);
    assert!(bell.0.load(Ordering::Relaxed));
    assert!(
        robin
            .poll_send(&mut cx, &mut ticket, &[], &mut sent)
            .is_ready()
    );
    assert_eq!(drain(&outs[0]), [message(1, 0)]);
    assert_eq!(ins[0].load().messages, 1);
}

#[test]
fn each_end_is_told_apart() {
    let (queue, ins) = queue(1);
    let (robin, _outs) = round(1);
    let mut task = Task::new(Relay::new(entrance(&queue), Exit::RoundRobin(&robin), None));
    ins[0].push(&[], &message(0, 0)).unwrap();
    robin.close();
    assert_eq!(task.poll(1), (0, Poll::Ready(Err(End::Exit))));
    assert_eq!(ins[0].load().messages, 1);
    queue.close();
    assert_eq!(task.poll(1), (0, Poll::Ready(Err(End::Entrance))));
}

#[test]
fn names_go_in_front_and_come_off() {
    let law = || Routes::new(&Options::default());
    let (front, names) = (law(), ["ada", "bob"]);
    let mut pipes = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let (peer, inbound, outbound) = (Peer::somebody(), pipe(CAPACITY), pipe(CAPACITY));
        let (id, name) = (PeerId(number as u64), Identity::new(*name).unwrap());
        assert!(front.reserve_name(id, &name, &outbound));
        front.welcome(id, &peer, &outbound).unwrap();
        front.attach_inbound(id, &peer, &inbound);
        pipes.push((inbound, outbound));
    }
    let (robin, outs) = round(1);
    let mut there = Task::new(Relay::new(front.entrance(), Exit::RoundRobin(&robin), None));
    let (queue, back) = queue(1);
    let mut home = Task::new(Relay::new(entrance(&queue), Exit::Routes(&front), None));
    for number in 0..20 {
        let from = number % 2;
        let question = message(from, number);
        pipes[from].0.push(&[], &question).unwrap();
        assert_eq!(there.go(), 1);
        let asked = drain(&outs[0]).pop().unwrap();
        assert_eq!(asked.first(), names[from].as_bytes());
        assert_eq!(asked.clone().skip_frames(1), Some(question.clone()));
        back[0].push(&[], &asked).unwrap();
        assert_eq!(home.go(), 1);
        assert_eq!(drain(&pipes[from].1), [question]);
        assert!(drain(&pipes[1 - from].1).is_empty());
    }
    assert_eq!(there.sum, home.sum);
    assert_eq!(home.sum.dropped, Load::default());
    // A name that nobody has, no body, and then one message too many for one of them.
    let lost = [
        Message::from(["cyd", "lost"]),
        Message::from("ada"),
        Message::from(["", "x"]),
    ];
    for message in &lost {
        back[0].push(&[], message).unwrap();
    }
    home.go();
    let bytes = lost.iter().map(Message::byte_len).sum();
    let messages = lost.len();
    assert_eq!(home.sum.dropped, Load { messages, bytes });
    for number in 0..=CAPACITY {
        back[0].push(&[], &Message::from(["ada", "x"])).unwrap();
        home.go();
        let dropped = messages + usize::from(number == CAPACITY);
        assert_eq!(home.sum.dropped.messages, dropped);
    }
    assert_eq!(drain(&pipes[0].1).len(), CAPACITY);
    front.close();
    back[0].push(&[], &Message::from(["ada", "x"])).unwrap();
    assert_eq!(home.poll(9), (0, Poll::Ready(Err(End::Exit))));
}

#[test]
fn subscribers_get_what_they_want_and_hold_up_the_rest() {
    let fan_out = FanOut::new(Policy {
        no_drop: true,
        ..Policy::default()
    });
    let outs = ["a", "b"].map(|topic| {
        let (outbound, inbound) = (pipe(CAPACITY), pipe(CAPACITY));
        let id = PeerId(u64::from(topic.as_bytes()[0]));
        fan_out.attach_outbound(id, &outbound);
        fan_out.attach_inbound(id, &Peer::somebody(), &inbound);
        let subscription = Subscription {
            subscribe: true,
            topic: topic.as_bytes(),
        };
        inbound.push_control(
            |batch| subscription.push_command(batch),
            &mut Due::default(),
        );
        outbound
    });
    let interest = Arc::new(Interest::new(Taste::default()));
    interest.subscribe(b"a");
    interest.subscribe(b"b");
    let (queue, ins) = queue(1);
    let entrance = Entrance {
        interest: Some(&interest),
        ..entrance(&queue)
    };
    let mut task = Task::new(Relay::new(entrance, Exit::FanOut(&fan_out), None));
    let mut send = |topic: &str, number: usize| {
        let body = vec![number as u8; 5_000];
        let message = Message::from(vec![topic.as_bytes().to_vec(), body]);
        ins[0].push(&[], &message).unwrap();
        task.go();
        message
    };
    let mut expected: Vec<Message> = Vec::new();
    for number in 0..CAPACITY {
        send("nobody asked", number);
        expected.push(send("a", number));
    }
    expected.push(send("a", CAPACITY));
    let behind = send("b", CAPACITY);
    assert_eq!(ins[0].load().messages, 2);
    let mut first = drain(&outs[0]);
    assert!(drain(&outs[1]).is_empty());
    assert_eq!(task.run(), 2);
    first.extend(drain(&outs[0]));
    assert_eq!(first, expected);
    assert_eq!(drain(&outs[1]), [behind]);
    assert_eq!(task.sum.taken.messages, CAPACITY + 2);
    assert!(outs.iter().all(|pipe| pipe.passed().dropped == 0));
}
