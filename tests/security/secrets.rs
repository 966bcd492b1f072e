//! A search for secrets in everything that is shown to anybody.

use std::io::Write;
use std::sync::{Arc, Mutex};

use wirelark::Passwords;

use super::kit::alone::is_alone;
use super::*;

/// Everything that is written to it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_secret_is_in_any_log_event_error_or_debug_output() {
    // What `tracing` finds first on a thread where nobody listens, it tells nobody from there on.
    if !is_alone("secrets::no_secret_is_in_any_log_event_error_or_debug_output") {
        return;
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut shown = String::new();
    let (server, client) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let passwords = Passwords::new().with("ada", PASSWORD);
    let seen = Arc::new(Mutex::new(String::new()));
    let witness = Arc::clone(&seen);
    let spying = Access::by(from_fn(move |request| {
        *witness.lock().unwrap() += &format!("{request:?} {request:#?}");
        async { Ok(Verdict::refuse("no")) }
    }));
    let plain = |password| Security::Plain {
        login: Login::new("ada", password).unwrap(),
    };
    let curve = Security::Curve {
        server: *server.public(),
        keys: client.clone(),
    };
    let pairs = [
        (
            Security::PlainServer {
                access: Access::by(passwords.clone()),
            },
            plain(PASSWORD),
        ),
        (
            Security::PlainServer {
                access: Access::by(passwords.clone()),
            },
            plain(WRONG),
        ),
        (
            Security::PlainServer {
                access: spying.clone(),
            },
            plain(PASSWORD),
        ),
        (
            Security::CurveServer {
                keys: server.clone(),
                access: spying,
            },
            curve.clone(),
        ),
        (
            Security::CurveServer {
                keys: server.clone(),
                access: Access::anybody(),
            },
            curve,
        ),
    ];
    for (server, client) in pairs {
        shown += &format!("{server:?} {client:?} {server:#?} {client:#?}");
        let mut meeting = meet(server, client).await;
        for events in [&mut meeting.pulled, &mut meeting.pushed] {
            loop {
                let event = soon(events.next()).await.unwrap();
                shown += &format!("{event:?}");
                match event {
                    Event::HandshakeFailed { reason, .. } => {
                        shown += &reason.to_string();
                        break;
                    }
                    Event::Ready { .. } => break,
                    _ => {}
                }
            }
        }
        shown += &format!(
            "{:?} {:?} {:?}",
            meeting.pull,
            meeting.push,
            meeting.pull.peers()
        );
    }
    shown += &format!("{passwords:?} {server:?} {client:?}");
    shown += &Login::new("ada", PASSWORD.repeat(20))
        .unwrap_err()
        .to_string();
    shown += &seen.lock().unwrap();
    shown += &String::from_utf8_lossy(&log.0.lock().unwrap());
    assert!(shown.contains("handshake failed"), "nothing was logged");
    let mut secrets = vec![PASSWORD.to_owned(), WRONG.to_owned()];
    for keys in [&server, &client] {
        let bytes = keys.secret().expose_bytes();
        secrets.push(keys.secret().expose_z85());
        secrets.push(
            bytes[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        );
        secrets.push(
            format!("{:?}", &bytes[..8])
                .trim_matches(['[', ']'])
                .to_owned(),
        );
    }
    let as_bytes = format!("{:?}", &PASSWORD.as_bytes()[..8]);
    secrets.push(as_bytes.trim_matches(['[', ']']).to_owned());
    for secret in secrets {
        let found = shown
            .find(&secret)
            .map(|at| &shown[at.saturating_sub(80)..at]);
        assert_eq!(found, None, "somewhere a secret is shown");
    }
}
