//! The messages that every pattern must carry byte for byte.

use wirelark::Message;

const MIB: usize = 1024 * 1024;

/// Messages with frames on either side of every edge: the empty one, the last that a one-byte
/// length can tell (255) and the next, some that need many reads, and all of them mixed in one
/// message.
pub(crate) fn corpus() -> Vec<Message> {
    vec![
        "a".into(),
        frames(&[0]),
        frames(&[255]),
        frames(&[256]),
        frames(&[64 * 1024]),
        frames(&[16 * MIB]),
        frames(&[0, 0]),
        frames(&[0, 1, 0]),
        frames(&[1, 0, 255, 256, 0, 64 * 1024, 3]),
        frames(&[16 * MIB, 0, 255]),
        frames(&[20; 1000]),
        "the end".into(),
    ]
}

/// The corpus with a topic in front of each, for subscriptions.
pub(crate) fn corpus_with_topic(topic: &str) -> Vec<Message> {
    let with_topic = |message: Message| -> Message {
        let mut frames = vec![topic.as_bytes().to_vec()];
        frames.extend(message.frames().map(<[u8]>::to_vec));
        frames.into()
    };
    corpus().into_iter().map(with_topic).collect()
}

/// A message with frames of these lengths. No two places in it look alike, so that nothing can be
/// swapped unseen.
pub(crate) fn frames(lengths: &[usize]) -> Message {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let frames: Vec<Vec<u8>> = lengths
        .iter()
        .map(|&length| {
            let mut frame = Vec::with_capacity(length + 8);
            while frame.len() < length {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                frame.extend_from_slice(&(state ^ (state >> 32)).to_le_bytes());
            }
            frame.truncate(length);
            frame
        })
        .collect();
    frames.into()
}

/// Like `assert_eq!`, but does not print megabytes.
#[track_caller]
pub(crate) fn assert_same(actual: &Message, expected: &Message) {
    let lengths = |message: &Message| -> Vec<usize> { message.frames().map(<[u8]>::len).collect() };
    assert_eq!(lengths(actual), lengths(expected), "lengths of the frames");
    for (index, (left, right)) in actual.frames().zip(expected.frames()).enumerate() {
        let difference = left.iter().zip(right).position(|(a, b)| a != b);
        assert_eq!(difference, None, "first byte that differs in frame {index}");
    }
}
