//! Peers that finish the handshake and then say nothing: plain connections that cost next to
//! nothing themselves, and the watch that is kept on the socket that they are connected to.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::acks::AckSender;
use crate::memory::Baseline;
use crate::meter::Measured;
use crate::rusage::{CpuClock, wake_ups};
use crate::task::Task;
use crate::worker::Post;

/// Connections that are made at a time: fewer than either library's listeners have room for.
const AT_ONCE: usize = 64;
/// Of a greeting of ZMTP 3.
const GREETING: usize = 64;

/// Connects all the peers, says so in one byte where the bound socket's process listens for it, and
/// keeps them until the round is over.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    let acks = AckSender::connect(task)?;
    let address = task.endpoint.strip_prefix("tcp://").context("not tcp")?;
    let mut peers = Vec::with_capacity(task.peers);
    while peers.len() < task.peers {
        let begun = peers.len();
        for _ in 0..AT_ONCE.min(task.peers - begun) {
            let mut peer = TcpStream::connect(address)?;
            peer.write_all(&hello())?;
            peers.push(peer);
        }
        for peer in peers.iter_mut().skip(begun) {
            hear_hello(peer)?;
        }
    }
    for peer in &mut peers {
        check_open(peer)?;
    }
    acks.say()?;
    post.wait_until_done();
    Ok(Measured::default())
}

/// A greeting with the NULL mechanism, and READY as a DEALER.
fn hello() -> Vec<u8> {
    let mut hello = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1];
    hello.extend(b"NULL");
    hello.resize(GREETING, 0);
    let ready: Vec<u8> = [
        b"\x05READY".as_slice(),
        b"\x0bSocket-Type\x00\x00\x00\x06DEALER",
        b"\x08Identity\x00\x00\x00\x00",
    ]
    .concat();
    hello.push(0x04);
    hello.push(ready.len() as u8);
    hello.extend(ready);
    hello
}

/// The same from the other side: a greeting and a short command.
fn hear_hello(peer: &mut TcpStream) -> Result<()> {
    let mut greeting = [0; GREETING + 2];
    peer.read_exact(&mut greeting)?;
    let [.., flags, length] = greeting;
    ensure!(flags == 0x04, "READY begins with {flags:#04x}");
    let mut ready = vec![0; usize::from(length)];
    peer.read_exact(&mut ready)?;
    ensure!(ready.starts_with(b"\x05READY"), "not READY");
    Ok(())
}

/// A connection that has been closed again must not count as one that is idle.
fn check_open(peer: &mut TcpStream) -> Result<()> {
    peer.set_nonblocking(true)?;
    match peer.read(&mut [0]) {
        Ok(0) => bail!("a peer's connection has been closed"),
        Ok(_) => bail!("a peer has been sent something"),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the bound socket's process has used since the peers are there.
pub struct Watch {
    peers: usize,
    memory: u64,
    cpu: CpuClock,
    wake_ups: u64,
    began: Instant,
}

impl Watch {
    /// All peers are there, and what they have given to do has been done.
    pub fn begin(task: &Task, baseline: &Baseline) -> Result<Self> {
        let memory = baseline.growth()?;
        let mut cpu = CpuClock::default();
        cpu.start_once();
        Ok(Self {
            peers: task.peers,
            memory,
            cpu,
            wake_ups: wake_ups(),
            began: Instant::now(),
        })
    }

    pub fn end(self) -> Result<Measured> {
        Ok(Measured {
            count: u64::try_from(self.peers)?,
            elapsed: self.began.elapsed(),
            cpu: self.cpu.elapsed(),
            memory: self.memory,
            wake_ups: wake_ups().saturating_sub(self.wake_ups),
            ..Measured::default()
        })
    }
}
