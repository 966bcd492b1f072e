//! PLAIN between two connections, and what a broken peer may say in its place.

use super::*;
use crate::fault::ProtocolError;
use crate::security::secret::Secret;

fn client(username: &[u8], password: &[u8]) -> Local {
    Local {
        mechanism: Mechanism::PlainClient {
            username: Secret::new(username),
            password: Secret::new(password),
        },
        ..local(SocketType::Dealer)
    }
}

fn server() -> Local {
    Local {
        mechanism: Mechanism::PlainServer,
        ..accepting(SocketType::Dealer)
    }
}

fn greeting() -> [u8; 64] {
    let mut greeting = super::greeting(3, 1);
    greeting[12..17].copy_from_slice(b"PLAIN");
    greeting
}

const HELLO: &[u8] = b"\x03ada\x08lovelace";

fn dealer() -> Vec<u8> {
    property("Socket-Type", b"DEALER")
}

/// A server that has been told this.
fn told(frames: &[Vec<u8>]) -> Listener {
    let mut listener = Listener::new(server());
    listener.admits = false;
    listener.feed(&greeting());
    for frame in frames {
        listener.feed(frame);
    }
    listener
}

#[test]
fn a_client_says_what_rfc_24_has_it_say() {
    let mut listener = Listener::new(client(b"ada", b"lovelace"));
    listener.feed(&greeting());
    assert_eq!(listener.heard.sent[64..], command("HELLO", HELLO));
    listener.heard.sent.clear();
    listener.feed(&command("WELCOME", b""));
    assert!(
        listener
            .heard
            .sent
            .starts_with(b"\x04\x2c\x08INITIATE\x0bSocket-Type")
    );
    assert!(listener.heard.peer.is_none());
    listener.feed(&command("READY", &dealer()));
    assert!(listener.heard.peer.is_some() && listener.connection.is_ready());
}

#[test]
fn a_server_is_not_ready_before_the_verdict() {
    let mut listener = told(&[command("HELLO", HELLO)]);
    assert_eq!(listener.heard.sent[64..], command("WELCOME", b""));
    listener.heard.sent.clear();
    listener.feed(&command("INITIATE", &dealer()));
    assert!(listener.heard.peer.is_some() && listener.heard.sent.is_empty());
    let Some(Credentials::Plain { username, password }) = &listener.credentials else {
        panic!("{:?}", listener.credentials);
    };
    assert_eq!(username, b"ada");
    assert!(password.is("lovelace"));
    assert!(!format!("{:?}", listener.credentials).contains("ada"));
    listener.admit();
    assert!(
        listener
            .connection
            .outgoing()
            .starts_with(b"\x04\x29\x05READY")
    );
}

#[test]
fn names_and_passwords_may_be_empty_or_255_bytes_long() {
    for (username, password) in [(vec![], vec![]), (vec![b'a'; 255], vec![0; 255])] {
        let mut one = Listener::new(client(&username, &password));
        one.feed(&greeting());
        let mut other = told(&[one.heard.sent[64..].to_vec()]);
        other.feed(&command("INITIATE", &dealer()));
        let Some(Credentials::Plain {
            username: known,
            password: given,
        }) = &other.credentials
        else {
            panic!("{:?}", other.heard.fault);
        };
        assert_eq!(*known, username);
        assert_eq!(given.expose(), password);
    }
}

#[test]
fn a_hello_is_read_by_the_letter() {
    for cut in 0..HELLO.len() {
        let listener = told(&[command("HELLO", &HELLO[..cut])]);
        let fault = listener.heard.fault.expect("it is cut short");
        assert!(matches!(
            fault,
            PeerFault::Protocol(ProtocolError::MalformedCommand { .. })
        ));
        assert_eq!(listener.heard.sent.len(), 64);
    }
    let long = [HELLO, b"x"].concat();
    assert!(told(&[command("HELLO", &long)]).heard.fault.is_some());
}

#[test]
fn whatever_comes_out_of_turn_ends_the_connection() {
    let commands = [
        command("WELCOME", b""),
        command("INITIATE", &dealer()),
        command("READY", &dealer()),
        command("ERROR", b"\x03400"),
        command("PING", &[0, 0]),
        frame(0, b"hello"),
    ];
    for first in &commands {
        assert!(told(std::slice::from_ref(first)).heard.fault.is_some());
        if !first[3..].starts_with(b"INITIATE") {
            let listener = told(&[command("HELLO", HELLO), first.clone()]);
            assert!(listener.heard.fault.is_some() && listener.heard.peer.is_none());
        }
    }
    let mut again = told(&[command("HELLO", HELLO), command("HELLO", HELLO)]);
    let fault = again.heard.fault.take().expect("it has been said");
    // Not a word to somebody who has proved nothing.
    again.connection.refuse(&fault);
    assert!(again.connection.outgoing().is_empty());
}

#[test]
fn a_client_hears_a_verdict_and_libzmq_misspelling_it() {
    let errors = [
        (
            command("ERROR", b"\x03400"),
            PeerFault::Denied { status: 400 },
        ),
        (
            command("ERROR", b"\x03300"),
            PeerFault::Denied { status: 300 },
        ),
        (
            frame(COMMAND, b"^RROR\x03400"),
            PeerFault::Denied { status: 400 },
        ),
        (
            command("ERROR", b"\x03600"),
            PeerFault::Refused {
                reason: "600".into(),
            },
        ),
        (
            command("ERROR", b"\x04no\x00w"),
            PeerFault::Refused {
                reason: "no?w".into(),
            },
        ),
    ];
    for welcome in [false, true] {
        for (error, expected) in &errors {
            let mut listener = Listener::new(client(b"ada", b"byron"));
            listener.feed(&greeting());
            if welcome {
                listener.feed(&command("WELCOME", b""));
            }
            listener.feed(error);
            assert_eq!(listener.heard.fault.as_ref(), Some(expected));
        }
    }
}
