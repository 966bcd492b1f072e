//! Who is let in by which authenticator over which mechanism, and what each side learns.

use std::time::Duration;

use wirelark::{
    Addresses, ClientKeys, Incompatible, Passwords, PeerFault, ProtocolError, PublicKey,
    SecurityFault,
};

use super::kit::raw::RawPeer;
use super::*;

#[tokio::test]
async fn an_authenticator_that_lets_in_does_so_over_every_mechanism() {
    for Mechanism {
        name,
        client,
        server,
        keys,
    } in mechanisms()
    {
        let access = answers(|request| Verdict::admit(request.credentials().mechanism()));
        meet(server(access, &keys), client)
            .await
            .succeeds(Some(name))
            .await;
    }
}

struct PanicsAsItGoes;

impl Drop for PanicsAsItGoes {
    fn drop(&mut self) {
        panic!("as it goes");
    }
}

#[tokio::test]
async fn whatever_else_it_does_nobody_gets_in() {
    type Case = (&'static str, fn() -> Access, u16);
    let cases: [Case; 8] = [
        ("refuses", || answers(|_| Verdict::refuse("no")), 400),
        (
            "is busy",
            || answers(|_| Verdict::refuse_for_now("no")),
            300,
        ),
        ("gives up", || answers(|_| Verdict::fail("no")), 500),
        (
            "fails",
            || Access::by(from_fn(|_| async { Err("no".into()) })),
            300,
        ),
        (
            "panics",
            || {
                Access::by(from_fn(|request| async move {
                    assert!(request.domain() == "none", "no");
                    Ok(Verdict::admit_nobody())
                }))
            },
            300,
        ),
        (
            "panics before it begins",
            || {
                Access::by(from_fn(|request| {
                    assert!(request.domain() == "none", "no");
                    async { Ok(Verdict::admit_nobody()) }
                }))
            },
            300,
        ),
        (
            "panics when it is given up",
            || {
                let silence = from_fn(|_| async {
                    let _panics = PanicsAsItGoes;
                    std::future::pending().await
                });
                Access::by(silence).deadline(Duration::from_millis(20))
            },
            300,
        ),
        (
            "is silent",
            || {
                let silence = from_fn(|_| std::future::pending());
                Access::by(silence).deadline(Duration::from_millis(20))
            },
            300,
        ),
    ];
    for (what, access, status) in cases {
        for Mechanism {
            name,
            client,
            server,
            keys,
        } in mechanisms()
        {
            let meeting = meet(server(access(), &keys), client).await;
            let (own, theirs) = meeting.fails().await;
            let DisconnectReason::Denied(denial) = &own else {
                panic!("{name} {what}: {own:?}");
            };
            assert_eq!(denial.status(), status, "{name} {what}");
            // The other side learns a status, or that the connection has ended; never why.
            let fits = match (&theirs, status) {
                (DisconnectReason::PeerClosed | DisconnectReason::Io(_), 300) => true,
                // libzmq's clients would give up.
                (_, 300) => false,
                (DisconnectReason::Fault(PeerFault::Denied { status: told, .. }), _) => {
                    *told == status
                }
                (DisconnectReason::Fault(PeerFault::Refused { reason, .. }), _) => {
                    name == "NULL" && *reason == status.to_string()
                }
                _ => false,
            };
            assert!(fits, "{name} {what}: {theirs:?}");
        }
    }
}

#[tokio::test]
async fn credentials_are_compared() {
    let passwords = || Access::by(Passwords::new().with("ada", PASSWORD).with("eve", "x"));
    let plain = |name, password| Security::Plain {
        login: Login::new(name, password).unwrap(),
    };
    let server = || Security::PlainServer {
        access: passwords(),
    };
    meet(server(), plain("ada", PASSWORD))
        .await
        .succeeds(Some("ada"))
        .await;
    for (name, password) in [
        ("ada", WRONG),
        ("ada", ""),
        ("eve", PASSWORD),
        ("bob", ""),
        ("", ""),
    ] {
        let (own, theirs) = meet(server(), plain(name, password)).await.fails().await;
        assert!(matches!(own, DisconnectReason::Denied(_)), "{own:?}");
        assert!(
            matches!(
                theirs,
                DisconnectReason::Fault(PeerFault::Denied { status: 400, .. })
            ),
            "{theirs:?}"
        );
    }
    // A password that nobody checks lets nobody in.
    let anybody = Security::PlainServer {
        access: Access::anybody(),
    };
    meet(anybody, plain("ada", PASSWORD)).await.fails().await;

    let (server, client) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let curve = |access| Security::CurveServer {
        keys: server.clone(),
        access,
    };
    let known = || Access::by(ClientKeys::new([*client.public()]));
    let wants = |keys| Security::Curve {
        server: *server.public(),
        keys,
    };
    let user = client.public().to_string();
    meet(curve(known()), wants(client.clone()))
        .await
        .succeeds(Some(&user))
        .await;
    let stranger = KeyPair::generate().unwrap();
    meet(curve(known()), wants(stranger.clone()))
        .await
        .fails()
        .await;
    meet(curve(Access::anybody()), wants(stranger))
        .await
        .succeeds(None)
        .await;
    // Keys are not passwords.
    meet(curve(passwords()), wants(client.clone()))
        .await
        .fails()
        .await;

    let here = || Addresses::new().allow([127, 0, 0, 1], 32);
    let access = Access::by(here().before(ClientKeys::new([*client.public()])));
    meet(curve(access), wants(client.clone()))
        .await
        .succeeds(Some(&user))
        .await;
    let access = Access::by(here().before(ClientKeys::default()));
    meet(curve(access), wants(client.clone()))
        .await
        .fails()
        .await;
    let denied = Addresses::new().deny([127, 0, 0, 0], 8);
    let access = Access::by(denied.before(ClientKeys::new([*client.public()])));
    meet(curve(access), wants(client)).await.fails().await;
}

#[tokio::test]
async fn who_speaks_another_mechanism_is_turned_away() {
    let all = mechanisms();
    for server in &all {
        for client in &all {
            if server.name == client.name {
                continue;
            }
            let asked = answers(|_| panic!("nobody is to be asked"));
            let security = (server.server)(asked, &server.keys);
            let (own, _) = meet(security, client.client.clone()).await.fails().await;
            assert!(
                matches!(
                    own,
                    DisconnectReason::Fault(PeerFault::Incompatible(_))
                        | DisconnectReason::PeerClosed
                        | DisconnectReason::Io(_)
                ),
                "{} at {}: {own:?}",
                client.name,
                server.name
            );
        }
    }
}

/// Everybody could be that server.
#[tokio::test]
async fn nobody_is_a_server_whose_key_keeps_no_secret() {
    let [_, _, curve] = mechanisms();
    let server = (curve.server)(answers(|_| panic!("nobody is to be asked")), &curve.keys);
    let client = Security::Curve {
        server: PublicKey::from_bytes([0; 32]),
        keys: KeyPair::generate().unwrap(),
    };
    let (_, theirs) = meet(server, client).await.fails().await;
    assert!(
        matches!(
            theirs,
            DisconnectReason::Fault(PeerFault::Security(SecurityFault::WeakKey))
        ),
        "{theirs:?}"
    );
}

#[tokio::test]
async fn two_of_the_same_role_do_not_meet() {
    let [_, plain, curve] = mechanisms();
    for both in [plain, curve] {
        let asked = || answers(|_| panic!("nobody is to be asked"));
        let servers = || (both.server)(asked(), &both.keys);
        for (one, other) in [
            (servers(), servers()),
            (both.client.clone(), both.client.clone()),
        ] {
            let (own, theirs) = meet(one, other).await.fails().await;
            for reason in [own, theirs] {
                assert!(
                    matches!(
                        reason,
                        DisconnectReason::Fault(PeerFault::Incompatible(
                            Incompatible::TwoServers { .. }
                        )) | DisconnectReason::Fault(PeerFault::Protocol(
                            ProtocolError::UnexpectedCommand { .. }
                        )) | DisconnectReason::PeerClosed
                            | DisconnectReason::Io(_)
                    ),
                    "{}: {reason:?}",
                    both.name
                );
            }
        }
    }
}

#[tokio::test]
async fn a_client_with_the_wrong_server_key_learns_nothing() {
    let (server, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let client = Security::Curve {
        server: *other.public(),
        keys: KeyPair::generate().unwrap(),
    };
    let server = Security::CurveServer {
        keys: server,
        access: Access::anybody(),
    };
    let (own, theirs) = meet(server, client).await.fails().await;
    assert!(
        matches!(
            own,
            DisconnectReason::Fault(PeerFault::Security(SecurityFault::Box {
                command: "HELLO",
                ..
            }))
        ),
        "{own:?}"
    );
    assert!(
        matches!(
            theirs,
            DisconnectReason::PeerClosed | DisconnectReason::Io(_)
        ),
        "{theirs:?}"
    );
}

/// ZMTP 1.0 has no mechanisms, so a peer that speaks it would come past all of them.
#[tokio::test]
async fn an_old_version_is_no_way_past_a_mechanism() {
    for Mechanism { server, keys, .. } in mechanisms() {
        let asked = answers(|_| panic!("nobody is to be asked"));
        let pull = PullSocket::builder().security(server(asked, &keys)).build();
        let mut events = pull.events();
        let endpoint = soon(pull.bind("tcp://127.0.0.1:*")).await.unwrap();
        let mut old = RawPeer::connect(&endpoint).await;
        // An identity that is empty, and a message.
        old.send(b"\x01\x00\x08\x00sneaky!").await;
        let reason = failure(&mut events).await;
        assert!(
            matches!(
                reason,
                DisconnectReason::Fault(PeerFault::Incompatible(Incompatible::Version {
                    major: 1,
                    ..
                }))
            ),
            "{reason:?}"
        );
        old.rest().await;
        assert!(pull.try_recv().is_err());
    }
}

/// However long the authenticator itself may take.
#[tokio::test]
async fn the_deadline_of_the_handshake_holds_for_the_verdict() {
    for Mechanism {
        name,
        client,
        server,
        keys,
    } in mechanisms()
    {
        let (asked, mut asks) = tokio::sync::mpsc::channel(1);
        let silence = from_fn(move |_| {
            let _ = asked.try_send(());
            std::future::pending()
        });
        let access = Access::by(silence).deadline(Duration::from_secs(3_600));
        let pull = PullSocket::builder()
            .security(server(access, &keys))
            .handshake_timeout(Duration::from_millis(200))
            .build();
        let mut events = pull.events();
        let endpoint = soon(pull.bind("tcp://127.0.0.1:*")).await.unwrap();
        let push = PushSocket::builder().security(client).build();
        push.connect(&endpoint).unwrap();
        soon(asks.recv()).await.unwrap();
        let reason = failure(&mut events).await;
        assert!(
            matches!(reason, DisconnectReason::HandshakeTimeout { .. }),
            "{name}: {reason:?}"
        );
        assert!(pull.peers().is_empty());
    }
}
