//! From a PUSH to a PULL of the same thread: encoding, one pipe, decoding.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use wirelark::Message;

use crate::kit::{BURST, pipeline, runtime};

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let (push, pull) = runtime.block_on(pipeline("inproc://pipe"));
    let mut group = criterion.benchmark_group("pipe");
    group.throughput(Throughput::Elements(BURST as u64));
    let body = [b'x'; 64 * 1024];
    for (name, message) in [
        ("16B", Message::from(&body[..16])),
        ("64B", Message::from(&body[..64])),
        ("1KiB", Message::from(&body[..1024])),
        ("64KiB", Message::from(&body[..])),
        ("3x16B", Message::from([&body[..16]; 3])),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for _ in 0..BURST {
                    push.try_send(black_box(&message).clone()).expect("room");
                }
                for _ in 0..BURST {
                    black_box(pull.try_recv().expect("a message"));
                }
            });
        });
    }
    group.bench_function("64B/in_turns", |bencher| {
        let message = &body[..64];
        bencher.iter(|| {
            for _ in 0..BURST {
                push.try_send(black_box(message)).expect("room");
                black_box(pull.try_recv().expect("a message"));
            }
        });
    });
    group.finish();
}
