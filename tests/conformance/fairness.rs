//! Nobody who has little to say is held up by somebody who has much: shown by counting turns, not by a clock.
//!
//! All of it runs on one thread, where nothing happens between two turns that is not counted.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::{LocalSet, spawn_local, yield_now};
use wirelark::{
    DealerSocket, Message, PubSocket, PullSocket, PushSocket, RepSocket, RouterSocket, SubSocket,
};

use crate::kit::{soon, until};
use crate::transport::Transport;

/// Peers that say something now and then, beside the one that floods.
const QUIET: usize = 9;

/// How often they do.
const ROUNDS: usize = 20;

/// What a task may send or receive between two turns of another one: 128 units of tokio's budget, each of which
/// is good for 16 messages, and what is left of the unit before.
const BETWEEN_TURNS: usize = 128 * 16 + 15;

/// Lets the test run as one task among others, as those of its sockets.
async fn with_neighbours(test: impl Future<Output = ()> + 'static) {
    LocalSet::new().run_until(test).await;
}

/// A socket that reads many peers.
trait Reads: 'static {
    async fn listen(transport: Transport) -> (Self, String)
    where
        Self: Sized;

    /// How much each of its peers has sent that nobody has read.
    fn queued(&self) -> Vec<u64>;

    /// The last frame of the next message.
    async fn next(&self) -> String;
}

macro_rules! reads {
    ($socket:ident, $next:expr) => {
        impl Reads for $socket {
            async fn listen(transport: Transport) -> (Self, String) {
                let socket = Self::new();
                let endpoint = socket.bind(transport.anywhere()).await.unwrap();
                (socket, endpoint.to_string())
            }

            fn queued(&self) -> Vec<u64> {
                let peers = self.peers();
                peers.iter().map(|peer| peer.recv_queue.messages).collect()
            }

            async fn next(&self) -> String {
                let message: Message = $next(self).await;
                let last = message.frames().last().unwrap();
                String::from_utf8(last.to_vec()).unwrap()
            }
        }
    };
}

reads!(PullSocket, async |pull: &PullSocket| soon(pull.recv())
    .await
    .unwrap());
reads!(RouterSocket, async |router: &RouterSocket| {
    soon(router.recv()).await.unwrap().1
});
reads!(RepSocket, async |rep: &RepSocket| {
    soon(rep.recv()).await.unwrap().into_parts().0
});

/// A peer of such a socket.
trait Writes: Clone + 'static {
    fn to(endpoint: &str) -> Self;
    async fn say(&self, text: &'static str);
}

impl Writes for PushSocket {
    fn to(endpoint: &str) -> Self {
        let push = Self::new();
        push.connect(endpoint).unwrap();
        push
    }

    async fn say(&self, text: &'static str) {
        self.send(text).await.unwrap();
    }
}

impl Writes for DealerSocket {
    fn to(endpoint: &str) -> Self {
        let dealer = Self::new();
        dealer.connect(endpoint).unwrap();
        dealer
    }

    /// As a request, for a REP.
    async fn say(&self, text: &'static str) {
        self.send(["", text]).await.unwrap();
    }
}

/// Whoever has said something is read before the one that floods has had two turns.
async fn quiet_peers_are_heard<R: Reads, W: Writes>(transport: Transport) {
    let (reader, endpoint) = R::listen(transport).await;
    let flood = W::to(&endpoint);
    let flooding = spawn_local(async move {
        loop {
            flood.say("flood").await;
        }
    });
    let quiet: Vec<W> = (0..QUIET).map(|_| W::to(&endpoint)).collect();
    until(|| reader.queued().len() == 1 + QUIET).await;
    for round in 0..ROUNDS {
        for peer in &quiet {
            peer.say("quiet").await;
        }
        until(|| reader.queued().iter().all(|queued| *queued > 0)).await;
        let (mut heard, mut flooded) = (0, 0);
        while heard < QUIET {
            match reader.next().await.as_str() {
                "quiet" => heard += 1,
                _ => flooded += 1,
            }
        }
        assert!(
            flooded <= 2,
            "{transport:?}, round {round}: {flooded} between"
        );
        // On with the flood.
        for _ in 0..500 {
            assert_eq!(reader.next().await, "flood");
        }
    }
    flooding.abort();
}

#[tokio::test]
async fn a_flood_holds_up_no_other_peer_of_a_pull() {
    for transport in Transport::ALL {
        with_neighbours(quiet_peers_are_heard::<PullSocket, PushSocket>(transport)).await;
    }
}

#[tokio::test]
async fn a_flood_holds_up_no_other_peer_of_a_router() {
    for transport in Transport::ALL {
        with_neighbours(quiet_peers_are_heard::<RouterSocket, DealerSocket>(
            transport,
        ))
        .await;
    }
}

