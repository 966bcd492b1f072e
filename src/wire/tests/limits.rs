//! Every limit holds on the first byte that breaks it, and nothing is allocated for a promise.

use super::*;
use crate::fault::ProtocolError;
use crate::spares;
use crate::wire::decoder::Decoder;
use crate::wire::rules::{COMMAND_MAX, Rules};

fn header(flags: u8, length: u64) -> Vec<u8> {
    let mut out = vec![flags | LONG];
    out.extend(length.to_be_bytes());
    out
}

/// The fault that `bytes` lead to, after checking that it comes with the last of them.
fn fault_on_last_byte(mut listener: Listener, bytes: &[u8]) -> ProtocolError {
    let (last, before) = bytes.split_last().unwrap();
    listener.feed(before);
    assert_eq!(
        listener.heard.fault, None,
        "before the last byte of {bytes:?}"
    );
    listener.feed(&[*last]);
    match listener.heard.fault {
        Some(PeerFault::Protocol(fault)) => fault,
        other => panic!("{other:?} after {bytes:?}"),
    }
}

/// Connections in every state in which a frame may begin, with what the peer has sent of a message.
fn states() -> Vec<(&'static str, Listener)> {
    let mut handshake = Listener::new(local(SocketType::Pull));
    handshake.feed(&greeting(3, 1));
    let traffic = |ours, peer| Listener::ready(local(ours), peer);
    let with = |bytes: &[u8]| {
        let mut listener = traffic(SocketType::Pull, "PUSH");
        listener.feed(bytes);
        assert_eq!(listener.heard.fault, None);
        listener
    };
    vec![
        ("handshake", handshake),
        ("traffic", traffic(SocketType::Pull, "PUSH")),
        ("publisher", traffic(SocketType::Pub, "SUB")),
        ("open publisher", traffic(SocketType::XPub, "SUB")),
        ("after a frame", with(&frame(MORE, b"x"))),
        ("after a message", with(&frame(0, &[0; 5000]))),
        ("after a large frame", with(&frame(MORE, &[0; 100_000]))),
        (
            "in a message set aside",
            with(&[frame(MORE, b"x"), command("PONG", b"")].concat()),
        ),
    ]
}

#[test]
fn every_length_with_every_flag_in_every_state() {
    let lengths = [
        0,
        255,
        256,
        (1 << 31) - 1,
        1 << 31,
        1 << 32,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX,
    ];
    let names = states().into_iter().map(|(name, _)| name);
    for (index, name) in names.enumerate() {
        for flags in (0..=255u8).filter(|flags| flags & LONG != 0) {
            for length in lengths {
                let (_, mut listener) = states().swap_remove(index);
                let bytes = header(flags, length);
                let reserved = flags & !(MORE | LONG | COMMAND) != 0;
                let both = flags & (MORE | COMMAND) == MORE | COMMAND;
                listener.feed(&bytes[..1]);
                if reserved || both || (name == "handshake" && flags & MORE != 0) {
                    if reserved || both {
                        assert!(listener.heard.fault.is_some(), "{name} {flags:#x}");
                    }
                    continue;
                }
                listener.feed(&bytes[1..8]);
                assert_eq!(listener.heard.fault, None, "{name} {flags:#x} {length}");
                listener.feed(&bytes[8..]);
                let fault = listener.heard.fault;
                if length < 257 {
                    // No command is empty; else all is well so far.
                    let empty = name == "handshake" || flags & COMMAND != 0;
                    let faulty = length == 0 && empty;
                    assert_eq!(fault.is_some(), faulty, "{name} {flags:#x} {length}");
                    continue;
                }
                let fault = fault.expect("a fault on the ninth byte").to_string();
                assert!(
                    fault.contains(&length.to_string())
                        || fault.contains("exceeds the limit")
                        || length >= 1 << 63 && fault.contains("top bit"),
                    "{name} {flags:#x} {length}: {fault}"
                );
            }
        }
    }
}

#[test]
fn the_payload_of_a_whole_message_counts() {
    let limit = LIMITS.max_message;
    let pull = || Listener::ready(local(SocketType::Pull), "PUSH");
    let half = frame(MORE, &vec![0; limit / 2]);
    let last = u64::try_from(limit / 2).unwrap();
    let mut listener = pull();
    listener.feed(&half);
    listener.feed(&header(0, last));
    assert_eq!(listener.heard.fault, None);
    let mut listener = pull();
    listener.feed(&half);
    let declared = u64::try_from(limit + 1).unwrap();
    let expected = ProtocolError::MessageTooLarge { declared, limit };
    assert_eq!(fault_on_last_byte(listener, &header(0, last + 1)), expected);
    // The counts start anew with each message.
    let mut listener = pull();
    let whole = [half, frame(0, &vec![0; limit / 2])].concat();
    listener.feed(&whole.repeat(3));
    assert_eq!(
        (listener.heard.messages.len(), listener.heard.fault),
        (3, None)
    );
}

