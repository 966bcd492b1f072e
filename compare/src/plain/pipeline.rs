//! A sender and a receiver that block.

use std::io::{Read, Write};

use anyhow::Result;

use super::frames::{BUFFER, Frame, Frames};
use super::{Listener, Stream};
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::rusage::CpuClock;
use crate::task::Task;
use crate::worker::Post;

pub fn pull(task: &Task, post: &Post) -> Result<Measured> {
    let (listener, endpoint) = Listener::bind(task)?;
    post.ready(&endpoint, None);
    match listener.accept()? {
        Stream::Tcp(stream) => receive(stream, task),
        Stream::Ipc(stream) => receive(stream, task),
    }
}

fn receive(mut stream: impl Read, task: &Task) -> Result<Measured> {
    let mut meter = Meter::default();
    let mut frames = Frames::new(task.size);
    loop {
        let read = stream.read(frames.room())?;
        frames.arrived(read)?;
        while let Some(body) = frames.next() {
            if meter.see(Phase::of(body)?).is_end() {
                return meter.finish();
            }
        }
    }
}

pub fn push(task: &Task, post: &Post) -> Result<Measured> {
    let (sent, cpu) = match Stream::connect(task)? {
        Stream::Tcp(mut stream) => flood(&mut stream, task),
        Stream::Ipc(mut stream) => flood(&mut stream, task),
    }?;
    post.wait_until_done();
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

fn flood(stream: &mut impl Write, task: &Task) -> Result<(u64, CpuClock)> {
    let mut pacer = Pacer::new(task);
    let mut frame = Frame::new(task.size);
    let mut buffer = Vec::with_capacity(BUFFER.max(frame.len()));
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        frame.set(phase, None);
        if buffer.len() + frame.len() > BUFFER {
            stream.write_all(&buffer)?;
            buffer.clear();
        }
        frame.write_to(&mut buffer);
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => {
                stream.write_all(&buffer)?;
                return Ok((sent, cpu));
            }
        }
    }
}
