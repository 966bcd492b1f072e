//! A REQ with as many requests in flight as it may have, and what becomes of all of them at once.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use wirelark::{
    LockStepTrySendError, Message, RepSocket, ReqSocket, Request, RequestError, RouterSocket,
};

use crate::kit::{assert_matches, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    there_are_1024_and_no_more,
    a_server_that_dies_with_all_of_them,
    a_close_ends_all_of_them,
    all_are_abandoned_at_once,
    a_server_that_repeats_and_confuses,
    one_that_is_put_aside_holds_up_nobody,
    a_storm_leaves_no_place_taken,
);

const MOST: usize = 1_024;

type Asking = tokio::task::JoinHandle<Result<Message, RequestError>>;

fn correlated() -> ReqSocket {
    ReqSocket::builder()
        .correlate(true)
        .send_hwm(None)
        .recv_hwm(None)
        .reconnect_interval(Duration::from_millis(10))
        .build()
}

fn server() -> RepSocket {
    RepSocket::builder().recv_hwm(None).send_hwm(None).build()
}

fn ask(req: &ReqSocket, question: usize) -> Asking {
    let req = req.clone();
    tokio::spawn(async move { req.request(question.to_string()).await })
}

/// As many requests as there may be, all of which have arrived.
async fn fill(req: &ReqSocket, rep: &RepSocket) -> (Vec<Asking>, Vec<Request>) {
    let asking = (0..MOST).map(|number| ask(req, number)).collect();
    let mut requests = Vec::new();
    while requests.len() < MOST {
        requests.push(soon(rep.recv()).await.unwrap());
    }
    (asking, requests)
}

async fn answer(request: Request) {
    let text = request.text().into_owned();
    request.reply(text).await.unwrap();
}

/// Neither a `request` nor a `send` gets a place that is taken, and each gets one that is free again.
async fn there_are_1024_and_no_more(transport: Transport) {
    let (req, rep) = (correlated(), server());
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let (mut asking, mut requests) = fill(&req, &rep).await;
    assert_matches!(req.try_send("no place"), Err(LockStepTrySendError::Full(_)));
    let mut one_more = Box::pin(req.request("one more"));
    assert!((&mut one_more).now_or_never().is_none());
    let sender = tokio::spawn({
        let req = req.clone();
        async move { req.send("in lock-step").await }
    });
    assert_matches!(rep.try_recv().map(drop), Err(_));

    // An answer makes a place, and so does somebody who gives up.
    answer(requests.pop().unwrap()).await;
    let given_up = asking.remove(7);
    given_up.abort();
    let mut texts = HashSet::new();
    for _ in 0..2 {
        let request = tokio::select! {
            request = soon(rep.recv()) => request.unwrap(),
            reply = &mut one_more => panic!("{reply:?}"),
        };
        texts.insert(request.text().into_owned());
        requests.push(request);
    }
    assert_eq!(
        texts,
        ["one more", "in lock-step"].map(str::to_owned).into()
    );
    soon(sender).await.unwrap().unwrap();
    for request in requests {
        answer(request).await;
    }
    assert_eq!(soon(req.recv()).await.unwrap(), "in lock-step");
    assert_eq!(soon(one_more).await.unwrap(), "one more");
    for (reply, number) in soon(join_all(asking))
        .await
        .into_iter()
        .zip((0..MOST).filter(|&number| number != 7))
    {
        assert_eq!(reply.unwrap().unwrap(), number.to_string());
    }
    assert!(soon(given_up).await.unwrap_err().is_cancelled());
    assert_eq!(req.stats().dropped, 1, "the reply that came too late");
}

