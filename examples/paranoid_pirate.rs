//! *Paranoid pirate*: workers behind a queue, and heartbeats in both directions, so that each side
//! finds out when the other has died, hangs, or has lost its network.
//!
//! ```text
//! cargo run --example paranoid_pirate -- queue
//! cargo run --example paranoid_pirate -- worker --name anne     # and again, with other names
//! cargo run --example lazy_pirate -- client --requests 1000     # the clients are lazy pirates
//! ```
//!
//! Kill a worker, or stop one with Ctrl-Z: the others do its work. Kill the queue and start it again:
//! the workers come back, and the clients do not notice much.
//!
//! A closed connection is seen at once, without any heartbeats. They are for all that leaves a
//! connection open with nobody behind it, and for the worker to learn that the queue has forgotten
//! it. What is said on the wire is the Paranoid Pirate Protocol, RFC 6.

mod console;
mod heartbeat;

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::time::Duration;

use clap::{Args, Parser};
use console::{Outcome, until_ctrl_c};
use heartbeat::Pace;
use tokio::time::{Instant, sleep, sleep_until};
use wirelark::{DealerSocket, Identity, Message, RouterSocket};

/// A worker says that it has come, and has nothing to do.
const READY: &[u8] = &[1];
/// Either side says that it is alive.
const HEARTBEAT: &[u8] = &[2];
/// A worker that cannot find its queue does not try more rarely than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(about = "Workers behind a queue, which watch each other by heartbeats")]
enum Role {
    /// Gives the requests of clients to workers
    Queue(Queue),
    /// Does what the queue gives it
    Worker(Worker),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Queue(queue) => queue.run().await,
        Role::Worker(worker) => worker.run().await,
    }
}

#[derive(Args)]
struct Queue {
    /// Where clients connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5555")]
    clients: String,
    /// Where workers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5556")]
    workers: String,
    #[command(flatten)]
    pace: Pace,
}

impl Queue {
    async fn run(self) -> Outcome {
        let mut desk = Desk {
            clients: RouterSocket::new(),
            // A worker that opens a new connection may take its name along.
            workers: RouterSocket::builder().handover(true).build(),
            pace: self.pace,
            known: HashMap::new(),
            free: VecDeque::new(),
        };
        let clients = desk.clients.bind(self.clients.as_str()).await?;
        let workers = desk.workers.bind(self.workers.as_str()).await?;
        eprintln!("Clients at {clients}, workers at {workers}");
        let outcome = until_ctrl_c(desk.serve()).await;
        desk.clients.close().await;
        desk.workers.close().await;
        outcome
    }
}

struct Desk {
    clients: RouterSocket,
    workers: RouterSocket,
    pace: Pace,
    /// Every worker that is alive as far as we know, and until when we believe it.
    known: HashMap<Identity, Instant>,
    /// Those that have nothing to do; the one that has waited longest is next.
    free: VecDeque<Identity>,
}

impl Desk {
    async fn serve(&mut self) -> Outcome {
        let mut ticks = self.pace.ticks();
        loop {
            tokio::select! {
                // In this order: what workers have said is heard before their silence is judged.
                biased;
                received = self.workers.recv() => {
                    let (worker, message) = received?;
                    self.hear(worker, message);
                }
                _ = ticks.tick() => self.watch(),
                // While no worker is free the requests stay where they are, and in the end the
                // clients are held up. That is better than a heap of requests here.
                received = self.clients.recv(), if !self.free.is_empty() => {
                    let (client, request) = received?;
                    self.assign(&client, request);
                }
            }
        }
    }

    fn hear(&mut self, worker: Identity, message: Message) {
        let frames = message.into_frames();
        let deadline = Instant::now() + self.pace.patience();
        match frames.as_slice() {
            [word] if word == READY => {
                println!("ready: {worker}");
                self.known.insert(worker.clone(), deadline);
                self.rest(worker);
            }
            [word] if word == HEARTBEAT => {
                // Only from workers that we know. One that was given up hears nothing more from
                // us; so it will notice, and come again with READY.
                if let Some(until) = self.known.get_mut(&worker) {
                    *until = deadline;
                }
            }
            [client, reply @ ..] if !reply.is_empty() => {
                // `try_`, everywhere here: one peer that does not read must not hold up the others.
                if let Ok(client) = Identity::of_peer(client.clone()) {
                    self.clients.try_send_to(&client, reply.to_vec()).ok();
                }
                if let Some(until) = self.known.get_mut(&worker) {
                    *until = deadline;
                    self.rest(worker);
                }
            }
            other => eprintln!("{worker} said {other:?}, which means nothing"),
        }
    }

