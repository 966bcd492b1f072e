//! Who is measured: libzmq, wirelark on one of tokio's runtimes, or no library at all.

use clap::ValueEnum;

use crate::cell::{Cell, Kind};

/// The cells of the other libraries.
const PEERS_IN: &[&str] = &[
    "push/tcp/64B",
    "push/tcp/1KiB",
    "req/tcp/64B/plain",
    "req/tcp/64B/spin",
    "req/tcp/64B/pin",
];

/// One way of running one library, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Contestant {
    /// The C library, from plain threads.
    Libzmq,
    /// No library: what can be had at most.
    Plain,
    /// Wirelark on tokio's single-threaded runtime.
    CurrentThread,
    /// Wirelark on tokio's default runtime, the socket used by the main task (`block_on`).
    MultiMain,
    /// The same runtime, the socket used by a spawned task.
    MultiSpawned,
    /// omq-tokio, by a worker of the other program, as the two below.
    Omq,
    /// rzmq.
    Rzmq,
    /// zeromq, known as zmq.rs.
    Zeromq,
}

impl Contestant {
    /// The ways of running wirelark, in the order of the table.
    pub const WIRELARK: [Self; 3] = [Self::CurrentThread, Self::MultiMain, Self::MultiSpawned];

    /// Other libraries, which are measured in a few cells when asked for.
    pub const PEERS: [Self; 3] = [Self::Omq, Self::Rzmq, Self::Zeromq];

    /// Whether there is anything to measure of it in a cell.
    pub fn takes_part(self, cell: Cell) -> bool {
        match self {
            Self::Libzmq | Self::MultiMain | Self::MultiSpawned => true,
            // One thread cannot be busy on every processor.
            Self::CurrentThread => !cell.is_busy(),
            Self::Omq | Self::Rzmq | Self::Zeromq => PEERS_IN.contains(&cell.name().as_str()),
            Self::Plain => {
                let kinds = [Kind::Push, Kind::Req, Kind::Pub, Kind::Router];
                kinds.contains(&cell.kind) && !cell.is_within() && !cell.is_busy()
            }
        }
    }

    /// The words for the table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Libzmq => "libzmq",
            Self::Plain => "a plain program",
            Self::CurrentThread => "current_thread",
            Self::MultiMain => "multi_thread, main task",
            Self::MultiSpawned => "multi_thread, spawned task",
            Self::Omq => "(omq-tokio instead)",
            Self::Rzmq => "(rzmq instead)",
            Self::Zeromq => "(zeromq instead)",
        }
    }
}
