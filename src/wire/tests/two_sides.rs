//! Two connections with each other: handshake, traffic, heartbeat, death.

use std::time::Duration;

use super::*;
use crate::fault::{Incompatible, ProtocolError};
use crate::wire::heartbeat::Settings;
use crate::wire::sim::Sim;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const CLOSED: Room = Room {
    messages: 0,
    bytes: 0,
};

fn beating(socket_type: SocketType, interval: u64, timeout: u64, ttl: u64) -> Local {
    Local {
        heartbeat: Settings {
            interval: Some(ms(interval)),
            timeout: Some(ms(timeout)),
            ttl: ms(ttl),
            context: Bytes::new(),
        },
        ..local(socket_type)
    }
}

fn pipeline(first: Local) -> Sim {
    Sim::new(first, local(SocketType::Pull))
}

#[test]
fn every_legal_pair_gets_ready_and_every_other_is_refused() {
    for ours in SocketType::ALL {
        for theirs in SocketType::ALL {
            for piece in [1, 7, usize::MAX] {
                let mut sim = Sim::new(local(ours), local(theirs));
                sim.lanes[0].piece = piece;
                sim.lanes[1].delay = ms(3);
                sim.run(ms(100));
                let [first, second] = &sim.sides;
                if ours.can_talk_to(theirs) {
                    assert_eq!(first.peer.as_ref().unwrap().socket_type, theirs);
                    assert_eq!(second.peer.as_ref().unwrap().socket_type, ours);
                    assert_eq!((&first.fault, &second.fault), (&None, &None));
                } else {
                    assert!(first.peer.is_none() && second.peer.is_none());
                    for fault in [&first.fault, &second.fault].into_iter().flatten() {
                        let mismatch = matches!(
                            fault,
                            PeerFault::Incompatible(Incompatible::SocketType { .. })
                                | PeerFault::Refused { .. }
                        );
                        assert!(mismatch, "{fault}");
                    }
                    assert!(first.fault.is_some() || second.fault.is_some());
                }
            }
        }
    }
}

#[test]
fn traffic_in_both_directions() {
    let mut sim = Sim::new(local(SocketType::Dealer), local(SocketType::Dealer));
    sim.lanes[0].piece = 1000;
    sim.lanes[1].piece = 3;
    let mut expected = Vec::new();
    for index in 0..300u32 {
        let size = usize::try_from(index * index % 3000).unwrap();
        let message = Message::from([index.to_string().into_bytes(), vec![1; size]]);
        sim.send(0, &message);
        sim.send(1, &message);
        sim.run(ms(u64::from(index % 3)));
        expected.push(message);
    }
    sim.run(ms(10));
    assert_eq!(sim.sides[0].messages, expected);
    assert_eq!(sim.sides[1].messages, expected);
}

#[test]
fn a_quiet_connection_has_no_deadline() {
    let mut sim = pipeline(local(SocketType::Push));
    sim.run(ms(10));
    assert!(sim.sides[0].connection.is_ready());
    assert_eq!(sim.sides[0].connection.deadline(), None);
    assert_eq!(sim.sides[1].connection.deadline(), None);
}

#[test]
fn a_heartbeat_keeps_a_quiet_connection_alive() {
    let mut sim = pipeline(beating(SocketType::Push, 100, 50, 300));
    sim.run(ms(10));
    sim.run(Duration::from_secs(60));
    assert_eq!((&sim.sides[0].fault, &sim.sides[1].fault), (&None, &None));
}

#[test]
fn the_first_ping_is_exact() {
    let mut listener = Listener::ready(beating(SocketType::Push, 100, 50, 299), "PULL");
    let start = listener.now;
    assert_eq!(listener.connection.deadline(), Some(start + ms(100)));
    listener.connection.on_deadline(start + ms(99)).unwrap();
    assert!(listener.connection.outgoing().is_empty());
    listener.connection.on_deadline(start + ms(100)).unwrap();
    assert_eq!(listener.connection.outgoing(), b"\x04\x07\x04PING\x00\x02");
    // The answer is due before the next PING.
    assert_eq!(listener.connection.deadline(), Some(start + ms(150)));
    // Half a frame is a sign of life too.
    listener.now = start + ms(149);
    listener.feed(&[COMMAND]);
    assert_eq!(listener.connection.deadline(), Some(start + ms(200)));
}

#[test]
fn a_dead_peer_is_found() {
    let mut sim = pipeline(beating(SocketType::Push, 100, 50, 0));
    sim.run(ms(500));
    sim.lanes[1].dead = true;
    // At worst a PING was just answered: an interval, then the timeout.
    sim.run(ms(149));
    sim.run(ms(2));
    let waited = ms(50);
    assert_eq!(sim.sides[0].fault, Some(PeerFault::Silent { waited }));
    // The other side hears of it by the end of the stream only: it has no heartbeat.
    assert_eq!(sim.sides[1].fault, None);
    sim.run(ms(10));
    assert!(sim.sides[1].ended);
}

#[test]
fn a_peer_that_stops_pinging_is_cut_off_after_its_own_time_to_live() {
    let mut sim = pipeline(beating(SocketType::Push, 100, 1000, 300));
    sim.run(ms(450));
    assert!(sim.sides[1].connection.deadline().is_some());
    sim.lanes[0].dead = true;
    // The last PING came 1 ms after 400 ms plus the handshake.
    sim.run(ms(230));
    assert_eq!(sim.sides[1].fault, None);
    sim.run(ms(40));
    let waited = ms(300);
    assert_eq!(sim.sides[1].fault, Some(PeerFault::Silent { waited }));
}