#[tokio::test]
async fn a_flood_holds_up_no_other_peer_of_a_rep() {
    for transport in Transport::ALL {
        with_neighbours(quiet_peers_are_heard::<RepSocket, DealerSocket>(transport)).await;
    }
}

/// Counts what happens, and how much of it between two turns of another task.
#[derive(Default)]
struct Turns {
    count: Cell<usize>,
    most: Cell<usize>,
}

impl Turns {
    /// Looks at every turn.
    async fn watch(self: Rc<Self>) {
        loop {
            let before = self.count.get();
            yield_now().await;
            let between = self.count.get() - before;
            self.most.set(self.most.get().max(between));
        }
    }

    fn count(&self) {
        self.count.set(self.count.get() + 1);
    }
}

/// Does something that never has to wait, again and again.
async fn hot(what: &str, each: impl AsyncFn()) {
    let turns = Rc::new(Turns::default());
    let watching = spawn_local(Rc::clone(&turns).watch());
    let counted = Rc::clone(&turns);
    // A turn of its own for the one that watches, before and after.
    yield_now().await;
    for _ in 0..5 * BETWEEN_TURNS {
        each().await;
        counted.count();
    }
    yield_now().await;
    watching.abort();
    let most = turns.most.get();
    assert!(
        most <= BETWEEN_TURNS,
        "{what}: {most} without a turn for others"
    );
    assert!(most > 1, "{what}: {most}, it had to wait");
}

#[tokio::test]
async fn a_task_that_only_sends_gives_way() {
    with_neighbours(async {
        for transport in Transport::ALL {
            let pull = PullSocket::builder().recv_hwm(None).build();
            let endpoint = pull.bind(transport.anywhere()).await.unwrap();
            let push = PushSocket::builder().send_hwm(None).build();
            push.connect(&endpoint).unwrap();
            hot("PUSH", async || push.send("x").await.unwrap()).await;

            let router = RouterSocket::builder().recv_hwm(None).build();
            let endpoint = router.bind(transport.anywhere()).await.unwrap();
            let dealer = DealerSocket::builder().send_hwm(None).build();
            dealer.connect(&endpoint).unwrap();
            hot("DEALER", async || dealer.send("x").await.unwrap()).await;

            // What nobody waits for is dropped.
            let publisher = PubSocket::new();
            let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
            let subscriber = SubSocket::builder().subscribe("").build();
            subscriber.connect(&endpoint).unwrap();
            soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
            hot("PUB", async || publisher.send("x").await.unwrap()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_task_that_only_receives_gives_way() {
    with_neighbours(async {
        for transport in Transport::ALL {
            let pull = PullSocket::builder().recv_hwm(None).build();
            let endpoint = pull.bind(transport.anywhere()).await.unwrap();
            let push = PushSocket::builder().send_hwm(None).build();
            push.connect(&endpoint).unwrap();
            for _ in 0..5 * BETWEEN_TURNS {
                push.send("x").await.unwrap();
            }
            until(|| pull.stats().received.messages as usize == 5 * BETWEEN_TURNS).await;
            hot("PULL", async || drop(pull.recv().await.unwrap())).await;
        }
    })
    .await;
}

/// A subscriber that does not read loses messages, and nobody else does.
#[tokio::test]
async fn a_subscriber_that_stands_still_costs_the_others_nothing() {
    const CHUNK: usize = 500;
    const CHUNKS: usize = 40;
    for transport in Transport::ALL {
        let publisher = PubSocket::new();
        let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
        let still = SubSocket::builder().recv_hwm(1).subscribe("").build();
        still.connect(&endpoint).unwrap();
        let good: Vec<SubSocket> = (0..3)
            .map(|_| {
                let good = SubSocket::builder().subscribe("").build();
                good.connect(&endpoint).unwrap();
                good
            })
            .collect();
        soon(publisher.wait_for_subscribers("", 4)).await.unwrap();
        let body = vec![b'x'; 1_024];
        for chunk in 0..CHUNKS {
            for number in 0..CHUNK {
                let head = format!("{chunk} {number}").into_bytes();
                publisher
                    .send(Message::from(vec![head, body.clone()]))
                    .await
                    .unwrap();
            }
            for good in &good {
                for number in 0..CHUNK {
                    let message = soon(good.recv()).await.unwrap();
                    assert_eq!(message.first(), format!("{chunk} {number}").as_bytes());
                }
            }
        }
        let drops: Vec<u64> = publisher.peers().iter().map(|peer| peer.dropped).collect();
        let lossy = drops.iter().filter(|dropped| **dropped > 0).count();
        assert_eq!(lossy, 1, "{transport:?}: {drops:?}");
        assert_eq!(publisher.stats().dropped, drops.iter().sum::<u64>());
    }
}
