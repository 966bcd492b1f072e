//! Every valid session means the same however it is cut into reads, and a session that ends early
//! is heard up to its last whole message.

use super::*;
use proptest::prelude::*;

/// Who listens, and what the peer says. Small sessions are also cut at every offset.
fn sessions() -> Vec<(Local, Vec<u8>)> {
    let ping = command("PING", b"\0\x05ctx");
    let small = [
        frame(0, b""),
        frame(0, b"one"),
        long_frame(0, b"two"),
        multipart(&[b"", b"three", b""]),
        ping.clone(),
        frame(0, &[4; 255]),
        frame(0, &[5; 256]),
        frame(MORE, b"six"),
        ping.clone(),
        long_frame(MORE, b"six"),
        command("FUTURE", b"stuff"),
        frame(0, b"six"),
        ping.clone(),
    ]
    .concat();
    let subscriptions = [
        command("SUBSCRIBE", b""),
        command("SUBSCRIBE", &[b'a'; 300]),
        frame(0, b"\x01topic"),
        ping.clone(),
        frame(MORE, b"\x01two"),
        command("CANCEL", b"x"),
        frame(0, b"parts"),
        frame(0, &[&[1][..], &[b'b'; 300]].concat()),
        frame(0, b"\0topic"),
        command("SUBSCRIBES", b"x"),
        command("CANCEL", &[b'a'; 300]),
        frame(0, b"other"),
    ]
    .concat();
    let large = [
        frame(0, &[1; 3000]),
        multipart(&[b"envelope", b"", &[2; 70_000], b"tail"]),
        frame(0, b"small"),
        multipart(&[&[3; 30_000], &[4; 30_000], &[5; 30_000], &[6; 30_000]]),
        frame(MORE, &[7; 200_000]),
        ping.clone(),
        frame(MORE, &[8; 100_000]),
        frame(0, &[]),
        frame(0, &[9; 65_527]),
        frame(0, &[10; 65_528]),
        ping,
        frame(0, b"x").repeat(3000),
    ]
    .concat();
    let session = |ours: SocketType, peer: &str, rest: &[u8]| {
        (local(ours), [&opening(peer)[..], rest].concat())
    };
    vec![
        session(SocketType::Pull, "PUSH", &small),
        session(SocketType::Rep, "REQ", &small),
        session(SocketType::Pub, "SUB", &subscriptions),
        session(SocketType::XPub, "XSUB", &subscriptions),
        session(SocketType::Pull, "PUSH", &large),
    ]
}

const SMALL_SESSION: usize = 4000;

/// What does not depend on how the bytes came. The PONGs do in number when many PINGs come at
/// once; these sessions hold only a few.
fn whole(local: &Local, bytes: &[u8]) -> Heard {
    let heard = hear(local.clone(), [bytes]);
    assert_eq!(heard.fault, None);
    heard
}

#[test]
fn byte_by_byte() {
    for (local, bytes) in sessions() {
        assert_eq!(hear(local.clone(), bytes.chunks(1)), whole(&local, &bytes));
    }
}

#[test]
fn cut_in_two_at_every_offset() {
    for (local, bytes) in sessions() {
        let expected = whole(&local, &bytes);
        let step = if bytes.len() < SMALL_SESSION { 1 } else { 7919 };
        for at in (0..bytes.len()).step_by(step) {
            let (first, second) = bytes.split_at(at);
            assert_eq!(hear(local.clone(), [first, second]), expected, "at {at}");
        }
    }
}

#[test]
fn truncated_at_every_offset() {
    for (local, bytes) in sessions() {
        let expected = whole(&local, &bytes);
        let step = if bytes.len() < SMALL_SESSION { 1 } else { 997 };
        let mut most = 0;
        for at in (0..bytes.len()).step_by(step) {
            let heard = hear(local.clone(), [&bytes[..at]]);
            assert_eq!(heard.fault, None, "at {at}");
            let count = heard.messages.len();
            assert_eq!(heard.messages, expected.messages[..count], "at {at}");
            assert!(expected.sent.starts_with(&heard.sent));
            assert!(count >= most, "at {at}");
            most = count;
        }
    }
}