/// Each is told, once, and all places are free again.
async fn a_server_that_dies_with_all_of_them(transport: Transport) {
    let place = transport.somewhere();
    let (req, rep) = (correlated(), server());
    rep.bind(&place).await.unwrap();
    req.connect(&place).unwrap();
    for _ in 0..3 {
        let (asking, requests) = fill(&req, &rep).await;
        let waits = ask(&req, MOST);
        // Over the network its end is known when its connection ends, within a process at once.
        rep.unbind(&place).unwrap();
        for reply in soon(join_all(asking)).await {
            assert_matches!(reply.unwrap(), Err(RequestError::Lost { .. }));
        }
        drop(requests);
        // The one that had no place was never written, and is asked again.
        until(|| rep.peers().is_empty()).await;
        let again = tokio::spawn({
            let (rep, place) = (rep.clone(), place.clone());
            async move {
                while rep.bind(&place).await.is_err() {
                    tokio::task::yield_now().await;
                }
                rep.recv().await.unwrap()
            }
        });
        answer(soon(again).await.unwrap()).await;
        assert_eq!(soon(waits).await.unwrap().unwrap(), MOST.to_string());
    }
}

async fn a_close_ends_all_of_them(transport: Transport) {
    let (req, rep) = (correlated(), server());
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let (asking, requests) = fill(&req, &rep).await;
    let waiting: Vec<_> = (0..8).map(|number| ask(&req, number)).collect();
    // They have had their turn, and stand in line.
    tokio::task::yield_now().await;
    assert_eq!(soon(req.close()).await.unsent, 0);
    for reply in soon(join_all(asking)).await {
        assert_matches!(reply.unwrap(), Err(RequestError::Interrupted));
    }
    for reply in soon(join_all(waiting)).await {
        assert_matches!(reply.unwrap(), Err(RequestError::Closed(_)));
    }
    // The server notices, and is none the worse for what it has not answered.
    until(|| rep.peers().is_empty()).await;
    for request in requests {
        assert!(request.reply("nobody").await.is_err());
    }
}

/// Their places are free at once, and their late replies are nobody's.
async fn all_are_abandoned_at_once(transport: Transport) {
    let (req, rep) = (correlated(), server());
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    for round in 1..=3 {
        let (asking, requests) = fill(&req, &rep).await;
        asking.iter().for_each(Asking::abort);
        for asking in asking {
            assert!(soon(asking).await.unwrap_err().is_cancelled());
        }
        for request in requests {
            answer(request).await;
        }
        let last = ask(&req, MOST);
        answer(soon(rep.recv()).await.unwrap()).await;
        assert_eq!(soon(last).await.unwrap().unwrap(), MOST.to_string());
        assert_eq!(req.stats().dropped, (round * MOST) as u64);
    }
    assert_eq!(req.stats().connections, 1);
}

