//! The wirelark side: tokio's runtimes, and what a worker process does in each role.

mod curve;
mod ends;
mod exchange;
mod fan_out;
mod idle;
mod matching;
mod round_trip;

use std::sync::{Arc, OnceLock};

use anyhow::{Result, bail};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use wirelark::{Context, PairSocket, PullSocket, PushSocket};

use crate::busy;
use crate::contestant::Contestant;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::{Role, Task};
use crate::worker::Post;
use ends::{Receiving, Sending};

/// Bytes are not limited: libzmq knows no such limit, and both sides are to queue the same number
/// of messages.
const UNLIMITED: usize = 0;

/// Plays the role to its end and says what it measured.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    let runtime = runtime(task.contestant)?;
    let (task, post) = (Arc::new(task.clone()), post.clone());
    for _ in 0..busy_tasks(&task) {
        runtime.spawn(async {
            loop {
                busy::compute();
                yield_now().await;
            }
        });
    }
    let role = role(Arc::clone(&task), post);
    runtime.block_on(async {
        match task.contestant {
            Contestant::MultiSpawned => tokio::spawn(role).await?,
            _ => role.await,
        }
    })
}

fn runtime(contestant: Contestant) -> Result<Runtime> {
    let mut builder = match contestant {
        Contestant::CurrentThread => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    Ok(builder.enable_all().build()?)
}

/// A busy application has a task for each worker, that is for each processor.
fn busy_tasks(task: &Task) -> usize {
    if task.busy { busy::workers() } else { 0 }
}

/// The context of all sockets of the process: with a thread for their connections where the
/// application is busy, as libzmq always has one.
fn context(task: &Task) -> Result<Context> {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    if let Some(context) = CONTEXT.get() {
        return Ok(context.clone());
    }
    let context = Context::builder()
        .io_threads(usize::from(task.busy))
        .build()?;
    Ok(CONTEXT.get_or_init(|| context).clone())
}

async fn role(task: Arc<Task>, post: Post) -> Result<Measured> {
    match task.role {
        Role::Pull => count::<PullSocket>(&task, &post).await,
        Role::Push => push::<PushSocket>(&task, post).await,
        Role::Pipeline => pipeline::<PullSocket, PushSocket>(task, post).await,
        Role::PairIn => count::<PairSocket>(&task, &post).await,
        Role::PairOut => push::<PairSocket>(&task, post).await,
        Role::Pair => pipeline::<PairSocket, PairSocket>(task, post).await,
        Role::Reply => round_trip::reply(&task, post).await,
        Role::Request => round_trip::request(&task).await,
        Role::RoundTrip => round_trip::within(task, post).await,
        Role::Publish | Role::PublishTo => fan_out::publish(&task, post).await,
        Role::Forward => fan_out::forward(&task, post).await,
        Role::Subscribe => fan_out::subscribe(task).await,
        Role::Distribute => fan_out::within(task).await,
        Role::Route => exchange::route(&task, post).await,
        Role::Deal => exchange::deal(task).await,
        Role::Call => exchange::call(task).await,
        Role::PublishTopics => matching::publish(&task, post).await,
        Role::SubscribeTopics => matching::subscribe(&task).await,
        Role::Host => idle::host(&task, &post).await,
        Role::Idle => bail!("a role of no library"),
    }
}

async fn count<R: Receiving>(task: &Task, post: &Post) -> Result<Measured> {
    receive_all(R::open(task, post).await?).await
}

async fn receive_all(socket: impl Receiving) -> Result<Measured> {
    let mut meter = Meter::default();
    loop {
        let message = socket.next().await?;
        if meter.see(Phase::of(message.first())?).is_end() {
            return meter.finish();
        }
    }
}

async fn push<S: Sending>(task: &Task, post: Post) -> Result<Measured> {
    let (sent, cpu, _socket) = flood::<S>(task).await?;
    post.until_done().await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// Connects and sends through all phases; how many messages of the measured one, the clock since
/// then, and the socket, which must stay open while messages are under way.
async fn flood<S: Sending>(task: &Task) -> Result<(u64, CpuClock, S)> {
    let socket = S::open(task)?;
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        socket.put(payload.bytes()).await?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => return Ok((sent, cpu, socket)),
        }
    }
}

/// The receiver is a spawned task on every runtime; the sender is what the contestant says.
async fn pipeline<R, S>(task: Arc<Task>, post: Post) -> Result<Measured>
where
    R: Receiving,
    S: Sending,
{
    let (bound, is_bound) = oneshot::channel();
    let receiver = tokio::spawn({
        let task = Arc::clone(&task);
        async move {
            let socket = R::open(&task, &post).await?;
            bound.send(()).ok();
            receive_all(socket).await
        }
    });
    // An error also means that the receiver has ended; awaiting it below tells why.
    let flooded = match is_bound.await {
        Ok(()) => Some(flood::<S>(&task).await?),
        Err(_) => None,
    };
    let measured = receiver.await??;
    measured.check_sent(flooded.map_or(0, |(sent, ..)| sent))
}
