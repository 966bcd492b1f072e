//! A flood of HELLOs that are all valid: each of them makes a CURVE server compute, before its sender has proved
//! anything. Peers that are in do not notice, and others still get in.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wirelark::{Endpoint, RepSocket, ReqSocket};

use super::kit::alone::is_alone;
use super::kit::{descriptors, memory};
use super::*;

const HELLOS: usize = 5_000;
const FLOODERS: usize = 2;
/// Connections that each flooder keeps open, silent behind their WELCOME.
const KEPT: usize = 200;
/// What the flooders keep, as many handshakes as a listener does, and those of the process.
const DESCRIPTORS: u64 = 1_024 + (FLOODERS * KEPT) as u64 + 100;
/// Bytes of a greeting and a WELCOME.
const ANSWER: usize = 64 + 2 + 168;
/// More than the process needs for 1,024 handshakes, and less than for all of them.
const MEMORY: u64 = 64 * 1024 * 1024;

/// The greeting and the HELLO of somebody who knows the server. A server forgets who has been there, so they
/// are as good on any other connection.
async fn record(client: Security) -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = soon(listener).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let req = ReqSocket::builder().security(client).build();
    req.connect(format!("tcp://127.0.0.1:{port}")).unwrap();
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xff, 0x7f, 3, 1);
    greeting[12..17].copy_from_slice(b"CURVE");
    soon(stream.write_all(&greeting)).await.unwrap();
    let mut said = vec![0; 64 + 2 + 200];
    soon(stream.read_exact(&mut said)).await.unwrap();
    said
}

/// Says the same on many connections, and hangs up at once, behind the answer, or much later.
fn flood(port: u16, said: &[u8], welcomes: &AtomicUsize) {
    let mut kept = std::collections::VecDeque::new();
    for number in 0..HELLOS / FLOODERS {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        // It may be one too many by now.
        let _ = stream.write_all(said);
        if number % 3 == 0 {
            continue;
        }
        let mut answer = [0; ANSWER];
        if stream.read_exact(&mut answer).is_ok() {
            assert_eq!(&answer[64..74], b"\x04\xa8\x07WELCOME");
            welcomes.fetch_add(1, Ordering::Relaxed);
        }
        if number % 3 == 1 {
            kept.push_back(stream);
            if kept.len() > KEPT {
                kept.pop_front();
            }
        }
    }
}

async fn ask(req: &ReqSocket, number: usize) {
    let question = format!("question {number}");
    let answer = soon(req.request(question.as_str())).await.unwrap();
    assert_eq!(answer.text(), question);
}

async fn withstand(test: &str) {
    if !is_alone(test) || !descriptors::are_enough(DESCRIPTORS) {
        return;
    }
    let [_, _, Mechanism { client, keys, .. }] = mechanisms();
    let access = Access::anybody();
    let security = Security::CurveServer { keys, access };
    let rep = RepSocket::builder().security(security).build();
    let endpoint: Endpoint = soon(rep.bind("tcp://127.0.0.1:*")).await.unwrap();
    let answering = tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            let message = request.message().clone();
            request.reply(message).await.unwrap();
        }
    });
    let newcomer = || {
        let req = ReqSocket::builder().security(client.clone()).build();
        req.connect(&endpoint).unwrap();
        req
    };
    let good = newcomer();
    let mut events = good.events();
    ask(&good, 0).await;

    let said: Arc<[u8]> = record(client.clone()).await.into();
    let before = memory::resident();
    let welcomes = Arc::new(AtomicUsize::new(0));
    let port = endpoint.port().unwrap();
    let flooders: Vec<_> = (0..FLOODERS)
        .map(|_| {
            let (said, welcomes) = (Arc::clone(&said), Arc::clone(&welcomes));
            std::thread::spawn(move || flood(port, &said, &welcomes))
        })
        .collect();
    let mut asked = 1;
    while flooders.iter().any(|flooder| !flooder.is_finished()) {
        ask(&good, asked).await;
        asked += 1;
    }
    for flooder in flooders {
        flooder.join().unwrap();
    }
    let grown = memory::resident().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes");
    // Otherwise nobody had to compute.
    let welcomes = welcomes.load(Ordering::Relaxed);
    assert!(welcomes > HELLOS / 2, "{welcomes} were answered");
    ask(&newcomer(), 0).await;
    ask(&good, asked).await;
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::Disconnected { .. }), "{event:?}");
    }
    answering.abort();
}

#[tokio::test]
async fn a_flood_of_valid_hellos_on_one_thread() {
    withstand("flood::a_flood_of_valid_hellos_on_one_thread").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_valid_hellos_on_two_threads() {
    withstand("flood::a_flood_of_valid_hellos_on_two_threads").await;
}
