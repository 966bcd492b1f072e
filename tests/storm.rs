//! Many tasks on the handles of one PUSH and one PULL, most of whose futures are dropped half way:
//! every message that was accepted arrives, once.

#[path = "kit/dropping.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod dropping;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dropping::drop_after;
use tokio::task::JoinSet;
use wirelark::{Context, Message, PullSocket, PushSocket};

const SENDERS: u64 = 4;
const RECEIVERS: usize = 3;
const MESSAGES: u64 = 10_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Sends until so many messages of this sender have been accepted.
async fn send_all(push: PushSocket, sender: u64) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (sender + 1));
    let mut number = 0;
    while number < MESSAGES {
        let text = format!("{}", sender * MESSAGES + number);
        let accepted = match dice.roll(4) {
            0 => push.send(text).await.is_ok(),
            1 => push.try_send(text).is_ok(),
            2 => match drop_after(dice.roll(4) as usize, push.reserve()).await {
                Some(Ok(permit)) if dice.roll(2) == 0 => {
                    permit.send(text);
                    true
                }
                _ => false,
            },
            _ => drop_after(dice.roll(4) as usize, push.send(text))
                .await
                .is_some(),
        };
        if accepted {
            number += 1;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

/// Receives until the socket is closed.
async fn receive_all(pull: PullSocket, receiver: u64, count: Arc<AtomicU64>) -> Vec<Message> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d ^ (receiver + 1));
    let mut messages = Vec::new();
    loop {
        let received = match dice.roll(2) {
            0 => Some(pull.recv().await),
            _ => drop_after(dice.roll(4) as usize, pull.recv()).await,
        };
        match received {
            Some(Ok(message)) => {
                messages.push(message);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Some(Err(_)) => return messages,
            None => tokio::task::yield_now().await,
        }
    }
}

async fn storm(transport: &str, connections: usize, count: Arc<AtomicU64>) {
    let context = Context::new();
    let pull = PullSocket::builder().context(&context).recv_hwm(16).build();
    let push = PushSocket::builder().context(&context).send_hwm(16).build();
    let endpoint = pull.bind(transport).await.expect("a free address");
    for _ in 0..connections {
        push.connect(&endpoint).expect("an address");
    }
    let mut receivers = JoinSet::new();
    for receiver in 0..RECEIVERS {
        receivers.spawn(receive_all(
            pull.clone(),
            receiver as u64,
            Arc::clone(&count),
        ));
    }
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send_all(push.clone(), sender));
    }
    senders.join_all().await;
    assert_eq!(push.close().await.unsent, 0);
    // Closing discards what has not been read, so that comes last.
    let total = SENDERS * MESSAGES;
    while count.load(Ordering::Relaxed) < total {
        tokio::task::yield_now().await;
    }
    pull.close().await;
    let mut numbers: Vec<u64> = receivers
        .join_all()
        .await
        .iter()
        .flatten()
        .map(|message| message.text().parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..total), "{transport}: doubled");
}

/// Ends when nothing has been received for a minute. However slow a machine is that does other things
/// as well, something is.
async fn stuck(count: &AtomicU64) -> u64 {
    loop {
        let before = count.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(60)).await;
        if count.load(Ordering::Relaxed) == before {
            return before;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_lost_or_doubled() {
    for (transport, connections) in [
        ("inproc://storm", 1),
        ("inproc://storm", 3),
        ("tcp://127.0.0.1:*", 1),
        ("tcp://127.0.0.1:*", 3),
    ] {
        let count = Arc::default();
        tokio::select! {
            () = storm(transport, connections, Arc::clone(&count)) => {}
            at = stuck(&count) => panic!("{transport} with {connections} got stuck at {at}"),
        }
    }
}
