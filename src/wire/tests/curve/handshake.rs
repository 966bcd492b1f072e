//! The handshake of CURVE, and everything that somebody on the way could do to it.

use proptest::prelude::*;

use super::*;
use crate::fault::{Incompatible, PeerFault, ProtocolError, SecurityFault};
use crate::security::credentials::Credentials;
use crate::security::keys::{PublicKey, SecretKey};
use crate::wire::mechanism::curve::nacl::Nacl;

#[test]
fn both_sides_learn_who_the_other_is() {
    for cipher in [&FAKE as &'static dyn Cipher, &Nacl] {
        let (client, server) = match cipher.public(&[1; 32]) == FAKE.public(&[1; 32]) {
            true => (pair(CLIENT), pair(SERVER)),
            false => (KeyPair::generate().unwrap(), KeyPair::generate().unwrap()),
        };
        let mut scene = Scene::with(
            client_of(cipher, client.clone(), &server),
            server_of(cipher, server),
        );
        scene.pass(4);
        let names: Vec<_> = scene.frames.iter().map(|(_, frame)| frame.len()).collect();
        assert_eq!(&names[..2], [202, 170]);
        assert!(matches!(
            &scene.server.credentials,
            Some(Credentials::Curve { client: known }) if known == client.public()
        ));
        let peer = scene.server.heard.peer.as_ref().unwrap();
        assert_eq!(peer.socket_type, SocketType::Dealer);
        assert!(scene.client.heard.peer.is_some());
        let large = Message::from([vec![1; 300_000], vec![], vec![3; 65_500]]);
        let messages = [Message::from("small"), large, Message::from(["a", "b", ""])];
        for (from, to) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
            for frame in scene.written(from, &messages) {
                scene.of(to).feed(&frame);
            }
            assert_eq!(scene.of(to).messages(), messages);
        }
        let passed: Vec<u8> = scene
            .written(Side::Client, &[Message::from("cleartext")])
            .concat();
        assert!(!passed.windows(9).any(|window| window == b"cleartext"));
    }
}

#[test]
fn no_bit_of_a_command_can_be_changed() {
    for command in 0..4 {
        let mut scene = Scene::new();
        scene.pass(command + 1);
        let (from, original) = scene.frames.pop().unwrap();
        let head = frame::parse(&original).unwrap().unwrap().head;
        for bit in head * 8..original.len() * 8 {
            let mut changed = original.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // The same keys and random bytes are not to be had again, so each change has a pair of its own.
            let mut scene = Scene::new();
            scene.pass(command);
            let to = if from == Side::Client {
                Side::Server
            } else {
                Side::Client
            };
            let sent = std::mem::take(&mut scene.of(from).heard.sent);
            let mut own = split(&sent).remove(0);
            own[bit / 8] ^= 1 << (bit % 8);
            scene.of(to).feed(&own);
            let listener = scene.of(to);
            assert!(
                listener.heard.fault.is_some(),
                "command {command}, bit {bit}"
            );
            assert!(listener.heard.peer.is_none() && listener.heard.sent.is_empty());
            // What another connection said is no better.
            let mut scene = Scene::new();
            scene.pass(command);
            scene.of(to).feed(&changed);
            assert!(
                scene.of(to).heard.fault.is_some(),
                "command {command}, bit {bit}"
            );
        }
    }
}

#[test]
fn no_command_can_be_cut_short_or_made_longer() {
    for command in 0..4 {
        let mut scene = Scene::new();
        scene.pass(command + 1);
        let (from, original) = scene.frames.pop().unwrap();
        let head = frame::parse(&original).unwrap().unwrap().head;
        let length = original.len() - head;
        for changed in (0..length).chain([length + 1, length + 100]) {
            let mut scene = Scene::new();
            scene.pass(command);
            let sent = std::mem::take(&mut scene.of(from).heard.sent);
            let mut body = split(&sent).remove(0)[head..].to_vec();
            body.resize(changed, 0);
            let to = if from == Side::Client {
                Side::Server
            } else {
                Side::Client
            };
            scene.of(to).feed(&frame(COMMAND, &body));
            assert!(
                scene.of(to).heard.fault.is_some(),
                "command {command}, length {changed}"
            );
            assert!(scene.of(to).heard.peer.is_none());
        }
    }
}

