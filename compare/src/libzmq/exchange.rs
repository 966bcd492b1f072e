//! ROUTER and its DEALERs.

use anyhow::Result;

use super::ffi;
use super::socket::{Context, Message, Poller, Socket};
use crate::exchange::{Answerer, Asker, WINDOW};
use crate::meter::Measured;
use crate::task::Task;
use crate::worker::Post;

pub fn route(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let socket = context.socket(ffi::ROUTER, task.hwm)?;
    post.ready(&socket.bind(&task.endpoint)?, None);
    let mut answerer = Answerer::default();
    let (mut peer, mut request) = (Message::new(), Message::new());
    loop {
        socket.recv(&mut peer)?;
        socket.recv(&mut request)?;
        let was_last = answerer.see(request.bytes(), task.peers)?;
        socket.send_more(&mut peer)?;
        socket.send(&mut request)?;
        if was_last {
            // The last replies may still be on their way; the process must not end yet.
            let measured = answerer.finish();
            post.wait_until_done();
            return Ok(measured);
        }
    }
}

/// Plain `recv` for one DEALER; many of them in one thread over `zmq_poll`.
pub fn deal(context: Context, task: &Task) -> Result<Measured> {
    let mut sockets = Vec::new();
    let mut askers = Vec::new();
    for _ in 0..task.peers {
        let socket = context.socket(ffi::DEALER, task.hwm)?;
        socket.connect(&task.endpoint)?;
        sockets.push(socket);
        askers.push(Asker::new(task));
    }
    for (socket, asker) in sockets.iter().zip(&mut askers) {
        for _ in 0..WINDOW {
            ask(socket, asker)?;
        }
    }
    match (sockets.as_slice(), askers.as_mut_slice()) {
        ([socket], [asker]) => hear_one(socket, asker)?,
        (sockets, askers) => hear_many(sockets, askers)?,
    }
    Measured::of_many(askers.into_iter().map(Asker::into_meter))
}

fn ask(socket: &Socket, asker: &mut Asker) -> Result<()> {
    match asker.ask() {
        Some(request) => socket.send_copy(request),
        None => Ok(()),
    }
}

fn hear_one(socket: &Socket, asker: &mut Asker) -> Result<()> {
    let mut reply = Message::new();
    loop {
        socket.recv(&mut reply)?;
        if asker.hear(reply.bytes())? {
            return Ok(());
        }
        ask(socket, asker)?;
    }
}

fn hear_many(sockets: &[Socket], askers: &mut [Asker]) -> Result<()> {
    let mut poller = Poller::new(sockets);
    let mut reply = Message::new();
    let mut running = sockets.len();
    while running > 0 {
        let ready = poller.wait()?;
        let each = sockets.iter().zip(askers.iter_mut()).zip(ready);
        for ((socket, asker), _) in each.filter(|(_, ready)| *ready) {
            // What one DEALER has under way bounds what it can find here.
            while socket.try_recv(&mut reply)? {
                if asker.hear(reply.bytes())? {
                    running -= 1;
                } else {
                    ask(socket, asker)?;
                }
            }
        }
    }
    Ok(())
}

/// Many sockets at a time over `zmq_poll`, each of which connects, asks once and closes; then
/// another takes its place.
pub fn call(context: Context, task: &Task) -> Result<Measured> {
    let mut calls = Vec::new();
    for _ in 0..task.peers {
        let mut asker = Asker::new(task);
        calls.extend(begin(context, task, &mut asker)?.map(|socket| (socket, asker)));
    }
    let mut meters = Vec::new();
    let mut reply = Message::new();
    while !calls.is_empty() {
        let mut poller = Poller::new(calls.iter().map(|(socket, _)| socket));
        let ready: Vec<bool> = poller.wait()?.collect();
        // From the end, so that what takes a place has had its turn.
        for (at, _) in ready.iter().enumerate().rev().filter(|(_, ready)| **ready) {
            let (socket, mut asker) = calls.swap_remove(at);
            socket.recv(&mut reply)?;
            asker.hear(reply.bytes())?;
            socket.close()?;
            match begin(context, task, &mut asker)? {
                Some(socket) => calls.push((socket, asker)),
                None => meters.push(asker.into_meter()),
            }
        }
    }
    Measured::of_many(meters.into_iter())
}

/// A socket that has asked; none once the last request has been made.
fn begin(context: Context, task: &Task, asker: &mut Asker) -> Result<Option<Socket>> {
    let Some(request) = asker.ask() else {
        return Ok(None);
    };
    let socket = context.socket(ffi::DEALER, task.hwm)?;
    socket.connect(&task.endpoint)?;
    socket.send_copy(request)?;
    Ok(Some(socket))
}
