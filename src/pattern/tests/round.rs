//! Round robin.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::{contents, drain, pipe};
use crate::message::Message;
use crate::pattern::PeerId;
use crate::pattern::round_robin::{Reserved, RoundRobin, Sent};
use crate::pipe::shortcut::tests::TakesAll;
use crate::pipe::sync::Arc;
use crate::pipe::wake::Ticket;
use crate::pipe::{CloseReason, Pipe};
use crate::wire::batch::Batch;

#[derive(Clone, Debug)]
enum Op {
    Attach(usize),
    Detach(usize),
    Send,
    Take(usize),
    Reserve,
    Fill,
    GiveBack,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (1usize..6).prop_map(Op::Attach),
        1 => (0usize..4).prop_map(Op::Detach),
        8 => Just(Op::Send),
        4 => (0usize..4).prop_map(Op::Take),
        1 => Just(Op::Reserve),
        1 => Just(Op::Fill),
        1 => Just(Op::GiveBack),
    ]
}

struct Peer {
    id: PeerId,
    pipe: Arc<Pipe>,
    capacity: usize,
}

fn number(message: &Message) -> usize {
    message.text().parse().expect("a number")
}

proptest! {
    #[test]
    fn what_is_accepted_goes_to_one_peer_and_full_means_full(
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let robin = Arc::new(RoundRobin::default());
        let mut peers: Vec<Peer> = Vec::new();
        let mut places: Vec<(Reserved, PeerId)> = Vec::new();
        let (mut next, mut ids) = (0usize, 0u64);
        let (mut accepted, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut cx = Context::from_waker(Waker::noop());
        for op in ops {
            match op {
                Op::Attach(capacity) => {
                    let (id, pipe) = (PeerId(ids), pipe(capacity));
                    ids += 1;
                    robin.attach(id, Arc::clone(&pipe));
                    peers.push(Peer { id, pipe, capacity });
                }
                Op::Detach(index) if index < peers.len() => {
                    let peer = peers.remove(index);
                    peer.pipe.close(CloseReason::Lost);
                    prop_assert_eq!(robin.detach(peer.id, peer.pipe.drain()), 0);
                }
                Op::Send => {
                    let sent = robin.try_send(&[], &mut Message::from(next.to_string()));
                    prop_assert_ne!(&sent, &Sent::Closed);
                    if sent != Sent::Full {
                        accepted.insert(next);
                        next += 1;
                    }
                    let room = sent == Sent::Full && has_room(&peers, &places);
                    prop_assert!(!room, "full while a peer has drained to half");
                }
                Op::Take(index) if index < peers.len() => {
                    for message in drain(&peers[index].pipe) {
                        prop_assert!(seen.insert(number(&message)), "{message:?} came twice");
                    }
                }
                Op::Reserve => {
                    let mut ticket = Ticket::default();
                    if let Poll::Ready(place) = robin.poll_reserve(&mut cx, &mut ticket) {
                        let place = place.unwrap();
                        let peer = peers.iter().find(|peer| place.is_at(&peer.pipe)).unwrap();
                        places.push((place, peer.id));
                    }
                    robin.leave(&mut ticket);
                }
                Op::Fill => {
                    if let Some((place, _)) = places.pop() {
                        robin.send_reserved(place, &mut Message::from(next.to_string()));
                        accepted.insert(next);
                        next += 1;
                    }
                }
                Op::GiveBack => drop(places.pop()),
                Op::Detach(_) | Op::Take(_) => {}
            }
            for peer in &peers {
                peer.pipe.settle();
                prop_assert!(peer.pipe.load().messages <= peer.capacity);
            }
            let stuck = robin.orphans() > 0 && has_room(&peers, &places);
            prop_assert!(!stuck, "orphans wait while a peer has drained to half");
        }
        let rest = peers.iter().flat_map(|peer| drain(&peer.pipe)).collect::<Vec<_>>();
        for message in &rest {
            prop_assert!(seen.insert(number(message)), "{message:?} came twice");
        }
        // Draining let orphans in; what is left has nobody to go to.
        for message in peers.iter().flat_map(|peer| drain(&peer.pipe)) {
            prop_assert!(seen.insert(number(&message)), "{message:?} came twice");
        }
        prop_assert_eq!(robin.orphans(), accepted.len() - seen.len());
        prop_assert!(seen.is_subset(&accepted));
        prop_assert_eq!(robin.close(), accepted.len() - seen.len());
        prop_assert_eq!(robin.try_send(&[], &mut Message::from("x")), Sent::Closed);
    }

    #[test]
    fn messages_are_spread_evenly(peers in 1u64..8, messages in 0usize..100) {
        let robin = Arc::new(RoundRobin::default());
        let pipes: Vec<_> = (0..peers).map(|id| {
            let pipe = pipe(1_000);
            robin.attach(PeerId(id), Arc::clone(&pipe));
            pipe
        }).collect();
        for _ in 0..messages {
            robin.try_send(&[], &mut Message::from("x"));
        }
        let counts: Vec<_> = pipes.iter().map(|pipe| drain(pipe).len()).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{counts:?}");
        prop_assert_eq!(counts.iter().sum::<usize>(), messages);
    }
}

/// Whether a peer has so much room that it has been told to the round.
fn has_room(peers: &[Peer], places: &[(Reserved, PeerId)]) -> bool {
    peers.iter().any(|peer| {
        peer.pipe.settle();
        let reserved = places.iter().filter(|(_, id)| *id == peer.id).count();
        peer.pipe.load().messages + reserved <= peer.capacity / 2
    })
}

#[test]
fn orphans_go_first_and_need_no_sender() {
    let (robin, pipe) = (Arc::new(RoundRobin::default()), pipe(2));
    robin.attach(PeerId(1), Arc::clone(&pipe));
    for text in ["a", "b"] {
        assert_eq!(
            robin.try_send(&[], &mut Message::from(text)),
            Sent::To(PeerId(1))
        );
    }
    assert_eq!(robin.try_send(&[], &mut Message::from("c")), Sent::Full);
    let mut unwritten = Batch::default();
    unwritten.push(&[], &Message::from("orphan"), 256);
    robin.detach(PeerId(2), vec![unwritten]);
    assert_eq!(robin.orphans(), 1);
    assert_eq!(drain(&pipe), ["a", "b", "orphan"].map(Message::from));
    assert_eq!(robin.orphans(), 0);
    robin.try_send(&[], &mut Message::from("c"));
    pipe.settle();
    let left: Vec<_> = pipe.drain().into_iter().flat_map(contents).collect();
    assert_eq!(left, [Message::from("c")]);
}

#[test]
fn a_place_that_is_filled_and_free_at_once_goes_to_a_message_without_a_peer() {
    let robin = Arc::new(RoundRobin::default());
    let mut cx = Context::from_waker(Waker::noop());
    let (narrow, gone) = (pipe(1), pipe(1));
    narrow.open_shortcut(Arc::new(TakesAll));
    assert!(narrow.poll_take(&mut cx).is_pending());
    robin.attach(PeerId(1), Arc::clone(&narrow));
    let place = robin.poll_reserve(&mut cx, &mut Ticket::default());
    let Poll::Ready(Some(place)) = place else {
        panic!("no place");
    };
    robin.attach(PeerId(2), Arc::clone(&gone));
    let sent = robin.try_send(&[], &mut Message::from("orphan"));
    assert_eq!(sent, Sent::To(PeerId(2)));
    gone.close(CloseReason::Lost);
    robin.detach(PeerId(2), gone.drain());
    assert_eq!(robin.orphans(), 1);
    // The pipe has room as soon as the place is filled, and says so to a pattern that must not be
    // locked then.
    robin.send_reserved(place, &mut Message::from("reserved"));
    assert_eq!(robin.orphans(), 0);
}

/// Looks at a round from another thread while it is being woken.
struct Looks {
    robin: Arc<RoundRobin>,
    seen: mpsc::Sender<bool>,
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        let (robin, (looked, look)) = (Arc::clone(&self.robin), mpsc::channel());
        let _detached = thread::spawn(move || {
            robin.orphans();
            looked.send(())
        });
        let unlocked = look.recv_timeout(Duration::from_secs(60)).is_ok();
        self.seen.send(unlocked).expect("the test waits for it");
    }
}

#[test]
fn a_session_is_woken_when_the_round_is_unlocked() {
    let (seen, unlocked) = mpsc::channel();
    let robin = Arc::new(RoundRobin::default());
    let pipe = pipe(1);
    robin.attach(PeerId(0), Arc::clone(&pipe));
    let waker = Waker::from(Arc::new(Looks {
        robin: Arc::clone(&robin),
        seen,
    }));
    assert!(
        pipe.poll_take(&mut Context::from_waker(&waker))
            .is_pending()
    );
    robin.try_send(&[], &mut Message::from("a"));
    assert_eq!(unlocked.try_recv(), Ok(true));
}