#[test]
fn nothing_recorded_is_believed_at_any_state() {
    let mut recorded = Scene::ready();
    let message = recorded
        .written(Side::Client, &[Message::from("pay")])
        .remove(0);
    recorded.frames.push((Side::Client, message));
    let message = recorded
        .written(Side::Server, &[Message::from("paid")])
        .remove(0);
    recorded.frames.push((Side::Server, message));
    for passed in 0..=4 {
        for (_, frame) in &recorded.frames {
            for to in [Side::Client, Side::Server] {
                let mut scene = Scene::new();
                scene.pass(passed);
                let (had_peer, listener) = {
                    let listener = scene.of(to);
                    (listener.heard.peer.is_some(), listener)
                };
                listener.heard.sent.clear();
                listener.feed(frame);
                // A HELLO of another connection gets a WELCOME, of which only its author can make use.
                let answered = to == Side::Server && passed == 0 && frame == &recorded.frames[0].1;
                assert_eq!(listener.heard.fault.is_none(), answered, "{passed} {to:?}");
                assert_eq!(listener.heard.peer.is_some(), had_peer);
                assert!(listener.heard.messages.is_empty());
                // Its INITIATE then fails, since the cookie is another connection's.
                if answered {
                    listener.feed(&recorded.frames[2].1);
                    assert!(listener.heard.fault.is_some() && listener.heard.peer.is_none());
                }
            }
        }
    }
}

#[test]
fn commands_out_of_order_end_the_connection() {
    // The next one is skipped, or the last one comes again.
    for passed in 1..4 {
        let mut scene = Scene::new();
        scene.pass(passed);
        let (from, last) = scene.frames.last().unwrap().clone();
        let to = if from == Side::Client {
            Side::Server
        } else {
            Side::Client
        };
        scene.of(to).feed(&last);
        assert!(scene.of(to).heard.fault.is_some(), "after {passed}");
    }
    let mut scene = Scene::new();
    scene.client.heard.sent.clear();
    scene.server.feed(&command("INITIATE", &[0; 300]));
    let expected = ProtocolError::UnexpectedCommand {
        name: "INITIATE".into(),
    };
    assert_eq!(*fault(&scene.server), expected.into());
}

#[test]
fn a_key_that_keeps_no_secret_is_refused() {
    for weak in weak_keys() {
        assert!(Nacl.agree(&[7; 32], &weak).is_none(), "{weak:x?}");
        let mut scene = Scene::with(
            client_of(&FAKE, pair(CLIENT), &pair(SERVER)),
            server_of(&Nacl, KeyPair::generate().unwrap()),
        );
        let mut hello = split(&scene.client.heard.sent).remove(0);
        hello[2 + 80..2 + 112].copy_from_slice(&weak);
        scene.server.feed(&hello);
        assert_eq!(*fault(&scene.server), SecurityFault::WeakKey.into());
    }
}

/// Everybody could vouch for such a key, and so be whoever has it on some list.
#[test]
fn nobody_is_a_client_whose_key_keeps_no_secret() {
    for weak in weak_keys() {
        let server = KeyPair::generate().unwrap();
        let client =
            KeyPair::of_a_fake(PublicKey::from_bytes(weak), SecretKey::generate().unwrap());
        let mut scene = Scene::with(client_of(&Nacl, client, &server), server_of(&Nacl, server));
        scene.pass(3);
        assert_eq!(*fault(&scene.server), SecurityFault::WeakKey.into());
        assert!(scene.server.credentials.is_none());
        assert!(scene.server.heard.sent.is_empty());
    }
}

/// What a stranger has the client show to its user fits into a line of a log, and ends no attempts.
#[test]
fn an_error_is_heard_at_every_state_and_shows_no_control_characters() {
    let reason = b"400\r\n\x1b[2J\x00\xff\xe2\x80\xae forged line";
    let mut body = vec![reason.len() as u8];
    body.extend(reason);
    let error = command("ERROR", &body);
    for passed in 0..=4 {
        for side in [Side::Client, Side::Server] {
            let mut scene = Scene::new();
            scene.pass(passed);
            let before = scene.of(side).heard.sent.len();
            scene.of(side).feed(&error);
            let shown = fault(scene.of(side)).to_string();
            assert!(
                !shown.contains(|c: char| c.is_control() || !c.is_ascii()),
                "{shown}"
            );
            assert!(!matches!(fault(scene.of(side)), PeerFault::Denied { .. }));
            assert_eq!(
                scene.of(side).heard.sent.len(),
                before,
                "an ERROR is not answered"
            );
        }
    }
}

