//! Many connections that ask, and a program that answers: one write for all that one read has brought.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::frames::{Frames, header, put};
use super::{Duplex, Listener, Stream};
use crate::exchange::{Answerer, Asker, WINDOW};
use crate::meter::{Measured, Meter};
use crate::task::Task;
use crate::worker::Post;

pub async fn route(task: &Task, post: Post) -> Result<Measured> {
    let (listener, endpoint) = Listener::bind(task)?;
    post.ready(&endpoint, None);
    let answerer = Arc::new(Mutex::new(Answerer::default()));
    let (ended, mut has_ended) = mpsc::channel(1);
    for _ in 0..task.peers {
        let stream = listener.accept()?.into_async()?;
        let (task, answerer, ended) = (task.clone(), Arc::clone(&answerer), ended.clone());
        tokio::spawn(async move {
            match answer(stream, &task, &answerer).await {
                // Another one has it, or will have it.
                Ok(false) => {}
                outcome => drop(ended.try_send(outcome)),
            }
        });
    }
    has_ended.recv().await.context("nobody has ended")??;
    let measured = {
        let mut answerer = answerer.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *answerer).finish()
    };
    post.until_done().await?;
    Ok(measured)
}

/// Answers until the connection ends, or with `true` when it has had the last request of all.
async fn answer(
    mut stream: Box<dyn Duplex>,
    task: &Task,
    answerer: &Mutex<Answerer>,
) -> Result<bool> {
    let header = header(task.size);
    let mut frames = Frames::new(task.size);
    let mut replies = Vec::new();
    loop {
        let read = stream.read(frames.room()).await?;
        if read == 0 {
            return Ok(false);
        }
        frames.arrived(read)?;
        let mut was_last = false;
        {
            let mut answerer = answerer.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(body) = frames.next() {
                was_last |= answerer.see(body, task.peers)?;
                put(&mut replies, &header, body);
            }
        }
        stream.write_all(&replies).await?;
        replies.clear();
        if was_last {
            return Ok(true);
        }
    }
}

pub async fn deal(task: &Task) -> Result<Measured> {
    let mut running = Vec::new();
    for _ in 0..task.peers {
        let stream = Stream::connect(task)?.into_async()?;
        running.push(tokio::spawn(ask(stream, task.clone())));
    }
    let mut meters = Vec::new();
    for dealer in running {
        meters.push(dealer.await.context("a dealer panicked")??);
    }
    Measured::of_many(meters.into_iter())
}

async fn ask(mut stream: Box<dyn Duplex>, task: Task) -> Result<Meter> {
    let header = header(task.size);
    let mut asker = Asker::new(&task);
    let mut frames = Frames::new(task.size);
    let mut requests = Vec::new();
    for _ in 0..WINDOW {
        if let Some(request) = asker.ask() {
            put(&mut requests, &header, request);
        }
    }
    loop {
        stream.write_all(&requests).await?;
        requests.clear();
        let read = stream.read(frames.room()).await?;
        frames.arrived(read)?;
        while let Some(reply) = frames.next() {
            if asker.hear(reply)? {
                return Ok(asker.into_meter());
            }
            if let Some(request) = asker.ask() {
                put(&mut requests, &header, request);
            }
        }
    }
}