#[test]
fn a_short_limit_is_a_limit_too() {
    for limit in [0, 1, 100, 254, 255] {
        let mut local = local(SocketType::Pull);
        local.limits.max_message = limit;
        let mut listener = Listener::ready(local.clone(), "PUSH");
        listener.feed(&frame(0, &vec![0; limit]));
        assert_eq!(
            (listener.messages().len(), &listener.heard.fault),
            (1, &None)
        );
        let declared = limit as u64 + 1;
        let header = if declared < 256 {
            vec![0, declared as u8]
        } else {
            header(0, declared)
        };
        let expected = ProtocolError::MessageTooLarge { declared, limit };
        assert_eq!(fault_on_last_byte(listener, &header), expected);
    }
}

#[test]
fn a_lifted_limit_is_none() {
    let mut local = local(SocketType::Pull);
    local.limits.max_message = usize::MAX;
    local.limits.max_frames = usize::MAX;
    let mut listener = Listener::ready(local, "PUSH");
    listener.feed(&frame(MORE, b"").repeat(100_000));
    listener.feed(&header(0, (1 << 63) - 1));
    listener.feed(&[0; 1000]);
    assert_eq!(listener.heard.fault, None);
}

#[test]
fn frames_are_counted_from_their_flags() {
    let limit = LIMITS.max_frames;
    let pull = || Listener::ready(local(SocketType::Pull), "PUSH");
    let mut listener = pull();
    let most = frame(MORE, b"").repeat(limit - 1);
    listener.feed(&[&most[..], &frame(0, b"")].concat().repeat(3));
    assert_eq!(
        (listener.messages().len(), &listener.heard.fault),
        (3, &None)
    );
    let bytes = [&most[..], &[MORE]].concat();
    assert_eq!(
        fault_on_last_byte(listener, &bytes),
        ProtocolError::TooManyFrames { limit }
    );
    // Commands in between set frames aside; they still count, and are not counted themselves.
    let pong = command("PONG", b"");
    let bytes = [
        [frame(MORE, b""), pong].concat().repeat(limit - 1),
        vec![MORE],
    ]
    .concat();
    assert_eq!(
        fault_on_last_byte(pull(), &bytes),
        ProtocolError::TooManyFrames { limit }
    );
}

#[test]
fn topics_have_their_own_limit() {
    let limit = LIMITS.max_topic;
    let length = limit as u64 + 1;
    let too_long = ProtocolError::TopicTooLong { length, limit };
    for (ours, is_pub) in [(SocketType::Pub, true), (SocketType::XPub, false)] {
        let ready = || Listener::ready(local(ours), "SUB");
        let longest = [
            command("SUBSCRIBE", &vec![0; limit]),
            command("CANCEL", &vec![0; limit]),
            frame(0, &vec![1; limit + 1]),
        ];
        let mut listener = ready();
        listener.feed(&longest.concat());
        assert_eq!(
            (listener.messages().len(), &listener.heard.fault),
            (3, &None)
        );
        // A command is known by its name, a message on a PUB by its header, on an XPUB by the
        // first byte of its body.
        let subscribe = [&header(COMMAND, length + 10)[..], b"\x09SUBSCRIBE"].concat();
        assert_eq!(fault_on_last_byte(ready(), &subscribe), too_long);
        let cancel = [&header(COMMAND, length + 7)[..], b"\x06CANCEL"].concat();
        assert_eq!(fault_on_last_byte(ready(), &cancel), too_long);
        let mut message = header(0, length + 1);
        if !is_pub {
            message.push(1);
        }
        assert_eq!(fault_on_last_byte(ready(), &message), too_long);
        // A hundred megabytes are too much on the ninth byte.
        let huge = header(COMMAND, 100_000_010);
        let length = 100_000_000;
        let expected = ProtocolError::TopicTooLong { length, limit };
        assert_eq!(fault_on_last_byte(ready(), &huge), expected);
    }
    // What is no subscription may be longer on an XPUB.
    let mut listener = Listener::ready(local(SocketType::XPub), "XSUB");
    listener.feed(&[frame(0, &[2; 90_000]), multipart(&[b"x", &[1; 90_000]])].concat());
    assert_eq!(
        (listener.heard.messages.len(), listener.heard.fault),
        (2, None)
    );
}

