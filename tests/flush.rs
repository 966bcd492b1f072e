//! When messages are written: a lone one at once and by its sender, those of a hot loop together.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(unused_imports, unused_macros, reason = "others use the rest")]
#[path = "kit/mod.rs"]
mod kit;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::{Duration, Instant};

use kit::writes::Writes;
use tokio::runtime::Builder;
use wirelark::{Message, PullSocket, PushSocket, RepSocket, ReqSocket};

/// What the process has written is that of one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Longer than a connection rests before it counts as quiet (10 us).
fn let_it_rest() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
}

/// To wake a connection's task for it, let alone a thread, is what a lone request cannot afford.
#[test]
fn a_lone_request_is_written_by_who_sends_it() {
    const REQUEST: usize = 200;
    let _alone = ONE_AT_A_TIME.lock();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let rep = RepSocket::new();
        let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
        let server = tokio::spawn(async move {
            while let Ok(request) = rep.recv().await {
                request.reply("done").await.unwrap();
            }
        });
        let req = ReqSocket::new();
        req.connect(endpoint).unwrap();
        // The first one waits for the connection.
        req.request("are you there?").await.unwrap();
        for _ in 0..100 {
            let_it_rest();
            let before = Writes::of_this_thread();
            let mut request = pin!(req.request(Message::from(vec![7; REQUEST])));
            let at_once = poll_fn(|cx| {
                let poll = request.as_mut().poll(cx);
                let written = Writes::of_this_thread().since(before);
                Poll::Ready((poll, written))
            });
            let (poll, written) = at_once.await;
            assert_eq!(written.calls, 1, "{written:?}");
            assert!(written.bytes > REQUEST as u64, "{written:?}");
            if poll.is_pending() {
                request.await.unwrap();
            }
        }
        server.abort();
    });
}

/// Not a system call for each, nor for every few.
#[test]
fn a_hot_loop_is_written_in_batches() {
    const MESSAGES: usize = 50_000;
    const AT_LEAST_TOGETHER: u64 = 250;
    let _alone = ONE_AT_A_TIME.lock();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pull = PullSocket::new();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let push = PushSocket::new();
        push.connect(endpoint).unwrap();
        push.send("begin").await.unwrap();
        pull.recv().await.unwrap();
        let receiver = async {
            for _ in 0..MESSAGES {
                pull.recv().await.unwrap();
            }
        };
        let sender = async {
            for _ in 0..MESSAGES {
                push.send(&[7u8; 64]).await.unwrap();
            }
        };
        let before = Writes::of_this_process();
        tokio::join!(sender, receiver);
        let written = Writes::of_this_process().since(before);
        assert!(written.bytes > 64 * MESSAGES as u64, "{written:?}");
        let together = MESSAGES as u64 / written.calls;
        assert!(together >= AT_LEAST_TOGETHER, "{together}: {written:?}");
    });
}
