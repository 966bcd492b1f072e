//! What goes into a batch comes out of it.

use super::*;
use proptest::prelude::*;

fn message() -> impl Strategy<Value = Message> {
    let size = prop_oneof![0usize..80, Just(255), Just(256), 250usize..5000];
    let frame = size.prop_map(|size| vec![0xa5u8; size]);
    prop::collection::vec(frame, 1..5).prop_map(Message::from)
}

#[test]
fn a_body_that_is_given_away_is_not_counted_twice() {
    let body = Bytes::from(vec![7; 3000]);
    let place = body.as_ptr();
    let mut message = Message::from([body, Bytes::from_static(b"tail")]);
    let mut batch = Batch::default();
    batch.push_all_of(&[], &mut message, 2000);
    drop(message);
    let popped = batch.pop().unwrap().into_frames();
    assert_eq!(popped[0].as_ptr(), place, "moved, not copied");
    assert!(popped[0].is_unique());
}

proptest! {
    #[test]
    fn to_give_a_message_away_writes_what_to_show_it_writes(
        messages in prop::collection::vec(message(), 0..9),
        share_above in prop_oneof![Just(0usize), Just(300), Just(usize::MAX)],
    ) {
        let (mut shown, mut given) = (Batch::default(), Batch::default());
        for message in &messages {
            let bytes = shown.push(b"\x01\x00", message, share_above);
            let mut message = message.clone();
            prop_assert_eq!(given.push_all_of(b"\x01\x00", &mut message, share_above), bytes);
        }
        prop_assert_eq!(given.bytes(), shown.bytes());
        for _ in 0..=messages.len() {
            prop_assert_eq!(given.pop(), shown.pop());
        }
    }

    #[test]
    fn what_goes_in_comes_out(
        messages in prop::collection::vec(message(), 0..20),
        share_above in prop_oneof![Just(0usize), Just(256), Just(usize::MAX)],
        appended: bool,
    ) {
        let mut batch = Batch::default();
        for message in &messages {
            batch.push(&[], message, share_above);
        }
        if appended {
            let mut copy = Batch::default();
            copy.append(&batch);
            batch = copy;
        }
        prop_assert_eq!(batch.messages(), messages.len());
        for message in &messages {
            prop_assert_eq!(batch.peek().map(|first| first.body.to_vec()), Some(message.first().to_vec()));
            prop_assert_eq!(batch.pop(), Some(message.clone()));
        }
        prop_assert_eq!((batch.messages(), batch.bytes()), (0, 0));
        prop_assert!(batch.peek().is_none());
    }

    #[test]
    fn a_chunk_from_the_wire_pops_the_same(messages in prop::collection::vec(message(), 1..20)) {
        let mut batch = Batch::default();
        for message in &messages {
            batch.push(&[], message, usize::MAX);
        }
        let bytes = Bytes::from(batch.into_buffer().unwrap());
        let mut chunk = Batch::from_wire(bytes, messages.len());
        for (index, message) in messages.iter().enumerate() {
            if index % 3 == 0 {
                chunk.skip();
            } else {
                prop_assert_eq!(chunk.pop(), Some(message.clone()));
            }
        }
        prop_assert_eq!((chunk.messages(), chunk.bytes()), (0, 0));
    }
}

#[test]
fn an_envelope_comes_first() {
    let mut batch = Batch::default();
    batch.push(&[MORE, 0], &Message::from("hi"), 256);
    assert_eq!(batch.stored(), [1, 0, 0, 2, b'h', b'i']);
    assert_eq!(batch.pop(), Some(Message::from(["", "hi"])));
}

#[test]
fn a_small_frame_does_not_pin_the_chunk() {
    let mut encoded = Vec::new();
    frame::put_frame(&mut encoded, 0, &[1; COPY_MAX]);
    let chunk = Bytes::from(encoded);
    let mut batch = Batch::from_wire(chunk.clone(), 1);
    let message = batch.pop().unwrap();
    drop(batch);
    assert!(chunk.is_unique(), "{message:?} still shares the chunk");
}
