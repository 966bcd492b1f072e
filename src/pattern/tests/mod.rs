//! The routing laws against models, under random orders of events. No runtime is needed: a task
//! that waits is a poll that says so.

mod bodies;
mod changing;
mod correlated;
mod editions;
mod exchange;
mod names;
mod pair;
mod publish;
mod publish_shown;
mod publish_waits;
mod queue;
mod relay;
mod round;

use crate::event::DisconnectReason;
use crate::message::Message;
use crate::options::Capacity;
use crate::pattern::Departure;
use crate::pipe::sync::Arc;
use crate::pipe::{Load, Pipe, Take};
use crate::wire::batch::Batch;

fn pipe(messages: usize) -> Arc<Pipe> {
    let bytes = usize::MAX;
    Pipe::new(Capacity { messages, bytes }, 256)
}

/// The end of a connection, as the session tells it.
fn departure(unwritten: Vec<Batch>, keeps_outbound: bool) -> Departure {
    Departure {
        unwritten,
        keeps_outbound,
        endpoint: "inproc://there".parse().expect("an endpoint"),
        reason: DisconnectReason::PeerClosed,
    }
}

/// Takes everything, and releases it.
fn drain(pipe: &Pipe) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Take::Batch(batch) = pipe.take() {
        pipe.release(Load::of(&batch));
        messages.extend(contents(batch));
    }
    messages
}

fn contents(mut batch: Batch) -> Vec<Message> {
    std::iter::from_fn(|| batch.pop()).collect()
}
