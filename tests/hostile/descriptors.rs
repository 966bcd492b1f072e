//! A server that runs out of file descriptors.
//!
//! The server is this test binary once more, as a process of its own with room for few
//! descriptors: it runs the ignored test below and tells on its output what happens to it.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use wirelark::{Endpoint, Event, Events, PullSocket, PushSocket};

use crate::kit::raw::RawPeer;
use crate::kit::{assert_matches, frames, soon, wait_for};

/// Enough for a runtime and some connections.
const DESCRIPTORS: u32 = 40;

/// What the test below finds in its environment when it is to be the server.
const SERVER: &str = "WIRELARK_TEST_SERVER";

struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "descriptors::serve", "--ignored", "--nocapture"])
            .env(SERVER, "1")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on until a line begins with `start`, and gives the rest of that line.
    async fn says(&mut self, start: &str) -> String {
        let search = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(start) {
                    return rest.to_owned();
                }
            }
            panic!("the server has ended without saying {start:?}");
        };
        soon(search).await
    }
}

#[tokio::test]
async fn no_descriptor_is_left_to_accept_with() {
    let mut server = Server::start();
    let endpoint: Endpoint = server.says("bound ").await.parse().unwrap();
    let good = PushSocket::new();
    let mut good_events = good.events();
    good.connect(&endpoint).unwrap();
    good.send("before").await.unwrap();
    server.says("got before").await;

    let port = endpoint.port().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        crowd.push(soon(TcpStream::connect(("127.0.0.1", port))).await.unwrap());
    }
    let failure = server.says("accept failed: ").await;
    assert!(failure.contains("os error 24"), "{failure}");

    good.send("during").await.unwrap();
    server.says("got during").await;

    drop(crowd);
    let mut newcomer = RawPeer::established(&endpoint, "PUSH").await;
    newcomer.send(frames::last("newcomer")).await;
    server.says("got newcomer").await;
    good.send("after").await.unwrap();
    server.says("got after").await;

    assert_matches!(good_events.try_next(), Some(Event::Connecting { .. }));
    assert_matches!(good_events.try_next(), Some(Event::Connected { .. }));
    assert_matches!(good_events.try_next(), Some(Event::Ready { .. }));
    assert_matches!(good_events.try_next(), None);
    good.send("end").await.unwrap();
    let status = soon(server.child.wait()).await.unwrap();
    assert!(status.success(), "{status}");
}

/// The server, in a process of its own.
#[tokio::test]
#[ignore = "a part of the test above"]
async fn serve() {
    if std::env::var_os(SERVER).is_none() {
        return;
    }
    let pull = PullSocket::new();
    let mut events: Events = pull.events();
    println!("\nbound {}", pull.bind("tcp://127.0.0.1:*").await.unwrap());
    let failures = async {
        loop {
            let event = wait_for(&mut events, |event| {
                matches!(event, Event::AcceptFailed { .. })
            });
            if let Event::AcceptFailed { error, .. } = event.await {
                println!("accept failed: {error}");
            }
        }
    };
    let messages = async {
        loop {
            let message = pull.recv().await.unwrap();
            println!("got {}", message.text());
            if message.text() == "end" {
                return;
            }
        }
    };
    tokio::select! {
        () = failures => {}
        () = messages => {}
    }
}
