//! Models of a publisher: subscribers that come, read and make room, and what is gathered for them.

use super::*;
use crate::options::Shows;
use crate::pattern::audience::{Policy, Sent as Out, To};
use crate::pattern::fan_out::FanOut;
use crate::pipe::wake::Due;
use crate::wire::subscription::Subscription;

#[test]
fn a_subscription_wakes_whoever_waits_for_it() {
    model(3, || {
        let fan_out = FanOut::new(Policy::default());
        let (outbound, inbound) = (pipe(2), pipe(2));
        fan_out.attach_outbound(FIRST, &outbound);
        fan_out.attach_inbound(FIRST, &Peer::somebody(), &inbound);
        let subscriber = thread::spawn(move || {
            inbound.push_control(
                |batch| {
                    Subscription {
                        subscribe: true,
                        topic: b"a",
                    }
                    .push_command(batch);
                },
                &mut Due::default(),
            );
        });
        let mut ticket = Ticket::default();
        assert!(block_on(poll_fn(|cx| {
            fan_out.poll_subscribers(cx, &mut ticket, b"a", 1)
        })));
        subscriber.join().unwrap();
        fan_out.close();
    });
}

#[test]
fn an_edition_reaches_every_session_that_comes_to_rest() {
    model(2, || {
        let fan_out = FanOut::new(Policy {
            invert: true,
            ..Policy::default()
        });
        let outbound = [pipe(4), pipe(4)];
        for (number, outbound) in (1..).zip(&outbound) {
            fan_out.attach_outbound(PeerId(number), outbound);
        }
        let sessions = outbound.map(|outbound| {
            thread::spawn(move || {
                let mut taken = 0;
                while taken < 3 {
                    taken += write_some(&outbound).unwrap_or(3);
                }
            })
        });
        for _ in 0..3 {
            let message = Message::from("x");
            assert_eq!(fan_out.try_send(To::Everybody, &message), Out::Done);
        }
        for session in sessions {
            session.join().unwrap();
        }
        fan_out.close();
    });
}

#[test]
fn room_wakes_a_sender_that_drops_nothing() {
    model(3, || {
        let fan_out = FanOut::new(Policy {
            no_drop: true,
            ..Policy::default()
        });
        let (outbound, inbound) = (pipe(1), pipe(2));
        fan_out.attach_outbound(FIRST, &outbound);
        fan_out.attach_inbound(FIRST, &Peer::somebody(), &inbound);
        inbound.push_control(
            |batch| {
                Subscription {
                    subscribe: true,
                    topic: b"",
                }
                .push_command(batch);
            },
            &mut Due::default(),
        );
        let message = Message::from("x");
        assert_eq!(fan_out.try_send(To::Everybody, &message), Out::Done);
        let session = thread::spawn(move || drain_one(&outbound));
        let mut ticket = Ticket::default();
        let sent = block_on(poll_fn(|cx| {
            fan_out.poll_send(cx, &mut ticket, To::Everybody, &message)
        }));
        assert_eq!(sent, Out::Done);
        session.join().unwrap();
        fan_out.close();
    });
}

#[test]
fn two_readers_share_what_is_shown() {
    model(3, || {
        let fan_out = FanOut::new(Policy {
            shows: Some(Shows::default()),
            ..Policy::default()
        });
        let (outbound, inbound) = (pipe(1), pipe(2));
        fan_out.attach_outbound(FIRST, &outbound);
        fan_out.attach_inbound(FIRST, &Peer::somebody(), &inbound);
        let subscriber = thread::spawn(move || {
            inbound.push_control(
                |batch| {
                    for topic in [b"a", b"b"] {
                        let (subscribe, topic) = (true, &topic[..]);
                        Subscription { subscribe, topic }.push_command(batch);
                    }
                },
                &mut Due::default(),
            );
        });
        let read = |fan_out: &FanOut| {
            let mut ticket = Ticket::default();
            block_on(poll_fn(|cx| fan_out.poll_next(cx, &mut ticket))).is_some()
        };
        let other = Arc::clone(&fan_out);
        let reader = thread::spawn(move || assert!(read(&other)));
        assert!(read(&fan_out));
        reader.join().unwrap();
        subscriber.join().unwrap();
        fan_out.close();
    });
}
