//! ROUTER: who is called what, and who gets what.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use proptest::prelude::*;

use super::{departure, drain, pipe};
use crate::endpoint::PeerAddress;
use crate::identity::Identity;
use crate::message::Message;
use crate::options::Options;
use crate::pattern::fair_queue::Next;
use crate::pattern::routes::{Place, Routes, Sent};
use crate::pattern::{NameTaken, Pattern, PeerId};
use crate::peer_handle::{Claims, Peer, Standpoint};
use crate::pipe::sync::Arc;
use crate::pipe::wake::Due;
use crate::pipe::{CloseReason, Pipe};
use crate::socket_type::SocketType;

const CAPACITY: usize = 2;
const NAMES: [&str; 3] = ["ada", "bob", "cyd"];

#[derive(Clone, Debug)]
enum Op {
    /// Somebody comes who calls himself so, or nothing.
    Arrive(usize),
    /// The name is given before anybody comes.
    Choose(usize),
    /// Whose name was given beforehand comes, and stays away again.
    Return(usize),
    Leave(usize),
    Send(usize),
    /// Somebody sends who waits.
    Wait(usize),
    /// The one who has waited longest does so no more.
    GiveUp,
    /// The peer reads everything.
    Drain(usize),
    Say(usize),
    Receive,
}

fn op() -> impl Strategy<Value = Op> {
    let (name, peer) = (0..NAMES.len(), 0usize..5);
    prop_oneof![
        3 => (0..=NAMES.len()).prop_map(Op::Arrive),
        1 => name.prop_map(Op::Choose),
        1 => peer.clone().prop_map(Op::Return),
        2 => peer.clone().prop_map(Op::Leave),
        6 => peer.clone().prop_map(Op::Send),
        6 => peer.clone().prop_map(Op::Wait),
        1 => Just(Op::GiveUp),
        4 => peer.clone().prop_map(Op::Drain),
        4 => peer.prop_map(Op::Say),
        4 => Just(Op::Receive),
    ]
}

/// Notes that it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Waiting {
    place: Place,
    bell: Arc<Bell>,
    to: Identity,
    text: String,
}

/// Whom messages can be sent to.
struct Known {
    id: PeerId,
    outbound: Arc<Pipe>,
    /// None while the peer of a chosen name is away.
    inbound: Option<Arc<Pipe>>,
    chosen: bool,
    /// What it was sent and has not read.
    queue: VecDeque<String>,
}

struct World {
    law: Arc<Routes>,
    handover: bool,
    ids: u64,
    texts: usize,
    known: BTreeMap<Identity, Known>,
    waiting: VecDeque<Waiting>,
    /// What was said over each connection and nobody has read, with the name of the peer.
    heard: Vec<(PeerId, Identity, VecDeque<String>)>,
}

fn law(handover: bool) -> Arc<Routes> {
    Routes::new(&Options {
        handover,
        ..Options::default()
    })
}

fn named(text: &str) -> Identity {
    Identity::new(text.to_owned()).expect("a name")
}

fn peer(claimed: Bytes) -> Peer {
    let place = Standpoint {
        endpoint: "inproc://x".parse().expect("an endpoint"),
        address: PeerAddress::Inproc,
        local_address: None,
    };
    Peer::unjudged(place, SocketType::Dealer, Claims::new(claimed, Vec::new()))
}

impl World {
    fn new(handover: bool) -> Self {
        Self {
            law: law(handover),
            handover,
            ids: 0,
            texts: 0,
            known: BTreeMap::new(),
            waiting: VecDeque::new(),
            heard: Vec::new(),
        }
    }

    fn id(&mut self) -> PeerId {
        self.ids += 1;
        PeerId(self.ids)
    }

    fn text(&mut self) -> String {
        self.texts += 1;
        self.texts.to_string()
    }

    /// One of those that can be addressed, or a name that nobody has.
    fn pick(&self, index: usize) -> Identity {
        let name = self.known.keys().nth(index).cloned();
        name.unwrap_or_else(|| named("nobody"))
    }