/// Encodes what [`Heard`] says was heard: the inverse, written without the code under test.
fn encode(messages: &[Message]) -> Vec<u8> {
    let parts = messages.iter().flat_map(|message| {
        let last = message.len() - 1;
        message
            .frames()
            .enumerate()
            .flat_map(move |(index, body)| frame(if index < last { MORE } else { 0 }, body))
    });
    parts.collect()
}

fn message() -> impl Strategy<Value = Message> {
    let size = prop_oneof![
        10 => 0usize..40,
        5 => 250usize..260,
        3 => 0usize..9000,
        1 => 60_000usize..140_000,
    ];
    let body = (size, any::<u8>()).prop_map(|(size, fill)| vec![fill; size]);
    prop::collection::vec(body, 1..6).prop_map(Message::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_cuts(seed in prop::collection::vec(1usize..30_000, 1..50), which in 0usize..5) {
        let (local, bytes) = sessions().swap_remove(which);
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for size in seed.iter().cycle() {
            // Most reads of a slow peer are small ones.
            let size = if bytes.len() < SMALL_SESSION { size % 40 + 1 } else { *size };
            let (piece, tail) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(hear(local.clone(), pieces), whole(&local, &bytes));
    }

    #[test]
    fn what_is_encoded_is_heard(
        messages in prop::collection::vec(message(), 1..20),
        cut in 1usize..100_000,
        room in (1usize..10, 1usize..100_000),
    ) {
        let mut listener = Listener::ready(local(SocketType::Pull), "PUSH");
        let room = Room { messages: room.0, bytes: room.1 };
        for piece in encode(&messages).chunks(cut) {
            listener.feed_with(piece, Room { messages: 0, bytes: 0 });
            loop {
                let before = listener.heard.messages.len();
                listener.drain(room);
                if listener.heard.messages.len() == before {
                    break;
                }
            }
        }
        prop_assert_eq!(&listener.heard.fault, &None);
        prop_assert_eq!(listener.messages(), messages);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), stage in 0usize..3, cut in 1usize..50) {
        for ours in [SocketType::Pull, SocketType::Pub, SocketType::XPub, SocketType::Rep] {
            let mut listener = Listener::new(local(ours));
            let peer = SocketType::ALL.into_iter().find(|&peer| ours.can_talk_to(peer)).unwrap();
            listener.feed(&opening(peer.as_str())[..[0, 64, 64 + ready(peer.as_str()).len()][stage]]);
            for piece in bytes.chunks(cut) {
                if listener.heard.fault.is_some() {
                    break;
                }
                listener.feed(piece);
            }
        }
    }

    /// Noise with sensible flags and short lengths gets further.
    #[test]
    fn plausible_noise_never_panics(
        frames in prop::collection::vec((0u8..8, prop::collection::vec(any::<u8>(), 0..30)), 0..60),
        cut in 1usize..50,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(flags, body)| {
            let flags = if flags & COMMAND != 0 { COMMAND } else { flags & MORE };
            frame(flags, body)
        }).collect();
        for ours in [SocketType::Pull, SocketType::Pub, SocketType::XPub] {
            let peer = SocketType::ALL.into_iter().find(|&peer| ours.can_talk_to(peer)).unwrap();
            let mut at_once = Listener::ready(local(ours), peer.as_str());
            at_once.feed(&bytes);
            let mut in_pieces = Listener::ready(local(ours), peer.as_str());
            for piece in bytes.chunks(cut) {
                if in_pieces.heard.fault.is_none() {
                    in_pieces.feed(piece);
                }
            }
            prop_assert_eq!(at_once.heard, in_pieces.heard);
        }
    }
}
