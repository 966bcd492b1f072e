//! Models of the one seat of a PAIR: somebody leaves it while another one comes, and senders and
//! receivers wait meanwhile.

use super::*;
use crate::pattern::pair::Pair;

struct Seat {
    law: Arc<Pair>,
    sender: Arc<RoundRobin>,
    inbox: Arc<FairQueue>,
}

/// What a session shares with its pattern.
struct Pipes {
    outbound: Arc<Pipe>,
    inbound: Arc<Pipe>,
}

fn pipes() -> Pipes {
    Pipes {
        outbound: pipe(1),
        inbound: pipe(2),
    }
}

/// As a socket admits somebody; `false` when there is no seat.
fn admit(law: &Pair, id: PeerId, pipes: &Pipes) -> bool {
    if !law.take_seat(id) {
        return false;
    }
    law.attach_outbound(id, &pipes.outbound);
    law.attach_inbound(id, &Peer::somebody(), &pipes.inbound);
    true
}

/// As a socket lets somebody go.
fn let_go(law: &Pair, id: PeerId, pipes: &Pipes) {
    pipes.outbound.close(CloseReason::Lost);
    pipes.inbound.close(CloseReason::Lost);
    law.detach(id, gone());
    law.give_up_seat(id);
}

/// With its first peer, whose queue is full.
fn taken() -> (Seat, Pipes) {
    let sender = Arc::<RoundRobin>::default();
    let inbox = Arc::new(FairQueue::in_sequence());
    let law = Arc::new(Pair::new(Arc::clone(&sender), Arc::clone(&inbox)));
    let first = pipes();
    assert!(admit(&law, FIRST, &first));
    assert!(send(&sender));
    (Seat { law, sender, inbox }, first)
}

#[test]
fn a_sender_waits_for_the_one_who_comes_next() {
    model(2, || {
        let (Seat { law, sender, .. }, first) = taken();
        let waiting = {
            let sender = Arc::clone(&sender);
            thread::spawn(move || assert!(send(&sender)))
        };
        let other = Arc::clone(&law);
        let leaver = thread::spawn(move || let_go(&other, FIRST, &first));
        // Turned away, or not.
        let second = pipes();
        let is_in = admit(&law, SECOND, &second);
        leaver.join().unwrap();
        assert!(is_in || admit(&law, SECOND, &second));
        assert_eq!(write_some(&second.outbound), Some(1));
        waiting.join().unwrap();
        law.close();
    });
}

#[test]
fn a_connecting_end_in_line_has_the_seat_next() {
    model(2, || {
        let (Seat { law, sender, .. }, first) = taken();
        let waiting = {
            let sender = Arc::clone(&sender);
            thread::spawn(move || assert!(send(&sender)))
        };
        let other = Arc::clone(&law);
        let leaver = thread::spawn(move || let_go(&other, FIRST, &first));
        // It has the seat at once, or a place in line.
        let second = pipe(1);
        law.attach_outbound(SECOND, &second);
        assert_eq!(write_some(&second), Some(1));
        leaver.join().unwrap();
        assert!(!law.take_seat(PeerId(3)));
        waiting.join().unwrap();
        law.close();
    });
}

#[test]
fn what_the_former_one_sent_is_read_first() {
    model(2, || {
        let (Seat { law, inbox, .. }, first) = taken();
        let other = Arc::clone(&law);
        let sessions = thread::spawn(move || {
            for text in ["a", "b"] {
                first.inbound.push(&[], &Message::from(text)).unwrap();
            }
            let_go(&other, FIRST, &first);
            let second = pipes();
            assert!(admit(&other, SECOND, &second));
            second.inbound.push(&[], &Message::from("c")).unwrap();
        });
        for expected in ["a", "b", "c"] {
            assert_eq!(receive(&inbox), Some(Message::from(expected)));
        }
        sessions.join().unwrap();
        law.close();
    });
}

#[test]
fn two_who_come_at_once_do_not_both_have_the_seat() {
    model(2, || {
        let (Seat { law, .. }, first) = taken();
        let_go(&law, FIRST, &first);
        let comers = [SECOND, PeerId(3)].map(|id| {
            let law = Arc::clone(&law);
            thread::spawn(move || admit(&law, id, &pipes()))
        });
        let seated = comers.map(|comer| comer.join().unwrap());
        assert_eq!(seated.iter().filter(|seated| **seated).count(), 1);
        law.close();
    });
}
