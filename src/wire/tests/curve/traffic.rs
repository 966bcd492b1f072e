//! Encrypted traffic: what is taken, what is not, and what is given back.

use proptest::prelude::*;

use super::*;
use crate::fault::{ProtocolError, SecurityFault};
use crate::wire::partials::Partials;

#[test]
fn a_message_is_taken_once_and_in_order() {
    let mut scene = Scene::ready();
    let texts = ["one", "two", "three"].map(Message::from);
    let frames = scene.written(Side::Client, &texts);
    scene.server.feed(&frames[0]);
    scene.server.feed(&frames[1]);
    assert_eq!(scene.server.messages(), texts[..2]);
    scene.server.feed(&frames[0]);
    assert_eq!(
        *fault(&scene.server),
        SecurityFault::Nonce { given: 3, last: 4 }.into()
    );

    let mut scene = Scene::ready();
    let frames = scene.written(Side::Server, &texts);
    scene.client.feed(&[&frames[0][..], &frames[0]].concat());
    // What was good before it is delivered.
    assert_eq!(scene.client.messages(), [texts[0].clone()]);
    assert_eq!(
        *fault(&scene.client),
        SecurityFault::Nonce { given: 2, last: 2 }.into()
    );
    scene.client.feed(&frames[1]);
    assert!(
        scene.client.messages().is_empty(),
        "the first fault is final"
    );
}

/// Somebody on the way who leaves out the end of one message and the start of the next would have made a third.
#[test]
fn no_message_is_made_of_the_parts_of_others() {
    for (from, to) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
        for left_out in 0..5 {
            let mut scene = Scene::ready();
            let said = [
                Message::from(["pay", "ada"]),
                Message::from(["warn", "eve"]),
                Message::from("end"),
            ];
            let mut frames = scene.written(from, &said);
            assert_eq!(frames.len(), 5);
            frames.remove(left_out);
            for frame in frames {
                scene.of(to).feed(&frame);
            }
            let heard = scene.of(to).messages();
            assert_eq!(heard, said[..left_out / 2], "without {left_out}");
            // What comes behind the last one is missed by nobody.
            assert_eq!(scene.of(to).heard.fault.is_some(), left_out < 4);
        }
    }
}

#[test]
fn no_bit_of_a_message_can_be_changed() {
    let length = Scene::ready().written(Side::Client, &[Message::from("pay 10")])[0].len();
    for bit in 16..length * 8 {
        let mut scene = Scene::ready();
        let mut frame = scene
            .written(Side::Client, &[Message::from("pay 10")])
            .remove(0);
        frame[bit / 8] ^= 1 << (bit % 8);
        scene.server.feed(&frame);
        assert!(scene.server.heard.fault.is_some(), "bit {bit}");
        assert!(scene.server.heard.messages.is_empty());
    }
    for cut in 2..length {
        let mut scene = Scene::ready();
        let frame = scene
            .written(Side::Client, &[Message::from("pay 10")])
            .remove(0);
        scene.server.feed(&super::frame(0, &frame[2..cut]));
        assert!(scene.server.heard.fault.is_some(), "cut at {cut}");
    }
}

#[test]
fn a_message_goes_one_way_only() {
    let mut scene = Scene::ready();
    // Both directions have come equally far.
    scene.client.connection.skip_nonces(100);
    let frame = scene
        .written(Side::Client, &[Message::from("mirror")])
        .remove(0);
    scene.client.feed(&frame);
    let expected = SecurityFault::Box { command: "MESSAGE" };
    assert_eq!(*fault(&scene.client), expected.into());
}

#[test]
fn nothing_in_the_clear_is_heard_after_the_handshake() {
    for clear in [
        frame(0, b"hello"),
        command("PING", &[0, 0]),
        frame(0, b""),
        command("ERROR", b"\x03400"),
    ] {
        let mut scene = Scene::ready();
        scene.server.feed(&clear);
        assert_eq!(*fault(&scene.server), SecurityFault::NotEncrypted.into());
        assert!(scene.server.heard.messages.is_empty() && scene.server.heard.sent.is_empty());
    }
}

#[test]
fn the_last_nonce_is_never_used() {
    let mut scene = Scene::ready();
    scene.client.connection.skip_nonces(u64::MAX - 1);
    scene.server.connection.skip_nonces(u64::MAX - 1);
    let frames = scene.written(Side::Client, &[Message::from("last")]);
    scene.server.feed(&frames[0]);
    assert_eq!(scene.server.messages(), [Message::from("last")]);
    let mut batch = Batch::default();
    batch.push(&[], &Message::from("one too many"), usize::MAX);
    let refused = scene.client.connection.outbound(batch);
    assert_eq!(refused.unwrap_err(), SecurityFault::NoncesExhausted.into());
    assert!(!scene.client.connection.is_ready());
}

#[test]
fn the_limits_hold_for_what_is_inside() {
    let limit = LIMITS.max_message;
    let mut scene = Scene::ready();
    let frames = scene.written(Side::Client, &[Message::from(vec![0; limit])]);
    scene.server.feed(&frames[0]);
    assert_eq!(scene.server.messages().len(), 1);
    // What is longer is found out by its header, before it has arrived.
    let frames = scene.written(Side::Client, &[Message::from(vec![0; limit + 1])]);
    scene.server.feed(&frames[0][..9]);
    let declared = limit as u64 + 1;
    assert_eq!(
        *fault(&scene.server),
        ProtocolError::MessageTooLarge { declared, limit }.into()
    );

    let mut scene = Scene::ready();
    let many = Message::from(vec![vec![0u8; 1]; LIMITS.max_frames + 1]);
    for frame in scene.written(Side::Client, &[many]) {
        scene.server.feed(&frame);
    }
    let expected = ProtocolError::TooManyFrames {
        limit: LIMITS.max_frames,
    };
    assert_eq!(*fault(&scene.server), expected.into());
}

