//! PUB and its SUBs, and the proxy between them.

use std::io::Read;
use std::thread;

use anyhow::{Result, anyhow};

use super::ffi;
use super::socket::{Context, Message, Poller, Socket};
use crate::acks::{AckListener, AckSender, Subscriber, Window};
use crate::meter::Measured;
use crate::pace::{Pacer, Phase};
use crate::payload::Payload;
use crate::rusage::CpuClock;
use crate::task::{Role, Task};
use crate::worker::Post;

/// Messages taken from one subscriber before its neighbours get their turn.
const DRAIN_AT_ONCE: usize = 1_000;

pub fn publish(context: Context, task: &Task, post: &Post) -> Result<Measured> {
    let publisher = Publisher::open(context, task)?;
    let address = publisher.listener.address()?;
    post.ready(&publisher.endpoint, Some(&address));
    let (sent, cpu) = publisher.run(task)?;
    post.wait_until_done();
    Ok(Measured {
        count: sent,
        cpu: cpu.elapsed(),
        ..Measured::default()
    })
}

/// The subscribers are in a thread of their own.
pub fn within(context: Context, task: &Task) -> Result<Measured> {
    let publisher = Publisher::open(context, task)?;
    let subscribers_task = Task {
        acks: Some(publisher.listener.address()?),
        ..task.clone()
    };
    let subscribers = thread::spawn(move || subscribe(context, &subscribers_task));
    let (sent, _) = publisher.run(task)?;
    let due = sent * u64::try_from(task.peers)?;
    subscribers
        .join()
        .map_err(|_| anyhow!("the subscribers panicked"))??
        .check_sent(due)
}

struct Publisher {
    socket: Socket,
    listener: AckListener,
    endpoint: String,
}

impl Publisher {
    fn open(context: Context, task: &Task) -> Result<Self> {
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
        Ok(Self {
            socket,
            listener,
            endpoint,
        })
    }

    /// How many messages of the measured phase have been sent, and the clock since then.
    fn run(&self, task: &Task) -> Result<(u64, CpuClock)> {
        let mut acks = self.listener.accept()?;
        let mut subscription = Message::new();
        for _ in 0..task.peers {
            self.socket.recv(&mut subscription)?;
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
            self.socket.send_copy(payload.bytes())?;
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
}

/// Forwards until the round is over. Its processor time includes the warm-up.
pub fn forward(context: Context, task: &Task, post: &Post) -> Result<Measured> {
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
pub fn subscribe(context: Context, task: &Task) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let mut subscribers = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..task.peers {
        let socket = context.socket(ffi::SUB, task.hwm)?;
        socket.subscribe(b"")?;
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
