//! Connecting ends that stop to try, as their socket was told.

use std::time::Duration;

use tokio::net::TcpListener;
use wirelark::{Endpoint, Event, Events, PullSocket, PushSocket, ReconnectStop, SubSocket};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, ports, soon, until, wait_for};
use crate::transport::Transport;

/// A PULL that stops as told, and its events.
fn stopping(stop: ReconnectStop) -> (PullSocket, Events) {
    let pull = PullSocket::builder()
        .reconnect_stop(stop)
        .reconnect_interval(Duration::from_millis(1))
        .build();
    let events = pull.events();
    (pull, events)
}

/// The endpoint is given up next, without another attempt.
async fn gives_up(pull: &PullSocket, events: &mut Events, endpoint: &Endpoint) {
    let event = wait_for(events, |event| {
        matches!(
            event,
            Event::Closed { .. }
                | Event::Redialing { .. }
                | Event::ConnectFailed {
                    retry_in: Some(_),
                    ..
                }
        )
    })
    .await;
    assert_matches!(event, Event::Closed { .. });
    assert!(pull.disconnect(endpoint).is_err(), "it is still there");
}

#[tokio::test]
async fn a_refused_connection_can_be_the_last() {
    let nobody = format!("tcp://127.0.0.1:{}", ports::free());
    for stop in [
        ReconnectStop::never().on_refused(),
        ReconnectStop::never().on_connect_failure(),
        ReconnectStop::always(),
    ] {
        let (pull, mut events) = stopping(stop);
        let endpoint = pull.connect(&nobody).unwrap();
        gives_up(&pull, &mut events, &endpoint).await;
    }
    let others = ReconnectStop::never()
        .on_handshake_failure()
        .on_disconnect();
    let (pull, mut events) = stopping(others);
    pull.connect(&nobody).unwrap();
    for _ in 0..3 {
        let failed = |event: &Event| matches!(event, Event::ConnectFailed { .. });
        let event = wait_for(&mut events, failed).await;
        assert_matches!(
            event,
            Event::ConnectFailed {
                retry_in: Some(_),
                ..
            }
        );
    }
}

