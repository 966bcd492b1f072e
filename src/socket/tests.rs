//! How sockets use the layers below, where it does not show from outside.

use std::time::Duration;

use crate::peer::turnstile::BEGUN;
use crate::security::access::Access;
use crate::security::choice::Security;
use crate::security::keys::KeyPair;
use crate::socket::push_pull::{PullSocket, PushSocket};

/// All of it is on one thread, whose turns are counted.
#[tokio::test]
async fn each_step_of_curve_takes_a_turn_on_the_side_that_accepts() {
    const CLIENTS: usize = 20;
    let keys = KeyPair::generate().unwrap();
    let client = Security::Curve {
        server: *keys.public(),
        keys: KeyPair::generate().unwrap(),
    };
    let access = Access::anybody();
    let security = Security::CurveServer { keys, access };
    let pull = PullSocket::builder().security(security).build();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let before = BEGUN.get();
    let mut pushes = Vec::new();
    for _ in 0..CLIENTS {
        let push = PushSocket::builder().security(client.clone()).build();
        push.connect(&endpoint).unwrap();
        push.send("in").await.unwrap();
        pushes.push(push);
    }
    for _ in 0..CLIENTS {
        let received = tokio::time::timeout(Duration::from_secs(90), pull.recv());
        assert_eq!(received.await.unwrap().unwrap().text(), "in");
    }
    // HELLO and INITIATE; the greeting may come before the HELLO.
    let begun = BEGUN.get() - before;
    assert!((2 * CLIENTS..=3 * CLIENTS).contains(&begun), "{begun}");

    // Where there is nothing to compute, nobody waits.
    let pull = PullSocket::builder().build();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let before = BEGUN.get();
    let push = PushSocket::builder().build();
    push.connect(&endpoint).unwrap();
    push.send("in").await.unwrap();
    let received = tokio::time::timeout(Duration::from_secs(90), pull.recv());
    assert_eq!(received.await.unwrap().unwrap().text(), "in");
    assert_eq!(BEGUN.get(), before);
}
