//! *Majordomo*: a broker that knows services by name. Workers offer a service, clients ask for one,
//! and neither knows where the other is.
//!
//! ```text
//! cargo run --example majordomo -- broker
//! cargo run --example majordomo -- worker tea --name anne     # as many as you like, for any service
//! cargo run --example majordomo -- client tea                 # before there is a worker, if you like
//! ```
//!
//! When a worker dies, another one is given its request. When the broker dies, its workers come to
//! the next one by themselves, and clients ask again. The broker keeps nothing that could not be
//! lost; that is why it can be started again at any time.
//!
//! What is said on the wire is the Majordomo Protocol 0.1, RFC 7: other implementations can play
//! any of the three parts. Read `paranoid_pirate` first; the heartbeats are the same.

mod console;
mod heartbeat;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Parser};
use console::{Outcome, until_ctrl_c};
use heartbeat::Pace;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wirelark::{DealerSocket, Identity, Message, ReqSocket, RouterSocket};

/// What each message of a client, or to one, begins with.
const CLIENT: &[u8] = b"MDPC01";
/// Likewise for workers; the next frame is one of the five commands.
const WORKER: &[u8] = b"MDPW01";
const READY: &[u8] = &[1];
const REQUEST: &[u8] = &[2];
const REPLY: &[u8] = &[3];
const HEARTBEAT: &[u8] = &[4];
const DISCONNECT: &[u8] = &[5];

/// How many requests may wait in the broker, for all services together: clients may ask for
/// services that nobody ever offers.
const WAITING_MAX: usize = 10_000;
/// A worker that cannot find its broker does not try more rarely than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(about = "A broker of services, by the Majordomo Protocol (RFC 7)")]
enum Role {
    /// Brings requests to whoever offers the service
    Broker(BrokerArguments),
    /// Offers a service
    Worker(Worker),
    /// Asks for a service
    Client(Client),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Broker(broker) => broker.run().await,
        Role::Worker(worker) => worker.run().await,
        Role::Client(client) => client.run().await,
    }
}

#[derive(Args)]
struct BrokerArguments {
    /// Where clients and workers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5555")]
    endpoint: String,
    /// How long a request waits for somebody who offers the service
    #[arg(long, value_name = "N", default_value_t = 60_000)]
    expiry_ms: u64,
    #[command(flatten)]
    pace: Pace,
}

impl BrokerArguments {
    async fn run(self) -> Outcome {
        let mut broker = Broker {
            // A worker that opens a new connection may take its name along.
            socket: RouterSocket::builder().handover(true).build(),
            pace: self.pace,
            expiry: Duration::from_millis(self.expiry_ms),
            services: HashMap::new(),
            workers: HashMap::new(),
        };
        let bound = broker.socket.bind(self.endpoint.as_str()).await?;
        eprintln!("Clients and workers at {bound}");
        let outcome = until_ctrl_c(broker.serve()).await;
        broker.socket.close().await;
        outcome
    }
}

struct Broker {
    /// One socket for all: what a message begins with tells who speaks.
    socket: RouterSocket,
    pace: Pace,
    expiry: Duration,
    services: HashMap<Bytes, Service>,
    workers: HashMap<Identity, Registered>,
}

#[derive(Default)]
struct Service {
    /// Requests that nobody works on, the oldest first.
    waiting: VecDeque<Request>,
    /// Workers without work; the one that has waited longest is next.
    idle: VecDeque<Identity>,
}

struct Request {
    client: Identity,
    body: Vec<Bytes>,
    until: Instant,
}

/// A worker that is alive as far as we know.
struct Registered {
    service: Bytes,
    /// How long we believe that, unless we hear something.
    until: Instant,
    /// What it is working on: kept for another one, should this one die.
    job: Option<Request>,
}

impl Broker {
    async fn serve(&mut self) -> Outcome {
        let mut ticks = self.pace.ticks();
        loop {
            tokio::select! {
                // In this order: what workers have said is heard before their silence is judged.
                biased;
                received = self.socket.recv() => {
                    let (peer, message) = received?;
                    self.hear(peer, message);
                }
                _ = ticks.tick() => self.watch(),
            }
        }
    }

    fn hear(&mut self, peer: Identity, message: Message) {
        let frames = message.into_frames();
        match frames.as_slice() {
            [empty, header, service, body @ ..]
                if empty.is_empty() && header == CLIENT && !body.is_empty() =>
            {
                let waiting = self.services.values().map(|service| service.waiting.len());
                if waiting.sum::<usize>() >= WAITING_MAX {
                    return eprintln!("{peer} is turned away: too many requests are waiting");
                }
                let request = Request {
                    client: peer,
                    body: body.to_vec(),
                    until: Instant::now() + self.expiry,
                };
                let queue = self.services.entry(service.clone()).or_default();
                queue.waiting.push_back(request);
                self.dispatch(service);
            }
            [empty, header, command, rest @ ..] if empty.is_empty() && header == WORKER => {
                self.hear_worker(peer, command, rest);
            }
            other => eprintln!("{peer} said {other:?}, which means nothing"),
        }
    }

