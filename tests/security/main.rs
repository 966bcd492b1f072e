//! Security as a whole, between two sockets of ours: who is let in by which authenticator over which
//! mechanism, what each side learns, and that no secret is to be found anywhere.
#![cfg(all(feature = "curve", feature = "tracing", feature = "inproc"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../kit/dropping.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod dropping;
#[path = "../kit/mod.rs"]
#[allow(unused_imports, unused_macros, reason = "others use the rest")]
mod kit;

mod flood;
mod living;
mod secrets;
mod verdicts;
mod zap;

use kit::soon;
use wirelark::{
    Access, AuthRequest, DisconnectReason, Event, Events, KeyPair, Login, PullSocket, PushSocket,
    Security, Verdict, from_fn,
};

const PASSWORD: &str = "correct-horse-battery";
const WRONG: &str = "incorrect-horse-battery";

/// Both sides of a mechanism.
struct Mechanism {
    name: &'static str,
    client: Security,
    server: fn(Access, &KeyPair) -> Security,
    keys: KeyPair,
}

fn mechanisms() -> [Mechanism; 3] {
    let keys = KeyPair::generate().unwrap();
    let login = Login::new("ada", PASSWORD).unwrap();
    let curve = Security::Curve {
        server: *keys.public(),
        keys: KeyPair::generate().unwrap(),
    };
    [
        Mechanism {
            name: "NULL",
            client: Security::Null,
            server: |access, _| Security::NullServer { access },
            keys: keys.clone(),
        },
        Mechanism {
            name: "PLAIN",
            client: Security::Plain { login },
            server: |access, _| Security::PlainServer { access },
            keys: keys.clone(),
        },
        Mechanism {
            name: "CURVE",
            client: curve,
            server: |access, keys| Security::CurveServer {
                keys: keys.clone(),
                access,
            },
            keys,
        },
    ]
}

/// A PULL that judges, and a PUSH that wants to come in and has something to say.
struct Meeting {
    pull: PullSocket,
    pulled: Events,
    push: PushSocket,
    pushed: Events,
}

async fn meet(server: Security, client: Security) -> Meeting {
    let pull = PullSocket::builder().security(server).build();
    let pulled = pull.events();
    let endpoint = soon(pull.bind("tcp://127.0.0.1:*")).await.unwrap();
    let push = PushSocket::builder().security(client).build();
    let pushed = push.events();
    push.connect(&endpoint).unwrap();
    Meeting {
        pull,
        pulled,
        push,
        pushed,
    }
}

impl Meeting {
    /// Nobody is let in, for this reason on the side that decides; and on the other.
    async fn fails(mut self) -> (DisconnectReason, DisconnectReason) {
        let reasons = (
            failure(&mut self.pulled).await,
            failure(&mut self.pushed).await,
        );
        assert!(self.pull.peers().is_empty());
        assert!(self.pull.try_recv().is_err());
        reasons
    }

    /// The peer is let in as this user.
    async fn succeeds(self, user: Option<&str>) {
        soon(self.push.send("hello")).await.unwrap();
        let (peer, message) = soon(self.pull.recv_from()).await.unwrap();
        assert_eq!(message.text(), "hello");
        assert_eq!(peer.user().map(|user| user.id()), user);
        soon(self.push.close()).await;
    }
}

async fn failure(events: &mut Events) -> DisconnectReason {
    loop {
        match soon(events.next()).await.expect("the socket lives") {
            Event::HandshakeFailed { reason, .. } => return reason,
            Event::Ready { peer, .. } => panic!("let in: {peer:?}"),
            _ => {}
        }
    }
}

fn answers(verdict: fn(&AuthRequest) -> Verdict) -> Access {
    Access::by(from_fn(move |request| async move { Ok(verdict(&request)) }))
}