/// A publisher reads nothing but subscriptions, and takes no more memory for what cannot be one.
#[test]
fn a_publisher_finds_out_by_the_header_what_is_no_subscription() {
    let of = |mechanism, local| Listener::new(Local { mechanism, ..local });
    let (cipher, server): (&'static dyn Cipher, _) = (&FAKE, pair(SERVER));
    let client = Mechanism::CurveClient {
        cipher,
        keys: pair(CLIENT),
        server: *server.public(),
    };
    let server = Mechanism::CurveServer {
        cipher,
        keys: server,
    };
    let mut scene = Scene::with(
        of(client, local(SocketType::Sub)),
        of(server, accepting(SocketType::Pub)),
    );
    scene.pass(4);
    let length = LIMITS.max_message / 2;
    let mut sealed = Vec::new();
    frame::put_header(&mut sealed, 0, length + 33);
    scene.server.feed(&sealed);
    let expected = ProtocolError::TopicTooLong {
        length: length as u64 - 1,
        limit: LIMITS.max_topic,
    };
    assert_eq!(*fault(&scene.server), expected.into());
}

#[test]
fn without_room_little_is_opened_and_nothing_is_lost() {
    let mut scene = Scene::ready();
    let messages: Vec<_> = (0..200)
        .map(|n| Message::from(vec![n as u8; 1000]))
        .collect();
    let bytes = scene.written(Side::Client, &messages).concat();
    let room = Room {
        messages: 0,
        bytes: 0,
    };
    scene.server.feed_with(&bytes[..60_000], room);
    assert!(scene.server.heard.messages.is_empty());
    assert!(scene.server.connection.has_unread_message());
    scene.server.drain(Room::UNLIMITED);
    scene.server.feed(&bytes[60_000..]);
    assert_eq!(scene.server.messages(), messages);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_in_any_pieces(
        sizes in prop::collection::vec(prop::collection::vec(prop_oneof![0usize..300, 60_000usize..70_000], 1..4), 1..12),
        piece in 1usize..9_000,
    ) {
        let messages: Vec<_> = sizes.iter().map(|sizes| {
            Message::from_frames(sizes.iter().map(|&size| vec![size as u8; size]))
        }).collect();
        let mut scene = Scene::ready();
        let bytes = scene.written(Side::Client, &messages).concat();
        for piece in bytes.chunks(piece) {
            scene.server.feed(piece);
        }
        prop_assert_eq!(&scene.server.heard.fault, &None);
        prop_assert_eq!(scene.server.messages(), messages);
    }

    #[test]
    fn what_was_not_begun_is_given_back_in_the_clear(
        sizes in prop::collection::vec(prop::collection::vec(0usize..600, 1..4), 1..8),
        written in 0usize..4_000,
    ) {
        let messages: Vec<_> = sizes.iter().map(|sizes| {
            Message::from_frames(sizes.iter().map(|&size| vec![size as u8; size]))
        }).collect();
        let mut scene = Scene::ready();
        let mut batch = Batch::default();
        for message in &messages {
            batch.push(&[], message, 200);
        }
        let mut transmit = scene.client.connection.outbound(batch).unwrap();
        let wire = transmit.contents().to_vec();
        let written = written.min(wire.len());
        transmit.advance(written);
        // Whatever arrived whole at the peer, or in part, is not given back.
        let mut at = 0;
        let mut begun = 0;
        for message in &messages {
            if at < written {
                begun += 1;
            }
            for part in message.frames() {
                let body = part.len() + 33;
                at += frame::header_len(body) + body;
            }
        }
        prop_assert_eq!(at, wire.len());
        let mut left = transmit.into_unwritten();
        prop_assert_eq!(left.messages(), messages.len() - begun);
        for message in &messages[begun..] {
            let given_back = left.pop();
            prop_assert_eq!(given_back.as_ref(), Some(message));
        }
    }
}

/// What is encrypted counts while it arrives, and then what was in it, until the message is whole.
#[test]
fn unfinished_messages_are_counted() {
    let limit = LIMITS.max_message;
    for parts in [1, 4] {
        let message = Message::from(vec![vec![7u8; limit / parts]; parts]);
        let all = std::sync::Arc::new(Partials::default());
        let mut scene = Scene::new();
        scene.server.connection.count(all.share(limit));
        scene.pass(4);
        let written = scene
            .written(Side::Client, std::slice::from_ref(&message))
            .concat();
        let (most, rest) = written.split_at(written.len() * 9 / 10);
        scene.server.feed(most);
        let held = all.held();
        assert!((limit / 2..=limit).contains(&held), "{held}");
        // Another one would be too much.
        let mut other = Scene::new();
        other.server.connection.count(all.share(limit));
        other.pass(4);
        let written = other
            .written(Side::Client, std::slice::from_ref(&message))
            .concat();
        other.server.feed(&written);
        let exceeded = ProtocolError::TooMuchUnfinished { limit };
        assert_eq!(*fault(&other.server), exceeded.into());
        drop(other);
        assert_eq!(all.held(), held);
        scene.server.feed(rest);
        assert_eq!(scene.server.messages(), [message]);
        assert_eq!(all.held(), 0);
    }
}
