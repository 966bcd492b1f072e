//! Options that show on the wire, against pyzmq: heartbeats, from either side.

use std::time::Duration;

use crate::support::{Attach as _, Link, Python, within};
use wirelark::{DisconnectReason, Event, Heartbeat, PeerFault, PullSocket, PushSocket};

on_every_link!(
    a_pyzmq_that_stands_still_is_found_out,
    what_pyzmq_says_of_its_life_counts,
    what_we_say_of_ours_counts,
);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Some messages, so that several PINGs have been answered on the way or not been needed.
async fn exchange(push: &PushSocket, pull: &mut crate::support::Peer) {
    for number in 0..100 {
        within(push.send(number.to_string())).await.unwrap();
        assert_eq!(pull.recv().await.text(), number.to_string());
    }
}

/// The first event that the connection ended, which is the end of the only connection.
async fn end(events: &mut wirelark::Events) -> DisconnectReason {
    let mut connections = 0;
    loop {
        match within(events.next()).await.unwrap() {
            Event::Ready { .. } => connections += 1,
            Event::Disconnected { reason, .. } => {
                assert_eq!(connections, 1);
                return reason;
            }
            _ => {}
        }
    }
}

async fn a_pyzmq_that_stands_still_is_found_out(link: Link) {
    let Some(python) = Python::find() else { return };
    let heartbeat = Heartbeat::every(ms(10))
        .unwrap()
        .with_timeout(Duration::from_secs(2))
        .with_context("who?")
        .unwrap();
    let push = PushSocket::builder().heartbeat(heartbeat).build();
    let (mut events, mut pull) = (push.watch(), python.peer("PULL").await);
    link.join(&push, &mut pull).await;
    exchange(&push, &mut pull).await;
    pull.freeze().await;
    let reason = end(&mut events).await;
    assert!(
        matches!(reason, DisconnectReason::Fault(PeerFault::Silent { waited }) if waited == Duration::from_secs(2)),
        "{reason}"
    );
}

/// pyzmq says a tenth of a second, and then nothing for longer: we give it up by that, without
/// heartbeats of our own.
async fn what_pyzmq_says_of_its_life_counts(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pull, mut push) = (PullSocket::new(), python.peer("PUSH").await);
    push.set("HEARTBEAT_IVL", "500").await;
    push.set("HEARTBEAT_TIMEOUT", "20000").await;
    push.set("HEARTBEAT_TTL", "100").await;
    let mut events = pull.watch();
    link.join(&pull, &mut push).await;
    let reason = end(&mut events).await;
    assert!(
        matches!(reason, DisconnectReason::Fault(PeerFault::Silent { waited }) if waited == ms(100)),
        "{reason}"
    );
}

/// A PING that says a tenth of a second, and then nothing for longer: pyzmq hangs up.
async fn what_we_say_of_ours_counts(link: Link) {
    let Some(python) = Python::find() else { return };
    let heartbeat = Heartbeat::every(ms(500))
        .unwrap()
        .with_timeout(Duration::from_secs(20))
        .with_ttl(ms(100))
        .unwrap();
    let push = PushSocket::builder().heartbeat(heartbeat).build();
    let mut pull = python.peer("PULL").await;
    let mut events = push.watch();
    link.join(&push, &mut pull).await;
    pull.wait_disconnects(1).await;
    let reason = end(&mut events).await;
    assert!(
        matches!(
            reason,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        ),
        "{reason}"
    );
}
