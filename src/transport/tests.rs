//! Transports on real sockets: what both have in common, then tcp. The files of ipc have tests of their own.

use std::future::poll_fn;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::sync::RwLock;

use std::time::Duration;

use super::*;
use crate::options::KeepAlive;

#[cfg(all(unix, feature = "ipc"))]
mod ipc;
mod options;

/// For anything that must happen; far beyond what it takes.
const DEADLINE: Duration = Duration::from_secs(90);

/// A process that is being started has, for a moment, copies of all of our sockets, and keeps them open. Whoever starts
/// one writes; whoever counts on a closed socket being closed reads.
static STARTING: RwLock<()> = RwLock::const_new(());

fn endpoint(text: &str) -> Endpoint {
    Endpoint::try_from(text).expect(text)
}

async fn bound(text: &str) -> Listener {
    bind(&endpoint(text), &TransportOptions::default())
        .await
        .expect(text)
}

/// Both ends of a connection to `listener`, the dialer's first.
async fn pair(listener: &Listener) -> [(Stream, PeerAddress); 2] {
    let options = TransportOptions::default();
    let (dialed, accepted) = tokio::join!(
        connect(listener.endpoint(), &options),
        tokio::time::timeout(DEADLINE, listener.accept())
    );
    [dialed.expect("the listener is there"), {
        let accepted = accepted.expect("a connection comes").expect("it is good");
        accepted.0.tune(&options);
        accepted
    }]
}

fn tcp_stream(stream: Stream) -> TcpStream {
    match stream {
        Stream::Tcp(stream) => stream,
        #[cfg(all(unix, feature = "ipc"))]
        Stream::Ipc(_) => panic!("not tcp"),
    }
}

/// Sends `count` bytes from one end to the other, more than the kernel holds.
async fn pump(from: &WriteHalf, to: &mut ReadHalf, count: usize) {
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(count).collect();
    let write = async {
        let mut rest = payload.as_slice();
        while !rest.is_empty() {
            let (first, second) = rest.split_at(rest.len() / 2);
            match from.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| from.poll_write_ready(cx))
                        .await
                        .expect("writable");
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let mut received = vec![0; count];
    let both = async { tokio::join!(write, to.read_exact(&mut received)).1 };
    tokio::time::timeout(DEADLINE, both)
        .await
        .expect("it arrives")
        .expect("all of it");
    assert!(received == payload);
}

/// Every promise of a stream: both directions, back-pressure, the end of one direction.
async fn exercise(listener: &Listener) {
    let [(dialed, _), (accepted, _)] = pair(listener).await;
    let (mut dialed_read, dialed_write) = dialed.split();
    let (mut accepted_read, accepted_write) = accepted.split();
    pump(&dialed_write, &mut accepted_read, 20_000_000).await;
    pump(&accepted_write, &mut dialed_read, 300).await;
    drop(dialed_write);
    let end = tokio::time::timeout(DEADLINE, accepted_read.read(&mut [0; 9])).await;
    assert_eq!(end.expect("the end arrives").expect("a clean end"), 0);
    pump(&accepted_write, &mut dialed_read, 300).await;
}

#[test]
fn futures_can_be_spawned() {
    fn assert_send(_: impl Send) {}
    let endpoint = endpoint("tcp://localhost:1");
    let options = TransportOptions::default();
    assert_send(bind(&endpoint, &options));
    assert_send(connect(&endpoint, &options));
    let _ = |listener: &Listener| assert_send(listener.accept());
}

#[tokio::test]
async fn inproc_has_no_byte_streams() {
    let endpoint = endpoint("inproc://a");
    let options = TransportOptions::default();
    let error = bind(&endpoint, &options).await.expect_err("no streams");
    assert!(matches!(error, BindError::Unsupported { .. }));
    let error = connect(&endpoint, &options).await.expect_err("no streams");
    assert_eq!(error.source.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("inproc://a"));
}

#[tokio::test]
async fn tcp_carries_bytes() {
    for text in ["tcp://127.0.0.1:*", "tcp://*:*", "tcp://localhost:0"] {
        let listener = bound(text).await;
        assert!(listener.endpoint().port().is_some());
        exercise(&listener).await;
    }
}

#[tokio::test]
async fn a_wildcard_is_every_ipv4_address() {
    let listener = bound("tcp://*:*").await;
    let port = listener.endpoint().port().expect("a port");
    assert_eq!(
        listener.endpoint().to_string(),
        format!("tcp://0.0.0.0:{port}")
    );
    let options = TransportOptions::default();
    for host in ["0.0.0.0", "127.0.0.1", "127.1.2.3", "localhost"] {
        connect(&endpoint(&format!("tcp://{host}:{port}")), &options)
            .await
            .expect(host);
    }
}

#[tokio::test]
async fn both_ends_of_tcp_are_tuned() {
    let listener = bound("tcp://127.0.0.1:*").await;
    for (stream, _) in pair(&listener).await {
        let stream = tcp_stream(stream);
        assert!(stream.nodelay().expect("nodelay"));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("keepalive"));
        #[cfg(target_os = "linux")]
        {
            let seconds = Duration::from_secs;
            assert_eq!(socket.tcp_keepalive_time().expect("idle"), seconds(60));
            assert_eq!(
                socket.tcp_keepalive_interval().expect("interval"),
                seconds(10)
            );
            assert_eq!(socket.tcp_keepalive_retries().expect("probes"), 6);
        }
    }
}

