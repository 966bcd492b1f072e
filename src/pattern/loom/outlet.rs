//! Models of a ROUTER whose sender waits for one peer: it drains, leaves, or loses its name.

use super::*;
use crate::identity::Identity;
use crate::options::Options;
use crate::pattern::relay::{Entrance, Exit, Relay, Relayed};
use crate::pattern::routes::{Place, Routes, Sent};
use crate::pipe::wake::Due;

fn name() -> Identity {
    Identity::new("a").unwrap()
}

/// Somebody who calls itself by the name.
fn somebody() -> Peer {
    Peer::calling_itself(name().as_bytes().clone())
}

/// With a peer of the name, whose pipe is full.
fn full(handover: bool) -> (Arc<Routes>, Arc<Pipe>) {
    let options = Options {
        handover,
        ..Options::default()
    };
    let (law, pipe) = (Routes::new(&options), pipe(1));
    assert!(law.welcome(FIRST, &somebody(), &pipe).unwrap().is_none());
    assert_eq!(law.try_send(&name(), &Message::from("x")), Sent::ToPeer);
    (law, pipe)
}

fn send_to(law: &Routes) -> Sent {
    let (mut place, message) = (Place::default(), Message::from("x"));
    block_on(poll_fn(|cx| {
        law.poll_send(cx, &mut place, &name(), &message)
    }))
}

/// As a session tells it.
fn leave(law: &Routes, pipe: &Pipe) {
    pipe.close(CloseReason::Lost);
    law.detach(FIRST, gone());
}

#[test]
fn a_peer_that_drains_wakes_its_senders_one_after_the_other() {
    model(2, || {
        let (law, pipe) = full(false);
        let other = Arc::clone(&law);
        let sender = thread::spawn(move || assert_eq!(send_to(&other), Sent::ToPeer));
        let session = thread::spawn(move || {
            let mut taken = 0;
            while taken < 3 {
                taken += write_some(&pipe).unwrap();
            }
        });
        assert_eq!(send_to(&law), Sent::ToPeer);
        sender.join().unwrap();
        session.join().unwrap();
        law.close();
    });
}

#[test]
fn a_sender_that_gives_up_passes_the_room_on() {
    model(2, || {
        let (law, pipe) = full(false);
        let (mut place, message) = (Place::default(), Message::from("x"));
        let first = once(|cx| law.poll_send(cx, &mut place, &name(), &message));
        assert!(first.is_pending());
        let fickle = thread::spawn(move || drop(place));
        let session = thread::spawn(move || drain_one(&pipe));
        assert_eq!(send_to(&law), Sent::ToPeer);
        fickle.join().unwrap();
        session.join().unwrap();
        law.close();
    });
}

#[test]
fn a_peer_that_leaves_is_waited_for_no_longer() {
    model(2, || {
        let (law, pipe) = full(false);
        let senders = [(); 2].map(|()| {
            let law = Arc::clone(&law);
            thread::spawn(move || assert_eq!(send_to(&law), Sent::Unroutable))
        });
        leave(&law, &pipe);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        law.close();
    });
}

#[test]
fn who_waits_for_a_name_follows_it_to_its_new_holder() {
    model(3, || {
        let (law, old) = full(true);
        let new = pipe(1);
        let (other, pipe) = (Arc::clone(&law), Arc::clone(&new));
        let newcomer = thread::spawn(move || {
            let displaced = other.welcome(SECOND, &somebody(), &pipe).unwrap();
            assert_eq!(displaced, Some(FIRST));
            // Its connection is ended for that.
            leave(&other, &old);
        });
        assert_eq!(send_to(&law), Sent::ToPeer);
        newcomer.join().unwrap();
        assert_eq!(new.load().messages, 1);
        law.close();
    });
}

/// Relays what is there, which names its peer; how many messages nobody could be given.
fn relay_to(law: &Routes, queue: &FairQueue) -> usize {
    let entrance = Entrance {
        queue,
        interest: None,
        named: false,
    };
    let mut relay = Relay::new(entrance, Exit::Routes(law), None);
    let (mut due, mut relayed) = (Due::default(), Relayed::default());
    let poll = once(|cx| relay.poll(cx, 1, &mut relayed, &mut due));
    assert!(matches!(poll, Poll::Ready(Ok(()))));
    relayed.dropped.messages
}

#[test]
fn what_is_relayed_follows_a_name_to_its_new_holder() {
    model(3, || {
        let options = Options {
            handover: true,
            ..Options::default()
        };
        let (law, old, new) = (Routes::new(&options), pipe(1), pipe(1));
        assert!(law.welcome(FIRST, &somebody(), &old).unwrap().is_none());
        let from = pipe(1);
        let queue = queue_with(&from);
        assert!(from.push(&[], &Message::from(["a", "x"])).is_ok());
        let (other, former, next) = (Arc::clone(&law), Arc::clone(&old), Arc::clone(&new));
        let newcomer = thread::spawn(move || {
            let displaced = other.welcome(SECOND, &somebody(), &next).unwrap();
            assert_eq!(displaced, Some(FIRST));
            leave(&other, &former);
        });
        assert_eq!(relay_to(&law, &queue), 0);
        newcomer.join().unwrap();
        assert_eq!(old.load().messages + new.load().messages, 1);
        queue.close();
        law.close();
    });
}

#[test]
fn a_peer_that_drains_and_leaves_either_gets_the_message_or_does_not() {
    model(3, || {
        let (law, pipe) = full(false);
        let (other, session) = (Arc::clone(&law), Arc::clone(&pipe));
        let session = thread::spawn(move || {
            drain_one(&session);
            leave(&other, &session);
        });
        let sent = send_to(&law);
        session.join().unwrap();
        let queued = pipe.load().messages;
        match sent {
            Sent::ToPeer => assert_eq!(queued, 1),
            other => assert_eq!((other, queued), (Sent::Unroutable, 0)),
        }
        law.close();
    });
}

#[test]
fn the_end_of_a_router_wakes_whoever_waits_in_it() {
    model(3, || {
        let (law, _pipe) = full(false);
        let other = Arc::clone(&law);
        let closer = thread::spawn(move || other.close());
        assert_eq!(send_to(&law), Sent::Closed);
        closer.join().unwrap();
    });
}
