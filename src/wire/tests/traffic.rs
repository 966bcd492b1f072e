//! Messages and commands after the handshake.

use super::*;
use crate::fault::ProtocolError;
use crate::wire::batch::Batch;
use crate::wire::connection::{PENDING_PINGS_MAX, PENDING_PONGS_MAX};
use crate::wire::subscription::Subscription;

fn pull() -> Listener {
    Listener::ready(local(SocketType::Pull), "PUSH")
}

fn room(messages: usize, bytes: usize) -> Room {
    Room { messages, bytes }
}

/// Neither after the handshake, nor when it has been quiet for a while after a message.
#[test]
fn a_quiet_connection_has_no_read_buffer() {
    let mut pull = pull();
    assert!(pull.connection.has_no_buffer());
    pull.feed(&frame(0, b"a"));
    assert_eq!(pull.heard.messages.len(), 1);
    assert!(!pull.connection.has_no_buffer());
    pull.connection.release_idle_buffer();
    assert!(pull.connection.has_no_buffer());
    // Half a message has to stay.
    pull.feed(&frame(0, b"bc")[..3]);
    pull.connection.release_idle_buffer();
    assert!(!pull.connection.has_no_buffer());
    pull.feed(&frame(0, b"bc")[3..]);
    assert_eq!(pull.heard.messages.len(), 2);
}

#[test]
fn frame_sizes_around_every_border() {
    let sizes = [
        0,
        1,
        255,
        256,
        257,
        2039,
        2040,
        4086,
        4087,
        4096,
        16_384,
        65_525,
        65_526,
        65_527,
        65_528,
        65_536,
        65_537,
        131_072,
        131_073,
        500_000,
        1 << 20,
    ];
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        for encoded in [frame(0, &body), long_frame(0, &body)] {
            let mut listener = pull();
            listener.feed(&[frame(0, b"before"), encoded, frame(0, b"after")].concat());
            assert_eq!(listener.heard.fault, None);
            let body = Message::from(body.clone());
            let expected = [Message::from("before"), body, Message::from("after")];
            assert_eq!(listener.messages(), expected, "{size}");
        }
    }
}

#[test]
fn room_bounds_what_is_handed_over() {
    let mut listener = pull();
    let five = frame(0, b"12345678").repeat(5);
    // Without room nothing comes, and the session is told that something is there.
    listener.feed_with(&five, room(0, 100));
    assert!(listener.heard.messages.is_empty());
    assert!(listener.connection.has_unread_message());
    listener.drain(room(100, 0));
    assert!(listener.heard.messages.is_empty());
    listener.drain(room(2, 100));
    assert_eq!(listener.messages().len(), 2);
    assert!(!listener.connection.has_unread_message());
    // The last message may go beyond the bytes.
    listener.drain(room(100, 11));
    assert_eq!(listener.messages().len(), 2);
    listener.drain(room(100, 1));
    assert_eq!(listener.messages().len(), 1);
    listener.drain(room(0, 0));
    assert!(!listener.connection.has_unread_message());
}

#[test]
fn commands_are_obeyed_without_room() {
    let mut listener = pull();
    let ping = command("PING", b"\0\0LOL");
    listener.feed_with(&[&ping[..], &frame(0, b"x"), &ping].concat(), room(0, 0));
    assert_eq!(listener.heard.sent, command("PONG", b"LOL"));
    assert!(listener.connection.has_unread_message());
    listener.drain(Room::UNLIMITED);
    assert_eq!(listener.messages(), [Message::from("x")]);
    assert_eq!(listener.heard.sent, command("PONG", b"LOL").repeat(2));
    // Also between the frames of a message, which then waits for room.
    listener.heard.sent.clear();
    listener.feed_with(
        &[frame(MORE, b"a"), ping, frame(0, b"b")].concat(),
        room(1, 1),
    );
    assert_eq!(listener.messages(), [Message::from(["a", "b"])]);
    assert_eq!(listener.heard.sent, command("PONG", b"LOL"));
}

#[test]
fn a_large_message_waits_for_room() {
    let mut listener = pull();
    let body = vec![7; 200_000];
    let encoded = [frame(MORE, b"head"), frame(0, &body)].concat();
    let (most, last) = encoded.split_at(encoded.len() - 1);
    listener.feed(most);
    listener.feed_with(last, room(0, 0));
    assert!(listener.heard.messages.is_empty());
    assert!(listener.connection.has_unread_message());
    listener.drain(Room::UNLIMITED);
    assert_eq!(listener.messages(), [Message::from([&b"head"[..], &body])]);
}

