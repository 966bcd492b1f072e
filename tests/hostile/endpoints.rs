//! Endpoints that cannot be: the error names the part that is wrong, and the endpoint.

use std::os::unix::fs::PermissionsExt;

use wirelark::{BindError, ConnectError, EndpointProblem, PullSocket, PushSocket, UnknownEndpoint};

use crate::kit::assert_matches;

/// What a bind and a connect say about a text that is no endpoint: the same.
async fn problem(text: &str) -> EndpointProblem {
    let socket = PushSocket::new();
    let bound = match socket.bind(text).await {
        Err(BindError::Endpoint(error)) => error,
        other => panic!("{other:?}"),
    };
    let connected = match socket.connect(text) {
        Err(ConnectError::Endpoint(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(bound, connected);
    assert_eq!(bound.endpoint, text);
    assert!(
        bound.to_string().contains(&format!("{text:?}")),
        "{bound} does not name {text:?}"
    );
    bound.problem
}

#[tokio::test]
async fn texts_that_are_no_endpoints() {
    assert_matches!(problem("").await, EndpointProblem::MissingScheme);
    assert_matches!(
        problem("localhost:5555").await,
        EndpointProblem::MissingScheme
    );
    assert_matches!(
        problem("udp://127.0.0.1:5555").await,
        EndpointProblem::UnknownScheme { scheme } if scheme == "udp"
    );
    assert_matches!(
        problem("tcp://localhost").await,
        EndpointProblem::MissingPort
    );
    assert_matches!(
        problem("tcp://localhost:70000").await,
        EndpointProblem::InvalidPort { port } if port == "70000"
    );
    assert_matches!(
        problem("tcp://localhost:-1").await,
        EndpointProblem::InvalidPort { port } if port == "-1"
    );
    assert_matches!(problem("tcp://:5555").await, EndpointProblem::EmptyHost);
    assert_matches!(
        problem("tcp://256.0.0.1:5555").await,
        EndpointProblem::InvalidIpv4 { .. }
    );
    assert_matches!(
        problem("tcp://::1:5555").await,
        EndpointProblem::UnbracketedIpv6 { .. }
    );
    assert_matches!(problem("ipc://").await, EndpointProblem::EmptyPath);
    assert_matches!(problem("ipc:///tmp/a\0b").await, EndpointProblem::Nul);
    assert_matches!(
        problem(&format!("ipc:///{}", "x".repeat(107))).await,
        EndpointProblem::PathTooLong {
            length: 108,
            limit: 107
        }
    );
    assert_matches!(problem("inproc://").await, EndpointProblem::EmptyName);
}

#[tokio::test]
async fn wildcards_cannot_be_connected_to() {
    let socket = PushSocket::new();
    let problem = |text: &str| match socket.connect(text) {
        Err(ConnectError::Endpoint(error)) => {
            assert_eq!(error.endpoint, text);
            error.problem
        }
        other => panic!("{other:?}"),
    };
    assert_matches!(problem("tcp://*:5555"), EndpointProblem::WildcardHost);
    assert_matches!(problem("tcp://localhost:*"), EndpointProblem::WildcardPort);
    assert_matches!(problem("ipc://*"), EndpointProblem::WildcardPath);
}

/// Binds one socket where another is bound; the first is not harmed and the second can go
/// elsewhere.
async fn taken(endpoint: &str) {
    let first = PullSocket::new();
    let bound = first.bind(endpoint).await.unwrap();
    let second = PullSocket::new();
    let error = second.bind(&bound).await.unwrap_err();
    match &error {
        BindError::AddressInUse { endpoint, .. } => assert_eq!(endpoint, &bound),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        error.to_string(),
        format!("cannot bind to {bound}: the address is in use")
    );
    // Nor twice by one socket.
    assert_matches!(
        first.bind(&bound).await,
        Err(BindError::AddressInUse { .. })
    );
    second.bind("tcp://127.0.0.1:*").await.unwrap();
    let push = PushSocket::new();
    push.connect(&bound).unwrap();
    push.send("to the first").await.unwrap();
    let message = crate::kit::soon(first.recv()).await.unwrap();
    assert_eq!(message.text(), "to the first");
}

#[tokio::test]
async fn a_port_in_use() {
    taken("tcp://127.0.0.1:*").await;
}

#[tokio::test]
async fn an_ipc_path_in_use() {
    taken("ipc://*").await;
}

#[tokio::test]
async fn an_inproc_name_in_use() {
    taken("inproc://taken in hostile::endpoints").await;
}

#[tokio::test]
async fn an_address_of_another_host() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let error = PullSocket::new()
        .bind("tcp://192.0.2.1:5555")
        .await
        .unwrap_err();
    assert_matches!(error, BindError::AddressNotAvailable { .. });
    assert!(
        error.to_string().contains("tcp://192.0.2.1:5555"),
        "{error}"
    );
}

/// An error and its causes, as a program prints them.
fn said(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[tokio::test]
async fn an_ipc_path_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("ipc://{}/{name}", dir.path().display());
    let socket = PullSocket::new();

    let missing = at("missing/socket");
    let error = socket.bind(missing.as_str()).await.unwrap_err();
    assert_matches!(error, BindError::Io { .. });
    assert!(error.to_string().contains(&missing), "{error}");
    let (BindError::Io { source, .. }, chain) = (&error, said(&error)) else {
        panic!("{error:?}");
    };
    assert_eq!(chain.matches(&source.to_string()).count(), 1, "{chain}");

    std::fs::write(dir.path().join("notes"), "precious").unwrap();
    let notes = at("notes");
    let error = socket.bind(notes.as_str()).await.unwrap_err();
    assert_matches!(error, BindError::NotASocket { .. });
    assert!(error.to_string().contains(&notes), "{error}");
    assert_eq!(
        std::fs::read_to_string(dir.path().join("notes")).unwrap(),
        "precious"
    );
    socket.bind(at("fine").as_str()).await.unwrap();
}

/// The superuser may write anywhere, so this one is for everybody else, and for `/proc`, where
/// nobody may.
#[tokio::test]
async fn without_permission() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    let place = if std::fs::write(closed.join("probe"), "").is_ok() {
        "ipc:///proc/wirelark".to_owned()
    } else {
        format!("ipc://{}/socket", closed.display())
    };
    let error = PullSocket::new().bind(place.as_str()).await.unwrap_err();
    assert_matches!(
        error,
        BindError::PermissionDenied { .. } | BindError::Io { .. }
    );
    assert!(error.to_string().contains(&place), "{error}");
}

#[tokio::test]
async fn endpoints_that_were_never_taken() {
    let socket = PushSocket::new();
    socket.connect("tcp://127.0.0.1:5555").unwrap();
    for error in [
        socket.unbind("tcp://127.0.0.1:5555").unwrap_err(),
        socket.disconnect("tcp://127.0.0.1:5556").unwrap_err(),
        socket.disconnect("nonsense").unwrap_err(),
    ] {
        let UnknownEndpoint { endpoint, .. } = &error;
        assert!(error.to_string().starts_with(endpoint.as_str()), "{error}");
    }
    socket.disconnect("tcp://127.0.0.1:5555").unwrap();
    assert!(socket.disconnect("tcp://127.0.0.1:5555").is_err());
}

#[test]
fn outside_of_a_runtime() {
    let socket = PushSocket::new();
    assert_matches!(
        socket.connect("tcp://127.0.0.1:5555"),
        Err(ConnectError::NoRuntime { .. })
    );
    let bound = futures::FutureExt::now_or_never(socket.bind("tcp://127.0.0.1:*")).unwrap();
    assert_matches!(bound, Err(BindError::NoRuntime { .. }));
    // There is no network in it, so it needs none.
    socket.connect("inproc://no runtime").unwrap();
}
