//! What a PUB does to find out who wants a message, where a subscriber has many prefixes.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

use crate::kit::{BURST, publisher, runtime, topics};

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("matching");
    group.throughput(Throughput::Elements(BURST as u64));
    for count in [10_000, 100_000] {
        let topics = topics(count);
        let (publisher, subscribers) = runtime.block_on(publisher(1, &topics));
        // All over the tree, so that not the same few nodes are always at hand.
        let wanted: Vec<String> = topics.into_iter().step_by(count / BURST).collect();
        let unwanted: Vec<String> = wanted.iter().map(|topic| topic.replace('.', "/")).collect();
        let nearly: Vec<String> = wanted.iter().map(|topic| topic[..12].to_owned()).collect();
        group.bench_function(format!("match/{count}"), |bencher| {
            bencher.iter(|| {
                for topic in &wanted {
                    let message = black_box(topic.as_bytes());
                    publisher.try_send(message).expect("an open socket");
                }
                for _ in &wanted {
                    black_box(subscribers[0].try_recv().expect("a message"));
                }
            });
        });
        for (name, topics) in [("miss", unwanted), ("near_miss", nearly)] {
            group.bench_function(format!("{name}/{count}"), |bencher| {
                bencher.iter(|| {
                    for topic in &topics {
                        let message = black_box(topic.as_bytes());
                        publisher.try_send(message).expect("an open socket");
                    }
                });
            });
            assert!(subscribers[0].try_recv().is_err(), "nobody wanted these");
        }
    }
    group.finish();
}