#[test]
fn the_pings_of_the_mock_tests() {
    let mut listener = pull();
    listener.feed(b"\x04\x0a\x04PING\0\0LOL");
    assert_eq!(listener.heard.sent, b"\x04\x08\x04PONGLOL");
    listener.heard.sent.clear();
    listener.feed(&b"\x04\x07\x04PING\0\0".repeat(2));
    assert_eq!(listener.heard.sent, b"\x04\x05\x04PONG".repeat(2));
    listener.heard.sent.clear();
    listener.feed(&command("PING", &[0; 18]));
    assert_eq!(listener.heard.sent, command("PONG", &[0; 16]));
}

#[test]
fn malformed_commands_end_it() {
    for (bytes, name) in [
        (command("PING", b""), "PING"),
        (command("PING", b"\0"), "PING"),
        (command("PING", &[0; 19]), "PING"),
        (command("PING", &[0; 60]), "PING"),
        (command("ERROR", b"\x01"), "ERROR"),
        (frame(COMMAND, b""), "unnamed"),
        (frame(COMMAND, b"\0"), "unnamed"),
        (frame(COMMAND, b"\xffPING"), "unnamed"),
    ] {
        let mut listener = pull();
        listener.feed(&[frame(0, b"good"), bytes.clone(), frame(0, b"lost")].concat());
        assert_eq!(listener.messages(), [Message::from("good")]);
        match listener.heard.fault {
            Some(PeerFault::Protocol(ProtocolError::MalformedCommand { command, .. })) => {
                assert_eq!(command, name);
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[test]
fn commands_that_mean_nothing_here_are_dropped() {
    let mut listener = pull();
    let commands = [
        ready("PUSH"),
        command("PONG", b"anything"),
        command("SUBSCRIBE", b"a"),
        command("CANCEL", b"a"),
        command("JOIN", b"g"),
        command("FUTURE", &[1; 5000]),
    ];
    for dropped in commands {
        listener.feed(&[frame(MORE, b"a"), dropped.clone(), frame(0, b"b"), dropped].concat());
        assert_eq!(listener.messages(), [Message::from(["a", "b"])]);
    }
    assert_eq!((listener.heard.fault, listener.heard.sent), (None, vec![]));
}

#[test]
fn pings_without_takers_are_a_flood() {
    let mut listener = pull();
    let ping = command("PING", &[0; 2]);
    // A session that reads and cannot write.
    let ping_untaken = |listener: &mut Listener, count: usize| {
        for _ in 0..count {
            listener.connection.read_target().put_slice(&ping);
            let room = Room::UNLIMITED;
            if let Err(fault) = listener.connection.receive(room, listener.now) {
                return Some(fault);
            }
        }
        None
    };
    assert_eq!(ping_untaken(&mut listener, PENDING_PINGS_MAX), None);
    // A long burst is answered in part: the peer sees that we live.
    let answers = std::mem::take(listener.connection.outgoing());
    assert_eq!(answers, command("PONG", b"").repeat(PENDING_PONGS_MAX));
    // They were taken, so counting starts anew.
    assert_eq!(ping_untaken(&mut listener, PENDING_PINGS_MAX), None);
    let limit = PENDING_PINGS_MAX;
    let flood = ProtocolError::PingFlood { limit }.into();
    assert_eq!(ping_untaken(&mut listener, 1), Some(flood));
}

#[test]
fn a_publisher_sees_subscriptions_in_both_forms() {
    for (ours, data) in [(SocketType::Pub, false), (SocketType::XPub, true)] {
        for version in [(3, 0), (3, 1)] {
            let mut listener = Listener::new(local(ours));
            listener.feed(&greeting(version.0, version.1));
            listener.feed(&ready("SUB"));
            listener.feed(b"\x04\x0b\x09SUBSCRIBEA\0\x02\x01B\x04\x08\x06CANCELA");
            listener.feed(&command("PING", b"\0\0"));
            listener.feed(b"\0\x02\0B\x04\x07\x06CANCEL");
            listener.feed(&command("SUBSCRIBED", b"no"));
            if data {
                listener.feed(&frame(0, &[9; 100_000]));
            }
            assert_eq!(listener.heard.fault, None);
            let read: Vec<_> = listener
                .heard
                .messages
                .iter()
                .filter_map(|(command, message)| {
                    let body = message.first();
                    let first = crate::wire::batch::First {
                        command: *command,
                        body,
                    };
                    let Subscription { subscribe, topic } = Subscription::read(first)?;
                    Some((*command, subscribe, topic.to_vec()))
                })
                .collect();
            let expected = [
                (true, true, b"A".to_vec()),
                (false, true, b"B".to_vec()),
                (true, false, b"A".to_vec()),
                (false, false, b"B".to_vec()),
                (true, false, vec![]),
            ];
            assert_eq!(read, expected);
            assert_eq!(listener.heard.messages.len(), 5 + usize::from(data));
        }
    }
}

#[test]
fn a_subscription_between_frames_comes_first() {
    let mut listener = Listener::ready(local(SocketType::XPub), "XSUB");
    let subscribe = command("SUBSCRIBE", b"t");
    listener.feed(
        &[
            frame(MORE, b"a"),
            subscribe.clone(),
            subscribe,
            frame(0, b"b"),
            frame(0, b"c"),
        ]
        .concat(),
    );
    let expected = vec![
        (true, Message::from("\x09SUBSCRIBEt")),
        (true, Message::from("\x09SUBSCRIBEt")),
        (false, Message::from(["a", "b"])),
        (false, Message::from("c")),
    ];
    assert_eq!(listener.heard.messages, expected);
}

#[test]
fn a_topic_longer_than_the_read_buffer() {
    let mut local = local(SocketType::Pub);
    local.limits.max_topic = 100_000;
    let mut listener = Listener::ready(local, "SUB");
    let topic = vec![b't'; 100_000];
    let message = frame(0, &[&[1], &topic[..]].concat());
    listener.feed(&[command("SUBSCRIBE", &topic), message].concat());
    assert_eq!(listener.heard.fault, None);
    let lengths: Vec<_> = listener
        .heard
        .messages
        .iter()
        .map(|(c, m)| (*c, m.byte_len()))
        .collect();
    assert_eq!(lengths, [(true, 100_010), (false, 100_001)]);
}

#[test]
fn subscriptions_leave_in_the_peers_form() {
    for (version, commands) in [
        ((3, 0), false),
        ((3, 1), true),
        ((3, 2), true),
        ((4, 0), true),
    ] {
        // 245 and 246 straddle the border of SUBSCRIBE, 254 and 255 that of a message.
        for length in [0, 1, 244, 245, 246, 248, 249, 254, 255, 256, 1000] {
            let mut listener = Listener::new(local(SocketType::Sub));
            listener.feed(&greeting(version.0, version.1));
            listener.feed(&ready("PUB"));
            let topic = vec![b't'; length];
            let (mut batch, mut expected) = (Batch::default(), Vec::new());
            for subscribe in [true, false] {
                Subscription {
                    subscribe,
                    topic: &topic,
                }
                .push_command(&mut batch);
                expected.extend(if commands {
                    command(if subscribe { "SUBSCRIBE" } else { "CANCEL" }, &topic)
                } else {
                    frame(0, &[&[u8::from(subscribe)], &topic[..]].concat())
                });
            }
            let batch = listener
                .connection
                .outbound(batch)
                .unwrap()
                .into_unwritten();
            assert_eq!((batch.messages(), batch.bytes()), (2, expected.len()));
            assert_eq!(
                batch.into_buffer().unwrap(),
                expected,
                "{version:?} {length}"
            );
        }
    }
}

#[test]
fn nothing_else_is_converted() {
    let mut listener = Listener::new(local(SocketType::XSub));
    listener.feed(&greeting(3, 0));
    listener.feed(&ready("PUB"));
    let mut batch = Batch::default();
    let message = Message::from([&b"\x01raw"[..], &[5; 9000]]);
    batch.push(&[], &message, 256);
    Subscription {
        subscribe: true,
        topic: b"t",
    }
    .push_command(&mut batch);
    let mut batch = listener
        .connection
        .outbound(batch)
        .unwrap()
        .into_unwritten();
    assert_eq!(batch.pop(), Some(message));
    assert_eq!(batch.pop(), Some(Message::from("\x01t")));
    assert!(batch.is_empty());
}

#[test]
fn a_small_run_does_not_pin_the_read_buffer() {
    let mut listener = pull();
    // Grow the buffer first.
    listener.feed(&frame(0, &[1; 1000]).repeat(500));
    listener.messages();
    let mut target = listener.connection.read_target();
    target.put_slice(&frame(0, &[2; 300]));
    let got = listener.connection.receive(Room::UNLIMITED, listener.now);
    let Ok(Some(Incoming::Messages(batch))) = got else {
        panic!("{got:?}");
    };
    let buffer = batch.into_buffer().expect("an owned copy");
    assert!(buffer.capacity() < 400);
}

#[test]
fn behind_a_large_frame_little_is_read_at_first() {
    let mut listener = pull();
    listener.feed(&frame(0, &[1; 1000]).repeat(500));
    assert!(listener.connection.read_target().remaining_mut() > 30_000);
    // The next body would be copied out of the read buffer otherwise.
    listener.feed(&frame(0, &[1; 100_000]));
    assert!(listener.connection.read_target().remaining_mut() <= 4096);
    listener.feed(&frame(0, &[1; 1000]).repeat(500));
    assert!(listener.connection.read_target().remaining_mut() > 30_000);
}
