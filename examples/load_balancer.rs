//! *Load balancer*: a broker between clients that ask and workers that answer. Each request goes to
//! the worker that has been idle for longest, and none to a worker that is busy.
//!
//! ```text
//! cargo run --example load_balancer -- broker
//! cargo run --example load_balancer -- worker --name ada               # takes one job at a time
//! cargo run --example load_balancer -- worker --name bob --jobs 4      # takes four at a time
//! cargo run --example load_balancer -- client --clients 10
//! ```
//!
//! PUSH, or a DEALER, would deal the requests out in turns, to the busy as to the idle. So the
//! workers say when they want something: a request is the answer to that. Workers come and go as they
//! like, and nobody needs to be told how many there are.

mod console;

use std::collections::VecDeque;
use std::time::Duration;

use clap::{Args, Parser};
use console::{Outcome, until_ctrl_c};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wirelark::{DealerSocket, Event, Identity, Message, ReqSocket, RequestError, RouterSocket};

/// What a worker says when it has nothing to do, and no answer to deliver.
const READY: &str = "READY";
/// The longest wait before a lost connection is made again.
const REDIAL_MAX: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(about = "A broker that gives each request to the worker that has been idle for longest")]
enum Role {
    /// Stands between clients and workers
    Broker(Broker),
    /// Does jobs
    Worker(Worker),
    /// Asks, in the name of any number of clients
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
struct Broker {
    /// Where clients connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5555")]
    clients: String,
    /// Where workers connect
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5556")]
    workers: String,
}

impl Broker {
    async fn run(self) -> Outcome {
        let clients = RouterSocket::new();
        // A worker that is started again may have its old name, even if its death has not got
        // about yet.
        let workers = RouterSocket::builder().handover(true).build();
        let clients_at = clients.bind(self.clients.as_str()).await?;
        let workers_at = workers.bind(self.workers.as_str()).await?;
        eprintln!("Clients at {clients_at}, workers at {workers_at}");
        let outcome = until_ctrl_c(broker(&clients, &workers)).await;
        clients.close().await;
        workers.close().await;
        outcome
    }
}

async fn broker(clients: &RouterSocket, workers: &RouterSocket) -> Outcome {
    // Who can take a job, the least recently used first. Who can take four stands here four times.
    let mut idle: VecDeque<Identity> = VecDeque::new();
    loop {
        tokio::select! {
            // Clients are heard only while somebody can serve them. Until then their requests wait
            // in the queues of the socket, which are bounded, and hold up nobody but the clients.
            received = clients.recv(), if !idle.is_empty() => {
                let (client, mut request) = received?;
                // [empty, text] becomes [empty, client, empty, text]. The first empty frame is what
                // a REQ wants to see; the name of the client will come back with the answer.
                request.push_front(client.as_bytes());
                request.push_front("");
                assign(&request, &mut idle, workers);
            }
            received = workers.recv() => {
                let (worker, message) = received?;
                let frames = message.into_frames();
                match frames.as_slice() {
                    [empty, word] if empty.is_empty() && word == READY => {
                        println!("ready: {worker}");
                        idle.push_back(worker);
                    }
                    [empty, client, answer @ ..] if empty.is_empty() && !answer.is_empty() => {
                        idle.push_back(worker);
                        // Never wait for one client here: all others would wait, too.
                        if let Ok(client) = Identity::of_peer(client.clone()) {
                            clients.try_send_to(&client, answer.to_vec()).ok();
                        }
                    }
                    other => eprintln!("{worker} said {other:?}, which means nothing"),
                }
            }
        }
    }
}

/// Gives a job to the first worker in line that is still there.
fn assign(job: &Message, idle: &mut VecDeque<Identity>, workers: &RouterSocket) {
    while let Some(worker) = idle.pop_front() {
        if workers.try_send_to(&worker, job).is_ok() {
            return;
        }
        // A ROUTER knows which names have a connection. What it cannot know is whether a worker is
        // still doing something behind that connection; heartbeats can: see `paranoid_pirate`.
        println!("gone: {worker}");
        idle.retain(|other| *other != worker);
    }
    // Nobody is left after all. The client will lose its patience, and ask again.
}

#[derive(Args, Clone)]
struct Worker {
    /// What the broker shall call this worker; no two may have the same name
    #[arg(long, value_name = "NAME", default_value_t = format!("worker-{}", std::process::id()))]
    name: String,
    /// The broker
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5556")]
    broker: String,
    /// How many jobs to do at the same time
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// How long a job takes
    #[arg(long, value_name = "N", default_value_t = 0)]
    work_ms: u64,
}

impl Worker {
    async fn run(self) -> Outcome {
        let name = Identity::new(self.name.clone())?;
        if self.jobs == 1 {
            let req = ReqSocket::builder()
                .identity(name)
                .reconnect_interval_max(REDIAL_MAX)
                .build();
            req.connect(self.broker.as_str())?;
            let outcome = until_ctrl_c(self.one_at_a_time(&req)).await;
            req.close().await;
            outcome
        } else {
            // `immediate` ties what is sent to the connection that is there. A READY that waited for
            // the next broker would not be the only one it gets.
            let dealer = DealerSocket::builder()
                .identity(name)
                .reconnect_interval_max(REDIAL_MAX)
                .immediate(true)
                .build();
            let outcome = until_ctrl_c(self.many_at_a_time(&dealer)).await;
            dealer.close().await;
            outcome
        }
    }

