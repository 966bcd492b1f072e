//! Listeners that the program brings, interfaces by name, and sources to connect from.

use std::collections::BTreeSet;

use wirelark::{
    BindError, Endpoint, EndpointProblem, Event, PeerAddress, PullSocket, PushSocket, RepSocket,
    ReqSocket,
};
#[cfg(feature = "ipc")]
use wirelark::{PubSocket, SubSocket};

use crate::kit::{assert_matches, ports, soon, until, wait_for};

#[tokio::test]
async fn a_listener_of_the_program_is_taken_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let rep = RepSocket::new();
    let mut events = rep.events();
    let endpoint = rep.bind_listener(listener).unwrap();
    assert_eq!(endpoint.to_string(), format!("tcp://{address}"));
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let ask = tokio::spawn(async move { req.request("question").await });
    soon(rep.recv())
        .await
        .unwrap()
        .reply("answer")
        .await
        .unwrap();
    assert_eq!(soon(ask).await.unwrap().unwrap().text(), "answer");
    rep.unbind(&endpoint).unwrap();
    wait_for(&mut events, |event| matches!(event, Event::Closed { .. })).await;
    drop(std::net::TcpListener::bind(address).unwrap());
    soon(rep.close()).await;
    let late = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_matches!(rep.bind_listener(late), Err(BindError::Closed));
}

#[cfg(feature = "ipc")]
#[tokio::test]
async fn a_unix_listener_of_the_program_is_taken_over() {
    use std::os::unix::net::UnixListener;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let publisher = PubSocket::new();
    let endpoint = publisher
        .bind_listener(UnixListener::bind(&path).unwrap())
        .unwrap();
    assert_eq!(endpoint.to_string(), format!("ipc://{}", path.display()));
    let sub = SubSocket::builder().subscribe("").build();
    sub.connect(&endpoint).unwrap();
    soon(publisher.wait_for_subscribers("", 1)).await.unwrap();
    soon(publisher.close()).await;
    assert!(path.exists(), "whoever made the file removes it");
}

/// What is handed over may be anything.
#[cfg(unix)]
#[tokio::test]
async fn what_is_no_listener_is_refused_with_an_event() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let listener = std::net::TcpListener::from(std::os::fd::OwnedFd::from(file));
    let pull = PullSocket::new();
    let mut events = pull.events();
    let refused = pull.bind_listener(listener).unwrap_err();
    let BindError::Io { endpoint, .. } = &refused else {
        panic!("{refused:?}")
    };
    match soon(events.next()).await.unwrap() {
        Event::BindFailed {
            endpoint: named,
            error,
            ..
        } => {
            assert_eq!(named, *endpoint);
            assert_eq!(error.to_string(), refused.to_string());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_listener_needs_a_runtime() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = PullSocket::new().bind_listener(listener).unwrap_err();
    assert_matches!(error, BindError::NoRuntime { .. });
}

#[tokio::test]
async fn a_source_shows_at_the_other_end() {
    let pull = PullSocket::new();
    let mut events = pull.events();
    let endpoint = pull.bind("tcp://lo:*").await.unwrap();
    let port = endpoint.port().unwrap();
    let push = PushSocket::new();
    let connected = push
        .connect(format!("tcp://127.0.0.9:*;127.0.0.1:{port}"))
        .unwrap();
    let ready = wait_for(&mut events, |event| matches!(event, Event::Ready { .. })).await;
    assert_matches!(&ready, Event::Ready { peer, .. } if peer.address().to_string().starts_with("tcp://127.0.0.9:"));
    push.disconnect(connected).unwrap();
    let error = pull
        .bind(format!("tcp://lo:*;127.0.0.1:{port}"))
        .await
        .unwrap_err();
    assert_matches!(error, BindError::Endpoint(error) if error.problem == EndpointProblem::SourceInBind);
}

/// A question to whoever's turn it is, and that it is the turn of this one.
async fn bounce(req: &ReqSocket, rep: &RepSocket) {
    soon(req.send(["who", "is there?"])).await.unwrap();
    let request = soon(rep.recv()).await.unwrap();
    soon(request.reply("I")).await.unwrap();
    assert_eq!(soon(req.recv()).await.unwrap(), "I");
}

/// Connections may come from the same port as long as they lead to different places, also when they are
/// those of one socket. With its source an endpoint is another one, and has that name.
#[tokio::test]
async fn sources_are_shared_by_connections_to_different_places() {
    for host in ["127.0.0.1", "[::1]"] {
        let [here, there] = [(); 2].map(|()| RepSocket::new());
        let Ok(at_here) = here.bind(format!("tcp://{host}:*")).await else {
            assert!(host.contains("::"), "only IPv6 may be missing, not {host}");
            continue;
        };
        let at_there = there.bind(format!("tcp://{host}:*")).await.unwrap();
        let sources = [ports::free(), ports::free()];
        let from = |source: u16, endpoint: &Endpoint| {
            let address = endpoint.to_string();
            let address = address.strip_prefix("tcp://").unwrap();
            format!("tcp://{host}:{source};{address}")
        };
        let ways = [
            [from(sources[0], &at_here), from(sources[1], &at_there)],
            [from(sources[1], &at_here), from(sources[0], &at_there)],
        ];
        let reqs = [(); 2].map(|()| ReqSocket::new());
        for (req, ways) in reqs.iter().zip(&ways) {
            for way in ways {
                req.connect(way).unwrap();
            }
        }
        for req in [&reqs[0], &reqs[1], &reqs[0]] {
            bounce(req, &here).await;
            bounce(req, &there).await;
        }
        for rep in [&here, &there] {
            let seen = rep
                .peers()
                .into_iter()
                .map(|stats| match stats.peer.address() {
                    PeerAddress::Tcp(address) => address.port(),
                    other => panic!("{other}"),
                });
            assert_eq!(seen.collect::<BTreeSet<_>>(), BTreeSet::from(sources));
        }
        // Beside one that comes from anywhere, it is another connection.
        reqs[0].connect(&at_here).unwrap();
        until(|| here.peers().len() == 3).await;
        for (req, ways) in reqs.iter().zip(&ways) {
            for way in ways {
                req.disconnect(way).unwrap();
                assert!(req.disconnect(way).is_err());
            }
        }
        reqs[0].disconnect(&at_here).unwrap();
        here.unbind(&at_here).unwrap();
        there.unbind(&at_there).unwrap();
    }
}
