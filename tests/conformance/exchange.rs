//! Messages arrive as they were sent, whatever they are made of.

use wirelark::{Message, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};

use crate::kit::soon;
use crate::transport::{Transport, on_every_transport};

on_every_transport!(pipeline, request_reply, publish_subscribe);

/// One frame, many, empty ones, and every size at which something changes on the way.
fn messages() -> Vec<Message> {
    let mut messages = vec![
        Message::from("hello"),
        Message::from(["a", "b", "c"]),
        Message::from(["", "a", ""]),
        Message::from(["", "", ""]),
        Message::from(vec!["x"; 300]),
    ];
    for size in [
        0,
        1,
        21,
        22,
        23,
        24,
        254,
        255,
        256,
        257,
        1_023,
        1_024,
        1_025,
        4_095,
        4_096,
        4_097,
        8_191,
        8_192,
        65_526,
        65_535,
        65_536,
        65_537,
        1 << 20,
    ] {
        let body: Vec<u8> = (0..size)
            .map(|index: usize| (index * 7 % 251) as u8)
            .collect();
        messages.push(Message::from(body.clone()));
        messages.push(Message::from(vec![
            b"head".to_vec(),
            body.clone(),
            Vec::new(),
            body,
        ]));
    }
    messages
}

async fn pipeline(transport: Transport) {
    let pull = PullSocket::new();
    let endpoint = pull.bind(transport.anywhere()).await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    // One by one, and all at once.
    for message in messages() {
        soon(push.send(&message)).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), message);
    }
    let sender = tokio::spawn(async move {
        for message in messages() {
            push.send(message).await.unwrap();
        }
        push
    });
    for message in messages() {
        assert_eq!(soon(pull.recv()).await.unwrap(), message);
    }
    let push = soon(sender).await.unwrap();
    assert_eq!(soon(push.close()).await.unsent, 0);
}

async fn request_reply(transport: Transport) {
    let rep = RepSocket::new();
    let endpoint = rep.bind(transport.anywhere()).await.unwrap();
    let server = tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            let answer = request.message().clone();
            request.reply(answer).await.unwrap();
        }
    });
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    for message in messages() {
        assert_eq!(soon(req.request(&message)).await.unwrap(), message);
    }
    server.abort();
}

async fn publish_subscribe(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    let subscribers: Vec<SubSocket> = (0..3)
        .map(|_| {
            let subscriber = SubSocket::builder().subscribe("").build();
            subscriber.connect(&endpoint).unwrap();
            subscriber
        })
        .collect();
    soon(publisher.wait_for_subscribers("", 3)).await.unwrap();
    for message in messages() {
        publisher.send(&message).await.unwrap();
        for subscriber in &subscribers {
            assert_eq!(soon(subscriber.recv()).await.unwrap(), message);
        }
    }
    assert_eq!(publisher.stats().dropped, 0);
}
