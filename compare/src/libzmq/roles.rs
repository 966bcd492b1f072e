//! What a worker process does in each role when libzmq is measured.

use std::ffi::c_int;
use std::sync::mpsc;
use std::thread;

use anyhow::{Result, anyhow, bail};

use super::socket::{Context, Message, Socket};
use super::{exchange, fan_out, ffi, idle, matching, round_trip};
use crate::busy;
use crate::keys;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::{Role, Task};
use crate::worker::Post;

/// Plays the role to its end and says what it measured.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    let context = Context::new()?;
    if task.busy {
        for _ in 0..busy::workers() {
            thread::spawn(|| {
                loop {
                    busy::compute();
                    thread::yield_now();
                }
            });
        }
    }
    match task.role {
        Role::Pull => pull(&open_receiver(context, ffi::PULL, task, post)?),
        Role::Push => push(&open_sender(context, ffi::PUSH, task)?, task, post),
        Role::Pipeline => pipeline(context, [ffi::PULL, ffi::PUSH], task, post),
        Role::PairIn => pull(&open_receiver(context, ffi::PAIR, task, post)?),
        Role::PairOut => push(&open_sender(context, ffi::PAIR, task)?, task, post),
        Role::Pair => pipeline(context, [ffi::PAIR, ffi::PAIR], task, post),
        Role::Reply => round_trip::reply(context, task, post),
        Role::Request => round_trip::request(context, task),
        Role::RoundTrip => round_trip::within(context, task, post),
        Role::Publish | Role::PublishTo => fan_out::publish(context, task, post),
        Role::Forward => fan_out::forward(context, task, post),
        Role::Subscribe => fan_out::subscribe(context, task),
        Role::Distribute => fan_out::within(context, task),
        Role::Route => exchange::route(context, task, post),
        Role::Deal => exchange::deal(context, task),
        Role::Call => exchange::call(context, task),
        Role::PublishTopics => matching::publish(context, task, post),
        Role::SubscribeTopics => matching::subscribe(context, task),
        Role::Host => idle::host(context, task, post),
        Role::Idle => bail!("a role of no library"),
    }
}

fn open_receiver(context: Context, kind: c_int, task: &Task, post: &Post) -> Result<Socket> {
    let socket = context.socket(kind, task.hwm)?;
    if task.curve {
        socket.be_curve_server(keys::SERVER_SECRET)?;
    }
    post.ready(&socket.bind(&task.endpoint)?, None);
    Ok(socket)
}

fn open_sender(context: Context, kind: c_int, task: &Task) -> Result<Socket> {
    let socket = context.socket(kind, task.hwm)?;
    if task.curve {
        socket.be_curve_client(keys::CLIENT, keys::CLIENT_SECRET, keys::SERVER)?;
    }
    socket.connect(&task.endpoint)?;
    Ok(socket)
}

fn pull(socket: &Socket) -> Result<Measured> {
    let mut meter = Meter::default();
    let mut message = Message::new();
    loop {
        socket.recv(&mut message)?;
        if meter.see(Phase::of(message.bytes())?).is_end() {
            return meter.finish();
        }
    }
}

fn push(socket: &Socket, task: &Task, post: &Post) -> Result<Measured> {
    let (sent, cpu) = flood(socket, task)?;
    post.wait_until_done();
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// Sends through all phases; how many messages of the measured one, and the clock since then.
fn flood(socket: &Socket, task: &Task) -> Result<(u64, CpuClock)> {
    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    loop {
        let phase = pacer.next();
        payload.set_phase(phase);
        socket.send_copy(payload.bytes())?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => return Ok((sent, cpu)),
        }
    }
}

fn pipeline(
    context: Context,
    [receiving, sending]: [c_int; 2],
    task: &Task,
    post: &Post,
) -> Result<Measured> {
    let receiver_task = task.clone();
    let receiver_post = post.clone();
    let (bound, is_bound) = mpsc::channel();
    let receiver = thread::spawn(move || {
        let socket = open_receiver(context, receiving, &receiver_task, &receiver_post)?;
        bound.send(()).ok();
        pull(&socket)
    });
    // An error also means that the receiver has ended; `join` below knows why.
    let sent = match is_bound.recv() {
        Ok(()) => flood(&open_sender(context, sending, task)?, task)?.0,
        Err(_) => 0,
    };
    let measured = receiver
        .join()
        .map_err(|_| anyhow!("the receiver panicked"))??;
    measured.check_sent(sent)
}
