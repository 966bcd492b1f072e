//! Other ZeroMQ libraries in Rust, in the places of wirelark's and libzmq's workers.
//!
//! `compare --peers PATH` starts this program for them; it shares everything with `compare` that
//! is no library's: phases, payloads, clocks, and what a worker says to its parent.

#![allow(dead_code, reason = "the shared modules serve more roles than these")]

#[path = "../../src/acks.rs"]
mod acks;
#[path = "../../src/affinity.rs"]
mod affinity;
#[path = "../../src/cell.rs"]
mod cell;
#[path = "../../src/contestant.rs"]
mod contestant;
mod ends;
#[path = "../../src/latency.rs"]
mod latency;
#[path = "../../src/memory.rs"]
mod memory;
#[path = "../../src/meter.rs"]
mod meter;
#[path = "../../src/pace.rs"]
mod pace;
#[path = "../../src/payload.rs"]
mod payload;
#[path = "../../src/rusage.rs"]
mod rusage;
#[path = "../../src/stats.rs"]
mod stats;
#[path = "../../src/task.rs"]
mod task;
#[path = "../../src/worker.rs"]
mod worker;

use anyhow::{Result, bail};
use clap::Parser;
use tokio::runtime::Runtime;

use contestant::Contestant;
use ends::{End, Omq, Rzmq, Zeromq};
use latency::Latencies;
use meter::{Measured, Meter};
use pace::{Pacer, Phase};
use payload::Payload;
use rusage::CpuClock;
use task::{Role, Task};
use worker::Post;

/// A worker of `compare`; not to be started by hand.
#[derive(Debug, Parser)]
enum Arguments {
    /// What the other program starts this one as.
    Worker(Task),
}

fn main() {
    let Arguments::Worker(task) = Arguments::parse();
    worker::run(&task, play)
}

/// A spawned task on the default runtime, which suits all of them.
fn play(task: &Task, post: &Post) -> Result<Measured> {
    let (task, post) = (task.clone(), post.clone());
    Runtime::new()?.block_on(async {
        tokio::spawn(async move {
            match task.contestant {
                Contestant::Omq => role::<Omq>(&task, post).await,
                Contestant::Rzmq => role::<Rzmq>(&task, post).await,
                Contestant::Zeromq => role::<Zeromq>(&task, post).await,
                other => bail!("{other:?} is none of these libraries"),
            }
        })
        .await?
    })
}

async fn role<E: End>(task: &Task, post: Post) -> Result<Measured> {
    match task.role {
        Role::Pull => pull::<E>(task, post).await,
        Role::Push => push::<E>(task, post).await,
        Role::Reply => reply::<E>(task, post).await,
        Role::Request => request::<E>(task).await,
        role => bail!("{role:?} is not measured for these libraries"),
    }
}

async fn pull<E: End>(task: &Task, post: Post) -> Result<Measured> {
    let mut socket = E::bound(task, &post).await?;
    let mut meter = Meter::default();
    loop {
        let message = socket.recv().await?;
        if meter.see(Phase::of(message.as_ref())?).is_end() {
            return meter.finish();
        }
    }
}

async fn push<E: End>(task: &Task, post: Post) -> Result<Measured> {
    let mut socket = E::connected(task).await?;
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        socket.send(payload.bytes()).await?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => break,
        }
    }
    post.until_done().await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

async fn reply<E: End>(task: &Task, post: Post) -> Result<Measured> {
    let mut socket = E::bound(task, &post).await?;
    let mut meter = Meter::default();
    loop {
        let request = socket.recv().await?;
        let seen = meter.see(Phase::of(request.as_ref())?);
        socket.send(request.as_ref()).await?;
        if seen.is_end() {
            let measured = meter.finish();
            post.until_done().await?;
            return measured;
        }
    }
}

async fn request<E: End>(task: &Task) -> Result<Measured> {
    let mut socket = E::connected(task).await?;
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut latencies = Latencies::default();
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        latencies.begin(phase);
        socket.send(payload.bytes()).await?;
        let reply = socket.recv().await?;
        latencies.end(phase);
        payload.check_echo(reply.as_ref())?;
        if phase == Phase::End {
            return latencies.finish();
        }
    }
}