    /// Puts a worker at the end of the row, where it stands only once.
    fn rest(&mut self, worker: Identity) {
        self.free.retain(|other| *other != worker);
        self.free.push_back(worker);
    }

    /// Gives a request to the first free worker, with the client's name in front: the worker sends
    /// it back with the answer. The rest of the envelope is the client's and the worker's affair.
    fn assign(&mut self, client: &Identity, mut request: Message) {
        request.push_front(client.as_bytes());
        while let Some(worker) = self.free.pop_front() {
            if self.workers.try_send_to(&worker, &request).is_ok() {
                return;
            }
            self.forget(&worker); // its connection has ended, or is stuck
        }
        // Nobody was left. The client will ask again: that is the other half of the pattern.
    }

    /// Gives up those that have been silent for too long, and greets the others.
    fn watch(&mut self) {
        let now = Instant::now();
        let silent = self.known.iter().filter(|(_, until)| **until < now);
        let silent: Vec<_> = silent.map(|(worker, _)| worker.clone()).collect();
        for worker in silent {
            self.forget(&worker);
        }
        for worker in self.known.keys() {
            self.workers.try_send_to(worker, HEARTBEAT).ok();
        }
    }

    fn forget(&mut self, worker: &Identity) {
        println!("gone: {worker}");
        self.known.remove(worker);
        self.free.retain(|other| other != worker);
    }
}

#[derive(Args)]
struct Worker {
    /// What the queue shall call this worker; no two may have the same name
    #[arg(long, value_name = "NAME", default_value_t = format!("worker-{}", std::process::id()))]
    name: String,
    /// The queue
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5556")]
    queue: String,
    /// How long a job takes
    #[arg(long, value_name = "N", default_value_t = 0)]
    work_ms: u64,
    #[command(flatten)]
    pace: Pace,
}

impl Worker {
    async fn run(self) -> Outcome {
        let mut stop = pin!(tokio::signal::ctrl_c());
        let mut pause = self.pace.interval();
        loop {
            // A new socket for each attempt: nothing that belongs to the last one can come through
            // it. The old one would find a restarted queue, too; but nobody would tell that queue
            // that we are READY.
            let dealer = DealerSocket::builder()
                .identity(Identity::new(self.name.clone())?)
                .reconnect_interval_max(self.pace.patience())
                .linger(self.pace.interval())
                .build();
            dealer.connect(self.queue.as_str())?;
            let heard = tokio::select! {
                heard = self.serve(&dealer) => heard?,
                _ = &mut stop => {
                    dealer.close().await;
                    return Ok(());
                }
            };
            dealer.close().await;
            // The longer nobody answers, the more rarely we knock: a hundred workers that all try
            // at full speed are no help to a queue that is about to start.
            pause = if heard {
                self.pace.interval()
            } else {
                (pause * 2).min(PAUSE_MAX)
            };
            println!("the queue is silent");
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut stop => return Ok(()),
            }
        }
    }

    /// Works until nothing has been heard of the queue for too long. Returns whether anything had
    /// been heard before.
    async fn serve(&self, dealer: &DealerSocket) -> Result<bool, console::Failure> {
        dealer.send(READY).await?;
        let mut ticks = self.pace.ticks();
        let mut heard = false;
        let mut deadline = Instant::now() + self.pace.patience();
        loop {
            tokio::select! {
                biased;
                message = dealer.recv() => {
                    let message = message?;
                    heard = true;
                    deadline = Instant::now() + self.pace.patience();
                    if message.first() != HEARTBEAT {
                        // In a task of its own, so that a long job does not stop the heart.
                        let delay = Duration::from_millis(self.work_ms);
                        tokio::spawn(work(dealer.clone(), message, delay));
                    }
                }
                _ = ticks.tick() => {
                    dealer.try_send(HEARTBEAT).ok();
                }
                () = sleep_until(deadline) => return Ok(heard),
            }
        }
    }
}

/// Does one job: `[client, empty, text]`, to which the answer is `[client, empty, result]`.
async fn work(dealer: DealerSocket, job: Message, delay: Duration) {
    let Ok((client, text)) = job.split_envelope() else {
        return eprintln!("A job without a client");
    };
    println!("{}: begun", text.text());
    sleep(delay).await;
    println!("{}: done", text.text());
    let result = Message::from(text.text().to_uppercase());
    // Fails when the conversation has ended meanwhile; then somebody else does the job.
    dealer.send(result.with_envelope(client)).await.ok();
}
