//! REQ and REP, one request at a time.

use std::sync::mpsc;
use std::thread;

use anyhow::{Result, anyhow};

use super::ffi;
use super::socket::{Context, Message, Socket};
use crate::latency::Latencies;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::task::Task;
use crate::worker::Post;

pub fn reply(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let measured = answer(&open(context, task, post)?)?;
    // The reply to the last request may still be on its way; the process must not end yet.
    post.wait_until_done();
    Ok(measured)
}

fn open(context: Context, task: &Task, post: &Post) -> Result<Socket> {
    let socket = context.socket(ffi::REP, task.hwm)?;
    post.ready(&socket.bind(&task.endpoint)?, None);
    Ok(socket)
}

fn answer(socket: &Socket) -> Result<Measured> {
    let mut meter = Meter::default();
    let mut message = Message::new();
    loop {
        socket.recv(&mut message)?;
        let seen = meter.see(Phase::of(message.bytes())?);
        socket.send(&mut message)?;
        if seen.is_end() {
            return meter.finish();
        }
    }
}

pub fn within(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let (replier_task, replier_post) = (task.clone(), post.clone());
    let (bound, is_bound) = mpsc::channel();
    let (done, is_done) = mpsc::channel::<()>();
    let replier = thread::spawn(move || {
        let socket = open(context, &replier_task, &replier_post)?;
        bound.send(()).ok();
        let answered = answer(&socket);
        // The socket lives until the last reply has been received.
        is_done.recv().ok();
        answered
    });
    // An error also means that the replier has ended; `join` below knows why.
    let asked = match is_bound.recv() {
        Ok(()) => request(context, task)?,
        Err(_) => Measured::default(),
    };
    drop(done);
    let answered = replier
        .join()
        .map_err(|_| anyhow!("the replier panicked"))??;
    asked.check_sent(answered.count)
}

pub fn request(context: Context, task: &Task) -> Result<Measured> {
    let socket = context.socket(ffi::REQ, task.hwm)?;
    socket.connect(&task.endpoint)?;
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut latencies = Latencies::default();
    let mut message = Message::new();
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        latencies.begin(phase);
        socket.send_copy(payload.bytes())?;
        socket.recv(&mut message)?;
        latencies.end(phase);
        payload.check_echo(message.bytes())?;
        if phase == Phase::End {
            return latencies.finish();
        }
    }
}
