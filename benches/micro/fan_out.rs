//! From a PUB to its subscribers, all of whom want everything.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

use crate::kit::{BURST, publisher, runtime};

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("fan_out");
    for count in [1, 8, 64] {
        let (publisher, subscribers) = runtime.block_on(publisher(count, &[String::new()]));
        // What is counted is deliveries.
        group.throughput(Throughput::Elements((BURST * count) as u64));
        group.bench_function(format!("64B/{count}"), |bencher| {
            bencher.iter(|| {
                for _ in 0..BURST {
                    let message = black_box(&[b'x'; 64][..]);
                    publisher.try_send(message).expect("an open socket");
                }
                for subscriber in &subscribers {
                    for _ in 0..BURST {
                        black_box(subscriber.try_recv().expect("a message"));
                    }
                }
            });
        });
    }
    group.finish();
}
