//! Contexts with threads of their own: connections beside the application's runtime, or without one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use futures::executor::block_on;
use tokio::runtime::Builder;
use wirelark::{
    Access, ConnectError, Context, Endpoint, Event, Message, PubSocket, PullSocket, PushSocket,
    RepSocket, ReqSocket, Security, SocketBuilder, SubSocket, TryRecvError, Verdict, from_fn, kind,
};

use crate::kit::{DEADLINE, assert_matches, soon};
use crate::transport::Transport;

const NETWORK: [Transport; 2] = [Transport::Tcp, Transport::Ipc];

fn threads(count: usize) -> Context {
    let context = Context::builder().io_threads(count).build().unwrap();
    assert_eq!(context.io_threads(), count);
    context
}

/// A context for the bound side and one for the connected side: with threads on either, or on both.
fn sides() -> [[Context; 2]; 4] {
    let shared = threads(2);
    [
        [threads(1), Context::new()],
        [Context::new(), threads(1)],
        [threads(3), threads(1)],
        [shared.clone(), shared],
    ]
}

fn made<S: kind::Build>(builder: SocketBuilder<S>, context: &Context) -> S {
    builder.context(context).build()
}

/// Every size at which something changes on the way.
fn messages() -> Vec<Message> {
    let sizes = [0, 1, 255, 256, 4_097, 65_537, 1 << 20];
    let bodies = sizes.map(|size| Message::from(["a".as_bytes(), &vec![b'x'; size]]));
    bodies.into()
}

async fn requests_and_replies(transport: Transport, [bound, connected]: [Context; 2]) {
    let rep = made(RepSocket::builder(), &bound);
    let req = made(ReqSocket::builder(), &connected);
    let endpoint = soon(rep.bind(transport.anywhere())).await.unwrap();
    req.connect(endpoint).unwrap();
    for message in messages() {
        let answer = async {
            let request = soon(rep.recv()).await.unwrap();
            let echo = request.message().clone();
            soon(request.reply(echo)).await.unwrap();
        };
        let (reply, ()) = tokio::join!(soon(req.request(message.clone())), answer);
        assert_eq!(reply.unwrap(), message);
    }
}

async fn a_pipeline(transport: Transport, [bound, connected]: [Context; 2]) {
    let pull = made(PullSocket::builder(), &bound);
    let endpoint = soon(pull.bind(transport.anywhere())).await.unwrap();
    let pushes: Vec<PushSocket> = (0..4)
        .map(|_| made(PushSocket::builder(), &connected))
        .collect();
    for push in &pushes {
        push.connect(&endpoint).unwrap();
    }
    let send = async {
        for number in 0..3_000 {
            for push in &pushes {
                soon(push.send(number.to_string())).await.unwrap();
            }
        }
        for push in &pushes {
            assert_eq!(soon(push.close()).await.unsent, 0);
        }
    };
    let receive = async {
        let mut seen = vec![0; 3_000];
        for _ in 0..4 * 3_000 {
            let number: usize = soon(pull.recv()).await.unwrap().text().parse().unwrap();
            seen[number] += 1;
        }
        assert!(seen.iter().all(|&times| times == 4));
    };
    tokio::join!(send, receive);
}

async fn publication(transport: Transport, [bound, connected]: [Context; 2]) {
    let publisher = made(PubSocket::builder(), &bound);
    let subscribers: Vec<SubSocket> = (0..3)
        .map(|_| made(SubSocket::builder().subscribe("a"), &connected))
        .collect();
    let endpoint = soon(publisher.bind(transport.anywhere())).await.unwrap();
    for subscriber in &subscribers {
        subscriber.connect(&endpoint).unwrap();
    }
    soon(publisher.wait_for_subscribers("a", 3)).await.unwrap();
    for message in messages() {
        publisher.send(["b", "not this one"]).await.unwrap();
        publisher.send(message).await.unwrap();
    }
    for subscriber in &subscribers {
        for message in messages() {
            assert_eq!(soon(subscriber.recv()).await.unwrap(), message);
        }
        assert_eq!(subscriber.try_recv().unwrap_err(), TryRecvError::Empty);
    }
}

