//! PUB and one SUB with many prefixes.

use std::io::{ErrorKind, Read};

use anyhow::{Result, ensure};

use super::ffi;
use super::socket::{Context, Message};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::matching::{PROBE_EVERY, Topics, first_prefixes, last_prefix, payload_of};
use crate::memory::Baseline;
use crate::meter::Measured;
use crate::pace::{Pacer, Phase};
use crate::rusage::CpuClock;
use crate::task::Task;
use crate::worker::Post;

pub fn publish(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let mut topics = Topics::new(task);
    let baseline = Baseline::take()?;
    let socket = context.socket(ffi::PUB, task.hwm)?;
    let listener = AckListener::bind()?;
    post.ready(&socket.bind(&task.endpoint)?, Some(&listener.address()?));
    let mut acks = listener.accept()?;
    let mut arrived = [0; 64];
    acks.set_read_timeout(Some(PROBE_EVERY))?;
    loop {
        for probe in topics.probes() {
            socket.send_copy(&probe)?;
        }
        match acks.read(&mut arrived) {
            Ok(read) => break ensure!(read == 1, "the subscriber has gone"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    acks.set_read_timeout(None)?;
    let memory = baseline.growth()?;

    let mut pacer = Pacer::new(task);
    let mut window = Window::new(task);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        while window.must_wait(phase) {
            window.acked(acks.read(&mut arrived)?)?;
        }
        let is_wanted = topics.is_wanted(phase);
        socket.send_copy(topics.next(phase, &mut window))?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += u64::from(is_wanted);
            }
            Phase::End => break,
        }
    }
    post.wait_until_done();
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        memory,
        ..Measured::default()
    })
}

pub fn subscribe(context: Context, task: &Task) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let baseline = Baseline::take()?;
    let socket = context.socket(ffi::SUB, task.hwm)?;
    for prefix in first_prefixes(task) {
        socket.subscribe(&prefix)?;
    }
    socket.connect(&task.endpoint)?;
    let mut message = Message::new();
    socket.recv(&mut message)?;
    let last = last_prefix(task);
    socket.subscribe(&last)?;
    while !message.bytes().starts_with(&last) {
        socket.recv(&mut message)?;
    }
    let memory = baseline.growth()?;
    acks.say()?;
    let mut subscriber = Subscriber::new(&acks, task);
    loop {
        socket.recv(&mut message)?;
        if subscriber.see(payload_of(message.bytes())?)?.is_end() {
            let measured = subscriber.into_meter().finish()?;
            return Ok(Measured { memory, ..measured });
        }
    }
}
