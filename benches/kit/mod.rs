//! Sockets of one process that have found each other.

use tokio::runtime::{Builder, Runtime};
use wirelark::{Context, PubSocket, PullSocket, PushSocket, SubSocket};

/// How many messages are queued before they are taken out again: far below every high-water mark, so
/// nobody ever waits for room.
pub(crate) const BURST: usize = 100;

/// One thread, so that nothing depends on who runs when.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A PUSH and the PULL that it has connected to.
pub(crate) async fn pipeline(endpoint: &str) -> (PushSocket, PullSocket) {
    let context = Context::new();
    let pull = PullSocket::builder().context(&context).build();
    let push = PushSocket::builder().context(&context).build();
    let bound = pull.bind(endpoint).await.expect("a free endpoint");
    push.connect(bound).expect("a valid endpoint");
    push.send("first").await.expect("an open socket");
    pull.recv().await.expect("an open socket");
    (push, pull)
}

/// A PUB and the subscribers that it has, all within the process. Each of them wants all of
/// these prefixes.
pub(crate) async fn publisher(
    subscribers: usize,
    prefixes: &[String],
) -> (PubSocket, Vec<SubSocket>) {
    let context = Context::new();
    let publisher = PubSocket::builder().context(&context).build();
    let endpoint = publisher.bind("inproc://news").await;
    let endpoint = endpoint.expect("a free name");
    let subscribers: Vec<SubSocket> = (0..subscribers)
        .map(|_| {
            let builder = SubSocket::builder().context(&context);
            let subscriber = prefixes.iter().fold(builder, |builder, prefix| {
                builder.subscribe(prefix.as_bytes())
            });
            let subscriber = subscriber.build();
            let connected = subscriber.connect(endpoint.clone());
            connected.expect("a valid endpoint");
            subscriber
        })
        .collect();
    for prefix in prefixes {
        let there = publisher.wait_for_subscribers(prefix.as_bytes(), subscribers.len());
        there.await.expect("an open socket");
    }
    (publisher, subscribers)
}

/// `topic.00042.` and so on: much in common, as topics of one application have.
pub(crate) fn topics(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("topic.{index:06}."))
        .collect()
}