    fn hear_worker(&mut self, worker: Identity, command: &[u8], rest: &[Bytes]) {
        let until = Instant::now() + self.pace.patience();
        match (command, rest, self.workers.get_mut(&worker)) {
            (READY, [service], None) => {
                println!("ready: {worker}");
                let registered = Registered {
                    service: service.clone(),
                    until,
                    job: None,
                };
                self.workers.insert(worker.clone(), registered);
                self.rest(worker, service.clone());
            }
            (HEARTBEAT, [], Some(registered)) => registered.until = until,
            (REPLY, [client, empty, body @ ..], Some(registered))
                if empty.is_empty()
                    && (registered.job.as_ref())
                        .is_some_and(|job| job.client.as_bytes() == client) =>
            {
                registered.until = until;
                registered.job = None;
                let service = registered.service.clone();
                let mut reply = vec![Bytes::new(), Bytes::from_static(CLIENT), service.clone()];
                reply.extend_from_slice(body);
                // A client that has gone, or does not read, is not waited for.
                if let Ok(client) = Identity::of_peer(client.clone()) {
                    self.socket.try_send_to(&client, reply).ok();
                }
                self.rest(worker, service);
            }
            (DISCONNECT, [], _) => self.forget(&worker),
            // Whatever else it says, we do not agree about where we are: it has to begin anew. So a
            // worker learns from the answer to its heartbeat that the broker has been restarted.
            _ => {
                self.tell(&worker, DISCONNECT);
                self.forget(&worker);
            }
        }
    }

    /// A worker has nothing to do: it stands at the end of the row.
    fn rest(&mut self, worker: Identity, service: Bytes) {
        let queue = self.services.entry(service.clone()).or_default();
        queue.idle.push_back(worker);
        self.dispatch(&service);
    }

    /// Brings requests and workers together, as long as there are both.
    fn dispatch(&mut self, name: &Bytes) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        while let Some(request) = service.waiting.pop_front() {
            let Some(worker) = service.idle.pop_front() else {
                return service.waiting.push_front(request);
            };
            let mut command = vec![
                Bytes::new(),
                Bytes::from_static(WORKER),
                Bytes::from_static(REQUEST),
                request.client.as_bytes().clone(),
                Bytes::new(),
            ];
            command.extend_from_slice(&request.body);
            match self.workers.get_mut(&worker) {
                Some(registered) if self.socket.try_send_to(&worker, command).is_ok() => {
                    registered.job = Some(request);
                }
                _ => {
                    // Its connection has ended, or is stuck.
                    println!("gone: {worker}");
                    self.workers.remove(&worker);
                    service.waiting.push_front(request);
                }
            }
        }
    }

    /// Gives up what is too old, and greets the workers that are left.
    fn watch(&mut self) {
        let now = Instant::now();
        let silent = self.workers.iter().filter(|(_, known)| known.until < now);
        let silent: Vec<_> = silent.map(|(worker, _)| worker.clone()).collect();
        for worker in silent {
            self.forget(&worker);
        }
        for service in self.services.values_mut() {
            service.waiting.retain(|request| request.until > now);
        }
        // A service that nobody offers or asks for any more is only a name.
        self.services
            .retain(|_, service| !service.waiting.is_empty() || !service.idle.is_empty());
        for worker in self.workers.keys() {
            self.tell(worker, HEARTBEAT);
        }
    }

    fn tell(&self, worker: &Identity, command: &[u8]) {
        let message = Message::from([&b""[..], WORKER, command]);
        self.socket.try_send_to(worker, message).ok();
    }

    /// Strikes a worker off. What it was working on is next in line for another one.
    fn forget(&mut self, worker: &Identity) {
        let Some(gone) = self.workers.remove(worker) else {
            return;
        };
        println!("gone: {worker}");
        let service = self.services.entry(gone.service.clone()).or_default();
        service.idle.retain(|other| other != worker);
        if let Some(request) = gone.job {
            service.waiting.push_front(request);
        }
        self.dispatch(&gone.service);
    }
}