#[test]
fn a_short_topic_limit_is_one_too() {
    for (ours, limit) in [
        (SocketType::Pub, 0),
        (SocketType::XPub, 5),
        (SocketType::Pub, 254),
    ] {
        let mut local = local(ours);
        local.limits.max_topic = limit;
        let mut listener = Listener::ready(local, "SUB");
        let message = |length| frame(0, &vec![1; length + 1]);
        listener.feed(&[message(limit), command("SUBSCRIBE", &vec![0; limit])].concat());
        assert_eq!(
            (listener.messages().len(), &listener.heard.fault),
            (2, &None)
        );
        listener.feed(&message(limit + 1));
        let length = limit as u64 + 1;
        let expected = ProtocolError::TopicTooLong { length, limit };
        assert_eq!(listener.heard.fault, Some(expected.into()));
    }
}

#[test]
fn commands_have_a_limit() {
    let declared = COMMAND_MAX as u64 + 1;
    let expected = ProtocolError::CommandTooLarge {
        declared,
        limit: COMMAND_MAX,
    };
    for (name, listener) in states() {
        if !name.contains("publisher") {
            let header = header(COMMAND, declared);
            assert_eq!(fault_on_last_byte(listener, &header), expected, "{name}");
        }
    }
    let mut listener = Listener::ready(local(SocketType::Pull), "PUSH");
    listener.feed(&command("LONGEST", &[0; COMMAND_MAX - 8]));
    assert_eq!(listener.heard.fault, None);
}

/// Reads `bytes` as a session does and forgets what comes of it; `check` sees how much is held
/// after every read.
fn read(decoder: &mut Decoder, mut bytes: &[u8], mut check: impl FnMut(usize, usize)) {
    let mut received = 0;
    while !bytes.is_empty() {
        let mut target = decoder.read_target();
        let count = target.remaining_mut().min(bytes.len());
        target.put_slice(&bytes[..count]);
        (received, bytes) = (received + count, &bytes[count..]);
        assert!(decoder.arrived());
        while decoder.next(Room::UNLIMITED).unwrap().is_some() {}
        check(decoder.capacity(), received);
    }
}

#[test]
fn nothing_is_allocated_for_a_promise() {
    let mut limits = LIMITS;
    limits.max_message = 1 << 40;
    let mut decoder = Decoder::new(Rules::new(SocketType::Pull, limits));
    read(&mut decoder, &header(0, 1 << 35), |held, _| {
        assert!(held < 140_000, "{held}");
    });
    read(&mut decoder, &vec![7; 10_000_000], |held, received| {
        assert!(held <= 2 * received + 140_000, "{held} after {received}");
    });
}

#[test]
fn the_buffer_of_a_large_frame_ends_where_the_frame_ends() {
    for size in [70_000, 131_072, 200_001, 1_000_003, (1 << 20) - 1] {
        let mut decoder = Decoder::new(Rules::new(SocketType::Pull, LIMITS));
        let encoded = frame(0, &vec![7; size]);
        read(&mut decoder, &encoded[..encoded.len() - 1], |_, _| ());
        let held = decoder.capacity();
        assert!(held < spares::most(size) + 4096 + 100, "{held} for {size}");
    }
}

#[test]
fn the_read_buffer_keeps_its_size() {
    // Whatever the sizes, and although the pieces handed over die at once.
    let mut decoder = Decoder::new(Rules::new(SocketType::Pull, LIMITS));
    for size in [40_000, 10, 65_000, 3000, 90_000, 33_000].repeat(20) {
        read(&mut decoder, &frame(0, &vec![7; size]), |held, _| {
            assert!(held <= spares::most(65_536 + 90_000), "{held}");
        });
    }
    // Also when a message of many frames is larger than it.
    let mut decoder = Decoder::new(Rules::new(SocketType::Pull, LIMITS));
    let message = frame(MORE, &[7; 30_000]).repeat(20);
    read(&mut decoder, &message, |held, _| {
        assert!(held <= spares::most(65_536), "{held}");
    });
}

#[test]
fn an_idle_connection_holds_little() {
    let mut decoder = Decoder::new(Rules::new(SocketType::Pull, LIMITS));
    assert_eq!(decoder.capacity(), 0);
    let encoded = frame(0, &[1; 1000]).repeat(200);
    read(&mut decoder, &encoded, |_, _| ());
    let grown = decoder.read_target().get_ref().capacity();
    assert!(
        (32_768..=spares::most(65_536)).contains(&grown),
        "{grown} under load"
    );
    decoder.release_idle_buffer();
    assert_eq!(decoder.capacity(), 0);
    assert!(decoder.read_target().get_ref().capacity() <= spares::most(4096));
}