    fn arrive(&mut self, index: usize) {
        let claimed = NAMES.get(index).map(|text| named(text));
        let bytes = claimed.clone().map(Bytes::from).unwrap_or_default();
        let (id, outbound, inbound) = (self.id(), pipe(CAPACITY), pipe(100));
        let peer = peer(bytes);
        let welcome = self.law.welcome(id, &peer, &outbound);
        let holder = claimed.as_ref().and_then(|name| self.known.get(name));
        let chosen = holder.is_some_and(|holder| holder.chosen);
        if chosen || (holder.is_some() && !self.handover) {
            assert!(matches!(welcome, Err(NameTaken { name, holder })
                if Some(&name) == claimed.as_ref() && holder.is_none() == chosen));
            assert_eq!(peer.known_as(), None);
            return;
        }
        let holder = holder.map(|holder| holder.id);
        assert_eq!(welcome.expect("the name is free"), holder);
        let name = peer.known_as().expect("it was named").clone();
        match &claimed {
            Some(claimed) => assert_eq!(&name, claimed),
            None => {
                assert!(name.is_made_up() && name.as_bytes().len() == 5);
                assert!(!self.known.contains_key(&name));
            }
        }
        self.law.attach_outbound(id, &outbound);
        self.law.attach_inbound(id, &peer, &inbound);
        let newcomer = Known {
            id,
            outbound,
            inbound: Some(inbound),
            chosen: false,
            queue: VecDeque::new(),
        };
        if let Some(displaced) = self.known.insert(name.clone(), newcomer) {
            // As a socket ends the connection of a peer that was displaced: what it said is gone.
            self.heard.retain(|(heard, ..)| *heard != displaced.id);
            self.law.forget(displaced.id);
            self.end(displaced);
        }
        self.heard.push((id, name, VecDeque::new()));
    }

    fn choose(&mut self, index: usize) {
        let name = named(NAMES[index]);
        let (id, outbound) = (self.id(), pipe(CAPACITY));
        let free = !self.known.contains_key(&name);
        assert_eq!(self.law.reserve_name(id, &name, &outbound), free);
        if free {
            let (inbound, chosen, queue) = (None, true, VecDeque::new());
            self.known.insert(
                name,
                Known {
                    id,
                    outbound,
                    inbound,
                    chosen,
                    queue,
                },
            );
        }
    }

    /// The peer of a chosen name connects, or its connection ends.
    fn turn_up(&mut self, name: &Identity) {
        let Some(known) = self.known.get_mut(name).filter(|known| known.chosen) else {
            return;
        };
        if let Some(inbound) = known.inbound.take() {
            inbound.close(CloseReason::Lost);
            let departure = departure(Vec::new(), true);
            assert_eq!(self.law.detach(known.id, departure), 0);
            return;
        }
        let (peer, inbound) = (peer(Bytes::from("whoever")), pipe(100));
        let welcome = self.law.welcome(known.id, &peer, &known.outbound);
        assert_eq!(welcome.expect("it is expected"), None);
        assert_eq!(peer.known_as(), Some(name));
        self.law.attach_inbound(known.id, &peer, &inbound);
        known.inbound = Some(inbound);
        let heard = (known.id, name.clone(), VecDeque::new());
        self.heard.push(heard);
    }

    fn leave(&mut self, name: &Identity) {
        if let Some(known) = self.known.remove(name) {
            self.end(known);
        }
    }

    fn end(&mut self, known: Known) {
        known.outbound.close(CloseReason::Lost);
        if let Some(inbound) = &known.inbound {
            inbound.close(CloseReason::Lost);
        }
        let departure = departure(known.outbound.drain(), false);
        assert_eq!(self.law.detach(known.id, departure), known.queue.len());
    }

    fn send(&mut self, to: &Identity) {
        let text = self.text();
        let sent = self.law.try_send(to, &Message::from(text.as_str()));
        match self.known.get_mut(to) {
            None => assert_eq!(sent, Sent::Unroutable),
            Some(known) if known.queue.len() < CAPACITY => {
                assert_eq!(sent, Sent::ToPeer);
                known.queue.push_back(text);
            }
            Some(_) => assert_eq!(sent, Sent::Full),
        }
    }

    fn wait(&mut self, to: Identity) {
        let text = self.text();
        let bell = Arc::new(Bell::default());
        bell.0.store(true, Ordering::Relaxed);
        let place = Place::default();
        self.waiting.push_back(Waiting {
            place,
            bell,
            to,
            text,
        });
    }

    /// Polls those that were woken until nobody is.
    fn run(&mut self) {
        while let Some(index) = self
            .waiting
            .iter()
            .position(|waiting| waiting.bell.0.swap(false, Ordering::Relaxed))
        {
            self.poll(index);
        }
    }

    fn poll(&mut self, index: usize) {
        let waiting = &mut self.waiting[index];
        let waker = Waker::from(Arc::clone(&waiting.bell));
        let cx = Context::from_waker(&waker);
        let message = Message::from(waiting.text.as_str());
        let sent = self
            .law
            .poll_send(&cx, &mut waiting.place, &waiting.to, &message);
        let known = self.known.get_mut(&waiting.to);
        match (sent, known) {
            (Poll::Ready(Sent::ToPeer), Some(known)) => {
                assert!(known.queue.len() < CAPACITY);
                known.queue.push_back(waiting.text.clone());
            }
            (Poll::Ready(Sent::Unroutable), None) => {}
            (Poll::Pending, Some(known)) => {
                assert_eq!(
                    known.queue.len(),
                    CAPACITY,
                    "it waits although there is room"
                );
                return;
            }
            (sent, known) => unreachable!("{sent:?}, known: {}", known.is_some()),
        }
        self.waiting.remove(index);
    }