#[test]
fn a_long_time_to_live_does_not_wrap() {
    let mut listener = Listener::ready(local(SocketType::Pull), "PUSH");
    listener.feed(&command("PING", &[0xff, 0xff]));
    let end = listener.now + ms(6_553_500);
    assert_eq!(listener.connection.deadline(), Some(end));
    assert!(listener.connection.on_deadline(end - ms(1)).is_ok());
    assert!(listener.connection.on_deadline(end).is_err());
    assert!(!listener.connection.is_ready());
    assert_eq!(listener.connection.deadline(), None);
}

#[test]
fn a_side_that_does_not_read_does_not_find_its_peer_dead() {
    let mut sim = Sim::new(
        beating(SocketType::Dealer, 100, 50, 200),
        local(SocketType::Dealer),
    );
    sim.run(ms(250));
    sim.set_room(0, CLOSED);
    for _ in 0..20 {
        sim.send(1, &Message::from("piling up"));
        sim.run(ms(100));
    }
    assert_eq!((&sim.sides[0].fault, &sim.sides[1].fault), (&None, &None));
    assert!(sim.sides[0].messages.is_empty());
    sim.set_room(0, Room::UNLIMITED);
    sim.run(ms(300));
    assert_eq!(sim.sides[0].messages.len(), 20);
    assert_eq!(sim.sides[0].fault, None);
    // And finds it dead once it reads again and nothing comes.
    sim.set_room(0, CLOSED);
    sim.run(ms(1000));
    sim.lanes[1].dead = true;
    sim.set_room(0, Room::UNLIMITED);
    sim.run(ms(300));
    assert!(matches!(sim.sides[0].fault, Some(PeerFault::Silent { .. })));
}

#[test]
fn clocks_start_afresh_when_reading_resumes() {
    let mut listener = Listener::ready(beating(SocketType::Dealer, 100, 50, 0), "DEALER");
    let start = listener.now;
    let connection = &mut listener.connection;
    connection.on_deadline(start + ms(100)).unwrap();
    assert_eq!(connection.deadline(), Some(start + ms(150)));
    connection.set_reading(false, start + ms(120));
    assert_eq!(connection.deadline(), Some(start + ms(200)));
    connection.set_reading(true, start + ms(190));
    connection.on_deadline(start + ms(200)).unwrap();
    assert_eq!(connection.deadline(), Some(start + ms(240)));
    assert!(connection.on_deadline(start + ms(240)).is_err());
}

#[test]
fn a_changed_byte_ends_the_connection_with_a_reason() {
    // In the major version, in the mechanism, in the flags of READY, in the flags of a message.
    let messages_start = 64 + 28;
    for at in [10, 13, 64, messages_start] {
        let mut sim = pipeline(local(SocketType::Push));
        sim.lanes[0].corrupt = Some(at);
        sim.send(0, &Message::from("x"));
        sim.run(ms(100));
        let [first, second] = &sim.sides;
        match at {
            10 => assert_eq!(second.fault, None, "a higher major version is ours"),
            13 => assert!(matches!(second.fault, Some(PeerFault::Incompatible(_)))),
            _ => {
                let flags = ProtocolError::ReservedFlags {
                    flags: if at == 64 { 0xfc } else { 0xf8 },
                };
                assert_eq!(second.fault, Some(flags.into()));
            }
        }
        if at == 64 {
            // Our READY was on its way, so the peer was ready when the ERROR came.
            assert!(
                matches!(first.fault, Some(PeerFault::Refused { .. })),
                "{:?}",
                first.fault
            );
        }
        assert_eq!(second.messages.len(), usize::from(at == 10));
    }
}

#[test]
fn a_connection_that_ends_within_a_message_delivers_nothing_of_it() {
    let mut sim = pipeline(local(SocketType::Push));
    sim.lanes[0].piece = 1;
    sim.run(ms(10));
    sim.send(0, &Message::from(["whole", "message"]));
    sim.run(ms(10));
    let half = multipart(&[b"first", &[0; 90_000], b"last"]);
    for at in [1, 5, 7, 8, 20, 80_000, half.len() - 1] {
        let mut listener = Listener::ready(local(SocketType::Pull), "PUSH");
        listener.feed(&half[..at]);
        assert!(listener.heard.messages.is_empty());
    }
    assert_eq!(sim.sides[1].messages, [Message::from(["whole", "message"])]);
}

#[test]
fn who_is_turned_away_has_never_been_ready() {
    for piece in [1, 7, usize::MAX] {
        let mut sim = Sim::new(local(SocketType::Dealer), local(SocketType::Router));
        sim.lanes[0].piece = piece;
        sim.sides[1].admits = false;
        sim.send(0, &Message::from("precious"));
        sim.run(ms(100));
        let [dealer, router] = &sim.sides;
        assert!(router.peer.is_some() && dealer.ended);
        assert!(!dealer.connection.is_ready());
        assert_eq!((&dealer.fault, dealer.unsent()), (&None, 1));
    }
}
