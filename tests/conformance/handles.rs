//! Handles: cheap, shared by tasks and threads, usable through `futures`, on either runtime.

use std::collections::BTreeSet;

use futures::{SinkExt, StreamExt};
use wirelark::{
    Context, Events, Message, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, Request,
    SubSocket,
};

use crate::kit::{soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(streams_and_sinks, many_tasks_share_a_socket, permits);

/// Checked by the compiler.
const fn can_be_shared<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
const fn can_be_moved<T: Send + Sync + std::fmt::Debug + 'static>() {}

const _: () = {
    can_be_shared::<PushSocket>();
    can_be_shared::<PullSocket>();
    can_be_shared::<PubSocket>();
    can_be_shared::<SubSocket>();
    can_be_shared::<ReqSocket>();
    can_be_shared::<RepSocket>();
    can_be_shared::<Context>();
    can_be_shared::<Message>();
    can_be_moved::<Request>();
    can_be_moved::<Events>();
};

async fn streams_and_sinks(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    let numbers = futures::stream::iter(0..5_000).map(|number: u32| Ok(number.to_string()));
    let sending = numbers.forward(push.sink());
    let receiving = pull
        .stream()
        .take(5_000)
        .map(|message| message.text().parse::<u32>().unwrap());
    let (sent, received) = soon(futures::future::join(
        sending,
        receiving.collect::<Vec<u32>>(),
    ))
    .await;
    sent.unwrap();
    assert!(received.into_iter().eq(0..5_000));

    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscriber = SubSocket::builder().subscribe("even").build();
    subscriber.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("even", 1))
        .await
        .unwrap();
    let mut sink = publisher.sink();
    let mut stream = subscriber.stream();
    for number in 0..10 {
        let word = if number % 2 == 0 { "even" } else { "odd" };
        sink.send([word.to_owned(), number.to_string()])
            .await
            .unwrap();
    }
    for number in [0, 2, 4, 6, 8] {
        let message = soon(stream.next()).await.unwrap();
        assert_eq!(
            message,
            Message::from(["even".to_owned(), number.to_string()])
        );
    }
    // They end with their socket, and keep it open until then.
    drop((publisher, subscriber));
    soon(sink.send(["even", "last"])).await.unwrap();
    assert_eq!(
        soon(stream.next()).await.unwrap().frame(1),
        Some(&b"last"[..])
    );
    let stream = pull.stream();
    soon(pull.close()).await;
    assert_eq!(soon(stream.count()).await, 0);
}

async fn many_tasks_share_a_socket(transport: Transport) {
    const TASKS: u32 = 16;
    const EACH: u32 = 250;
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    let senders: Vec<_> = (0..TASKS)
        .map(|task| {
            let push = push.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    push.send((task * EACH + number).to_string()).await.unwrap();
                }
            })
        })
        .collect();
    let receivers: Vec<_> = (0..TASKS)
        .map(|_| {
            let pull = pull.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                while let Ok(message) = pull.recv().await {
                    got.push(message.text().parse::<u32>().unwrap());
                }
                got
            })
        })
        .collect();
    for sender in senders {
        soon(sender).await.unwrap();
    }
    until(|| {
        let stats = pull.stats();
        stats.received.messages == u64::from(TASKS * EACH)
            && pull
                .peers()
                .iter()
                .all(|peer| peer.recv_queue.messages == 0)
    })
    .await;
    soon(pull.close()).await;
    let mut all = BTreeSet::new();
    for receiver in receivers {
        for number in soon(receiver).await.unwrap() {
            assert!(all.insert(number), "{number} came twice");
        }
    }
    assert_eq!(all, (0..TASKS * EACH).collect());
}

/// A place that is kept free, given back, and used.
async fn permits(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    let permit = soon(push.reserve()).await.unwrap();
    soon(push.send("before")).await.unwrap();
    drop(soon(push.reserve()).await.unwrap());
    permit.send("after");
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "before");
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "after");
}

/// One place in all: whoever holds the permit has it.
#[tokio::test]
async fn a_permit_is_a_place_in_the_queue() {
    let push = PushSocket::builder().send_hwm(1).build();
    push.connect(Transport::Inproc.somewhere()).unwrap();
    let permit = push.reserve().await.unwrap();
    assert!(push.try_send("no room").is_err());
    drop(permit);
    push.try_send("room").unwrap();
    assert!(push.try_send("no room").is_err());
}

#[tokio::test]
async fn contexts_are_separate() {
    let place = "inproc://one name in two contexts";
    let (here, there) = (Context::new(), Context::new());
    let pull_here = PullSocket::builder().context(&here).build();
    let pull_there = PullSocket::builder().context(&there).build();
    pull_here.bind(place).await.unwrap();
    pull_there.bind(place).await.unwrap();
    let push = PushSocket::builder().context(&there).build();
    push.connect(place).unwrap();
    push.try_send("for there").unwrap();
    assert_eq!(soon(pull_there.recv()).await.unwrap().text(), "for there");
    let push = PushSocket::new();
    push.connect(place).unwrap();
    push.try_send("for nobody").unwrap();
    assert!(push.peers().is_empty());
    assert!(pull_here.peers().is_empty());
}

/// Everything at once, as a program would.
async fn a_little_of_everything() {
    for transport in Transport::ALL {
        let rep = RepSocket::new();
        let endpoint = rep.bind(transport.anywhere()).await.unwrap();
        let server = tokio::spawn(async move {
            for _ in 0..200 {
                let request = rep.recv().await.unwrap();
                let answer = request.message().clone();
                tokio::spawn(request.reply(answer));
            }
            rep
        });
        let req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        let clients = (0..4).map(|client| {
            let req = req.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let text = format!("{client} {number}");
                    assert_eq!(req.request(text.as_str()).await.unwrap().text(), text);
                }
            })
        });
        for client in futures::future::join_all(clients).await {
            client.unwrap();
        }
        assert_eq!(req.close().await.unsent, 0);
        server.await.unwrap().close().await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn on_a_single_thread() {
    soon(a_little_of_everything()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads() {
    soon(tokio::spawn(a_little_of_everything())).await.unwrap();
}
