//! *Lazy pirate*: a client that does not believe in servers. It asks, waits for a while, and asks
//! again.
//!
//! ```text
//! cargo run --example lazy_pirate -- server --freeze-at 4   # falls asleep at the fourth request
//! cargo run --example lazy_pirate -- client                 # in another terminal
//! ```
//!
//! Stop the server with Ctrl-C and start it again without `--freeze-at`: the client has waited for
//! it and goes on where it was.
//!
//! This is all that is needed where many clients talk to one server. It has two conditions. A
//! request may be carried out twice, since nobody can tell a lost request from a lost reply; so it
//! must do no harm the second time. And somebody has to start the server again.

mod console;

use std::io;
use std::time::Duration;

use clap::{Args, Parser};
use console::{Outcome, until_ctrl_c};
use tokio::time::timeout;
use wirelark::{RepSocket, ReqSocket};

#[derive(Parser)]
#[command(about = "A client that asks again until it is answered, and a server that needs it")]
enum Role {
    /// Answers requests, until it falters as it was told to
    Server(Server),
    /// Asks one question after the other
    Client(Client),
}

#[tokio::main]
async fn main() -> Outcome {
    match Role::parse() {
        Role::Server(server) => server.run().await,
        Role::Client(client) => client.run().await,
    }
}

#[derive(Args)]
struct Server {
    /// Where to listen
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5555")]
    endpoint: String,
    /// Leave every N-th request without an answer, like a server with too much to do
    #[arg(long, value_name = "N")]
    skip_every: Option<u64>,
    /// Take request N and never do anything again, like a server in an endless loop
    #[arg(long, value_name = "N")]
    freeze_at: Option<u64>,
}

impl Server {
    async fn run(self) -> Outcome {
        let rep = RepSocket::new();
        let bound = rep.bind(self.endpoint.as_str()).await?;
        eprintln!("Listening on {bound}");
        let outcome = until_ctrl_c(self.serve(&rep)).await;
        rep.close().await;
        outcome
    }

    async fn serve(&self, rep: &RepSocket) -> Outcome {
        for count in 1.. {
            let request = rep.recv().await?;
            let text = request.text().into_owned();
            if self.freeze_at == Some(count) {
                println!("{text}: frozen");
                std::future::pending::<()>().await;
            }
            if self.skip_every.is_some_and(|n| count % n == 0) {
                println!("{text}: skipped");
                continue; // a request that is dropped gets no answer, and no other is held up by it
            }
            println!("{text}: answered");
            // The client may have run out of patience; it will ask again.
            request.reply(text).await.ok();
        }
        Ok(())
    }
}

#[derive(Args)]
struct Client {
    /// The server, or a broker that stands for many
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5555")]
    server: String,
    /// How many questions to ask
    #[arg(long, value_name = "N", default_value_t = 10)]
    requests: u32,
    /// How long to wait for an answer before asking again
    #[arg(long, value_name = "N", default_value_t = 2_500)]
    timeout_ms: u64,
    /// How often to ask again before giving up
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
}

impl Client {
    async fn run(self) -> Outcome {
        let patience = Duration::from_millis(self.timeout_ms);
        // There is no sense in waiting longer for the next attempt to connect than for an answer.
        let req = ReqSocket::builder()
            .reconnect_interval_max(patience)
            .linger(Duration::ZERO) // nobody will wait for what is still unanswered at the end
            .build();
        req.connect(self.server.as_str())?;
        let outcome = until_ctrl_c(self.ask_all(&req, patience)).await;
        req.close().await;
        outcome
    }

    async fn ask_all(&self, req: &ReqSocket, patience: Duration) -> Outcome {
        for number in 1..=self.requests {
            self.ask(req, number, patience).await?;
        }
        Ok(())
    }

    /// Asks until the answer is there.
    async fn ask(&self, req: &ReqSocket, number: u32, patience: Duration) -> Outcome {
        let question = format!("question {number}");
        for _attempt in 0..=self.retries {
            // `timeout` drops the future, and dropping it abandons the request: its connection is
            // closed and made anew, so that a late answer cannot be taken for the answer to what
            // is asked next. With libzmq it is the program that closes the socket and opens
            // another here, or has it skip the turn by `ZMQ_REQ_RELAXED` and `ZMQ_REQ_CORRELATE`.
            match timeout(patience, req.request(question.as_str())).await {
                Ok(Ok(answer)) => {
                    println!("{question}: {}", answer.text());
                    return Ok(());
                }
                // The server went away with our question: no need to wait for the rest of the time.
                Ok(Err(error)) => eprintln!("{question}: {error}; asking again"),
                Err(_) => eprintln!("{question}: no answer within {patience:?}; asking again"),
            }
        }
        Err(io::Error::other("the server seems to be gone for good: giving up").into())
    }
}
