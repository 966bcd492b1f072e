//! Greeting and handshake, byte by byte as the RFCs and libzmq have them.

use super::*;
use crate::fault::{Incompatible, ProtocolError};
use crate::wire::connection::{Connection, Local};

fn sent_by(local: Local) -> Vec<u8> {
    Connection::new(local).outgoing().clone()
}

fn fault(local: Local, bytes: &[u8]) -> Option<PeerFault> {
    hear(local, [bytes]).fault
}

#[test]
fn our_greeting_is_there_at_once_and_exact() {
    let mut expected = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];
    expected.extend(b"NULL");
    expected.resize(64, 0);
    assert_eq!(sent_by(local(SocketType::Push)), expected);
}

#[test]
fn our_ready_is_exact_and_follows_the_peers_greeting() {
    let table: [(SocketType, &[u8]); 4] = [
        (
            SocketType::Dealer,
            b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0",
        ),
        (
            SocketType::Sub,
            b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB",
        ),
        (
            SocketType::XPub,
            b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04XPUB",
        ),
        (
            SocketType::Req,
            b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0",
        ),
    ];
    for (socket_type, expected) in table {
        let mut listener = Listener::new(local(socket_type));
        let greeting = greeting(3, 1);
        listener.feed(&greeting[..63]);
        assert_eq!(listener.heard.sent.len(), 64, "{socket_type}");
        listener.feed(&greeting[63..]);
        assert_eq!(listener.heard.sent[64..], *expected, "{socket_type}");
    }
    let mut named = local(SocketType::Req);
    named.identity = Bytes::from_static(b"me");
    let sent = hear(named, [&greeting(3, 1)[..]]).sent;
    assert!(sent.ends_with(b"\x08Identity\0\0\0\x02me"));
}

#[test]
fn greetings_that_are_accepted() {
    let variants: [fn(&mut [u8; 64]); 9] = [
        |_| (),
        |bytes| bytes[8] = 1,
        |bytes| bytes[1..9].fill(0xaa),
        |bytes| bytes[9] = 1,
        |bytes| bytes[11] = 0,
        |bytes| bytes[11] = 200,
        |bytes| (bytes[10], bytes[11]) = (4, 0),
        |bytes| bytes[32] = 1,
        |bytes| bytes[33..].fill(0x55),
    ];
    for (index, change) in variants.into_iter().enumerate() {
        let mut greeting = greeting(3, 1);
        change(&mut greeting);
        // In libzmq's stages: 10 bytes, then the major version, then the rest.
        let rest = [&greeting[11..], &ready("PUSH")].concat();
        let pieces = [&greeting[..10], &greeting[10..11], &rest[..]];
        let heard = hear(local(SocketType::Pull), pieces);
        assert_eq!(heard.fault, None, "variant {index}");
        let peer = heard.peer.unwrap();
        assert_eq!(peer.version, (greeting[10], greeting[11]));
        assert_eq!(peer.socket_type, SocketType::Push);
    }
}

#[test]
fn greetings_that_are_refused_on_the_first_byte_that_tells() {
    let version = |major| Incompatible::Version { major, minor: 0 }.into();
    let with = |at: usize, value: u8| {
        let mut bytes = greeting(3, 1);
        bytes[at] = value;
        bytes.to_vec()
    };
    let other = |ours: &'static str, theirs: &str| {
        let theirs = theirs.to_owned();
        PeerFault::from(Incompatible::Mechanism { ours, theirs })
    };
    let not_zmtp = |first| ProtocolError::NotZmtp { first }.into();
    let mut curve = with(12, b'C');
    curve[12..17].copy_from_slice(b"CURVE");
    let table: Vec<(Vec<u8>, usize, PeerFault)> = vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1, not_zmtp(b'G')),
        (vec![0x16, 3, 1, 0, 0xff], 1, not_zmtp(0x16)),
        (vec![0; 64], 1, not_zmtp(0)),
        (vec![1, 0, 1, 0], 1, version(1)),
        (with(9, 0), 10, version(1)),
        (with(10, 0), 11, version(1)),
        (with(10, 1), 11, version(2)),
        (with(10, 2), 11, version(2)),
        (curve, 32, other("NULL", "CURVE")),
        (with(16, b'L'), 32, other("NULL", "NULLL")),
        (with(12, b'n'), 32, other("NULL", "nULL")),
        (with(31, b'x'), 32, other("NULL", "NULL???????????????x")),
    ];
    for (bytes, decided_at, expected) in table {
        let mut listener = Listener::new(local(SocketType::Pull));
        listener.feed(&bytes[..decided_at - 1]);
        assert_eq!(listener.heard.fault, None, "too early: {expected}");
        listener.feed(&bytes[decided_at - 1..decided_at]);
        assert_eq!(listener.heard.fault, Some(expected.clone()));
        // There is no ERROR before both sides know that they speak ZMTP 3.
        listener.connection.refuse(&expected);
        assert!(listener.connection.outgoing().is_empty());
        // The verdict stands, and comes once.
        listener.drain(Room::UNLIMITED);
        assert!(!listener.connection.is_ready());
    }
}

