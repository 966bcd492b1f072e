//! What a subscriber of `tracing` gets: a span for each socket and connection, a line for each
//! event, and nothing for a message.
#![cfg(feature = "tracing")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
#[cfg(feature = "inproc")]
use wirelark::{PubSocket, SubSocket};
use wirelark::{PullSocket, PushSocket};

/// One event as it was told, in its spans.
#[derive(Clone, Debug)]
struct Line {
    level: Level,
    target: String,
    /// The outermost first.
    spans: Vec<&'static str>,
    text: String,
}

/// Keeps every line.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Line>>>);

impl Capture {
    fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for a line that begins like this.
    async fn line(&self, start: &str) -> Line {
        let search = async {
            loop {
                let lines = self.lines().into_iter();
                if let Some(line) = lines.rev().find(|line| line.text.starts_with(start)) {
                    return line;
                }
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(90), search).await;
        found.unwrap_or_else(|_| panic!("no {start:?} among {:#?}", self.lines()))
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

struct SpanText(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut text = Text(String::new());
        attributes.record(&mut text);
        let span = context.span(id).unwrap();
        span.extensions_mut().insert(SpanText(text.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut spans = Vec::new();
        for span in context.event_scope(event).into_iter().flatten() {
            spans.insert(0, span.name());
            let extensions = span.extensions();
            let fields = extensions.get::<SpanText>();
            text.0 += &format!(" |{}", fields.map_or("", |fields| fields.0.as_str()));
        }
        let metadata = event.metadata();
        if metadata.target().starts_with("wirelark") {
            self.0.lock().unwrap().push(Line {
                level: *metadata.level(),
                target: metadata.target().to_owned(),
                spans,
                text: text.0,
            });
        }
    }
}

/// The runtime has one thread, so this thread's subscriber hears everything.
#[tokio::test(flavor = "current_thread")]
async fn events_are_told_in_the_spans_of_their_socket_and_connection() {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    push.send("first").await.unwrap();
    pull.recv().await.unwrap();
    let place = format!("endpoint={endpoint}");

    let listening = capture.line("listening").await;
    assert_eq!(listening.spans, ["socket"]);
    assert!(listening.text.contains(&place), "{listening:?}");
    assert!(listening.text.contains("type=PULL"), "{listening:?}");
    assert_eq!(capture.line("accepted").await.spans, ["socket"]);
    let connected = capture.line("connected").await;
    assert_eq!(connected.spans, ["socket"]);
    assert!(connected.text.contains("type=PUSH"), "{connected:?}");
    let ready = capture.line("ready").await;
    assert_eq!(ready.spans, ["socket", "connection"]);
    assert!(ready.text.contains(&place), "{ready:?}");

    // A message is no event.
    let before = capture.lines().len();
    for _ in 0..1000 {
        push.send("more").await.unwrap();
        pull.recv().await.unwrap();
    }
    assert_eq!(capture.lines().len(), before);

    let stranger = std::net::TcpStream::connect(endpoint.to_string().trim_start_matches("tcp://"));
    std::io::Write::write_all(&mut stranger.unwrap(), b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let failed = capture.line("handshake failed").await;
    // A stranger is not to fill a log in which somebody looks for trouble.
    assert_eq!(failed.level, Level::DEBUG);
    assert_eq!(failed.spans, ["socket", "connection"]);
    assert!(failed.text.contains("not a ZMTP peer"), "{failed:?}");

    push.close().await;
    let ended = capture.line("disconnected").await;
    assert_eq!(ended.spans, ["socket", "connection"]);
    pull.close().await;
    for line in capture.lines() {
        assert_eq!(line.target, "wirelark");
        assert_eq!(line.level, Level::DEBUG, "{line:?}");
    }
}

/// Also where nobody reads the events.
#[cfg(feature = "inproc")]
#[tokio::test]
async fn a_peer_that_does_not_read_is_a_line() {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let publisher = PubSocket::builder().send_hwm(1).build();
    let endpoint = publisher.bind("inproc://stuck").await.unwrap();
    let stuck = SubSocket::builder().subscribe("").recv_hwm(1).build();
    stuck.connect(&endpoint).unwrap();
    publisher.wait_for_subscribers("", 1).await.unwrap();
    while publisher.stats().dropped == 0 {
        publisher.send("x").await.unwrap();
    }
    let line = capture.line("dropping").await;
    assert_eq!(line.spans, ["socket"]);
    // Nor is any stranger who falls behind to fill it.
    assert_eq!(line.level, Level::DEBUG);
    assert!(line.text.contains("dropped=1"), "{line:?}");
}