    /// With REQ: "I am ready" is the question, a job is the answer; the result is the next question.
    async fn one_at_a_time(&self, req: &ReqSocket) -> Outcome {
        let mut report = Message::from(READY);
        loop {
            report = match req.request(report).await {
                Ok(job) => self.work(job).await.unwrap_or_else(|| READY.into()),
                // The broker went away, and with it the knowledge that we are here.
                Err(RequestError::Lost { .. }) => READY.into(),
                Err(error) => return Err(error.into()),
            };
        }
    }

    /// With DEALER, which knows no turns: as many jobs as READYs. The empty frame in front, which a
    /// REQ writes and takes off by itself, is ours to handle here.
    async fn many_at_a_time(&self, dealer: &DealerSocket) -> Outcome {
        let mut events = dealer.events();
        dealer.connect(self.broker.as_str())?;
        let mut working = JoinSet::new();
        loop {
            tokio::select! {
                Some(event) = events.next() => match event {
                    // A broker that starts knows nothing of us, whatever the last one knew.
                    Event::Ready { .. } => {
                        for _ in 0..self.jobs {
                            dealer.try_send(["", READY]).ok();
                        }
                    }
                    // Nobody waits any more for what we are doing.
                    Event::Disconnected { .. } => working.abort_all(),
                    _ => {}
                },
                job = dealer.recv() => {
                    let (mut job, dealer, worker) = (job?, dealer.clone(), self.clone());
                    working.spawn(async move {
                        job.pop_front(); // the empty frame
                        if let Some(mut report) = worker.work(job).await {
                            report.push_front("");
                            dealer.send(report).await.ok();
                        }
                    });
                }
                Some(_) = working.join_next() => {}
            }
        }
    }

    /// From `[client, empty, text]` to `[client, empty, result]`.
    async fn work(&self, job: Message) -> Option<Message> {
        let (client, text) = job.split_envelope().ok()?;
        println!("{}: begun", text.text());
        sleep(Duration::from_millis(self.work_ms)).await;
        let result = format!("{}, done by {}", text.text(), self.name);
        Some(Message::from(result).with_envelope(client))
    }
}

#[derive(Args)]
struct Client {
    /// The broker
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5555")]
    broker: String,
    /// How many clients to be
    #[arg(long, value_name = "N", default_value_t = 1)]
    clients: u32,
    /// How many requests each of them makes
    #[arg(long, value_name = "N", default_value_t = 10)]
    requests: u32,
    /// How long to wait for an answer before asking again
    #[arg(long, value_name = "N", default_value_t = 2_500)]
    timeout_ms: u64,
}

impl Client {
    async fn run(self) -> Outcome {
        let mut clients = JoinSet::new();
        for client in 1..=self.clients {
            let req = ReqSocket::builder()
                .reconnect_interval_max(REDIAL_MAX)
                .linger(Duration::ZERO)
                .build();
            req.connect(self.broker.as_str())?;
            let patience = Duration::from_millis(self.timeout_ms);
            clients.spawn(async move {
                for number in 1..=self.requests {
                    ask(
                        &req,
                        format!("client {client}, question {number}"),
                        patience,
                    )
                    .await;
                }
                req.close().await;
            });
        }
        until_ctrl_c(async {
            while let Some(ended) = clients.join_next().await {
                ended?;
            }
            Ok(())
        })
        .await
    }
}

/// Asks until the answer is there, like `lazy_pirate`: the broker may lose a request, if the worker
/// that has it dies.
async fn ask(req: &ReqSocket, question: String, patience: Duration) {
    loop {
        match timeout(patience, req.request(question.as_str())).await {
            Ok(Ok(answer)) => return println!("{}", answer.text()),
            Ok(Err(error)) => eprintln!("{question}: {error}; asking again"),
            Err(_) => eprintln!("{question}: no answer yet; asking again"),
        }
    }
}
