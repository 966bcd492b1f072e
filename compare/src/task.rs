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
    /// Binds a PUB and sends within the window.
    Publish,
    /// As `Publish`, but connects the PUB.
    PublishTo,
    /// Connects all the SUBs and counts.
    Subscribe,
    /// Binds an XSUB and an XPUB and forwards between them.
    Forward,
    /// Binds a ROUTER and echoes.
    Route,
    /// Connects all the DEALERs and counts.
    Deal,
    /// Binds a PAIR and counts.
    PairIn,
    /// Connects a PAIR and floods.
    PairOut,
    /// Both of them in one process.
    Pair,
}

impl Role {
    fn argument(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Pipeline => "pipeline",
            Self::Reply => "reply",
            Self::Request => "request",
            Self::Publish => "publish",
            Self::PublishTo => "publish_to",
            Self::Subscribe => "subscribe",
            Self::Forward => "forward",
            Self::Route => "route",
            Self::Deal => "deal",
            Self::PairIn => "pair_in",
            Self::PairOut => "pair_out",
            Self::Pair => "pair",
        }
    }
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
    #[arg(long, default_value_t = 0)]
    pub peers: usize,
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
        add("--contestant", self.contestant.argument().to_owned());
        add("--role", self.role.argument().to_owned());
        add("--endpoint", self.endpoint.clone());
        add("--size", self.size.to_string());
        add("--warm-up-ms", self.warm_up_ms.to_string());
        add("--measure-ms", self.measure_ms.to_string());
        add("--hwm", self.hwm.to_string());
        add("--peers", self.peers.to_string());
        if let Some(acks) = self.acks {
            add("--acks", acks.to_string());
        }
        if let Some(cpu) = self.cpu {
            add("--cpu", cpu.to_string());
        }
        if self.curve {
            arguments.push("--curve".into());
        }
        arguments
    }

    /// Messages in one epoch of a fan-out cell.
    pub fn epoch(&self) -> u64 {
        u64::try_from(self.hwm / HWM_EPOCHS)
            .unwrap_or(u64::MAX)
            .max(1)
    }

    pub fn is_round_trip(&self) -> bool {
        matches!(self.role, Role::Request | Role::Reply)
    }
}
