//! The threads of contexts: how many there are, and when they end. Here in a process of their own,
//! one test after the other, since threads are counted by their names.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "kit/mod.rs"]
mod kit;

use std::fs::{self, File};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit::{assert_matches, soon, until};
use wirelark::{Context, ContextError, PullSocket, PushSocket, RepSocket, ReqSocket};

/// Lets one test count at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of all threads of this process.
fn all_names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// The names of the threads that belong to contexts.
fn names() -> Vec<String> {
    let mut names = all_names();
    names.retain(|name| name.starts_with("wirelark-"));
    names.sort_unstable();
    names
}

/// Whether a thread that this one started has not named itself yet: until then it is called as this one is.
fn some_have_no_name() -> bool {
    let own = fs::read_to_string("/proc/thread-self/comm").unwrap();
    let called_so = all_names()
        .into_iter()
        .filter(|name| name == own.trim_end());
    called_so.count() > 1
}

fn context(threads: usize) -> Context {
    Context::builder().io_threads(threads).build().unwrap()
}

/// Runs the check in a runtime of one thread, in which nothing may block.
fn run(check: impl Future<Output = ()>) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        check.await;
        // A thread names itself after it has started, and ends after it has been told.
        until(|| !some_have_no_name() && names().is_empty()).await;
    });
}

async fn until_there_are(count: usize) {
    until(|| names().len() == count).await;
}

#[test]
fn they_have_names_and_end_with_their_context() {
    run(async {
        let context = context(3);
        let clone = context.clone();
        until(|| names() == ["wirelark-io-0", "wirelark-io-1", "wirelark-io-2"]).await;
        drop(context);
        assert_eq!(names().len(), 3);
        drop(clone);
    });
}

#[test]
fn there_are_none_by_default() {
    run(async {
        let contexts = (Context::new(), Context::builder().build().unwrap());
        let push = PushSocket::builder().context(&contexts.1).build();
        push.connect("tcp://127.0.0.1:9").unwrap();
        assert_eq!(names().len(), 0);
    });
}

#[test]
fn the_last_of_a_context_and_its_sockets_ends_them() {
    run(async {
        for sockets_first in [false, true] {
            let context = context(2);
            let rep = RepSocket::builder().context(&context).build();
            let req = ReqSocket::builder().context(&context).build();
            req.connect(rep.bind("tcp://127.0.0.1:*").await.unwrap())
                .unwrap();
            let asking = async { soon(req.request("hello")).await.unwrap() };
            let answering = async {
                let request = soon(rep.recv()).await.unwrap();
                soon(request.reply("hello")).await.unwrap();
            };
            tokio::join!(asking, answering);
            until_there_are(2).await;
            if sockets_first {
                drop((rep, req));
                assert_eq!(names().len(), 2);
                drop(context);
            } else {
                drop(context);
                assert_eq!(names().len(), 2);
                drop(rep);
                assert_eq!(names().len(), 2);
                drop(req);
            }
            until_there_are(0).await;
        }
    });
}

/// Nobody holds anything any more but the message.
#[test]
fn they_stay_until_a_dropped_socket_has_sent() {
    run(async {
        let address = ("127.0.0.1", kit::ports::free());
        let endpoint = format!("tcp://{}:{}", address.0, address.1);
        let push = PushSocket::builder().context(&context(2)).build();
        push.connect(endpoint.as_str()).unwrap();
        push.send("late").await.unwrap();
        drop(push);
        until_there_are(2).await;
        let pull = PullSocket::new();
        pull.bind(endpoint.as_str()).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "late");
        until_there_are(0).await;
    });
}

#[test]
fn they_end_when_linger_has() {
    run(async {
        let push = PushSocket::builder()
            .context(&context(1))
            .linger(std::time::Duration::ZERO)
            .build();
        push.connect("tcp://127.0.0.1:9").unwrap();
        push.send("never").await.unwrap();
        drop(push);
    });
}

#[test]
fn a_context_can_be_used_again_after_shutdown() {
    run(async {
        let context = context(1);
        for _ in 0..3 {
            let pull = PullSocket::builder().context(&context).build();
            let push = PushSocket::builder().context(&context).build();
            push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
                .unwrap();
            soon(push.send("hello")).await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
            assert_eq!(soon(context.shutdown()).await.unsent, 0);
            assert_eq!(names(), ["wirelark-io-0"]);
        }
    });
}

/// Each context has its own, and what one of them loses the other keeps.
#[test]
fn two_contexts_share_nothing() {
    run(async {
        let (one, other) = (context(1), context(2));
        let pull = PullSocket::builder().context(&one).build();
        let push = PushSocket::builder().context(&other).build();
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        soon(push.send("hello")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
        until_there_are(3).await;
        drop((push, other));
        until_there_are(1).await;
        let push = PushSocket::builder().context(&one).build();
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        soon(push.send("again")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "again");
    });
}

#[test]
fn too_many_are_refused() {
    run(async {
        for asked in [257, usize::MAX] {
            let refused = Context::builder().io_threads(asked).build();
            assert_matches!(
                refused,
                Err(ContextError::TooManyThreads { asked: named, limit: 256, .. }) if named == asked
            );
        }
    });
}

/// Each thread takes a few descriptors. Those that had started before there were none left end again.
#[test]
fn what_the_system_refuses_is_an_error() {
    run(async {
        let mut taken = Vec::new();
        let refusal = loop {
            match File::open("/dev/null") {
                Ok(file) => taken.push(file),
                Err(error) => break error,
            }
            // As few as are no trouble for a test where there is no limit to speak of.
            assert!(taken.len() < 2_000_000, "are there no limits here?");
        };
        taken.truncate(taken.len() - 20);
        let failed = Context::builder().io_threads(200).build();
        drop(taken);
        let Err(ContextError::Threads { asked, source, .. }) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(
            (asked, source.raw_os_error()),
            (200, refusal.raw_os_error())
        );
        assert_eq!(source.kind(), io::Error::from(refusal.kind()).kind());
    });
}
