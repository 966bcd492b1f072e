//! Sockets that outlive a runtime in which they have dialled or listened.

use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use wirelark::{
    DealerSocket, Event, Identity, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, TrySendError, TrySendToError,
};

use crate::kit::{assert_matches, soon, until, wait_for};
use crate::transport::Transport;

/// One that will end, and one that stays.
fn runtimes() -> (Runtime, Runtime) {
    let several = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let single = Builder::new_current_thread().enable_all().build();
    (several.unwrap(), single.unwrap())
}

const fn is_closed(event: &Event) -> bool {
    matches!(event, Event::Closed { .. })
}

#[test]
fn what_was_queued_goes_to_others() {
    for transport in [Transport::Tcp, Transport::Ipc] {
        let (ends, stays) = runtimes();
        let push = PushSocket::new();
        let mut events = push.events();
        let nowhere = transport.somewhere();
        let gone = ends.block_on(async { push.connect(&nowhere).unwrap() });
        stays.block_on(async {
            let pull = PullSocket::new();
            let endpoint = pull.bind(transport.anywhere()).await.unwrap();
            push.connect(endpoint).unwrap();
            for number in 0..10 {
                soon(push.send(number.to_string())).await.unwrap();
            }
            ends.shutdown_background();
            let event = wait_for(&mut events, is_closed).await;
            assert_eq!(event.endpoint(), Some(&gone));
            let mut numbers = Vec::new();
            for _ in 0..10 {
                let text = soon(pull.recv()).await.unwrap().text().into_owned();
                numbers.push(text.parse::<u32>().unwrap());
            }
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..10));
            push.disconnect(&gone).unwrap_err();
            assert_eq!(soon(push.close()).await.unsent, 0);
        });
    }
}

/// Nobody will ever make room there. It waits for a peer from then on, and comes after those that were
/// queued before it.
#[test]
fn who_waits_for_room_waits_for_a_peer() {
    let (ends, stays) = runtimes();
    let push = PushSocket::builder().send_hwm(3).build();
    let mut events = push.events();
    ends.block_on(async { push.connect(Transport::Tcp.somewhere()).unwrap() });
    stays.block_on(async {
        for number in 0..3 {
            push.try_send(number.to_string()).unwrap();
        }
        let mut waiting = Box::pin(push.send("3"));
        assert!((&mut waiting).now_or_never().is_none());
        ends.shutdown_background();
        wait_for(&mut events, is_closed).await;
        assert!((&mut waiting).now_or_never().is_none());
        assert_matches!(push.try_send("x"), Err(TrySendError::Full(_)));
        let pull = PullSocket::new();
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        soon(waiting).await.unwrap();
        for number in 0..4 {
            assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
        }
        assert_eq!(soon(push.close()).await.unsent, 0);
    });
}

#[test]
fn what_nobody_can_have_is_reported_when_the_socket_closes() {
    let (ends, stays) = runtimes();
    let push = PushSocket::new();
    ends.block_on(async {
        push.connect(Transport::Tcp.somewhere()).unwrap();
        push.send("x").await.unwrap();
    });
    drop(ends);
    push.options().set_linger(Duration::ZERO);
    let report = stays.block_on(async { soon(push.close()).await });
    assert_eq!(report.unsent, 1);
}

#[test]
fn an_address_is_free_again() {
    for transport in [Transport::Tcp, Transport::Ipc] {
        let (ends, stays) = runtimes();
        let pull = PullSocket::new();
        let mut events = pull.events();
        let endpoint = ends.block_on(pull.bind(transport.somewhere())).unwrap();
        drop(ends);
        stays.block_on(async {
            let event = wait_for(&mut events, is_closed).await;
            assert_eq!(event.endpoint(), Some(&endpoint));
            pull.unbind(&endpoint).unwrap_err();
            assert_eq!(pull.bind(&endpoint).await.unwrap(), endpoint);
            let push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            soon(push.send("hello")).await.unwrap();
            assert_eq!(soon(pull.recv()).await.unwrap().text(), "hello");
            // Told once.
            pull.unbind(&endpoint).unwrap();
            soon(pull.close()).await;
            let mut closed = 0;
            while let Some(event) = soon(events.next()).await {
                closed += usize::from(is_closed(&event));
            }
            assert_eq!(closed, 1, "of the second bind");
        });
    }
}

