//! Both sockets of a connection are closed in the same moment, by two threads: each of them is told, once.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures::FutureExt;
use wirelark::{Event, Events, ReqSocket, RouterSocket};

use crate::kit::{soon, until};
use crate::transport::Transport;

/// How many connections end before the events do.
async fn ends(mut events: Events) -> usize {
    let mut ends = 0;
    while let Some(event) = soon(events.next()).await {
        ends += usize::from(matches!(event, Event::Disconnected { .. }));
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_close_in_the_same_moment_are_both_told() {
    // Both have to look at all of them when they part.
    const OPEN: usize = 1_000;
    for round in 0..10 {
        let place = Transport::Inproc.somewhere();
        let server = RouterSocket::builder().recv_hwm(None).build();
        // What it still has to ask when the server is quicker need not wait for another server.
        let asker = ReqSocket::builder()
            .correlate(true)
            .send_hwm(None)
            .linger(Duration::ZERO)
            .build();
        let events = [server.events(), asker.events()];
        soon(server.bind(&place)).await.unwrap();
        asker.connect(&place).unwrap();
        until(|| !asker.peers().is_empty()).await;
        let mut open: Vec<_> = (0..OPEN)
            .map(|number| Box::pin(asker.request(number.to_string())))
            .collect();
        for request in &mut open {
            assert!(request.now_or_never().is_none());
        }
        let together = Arc::new(Barrier::new(2));
        let first = Arc::clone(&together);
        let server = tokio::spawn(async move {
            first.wait();
            server.close().await
        });
        let closing = asker.clone();
        let asker = tokio::spawn(async move {
            together.wait();
            // The second one comes in another moment of the first one's end each time.
            for _ in 0..round * 3_000 {
                std::hint::spin_loop();
            }
            closing.close().await
        });
        soon(server).await.unwrap();
        soon(asker).await.unwrap();
        drop(open);
        for events in events {
            assert_eq!(ends(events).await, 1, "in round {round}");
        }
    }
}
