//! What is dropped because a peer does not read is told: at once, and then once a second at most.
//!
//! From the first drop on the clock stands still unless it is moved, so these tests run on one thread.

use std::time::{Duration, Instant};

use tokio::time::{advance, pause};
use wirelark::{
    DealerSocket, Event, Events, Identity, Peer, PubSocket, RouterSocket, SubSocket, XPubSocket,
    XSubSocket,
};

use crate::kit::{soon, until};
use crate::transport::Transport;

/// About whom there were events, and of how many messages.
fn told(events: &mut Events) -> Vec<(Option<Peer>, u64)> {
    let mut told = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::Dropping { peer, dropped, .. } = event {
            told.push((peer, dropped));
        }
    }
    told
}

/// Waits for a message by the clock of the machine: the runtime's would leap to its deadline.
async fn arrival(subscriber: &SubSocket) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while subscriber.try_recv().is_err() {
        assert!(Instant::now() < deadline, "nothing has come");
        tokio::task::yield_now().await;
    }
}

/// One subscriber is stuck and one reads.
async fn a_subscriber_that_is_stuck_is_told_of(transport: Transport) {
    let publisher = PubSocket::builder().send_hwm(100).build();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let mut subscribers = Vec::new();
    for number in 1..=2 {
        let subscriber = SubSocket::builder().subscribe("").recv_hwm(1).build();
        subscriber.connect(&endpoint).unwrap();
        let gathered = publisher.wait_for_subscribers("", number);
        soon(gathered).await.unwrap();
        subscribers.push(subscriber);
    }
    let lively = &subscribers[1];
    let mut events = publisher.events();
    let body = vec![0; 1 << 16];
    let full = || publisher.stats().drops.full;
    while full() == 0 {
        publisher.send(body.clone()).await.unwrap();
        soon(lively.recv()).await.unwrap();
    }
    pause();
    let stuck = publisher.peers().remove(0).peer;
    let about = |messages| [(Some(stuck.clone()), messages)];
    assert_eq!(told(&mut events), about(1));
    let drop_more = async |messages| {
        let last = full() + messages;
        while full() < last {
            publisher.send(body.clone()).await.unwrap();
            // Nothing is dropped for it.
            arrival(lively).await;
        }
    };
    drop_more(5).await;
    // Some time may have passed between the first drop and the pause.
    advance(Duration::from_millis(500)).await;
    drop_more(1).await;
    assert_eq!(told(&mut events), []);
    // Nothing is told but when a message is dropped.
    advance(Duration::from_millis(500)).await;
    assert_eq!(told(&mut events), []);
    drop_more(10).await;
    assert_eq!(told(&mut events), about(7));
    advance(Duration::from_secs(1)).await;
    drop_more(10).await;
    assert_eq!(told(&mut events), about(10));
    advance(Duration::from_secs(60)).await;
    drop_more(1).await;
    assert_eq!(told(&mut events), about(10));
    // All that was dropped has been told.
    let by_peer: Vec<u64> = publisher
        .peers()
        .iter()
        .map(|peer| peer.drops.full)
        .collect();
    assert_eq!((full(), by_peer), (28, vec![28, 0]));
}

#[tokio::test]
async fn a_subscriber_that_is_stuck_over_tcp() {
    a_subscriber_that_is_stuck_is_told_of(Transport::Tcp).await;
}

#[tokio::test]
async fn a_subscriber_that_is_stuck_over_ipc() {
    a_subscriber_that_is_stuck_is_told_of(Transport::Ipc).await;
}

#[tokio::test]
async fn a_subscriber_that_is_stuck_over_inproc() {
    a_subscriber_that_is_stuck_is_told_of(Transport::Inproc).await;
}

#[tokio::test]
async fn who_listens_late_hears_of_all_that_was_dropped() {
    let publisher = XPubSocket::builder().send_hwm(1).build();
    let endpoint = publisher.bind("inproc://late").await.unwrap();
    let stuck = SubSocket::builder().subscribe("").recv_hwm(1).build();
    stuck.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    while publisher.stats().drops.full < 3 {
        publisher.send("x").await.unwrap();
    }
    let mut events = publisher.events();
    publisher.send("x").await.unwrap();
    assert_eq!(told(&mut events)[0].1, 4);
}

#[tokio::test]
async fn a_publisher_that_does_not_read_what_an_xsub_sends() {
    let stuck = XPubSocket::builder().recv_hwm(1).build();
    let endpoint = stuck.bind("inproc://upstream").await.unwrap();
    let xsub = XSubSocket::builder().send_hwm(1).build();
    let mut events = xsub.events();
    xsub.connect(&endpoint).unwrap();
    until(|| xsub.peers().len() == 1).await;
    while xsub.stats().drops.full < 2 {
        xsub.send("x").await.unwrap();
    }
    let peer = xsub.peers().remove(0).peer;
    assert_eq!(told(&mut events), [(Some(peer), 1)]);
}

/// Two peers of one socket are told of apart, and one that is not there, too.
#[tokio::test]
async fn a_router_that_drops() {
    let router = RouterSocket::builder()
        .drop_unroutable(true)
        .send_hwm(1)
        .build();
    let endpoint = router.bind("inproc://router").await.unwrap();
    let mut events = router.events();
    let absent = Identity::new("absent").unwrap();
    let nowhere = Transport::Tcp.somewhere();
    router.connect_as(&nowhere, &absent).unwrap();
    let stuck = Identity::new("stuck").unwrap();
    let dealer = DealerSocket::builder().identity(stuck.clone());
    let dealer = dealer.recv_hwm(1).build();
    dealer.connect(&endpoint).unwrap();
    until(|| router.peers().len() == 1).await;
    pause();
    for name in [&stuck, &absent] {
        let last = router.stats().drops.full + 3;
        while router.stats().drops.full < last {
            router.send_to(name, "x").await.unwrap();
        }
    }
    let peer = router.peers().remove(0).peer;
    assert_eq!(told(&mut events), [(Some(peer), 1), (None, 1)]);
    // What nobody gets for another reason is nobody's queue.
    let unknown = Identity::new("unknown").unwrap();
    router.send_to(&unknown, "x").await.unwrap();
    advance(Duration::from_secs(1)).await;
    router.send_to(&unknown, "x").await.unwrap();
    assert_eq!(told(&mut events), []);
    router.send_to(&absent, "x").await.unwrap();
    assert_eq!(told(&mut events), [(None, 3)]);
}
