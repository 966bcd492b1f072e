//! A ping-pong on tokio's single-threaded runtime: one write and one read for each way.

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frames::{header, put};
use super::{Listener, Stream};
use crate::latency::Latencies;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::task::Task;
use crate::worker::Post;

/// The empty frame that REQ and REP have before the body.
const DELIMITER: [u8; 2] = [1, 0];

/// What comes before the body of a request.
fn envelope(task: &Task) -> Vec<u8> {
    [DELIMITER.as_slice(), &header(task.size)].concat()
}

pub async fn reply(task: &Task, post: Post) -> Result<Measured> {
    let (listener, endpoint) = Listener::bind(task)?;
    post.ready(&endpoint, None);
    let mut stream = listener.accept()?.into_async()?;
    let body = envelope(task).len();
    let mut message = vec![0; body + task.size];
    let mut meter = Meter::default();
    loop {
        stream.read_exact(&mut message).await?;
        let seen = meter.see(Phase::of(message.get(body..).unwrap_or_default())?);
        stream.write_all(&message).await?;
        if seen.is_end() {
            let measured = meter.finish();
            post.until_done().await?;
            return measured;
        }
    }
}

pub async fn request(task: &Task) -> Result<Measured> {
    let mut stream = Stream::connect(task)?.into_async()?;
    let envelope = envelope(task);
    let mut message = Vec::new();
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut latencies = Latencies::default();
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        latencies.begin(phase);
        message.clear();
        put(&mut message, &envelope, payload.bytes());
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        latencies.end(phase);
        payload.check_echo(message.get(envelope.len()..).unwrap_or_default())?;
        if phase == Phase::End {
            return latencies.finish();
        }
    }
}