async fn everything() {
    for transport in NETWORK {
        for contexts in sides() {
            requests_and_replies(transport, contexts).await;
        }
        for contexts in sides() {
            a_pipeline(transport, contexts).await;
        }
        for contexts in sides() {
            publication(transport, contexts).await;
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn patterns_work_beside_one_thread() {
    everything().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn patterns_work_beside_threads() {
    tokio::spawn(everything()).await.unwrap();
}

/// An application whose runtime has one thread, and that thread is held up by something else.
struct Busy<T> {
    release: mpsc::Sender<()>,
    thread: thread::JoinHandle<T>,
}

impl<T: Send + 'static> Busy<T> {
    /// Runs `before`, and holds the runtime up from its return until the release; then runs `after`.
    fn start<F, G, S>(before: impl FnOnce() -> F + Send + 'static, after: G) -> Self
    where
        F: Future<Output = S>,
        G: FnOnce(S) -> T + Send + 'static,
    {
        let (release, released) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let state = before().await;
                released.recv_timeout(DEADLINE).unwrap();
                after(state)
            })
        });
        Self { release, thread }
    }

    fn release(self) -> T {
        self.release.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

#[tokio::test]
async fn what_a_busy_application_has_sent_arrives() {
    for transport in NETWORK {
        let pull = PullSocket::new();
        let endpoint = pull.bind(transport.anywhere()).await.unwrap();
        let busy = Busy::start(
            move || async move {
                let push = made(PushSocket::builder(), &threads(1));
                push.connect(endpoint).unwrap();
                for number in 0..1_000 {
                    push.try_send(number.to_string()).unwrap();
                }
                push
            },
            drop,
        );
        for number in 0..1_000 {
            assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
        }
        busy.release();
    }
}

#[tokio::test]
async fn what_a_busy_application_is_sent_waits_in_its_queue() {
    for transport in NETWORK {
        let (tell, told) = mpsc::channel::<Endpoint>();
        let busy = Busy::start(
            move || async move {
                let pull = made(PullSocket::builder(), &threads(2));
                tell.send(pull.bind(transport.anywhere()).await.unwrap())
                    .unwrap();
                pull
            },
            |pull| {
                let mut texts = Vec::new();
                // It has not been polled since it bound.
                while let Ok(message) = pull.try_recv() {
                    texts.push(message.text().into_owned());
                }
                texts
            },
        );
        let push = PushSocket::new();
        push.connect(told.recv_timeout(DEADLINE).unwrap()).unwrap();
        for number in 0..500 {
            soon(push.send(number.to_string())).await.unwrap();
        }
        // Ends when the other side has read everything and hung up.
        assert_eq!(soon(push.close()).await.unsent, 0);
        let texts = busy.release();
        assert!(texts.into_iter().eq((0..500).map(|n: u32| n.to_string())));
    }
}

/// Without it they would be given up: see `runtimes`.
#[test]
fn connections_outlive_the_runtime_of_their_caller() {
    let ends = Builder::new_current_thread().enable_all().build().unwrap();
    let stays = Builder::new_current_thread().enable_all().build().unwrap();
    let context = threads(1);
    let push = made(PushSocket::builder(), &context);
    let pull = made(PullSocket::builder(), &context);
    let mut events = pull.events();
    ends.block_on(async {
        push.connect(soon(pull.bind("tcp://127.0.0.1:*")).await.unwrap())
            .unwrap();
        soon(push.send("first")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "first");
    });
    drop(ends);
    stays.block_on(async {
        soon(push.send("second")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "second");
        assert_eq!(soon(push.close()).await.unsent, 0);
        soon(pull.close()).await;
        let mut accepted = 0;
        while let Some(event) = soon(events.next()).await {
            accepted += usize::from(matches!(event, Event::Accepted { .. }));
        }
        assert_eq!(accepted, 1, "one connection all the time");
    });
}

/// A runtime that ends while it closes a socket has no part in the flush.
#[test]
fn what_is_queued_outlives_the_runtime_of_its_sender() {
    for transport in NETWORK {
        let endpoint: Endpoint = transport.somewhere().parse().unwrap();
        let ends = Builder::new_current_thread().enable_all().build().unwrap();
        ends.block_on(async {
            let push = made(PushSocket::builder(), &threads(1));
            push.connect(&endpoint).unwrap();
            push.send("late").await.unwrap();
        });
        drop(ends);
        let stays = Builder::new_current_thread().enable_all().build().unwrap();
        stays.block_on(async {
            let pull = PullSocket::new();
            pull.bind(&endpoint).await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap().text(), "late");
        });
    }
}

/// Runs it on a thread that no runtime knows of, and not for ever.
fn without_a_runtime(check: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        check();
        done.send(()).unwrap();
    });
    if is_done.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("nothing happened within {DEADLINE:?}");
    }
    thread.join().unwrap();
}

#[test]
fn no_runtime_is_needed() {
    without_a_runtime(|| {
        for transport in NETWORK {
            let context = threads(2);
            let rep = made(RepSocket::builder(), &context);
            let req = made(ReqSocket::builder(), &context);
            let given = transport.somewhere();
            req.connect(given.as_str()).unwrap();
            let endpoint = block_on(rep.bind(given.as_str())).unwrap();
            for number in 0..10 {
                block_on(req.send(number.to_string())).unwrap();
                let request = block_on(rep.recv()).unwrap();
                assert_eq!(request.message().text(), number.to_string());
                block_on(request.reply("yes")).unwrap();
                assert_eq!(block_on(req.recv()).unwrap().text(), "yes");
            }
            rep.unbind(endpoint).unwrap();
            assert_eq!(block_on(context.shutdown()).unsent, 0);
        }
    });
}

