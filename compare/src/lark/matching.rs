//! PUB and one SUB with many prefixes.

use anyhow::{Result, ensure};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use wirelark::{PubSocket, SubSocket};

use super::{UNLIMITED, fan_out};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::matching::{PROBE_EVERY, Topics, first_prefixes, last_prefix, payload_of};
use crate::memory::Baseline;
use crate::meter::Measured;
use crate::pace::{Pacer, Phase};
use crate::rusage::CpuClock;
use crate::task::Task;
use crate::worker::Post;

pub async fn publish(task: &Task, post: Post) -> Result<Measured> {
    let mut topics = Topics::new(task);
    let baseline = Baseline::take()?;
    let socket = PubSocket::builder()
        .send_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .build();
    let listener = AckListener::bind()?;
    let endpoint = socket.bind(task.endpoint.as_str()).await?;
    post.ready(&endpoint.to_string(), Some(&listener.address()?));
    let mut acks = fan_out::accept(listener).await?;
    let mut arrived = [0; 64];
    loop {
        for probe in topics.probes() {
            socket.send(probe).await?;
        }
        if let Ok(read) = timeout(PROBE_EVERY, acks.read(&mut arrived)).await {
            break ensure!(read? == 1, "the subscriber has gone");
        }
    }
    let memory = baseline.growth()?;

    let mut pacer = Pacer::new(task);
    let mut window = Window::new(task);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        while window.must_wait(phase) {
            window.acked(acks.read(&mut arrived).await?)?;
        }
        let is_wanted = topics.is_wanted(phase);
        socket.send(topics.next(phase, &mut window)).await?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += u64::from(is_wanted);
            }
            Phase::End => break,
        }
    }
    post.until_done().await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        memory,
        ..Measured::default()
    })
}

pub async fn subscribe(task: &Task) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let baseline = Baseline::take()?;
    let socket = SubSocket::builder()
        .recv_hwm(task.hwm)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    for prefix in first_prefixes(task) {
        socket.subscribe(prefix)?;
    }
    socket.connect(task.endpoint.as_str())?;
    socket.recv().await?;
    let last = last_prefix(task);
    socket.subscribe(&last)?;
    while !socket.recv().await?.first().starts_with(&last) {}
    let memory = baseline.growth()?;
    acks.say()?;
    let mut subscriber = Subscriber::new(&acks, task);
    loop {
        let message = socket.recv().await?;
        if subscriber.see(payload_of(message.first())?)?.is_end() {
            let measured = subscriber.into_meter().finish()?;
            return Ok(Measured { memory, ..measured });
        }
    }
}
