//! The fixed work whose instructions are counted.

use std::hint::black_box;

use wirelark::{Message, RepSocket, ReqSocket};

use crate::kit::{BURST, pipeline, publisher, runtime, topics};

/// A piece of work that can be made as long as one likes.
pub(crate) struct Loop {
    pub(crate) name: &'static str,
    /// Sends and receives about so many messages.
    pub(crate) run: fn(messages: usize),
}

pub(crate) const LOOPS: &[Loop] = &[
    Loop {
        name: "push-pull/inproc/64B",
        run: |messages| in_process(messages, &Message::from(&[b'x'; 64][..])),
    },
    Loop {
        name: "push-pull/inproc/1KiB",
        run: |messages| in_process(messages, &Message::from(&[b'x'; 1024][..])),
    },
    Loop {
        name: "push-pull/inproc/3x16B",
        run: |messages| in_process(messages, &Message::from([&[b'x'; 16][..]; 3])),
    },
    Loop {
        name: "push-pull/tcp/64B",
        run: over_tcp,
    },
    Loop {
        name: "req-rep/tcp/64B",
        run: ask,
    },
    Loop {
        name: "pub-sub/8",
        run: publish,
    },
    Loop {
        name: "pub-sub/10000-prefixes/match",
        run: |messages| publish_to_many_prefixes(messages, "topic.000042.oslo", true),
    },
    Loop {
        name: "pub-sub/10000-prefixes/miss",
        run: |messages| publish_to_many_prefixes(messages, "topic.000042", false),
    },
];

/// Without a task and without the kernel: encoding, one pipe, decoding.
fn in_process(messages: usize, message: &Message) {
    let (push, pull) = runtime().block_on(pipeline("inproc://pipe"));
    for _ in 0..messages / BURST {
        for _ in 0..BURST {
            push.try_send(black_box(message).clone()).expect("room");
        }
        for _ in 0..BURST {
            black_box(pull.try_recv().expect("a message"));
        }
    }
}

/// All of the path: two connections' tasks, the codec in both directions. What the kernel does is
/// not counted.
fn over_tcp(messages: usize) {
    runtime().block_on(async {
        let (push, pull) = pipeline("tcp://127.0.0.1:*").await;
        for _ in 0..messages / BURST {
            for _ in 0..BURST {
                let message = black_box(&[b'x'; 64][..]);
                push.send(message).await.expect("an open socket");
            }
            for _ in 0..BURST {
                black_box(pull.recv().await.expect("an open socket"));
            }
        }
    });
}

/// One question after the other: nothing can be gathered. A message is a question and its answer.
fn ask(messages: usize) {
    runtime().block_on(async {
        let (asker, answerer) = (ReqSocket::new(), RepSocket::new());
        let endpoint = answerer.bind("tcp://127.0.0.1:*").await;
        asker
            .connect(endpoint.expect("a free port"))
            .expect("a valid endpoint");
        let answering = tokio::spawn(async move {
            while let Ok(request) = answerer.recv().await {
                let echo = (*request).clone();
                request.reply(echo).await.expect("a peer that waits");
            }
        });
        for _ in 0..messages {
            let answer = asker.request(black_box(&[b'x'; 64][..])).await;
            black_box(answer.expect("an answer"));
        }
        answering.abort();
    });
}

/// A message is one that is sent, and received eight times.
fn publish(messages: usize) {
    let (publisher, subscribers) = runtime().block_on(publisher(8, &[String::new()]));
    for _ in 0..messages / BURST {
        for _ in 0..BURST {
            let message = black_box(&[b'x'; 64][..]);
            publisher.try_send(message).expect("an open socket");
        }
        for subscriber in &subscribers {
            for _ in 0..BURST {
                black_box(subscriber.try_recv().expect("a message"));
            }
        }
    }
}

fn publish_to_many_prefixes(messages: usize, topic: &str, is_wanted: bool) {
    let (publisher, subscribers) = runtime().block_on(publisher(1, &topics(10_000)));
    for _ in 0..messages / BURST {
        for _ in 0..BURST {
            let message = black_box(topic.as_bytes());
            publisher.try_send(message).expect("an open socket");
        }
        for _ in 0..if is_wanted { BURST } else { 0 } {
            black_box(subscribers[0].try_recv().expect("a message"));
        }
    }
    assert!(subscribers[0].try_recv().is_err(), "received too much");
}