#[test]
fn a_wrong_key_is_not_explained_to_who_has_it() {
    let mut scene = Scene::with(
        client_of(&FAKE, pair(CLIENT), &pair(0x33)),
        server_of(&FAKE, pair(SERVER)),
    );
    let sent = std::mem::take(&mut scene.client.heard.sent);
    scene.server.feed(&sent);
    let found = fault(&scene.server).clone();
    assert_eq!(found, SecurityFault::Box { command: "HELLO" }.into());
    scene.server.connection.refuse(&found);
    assert!(scene.server.connection.outgoing().is_empty());
}

#[test]
fn a_stranger_cannot_speak_for_the_server() {
    // Before WELCOME nobody has proved anything: a status is no verdict.
    let mut scene = Scene::new();
    scene.client.feed(&command("ERROR", b"\x03400"));
    let refused = PeerFault::Refused {
        reason: "400".into(),
    };
    assert_eq!(*fault(&scene.client), refused);
    let mut scene = Scene::new();
    scene.pass(2);
    scene.client.feed(&command("ERROR", b"\x03400"));
    assert_eq!(*fault(&scene.client), PeerFault::Denied { status: 400 });
}

#[test]
fn two_servers_and_other_mechanisms_are_told_apart() {
    let mut one = server_of(&FAKE, pair(SERVER));
    let mut other = server_of(&FAKE, pair(SERVER));
    other.drain(Room::UNLIMITED);
    one.feed(&other.heard.sent);
    let expected = Incompatible::TwoServers { mechanism: "CURVE" };
    assert_eq!(*fault(&one), expected.into());

    let mut one = server_of(&FAKE, pair(SERVER));
    one.feed(&greeting(3, 1));
    let theirs = "NULL".to_owned();
    assert_eq!(
        *fault(&one),
        Incompatible::Mechanism {
            ours: "CURVE",
            theirs
        }
        .into()
    );
    let mut one = server_of(&FAKE, pair(SERVER));
    one.feed(&greeting(2, 0)[..11]);
    assert_eq!(
        *fault(&one),
        Incompatible::Version { major: 2, minor: 0 }.into()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_handshake_of_anything_ends_in_a_fault(
        passed in 0usize..4,
        name in prop_oneof![Just("HELLO"), Just("WELCOME"), Just("INITIATE"), Just("READY"), Just("MESSAGE")],
        data in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for to in [Side::Client, Side::Server] {
            let mut scene = Scene::new();
            scene.pass(passed);
            let had_peer = scene.of(to).heard.peer.is_some();
            scene.of(to).feed(&command(name, &data));
            prop_assert!(scene.of(to).heard.fault.is_some());
            prop_assert_eq!(scene.of(to).heard.peer.is_some(), had_peer);
        }
    }
}

#[test]
fn only_a_whole_command_that_takes_computing_is_laborious() {
    let mut scene = Scene::new();
    scene.pass(4);
    let commands: Vec<_> = scene
        .frames
        .iter()
        .map(|(_, frame)| frame.clone())
        .collect();
    let mut scene = Scene::new();
    for (number, command) in commands.iter().enumerate() {
        let receiver = match number % 2 {
            0 => &mut scene.server.connection,
            _ => &mut scene.client.connection,
        };
        for byte in command {
            assert!(
                !receiver.is_laborious(),
                "in the middle of command {number}"
            );
            receiver.read_target().put_u8(*byte);
        }
        // READY is opened with a key that is known.
        assert_eq!(receiver.is_laborious(), number < 3, "command {number}");
        let from = if number % 2 == 0 {
            Side::Client
        } else {
            Side::Server
        };
        scene = Scene::new();
        scene.pass(number + 1);
        assert_eq!(scene.frames[number].0, from);
    }
}

#[test]
fn no_key_is_shown_in_any_state() {
    for passed in 0..=4 {
        let mut scene = Scene::new();
        scene.pass(passed);
        for side in [&scene.client, &scene.server] {
            let shown = format!("{:?}", side.connection);
            // Where there are keys, they are there by name; the secret ones of both sides are made of these bytes.
            assert!(
                shown.contains("Key(..)") || shown.contains("SecretKey"),
                "{shown}"
            );
            for seed in [CLIENT, SERVER] {
                // Four in a row: what is random and shown has two of them now and then.
                assert!(!shown.contains(&[seed.to_string().as_str(); 4].join(", ")));
            }
            assert!(!shown.contains("Zeroizing"), "{shown}");
        }
    }
}
