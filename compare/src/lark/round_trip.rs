//! REQ and REP, one request at a time.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::oneshot;
use wirelark::{RepSocket, ReqSocket};

use super::{UNLIMITED, context};
use crate::latency::Latencies;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::task::Task;
use crate::worker::Post;

pub async fn reply(task: &Task, post: Post) -> Result<Measured> {
    let socket = open(task, &post).await?;
    let measured = answer(&socket).await?;
    // The reply to the last request may still be on its way; the process must not end yet.
    post.until_done().await?;
    Ok(measured)
}

async fn open(task: &Task, post: &Post) -> Result<RepSocket> {
    let socket = RepSocket::builder()
        .context(&context(task)?)
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    let endpoint = socket.bind(task.endpoint.as_str()).await?;
    post.ready(&endpoint.to_string(), None);
    Ok(socket)
}

async fn answer(socket: &RepSocket) -> Result<Measured> {
    let mut meter = Meter::default();
    loop {
        let request = socket.recv().await?;
        let seen = meter.see(Phase::of(request.first())?);
        let echo = (*request).clone();
        request.reply(echo).await?;
        if seen.is_end() {
            return meter.finish();
        }
    }
}

/// The answering end is a spawned task on every runtime; the asking one is what the contestant says.
pub async fn within(task: Arc<Task>, post: Post) -> Result<Measured> {
    let (bound, is_bound) = oneshot::channel();
    let replier = tokio::spawn({
        let task = Arc::clone(&task);
        async move {
            let socket = open(&task, &post).await?;
            bound.send(()).ok();
            answer(&socket).await
        }
    });
    // An error also means that the replier has ended; awaiting it below tells why.
    let asked = match is_bound.await {
        Ok(()) => Some(request(&task).await?),
        Err(_) => None,
    };
    let answered = replier.await??;
    let asked = asked.unwrap_or_default();
    asked.check_sent(answered.count)
}

pub async fn request(task: &Task) -> Result<Measured> {
    let socket = ReqSocket::builder()
        .context(&context(task)?)
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
