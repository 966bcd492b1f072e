//! Unfinished messages of several connections, which have one limit together.

use std::sync::Arc;

use super::*;
use crate::fault::ProtocolError;
use crate::wire::partials::Partials;

/// For all of them; a message may be half as large.
const LIMIT: usize = 2 << 20;

fn connection(all: &Arc<Partials>) -> Listener {
    let mut listener = Listener::new(local(SocketType::Pull));
    listener.connection.count(all.share(LIMIT));
    listener.feed(&opening("PUSH"));
    listener
}

const fn exceeded() -> PeerFault {
    PeerFault::Protocol(ProtocolError::TooMuchUnfinished { limit: LIMIT })
}

/// A message of this size in frames of this size.
fn message(size: usize, frame_size: usize) -> Vec<u8> {
    let frames = size / frame_size;
    let more = frame(MORE, &vec![7; frame_size]).repeat(frames - 1);
    [more, frame(0, &vec![7; frame_size])].concat()
}

#[test]
fn who_exceeds_the_limit_is_ended_and_the_others_go_on() {
    // In one large frame, in several, and in frames that fit the read buffer.
    for frame_size in [1 << 20, 1 << 18, 1 << 15] {
        let all = Arc::new(Partials::default());
        let whole = message(1 << 20, frame_size);
        let (most, rest) = whole.split_at(whole.len() * 9 / 10);
        let mut peers: Vec<_> = (0..3).map(|_| connection(&all)).collect();
        for peer in &mut peers[..2] {
            peer.feed(most);
            assert_eq!(peer.heard.fault, None);
        }
        let held = all.held();
        assert!((LIMIT * 3 / 5..=LIMIT).contains(&held), "{held}");
        peers[2].feed(most);
        assert_eq!(peers[2].heard.fault, Some(exceeded()));
        drop(peers.pop());
        assert_eq!(all.held(), held);
        for peer in &mut peers {
            peer.feed(rest);
            assert_eq!((&peer.heard.fault, peer.heard.messages.len()), (&None, 1));
        }
        assert_eq!(all.held(), 0);
        // There is room again.
        peers[1].feed(most);
        assert!(all.held() > 0);
        drop(peers);
        assert_eq!(all.held(), 0);
    }
}

/// A command between two frames has the first of them set aside.
#[test]
fn frames_with_commands_between_them_count() {
    let all = Arc::new(Partials::default());
    let mut peers: Vec<_> = (0..3).map(|_| connection(&all)).collect();
    let piece = [frame(MORE, &vec![7; 1 << 14]), command("PING", &[0, 0])].concat();
    let mut ended = 0;
    for peer in &mut peers {
        for _ in 0..60 {
            peer.feed(&piece);
            if peer.heard.fault.is_some() {
                assert_eq!(peer.heard.fault, Some(exceeded()));
                ended += 1;
                break;
            }
        }
    }
    assert_eq!(ended, 1);
}

#[test]
fn small_messages_do_not_count() {
    let all = Arc::new(Partials::default());
    let mut peer = connection(&all);
    for size in [1_000, 60_000, 100_000] {
        let frame = frame(0, &vec![7; size]);
        for piece in frame.chunks(999) {
            peer.feed(piece);
            assert_eq!(all.held(), 0);
        }
    }
    assert_eq!(peer.heard.messages.len(), 3);
}

/// As much as one peer may send, however it is divided, can always arrive alone.
#[test]
fn the_largest_message_arrives_alone() {
    for frame_size in [1 << 20, 1 << 18, 1 << 14] {
        let all = Arc::new(Partials::default());
        let mut listener = Listener::new(local(SocketType::Pull));
        listener.connection.count(all.share(LIMITS.max_message));
        listener.feed(&opening("PUSH"));
        for piece in message(LIMITS.max_message, frame_size).chunks(10_000) {
            listener.feed(piece);
        }
        assert_eq!(listener.heard.fault, None);
        assert_eq!((listener.heard.messages.len(), all.held()), (1, 0));
    }
}