/// A server that answers out of order, twice, and what it was not asked: each gets its own answer.
async fn a_server_that_repeats_and_confuses(transport: Transport) {
    const AT_ONCE: usize = 200;
    let (req, router) = (
        correlated(),
        RouterSocket::builder()
            .recv_hwm(None)
            .send_hwm(None)
            .build(),
    );
    req.connect(router.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let asking: Vec<_> = (0..AT_ONCE).map(|number| ask(&req, number)).collect();
    let mut requests = Vec::new();
    while requests.len() < AT_ONCE {
        requests.push(soon(router.recv()).await.unwrap());
    }
    for step in 0..AT_ONCE {
        let (peer, request) = &requests[(step * 77 + 5) % AT_ONCE];
        let number = request.frame_bytes(0).unwrap();
        let mut unknown = number.to_vec();
        unknown[0] ^= 0x40;
        for reply in [
            Message::from_frames([&unknown[..], b"", b"unknown"]),
            request.clone(),
            Message::from_frames([&number[..], b"", b"again"]),
        ] {
            soon(router.send_to(peer, reply)).await.unwrap();
        }
    }
    for (number, reply) in soon(join_all(asking)).await.into_iter().enumerate() {
        assert_eq!(reply.unwrap().unwrap(), number.to_string());
    }
    // Whoever reads them counts them.
    let last = ask(&req, AT_ONCE);
    let (peer, request) = soon(router.recv()).await.unwrap();
    soon(router.send_to(&peer, request)).await.unwrap();
    assert_eq!(soon(last).await.unwrap().unwrap(), AT_ONCE.to_string());
    assert_eq!(req.stats().dropped, 2 * AT_ONCE as u64);
}

/// A task that asks again while a request of its own lies in its hands, polled once, reads for others, too.
async fn one_that_is_put_aside_holds_up_nobody(transport: Transport) {
    let (req, rep) = (correlated(), server());
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let mut aside = pin!(req.request("aside"));
    tokio::select! {
        biased;
        reply = aside.as_mut() => panic!("{reply:?}"),
        () = std::future::ready(()) => {}
    }
    let held = soon(rep.recv()).await.unwrap();
    let serve = tokio::spawn(async move {
        while let Ok(request) = rep.recv().await {
            answer(request).await;
        }
    });
    let elsewhere: Vec<_> = (0..100).map(|number| ask(&req, number)).collect();
    for number in 0..100 {
        let text = number.to_string();
        assert_eq!(soon(req.request(&text)).await.unwrap(), text);
    }
    for (number, reply) in soon(join_all(elsewhere)).await.into_iter().enumerate() {
        assert_eq!(reply.unwrap().unwrap(), number.to_string());
    }
    answer(held).await;
    assert_eq!(soon(aside).await.unwrap(), "aside");
    serve.abort();
}

/// Polls a request so many times, each with a turn for everybody else.
async fn ask_for_a_while(req: &ReqSocket, text: &str, polls: usize) {
    let mut asking = pin!(req.request(text));
    for _ in 0..polls {
        tokio::select! {
            biased;
            reply = asking.as_mut() => {
                if let Ok(reply) = reply {
                    assert_eq!(reply.text(), text);
                }
                return;
            }
            () = std::future::ready(()) => {}
        }
        tokio::task::yield_now().await;
    }
}

/// Requests are dropped at every poll while servers come, leave some of them unanswered, and go.
async fn a_storm_leaves_no_place_taken(transport: Transport) {
    const SERVERS: usize = 3;
    const ASKERS: usize = 16;
    let req = correlated();
    let places: Vec<_> = (0..SERVERS).map(|_| transport.somewhere()).collect();
    for place in &places {
        req.connect(place).unwrap();
    }
    let servers: Vec<_> = places
        .iter()
        .map(|place| {
            let place = place.clone();
            tokio::spawn(async move {
                for life in 1.. {
                    let rep = server();
                    while rep.bind(&place).await.is_err() {
                        tokio::task::yield_now().await;
                    }
                    let mut unanswered = Vec::new();
                    for number in 0..life * 7 {
                        let request = rep.recv().await.unwrap();
                        if number % 5 == 4 {
                            unanswered.push(request);
                        } else {
                            let text = request.text().into_owned();
                            request.reply(text).await.ok();
                        }
                    }
                    rep.options().set_linger(Duration::ZERO);
                    rep.close().await;
                }
            })
        })
        .collect();
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let req = req.clone();
            tokio::spawn(async move {
                for round in 0..60 {
                    let polls = (asker * 31 + round * 17) % 40;
                    ask_for_a_while(&req, &format!("{asker} {round}"), polls).await;
                }
            })
        })
        .collect();
    for asker in askers {
        soon(asker).await.unwrap();
    }
    for server in servers {
        server.abort();
        assert!(soon(server).await.unwrap_err().is_cancelled());
    }
    for place in &places {
        req.disconnect(place).unwrap();
    }
    until(|| req.peers().is_empty()).await;
    // Every place is free.
    let rep = server();
    req.connect(rep.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let (asking, requests) = soon(fill(&req, &rep)).await;
    for request in requests {
        answer(request).await;
    }
    for (number, reply) in soon(join_all(asking)).await.into_iter().enumerate() {
        assert_eq!(reply.unwrap().unwrap(), number.to_string());
    }
}