    fn say(&mut self, name: &Identity) {
        let text = self.text();
        let Some(known) = self.known.get(name) else {
            return;
        };
        let Some(inbound) = &known.inbound else {
            return;
        };
        inbound
            .push(&[], &Message::from(text.as_str()))
            .expect("there is room");
        // Its last connection: earlier ones have ended.
        let mut heard = self.heard.iter_mut().rev();
        let heard = heard.find(|(heard, ..)| *heard == known.id);
        heard.expect("it has arrived").2.push_back(text);
    }

    fn receive(&mut self) {
        let received = match self.law.try_next() {
            Next::Message(received) => received,
            Next::Empty => {
                assert!(self.heard.iter().all(|(.., texts)| texts.is_empty()));
                return;
            }
            Next::Closed => unreachable!("nobody has closed it"),
        };
        let (name, message) = received;
        let heard = self.heard.iter_mut().find(|(_, heard, texts)| {
            *heard == name && texts.front().is_some_and(|text| *text == message.text())
        });
        let (.., texts) = heard.expect("in the order of its peer, under its name");
        texts.pop_front();
    }
}

proptest! {
    #[test]
    fn a_message_goes_to_the_holder_of_the_name_and_who_waits_is_woken(
        handover in any::<bool>(),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new(handover);
        for op in ops {
            match op {
                Op::Arrive(index) => world.arrive(index),
                Op::Choose(index) => world.choose(index),
                Op::Return(index) => world.turn_up(&world.pick(index)),
                Op::Leave(index) => world.leave(&world.pick(index)),
                Op::Send(index) => world.send(&world.pick(index)),
                Op::Wait(index) => world.wait(world.pick(index)),
                Op::GiveUp => drop(world.waiting.pop_front()),
                Op::Drain(index) => {
                    let name = world.pick(index);
                    if let Some(known) = world.known.get_mut(&name) {
                        let read: Vec<String> = drain(&known.outbound)
                            .iter()
                            .map(|message| message.text().into_owned())
                            .collect();
                        let queue: Vec<String> = known.queue.drain(..).collect();
                        prop_assert_eq!(read, queue);
                    }
                }
                Op::Say(index) => world.say(&world.pick(index)),
                Op::Receive => world.receive(),
            }
            world.run();
            for waiting in &world.waiting {
                let known = world.known.get(&waiting.to);
                let full = known.is_some_and(|known| known.queue.len() == CAPACITY);
                prop_assert!(full, "nobody woke the sender to {}", waiting.to);
            }
            // Who is asked for no reason waits again.
            for index in (0..world.waiting.len()).rev() {
                world.poll(index);
            }
            prop_assert_eq!(world.law.names(), (world.known.len(), world.known.len()));
        }
        world.law.close();
        prop_assert_eq!(world.law.names(), (0, 0));
        while let Some(mut waiting) = world.waiting.pop_front() {
            prop_assert!(waiting.bell.0.load(Ordering::Relaxed));
            let message = Message::from("too late");
            let cx = Context::from_waker(Waker::noop());
            let sent = world.law.poll_send(&cx, &mut waiting.place, &waiting.to, &message);
            prop_assert_eq!(sent, Poll::Ready(Sent::Closed));
        }
    }
}

#[test]
fn one_whose_connection_is_ending_does_not_hold_its_name() {
    let law = law(false);
    let (old, new) = (pipe(1), pipe(1));
    law.welcome(PeerId(1), &peer("ada".into()), &old).unwrap();
    old.close(CloseReason::Done);
    assert!(!law.has_name(&named("ada")));
    let displaced = law.welcome(PeerId(2), &peer("ada".into()), &new).unwrap();
    assert_eq!(displaced, None);
    assert_eq!(law.try_send(&named("ada"), &"x".into()), Sent::ToPeer);
    // The departure of the first takes nothing from the second.
    let departure = departure(Vec::new(), false);
    law.detach(PeerId(1), departure);
    assert!(law.has_name(&named("ada")));
    assert_eq!(drain(&new).len(), 1);
}

#[test]
fn what_nobody_gets_is_counted() {
    let law = law(false);
    law.drop_for(named("ada").as_ref(), &mut Due::default());
    assert_eq!(law.dropped().unroutable, 1);
    let full = pipe(1);
    law.welcome(PeerId(1), &peer("ada".into()), &full).unwrap();
    law.drop_for(named("ada").as_ref(), &mut Due::default());
    assert_eq!((law.dropped().unroutable, full.passed().dropped), (1, 1));
    // One that is leaving is not full.
    full.close(CloseReason::Done);
    assert_eq!(law.try_send(&named("ada"), &"x".into()), Sent::Unroutable);
    law.drop_for(named("ada").as_ref(), &mut Due::default());
    assert_eq!((law.dropped().unroutable, full.passed().dropped), (2, 1));
}
