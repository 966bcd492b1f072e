//! Making messages and taking them apart, without any socket.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use wirelark::Message;

/// Kept in the message itself.
const SHORT: [u8; 16] = [b'x'; 16];
/// Allocated.
const LONG: [u8; 1024] = [b'x'; 1024];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    group.bench_function("make/16B", |bencher| {
        bencher.iter(|| Message::from(black_box(&SHORT[..])));
    });
    group.bench_function("make/1KiB", |bencher| {
        bencher.iter(|| Message::from(black_box(&LONG[..])));
    });
    group.bench_function("make/3x16B", |bencher| {
        bencher.iter(|| Message::from([black_box(&SHORT[..]); 3]));
    });
    group.bench_function("clone/1KiB", |bencher| {
        let message = Message::from(&LONG[..]);
        bencher.iter(|| black_box(&message).clone());
    });
    group.bench_function("read/3x16B", |bencher| {
        let message = Message::from([&SHORT[..]; 3]);
        bencher.iter(|| black_box(&message).frames().map(<[u8]>::len).sum::<usize>());
    });
    group.bench_function("take_apart/3x16B", |bencher| {
        let message = || Message::from([&SHORT[..]; 3]);
        bencher.iter_batched(message, Message::into_frames, BatchSize::SmallInput);
    });
    group.bench_function("envelope/off_and_on", |bencher| {
        let message = || Message::from([&SHORT[..], b"", &SHORT[..]]);
        let turn_round = |message: Message| {
            let (addresses, body) = message.split_envelope().expect("an envelope");
            body.with_envelope(addresses)
        };
        bencher.iter_batched(message, turn_round, BatchSize::SmallInput);
    });
    group.finish();
}
