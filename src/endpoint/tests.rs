//! Endpoints: tables of good and bad text, and properties over any text.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn problem(text: &str) -> EndpointProblem {
    let error = Endpoint::try_from(text).expect_err(text);
    assert!(error.to_string().contains("endpoint"), "{error}");
    error.problem
}

#[test]
fn good_endpoints_print_as_they_were_written() {
    for text in [
        "tcp://127.0.0.1:5555",
        "tcp://0.0.0.0:1",
        "tcp://*:5555",
        "tcp://*:*",
        "tcp://localhost:65535",
        "tcp://My-Host_1.example.com.:5555",
        "tcp://3com.example:5555",
        "tcp://[::]:5555",
        "tcp://[::1]:*",
        "tcp://[fe80::1%eth0]:5555",
        "tcp://[fe80::1%2]:5555",
        "tcp://192.168.1.17:*;192.168.1.1:5555",
        "tcp://*:4000;host:5555",
        "tcp://[::1]:*;[::1]:5555",
        "tcp://eth0.100:*;server:5555",
        "ipc:///tmp/a socket",
        "ipc://relative/path",
        "ipc://*",
        "ipc://**",
        "ipc://@abstract",
        "ipc://@*",
        "ipc://ü",
        "inproc://name",
        "inproc://*",
        "inproc:// spaces, too://",
    ] {
        let endpoint = Endpoint::try_from(text).expect(text);
        assert_eq!(endpoint.to_string(), text);
    }
}

#[test]
fn numbers_take_their_usual_form() {
    for (text, printed) in [
        ("tcp://[0:0::1]:0080", "tcp://[::1]:80"),
        ("tcp://[::ffff:1.2.3.4]:1", "tcp://[::ffff:1.2.3.4]:1"),
        ("tcp://*:0", "tcp://*:*"),
    ] {
        let endpoint: Endpoint = text.parse().expect(text);
        assert_eq!(endpoint.to_string(), printed);
        assert_eq!(Endpoint::try_from(printed), Ok(endpoint));
    }
}

#[test]
fn scheme_errors() {
    for text in ["", "tcp", "tcp:/x:1", "127.0.0.1:5555", "tcp:localhost:1"] {
        assert_eq!(problem(text), EndpointProblem::MissingScheme, "{text}");
    }
    for (text, scheme) in [
        ("udp://host:1", "udp"),
        ("TCP://host:1", "TCP"),
        ("://host:1", ""),
        (" tcp://host:1", " tcp"),
    ] {
        let scheme = scheme.to_owned();
        assert_eq!(problem(text), EndpointProblem::UnknownScheme { scheme });
    }
    let message = Endpoint::try_from("pgm://x").expect_err("pgm").to_string();
    assert_eq!(
        message,
        "endpoint \"pgm://x\": the transport \"pgm\" is unknown; known are tcp, ipc and inproc"
    );
}

#[test]
fn port_errors() {
    for text in [
        "tcp://localhost",
        "tcp://localhost:",
        "tcp://*",
        "tcp://*5555",
        "tcp://localhost 5555",
        "tcp://[::1]",
        "tcp://[::1]5555",
        "tcp://[::1]:",
        "tcp://eth0;host:5555",
        "tcp://eth0:1;host",
    ] {
        assert_eq!(problem(text), EndpointProblem::MissingPort, "{text}");
    }
    for port in [
        "70000", "65536", "-1", "+5555", "http", "5555/", "5 5", " 5", "0x10", "**", "٣",
    ] {
        let port = port.to_owned();
        let text = format!("tcp://localhost:{port}");
        assert_eq!(problem(&text), EndpointProblem::InvalidPort { port });
    }
}

