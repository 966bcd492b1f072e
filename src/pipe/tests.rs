//! A pipe against a model that is too simple to be wrong: a list of numbers, and flags for who
//! waits.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::wake::{Due, Listener, Signal, Token};
use super::*;
use crate::message::Message;

const PRODUCER: Token = 1;
const CONSUMER: Token = 2;

/// Everything that a pipe has told its ends.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(Token, Signal)>>);

impl Listener for Told {
    fn signal(&self, token: Token, signal: Signal) {
        self.0.lock().push((token, signal));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    Encoded(usize),
    Chunk(usize, usize),
    Control,
    Reserve,
    Unreserve,
    Take,
    Release(usize),
    PutBack,
    Drain,
    Leave,
    Close(CloseReason),
    SetCapacity(Capacity),
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let messages = prop_oneof![1usize..6, Just(usize::MAX)];
    let bytes = prop_oneof![1usize..2000, Just(usize::MAX)];
    (messages, bytes).prop_map(|(messages, bytes)| Capacity { messages, bytes })
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![8usize..20, 8usize..600];
    prop_oneof![
        8 => size.clone().prop_map(Op::Push),
        2 => size.prop_map(Op::Encoded),
        2 => (1usize..4, prop_oneof![Just(10usize), Just(1500)]).prop_map(|(n, s)| Op::Chunk(n, s)),
        1 => Just(Op::Control),
        1 => Just(Op::Reserve),
        1 => Just(Op::Unreserve),
        6 => Just(Op::Take),
        4 => (0usize..4).prop_map(Op::Release),
        1 => Just(Op::PutBack),
        1 => Just(Op::Drain),
        1 => Just(Op::Leave),
        1 => prop_oneof![
            Just(CloseReason::Done),
            Just(CloseReason::Now),
            Just(CloseReason::Lost),
            Just(CloseReason::Reset),
            Just(CloseReason::Fault(crate::fault::ProtocolError::Envelope.into())),
        ].prop_map(Op::Close),
        1 => capacity().prop_map(Op::SetCapacity),
    ]
}

/// The model: what is queued, as texts and encoded lengths.
#[derive(Debug)]
struct Model {
    queue: VecDeque<(String, usize)>,
    /// What was taken and still counts.
    held: VecDeque<(String, usize)>,
    reserved: usize,
    capacity: Capacity,
    closed: Option<CloseReason>,
    producer_waits: bool,
    consumer_waits: bool,
    told: Vec<(Token, Signal)>,
    next: usize,
}

impl Model {
    fn used(&self) -> Load {
        let all = self.queue.iter().chain(&self.held);
        all.fold(Load::default(), |sum, (_, bytes)| Load {
            messages: sum.messages + 1,
            bytes: sum.bytes + bytes,
        })
    }

    fn is_full(&self) -> bool {
        let used = self.used();
        used.messages + self.reserved >= self.capacity.messages || used.bytes >= self.capacity.bytes
    }

    fn message(&mut self, size: usize) -> Message {
        self.next += 1;
        let text = format!("{:0size$}", self.next);
        let header = if text.len() > 255 { 9 } else { 2 };
        let bytes = header + text.len();
        self.queue.push_back((text.clone(), bytes));
        Message::from(text)
    }

    fn filled(&mut self) {
        if std::mem::take(&mut self.consumer_waits) {
            self.told.push((CONSUMER, Signal::Readable));
        }
    }

    fn drained(&mut self) {
        let used = self.used();
        let low = used.messages + self.reserved <= self.capacity.messages / 2
            && used.bytes <= self.capacity.bytes / 2;
        if low && std::mem::take(&mut self.producer_waits) {
            self.told.push((PRODUCER, Signal::Writable));
        }
    }

    /// What the pipe has to say to a sender, noting that it was told so.
    fn admits(&mut self) -> Result<(), &'static str> {
        if self.closed.is_some() {
            return Err("closed");
        }
        if self.is_full() {
            self.producer_waits = true;
            return Err("full");
        }
        Ok(())
    }
}

const fn name(result: Result<(), PushError>) -> Result<(), &'static str> {
    match result {
        Ok(()) => Ok(()),
        Err(PushError::Full) => Err("full"),
        Err(PushError::Closed) => Err("closed"),
    }
}

fn texts(mut batch: Batch) -> Vec<String> {
    std::iter::from_fn(|| batch.pop())
        .map(|message| message.text().into_owned())
        .collect()
}

fn encode(messages: &[Message]) -> Batch {
    let mut batch = Batch::default();
    for message in messages {
        batch.push(&[], message, 256);
    }
    batch
}

