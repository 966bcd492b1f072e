//! What the kernel was told: every option, read back from the sockets at both ends.

use socket2::Socket;

use super::*;
use crate::options::Interface;

/// The dialer's and the acceptor's socket, both made with these options.
async fn both_ends(options: &TransportOptions) -> [Socket; 2] {
    both_ends_at("tcp://127.0.0.1:*", options).await
}

async fn both_ends_at(text: &str, options: &TransportOptions) -> [Socket; 2] {
    let listener = bind(&endpoint(text), options).await.expect(text);
    let (dialed, accepted) = tokio::join!(
        connect(listener.endpoint(), options),
        tokio::time::timeout(DEADLINE, listener.accept())
    );
    let (accepted, _) = accepted.expect("in time").expect("a connection");
    accepted.tune(options);
    [dialed.expect("a connection").0, accepted]
        .map(|stream| tcp_stream(stream).into_std().expect("a socket").into())
}

#[tokio::test]
async fn buffers() {
    // Linux doubles what it is told and has a least size of its own: two sizes tell that ours arrive.
    let sizes = async |bytes| {
        let options = TransportOptions {
            send_buffer: Some(bytes),
            recv_buffer: Some(bytes),
            ..TransportOptions::default()
        };
        both_ends(&options).await.map(|socket| {
            let send = socket.send_buffer_size().expect("a size");
            let recv = socket.recv_buffer_size().expect("a size");
            (send, recv)
        })
    };
    let (small, large) = (sizes(16_000).await, sizes(32_000).await);
    for (small, large) in small.into_iter().zip(large) {
        assert!(small.0 >= 16_000 && small.1 >= 16_000, "{small:?}");
        assert_eq!((small.0 * 2, small.1 * 2), large);
    }
    // More than any kernel gives is as much as it gives.
    sizes(u32::MAX).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn marks_on_packets() {
    let options = TransportOptions {
        tos: Some(0x28),
        priority: Some(5),
        tcp_user_timeout: Some(Duration::from_millis(12_345)),
        ..TransportOptions::default()
    };
    for socket in both_ends(&options).await {
        assert_eq!(socket.tos_v4().expect("tos"), 0x28);
        assert_eq!(socket.priority().expect("priority"), 5);
        let timeout = socket.tcp_user_timeout().expect("a timeout");
        assert_eq!(timeout, Some(Duration::from_millis(12_345)));
    }
    let least = TransportOptions {
        tcp_user_timeout: Some(Duration::from_nanos(1)),
        ..TransportOptions::default()
    };
    for socket in both_ends(&least).await {
        let timeout = socket.tcp_user_timeout().expect("a timeout");
        assert_eq!(timeout, Some(Duration::from_millis(1)));
    }
    for socket in both_ends(&TransportOptions::default()).await {
        assert_eq!(socket.tos_v4().expect("tos"), 0);
        assert_eq!(socket.tcp_user_timeout().expect("a timeout"), None);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_traffic_class_of_ipv6() {
    let options = TransportOptions {
        tos: Some(0x48),
        ..TransportOptions::default()
    };
    if bind(&endpoint("tcp://[::1]:*"), &options).await.is_err() {
        return;
    }
    for socket in both_ends_at("tcp://[::1]:*", &options).await {
        assert_eq!(socket.tclass_v6().expect("class"), 0x48);
    }
}

/// To raise it takes a capability that a test may not have.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn busy_polling() {
    let options = TransportOptions {
        busy_poll: Some(Duration::from_micros(50)),
        ..TransportOptions::default()
    };
    match bind(&endpoint("tcp://127.0.0.1:*"), &options).await {
        Ok(_) => {
            both_ends(&options).await;
        }
        Err(error) => assert!(
            matches!(error, BindError::PermissionDenied { .. }),
            "{error}"
        ),
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_only_interface() {
    let through = |name| TransportOptions {
        interface: Some(Interface::new(name).expect("a name")),
        ..TransportOptions::default()
    };
    match bind(&endpoint("tcp://127.0.0.1:*"), &through("lo")).await {
        Ok(_) => {
            for socket in both_ends(&through("lo")).await {
                assert_eq!(socket.device().expect("a device"), Some(b"lo".to_vec()));
            }
        }
        // Old kernels want a capability for it.
        Err(error) => assert!(
            matches!(error, BindError::PermissionDenied { .. }),
            "{error}"
        ),
    }
    let nowhere = bind(&endpoint("tcp://127.0.0.1:*"), &through("no-such-device")).await;
    nowhere.expect_err("there is no such device");
    let listener = bound("tcp://127.0.0.1:*").await;
    let dialed = connect(listener.endpoint(), &through("no-such-device")).await;
    dialed.expect_err("there is no such device");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interface_is_bound_by_name() {
    let options = TransportOptions::default();
    let listener = bound("tcp://lo:*").await;
    let port = listener.endpoint().port().expect("a port");
    assert_eq!(
        listener.endpoint().to_string(),
        format!("tcp://127.0.0.1:{port}")
    );
    connect(listener.endpoint(), &options).await.expect("there");
    // Neither an interface nor a host.
    let error = bind(&endpoint("tcp://eth-none.invalid:*"), &options).await;
    error.expect_err("there is none");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_comes_from_its_source() {
    let options = TransportOptions::default();
    let listener = bound("tcp://127.0.0.1:*").await;
    let port = listener.endpoint().port().expect("a port");
    for (source, address) in [
        ("127.0.0.7", "127.0.0.7"),
        ("lo", "127.0.0.1"),
        ("*", "127.0.0.1"),
    ] {
        let text = format!("tcp://{source}:*;127.0.0.1:{port}");
        let endpoint = endpoint(&text);
        let (dialed, accepted) = tokio::join!(
            connect(&endpoint, &options),
            tokio::time::timeout(DEADLINE, listener.accept())
        );
        dialed.expect(&text);
        let (_, peer) = accepted.expect("in time").expect("a connection");
        assert!(
            peer.to_string().starts_with(&format!("tcp://{address}:")),
            "{peer}"
        );
    }
    let (socket, free) = dead_address();
    drop(socket);
    let from = endpoint(&format!("tcp://127.0.0.1:{};127.0.0.1:{port}", free.port()));
    let dialed = connect(&from, &options).await.expect("from that port");
    assert_eq!(tcp_stream(dialed.0).local_addr().expect("bound"), free);

    let other_family = endpoint(&format!("tcp://[::1]:*;127.0.0.1:{port}"));
    let error = connect(&other_family, &options)
        .await
        .expect_err("families differ");
    assert_eq!(error.source.kind(), io::ErrorKind::AddrNotAvailable);
    let not_ours = endpoint(&format!("tcp://192.0.2.1:*;127.0.0.1:{port}"));
    let error = connect(&not_ours, &options)
        .await
        .expect_err("none of ours");
    assert_eq!(error.source.kind(), io::ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn ipv6_can_be_left_out() {
    let options = TransportOptions {
        ipv6: false,
        ..TransportOptions::default()
    };
    for text in ["tcp://[::1]:*", "tcp://[::]:*", "tcp://[fe80::1%1]:*"] {
        let error = bind(&endpoint(text), &options).await.expect_err(text);
        assert!(
            matches!(error, BindError::AddressNotAvailable { .. }),
            "{error}"
        );
    }
    let error = connect(&endpoint("tcp://[::1]:9"), &options).await;
    assert_eq!(
        error.expect_err("left out").source.kind(),
        io::ErrorKind::AddrNotAvailable
    );
    let listener = bind(&endpoint("tcp://localhost:*"), &options)
        .await
        .expect("ipv4");
    assert!(listener.endpoint().to_string().starts_with("tcp://127."));
}

/// A full backlog makes the kernel leave further connections without an answer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_backlog_is_as_long_as_chosen() {
    let options = TransportOptions {
        backlog: 1,
        connect_timeout: Some(Duration::from_millis(300)),
        ..TransportOptions::default()
    };
    let listener = bind(&endpoint("tcp://127.0.0.1:*"), &options)
        .await
        .expect("bound");
    let mut waiting = Vec::new();
    let error = loop {
        match connect(listener.endpoint(), &options).await {
            Ok(connection) => waiting.push(connection),
            Err(error) => break error.source,
        }
        assert!(waiting.len() < 10, "the backlog is longer");
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