#[test]
fn a_name_and_a_seat_are_free_again() {
    let (ends, stays) = runtimes();
    let server = Identity::new("server").unwrap();
    let (router, pair) = (RouterSocket::new(), PairSocket::new());
    let mut of_pair = pair.events();
    ends.block_on(async {
        let nowhere = Transport::Tcp.somewhere();
        router.connect_as(nowhere.as_str(), &server).unwrap();
        router.try_send_to(&server, "lost").unwrap();
        pair.connect(Transport::Tcp.somewhere()).unwrap();
        pair.try_send("lost").unwrap();
    });
    drop(ends);
    stays.block_on(async {
        wait_for(&mut of_pair, is_closed).await;
        assert_matches!(
            router.try_send_to(&server, "x"),
            Err(TrySendToError::Unroutable { .. })
        );
        assert_eq!((router.stats().dropped, pair.stats().dropped), (1, 1));
        let endpoint = pair.bind("tcp://127.0.0.1:*").await.unwrap();
        let other = PairSocket::new();
        other.connect(endpoint).unwrap();
        soon(pair.send("yours")).await.unwrap();
        assert_eq!(soon(other.recv()).await.unwrap().text(), "yours");
        let dealer = DealerSocket::new();
        let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap();
        router
            .connect_as(endpoint.to_string().as_str(), &server)
            .unwrap();
        soon(router.send_to(&server, "hello")).await.unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap().text(), "hello");
    });
}

/// It has been asked of somebody who will never answer.
#[test]
fn a_request_is_asked_of_somebody_else() {
    let (ends, stays) = runtimes();
    let req = ReqSocket::new();
    ends.block_on(async { req.connect(Transport::Tcp.somewhere()).unwrap() });
    stays.block_on(async {
        let mut asking = Box::pin(req.request("who is there?"));
        assert!((&mut asking).now_or_never().is_none());
        ends.shutdown_background();
        let rep = RepSocket::new();
        req.connect(rep.bind("tcp://127.0.0.1:*").await.unwrap())
            .unwrap();
        let answer = async {
            let request = soon(rep.recv()).await.unwrap();
            assert_eq!(request.message().text(), "who is there?");
            soon(request.reply("me")).await.unwrap();
        };
        let (reply, ()) = tokio::join!(soon(asking), answer);
        assert_eq!(reply.unwrap().text(), "me");
    });
}

/// A connection ends with its runtime, and the other side has a queue to keep.
#[test]
fn a_connected_peer_departs_and_its_queue_goes_on() {
    let (ends, stays) = runtimes();
    let push = PushSocket::new();
    let mut events = push.events();
    let pull = PullSocket::new();
    let endpoint = stays.block_on(pull.bind("tcp://127.0.0.1:*")).unwrap();
    ends.block_on(async {
        push.connect(&endpoint).unwrap();
    });
    stays.block_on(async {
        soon(push.send("first")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "first");
        ends.shutdown_background();
        wait_for(&mut events, is_closed).await;
        until(|| push.peers().is_empty() && pull.peers().is_empty()).await;
        push.connect(&endpoint).unwrap();
        soon(push.send("second")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "second");
    });
}

#[test]
fn close_reports_also_when_its_runtime_has_ended() {
    let (first, second) = runtimes();
    let push = PushSocket::builder().linger(None).build();
    first.block_on(async {
        push.connect(Transport::Tcp.somewhere()).unwrap();
        push.send("x").await.unwrap();
        // It begins, and would wait for ever.
        let begun = tokio::time::timeout(Duration::ZERO, push.close()).await;
        assert!(begun.is_err());
    });
    drop(first);
    let report = second.block_on(async { soon(push.close()).await });
    assert_eq!(report.unsent, 1);
}

#[test]
fn a_socket_dropped_in_a_runtime_that_ends_is_closed_in_its_own() {
    let (first, second) = runtimes();
    let push = PushSocket::builder().linger(Duration::ZERO).build();
    let mut events = push.events();
    first.block_on(async {
        push.connect(Transport::Tcp.somewhere()).unwrap();
        push.send("x").await.unwrap();
    });
    let single = Builder::new_current_thread();
    let single = { single }.enable_all().build().unwrap();
    {
        let _inside = single.enter();
        drop(push);
    }
    drop(single);
    second.block_on(async { soon(async { while events.next().await.is_some() {} }).await });
}

