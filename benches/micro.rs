//! What the parts of a message's path cost, each by itself: a regression is seen where it arises.
//!
//! All of it stays within the process and on one thread: no task, no kernel, no network. Of the codec
//! that is what happens per message, encoding by the sender and taking apart by the receiver; how bytes
//! from a network become batches is private and counted by the `instructions` of this folder.
//!
//! `cargo bench --bench micro` runs all of it in less than a minute, `cargo bench --bench micro -- fan_out`
//! a part. Criterion compares with the run before; only runs on a quiet machine can be compared.

#[path = "micro/fan_out.rs"]
mod fan_out;
mod kit;
#[path = "micro/matching.rs"]
mod matching;
#[path = "micro/message.rs"]
mod message;
#[path = "micro/pipe.rs"]
mod pipe;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(30)
        .configure_from_args();
    message::bench(&mut criterion);
    pipe::bench(&mut criterion);
    fan_out::bench(&mut criterion);
    matching::bench(&mut criterion);
    criterion.final_summary();
}
