//! Keeps a publisher from running ahead of its subscribers, so that nothing has to be dropped.
//!
//! A PUB socket drops for a subscriber whose queue is full. Two publishers that drop at different
//! rates do different work, and deliveries per second would compare nothing. So both sides are
//! held to the same window: the publisher may be a few epochs of messages ahead of the slowest
//! subscriber. Each finished epoch comes back as one byte over a plain TCP connection beside the
//! measured one, some hundred bytes a second in all.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};

use crate::meter::Meter;
use crate::pace::Phase;
use crate::payload::Payload;
use crate::task::Task;

/// Epochs that may be under way at once.
const OPEN_EPOCHS: u64 = 4;
/// High-water mark of both ends of a fan-out cell, in epochs. Far above the window, because
/// libzmq's sender learns late of what has been read: when half the mark has gone, and, while it
/// sends without a pause, only at its next look at its mailbox, a millisecond and thousands of
/// messages later. With a mark of 10 epochs it drops, though nothing like 10 epochs are queued.
pub const HWM_EPOCHS: usize = 100;
/// Counters in use at once are at most [`OPEN_EPOCHS`] and one; the rest is distance.
const RING: usize = 16;

/// The publisher's end before the subscribers are there.
pub struct AckListener(TcpListener);

impl AckListener {
    pub fn bind() -> Result<Self> {
        Ok(Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?))
    }

    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }

    /// Waits for the subscribing process.
    pub fn accept(&self) -> Result<TcpStream> {
        Ok(self.0.accept()?.0)
    }
}

/// The publisher's account of what is under way.
pub struct Window {
    epoch: u64,
    next: u64,
    finished: u64,
}

impl Window {
    pub fn new(task: &Task) -> Self {
        Self {
            epoch: task.epoch(),
            next: 0,
            finished: 0,
        }
    }

    /// Whether the next message has to wait for the slowest subscriber. The last one waits for
    /// every full epoch, so that it in particular is not dropped.
    pub fn must_wait(&self, phase: Phase) -> bool {
        let begun = self.next / self.epoch;
        let open = if phase.is_end() { 1 } else { OPEN_EPOCHS };
        begun >= self.finished + open
    }

    /// That many bytes have come back; none means that the subscribers have gone.
    pub fn acked(&mut self, bytes: usize) -> Result<()> {
        ensure!(bytes > 0, "the subscribers have gone");
        self.finished += u64::try_from(bytes)?;
        Ok(())
    }

    pub fn next_sequence(&mut self) -> u64 {
        let sequence = self.next;
        self.next += 1;
        sequence
    }
}

/// The subscribers' end, shared by all of them.
#[derive(Clone)]
pub struct AckSender(Arc<Shared>);

struct Shared {
    stream: TcpStream,
    subscribers: usize,
    /// How many subscribers have finished an epoch, by epoch modulo the ring.
    finished: [AtomicUsize; RING],
}

impl AckSender {
    pub fn connect(task: &Task) -> Result<Self> {
        let address = task
            .acks
            .context("a subscriber needs the publisher's --acks")?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(Arc::new(Shared {
            stream,
            subscribers: task.peers,
            finished: Default::default(),
        })))
    }

    fn finished(&self, epoch: u64) -> Result<()> {
        let slot = usize::try_from(epoch)? % RING;
        let count = self.0.finished.get(slot).context("no such slot")?;
        if count.fetch_add(1, Ordering::AcqRel) + 1 == self.0.subscribers {
            count.store(0, Ordering::Release);
            self.say()?;
        }
        Ok(())
    }

    /// One byte for the other side: another epoch, or, before the first one, that all is ready.
    pub fn say(&self) -> Result<()> {
        Ok((&self.0.stream).write_all(&[1])?)
    }
}

/// What one subscriber has seen. Goes by sequence numbers, not by counting: a dropped message
/// shows up in the count at the end instead of stopping the round.
pub struct Subscriber {
    meter: Meter,
    acks: AckSender,
    epoch: u64,
    finished: u64,
}

impl Subscriber {
    pub fn new(acks: &AckSender, task: &Task) -> Self {
        Self {
            meter: Meter::default(),
            acks: acks.clone(),
            epoch: task.epoch(),
            finished: 0,
        }
    }

    /// Notes one received message and tells its phase.
    pub fn see(&mut self, message: &[u8]) -> Result<Phase> {
        let sequence = Payload::sequence_of(message)?;
        while (self.finished + 1) * self.epoch <= sequence + 1 {
            self.acks.finished(self.finished)?;
            self.finished += 1;
        }
        Ok(self.meter.see(Phase::of(message)?))
    }

    pub fn into_meter(self) -> Meter {
        self.meter
    }
}