#[test]
fn a_name_is_looked_up_without_a_runtime() {
    without_a_runtime(|| {
        let context = threads(1);
        let pull = made(PullSocket::builder(), &context);
        let push = made(PushSocket::builder(), &context);
        let endpoint = block_on(pull.bind("tcp://localhost:*")).unwrap();
        let port = endpoint.port().unwrap();
        push.connect(format!("tcp://localhost:{port}")).unwrap();
        push.try_send("hello").unwrap();
        assert_eq!(block_on(pull.recv()).unwrap().text(), "hello");
    });
}

#[test]
fn an_own_listener_needs_no_runtime() {
    without_a_runtime(|| {
        let context = threads(1);
        let pull = made(PullSocket::builder(), &context);
        let push = made(PushSocket::builder(), &context);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        push.connect(pull.bind_listener(listener).unwrap()).unwrap();
        push.try_send("hello").unwrap();
        assert_eq!(block_on(pull.recv()).unwrap().text(), "hello");
    });
}

#[test]
fn without_threads_and_runtime_nothing_can_be_connected() {
    let context = Context::builder().build().unwrap();
    assert_eq!(context.io_threads(), 0);
    let push = made(PushSocket::builder(), &context);
    assert_matches!(
        push.connect("tcp://127.0.0.1:9"),
        Err(ConnectError::NoRuntime { .. })
    );
}

/// What is queued for a name lingers like everything else.
#[test]
fn a_dropped_socket_calls_on_within_a_process() {
    without_a_runtime(|| {
        let context = threads(1);
        let push = made(PushSocket::builder(), &context);
        push.connect("inproc://later").unwrap();
        push.try_send("kept").unwrap();
        drop(push);
        let pull = made(PullSocket::builder(), &context);
        block_on(pull.bind("inproc://later")).unwrap();
        assert_eq!(block_on(pull.recv()).unwrap().text(), "kept");
    });
}

/// Who is asked about a peer is asked on the thread of its connection.
#[tokio::test]
async fn connections_are_dealt_to_all_threads() {
    for transport in NETWORK {
        let names = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&names);
        let access = Access::by(from_fn(move |_| {
            let name = thread::current().name().unwrap_or_default().to_owned();
            seen.lock().unwrap().push(name);
            async { Ok(Verdict::admit("somebody")) }
        }));
        let server = PullSocket::builder().security(Security::NullServer { access });
        let pull = made(server, &threads(3));
        let endpoint = pull.bind(transport.anywhere()).await.unwrap();
        let mut pushes = Vec::new();
        for count in 1..=5 {
            let push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            soon(push.send("hello")).await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
            pushes.push(push);
            assert_eq!(pull.peers().len(), count);
        }
        let name = |number| format!("wirelark-io-{number}");
        // The first thread listens.
        let dealt: Vec<String> = [1, 2, 0, 1, 2].map(name).into();
        assert_eq!(*names.lock().unwrap(), dealt);
    }
}

/// A thread that stands still holds up its own connections only, also those of one listener.
#[tokio::test]
async fn a_connection_is_served_by_its_own_thread() {
    for transport in NETWORK {
        let (release, released) = mpsc::channel::<()>();
        let (tell, mut told) = tokio::sync::mpsc::channel(2);
        let released = Mutex::new(released);
        let calls = AtomicUsize::new(0);
        let access = Access::by(from_fn(move |_| {
            let name = thread::current().name().map(str::to_owned);
            tell.try_send(name).unwrap();
            if calls.fetch_add(1, Ordering::Relaxed) == 1 {
                // As an authenticator should not.
                let _ = released.lock().unwrap().recv_timeout(DEADLINE);
            }
            async { Ok(Verdict::admit("somebody")) }
        }));
        let server = PullSocket::builder().security(Security::NullServer { access });
        let pull = made(server, &threads(2));
        let endpoint = pull.bind(transport.anywhere()).await.unwrap();
        let [first, second] = [(); 2].map(|()| PushSocket::new());
        first.connect(&endpoint).unwrap();
        assert_eq!(soon(told.recv()).await.unwrap().unwrap(), "wirelark-io-1");
        second.connect(&endpoint).unwrap();
        // The thread of the listener.
        assert_eq!(soon(told.recv()).await.unwrap().unwrap(), "wirelark-io-0");
        for number in 0..100 {
            soon(first.send(number.to_string())).await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
        }
        release.send(()).unwrap();
        soon(second.send("and now")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "and now");
    }
}
