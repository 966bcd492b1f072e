//! ROUTER and its DEALERs.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::task::JoinHandle;
use wirelark::{DealerSocket, RouterSocket};

use super::UNLIMITED;
use crate::exchange::{Answerer, Asker, WINDOW};
use crate::meter::{Measured, Meter};
use crate::task::Task;
use crate::worker::Post;

pub async fn route(task: &Task, post: Post) -> Result<Measured> {
    let socket = RouterSocket::builder()
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    let endpoint = socket.bind(task.endpoint.as_str()).await?;
    post.ready(&endpoint.to_string(), None);
    let mut answerer = Answerer::default();
    loop {
        let (peer, request) = socket.recv().await?;
        let was_last = answerer.see(request.first(), task.peers)?;
        socket.send_to(&peer, request).await?;
        if was_last {
            // The last replies may still be on their way; the process must not end yet.
            let measured = answerer.finish();
            post.until_done().await?;
            return Ok(measured);
        }
    }
}

/// One DEALER runs where the contestant says, many are a task each.
pub async fn deal(task: Arc<Task>) -> Result<Measured> {
    if task.peers == 1 {
        return Measured::of_many([ask(&task).await?].into_iter());
    }
    let mut running = Vec::new();
    for _ in 0..task.peers {
        let task = Arc::clone(&task);
        running.push(tokio::spawn(async move { ask(&task).await }));
    }
    finish(running).await
}

async fn finish(running: Vec<JoinHandle<Result<Meter>>>) -> Result<Measured> {
    let mut meters = Vec::new();
    for dealer in running {
        meters.push(dealer.await.context("a dealer panicked")??);
    }
    Measured::of_many(meters.into_iter())
}

fn open(task: &Task) -> Result<DealerSocket> {
    let socket = DealerSocket::builder()
        .send_hwm(task.hwm)
        .recv_hwm(task.hwm)
        .send_hwm_bytes(UNLIMITED)
        .recv_hwm_bytes(UNLIMITED)
        .build();
    socket.connect(task.endpoint.as_str())?;
    Ok(socket)
}

async fn ask(task: &Task) -> Result<Meter> {
    let socket = open(task)?;
    let mut asker = Asker::new(task);
    for _ in 0..WINDOW {
        if let Some(request) = asker.ask() {
            socket.send(request).await?;
        }
    }
    loop {
        let reply = socket.recv().await?;
        if asker.hear(reply.first())? {
            return Ok(asker.into_meter());
        }
        if let Some(request) = asker.ask() {
            socket.send(request).await?;
        }
    }
}

/// Many tasks, each of which connects, asks once and closes, over and over.
pub async fn call(task: Arc<Task>) -> Result<Measured> {
    let mut running = Vec::new();
    for _ in 0..task.peers {
        let task = Arc::clone(&task);
        running.push(tokio::spawn(async move {
            let mut asker = Asker::new(&task);
            while let Some(request) = asker.ask() {
                let socket = open(&task)?;
                socket.send(request).await?;
                let reply = socket.recv().await?;
                asker.hear(reply.first())?;
            }
            anyhow::Ok(asker.into_meter())
        }));
    }
    finish(running).await
}