#[test]
fn host_errors() {
    for text in ["tcp://:5555", "tcp://", "tcp://:"] {
        assert_eq!(problem(text), EndpointProblem::EmptyHost, "{text}");
    }
    for (host, character) in [
        ("in valid", ' '),
        ("a\0b", '\0'),
        ("a/b", '/'),
        ("user@host", '@'),
        ("münchen", 'ü'),
        ("*.example", '*'),
        ("a]", ']'),
    ] {
        let text = format!("tcp://{host}:5555");
        let host = host.to_owned();
        assert_eq!(
            problem(&text),
            EndpointProblem::HostCharacter { host, character }
        );
    }
    for host in [
        "127.1",
        "256.0.0.1",
        "1.2.3.4.5",
        "010.0.0.1",
        "12345",
        "1.2.3.4.",
        "0x7f.1",
    ] {
        let text = format!("tcp://{host}:5555");
        let host = host.to_owned();
        assert_eq!(problem(&text), EndpointProblem::InvalidIpv4 { host });
    }
    for host in ["a..b", ".a", "a..", "."] {
        let text = format!("tcp://{host}:5555");
        assert!(
            matches!(problem(&text), EndpointProblem::HostLabel { .. }),
            "{host}"
        );
    }
    let label = format!("tcp://{}.org:1", "a".repeat(64));
    assert!(matches!(
        problem(&label),
        EndpointProblem::HostLabel { limit: 63, .. }
    ));
    let long = format!("tcp://{}:1", "a.".repeat(127));
    assert_eq!(
        problem(&long),
        EndpointProblem::HostTooLong {
            length: 254,
            limit: 253
        }
    );
}

#[test]
fn ipv6_errors() {
    for text in ["tcp://::1:5555", "tcp://localhost:80:5555"] {
        assert!(
            matches!(problem(text), EndpointProblem::UnbracketedIpv6 { .. }),
            "{text}"
        );
    }
    for text in [
        "tcp://[::1:5555",
        "tcp://[]:5555",
        "tcp://[*]:5555",
        "tcp://[1.2.3.4]:5555",
        "tcp://[:::1]:5555",
        "tcp://[%eth0]:5555",
        "tcp://[[::1]]:5555",
        "tcp://[",
    ] {
        assert!(
            matches!(problem(text), EndpointProblem::InvalidIpv6 { .. }),
            "{text}"
        );
    }
    for zone in ["", "a b", "a%b", "interface-name-16"] {
        let text = format!("tcp://[fe80::1%{zone}]:5555");
        let zone = zone.to_owned();
        assert_eq!(
            problem(&text),
            EndpointProblem::InvalidZone { zone, limit: 15 }
        );
    }
}

#[test]
fn ipc_and_inproc_errors() {
    assert_eq!(problem("ipc://"), EndpointProblem::EmptyPath);
    assert_eq!(problem("ipc://@"), EndpointProblem::EmptyAbstractName);
    assert_eq!(problem("ipc://a\0b"), EndpointProblem::Nul);
    assert_eq!(problem("inproc://"), EndpointProblem::EmptyName);
    assert_eq!(problem("inproc://a\0"), EndpointProblem::Nul);

    let path = |length| format!("ipc://{}", "p".repeat(length));
    assert!(Endpoint::try_from(path(107)).is_ok());
    let (length, limit) = (108, 107);
    assert_eq!(
        problem(&path(108)),
        EndpointProblem::PathTooLong { length, limit }
    );

    let name = |length| format!("inproc://{}", "n".repeat(length));
    assert!(Endpoint::try_from(name(256)).is_ok());
    let (length, limit) = (257, 256);
    assert_eq!(
        problem(&name(257)),
        EndpointProblem::NameTooLong { length, limit }
    );
}

#[test]
fn wildcards_cannot_be_connected_to() {
    for (text, expected) in [
        ("tcp://*:5555", EndpointProblem::WildcardHost),
        ("tcp://localhost:*", EndpointProblem::WildcardPort),
        ("tcp://127.0.0.1:0", EndpointProblem::WildcardPort),
        ("ipc://*", EndpointProblem::WildcardPath),
    ] {
        let endpoint = Endpoint::try_from(text).expect(text);
        let error = endpoint.check_connectable().expect_err(text);
        assert_eq!(error.problem, expected);
    }
    for text in [
        "tcp://0.0.0.0:5555",
        "tcp://[::]:5555",
        "tcp://a:1",
        "ipc://a",
        "ipc://@a",
        "inproc://*",
    ] {
        let endpoint = Endpoint::try_from(text).expect(text);
        assert_eq!(endpoint.check_connectable(), Ok(()));
    }
}