#[test]
fn a_socket_outlives_the_runtime_that_it_was_first_used_in() {
    let (first, second) = runtimes();
    let pull = PullSocket::new();
    first.block_on(pull.bind("tcp://127.0.0.1:*")).unwrap();
    drop(first);
    second.block_on(async {
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let push = PushSocket::new();
        push.connect(endpoint).unwrap();
        soon(push.send("x")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap().text(), "x");
    });
}

/// Nobody else would free its name: whoever comes back under it would be turned away for ever.
#[test]
fn a_peer_whose_runtime_has_ended_has_left() {
    let (first, second) = runtimes();
    let router = RouterSocket::new();
    let ada = || {
        let identity = Identity::new("ada").unwrap();
        DealerSocket::builder().identity(identity).build()
    };
    let stays = first.block_on(async {
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let dealer = ada();
        dealer.connect(endpoint).unwrap();
        soon(dealer.send("before")).await.unwrap();
        assert_eq!(soon(router.recv()).await.unwrap().1.text(), "before");
        dealer
    });
    drop(first);
    assert!(router.peers().is_empty());
    drop(stays);
    second.block_on(async {
        let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
        let dealer = ada();
        dealer.connect(endpoint).unwrap();
        soon(dealer.send("after")).await.unwrap();
        let (name, message) = soon(router.recv()).await.unwrap();
        assert_eq!(message.text(), "after");
        router.try_send_to(&name, "welcome back").unwrap();
        assert_eq!(soon(dealer.recv()).await.unwrap().text(), "welcome back");
    });
}

/// Whoever took it away has no task any more that would see to it.
#[test]
fn what_was_taken_away_is_counted_when_its_runtime_ends() {
    for closes in [false, true] {
        let (ends, stays) = runtimes();
        let push = PushSocket::builder().linger(None).build();
        let nowhere = Transport::Tcp.somewhere();
        ends.block_on(async {
            push.connect(&nowhere).unwrap();
            push.send("x").await.unwrap();
            push.disconnect(&nowhere).unwrap();
            if closes {
                // It begins, and would wait for ever.
                assert!(push.close().now_or_never().is_none());
            }
        });
        drop(ends);
        assert_eq!(push.stats().drops.departed, 1, "{closes}");
        let report = stays.block_on(async { soon(push.close()).await });
        assert_eq!(report.unsent, u64::from(closes), "or it left before");
    }
}

/// The flush ends with its runtime, before what is leaving has come to its end in another.
#[test]
fn what_is_leaving_when_the_flush_ends_is_reported() {
    for transport in Transport::ALL {
        let (ends, stays) = runtimes();
        let push = PushSocket::builder().linger(None).build();
        ends.block_on(push.bind("tcp://127.0.0.1:*")).unwrap();
        stays.block_on(async {
            let nowhere = push.connect(transport.somewhere()).unwrap();
            push.send("x").await.unwrap();
            push.disconnect(&nowhere).unwrap();
        });
        // It begins, and would wait for ever.
        ends.block_on(async { assert!(push.close().now_or_never().is_none()) });
        drop(ends);
        let report = stays.block_on(async { soon(push.close()).await });
        let departed = push.stats().drops.departed;
        assert_eq!((report.unsent, departed), (1, 1), "{transport:?}");
    }
}

/// Nowhere is a runtime any more, neither of the socket nor around the caller.
#[test]
fn close_needs_no_runtime_when_there_is_none() {
    for transport in [Transport::Tcp, Transport::Ipc, Transport::Inproc] {
        for (binds, waits) in [(true, true), (true, false), (false, true), (false, false)] {
            let (ends, _) = runtimes();
            let push = PushSocket::builder().linger(None).build();
            let mut events = push.events();
            ends.block_on(async {
                let queued = if binds {
                    push.bind(transport.anywhere()).await.unwrap();
                    0
                } else {
                    push.connect(transport.somewhere()).unwrap();
                    push.send("x").await.unwrap();
                    1
                };
                assert_eq!(push.stats().sent.messages, queued);
            });
            drop(ends);
            if waits {
                let lost = push.stats().drops.departed;
                let report = push.close().now_or_never().unwrap();
                assert_eq!(report.unsent + lost, u64::from(!binds));
            } else {
                drop(push);
            }
            while events.next().now_or_never().unwrap().is_some() {}
        }
    }
}
