//! What a worker process does in each role when libzmq is measured.

use std::ffi::c_int;
use std::io::Read;
use std::sync::mpsc;
use std::thread;

use anyhow::{Result, anyhow};

use super::socket::{Context, Message, Poller, Socket};
use super::{exchange, ffi};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::keys;
use crate::latency::Latencies;
use crate::meter::{Measured, Meter};
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::{Role, Task};
use crate::worker::Post;

/// Messages taken from one subscriber before its neighbours get their turn.
const DRAIN_AT_ONCE: usize = 1_000;

/// Plays the role to its end and says what it measured.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    let context = Context::new()?;
    match task.role {
        Role::Pull => pull(&open_receiver(context, ffi::PULL, task, post)?),
        Role::Push => push(&open_sender(context, ffi::PUSH, task)?, task, post),
        Role::Pipeline => pipeline(context, [ffi::PULL, ffi::PUSH], task, post),
        Role::PairIn => pull(&open_receiver(context, ffi::PAIR, task, post)?),
        Role::PairOut => push(&open_sender(context, ffi::PAIR, task)?, task, post),
        Role::Pair => pipeline(context, [ffi::PAIR, ffi::PAIR], task, post),
        Role::Reply => reply(context, task, post),
        Role::Request => request(context, task),
        Role::Publish | Role::PublishTo => publish(context, task, post),
        Role::Forward => forward(context, task, post),
        Role::Subscribe => subscribe(context, task),
        Role::Route => exchange::route(context, task, post),
        Role::Deal => exchange::deal(context, task),
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

fn reply(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let socket = context.socket(ffi::REP, task.hwm)?;
    post.ready(&socket.bind(&task.endpoint)?, None);
    let mut meter = Meter::default();
    let mut message = Message::new();
    loop {
        socket.recv(&mut message)?;
        let seen = meter.see(Phase::of(message.bytes())?);
        socket.send(&mut message)?;
        if seen.is_end() {
            // The reply to the last request may still be on its way; the process must not end yet.
            let measured = meter.finish();
            post.wait_until_done();
            return measured;
        }
    }
}

fn request(context: Context, task: &Task) -> Result<Measured> {
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

fn publish(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    // XPUB is PUB that also shows subscriptions; sending is the same code in libzmq.
    let socket = context.socket(ffi::XPUB, task.hwm)?;
    socket.set_int(ffi::XPUB_VERBOSE, 1)?;
    let listener = AckListener::bind()?;
    let endpoint = match task.role {
        Role::PublishTo => {
            socket.connect(&task.endpoint)?;
            task.endpoint.clone()
        }
        _ => socket.bind(&task.endpoint)?,
    };
    post.ready(&endpoint, Some(&listener.address()?));
    let mut acks = listener.accept()?;
    let mut subscription = Message::new();
    for _ in 0..task.peers {
        socket.recv(&mut subscription)?;
    }

    let mut pacer = Pacer::new(task);
    let mut payload = Payload::new(task.size);
    let mut window = Window::new(task);
    let mut cpu = CpuClock::default();
    let mut sent = 0;
    let mut arrived = [0; 64];
    loop {
        let phase = pacer.next();
        while window.must_wait(phase) {
            window.acked(acks.read(&mut arrived)?)?;
        }
        payload.set_phase(phase);
        payload.set_sequence(window.next_sequence());
        socket.send_copy(payload.bytes())?;
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => {
                cpu.start_once();
                sent += 1;
            }
            Phase::End => break,
        }
    }
    post.wait_until_done();
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// Forwards until the round is over. Its processor time includes the warm-up.
fn forward(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let mut cpu = CpuClock::default();
    cpu.start_once();
    let (task, proxy_post) = (task.clone(), post.clone());
    let proxy = thread::spawn(move || {
        let front = context.socket(ffi::XSUB, task.hwm)?;
        let back = context.socket(ffi::XPUB, task.hwm)?;
        let publishers = front.bind(&task.endpoint)?;
        let subscribers = back.bind(&task.endpoint)?;
        proxy_post.ready(&publishers, Some(&subscribers));
        front.forward_to(&back)
    });
    post.wait_until_done();
    // It forwards for as long as the process lives, unless it could not begin.
    if proxy.is_finished() {
        proxy.join().map_err(|_| anyhow!("the proxy panicked"))??;
    }
    Ok(Measured {
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// Plain `recv` for one subscriber; many of them in one thread over `zmq_poll`. A thread for each
/// is a third slower with more subscribers than processors, `zmq_poll` is slower with one, and the
/// better of the two should stand for libzmq.
fn subscribe(context: Context, task: &Task) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let mut subscribers = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..task.peers {
        let socket = context.socket(ffi::SUB, task.hwm)?;
        socket.subscribe_to_all()?;
        socket.connect(&task.endpoint)?;
        sockets.push(socket);
        subscribers.push(Subscriber::new(&acks, task));
    }
    match (sockets.as_slice(), subscribers.as_mut_slice()) {
        ([socket], [subscriber]) => receive_one(socket, subscriber)?,
        (sockets, subscribers) => receive_many(sockets, subscribers)?,
    }
    Measured::of_many(subscribers.into_iter().map(Subscriber::into_meter))
}

fn receive_one(socket: &Socket, subscriber: &mut Subscriber) -> Result<()> {
    let mut message = Message::new();
    loop {
        socket.recv(&mut message)?;
        if subscriber.see(message.bytes())?.is_end() {
            return Ok(());
        }
    }
}

fn receive_many(sockets: &[Socket], subscribers: &mut [Subscriber]) -> Result<()> {
    let mut poller = Poller::new(sockets);
    let mut message = Message::new();
    let mut running = sockets.len();
    while running > 0 {
        let ready = poller.wait()?;
        let each = sockets.iter().zip(subscribers.iter_mut()).zip(ready);
        for ((socket, subscriber), _) in each.filter(|(_, ready)| *ready) {
            for _ in 0..DRAIN_AT_ONCE {
                if !socket.try_recv(&mut message)? {
                    break;
                }
                if subscriber.see(message.bytes())?.is_end() {
                    running -= 1;
                }
            }
        }
    }
    Ok(())
}
