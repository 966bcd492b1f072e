//! One writer of the same frames to many connections, and their readers.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frames::{BUFFER, Frame, Frames};
use super::{Duplex, Listener, Stream};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::rusage::CpuClock;
use crate::task::Task;
use crate::worker::Post;

pub async fn publish(task: &Task, post: Post) -> Result<Measured> {
    let (listener, endpoint) = Listener::bind(task)?;
    let acks = AckListener::bind()?;
    post.ready(&endpoint, Some(&acks.address()?));
    let mut acks = Stream::Tcp(acks.accept()?).into_async()?;
    let mut streams = Vec::new();
    for _ in 0..task.peers {
        streams.push(listener.accept()?.into_async()?);
    }

    let mut pacer = Pacer::new(task);
    let mut frame = Frame::new(task.size);
    let mut window = Window::new(task);
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    let mut arrived = [0; 64];
    loop {
        let phase = pacer.next();
        while window.must_wait(phase) {
            write_to_all(&mut streams, &mut buffer).await?;
            window.acked(acks.read(&mut arrived).await?)?;
        }
        frame.set(phase, Some(window.next_sequence()));
        if buffer.len() + frame.len() > BUFFER {
            write_to_all(&mut streams, &mut buffer).await?;
        }
        frame.write_to(&mut buffer);
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => break,
        }
    }
    write_to_all(&mut streams, &mut buffer).await?;
    post.until_done().await?;
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

async fn write_to_all(streams: &mut [Box<dyn Duplex>], buffer: &mut Vec<u8>) -> Result<()> {
    for stream in streams {
        stream.write_all(buffer).await?;
    }
    buffer.clear();
    Ok(())
}

pub async fn subscribe(task: &Task) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let task = Arc::new(task.clone());
    let mut running = Vec::new();
    for _ in 0..task.peers {
        let stream = Stream::connect(&task)?.into_async()?;
        running.push(tokio::spawn(receive(
            stream,
            Arc::clone(&task),
            acks.clone(),
        )));
    }
    let mut meters = Vec::new();
    for subscriber in running {
        meters.push(subscriber.await.context("a subscriber panicked")??);
    }
    Measured::of_many(meters.into_iter())
}

async fn receive(mut stream: Box<dyn Duplex>, task: Arc<Task>, acks: AckSender) -> Result<Meter> {
    let mut subscriber = Subscriber::new(&acks, &task);
    let mut frames = Frames::new(task.size);
    loop {
        let read = stream.read(frames.room()).await?;
        frames.arrived(read)?;
        while let Some(body) = frames.next() {
            if subscriber.see(body)?.is_end() {
                return Ok(subscriber.into_meter());
            }
        }
    }
}