#[derive(Args)]
struct Worker {
    /// The service to offer
    service: String,
    /// What the broker shall call this worker; no two may have the same name
    #[arg(long, value_name = "NAME", default_value_t = format!("worker-{}", std::process::id()))]
    name: String,
    /// The broker
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5555")]
    broker: String,
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
            // A socket for each conversation: nothing of the last one can get into the next.
            let dealer = DealerSocket::builder()
                .identity(Identity::new(self.name.clone())?)
                .reconnect_interval_max(self.pace.patience())
                .linger(self.pace.interval())
                .build();
            dealer.connect(self.broker.as_str())?;
            let heard = tokio::select! {
                heard = self.serve(&dealer) => heard?,
                _ = &mut stop => {
                    dealer.try_send([&b""[..], WORKER, DISCONNECT]).ok();
                    dealer.close().await;
                    return Ok(());
                }
            };
            dealer.close().await;
            pause = if heard {
                self.pace.interval()
            } else {
                (pause * 2).min(PAUSE_MAX)
            };
            println!("beginning anew");
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut stop => return Ok(()),
            }
        }
    }

    /// Works until the broker says that it is over, or says nothing for too long. Returns whether
    /// anything had been heard of it.
    async fn serve(&self, dealer: &DealerSocket) -> Result<bool, console::Failure> {
        let ready = [&b""[..], WORKER, READY, self.service.as_bytes()];
        dealer.send(ready).await?;
        let mut ticks = self.pace.ticks();
        let mut heard = false;
        let mut deadline = Instant::now() + self.pace.patience();
        loop {
            tokio::select! {
                biased;
                message = dealer.recv() => {
                    heard = true;
                    deadline = Instant::now() + self.pace.patience();
                    let frames = message?.into_frames();
                    match frames.as_slice() {
                        [_, header, command, client, _, text, ..]
                            if header == WORKER && command == REQUEST =>
                        {
                            // In a task of its own, so that a long job does not stop the heart.
                            let delay = Duration::from_millis(self.work_ms);
                            tokio::spawn(work(dealer.clone(), client.clone(), text.clone(), delay));
                        }
                        [_, header, command] if header == WORKER && command == HEARTBEAT => {}
                        [_, header, command] if header == WORKER && command == DISCONNECT => {
                            return Ok(heard);
                        }
                        other => eprintln!("The broker said {other:?}, which means nothing"),
                    }
                }
                _ = ticks.tick() => {
                    dealer.try_send([&b""[..], WORKER, HEARTBEAT]).ok();
                }
                () = sleep_until(deadline) => return Ok(heard),
            }
        }
    }
}

async fn work(dealer: DealerSocket, client: Bytes, text: Bytes, delay: Duration) {
    let text = String::from_utf8_lossy(&text);
    println!("{text}: begun");
    sleep(delay).await;
    println!("{text}: done");
    let result = text.to_uppercase();
    let reply = [&b""[..], WORKER, REPLY, &client, b"", result.as_bytes()];
    // Fails when the conversation has ended meanwhile; then somebody else does the job.
    dealer.send(reply).await.ok();
}

#[derive(Args)]
struct Client {
    /// The service to ask for
    service: String,
    /// The broker
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5555")]
    broker: String,
    /// How many requests to make
    #[arg(long, value_name = "N", default_value_t = 10)]
    requests: u32,
    /// How long to wait for an answer before asking again
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    timeout_ms: u64,
    /// How often to ask again before giving up
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
}

impl Client {
    async fn run(self) -> Outcome {
        let req = ReqSocket::builder()
            .reconnect_interval_max(Duration::from_millis(self.timeout_ms))
            .linger(Duration::ZERO)
            .build();
        req.connect(self.broker.as_str())?;
        let outcome = until_ctrl_c(async {
            for number in 1..=self.requests {
                self.ask(&req, &format!("{} {number}", self.service))
                    .await?;
            }
            Ok(())
        })
        .await;
        req.close().await;
        outcome
    }

    /// Asks until the answer is there, like `lazy_pirate`: against the death of a broker.
    async fn ask(&self, req: &ReqSocket, text: &str) -> Outcome {
        // The empty frame in front of this is written by the socket.
        let request = Message::from([CLIENT, self.service.as_bytes(), text.as_bytes()]);
        for _attempt in 0..=self.retries {
            let patience = Duration::from_millis(self.timeout_ms);
            match timeout(patience, req.request(&request)).await {
                Ok(Ok(reply)) => match reply.into_frames().as_slice() {
                    [header, service, answer] if header == CLIENT && service == &self.service => {
                        println!("{text}: {}", String::from_utf8_lossy(answer));
                        return Ok(());
                    }
                    other => eprintln!("The broker said {other:?}, which means nothing"),
                },
                Ok(Err(error)) => eprintln!("{text}: {error}; asking again"),
                Err(_) => eprintln!("{text}: no answer within {patience:?}; asking again"),
            }
        }
        Err(io::Error::other("the broker seems to be gone for good: giving up").into())
    }
}
