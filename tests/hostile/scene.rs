//! A socket with a good peer that exchanges messages with it all the time, for a bad peer to spoil.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wirelark::{
    Endpoint, Event, Events, Message, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    SocketBuilder, SubSocket,
};

use crate::kit::{memory, soon};

/// More than a test process needs that keeps its promises, and less than what any of the bad peers
/// here asks for.
const MEMORY: u64 = 192 * 1024 * 1024;

/// Exchanges that prove that the good peer is well.
const SOME: u64 = 20;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Scene<S> {
    pub(crate) socket: S,
    pub(crate) endpoint: Endpoint,
    pub(crate) events: Events,
    /// What came from others than the good peer.
    strays: mpsc::Receiver<Message>,
    done: watch::Receiver<u64>,
    good: JoinHandle<()>,
    good_events: Events,
}

impl<S> Scene<S> {
    /// Waits until the good peer has exchanged some more messages.
    pub(crate) async fn goes_on(&mut self) {
        let target = *self.done.borrow() + SOME;
        soon(self.done.wait_for(|done| *done >= target))
            .await
            .expect("the good peer has failed");
    }

    /// The next message that did not come from the good peer.
    pub(crate) async fn stray(&mut self) -> Message {
        soon(self.strays.recv()).await.unwrap()
    }

    /// The good peer has not noticed anything, and memory has stayed within bounds. `true` when no
    /// further stray message has been delivered.
    pub(crate) async fn unharmed(mut self) {
        self.goes_on().await;
        self.good.abort();
        while let Some(event) = self.good_events.try_next() {
            assert!(
                matches!(
                    event,
                    Event::Connecting { .. } | Event::Connected { .. } | Event::Ready { .. }
                ),
                "the good peer has noticed: {event:?}"
            );
        }
        if let Ok(stray) = self.strays.try_recv() {
            panic!("delivered: {stray:?}");
        }
        let peak = memory::peak();
        assert!(peak < MEMORY, "{peak} bytes were resident");
    }
}

/// Where the exchanges of one scene are counted.
struct Log {
    done: watch::Sender<u64>,
    strays: mpsc::Sender<Message>,
}

/// Puts a scene together around a running exchange.
async fn scene<S, F>(
    socket: S,
    endpoint: Endpoint,
    events: Events,
    good_events: Events,
    exchange: impl FnOnce(Log) -> F,
) -> Scene<S>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (done, watching) = watch::channel(0);
    let (sender, strays) = mpsc::channel(1_000);
    let log = Log {
        done,
        strays: sender,
    };
    let mut scene = Scene {
        socket,
        endpoint,
        events,
        strays,
        done: watching,
        good: tokio::spawn(exchange(log)),
        good_events,
    };
    scene.goes_on().await;
    scene
}

/// Text of the exchange with this number.
fn text(number: u64) -> String {
    format!("good {number}")
}

/// Waits for the message with this number; others are strays.
async fn collect<F: Future<Output = Message>>(log: &Log, number: u64, mut next: impl FnMut() -> F) {
    loop {
        let message = next().await;
        if message.text() == text(number) {
            return;
        }
        assert!(
            !message.text().starts_with("good "),
            "lost the way: {message:?}"
        );
        log.strays.try_send(message).unwrap();
    }
}

/// A PULL and a good PUSH.
pub(crate) async fn pull_with(builder: SocketBuilder<PullSocket>) -> Scene<PullSocket> {
    let pull = builder.build();
    let events = pull.events();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let push = PushSocket::new();
    let good_events = push.events();
    push.connect(&endpoint).unwrap();
    let receiver = pull.clone();
    scene(pull, endpoint, events, good_events, |log| async move {
        for number in 0.. {
            push.send(text(number)).await.unwrap();
            collect(&log, number, || async { receiver.recv().await.unwrap() }).await;
            log.done.send_replace(number);
        }
    })
    .await
}

/// A PULL with default options and a good PUSH.
pub(crate) async fn pull() -> Scene<PullSocket> {
    pull_with(PullSocket::builder()).await
}

/// A PUSH and a good PULL.
pub(crate) async fn push() -> Scene<PushSocket> {
    let push = PushSocket::new();
    let events = push.events();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let pull = PullSocket::new();
    let good_events = pull.events();
    pull.connect(&endpoint).unwrap();
    let sender = push.clone();
    scene(push, endpoint, events, good_events, |log| async move {
        for number in 0.. {
            // A bad PULL takes its turns of these; the good one gets the rest, in order.
            let sent = async {
                loop {
                    sender.send(text(number)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = sent => {}
                message = async {
                    loop {
                        let message = pull.recv().await.unwrap();
                        if message.text() == text(number) {
                            return message;
                        }
                    }
                } => drop(message),
            }
            log.done.send_replace(number);
        }
    })
    .await
}

/// A PUB and a good SUB.
pub(crate) async fn publisher() -> Scene<PubSocket> {
    let publisher = PubSocket::new();
    let events = publisher.events();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let subscriber = SubSocket::builder().subscribe("good ").build();
    let good_events = subscriber.events();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("good ", 1))
        .await
        .unwrap();
    let sender = publisher.clone();
    scene(publisher, endpoint, events, good_events, |log| async move {
        for number in 0.. {
            sender.send(text(number)).await.unwrap();
            collect(&log, number, || async { subscriber.recv().await.unwrap() }).await;
            log.done.send_replace(number);
        }
    })
    .await
}

/// A REP and a good REQ. Requests of others are strays and are answered with their own text.
pub(crate) async fn rep() -> Scene<RepSocket> {
    let rep = RepSocket::new();
    let events = rep.events();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let req = ReqSocket::new();
    let good_events = req.events();
    req.connect(&endpoint).unwrap();
    let server = rep.clone();
    scene(rep, endpoint, events, good_events, |log| async move {
        let strays = log.strays.clone();
        let answers = async {
            while let Ok(request) = server.recv().await {
                let question = request.message().clone();
                if !question.text().starts_with("good ") {
                    strays.try_send(question.clone()).unwrap();
                }
                // Whoever asked may be gone.
                request.reply(question).await.ok();
            }
        };
        let questions = async {
            for number in 0.. {
                let reply = req.request(text(number)).await.unwrap();
                assert_eq!(reply.text(), text(number));
                log.done.send_replace(number);
            }
        };
        tokio::select! {
            () = answers => {}
            () = questions => {}
        }
    })
    .await
}