/// Does the same to both and compares what they say; the rest is compared by the caller.
fn step(
    pipe: &Arc<Pipe>,
    told: &Arc<Told>,
    model: &mut Model,
    op: Op,
) -> Result<(), TestCaseError> {
    match op {
        Op::Push(size) | Op::Encoded(size) => {
            let expected = model.admits();
            let message = model.message(size);
            let result = match op {
                Op::Push(_) => pipe.push(&[], &message),
                _ => {
                    let mut due = Due::default();
                    pipe.push_encoded(&encode(&[message]), &mut due).map(drop)
                }
            };
            prop_assert_eq!(name(result), expected);
            if expected.is_ok() {
                model.filled();
            } else {
                model.queue.pop_back();
            }
        }
        // Their sender has asked for room, or needs none.
        Op::Chunk(..) | Op::Control => {
            let (count, size) = match op {
                Op::Chunk(count, size) => (count, size),
                _ => (1, 8),
            };
            let messages: Vec<_> = (0..count).map(|_| model.message(size)).collect();
            if matches!(op, Op::Control) {
                pipe.push_control(
                    |batch| {
                        batch.push(&[], &messages[0], 256);
                    },
                    &mut Due::default(),
                );
            } else {
                prop_assert_eq!(
                    pipe.push_chunk(encode(&messages)).is_ok(),
                    model.closed.is_none()
                );
            }
            if model.closed.is_some() {
                model.queue.truncate(model.queue.len() - count);
            } else {
                model.filled();
            }
        }
        Op::Reserve => {
            if !model.is_full() && model.closed.is_none() {
                pipe.reserve();
                model.reserved += 1;
            }
        }
        Op::Unreserve => {
            pipe.unreserve();
            model.reserved = model.reserved.saturating_sub(1);
            model.drained();
        }
        Op::Take => match (pipe.take(), &model.closed) {
            (Take::Closed(reason), Some(expected)) => {
                prop_assert_eq!(&reason, expected);
                prop_assert!(model.queue.is_empty() || !reason.delivers());
            }
            (Take::Batch(batch), closed) => {
                prop_assert!(closed.as_ref().is_none_or(CloseReason::delivers));
                let taken = texts(batch);
                prop_assert!(!taken.is_empty());
                for text in taken {
                    let next = model.queue.pop_front();
                    prop_assert_eq!(Some(text), next.as_ref().map(|(text, _)| text.clone()));
                    model.held.extend(next);
                }
            }
            (Take::Empty, None) => {
                prop_assert!(model.queue.is_empty());
                model.consumer_waits = true;
            }
            (take, closed) => prop_assert!(false, "{:?} of {:?}", take, closed),
        },
        Op::Release(count) => {
            let count = count.min(model.held.len());
            let load = model
                .held
                .drain(..count)
                .fold(Load::default(), |sum, (_, bytes)| Load {
                    messages: sum.messages + 1,
                    bytes: sum.bytes + bytes,
                });
            pipe.release(load);
            model.drained();
        }
        // What a task took counts no more when it is put back.
        Op::PutBack => {
            let back: Vec<_> = model.held.drain(..).collect();
            let messages: Vec<_> = back
                .iter()
                .map(|(text, _)| Message::from(text.as_str()))
                .collect();
            let batch = encode(&messages);
            pipe.release(Load::of(&batch));
            model.drained();
            pipe.put_back(batch);
            if !back.is_empty() {
                back.into_iter()
                    .rev()
                    .for_each(|entry| model.queue.push_front(entry));
                model.filled();
            }
        }
        Op::Drain => {
            let drained: Vec<_> = pipe.drain().into_iter().flat_map(texts).collect();
            let expected: Vec<_> = model.queue.drain(..).map(|(text, _)| text).collect();
            prop_assert_eq!(drained, expected);
            model.drained();
        }
        // The next consumer comes at once.
        Op::Leave => {
            let tenure = pipe.consume_for(Arc::clone(told) as Arc<dyn Listener>, CONSUMER);
            let ready = !model.queue.is_empty() || model.closed.is_some();
            if ready {
                model.told.push((CONSUMER, Signal::Readable));
            }
            model.consumer_waits = !ready;
            pipe.leave();
            model.told.push((CONSUMER, Signal::Readable));
            model.held.clear();
            model.drained();
            prop_assert!(matches!(
                pipe.take_in(tenure, Batch::default()),
                Take::Closed(CloseReason::Lost)
            ));
            pipe.release_in(
                tenure,
                Load {
                    messages: 9,
                    bytes: 99,
                },
            );
            pipe.consume_for(Arc::clone(told) as Arc<dyn Listener>, CONSUMER);
            if ready {
                model.told.push((CONSUMER, Signal::Readable));
            }
            model.consumer_waits = !ready;
        }
        Op::Close(reason) => {
            pipe.close(reason.clone());
            let cuts = model.closed == Some(CloseReason::Done) && reason == CloseReason::Now;
            if model.closed.is_none() || cuts {
                model.closed = Some(reason);
                (model.producer_waits, model.consumer_waits) = (false, false);
                model.told.push((CONSUMER, Signal::Readable));
                model.told.push((PRODUCER, Signal::Writable));
            }
        }
        Op::SetCapacity(capacity) => {
            pipe.set_capacity(capacity);
            if capacity != model.capacity {
                model.capacity = capacity;
                model.producer_waits = false;
                model.told.push((PRODUCER, Signal::Refitted));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_pipe_does_what_its_model_does(
        capacity in capacity(),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let (pipe, told) = (Pipe::new(capacity, 256), Arc::new(Told::default()));
        let producer = Arc::clone(&told) as Arc<dyn Listener>;
        pipe.state.lock().producer.listen(producer, PRODUCER);
        pipe.consume_for(Arc::clone(&told) as Arc<dyn Listener>, CONSUMER);
        let mut model = Model {
            queue: VecDeque::new(),
            held: VecDeque::new(),
            reserved: 0,
            capacity,
            closed: None,
            producer_waits: false,
            consumer_waits: true,
            told: Vec::new(),
            next: 0,
        };
        for op in ops {
            step(&pipe, &told, &mut model, op.clone())?;
            prop_assert_eq!(&*told.0.lock(), &model.told, "told after {:?}", op);
            prop_assert_eq!(pipe.load(), model.used(), "load after {:?}", op);
            prop_assert_eq!(pipe.is_closed(), model.closed.is_some());
            let cuts = model.closed.clone().filter(|reason| !reason.delivers());
            prop_assert_eq!(pipe.cut(), cuts);
        }
    }
}