#[test]
fn a_source_is_for_connections() {
    let endpoint = Endpoint::try_from("tcp://lo:*;host:1").expect("good");
    assert_eq!(endpoint.check_connectable(), Ok(()));
    let error = endpoint.check_bindable().expect_err("a source");
    assert_eq!(error.problem, EndpointProblem::SourceInBind);
    for text in ["tcp://;h:1", "tcp://h:1;", "tcp://a:1;b:1;c:1"] {
        Endpoint::try_from(text).expect_err(text);
    }
}

#[test]
fn a_bind_takes_text_and_endpoints_alike() {
    fn take<E>(endpoint: E) -> Result<Endpoint, EndpointError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        endpoint.try_into().map_err(Into::into)
    }
    let text = "tcp://*:1".to_owned();
    let endpoint = take(text.as_str()).expect("a good endpoint");
    let all = [
        take(&text),
        take(text),
        take(&endpoint),
        take(endpoint.clone()),
    ];
    let all: HashSet<Endpoint> = all.into_iter().flatten().collect();
    assert_eq!(all, HashSet::from([endpoint]));
}

#[test]
fn parts_can_be_asked_for() {
    let Ok(Endpoint::Tcp(tcp)) = Endpoint::try_from("tcp://[fe80::1%eth0]:*") else {
        panic!("not tcp")
    };
    assert_eq!((tcp.host().as_str(), tcp.port()), ("fe80::1%eth0", None));
    let Ok(Endpoint::Ipc(ipc)) = Endpoint::try_from("ipc:///a") else {
        panic!("not ipc")
    };
    assert_eq!(
        (ipc.path(), ipc.abstract_name()),
        (Some(Path::new("/a")), None)
    );
    let Ok(Endpoint::Ipc(ipc)) = Endpoint::try_from("ipc://@a") else {
        panic!("not ipc")
    };
    assert_eq!((ipc.path(), ipc.abstract_name()), (None, Some("a")));
    let Ok(Endpoint::Tcp(tcp)) = Endpoint::try_from("tcp://eth1:*;server:5555") else {
        panic!("not tcp")
    };
    let source = tcp.source().expect("a source");
    assert_eq!((source.host().as_str(), source.port()), ("eth1", None));
    assert_eq!((tcp.host().as_str(), tcp.port()), ("server", Some(5555)));
    let address = "[fe80::1%7]:9".parse::<SocketAddr>().expect("an address");
    assert_eq!(Endpoint::from(address).to_string(), "tcp://[fe80::1%7]:9");
    assert_eq!(Endpoint::from(address).port(), Some(9));
}

#[test]
fn errors_stay_short() {
    let error = Endpoint::try_from("ü".repeat(1_000_000)).expect_err("no scheme");
    assert!(error.to_string().len() < 1000);
}

proptest! {
    #[test]
    fn any_text_parses_or_fails_without_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn nearly_right_text_parses_or_fails_without_panic(
        text in "(tcp|ipc|inproc)://[\\[\\]:*%@.0-9a-f/ \\x00ü-]{0,40}(:[0-9*]{1,6})?",
    ) {
        check(&text);
    }

    #[test]
    fn right_text_parses(
        text in "tcp://([a-z][a-z0-9-]{0,9}(\\.[a-z]{1,9}){0,3}|\\*|\\[([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\\]):(\\*|[1-9][0-9]{0,3})",
    ) {
        prop_assert!(Endpoint::try_from(&text).is_ok(), "{text}");
        check(&text);
    }
}

/// What is printed parses to the same value, whatever was read.
fn check(text: &str) {
    match Endpoint::try_from(text) {
        Ok(endpoint) => {
            let _ = endpoint.check_connectable();
            let printed = endpoint.to_string();
            assert_eq!(Endpoint::try_from(&printed), Ok(endpoint));
        }
        Err(error) => assert!(!error.to_string().contains('\0')),
    }
}