#[tokio::test]
async fn any_keep_alive_is_made_one_that_kernels_accept() {
    let odd = [
        Some(KeepAlive::new(Duration::ZERO, Duration::ZERO, 0)),
        Some(KeepAlive::new(Duration::MAX, Duration::MAX, u32::MAX)),
        None,
    ];
    for keep_alive in odd {
        let options = TransportOptions {
            keep_alive,
            ..TransportOptions::default()
        };
        let listener = bound("tcp://127.0.0.1:*").await;
        let (stream, _) = connect(listener.endpoint(), &options)
            .await
            .expect("a connection");
        let stream = tcp_stream(stream);
        let on = SockRef::from(&stream).keepalive().expect("keepalive");
        assert_eq!(on, keep_alive.is_some());
    }
}

#[tokio::test]
async fn peers_are_named_by_address() {
    let listener = bound("tcp://127.0.0.1:*").await;
    let [(dialed, server), (_, client)] = pair(&listener).await;
    let dialed = tcp_stream(dialed);
    assert_eq!(server.to_string(), listener.endpoint().to_string());
    assert_eq!(
        client,
        PeerAddress::Tcp(dialed.local_addr().expect("bound"))
    );
}

#[tokio::test]
async fn bind_errors_say_what_and_where() {
    let listener = bound("tcp://127.0.0.1:*").await;
    let options = TransportOptions::default();
    let error = bind(listener.endpoint(), &options)
        .await
        .expect_err("in use");
    assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&listener.endpoint().to_string()));

    let error = bind(&endpoint("tcp://192.0.2.1:*"), &options)
        .await
        .expect_err("a documentation address");
    assert!(
        matches!(error, BindError::AddressNotAvailable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_port_can_be_bound_again_after_connections() {
    let _quiet = STARTING.read().await;
    let listener = bound("tcp://127.0.0.1:*").await;
    let [dialed, accepted] = pair(&listener).await;
    let endpoint = listener.endpoint().clone();
    drop(listener);
    // Our end closes first, and is the one to linger in TIME_WAIT.
    drop(accepted);
    drop(dialed);
    bind(&endpoint, &TransportOptions::default())
        .await
        .expect("free again");
}

/// An address where nobody listens: bound, so that nobody else gets it, and not listening.
fn dead_address() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

#[tokio::test]
async fn all_addresses_of_a_name_are_tried() {
    let options = TransportOptions::default();
    let listener = bound("tcp://127.0.0.1:*").await;
    let port = listener.endpoint().port().expect("a port");
    let live = SocketAddr::from(([127, 0, 0, 1], port));
    let (_first, dead) = dead_address();
    let (_second, dead_too) = dead_address();

    let (_, peer) = tcp::connect_any(&[dead, dead_too, live], None, &options)
        .await
        .expect("one of them lives");
    assert_eq!(peer, PeerAddress::Tcp(live));

    let error = tcp::connect_any(&[dead, dead_too], None, &options)
        .await
        .expect_err("nobody there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    for address in [dead, dead_too] {
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }

    let error = tcp::connect_any(&[dead], None, &options)
        .await
        .expect_err("nobody there");
    assert!(error.raw_os_error().is_some());
    assert!(tcp::connect_any(&[], None, &options).await.is_err());
}

#[tokio::test]
async fn a_connection_with_itself_is_none() {
    let (socket, address) = dead_address();
    let stream = socket.connect(address).await.expect("simultaneous open");
    let error = tcp::check_not_ourselves(&stream).expect_err("it is us");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_can_be_limited() {
    let never = std::future::pending::<io::Result<()>>();
    let error = tcp::within(Some(Duration::from_secs(5)), never)
        .await
        .expect_err("too late");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("5s"));
}

#[tokio::test]
async fn ipv6_where_there_is_any() {
    let options = TransportOptions::default();
    let Ok(listener) = bind(&endpoint("tcp://[::1]:*"), &options).await else {
        return;
    };
    let port = listener.endpoint().port().expect("a port");
    assert_eq!(
        listener.endpoint().to_string(),
        format!("tcp://[::1]:{port}")
    );
    exercise(&listener).await;

    let both = bound("tcp://[::]:*").await;
    let port = both.endpoint().port().expect("a port");
    let over_ipv4 = endpoint(&format!("tcp://127.0.0.1:{port}"));
    let (dialed, accepted) = tokio::join!(connect(&over_ipv4, &options), both.accept());
    dialed.expect("dual stack");
    let (_, peer) = accepted.expect("a connection");
    assert!(
        matches!(peer, PeerAddress::Tcp(SocketAddr::V4(_))),
        "{peer}"
    );
}
