//! Many peers that each send most of a large message: none of them breaks a rule alone.

use wirelark::{ProtocolError, PullSocket};

use crate::kit::frames;
use crate::kit::raw::RawPeer;
use crate::scene::{self, Scene};
use crate::traffic::fault;

const MESSAGE: usize = 4 << 20;
const LIMIT: usize = 2 * MESSAGE;
/// Two of these fit, three do not.
const MOST: usize = 3 << 20;

async fn scene() -> Scene<PullSocket> {
    let builder = PullSocket::builder().max_message_size(MESSAGE);
    scene::pull_with(builder.max_partial_bytes(LIMIT)).await
}

/// One that has sent most of a message, which has been read.
async fn unfinished(scene: &Scene<PullSocket>) -> RawPeer {
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::more(vec![7; MOST])).await;
    peer.send(frames::ping(b"")).await;
    let answer = peer.frame().await;
    assert!(answer.is("PONG"), "{answer:?}");
    peer
}

async fn is_ended(scene: &mut Scene<PullSocket>) {
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.try_send(frames::more(vec![7; MOST])).await.ok();
    match fault(&mut scene.events, &peer.address()).await {
        ProtocolError::TooMuchUnfinished { limit, .. } => assert_eq!(limit, LIMIT),
        other => panic!("{other:?}"),
    }
    peer.expect_eof().await;
}

#[tokio::test]
async fn who_exceeds_what_all_may_have_is_ended() {
    let mut scene = scene().await;
    // Twice, since nothing must be left of the first time.
    for _ in 0..2 {
        let mut leaver = Some(unfinished(&scene).await);
        let mut other = unfinished(&scene).await;
        is_ended(&mut scene).await;
        is_ended(&mut scene).await;
        scene.goes_on().await;
        // One who leaves makes room, and so does one who is through.
        let address = leaver.as_ref().unwrap().address();
        drop(leaver.take());
        crate::traffic::end(&mut scene.events, &address).await;
        let mut next = unfinished(&scene).await;
        is_ended(&mut scene).await;
        for peer in [&mut other, &mut next] {
            peer.send(frames::last("end")).await;
            assert_eq!(scene.stray().await.byte_len(), MOST + 3);
        }
    }
    scene.unharmed().await;
}

/// The limit is never less than what one message may have.
#[tokio::test]
async fn the_largest_message_is_let_through() {
    let builder = PullSocket::builder().max_message_size(MESSAGE);
    let mut scene = scene::pull_with(builder.max_partial_bytes(1)).await;
    let mut peer = RawPeer::established(&scene.endpoint, "PUSH").await;
    peer.send(frames::last(vec![7; MESSAGE])).await;
    assert_eq!(scene.stray().await.byte_len(), MESSAGE);
    scene.unharmed().await;
}
