//! PUB and its SUBs, and the proxy between them.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use wirelark::{PubSocket, SubSocket, XPubSocket, XSubSocket, proxy};

use super::{UNLIMITED, context};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::{Role, Task};
use crate::worker::Post;

pub async fn publish(task: &Task, post: Post) -> Result<Measured> {
    let publisher = Publisher::open(task).await?;
    let address = publisher.listener.address()?;
    post.ready(&publisher.endpoint, Some(&address));
    let (sent, cpu, _socket) = publisher.run(task).await?;
    post.until_done().await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// The publisher runs where the contestant says, the subscribers are spawned tasks.
pub async fn within(task: Arc<Task>) -> Result<Measured> {
    let publisher = Publisher::open(&task).await?;
    let subscribers = tokio::spawn(subscribe(Arc::new(Task {
        acks: Some(publisher.listener.address()?),
        ..Task::clone(&task)
    })));
    let (sent, _, _socket) = publisher.run(&task).await?;
    let due = sent * u64::try_from(task.peers)?;
    subscribers.await??.check_sent(due)
}

struct Publisher {
    socket: PubSocket,
    listener: AckListener,
    endpoint: String,
}

impl Publisher {
    async fn open(task: &Task) -> Result<Self> {
        let socket = PubSocket::builder()
            .context(&context(task)?)
            .send_hwm(task.hwm)
            .send_hwm_bytes(UNLIMITED)
            .build();
        let listener = AckListener::bind()?;
        let endpoint = match task.role {
            Role::PublishTo => socket.connect(task.endpoint.as_str())?,
            _ => socket.bind(task.endpoint.as_str()).await?,
        };
        Ok(Self {
            socket,
            listener,
            endpoint: endpoint.to_string(),
        })
    }

    /// How many messages of the measured phase have been sent, the clock since then, and the socket,
    /// which must stay open while messages are under way.
    async fn run(self, task: &Task) -> Result<(u64, CpuClock, PubSocket)> {
        let Self {
            socket, listener, ..
        } = self;
        let mut acks = accept(listener).await?;
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
                Phase::End => return Ok((sent, cpu, socket)),
            }
        }
    }
}

/// The line over which the other process tells how far it has come.
pub async fn accept(listener: AckListener) -> Result<TcpStream> {
    let acks = spawn_blocking(move || listener.accept()).await??;
    acks.set_nonblocking(true)?;
    Ok(TcpStream::from_std(acks)?)
}

/// Forwards until the round is over. Its processor time includes the warm-up.
pub async fn forward(task: &Task, post: Post) -> Result<Measured> {
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
        done = post.until_done() => done?,
    }
    Ok(Measured {
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// One subscriber runs where the contestant says, many are a task each.
pub async fn subscribe(task: Arc<Task>) -> Result<Measured> {
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
        .context(&context(task)?)
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