#[tokio::test]
async fn a_failed_handshake_can_be_the_last() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::from(server.local_addr().unwrap());
    let (pull, mut events) = stopping(ReconnectStop::never().on_handshake_failure());
    pull.connect(&endpoint).unwrap();
    let mut peer = RawPeer::accept(&server).await;
    peer.send(frames::greeting(3, 1, "CURVE")).await;
    gives_up(&pull, &mut events, &endpoint).await;

    let (pull, mut events) = stopping(ReconnectStop::never().on_refused().on_disconnect());
    pull.connect(&endpoint).unwrap();
    drop(RawPeer::accept(&server).await);
    wait_for(&mut events, |event| {
        matches!(event, Event::Redialing { .. })
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_can_be_the_last() {
    let places = [
        "tcp://127.0.0.1:*".to_owned(),
        "tcp://[::1]:*".to_owned(),
        Transport::Ipc.somewhere(),
    ];
    for (stop, place) in [
        ReconnectStop::never().on_disconnect(),
        ReconnectStop::always(),
    ]
    .into_iter()
    .flat_map(|stop| places.iter().map(move |place| (stop, place)))
    {
        let push = PushSocket::new();
        let Ok(endpoint) = push.bind(place.as_str()).await else {
            assert!(
                place.contains("::"),
                "only IPv6 may be missing, not {place}"
            );
            continue;
        };
        let (pull, mut events) = stopping(stop);
        pull.connect(&endpoint).unwrap();
        soon(push.send("x")).await.unwrap();
        soon(pull.recv()).await.unwrap();
        soon(push.close()).await;
        gives_up(&pull, &mut events, &endpoint).await;
        // Nobody but another connect brings them together again.
        let push = PushSocket::new();
        push.bind(&endpoint).await.unwrap();
        pull.connect(&endpoint).unwrap();
        soon(push.send("y")).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap(), "y");
    }
}

/// Nothing waits to be sent to it, so nobody looks for it once it has been taken away.
#[tokio::test]
async fn an_endpoint_that_was_taken_away_is_not_dialled() {
    for transport in [Transport::Tcp, Transport::Ipc] {
        let place = transport.somewhere();
        let (pull, mut events) = stopping(ReconnectStop::never());
        let endpoint = pull.connect(&place).unwrap();
        let failed = |event: &Event| matches!(event, Event::ConnectFailed { .. });
        wait_for(&mut events, failed).await;
        pull.disconnect(&endpoint).unwrap();
        wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
        // Another one, which is dialled again and again, takes as long as this one would have.
        let other = pull.connect(transport.somewhere()).unwrap();
        for _ in 0..5 {
            assert_eq!(wait_for(&mut events, failed).await.endpoint(), Some(&other));
        }
    }
}

/// What was queued for an endpoint that is given up goes to the others.
#[tokio::test]
async fn messages_outlive_an_endpoint_that_is_given_up() {
    let push = PushSocket::builder()
        .reconnect_stop(ReconnectStop::never().on_refused())
        .build();
    let mut events = push.events();
    push.connect(format!("tcp://127.0.0.1:{}", ports::free()))
        .unwrap();
    for number in 0..10 {
        push.try_send(number.to_string()).unwrap();
    }
    wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
    let pull = PullSocket::new();
    let place = Transport::Inproc.somewhere();
    pull.bind(&place).await.unwrap();
    push.connect(&place).unwrap();
    for number in 0..10 {
        assert_eq!(soon(pull.recv()).await.unwrap().text(), number.to_string());
    }
    assert_eq!(soon(push.close()).await.unsent, 0);
}

/// Also where the dialer has given up before linger has passed.
#[tokio::test]
async fn what_nobody_came_for_when_an_endpoint_was_taken_away_is_counted() {
    for transport in Transport::ALL {
        for stop in [ReconnectStop::never(), ReconnectStop::always()] {
            let place = transport.somewhere();
            let linger = if stop == ReconnectStop::never() {
                0
            } else {
                30
            };
            if linger > 0 && transport == Transport::Inproc {
                continue; // nobody dials there
            }
            let push = PushSocket::builder()
                .linger(Duration::from_secs(linger))
                .reconnect_interval(Duration::from_millis(1))
                .build();
            push.connect(&place).unwrap();
            for number in 0..3 {
                soon(push.send(number.to_string())).await.unwrap();
            }
            push.options().set_reconnect_stop(stop);
            push.disconnect(&place).unwrap();
            until(|| push.stats().drops.departed == 3).await;
            assert_eq!(push.stats().dropped, 3);
        }
    }
}

/// By the report of a close that comes before linger has passed.
#[tokio::test]
async fn what_an_endpoint_left_behind_is_in_the_report() {
    for transport in Transport::ALL {
        for linger in [0, 20] {
            let push = PushSocket::builder()
                .linger(Duration::from_millis(linger))
                .build();
            let place = transport.somewhere();
            push.connect(&place).unwrap();
            for number in 0..3 {
                soon(push.send(number.to_string())).await.unwrap();
            }
            push.disconnect(&place).unwrap();
            assert_eq!(
                soon(push.close()).await.unsent,
                3,
                "{transport:?}, {linger}"
            );
        }
    }
}

/// What is leaving under an earlier linger time leaves when the socket does.
#[tokio::test]
async fn what_is_leaving_does_not_outstay_the_linger_of_close() {
    for transport in Transport::ALL {
        let push = PushSocket::builder().linger(None).build();
        let place = transport.somewhere();
        push.connect(&place).unwrap();
        soon(push.send("x")).await.unwrap();
        push.disconnect(&place).unwrap();
        // What watches over it goes by the linger time that it finds.
        tokio::task::yield_now().await;
        push.options().set_linger(Duration::ZERO);
        assert_eq!(soon(push.close()).await.unsent, 1, "{transport:?}");
        assert_eq!(push.stats().drops.departed, 1, "{transport:?}");
    }
}

/// Nor does a handshake with somebody who says nothing.
#[tokio::test]
async fn no_handshake_of_what_is_leaving_outstays_the_linger_of_close() {
    let sub = SubSocket::builder()
        .linger(None)
        .handshake_timeout(Duration::from_secs(7200))
        .build();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::from(server.local_addr().unwrap());
    let mut events = sub.events();
    sub.connect(&endpoint).unwrap();
    let mut silent = RawPeer::accept(&server).await;
    let connected = |event: &Event| matches!(event, Event::Connected { .. });
    wait_for(&mut events, connected).await;
    sub.disconnect(&endpoint).unwrap();
    // As above.
    tokio::task::yield_now().await;
    sub.options().set_linger(Duration::ZERO);
    soon(sub.close()).await;
    // Else it would go on in the background.
    soon(silent.rest()).await;
}
