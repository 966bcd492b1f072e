//! A pyzmq socket in a process of its own, by remote control. The far side, and the protocol, is
//! `tests/python/peer.py`.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wirelark::Message;

use super::within;

/// One pyzmq socket. Every method waits until the peer has done what it was told, and fails the
/// test if it cannot.
pub(crate) struct Peer {
    socket_type: String,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) async fn start(interpreter: &Path, script: &Path, socket_type: &str) -> Self {
        let mut child = Command::new(interpreter)
            .arg(script)
            .arg(socket_type)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the interpreter of the virtual environment can be run");
        let mut peer = Self {
            socket_type: socket_type.to_owned(),
            orders: child.stdin.take().expect("input is piped"),
            answers: BufReader::new(child.stdout.take().expect("output is piped")),
            child,
        };
        peer.answer("start").await;
        peer
    }

    /// Binds, and returns the endpoint with the port that was chosen.
    pub(crate) async fn bind(&mut self, endpoint: &str) -> String {
        self.order(&format!("bind {endpoint}")).await
    }

    pub(crate) async fn connect(&mut self, endpoint: &str) {
        self.order(&format!("connect {endpoint}")).await;
    }

    /// Sets an option by its name in `zmq.h` without the prefix; before `bind` and `connect`, as
    /// everywhere in libzmq.
    pub(crate) async fn set(&mut self, option: &str, value: &str) {
        self.order(&format!("set {option} {value}")).await;
    }

    /// Starts pyzmq's `ThreadAuthenticator`, or adds to it: `plain DOMAIN USER PASSWORD`, or
    /// `curve DOMAIN LOCATION`.
    pub(crate) async fn authenticate(&mut self, rule: &str) {
        self.order(&format!("authenticate {rule}")).await;
    }

    /// Has pyzmq make a pair of keys and write its certificate files.
    pub(crate) async fn make_certificate(&mut self, folder: &str, name: &str) {
        self.order(&format!("certificate {folder} {name}")).await;
    }

    /// Waits until one of its handshakes has failed since the start in this way, `AUTH` or `PROTOCOL`.
    pub(crate) async fn wait_handshake_failed(&mut self, how: &str) {
        self.order(&format!("wait HANDSHAKE_FAILED_{how} 1")).await;
    }

    pub(crate) async fn subscribe(&mut self, prefix: &str) {
        self.order_with("subscribe", &prefix.into()).await;
    }

    pub(crate) async fn unsubscribe(&mut self, prefix: &str) {
        self.order_with("unsubscribe", &prefix.into()).await;
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.order_with("send", &message.into()).await;
    }

    /// The next message that the socket receives.
    pub(crate) async fn recv(&mut self) -> Message {
        within(self.orders.write_all(b"recv\n"))
            .await
            .expect("the peer takes orders");
        let lengths = self.answer("recv").await;
        let mut frames = Vec::new();
        for length in lengths.split_whitespace() {
            let mut frame = vec![0; length.parse().expect("the peer counts in decimals")];
            within(self.answers.read_exact(&mut frame))
                .await
                .expect("the peer sends what it announced");
            frames.push(frame);
        }
        frames.into()
    }

    /// What libzmq tells of the message received last, or of its sender, by this name.
    pub(crate) async fn property(&mut self, name: &str) -> String {
        self.order(&format!("property {name}")).await
    }

    /// The id of its process.
    pub(crate) fn process(&self) -> i32 {
        let id = self.child.id().expect("nobody has waited for it");
        i32::try_from(id).expect("the system counts processes in an i32")
    }

    /// Waits until `count` connections have been made since the start, and the socket uses them.
    pub(crate) async fn wait_peers(&mut self, count: usize) {
        self.order(&format!("wait HANDSHAKE_SUCCEEDED {count}"))
            .await;
    }

    /// Waits until `count` connections have been lost since the start.
    pub(crate) async fn wait_disconnects(&mut self, count: usize) {
        self.order(&format!("wait DISCONNECTED {count}")).await;
    }

    /// Stops the peer in whatever it is doing: its connections stand, and nothing comes from it.
    pub(crate) async fn freeze(&self) {
        let id = self.child.id().expect("the peer is running");
        let stopped = within(
            Command::new("kill")
                .args(["-STOP", &id.to_string()])
                .status(),
        )
        .await;
        assert!(stopped.expect("there is a kill").success());
    }

    /// Kills the peer without a farewell and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        within(self.child.kill())
            .await
            .expect("a child can be killed");
    }

    async fn order(&mut self, order: &str) -> String {
        within(self.orders.write_all(format!("{order}\n").as_bytes()))
            .await
            .expect("the peer takes orders");
        self.answer(order).await
    }

    async fn order_with(&mut self, verb: &str, frames: &Message) {
        let lengths: Vec<String> = frames
            .frames()
            .map(|frame| frame.len().to_string())
            .collect();
        let mut order = format!("{verb} {}\n", lengths.join(" ")).into_bytes();
        frames
            .frames()
            .for_each(|frame| order.extend_from_slice(frame));
        within(self.orders.write_all(&order))
            .await
            .expect("the peer takes orders");
        self.answer(verb).await;
    }

    /// Reads one line of answer and returns what follows its first word.
    async fn answer(&mut self, order: &str) -> String {
        let mut line = String::new();
        within(self.answers.read_line(&mut line))
            .await
            .expect("the peer writes text");
        let (word, rest) = line
            .trim_end()
            .split_once(' ')
            .unwrap_or_else(|| (line.trim_end(), ""));
        match word {
            "ok" | "message" => rest.to_owned(),
            "error" => panic!("pyzmq {} cannot {rest}", self.socket_type),
            _ => panic!("pyzmq {} died of the order {order:?}", self.socket_type),
        }
    }
}
