//! What one worker process is told to do: the hidden command line between the two halves.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use crate::acks::HWM_EPOCHS;
use crate::contestant::Contestant;

/// The part of a cell that one process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Binds a PULL and counts.
    Pull,
    /// Connects a PUSH and floods.
    Push,
    /// Both of them in one process.
    Pipeline,
    /// Binds a REP and echoes.
    Reply,
    /// Connects a REQ and times.
    Request,
    /// Both of them in one process.
    RoundTrip,
    /// Binds a PUB and sends within the window.
    Publish,
    /// As `Publish`, but connects the PUB.
    PublishTo,
    /// Connects all the SUBs and counts.
    Subscribe,
    /// Both of them in one process.
    Distribute,
    /// Binds an XSUB and an XPUB and forwards between them.
    Forward,
    /// Binds a ROUTER and echoes.
    Route,
    /// Connects all the DEALERs and counts.
    Deal,
    /// Connects DEALERs, each for one request, and counts.
    Call,
    /// Binds a PUB and sends topics.
    PublishTopics,
    /// Connects a SUB with many prefixes and counts.
    SubscribeTopics,
    /// Binds a ROUTER and looks at itself while nobody says anything.
    Host,
    /// Connects plain connections that say nothing; no library's.
    Idle,
    /// Binds a PAIR and counts.
    PairIn,
    /// Connects a PAIR and floods.
    PairOut,
    /// Both of them in one process.
    Pair,
}

/// Everything a worker knows.
#[derive(Debug, Clone, Args)]
pub struct Task {
    #[arg(long)]
    pub contestant: Contestant,
    #[arg(long)]
    pub role: Role,
    #[arg(long)]
    pub endpoint: String,
    /// Bytes of a message.
    #[arg(long)]
    pub size: usize,
    #[arg(long)]
    pub warm_up_ms: u64,
    #[arg(long)]
    pub measure_ms: u64,
    /// High-water mark in messages, at both ends.
    #[arg(long)]
    pub hwm: usize,
    /// How many sockets one of the processes has, where there are many of them.
    #[arg(long)]
    pub peers: usize,
    /// How many prefixes are subscribed to.
    #[arg(long)]
    pub prefixes: usize,
    /// Whether the application computes on every processor meanwhile.
    #[arg(long)]
    pub busy: bool,
    /// Where the publisher hears of its subscribers' progress.
    #[arg(long)]
    pub acks: Option<SocketAddr>,
    /// Whether it is encrypted.
    #[arg(long)]
    pub curve: bool,
    /// The one processor this process may use.
    #[arg(long)]
    pub cpu: Option<usize>,
}

impl Task {
    /// The command line that brings this task to a worker.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: String| {
            arguments.push(name.into());
            arguments.push(value.into());
        };
        add("--contestant", word(self.contestant));
        add("--role", word(self.role));
        add("--endpoint", self.endpoint.clone());
        add("--size", self.size.to_string());
        add("--warm-up-ms", self.warm_up_ms.to_string());
        add("--measure-ms", self.measure_ms.to_string());
        add("--hwm", self.hwm.to_string());
        add("--peers", self.peers.to_string());
        add("--prefixes", self.prefixes.to_string());
        if let Some(acks) = self.acks {
            add("--acks", acks.to_string());
        }
        if let Some(cpu) = self.cpu {
            add("--cpu", cpu.to_string());
        }
        for (name, is_set) in [("--busy", self.busy), ("--curve", self.curve)] {
            arguments.extend(is_set.then(|| name.into()));
        }
        arguments
    }

    /// Messages in one epoch of a fan-out cell.
    pub fn epoch(&self) -> u64 {
        u64::try_from(self.hwm / HWM_EPOCHS)
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Whether each message takes so long that the clock may be looked at every time.
    pub fn is_slow(&self) -> bool {
        matches!(self.role, Role::Request | Role::RoundTrip | Role::Call) || self.busy
    }
}

/// The word of a value on the command line.
pub fn word(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