#[test]
fn metadata_is_read() {
    let properties = [
        property("x-Mixed.1", b"\x00\xff"),
        property("sOCKET-tYPE", b"DEALER"),
        property("IDENTITY", b"id\0"),
        property("User-Id", b"root"),
    ];
    let ready = command("READY", &properties.concat());
    let heard = hear(local(SocketType::Router), [&greeting(3, 0)[..], &ready]);
    let expected = PeerInfo {
        socket_type: SocketType::Dealer,
        identity: Bytes::from_static(b"id\0"),
        version: (3, 0),
        properties: vec![
            ("x-Mixed.1".to_owned(), Bytes::from_static(b"\x00\xff")),
            ("User-Id".to_owned(), Bytes::from_static(b"root")),
        ],
    };
    assert_eq!(heard.peer, Some(expected));
    // As libzmq, we do not insist on the command flag in a handshake.
    let plain = frame(0, &ready[2..]);
    let heard = hear(local(SocketType::Router), [&greeting(3, 0)[..], &plain]);
    assert!(heard.peer.is_some());
}

#[test]
fn handshakes_that_are_refused_are_told_why() {
    let malformed =
        |command, what| PeerFault::from(ProtocolError::MalformedCommand { command, what });
    let unexpected = |name: &str| {
        let name = name.to_owned();
        PeerFault::from(ProtocolError::UnexpectedCommand { name })
    };
    let kind = property("Socket-Type", b"PUSH");
    let with = |more: &[u8]| command("READY", &[&kind[..], more].concat());
    let unnamed = "the name is empty or longer than the command";
    let type_mismatch = |theirs: &str| {
        PeerFault::from(Incompatible::SocketType {
            ours: "PULL",
            theirs: theirs.to_owned(),
        })
    };
    let many: Vec<u8> = (0..16)
        .flat_map(|index| property(&format!("X-{index}"), b""))
        .collect();
    let table: Vec<(Vec<u8>, PeerFault)> = vec![
        (ready("PUB"), type_mismatch("PUB")),
        (ready("push"), type_mismatch("push")),
        (ready("GATHER\n"), type_mismatch("GATHER?")),
        (
            command("READY", b""),
            malformed("READY or INITIATE", "the Socket-Type is missing"),
        ),
        (
            with(&[0, 0, 0, 0, 0]),
            malformed(
                "READY or INITIATE",
                "a property name is empty or not printable ASCII",
            ),
        ),
        (
            with(&property("a\0", b"")),
            malformed(
                "READY or INITIATE",
                "a property name is empty or not printable ASCII",
            ),
        ),
        (
            with(&[5, b'a']),
            malformed("READY or INITIATE", "a property name is cut short"),
        ),
        (
            with(&[1, b'a', 0, 0]),
            malformed("READY or INITIATE", "a property length is cut short"),
        ),
        (
            with(&[1, b'a', 0, 0, 0, 1]),
            malformed("READY or INITIATE", "a property value is cut short"),
        ),
        (
            with(&[1, b'a', 255, 255, 255, 255]),
            malformed("READY or INITIATE", "a property value is cut short"),
        ),
        (
            with(&property("Identity", &[1; 256])),
            malformed("READY or INITIATE", "the identity is longer than 255 bytes"),
        ),
        (
            with(&property("Identity", &[0, 1])),
            malformed("READY or INITIATE", "the identity begins with a zero byte"),
        ),
        (
            with(&property("SOCKET-TYPE", b"PUSH")),
            ProtocolError::DuplicateProperty {
                name: "SOCKET-TYPE".to_owned(),
            }
            .into(),
        ),
        (
            with(&[property("X-a", b""), property("x-A", b"")].concat()),
            ProtocolError::DuplicateProperty {
                name: "x-A".to_owned(),
            }
            .into(),
        ),
        (
            with(&many),
            ProtocolError::TooManyProperties { limit: 16 }.into(),
        ),
        (frame(COMMAND, b""), malformed("unnamed", unnamed)),
        (frame(COMMAND, b"\0READY"), malformed("unnamed", unnamed)),
        (frame(COMMAND, b"\x06READY"), malformed("unnamed", unnamed)),
        (
            command("ERROR", b""),
            malformed("ERROR", "the reason is longer than the command"),
        ),
        (
            command("ERROR", b"\x05abcd"),
            malformed("ERROR", "the reason is longer than the command"),
        ),
        (command("PING", b"\0\0"), unexpected("PING")),
        (command("HELLO", b"\0\0"), unexpected("HELLO")),
        (frame(MORE, b"x"), unexpected("multipart message")),
        (vec![COMMAND | MORE], ProtocolError::CommandWithMore.into()),
        (
            vec![0x80],
            ProtocolError::ReservedFlags { flags: 0x80 }.into(),
        ),
    ];
    for (bytes, expected) in table {
        let mut listener = Listener::new(local(SocketType::Pull));
        listener.feed(&greeting(3, 1));
        listener.heard.sent.clear();
        listener.feed(&bytes);
        assert_eq!(listener.heard.fault, Some(expected.clone()));
        listener.connection.refuse(&expected);
        let told = std::mem::take(listener.connection.outgoing());
        assert_eq!(told, command("ERROR", &error_reason(&expected)));
        listener.connection.refuse(&expected);
        assert!(listener.connection.outgoing().is_empty(), "told twice");
    }
}

