//! The wirelark side: tokio's runtimes, and what a worker process does in each role.

mod curve;
mod ends;
mod exchange;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use wirelark::{
    PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket, XPubSocket,
    XSubSocket, proxy,
};

use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::contestant::Contestant;
use crate::latency::Latencies;
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

async fn role(task: Arc<Task>, post: Post) -> Result<Measured> {
    match task.role {
        Role::Pull => count::<PullSocket>(&task, &post).await,
        Role::Push => push::<PushSocket>(&task, post).await,
        Role::Pipeline => pipeline::<PullSocket, PushSocket>(task, post).await,
        Role::PairIn => count::<PairSocket>(&task, &post).await,
        Role::PairOut => push::<PairSocket>(&task, post).await,
        Role::Pair => pipeline::<PairSocket, PairSocket>(task, post).await,
        Role::Reply => reply(&task, post).await,
        Role::Request => request(&task).await,
        Role::Publish | Role::PublishTo => publish(&task, post).await,
        Role::Forward => forward(&task, post).await,
        Role::Subscribe => subscribe(task).await,
        Role::Route => exchange::route(&task, post).await,
        Role::Deal => exchange::deal(task).await,
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
    until_done(post).await?;
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

async fn reply(task: &Task, post: Post) -> Result<Measured> {
    let socket = RepSocket::builder()
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    let endpoint = socket.bind(task.endpoint.as_str()).await?;
    post.ready(&endpoint.to_string(), None);
    let mut meter = Meter::default();
    loop {
        let request = socket.recv().await?;
        let seen = meter.see(Phase::of(request.first())?);
        let echo = (*request).clone();
        request.reply(echo).await?;
        if seen.is_end() {
            // The reply to the last request may still be on its way; the process must not end yet.
            let measured = meter.finish();
            until_done(post).await?;
            return measured;
        }
    }
}

async fn request(task: &Task) -> Result<Measured> {
    let socket = ReqSocket::builder()
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    socket.connect(task.endpoint.as_str())?;
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut latencies = Latencies::default();
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        latencies.begin(phase);
        let reply = socket.request(payload.bytes()).await?;
        latencies.end(phase);
        payload.check_echo(reply.first())?;
        if phase == Phase::End {
            return latencies.finish();
        }
    }
}

async fn publish(task: &Task, post: Post) -> Result<Measured> {
    let socket = PubSocket::builder()
        .send_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .build();
    let listener = AckListener::bind()?;
    let endpoint = match task.role {
        Role::PublishTo => socket.connect(task.endpoint.as_str())?,
        _ => socket.bind(task.endpoint.as_str()).await?,
    };
    post.ready(&endpoint.to_string(), Some(&listener.address()?));
    let acks = spawn_blocking(move || listener.accept()).await??;
    acks.set_nonblocking(true)?;
    let mut acks = TcpStream::from_std(acks)?;
    socket.wait_for_subscribers("", task.peers).await?;

    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut window = Window::new(task);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    let mut arrived = [0; 64];
    loop {
        let phase = pacer.next();
        while window.must_wait(phase) {
            window.acked(acks.read(&mut arrived).await?)?;
        }
        payload.set_phase(phase);
        payload.set_sequence(window.next_sequence());
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
    until_done(post).await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// Forwards until the round is over. Its processor time includes the warm-up.
async fn forward(task: &Task, post: Post) -> Result<Measured> {
    let front = XSubSocket::builder()
        .recv_hwm(task.hwm)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    let back = XPubSocket::builder()
        .send_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .build();
    let [publishers, subscribers] = [
        front.bind(task.endpoint.as_str()).await?,
        back.bind(task.endpoint.as_str()).await?,
    ];
    let mut cpu = CpuClock::default();
    cpu.start_once();
    post.ready(&publishers.to_string(), Some(&subscribers));
    tokio::select! {
        ended = proxy(&front, &back) => bail!("the proxy ended: {:?}", ended?),
        done = until_done(post) => done?,
    }
    Ok(Measured {
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// One subscriber runs where the contestant says, many are a task each.
async fn subscribe(task: Arc<Task>) -> Result<Measured> {
    let acks = AckSender::connect(&task)?;
    if task.peers == 1 {
        return Measured::of_many([receive(&task, &acks).await?].into_iter());
    }
    let mut running = Vec::new();
    for _ in 0..task.peers {
        let (task, acks) = (Arc::clone(&task), acks.clone());
        running.push(tokio::spawn(async move { receive(&task, &acks).await }));
    }
    let mut meters = Vec::new();
    for subscriber in running {
        meters.push(subscriber.await.context("a subscriber panicked")??);
    }
    Measured::of_many(meters.into_iter())
}

async fn receive(task: &Task, acks: &AckSender) -> Result<Meter> {
    let socket = SubSocket::builder()
        .subscribe("")
        .recv_hwm(task.hwm)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    socket.connect(task.endpoint.as_str())?;
    let mut subscriber = Subscriber::new(acks, task);
    loop {
        let message = socket.recv().await?;
        if subscriber.see(message.first())?.is_end() {
            return Ok(subscriber.into_meter());
        }
    }
}

/// [`Post::wait_until_done`] without holding up the runtime, which still has messages to deliver.
async fn until_done(post: Post) -> Result<()> {
    Ok(spawn_blocking(move || post.wait_until_done()).await?)
}
