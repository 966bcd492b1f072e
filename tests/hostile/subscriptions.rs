//! What a bad subscriber may do to a publisher.

use wirelark::ProtocolError;

use crate::kit::raw::RawPeer;
use crate::kit::{frames, soon, until};
use crate::scene;
use crate::traffic::fault;

/// Bytes of the topic that nobody needs.
const BOMB: u64 = 100 << 20;

/// A header that announces a topic of 100 MB, and as much of it as the publisher takes.
async fn bomb(start: Vec<u8>) -> ProtocolError {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(start).await;
    let piece = vec![b'x'; 1 << 16];
    for _ in 0..BOMB >> 16 {
        if peer.try_send(&piece).await.is_err() {
            break;
        }
    }
    let fault = fault(&mut scene.events, &peer.address()).await;
    assert_eq!(scene.socket.topics(), 1);
    scene.unharmed().await;
    fault
}

#[tokio::test]
async fn a_subscription_of_100_mb_as_a_command() {
    let mut start = frames::long_header(4, BOMB + 10);
    start.extend(b"\x09SUBSCRIBE");
    assert_eq!(
        bomb(start).await,
        ProtocolError::TopicTooLong {
            length: BOMB,
            limit: 4_096
        }
    );
}

#[tokio::test]
async fn a_subscription_of_100_mb_as_a_message() {
    let mut start = frames::long_header(0, BOMB + 1);
    start.push(1);
    assert_eq!(
        bomb(start).await,
        ProtocolError::TopicTooLong {
            length: BOMB,
            limit: 4_096
        }
    );
}

#[tokio::test]
async fn a_subscription_too_many() {
    const LIMIT: usize = 100_000;
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    let mut all = Vec::new();
    for number in 0..LIMIT {
        all.extend(frames::command("SUBSCRIBE", format!("topic {number}")));
    }
    peer.send(all).await;
    // An answer behind all of it proves that it has been read.
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    assert_eq!(scene.socket.topics(), LIMIT + 1);
    // Once more is no subscription more.
    peer.send(frames::command("SUBSCRIBE", "topic 0")).await;
    peer.send(frames::ping(b"")).await;
    assert!(peer.frame().await.is("PONG"));
    scene.goes_on().await;
    peer.send(frames::command("SUBSCRIBE", "one too many"))
        .await;
    assert_eq!(
        fault(&mut scene.events, &peer.address()).await,
        ProtocolError::TooManySubscriptions { limit: LIMIT }
    );
    // What the peer had asked for goes with it.
    assert_eq!(scene.socket.topics(), 1);
    scene.unharmed().await;
}

/// RFC 29: a PUB does not read messages. What is no subscription is dropped and counted.
#[tokio::test]
async fn data_to_a_pub() {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(frames::last("unasked").repeat(10_000)).await;
    peer.send(frames::last("")).await;
    peer.send(frames::last("\x01a subscription")).await;
    soon(scene.socket.wait_for_subscribers("a subscription", 1))
        .await
        .unwrap();
    assert_eq!(scene.socket.stats().dropped, 10_001);
    scene.goes_on().await;
    scene.unharmed().await;
}

/// An unknown cancellation is nothing, a known one ends the subscription at once, however often it
/// was repeated; both forms of both requests mean the same.
#[tokio::test]
async fn cancellations() {
    let mut scene = scene::publisher().await;
    let mut peer = RawPeer::established(&scene.endpoint, "SUB").await;
    peer.send(frames::command("CANCEL", "never")).await;
    peer.send(frames::last("\0never")).await;
    peer.send(frames::command("SUBSCRIBE", "a")).await;
    peer.send(frames::last("\x01a")).await;
    soon(scene.socket.wait_for_subscribers("a", 1))
        .await
        .unwrap();
    peer.send(frames::last("\0a")).await;
    let publisher = scene.socket.clone();
    until(|| publisher.topics() == 1).await;
    scene.goes_on().await;
    scene.unharmed().await;
}