fn error_reason(fault: &PeerFault) -> Vec<u8> {
    let text = fault.to_string();
    let text = &text[..text.len().min(128)];
    [&[text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn an_error_is_reported_and_not_answered() {
    let bytes = command("ERROR", b"\x04no\n\xfftrailing");
    for ready in [false, true] {
        let mut listener = if ready {
            Listener::ready(local(SocketType::Pull), "PUSH")
        } else {
            Listener::new(local(SocketType::Pull))
        };
        if !ready {
            listener.feed(&greeting(3, 1));
        }
        listener.heard.sent.clear();
        listener.feed(&bytes);
        let reason = "no??".to_owned();
        let expected = PeerFault::Refused { reason };
        assert_eq!(listener.heard.fault, Some(expected.clone()));
        listener.connection.refuse(&expected);
        assert!(listener.connection.outgoing().is_empty());
    }
    // The longest there is, cut for the log.
    let longest = command("ERROR", &[&[255][..], &[b'r'; 255]].concat());
    let bytes = [&greeting(3, 1)[..], &longest].concat();
    let reason = "r".repeat(128);
    assert_eq!(
        fault(local(SocketType::Pull), &bytes),
        Some(PeerFault::Refused { reason })
    );
}

#[test]
fn data_may_follow_ready_in_the_same_segment() {
    let bytes = [opening("PUSH"), multipart(&[b"a", b"b"]), frame(0, b"c")].concat();
    let heard = hear(local(SocketType::Pull), [&bytes[..]]);
    assert!(heard.peer.is_some());
    let messages = vec![
        (false, Message::from(["a", "b"])),
        (false, Message::from("c")),
    ];
    assert_eq!(heard.messages, messages);
}

#[test]
fn who_accepts_the_connection_answers_when_the_peer_is_admitted() {
    let ours = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL";
    for pieces in [
        vec![opening("PUSH")],
        vec![greeting(3, 1).to_vec(), ready("PUSH")],
    ] {
        let mut listener = Listener::new(accepting(SocketType::Pull));
        listener.admits = false;
        for piece in pieces {
            listener.feed(&piece);
        }
        assert!(listener.heard.peer.is_some());
        assert_eq!(listener.heard.sent.len(), 64, "nothing but the greeting");
        assert!(!listener.connection.is_ready());
        listener.admit();
        assert!(listener.connection.is_ready());
        assert_eq!(listener.connection.outgoing(), ours);
        // Leave is taken once.
        listener.admit();
        assert_eq!(listener.connection.outgoing(), ours);
    }
}

#[test]
fn who_dials_is_ready_at_once_and_answers_nothing() {
    let mut listener = Listener::new(local(SocketType::Push));
    listener.admits = false;
    listener.feed(&opening("PULL"));
    assert!(listener.heard.sent.ends_with(b"\x04PUSH"));
    assert!(!listener.connection.is_ready());
    listener.admit();
    assert!(listener.connection.is_ready());
    assert!(listener.connection.outgoing().is_empty());
}

#[test]
fn nothing_is_heard_of_a_peer_that_is_being_judged() {
    for local in [local(SocketType::Pull), accepting(SocketType::Pull)] {
        let mut listener = Listener::new(local);
        listener.admits = false;
        // The second of them breaks the protocol, which is found out when it is its turn.
        listener.feed(&[opening("PUSH"), frame(0, b"hello"), vec![0x80]].concat());
        listener.drain(Room::UNLIMITED);
        assert_eq!(
            (listener.messages(), listener.heard.fault.take()),
            (vec![], None)
        );
        assert_eq!(listener.connection.deadline(), None);
        listener.admit();
        listener.drain(Room::UNLIMITED);
        assert_eq!(listener.messages(), [Message::from("hello")]);
        assert!(listener.heard.fault.is_some());
    }
}

#[test]
fn leave_for_a_peer_that_has_said_nothing_is_worth_nothing() {
    for bytes in [&[][..], &greeting(3, 1)[..], b"GET "] {
        let mut listener = Listener::new(accepting(SocketType::Pull));
        listener.feed(bytes);
        listener.connection.outgoing().clear();
        listener.admit();
        assert!(!listener.connection.is_ready());
        assert!(listener.connection.outgoing().is_empty());
    }
}
